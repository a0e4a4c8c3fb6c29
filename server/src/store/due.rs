//! Parcels whose time comes: held ones to be released or given up, waiting ones to be called overdue or expired.

use sqlx::Row as _;
use tasuki_proto::ids::ParcelKey;

use super::leaves::Position;
use super::parcels::{COLUMNS, ParcelRow, parcel};
use super::{Store, StoreError};

/// A piece of the log with the parcels that were delivered in it and still wait.
#[derive(Debug)]
pub struct Waiting {
    /// The piece's last position.
    pub last: Position,
    /// Parcels that were delivered in it and were not fetched, in the order of their delivery.
    pub parcels: Vec<ParcelRow>,
}

impl Store {
    /// Held parcels whose time of release has come, the longest due first, at most `limit`.
    pub async fn releases_due(&self, now_us: i64, limit: u32) -> Result<Vec<ParcelRow>, StoreError> {
        self.held("release_us > 0 AND release_us <= $1 ORDER BY release_us", now_us, limit).await
    }

    /// Held parcels without a time of release that were accepted before a time, at most `limit`.
    pub async fn held_since(&self, before_us: i64, limit: u32) -> Result<Vec<ParcelKey>, StoreError> {
        let rows = self.held("release_us = 0 AND accepted_us < $1 ORDER BY seq", before_us, limit).await?;
        Ok(rows.iter().map(|row| row.key).collect())
    }

    async fn held(&self, which: &str, time_us: i64, limit: u32) -> Result<Vec<ParcelRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM parcels WHERE state = 'held' AND {which} LIMIT $2");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(time_us).bind(i64::from(limit));
        let rows = query.fetch_all(self.read()).await?;
        rows.iter().map(parcel).collect()
    }

    /// The next `limit` leaves behind a position, as far as parcels that were delivered there still wait. `None`: the log
    /// ends there.
    pub async fn waiting_behind(&self, after: Position, limit: u32) -> Result<Option<Waiting>, StoreError> {
        let row = sqlx::query(
            "SELECT MAX(pos) AS last FROM (SELECT pos FROM leaves WHERE pos > $1 ORDER BY pos LIMIT $2) AS piece",
        )
        .bind(after.to_key())
        .bind(i64::from(limit))
        .fetch_one(self.read())
        .await?;
        let Some(last) = row.try_get::<Option<i64>, _>("last")? else { return Ok(None) };
        let sql = format!(
            "SELECT {COLUMNS} FROM parcels WHERE state = 'delivered' AND pos > $1 AND pos <= $2 AND seq IN \
             (SELECT seq FROM leaves WHERE pos > $1 AND pos <= $2 AND seq > 0) ORDER BY pos"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(after.to_key()).bind(last);
        let rows = query.fetch_all(self.read()).await?;
        let parcels = rows.iter().map(parcel).collect::<Result<_, _>>()?;
        Ok(Some(Waiting { last: Position::from_key(last), parcels }))
    }
}
