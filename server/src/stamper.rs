//! Time stamps of checkpoints by an authority outside the relay (RFC 3161): beside the write path, at most one in the time that the
//! operator sets, and none while nothing happens.
//!
//! A stamp proves what the relay alone can't: that everything up to this checkpoint existed at a time, also when its own key or clock
//! is no longer believed. One that does not verify is not kept.

use std::sync::Arc;
use std::time::Duration;

use ring::rand::{SecureRandom as _, SystemRandom};
use tasuki_certs::timestamp::{self, MAX_RESPONSE_BYTES, TimeStampError};
use tasuki_certs::trust::TrustStore;
use tasuki_certs::trust_files::certificates_in;
use tasuki_proto::log::Checkpoint;

use crate::clock::Clock;
use crate::config::{Config, TimestampsConfig};
use crate::evidence::ledger::Ledger;
use crate::fetch::{Ask, FetchFault, Fetcher, pause_us};
use crate::fetched_lists::fetcher;
use crate::store::timestamps::TimestampRow;
use crate::store::{Store, StoreError};

/// How often to look whether there is something to stamp.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The first pause after a failure, doubled with each further one up to `every`.
const FIRST_PAUSE_US: i64 = 10 * 1_000_000;
/// An authority's clock may run so much ahead of the relay's.
const SKEW_US: i64 = 60 * 1_000_000;

/// The authority of the configuration can't be used.
#[derive(Debug, thiserror::Error)]
#[error("timestamps.ca_file: {0}")]
pub struct StamperError(String);

/// Why there is no stamp.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Fetch(#[from] FetchFault),
    #[error(transparent)]
    Stamp(#[from] TimeStampError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Fault {
    fn code(&self) -> &'static str {
        match self {
            Self::Fetch(fault) => fault.code(),
            Self::Stamp(error) => error.code(),
            Self::Store(_) => "STORE_UNAVAILABLE",
        }
    }
}

/// Has checkpoints stamped.
pub(crate) struct Stamper {
    store: Store,
    ledger: Arc<Ledger>,
    clock: Arc<dyn Clock>,
    config: TimestampsConfig,
    authority: TrustStore,
    fetcher: Fetcher,
    random: SystemRandom,
}

impl Stamper {
    /// As the configuration says. `None`: nothing is stamped.
    ///
    /// # Errors
    /// The authority's CA can't be used.
    pub(crate) fn new(
        config: &Config,
        store: Store,
        ledger: Arc<Ledger>,
        clock: Arc<dyn Clock>,
    ) -> Result<Option<Self>, StamperError> {
        let own = &config.timestamps;
        if !own.is_on() {
            return Ok(None);
        }
        let error = |error: &dyn std::fmt::Display| StamperError(error.to_string());
        let anchors = certificates_in(&own.ca_file).map_err(|e| error(&e))?;
        let authority = timestamp::authorities(anchors).map_err(|e| error(&e))?;
        let patience = Duration::from_secs(u64::from(own.timeout_s));
        let fetcher = fetcher(&config.trust.fetch, patience, Arc::clone(&clock)).map_err(|e| error(&e))?;
        let random = SystemRandom::new();
        Ok(Some(Self { store, ledger, clock, config: own.clone(), authority, fetcher, random }))
    }

    /// Looks again and again. Never ends.
    pub(crate) async fn run(self) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut failures, mut tried_us, mut told) = (0_u32, i64::MIN, "");
        loop {
            ticks.tick().await;
            let now_us = self.clock.now_us();
            let every_us = self.config.every.us();
            // After a good one the database says when the next is due.
            let pause_us =
                if failures == 0 { 0 } else { pause_us(every_us, FIRST_PAUSE_US.min(every_us), failures) };
            if now_us < tried_us.saturating_add(pause_us) && now_us >= tried_us {
                continue;
            }
            let outcome = self.stamp_if_due(now_us).await;
            let result = match &outcome {
                Ok(false) => continue,
                Ok(true) => "ok",
                Err(fault) => fault.code(),
            };
            metrics::counter!("tasuki_timestamps_total", "result" => result).increment(1);
            tried_us = now_us;
            match outcome {
                Ok(_) => (failures, told) = (0, ""),
                Err(fault) => {
                    failures = failures.saturating_add(1);
                    // A fault that lasts is logged once.
                    if told != result {
                        tracing::error!(reason = result, error = %fault, "no time stamp of the log; it is tried again");
                        told = result;
                    }
                }
            }
        }
    }

    /// Stamps the newest checkpoint, if the last stamp, of any relay on this database, is old enough and the log has grown.
    async fn stamp_if_due(&self, now_us: i64) -> Result<bool, Fault> {
        let checkpoint = self.ledger.checkpoint();
        let last = self.store.last_timestamp().await?;
        let waits = last.as_ref().is_some_and(|last| {
            let same = (last.epoch, last.size) == (checkpoint.epoch, checkpoint.size);
            same || now_us < last.time_us.saturating_add(self.config.every.us())
        });
        if waits || checkpoint.size == 0 {
            return Ok(false);
        }
        self.stamp(&checkpoint, now_us).await.map(|()| true)
    }

    async fn stamp(&self, checkpoint: &Checkpoint, now_us: i64) -> Result<(), Fault> {
        let mut nonce = [0; 16];
        self.random.fill(&mut nonce).map_err(|_| TimeStampError::Nonce)?;
        let request = timestamp::request(&checkpoint.note, &nonce);
        let ask = Ask {
            url: &self.config.url,
            anywhere: true,
            max_bytes: MAX_RESPONSE_BYTES,
            post: Some(("application/timestamp-query", &request)),
        };
        let response = self.fetcher.fetch(&ask).await?;
        let latest_us = now_us.max(self.clock.now_us()).saturating_add(SKEW_US);
        let stamp = timestamp::verify(&response, &checkpoint.note, Some(&nonce), &self.authority, latest_us)?;
        let row = TimestampRow {
            epoch: checkpoint.epoch,
            size: checkpoint.size,
            time_us: stamp.time_us,
            note: checkpoint.note.clone(),
            response: response.to_vec(),
        };
        Ok(self.store.put_timestamp(&row).await?)
    }
}

impl std::fmt::Debug for Stamper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stamper").field("url", &self.config.url).finish_non_exhaustive()
    }
}
