//! Papers of mandates that a later certificate of the office signed anew: what shows them now, and what showed them before.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::mandates::MandateRow;
use super::rows::digest;
use super::{Store, StoreError, Tx};

/// Earlier papers of one mandate that are handed out, the newest first: an office renews its certificate every few years.
const MAX_EARLIER: u32 = 16;

/// What showed a mandate before.
#[derive(Clone, PartialEq, Eq)]
pub struct EarlierPaper {
    /// The statement (CMS).
    pub cms: Vec<u8>,
    /// SHA-256 of the certificate that signed it.
    pub signer: [u8; 32],
}

impl std::fmt::Debug for EarlierPaper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EarlierPaper").finish_non_exhaustive()
    }
}

impl Store {
    /// Puts a later statement of the office (`cms`, `signer`, `until_us` of the row) in the place of the one that showed a terminal's
    /// mandate, which is put aside. False: it was ended meanwhile, or its terminal has another certificate than the row says.
    pub(crate) async fn keep_terminal(
        &self,
        tx: &mut Tx,
        row: &MandateRow,
        at_us: i64,
    ) -> Result<bool, StoreError> {
        sqlx::query(
            "INSERT INTO mandate_papers (mandate, turn, cms, signer, replaced_us) \
             SELECT digest, (SELECT COUNT(*) FROM mandate_papers WHERE mandate = $1) + 1, cms, signer, $2 \
             FROM mandates WHERE digest = $1",
        )
        .bind(row.digest.to_vec())
        .bind(at_us)
        .execute(&mut **tx)
        .await?;
        let done = sqlx::query(
            "UPDATE mandates SET cms = $1, signer = $2, until_us = $3 \
             WHERE digest = $4 AND fingerprint = $5 AND ended_us = 0",
        )
        .bind(row.cms.clone())
        .bind(row.signer.map(|signer| signer.to_vec()).unwrap_or_default())
        .bind(row.until_us)
        .bind(row.digest.to_vec())
        .bind(row.fingerprint.clone())
        .execute(&mut **tx)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Whether a statement showed a mandate before, under the head's lock.
    pub(crate) async fn was_replaced(
        &self,
        tx: &mut Tx,
        mandate: &[u8; 32],
        cms: &[u8],
    ) -> Result<bool, StoreError> {
        let query = sqlx::query("SELECT turn FROM mandate_papers WHERE mandate = $1 AND cms = $2 LIMIT 1")
            .bind(mandate.to_vec())
            .bind(cms.to_vec());
        Ok(query.fetch_optional(&mut **tx).await?.is_some())
    }

    /// What showed a mandate before, the newest first.
    pub async fn earlier_papers(&self, mandate: &[u8; 32]) -> Result<Vec<EarlierPaper>, StoreError> {
        let sql = format!(
            "SELECT cms, signer FROM mandate_papers WHERE mandate = $1 ORDER BY turn DESC LIMIT {MAX_EARLIER}"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(mandate.to_vec());
        let rows = query.fetch_all(self.read()).await?;
        let paper =
            |row: &AnyRow| Ok(EarlierPaper { cms: row.try_get("cms")?, signer: digest(row, "signer")? });
        rows.iter().map(paper).collect()
    }
}
