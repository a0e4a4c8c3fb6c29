//! What the command line does. Administrative commands work whether a relay runs or not: they open the same
//! database and commit through a committer of their own; a running relay notices within half a second.

mod certs;
mod doctor;
mod init;
mod log;
mod offices;
mod offices_csv;
mod output;
mod revocation;
mod serve;

use std::process::ExitCode;

use crate::boot::{Boot, BootError};
use crate::cli::{Cli, Command};
use crate::clock::{Clock as _, SystemClock};
use crate::committer::Fatal;
use crate::committer::change::{Change, Done, Refused};
use crate::config::{Config, ConfigError};
use crate::logging;
use crate::store::StoreError;
use crate::trial_ca::CaError;
use output::Output;

/// A command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    /// Wrong usage or configuration: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// Something was refused, or failed: exit code 1.
    #[error("{0}")]
    Failed(String),
}

impl From<ConfigError> for CommandError {
    fn from(error: ConfigError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<BootError> for CommandError {
    fn from(error: BootError) -> Self {
        match error {
            BootError::Secret { .. } | BootError::LogKey { .. } | BootError::Exposed(_) => {
                Self::Usage(error.to_string())
            }
            BootError::Store(_) | BootError::Committer(_) => Self::Failed(error.to_string()),
        }
    }
}

impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<Fatal> for CommandError {
    fn from(error: Fatal) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<CaError> for CommandError {
    fn from(error: CaError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<Refused> for CommandError {
    fn from(refused: Refused) -> Self {
        Self::Failed(format!("{} ({})", refused, refused.code()))
    }
}

impl From<std::io::Error> for CommandError {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Runs a command. 0: done. 1: something was refused or failed. 2: usage or configuration.
pub fn main(cli: &Cli) -> ExitCode {
    let output = Output::new(cli.json);
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandError::Failed(format!("no threads: {error}")))
        .and_then(|runtime| {
            let outcome = runtime.block_on(run(cli, &output));
            // Work that was cut off must not hold the process.
            runtime.shutdown_background();
            outcome
        });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output.error(&error.to_string());
            ExitCode::from(match error {
                CommandError::Failed(_) => 1,
                CommandError::Usage(_) => 2,
            })
        }
    }
}

async fn run(cli: &Cli, output: &Output) -> Result<(), CommandError> {
    if let Command::Init(arguments) = &cli.command {
        return init::run(arguments, output).await;
    }
    let config = Config::load(&cli.config)?;
    if !matches!(cli.command, Command::Serve) {
        // Commands say what they have to say themselves.
        let quiet = crate::config::LoggingConfig { level: "error".to_owned(), ..config.logging.clone() };
        logging::start(&quiet).map_err(|error| CommandError::Usage(error.to_string()))?;
    }
    match &cli.command {
        Command::Init(_) => Ok(()),
        Command::Serve => serve::run(&config, output).await,
        Command::Office { command } => offices::run(&config, command, output).await,
        Command::Cert { command } => certs::run(&config, command, output).await,
        Command::Log { command } => log::run(&config, command, output).await,
        Command::Doctor => doctor::run(&config, output).await,
        Command::Revocation { command } => revocation::run(&config, command, output).await,
    }
}

/// The relay's database, open for changes.
struct Desk {
    boot: Boot,
}

impl Desk {
    async fn open(config: &Config) -> Result<Self, CommandError> {
        Ok(Self { boot: Boot::start(config).await? })
    }

    fn now_us(&self) -> i64 {
        self.boot.clock.now_us()
    }

    async fn submit(&self, change: Change) -> Result<Done, Refused> {
        self.boot.started.committer.submit(change).await
    }

    async fn close(self) -> Result<(), CommandError> {
        Ok(self.boot.finish().await?)
    }
}

/// The time, for commands that need no database.
fn now_us() -> i64 {
    SystemClock.now_us()
}
