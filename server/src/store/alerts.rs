//! Alerts that were raised, each once for an office and a span of time.

use std::net::IpAddr;

use sqlx::Row as _;
use tasuki_careplan::office::OfficeNumber;

use super::rows::parsed;
use super::{Store, StoreError, Tx};

/// An office sent far more than it usually does.
pub const UNUSUAL_VOLUME: &str = "UNUSUAL_VOLUME";
/// Signatures of an office failed again and again.
pub const SIGNATURE_FAILURES: &str = "SIGNATURE_FAILURES";
/// An office that had a key got another.
pub const NEW_KEY: &str = "NEW_KEY";
/// An office has a further terminal.
pub const NEW_TERMINAL: &str = "NEW_TERMINAL";

/// Handshakes with an address were refused again and again.
pub const REFUSED_HANDSHAKES: &str = "REFUSED_HANDSHAKES";

const CODES: [&str; 4] = [UNUSUAL_VOLUME, SIGNATURE_FAILURES, NEW_KEY, NEW_TERMINAL];

/// Something unusual.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Stable word.
    pub code: &'static str,
    /// Whose doing.
    pub office: OfficeNumber,
    /// The beginning of the day that it is raised once for; of a key, its time. Unix microseconds.
    pub period_us: i64,
    /// When it was raised. Unix microseconds.
    pub at_us: i64,
    /// How many; of a key, 1.
    pub count: i64,
    /// How many are usual; 0 where that says nothing.
    pub usual: i64,
}

impl Alert {
    /// Tells the log and the metrics.
    pub fn tell(&self) {
        metrics::counter!("tasuki_alerts_total", "code" => self.code).increment(1);
        let Self { code, office, count, usual, .. } = self;
        tracing::warn!(code, %office, count, usual, "something unusual: look at this office");
    }
}

/// An address from which handshakes were refused again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressAlert {
    /// The address; of IPv6 the network (/64).
    pub address: IpAddr,
    /// The beginning of the day that it is raised once for. Unix microseconds.
    pub period_us: i64,
    /// When it was raised. Unix microseconds.
    pub at_us: i64,
    /// How many, in an hour.
    pub count: i64,
}

impl AddressAlert {
    /// Tells the log and the metrics.
    pub fn tell(&self) {
        metrics::counter!("tasuki_alerts_total", "code" => REFUSED_HANDSHAKES).increment(1);
        let Self { address, count, .. } = self;
        tracing::warn!(code = REFUSED_HANDSHAKES, %address, count, "something unusual: look at this address");
    }
}

impl Store {
    /// Keeps alerts, and forgets those that were raised before a time. Returns those that are new.
    ///
    /// # Errors
    /// If the database can't be written.
    pub async fn raise(&self, alerts: &[Alert], forget_before_us: i64) -> Result<Vec<Alert>, StoreError> {
        let mut tx = self.begin().await?;
        let mut new = Vec::new();
        for alert in alerts {
            if self.raise_in(&mut tx, alert).await? {
                new.push(alert.clone());
            }
        }
        let forget = sqlx::query("DELETE FROM alerts WHERE at_us < $1");
        forget.bind(forget_before_us).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(new)
    }

    /// Keeps one alert; false: it was raised already.
    pub(crate) async fn raise_in(&self, tx: &mut Tx, alert: &Alert) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO alerts (code, office, period_us, at_us, count, usual) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (code, office, period_us) DO NOTHING",
        )
        .bind(alert.code)
        .bind(alert.office.to_string())
        .bind(alert.period_us)
        .bind(alert.at_us)
        .bind(alert.count)
        .bind(alert.usual)
        .execute(&mut **tx)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Alerts that were raised since a time, the newest first, at most `limit`.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn alerts_since(&self, since_us: i64, limit: u32) -> Result<Vec<Alert>, StoreError> {
        let rows = sqlx::query(
            "SELECT code, office, period_us, at_us, count, usual FROM alerts WHERE at_us >= $1 \
             ORDER BY at_us DESC, code, office LIMIT $2",
        )
        .bind(since_us)
        .bind(i64::from(limit))
        .fetch_all(self.read())
        .await?;
        rows.iter()
            .map(|row| {
                let code: String = row.try_get("code")?;
                let known = CODES.into_iter().find(|known| *known == code);
                let corrupt = || StoreError::Corrupt { table: "alerts", column: "code", row: code.clone() };
                Ok(Alert {
                    code: known.ok_or_else(corrupt)?,
                    office: parsed(row, "alerts", "office", &code)?,
                    period_us: row.try_get("period_us")?,
                    at_us: row.try_get("at_us")?,
                    count: row.try_get("count")?,
                    usual: row.try_get("usual")?,
                })
            })
            .collect()
    }

    /// Keeps alerts about addresses, and forgets those that were raised before a time. Returns those that are new.
    ///
    /// # Errors
    /// If the database can't be written.
    pub async fn raise_addresses(
        &self,
        alerts: &[AddressAlert],
        forget_before_us: i64,
    ) -> Result<Vec<AddressAlert>, StoreError> {
        let mut tx = self.begin().await?;
        let mut new = Vec::new();
        for alert in alerts {
            let done = sqlx::query(
                "INSERT INTO address_alerts (address, period_us, at_us, count) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (address, period_us) DO NOTHING",
            )
            .bind(alert.address.to_string())
            .bind(alert.period_us)
            .bind(alert.at_us)
            .bind(alert.count)
            .execute(&mut *tx)
            .await?;
            if done.rows_affected() == 1 {
                new.push(alert.clone());
            }
        }
        let forget = sqlx::query("DELETE FROM address_alerts WHERE at_us < $1");
        forget.bind(forget_before_us).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(new)
    }

    /// Alerts about addresses that were raised since a time, the newest first, at most `limit`.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn address_alerts_since(
        &self,
        since_us: i64,
        limit: u32,
    ) -> Result<Vec<AddressAlert>, StoreError> {
        let rows = sqlx::query(
            "SELECT address, period_us, at_us, count FROM address_alerts WHERE at_us >= $1 \
             ORDER BY at_us DESC, address LIMIT $2",
        )
        .bind(since_us)
        .bind(i64::from(limit))
        .fetch_all(self.read())
        .await?;
        rows.iter()
            .map(|row| {
                Ok(AddressAlert {
                    address: parsed(row, "address_alerts", "address", &"")?,
                    period_us: row.try_get("period_us")?,
                    at_us: row.try_get("at_us")?,
                    count: row.try_get("count")?,
                })
            })
            .collect()
    }

    /// Parcels that an office sent, of those with a number behind `first` up to `last`.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn sent_between(&self, office: OfficeNumber, first: i64, last: i64) -> Result<i64, StoreError> {
        let row =
            sqlx::query("SELECT COUNT(*) AS count FROM parcels WHERE sender = $1 AND seq > $2 AND seq <= $3")
                .bind(office.to_string())
                .bind(first)
                .bind(last)
                .fetch_one(self.read())
                .await?;
        Ok(row.try_get("count")?)
    }

    /// How many keys an office has, those that have ended among them.
    pub(crate) async fn key_count(&self, tx: &mut Tx, office: OfficeNumber) -> Result<i64, StoreError> {
        let query = sqlx::query("SELECT COUNT(*) AS count FROM office_keys WHERE office = $1");
        let row = query.bind(office.to_string()).fetch_one(&mut **tx).await?;
        Ok(row.try_get("count")?)
    }
}
