//! What ends or ended without anybody doing it: certificates that come near their end, terminals that nobody uses, certificates that
//! a revocation list names. Somebody is told, by an event.
//!
//! Several relays may look on one database: the committer lets each thing happen once, and where a look was cut short, the next one
//! finds what is left.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tasuki_certs::error::CertError;
use tasuki_certs::trust::{CurrentTrust as _, Purpose, TrustStore};

use crate::clock::Clock;
use crate::committer::Committer;
use crate::committer::change::{Certifying, Change, Mandating, Refused};
use crate::config::LifecycleConfig;
use crate::store::certificates::{CertificateKey, CertificateRow};
use crate::store::{Store, StoreError};
use crate::trust::Trust;

/// Things that one step does: one batch of the committer.
const STEP: u32 = 128;

/// Steps of one look for each kind of thing.
const STEPS: u32 = 100;

/// Certificates that are verified in one go: 50 ms of one core.
const VERIFIED: u32 = 500;

/// How many of the timekeeper's looks pass between two of these: days matter here, not seconds.
const SELDOM: u64 = 5;

/// Looks for what ends while the relay runs.
#[derive(Debug)]
pub(crate) struct Endings {
    store: Store,
    committer: Committer,
    clock: Arc<dyn Clock>,
    trust: Trust,
    config: LifecycleConfig,
}

impl Endings {
    /// Looks in this store, with this trust.
    pub(crate) fn new(
        store: Store,
        committer: Committer,
        clock: Arc<dyn Clock>,
        trust: Trust,
        config: LifecycleConfig,
    ) -> Self {
        Self { store, committer, clock, trust, config }
    }

    /// Looks again and again, until the task is dropped.
    pub(crate) async fn run(self) {
        let every = Duration::from_secs(u64::from(self.config.look_every_s).saturating_mul(SELDOM));
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut seen = None;
        loop {
            ticks.tick().await;
            if let Err(error) = self.look(&mut seen).await {
                tracing::warn!(%error, "what ends can't be looked for");
            }
        }
    }

    /// Looks once. `seen`: the trust with which all certificates were verified last.
    pub(crate) async fn look(&self, seen: &mut Option<Arc<TrustStore>>) -> Result<(), StoreError> {
        let now_us = self.clock.now_us();
        for _ in 0..STEPS {
            let due = self.store.certificates_due(now_us, STEP).await?;
            let changes = due.into_iter().map(|key| Change::Certificate(Box::new(Certifying::Ending(key))));
            if !self.all(changes.collect()).await {
                break;
            }
        }
        let unused_since_us = now_us.saturating_sub(self.config.terminal_idle_after.us());
        for _ in 0..STEPS {
            let idle = self.store.idle_terminals(unused_since_us, now_us, STEP).await?;
            let lapse = |(office, digest)| {
                Change::Mandate(Box::new(Mandating::Lapse { office, digest, unused_since_us }))
            };
            if !self.all(idle.into_iter().map(lapse).collect()).await {
                break;
            }
        }
        let trust = self.trust.current();
        if seen.as_ref().is_none_or(|seen| !Arc::ptr_eq(seen, &trust))
            && self.look_revoked(&trust, now_us).await?
        {
            *seen = Some(trust);
        }
        Ok(())
    }

    /// Looks which certificates are revoked now. False: not all could be noted, and the next look tries again.
    async fn look_revoked(&self, trust: &Arc<TrustStore>, now_us: i64) -> Result<bool, StoreError> {
        let mut at: Option<CertificateKey> = None;
        loop {
            let rows = self.store.certificates_behind(at.as_ref(), now_us, VERIFIED).await?;
            let Some(last) = rows.last() else { return Ok(true) };
            at = Some((last.bearer.clone(), last.fingerprint));
            let trust = Arc::clone(trust);
            let revoked = tokio::task::spawn_blocking(move || revoked_of(rows, &trust, now_us)).await;
            let Ok(revoked) = revoked else { return Ok(false) };
            let changes =
                revoked.into_iter().map(|key| Change::Certificate(Box::new(Certifying::Revoked(key))));
            let changes: Vec<Change> = changes.collect();
            if !changes.is_empty() && !self.all(changes).await {
                return Ok(false);
            }
        }
    }

    /// Has all of these done. False: there was nothing to do, or the relay can't write now.
    async fn all(&self, changes: Vec<Change>) -> bool {
        if changes.is_empty() {
            return false;
        }
        let outcomes = join_all(changes.into_iter().map(|change| self.committer.submit(change))).await;
        !outcomes.iter().any(|outcome| matches!(outcome, Err(Refused::Unavailable | Refused::ShuttingDown)))
    }
}

fn revoked_of(rows: Vec<CertificateRow>, trust: &TrustStore, now_us: i64) -> Vec<CertificateKey> {
    let is_revoked = |row: &CertificateRow| {
        let verified = trust.verify(&row.certificate, &[], Purpose::Any, now_us);
        matches!(verified, Err(CertError::CertificateRevoked(_)))
    };
    rows.into_iter().filter(is_revoked).map(|row| (row.bearer, row.fingerprint)).collect()
}
