//! Sealed contents whose time is over: finding them piece by piece, and letting them go.

use std::fmt::Write as _;

use super::parcels::{COLUMNS, ParcelRow, parcel};
use super::{Store, StoreError, Tx};

/// `count` parameters for a list, the first with this number.
pub(super) fn numbered(from: usize, count: usize) -> String {
    let mut list = String::new();
    for n in 0..count {
        let comma = if n == 0 { "" } else { "," };
        write!(list, "{comma}${}", n + from).expect("writing to a String does not fail");
    }
    list
}

impl Store {
    /// Parcels behind a number whose content is kept, in order, at most `limit`.
    pub async fn kept_after(&self, after: i64, limit: u32) -> Result<Vec<ParcelRow>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM parcels WHERE seq IN \
             (SELECT seq FROM contents WHERE seq > $1 ORDER BY seq LIMIT $2) ORDER BY seq"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(after).bind(i64::from(limit));
        query.fetch_all(self.read()).await?.iter().map(parcel).collect()
    }

    /// Deletes contents of parcels. Returns how many went. The states of the parcels do not change with it, so the head
    /// is not taken.
    pub(crate) async fn purge(&self, parcels: &[i64], now_us: i64) -> Result<u64, StoreError> {
        if parcels.is_empty() {
            return Ok(0);
        }
        let mut tx = self.begin().await?;
        let purged = self.purge_in(&mut tx, parcels, now_us).await?;
        tx.commit().await?;
        Ok(purged)
    }

    pub(super) async fn purge_in(
        &self,
        tx: &mut Tx,
        parcels: &[i64],
        now_us: i64,
    ) -> Result<u64, StoreError> {
        // A large one's empty row goes now, and the sweep of large contents comes for the rest.
        let doom = format!(
            "INSERT INTO content_intents (digest, created_us, doomed) \
             SELECT p.sealed_digest, CAST($1 AS BIGINT), 1 FROM parcels p JOIN contents c ON c.seq = p.seq \
             WHERE length(c.sealed) = 0 AND p.seq IN ({}) ON CONFLICT (digest) DO NOTHING",
            numbered(2, parcels.len())
        );
        let doom = sqlx::query(sqlx::AssertSqlSafe(doom)).bind(now_us);
        parcels.iter().fold(doom, |query, seq| query.bind(*seq)).execute(&mut **tx).await?;
        let delete = format!("DELETE FROM contents WHERE seq IN ({})", numbered(1, parcels.len()));
        let delete = sqlx::query(sqlx::AssertSqlSafe(delete));
        let delete = parcels.iter().fold(delete, |query, seq| query.bind(*seq));
        Ok(delete.execute(&mut **tx).await?.rows_affected())
    }
}
