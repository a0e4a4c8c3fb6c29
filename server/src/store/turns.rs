//! Who is to be told, of those that are told by webhook or by mail: found by what was written into the log since the last look, and
//! by pauses and turns that are over. Those that have nothing to be told cost nothing.

use sqlx::any::AnyRow;
use tasuki_careplan::office::OfficeNumber;

use super::leaves::Position;
use super::rows::parsed;
use super::{Store, StoreError};

/// How offices are told: a table with a place in the feed, a pause and a lease for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// `webhooks`
    Webhook,
    /// `mail`
    Mail,
}

impl Way {
    fn table(self) -> &'static str {
        match self {
            Self::Webhook => "webhooks",
            Self::Mail => "mail",
        }
    }
}

/// A row `w` whose turn may be taken at `$1`: nobody is at it, it keeps no pause, and there is something to be told, or a pause
/// or a turn to be forgotten.
pub(super) const DUE: &str = "w.next_us <= $1 AND w.lease_us < $1 AND (w.next_us > 0 OR w.lease_us > 0 OR EXISTS \
     (SELECT 1 FROM feeds f WHERE f.office = w.office AND \
     (f.epoch > w.epoch OR (f.epoch = w.epoch AND f.number > w.number))))";

impl Store {
    /// Everybody with something to be told. Looks at every row: for the beginning.
    pub(crate) async fn behind(&self, way: Way) -> Result<Vec<OfficeNumber>, StoreError> {
        let table = way.table();
        let sql = format!(
            "SELECT office FROM {table} w WHERE EXISTS (SELECT 1 FROM feeds f WHERE f.office = w.office AND \
             (f.epoch > w.epoch OR (f.epoch = w.epoch AND f.number > w.number))) ORDER BY office"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(self.read()).await?;
        offices(&rows, table)
    }

    /// In whose feeds something was written from one place in the log up to another.
    pub(crate) async fn rung(
        &self,
        way: Way,
        from: Position,
        to: Position,
    ) -> Result<Vec<OfficeNumber>, StoreError> {
        let table = way.table();
        // CROSS JOIN: SQLite begins with what was written, not with everybody.
        let sql = format!(
            "SELECT DISTINCT f.office FROM feeds f CROSS JOIN {table} w \
             WHERE w.office = f.office AND f.pos >= $1 AND f.pos < $2 ORDER BY f.office"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(from.to_key()).bind(to.to_key());
        offices(&query.fetch_all(self.read()).await?, table)
    }

    /// Whose pause is over, and whose turn was not ended in its time, at most `limit` of each.
    pub(crate) async fn awake(
        &self,
        way: Way,
        now_us: i64,
        limit: u32,
    ) -> Result<Vec<OfficeNumber>, StoreError> {
        let table = way.table();
        let mut found = Vec::new();
        for sql in [
            format!(
                "SELECT office FROM {table} WHERE next_us > 0 AND next_us <= $1 AND lease_us < $1 \
                 ORDER BY next_us LIMIT $2"
            ),
            format!(
                "SELECT office FROM {table} WHERE lease_us > 0 AND lease_us < $1 AND next_us <= $1 \
                 ORDER BY lease_us LIMIT $2"
            ),
        ] {
            let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(now_us).bind(i64::from(limit));
            found.extend(offices(&query.fetch_all(self.read()).await?, table)?);
        }
        Ok(found)
    }

    /// Has a turn that would end at `held_us` end at another time, unless it is no longer the caller's.
    pub(crate) async fn end_turn(
        &self,
        way: Way,
        office: OfficeNumber,
        held_us: i64,
        lease_us: i64,
    ) -> Result<(), StoreError> {
        let sql = format!("UPDATE {} SET lease_us = $1 WHERE office = $2 AND lease_us = $3", way.table());
        let mut tx = self.begin().await?;
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(lease_us)
            .bind(office.to_string())
            .bind(held_us)
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }
}

fn offices(rows: &[AnyRow], table: &'static str) -> Result<Vec<OfficeNumber>, StoreError> {
    rows.iter().map(|row| parsed(row, table, "office", &"")).collect()
}
