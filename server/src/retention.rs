//! Retention: Tasuki transports, proves and forgets. Sealed contents go when their time is over; what proves
//! them stays.
//!
//! A sweep goes through the contents that are kept, piece by piece. Each piece is a small transaction, so the
//! committer waits for milliseconds at most, and a sweep that was cut short has done no harm: the next one
//! begins anew. Several relays may sweep one database; what one has deleted, the other does not find.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::config::RetentionConfig;
use crate::store::{Store, StoreError};

/// Contents that one step looks at, and deletes at most.
const PIECE: u32 = 256;

/// Between two steps that deleted something: the committer goes first.
const PAUSE: Duration = Duration::from_millis(5);

const US_PER_HOUR: i64 = 3_600_000_000;

/// Lets contents go while the relay runs.
#[derive(Debug)]
pub struct Sweeper {
    store: Store,
    clock: Arc<dyn Clock>,
    config: RetentionConfig,
}

impl Sweeper {
    /// Sweeps this store by these periods.
    pub fn new(store: Store, clock: Arc<dyn Clock>, config: RetentionConfig) -> Self {
        Self { store, clock, config }
    }

    /// Sweeps again and again, until the task is dropped.
    pub async fn run(self) {
        let mut ticks = tokio::time::interval(Duration::from_secs(u64::from(self.config.sweep_every_s)));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match self.sweep().await {
                Ok(0) => {}
                Ok(purged) => tracing::info!(purged, "sealed contents went, their time was over"),
                // What is due stays due.
                Err(error) => tracing::warn!(%error, "a sweep was cut short"),
            }
        }
    }

    /// One sweep through all contents. Returns how many went.
    ///
    /// # Errors
    /// If the database can't be read or written; what was deleted before stays deleted.
    pub async fn sweep(&self) -> Result<u64, StoreError> {
        let kept_us = i64::from(self.config.acknowledged_hours) * US_PER_HOUR;
        let before_us = self.clock.now_us() - kept_us;
        let (mut after, mut purged) = (0, 0);
        while let Some(piece) = self.store.next_contents(after, PIECE).await? {
            let went = self.store.purge_acknowledged(piece, before_us).await?;
            if went > 0 {
                metrics::counter!("tasuki_contents_purged_total").increment(went);
                purged += went;
                tokio::time::sleep(PAUSE).await;
            }
            after = piece.last;
        }
        Ok(purged)
    }
}
