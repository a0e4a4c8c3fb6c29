//! Parcels as lists show them: who, to whom, what, where it stands.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tasuki_careplan::kind::FileKind;
use tasuki_careplan::month::Month;
use tasuki_careplan::office::OfficeNumber;
use tasuki_careplan::words::{self, Words};
use tasuki_proto::evidence::Proven;
use tasuki_proto::ids::{ParcelId, ParcelKey, ProxyNumber};
use tasuki_proto::statement::RefusalReason;
use tasuki_proto::{lifecycle, pb, time};

use crate::error::{ConfigError, SdkError, VerificationError, words as message};

/// Where a parcel stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum State {
    /// Accepted, invisible to the receiver until released.
    Held,
    /// In the receiver's mailbox.
    Delivered,
    /// Released to the receiver.
    Fetched,
    /// The receiver signed that it verified and stored it.
    Acknowledged,
    /// The receiver signed that its care software took the files in.
    Imported,
    /// The receiver signed that it does not take it.
    Refused,
    /// Taken back before it was fetched.
    Recalled,
    /// Thrown away while it was held.
    Discarded,
    /// Nobody fetched it in time.
    Expired,
    /// A state that only a newer version knows.
    Unknown,
}

impl State {
    /// All states that this version knows, in the order of [`lifecycle::State::ALL`].
    pub const ALL: [Self; 9] = [
        Self::Held,
        Self::Delivered,
        Self::Fetched,
        Self::Acknowledged,
        Self::Imported,
        Self::Refused,
        Self::Recalled,
        Self::Discarded,
        Self::Expired,
    ];

    /// Its word in JSON and on the screen.
    pub fn as_str(self) -> &'static str {
        self.known().map_or("unknown", lifecycle::State::as_str)
    }

    fn known(self) -> Option<lifecycle::State> {
        let at = Self::ALL.into_iter().position(|state| state == self)?;
        lifecycle::State::ALL.get(at).copied()
    }

    pub(crate) fn to_wire(self) -> i32 {
        self.known().map_or(pb::ParcelState::Unspecified, pb::ParcelState::from).into()
    }

    pub(crate) fn from_wire(value: i32) -> Self {
        let known = pb::ParcelState::try_from(value).ok().and_then(lifecycle::State::of_wire);
        let state = known.and_then(|known| Self::ALL.into_iter().find(|state| state.known() == Some(known)));
        state.unwrap_or(Self::Unknown)
    }
}

impl FromStr for State {
    type Err = SdkError;

    fn from_str(text: &str) -> Result<Self, SdkError> {
        let known = Self::ALL.into_iter().find(|state| state.as_str() == text);
        let wrong = || message(format!("{text:?} という状態はありません"), format!("{text:?} is no state"));
        known.ok_or_else(|| ConfigError::Argument(wrong()).into())
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What the relay knows of one file: never its content; of an attachment not even its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileSummary {
    /// Prefix of a standard file (`UPPLAN`), or `ATTACHMENT`.
    pub kind: String,
    /// Service month `YYYYMM`, where the file has one.
    pub month: Option<String>,
    /// Creation serial of a standard file.
    pub serial: Option<String>,
    /// Bytes before compression.
    pub size: u64,
}

/// What a heap of files is, in words.
pub(crate) fn describe<'a>(files: impl Iterator<Item = (&'a str, Option<&'a str>)>) -> Words {
    let mut kinds: Vec<FileKind> = Vec::new();
    let mut months: Vec<Month> = Vec::new();
    for (kind, month) in files {
        kinds.extend(FileKind::from_prefix(kind));
        months.extend(month.and_then(|m| m.parse::<Month>().ok()));
    }
    words::describe(&kinds, &months)
}

/// One parcel as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// Sender and id.
    pub key: ParcelKey,
    /// The sender's name in the directory.
    pub sender_name: String,
    /// The receiving office.
    pub recipient: OfficeNumber,
    /// The receiver's name in the directory.
    pub recipient_name: String,
    /// Where it stands.
    pub state: State,
    /// Its files.
    pub files: Vec<FileSummary>,
    /// SHA-256 of the container.
    pub digest: [u8; 32],
    /// Bytes of the container.
    pub container_size: u64,
    /// Bytes of the sealed parcel.
    pub sealed_size: u64,
    /// When the relay accepted it, Unix microseconds.
    pub accepted_us: Option<i64>,
    /// When it was first fetched, Unix microseconds.
    pub fetched_us: Option<i64>,
    /// When it was acknowledged, Unix microseconds.
    pub acknowledged_us: Option<i64>,
    /// SHA-256 of the signer's certificate.
    pub signer: [u8; 32],
    /// What is true of few parcels.
    pub marks: Marks,
}

/// What is true of few parcels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// When it came into the receiver's mailbox, Unix microseconds: later than `accepted_us` where it was held.
    pub delivered_us: Option<i64>,
    /// Held: when it will be released, Unix microseconds; `None`: when its sender says so.
    pub release_us: Option<i64>,
    /// When it came into its final state, Unix microseconds.
    pub ended_us: Option<i64>,
    /// When it was called overdue, Unix microseconds.
    pub overdue_us: Option<i64>,
    /// The parcel of the same sender that it supersedes.
    pub supersedes: Option<ParcelId>,
    /// The parcel of the same sender that supersedes it.
    pub superseded_by: Option<ParcelId>,
    /// One of the parties marked it urgent (電話済).
    pub urgent: bool,
    /// Why its receiver refused it.
    pub refusal: Option<RefusalReason>,
    /// The proxy (伝送代行業者) through which it was sent.
    pub proxy: Option<ProxyNumber>,
    /// Its name in the directory; empty: there is no proxy, or no name.
    pub proxy_name: String,
    /// The proxy that fetched it for its receiver.
    pub recipient_proxy: Option<ProxyNumber>,
    /// Its name in the directory.
    pub recipient_proxy_name: String,
    /// When that proxy signed that it has handed it to the office, Unix microseconds.
    pub handed_over_us: Option<i64>,
    /// Held: what its sender's proxy handed in waits for the sending office's own word.
    pub confirm: bool,
}

impl Parcel {
    /// What it is, in Japanese and English: kind, month, create, update or withdraw.
    pub fn words(&self) -> Words {
        describe(self.files.iter().map(|f| (f.kind.as_str(), f.month.as_deref())))
    }

    /// It was called overdue and still waits for its receiver.
    pub fn is_overdue(&self) -> bool {
        self.marks.overdue_us.is_some() && self.state == State::Delivered
    }

    /// How many files are attachments.
    pub fn attachments(&self) -> usize {
        self.files.iter().filter(|f| f.kind == tasuki_proto::parcel::ATTACHMENT).count()
    }

    pub(crate) fn from_wire(parcel: pb::ParcelSummary) -> Result<Self, VerificationError> {
        let lacks = VerificationError::Incomplete;
        Ok(Self {
            key: key_from_wire(parcel.r#ref.as_ref()).ok_or(lacks("a parcel's name"))?,
            sender_name: parcel.sender_name,
            recipient: parcel.recipient.parse().map_err(|_| lacks("a parcel's recipient"))?,
            recipient_name: parcel.recipient_name,
            state: State::from_wire(parcel.state),
            files: parcel.files.into_iter().map(file_from_wire).collect(),
            digest: digest_from_wire(&parcel.digest).ok_or(lacks("a parcel's digest"))?,
            container_size: parcel.container_size,
            sealed_size: parcel.sealed_size,
            accepted_us: time::parse_us(&parcel.accepted_at),
            fetched_us: time::parse_us(&parcel.fetched_at),
            acknowledged_us: time::parse_us(&parcel.acknowledged_at),
            signer: digest_from_wire(&parcel.signer).unwrap_or_default(),
            marks: Marks {
                delivered_us: time::parse_us(&parcel.delivered_at),
                release_us: time::parse_us(&parcel.release_at),
                ended_us: time::parse_us(&parcel.ended_at),
                overdue_us: time::parse_us(&parcel.overdue_at),
                supersedes: parcel.supersedes.parse().ok(),
                superseded_by: parcel.superseded_by.parse().ok(),
                urgent: parcel.urgent,
                refusal: parcel.refusal.parse().ok(),
                proxy: parcel.proxy.parse().ok(),
                proxy_name: parcel.proxy_name,
                recipient_proxy: parcel.recipient_proxy.parse().ok(),
                recipient_proxy_name: parcel.recipient_proxy_name,
                handed_over_us: time::parse_us(&parcel.handed_over_at),
                confirm: parcel.confirm,
            },
        })
    }
}

fn file_from_wire(file: pb::FileSummary) -> FileSummary {
    let given = |text: String| Some(text).filter(|t| !t.is_empty());
    FileSummary { kind: file.kind, month: given(file.month), serial: given(file.serial), size: file.size }
}

pub(crate) fn key_from_wire(name: Option<&pb::ParcelRef>) -> Option<ParcelKey> {
    let name = name?;
    Some(ParcelKey { sender: name.sender.parse().ok()?, id: name.parcel_id.parse().ok()? })
}

pub(crate) fn key_to_wire(key: &ParcelKey) -> pb::ParcelRef {
    pb::ParcelRef { sender: key.sender.to_string(), parcel_id: key.id.to_string() }
}

pub(crate) fn digest_from_wire(bytes: &[u8]) -> Option<[u8; 32]> {
    bytes.try_into().ok()
}

/// One parcel with what happened to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParcelHistory {
    /// The parcel.
    pub parcel: Parcel,
    /// Its events in the order of the log, each proven to stand in it.
    pub events: Vec<Proven>,
}

/// How people name a parcel: its id, or `SENDER/ID` where two senders chose the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ParcelName {
    /// The sending office, if named.
    pub sender: Option<OfficeNumber>,
    /// The id.
    pub id: ParcelId,
}

impl ParcelName {
    pub(crate) fn to_wire(self) -> pb::ParcelRef {
        let sender = self.sender.map(|s| s.to_string()).unwrap_or_default();
        pb::ParcelRef { sender, parcel_id: self.id.to_string() }
    }

    /// Whether it names this parcel.
    pub(crate) fn names(&self, key: &ParcelKey) -> bool {
        self.id == key.id && self.sender.is_none_or(|s| s == key.sender)
    }
}

impl FromStr for ParcelName {
    type Err = SdkError;

    fn from_str(text: &str) -> Result<Self, SdkError> {
        let bad = || {
            let (ja, en) = (format!("{text:?} は電文IDではありません"), format!("{text:?} is no parcel id"));
            ConfigError::Argument(message(ja, en))
        };
        let (sender, id) = match text.split_once('/') {
            Some((sender, id)) => (Some(sender.parse().map_err(|_| bad())?), id),
            None => (None, text),
        };
        let id = id.parse().map_err(|_| bad())?;
        Ok(Self { sender, id })
    }
}

impl From<ParcelKey> for ParcelName {
    fn from(key: ParcelKey) -> Self {
        Self { sender: Some(key.sender), id: key.id }
    }
}

impl fmt::Display for ParcelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.sender {
            Some(sender) => write!(f, "{sender}/{}", self.id),
            None => self.id.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parcel_is_named_by_id_or_with_its_sender() {
        let id = "0193a3f0-8a1b-7c2d-8e3f-000000000000";
        let short: ParcelName = id.parse().unwrap();
        let long: ParcelName = format!("1371215102/{id}").parse().unwrap();
        assert_eq!((short.sender, short.id), (None, long.id));
        assert_eq!(long.to_string(), format!("1371215102/{id}"));
        let key = ParcelKey { sender: "1371215102".parse().unwrap(), id: long.id };
        let other = ParcelKey { sender: "9971100012".parse().unwrap(), id: long.id };
        assert!(short.names(&key) && long.names(&key) && !long.names(&other));
        assert!("1371215102".parse::<ParcelName>().is_err());
    }

    #[test]
    fn a_summary_without_its_parts_is_refused() {
        let bare = pb::ParcelSummary::default();
        assert_eq!(Parcel::from_wire(bare), Err(VerificationError::Incomplete("a parcel's name")));
        assert_eq!(State::from_wire(99), State::Unknown);
    }
}
