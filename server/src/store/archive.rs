//! What evidence needs later: certificates, CRLs and signed statements, as they were.

use sqlx::Row as _;

use super::rows::digest;
use super::{Store, StoreError, Tx};

/// A certificate or a CRL, kept for evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archived {
    /// SHA-256 of `der`.
    pub fingerprint: [u8; 32],
    /// `certificate` or `crl`.
    pub kind: &'static str,
    /// The bytes.
    pub der: Vec<u8>,
    /// For a signer's certificate: fingerprints of its chain, itself first, up to the anchor.
    pub chain: Vec<[u8; 32]>,
}

/// A signed statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementRow {
    /// SHA-256 of `cms`.
    pub digest: [u8; 32],
    /// The parcel that it is about.
    pub seq: i64,
    /// Its kind, for example `acknowledge`.
    pub kind: &'static str,
    /// CMS `SignedData` (DER).
    pub cms: Vec<u8>,
}

impl Store {
    /// Keeps something, if it is not kept already.
    pub(crate) async fn archive(&self, tx: &mut Tx, item: &Archived) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO archive (fingerprint, kind, der, chain) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (fingerprint) DO NOTHING",
        )
        .bind(item.fingerprint.to_vec())
        .bind(item.kind)
        .bind(item.der.clone())
        .bind(item.chain.concat())
        .execute(&mut **tx)
        .await?;
        Ok(())
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
        let chain: Vec<u8> = row.try_get("chain")?;
        let (chain, rest) = chain.as_chunks::<32>();
        if !rest.is_empty() {
            let row = tasuki_proto::canonical::hex(fingerprint);
            return Err(StoreError::Corrupt { table: "archive", column: "chain", row });
        }
        Ok(Some((row.try_get("der")?, chain.to_vec())))
    }

    pub(crate) async fn insert_statement(&self, tx: &mut Tx, row: &StatementRow) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO statements (digest, seq, kind, cms) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (digest) DO NOTHING",
        )
        .bind(row.digest.to_vec())
        .bind(row.seq)
        .bind(row.kind)
        .bind(row.cms.clone())
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// Statements about one parcel: (digest, CMS). A parcel has few.
    pub async fn statements_of(&self, seq: i64) -> Result<Vec<([u8; 32], Vec<u8>)>, StoreError> {
        let rows = sqlx::query("SELECT digest, cms FROM statements WHERE seq = $1 ORDER BY digest LIMIT 100")
            .bind(seq)
            .fetch_all(self.read())
            .await?;
        rows.iter().map(|row| Ok((digest(row, "digest")?, row.try_get("cms")?))).collect()
    }
}
