//! What evidence needs later: certificates and CRLs, as they were.

use std::sync::Arc;

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::dialect::Dialect;
use super::rows::{int, unsigned};
use super::{Store, StoreError, Tx};

/// Above this it is cheaper to ask whether something is kept than to hand it to the database in vain.
const LARGE_BYTES: usize = 16 * 1024;

const SIZE: &str = "SELECT CAST(LENGTH(der) AS BIGINT) AS size FROM archive WHERE fingerprint = $1";

/// A certificate or a CRL, kept for evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archived {
    /// SHA-256 of `der`.
    pub fingerprint: [u8; 32],
    /// `certificate` or `crl`.
    pub kind: &'static str,
    /// The bytes. Shared: a CRL can have megabytes, and every new signer brings it.
    pub der: Arc<[u8]>,
    /// For a signer's certificate: fingerprints of its chain, itself first, up to the anchor.
    pub chain: Vec<[u8; 32]>,
}

impl Store {
    /// Keeps something, if it is not kept already, and notes that it was needed at this time.
    pub(crate) async fn archive(&self, tx: &mut Tx, item: &Archived, at_us: i64) -> Result<(), StoreError> {
        if item.der.len() > LARGE_BYTES && self.archived_bytes(tx, &item.fingerprint).await?.is_some() {
            return self.note_use(tx, &[item.fingerprint], at_us).await;
        }
        sqlx::query(
            "INSERT INTO archive (fingerprint, kind, der, chain, used_us) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (fingerprint) DO UPDATE SET used_us = excluded.used_us \
             WHERE archive.used_us < excluded.used_us",
        )
        .bind(item.fingerprint.to_vec())
        .bind(item.kind)
        .bind(item.der.to_vec())
        .bind(item.chain.concat())
        .bind(at_us)
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    async fn archived_bytes(&self, tx: &mut Tx, fingerprint: &[u8; 32]) -> Result<Option<u64>, StoreError> {
        let row = sqlx::query(SIZE).bind(fingerprint.to_vec()).fetch_optional(&mut **tx).await?;
        Ok(row.map(|row| unsigned(&row, "size")).transpose()?)
    }

    /// Bytes of a CRL, if one with this fingerprint is kept.
    pub async fn archived_crl_bytes(&self, fingerprint: &[u8; 32]) -> Result<Option<u64>, StoreError> {
        let sql = sqlx::AssertSqlSafe(format!("{SIZE} AND kind = 'crl'"));
        let row = sqlx::query(sql).bind(fingerprint.to_vec()).fetch_optional(self.read()).await?;
        Ok(row.map(|row| unsigned(&row, "size")).transpose()?)
    }

    /// A piece of a CRL that is kept: at most `length` bytes from `offset` on.
    pub async fn archived_crl_piece(
        &self,
        fingerprint: &[u8; 32],
        offset: u64,
        length: usize,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = match self.dialect() {
            Dialect::Sqlite => {
                "SELECT substr(der, $1, $2) AS piece FROM archive WHERE fingerprint = $3 AND kind = 'crl'"
            }
            Dialect::Postgres => {
                "SELECT substr(der, $1::INT, $2::INT) AS piece FROM archive WHERE fingerprint = $3 AND kind = 'crl'"
            }
        };
        let row = sqlx::query(sql)
            .bind(int(offset) + 1)
            .bind(int(length as u64))
            .bind(fingerprint.to_vec())
            .fetch_optional(self.read())
            .await?;
        // An empty piece comes back as NULL from SQLite.
        let piece = |row: AnyRow| row.try_get::<Option<Vec<u8>>, _>("piece").map(Option::unwrap_or_default);
        Ok(row.map(piece).transpose()?)
    }

    /// Something kept: its bytes and its chain.
    pub async fn archived(
        &self,
        fingerprint: &[u8; 32],
    ) -> Result<Option<(Vec<u8>, Vec<[u8; 32]>)>, StoreError> {
        let row = sqlx::query("SELECT der, chain FROM archive WHERE fingerprint = $1")
            .bind(fingerprint.to_vec())
            .fetch_optional(self.read())
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some((row.try_get("der")?, chain(&row, fingerprint)?)))
    }
}

/// The column with a certificate's chain.
pub(super) fn chain(row: &AnyRow, fingerprint: &[u8; 32]) -> Result<Vec<[u8; 32]>, StoreError> {
    // Empty bytes come back as NULL from SQLite.
    let bytes = row.try_get::<Option<Vec<u8>>, _>("chain")?.unwrap_or_default();
    let (chain, rest) = bytes.as_chunks::<32>();
    if !rest.is_empty() {
        let row = tasuki_proto::canonical::hex(fingerprint);
        return Err(StoreError::Corrupt { table: "archive", column: "chain", row });
    }
    Ok(chain.to_vec())
}
