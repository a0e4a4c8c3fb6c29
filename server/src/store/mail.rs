//! Addresses that offices are written to, and how far each has been told. No state of the log's: written beside the committer.

use sqlx::Row as _;
use sqlx::any::AnyRow;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::feed::Cursor;

use super::retention::numbered;
use super::rows::{int, parsed, unsigned};
use super::turns::DUE;
use super::{Store, StoreError};

/// An office that is written to.
#[derive(Clone, PartialEq, Eq)]
pub struct MailRow {
    /// Which.
    pub office: OfficeNumber,
    /// Where.
    pub addresses: Vec<String>,
    /// The last event that it was told of.
    pub cursor: Cursor,
    /// No mail before this time, Unix microseconds.
    pub next_us: i64,
    /// Tries of the mail that is due that failed.
    pub tries: u32,
    /// Why the last try failed; empty: it did not.
    pub last_error: String,
    /// When the addresses were set: tells them from those before.
    pub changed_us: i64,
}

impl std::fmt::Debug for MailRow {
    /// Addresses are people's.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MailRow").field("office", &self.office).finish_non_exhaustive()
    }
}

const MAIL: &str = "office, addresses, epoch, number, next_us, tries, last_error, changed_us";

fn mail(row: &AnyRow) -> Result<MailRow, StoreError> {
    let addresses: String = row.try_get("addresses")?;
    Ok(MailRow {
        office: parsed(row, "mail", "office", &"")?,
        addresses: addresses.split(' ').filter(|a| !a.is_empty()).map(str::to_owned).collect(),
        cursor: Cursor { epoch: unsigned(row, "epoch")?, number: unsigned(row, "number")? },
        next_us: row.try_get("next_us")?,
        tries: u32::try_from(unsigned(row, "tries")?).unwrap_or(u32::MAX),
        last_error: row.try_get("last_error")?,
        changed_us: row.try_get("changed_us")?,
    })
}

impl Store {
    /// Sets an office's addresses, in place of earlier ones; without any it is not written to.
    pub(crate) async fn put_mail(&self, row: &MailRow) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM mail WHERE office = $1")
            .bind(row.office.to_string())
            .execute(&mut *tx)
            .await?;
        if !row.addresses.is_empty() {
            sqlx::query(
                "INSERT INTO mail (office, addresses, epoch, number, next_us, tries, last_error, lease_us, changed_us) \
                 VALUES ($1, $2, $3, $4, $5, 0, '', 0, $6)",
            )
            .bind(row.office.to_string())
            .bind(row.addresses.join(" "))
            .bind(int(row.cursor.epoch))
            .bind(int(row.cursor.number))
            .bind(row.next_us)
            .bind(row.changed_us)
            .execute(&mut *tx)
            .await?;
        }
        Ok(tx.commit().await?)
    }

    /// Where an office is written to.
    pub async fn mail(&self, office: OfficeNumber) -> Result<Option<MailRow>, StoreError> {
        let sql = format!("SELECT {MAIL} FROM mail WHERE office = $1");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(office.to_string());
        query.fetch_optional(self.read()).await?.as_ref().map(mail).transpose()
    }

    /// Of these offices, those whose turn may be taken now.
    pub(crate) async fn due_mail(
        &self,
        offices: &[OfficeNumber],
        now_us: i64,
    ) -> Result<Vec<MailRow>, StoreError> {
        if offices.is_empty() {
            return Ok(Vec::new());
        }
        let list = numbered(2, offices.len());
        let sql = format!("SELECT {MAIL} FROM mail w WHERE w.office IN ({list}) AND {DUE} ORDER BY next_us");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(now_us);
        let query = offices.iter().fold(query, |query, office| query.bind(office.to_string()));
        query.fetch_all(self.read()).await?.iter().map(mail).collect()
    }

    /// Takes the turn to write to an office, until a time. False: another relay has it or had it, or the addresses were
    /// changed.
    pub(crate) async fn lease_mail(
        &self,
        row: &MailRow,
        now_us: i64,
        until_us: i64,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "UPDATE mail SET lease_us = $1 WHERE office = $2 AND changed_us = $3 AND lease_us < $4 \
             AND epoch = $5 AND number = $6 AND tries = $7",
        )
        .bind(until_us)
        .bind(row.office.to_string())
        .bind(row.changed_us)
        .bind(now_us)
        .bind(int(row.cursor.epoch))
        .bind(int(row.cursor.number))
        .bind(i64::from(row.tries))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    /// Writes how far an office has been told, and ends the turn that would end at `held_us`.
    pub(crate) async fn note_mail(&self, row: &MailRow, held_us: i64) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "UPDATE mail SET epoch = $1, number = $2, next_us = $3, tries = $4, last_error = $5, lease_us = 0 \
             WHERE office = $6 AND changed_us = $7 AND lease_us = $8",
        )
        .bind(int(row.cursor.epoch))
        .bind(int(row.cursor.number))
        .bind(row.next_us)
        .bind(i64::from(row.tries))
        .bind(row.last_error.clone())
        .bind(row.office.to_string())
        .bind(row.changed_us)
        .bind(held_us)
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }
}
