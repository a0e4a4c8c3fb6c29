//! `revocation override`

use jiff::Timestamp;
use serde::Serialize;
use tasuki_proto::event::kind;
use tasuki_proto::time;

use super::output::Output;
use super::{CommandError, Desk};
use crate::cli::RevocationCommand;
use crate::committer::change::Change;
use crate::config::Config;
use crate::store::settings::REVOCATION_OVERRIDE;

/// The longest that stale revocation data may pass for: long enough for a CA to mend what broke.
const MAX_US: i64 = 7 * 86_400 * 1_000_000;

#[derive(Serialize)]
struct Overridden<'a> {
    until: &'a str,
    reason: &'a str,
}

pub(super) async fn run(
    config: &Config,
    command: &RevocationCommand,
    output: &Output,
) -> Result<(), CommandError> {
    let RevocationCommand::Override { until, reason } = command;
    let until_us = check(until, reason, super::now_us()).map_err(|p| CommandError::Usage(p.to_owned()))?;
    let until = time::format_us(until_us);
    let desk = Desk::open(config).await?;
    let done = desk
        .submit(Change::Audit {
            kind: kind::REVOCATION_OVERRIDE,
            lines: vec![("until", until.clone()), ("reason", reason.clone())],
            office: None,
            setting: Some((REVOCATION_OVERRIDE, until_us.to_string())),
        })
        .await;
    desk.close().await?;
    done?;
    let text = format!("stale revocation lists pass until {until}; the log says so");
    output.line(&Overridden { until: &until, reason }, &text);
    Ok(())
}

fn check(until: &str, reason: &str, now_us: i64) -> Result<i64, &'static str> {
    let until: Timestamp = until.parse().map_err(|_| "--until: not a time as in RFC 3339")?;
    let until_us = until.as_microsecond();
    if until_us <= now_us {
        return Err("--until: lies in the past");
    }
    if until_us > now_us.saturating_add(MAX_US) {
        return Err("--until: at most seven days from now");
    }
    if reason.trim().is_empty() {
        return Err("--reason: say why");
    }
    Ok(until_us)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_override_is_short_and_has_a_reason() {
        let now_us = 1_795_261_114_000_000;
        let at = |days: i64| time::format_us(now_us + days * 86_400 * 1_000_000);
        assert_eq!(check(&at(7), "CA down", now_us), Ok(now_us + MAX_US));
        assert_eq!(check("2026-11-22T09:00:00+09:00", "r", now_us), Ok(1_795_305_600_000_000));
        for (until, reason) in [(at(8), "r"), (at(-1), "r"), (at(1), " "), ("tomorrow".to_owned(), "r")] {
            assert!(check(&until, reason, now_us).is_err(), "{until}");
        }
    }
}
