//! `doctor`: one line a check, with what to do where something is not right.

mod alerts;
mod ca;
mod certificates;
mod database;
mod disk;
mod malware;
mod ocsp;
mod secrets;
mod timestamps;

use serde::Serialize;

use super::desk;
use super::exit::{Exit, Failure};
use super::lang::Text;
use super::output::Output;
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    /// Somebody should look, soon.
    Warn,
    /// The relay does not work, or not safely.
    Fail,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    check: &'static str,
    status: Status,
    text: Text,
}

impl Finding {
    fn new(check: &'static str, status: Status, ja: impl Into<String>, en: impl Into<String>) -> Self {
        Self { check, status, text: Text::new(ja, en) }
    }

    /// A check that could not be made, with the reason.
    fn failed(check: &'static str, why: &impl std::fmt::Display) -> Self {
        let why = why.to_string();
        Self::new(check, Status::Fail, why.clone(), why)
    }
}

/// A finding, as `--json` prints it.
#[derive(Serialize)]
struct FindingObject<'a> {
    check: &'static str,
    status: Status,
    message_ja: &'a str,
    message_en: &'a str,
}

pub(super) async fn run(config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    let findings = examine(config, SystemClock.now_us()).await;
    for Finding { check, status, text } in &findings {
        let mark = match status {
            Status::Ok => "ok  ",
            Status::Warn => "warn",
            Status::Fail => "FAIL",
        };
        let object = FindingObject { check, status: *status, message_ja: &text.ja, message_en: &text.en };
        let line = |text: &str| format!("{mark}  {check:<12} {text}");
        out.result(&object, &Text::new(line(&text.ja), line(&text.en)))?;
    }
    let worst = findings.iter().map(|finding| finding.status).max();
    Ok(if worst == Some(Status::Fail) { Exit::Failed } else { Exit::Done })
}

async fn examine(config: &Config, now_us: i64) -> Vec<Finding> {
    let mut findings =
        vec![Finding::new("config", Status::Ok, "設定を読めました", "the configuration reads")];
    findings.extend(secrets::check(config));
    findings.push(match config.checks.policy() {
        Ok(_) => Finding::new("checks", Status::Ok, "検査の設定を読めました", "the demands on files read"),
        Err(error) => Finding::failed("checks", &error),
    });
    match desk::open_to_read(config).await {
        Ok(store) => {
            findings.extend(database::check(&store, config, now_us).await);
            findings.extend(certificates::check_lists(&store, config, now_us).await);
            findings.extend(ca::check(&store, config, now_us).await);
            findings.extend(ocsp::check(&store, config, now_us).await);
            findings.extend(timestamps::check(&store, &config.timestamps, now_us).await);
            findings.push(certificates::check_offices(&store, now_us).await);
            findings.push(alerts::check(&store, now_us).await);
            store.close().await;
        }
        Err(failure) => {
            let text = failure.explain().map(|(_, text)| text).unwrap_or_default();
            findings.push(Finding { check: "database", status: Status::Fail, text });
        }
    }
    findings.push(certificates::check_server(config, now_us));
    findings.extend(disk::check(config));
    findings.extend(malware::check(config).await);
    findings
}

#[cfg(test)]
mod tests;
