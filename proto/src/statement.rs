//! Statements: what a party declares over its own signature, as canonical text inside CMS `SignedData`.
//!
//! ```text
//! tasuki-statement/v1
//! digest: sha256:5d2c…
//! kind: acknowledge
//! parcel: 0193a3f0-8a1b-7c2d-8e3f-000000000000
//! recipient: 9971100012
//! sender: 1371215102
//! time: 2026-11-21T11:38:34.000123Z
//! ```
//!
//! `openssl cms -verify` shows the text and checks the signature. The event that follows from a statement
//! names it by SHA-256 of the CMS bytes.

use tasuki_careplan::office::OfficeNumber;

use crate::canonical::{Lines, TextError, digest_text, parse_digest};
use crate::ids::ParcelKey;
use crate::time;

const FORM: &str = "tasuki-statement/v1";

/// A statement's meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// "I hold this parcel: verified, opened, stored."
    Acknowledge(AboutParcel),
    /// "Seal what is for this office to this key as well": the office's certificate may not encrypt.
    ApproveSealingKey(ApproveSealingKey),
}

/// The parcel that a receiver's statement is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AboutParcel {
    /// Which parcel.
    pub parcel: ParcelKey,
    /// Its receiver, who signs.
    pub recipient: OfficeNumber,
    /// SHA-256 of the container that the receiver opened.
    pub digest: [u8; 32],
    /// When, by the signer's clock. Unix microseconds.
    pub time_us: i64,
}

/// Approves a sealing key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApproveSealingKey {
    /// The office, which signs.
    pub office: OfficeNumber,
    /// `SubjectPublicKeyInfo` (DER) of the P-256 key, at most 256 bytes.
    pub spki: Vec<u8>,
    /// When, by the signer's clock. Unix microseconds.
    pub time_us: i64,
}

impl Statement {
    /// The canonical text to sign.
    pub fn print(&self) -> String {
        let mut lines = Lines::new();
        match self {
            Self::Acknowledge(about) => {
                lines.add("kind", "acknowledge");
                lines.add("parcel", &about.parcel.id.to_string());
                lines.add("sender", about.parcel.sender.as_str());
                lines.add("recipient", about.recipient.as_str());
                lines.add("digest", &digest_text(&about.digest));
                lines.add("time", &time::format_us(about.time_us));
            }
            Self::ApproveSealingKey(approve) => {
                lines.add("kind", "approve-sealing-key");
                lines.add("office", approve.office.as_str());
                lines.add("key", &crate::canonical::hex(&approve.spki));
                lines.add("time", &time::format_us(approve.time_us));
            }
        }
        lines.print(FORM)
    }

    /// Reads a canonical text.
    ///
    /// # Errors
    /// If it is no statement of a known kind, or not its canonical text.
    pub fn parse(bytes: &[u8]) -> Result<Self, TextError> {
        let lines = Lines::read(bytes, FORM, &[])?;
        let time_us = time::parse_us(lines.need("time")?).ok_or(TextError::Value("time"))?;
        let statement = match lines.need("kind")? {
            "acknowledge" => Self::Acknowledge(AboutParcel {
                parcel: ParcelKey { sender: lines.parse("sender")?, id: lines.parse("parcel")? },
                recipient: lines.parse("recipient")?,
                digest: parse_digest(lines.need("digest")?).ok_or(TextError::Value("digest"))?,
                time_us,
            }),
            "approve-sealing-key" => Self::ApproveSealingKey(ApproveSealingKey {
                office: lines.parse("office")?,
                spki: parse_bytes(lines.need("key")?).ok_or(TextError::Value("key"))?,
                time_us,
            }),
            _ => return Err(TextError::Value("kind")),
        };
        // A line that the kind does not have would be signed, and not understood.
        (statement.print().as_bytes() == bytes).then_some(statement).ok_or(TextError::Value("kind"))
    }
}

fn parse_bytes(text: &str) -> Option<Vec<u8>> {
    if text.len() > 512 || !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| std::str::from_utf8(pair).ok().and_then(crate::canonical::parse_hex::<1>).map(|[b]| b))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about() -> AboutParcel {
        AboutParcel {
            parcel: ParcelKey {
                sender: "1371215102".parse().unwrap(),
                id: "0193a3f0-8a1b-7c2d-8e3f-000000000000".parse().unwrap(),
            },
            recipient: "9971100012".parse().unwrap(),
            digest: [0x5d; 32],
            time_us: 1_795_261_114_000_123,
        }
    }

    #[test]
    fn the_golden_texts_read_and_print() {
        let approve = ApproveSealingKey {
            office: "9971100012".parse().unwrap(),
            spki: vec![0x30, 0x59],
            time_us: 1_795_261_114_000_123,
        };
        for (statement, golden) in [
            (Statement::Acknowledge(about()), include_str!("../tests/golden/acknowledge.txt")),
            (Statement::ApproveSealingKey(approve), include_str!("../tests/golden/approve-sealing-key.txt")),
        ] {
            assert_eq!(statement.print(), golden);
            assert_eq!(Statement::parse(golden.as_bytes()), Ok(statement));
        }
    }

    #[test]
    fn a_line_too_many_or_too_few_is_refused() {
        let text = Statement::Acknowledge(about()).print();
        let more = text.replace("kind: ", "extra: 1\nkind: ");
        assert_eq!(Statement::parse(more.as_bytes()), Err(TextError::Value("kind")));
        let less = text.replace("recipient: 9971100012\n", "");
        assert_eq!(Statement::parse(less.as_bytes()), Err(TextError::Missing("recipient")));
        let other = text.replace("kind: acknowledge", "kind: whatever");
        assert_eq!(Statement::parse(other.as_bytes()), Err(TextError::Value("kind")));
    }
}
