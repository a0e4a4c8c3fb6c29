//! Receiving: fetch, verify, store, acknowledge.
//!
//! Each parcel that waits is fetched sealed (resumable in `state/partial/`), opened with the own keys, and verified
//! whole: what the log says of it, digests, the sender's signature and chain at the time of acceptance, the right
//! to sign, sender and recipient, and, if the HOME is set to, that a malware scanner finds nothing. Only then its files are written, in one step, to `OUT/<sender>/<parcel id>/`; only
//! after that, synced, the acknowledgement is signed and sent. A crash in between leaves nothing half: the next run
//! finds the folder complete and acknowledges.

mod acknowledge;
pub(crate) mod fetch;
mod infected;
mod names;
mod run;
mod store;
#[cfg(test)]
mod tests;
pub(crate) mod unpack;
mod zip;

pub use zip::zip_folders;

use std::path::PathBuf;

use tasuki_careplan::month::Month;
use tasuki_careplan::office::OfficeNumber;

use crate::error::{ErrorKind, SdkError};
use crate::parcel::{Parcel, ParcelName, State};

/// The sender's note, where there is one.
const NOTE: &str = "note.txt";
/// The sealed parcel.
const SEALED: &str = "sealed.p7m";
/// The signed container.
const CONTAINER: &str = "parcel.asice";
/// The signer's chain.
const CERTIFICATES: &str = "certificates.pem";

/// What to receive, and what to leave beside the files.
#[derive(Clone, Debug, Default)]
pub struct ReceiveOptions {
    /// Leave `sealed.p7m` and `parcel.asice` beside the files, with the signer's `certificates.pem`. Of a parcel in which
    /// malware is found only the sealed parcel is left, as `OUT/<sender>/<parcel id>.infected.p7m`.
    pub keep_sealed: bool,
    /// Only these; empty: everything that waits. One that is named is received though it is superseded.
    pub only: Vec<ParcelName>,
    /// Also what a newer version supersedes.
    pub superseded: bool,
    /// Only from this office.
    pub from: Option<OfficeNumber>,
    /// Only with a file of this service month.
    pub month: Option<Month>,
}

/// What became of everything that waited.
#[derive(Clone, Debug, Default)]
pub struct ReceiveReport {
    /// One for each parcel, oldest first.
    pub parcels: Vec<ReceivedParcel>,
}

impl ReceiveReport {
    /// The worst that happened; `None` if everything was received and acknowledged.
    pub fn worst(&self) -> Option<ErrorKind> {
        let errors = self.parcels.iter().filter_map(|p| p.outcome.error());
        errors.map(SdkError::kind).max_by_key(|kind| kind.exit_code())
    }
}

/// What became of one parcel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedParcel {
    /// The parcel as the inbox showed it.
    pub parcel: Parcel,
    /// What became of it.
    pub outcome: ReceiveOutcome,
}

/// What became of a parcel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceiveOutcome {
    /// Verified, stored, acknowledged.
    Acknowledged {
        /// What is where.
        stored: Stored,
        /// Where it stands now.
        state: State,
        /// When the relay had the acknowledgement, Unix microseconds.
        acknowledged_us: i64,
    },
    /// Verified and stored, but not acknowledged: the next run does that.
    Stored {
        /// What is where.
        stored: Stored,
        /// Why there is no acknowledgement.
        error: SdkError,
    },
    /// Not received; nothing was written and nothing acknowledged.
    Failed(SdkError),
    /// It is sealed to a key that is lost: refused as such, so that its sender sends it again to the key of today.
    KeyLost(SdkError),
}

impl ReceiveOutcome {
    /// Why it is not all done.
    pub fn error(&self) -> Option<&SdkError> {
        match self {
            Self::Acknowledged { .. } => None,
            Self::Stored { error, .. } | Self::Failed(error) | Self::KeyLost(error) => Some(error),
        }
    }

    /// What was written, if it was.
    pub fn stored(&self) -> Option<&Stored> {
        match self {
            Self::Acknowledged { stored, .. } | Self::Stored { stored, .. } => Some(stored),
            Self::Failed(_) | Self::KeyLost(_) => None,
        }
    }
}

/// A parcel's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// `OUT/<sender>/<parcel id>`.
    pub folder: PathBuf,
    /// Names of the files in it, in the parcel's order.
    pub files: Vec<String>,
    /// The sender's note, also in `note.txt`.
    pub note: Option<String>,
    /// SHA-256 of the signer's certificate.
    pub signer: [u8; 32],
    /// The sender has no certificate: its proxy signed, and the operator vouches that it may.
    pub vouched: bool,
    /// True: it stood there already, complete, from an earlier run.
    pub already_there: bool,
}
