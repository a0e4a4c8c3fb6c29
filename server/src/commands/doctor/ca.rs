//! The issuing CA: good for longer than what it issues, and the log knows its key.

use tasuki_certs::handover::Handover;
use tasuki_proto::time;

use super::{Finding, Status};
use crate::ca_rolls;
use crate::config::Config;
use crate::store::Store;
use crate::trial_ca::TrialCaFiles;

const CHECK: &str = "ca";

const DAY_US: i64 = 86_400 * 1_000_000;

/// How long before its end the CA is a failure: what it issued ends with it.
const URGENT_US: i64 = 30 * DAY_US;

/// Looks at the key that issues; nothing where there is no such CA.
pub(super) async fn check(store: &Store, config: &Config, now_us: i64) -> Option<Finding> {
    let ca = config.trial_ca.clone().map(TrialCaFiles::open)?;
    let handovers: Vec<Handover> = match ca_rolls::load(store).await {
        Ok(rolls) => rolls.into_iter().map(|roll| roll.handover).collect(),
        Err(error) => return Some(Finding::failed(CHECK, &error)),
    };
    match ca.unannounced(&handovers) {
        Ok(None) => {}
        Ok(Some(_)) => {
            return Some(Finding::new(
                CHECK,
                Status::Fail,
                "認証局の鍵の取替えが記録にありません。ca roll でもう一度告知してください",
                "the log does not tell of the CA's last roll: announce it again with ca roll",
            ));
        }
        Err(error) => return Some(Finding::failed(CHECK, &error)),
    }
    let issuing = match ca.keys() {
        Ok(keys) => keys.into_iter().next()?,
        // An operator may keep the whole CA elsewhere.
        Err(_) if !ca.can_issue() => return None,
        Err(error) => return Some(Finding::failed(CHECK, &error)),
    };
    if issuing.place.as_ref().is_some_and(|place| place.token().is_some())
        && let Err(error) = ca.load()
    {
        return Some(Finding::failed(CHECK, &error));
    }
    let (left_us, until) =
        (issuing.not_after_us.saturating_sub(now_us), time::format_us(issuing.not_after_us));
    // What it issues must not outlive it.
    let due = left_us < ca.certificate_life_us().saturating_add(URGENT_US);
    let status = match left_us {
        left if left < URGENT_US => Status::Fail,
        _ if due => Status::Warn,
        _ => Status::Ok,
    };
    let (advice_ja, advice_en) = if due {
        ("。鍵を取り替えてください（ca roll）", "; it is time for a new key (ca roll)")
    } else {
        ("", "")
    };
    Some(Finding::new(
        CHECK,
        status,
        format!("発行認証局は{until}まで有効です{advice_ja}"),
        format!("the issuing CA is good until {until}{advice_en}"),
    ))
}
