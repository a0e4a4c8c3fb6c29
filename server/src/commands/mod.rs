//! What the command line does.
//!
//! | looking for | module |
//! |---|---|
//! | commands and flags | [`crate::cli`] |
//! | making a relay's folder | [`init`] |
//! | the directory of offices, its CSV file | [`office`], [`office_csv`] |
//! | who joins and leaves; what offices declare to take | [`joining`], [`profiles`] |
//! | proxies, and for whom they act | [`proxy`] |
//! | the trial CA's certificates | [`cert`] |
//! | `log verify`; the log's key | [`log_verify`], [`log_key`] |
//! | `doctor` | [`doctor`] |
//! | override for stale revocation lists | [`revocation`] |
//! | who has vouched for the log | [`witness`] |
//! | what would go; what waits for too long | [`retention`], [`overdue`] |
//! | notices, planned stops, receive-only mode | [`operate`] |
//! | what was unusual | [`alerts`] |
//! | a month in numbers | [`stats`] |
//! | everything about a party or a key, and the incident pack | [`audit`] |
//! | operators, what they sign, what waits for a second one | [`operator`], [`operator_key`], [`approvals`] |
//! | running the relay | [`serve`] |
//! | exit codes, errors, languages, JSON | [`exit`], [`lang`], [`output`] |
//!
//! Administrative commands work whether a relay runs or not: they open the same database and commit through a
//! committer of their own ([`desk`]); a running relay notices within half a second.

pub(crate) mod alerts;
pub(crate) mod approvals;
pub(crate) mod audit;
pub(crate) mod ca;
mod cert;
mod csv;
mod desk;
mod doctor;
pub(crate) mod exit;
mod init;
pub(crate) mod joining;
pub(crate) mod lang;
pub(crate) mod log_key;
pub(crate) mod log_verify;
mod office;
mod office_columns;
mod office_csv;
pub(crate) mod operate;
pub(crate) mod operator;
mod operator_key;
pub(crate) mod output;
pub(crate) mod overdue;
pub(crate) mod profiles;
mod progress;
pub(crate) mod proxy;
pub(crate) mod retention;
mod revocation;
mod roll;
mod serve;
pub(crate) mod stats;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod witness;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command, Log};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, LoggingConfig};
use crate::logging;
use exit::{Exit, Failure};
use lang::Lang;
use output::Output;

/// Reads a command line, runs the command, and says how it ended. `arguments[0]` is the program's name.
pub(crate) fn main_with(arguments: Vec<OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Nothing can be done about a closed standard output, and the exit code says the rest.
            let _closed = error.print();
            return if error.exit_code() == 0 { Exit::Done } else { Exit::Usage }.into();
        }
    };
    let lang = cli.global.lang.unwrap_or_else(|| Lang::of_environment(|name| std::env::var(name).ok()));
    let mut out = Output::standard(lang, cli.global.json);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return tell(&Failure::Output(error), &mut out).into(),
    };
    let exit = runtime.block_on(run(&cli, &mut out)).unwrap_or_else(|failure| tell(&failure, &mut out));
    // Work that was cut off must not hold the process.
    runtime.shutdown_background();
    exit.into()
}

/// Says why a command ends without its result.
fn tell(failure: &Failure, out: &mut Output) -> Exit {
    if let Some((code, text)) = failure.explain() {
        out.error(code, &text);
    }
    failure.exit()
}

async fn run(cli: &Cli, out: &mut Output) -> Result<Exit, Failure> {
    if let Command::Init(arguments) = &cli.command {
        return init::run(arguments, out, SystemClock.now_us()).await;
    }
    let config = Config { operator: cli.global.operator(), ..Config::load(&cli.global.config)? };
    if !matches!(cli.command, Command::Serve) {
        // Commands say what they have to say themselves.
        let quiet = LoggingConfig { level: "error".to_owned(), ..config.logging.clone() };
        logging::start(&quiet).map_err(|error| Failure::Setup(error.to_string()))?;
    }
    match &cli.command {
        Command::Init(arguments) => init::run(arguments, out, SystemClock.now_us()).await,
        Command::Serve => serve::run(&config, out).await,
        Command::Office(command) => office::run(command, &config, out).await,
        Command::Proxy(command) => proxy::run(command, &config, out).await,
        Command::Ca(command) => ca::run(command, &config, out).await,
        Command::Cert(command) => cert::run(command, &config, out).await,
        Command::Log(Log::Verify) => log_verify::run(&config, out).await,
        Command::Doctor => doctor::run(&config, out).await,
        Command::Revocation(command) => revocation::run(command, &config, out).await,
        Command::Witness => witness::run(&config, out).await,
        Command::Retention(arguments) => retention::run(arguments, &config, out).await,
        Command::Overdue(arguments) => overdue::run(arguments, &config, out).await,
        Command::Notice(command) => operate::notice(command, &config, out).await,
        Command::Stop(command) => operate::stop(command, &config, out).await,
        Command::Mode(arguments) => operate::mode(arguments, &config, out).await,
        Command::Alerts(arguments) => alerts::run(arguments, &config, out).await,
        Command::Stats(arguments) => stats::run(arguments, &config, out).await,
        Command::LogKey(command) => log_key::run(command, &config, out).await,
        Command::Operator(command) => operator::run(command, &config, out).await,
        Command::Approvals(command) => approvals::run(command, &config, out).await,
        Command::Audit(arguments) => audit::run(arguments, &config, out).await,
    }
}
