//! The sweep: removes large contents whose parcel was never accepted, because the relay or its caller was cut off.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::store::Store;

/// How often to look. What is left over is rare, and costs disk only.
const EVERY: Duration = Duration::from_mins(10);

/// Contents younger than this may still be on their way into a commit, which takes seconds.
const YOUNG_US: i64 = 60 * 60 * 1_000_000;

/// Sweeps again and again. Never ends; it may be stopped at any point.
pub async fn run(store: Store, clock: Arc<dyn Clock>) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        loop {
            match store.sweep(clock.now_us().saturating_sub(YOUNG_US)).await {
                Ok(0) => break,
                Ok(removed) => {
                    metrics::counter!("tasuki_contents_swept_total").increment(u64::from(removed));
                    tracing::info!(removed, "removed large contents whose parcels were never accepted");
                }
                Err(error) => {
                    tracing::warn!(%error, "large contents can't be swept");
                    break;
                }
            }
        }
    }
}
