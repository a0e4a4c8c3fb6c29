//! `doctor`: one line a check, with what to do where something is not right.

mod checks;

use serde::Serialize;

use super::CommandError;
use super::output::Output;
use crate::config::Config;

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Standing {
    Ok,
    Warn,
    Fail,
}

/// One check.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    standing: Standing,
    message: String,
}

impl Finding {
    fn new(check: &'static str, standing: Standing, message: impl Into<String>) -> Self {
        Self { check, standing, message: message.into() }
    }
}

pub(super) async fn run(config: &Config, output: &Output) -> Result<(), CommandError> {
    let mut findings = vec![Finding::new("configuration", Standing::Ok, "reads")];
    findings.extend(checks::files(config));
    findings.extend(checks::database(config).await);
    findings.extend(checks::trust(config).await);
    findings.extend(checks::server_certificate(config, super::now_us()));
    findings.extend(checks::disk(config));
    for finding in &findings {
        let mark = match finding.standing {
            Standing::Ok => "ok  ",
            Standing::Warn => "warn",
            Standing::Fail => "FAIL",
        };
        output.line(finding, &format!("{mark}  {:<14} {}", finding.check, finding.message));
    }
    match findings.iter().filter(|f| f.standing == Standing::Fail).count() {
        0 => Ok(()),
        failed => Err(CommandError::Failed(format!("{failed} checks failed"))),
    }
}
