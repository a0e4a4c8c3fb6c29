//! What `log verify` may find wrong.

use std::collections::BTreeMap;

use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::canonical::hex;
use tasuki_proto::ids::ParcelKey;

use crate::commands::lang::Text;
use crate::store::leaves::{Position, TileName};

/// One difference between what the database holds and what it must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// The database holds no log.
    NoLog,
    /// There is no leaf where one must be.
    LeafMissing(Position),
    /// There are leaves behind the end of a past epoch.
    LeafBehindEnd(Position),
    /// A leaf is not the canonical text of an event of its epoch.
    LeafMalformed(Position),
    /// An event is earlier than the one before it.
    LeafTime(Position),
    /// Texts of events are gone, from here on, although they are not older than the period of evidence.
    LeafErased(Position),
    /// A leaf is filed under another parcel than its event names, or under none.
    LeafParcel(Position),
    /// An epoch does not begin by saying what it follows.
    EpochStart(u64),
    /// There is no tile where one must be.
    TileMissing(TileName),
    /// A tile's hash is not the one that the leaves give: its place in the tile, from 0.
    TileDiffers(TileName, u64),
    /// A checkpoint is not signed by the log's key, or is not of this epoch and size.
    Checkpoint { epoch: u64, size: u64 },
    /// A checkpoint's root is not the one that the leaves give.
    CheckpointRoot { epoch: u64, size: u64 },
    /// The end of an epoch has no checkpoint.
    CheckpointMissing { epoch: u64, size: u64 },
    /// The head's checkpoint is not the one of its epoch and size.
    Head,
    /// The witness knows more than the database holds.
    WitnessAhead { epoch: u64, size: u64 },
    /// The witness knows another tree.
    WitnessDiffers { epoch: u64, size: u64 },
    /// A feed has a gap before this number.
    FeedGap { office: OfficeNumber, epoch: u64, number: u64 },
    /// A feed's entry names another event before it than the feed has.
    FeedPrevious { office: OfficeNumber, epoch: u64, number: u64 },
    /// A feed's entry does not open a commitment of its event, or names no event.
    FeedCommitment { office: OfficeNumber, epoch: u64, number: u64 },
    /// Events hold more or fewer commitments than feeds have entries.
    FeedCount { committed: u64, entries: u64 },
    /// A parcel's row says other than its events: which column.
    Parcel { key: ParcelKey, column: &'static str },
    /// A parcel's events can't have happened in this order.
    ParcelEvents { key: ParcelKey },
    /// Events tell of more or fewer parcels than there are.
    ParcelCount { told: u64, rows: u64 },
    /// The sealed content is not what was accepted.
    Content { key: ParcelKey },
    /// The sealed content is gone, although its receiver has not signed for it.
    ContentMissing { key: ParcelKey },
    /// A signed statement that an event names is not kept, or is another.
    Statement { key: ParcelKey },
    /// A certificate or revocation list that an event names is not kept, or is another.
    Archive { key: ParcelKey, fingerprint: [u8; 32] },
    /// An administrative act of a time with operators carries no operator's signature.
    ActUnsigned(Position),
    /// What an operator signed is not kept, does not hold, or does not say what the event says.
    ActDiffers(Position),
}

impl Problem {
    /// Stable word.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::NoLog => "NO_LOG",
            Self::LeafMissing(_) => "LEAF_MISSING",
            Self::LeafBehindEnd(_) => "LEAF_BEHIND_END",
            Self::LeafMalformed(_) => "LEAF_MALFORMED",
            Self::LeafTime(_) => "LEAF_TIME",
            Self::LeafErased(_) => "LEAF_ERASED",
            Self::LeafParcel(_) => "LEAF_PARCEL",
            Self::EpochStart(_) => "EPOCH_START",
            Self::TileMissing(_) => "TILE_MISSING",
            Self::TileDiffers(..) => "TILE_DIFFERS",
            Self::Checkpoint { .. } => "CHECKPOINT",
            Self::CheckpointRoot { .. } => "CHECKPOINT_ROOT",
            Self::CheckpointMissing { .. } => "CHECKPOINT_MISSING",
            Self::Head => "HEAD",
            Self::WitnessAhead { .. } => "WITNESS_AHEAD",
            Self::WitnessDiffers { .. } => "WITNESS_DIFFERS",
            Self::FeedGap { .. } => "FEED_GAP",
            Self::FeedPrevious { .. } => "FEED_PREVIOUS",
            Self::FeedCommitment { .. } => "FEED_COMMITMENT",
            Self::FeedCount { .. } => "FEED_COUNT",
            Self::Parcel { .. } => "PARCEL",
            Self::ParcelEvents { .. } => "PARCEL_EVENTS",
            Self::ParcelCount { .. } => "PARCEL_COUNT",
            Self::Content { .. } => "CONTENT",
            Self::ContentMissing { .. } => "CONTENT_MISSING",
            Self::Statement { .. } => "STATEMENT",
            Self::Archive { .. } => "ARCHIVE",
            Self::ActUnsigned(_) => "ACT_UNSIGNED",
            Self::ActDiffers(_) => "ACT_DIFFERS",
        }
    }

    /// What is where.
    pub(super) fn place(&self) -> String {
        match self {
            Self::NoLog | Self::Head => "head".to_owned(),
            Self::LeafMissing(at)
            | Self::LeafBehindEnd(at)
            | Self::LeafMalformed(at)
            | Self::LeafTime(at)
            | Self::LeafErased(at)
            | Self::ActUnsigned(at)
            | Self::ActDiffers(at)
            | Self::LeafParcel(at) => format!("epoch {} leaf {}", at.epoch, at.index),
            Self::EpochStart(epoch) => format!("epoch {epoch}"),
            Self::TileMissing(name) => tile(*name),
            Self::TileDiffers(name, place) => format!("{} hash {place}", tile(*name)),
            Self::Checkpoint { epoch, size }
            | Self::CheckpointRoot { epoch, size }
            | Self::CheckpointMissing { epoch, size }
            | Self::WitnessAhead { epoch, size }
            | Self::WitnessDiffers { epoch, size } => format!("epoch {epoch} size {size}"),
            Self::FeedGap { office, epoch, number }
            | Self::FeedPrevious { office, epoch, number }
            | Self::FeedCommitment { office, epoch, number } => {
                format!("feed {office} epoch {epoch} number {number}")
            }
            Self::FeedCount { committed, entries } => format!("{committed} / {entries}"),
            Self::Parcel { key, column } => format!("parcel {key} {column}"),
            Self::ParcelEvents { key }
            | Self::Content { key }
            | Self::ContentMissing { key }
            | Self::Statement { key } => format!("parcel {key}"),
            Self::ParcelCount { told, rows } => format!("{told} / {rows}"),
            Self::Archive { key, fingerprint } => format!("parcel {key} sha256:{}", hex(fingerprint)),
        }
    }

    /// What it means.
    pub(super) fn text(&self) -> Text {
        let (ja, en) = match self {
            Self::NoLog => ("記録がありません", "there is no log"),
            Self::LeafMissing(_) => ("記録が欠けています", "an event is missing"),
            Self::LeafBehindEnd(_) => {
                ("終わった期の後に記録があります", "an event stands behind its epoch's end")
            }
            Self::LeafMalformed(_) => ("記録の形式が正しくありません", "an event's text is malformed"),
            Self::LeafTime(_) => ("時刻が前の記録より前です", "an event is earlier than the one before it"),
            Self::LeafErased(_) => (
                "保存期間を過ぎていない記録の本文がありません",
                "the text of an event is gone that is not older than [retention] evidence",
            ),
            Self::LeafParcel(_) => ("記録と電文の対応が違います", "an event is filed under another parcel"),
            Self::EpochStart(_) => {
                ("期の始まりの記録が正しくありません", "the epoch's first event is not right")
            }
            Self::TileMissing(_) => ("ハッシュのタイルがありません", "a tile of hashes is missing"),
            Self::TileDiffers(..) => {
                ("タイルのハッシュが記録と一致しません", "a tile's hash is not that of the events")
            }
            Self::Checkpoint { .. } => {
                ("チェックポイントの署名または範囲が違います", "a checkpoint is not this log's")
            }
            Self::CheckpointRoot { .. } => {
                ("チェックポイントが記録と一致しません", "a checkpoint is not that of the events")
            }
            Self::CheckpointMissing { .. } => {
                ("最後のチェックポイントがありません", "the last checkpoint is missing")
            }
            Self::Head => ("現在位置とチェックポイントが一致しません", "the head is not its checkpoint's"),
            Self::WitnessAhead { .. } => (
                "控えの方が新しく、データベースが過去に戻されています",
                "the witness knows more: the database went back in time",
            ),
            Self::WitnessDiffers { .. } => ("控えが記録と一致しません", "the witness knows another log"),
            Self::FeedGap { .. } => ("通知の番号が飛んでいます", "a feed has a gap"),
            Self::FeedPrevious { .. } => {
                ("通知の前後のつながりが違います", "a feed's entry does not follow the one before it")
            }
            Self::FeedCommitment { .. } => {
                ("通知が記録の約束と一致しません", "a feed's entry does not open its event's commitment")
            }
            Self::FeedCount { .. } => (
                "記録にある通知の数と実際の数が違います",
                "events commit to another number of feed entries than there are",
            ),
            Self::Parcel { .. } => {
                ("電文の情報が記録と一致しません", "a parcel's row differs from its events")
            }
            Self::ParcelEvents { .. } => {
                ("電文の記録の順序が正しくありません", "a parcel's events are out of order")
            }
            Self::ParcelCount { .. } => (
                "記録にある電文の数と実際の数が違います",
                "events tell of another number of parcels than there are",
            ),
            Self::Content { .. } => {
                ("封をした内容が受付時と違います", "the sealed content is not what was accepted")
            }
            Self::ContentMissing { .. } => {
                ("受領前の電文の内容がありません", "the content is gone before its receiver signed for it")
            }
            Self::Statement { .. } => {
                ("署名付き通知がないか、違います", "a signed statement is missing or another")
            }
            Self::Archive { .. } => (
                "証明書または失効リストの保存がないか、違います",
                "a certificate or revocation list is missing or another",
            ),
            Self::ActUnsigned(_) => (
                "運用担当者の署名のない運用操作があります",
                "an administrative act carries no operator's signature",
            ),
            Self::ActDiffers(_) => (
                "運用担当者の署名がないか、権限がないか、記録と一致しません",
                "an operator's signature is missing, without the role, or does not say what the event says",
            ),
        };
        Text::new(ja, en)
    }
}

fn tile(name: TileName) -> String {
    format!("epoch {} tile {}/{}", name.epoch, name.level, name.tile)
}

/// Problems of one kind that are told one by one: one changed leaf makes every later checkpoint differ.
const MAX_TOLD: u64 = 20;

/// Everything that was found.
#[derive(Debug, Default)]
pub(super) struct Problems {
    told: Vec<Problem>,
    counts: BTreeMap<&'static str, u64>,
}

impl Problems {
    /// Adds one.
    pub(super) fn add(&mut self, problem: Problem) {
        let count = self.counts.entry(problem.code()).or_default();
        *count += 1;
        if *count <= MAX_TOLD {
            self.told.push(problem);
        }
    }

    /// Those that are told one by one, in the order in which they were found.
    pub(super) fn told(&self) -> &[Problem] {
        &self.told
    }

    /// How many of each kind there are, told or not.
    pub(super) fn counts(&self) -> &BTreeMap<&'static str, u64> {
        &self.counts
    }

    /// How many there are of all kinds.
    pub(super) fn total(&self) -> u64 {
        self.counts.values().sum()
    }
}
