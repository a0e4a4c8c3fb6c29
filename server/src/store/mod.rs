//! The store: one body of SQL over `sqlx::AnyPool`, on `SQLite` and on `PostgreSQL`.
//!
//! Nothing else in the project speaks SQL. Reads go through [`Store::read`]; every change of state goes through the
//! committer, which holds the [`head`] while it works in one transaction. Sealed contents come and go beside it, in short
//! transactions of their own (`contents`, `retention`, `refusals`): no state rests on them alone.

pub mod alerts;
pub mod archive;
pub mod archive_sweep;
pub mod audit;
pub mod blobs;
pub mod certificates;
mod contents;
pub mod cosignatures;
pub mod counts;
pub mod dialect;
pub mod due;
pub mod evidence_sweep;
pub mod feeds;
pub mod head;
pub mod leaves;
pub mod mail;
pub mod mandate_papers;
pub mod mandates;
pub mod membership;
pub mod notices;
pub mod offices;
pub mod operators;
pub mod overdue;
pub mod parcel_lists;
pub mod parcels;
pub mod partners;
pub mod proxies;
pub mod refusals;
pub mod retention;
pub mod rows;
pub mod search_key;
pub mod settings;
pub mod statements;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod timeline;
pub mod timestamps;
pub(crate) mod turns;
pub mod webhooks;

use std::sync::{Arc, Once};
use std::time::Duration;

use sqlx::any::AnyPoolOptions;
use sqlx::{Any, AnyPool, Transaction};

use blobs::{BlobError, Blobs};
use dialect::Dialect;

/// The store can't do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database answered with an error, or can't be reached.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// The database would lose what it confirmed.
    #[error("the database is not durable: {0}")]
    NotDurable(String),
    /// The URL is of a kind that the store does not know.
    #[error("database URL must begin with sqlite: or postgres:, not {0:?}")]
    UnknownDatabase(String),
    /// A row holds what the relay never writes.
    #[error("corrupt row: table {table}, column {column}, row {row}")]
    Corrupt {
        /// Table.
        table: &'static str,
        /// Column.
        column: &'static str,
        /// Key of the row.
        row: String,
    },
    /// A large content can't be read, written or deleted.
    #[error("large contents: {0}")]
    Blob(#[from] BlobError),
    /// Large contents were set aside, and the configuration no longer says where.
    #[error("large contents were set aside, and the configuration has no [content] that says where")]
    NoBlobs,
    /// The schema is newer than this program.
    #[error("the database was made by a newer version ({0}); update the relay")]
    TooNew(String),
}

impl StoreError {
    /// The disk failed or the data is damaged: nothing that the database says from now on can be relied on.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(error)) => {
                // SQLITE_IOERR 10, CORRUPT 11, NOTADB 26 and their extended codes; PostgreSQL classes 58
                // (system error) and XX (internal error).
                let code = error.code().unwrap_or_default();
                match code.parse::<u32>() {
                    Ok(number) if code.len() < 5 => matches!(number & 0xff, 10 | 11 | 26),
                    _ => code.starts_with("58") || code.starts_with("XX"),
                }
            }
            Self::Database(_)
            | Self::NotDurable(_)
            | Self::UnknownDatabase(_)
            | Self::Blob(_)
            | Self::NoBlobs
            | Self::TooNew(_) => false,
            Self::Corrupt { .. } => true,
        }
    }

    /// Trying again may help: the database was busy, out of reach, or ended the transaction.
    pub fn is_transient(&self) -> bool {
        !self.is_fatal()
    }
}

/// Connections for reading: enough for short queries on a few cores beside a long listing; more would only
/// queue in the database.
const READERS: u32 = 8;

/// How long a caller waits for a connection before it is told that the store is busy.
const ACQUIRE: Duration = Duration::from_secs(10);

/// Handle to the database; clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    readers: AnyPool,
    writer: AnyPool,
    dialect: Dialect,
    /// Where large contents stand; without it all are rows.
    blobs: Option<Arc<Blobs>>,
}

/// A transaction of the writer, which holds the head's lock.
pub type Tx = Transaction<'static, Any>;

impl Store {
    /// Opens (and creates, for `sqlite:PATH`) the database, checks that it is durable and brings its schema
    /// up to date.
    ///
    /// # Errors
    /// [`StoreError::NotDurable`] if the database may lose what it confirmed; it is then left alone.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        static DRIVERS: Once = Once::new();
        DRIVERS.call_once(sqlx::any::install_default_drivers);
        let dialect = Dialect::of(url).ok_or_else(|| StoreError::UnknownDatabase(scheme(url).to_owned()))?;
        let url = dialect.url(url);
        let pool = |size: u32| {
            AnyPoolOptions::new()
                .max_connections(size)
                .acquire_timeout(ACQUIRE)
                // A server may have ended a connection; there is nobody who would end one to a file.
                .test_before_acquire(dialect == Dialect::Postgres)
                .after_connect(move |connection, _| Box::pin(dialect.prepare(connection)))
        };
        let writer = pool(1).connect(&url).await?;
        dialect.check_durable(&writer).await?;
        dialect.migrate(&writer).await?;
        let readers = pool(READERS).connect(&url).await?;
        let store = Self { readers, writer, dialect, blobs: None };
        store.renew_search_keys().await?;
        Ok(store)
    }

    /// Connections for reading.
    pub(crate) fn read(&self) -> &AnyPool {
        &self.readers
    }

    /// What differs between the databases.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Begins a transaction that will change something. The caller takes the head first.
    pub(crate) async fn begin(&self) -> Result<Tx, StoreError> {
        Ok(self.dialect.begin(&self.writer).await?)
    }

    /// Closes all connections; unfinished transactions roll back.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

fn scheme(url: &str) -> &str {
    url.split(':').next().unwrap_or_default()
}
