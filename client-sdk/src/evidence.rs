//! Evidence for the files: a folder that proves, offline, what happened to one parcel.
//!
//! ```text
//! README.txt                  what this is and how to verify it, with and without Tasuki
//! evidence.json               names everything below, and holds the audit paths
//! events/01-parcel.delivered.txt   canonical texts, in the order of the log
//! checkpoints/e1-1234.txt     signed notes that cover them, by epoch and size
//! statements/*.p7s            signed statements (CMS) that events name, by their SHA-256
//! certificates/*.pem          certificates of every signer and those above, by their SHA-256;
//!                             `anchor-` stands before those that this HOME trusts
//! crls/*.crl                  revocation lists (DER) used when the signatures were accepted, by their SHA-256
//! checkpoints/*-cosigned-*.txt  those that witnesses have cosigned, with the proofs in evidence.json that connect them
//! witness-keys.txt            the witnesses' verifier keys
//! log-key.txt                 the log's verifier keys, one line for each epoch
//! profile.toml                where certificates name the office, if this HOME has a profile of its own
//! parcel.asice                the signed parcel, if it is still at hand
//! ```
//!
//! [`crate::verify`] checks such a folder. `month` puts those of a month into one ZIP file, with a page for people.

mod layout;
pub mod meaning;
pub(crate) mod month;
pub(crate) mod page;
mod readme;
mod recorded;
mod save;

use std::path::PathBuf;

use tasuki_proto::ids::ParcelKey;

#[cfg(test)]
pub(crate) use layout::LinkIndex;
pub(crate) use layout::{CosignedIndex, EventIndex, INDEX, Index, MandateIndex};
pub(crate) use month::months_of;
pub use month::{MonthOptions, SavedMonth};

/// Where evidence comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvidenceSource {
    /// The relay.
    Relay,
    /// The sender's own record of the acceptance, because the relay does not know the parcel. It does not say what
    /// happened to the parcel afterwards.
    SentRecord {
        /// The acceptance lies in a range that the relay's log is known to have lost. False: the relay denies what
        /// it has signed for.
        lost: bool,
    },
}

/// A folder of evidence that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedEvidence {
    /// The folder.
    pub folder: PathBuf,
    /// The parcel.
    pub parcel: ParcelKey,
    /// Events in it.
    pub events: usize,
    /// The signed parcel itself lies in it.
    pub has_parcel: bool,
    /// Where it comes from.
    pub source: EvidenceSource,
}
