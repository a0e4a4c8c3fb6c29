//! The record of an accepted parcel, with the evidence. Where records are kept is [`super::sent`]'s.

use serde::{Deserialize, Serialize};
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::canonical::{hex, parse_hex};
use tasuki_proto::event::Event;
use tasuki_proto::ids::{ParcelId, ParcelKey};
use tasuki_proto::{pb, time};

use super::batch::BatchId;
use crate::parcel::State;

/// An accepted parcel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SentRecord {
    pub(crate) parcel: ParcelId,
    pub(crate) sender: OfficeNumber,
    pub(crate) recipient: OfficeNumber,
    /// SHA-256 of the container, hexadecimal.
    digest: String,
    /// Where it stood when it was accepted.
    pub(crate) state: State,
    /// RFC 3339.
    accepted_at: String,
    /// The batch that holds its container, in the archive or still in the outbox.
    pub(crate) batch: BatchId,
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
        batch: BatchId,
        evidence: StoredEvidence,
    ) -> Self {
        Self {
            parcel: key.id,
            sender: key.sender,
            recipient,
            digest: hex(digest),
            state,
            accepted_at: time::format_us(accepted_us),
            batch,
            evidence,
        }
    }

    pub(crate) fn key(&self) -> ParcelKey {
        ParcelKey { sender: self.sender, id: self.parcel }
    }

    /// SHA-256 of the container; [`SentRecord::parse`] has seen that it is one.
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

    /// A record as it was kept; `None` if it is none.
    pub(super) fn parse(json: &[u8]) -> Option<Self> {
        let record: Self = serde_json::from_slice(json).ok()?;
        let whole =
            time::parse_us(&record.accepted_at).is_some() && parse_hex::<32>(&record.digest).is_some();
        whole.then_some(record)
    }
}
