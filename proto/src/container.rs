//! The parcel's outer shape: an ASiC-E container (ETSI EN 319 162-1, Annex A.1), read strictly.
//!
//! A ZIP says most things twice: in a header before each file and in a directory at the end. Two readers
//! that believe different copies see different files under one signature. [`read`] therefore accepts only
//! containers that every reader understands alike, and refuses the rest with an exact [`ContainerError`]:
//!
//! * Entries tile the bytes from 0 to the central directory, in the directory's order; the directory ends
//!   where the end record starts, and the end record ends the file. Nothing before, between or after.
//! * Local headers equal their central records. A data descriptor (bit 3, written by streaming writers such
//!   as Java's and .NET's) is accepted for deflated entries, with its signature and equal to the directory.
//! * No ZIP64, no second disk, no encryption, no comments, no directories or links; methods stored and deflate
//!   only; extra fields only where they hold nothing but times or owners.
//! * Names are portable paths ([`check_name`]) and stay different on file systems that fold letter case and
//!   Unicode normal forms; no name is also a folder of another.
//! * The first entry is `mimetype`, stored, without extra field, and says ASiC-E.
//! * Declared sizes are held against [`ContainerLimits`] before anything is allocated; inflating stops one
//!   byte after the declared size; the deflate stream ends with its data; the CRC-32 is right.
//!
//! An error names an entry by its position, counted from 0, never by its name: a name can hold a person's name.

mod error;
mod inflate;
mod limits;
mod name;
mod names;
mod records;
mod write;

use std::borrow::Cow;
use std::fmt;

pub use self::error::{ContainerError, HeaderField};
pub use self::limits::ContainerLimits;
pub use self::name::{MAX_SEGMENT_BYTES, MAX_SEGMENTS, NameError, check_name};
pub use self::write::write;

use self::inflate::Inflater;
use self::names::NameIndex;
use self::records::{EndRecord, Extent, METHOD_STORED, read_extents};

/// Name of the first entry, which lets tools recognise the container by bytes 30 to 38 and its content.
pub const MIMETYPE_NAME: &str = "mimetype";
/// Content of the first entry: the media type of ASiC-E (EN 319 162-1, 4.4.2).
pub const MIMETYPE: &str = "application/vnd.etsi.asic-e+zip";
/// Name of the manifest, the bytes that the signature covers.
pub const MANIFEST_NAME: &str = "META-INF/ASiCManifest.xml";
/// Name of the detached `CAdES` signature over the manifest.
pub const SIGNATURE_NAME: &str = "META-INF/signature.p7s";

/// One file of a container. Its `Debug` shows neither name nor content.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Path inside the container; passes [`check_name`].
    pub name: &'a str,
    /// The bytes of the file: borrowed where it was stored, owned where it was inflated.
    pub content: Cow<'a, [u8]>,
}

impl fmt::Debug for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("bytes", &self.content.len()).finish_non_exhaustive()
    }
}

/// The files of a container that [`read`] accepted, in the order in which they stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container<'a> {
    entries: Vec<Entry<'a>>,
    index: NameIndex,
}

impl<'a> Container<'a> {
    /// All entries; the first is `mimetype`.
    pub fn entries(&self) -> &[Entry<'a>] {
        &self.entries
    }

    /// Position of the entry with exactly this name.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.index.position(name, |at| self.entries[at].name)
    }

    /// Content of the entry with exactly this name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.position(name).map(|at| &*self.entries[at].content)
    }

    /// The entries, for a caller who keeps their contents.
    pub fn into_entries(self) -> Vec<Entry<'a>> {
        self.entries
    }
}

/// Reads a container, or says what is wrong with it.
///
/// Inflated contents are the only large allocations: together at most `limits.total_bytes`, and at most
/// `limits.ratio` times the length of `bytes` (where that is more than `limits.ratio_floor_bytes`).
pub fn read<'a>(bytes: &'a [u8], limits: &ContainerLimits) -> Result<Container<'a>, ContainerError> {
    if bytes.len() > limits.container_bytes {
        return Err(ContainerError::ContainerTooLarge { bytes: bytes.len(), limit: limits.container_bytes });
    }
    let end = EndRecord::read(bytes)?;
    if end.entries > limits.entries {
        return Err(ContainerError::TooManyEntries { entries: end.entries, limit: limits.entries });
    }
    let extents = read_extents(bytes, &end)?;
    check_mimetype_header(&extents)?;
    check_sizes(bytes.len(), &extents, limits)?;
    let index = NameIndex::build(extents.iter().map(|extent| extent.name))?;

    let mut inflater = Inflater::new();
    let mut entries = Vec::with_capacity(extents.len());
    for (at, extent) in extents.iter().enumerate() {
        let content = content(&mut inflater, at, extent)?;
        if at == 0 && *content != *MIMETYPE.as_bytes() {
            return Err(ContainerError::Mimetype);
        }
        entries.push(Entry { name: extent.name, content });
    }
    Ok(Container { entries, index })
}

/// The first entry's header; its content is compared once its CRC was.
fn check_mimetype_header(extents: &[Extent<'_>]) -> Result<(), ContainerError> {
    let right = extents.first().is_some_and(|first| {
        first.name == MIMETYPE_NAME
            && first.method == METHOD_STORED
            && !first.has_extra
            && first.size == MIMETYPE.len()
    });
    if right { Ok(()) } else { Err(ContainerError::Mimetype) }
}

/// Holds what the headers declare against the limits, before any of it is believed.
fn check_sizes(
    container: usize,
    extents: &[Extent<'_>],
    limits: &ContainerLimits,
) -> Result<(), ContainerError> {
    let mut total = 0_usize;
    for (entry, extent) in extents.iter().enumerate() {
        if extent.size > limits.file_bytes {
            return Err(ContainerError::FileTooLarge { entry, bytes: extent.size, limit: limits.file_bytes });
        }
        total = total.saturating_add(extent.size);
    }
    let by_ratio = container.saturating_mul(limits.ratio).max(limits.ratio_floor_bytes);
    let limit = limits.total_bytes.min(by_ratio);
    if total > limit {
        return Err(ContainerError::Bomb { bytes: total, limit });
    }
    Ok(())
}

fn content<'a>(
    inflater: &mut Inflater,
    entry: usize,
    extent: &Extent<'a>,
) -> Result<Cow<'a, [u8]>, ContainerError> {
    let content = if extent.method == METHOD_STORED {
        Cow::Borrowed(extent.data)
    } else {
        Cow::Owned(inflater.inflate(entry, extent.data, extent.size)?)
    };
    // Not flate2's: over zlib-rs that one does not use the CPU's carry-less multiplication.
    if crc32fast::hash(&content) == extent.crc { Ok(content) } else { Err(ContainerError::Crc { entry }) }
}
