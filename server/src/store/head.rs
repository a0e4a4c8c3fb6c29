//! The head: the one row that every change takes first and moves last.

use sqlx::Row as _;

use super::rows::{int, unsigned};
use super::{Store, StoreError, Tx};

/// Where the log ends, and counters that move with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Epoch of the log, from 1. 0: the database is new and has no log yet.
    pub epoch: u64,
    /// Leaves in this epoch's log.
    pub size: u64,
    /// Time of the last event, Unix microseconds.
    pub time_us: i64,
    /// Number of the next parcel.
    pub next_seq: i64,
    /// Counts changes of offices, keys and overrides.
    pub directory: i64,
    /// Signed checkpoint of `size`; empty in a new database.
    pub note: Vec<u8>,
}

impl Head {
    /// The head of a database that holds nothing yet.
    pub const EMPTY: Self =
        Self { epoch: 0, size: 0, time_us: 0, next_seq: 1, directory: 1, note: Vec::new() };
}

const COLUMNS: &str = "SELECT epoch, size, time_us, next_seq, directory, note FROM head WHERE one = 1";

fn from_row(row: &sqlx::any::AnyRow) -> Result<Head, StoreError> {
    Ok(Head {
        epoch: unsigned(row, "epoch")?,
        size: unsigned(row, "size")?,
        time_us: row.try_get("time_us")?,
        next_seq: row.try_get("next_seq")?,
        directory: row.try_get("directory")?,
        note: row.try_get("note")?,
    })
}

impl Store {
    /// The head as last committed.
    pub async fn head(&self) -> Result<Head, StoreError> {
        let row = sqlx::query(COLUMNS).fetch_optional(self.read()).await?;
        row.as_ref().map_or(Ok(Head::EMPTY), from_row)
    }

    /// Reads the head and holds it until the transaction ends: nobody else can move it meanwhile.
    pub(crate) async fn take_head(&self, tx: &mut Tx) -> Result<Head, StoreError> {
        let sql = format!("{COLUMNS}{}", self.dialect().lock_head());
        let row = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_optional(&mut **tx).await?;
        if let Some(row) = row {
            return from_row(&row);
        }
        sqlx::query(
            "INSERT INTO head (one, epoch, size, time_us, next_seq, directory, note) \
             VALUES (1, $1, $2, $3, $4, $5, $6)",
        )
        .bind(int(Head::EMPTY.epoch))
        .bind(int(Head::EMPTY.size))
        .bind(Head::EMPTY.time_us)
        .bind(Head::EMPTY.next_seq)
        .bind(Head::EMPTY.directory)
        .bind(Head::EMPTY.note.clone())
        .execute(&mut **tx)
        .await?;
        Ok(Head::EMPTY)
    }

    /// Writes the moved head. The row is held, so it is the one that was read.
    pub(crate) async fn put_head(&self, tx: &mut Tx, head: &Head) -> Result<(), StoreError> {
        let done = sqlx::query(
            "UPDATE head SET epoch = $1, size = $2, time_us = $3, next_seq = $4, directory = $5, note = $6 \
             WHERE one = 1",
        )
        .bind(int(head.epoch))
        .bind(int(head.size))
        .bind(head.time_us)
        .bind(head.next_seq)
        .bind(head.directory)
        .bind(head.note.clone())
        .execute(&mut **tx)
        .await?;
        if done.rows_affected() == 1 {
            Ok(())
        } else {
            Err(StoreError::Corrupt { table: "head", column: "one", row: "1".to_owned() })
        }
    }
}
