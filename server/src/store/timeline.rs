//! Reading a stretch of the log for an audit: bounded in what one query looks at, and in what it hands back.
//!
//! Positions of one epoch are dense and the times of its events never go back, so a time is found by halving
//! ([`Store::first_text`]); what lies between two positions is then looked for in windows. No query here walks further than
//! its caller says.

use sqlx::Row as _;
use tasuki_careplan::office::OfficeNumber;

use super::dialect::Dialect;
use super::leaves::{Leaf, Position, leaf};
use super::parcels::{COLUMNS, ParcelRow, parcel};
use super::retention::numbered;
use super::rows::{digest, parsed};
use super::{Store, StoreError};

/// Positions of one epoch, the last one left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Epoch of the log.
    pub epoch: u64,
    /// First index.
    pub from: u64,
    /// The index behind the last.
    pub to: u64,
}

impl Stretch {
    fn keys(self) -> (i64, i64) {
        let key = |index| Position { epoch: self.epoch, index }.to_key();
        (key(self.from), key(self.to))
    }
}

/// Bytes of what remains of an event that was erased, see [`super::leaves::erased_hash`].
const ERASED_BYTES: i64 = 32;

impl Store {
    /// How many leaves an epoch has, counted by their positions.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn epoch_size(&self, epoch: u64) -> Result<u64, StoreError> {
        let (from, to) = (Position { epoch, index: 0 }, Position { epoch: epoch + 1, index: 0 });
        let row = sqlx::query("SELECT MAX(pos) AS pos FROM leaves WHERE pos >= $1 AND pos < $2")
            .bind(from.to_key())
            .bind(to.to_key())
            .fetch_one(self.read())
            .await?;
        let last: Option<i64> = row.try_get("pos")?;
        Ok(last.map_or(0, |last| Position::from_key(last).index + 1))
    }

    /// The first leaf of a stretch that still has its text.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn first_text(&self, stretch: Stretch) -> Result<Option<Leaf>, StoreError> {
        let (from, to) = stretch.keys();
        let row = sqlx::query(
            "SELECT pos, seq, text FROM leaves WHERE pos >= $1 AND pos < $2 AND length(text) <> $3 \
             ORDER BY pos LIMIT 1",
        )
        .bind(from)
        .bind(to)
        .bind(ERASED_BYTES)
        .fetch_optional(self.read())
        .await?;
        row.as_ref().map(leaf).transpose()
    }

    /// Which leaves of a stretch hold these bytes, in order. The caller looks where they stand.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn mentions(&self, stretch: Stretch, bytes: &[u8]) -> Result<Vec<Position>, StoreError> {
        let sql = match self.dialect() {
            Dialect::Sqlite => {
                "SELECT pos FROM leaves WHERE pos >= $1 AND pos < $2 AND instr(text, $3) > 0 ORDER BY pos"
            }
            Dialect::Postgres => {
                "SELECT pos FROM leaves WHERE pos >= $1 AND pos < $2 AND position($3 IN text) > 0 ORDER BY pos"
            }
        };
        let (from, to) = stretch.keys();
        let query = sqlx::query(sql).bind(from).bind(to).bind(bytes.to_vec());
        positions(&query.fetch_all(self.read()).await?)
    }

    /// Which leaves of a stretch stand in an office's feed, in order.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn in_feed(&self, stretch: Stretch, office: OfficeNumber) -> Result<Vec<Position>, StoreError> {
        let (from, to) = stretch.keys();
        // By the stretch, not by the office: its whole feed would be walked again for each stretch. An expression is what
        // no index is used for.
        let rows = sqlx::query(
            "SELECT pos FROM feeds WHERE pos >= $1 AND pos < $2 AND (office || '') = $3 ORDER BY pos",
        )
        .bind(from)
        .bind(to)
        .bind(office.to_string())
        .fetch_all(self.read())
        .await?;
        positions(&rows)
    }

    /// How many leaves of a stretch have lost their text.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn erased_in(&self, stretch: Stretch) -> Result<u64, StoreError> {
        let (from, to) = stretch.keys();
        let sql = "SELECT COUNT(*) AS leaves FROM leaves WHERE pos >= $1 AND pos < $2 AND length(text) = $3";
        let row = sqlx::query(sql).bind(from).bind(to).bind(ERASED_BYTES).fetch_one(self.read()).await?;
        Ok(u64::try_from(row.try_get::<i64, _>("leaves")?).unwrap_or(0))
    }

    /// The leaves at these positions, in order.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn leaves_at(&self, positions: &[Position]) -> Result<Vec<Leaf>, StoreError> {
        if positions.is_empty() {
            return Ok(Vec::new());
        }
        let list = numbered(1, positions.len());
        let sql = format!("SELECT pos, seq, text FROM leaves WHERE pos IN ({list}) ORDER BY pos");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql));
        let query = positions.iter().fold(query, |query, position| query.bind(position.to_key()));
        query.fetch_all(self.read()).await?.iter().map(leaf).collect()
    }

    /// These parcels, in the order of their acceptance, as far as their rows are there.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn parcels_at(&self, seqs: &[i64]) -> Result<Vec<ParcelRow>, StoreError> {
        if seqs.is_empty() {
            return Ok(Vec::new());
        }
        let list = numbered(1, seqs.len());
        let sql = format!("SELECT {COLUMNS} FROM parcels WHERE seq IN ({list}) ORDER BY seq");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql));
        let query = seqs.iter().fold(query, |query, seq| query.bind(*seq));
        query.fetch_all(self.read()).await?.iter().map(parcel).collect()
    }

    /// All leaves about these parcels, in order of parcel and position.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn leaves_about(&self, seqs: &[i64]) -> Result<Vec<Leaf>, StoreError> {
        if seqs.is_empty() {
            return Ok(Vec::new());
        }
        let list = numbered(1, seqs.len());
        let sql =
            format!("SELECT pos, seq, text FROM leaves WHERE seq > 0 AND seq IN ({list}) ORDER BY seq, pos");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql));
        let query = seqs.iter().fold(query, |query, seq| query.bind(*seq));
        query.fetch_all(self.read()).await?.iter().map(leaf).collect()
    }

    /// Whose keys these were registered as: key and office, as far as they were.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn offices_of_keys(
        &self,
        fingerprints: &[[u8; 32]],
    ) -> Result<Vec<([u8; 32], OfficeNumber)>, StoreError> {
        if fingerprints.is_empty() {
            return Ok(Vec::new());
        }
        let list = numbered(1, fingerprints.len());
        let sql = format!(
            "SELECT fingerprint, office FROM office_keys WHERE fingerprint IN ({list}) ORDER BY office"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(sql));
        let query = fingerprints.iter().fold(query, |query, key| query.bind(key.to_vec()));
        let rows = query.fetch_all(self.read()).await?;
        rows.iter()
            .map(|row| Ok((digest(row, "fingerprint")?, parsed(row, "office_keys", "office", &"")?)))
            .collect()
    }
}

fn positions(rows: &[sqlx::any::AnyRow]) -> Result<Vec<Position>, StoreError> {
    rows.iter().map(|row| Ok(Position::from_key(row.try_get("pos")?))).collect()
}
