//! Transmission proxies (伝送代行業者) and their keys.

use sqlx::Row as _;
use sqlx::any::AnyRow;
use tasuki_proto::ids::ProxyNumber;

use super::rows::{digest, parsed};
use super::{Store, StoreError, Tx};

/// Keys of one proxy that parcels are sealed to: two that overlap in a renewal, and one of an emergency.
pub const MAX_PROXY_KEYS: u32 = 3;

/// A proxy's standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyState {
    /// Takes part.
    Active,
    /// Kept out by the operator.
    Suspended,
}

impl ProxyState {
    /// As the database, events and command lines spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }
}

impl std::str::FromStr for ProxyState {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Active, Self::Suspended].into_iter().find(|s| s.as_str() == text).ok_or(())
    }
}

/// A proxy (伝送代行業者).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyRow {
    /// `P` and five digits.
    pub number: ProxyNumber,
    /// Its name.
    pub name: String,
    /// Its standing.
    pub state: ProxyState,
}

/// A key of a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyKeyRow {
    /// Whose.
    pub proxy: ProxyNumber,
    /// Certificate, DER.
    pub key: Vec<u8>,
    /// SHA-256 of `key`.
    pub fingerprint: [u8; 32],
    /// End of validity, Unix microseconds.
    pub not_after_us: i64,
    /// When it was registered, Unix microseconds; 0: it is not yet.
    pub registered_us: i64,
}

fn proxy(row: &AnyRow) -> Result<ProxyRow, StoreError> {
    let number: ProxyNumber = parsed(row, "proxies", "number", &"")?;
    Ok(ProxyRow { number, name: row.try_get("name")?, state: parsed(row, "proxies", "state", &number)? })
}

impl Store {
    /// A proxy.
    pub async fn proxy(&self, number: ProxyNumber) -> Result<Option<ProxyRow>, StoreError> {
        let query = sqlx::query("SELECT number, name, state FROM proxies WHERE number = $1");
        query.bind(number.to_string()).fetch_optional(self.read()).await?.as_ref().map(proxy).transpose()
    }

    pub(crate) async fn proxy_in(
        &self,
        tx: &mut Tx,
        number: ProxyNumber,
    ) -> Result<Option<ProxyRow>, StoreError> {
        let query = sqlx::query("SELECT number, name, state FROM proxies WHERE number = $1");
        query.bind(number.to_string()).fetch_optional(&mut **tx).await?.as_ref().map(proxy).transpose()
    }

    /// All proxies, by number: a country has a few hundred.
    pub async fn proxies(&self) -> Result<Vec<ProxyRow>, StoreError> {
        let query = sqlx::query("SELECT number, name, state FROM proxies ORDER BY number LIMIT 10000");
        query.fetch_all(self.read()).await?.iter().map(proxy).collect()
    }

    /// Writes a proxy, over what stood there.
    pub(crate) async fn put_proxy(&self, tx: &mut Tx, row: &ProxyRow, at_us: i64) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO proxies (number, name, state, changed_us) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (number) DO UPDATE SET name = excluded.name, state = excluded.state, \
             changed_us = excluded.changed_us",
        )
        .bind(row.number.to_string())
        .bind(row.name.clone())
        .bind(row.state.as_str())
        .bind(at_us)
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// Registers a proxy's key. False: it was registered already.
    pub(crate) async fn insert_proxy_key(
        &self,
        tx: &mut Tx,
        row: &ProxyKeyRow,
        at_us: i64,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO proxy_keys (proxy, fingerprint, key, not_after_us, registered_us) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (proxy, fingerprint) DO NOTHING",
        )
        .bind(row.proxy.to_string())
        .bind(row.fingerprint.to_vec())
        .bind(row.key.clone())
        .bind(row.not_after_us)
        .bind(at_us)
        .execute(&mut **tx)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// A proxy's keys that have not ended at `now_us` (Unix microseconds), newest first.
    pub async fn proxy_keys(&self, number: ProxyNumber, now_us: i64) -> Result<Vec<ProxyKeyRow>, StoreError> {
        // Some of them may be revoked, and don't count.
        let rows = sqlx::query(
            "SELECT fingerprint, key, not_after_us, registered_us FROM proxy_keys \
             WHERE proxy = $1 AND not_after_us >= $2 ORDER BY registered_us DESC, fingerprint DESC LIMIT 32",
        )
        .bind(number.to_string())
        .bind(now_us)
        .fetch_all(self.read())
        .await?;
        let key = |row: &AnyRow| {
            Ok(ProxyKeyRow {
                proxy: number,
                key: row.try_get("key")?,
                fingerprint: digest(row, "fingerprint")?,
                not_after_us: row.try_get("not_after_us")?,
                registered_us: row.try_get("registered_us")?,
            })
        };
        rows.iter().map(key).collect()
    }
}
