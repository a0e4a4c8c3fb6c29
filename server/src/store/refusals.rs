//! Submissions that were not accepted, as they are kept for the office that handed them in. They are no state of the log's:
//! they are written beside the committer, and nothing rests on them.

use std::fmt::Write as _;

use sqlx::Row as _;
use sqlx::any::AnyRow;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::ids::ParcelId;

use super::rows::{insert_sql, int, parsed, pieces, unsigned};
use super::{Store, StoreError};

/// Refused submissions that are kept of one office. A month of a large office is some hundred parcels, and who has more
/// refused than those has one fault many times.
pub const MAX_KEPT: u32 = 1_000;

/// A submission that was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusalRow {
    /// Who handed it in.
    pub office: OfficeNumber,
    /// When it was refused, Unix microseconds.
    pub refused_us: i64,
    /// Its parcel, if it could be read and was this office's.
    pub parcel: Option<ParcelId>,
    /// Whom it was for, if that could be read.
    pub recipient: Option<OfficeNumber>,
    /// Stable reason word.
    pub reason: String,
    /// A line for each finding; see `crate::refusals`.
    pub findings: String,
    /// Findings that are not kept, because there are too many.
    pub left_out: u64,
}

/// Which refused submissions of an office are wanted.
#[derive(Clone, Debug, Default)]
pub struct RefusalFilter {
    /// Of this parcel.
    pub parcel: Option<ParcelId>,
    /// For this office.
    pub recipient: Option<OfficeNumber>,
    /// Refused before this time.
    pub before_us: Option<i64>,
}

fn blob(parcel: Option<ParcelId>) -> Vec<u8> {
    parcel.map(|id| id.as_bytes().to_vec()).unwrap_or_default()
}

fn refusal(row: &AnyRow) -> Result<RefusalRow, StoreError> {
    let office: OfficeNumber = parsed(row, "refusals", "office", &"")?;
    let corrupt = |_| StoreError::Corrupt { table: "refusals", column: "parcel", row: office.to_string() };
    let parcel: Vec<u8> = row.try_get("parcel")?;
    let recipient: String = row.try_get("recipient")?;
    Ok(RefusalRow {
        office,
        refused_us: row.try_get("refused_us")?,
        parcel: match parcel.as_slice() {
            [] => None,
            bytes => Some(ParcelId::from_bytes(bytes).map_err(corrupt)?),
        },
        recipient: match recipient.as_str() {
            "" => None,
            _ => Some(parsed(row, "refusals", "recipient", &office)?),
        },
        reason: row.try_get("reason")?,
        findings: row.try_get("findings")?,
        left_out: unsigned(row, "left_out")?,
    })
}

impl Store {
    /// Keeps refused submissions, each in the place of an earlier one of the same parcel, and of each office the newest
    /// [`MAX_KEPT`]. No state changes with it, so the head is not taken.
    pub(crate) async fn put_refusals(&self, rows: &[RefusalRow]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for row in rows.iter().filter(|row| row.parcel.is_some()) {
            sqlx::query("DELETE FROM refusals WHERE office = $1 AND parcel = $2")
                .bind(row.office.to_string())
                .bind(blob(row.parcel))
                .execute(&mut *tx)
                .await?;
        }
        for piece in pieces(rows) {
            let sql = insert_sql(
                self.dialect(),
                "refusals (office, refused_us, parcel, recipient, reason, findings, left_out)",
                7,
                piece.len(),
                // Two relays at the same microsecond: one of them is told.
                " ON CONFLICT (office, refused_us) DO NOTHING",
            );
            let mut query = sqlx::query(sql);
            for row in piece {
                query = query
                    .bind(row.office.to_string())
                    .bind(row.refused_us)
                    .bind(blob(row.parcel))
                    .bind(row.recipient.map(|office| office.to_string()).unwrap_or_default())
                    .bind(row.reason.clone())
                    .bind(row.findings.clone())
                    .bind(int(row.left_out));
            }
            query.execute(&mut *tx).await?;
        }
        let mut offices: Vec<OfficeNumber> = rows.iter().map(|row| row.office).collect();
        offices.sort_unstable();
        offices.dedup();
        for office in offices {
            // The first that is too many, and what is older.
            sqlx::query(
                "DELETE FROM refusals WHERE office = $1 AND refused_us <= \
                 (SELECT refused_us FROM refusals WHERE office = $1 ORDER BY refused_us DESC LIMIT 1 OFFSET $2)",
            )
            .bind(office.to_string())
            .bind(i64::from(MAX_KEPT))
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// One page of an office's refused submissions, newest first. What was accepted since, under the same id, is left out.
    pub async fn refusals(
        &self,
        office: OfficeNumber,
        filter: &RefusalFilter,
        limit: u32,
    ) -> Result<Vec<RefusalRow>, StoreError> {
        let mut sql = String::from(
            "SELECT office, refused_us, parcel, recipient, reason, findings, left_out FROM refusals \
             WHERE office = $1 AND refused_us < $2 \
             AND NOT EXISTS (SELECT 1 FROM parcels p WHERE p.id = refusals.parcel AND p.sender = refusals.office \
             AND p.accepted_us >= refusals.refused_us)",
        );
        let mut number = 3;
        for (wanted, condition) in
            [(filter.parcel.is_some(), " AND parcel = $"), (filter.recipient.is_some(), " AND recipient = $")]
        {
            if wanted {
                number += 1;
                write!(sql, "{condition}{number}").expect("writing to a String does not fail");
            }
        }
        sql.push_str(" ORDER BY refused_us DESC LIMIT $3");
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(office.to_string())
            .bind(filter.before_us.unwrap_or(i64::MAX))
            .bind(i64::from(limit));
        if filter.parcel.is_some() {
            query = query.bind(blob(filter.parcel));
        }
        if let Some(recipient) = filter.recipient {
            query = query.bind(recipient.to_string());
        }
        query.fetch_all(self.read()).await?.iter().map(refusal).collect()
    }

    /// What was refused before a time: how many, bytes of findings, the oldest (Unix microseconds; 0: none).
    pub(crate) async fn refusals_before(&self, before_us: i64) -> Result<(u64, u64, i64), StoreError> {
        let row = sqlx::query(
            "SELECT COUNT(*) AS refused, CAST(COALESCE(SUM(LENGTH(findings)), 0) AS BIGINT) AS bytes, \
             COALESCE(MIN(refused_us), 0) AS oldest FROM refusals WHERE refused_us < $1",
        )
        .bind(before_us)
        .fetch_one(self.read())
        .await?;
        Ok((unsigned(&row, "refused")?, unsigned(&row, "bytes")?, row.try_get("oldest")?))
    }

    /// Forgets what was refused before a time (Unix microseconds), at most `limit` of it. Returns how many went.
    pub(crate) async fn forget_refusals(&self, before_us: i64, limit: u32) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        // The time of the row behind the last that may go; without one, all may.
        let bound = sqlx::query(
            "SELECT refused_us FROM refusals WHERE refused_us < $1 ORDER BY refused_us LIMIT 1 OFFSET $2",
        )
        .bind(before_us)
        .bind(i64::from(limit))
        .fetch_optional(&mut *tx)
        .await?;
        let bound = bound.map_or(Ok(before_us), |row| row.try_get::<i64, _>(0))?;
        let done =
            sqlx::query("DELETE FROM refusals WHERE refused_us < $1").bind(bound).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(done.rows_affected())
    }
}
