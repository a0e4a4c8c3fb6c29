//! Alerts (不正監視): an office that sends far more than it usually does, or whose signatures fail again and again. That an
//! office got another key is noted where keys are registered (`committer::apply`). Nothing here looks at content.
//!
//! Counted in memory, per relay process; looked at twice a minute, and raised once for an office and a day.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::reason;

use crate::clock::Clock;
use crate::config::AlertsConfig;
use crate::store::alerts::{Alert, SIGNATURE_FAILURES, UNUSUAL_VOLUME};
use crate::store::{Store, StoreError};

const EVERY: Duration = Duration::from_secs(30);

const HOUR_US: i64 = 3_600 * 1_000_000;
const DAY_US: i64 = 24 * HOUR_US;

/// Days that an office's usual volume is the mean of.
const USUAL_DAYS: i64 = 28;

/// Alerts are kept for so long: over a year, so that a month can be held against the same month.
const KEPT_US: i64 = 400 * DAY_US;

/// Offices that are counted at once, 32 bytes each; more than this country has. Beyond, new ones are not counted.
const MAX_OFFICES: usize = 400_000;

/// Reasons that say that a signature is not what it should be.
const FAILURES: [&str; 8] = [
    "BAD_SIGNATURE",
    "MALFORMED_SIGNATURE",
    "NO_SIGNER",
    "SIGNATURE_DIGEST_MISMATCH",
    "SIGNER_NOT_EMBEDDED",
    "SIGNING_CERTIFICATE_MISMATCH",
    reason::SENDER_MISMATCH,
    reason::SIGNER_NOT_ALLOWED,
];

/// Counts by office within one span of time.
#[derive(Debug)]
struct Counter {
    span_us: i64,
    began_us: i64,
    offices: HashMap<OfficeNumber, u32>,
}

impl Counter {
    fn new(span_us: i64) -> Self {
        Self { span_us, began_us: 0, offices: HashMap::new() }
    }

    fn add(&mut self, office: OfficeNumber, now_us: i64) {
        let began_us = now_us - now_us.rem_euclid(self.span_us);
        if began_us != self.began_us {
            self.began_us = began_us;
            self.offices.clear();
        }
        if self.offices.len() < MAX_OFFICES || self.offices.contains_key(&office) {
            let count = self.offices.entry(office).or_default();
            *count = count.saturating_add(1);
        }
    }

    fn from(&self, threshold: u32) -> Vec<(OfficeNumber, u32)> {
        let many = self.offices.iter().filter(|(_, count)| **count >= threshold);
        many.map(|(office, count)| (*office, *count)).collect()
    }
}

/// Watches what offices do.
#[derive(Debug)]
pub struct Watchman {
    clock: Arc<dyn Clock>,
    config: AlertsConfig,
    accepted: Mutex<Counter>,
    failed: Mutex<Counter>,
}

impl Watchman {
    /// With these thresholds.
    pub fn new(clock: Arc<dyn Clock>, config: AlertsConfig) -> Self {
        let (accepted, failed) = (Mutex::new(Counter::new(DAY_US)), Mutex::new(Counter::new(HOUR_US)));
        Self { clock, config, accepted, failed }
    }

    /// An office's parcel was accepted.
    pub fn accepted(&self, office: OfficeNumber) {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner).add(office, self.clock.now_us());
    }

    /// A submission that an office transmitted was rejected.
    pub fn rejected(&self, office: OfficeNumber, reason: &str) {
        if FAILURES.contains(&reason) {
            self.failed.lock().unwrap_or_else(PoisonError::into_inner).add(office, self.clock.now_us());
        }
    }

    /// Looks again and again, until the task is dropped.
    pub async fn run(self: Arc<Self>, store: Store) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.look(&store).await {
                tracing::warn!(%error, "alerts can't be kept now");
            }
        }
    }

    /// Looks once, and keeps what is unusual.
    ///
    /// # Errors
    /// If the database can't be read or written; what is unusual is so at the next look, too.
    pub async fn look(&self, store: &Store) -> Result<(), StoreError> {
        let now_us = self.clock.now_us();
        let failing =
            self.failed.lock().unwrap_or_else(PoisonError::into_inner).from(self.config.signature_failures);
        let day_us = now_us - now_us.rem_euclid(DAY_US);
        let alert = |code, office, count: u32, usual| Alert {
            code,
            office,
            period_us: day_us,
            at_us: now_us,
            count: i64::from(count),
            usual,
        };
        let mut alerts: Vec<Alert> =
            failing.into_iter().map(|(office, count)| alert(SIGNATURE_FAILURES, office, count, 0)).collect();
        let busy =
            self.accepted.lock().unwrap_or_else(PoisonError::into_inner).from(self.config.volume_at_least);
        if !busy.is_empty() {
            let first = store.last_parcel_before(day_us - USUAL_DAYS * DAY_US).await?;
            let last = store.last_parcel_before(day_us).await?;
            for (office, count) in busy {
                let usual = store.sent_between(office, first, last).await? / USUAL_DAYS;
                if i64::from(count) >= usual.saturating_mul(i64::from(self.config.volume_times)) {
                    alerts.push(alert(UNUSUAL_VOLUME, office, count, usual));
                }
            }
        }
        for alert in store.raise(&alerts, now_us.saturating_sub(KEPT_US)).await? {
            alert.tell();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;
    use crate::store::dialect::Dialect;
    use crate::store::testing::{TestDatabase, on_both_databases};

    #[derive(Debug)]
    struct HandClock(AtomicI64);

    impl Clock for HandClock {
        fn now_us(&self) -> i64 {
            self.0.load(Ordering::SeqCst)
        }
    }

    async fn what_is_unusual_is_raised_once_a_day(dialect: Dialect) {
        let database = TestDatabase::new(dialect).await;
        let store = database.open().await;
        let clock = Arc::new(HandClock(AtomicI64::new(1_795_261_114_000_000)));
        let config = AlertsConfig { volume_at_least: 3, volume_times: 20, signature_failures: 2 };
        let watchman = Watchman::new(Arc::clone(&clock) as Arc<dyn Clock>, config);
        let (busy, failing): (OfficeNumber, OfficeNumber) =
            ("1371215102".parse().unwrap(), "9971100012".parse().unwrap());
        watchman.accepted(busy);
        watchman.accepted(busy);
        watchman.rejected(failing, "BAD_SIGNATURE");
        watchman.rejected(failing, "OVERLOADED");
        watchman.look(&store).await.unwrap();
        assert_eq!(store.alerts_since(0, 10).await.unwrap(), []);
        watchman.accepted(busy);
        watchman.rejected(failing, reason::SENDER_MISMATCH);
        for _ in 0..2 {
            watchman.look(&store).await.unwrap();
            let raised = store.alerts_since(0, 10).await.unwrap();
            let mut seen: Vec<_> =
                raised.iter().map(|alert| (alert.code, alert.office, alert.count)).collect();
            seen.sort_unstable();
            assert_eq!(seen, [(SIGNATURE_FAILURES, failing, 2), (UNUSUAL_VOLUME, busy, 3)]);
        }
        // Another hour begins at nothing; old alerts go.
        clock.0.fetch_add(HOUR_US, Ordering::SeqCst);
        watchman.rejected(failing, "BAD_SIGNATURE");
        assert_eq!(watchman.failed.lock().unwrap().from(2), []);
        clock.0.fetch_add(KEPT_US, Ordering::SeqCst);
        watchman.accepted(failing);
        watchman.look(&store).await.unwrap();
        assert_eq!(store.alerts_since(0, 10).await.unwrap(), []);
        store.close().await;
    }

    on_both_databases!(what_is_unusual_is_raised_once_a_day);
}
