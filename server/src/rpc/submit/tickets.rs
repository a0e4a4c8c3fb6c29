//! Parcels of one stream that have begun and are not complete: which piece belongs to which, and the rules.

use std::collections::HashMap;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tasuki_proto::limits::{MAX_CHUNK_BYTES, MAX_CONTAINER_BYTES};
use tasuki_proto::reason;
use tokio::time::Instant;

use crate::config::LimitsConfig;

/// What every parcel may take to arrive, beside the time for its size.
const FIRST_MINUTE: Duration = Duration::from_mins(1);

/// Refused parcels whose pieces still arrive, for each one that may be open: a caller that keeps on sending
/// such breaks the rules.
const MAX_IGNORED: usize = 4;

/// One message of a Submit stream.
#[derive(Debug)]
pub(super) struct Piece {
    /// The caller's name for the parcel.
    pub(super) ticket: u32,
    /// Bytes of the container; counts in a ticket's first piece only.
    pub(super) size: u64,
    /// The next bytes.
    pub(super) chunk: Bytes,
}

impl Piece {
    /// Bytes of the container; the piece was checked against the limit.
    pub(super) fn container_bytes(&self) -> usize {
        usize::try_from(self.size).unwrap_or(usize::MAX)
    }
}

/// What a piece leads to.
#[derive(Debug)]
pub(super) enum Step<R> {
    /// More must come.
    Wait,
    /// A new parcel began: find memory for it, then [`Tickets::begin`] or [`Tickets::ignore`] it.
    NeedsRoom(Piece),
    /// A parcel is complete.
    Whole {
        /// Which.
        ticket: u32,
        /// Its bytes.
        container: Bytes,
        /// Its memory.
        room: R,
    },
    /// A parcel is refused; pieces of it that still come are passed over.
    Refuse {
        /// Which.
        ticket: u32,
        /// Why.
        reason: &'static str,
    },
    /// The stream can't go on: the caller breaks this rule.
    Broken(&'static str),
}

#[derive(Debug)]
enum Ticket<R> {
    Filling {
        size: usize,
        got: BytesMut,
        room: R,
        until: Instant,
    },
    /// Refused; so many bytes may still come.
    Ignored {
        left: u64,
    },
}

/// The open tickets of one stream. `R` is the memory that a parcel holds.
#[derive(Debug)]
pub(super) struct Tickets<R> {
    open: HashMap<u32, Ticket<R>>,
    filling: usize,
    most: usize,
    bytes_per_s: u64,
}

impl<R> Tickets<R> {
    /// No tickets yet.
    pub(super) fn new(limits: &LimitsConfig) -> Self {
        Self {
            open: HashMap::new(),
            filling: 0,
            most: limits.open_tickets as usize,
            bytes_per_s: u64::from(limits.submit_kib_per_s) * 1024,
        }
    }

    /// Takes one piece. While `stopping`, no new parcel begins.
    pub(super) fn take(&mut self, piece: Piece, stopping: bool) -> Step<R> {
        let ticket = piece.ticket;
        match self.open.get_mut(&ticket) {
            None => self.first(piece, stopping),
            Some(Ticket::Ignored { left }) => {
                *left = left.saturating_sub(piece.chunk.len() as u64);
                if *left == 0 {
                    self.open.remove(&ticket);
                }
                Step::Wait
            }
            Some(Ticket::Filling { size, got, .. }) => {
                if piece.chunk.len() > MAX_CHUNK_BYTES {
                    return self.refuse(ticket, reason::REQUEST_MALFORMED);
                }
                if got.len() + piece.chunk.len() > *size {
                    return self.refuse(ticket, reason::PARCEL_TOO_LARGE);
                }
                got.extend_from_slice(&piece.chunk);
                if got.len() < *size { Step::Wait } else { self.whole(ticket) }
            }
        }
    }

    fn first(&mut self, piece: Piece, stopping: bool) -> Step<R> {
        let ticket = piece.ticket;
        if self.open.len() >= self.most * (1 + MAX_IGNORED) {
            return Step::Broken("too many refused parcels are still being sent");
        }
        let refuse = if piece.size == 0 {
            // Nothing can follow, so there is nothing to pass over.
            return Step::Refuse { ticket, reason: reason::REQUEST_MALFORMED };
        } else if piece.size > MAX_CONTAINER_BYTES as u64 || piece.chunk.len() as u64 > piece.size {
            reason::PARCEL_TOO_LARGE
        } else if piece.chunk.len() > MAX_CHUNK_BYTES {
            reason::REQUEST_MALFORMED
        } else if stopping {
            reason::SHUTTING_DOWN
        } else if self.filling >= self.most {
            reason::OVERLOADED
        } else {
            return Step::NeedsRoom(piece);
        };
        self.ignore(&piece);
        Step::Refuse { ticket, reason: refuse }
    }

    /// Starts a parcel for which there is memory. Returns it if the one piece was all of it.
    pub(super) fn begin(&mut self, piece: Piece, room: R, now: Instant) -> Option<(Bytes, R)> {
        if piece.chunk.len() as u64 == piece.size {
            return Some((piece.chunk, room));
        }
        let size = piece.container_bytes();
        // The system gives memory for what is written, not for what is announced.
        let mut got = BytesMut::with_capacity(size);
        got.extend_from_slice(&piece.chunk);
        let until = now + FIRST_MINUTE + Duration::from_secs(piece.size / self.bytes_per_s.max(1));
        self.open.insert(piece.ticket, Ticket::Filling { size, got, room, until });
        self.filling += 1;
        None
    }

    /// Passes over what still comes of a refused parcel.
    pub(super) fn ignore(&mut self, first: &Piece) {
        let left = first.size.saturating_sub(first.chunk.len() as u64);
        // A first piece that is larger than the whole tells nothing about what follows.
        let left = if first.chunk.len() as u64 > first.size { u64::MAX } else { left };
        if left > 0 {
            self.open.insert(first.ticket, Ticket::Ignored { left });
        }
    }

    fn refuse(&mut self, ticket: u32, reason: &'static str) -> Step<R> {
        self.open.insert(ticket, Ticket::Ignored { left: u64::MAX });
        self.filling -= 1;
        Step::Refuse { ticket, reason }
    }

    fn whole(&mut self, ticket: u32) -> Step<R> {
        match self.open.remove(&ticket) {
            Some(Ticket::Filling { got, room, .. }) => {
                self.filling -= 1;
                Step::Whole { ticket, container: got.freeze(), room }
            }
            _ => Step::Wait,
        }
    }

    /// No parcel is incomplete.
    pub(super) fn is_idle(&self) -> bool {
        self.filling == 0
    }

    /// When the first of the incomplete parcels has taken too long.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let until = |ticket: &Ticket<R>| match ticket {
            Ticket::Filling { until, .. } => Some(*until),
            Ticket::Ignored { .. } => None,
        };
        self.open.values().filter_map(until).min()
    }

    /// Drops parcels that have taken too long, and returns their tickets.
    pub(super) fn drop_slow(&mut self, now: Instant) -> Vec<u32> {
        self.drop_if(|until| until <= now)
    }

    /// Drops all incomplete parcels, and returns their tickets.
    pub(super) fn drop_all(&mut self) -> Vec<u32> {
        self.drop_if(|_| true)
    }

    fn drop_if(&mut self, condition: impl Fn(Instant) -> bool) -> Vec<u32> {
        let mut dropped = Vec::new();
        for (name, ticket) in &mut self.open {
            if let Ticket::Filling { size, got, until, .. } = ticket
                && condition(*until)
            {
                dropped.push(*name);
                *ticket = Ticket::Ignored { left: (*size - got.len()) as u64 };
            }
        }
        self.filling -= dropped.len();
        dropped.sort_unstable();
        dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tickets() -> Tickets<()> {
        Tickets::new(&LimitsConfig { open_tickets: 2, ..LimitsConfig::default() })
    }

    fn piece(ticket: u32, size: u64, chunk: &'static [u8]) -> Piece {
        Piece { ticket, size, chunk: Bytes::from_static(chunk) }
    }

    /// Takes a piece; memory is always there.
    fn take(tickets: &mut Tickets<()>, piece: Piece) -> Result<Option<Bytes>, &'static str> {
        match tickets.take(piece, false) {
            Step::Wait => Ok(None),
            Step::NeedsRoom(piece) => Ok(tickets.begin(piece, (), Instant::now()).map(|(bytes, ())| bytes)),
            Step::Whole { container, .. } => Ok(Some(container)),
            Step::Refuse { reason, .. } => Err(reason),
            Step::Broken(rule) => Err(rule),
        }
    }

    #[test]
    fn interleaved_pieces_find_their_parcels() {
        let mut t = tickets();
        assert_eq!(take(&mut t, piece(1, 4, b"ab")), Ok(None));
        assert_eq!(take(&mut t, piece(2, 3, b"")), Ok(None));
        assert_eq!(take(&mut t, piece(1, 0, b"c")), Ok(None));
        assert_eq!(take(&mut t, piece(2, 0, b"xyz")), Ok(Some(Bytes::from_static(b"xyz"))));
        // The size of a later piece does not count.
        assert_eq!(take(&mut t, piece(1, 99, b"d")), Ok(Some(Bytes::from_static(b"abcd"))));
        assert!(t.is_idle() && t.open.is_empty());
        assert_eq!(take(&mut t, piece(1, 1, b"z")), Ok(Some(Bytes::from_static(b"z"))));
    }

    #[test]
    fn sizes_are_held_to_what_was_announced() {
        let mut t = tickets();
        assert_eq!(take(&mut t, piece(1, 0, b"x")), Err(reason::REQUEST_MALFORMED));
        assert_eq!(take(&mut t, piece(2, 1, b"xy")), Err(reason::PARCEL_TOO_LARGE));
        assert_eq!(take(&mut t, piece(3, 2, b"x")), Ok(None));
        assert_eq!(take(&mut t, piece(3, 0, b"yz")), Err(reason::PARCEL_TOO_LARGE));
        assert_eq!(take(&mut t, piece(3, 0, b"more")), Ok(None), "the rest is passed over");
        let too_large = MAX_CONTAINER_BYTES as u64 + 1;
        assert_eq!(take(&mut t, piece(4, too_large, b"")), Err(reason::PARCEL_TOO_LARGE));
        assert!(t.is_idle());
    }

    #[test]
    fn a_refused_parcels_pieces_are_passed_over_and_then_forgotten() {
        let mut t = tickets();
        let Step::NeedsRoom(first) = t.take(piece(1, 3, b"a"), false) else { panic!("a new parcel") };
        t.ignore(&first);
        assert_eq!(take(&mut t, piece(1, 0, b"b")), Ok(None));
        assert_eq!(t.open.len(), 1);
        assert_eq!(take(&mut t, piece(1, 0, b"c")), Ok(None));
        assert!(t.open.is_empty());
    }

    #[test]
    fn the_number_of_open_parcels_is_bounded() {
        let mut t = tickets();
        assert_eq!(take(&mut t, piece(1, 2, b"a")), Ok(None));
        assert_eq!(take(&mut t, piece(2, 2, b"a")), Ok(None));
        for ticket in 3..11 {
            assert_eq!(take(&mut t, piece(ticket, 2, b"a")), Err(reason::OVERLOADED));
        }
        assert_eq!(take(&mut t, piece(11, 2, b"a")), Err("too many refused parcels are still being sent"));
    }

    #[test]
    fn while_stopping_only_open_parcels_go_on() {
        let mut t = tickets();
        assert_eq!(take(&mut t, piece(1, 2, b"a")), Ok(None));
        let Step::Refuse { reason, .. } = t.take(piece(2, 1, b"a"), true) else { panic!("refused") };
        assert_eq!(reason, reason::SHUTTING_DOWN);
        assert!(matches!(t.take(piece(1, 0, b"b"), true), Step::Whole { .. }));
    }

    #[test]
    fn slow_parcels_are_dropped_one_by_one() {
        let mut t = tickets();
        let start = Instant::now();
        assert!(t.begin(piece(1, 2, b"a"), (), start).is_none());
        let large = Piece { ticket: 2, size: 16 * 1024 * 120, chunk: Bytes::new() };
        assert!(t.begin(large, (), start).is_none());
        assert_eq!(t.deadline(), Some(start + FIRST_MINUTE));
        assert!(t.drop_slow(start + FIRST_MINUTE - Duration::from_secs(1)).is_empty());
        assert_eq!(t.drop_slow(start + FIRST_MINUTE), [1]);
        assert_eq!(t.deadline(), Some(start + FIRST_MINUTE + Duration::from_secs(120)));
        assert_eq!(t.drop_all(), [2]);
        assert!(t.is_idle());
    }
}
