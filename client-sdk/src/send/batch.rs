//! Batches: signed containers that were made together, in one file, sealed to the own key.
//!
//! ```text
//! outbox/BATCH.p7m     until the fate of all its parcels is known
//! archive/BATCH.p7m    the same file, renamed, for `archive_days`
//! ```
//!
//! One file and one sync serve many parcels, and what is archived was written once. Inside the seal (CMS `AuthEnvelopedData`) stands a line
//! of JSON, `{"format":"tasuki-batch/v1","parcels":[{"content":…,"parcel":…,"size":…},…]}`, then the containers one after another.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use bytes::Bytes;
use ring::rand::SecureRandom;
use serde::{Deserialize, Serialize};
use tasuki_certs::open::open;
use tasuki_certs::seal::{SealError, seal};
use tasuki_proto::ids::{ParcelId, ParcelIdError};

use super::fingerprint::Fingerprint;
use crate::error::{ConfigError, SdkError, VerificationError, words};
use crate::files::{self, Access};
use crate::home::Home;

/// Parcels of one batch at most: a third of a second of signing, which is as much as a crash has anybody do again.
pub(crate) const MAX_PARCELS: usize = 64;

/// Bytes of the containers of one batch, unless one alone is larger: what is opened to get at one of them.
pub(crate) const MAX_BYTES: u64 = 4 * 1024 * 1024;

const FORMAT: &str = "tasuki-batch/v1";
const SUFFIX: &str = ".p7m";

/// Names a batch. Sorts by the time it was begun, as a parcel's id does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct BatchId(ParcelId);

impl BatchId {
    pub(crate) fn new(now_us: i64, rng: &dyn SecureRandom) -> Result<Self, SdkError> {
        let id = ParcelId::new(now_us, rng);
        Ok(Self(id.map_err(|_| ConfigError::Trust("the system gives no randomness".to_owned()))?))
    }

    /// When it was begun, Unix microseconds, to the millisecond.
    pub(crate) fn begun_us(self) -> i64 {
        crate::archive::made_us(self.0)
    }

    /// Its file in a folder.
    pub(crate) fn path(self, folder: &Path) -> PathBuf {
        folder.join(format!("{self}{SUFFIX}"))
    }

    /// Back from the name of its file.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        name.strip_suffix(SUFFIX)?.parse().ok()
    }
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for BatchId {
    type Err = ParcelIdError;

    fn from_str(text: &str) -> Result<Self, ParcelIdError> {
        text.parse().map(Self)
    }
}

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
struct Index {
    format: String,
    parcels: Vec<Entry>,
}

/// One container of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) content: Fingerprint,
    pub(super) parcel: ParcelId,
    /// Bytes.
    pub(super) size: usize,
}

/// A batch that was opened.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub(super) entries: Vec<Entry>,
    containers: Bytes,
}

impl Batch {
    /// Opens a batch's file; `None` if there is none.
    pub(super) fn read(home: &Home, path: &Path) -> Result<Option<Self>, SdkError> {
        let Some(sealed) = files::read_if_exists(path)? else { return Ok(None) };
        let plain: Bytes = open(&sealed, &home.opening_keys()).map_err(VerificationError::Seal)?.into();
        let batch = Self::parse(plain).ok_or_else(|| {
            let message = words(
                "この機能が作った電文の束ではありません",
                "not a batch of parcels that this library wrote",
            );
            ConfigError::File { path: path.to_owned(), message }
        })?;
        Ok(Some(batch))
    }

    fn parse(mut plain: Bytes) -> Option<Self> {
        let end = plain.iter().position(|byte| *byte == b'\n')?;
        let line = plain.split_to(end + 1);
        let index: Index = serde_json::from_slice(&line).ok()?;
        let size = index.parcels.iter().try_fold(0, |sum: usize, entry| sum.checked_add(entry.size));
        let whole = index.format == FORMAT && size == Some(plain.len());
        whole.then_some(Self { entries: index.parcels, containers: plain })
    }

    /// The container of a parcel, if it is one of these.
    pub(super) fn container(&self, parcel: ParcelId) -> Option<Bytes> {
        let at = self.entries.iter().position(|entry| entry.parcel == parcel)?;
        let from: usize = self.entries[..at].iter().map(|entry| entry.size).sum();
        Some(self.containers.slice(from..from + self.entries[at].size))
    }
}

/// The container of a parcel in a batch's file; `None` if there is no such file or it does not hold the parcel.
pub(crate) fn container(home: &Home, path: &Path, parcel: ParcelId) -> Result<Option<Bytes>, SdkError> {
    Ok(Batch::read(home, path)?.and_then(|batch| batch.container(parcel)))
}

/// Keeps containers as one batch, sealed and durably.
pub(super) fn write<'c>(
    home: &Home,
    path: &Path,
    parcels: impl Iterator<Item = (Fingerprint, ParcelId, &'c Bytes)> + Clone,
    rng: &dyn SecureRandom,
) -> Result<(), SdkError> {
    let entry =
        |(content, parcel, container): (_, _, &Bytes)| Entry { content, parcel, size: container.len() };
    let index = Index { format: FORMAT.to_owned(), parcels: parcels.clone().map(entry).collect() };
    let mut plain = serde_json::to_vec(&index).expect("strings and numbers always serialise");
    plain.push(b'\n');
    plain.reserve_exact(index.parcels.iter().map(|entry| entry.size).sum());
    for (_, _, container) in parcels {
        plain.extend_from_slice(container);
    }
    let failed = |e: SealError| ConfigError::Trust(e.to_string());
    let sealed = seal(&plain, &[home.archive_key()?], rng).map_err(failed)?;
    files::write_durably(path, &sealed, Access::Owner)
}
