//! Records of accepted parcels: one file each in `sent/`, named by content and parcel, with the evidence.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::canonical::{hex, parse_hex};
use tasuki_proto::event::Event;
use tasuki_proto::ids::{ParcelId, ParcelKey};
use tasuki_proto::{pb, time};

use super::fingerprint::Fingerprint;
use crate::epochs::{Epochs, LostRange, is_lost};
use crate::error::{SdkError, VerificationError, words};
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

    /// As the relay gave it; `None` if a hash is none.
    pub(crate) fn to_wire(&self) -> Option<pb::Evidence> {
        let entry = pb::LogEntry {
            text: self.event.clone().into_bytes().into(),
            epoch: self.epoch,
            index: self.index,
            opening: None,
        };
        let hashes = self.inclusion.iter().map(|hash| Some(parse_hex::<32>(hash)?.to_vec().into()));
        Some(pb::Evidence {
            entry: Some(entry),
            inclusion: hashes.collect::<Option<_>>()?,
            checkpoint: self.checkpoint.clone().into_bytes().into(),
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

    /// The record of a parcel, by its name; `None` if there is none.
    pub(crate) fn of_parcel(home: &Home, key: ParcelKey) -> Result<Option<Self>, SdkError> {
        let folder = home.path(SENT);
        let names = files::list(&folder)?;
        let found = names.iter().find(|name| parse_name(name).is_some_and(|(_, parcel)| parcel == key.id));
        let record = found.map(|name| Self::read(&folder.join(name))).transpose()?;
        Ok(record.filter(|record| record.key() == key))
    }

    /// SHA-256 of the container; [`SentRecord::read`] has seen that it is one.
    pub(crate) fn digest(&self) -> [u8; 32] {
        parse_hex(&self.digest).unwrap_or_default()
    }

    /// SHA-256 of the certificate that it was signed with, as the event of the acceptance says.
    pub(super) fn signer(&self) -> Option<[u8; 32]> {
        Event::parse(self.evidence.event.as_bytes()).ok()?.digest("signer")
    }

    /// When, Unix microseconds.
    pub(crate) fn accepted_us(&self) -> i64 {
        time::parse_us(&self.accepted_at).unwrap_or(0)
    }

    fn read(path: &Path) -> Result<Self, SdkError> {
        let malformed = || {
            let message = words("送信した電文の控えではありません", "not a record of a sent parcel");
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
        let lost = Epochs::load(home)?.map(|epochs| epochs.lost).unwrap_or_default();
        Ok(Self { folder, newest, lost })
    }

    /// The newest parcel with this content.
    pub(super) fn find(&self, content: Fingerprint) -> Result<Found, SdkError> {
        let Some(parcel) = self.newest.get(&content) else { return Ok(Found::Nothing) };
        let record = SentRecord::read(&self.path(content, *parcel))?;
        Ok(if self.is_lost(&record) { Found::Lost(record) } else { Found::Accepted(record) })
    }

    /// Whether this very parcel is recorded, and the relay still has it.
    pub(super) fn holds(&self, content: Fingerprint, parcel: ParcelId) -> Result<bool, SdkError> {
        let path = self.path(content, parcel);
        Ok(path.exists() && !self.is_lost(&SentRecord::read(&path)?))
    }

    /// Keeps a record, durably. What proves an acceptance that was lost stays beside it.
    pub(super) fn put(&self, content: Fingerprint, record: &SentRecord) -> Result<(), SdkError> {
        let path = self.path(content, record.parcel);
        if path.exists() {
            let earlier = SentRecord::read(&path)?;
            if earlier.evidence.epoch != record.evidence.epoch {
                let aside =
                    format!("{}_{}_e{}{SUFFIX}", content.text(), record.parcel, earlier.evidence.epoch);
                let json = serde_json::to_vec_pretty(&earlier).expect("strings and numbers always serialise");
                files::write_durably(&self.folder.join(aside), &json, Access::Owner)?;
            }
        }
        let json = serde_json::to_vec_pretty(record).expect("strings and numbers always serialise");
        files::write_durably(&path, &json, Access::Owner)
    }

    /// Records of what the relay has lost, and that was not sent again since.
    pub(crate) fn lost(&self) -> Result<Vec<SentRecord>, SdkError> {
        let records =
            self.newest.iter().map(|(content, parcel)| SentRecord::read(&self.path(*content, *parcel)));
        records.filter(|record| record.as_ref().map_or(true, |r| self.is_lost(r))).collect()
    }

    fn is_lost(&self, record: &SentRecord) -> bool {
        is_lost(&self.lost, record.evidence.epoch, record.evidence.index)
    }

    fn path(&self, content: Fingerprint, parcel: ParcelId) -> PathBuf {
        self.folder.join(format!("{}_{parcel}{SUFFIX}", content.text()))
    }
}

fn parse_name(name: &str) -> Option<(Fingerprint, ParcelId)> {
    let (content, parcel) = name.strip_suffix(SUFFIX)?.split_once('_')?;
    Some((Fingerprint::parse(content)?, parcel.parse().ok()?))
}
