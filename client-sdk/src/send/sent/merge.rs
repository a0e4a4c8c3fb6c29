//! Many small files of records become few: software that sends parcel by parcel makes a file for each, and every sending reads the first
//! line of all of them.
//!
//! A merged file sorts right behind the newest of those that it holds, so that of one parcel the newest record still counts. Those stay for a
//! while: whoever read where records stand, a moment before, finds them there. A crash in between leaves records in two files, which is one
//! record to every reader.

use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use super::{Index, SUFFIX, Sent, malformed, parse_index};
use crate::error::SdkError;
use crate::files::{self, Access};

/// Files from which on they are merged: reading so many first lines takes some milliseconds.
const MERGE_FROM: usize = 256;

/// The newest files, which are left alone: what was just written is not written again at once.
const LEAVE: usize = 64;

/// Files that are merged at least, so that no record is written again and again.
const LEAST: usize = 32;

/// Records and bytes of a merged file: what a reader takes into memory for one first line, and what a crash has anybody write again.
const MAX_RECORDS: usize = 1_024;
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// How long merged files stay beside what holds them: no reader takes so long between looking and reading.
const STAY: Duration = Duration::from_secs(3_600);

/// Ends the name of a merged file: it sorts behind the name that it continues.
const MERGED: &str = "m";

/// One file of records.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) path: PathBuf,
    records: usize,
    bytes: u64,
    /// Names of files that it holds the records of.
    merged: Vec<String>,
}

impl Part {
    pub(super) fn new(path: PathBuf, begin: u64, index: &Index) -> Self {
        let end = index.parcels.iter().map(|entry| entry.at.saturating_add(entry.size as u64)).max();
        let (records, merged) = (index.parcels.len(), index.merged.clone());
        Self { path, records, bytes: begin.saturating_add(end.unwrap_or(0)), merged }
    }

    fn name(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }
}

impl Sent {
    /// Merges files where there are too many, and removes those that were merged long enough ago. The caller has the right to send.
    pub(in crate::send) fn tidy(&self, now_us: i64) -> Result<(), SdkError> {
        let is_merged = |name: &str| self.files.iter().any(|part| part.merged.iter().any(|one| one == name));
        for holder in self.files.iter().filter(|part| !part.merged.is_empty()) {
            let left: Vec<&String> = holder
                .merged
                .iter()
                .filter(|name| self.files.iter().any(|part| part.name() == *name))
                .collect();
            if !left.is_empty() && age(&holder.path, now_us)? >= STAY {
                left.into_iter().try_for_each(|name| files::discard(&self.folder.join(name)))?;
            }
        }
        let alone: Vec<&Part> = self.files.iter().filter(|part| !is_merged(part.name())).collect();
        if alone.len() < MERGE_FROM {
            return Ok(());
        }
        match run(&alone[..alone.len() - LEAVE]) {
            Some(run) => merge(&self.folder, run),
            None => Ok(()),
        }
    }
}

/// How long ago a file was written; one of the future is new.
fn age(path: &Path, now_us: i64) -> Result<Duration, SdkError> {
    let modified = std::fs::metadata(path).and_then(|metadata| metadata.modified());
    let modified = modified.map_err(|e| SdkError::io(path, &e))?;
    let now = UNIX_EPOCH + Duration::from_micros(u64::try_from(now_us).unwrap_or(0));
    Ok(now.duration_since(modified).unwrap_or_default())
}

/// The oldest files in a row that are worth one.
fn run<'p, 's>(parts: &'p [&'s Part]) -> Option<&'p [&'s Part]> {
    let mut begin = 0;
    while begin < parts.len() {
        let (mut records, mut bytes) = (0, 0);
        let fit = parts[begin..].iter().take_while(|part| {
            records += part.records;
            bytes += part.bytes;
            records <= MAX_RECORDS && bytes <= MAX_BYTES
        });
        let count = fit.count();
        if count >= LEAST {
            return Some(&parts[begin..begin + count]);
        }
        begin += count.max(1);
    }
    None
}

/// Writes the records of these files, in their order, as one.
fn merge(folder: &Path, parts: &[&Part]) -> Result<(), SdkError> {
    let Some(newest) = parts.last() else { return Ok(()) };
    let mut whole = Index::default();
    let mut lines = Vec::new();
    for part in parts {
        let bytes = files::read(&part.path)?;
        let end = bytes.iter().position(|byte| *byte == b'\n').ok_or_else(|| malformed(&part.path))? + 1;
        let index = parse_index(&bytes[..end], &part.path)?;
        let moved = lines.len() as u64;
        whole
            .parcels
            .extend(index.parcels.into_iter().map(|entry| super::Entry { at: entry.at + moved, ..entry }));
        whole.merged.push(part.name().to_owned());
        lines.extend_from_slice(&bytes[end..]);
    }
    let mut all = serde_json::to_vec(&whole).expect("strings and numbers always serialise");
    all.push(b'\n');
    all.append(&mut lines);
    let stem = newest.name().strip_suffix(SUFFIX).unwrap_or_default();
    files::write_durably(&folder.join(format!("{stem}{MERGED}{SUFFIX}")), &all, Access::Owner)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tasuki_proto::ids::{ParcelId, ParcelKey};
    use tasuki_proto::pb;

    use super::*;
    use crate::home::{Home, SENT};
    use crate::parcel::State;
    use crate::send::batch::BatchId;
    use crate::send::fingerprint::Fingerprint;
    use crate::send::record::{SentRecord, StoredEvidence};
    use crate::testing::{self, NOW_US};

    const SECOND_US: i64 = 1_000_000;
    const HOUR_US: i64 = 3_600 * SECOND_US;

    fn keep(home: &Home, n: usize) -> ParcelKey {
        let rng = ring::rand::SystemRandom::new();
        let at_us = NOW_US + i64::try_from(n).unwrap() * SECOND_US;
        let key = ParcelKey { sender: home.office(), id: ParcelId::new(at_us, &rng).unwrap() };
        keep_again(home, key, n, at_us, NOW_US)
    }

    fn keep_again(home: &Home, key: ParcelKey, n: usize, at_us: i64, accepted_us: i64) -> ParcelKey {
        let rng = ring::rand::SystemRandom::new();
        let id = BatchId::new(at_us, &rng).unwrap();
        let recipient = "9971100012".parse().unwrap();
        let name = n.to_string();
        let content =
            Fingerprint::of(key.sender, recipient, None, std::iter::once((name.as_str(), b"x".as_slice())));
        let entry = Some(pb::LogEntry::default());
        let evidence = StoredEvidence::from_wire(&pb::Evidence { entry, ..pb::Evidence::default() }).unwrap();
        let record = SentRecord::new(key, recipient, &[7; 32], State::Delivered, accepted_us, id, evidence);
        Sent::of(home).unwrap().put(id, &[(content, &record)]).unwrap();
        key
    }

    fn names(home: &Home) -> Vec<String> {
        files::list(&home.path(SENT)).unwrap()
    }

    /// What is recorded, by the parcel: when it was accepted.
    fn recorded(home: &Home, keys: &[ParcelKey]) -> BTreeMap<ParcelKey, i64> {
        let record = |key: &ParcelKey| Sent::of_parcel(home, *key).unwrap().unwrap().accepted_us();
        keys.iter().map(|key| (*key, record(key))).collect()
    }

    #[test]
    fn many_files_become_few_and_nothing_is_lost() {
        let folder = testing::folder("sent-merge");
        let home = testing::home(&folder, &testing::world().sender);
        let mut keys: Vec<ParcelKey> = (0..MERGE_FROM - 1).map(|n| keep(&home, n)).collect();
        // One of the first was taken again by the relay, later: the newer record counts.
        let again_us = NOW_US + 2 * HOUR_US;
        keep_again(&home, keys[3], 3, NOW_US + 100 * SECOND_US, again_us);
        keys.truncate(MERGE_FROM - 1);
        let before = recorded(&home, &keys);
        assert_eq!(before[&keys[3]], again_us);
        let now_us = i64::try_from(UNIX_EPOCH.elapsed().unwrap().as_micros()).unwrap();
        Sent::of(&home).unwrap().tidy(now_us).unwrap();
        // Written, and those that it holds are still there.
        assert_eq!(names(&home).len(), MERGE_FROM + 1);
        assert_eq!(recorded(&home, &keys), before);
        Sent::of(&home).unwrap().tidy(now_us).unwrap();
        assert_eq!(names(&home).len(), MERGE_FROM + 1, "too early, and nothing to merge");
        let looked = Sent::of(&home).unwrap();
        looked.tidy(now_us + 2 * HOUR_US).unwrap();
        assert_eq!(names(&home).len(), LEAVE + 1);
        assert_eq!(recorded(&home, &keys), before);
        // A second one holds what came after, in its place.
        for n in 0..MERGE_FROM {
            keys.push(keep(&home, 1_000 + n));
        }
        let before = recorded(&home, &keys);
        Sent::of(&home).unwrap().tidy(now_us).unwrap();
        Sent::of(&home).unwrap().tidy(now_us + 2 * HOUR_US).unwrap();
        assert_eq!(names(&home).len(), LEAVE + 1);
        assert_eq!(recorded(&home, &keys), before);
        assert_eq!(Sent::of(&home).unwrap().batches().count(), keys.len());
    }

    #[test]
    fn what_is_large_already_is_not_written_again() {
        let part = |records, bytes| Part { path: PathBuf::new(), records, bytes, merged: Vec::new() };
        let (full, small) = (part(MAX_RECORDS, 1), part(1, 100));
        let mut parts = vec![&full; 40];
        assert!(run(&parts).is_none());
        parts.extend(vec![&small; LEAST - 1]);
        assert!(run(&parts).is_none());
        parts.push(&small);
        assert_eq!(run(&parts).map(<[&Part]>::len), Some(LEAST));
        let heavy = part(1, MAX_BYTES / 3);
        assert!(run(&[&heavy; 100]).is_none());
    }
}
