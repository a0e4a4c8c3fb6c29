//! How much of a container is believed.

use crate::limits::{MAX_CONTAINER_BYTES, MAX_FILE_BYTES, MAX_FILES, MAX_INFLATED_BYTES};

/// Bounds that [`super::read`] holds a container against. The default suits a parcel; a relay may set less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContainerLimits {
    /// Bytes of the container itself.
    pub container_bytes: usize,
    /// Entries, `mimetype`, manifest, signature and header included.
    pub entries: usize,
    /// Bytes of one file, inflated.
    pub file_bytes: usize,
    /// Bytes of all files, inflated.
    pub total_bytes: usize,
    /// Bytes of all files per byte of container. Default 100: CSV padded with blanks stays below 50, while
    /// deflate can reach 1,032, so that a sender pays in bytes sent for the memory that the reader spends.
    pub ratio: usize,
    /// Up to this many inflated bytes the ratio is not looked at. Default 1 MiB: costs nobody anything.
    pub ratio_floor_bytes: usize,
}

/// Entries that are not files of the sender: `mimetype`, manifest, signature, header, and room for approvals
/// and delegations.
const FORMAT_ENTRIES: usize = 24;

impl Default for ContainerLimits {
    /// The bounds of [`crate::limits`].
    fn default() -> Self {
        Self {
            container_bytes: MAX_CONTAINER_BYTES,
            entries: MAX_FILES + FORMAT_ENTRIES,
            file_bytes: MAX_FILE_BYTES,
            total_bytes: MAX_INFLATED_BYTES,
            ratio: 100,
            ratio_floor_bytes: 1024 * 1024,
        }
    }
}
