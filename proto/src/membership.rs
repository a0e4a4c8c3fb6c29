//! Taking part: what an office signs about itself. It applies to join (利用申請), leaves, says what it takes, and whom it deals with.
//!
//! ```text
//! tasuki-statement/v1
//! erase: no
//! kind: leave
//! office: 1371215102
//! time: 2026-11-21T11:38:34.000123Z
//! ```
//!
//! Each is the office's own word, by its billing certificate: no terminal and no proxy can say it.

use tasuki_careplan::office::OfficeNumber;

use crate::accepts::accepted;
use crate::canonical::{Lines, TextError};

/// Longest name that an application states, in characters.
pub const MAX_NAME_CHARS: usize = 100;

/// An office's word about its taking part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The office, which signs.
    pub office: OfficeNumber,
    /// What it says.
    pub word: MembershipWord,
    /// When it was signed, by the signer's clock. Unix microseconds.
    pub time_us: i64,
}

/// What an office says about its taking part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MembershipWord {
    /// "We want to take part."
    Join {
        /// Its name, for an operator whose list does not have it; empty: none. One line of at most [`MAX_NAME_CHARS`] characters.
        name: String,
    },
    /// "We take part no more."
    Leave {
        /// "Erase what you keep of ours, as far as it is nobody else's evidence."
        erase: bool,
    },
    /// "We take these, and nothing else."
    Profile {
        /// Editions of the standard and formats of attachments, see [`accepted`]; not none.
        accepts: Vec<String>,
    },
    /// To another office: "let us be partners" (招待), "yes" (承諾), "no more".
    Partner {
        /// The other office.
        partner: OfficeNumber,
        /// What is said.
        step: PartnerStep,
    },
}

/// What one office says to another about being partners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartnerStep {
    /// It invites the other.
    Invite,
    /// It accepts the other's invitation.
    Accept,
    /// It ends the partnership, declines an invitation, or takes its own back.
    End,
}

impl PartnerStep {
    const ALL: [Self; 3] = [Self::Invite, Self::Accept, Self::End];

    /// The word in a statement's `kind` line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invite => "partner-invite",
            Self::Accept => "partner-accept",
            Self::End => "partner-end",
        }
    }
}

/// Whether a text can be an office's name in an application: one line, at most [`MAX_NAME_CHARS`] characters, or empty.
pub fn is_office_name(name: &str) -> bool {
    name.chars().count() <= MAX_NAME_CHARS && name.trim() == name && !name.chars().any(char::is_control)
}

impl Membership {
    /// The word in the statement's `kind` line.
    pub fn kind(&self) -> &'static str {
        match &self.word {
            MembershipWord::Join { .. } => "join",
            MembershipWord::Leave { .. } => "leave",
            MembershipWord::Profile { .. } => "profile",
            MembershipWord::Partner { step, .. } => step.as_str(),
        }
    }

    pub(crate) fn add_to(&self, lines: &mut Lines) {
        lines.add("kind", self.kind());
        lines.add("office", self.office.as_str());
        match &self.word {
            MembershipWord::Join { name } => lines.add("name", name),
            MembershipWord::Leave { erase } => lines.add("erase", if *erase { "yes" } else { "no" }),
            MembershipWord::Profile { accepts } => lines.add("accepts", &accepts.join(",")),
            MembershipWord::Partner { partner, .. } => lines.add("partner", partner.as_str()),
        }
    }

    /// `None`: the kind is another's.
    pub(crate) fn read(kind: &str, lines: &Lines, time_us: i64) -> Option<Result<Self, TextError>> {
        let word = match kind {
            "join" => join(lines),
            "leave" => leave(lines),
            "profile" => profile(lines),
            _ => partner(PartnerStep::ALL.into_iter().find(|step| step.as_str() == kind)?, lines),
        };
        let said = |word| Ok(Self { office: lines.parse("office")?, word, time_us });
        Some(word.and_then(said))
    }
}

fn join(lines: &Lines) -> Result<MembershipWord, TextError> {
    let name = lines.get("name").unwrap_or_default();
    if !is_office_name(name) {
        return Err(TextError::Value("name"));
    }
    Ok(MembershipWord::Join { name: name.to_owned() })
}

fn leave(lines: &Lines) -> Result<MembershipWord, TextError> {
    match lines.need("erase")? {
        "yes" => Ok(MembershipWord::Leave { erase: true }),
        "no" => Ok(MembershipWord::Leave { erase: false }),
        _ => Err(TextError::Value("erase")),
    }
}

fn profile(lines: &Lines) -> Result<MembershipWord, TextError> {
    let accepts = accepted(lines.need("accepts")?).filter(|words| !words.is_empty());
    Ok(MembershipWord::Profile { accepts: accepts.ok_or(TextError::Value("accepts"))? })
}

fn partner(step: PartnerStep, lines: &Lines) -> Result<MembershipWord, TextError> {
    Ok(MembershipWord::Partner { partner: lines.parse("partner")?, step })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::Statement;

    fn said(word: MembershipWord) -> Statement {
        let office = "1371215102".parse().unwrap();
        Statement::Membership(Membership { office, word, time_us: 1_795_261_114_000_123 })
    }

    #[test]
    fn the_golden_texts_read_and_print() {
        for (statement, golden) in [
            (
                said(MembershipWord::Join { name: "ひまわり訪問介護".to_owned() }),
                include_str!("../tests/golden/join.txt"),
            ),
            (said(MembershipWord::Leave { erase: true }), include_str!("../tests/golden/leave.txt")),
            (
                said(MembershipWord::Profile { accepts: vec!["csv-4.1".to_owned(), "pdf".to_owned()] }),
                include_str!("../tests/golden/profile.txt"),
            ),
            (
                said(MembershipWord::Partner {
                    partner: "9971100012".parse().unwrap(),
                    step: PartnerStep::Accept,
                }),
                include_str!("../tests/golden/partner-accept.txt"),
            ),
        ] {
            assert_eq!(statement.print(), golden);
            assert_eq!(Statement::parse(golden.as_bytes()), Ok(statement));
        }
        let leave = include_str!("../tests/golden/leave.txt");
        assert_eq!(
            Statement::parse(leave.replace("yes", "perhaps").as_bytes()),
            Err(TextError::Value("erase"))
        );
        // A line that the kind does not have would be signed, and not understood.
        let more = leave.replace("office:", "name: x\noffice:");
        assert_eq!(Statement::parse(more.as_bytes()), Err(TextError::Value("kind")));
    }

    #[test]
    fn an_application_needs_no_name_and_takes_no_long_one() {
        let nameless = said(MembershipWord::Join { name: String::new() });
        assert_eq!(Statement::parse(nameless.print().as_bytes()), Ok(nameless));
        assert!(is_office_name(&"あ".repeat(MAX_NAME_CHARS)));
        for wrong in [" a", "a\nb", &"あ".repeat(MAX_NAME_CHARS + 1)] {
            assert!(!is_office_name(wrong), "{wrong:?}");
        }
    }
}
