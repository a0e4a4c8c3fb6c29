//! The records of a ZIP file (PKWARE APPNOTE 6.3.10), parsed and held against each other.

use super::error::{ContainerError, HeaderField};
use super::name::{NameError, check_name};

/// Compression method "stored" (APPNOTE 4.4.5).
pub(super) const METHOD_STORED: u16 = 0;
const METHOD_DEFLATE: u16 = 8;

const LOCAL: [u8; 4] = *b"PK\x03\x04";
const CENTRAL: [u8; 4] = *b"PK\x01\x02";
const DESCRIPTOR: [u8; 4] = *b"PK\x07\x08";
const END: [u8; 4] = *b"PK\x05\x06";
const ZIP64_LOCATOR: [u8; 4] = *b"PK\x06\x07";

const LOCAL_LEN: usize = 30;
const CENTRAL_LEN: usize = 46;
const DESCRIPTOR_LEN: usize = 16;
const END_LEN: usize = 22;
const ZIP64_LOCATOR_LEN: usize = 20;

/// Strong or weak encryption (bits 0 and 6), encrypted directory (bit 13): APPNOTE 4.4.4.
const FLAGS_ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;
const FLAG_DESCRIPTOR: u16 = 1 << 3;
const FLAG_UTF8: u16 = 1 << 11;
/// Bits 1 and 2 only tell how hard the writer tried.
const FLAGS_KNOWN: u16 = 1 << 1 | 1 << 2 | FLAG_DESCRIPTOR | FLAG_UTF8;

/// Version 2.0 is all that deflate needs (APPNOTE 4.4.3.2).
const MAX_VERSION: u16 = 20;

/// Extra fields that hold times and owners, and nothing that changes name, size or content:
/// extended timestamp, Info-ZIP Unix (both), NTFS times.
const HARMLESS_EXTRA: [u16; 4] = [0x5455, 0x5855, 0x7875, 0x000a];
/// What those need at most, so that nothing else is carried in them unseen.
const MAX_EXTRA_BYTES: usize = 96;

/// Where one file's bytes stand, all headers checked.
pub(super) struct Extent<'a> {
    pub(super) name: &'a str,
    pub(super) method: u16,
    pub(super) crc: u32,
    /// Declared size of the content; equals `data.len()` for stored files.
    pub(super) size: usize,
    /// The data as it stands in the container.
    pub(super) data: &'a [u8],
    /// Whether either header carries an extra field.
    pub(super) has_extra: bool,
}

/// The end of central directory record (APPNOTE 4.3.16), where it must be: at the very end.
pub(super) struct EndRecord {
    pub(super) entries: usize,
    directory: usize,
    /// Where the end record starts and the directory ends.
    at: usize,
}

impl EndRecord {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, ContainerError> {
        let at = bytes.len().checked_sub(END_LEN).ok_or(ContainerError::NoEndRecord)?;
        let Some(end) = record::<END_LEN>(bytes, at, END) else {
            return Err(misplaced_end(bytes));
        };
        if u16_at(end, 20) != 0 {
            return Err(ContainerError::Comment);
        }
        let (disk, directory_disk) = (u16_at(end, 4), u16_at(end, 6));
        let (entries_here, entries) = (u16_at(end, 8), u16_at(end, 10));
        let (size, directory) = (u32_at(end, 12), u32_at(end, 16));
        let locator = at.checked_sub(ZIP64_LOCATOR_LEN).and_then(|at| bytes.get(at..));
        // Readers look for the locator before they look at the fields, so it may not even seem to be there.
        if locator.is_some_and(|tail| tail.starts_with(&ZIP64_LOCATOR))
            || entries == u16::MAX
            || size == u32::MAX
            || directory == u32::MAX
        {
            return Err(ContainerError::Zip64);
        }
        if disk != 0 || directory_disk != 0 || entries_here != entries {
            return Err(ContainerError::MultiDisk);
        }
        let (size, directory) = (size as usize, directory as usize);
        if directory.checked_add(size) != Some(at) {
            return Err(ContainerError::DirectoryExtent);
        }
        Ok(Self { entries: usize::from(entries), directory, at })
    }
}

/// No end record at the end: tells trailing bytes and comments from files that are no ZIP at all.
fn misplaced_end(bytes: &[u8]) -> ContainerError {
    // A comment has at most 65,535 bytes; looking further back would only serve a nicer message.
    let tail = &bytes[bytes.len().saturating_sub(END_LEN + usize::from(u16::MAX))..];
    let Some(found) = tail.windows(END.len()).rposition(|window| window == END) else {
        return ContainerError::NoEndRecord;
    };
    match record::<END_LEN>(tail, found, END) {
        Some(end) if found + END_LEN + usize::from(u16_at(end, 20)) == tail.len() => ContainerError::Comment,
        Some(_) => ContainerError::TrailingData,
        None => ContainerError::NoEndRecord,
    }
}

/// Walks directory and local headers side by side, and requires that both tile their bytes.
pub(super) fn read_extents<'a>(bytes: &'a [u8], end: &EndRecord) -> Result<Vec<Extent<'a>>, ContainerError> {
    // The directory's length bounds what the declared count may reserve.
    if end.entries > (end.at - end.directory) / CENTRAL_LEN {
        return Err(ContainerError::DirectoryExtent);
    }
    let (files, directory) = (&bytes[..end.directory], &bytes[..end.at]);
    let mut extents = Vec::with_capacity(end.entries);
    let (mut central_at, mut local_at) = (end.directory, 0);
    for entry in 0..end.entries {
        let central = Central::read(directory, central_at, entry)?;
        if central.local_at != local_at {
            return Err(ContainerError::NotContiguous { entry });
        }
        let (extent, next) = read_local(files, &central, entry)?;
        extents.push(extent);
        (central_at, local_at) = (central.end, next);
    }
    if central_at != end.at {
        return Err(ContainerError::DirectoryExtent);
    }
    if local_at != end.directory {
        return Err(ContainerError::DirectoryGap);
    }
    Ok(extents)
}

/// The 22 bytes that local header (from byte 4) and central record (from byte 6) share.
#[derive(Clone, Copy)]
struct Common {
    version: u16,
    flags: u16,
    method: u16,
    time: u32,
    crc: u32,
    compressed: u32,
    size: u32,
}

impl Common {
    fn read<const N: usize>(record: &[u8; N], at: usize) -> Self {
        Self {
            version: u16_at(record, at),
            flags: u16_at(record, at + 2),
            method: u16_at(record, at + 4),
            time: u32_at(record, at + 6),
            crc: u32_at(record, at + 10),
            compressed: u32_at(record, at + 14),
            size: u32_at(record, at + 18),
        }
    }

    /// What this reader does not do is refused before it is compared.
    fn check_supported(&self, entry: usize) -> Result<(), ContainerError> {
        let Self { version, flags, method, compressed, size, .. } = *self;
        if flags & FLAGS_ENCRYPTED != 0 {
            return Err(ContainerError::Encrypted { entry });
        }
        if flags & !FLAGS_KNOWN != 0 {
            return Err(ContainerError::Flags { entry, flags });
        }
        if compressed == u32::MAX || size == u32::MAX {
            return Err(ContainerError::Zip64);
        }
        if version > MAX_VERSION {
            return Err(ContainerError::Version { entry, version });
        }
        match method {
            // A stored file says nowhere where it ends, so that a reader of streams would have to guess.
            METHOD_STORED if flags & FLAG_DESCRIPTOR != 0 => Err(ContainerError::Descriptor { entry }),
            METHOD_STORED if compressed != size => Err(ContainerError::Size { entry }),
            METHOD_STORED | METHOD_DEFLATE => Ok(()),
            _ => Err(ContainerError::Method { entry, method }),
        }
    }
}

/// A record of the central directory (APPNOTE 4.3.12).
struct Central<'a> {
    common: Common,
    name: &'a str,
    has_extra: bool,
    local_at: usize,
    end: usize,
}

impl<'a> Central<'a> {
    fn read(directory: &'a [u8], at: usize, entry: usize) -> Result<Self, ContainerError> {
        let head =
            record::<CENTRAL_LEN>(directory, at, CENTRAL).ok_or(ContainerError::Record { offset: at })?;
        let common = Common::read(head, 6);
        let (name_len, extra_len) = (usize::from(u16_at(head, 28)), usize::from(u16_at(head, 30)));
        if u16_at(head, 32) != 0 {
            return Err(ContainerError::Comment);
        }
        if u16_at(head, 34) != 0 {
            return Err(ContainerError::MultiDisk);
        }
        let local_at = u32_at(head, 42);
        if local_at == u32::MAX {
            return Err(ContainerError::Zip64);
        }
        let (name, extra, end) = variable_part(directory, at, CENTRAL_LEN, name_len, extra_len)?;
        common.check_supported(entry)?;
        check_extra(extra).ok_or(ContainerError::Extra { entry })?;
        let name = parse_name(name, common.flags).map_err(|reason| ContainerError::Name { entry, reason })?;
        if !is_regular_file(u32_at(head, 38)) {
            return Err(ContainerError::NotAFile { entry });
        }
        Ok(Self { common, name, has_extra: !extra.is_empty(), local_at: local_at as usize, end })
    }
}

/// The local header (APPNOTE 4.3.7), its file and its data descriptor; and where the next entry starts.
fn read_local<'a>(
    files: &'a [u8],
    central: &Central<'a>,
    entry: usize,
) -> Result<(Extent<'a>, usize), ContainerError> {
    let at = central.local_at;
    let malformed = ContainerError::Record { offset: at };
    let head = record::<LOCAL_LEN>(files, at, LOCAL).ok_or(malformed)?;
    let (name_len, extra_len) = (usize::from(u16_at(head, 26)), usize::from(u16_at(head, 28)));
    let (name, extra, data_at) = variable_part(files, at, LOCAL_LEN, name_len, extra_len)?;
    let common = central.common;
    compare(&Common::read(head, 4), &common, entry)?;
    if name != central.name.as_bytes() {
        return Err(ContainerError::HeaderMismatch { entry, field: HeaderField::Name });
    }
    check_extra(extra).ok_or(ContainerError::Extra { entry })?;

    let data_end = data_at.checked_add(common.compressed as usize).ok_or(malformed)?;
    let data = files.get(data_at..data_end).ok_or(malformed)?;
    let next = if common.flags & FLAG_DESCRIPTOR == 0 {
        data_end
    } else {
        check_descriptor(files, data_end, &common).ok_or(ContainerError::Descriptor { entry })?
    };
    let extent = Extent {
        name: central.name,
        method: common.method,
        crc: common.crc,
        size: common.size as usize,
        data,
        has_extra: central.has_extra || !extra.is_empty(),
    };
    Ok((extent, next))
}

/// The local header equals the central record; with a data descriptor its CRC and sizes are zero (APPNOTE 4.4.4).
fn compare(local: &Common, central: &Common, entry: usize) -> Result<(), ContainerError> {
    let streamed = central.flags & FLAG_DESCRIPTOR != 0;
    let (crc, sizes) = if streamed { (0, (0, 0)) } else { (central.crc, (central.compressed, central.size)) };
    let field = if local.version != central.version {
        HeaderField::Version
    } else if local.flags != central.flags {
        HeaderField::Flags
    } else if local.method != central.method {
        HeaderField::Method
    } else if local.time != central.time {
        HeaderField::Time
    } else if local.crc != crc {
        HeaderField::Crc
    } else if (local.compressed, local.size) != sizes {
        HeaderField::Size
    } else {
        return Ok(());
    };
    Err(ContainerError::HeaderMismatch { entry, field })
}

/// The data descriptor with its signature (APPNOTE 4.3.9), equal to the directory; gives its end.
fn check_descriptor(files: &[u8], at: usize, common: &Common) -> Option<usize> {
    let descriptor = record::<DESCRIPTOR_LEN>(files, at, DESCRIPTOR)?;
    let told = (u32_at(descriptor, 4), u32_at(descriptor, 8), u32_at(descriptor, 12));
    (told == (common.crc, common.compressed, common.size)).then_some(at + DESCRIPTOR_LEN)
}

/// Name and extra field that follow the fixed part of a header, and where they end.
fn variable_part(
    bytes: &[u8],
    at: usize,
    fixed: usize,
    name_len: usize,
    extra_len: usize,
) -> Result<(&[u8], &[u8], usize), ContainerError> {
    // `at` was inside `bytes` when the fixed part was read, and both lengths are 16-bit: no overflow.
    let name_end = at + fixed + name_len;
    let end = name_end + extra_len;
    let part = bytes.get(at + fixed..end).ok_or(ContainerError::Record { offset: at })?;
    let (name, extra) = part.split_at(name_len);
    Ok((name, extra, end))
}

fn parse_name(name: &[u8], flags: u16) -> Result<&str, NameError> {
    if flags & FLAG_UTF8 == 0 && !name.is_ascii() {
        return Err(NameError::Encoding);
    }
    let name = std::str::from_utf8(name).map_err(|_| NameError::Encoding)?;
    check_name(name)?;
    Ok(name)
}

/// Well-formed, short, and each harmless field at most once.
fn check_extra(mut extra: &[u8]) -> Option<()> {
    if extra.len() > MAX_EXTRA_BYTES {
        return None;
    }
    let mut seen = [false; HARMLESS_EXTRA.len()];
    while let Some((head, rest)) = extra.split_first_chunk::<4>() {
        let known = HARMLESS_EXTRA.iter().position(|id| *id == u16_at(head, 0))?;
        if std::mem::replace(&mut seen[known], true) {
            return None;
        }
        extra = rest.get(usize::from(u16_at(head, 2))..)?;
    }
    extra.is_empty().then_some(())
}

/// External attributes: MS-DOS ones in the low byte, the Unix mode in the high half, whatever host is named,
/// because extractors differ in whether they look at the host.
fn is_regular_file(attributes: u32) -> bool {
    const DOS_VOLUME_OR_DIRECTORY: u32 = 0x08 | 0x10;
    const UNIX_TYPE: u32 = 0o170_000;
    const UNIX_REGULAR: u32 = 0o100_000;
    let unix_type = (attributes >> 16) & UNIX_TYPE;
    attributes & DOS_VOLUME_OR_DIRECTORY == 0 && (unix_type == 0 || unix_type == UNIX_REGULAR)
}

/// The `N` bytes of a record at `at`, if they are there and start with `signature`.
fn record<const N: usize>(bytes: &[u8], at: usize, signature: [u8; 4]) -> Option<&[u8; N]> {
    let found = bytes.get(at..)?.first_chunk::<N>()?;
    found.starts_with(&signature).then_some(found)
}

fn u16_at<const N: usize>(record: &[u8; N], at: usize) -> u16 {
    u16::from_le_bytes([record[at], record[at + 1]])
}

fn u32_at<const N: usize>(record: &[u8; N], at: usize) -> u32 {
    u32::from_le_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]])
}
