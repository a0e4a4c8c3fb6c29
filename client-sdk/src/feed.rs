//! The feed: the office's own slice of the log, in order, without gaps.
//!
//! Every event is proven before the program sees it: it stands in the log (inclusion proof under a checkpoint that
//! the pinned key signed), the log only grew since the last checkpoint seen (consistency), and the event follows the
//! one before (numbers, and the commitment to the leaf before). The place that was reached is kept on disk, behind
//! what the program has processed, so that a crash neither loses nor skips.

mod atom;
mod chain;
mod notices;
mod read;
mod state;

use std::time::Duration;

pub use atom::{AtomFile, MAX_ENTRIES as MAX_ATOM_ENTRIES};
pub(crate) use chain::first_of_epoch;
use tasuki_proto::event::Event;
use tasuki_proto::ids::ParcelKey;

use crate::error::SdkError;

/// Something that the feed tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum News {
    /// The next event.
    Event(FeedEvent),
    /// A notice of the operator to all offices (お知らせ), planned stops and changes of mode among them. It stands in no feed, so its
    /// number is 0; told where [`FeedOptions::notices_every`] asks for it, each once for a HOME.
    Notice(FeedEvent),
    /// The relay's database was set back in time and its log goes on under a new epoch. What was accepted in the
    /// lost range must be sent again.
    NewEpoch {
        /// Epoch in which the feed stood.
        from: u64,
        /// Epoch that goes on.
        to: u64,
        /// Leaves of the old epoch that were lost, from–to (exclusive), if the relay says.
        lost: Option<(u64, u64)>,
        /// Own parcels whose acceptance was lost and that were not sent again since. Sending the same files again
        /// does that.
        resend: Vec<ParcelKey>,
    },
    /// The relay keeps no texts of these events any more: their time as evidence is over (years, by the operator's setting).
    /// The event behind them names the hash of the last one, so that the feed stays one chain.
    Erased {
        /// Epoch of the feed.
        epoch: u64,
        /// Number of the first of them.
        from: u64,
        /// Number of the last of them.
        through: u64,
    },
    /// Everything up to here was told, and the place in the feed is kept as soon as this returns: what the program made
    /// of it should be durable now. `Break` keeps nothing: what came since the last one comes again.
    UpToHere,
    /// The connection to the relay is lost; [`Client::watch`](crate::Client::watch) tries again by itself.
    Lost(SdkError),
    /// The relay is connected again.
    Connected,
}

/// An event of the own feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedEvent {
    /// Number in the feed, from 1 in every epoch, without gaps; 0: a notice to all, which stands in no feed.
    pub number: u64,
    /// Place in the log, from 0.
    pub index: u64,
    /// What happened.
    pub event: Event,
}

/// How a feed is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeedOptions {
    /// Keep the place on disk behind every event, not only behind a batch of them (at most 500): after a crash no more
    /// than one comes again. Costs a sync of the disk for each.
    pub keep_each: bool,
    /// Also tell notices to all offices: the relay is asked for new ones at the beginning, and while the feed is watched once in
    /// this time. `None`: it is not asked. Notices to this office alone stand in its feed.
    pub notices_every: Option<Duration>,
}

/// How far a feed was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeedPosition {
    /// Epoch of the log.
    pub epoch: u64,
    /// Number of the last event that was processed.
    pub number: u64,
    /// Events that were processed in this call.
    pub processed: u64,
}
