//! Where administrative commands make their changes: the relay's database, open, with a committer of its own.

use std::path::Path;

use super::exit::Failure;
use super::lang::Text;
use super::output::Output;
use crate::boot::{Boot, open_store};
use crate::committer::change::{Change, Done};
use crate::committer::start::Found;
use crate::config::Config;
use crate::store::Store;

/// The relay's database, open for changes.
#[derive(Debug)]
pub(super) struct Desk {
    boot: Boot,
}

impl Desk {
    /// Opens the database and starts a committer. Beginning a new epoch, where the database went back in time,
    /// is told.
    pub(super) async fn open(config: &Config, out: &mut Output) -> Result<Self, Failure> {
        check_database(config)?;
        let boot = Boot::start(config).await?;
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
        Ok(Self { boot })
    }

    /// For reading.
    pub(super) fn store(&self) -> &Store {
        &self.boot.store
    }

    /// The time.
    pub(super) fn now_us(&self) -> i64 {
        self.boot.clock.now_us()
    }

    /// Makes a change; it is durable when this returns.
    pub(super) async fn submit(&self, change: Change) -> Result<Done, Failure> {
        Ok(self.boot.started.committer.submit(change).await?)
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
