//! How the relay is operated at present: receive-only, planned stops. Set by administrative commands in the database, followed
//! by every relay on it within a second.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tasuki_proto::reason;

use crate::clock::Clock;
use crate::store::settings::{MODE, STOPS};
use crate::store::{Store, StoreError};

/// Between two looks at the database: two rows are read each time.
const EVERY: Duration = Duration::from_secs(1);

/// Stops that are planned at once, those that are over not counted.
pub const MAX_STOPS: usize = 16;

/// How the relay is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mode {
    /// Submissions are refused for now; fetching, signing and feeds go on.
    pub receive_only: bool,
    /// Why, in Japanese, in the operator's words.
    pub ja: String,
    /// Why, in English.
    pub en: String,
}

/// A stop that was planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// When it begins. Unix microseconds.
    pub from_us: i64,
    /// When it ends. Unix microseconds.
    pub until_us: i64,
    /// Why, in Japanese, in the operator's words.
    pub ja: String,
    /// Why, in English.
    pub en: String,
}

/// Mode and planned stops.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Operation {
    /// How the relay is set.
    pub mode: Mode,
    /// Stops in the order of their beginnings.
    pub stops: Vec<Stop>,
}

/// Why nothing new is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Stable reason word.
    pub reason: &'static str,
    /// When that ends, where it is known.
    pub until: Option<Until>,
}

/// When something ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Until {
    /// Unix microseconds.
    pub at_us: i64,
    /// In how many microseconds from now.
    pub after_us: i64,
}

impl Operation {
    /// As the database holds it.
    ///
    /// # Errors
    /// If the database can't be read, or holds what this relay never writes.
    pub async fn read(store: &Store) -> Result<Self, StoreError> {
        Ok(Self { mode: setting(store, MODE).await?, stops: setting(store, STOPS).await? })
    }

    /// Why a submission is refused at this time, if it is.
    pub fn refuses(&self, now_us: i64) -> Option<Closed> {
        if self.mode.receive_only {
            return Some(Closed { reason: reason::RECEIVE_ONLY, until: None });
        }
        let stop = self.stop_at(now_us)?;
        let until = Until { at_us: stop.until_us, after_us: stop.until_us.saturating_sub(now_us) };
        Some(Closed { reason: reason::PLANNED_STOP, until: Some(until) })
    }

    /// The planned stop in which a time lies.
    pub fn stop_at(&self, now_us: i64) -> Option<&Stop> {
        self.stops.iter().find(|stop| (stop.from_us..stop.until_us).contains(&now_us))
    }

    /// Stops that are not over.
    pub fn stops_after(&self, now_us: i64) -> impl Iterator<Item = &Stop> {
        self.stops.iter().filter(move |stop| stop.until_us > now_us)
    }
}

async fn setting<T: Default + for<'de> Deserialize<'de>>(
    store: &Store,
    name: &'static str,
) -> Result<T, StoreError> {
    let Some(text) = store.setting(name).await? else { return Ok(T::default()) };
    let corrupt = |_| StoreError::Corrupt { table: "settings", column: "value", row: name.to_owned() };
    serde_json::from_str(&text).map_err(corrupt)
}

/// The present operation, as a running relay knows it.
#[derive(Debug)]
pub struct Operating {
    store: Store,
    clock: Arc<dyn Clock>,
    present: RwLock<Arc<Operation>>,
}

impl Operating {
    /// As the database holds it now.
    ///
    /// # Errors
    /// As [`Operation::read`].
    pub async fn load(store: Store, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let present = RwLock::new(Arc::new(Operation::read(&store).await?));
        Ok(Self { store, clock, present })
    }

    /// The present operation.
    pub fn present(&self) -> Arc<Operation> {
        Arc::clone(&self.present.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Why a submission is refused now, if it is.
    pub fn refuses(&self) -> Option<Closed> {
        self.present().refuses(self.clock.now_us())
    }

    /// Follows the database, until the task is dropped.
    pub async fn run(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match Operation::read(&self.store).await {
                Ok(now) if now == *self.present() => {}
                Ok(now) => {
                    tracing::info!(
                        receive_only = now.mode.receive_only,
                        stops = now.stops.len(),
                        "the operator changed how the relay works"
                    );
                    *self.present.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(now);
                }
                Err(error) => tracing::warn!(%error, "what the operator set can't be read"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn submissions_are_refused_while_a_stop_lasts_or_the_mode_says_so() {
        let stop = Stop { from_us: 10, until_us: 20, ja: String::new(), en: String::new() };
        let mut operation = Operation { mode: Mode::default(), stops: vec![stop] };
        let refused = [9, 10, 19, 20].map(|now_us| operation.refuses(now_us));
        let until = |after_us| {
            let until = Some(Until { at_us: 20, after_us });
            Some(Closed { reason: reason::PLANNED_STOP, until })
        };
        assert_eq!(refused, [None, until(10), until(1), None]);
        assert_eq!((operation.stops_after(19).count(), operation.stops_after(20).count()), (1, 0));
        operation.mode.receive_only = true;
        assert_eq!(operation.refuses(0), Some(Closed { reason: reason::RECEIVE_ONLY, until: None }));
    }
}
