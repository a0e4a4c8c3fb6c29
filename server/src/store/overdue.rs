//! Parcels that were called overdue and still wait: the operator's list.

use super::parcels::{COLUMNS, ParcelRow, parcel};
use super::{Store, StoreError};

impl Store {
    /// Parcels behind a number that were called overdue and wait for their receiver, in the order of acceptance, at most
    /// `limit`. Those that a newer version has taken the place of wait for nobody.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn overdue_after(&self, after: i64, limit: u32) -> Result<Vec<ParcelRow>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM parcels WHERE state = 'delivered' AND overdue_us > 0 \
             AND superseded_by IS NULL AND seq > $1 ORDER BY seq LIMIT $2"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(after).bind(i64::from(limit));
        query.fetch_all(self.read()).await?.iter().map(parcel).collect()
    }
}
