//! Reading everything in order, for `log verify` and `doctor`: page by page, so that memory stays small.

use sqlx::Row as _;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::feed::Opening;

use super::feeds::FeedRow;
use super::leaves::{Leaf, Position};
use super::parcels::{COLUMNS, ParcelRow, parcel};
use super::rows::{array, digest, int, parsed, unsigned};
use super::{Store, StoreError};

/// Where a walk over all feeds stands: behind this entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedPlace {
    /// Whose feed.
    pub office: OfficeNumber,
    /// Epoch of the log.
    pub epoch: u64,
    /// Number in that feed.
    pub number: u64,
}

/// An entry of a feed with the event that it names; `None`: there is no such leaf.
pub type FeedEntry = (FeedRow, Option<Vec<u8>>);

impl Store {
    /// Entries of all feeds, in order of office, epoch and number, behind `after`, at most `limit`.
    pub async fn feeds_from(
        &self,
        after: Option<FeedPlace>,
        limit: u32,
    ) -> Result<Vec<FeedEntry>, StoreError> {
        // Row comparison: both databases walk the primary key with it.
        let rows = sqlx::query(
            "SELECT f.office, f.epoch, f.number, f.pos, f.salt, f.previous, l.text FROM feeds f \
             LEFT JOIN leaves l ON l.pos = f.pos \
             WHERE (f.office, f.epoch, f.number) > ($1, $2, $3) \
             ORDER BY f.office, f.epoch, f.number LIMIT $4",
        )
        .bind(after.map(|place| place.office.to_string()).unwrap_or_default())
        .bind(after.map_or(0, |place| int(place.epoch)))
        .bind(after.map_or(0, |place| int(place.number)))
        .bind(i64::from(limit))
        .fetch_all(self.read())
        .await?;
        rows.iter()
            .map(|row| {
                let opening = Opening {
                    party: parsed(row, "feeds", "office", &"")?,
                    number: unsigned(row, "number")?,
                    previous: digest(row, "previous")?,
                    salt: array(row, "salt")?,
                };
                // The epoch is in the position, too; where the two differ, the row is of no use.
                let position = Position::from_key(row.try_get("pos")?);
                if position.epoch != unsigned(row, "epoch")? {
                    let row = format!("{} {}", opening.party, opening.number);
                    return Err(StoreError::Corrupt { table: "feeds", column: "epoch", row });
                }
                Ok((FeedRow { opening, position }, row.try_get("text")?))
            })
            .collect()
    }

    /// Parcels in order of acceptance behind `after`, at most `limit`.
    pub async fn parcels_from(&self, after: i64, limit: u32) -> Result<Vec<ParcelRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM parcels WHERE seq > $1 ORDER BY seq LIMIT $2");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(after).bind(i64::from(limit));
        query.fetch_all(self.read()).await?.iter().map(parcel).collect()
    }

    /// Leaves about the parcels `first..=last`, in order of parcel and position.
    pub async fn leaves_of_parcels(&self, first: i64, last: i64) -> Result<Vec<Leaf>, StoreError> {
        let rows = sqlx::query(
            "SELECT pos, seq, text FROM leaves WHERE seq >= $1 AND seq <= $2 AND seq > 0 ORDER BY seq, pos",
        )
        .bind(first)
        .bind(last)
        .fetch_all(self.read())
        .await?;
        rows.iter().map(super::leaves::leaf).collect()
    }

    /// Size of an epoch by its last checkpoint; 0: there is none.
    pub async fn last_checkpoint_size(&self, epoch: u64) -> Result<u64, StoreError> {
        let row = sqlx::query("SELECT MAX(size) AS size FROM checkpoints WHERE epoch = $1")
            .bind(int(epoch))
            .fetch_one(self.read())
            .await?;
        let size: Option<i64> = row.try_get("size")?;
        Ok(size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0))
    }
}
