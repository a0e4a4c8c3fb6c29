//! What witnesses vouch for: the last cosignature of each in each epoch.

use sqlx::Row as _;

use super::rows::{int, unsigned};
use super::{Store, StoreError};

/// A witness's cosignature of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CosignatureRow {
    /// Epoch of the log.
    pub epoch: u64,
    /// The witness's verifier key.
    pub witness: String,
    /// Leaves of the tree that it vouches for.
    pub size: u64,
    /// When, Unix seconds.
    pub time_s: u64,
    /// Its line of the note.
    pub line: Vec<u8>,
}

impl Store {
    /// Keeps a cosignature in the place of the witness's earlier one of the same epoch; an older one changes nothing.
    /// Returns when it is durable.
    pub async fn put_cosignature(&self, row: &CosignatureRow) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO cosignatures (epoch, witness, size, time_s, line) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (epoch, witness) DO UPDATE \
             SET size = excluded.size, time_s = excluded.time_s, line = excluded.line \
             WHERE cosignatures.size < excluded.size \
             OR (cosignatures.size = excluded.size AND cosignatures.time_s < excluded.time_s)",
        )
        .bind(int(row.epoch))
        .bind(row.witness.clone())
        .bind(int(row.size))
        .bind(int(row.time_s))
        .bind(row.line.clone())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The cosignatures of an epoch, the largest tree first, each with the checkpoint that it is of. There are as many as
    /// there ever were witnesses in the configuration.
    pub async fn cosignatures(&self, epoch: u64) -> Result<Vec<(CosignatureRow, Vec<u8>)>, StoreError> {
        let rows = sqlx::query(
            "SELECT c.epoch AS epoch, c.witness AS witness, c.size AS size, c.time_s AS time_s, c.line AS line, \
             p.note AS note FROM cosignatures c JOIN checkpoints p ON p.epoch = c.epoch AND p.size = c.size \
             WHERE c.epoch = $1 ORDER BY c.size DESC, c.witness LIMIT 1000",
        )
        .bind(int(epoch))
        .fetch_all(self.read())
        .await?;
        let read = |row: &sqlx::any::AnyRow| {
            let cosignature = CosignatureRow {
                epoch: unsigned(row, "epoch")?,
                witness: row.try_get("witness")?,
                size: unsigned(row, "size")?,
                time_s: unsigned(row, "time_s")?,
                line: row.try_get("line")?,
            };
            Ok((cosignature, row.try_get("note")?))
        };
        rows.iter().map(read).collect()
    }

    /// The checkpoint of one size.
    pub async fn checkpoint(&self, epoch: u64, size: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let row = sqlx::query("SELECT note FROM checkpoints WHERE epoch = $1 AND size = $2")
            .bind(int(epoch))
            .bind(int(size))
            .fetch_optional(self.read())
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }
}
