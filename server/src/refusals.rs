//! Refused submissions, kept for their sender: reason and findings, no content, for as long as `[retention] rejected` says.
//!
//! They are written beside the committer, some at a time, so that whoever hands in nothing but bad parcels costs others
//! nothing: what waits to be written is bounded, for all and for each office, and so is how often it is written. An office
//! that has more refused than that keeps its newest. What waits is lost in a crash; its sender was told at the door.

mod text;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tasuki_careplan::office::OfficeNumber;
use tokio::sync::Notify;

pub(crate) use text::read as read_findings;

use crate::clock::Clock;
use crate::intake::Refusal;
use crate::store::refusals::RefusalRow;
use crate::store::rows::MAX_ROWS;
use crate::store::{Store, StoreError};

/// Refusals that wait to be written, of all offices: two seconds' worth, at most 16 KiB each.
const MAX_WAITING: usize = 1_024;

/// Of one office: it can't take the others' places.
const MAX_WAITING_OF_OFFICE: usize = 128;

/// Between two transactions. One of 128 rows takes some milliseconds, which the committer then waits at most.
const PAUSE: Duration = Duration::from_millis(250);

/// How long a list waits for what its office has just been refused.
const SETTLED_WITHIN: Duration = Duration::from_secs(2);

/// What waits to be written, and for whom.
#[derive(Debug)]
pub struct Refusals {
    store: Store,
    clock: Arc<dyn Clock>,
    waiting: Mutex<Waiting>,
    /// Something waits.
    came: Notify,
    /// Something was written.
    written: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    by_office: HashMap<OfficeNumber, VecDeque<RefusalRow>>,
    count: usize,
    /// Of the last one: times are the rows' names, and grow.
    last_us: i64,
    /// Being written now, of these offices.
    writing: Vec<OfficeNumber>,
}

impl Refusals {
    /// None yet.
    pub fn new(store: Store, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            clock,
            waiting: Mutex::new(Waiting::default()),
            came: Notify::new(),
            written: Notify::new(),
        }
    }

    /// Keeps what an office that was let in has handed in and what was not accepted. What may be accepted later, as it is, is
    /// no refusal. Never waits.
    pub fn keep(&self, office: OfficeNumber, refusal: &Refusal) {
        if refusal.retry() {
            return;
        }
        let (findings, left_out) = text::print(&refusal.findings);
        // An id under another office's name is not this one's parcel.
        let parcel = refusal.parcel.filter(|key| key.sender == office).map(|key| key.id);
        let row = RefusalRow {
            office,
            refused_us: self.clock.now_us(),
            parcel,
            recipient: refusal.recipient,
            reason: refusal.reason.to_owned(),
            findings,
            left_out,
        };
        let dropped = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(row);
        if dropped {
            metrics::counter!("tasuki_refusals_dropped_total").increment(1);
        }
        self.came.notify_one();
    }

    /// Writes what comes, until the task is dropped.
    pub async fn run(self: Arc<Self>) {
        loop {
            self.came.notified().await;
            while self.write().await {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Writes everything that waits, at the relay's end.
    pub async fn flush(&self) {
        while self.write().await {}
    }

    /// Waits until what this office was refused before is in the database, but not for long.
    pub async fn settled(&self, office: OfficeNumber) {
        let all_written = async {
            loop {
                let written = self.written.notified();
                if !self.waiting.lock().unwrap_or_else(PoisonError::into_inner).holds(office) {
                    return;
                }
                written.await;
            }
        };
        // It is listed the next time, then.
        let _late = tokio::time::timeout(SETTLED_WITHIN, all_written).await;
    }

    /// Writes some of what waits. False: nothing waits any more.
    async fn write(&self) -> bool {
        let rows = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        if rows.is_empty() {
            return false;
        }
        if let Err(error) = self.put(&rows).await {
            let lost = u64::try_from(rows.len()).unwrap_or(u64::MAX);
            metrics::counter!("tasuki_refusals_dropped_total").increment(lost);
            tracing::warn!(%error, lost, "refused submissions can't be kept for their senders");
        }
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).writing.clear();
        self.written.notify_waiters();
        true
    }

    async fn put(&self, rows: &[RefusalRow]) -> Result<(), StoreError> {
        self.store.put_refusals(rows).await
    }
}

impl Waiting {
    /// Takes one more. True: one had to go for it, or it itself.
    fn push(&mut self, mut row: RefusalRow) -> bool {
        self.last_us = row.refused_us.max(self.last_us.saturating_add(1));
        row.refused_us = self.last_us;
        let own = self.by_office.get(&row.office).map_or(0, VecDeque::len);
        if own < MAX_WAITING_OF_OFFICE && self.count >= MAX_WAITING {
            return true;
        }
        let of_office = self.by_office.entry(row.office).or_default();
        let full = own >= MAX_WAITING_OF_OFFICE;
        if full {
            of_office.pop_front();
        } else {
            self.count += 1;
        }
        of_office.push_back(row);
        full
    }

    /// What one transaction writes, in turn of each office.
    fn take(&mut self) -> Vec<RefusalRow> {
        let mut rows = Vec::new();
        while rows.len() < MAX_ROWS && self.count > 0 {
            for of_office in self.by_office.values_mut().take(MAX_ROWS - rows.len()) {
                if let Some(row) = of_office.pop_front() {
                    rows.push(row);
                    self.count -= 1;
                }
            }
            self.by_office.retain(|_, of_office| !of_office.is_empty());
        }
        self.writing = rows.iter().map(|row| row.office).collect();
        rows
    }

    fn holds(&self, office: OfficeNumber) -> bool {
        self.by_office.contains_key(&office) || self.writing.contains(&office)
    }
}

#[cfg(test)]
mod tests {
    use tasuki_proto::ids::{ParcelId, ParcelKey};
    use tasuki_proto::reason;

    use super::*;

    const OWN: &str = "1371215102";

    fn row(office: &str) -> RefusalRow {
        RefusalRow {
            office: office.parse().unwrap(),
            refused_us: 5,
            parcel: None,
            recipient: None,
            reason: reason::FILES_REJECTED.to_owned(),
            findings: String::new(),
            left_out: 0,
        }
    }

    #[test]
    fn a_flood_of_one_office_costs_only_its_own_oldest() {
        let mut waiting = Waiting::default();
        for n in 0..1_000 {
            assert_eq!(waiting.push(row(OWN)), n >= MAX_WAITING_OF_OFFICE);
        }
        assert!(!waiting.push(row("9971100012")), "there is room for another office");
        assert_eq!(waiting.count, MAX_WAITING_OF_OFFICE + 1);
        let first = waiting.take();
        assert_eq!(first.len(), MAX_ROWS);
        assert!(first.iter().any(|row| row.office.as_str() == "9971100012"), "it has its turn");
        assert_eq!(first.iter().map(|row| row.refused_us).min(), Some(1_000 - 128 + 5), "the newest stay");
        assert_eq!(waiting.take().len(), 1);
        assert!(waiting.take().is_empty() && waiting.by_office.is_empty());
    }

    #[test]
    fn all_offices_together_are_bounded_and_times_grow() {
        let mut waiting = Waiting::default();
        for n in 0..2_000 {
            let dropped = waiting.push(row(&format!("88{n:08}")));
            assert_eq!(dropped, n >= MAX_WAITING, "{n}");
        }
        let mut times = Vec::new();
        loop {
            let rows = waiting.take();
            if rows.is_empty() {
                break;
            }
            times.extend(rows.iter().map(|row| row.refused_us));
        }
        assert_eq!(times.len(), MAX_WAITING);
        times.sort_unstable();
        times.dedup();
        assert_eq!(times.len(), MAX_WAITING, "each has a time of its own");
    }

    #[derive(Debug)]
    struct Noon;

    impl Clock for Noon {
        fn now_us(&self) -> i64 {
            12
        }
    }

    #[tokio::test]
    async fn what_passes_is_no_refusal_and_a_strangers_id_is_not_kept() {
        use crate::store::dialect::Dialect;
        use crate::store::refusals::RefusalFilter;
        use crate::store::testing::TestDatabase;

        let database = TestDatabase::new(Dialect::Sqlite).await;
        let store = database.open().await;
        let refusals = Arc::new(Refusals::new(store.clone(), Arc::new(Noon)));
        let own: OfficeNumber = OWN.parse().unwrap();
        let id = ParcelId::new(1_795_261_114_000_000, &ring::rand::SystemRandom::new()).unwrap();
        let of = |sender: &str, word| {
            let key = ParcelKey { sender: sender.parse().unwrap(), id };
            Refusal::of(word).naming(key, "9971100012".parse().unwrap())
        };
        refusals.keep(own, &of(OWN, reason::OVERLOADED));
        refusals.keep(own, &of(OWN, reason::FILES_REJECTED));
        refusals.keep(own, &of("9971100020", reason::SENDER_MISMATCH));
        let writer = tokio::spawn(Arc::clone(&refusals).run());
        refusals.settled(own).await;
        let kept = store.refusals(own, &RefusalFilter::default(), 10).await.unwrap();
        let told: Vec<_> = kept.iter().map(|row| (row.reason.as_str(), row.parcel, row.refused_us)).collect();
        assert_eq!(told, [(reason::SENDER_MISMATCH, None, 13), (reason::FILES_REJECTED, Some(id), 12)]);
        writer.abort();
        store.close().await;
    }
}
