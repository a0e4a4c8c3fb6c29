//! Who takes part: offices, and what the relay is.

use serde::Serialize;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::pb;

use crate::error::VerificationError;
use crate::notices::PlannedStop;

/// An office of the directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Office {
    /// Its number.
    pub number: OfficeNumber,
    /// Its name.
    pub name: String,
    /// Reading of the name in katakana.
    pub kana: String,
    /// Two-character service kinds.
    pub services: Vec<String>,
    /// Its software reads the standard's files.
    pub standard_ready: bool,
    /// It takes part; false: suspended.
    pub active: bool,
}

/// What the relay is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RelayInfo {
    /// Software version.
    pub version: String,
    /// C2SP verifier key of its log's current epoch; the same key as the one pinned.
    pub log_key: String,
    /// Current epoch of the log.
    pub epoch: u64,
    /// Bytes of a container that it takes.
    pub max_container_bytes: u64,
    /// It takes nothing new for now; why, in Japanese and in English.
    pub receive_only: Option<(String, String)>,
    /// Planned stops that are not over, in order.
    pub planned_stops: Vec<PlannedStop>,
    /// Its clock, Unix microseconds.
    pub now_us: Option<i64>,
}

impl Office {
    pub(crate) fn from_wire(office: pb::Office) -> Result<Self, VerificationError> {
        let number = office.number.parse();
        Ok(Self {
            number: number.map_err(|_| VerificationError::Incomplete("an office's number"))?,
            name: office.name,
            kana: office.kana,
            services: office.services,
            standard_ready: office.standard_ready,
            active: pb::OfficeState::try_from(office.state) == Ok(pb::OfficeState::Active),
        })
    }
}
