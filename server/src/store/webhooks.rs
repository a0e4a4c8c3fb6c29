//! Webhooks of offices: where their programs are, and how far each has been told. No state of the log's: written beside the
//! committer, and nothing rests on it.

use sqlx::Row as _;
use sqlx::any::AnyRow;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::feed::Cursor;

use super::retention::numbered;
use super::rows::{int, parsed, unsigned};
use super::turns::DUE;
use super::{Store, StoreError};

/// Events given up that are kept of one office; who has more has lost its program, not an event.
pub const MAX_DEAD: u32 = 100;

/// An office's webhook.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookRow {
    /// Whose.
    pub office: OfficeNumber,
    /// Where.
    pub url: String,
    /// Key of its signatures: 32 bytes.
    pub key: Vec<u8>,
    /// The last event that was taken or given up.
    pub cursor: Cursor,
    /// Tries of the next one that failed.
    pub tries: u32,
    /// Not before this time, Unix microseconds.
    pub next_us: i64,
    /// Why the last try failed; empty: it did not.
    pub last_error: String,
    /// When an event was last taken; 0: never.
    pub delivered_us: i64,
    /// When it was set: tells it from the one before.
    pub changed_us: i64,
}

impl std::fmt::Debug for WebhookRow {
    /// Neither the key nor the URL, which may hold a secret of the office's.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookRow").field("office", &self.office).finish_non_exhaustive()
    }
}

/// An event that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadRow {
    /// Its place in the office's feed.
    pub cursor: Cursor,
    /// Its kind.
    pub kind: String,
    /// Why the last try failed.
    pub error: String,
    /// When it was given up, Unix microseconds.
    pub given_up_us: i64,
}

const WEBHOOK: &str = "office, url, key, epoch, number, tries, next_us, last_error, delivered_us, changed_us";

fn webhook(row: &AnyRow) -> Result<WebhookRow, StoreError> {
    Ok(WebhookRow {
        office: parsed(row, "webhooks", "office", &"")?,
        url: row.try_get("url")?,
        key: row.try_get("key")?,
        cursor: Cursor { epoch: unsigned(row, "epoch")?, number: unsigned(row, "number")? },
        tries: u32::try_from(unsigned(row, "tries")?).unwrap_or(u32::MAX),
        next_us: row.try_get("next_us")?,
        last_error: row.try_get("last_error")?,
        delivered_us: row.try_get("delivered_us")?,
        changed_us: row.try_get("changed_us")?,
    })
}

impl Store {
    /// Sets an office's webhook, in place of an earlier one; what was given up of that goes.
    pub(crate) async fn put_webhook(&self, row: &WebhookRow) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for sql in ["DELETE FROM webhooks WHERE office = $1", "DELETE FROM webhook_dead WHERE office = $1"] {
            sqlx::query(sql).bind(row.office.to_string()).execute(&mut *tx).await?;
        }
        sqlx::query(
            "INSERT INTO webhooks (office, url, key, epoch, number, tries, next_us, lease_us, last_error, \
             delivered_us, changed_us) VALUES ($1, $2, $3, $4, $5, 0, 0, 0, '', 0, $6)",
        )
        .bind(row.office.to_string())
        .bind(row.url.clone())
        .bind(row.key.clone())
        .bind(int(row.cursor.epoch))
        .bind(int(row.cursor.number))
        .bind(row.changed_us)
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// Takes an office's webhook away. False: there was none.
    pub(crate) async fn remove_webhook(&self, office: OfficeNumber) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM webhook_dead WHERE office = $1")
            .bind(office.to_string())
            .execute(&mut *tx)
            .await?;
        let done = sqlx::query("DELETE FROM webhooks WHERE office = $1").bind(office.to_string());
        let removed = done.execute(&mut *tx).await?.rows_affected() == 1;
        tx.commit().await?;
        Ok(removed)
    }

    /// An office's webhook.
    pub async fn webhook(&self, office: OfficeNumber) -> Result<Option<WebhookRow>, StoreError> {
        let sql = format!("SELECT {WEBHOOK} FROM webhooks WHERE office = $1");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(office.to_string());
        query.fetch_optional(self.read()).await?.as_ref().map(webhook).transpose()
    }

    /// Of these offices, the webhooks whose turn may be taken now.
    pub(crate) async fn due_webhooks(
        &self,
        offices: &[OfficeNumber],
        now_us: i64,
    ) -> Result<Vec<WebhookRow>, StoreError> {
        if offices.is_empty() {
            return Ok(Vec::new());
        }
        let list = numbered(2, offices.len());
        let sql =
            format!("SELECT {WEBHOOK} FROM webhooks w WHERE w.office IN ({list}) AND {DUE} ORDER BY next_us");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(now_us);
        let query = offices.iter().fold(query, |query, office| query.bind(office.to_string()));
        query.fetch_all(self.read()).await?.iter().map(webhook).collect()
    }

    /// Takes the turn to tell a webhook, until a time. False: another relay has it or had it, or the webhook was changed.
    pub(crate) async fn lease_webhook(
        &self,
        row: &WebhookRow,
        now_us: i64,
        until_us: i64,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "UPDATE webhooks SET lease_us = $1 WHERE office = $2 AND changed_us = $3 AND lease_us < $4 \
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

    /// Writes how far a webhook has been told, in the turn that ends at `held_us`, and lets it end at `lease_us`; 0: now. False: it was
    /// changed meanwhile, or the turn is another relay's.
    pub(crate) async fn note_webhook(
        &self,
        row: &WebhookRow,
        held_us: i64,
        lease_us: i64,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "UPDATE webhooks SET epoch = $1, number = $2, tries = $3, next_us = $4, last_error = $5, \
             delivered_us = $6, lease_us = $7 WHERE office = $8 AND changed_us = $9 AND lease_us = $10",
        )
        .bind(int(row.cursor.epoch))
        .bind(int(row.cursor.number))
        .bind(i64::from(row.tries))
        .bind(row.next_us)
        .bind(row.last_error.clone())
        .bind(row.delivered_us)
        .bind(lease_us)
        .bind(row.office.to_string())
        .bind(row.changed_us)
        .bind(held_us)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    /// Keeps an event that was given up, and of each office the newest [`MAX_DEAD`].
    pub(crate) async fn bury(&self, office: OfficeNumber, row: &DeadRow) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO webhook_dead (office, epoch, number, kind, error, given_up_us) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (office, epoch, number) DO NOTHING",
        )
        .bind(office.to_string())
        .bind(int(row.cursor.epoch))
        .bind(int(row.cursor.number))
        .bind(row.kind.clone())
        .bind(row.error.clone())
        .bind(row.given_up_us)
        .execute(&mut *tx)
        .await?;
        let kept = self.dead_limited(&mut tx, office).await?;
        if let Some(oldest) = kept {
            sqlx::query(
                "DELETE FROM webhook_dead WHERE office = $1 AND (epoch < $2 OR (epoch = $2 AND number < $3))",
            )
            .bind(office.to_string())
            .bind(int(oldest.epoch))
            .bind(int(oldest.number))
            .execute(&mut *tx)
            .await?;
        }
        Ok(tx.commit().await?)
    }

    /// The oldest of an office's given-up events that are still kept.
    async fn dead_limited(
        &self,
        tx: &mut super::Tx,
        office: OfficeNumber,
    ) -> Result<Option<Cursor>, StoreError> {
        let row = sqlx::query(
            "SELECT epoch, number FROM webhook_dead WHERE office = $1 ORDER BY epoch DESC, number DESC \
             LIMIT 1 OFFSET $2",
        )
        .bind(office.to_string())
        .bind(i64::from(MAX_DEAD) - 1)
        .fetch_optional(&mut **tx)
        .await?;
        let cursor = |row: AnyRow| {
            Ok::<_, StoreError>(Cursor { epoch: unsigned(&row, "epoch")?, number: unsigned(&row, "number")? })
        };
        row.map(cursor).transpose()
    }

    /// Events of an office that were given up, newest first.
    pub async fn dead_letters(&self, office: OfficeNumber) -> Result<Vec<DeadRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT epoch, number, kind, error, given_up_us FROM webhook_dead WHERE office = $1 \
             ORDER BY epoch DESC, number DESC LIMIT $2",
        )
        .bind(office.to_string())
        .bind(i64::from(MAX_DEAD))
        .fetch_all(self.read())
        .await?;
        let read = |row: &AnyRow| {
            Ok(DeadRow {
                cursor: Cursor { epoch: unsigned(row, "epoch")?, number: unsigned(row, "number")? },
                kind: row.try_get("kind")?,
                error: row.try_get("error")?,
                given_up_us: row.try_get("given_up_us")?,
            })
        };
        rows.iter().map(read).collect()
    }
}
