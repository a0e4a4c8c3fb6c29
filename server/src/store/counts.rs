//! Counters by month, and what statistics ask of parcels.

use sqlx::Row as _;
use tasuki_careplan::office::OfficeNumber;

use super::rows::parsed;
use super::{Store, StoreError};
use crate::month::Month;

/// Name of the counters of submissions that were rejected; the detail is the reason.
pub const REJECTED: &str = "rejected";

/// One counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// Which month.
    pub month: Month,
    /// What is counted.
    pub name: String,
    /// Of which kind.
    pub detail: String,
    /// How many.
    pub count: i64,
}

impl Store {
    /// Adds to counters.
    ///
    /// # Errors
    /// If the database can't be written; nothing is added then.
    pub async fn add_counts(&self, counts: &[Count]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for Count { month, name, detail, count } in counts {
            sqlx::query(
                "INSERT INTO monthly_counts (month, name, detail, count) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (month, name, detail) DO UPDATE SET count = monthly_counts.count + excluded.count",
            )
            .bind(month.to_string())
            .bind(name.clone())
            .bind(detail.clone())
            .bind(*count)
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Counters of a month. A few hundred: names and details are the program's own words.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn counts_of(&self, month: Month) -> Result<Vec<Count>, StoreError> {
        let rows = sqlx::query(
            "SELECT month, name, detail, count FROM monthly_counts WHERE month = $1 ORDER BY name, detail LIMIT 1000",
        )
        .bind(month.to_string())
        .fetch_all(self.read())
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Count {
                    month: parsed(row, "monthly_counts", "month", &month)?,
                    name: row.try_get("name")?,
                    detail: row.try_get("detail")?,
                    count: row.try_get("count")?,
                })
            })
            .collect()
    }

    /// Number of the last parcel that was accepted before a time; 0: there is none. Numbers are in the order of acceptance, so
    /// that halving finds it.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn last_parcel_before(&self, time_us: i64) -> Result<i64, StoreError> {
        // Every number up to `low` is of before; none from `high` on is.
        let (mut low, mut high) = (0, self.head().await?.next_seq);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            let row =
                sqlx::query("SELECT seq, accepted_us FROM parcels WHERE seq >= $1 ORDER BY seq LIMIT 1")
                    .bind(middle)
                    .fetch_optional(self.read())
                    .await?;
            let before = match row {
                Some(row) if row.try_get::<i64, _>("accepted_us")? < time_us => Some(row.try_get("seq")?),
                Some(_) | None => None,
            };
            match before {
                Some(seq) if seq < high => low = seq,
                Some(_) | None => high = middle,
            }
        }
        Ok(low)
    }

    /// Whether an office sent or was sent a parcel with a number up to this one.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn took_part_until(&self, office: OfficeNumber, seq: i64) -> Result<bool, StoreError> {
        let row = sqlx::query(
            "SELECT CAST(CASE WHEN EXISTS (SELECT 1 FROM parcels WHERE sender = $1 AND seq <= $2) \
             OR EXISTS (SELECT 1 FROM parcels WHERE recipient = $1 AND seq <= $2) THEN 1 ELSE 0 END AS BIGINT) AS found",
        )
        .bind(office.to_string())
        .bind(seq)
        .fetch_one(self.read())
        .await?;
        Ok(row.try_get::<i64, _>("found")? == 1)
    }
}
