//! From files to the one-file form.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::{OneFileName, Party};
use crate::file::{OwnedFile, SourceFile};
use crate::file_name::{FileName, looks_standard};
use crate::layout::Layout;
use crate::records::Records;

/// Files in the one-file form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OneFile {
    /// One for each sender and serial, in the order of serials.
    pub files: Vec<OwnedFile>,
    /// Positions of the given files that have no records and travel beside: images and attachments.
    pub beside: Vec<usize>,
}

/// Why a file can't go into the one-file form: splitting would not give it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// A file has a name of the standard that does not parse.
    #[error("file {file}: the name does not parse")]
    Name {
        /// Position among the given files.
        file: usize,
    },
    /// Two files have the same name.
    #[error("file {file}: another file has the same name")]
    Double {
        /// Position among the given files.
        file: usize,
    },
    /// A file has no record, or one that no layout fits, or is no CSV.
    #[error("file {file}, line {line}: no record of the standard")]
    Record {
        /// Position among the given files.
        file: usize,
        /// Line, from 1.
        line: u64,
    },
    /// A record has another month than the file's name.
    #[error("file {file}, line {line}: another month than in the name")]
    Month {
        /// Position among the given files.
        file: usize,
        /// Line, from 1.
        line: u64,
    },
}

/// Joins files into the one-file form, one for each sender and serial.
///
/// Lossless for files whose names and records [`check_file`](crate::check::check_file) finds in order:
/// [`split`](super::split) gives every record back byte for byte, under the same names. Line ends become CRLF.
///
/// # Errors
/// See [`JoinError`]; nothing is left out silently.
pub fn join(files: &[SourceFile<'_>]) -> Result<OneFile, JoinError> {
    let mut beside = Vec::new();
    let mut seen = BTreeSet::new();
    let mut sorted: BTreeMap<(OneFileName, SortKey), usize> = BTreeMap::new();
    for (at, file) in files.iter().enumerate() {
        let name = match FileName::parse(file.name) {
            Ok(name) if name.kind.is_image() => {
                beside.push(at);
                continue;
            }
            Ok(name) => name,
            Err(_) if looks_standard(file.name) => return Err(JoinError::Name { file: at }),
            Err(_) => {
                beside.push(at);
                continue;
            }
        };
        if !seen.insert(name) {
            return Err(JoinError::Double { file: at });
        }
        let whole = OneFileName { sender: name.sender, serial: name.serial };
        sorted.insert((whole, SortKey::of(name)), at);
    }
    let mut joined: BTreeMap<(crate::serial::Serial, OneFileName), Vec<u8>> = BTreeMap::new();
    for ((whole, key), at) in sorted {
        let out = joined.entry((whole.serial, whole)).or_default();
        if let Some(file) = files.get(at) {
            append(out, &key.name, at, file.bytes)?;
        }
    }
    let file = |((_, name), bytes): ((_, OneFileName), _)| OwnedFile { name: name.to_string(), bytes };
    Ok(OneFile { files: joined.into_iter().map(file).collect(), beside })
}

/// Type, destination, then what else tells files apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct SortKey {
    kind: crate::kind::FileKind,
    recipient: Party,
    name: FileName,
}

impl SortKey {
    fn of(name: FileName) -> Self {
        Self {
            kind: name.kind,
            recipient: Party { office: name.recipient, service: name.recipient_service },
            name,
        }
    }
}

fn append(out: &mut Vec<u8>, name: &FileName, file: usize, bytes: &[u8]) -> Result<(), JoinError> {
    let sender = Party { office: name.sender, service: name.sender_service };
    let recipient = Party { office: name.recipient, service: name.recipient_service };
    let columns = format!("{},{sender},{recipient},", name.kind);
    let month = name.month.map(|month| month.to_string());
    let mut records = Records::new(bytes);
    let mut any = false;
    loop {
        let record = match records.next() {
            Ok(Some(record)) => record,
            Ok(None) if any => return Ok(()),
            Ok(None) => return Err(JoinError::Record { file, line: 1 }),
            Err(error) => return Err(JoinError::Record { file, line: error.line }),
        };
        any = true;
        // Splitting knows no month when it looks for the layout, so neither may this.
        let wrong = JoinError::Record { file, line: record.line };
        let version = record.items.first().map(|item| item.of(bytes)).unwrap_or_default();
        let layouts = Layout::for_version(name.kind, version, None);
        let layout = layouts.into_iter().find(|layout| layout.items.len() as u64 == record.count);
        let layout = layout.ok_or(wrong)?;
        let of_record = layout.roles.month.and_then(|at| record.items.get(at)).map(|item| item.of(bytes));
        if of_record != month.as_ref().map(String::as_bytes) {
            return Err(JoinError::Month { file, line: record.line });
        }
        out.extend_from_slice(columns.as_bytes());
        out.extend_from_slice(record.span.of(bytes));
        out.extend_from_slice(b"\r\n");
    }
}
