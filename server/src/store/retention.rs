//! Sealed contents whose time is over: finding them piece by piece, and letting them go.

use sqlx::Row as _;

use super::parcels::State;
use super::{Store, StoreError};

/// A piece of the contents that are kept: the parcels numbered `first..=last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Number of the first parcel.
    pub first: i64,
    /// Number of the last.
    pub last: i64,
}

impl Store {
    /// The next contents behind a parcel's number, at most `limit` of them. `None`: there are no more.
    pub async fn next_contents(&self, after: i64, limit: u32) -> Result<Option<Piece>, StoreError> {
        let row = sqlx::query(
            "SELECT MIN(seq) AS first, MAX(seq) AS last FROM \
             (SELECT seq FROM contents WHERE seq > $1 ORDER BY seq LIMIT $2) AS piece",
        )
        .bind(after)
        .bind(i64::from(limit))
        .fetch_one(self.read())
        .await?;
        let (first, last): (Option<i64>, Option<i64>) = (row.try_get("first")?, row.try_get("last")?);
        Ok(first.zip(last).map(|(first, last)| Piece { first, last }))
    }

    /// Deletes the contents in a piece whose parcels were acknowledged before `before_us`. Returns how many went.
    ///
    /// The state of a parcel does not change with it, so the head is not taken.
    pub(crate) async fn purge_acknowledged(&self, piece: Piece, before_us: i64) -> Result<u64, StoreError> {
        const DUE: &str =
            "FROM parcels WHERE seq >= $1 AND seq <= $2 AND state = $3 AND acknowledged_us < $4";
        // A large one's empty row goes now, and the sweep of large contents comes for the rest.
        const DOOM: &str = "INSERT INTO content_intents (digest, created_us, doomed) \
             SELECT sealed_digest, acknowledged_us, 1 FROM parcels p JOIN contents c ON c.seq = p.seq \
             WHERE p.seq >= $1 AND p.seq <= $2 AND p.state = $3 AND p.acknowledged_us < $4 \
             AND length(c.sealed) = 0";
        let sql = format!("SELECT COUNT(*) AS due FROM contents WHERE seq IN (SELECT seq {DUE})");
        let due: i64 = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(piece.first)
            .bind(piece.last)
            .bind(State::Acknowledged.as_str())
            .bind(before_us)
            .fetch_one(self.read())
            .await?
            .try_get("due")?;
        if due == 0 {
            // Mostly so: nothing is due, and the writer is not disturbed.
            return Ok(0);
        }
        let delete = format!("DELETE FROM contents WHERE seq IN (SELECT seq {DUE})");
        let mut tx = self.begin().await?;
        let mut purged = 0;
        for sql in [DOOM.to_owned(), delete] {
            let done = sqlx::query(sqlx::AssertSqlSafe(sql))
                .bind(piece.first)
                .bind(piece.last)
                .bind(State::Acknowledged.as_str())
                .bind(before_us)
                .execute(&mut *tx)
                .await?;
            purged = done.rows_affected();
        }
        tx.commit().await?;
        Ok(purged)
    }
}
