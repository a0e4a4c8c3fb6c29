//! Whether something was unusual lately (不正監視).

use std::collections::BTreeMap;

use super::{Finding, Status};
use crate::store::alerts::REFUSED_HANDSHAKES;
use crate::store::{Store, StoreError};

/// What was raised in this time is open: somebody should have looked. `alerts` lists older ones.
const OPEN_US: i64 = 7 * 24 * 3_600 * 1_000_000;

/// Alerts that are looked at.
const MOST: u32 = 1_000;

/// Offices and addresses that are named for each word.
const MAX_NAMED: usize = 5;

/// Alerts of the last days, by word.
pub(super) async fn check(store: &Store, now_us: i64) -> Finding {
    let check = "alerts";
    let open = match open(store, now_us.saturating_sub(OPEN_US)).await {
        Ok(open) => open,
        Err(error) => return Finding::failed(check, &error),
    };
    if open.is_empty() {
        return Finding::new(
            check,
            Status::Ok,
            "この7日間に異常の知らせはありません",
            "nothing unusual in the last 7 days",
        );
    }
    let words = open.iter().map(|(code, whose)| {
        let more = if whose.len() > MAX_NAMED { ", …" } else { "" };
        let named: Vec<&str> = whose.iter().take(MAX_NAMED).map(String::as_str).collect();
        format!("{code} {} ({}{more})", whose.len(), named.join(", "))
    });
    let words = words.collect::<Vec<_>>().join("; ");
    Finding::new(
        check,
        Status::Warn,
        format!("この7日間の異常の知らせ: {words}。tasuki-relay alerts で確認してください"),
        format!("unusual in the last 7 days: {words}; see tasuki-relay alerts"),
    )
}

/// Whom alerts since a time are about, by their word, the newest first.
async fn open(store: &Store, since_us: i64) -> Result<BTreeMap<&'static str, Vec<String>>, StoreError> {
    let mut open: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut add = |code, whose: String| {
        let named = open.entry(code).or_default();
        if !named.contains(&whose) {
            named.push(whose);
        }
    };
    for alert in store.alerts_since(since_us, MOST).await? {
        add(alert.code, alert.office.to_string());
    }
    for alert in store.address_alerts_since(since_us, MOST).await? {
        add(REFUSED_HANDSHAKES, alert.address.to_string());
    }
    Ok(open)
}
