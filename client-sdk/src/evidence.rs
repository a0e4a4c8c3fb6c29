//! A folder of evidence.

use std::path::PathBuf;

use tasuki_proto::ids::ParcelKey;

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
}
