//! The records of a HOME: files in `sent/`, each with the records of parcels that were accepted at about the same time.
//!
//! ```text
//! sent/ID.jsonl   {"format":"tasuki-sent/v1","parcels":[{"content":…,"parcel":…,"batch":…,"at":…,"size":…},…]}
//!                 one line for each parcel: a [`SentRecord`]
//! sent/IDm.jsonl  many of them, merged ([`merge`])
//! ```
//!
//! The first line says which content went out as which parcel and where its record stands (bytes from the end of the first line), so that
//! finding one does not take reading them all.

mod merge;

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tasuki_proto::ids::{ParcelId, ParcelKey};

use self::merge::Part;
use super::batch::BatchId;
use super::fingerprint::Fingerprint;
use super::record::SentRecord;
use crate::epochs::{Epochs, LostRange, is_lost};
use crate::error::{SdkError, VerificationError, words};
use crate::files::{self, Access};
use crate::home::{Home, SENT};

const FORMAT: &str = "tasuki-sent/v1";
const SUFFIX: &str = ".jsonl";

#[derive(Debug, Serialize, Deserialize)]
struct Index {
    format: String,
    parcels: Vec<Entry>,
    /// Files whose records these are as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    merged: Vec<String>,
}

impl Default for Index {
    fn default() -> Self {
        Self { format: FORMAT.to_owned(), parcels: Vec::new(), merged: Vec::new() }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    content: Fingerprint,
    parcel: ParcelId,
    batch: BatchId,
    /// Bytes from the end of the first line.
    at: u64,
    /// Bytes.
    size: usize,
}

/// Where a record stands.
#[derive(Clone, Copy, Debug)]
struct Place {
    file: usize,
    batch: BatchId,
    /// Bytes from the file's begin.
    at: u64,
    size: usize,
}

/// What was recorded when this was read. Parcel ids sort by time, so that of several parcels with the same content (`again`) the greatest is
/// the newest; of one parcel the newest record counts: the relay may have lost it, and taken it again.
#[derive(Debug)]
pub(crate) struct Sent {
    folder: PathBuf,
    files: Vec<Part>,
    records: HashMap<(Fingerprint, ParcelId), Place>,
    newest: HashMap<Fingerprint, ParcelId>,
    /// What the relay's log lost: a record of it does not count.
    lost: Vec<LostRange>,
}

/// What is recorded of some content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It was never accepted.
    Nothing,
    /// It was accepted.
    Accepted(SentRecord),
    /// It was accepted, and the relay has lost it since.
    Lost(SentRecord),
}

impl Sent {
    /// Reads where all records are.
    pub(crate) fn of(home: &Home) -> Result<Self, SdkError> {
        let lost = Epochs::load(home)?.map(|epochs| epochs.lost).unwrap_or_default();
        let mut sent = Self { lost, ..Self::empty(home) };
        for name in names(&sent.folder)? {
            sent.add_if_there(&name)?;
        }
        Ok(sent)
    }

    /// The epoch of the oldest record; `None` if there is none. Files are named by time, and what was recorded first stands first.
    pub(crate) fn first_epoch(home: &Home) -> Result<Option<u64>, SdkError> {
        let mut sent = Self::empty(home);
        for name in names(&sent.folder)? {
            sent.add_if_there(&name)?;
            let oldest = sent.records.values().min_by_key(|place| place.at);
            if let Some(place) = oldest {
                return Ok(Some(sent.read(*place)?.evidence.epoch));
            }
        }
        Ok(None)
    }

    fn empty(home: &Home) -> Self {
        Self {
            folder: home.path(SENT),
            files: Vec::new(),
            records: HashMap::new(),
            newest: HashMap::new(),
            lost: Vec::new(),
        }
    }

    fn add_if_there(&mut self, name: &str) -> Result<(), SdkError> {
        match self.add(self.folder.join(name)) {
            // It was merged long ago, and another process has just removed it.
            Err(SdkError::Io { kind: std::io::ErrorKind::NotFound, .. }) => Ok(()),
            added => added,
        }
    }

    fn add(&mut self, path: PathBuf) -> Result<(), SdkError> {
        let mut line = Vec::new();
        let read = File::open(&path).and_then(|file| BufReader::new(file).read_until(b'\n', &mut line));
        let begin = read.map_err(|e| SdkError::io(&path, &e))?;
        let index = parse_index(&line, &path)?;
        let begin = u64::try_from(begin).unwrap_or(u64::MAX);
        let part = Part::new(path, begin, &index);
        for Entry { content, parcel, batch, at, size } in index.parcels {
            let place = Place { file: self.files.len(), batch, at: begin.saturating_add(at), size };
            self.records.insert((content, parcel), place);
            let newest = self.newest.entry(content).or_insert(parcel);
            *newest = parcel.max(*newest);
        }
        self.files.push(part);
        Ok(())
    }

    /// The newest parcel with this content.
    pub(super) fn find(&self, content: Fingerprint) -> Result<Found, SdkError> {
        let newest = self.newest.get(&content).and_then(|parcel| self.records.get(&(content, *parcel)));
        let Some(place) = newest else { return Ok(Found::Nothing) };
        let record = self.read(*place)?;
        Ok(if self.is_lost(&record) { Found::Lost(record) } else { Found::Accepted(record) })
    }

    /// Whether this very parcel is recorded, and the relay still has it.
    pub(super) fn holds(&self, content: Fingerprint, parcel: ParcelId) -> Result<bool, SdkError> {
        let Some(place) = self.records.get(&(content, parcel)) else { return Ok(false) };
        Ok(self.lost.is_empty() || !self.is_lost(&self.read(*place)?))
    }

    /// The record of a parcel, by its name; `None` if there is none.
    pub(crate) fn of_parcel(home: &Home, key: ParcelKey) -> Result<Option<SentRecord>, SdkError> {
        let sent = Self::of(home)?;
        let place = sent.records.iter().find(|((_, parcel), _)| *parcel == key.id).map(|(_, place)| *place);
        let record = place.map(|place| sent.read(place)).transpose()?;
        Ok(record.filter(|record| record.key() == key))
    }

    /// Keeps records under a name of their own, durably. Earlier ones of the same parcels stay: they prove what was lost.
    pub(super) fn put(&self, id: BatchId, records: &[(Fingerprint, &SentRecord)]) -> Result<(), SdkError> {
        let mut index = Index::default();
        let mut lines = Vec::new();
        for (content, record) in records {
            let at = lines.len();
            serde_json::to_writer(&mut lines, record).expect("strings and numbers always serialise");
            let size = lines.len() - at;
            lines.push(b'\n');
            let at = u64::try_from(at).unwrap_or(u64::MAX);
            let (content, parcel, batch) = (*content, record.parcel, record.batch);
            index.parcels.push(Entry { content, parcel, batch, at, size });
        }
        let mut all = serde_json::to_vec(&index).expect("strings and numbers always serialise");
        all.push(b'\n');
        all.append(&mut lines);
        files::write_durably(&self.folder.join(format!("{id}{SUFFIX}")), &all, Access::Owner)
    }

    /// Records of what the relay has lost, and that was not sent again since.
    pub(crate) fn lost(&self) -> Result<Vec<SentRecord>, SdkError> {
        let newest =
            self.newest.iter().filter_map(|(content, parcel)| self.records.get(&(*content, *parcel)));
        let records = newest.map(|place| self.read(*place));
        records.filter(|record| record.as_ref().map_or(true, |r| self.is_lost(r))).collect()
    }

    /// The batch of each recorded parcel.
    pub(crate) fn batches(&self) -> impl Iterator<Item = BatchId> {
        self.records.values().map(|place| place.batch)
    }

    fn is_lost(&self, record: &SentRecord) -> bool {
        is_lost(&self.lost, record.evidence.epoch, record.evidence.index)
    }

    fn read(&self, Place { file, at, size, .. }: Place) -> Result<SentRecord, SdkError> {
        let path = &self.files[file].path;
        let mut line = Vec::new();
        let read = File::open(path).and_then(|mut file| {
            file.seek(SeekFrom::Start(at))?;
            file.take(u64::try_from(size).unwrap_or(u64::MAX)).read_to_end(&mut line)
        });
        read.map_err(|e| SdkError::io(path, &e))?;
        SentRecord::parse(&line).ok_or_else(|| malformed(path))
    }
}

/// The files with records, the oldest first.
fn names(folder: &Path) -> Result<Vec<String>, SdkError> {
    let mut names = files::list(folder)?;
    names.retain(|name| name.ends_with(SUFFIX));
    names.sort_unstable();
    Ok(names)
}

/// Reads a first line.
fn parse_index(line: &[u8], path: &Path) -> Result<Index, SdkError> {
    let index: Option<Index> = serde_json::from_slice(line).ok();
    index.filter(|index| index.format == FORMAT).ok_or_else(|| malformed(path))
}

fn malformed(path: &Path) -> SdkError {
    let message = words("送信した電文の控えではありません", "not a record of sent parcels");
    VerificationError::Malformed { path: path.to_owned(), message }.into()
}
