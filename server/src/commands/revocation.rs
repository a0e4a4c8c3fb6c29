//! `revocation override|end|status|fetch`: what happens when a revocation list is too old, and fetching them.

mod fetched;

use serde::Serialize;
use tasuki_certs::trust::{AlarmState, CurrentTrust as _, RevocationAlarm};
use tasuki_proto::event::kind;
use tasuki_proto::time;

use self::fetched::SourceObject;
pub(super) use self::fetched::{source_text, sources};
use super::desk::{self, Desk};
use super::exit::{Exit, Failure};
use super::lang::Text;
use super::output::Output;
use crate::cli::Revocation;
use crate::clock::{Clock as _, SystemClock};
use crate::committer::change::Change;
use crate::config::Config;
use crate::store::Store;
use crate::store::settings::REVOCATION_OVERRIDE;
use crate::trust::Trust;

/// The longest that stale revocation lists may pass for: time enough for a CA to mend what broke.
const MAX_OVERRIDE_US: i64 = 7 * 86_400 * 1_000_000;

/// An override, as `--json` prints it.
#[derive(Serialize)]
struct OverrideObject<'a> {
    /// None: there is none.
    until: Option<String>,
    reason: &'a str,
}

/// How revocation stands, as `--json` prints it.
#[derive(Serialize)]
struct StatusObject<'n> {
    override_until: Option<String>,
    alarms: Vec<AlarmObject>,
    fetched: Vec<SourceObject<'n>>,
}

/// A list that is too old, or soon will be.
#[derive(Serialize)]
struct AlarmObject {
    issuer: String,
    state: &'static str,
    at: Option<String>,
}

pub(super) async fn run(command: &Revocation, config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    match command {
        Revocation::Override(arguments) => {
            check_until(arguments.until, SystemClock.now_us())?;
            set(Some(arguments.until), &arguments.reason, config, out).await
        }
        Revocation::End(arguments) => set(None, &arguments.reason, config, out).await,
        Revocation::Status => status(config, out).await,
        Revocation::Fetch => fetched::fetch_now(config, out).await,
    }
}

fn check_until(until_us: i64, now_us: i64) -> Result<(), Failure> {
    if until_us <= now_us {
        return Err(Failure::usage("UNTIL", "--until が過去です", "--until lies in the past"));
    }
    if until_us > now_us.saturating_add(MAX_OVERRIDE_US) {
        return Err(Failure::usage(
            "UNTIL",
            "--until は7日以内にしてください",
            "--until: at most 7 days ahead",
        ));
    }
    Ok(())
}

async fn set(
    until_us: Option<i64>,
    reason: &str,
    config: &Config,
    out: &mut Output,
) -> Result<Exit, Failure> {
    let until = until_us.map(time::format_us);
    let desk = Desk::open(config, out).await?;
    // An override that ended a moment ago is one that is not in force.
    let value = until_us.unwrap_or(0);
    let change = Change::Audit {
        kind: kind::REVOCATION_OVERRIDE,
        lines: vec![
            ("until", until.clone().unwrap_or_else(|| "ended".to_owned())),
            ("reason", reason.to_owned()),
        ],
        office: None,
        setting: Some((REVOCATION_OVERRIDE, value.to_string())),
    };
    let done = desk.submit(change).await;
    desk.close().await?;
    done?;
    let text = match &until {
        Some(until) => Text::new(
            format!("{until}まで、古い失効リストでも受け付けます(記録しました)"),
            format!("stale revocation lists pass until {until}; the log says so"),
        ),
        None => Text::new(
            "古い失効リストの特例を終えました(記録しました)",
            "the override has ended; the log says so",
        ),
    };
    out.result(&OverrideObject { until, reason }, &text)?;
    Ok(Exit::Done)
}

async fn status(config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    let now_us = SystemClock.now_us();
    let store = desk::open_to_read(config).await?;
    let until_us = override_until(&store, now_us).await;
    let trust = Trust::load_with(&config.trust, &store).await;
    store.close().await;
    let until = until_us?.map(time::format_us);
    let alarms = trust?.current().revocation_alarms(now_us);
    let mut lines = vec![match &until {
        Some(until) => Text::new(
            format!("特例: {until}まで、古い失効リストでも受け付けます"),
            format!("override: stale lists pass until {until}"),
        ),
        None => Text::new("特例: なし", "override: none"),
    }];
    lines.extend(alarms.iter().map(alarm_text));
    if alarms.is_empty() {
        lines.push(Text::new("失効リスト: すべて有効です", "revocation lists: all are fresh"));
    }
    let sources = fetched::sources(config)?;
    lines.extend(sources.iter().map(fetched::source_text));
    let join = |pick: fn(&Text) -> &str| lines.iter().map(pick).collect::<Vec<_>>().join("\n");
    let text = Text::new(join(|t| &t.ja), join(|t| &t.en));
    let alarms = alarms.iter().map(|alarm| {
        let (state, at) = alarm_state(alarm);
        AlarmObject { issuer: alarm.issuer.clone(), state, at: at.map(time::format_us) }
    });
    let fetched = sources.iter().map(SourceObject::of).collect();
    out.result(&StatusObject { override_until: until, alarms: alarms.collect(), fetched }, &text)?;
    Ok(Exit::Done)
}

/// Until when stale lists pass, if they do.
pub(super) async fn override_until(store: &Store, now_us: i64) -> Result<Option<i64>, Failure> {
    let until = store.setting(REVOCATION_OVERRIDE).await?.and_then(|text| text.parse().ok());
    Ok(until.filter(|until| *until > now_us))
}

fn alarm_state(alarm: &RevocationAlarm) -> (&'static str, Option<i64>) {
    match alarm.state {
        AlarmState::Missing => ("missing", None),
        AlarmState::Unusable(_) => ("unusable", None),
        AlarmState::StaleSince(us) => ("stale", Some(us)),
        AlarmState::StaleFrom(us) => ("stale_soon", Some(us)),
        _ => ("other", None),
    }
}

/// An alarm in words.
pub(super) fn alarm_text(alarm: &RevocationAlarm) -> Text {
    let issuer = &alarm.issuer;
    match alarm.state {
        AlarmState::Missing => Text::new(
            format!("{issuer}: 失効リストがありません"),
            format!("{issuer}: there is no revocation list"),
        ),
        AlarmState::Unusable(fault) => Text::new(
            format!("{issuer}: 失効リストを使えません: {fault}"),
            format!("{issuer}: the revocation list can't be used: {fault}"),
        ),
        AlarmState::StaleSince(us) => Text::new(
            format!("{issuer}: 失効リストは{}に期限切れになりました", time::format_us(us)),
            format!("{issuer}: the revocation list is stale since {}", time::format_us(us)),
        ),
        AlarmState::StaleFrom(us) => Text::new(
            format!("{issuer}: 失効リストは{}に期限切れになります", time::format_us(us)),
            format!("{issuer}: the revocation list becomes stale at {}", time::format_us(us)),
        ),
        _ => Text::new(
            format!("{issuer}: 失効リストに問題があります"),
            format!("{issuer}: something is wrong with the revocation list"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_override_ends_within_a_week() {
        let now_us = 1_795_261_114_000_000;
        assert!(check_until(now_us + 1, now_us).is_ok());
        assert!(check_until(now_us + MAX_OVERRIDE_US, now_us).is_ok());
        for until_us in [now_us, now_us - 1, now_us + MAX_OVERRIDE_US + 1, i64::MAX] {
            assert!(matches!(check_until(until_us, now_us), Err(Failure::Usage("UNTIL", _))), "{until_us}");
        }
    }
}
