//! Records of accepted parcels: one file each in `sent/`, named by content and parcel, with the evidence.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::canonical::{hex, parse_hex};
use tasuki_proto::ids::{ParcelId, ParcelKey};
use tasuki_proto::{pb, time};

use super::fingerprint::Fingerprint;
use crate::error::{SdkError, VerificationError};
use crate::files::{self, Access};
use crate::home::{Home, SENT};
use crate::parcel::State;

const FORMAT: &str = "tasuki-sent/v1";
const SUFFIX: &str = ".json";

/// An accepted parcel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SentRecord {
    format: String,
    pub(crate) parcel: ParcelId,
    pub(crate) sender: OfficeNumber,
    pub(crate) recipient: OfficeNumber,
    /// SHA-256 of the container, hexadecimal.
    digest: String,
    /// Where it stood when it was accepted.
    pub(crate) state: State,
    /// RFC 3339.
    accepted_at: String,
    pub(crate) evidence: StoredEvidence,
}

/// The event of the acceptance with its proof, readable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredEvidence {
    /// Canonical text of the event.
    event: String,
    /// Which log.
    pub(crate) epoch: u64,
    /// Place in it, from 0.
    pub(crate) index: u64,
    /// Audit path, hexadecimal.
    inclusion: Vec<String>,
    /// Signed note.
    checkpoint: String,
}

impl StoredEvidence {
    pub(crate) fn from_wire(evidence: &pb::Evidence) -> Option<Self> {
        let entry = evidence.entry.as_ref()?;
        Some(Self {
            event: String::from_utf8(entry.text.to_vec()).ok()?,
            epoch: entry.epoch,
            index: entry.index,
            inclusion: evidence.inclusion.iter().map(|h| hex(h)).collect(),
            checkpoint: String::from_utf8(evidence.checkpoint.to_vec()).ok()?,
        })
    }
}

impl SentRecord {
    pub(crate) fn new(
        key: ParcelKey,
        recipient: OfficeNumber,
        digest: &[u8; 32],
        state: State,
        accepted_us: i64,
        evidence: StoredEvidence,
    ) -> Self {
        Self {
            format: FORMAT.to_owned(),
            parcel: key.id,
            sender: key.sender,
            recipient,
            digest: hex(digest),
            state,
            accepted_at: time::format_us(accepted_us),
            evidence,
        }
    }

    pub(crate) fn key(&self) -> ParcelKey {
        ParcelKey { sender: self.sender, id: self.parcel }
    }

    /// When, Unix microseconds.
    pub(crate) fn accepted_us(&self) -> i64 {
        time::parse_us(&self.accepted_at).unwrap_or(0)
    }

    fn read(path: &Path) -> Result<Self, SdkError> {
        let malformed = || {
            let message = "not a record of a sent parcel".to_owned();
            VerificationError::Malformed { path: path.to_owned(), message }
        };
        let record: Self = serde_json::from_slice(&files::read(path)?).map_err(|_| malformed())?;
        let whole = record.format == FORMAT
            && time::parse_us(&record.accepted_at).is_some()
            && parse_hex::<32>(&record.digest).is_some();
        if whole { Ok(record) } else { Err(malformed().into()) }
    }
}

/// The records of a HOME: which content went out as which parcel. Parcel ids sort by time, so that of several
/// parcels with the same content (`again`) the greatest is the newest.
#[derive(Debug)]
pub(crate) struct Sent {
    folder: PathBuf,
    newest: HashMap<Fingerprint, ParcelId>,
}

impl Sent {
    /// Reads the names of all records.
    pub(crate) fn of(home: &Home) -> Result<Self, SdkError> {
        let folder = home.path(SENT);
        let mut newest: HashMap<Fingerprint, ParcelId> = HashMap::new();
        for name in files::list(&folder)? {
            if let Some((content, parcel)) = parse_name(&name) {
                let entry = newest.entry(content).or_insert(parcel);
                *entry = parcel.max(*entry);
            }
        }
        Ok(Self { folder, newest })
    }

    /// The newest parcel with this content.
    pub(super) fn find(&self, content: Fingerprint) -> Result<Option<SentRecord>, SdkError> {
        let parcel = self.newest.get(&content);
        parcel.map(|parcel| SentRecord::read(&self.path(content, *parcel))).transpose()
    }

    /// Whether this very parcel is recorded.
    pub(super) fn holds(&self, content: Fingerprint, parcel: ParcelId) -> bool {
        self.path(content, parcel).exists()
    }

    /// Keeps a record, durably.
    pub(super) fn put(&self, content: Fingerprint, record: &SentRecord) -> Result<(), SdkError> {
        let json = serde_json::to_vec_pretty(record).expect("strings and numbers always serialise");
        files::write_durably(&self.path(content, record.parcel), &json, Access::Owner)
    }

    /// All records.
    pub(crate) fn all(&self) -> Result<Vec<SentRecord>, SdkError> {
        let names = files::list(&self.folder)?;
        names
            .iter()
            .filter(|n| parse_name(n).is_some())
            .map(|n| SentRecord::read(&self.folder.join(n)))
            .collect()
    }

    fn path(&self, content: Fingerprint, parcel: ParcelId) -> PathBuf {
        self.folder.join(format!("{}_{parcel}{SUFFIX}", content.text()))
    }
}

fn parse_name(name: &str) -> Option<(Fingerprint, ParcelId)> {
    let (content, parcel) = name.strip_suffix(SUFFIX)?.split_once('_')?;
    Some((Fingerprint::parse(content)?, parcel.parse().ok()?))
}
