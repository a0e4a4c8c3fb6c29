//! Mandates: who else may act for an office, how far, how long, and how anybody can check it.
//!
//! * A **delegation** (委任) lets a transmission proxy act: one statement, signed with the office's certificate.
//! * A **terminal** (端末) is a further PC of the office with a key of its own. The office signs the invitation, which
//!   names the public key of the invitation code; whoever has the code signs the terminal's own key with it
//!   ([`Enrolment`]). So nobody, the relay included, can slip in a key: the relay never has the code. A terminal that renews its key
//!   signs the new one with the one before ([`Renewal`]). When the office's certificate is renewed, the new one signs that the
//!   terminal goes on ([`KeepTerminal`]).
//!
//! What a terminal or a proxy signs carries these papers inside the container ([`Papers`]), under the signed manifest.

mod enrolment;
mod keeping;
mod papers;
mod renewal;
mod scopes;
mod vouched;

use tasuki_careplan::office::OfficeNumber;

pub use enrolment::{Code, CodeError, Enrolment, EnrolmentError};
pub use keeping::KeepTerminal;
pub use papers::{Mandated, Papers, PapersError, Role, check};
pub use renewal::{KeyChain, MAX_RENEWALS, Renewal, RenewalError};
pub use scopes::{Scope, Scopes};
pub use vouched::{BY_OPERATOR, STATEMENT_VOUCHED, Signed, VOUCHED, vouched};

use crate::canonical::{Lines, TextError, digest_text, parse_digest};
use crate::ids::ProxyNumber;
use crate::time;

/// Longest name of a terminal, in characters; it stands in its certificate.
pub const MAX_TERMINAL_NAME: usize = 40;

/// An office lets a proxy act for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegate {
    /// The office, which signs.
    pub office: OfficeNumber,
    /// The proxy.
    pub proxy: ProxyNumber,
    /// How far.
    pub scopes: Scopes,
    /// From when, Unix microseconds.
    pub from_us: i64,
    /// Until when, Unix microseconds; the moment itself is too late.
    pub until_us: i64,
    /// What the proxy signs and hands in stays held until the office itself releases or discards it (事業所側での確認).
    pub confirm: bool,
    /// When it was signed, by the signer's clock. Unix microseconds.
    pub time_us: i64,
}

/// An office invites a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InviteTerminal {
    /// The office, which signs.
    pub office: OfficeNumber,
    /// The terminal's name within the office.
    pub name: String,
    /// How far.
    pub scopes: Scopes,
    /// Ed25519 public key of the invitation code.
    pub code_key: [u8; 32],
    /// Until when the invitation can be taken up, Unix microseconds.
    pub until_us: i64,
    /// When it was signed. Unix microseconds.
    pub time_us: i64,
}

/// An office ends a mandate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndMandate {
    /// The office, which signs.
    pub office: OfficeNumber,
    /// The mandate: SHA-256 of its statement (CMS), or of the operator's registration.
    pub mandate: [u8; 32],
    /// When it was signed. Unix microseconds.
    pub time_us: i64,
}

/// Whether a text can name a terminal: one line of 1 to [`MAX_TERMINAL_NAME`] characters.
pub fn is_terminal_name(name: &str) -> bool {
    let length = name.chars().count();
    (1..=MAX_TERMINAL_NAME).contains(&length) && name.trim() == name && !name.chars().any(char::is_control)
}

impl Delegate {
    pub(crate) fn add_to(&self, lines: &mut Lines) {
        lines.add("kind", "delegate");
        lines.add("office", self.office.as_str());
        lines.add("proxy", self.proxy.as_str());
        lines.add("scopes", &self.scopes.to_string());
        lines.add("from", &time::format_us(self.from_us));
        lines.add("until", &time::format_us(self.until_us));
        if self.confirm {
            lines.add("confirm", "office");
        }
    }

    pub(crate) fn read(lines: &Lines, time_us: i64) -> Result<Self, TextError> {
        Ok(Self {
            office: lines.parse("office")?,
            proxy: lines.parse("proxy")?,
            scopes: lines.parse("scopes")?,
            from_us: time_of(lines, "from")?,
            until_us: time_of(lines, "until")?,
            confirm: match lines.get("confirm") {
                None => false,
                Some("office") => true,
                Some(_) => return Err(TextError::Value("confirm")),
            },
            time_us,
        })
    }
}

impl InviteTerminal {
    pub(crate) fn add_to(&self, lines: &mut Lines) {
        lines.add("kind", "invite-terminal");
        lines.add("office", self.office.as_str());
        lines.add("name", &self.name);
        lines.add("scopes", &self.scopes.to_string());
        lines.add("code-key", &crate::canonical::hex(&self.code_key));
        lines.add("until", &time::format_us(self.until_us));
    }

    pub(crate) fn read(lines: &Lines, time_us: i64) -> Result<Self, TextError> {
        let name = lines.need("name")?;
        Ok(Self {
            office: lines.parse("office")?,
            name: Some(name).filter(|n| is_terminal_name(n)).ok_or(TextError::Value("name"))?.to_owned(),
            scopes: lines.parse("scopes")?,
            code_key: crate::canonical::parse_hex(lines.need("code-key")?)
                .ok_or(TextError::Value("code-key"))?,
            until_us: time_of(lines, "until")?,
            time_us,
        })
    }
}

impl EndMandate {
    pub(crate) fn add_to(&self, lines: &mut Lines) {
        lines.add("kind", "end-mandate");
        lines.add("office", self.office.as_str());
        lines.add("mandate", &digest_text(&self.mandate));
    }

    pub(crate) fn read(lines: &Lines, time_us: i64) -> Result<Self, TextError> {
        Ok(Self {
            office: lines.parse("office")?,
            mandate: parse_digest(lines.need("mandate")?).ok_or(TextError::Value("mandate"))?,
            time_us,
        })
    }
}

fn time_of(lines: &Lines, key: &'static str) -> Result<i64, TextError> {
    time::parse_us(lines.need(key)?).ok_or(TextError::Value(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::Statement;

    const TIME_US: i64 = 1_795_261_114_000_123;

    fn office() -> OfficeNumber {
        "1371215102".parse().unwrap()
    }

    #[test]
    fn the_golden_texts_read_and_print() {
        let delegate = Delegate {
            office: office(),
            proxy: "P00001".parse().unwrap(),
            scopes: Scopes::of([Scope::Acknowledge, Scope::Send]),
            from_us: TIME_US,
            until_us: TIME_US + 1_000_000,
            confirm: false,
            time_us: TIME_US,
        };
        let confirmed = Delegate { confirm: true, ..delegate.clone() };
        let invite = InviteTerminal {
            office: office(),
            name: "受付".to_owned(),
            scopes: Scopes::of([Scope::Receive]),
            code_key: [0xab; 32],
            until_us: TIME_US,
            time_us: TIME_US,
        };
        let keep = KeepTerminal {
            office: office(),
            mandate: [0x5d; 32],
            name: "受付".to_owned(),
            scopes: Scopes::of([Scope::Receive]),
            code_key: [0xab; 32],
            key: [0x11; 32],
            time_us: TIME_US,
        };
        let end = EndMandate { office: office(), mandate: [0x5d; 32], time_us: TIME_US };
        for (statement, golden) in [
            (Statement::Delegate(delegate), include_str!("../tests/golden/delegate.txt")),
            (Statement::Delegate(confirmed), include_str!("../tests/golden/delegate-confirm.txt")),
            (Statement::InviteTerminal(invite), include_str!("../tests/golden/invite-terminal.txt")),
            (Statement::KeepTerminal(keep), include_str!("../tests/golden/keep-terminal.txt")),
            (Statement::EndMandate(end), include_str!("../tests/golden/end-mandate.txt")),
        ] {
            assert_eq!(statement.print(), golden);
            assert_eq!(Statement::parse(golden.as_bytes()), Ok(statement));
        }
        // Scopes in another order are another text, and none.
        let golden = include_str!("../tests/golden/delegate.txt");
        let other = golden.replace("send,acknowledge", "acknowledge,send");
        assert_eq!(Statement::parse(other.as_bytes()), Err(TextError::Value("kind")));
        let more = golden.replace("scopes:", "reason: x\nscopes:");
        assert!(Statement::parse(more.as_bytes()).is_err());
    }

    #[test]
    fn terminals_have_names_that_people_can_read() {
        assert!(is_terminal_name("受付 2号機") && is_terminal_name(&"あ".repeat(MAX_TERMINAL_NAME)));
        for wrong in ["", " a", "a ", "a\nb", &"あ".repeat(MAX_TERMINAL_NAME + 1)] {
            assert!(!is_terminal_name(wrong), "{wrong:?}");
        }
    }
}
