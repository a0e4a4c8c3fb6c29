//! Signed statements, as they came in, with their sealed texts.

use sqlx::Row as _;
use sqlx::any::AnyRow;
use tasuki_careplan::office::OfficeNumber;

use super::rows::{digest, parsed};
use super::{Store, StoreError, Tx};

/// A signed statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementRow {
    /// SHA-256 of `cms`.
    pub digest: [u8; 32],
    /// What it is about.
    pub about: About,
    /// Its kind, for example `acknowledge`.
    pub kind: &'static str,
    /// CMS `SignedData` (DER).
    pub cms: Vec<u8>,
    /// SHA-256 of the signer's certificate.
    pub signer: [u8; 32],
    /// What let the signer sign for the office, where it is not the office itself: SHA-256 of the mandate.
    pub mandate: Option<[u8; 32]>,
    /// The sealed text that it names; empty: it names none.
    pub text: Vec<u8>,
    /// When it was accepted. Unix microseconds.
    pub made_us: i64,
}

/// What a statement is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// A parcel, by its number.
    Parcel(i64),
    /// One office asks another.
    Request {
        /// Who asks.
        from: OfficeNumber,
        /// Who is asked.
        to: OfficeNumber,
    },
}

/// A statement as it is handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// SHA-256 of `cms`.
    pub digest: [u8; 32],
    /// CMS `SignedData` (DER).
    pub cms: Vec<u8>,
    /// SHA-256 of the signer's certificate; absent where an earlier version kept it.
    pub signer: Option<[u8; 32]>,
    /// What let the signer sign for the office: SHA-256 of the mandate.
    pub mandate: Option<[u8; 32]>,
    /// The sealed text that it names; empty: it names none.
    pub text: Vec<u8>,
}

impl Store {
    pub(crate) async fn insert_statement(&self, tx: &mut Tx, row: &StatementRow) -> Result<(), StoreError> {
        let (seq, from, to) = match row.about {
            About::Parcel(seq) => (seq, String::new(), String::new()),
            About::Request { from, to } => (0, from.to_string(), to.to_string()),
        };
        sqlx::query(
            "INSERT INTO statements (digest, seq, kind, cms, text, from_office, to_office, made_us, signer, mandate) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (digest) DO NOTHING",
        )
        .bind(row.digest.to_vec())
        .bind(seq)
        .bind(row.kind)
        .bind(row.cms.clone())
        .bind(row.text.clone())
        .bind(from)
        .bind(to)
        .bind(row.made_us)
        .bind(row.signer.to_vec())
        .bind(row.mandate.map(|digest| digest.to_vec()))
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// Whether a statement was accepted before.
    pub(crate) async fn has_statement(&self, tx: &mut Tx, digest: &[u8; 32]) -> Result<bool, StoreError> {
        let query = sqlx::query("SELECT 1 FROM statements WHERE digest = $1").bind(digest.to_vec());
        Ok(query.fetch_optional(&mut **tx).await?.is_some())
    }

    /// How many statements about a parcel are kept.
    pub(crate) async fn statement_count(&self, tx: &mut Tx, seq: i64) -> Result<u32, StoreError> {
        let query = sqlx::query("SELECT COUNT(*) AS count FROM statements WHERE seq = $1").bind(seq);
        count(&query.fetch_one(&mut **tx).await?)
    }

    /// How many requests an office has made since a time.
    pub(crate) async fn request_count(
        &self,
        tx: &mut Tx,
        from: OfficeNumber,
        since_us: i64,
    ) -> Result<u32, StoreError> {
        let query = sqlx::query(
            "SELECT COUNT(*) AS count FROM statements WHERE from_office = $1 AND made_us > $2 AND seq = 0",
        );
        count(&query.bind(from.to_string()).bind(since_us).fetch_one(&mut **tx).await?)
    }

    /// Statements about one parcel. A parcel has few.
    pub async fn statements_of(&self, seq: i64) -> Result<Vec<Kept>, StoreError> {
        let rows = sqlx::query(
            "SELECT digest, cms, signer, mandate, text FROM statements WHERE seq = $1 ORDER BY digest LIMIT 1000",
        )
        .bind(seq)
        .fetch_all(self.read())
        .await?;
        rows.iter().map(kept).collect()
    }

    /// A statement, if this office may see it: it is a party of the parcel or of the request.
    pub async fn statement_for(
        &self,
        digest: &[u8; 32],
        office: OfficeNumber,
    ) -> Result<Option<Kept>, StoreError> {
        let row = sqlx::query(
            "SELECT digest, seq, cms, signer, mandate, text, from_office, to_office FROM statements WHERE digest = $1",
        )
        .bind(digest.to_vec())
        .fetch_optional(self.read())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let seq: i64 = row.try_get("seq")?;
        let theirs = if seq == 0 {
            let parties: [OfficeNumber; 2] = [
                parsed(&row, "statements", "from_office", &"request")?,
                parsed(&row, "statements", "to_office", &"request")?,
            ];
            parties.contains(&office)
        } else {
            self.parcel_numbered(seq).await?.is_some_and(|parcel| parcel.exists_for(office))
        };
        if theirs { kept(&row).map(Some) } else { Ok(None) }
    }
}

fn kept(row: &AnyRow) -> Result<Kept, StoreError> {
    // Empty bytes come back as NULL from SQLite.
    let text: Option<Vec<u8>> = row.try_get("text")?;
    let signer: Option<Vec<u8>> = row.try_get("signer")?;
    let mandate: Option<Vec<u8>> = row.try_get("mandate")?;
    Ok(Kept {
        digest: digest(row, "digest")?,
        cms: row.try_get("cms")?,
        signer: signer.and_then(|bytes| bytes.try_into().ok()),
        mandate: mandate.and_then(|bytes| bytes.try_into().ok()),
        text: text.unwrap_or_default(),
    })
}

fn count(row: &AnyRow) -> Result<u32, StoreError> {
    Ok(u32::try_from(row.try_get::<i64, _>("count")?).unwrap_or(u32::MAX))
}
