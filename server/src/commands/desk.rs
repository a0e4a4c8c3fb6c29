//! Where administrative commands make their changes: the relay's database, open, with a committer of its own.

use std::path::Path;

use tasuki_proto::operator::Role;

use super::exit::Failure;
use super::lang::Text;
use super::operator_key::OperatorKey;
use super::output::Output;
use crate::boot::{Boot, open_store};
use crate::committer::administering::{TwoPersons, describe};
use crate::committer::change::{Administering, By, Change, Done, Operating};
use crate::committer::start::Found;
use crate::config::Config;
use crate::store::Store;

/// The relay's database, open for changes.
#[derive(Debug)]
pub(super) struct Desk {
    boot: Boot,
    /// Signs what is done here.
    operator: Option<OperatorKey>,
    two_persons: TwoPersons,
}

impl Desk {
    /// Opens the database and starts a committer. Beginning a new epoch, where the database went back in time,
    /// is told.
    pub(super) async fn open(config: &Config, out: &mut Output) -> Result<Self, Failure> {
        check_database(config)?;
        let boot = Boot::start(config).await?;
        let operator = match &config.operator {
            None => None,
            Some(files) => match OperatorKey::load(files, config, &boot.store).await {
                Ok(operator) => Some(operator),
                Err(failure) => {
                    boot.finish().await?;
                    return Err(failure);
                }
            },
        };
        match boot.started.found {
            Found::New | Found::Continues => {}
            Found::NoWitness => {
                let path = config.evidence.witness.display();
                let text = Text::new(
                    format!(
                        "データベース外の控え({path})がないため、過去の状態に戻されたデータベースを見分けられません"
                    ),
                    format!("{path} was missing: a database set back in time would not have been noticed"),
                );
                out.warn("NO_WITNESS", &text);
            }
            Found::WentBack(lost) => {
                let text = Text::new(
                    format!(
                        "データベースが過去の状態に戻されています。第{}期の記録{}〜{}が失われ、新しい期を始めました",
                        lost.epoch, lost.kept, lost.known
                    ),
                    format!(
                        "the database went back in time: events {} to {} of epoch {} are lost, and a new epoch began",
                        lost.kept, lost.known, lost.epoch
                    ),
                );
                out.warn("WENT_BACK", &text);
            }
        }
        Ok(Self { boot, operator, two_persons: config.operators.two_persons() })
    }

    /// For reading.
    pub(super) fn store(&self) -> &Store {
        &self.boot.store
    }

    /// The time.
    pub(super) fn now_us(&self) -> i64 {
        self.boot.clock.now_us()
    }

    /// Makes a change in the name of whoever gave the command; it is durable when this returns, or waits for a second
    /// operator ([`Done::waits`]).
    pub(super) async fn submit(&self, change: Change) -> Result<Done, Failure> {
        let by = match (&self.operator, describe(&change)) {
            (Some(operator), Some(described)) => {
                operator.sign(described, self.boot.started.ledger.key().name(), self.now_us())?
            }
            _ => By::Account,
        };
        let administering = Administering { by, two_persons: self.two_persons, change };
        Ok(self.boot.started.committer.submit(Change::Administer(Box::new(administering))).await?)
    }

    /// Fails, and has the log say so, unless whoever gave the command may do such an act. For commands that do something
    /// outside the database first.
    pub(super) async fn may(&self, kind: &'static str, role: Role) -> Result<(), Failure> {
        self.submit(Change::Operators(Box::new(Operating::May { kind, role }))).await.map(drop)
    }

    /// Waits until everything is durable, and closes the database.
    pub(super) async fn close(self) -> Result<(), Failure> {
        Ok(self.boot.finish().await?)
    }
}

/// Opens the database for reading only.
pub(super) async fn open_to_read(config: &Config) -> Result<Store, Failure> {
    check_database(config)?;
    Ok(open_store(config).await?)
}

/// An embedded database that is not there would be made, empty: to a command that is a mistake in the path.
fn check_database(config: &Config) -> Result<(), Failure> {
    let Some(file) = config.database.url.strip_prefix("sqlite:") else { return Ok(()) };
    let file = file.trim_start_matches("//").split('?').next().unwrap_or_default();
    if Path::new(file).exists() {
        return Ok(());
    }
    Err(Failure::usage(
        "NO_DATABASE",
        format!("データベースがありません: {file}"),
        format!("there is no database: {file}"),
    ))
}
