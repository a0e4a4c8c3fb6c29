//! An office goes on with a terminal after its own certificate was renewed.
//!
//! ```text
//! tasuki-statement/v1
//! code-key: abab…
//! key: sha256:5d2c…
//! kind: keep-terminal
//! mandate: sha256:7e1f…
//! name: 受付
//! office: 1371215102
//! scopes: receive
//! time: 2026-11-21T11:38:34.000123Z
//! ```
//!
//! An invitation is worth something as long as the certificate that signed it. A certificate that takes its place signs this, which
//! stands where the invitation stood: the same name, scopes and code, so that the terminal's enrolment goes on as it is; and the key
//! that the terminal has now, so that nobody who comes by an old code makes another terminal of it.

use tasuki_careplan::office::OfficeNumber;

use super::{InviteTerminal, Scopes, is_terminal_name};
use crate::canonical::{Lines, TextError, digest_text, hex, parse_digest, parse_hex};

/// An office keeps a terminal that an earlier certificate of it invited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeepTerminal {
    /// The office, which signs.
    pub office: OfficeNumber,
    /// The mandate that goes on: SHA-256 of the invitation (CMS).
    pub mandate: [u8; 32],
    /// The terminal's name within the office, as the invitation has it.
    pub name: String,
    /// How far it goes.
    pub scopes: Scopes,
    /// Ed25519 public key of the invitation code.
    pub code_key: [u8; 32],
    /// SHA-256 of a key of the terminal (`SubjectPublicKeyInfo`, DER): the one that it has now.
    pub key: [u8; 32],
    /// When it was signed. Unix microseconds.
    pub time_us: i64,
}

impl KeepTerminal {
    pub(crate) fn add_to(&self, lines: &mut Lines) {
        lines.add("kind", "keep-terminal");
        lines.add("office", self.office.as_str());
        lines.add("mandate", &digest_text(&self.mandate));
        lines.add("name", &self.name);
        lines.add("scopes", &self.scopes.to_string());
        lines.add("code-key", &hex(&self.code_key));
        lines.add("key", &digest_text(&self.key));
    }

    pub(crate) fn read(lines: &Lines, time_us: i64) -> Result<Self, TextError> {
        let digest = |key| parse_digest(lines.need(key)?).ok_or(TextError::Value(key));
        let name = lines.need("name")?;
        Ok(Self {
            office: lines.parse("office")?,
            mandate: digest("mandate")?,
            name: Some(name).filter(|n| is_terminal_name(n)).ok_or(TextError::Value("name"))?.to_owned(),
            scopes: lines.parse("scopes")?,
            code_key: parse_hex(lines.need("code-key")?).ok_or(TextError::Value("code-key"))?,
            key: digest("key")?,
            time_us,
        })
    }
}

/// What an office says of one of its terminals, in either statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) office: OfficeNumber,
    pub(super) name: String,
    pub(super) scopes: Scopes,
    pub(super) code_key: [u8; 32],
    /// SHA-256 of the invitation.
    pub(super) mandate: [u8; 32],
    /// A key that the terminal must have had.
    pub(super) key: Option<[u8; 32]>,
}

impl Word {
    pub(super) fn invited(said: InviteTerminal, mandate: [u8; 32]) -> Self {
        let InviteTerminal { office, name, scopes, code_key, .. } = said;
        Self { office, name, scopes, code_key, mandate, key: None }
    }

    pub(super) fn kept(said: KeepTerminal) -> Self {
        let KeepTerminal { office, mandate, name, scopes, code_key, key, .. } = said;
        Self { office, name, scopes, code_key, mandate, key: Some(key) }
    }
}
