//! Time stamps of checkpoints.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::rows::{int, unsigned};
use super::{Store, StoreError};

/// A stamped checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimestampRow {
    /// Epoch of the log.
    pub epoch: u64,
    /// Leaves of the tree.
    pub size: u64,
    /// The authority's time, Unix microseconds.
    pub time_us: i64,
    /// The checkpoint, as it was stamped.
    pub note: Vec<u8>,
    /// The authority's answer, DER.
    pub response: Vec<u8>,
}

impl Store {
    /// Keeps a stamp; the first one of a checkpoint stays. Returns when it is durable.
    pub async fn put_timestamp(&self, row: &TimestampRow) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO timestamps (epoch, size, time_us, note, response) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (epoch, size) DO NOTHING",
        )
        .bind(int(row.epoch))
        .bind(int(row.size))
        .bind(row.time_us)
        .bind(row.note.clone())
        .bind(row.response.clone())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The first stamp of an epoch that covers a leaf: the smallest tree that holds it.
    pub async fn timestamp_covering(
        &self,
        epoch: u64,
        index: u64,
    ) -> Result<Option<TimestampRow>, StoreError> {
        let row = sqlx::query(
            "SELECT epoch, size, time_us, note, response FROM timestamps \
             WHERE epoch = $1 AND size > $2 ORDER BY size LIMIT 1",
        )
        .bind(int(epoch))
        .bind(int(index))
        .fetch_optional(self.read())
        .await?;
        row.as_ref().map(read).transpose()
    }

    /// The last stamp of all.
    pub async fn last_timestamp(&self) -> Result<Option<TimestampRow>, StoreError> {
        let row = sqlx::query(
            "SELECT epoch, size, time_us, note, response FROM timestamps ORDER BY epoch DESC, size DESC LIMIT 1",
        )
        .fetch_optional(self.read())
        .await?;
        row.as_ref().map(read).transpose()
    }
}

fn read(row: &AnyRow) -> Result<TimestampRow, StoreError> {
    Ok(TimestampRow {
        epoch: unsigned(row, "epoch")?,
        size: unsigned(row, "size")?,
        time_us: row.try_get("time_us")?,
        note: row.try_get("note")?,
        response: row.try_get("response")?,
    })
}
