//! After something went wrong: was the commit made? was this parcel accepted before?

use std::time::Duration;

use super::batch::{GiveUp, Writer};
use super::change::{Change, Done, Refused};
use super::{Fatal, Job};
use crate::store::StoreError;
use crate::store::head::Head;
use crate::store::parcels::ParcelRow;

/// How often and how long to ask a database that does not answer: about ten seconds.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(500);

impl Writer {
    /// Finds out whether a commit whose answer was an error took effect.
    ///
    /// The head's lock is taken for the question: a commit that the database is still working on holds it.
    pub(super) async fn settle(&mut self, next: &Head, error: StoreError) -> Result<(), GiveUp> {
        tracing::error!(%error, log.size = next.size, "a commit was answered with an error");
        if error.is_fatal() {
            return Err(GiveUp::Fatal(error.into()));
        }
        for _ in 0..TRIES {
            match self.committed(next).await {
                Ok(true) => {
                    tracing::info!(log.size = next.size, "the commit had taken effect");
                    return Ok(());
                }
                Ok(false) => return Err(GiveUp::Store(error)),
                Err(again) => {
                    tracing::warn!(error = %again, "the head can't be read");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        Err(GiveUp::Fatal(Fatal::Database(error)))
    }

    async fn committed(&self, next: &Head) -> Result<bool, StoreError> {
        let mut tx = self.store.begin().await?;
        let head = self.store.take_head(&mut tx).await?;
        if head == *next {
            return Ok(true);
        }
        // Another relay may have moved on from our head: then our checkpoint is among the stored ones.
        let ours = self.store.checkpoint_in(&mut tx, next.epoch, next.size).await?;
        Ok(ours.is_some_and(|note| note == next.note))
    }

    /// Answers deliveries whose name is taken, and returns the others.
    pub(super) async fn answer_repetitions(&mut self, jobs: Vec<Job>) -> Vec<Job> {
        let mut others = Vec::with_capacity(jobs.len());
        for job in jobs {
            let Change::Deliver(delivery) = &job.change else {
                others.push(job);
                continue;
            };
            match self.store.parcel(&delivery.key).await {
                Ok(None) => others.push(job),
                Ok(Some(row)) => {
                    let answer = if row.digest == delivery.digest && row.recipient == delivery.recipient {
                        Ok(self.first_answer(row))
                    } else {
                        Err(Refused::IdReused)
                    };
                    (job.reply)(answer);
                }
                Err(error) => {
                    tracing::warn!(%error, "a repeated parcel can't be looked up");
                    (job.reply)(Err(Refused::Unavailable));
                }
            }
        }
        others
    }

    fn first_answer(&self, row: ParcelRow) -> Done {
        let position = Some(row.position);
        Done { parcel: Some(row), position, text: None, repeated: true, checkpoint: self.ledger.checkpoint() }
    }
}
