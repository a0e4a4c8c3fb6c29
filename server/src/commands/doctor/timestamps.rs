//! Time stamps: whether the authority keeps up with the log.

use tasuki_proto::event::Event;
use tasuki_proto::time;

use super::{Finding, Status};
use crate::config::TimestampsConfig;
use crate::store::timeline::Stretch;
use crate::store::{Store, StoreError};

const CHECK: &str = "timestamps";

/// So many times the time between two stamps an event may wait for its own, before somebody should look: one stamp was missed and another
/// one tried.
const PATIENCE: i64 = 3;

/// Looks how long events wait for a stamp; nothing where there is no authority.
pub(super) async fn check(store: &Store, config: &TimestampsConfig, now_us: i64) -> Option<Finding> {
    if !config.is_on() {
        return None;
    }
    let waits_since_us = match waits_since(store).await {
        Ok(since_us) => since_us,
        Err(error) => return Some(Finding::failed(CHECK, &error)),
    };
    let patience_us = config.every.us().saturating_mul(PATIENCE);
    Some(match waits_since_us.filter(|since_us| now_us.saturating_sub(*since_us) > patience_us) {
        None => Finding::new(
            CHECK,
            Status::Ok,
            "タイムスタンプは記録に追いついています",
            "time stamps keep up with the log",
        ),
        Some(since_us) => {
            let since = time::format_us(since_us);
            Finding::new(
                CHECK,
                Status::Warn,
                format!(
                    "{since}からの記録にタイムスタンプがありません。中継サーバーのログで {} の応答を確認してください",
                    config.url
                ),
                format!(
                    "nothing since {since} has a time stamp: see in the relay's log what {} answers",
                    config.url
                ),
            )
        }
    })
}

/// The time of the first event that no stamp covers; `None`: there is none that still has its text.
async fn waits_since(store: &Store) -> Result<Option<i64>, StoreError> {
    let head = store.head().await?;
    let last = store.last_timestamp().await?.filter(|stamp| stamp.epoch == head.epoch);
    let from = last.map_or(0, |stamp| stamp.size);
    let first = store.first_text(Stretch { epoch: head.epoch, from, to: head.size }).await?;
    Ok(first.and_then(|leaf| Event::parse(&leaf.text).ok()).map(|event| event.time_us))
}
