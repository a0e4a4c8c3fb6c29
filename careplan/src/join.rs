//! Many received files into one for each kind, so that care software can import them in one go.

use std::collections::BTreeMap;

use crate::file::{OwnedFile, SourceFile};
use crate::file_name::{FileName, MonthField, looks_standard};
use crate::kind::FileKind;
use crate::office::OfficeNumber;
use crate::records::Records;
use crate::serial::Serial;
use crate::service::ServiceKind;

/// What joining gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Joined {
    /// The joined files, to be imported in this order.
    pub files: Vec<JoinedFile>,
    /// Positions of the given files that were left as they are: images, attachments.
    pub beside: Vec<usize>,
}

/// One joined file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedFile {
    /// The name of its latest source, so that software that reads names accepts it. It tells no longer who sent which
    /// record: this is a file for import, never for sending.
    pub name: FileName,
    /// The records of all sources, in the order of their serials.
    pub bytes: Vec<u8>,
    /// Where each source stands in it.
    pub sources: Vec<JoinedSource>,
}

/// One source in a joined file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedSource {
    /// Its position among the given files.
    pub file: usize,
    /// Its name.
    pub name: String,
    /// Its bytes in the joined file.
    pub start: usize,
    /// Where they end.
    pub end: usize,
}

/// Why files can't be joined without losing something.
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
    /// A file is no CSV: behind it, records could not be told apart.
    #[error("file {file}, line {line}: no CSV")]
    NotCsv {
        /// Position among the given files.
        file: usize,
        /// Line, from 1.
        line: u64,
    },
}

impl JoinedFile {
    /// Its sources as they were, byte for byte.
    pub fn split(&self) -> Vec<OwnedFile> {
        let source = |source: &JoinedSource| OwnedFile {
            name: source.name.clone(),
            bytes: self.bytes.get(source.start..source.end).unwrap_or_default().to_vec(),
        };
        self.sources.iter().map(source).collect()
    }
}

/// Files that may stand in one file: the version is a file's, the turn is explained below.
type Key = (usize, FileKind, Option<MonthField>, OfficeNumber, Option<ServiceKind>, Vec<u8>);

/// Joins files of the same kind, month, recipient and version.
///
/// Two files of one sender about the same never stand in one joined file: the later replaces the earlier at the receiver,
/// which must therefore import them one after the other. Their joined files come in turns: all first ones, then all second
/// ones, and in each turn withdrawals last.
/// Lossless: [`JoinedFile::split`] gives every source back.
///
/// ```
/// use tasuki_careplan::file::SourceFile;
/// use tasuki_careplan::{join, samples};
///
/// let results: Vec<_> = samples::all()
///     .iter()
///     .filter(|sample| sample.name.starts_with("UPJSK_202602"))
///     .map(|sample| SourceFile { name: sample.name, bytes: sample.bytes })
///     .collect();
/// let joined = join::join(&results)?;
/// assert_eq!((results.len(), joined.files.len()), (2, 1));
/// # Ok::<(), join::JoinError>(())
/// ```
///
/// # Errors
/// See [`JoinError`].
pub fn join(files: &[SourceFile<'_>]) -> Result<Joined, JoinError> {
    let mut beside = Vec::new();
    let mut names: Vec<(Serial, FileName, usize)> = Vec::new();
    for (at, file) in files.iter().enumerate() {
        match FileName::parse(file.name) {
            Ok(name) if !name.kind.is_image() => names.push((name.serial, name, at)),
            Err(_) if looks_standard(file.name) => return Err(JoinError::Name { file: at }),
            _ => beside.push(at),
        }
    }
    names.sort_unstable();
    if let Some([_, (_, _, at)]) = names.array_windows().find(|[one, other]| one.1 == other.1) {
        return Err(JoinError::Double { file: *at });
    }
    let mut turns: BTreeMap<FileName, usize> = BTreeMap::new();
    let mut joined: BTreeMap<Key, JoinedFile> = BTreeMap::new();
    for (_, name, at) in names {
        let Some(file) = files.get(at) else { continue };
        let version = version_of(at, file.bytes)?;
        // The same but for the serial: a later state of the same.
        let about = FileName { serial: first_serial(), ..name };
        let turn = turns.entry(about).or_default();
        let key = (*turn, name.kind, name.month, name.recipient, name.recipient_service, version);
        *turn += 1;
        let empty = || JoinedFile { name, bytes: Vec::new(), sources: Vec::new() };
        joined.entry(key).or_insert_with(empty).append(at, name, file);
    }
    let mut files: Vec<(usize, JoinedFile)> = joined.into_iter().map(|(key, file)| (key.0, file)).collect();
    files.sort_by_key(|(turn, file)| (*turn, file.name.kind.action(), file.name.serial));
    Ok(Joined { files: files.into_iter().map(|(_, file)| file).collect(), beside })
}

impl JoinedFile {
    fn append(&mut self, at: usize, name: FileName, file: &SourceFile<'_>) {
        // A source without a line end at its end gets one between it and the next.
        if !self.bytes.is_empty() && !self.bytes.ends_with(b"\n") {
            self.bytes.extend_from_slice(b"\r\n");
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(file.bytes);
        self.sources.push(JoinedSource {
            file: at,
            name: file.name.to_owned(),
            start,
            end: self.bytes.len(),
        });
        self.name = name;
    }
}

/// The version of the first record; the whole file is walked, since an open quote would swallow the next file.
fn version_of(file: usize, bytes: &[u8]) -> Result<Vec<u8>, JoinError> {
    let mut records = Records::new(bytes);
    let mut version = None;
    loop {
        match records.next() {
            Ok(Some(record)) => {
                let of_record = || record.items.first().map(|item| item.of(bytes)).unwrap_or_default();
                version.get_or_insert_with(|| of_record().to_vec());
            }
            Ok(None) => return Ok(version.unwrap_or_default()),
            Err(error) => return Err(JoinError::NotCsv { file, line: error.line }),
        }
    }
}

/// Any fixed serial.
fn first_serial() -> Serial {
    "19000101000000".parse().expect("the first second of 1900 is a serial")
}

#[cfg(test)]
mod tests;
