//! The events about a subject, in order, page by page: memory stays small however long the log is.

use std::collections::{BTreeMap, VecDeque};

use tasuki_proto::event::Event;

use super::range::{Range, read};
use super::subject::Subject;
use crate::store::leaves::{Position, erased_hash};
use crate::store::timeline::Stretch;
use crate::store::{Store, StoreError};

/// Leaves that one query looks through: a fraction of a second, and never near the database's own time limit.
pub(super) const WINDOW: u64 = 20_000;

/// Events read at once: of the longest that there are, 25 MiB.
const PAGE: usize = 100;

/// An event about the subject.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) position: Position,
    /// The parcel that it is about; 0: none.
    pub(super) seq: i64,
    /// It stands in the subject's feed; `None`: the subject has none.
    pub(super) in_feed: Option<bool>,
    /// Its canonical text.
    pub(super) text: Vec<u8>,
    pub(super) event: Event,
}

/// What the walk can't tell any more: events of the range that are hashes only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Erased {
    /// All of them, whoever they were about.
    pub(super) events: u64,
    /// Of them, those that stand in the subject's feed.
    pub(super) in_feed: u64,
}

/// A walk along the log.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    store: &'a Store,
    subject: &'a Subject,
    range: Range,
    window: u64,
    /// What is still to be looked through.
    ahead: VecDeque<Stretch>,
    /// What was found in the last window and not read yet, and whether it stands in the subject's feed.
    places: BTreeMap<Position, bool>,
    erased: Erased,
    walked: u64,
}

impl<'a> Walk<'a> {
    /// A walk over these stretches, `window` leaves at a time.
    pub(super) fn new(
        store: &'a Store,
        subject: &'a Subject,
        range: Range,
        stretches: Vec<Stretch>,
        window: u64,
    ) -> Self {
        Self {
            store,
            subject,
            range,
            window: window.max(1),
            ahead: stretches.into(),
            places: BTreeMap::new(),
            erased: Erased::default(),
            walked: 0,
        }
    }

    /// The next events, in order; `None`: there are no more.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Found>>, StoreError> {
        loop {
            if self.places.is_empty() && !self.look_ahead().await? {
                return Ok(None);
            }
            let found = self.read_page().await?;
            if !found.is_empty() {
                return Ok(Some(found));
            }
        }
    }

    /// What was erased of what was walked over.
    pub(super) fn erased(&self) -> Erased {
        self.erased
    }

    /// Leaves walked over since this was asked last.
    pub(super) fn take_walked(&mut self) -> u64 {
        std::mem::take(&mut self.walked)
    }

    /// Looks through the next window. False: there is none.
    async fn look_ahead(&mut self) -> Result<bool, StoreError> {
        let Some(stretch) = self.ahead.pop_front() else { return Ok(false) };
        let to = stretch.to.min(stretch.from.saturating_add(self.window));
        let window = Stretch { to, ..stretch };
        if to < stretch.to {
            self.ahead.push_front(Stretch { from: to, ..stretch });
        }
        for position in self.store.mentions(window, self.subject.trace().as_bytes()).await? {
            self.places.insert(position, false);
        }
        // Not every event names those whom it concerns: a notice doesn't.
        if let Some(office) = self.subject.feed() {
            for position in self.store.in_feed(window, office).await? {
                self.places.insert(position, true);
            }
        }
        self.erased.events += self.store.erased_in(window).await?;
        self.walked += to - stretch.from;
        Ok(true)
    }

    async fn read_page(&mut self) -> Result<Vec<Found>, StoreError> {
        let page: Vec<Position> = self.places.keys().take(PAGE).copied().collect();
        let mut found = Vec::with_capacity(page.len());
        for leaf in self.store.leaves_at(&page).await? {
            let in_feed = self.places.get(&leaf.position).copied().unwrap_or(false);
            if erased_hash(&leaf.text).is_some() {
                self.erased.in_feed += u64::from(in_feed);
                continue;
            }
            let event = read(&leaf)?;
            if self.range.holds(event.time_us) && (in_feed || self.subject.is_named_by(&event)) {
                found.push(Found {
                    position: leaf.position,
                    seq: leaf.seq,
                    in_feed: self.subject.feed().map(|_| in_feed),
                    text: leaf.text,
                    event,
                });
            }
        }
        self.places.retain(|position, _| page.last().is_none_or(|last| position > last));
        Ok(found)
    }
}
