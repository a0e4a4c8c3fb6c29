//! Alerts (不正監視): an office that sends far more than it usually does, or whose signatures fail again and again. That an
//! office got another key or terminal is noted where those are registered (`committer`). Nothing here looks at content. Addresses
//! from which handshakes come to nothing again and again are counted as well; none is kept but in memory and in an alert.
//!
//! Counted in memory, per relay process; looked at twice a minute, and raised once for an office and a day.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::reason;

use crate::clock::Clock;
use crate::config::AlertsConfig;
use crate::store::alerts::{AddressAlert, Alert, SIGNATURE_FAILURES, UNUSUAL_VOLUME};
use crate::store::{Store, StoreError};

const EVERY: Duration = Duration::from_secs(30);

const HOUR_US: i64 = 3_600 * 1_000_000;
const DAY_US: i64 = 24 * HOUR_US;

/// Days that an office's usual volume is the mean of.
const USUAL_DAYS: i64 = 28;

/// Alerts are kept for so long: over a year, so that a month can be held against the same month.
const KEPT_US: i64 = 400 * DAY_US;

/// Addresses tell of people: alerts about them are kept for so long only.
const ADDRESS_KEPT_US: i64 = 90 * DAY_US;

/// Offices that are counted at once, 32 bytes each; more than this country has. Addresses are as many at most. Beyond, new ones are
/// not counted.
const MAX_COUNTED: usize = 400_000;

/// Reasons that say that a signature is not what it should be.
pub(crate) const FAILURES: [&str; 8] = [
    "BAD_SIGNATURE",
    "MALFORMED_SIGNATURE",
    "NO_SIGNER",
    "SIGNATURE_DIGEST_MISMATCH",
    "SIGNER_NOT_EMBEDDED",
    "SIGNING_CERTIFICATE_MISMATCH",
    reason::SENDER_MISMATCH,
    reason::SIGNER_NOT_ALLOWED,
];

/// Counts by office, or by address, within one span of time.
#[derive(Debug)]
struct Counter<K> {
    span_us: i64,
    began_us: i64,
    counts: HashMap<K, u32>,
}

impl<K: Eq + Hash + Copy> Counter<K> {
    fn new(span_us: i64) -> Self {
        Self { span_us, began_us: 0, counts: HashMap::new() }
    }

    fn add(&mut self, whose: K, now_us: i64) {
        let began_us = now_us - now_us.rem_euclid(self.span_us);
        if began_us != self.began_us {
            self.began_us = began_us;
            self.counts.clear();
        }
        if self.counts.len() < MAX_COUNTED || self.counts.contains_key(&whose) {
            let count = self.counts.entry(whose).or_default();
            *count = count.saturating_add(1);
        }
    }

    fn from(&self, threshold: u32) -> Vec<(K, u32)> {
        let many = self.counts.iter().filter(|(_, count)| **count >= threshold);
        many.map(|(whose, count)| (*whose, *count)).collect()
    }
}

/// What is counted together: an IPv4 address, or the network of an IPv6 address (/64), within which one machine may change its own.
fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Watches what offices do.
#[derive(Debug)]
pub struct Watchman {
    clock: Arc<dyn Clock>,
    config: AlertsConfig,
    accepted: Mutex<Counter<OfficeNumber>>,
    failed: Mutex<Counter<OfficeNumber>>,
    knocks: Mutex<Counter<IpAddr>>,
}

impl Watchman {
    /// With these thresholds.
    pub fn new(clock: Arc<dyn Clock>, config: AlertsConfig) -> Self {
        let (accepted, failed) = (Mutex::new(Counter::new(DAY_US)), Mutex::new(Counter::new(HOUR_US)));
        Self { clock, config, accepted, failed, knocks: Mutex::new(Counter::new(HOUR_US)) }
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

    /// A handshake with somebody at this address came to nothing.
    pub fn turned_away(&self, address: IpAddr) {
        let (address, now_us) = (counted_as(address), self.clock.now_us());
        self.knocks.lock().unwrap_or_else(PoisonError::into_inner).add(address, now_us);
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
        let knocking =
            self.knocks.lock().unwrap_or_else(PoisonError::into_inner).from(self.config.refused_handshakes);
        let alert = |(address, count)| AddressAlert {
            address,
            period_us: day_us,
            at_us: now_us,
            count: i64::from(count),
        };
        let knocking: Vec<AddressAlert> = knocking.into_iter().map(alert).collect();
        for alert in store.raise_addresses(&knocking, now_us.saturating_sub(ADDRESS_KEPT_US)).await? {
            alert.tell();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;
    use crate::clock::HandClock;
    use crate::store::dialect::Dialect;
    use crate::store::testing::{TestDatabase, on_both_databases};

    async fn what_is_unusual_is_raised_once_a_day(dialect: Dialect) {
        let database = TestDatabase::new(dialect).await;
        let store = database.open().await;
        let clock = Arc::new(HandClock(AtomicI64::new(1_795_261_114_000_000)));
        let config = AlertsConfig {
            volume_at_least: 3,
            volume_times: 20,
            signature_failures: 2,
            ..AlertsConfig::default()
        };
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

    async fn an_address_that_knocks_in_vain_is_raised_once_a_day(dialect: Dialect) {
        let database = TestDatabase::new(dialect).await;
        let store = database.open().await;
        let clock = Arc::new(HandClock(AtomicI64::new(1_795_261_114_000_000)));
        let config = AlertsConfig { refused_handshakes: 3, ..AlertsConfig::default() };
        let watchman = Watchman::new(Arc::clone(&clock) as Arc<dyn Clock>, config);
        // One machine, by either name; another network's is not it.
        for address in ["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"] {
            watchman.turned_away(address.parse().unwrap());
        }
        watchman.look(&store).await.unwrap();
        assert_eq!(store.address_alerts_since(0, 10).await.unwrap(), []);
        for address in ["192.0.2.1", "2001:db8::3", "2001:db8:0:1::4"] {
            watchman.turned_away(address.parse().unwrap());
        }
        for _ in 0..2 {
            watchman.look(&store).await.unwrap();
            let raised = store.address_alerts_since(0, 10).await.unwrap();
            let seen: Vec<_> = raised.iter().map(|alert| (alert.address.to_string(), alert.count)).collect();
            assert_eq!(seen, [("192.0.2.1".to_owned(), 3), ("2001:db8::".to_owned(), 3)]);
        }
        clock.0.fetch_add(ADDRESS_KEPT_US + 1, Ordering::SeqCst);
        watchman.turned_away("192.0.2.9".parse().unwrap());
        watchman.look(&store).await.unwrap();
        assert_eq!(store.address_alerts_since(0, 10).await.unwrap(), [], "addresses are not kept for long");
        store.close().await;
    }

    on_both_databases!(
        what_is_unusual_is_raised_once_a_day,
        an_address_that_knocks_in_vain_is_raised_once_a_day,
    );
}
