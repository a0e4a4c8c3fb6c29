//! What no parcel tells: submissions that were rejected at the door, counted by month and reason.
//!
//! Counted in memory and added to the database once in a while, so that a rejection costs no write. A relay that is cut off
//! loses what it counted since the last time: these are statistics, not evidence.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::month::Month;
use crate::store::counts::{Count, REJECTED};
use crate::store::{Store, StoreError};

/// Between two additions to the database.
const EVERY: Duration = Duration::from_secs(30);

/// Counters of one relay process. Keys are months and the program's own words: a few hundred at most.
#[derive(Debug)]
pub struct RejectedCounts {
    clock: Arc<dyn Clock>,
    counted: Mutex<BTreeMap<(Month, &'static str), i64>>,
}

impl RejectedCounts {
    /// Nothing counted yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, counted: Mutex::default() }
    }

    /// Counts a submission that was rejected for this reason.
    pub fn add(&self, reason: &'static str) {
        let month = Month::of(self.clock.now_us());
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        *counted.entry((month, reason)).or_default() += 1;
    }

    /// Adds what was counted to the database.
    ///
    /// # Errors
    /// If the database can't be written; what was counted is kept for the next time.
    pub async fn flush(&self, store: &Store) -> Result<(), StoreError> {
        let counted = std::mem::take(&mut *self.counted.lock().unwrap_or_else(PoisonError::into_inner));
        if counted.is_empty() {
            return Ok(());
        }
        let rows = counted.iter().map(|((month, reason), count)| Count {
            month: *month,
            name: REJECTED.to_owned(),
            detail: (*reason).to_owned(),
            count: *count,
        });
        let added = store.add_counts(&rows.collect::<Vec<_>>()).await;
        if added.is_err() {
            let mut again = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
            for (key, count) in counted {
                *again.entry(key).or_default() += count;
            }
        }
        added
    }

    /// Adds to the database again and again, until the task is dropped.
    pub async fn run(self: Arc<Self>, store: Store) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.flush(&store).await {
                tracing::warn!(%error, "counts can't be kept now");
            }
        }
    }
}
