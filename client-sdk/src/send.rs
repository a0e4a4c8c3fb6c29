//! Sending: from files to accepted parcels.
//!
//! 1. [`plan`](plan::plan) sorts what was named into parcels: one for each sender, recipient and serial in the
//!    names of standard files. Nothing is skipped silently: what can't be sent is listed.
//! 2. Each parcel is checked, built and signed, and a batch of them, sealed to the own key, is written durably to the outbox
//!    before a byte of them leaves. They are known again by the fingerprints of their contents.
//! 3. One bidirectional call carries many parcels, bounded in flight. Results are verified and recorded durably in `sent/`,
//!    those that come together in one file; a batch whose parcels all have their result goes over to the archive.
//!
//! Running the same again resumes: content whose acceptance is recorded is answered from the record, what still
//! lies in the outbox is sent again as the same bytes, which the relay answers with its first result.

mod addressed;
pub(crate) mod batch;
mod destinations;
mod fingerprint;
pub(crate) mod outbox;
pub mod plan;
mod prepare;
pub mod propose;
pub(crate) mod record;
mod resend;
mod run;
pub mod select;
pub(crate) mod sent;
mod serials;
mod settle;
pub(crate) mod source;
mod submit;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;

use tasuki_careplan::office::OfficeNumber;
use tasuki_careplan::serial::Serial;
use tasuki_careplan::unit::UnitClass;
use tasuki_proto::ids::ParcelKey;
use tasuki_proto::parcel::Software;

pub use resend::ResendReport;
pub(crate) use run::Budget;

use crate::error::{ErrorKind, Refusal, SdkError};
use crate::finding::Finding;
use crate::parcel::State;

/// What goes along with the files.
#[derive(Clone, Debug)]
pub struct SendOptions {
    /// 送付状 for every parcel that has none of its own.
    pub note: Option<String>,
    /// 送付状 for the parcels to one office. An office that gets no file gets a parcel with only the note.
    pub notes_by_office: BTreeMap<OfficeNumber, String>,
    /// Files that are not of the standard, each with its receiving office.
    pub attachments: Vec<Attachment>,
    /// Send as a new parcel what was sent before.
    pub again: bool,
    /// Leave the checks of the standard to the relay, which refuses with the same findings. A malware scanner that the HOME
    /// is set to is asked all the same.
    pub unchecked: bool,
    /// Send only units of this class; the rest is listed.
    pub only: Option<UnitClass>,
    /// Leave out files that belong to no send unit; they are listed.
    pub skip_unneeded: bool,
    /// Hold the parcels after acceptance, invisible to their receivers (登録・保留).
    pub hold: Option<Hold>,
    /// What about offices that nothing was ever sent to.
    pub new_partners: NewPartners,
    /// The software that the parcels name as their maker.
    pub software: Software,
}

/// What about offices that nothing was ever sent to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NewPartners {
    /// As the HOME's `[send]` says: they get what is theirs, or somebody must agree first.
    #[default]
    AsConfigured,
    /// They are meant.
    Meant,
    /// They are meant, and nobody wants to be told which they are: the relay is not asked.
    Unasked,
}

/// How long parcels are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Until they are released by [`crate::declare::Say::Release`].
    UntilReleased,
    /// Until a time, Unix microseconds, or until they are released before.
    Until(i64),
}

impl Default for SendOptions {
    fn default() -> Self {
        let software =
            Software { name: "tasuki-sdk".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
        Self {
            note: None,
            notes_by_office: BTreeMap::new(),
            attachments: Vec::new(),
            again: false,
            unchecked: false,
            only: None,
            skip_unneeded: false,
            hold: None,
            new_partners: NewPartners::AsConfigured,
            software,
        }
    }
}

/// A file for one office, by explicit wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Who gets it.
    pub office: OfficeNumber,
    /// The file.
    pub path: PathBuf,
}

/// What became of everything that was to be sent.
#[derive(Clone, Debug, Default)]
pub struct SendReport {
    /// One for each parcel of the plan, in its order.
    pub parcels: Vec<ParcelReport>,
    /// Files that were named and can't be sent.
    pub unsendable: Vec<plan::Unsendable>,
    /// Files that were left out on request.
    pub left_out: Vec<select::LeftOut>,
}

impl SendReport {
    /// The worst that happened; `None` if everything was accepted.
    pub fn worst(&self) -> Option<ErrorKind> {
        let kinds = self.parcels.iter().filter_map(|p| p.outcome.error_kind());
        let worst = kinds.max_by_key(|kind| kind.exit_code());
        worst.or_else(|| (!self.unsendable.is_empty()).then_some(ErrorKind::Rejected))
    }
}

/// What became of one parcel.
#[derive(Clone, Debug)]
pub struct ParcelReport {
    /// Its name; `None` if it was refused before one was chosen.
    pub parcel: Option<ParcelKey>,
    /// The receiving office.
    pub recipient: OfficeNumber,
    /// Serial of its standard files, if it has any.
    pub serial: Option<Serial>,
    /// Names of its files.
    pub files: Vec<String>,
    /// Warnings of the checks.
    pub warnings: Vec<Finding>,
    /// Nothing had ever been sent to this office.
    pub new_partner: bool,
    /// What became of it.
    pub outcome: SendOutcome,
}

/// What became of a parcel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// The relay has it, and its evidence was verified.
    Accepted {
        /// Where it stood then.
        state: State,
        /// When, Unix microseconds, by the relay's clock.
        accepted_us: i64,
        /// The relay had it before: an earlier attempt had got through.
        repeated: bool,
    },
    /// The same content was accepted earlier; nothing was sent. `again` sends it as a new parcel.
    Recorded {
        /// Where it stood then.
        state: State,
        /// When, Unix microseconds.
        accepted_us: i64,
    },
    /// It was refused, by the relay or here. Nothing of it is kept.
    Rejected(Refusal),
    /// It waits in the outbox, or the malware scanner of this computer could not be asked; sending the same again resumes.
    Pending(SdkError),
    /// The relay says that it has it, but what it gave as proof does not hold. It stays in the outbox.
    Unproven(SdkError),
}

impl SendOutcome {
    /// Its word in JSON and on the screen.
    pub fn state_word(&self) -> &'static str {
        match self {
            Self::Accepted { state, .. } | Self::Recorded { state, .. } => state.as_str(),
            Self::Rejected(_) => "rejected",
            Self::Pending(_) => "pending",
            Self::Unproven(_) => "unproven",
        }
    }

    /// Stable reason word, where it was not accepted.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Accepted { .. } | Self::Recorded { .. } => None,
            Self::Rejected(refusal) => Some(&refusal.reason),
            Self::Pending(error) | Self::Unproven(error) => Some(error.reason()),
        }
    }

    fn error_kind(&self) -> Option<ErrorKind> {
        match self {
            Self::Accepted { .. } | Self::Recorded { .. } => None,
            Self::Rejected(_) => Some(ErrorKind::Rejected),
            Self::Pending(error) | Self::Unproven(error) => Some(error.kind()),
        }
    }
}
