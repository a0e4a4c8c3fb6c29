//! Writing a container: the same entries give the same bytes.

use std::io::{Cursor, Write};

use zip::write::{PreparedZipFile, SimpleFileOptions, ZipFileBuilder};
use zip::{CompressionMethod, DateTime, System, ZipWriter};

use super::error::ContainerError;
use super::limits::ContainerLimits;
use super::name::check_name;
use super::names::NameIndex;
use super::{MIMETYPE, MIMETYPE_NAME};

/// Writes `entries` (name, content) behind a `mimetype` entry, which is not given.
///
/// Deterministic: every time is 1980-01-01, every attribute a plain file's. A file is deflated where that saves
/// at least a third of 1 KiB or more, as it does for CSV and JSON; a small file, a signature, a JPEG or a PDF is
/// stored, which the reader then need not copy. A file that would shrink beyond the default `limits.ratio` is
/// stored too, so that [`super::read`] with default limits never takes it for a bomb. Refuses what `read` with default limits refuses: bad or clashing names, too
/// many or too large files; `entry` in the error counts from 0 with `mimetype` included, as in `read`.
pub fn write(entries: &[(&str, &[u8])]) -> Result<Vec<u8>, ContainerError> {
    let limits = ContainerLimits::default();
    check(entries, &limits)?;
    let mimetype = prepare(MIMETYPE_NAME, MIMETYPE.as_bytes(), CompressionMethod::Stored);
    let files = entries.iter().map(|(name, content)| {
        deflated(name, content, limits.ratio)
            .unwrap_or_else(|| prepare(name, content, CompressionMethod::Stored))
    });
    let files: Vec<PreparedZipFile> = std::iter::once(mimetype).chain(files).collect();
    let size =
        |file: &PreparedZipFile| usize::try_from(file.compressed_size()).expect("it is held in memory");
    let names: usize = entries.iter().map(|(name, _)| name.len()).sum();
    let room = files.iter().map(|file| size(file) + RECORDS_BYTES).sum::<usize>() + 2 * names;
    let mut zip = ZipWriter::new(Cursor::new(Vec::with_capacity(room)));
    for file in files {
        zip.add_prepared_file(file).expect(IN_MEMORY);
    }
    let bytes = zip.finish().expect(IN_MEMORY).into_inner();
    if bytes.len() > limits.container_bytes {
        return Err(ContainerError::ContainerTooLarge { bytes: bytes.len(), limit: limits.container_bytes });
    }
    Ok(bytes)
}

/// Bytes of an entry's two records without its names (PKWARE APPNOTE 4.3.7, 4.3.12), and its part of the end: enough that nothing grows.
const RECORDS_BYTES: usize = 30 + 46 + 22;

/// Shorter files are stored.
const MIN_DEFLATED_BYTES: usize = 1024;

/// Signatures with their certificates never shrink by a third: trying costs more than anything else here.
const SIGNATURE_SUFFIX: &str = ".p7s";

/// Why the ZIP writer cannot fail here.
const IN_MEMORY: &str = "names are checked, sizes far below ZIP64's, and writing to memory does not fail";

fn check(entries: &[(&str, &[u8])], limits: &ContainerLimits) -> Result<(), ContainerError> {
    let count = entries.len() + 1;
    if count > limits.entries {
        return Err(ContainerError::TooManyEntries { entries: count, limit: limits.entries });
    }
    let mut total = MIMETYPE.len();
    for (entry, (name, content)) in (1..).zip(entries) {
        check_name(name).map_err(|reason| ContainerError::Name { entry, reason })?;
        if content.len() > limits.file_bytes {
            return Err(ContainerError::FileTooLarge {
                entry,
                bytes: content.len(),
                limit: limits.file_bytes,
            });
        }
        total = total.saturating_add(content.len());
    }
    if total > limits.total_bytes {
        return Err(ContainerError::Bomb { bytes: total, limit: limits.total_bytes });
    }
    let names: Vec<&str> =
        std::iter::once(MIMETYPE_NAME).chain(entries.iter().map(|(name, _)| *name)).collect();
    NameIndex::build(names.into_iter()).map(drop)
}

/// The file deflated, if that is worth its time at the reader: building the code tables of a small stream takes
/// longer than receiving the bytes that it saves.
fn deflated(name: &str, content: &[u8], max_ratio: usize) -> Option<PreparedZipFile> {
    if content.len() < MIN_DEFLATED_BYTES || name.ends_with(SIGNATURE_SUFFIX) {
        return None;
    }
    let file = prepare(name, content, CompressionMethod::Deflated);
    let compressed = usize::try_from(file.compressed_size()).expect("it is held in memory");
    let range = content.len() / max_ratio + 1..=content.len() / 3 * 2;
    range.contains(&compressed).then_some(file)
}

fn prepare(name: &str, content: &[u8], method: CompressionMethod) -> PreparedZipFile {
    let options = SimpleFileOptions::default()
        .compression_method(method)
        .last_modified_time(DateTime::DEFAULT)
        .system(System::Unix)
        .unix_permissions(0o644);
    let mut builder = ZipFileBuilder::new(name, options).expect(IN_MEMORY);
    builder.write_all(content).expect(IN_MEMORY);
    builder.finish().expect(IN_MEMORY)
}
