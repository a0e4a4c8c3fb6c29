//! Clearing the mailboxes of offices that left: what waits goes back to its senders as expired, what they held is discarded, and
//! on their request what the relay keeps of them is erased.
//!
//! Which mailboxes are to be cleared stands in the database, so a relay that was stopped in between goes on. Several relays may
//! clear one mailbox: the committer lets each thing happen once.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::ids::ParcelKey;
use tasuki_proto::lifecycle::Act;

use crate::clock::Clock;
use crate::committer::Committer;
use crate::committer::change::{Actor, Change, Doing, Refused, Standing};
use crate::store::membership::ClosingRow;
use crate::store::{Store, StoreError};

/// Between two looks for mailboxes to be cleared: one row of an index each, mostly none.
const EVERY: Duration = Duration::from_secs(1);

/// Mailboxes of one look, parcels of one step, steps of one look at one mailbox: the others have their turn, too.
const MAILBOXES: u32 = 16;
const STEP: u32 = 128;
const STEPS: u32 = 50;

/// Clears mailboxes while the relay runs.
#[derive(Debug)]
pub(crate) struct Closing {
    store: Store,
    committer: Committer,
    clock: Arc<dyn Clock>,
}

impl Closing {
    /// Clears mailboxes of this store.
    pub(crate) fn new(store: Store, committer: Committer, clock: Arc<dyn Clock>) -> Self {
        Self { store, committer, clock }
    }

    /// Looks again and again, until the task is dropped.
    pub(crate) async fn run(self) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.look().await {
                // What is to be cleared stays so.
                tracing::warn!(%error, "mailboxes of offices that left can't be cleared");
            }
        }
    }

    async fn look(&self) -> Result<(), StoreError> {
        for row in self.store.closings(MAILBOXES).await? {
            if self.empty(row.office).await? && self.erased(row).await? {
                self.clear(row.office).await;
            }
        }
        Ok(())
    }

    /// Returns what waits, and discards what is held. True: nothing is left.
    async fn empty(&self, office: OfficeNumber) -> Result<bool, StoreError> {
        for _ in 0..STEPS {
            let waiting = self.store.waiting_for(office, STEP).await?;
            let held = self.store.held_by(office, STEP).await?;
            if waiting.is_empty() && held.is_empty() {
                return Ok(true);
            }
            if !(self.all(&waiting, Act::Expire).await && self.all(&held, Act::Discard).await) {
                return Ok(false);
            }
        }
        Ok(false)
    }

    /// Erases sealed contents, piece by piece. True: there are none left to be erased.
    async fn erased(&self, row: ClosingRow) -> Result<bool, StoreError> {
        if !row.erase {
            return Ok(true);
        }
        for _ in 0..STEPS {
            if self.store.erase_contents_of(row.office, self.clock.now_us(), STEP).await? == 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn clear(&self, office: OfficeNumber) {
        let change = Change::Standing(Box::new(Standing::Clear { office }));
        match self.committer.submit(change).await {
            Ok(_) => tracing::info!(office.number = %office, "the mailbox of an office that left is clear"),
            // Something came in between, or the relay can't write: the next look tries again.
            Err(refused) => tracing::debug!(reason = refused.code(), "a mailbox is not clear yet"),
        }
    }

    /// Does this to all of them. False: some may be left.
    async fn all(&self, parcels: &[ParcelKey], act: Act) -> bool {
        let outcomes = join_all(parcels.iter().map(|key| {
            let doing = Doing { key: *key, act, by: Actor::Closing, signed: None };
            self.committer.submit(Change::Act(Box::new(doing)))
        }));
        let stays = |outcome: Result<_, Refused>| {
            matches!(outcome, Err(Refused::Unavailable | Refused::ShuttingDown | Refused::Conflict))
        };
        !outcomes.await.into_iter().any(stays)
    }
}
