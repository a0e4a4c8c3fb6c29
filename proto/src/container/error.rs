//! Why a container was refused.

use std::fmt;

use super::name::NameError;

/// Why a container was refused. `entry` counts from 0 in the order of the container; `offset` is in bytes from
/// its start. No variant holds a name: errors are logged, and a name can hold a person's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ContainerError {
    /// The container is longer than its limit.
    #[error("the container has {bytes} bytes, more than the {limit} allowed")]
    ContainerTooLarge {
        /// Length of the container.
        bytes: usize,
        /// The limit it exceeds.
        limit: usize,
    },
    /// No end record anywhere near the end: not a ZIP, or cut short.
    #[error("no ZIP end record: this is not a container, or its end is missing")]
    NoEndRecord,
    /// Bytes follow the end record.
    #[error("bytes follow the ZIP end record")]
    TrailingData,
    /// The archive, or one of its entries, carries a comment, which no signature covers.
    #[error("the container carries a comment")]
    Comment,
    /// The container spans several disks.
    #[error("the container spans several disks")]
    MultiDisk,
    /// The container uses ZIP64 records.
    #[error("the container uses ZIP64")]
    Zip64,
    /// More entries than allowed.
    #[error("the container has {entries} entries, more than the {limit} allowed")]
    TooManyEntries {
        /// Entries that the end record declares.
        entries: usize,
        /// The limit they exceed.
        limit: usize,
    },
    /// The central directory does not fill the bytes before the end record exactly.
    #[error("the ZIP central directory does not end at the end record")]
    DirectoryExtent,
    /// A record has the wrong signature, or runs past the bytes it may use.
    #[error("no valid ZIP record at byte {offset}")]
    Record {
        /// Where the record should start.
        offset: usize,
    },
    /// An entry does not start where the one before it ended: a gap, an overlap, a prefix or another order.
    #[error("entry {entry} does not follow the one before it")]
    NotContiguous {
        /// Position of the entry.
        entry: usize,
    },
    /// Bytes stand between the last entry and the central directory.
    #[error("bytes stand between the last entry and the ZIP central directory")]
    DirectoryGap,
    /// The local header contradicts the central directory.
    #[error("entry {entry}: {field} differs between local header and central directory")]
    HeaderMismatch {
        /// Position of the entry.
        entry: usize,
        /// What differs.
        field: HeaderField,
    },
    /// The data descriptor is missing, wrong, or stands where none is allowed.
    #[error("entry {entry}: wrong data descriptor")]
    Descriptor {
        /// Position of the entry.
        entry: usize,
    },
    /// The entry is encrypted.
    #[error("entry {entry} is encrypted")]
    Encrypted {
        /// Position of the entry.
        entry: usize,
    },
    /// A compression method other than stored and deflate.
    #[error("entry {entry}: compression method {method} is not supported")]
    Method {
        /// Position of the entry.
        entry: usize,
        /// The method's number (APPNOTE 4.4.5).
        method: u16,
    },
    /// A general purpose flag that is not understood.
    #[error("entry {entry}: flags {flags:#06x} are not supported")]
    Flags {
        /// Position of the entry.
        entry: usize,
        /// All flags of the entry (APPNOTE 4.4.4).
        flags: u16,
    },
    /// The entry asks for a newer reader than stored and deflated files need.
    #[error("entry {entry}: needs ZIP version {version}, which is not supported")]
    Version {
        /// Position of the entry.
        entry: usize,
        /// Version needed to extract, times ten (APPNOTE 4.4.3).
        version: u16,
    },
    /// An extra field that could change what the entry means, is malformed, or is too long.
    #[error("entry {entry}: extra field not supported")]
    Extra {
        /// Position of the entry.
        entry: usize,
    },
    /// A directory, symbolic link or device instead of a file.
    #[error("entry {entry} is not a regular file")]
    NotAFile {
        /// Position of the entry.
        entry: usize,
    },
    /// The entry's name is not a portable path.
    #[error("entry {entry}: {reason}")]
    Name {
        /// Position of the entry.
        entry: usize,
        /// The rule that the name breaks.
        reason: NameError,
    },
    /// Two names are one on some file systems, or one is a folder of the other.
    #[error("entries {first} and {second} have names that clash")]
    DuplicateName {
        /// Position of the one.
        first: usize,
        /// Position of the other, later one.
        second: usize,
    },
    /// The first entry is not a stored `mimetype` without extra field that says ASiC-E.
    #[error("the first entry is not the mimetype of an ASiC-E container")]
    Mimetype,
    /// A file declares more bytes than allowed.
    #[error("entry {entry} has {bytes} bytes, more than the {limit} allowed")]
    FileTooLarge {
        /// Position of the entry.
        entry: usize,
        /// The declared size.
        bytes: usize,
        /// The limit it exceeds.
        limit: usize,
    },
    /// The files together declare more bytes than allowed, in total or per byte of container.
    #[error("the files together have {bytes} bytes, more than the {limit} allowed for this container")]
    Bomb {
        /// The declared sizes, summed.
        bytes: usize,
        /// The limit they exceed.
        limit: usize,
    },
    /// The content is longer or shorter than declared.
    #[error("entry {entry}: content does not have the declared size")]
    Size {
        /// Position of the entry.
        entry: usize,
    },
    /// The deflate stream is invalid, or does not end exactly with the entry's data.
    #[error("entry {entry}: invalid deflate stream")]
    Deflate {
        /// Position of the entry.
        entry: usize,
    },
    /// The content's CRC-32 differs from the declared one.
    #[error("entry {entry}: CRC-32 differs")]
    Crc {
        /// Position of the entry.
        entry: usize,
    },
}

impl ContainerError {
    /// The stable reason, for `google.rpc.ErrorInfo` and for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ContainerTooLarge { .. } => "CONTAINER_TOO_LARGE",
            Self::NoEndRecord | Self::DirectoryExtent | Self::Record { .. } => "ZIP_MALFORMED",
            Self::TrailingData => "ZIP_TRAILING_DATA",
            Self::Comment => "ZIP_COMMENT",
            Self::MultiDisk
            | Self::Zip64
            | Self::Method { .. }
            | Self::Flags { .. }
            | Self::Version { .. }
            | Self::Extra { .. } => "ZIP_UNSUPPORTED",
            Self::TooManyEntries { .. } => "ZIP_TOO_MANY_ENTRIES",
            Self::NotContiguous { .. } | Self::DirectoryGap => "ZIP_NOT_CONTIGUOUS",
            Self::HeaderMismatch { .. } | Self::Descriptor { .. } => "ZIP_HEADER_MISMATCH",
            Self::Encrypted { .. } => "ZIP_ENCRYPTED",
            Self::NotAFile { .. } => "ZIP_NOT_A_FILE",
            Self::Name { .. } => "ZIP_PATH",
            Self::DuplicateName { .. } => "ZIP_DUPLICATE_NAME",
            Self::Mimetype => "CONTAINER_MIMETYPE",
            Self::FileTooLarge { .. } => "FILE_TOO_LARGE",
            Self::Bomb { .. } => "ZIP_BOMB",
            Self::Size { .. } => "ZIP_SIZE",
            Self::Deflate { .. } => "ZIP_DEFLATE",
            Self::Crc { .. } => "ZIP_CRC",
        }
    }
}

/// A field that local header and central directory both hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderField {
    /// Version needed to extract.
    Version,
    /// General purpose flags.
    Flags,
    /// Compression method.
    Method,
    /// Modification time and date.
    Time,
    /// CRC-32 of the content.
    Crc,
    /// Compressed or uncompressed size.
    Size,
    /// File name.
    Name,
}

impl fmt::Display for HeaderField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Version => "version",
            Self::Flags => "flags",
            Self::Method => "method",
            Self::Time => "time",
            Self::Crc => "CRC-32",
            Self::Size => "size",
            Self::Name => "name",
        })
    }
}
