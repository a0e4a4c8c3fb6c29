//! What `serve` and administrative commands set up alike: store, log key, committer.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tasuki_proto::log::roll::KeyRoll;
use tasuki_proto::log::{LogError, LogSigner};

use crate::clock::{Clock, SystemClock};
use crate::committer::start::Found;
use crate::committer::{Committer, Fatal, Started};
use crate::config::Config;
use crate::key_file::{KeyFileError, read_secret};
use crate::log_key::{self, LogKey};
use crate::store::blobs::Blobs;
use crate::store::settings::LOG_KEY_ROLLS;
use crate::store::{Store, StoreError};

/// The relay can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// The database can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log, the witness and the database don't fit together, or can't be written.
    #[error(transparent)]
    Committer(#[from] Fatal),
    /// A secret can't be used.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// A next key of the log is prepared already, and not where it is wanted.
    #[error("{0}: a next key is prepared already; hand over to that one, or take the file away first")]
    Prepared(PathBuf),
    /// The log's key is malformed.
    #[error("{path}: {source}")]
    LogKey {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: LogError,
    },
}

/// Store and committer, running.
#[derive(Debug)]
pub struct Boot {
    /// The store.
    pub store: Store,
    /// Committer and log.
    pub started: Started,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Boot {
    /// Opens the database, checks that it is durable, and starts the committer.
    ///
    /// # Errors
    /// [`BootError`].
    pub async fn start(config: &Config) -> Result<Self, BootError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        // Before the database is opened: what is wrong with the key is said first.
        read_secret(&config.evidence.log_key)?;
        let store = open_store(config).await?;
        let file = config.evidence.log_key.clone();
        let signer = log_key::load(&file, &rolls(&store).await?)?;
        let key = LogKey { signer, file: Some(file) };
        let started =
            Committer::start(store.clone(), key, &config.evidence.witness, Arc::clone(&clock)).await?;
        if started.found == Found::NoWitness {
            tracing::warn!(
                path = %config.evidence.witness.display(),
                "there was no witness: a database set back in time would not have been noticed"
            );
        }
        Ok(Self { store, started, clock })
    }

    /// Commits what is queued and closes the database.
    ///
    /// # Errors
    /// If something that was queued may not be durable.
    pub async fn finish(self) -> Result<(), Fatal> {
        let Started { committer, ledger, running, .. } = self.started;
        drop((committer, ledger));
        let finished = running.finished().await;
        self.store.close().await;
        finished
    }
}

/// The database, with the place for large contents.
///
/// # Errors
/// [`StoreError`].
pub async fn open_store(config: &Config) -> Result<Store, StoreError> {
    let blobs = config
        .content
        .as_ref()
        .map(|content| Blobs::open(&content.folder, content.large_from_kib as usize * 1024));
    let store = Store::open(&config.database.url).await?;
    Ok(match blobs.transpose()? {
        Some(blobs) => store.with_blobs(blobs),
        None => store,
    })
}

/// The log's key, from a file that only its owner may read, with what stands beside it.
///
/// # Errors
/// [`BootError`].
pub fn log_signer(path: &Path) -> Result<LogSigner, BootError> {
    log_key::load(path, &[])
}

/// How the log's key was handed over, as the database knows it.
///
/// # Errors
/// If the database can't be read.
pub async fn rolls(store: &Store) -> Result<Vec<KeyRoll>, StoreError> {
    let text = store.setting(LOG_KEY_ROLLS).await?;
    Ok(text.map(|text| log_key::parse_rolls(&text)).unwrap_or_default())
}
