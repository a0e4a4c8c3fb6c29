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
use crate::lifecycle::Act;
use crate::mandate::{Delegate, EndMandate, InviteTerminal, KeepTerminal, Scope};
use crate::membership::Membership;
use crate::time;

const FORM: &str = "tasuki-statement/v1";

/// A statement's meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// What one of its parties declares about a parcel.
    Parcel(Declaration),
    /// "Send us this document, please" (連絡).
    Request(Request),
    /// "Seal what is for this office to this key as well": the office's certificate may not encrypt.
    ApproveSealingKey(ApproveSealingKey),
    /// "This proxy acts for us" (委任).
    Delegate(Delegate),
    /// "Whoever has the code is a terminal of ours" (端末).
    InviteTerminal(InviteTerminal),
    /// "That terminal goes on under our new certificate."
    KeepTerminal(KeepTerminal),
    /// "That mandate is over."
    EndMandate(EndMandate),
    /// "We take part", "we leave", and the like.
    Membership(Membership),
}

/// The parcel that a statement is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AboutParcel {
    /// Which parcel.
    pub parcel: ParcelKey,
    /// Its receiver.
    pub recipient: OfficeNumber,
    /// SHA-256 of the container: what the receiver opened, what the sender built.
    pub digest: [u8; 32],
    /// When, by the signer's clock. Unix microseconds.
    pub time_us: i64,
}

/// A party's word about a parcel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// Which parcel, and when.
    pub about: AboutParcel,
    /// What is declared.
    pub word: Word,
}

/// What a party declares about a parcel. A text is named by SHA-256 of its sealed form, which travels beside the
/// statement: sealed (`AuthEnvelopedData`) to the keys of both parties, at most 2,000 characters of UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// The receiver: "I hold this parcel: verified, opened, stored."
    Acknowledge,
    /// The receiver: "My care software has taken it in."
    Import,
    /// The receiver: "I don't take it."
    Refuse {
        /// Why.
        reason: RefusalReason,
        /// In words.
        text: Option<[u8; 32]>,
    },
    /// The receiver's proxy, in its own name: "I have handed it to the office."
    HandOver,
    /// The sender: "Deliver what is held."
    Release,
    /// The sender: "Throw away what is held."
    Discard,
    /// The sender: "I take it back" (電文取消).
    Recall,
    /// The sender, when it is too late to recall: "Don't use it, please."
    AskWithdrawal {
        /// Why, in words.
        text: Option<[u8; 32]>,
    },
    /// Either party to the other (連絡).
    Remark {
        /// Who speaks: the sender or the receiver.
        by: OfficeNumber,
        /// It is urgent: they telephoned as well (電話済).
        urgent: bool,
        /// What it says.
        text: [u8; 32],
    },
}

/// Why a receiver does not take a parcel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefusalReason {
    /// It can't be opened or read.
    Unreadable,
    /// What it says is wrong.
    WrongContent,
    /// It is for somebody else (誤送信).
    NotOurs,
    /// The care software does not take it in.
    ImportFailed,
    /// The key that it was sealed to is gone.
    KeyLost,
    /// See the text.
    Other,
}

impl RefusalReason {
    /// All reasons.
    pub const ALL: [Self; 6] =
        [Self::Unreadable, Self::WrongContent, Self::NotOurs, Self::ImportFailed, Self::KeyLost, Self::Other];

    /// As statements, events and command lines spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::WrongContent => "wrong-content",
            Self::NotOurs => "not-ours",
            Self::ImportFailed => "import-failed",
            Self::KeyLost => "key-lost",
            Self::Other => "other",
        }
    }
}

impl std::str::FromStr for RefusalReason {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|r| r.as_str() == text).ok_or(())
    }
}

/// One office asks another for a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Who asks, and signs.
    pub from: OfficeNumber,
    /// Who is asked.
    pub to: OfficeNumber,
    /// What for: a word of the registry of documents, or `other`; 1 to 40 characters `a-z`, `0-9`, `-`.
    pub document: String,
    /// More of it in words: SHA-256 of the sealed text.
    pub text: Option<[u8; 32]>,
    /// When, by the signer's clock. Unix microseconds.
    pub time_us: i64,
}

impl Request {
    /// Whether a word can stand for a document.
    pub fn is_document(word: &str) -> bool {
        (1..=40).contains(&word.len())
            && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    }
}

impl Word {
    /// What it does to the parcel.
    pub fn act(&self) -> Act {
        match self {
            Self::Acknowledge => Act::Acknowledge,
            Self::Import => Act::Import,
            Self::Refuse { .. } => Act::Refuse,
            Self::HandOver => Act::HandOver,
            Self::Release => Act::Release,
            Self::Discard => Act::Discard,
            Self::Recall => Act::Recall,
            Self::AskWithdrawal { .. } => Act::AskWithdrawal,
            Self::Remark { .. } => Act::Remark,
        }
    }

    /// The word in a statement's `kind` line.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledge",
            Self::Import => "import",
            Self::Refuse { .. } => "refuse",
            Self::HandOver => "hand-over",
            Self::Release => "release",
            Self::Discard => "discard",
            Self::Recall => "recall",
            Self::AskWithdrawal { .. } => "ask-withdrawal",
            Self::Remark { .. } => "remark",
        }
    }

    /// SHA-256 of the sealed text that belongs to it.
    pub fn text(&self) -> Option<&[u8; 32]> {
        match self {
            Self::Refuse { text, .. } | Self::AskWithdrawal { text } => text.as_ref(),
            Self::Remark { text, .. } => Some(text),
            _ => None,
        }
    }

    fn add_to(&self, lines: &mut Lines) {
        match self {
            Self::Refuse { reason, .. } => lines.add("reason", reason.as_str()),
            Self::Remark { by, urgent, .. } => {
                lines.add("by", by.as_str());
                lines.add("urgent", if *urgent { "yes" } else { "no" });
            }
            _ => {}
        }
        if let Some(text) = self.text() {
            lines.add("text", &digest_text(text));
        }
    }

    fn read(kind: &str, lines: &Lines) -> Result<Self, TextError> {
        let text = optional_text(lines)?;
        Ok(match kind {
            "acknowledge" => Self::Acknowledge,
            "import" => Self::Import,
            "refuse" => {
                let reason = lines.need("reason")?.parse().map_err(|()| TextError::Value("reason"))?;
                Self::Refuse { reason, text }
            }
            "hand-over" => Self::HandOver,
            "release" => Self::Release,
            "discard" => Self::Discard,
            "recall" => Self::Recall,
            "ask-withdrawal" => Self::AskWithdrawal { text },
            "remark" => Self::Remark {
                by: lines.parse("by")?,
                urgent: match lines.need("urgent")? {
                    "yes" => true,
                    "no" => false,
                    _ => return Err(TextError::Value("urgent")),
                },
                text: text.ok_or(TextError::Missing("text"))?,
            },
            _ => return Err(TextError::Value("kind")),
        })
    }
}

fn optional_text(lines: &Lines) -> Result<Option<[u8; 32]>, TextError> {
    lines.get("text").map(|text| parse_digest(text).ok_or(TextError::Value("text"))).transpose()
}

impl Declaration {
    /// The office whose word it is, and whose signature it needs: its own, or that of who acts for it. Handing over is its proxy's.
    pub fn speaker(&self) -> OfficeNumber {
        match &self.word {
            Word::Acknowledge | Word::Import | Word::Refuse { .. } | Word::HandOver => self.about.recipient,
            Word::Release | Word::Discard | Word::Recall | Word::AskWithdrawal { .. } => {
                self.about.parcel.sender
            }
            Word::Remark { by, .. } => *by,
        }
    }

    /// What a mandate must allow to whoever says this for the speaker: what the sender says is part of sending, what the receiver
    /// says of signing for what came. Who fetches for an office may say that it handed over what it fetched.
    pub fn scope(&self) -> Scope {
        if self.word == Word::HandOver {
            return Scope::Receive;
        }
        if self.speaker() == self.about.parcel.sender { Scope::Send } else { Scope::Acknowledge }
    }
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
    /// The receiver's "I hold this parcel".
    pub fn acknowledge(about: AboutParcel) -> Self {
        Self::Parcel(Declaration { about, word: Word::Acknowledge })
    }

    /// SHA-256 of the sealed text that belongs to it.
    pub fn text(&self) -> Option<&[u8; 32]> {
        match self {
            Self::Parcel(declaration) => declaration.word.text(),
            Self::Request(request) => request.text.as_ref(),
            Self::ApproveSealingKey(_)
            | Self::Delegate(_)
            | Self::InviteTerminal(_)
            | Self::KeepTerminal(_)
            | Self::EndMandate(_)
            | Self::Membership(_) => None,
        }
    }

    /// When, by the signer's clock. Unix microseconds.
    pub fn time_us(&self) -> i64 {
        match self {
            Self::Parcel(declaration) => declaration.about.time_us,
            Self::Request(request) => request.time_us,
            Self::ApproveSealingKey(approve) => approve.time_us,
            Self::Delegate(delegate) => delegate.time_us,
            Self::InviteTerminal(invite) => invite.time_us,
            Self::KeepTerminal(keep) => keep.time_us,
            Self::EndMandate(end) => end.time_us,
            Self::Membership(said) => said.time_us,
        }
    }

    /// The canonical text to sign.
    pub fn print(&self) -> String {
        let mut lines = Lines::new();
        match self {
            Self::Parcel(Declaration { about, word }) => {
                lines.add("kind", word.kind());
                lines.add("parcel", &about.parcel.id.to_string());
                lines.add("sender", about.parcel.sender.as_str());
                lines.add("recipient", about.recipient.as_str());
                lines.add("digest", &digest_text(&about.digest));
                word.add_to(&mut lines);
            }
            Self::Request(request) => {
                lines.add("kind", "request");
                lines.add("from", request.from.as_str());
                lines.add("to", request.to.as_str());
                lines.add("document", &request.document);
                if let Some(text) = &request.text {
                    lines.add("text", &digest_text(text));
                }
            }
            Self::ApproveSealingKey(approve) => {
                lines.add("kind", "approve-sealing-key");
                lines.add("office", approve.office.as_str());
                lines.add("key", &crate::canonical::hex(&approve.spki));
            }
            Self::Delegate(delegate) => delegate.add_to(&mut lines),
            Self::InviteTerminal(invite) => invite.add_to(&mut lines),
            Self::KeepTerminal(keep) => keep.add_to(&mut lines),
            Self::EndMandate(end) => end.add_to(&mut lines),
            Self::Membership(said) => said.add_to(&mut lines),
        }
        lines.add("time", &time::format_us(self.time_us()));
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
            "approve-sealing-key" => Self::ApproveSealingKey(ApproveSealingKey {
                office: lines.parse("office")?,
                spki: parse_bytes(lines.need("key")?).ok_or(TextError::Value("key"))?,
                time_us,
            }),
            "delegate" => Self::Delegate(Delegate::read(&lines, time_us)?),
            "invite-terminal" => Self::InviteTerminal(InviteTerminal::read(&lines, time_us)?),
            "keep-terminal" => Self::KeepTerminal(KeepTerminal::read(&lines, time_us)?),
            "end-mandate" => Self::EndMandate(EndMandate::read(&lines, time_us)?),
            "request" => Self::Request(Request {
                from: lines.parse("from")?,
                to: lines.parse("to")?,
                document: Some(lines.need("document")?)
                    .filter(|word| Request::is_document(word))
                    .ok_or(TextError::Value("document"))?
                    .to_owned(),
                text: optional_text(&lines)?,
                time_us,
            }),
            kind => {
                if let Some(said) = Membership::read(kind, &lines, time_us) {
                    return canonical(Self::Membership(said?), bytes);
                }
                let word = Word::read(kind, &lines)?;
                let about = AboutParcel {
                    parcel: ParcelKey { sender: lines.parse("sender")?, id: lines.parse("parcel")? },
                    recipient: lines.parse("recipient")?,
                    digest: parse_digest(lines.need("digest")?).ok_or(TextError::Value("digest"))?,
                    time_us,
                };
                Self::Parcel(Declaration { about, word })
            }
        };
        canonical(statement, bytes)
    }
}

/// A line that the kind does not have would be signed, and not understood.
fn canonical(statement: Statement, bytes: &[u8]) -> Result<Statement, TextError> {
    (statement.print().as_bytes() == bytes).then_some(statement).ok_or(TextError::Value("kind"))
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
        let declare = |word| Statement::Parcel(Declaration { about: about(), word });
        let refuse = declare(Word::Refuse { reason: RefusalReason::ImportFailed, text: Some([0x11; 32]) });
        let by = "1371215102".parse().unwrap();
        let remark = declare(Word::Remark { by, urgent: true, text: [0x22; 32] });
        let request = Request {
            from: by,
            to: "9971100012".parse().unwrap(),
            document: "burden-ratio".into(),
            text: None,
            time_us: 1_795_261_114_000_123,
        };
        for (statement, golden) in [
            (Statement::acknowledge(about()), include_str!("../tests/golden/acknowledge.txt")),
            (refuse, include_str!("../tests/golden/refuse.txt")),
            (remark, include_str!("../tests/golden/remark.txt")),
            (Statement::Request(request), include_str!("../tests/golden/request.txt")),
            (Statement::ApproveSealingKey(approve), include_str!("../tests/golden/approve-sealing-key.txt")),
        ] {
            assert_eq!(statement.print(), golden);
            assert_eq!(Statement::parse(golden.as_bytes()), Ok(statement));
        }
    }

    #[test]
    fn a_line_too_many_or_too_few_is_refused() {
        let text = Statement::acknowledge(about()).print();
        let more = text.replace("kind: ", "extra: 1\nkind: ");
        assert_eq!(Statement::parse(more.as_bytes()), Err(TextError::Value("kind")));
        let less = text.replace("recipient: 9971100012\n", "");
        assert_eq!(Statement::parse(less.as_bytes()), Err(TextError::Missing("recipient")));
        let other = text.replace("kind: acknowledge", "kind: whatever");
        assert_eq!(Statement::parse(other.as_bytes()), Err(TextError::Value("kind")));
    }
    #[test]
    fn every_word_reads_back_and_names_its_speaker() {
        let (sender, recipient): (OfficeNumber, OfficeNumber) =
            ("1371215102".parse().unwrap(), "9971100012".parse().unwrap());
        let mut words = vec![
            (Word::Acknowledge, recipient),
            (Word::Import, recipient),
            (Word::HandOver, recipient),
            (Word::Release, sender),
            (Word::Discard, sender),
            (Word::Recall, sender),
            (Word::AskWithdrawal { text: None }, sender),
            (Word::AskWithdrawal { text: Some([1; 32]) }, sender),
            (Word::Remark { by: recipient, urgent: false, text: [2; 32] }, recipient),
        ];
        let handed = Declaration { about: about(), word: Word::HandOver };
        assert_eq!(handed.scope(), Scope::Receive);
        words.extend(RefusalReason::ALL.map(|reason| (Word::Refuse { reason, text: None }, recipient)));
        for (word, speaker) in words {
            let declaration = Declaration { about: about(), word };
            assert_eq!(declaration.speaker(), speaker);
            let statement = Statement::Parcel(declaration);
            assert_eq!(Statement::parse(statement.print().as_bytes()), Ok(statement));
        }
    }

    #[test]
    fn a_line_that_the_kind_does_not_have_is_refused() {
        let recall = Statement::Parcel(Declaration { about: about(), word: Word::Recall }).print();
        let with_text = recall.replace("time: ", &format!("text: {}\ntime: ", digest_text(&[1; 32])));
        assert_eq!(Statement::parse(with_text.as_bytes()), Err(TextError::Value("kind")));
        let bad = Statement::Request(Request {
            from: "1371215102".parse().unwrap(),
            to: "9971100012".parse().unwrap(),
            document: "Burden Ratio".into(),
            text: None,
            time_us: 0,
        });
        assert_eq!(Statement::parse(bad.print().as_bytes()), Err(TextError::Value("document")));
    }
}
