//! The issuing CA's next key: made and announced when the time has come, and used once the log names it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tasuki_certs::handover::Handover;

use crate::ca_rolls::CaRoll;
use crate::clock::Clock;
use crate::committer::Committer;
use crate::committer::change::{CaRolling, Change, Refused};
use crate::config::Config;
use crate::config::period::Period;
use crate::store::dialect::Dialect;
use crate::trial_ca::{CaError, Prepared, TrialCaFiles};

/// Rolls the CA of a relay that runs.
#[derive(Debug)]
pub struct Roller {
    ca: Arc<TrialCaFiles>,
    committer: Committer,
    clock: Arc<dyn Clock>,
    /// How long before its end the CA hands over by itself; `None`: a person gives the command.
    before: Option<Period>,
    /// Other relays may be on the database, and need the next key first: only a person can bring it there.
    shared: bool,
    /// It was said that it can't.
    told: AtomicBool,
}

impl Roller {
    /// For a relay's own CA, if it has one.
    pub fn of(
        config: &Config,
        ca: Option<&Arc<TrialCaFiles>>,
        committer: &Committer,
        clock: &Arc<dyn Clock>,
    ) -> Option<Self> {
        let before = config.trial_ca.as_ref().and_then(|ca| ca.roll_before);
        let (committer, clock) = (committer.clone(), Arc::clone(clock));
        let shared = Dialect::of(&config.database.url) != Some(Dialect::Sqlite);
        let told = AtomicBool::new(false);
        ca.map(|ca| Self { ca: Arc::clone(ca), committer, clock, before, shared, told })
    }

    /// Hands the CA over if its time has come.
    pub(crate) async fn look(&self) {
        let Some(before) = self.before else { return };
        let now_us = self.clock.now_us();
        let (ca, shared) = (Arc::clone(&self.ca), self.shared);
        let prepared = tokio::task::spawn_blocking(move || {
            let ends = ca.keys()?.first().filter(|key| key.has_key).map(|key| key.not_after_us);
            let due = ends.is_some_and(|ends_us| ends_us.saturating_sub(before.us()) <= now_us);
            match due {
                true if shared && !ca.is_prepared() => Err(CaError::NotPrepared),
                true => ca.prepare(None, now_us).map(Some),
                false => Ok(None),
            }
        });
        match prepared.await {
            Ok(Ok(Some(prepared))) => {
                tracing::info!("the issuing CA hands over to a new key: its time has come");
                let rolling = rolling(prepared, "scheduled");
                let change = Change::RollCa(Box::new(CaRolling { scheduled: true, ..rolling }));
                match self.committer.submit(change).await {
                    // Another relay, or a person, was faster.
                    Ok(_) | Err(Refused::Conflict) => self.told.store(false, Ordering::Relaxed),
                    Err(error) => self.tell(&error),
                }
            }
            Ok(Ok(None)) | Err(_) => {}
            Ok(Err(error)) => self.tell(&error),
        }
    }

    /// Goes over to the key that the log names last; the trust store believes it already.
    pub(crate) async fn take_over(&self, rolls: &[CaRoll]) {
        let handovers: Vec<Handover> = rolls.iter().map(|roll| roll.handover.clone()).collect();
        let (ca, now_us) = (Arc::clone(&self.ca), self.clock.now_us());
        let taken = move || {
            ca.take_over(&handovers, now_us)?;
            ca.hold()
        };
        match tokio::task::spawn_blocking(taken).await {
            Ok(Ok(true)) => tracing::info!("the issuing CA goes on under a new key"),
            Ok(Ok(false)) | Err(_) => {}
            Ok(Err(error)) => self.tell(&error),
        }
    }

    /// Once, until it works again.
    fn tell(&self, error: &dyn std::fmt::Display) {
        if !self.told.swap(true, Ordering::Relaxed) {
            tracing::error!(%error, "the issuing CA can't go over to a new key");
        }
    }
}

/// The roll on schedule of a key that is ready.
pub(crate) fn rolling(prepared: Prepared, reason: &str) -> CaRolling {
    CaRolling {
        previous: prepared.previous,
        next: prepared.next,
        cross: prepared.cross,
        emergency: false,
        withdrawn_us: None,
        reason: reason.to_owned(),
        scheduled: false,
    }
}
