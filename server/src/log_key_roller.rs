//! The log's next key on schedule: made and announced when the one that signs is old enough.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tasuki_proto::event::Event;
use tasuki_proto::reason;

use crate::boot::{self, BootError};
use crate::clock::Clock;
use crate::committer::Committer;
use crate::committer::change::{Change, Refused, Rolling};
use crate::config::Config;
use crate::config::period::Period;
use crate::log_key;
use crate::store::dialect::Dialect;
use crate::store::leaves::Position;
use crate::store::{Store, StoreError};

/// Hands the log of a relay that runs over to a new key.
#[derive(Debug)]
pub struct LogKeyRoller {
    key: PathBuf,
    after: Period,
    store: Store,
    committer: Committer,
    clock: Arc<dyn Clock>,
    /// It was said that it can't.
    told: AtomicBool,
}

impl LogKeyRoller {
    /// For a relay whose settings say how old a key may become.
    pub fn of(config: &Config, store: &Store, committer: &Committer, clock: &Arc<dyn Clock>) -> Option<Self> {
        let (key, after) = (config.evidence.log_key.clone(), config.evidence.log_key_roll_after?);
        Some(Self::new(key, after, store, committer, clock))
    }

    /// Hands the key of this file over when it is so old.
    pub(crate) fn new(
        key: PathBuf,
        after: Period,
        store: &Store,
        committer: &Committer,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        let (store, committer, clock) = (store.clone(), committer.clone(), Arc::clone(clock));
        Self { key, after, store, committer, clock, told: AtomicBool::new(false) }
    }

    /// Hands over if the time has come.
    pub(crate) async fn look(&self) {
        match self.roll().await {
            Ok(true) => {
                self.told.store(false, Ordering::Relaxed);
                tracing::info!("the log goes on under a new key: its time had come");
            }
            Ok(false) => {}
            Err(why) => {
                if !self.told.swap(true, Ordering::Relaxed) {
                    tracing::error!(%why, "the log can't go over to a new key");
                }
            }
        }
    }

    async fn roll(&self) -> Result<bool, String> {
        let shown = |error: &dyn std::fmt::Display| error.to_string();
        let due_us = due_us(&self.store, self.after).await.map_err(|e| shown(&e))?;
        if due_us.is_none_or(|due_us| self.clock.now_us() < due_us) {
            return Ok(false);
        }
        // Other relays on this database need the next key first: only a person can bring it there.
        let prepared = log_key::next_path(&self.key).exists();
        if self.store.dialect() != Dialect::Sqlite && !prepared {
            return Err("bring the next key to every relay: tasuki-relay log-key prepare".to_owned());
        }
        let path = self.key.clone();
        let next = tokio::task::spawn_blocking(move || log_key::prepare(&path, None)).await;
        let new = next.map_err(|e| shown(&e))?.map_err(|e| shown(&e))?;
        let rolling = Rolling { new, emergency: false, reason: "scheduled".to_owned() };
        match self.committer.submit(Change::RollLogKey(Box::new(rolling))).await {
            Ok(_) => {}
            // Another relay, or a person, was faster.
            Err(Refused::Conflict | Refused::Because(reason::NOT_ALLOWED)) => return Ok(false),
            Err(error) => return Err(shown(&error)),
        }
        let rolls = boot::rolls(&self.store).await.map_err(|e| shown(&e))?;
        let path = self.key.clone();
        let moved = tokio::task::spawn_blocking(move || log_key::load(&path, &rolls)).await;
        moved.map_err(|e| shown(&e))?.map_err(|e: BootError| shown(&e))?;
        Ok(true)
    }
}

/// When the key that signs is as old as that, Unix microseconds: since the last roll, or since the log began. `None`: there is no log yet.
///
/// # Errors
/// If the database can't be read.
pub(crate) async fn due_us(store: &Store, after: Period) -> Result<Option<i64>, StoreError> {
    let rolls = boot::rolls(store).await?;
    let since_us = if let Some(roll) = rolls.last() {
        Some(roll.time_us)
    } else {
        let first = store.leaf_text(Position { epoch: 1, index: 0 }).await?;
        // What was erased is older than any key should be.
        first.map(|text| Event::parse(&text).map_or(0, |event| event.time_us))
    };
    Ok(since_us.map(|since_us| since_us.saturating_add(after.us())))
}
