//! Joining and leaving: applications, what offices signed about themselves, mailboxes that are being cleared, and erasing.

use sqlx::Row as _;
use sqlx::any::AnyRow;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::ids::ParcelKey;

use super::leaves::Position;
use super::parcels::{COLUMNS, parcel};
use super::rows::parsed;
use super::{Store, StoreError, Tx};

/// How an application stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplicationState {
    /// It waits for its code or for the operator.
    Open,
    /// The office took part by it.
    Approved,
    /// The operator rejected it.
    Rejected,
    /// The office left, or withdrew.
    Left,
}

impl ApplicationState {
    /// As the database and JSON spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Left => "left",
        }
    }
}

impl std::str::FromStr for ApplicationState {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let all = [Self::Open, Self::Approved, Self::Rejected, Self::Left];
        all.into_iter().find(|state| state.as_str() == text).ok_or(())
    }
}

/// The last application of an office.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplicationRow {
    /// Whose.
    pub office: OfficeNumber,
    /// How it stands.
    pub state: ApplicationState,
    /// The office's name as it states it; empty: not at all.
    pub name: String,
    /// SHA-256 of the statement; empty: the office takes part without one.
    pub digest: Vec<u8>,
    /// Why it was rejected, in the operator's words.
    pub reason: String,
    /// When it was made, Unix microseconds.
    pub applied_us: i64,
    /// When it was decided or the office left, Unix microseconds; 0: it is open.
    pub decided_us: i64,
    /// Applications in the day that began at `counted_since_us`.
    pub counted: i64,
    /// See `counted`. Unix microseconds.
    pub counted_since_us: i64,
    /// Of the code that goes by post or telephone: its salt; empty: there is none.
    pub code_salt: Vec<u8>,
    /// SHA-256 over salt and digits.
    pub code_hash: Vec<u8>,
    /// Until when the code is good, Unix microseconds.
    pub code_until_us: i64,
    /// Wrong codes that were tried.
    pub code_tries: i64,
    /// When it was confirmed with the code, Unix microseconds; 0: it was not.
    pub confirmed_us: i64,
    /// Where office.erased stands in the log.
    pub erased: Option<Position>,
}

impl ApplicationRow {
    /// One of an office that has made none.
    pub fn new(office: OfficeNumber) -> Self {
        Self {
            office,
            state: ApplicationState::Left,
            name: String::new(),
            digest: Vec::new(),
            reason: String::new(),
            applied_us: 0,
            decided_us: 0,
            counted: 0,
            counted_since_us: 0,
            code_salt: Vec::new(),
            code_hash: Vec::new(),
            code_until_us: 0,
            code_tries: 0,
            confirmed_us: 0,
            erased: None,
        }
    }

    /// Without its code.
    #[must_use]
    pub fn without_code(self) -> Self {
        Self { code_salt: Vec::new(), code_hash: Vec::new(), code_until_us: 0, code_tries: 0, ..self }
    }
}

/// An office that left and whose mailbox is to be cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClosingRow {
    /// Which.
    pub office: OfficeNumber,
    /// What the relay keeps of it is to be erased.
    pub erase: bool,
    /// Contents that were erased so far.
    pub contents: u64,
}

/// What an erasure took, counted for its event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErasedRows {
    /// Records of submissions that were refused.
    pub refusals: u64,
    /// Statements about the office itself; their digests stay.
    pub statements: u64,
}

const APPLICATION: &str = "office, state, name, digest, reason, applied_us, decided_us, counted, counted_since_us, \
                           code_salt, code_hash, code_until_us, code_tries, confirmed_us, erased_pos";

fn application(row: &AnyRow) -> Result<ApplicationRow, StoreError> {
    let office: OfficeNumber = parsed(row, "applications", "office", &"")?;
    let erased: i64 = row.try_get("erased_pos")?;
    Ok(ApplicationRow {
        office,
        state: parsed(row, "applications", "state", &office)?,
        name: row.try_get("name")?,
        digest: row.try_get("digest")?,
        reason: row.try_get("reason")?,
        applied_us: row.try_get("applied_us")?,
        decided_us: row.try_get("decided_us")?,
        counted: row.try_get("counted")?,
        counted_since_us: row.try_get("counted_since_us")?,
        code_salt: row.try_get("code_salt")?,
        code_hash: row.try_get("code_hash")?,
        code_until_us: row.try_get("code_until_us")?,
        code_tries: row.try_get("code_tries")?,
        confirmed_us: row.try_get("confirmed_us")?,
        erased: (erased != 0).then(|| Position::from_key(erased)),
    })
}

fn closing(row: &AnyRow) -> Result<ClosingRow, StoreError> {
    Ok(ClosingRow {
        office: parsed(row, "closing", "office", &"")?,
        erase: row.try_get::<i64, _>("erase")? != 0,
        contents: super::rows::unsigned(row, "contents")?,
    })
}

impl Store {
    /// The last application of an office.
    pub async fn application(&self, office: OfficeNumber) -> Result<Option<ApplicationRow>, StoreError> {
        let sql = format!("SELECT {APPLICATION} FROM applications WHERE office = $1");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(office.to_string());
        query.fetch_optional(self.read()).await?.as_ref().map(application).transpose()
    }

    pub(crate) async fn application_in(
        &self,
        tx: &mut Tx,
        office: OfficeNumber,
    ) -> Result<Option<ApplicationRow>, StoreError> {
        let sql = format!("SELECT {APPLICATION} FROM applications WHERE office = $1");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(office.to_string());
        query.fetch_optional(&mut **tx).await?.as_ref().map(application).transpose()
    }

    /// Open applications, the oldest first, behind one (its time and office), at most `limit`.
    pub async fn open_applications(
        &self,
        after: (i64, &str),
        limit: u32,
    ) -> Result<Vec<ApplicationRow>, StoreError> {
        let sql = format!(
            "SELECT {APPLICATION} FROM applications WHERE state = 'open' AND \
             (applied_us > $1 OR (applied_us = $1 AND office > $2)) ORDER BY applied_us, office LIMIT $3"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(after.0)
            .bind(after.1.to_owned())
            .bind(i64::from(limit));
        query.fetch_all(self.read()).await?.iter().map(application).collect()
    }

    /// Writes an application, over the one before.
    pub(crate) async fn put_application(&self, tx: &mut Tx, row: &ApplicationRow) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM applications WHERE office = $1")
            .bind(row.office.to_string())
            .execute(&mut **tx)
            .await?;
        let sql = format!(
            "INSERT INTO applications ({APPLICATION}) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
        );
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(row.office.to_string())
            .bind(row.state.as_str())
            .bind(row.name.clone())
            .bind(row.digest.clone())
            .bind(row.reason.clone())
            .bind(row.applied_us)
            .bind(row.decided_us)
            .bind(row.counted)
            .bind(row.counted_since_us)
            .bind(row.code_salt.clone())
            .bind(row.code_hash.clone())
            .bind(row.code_until_us)
            .bind(row.code_tries)
            .bind(row.confirmed_us)
            .bind(row.erased.map_or(0, Position::to_key))
            .execute(&mut **tx)
            .await?;
        Ok(())
    }

    /// Keeps what an office signed about itself. False: it was handed in before.
    pub(crate) async fn keep_office_statement(
        &self,
        tx: &mut Tx,
        (digest, office, kind): (&[u8; 32], OfficeNumber, &'static str),
        (cms, signer): (&[u8], &[u8; 32]),
        at_us: i64,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO office_statements (digest, office, kind, cms, signer, made_us) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (digest) DO NOTHING",
        )
        .bind(digest.to_vec())
        .bind(office.to_string())
        .bind(kind)
        .bind(cms.to_vec())
        .bind(signer.to_vec())
        .bind(at_us)
        .execute(&mut **tx)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Whether such a statement was handed in before.
    pub(crate) async fn has_office_statement(
        &self,
        tx: &mut Tx,
        digest: &[u8; 32],
    ) -> Result<bool, StoreError> {
        let query = sqlx::query("SELECT 1 FROM office_statements WHERE digest = $1").bind(digest.to_vec());
        Ok(query.fetch_optional(&mut **tx).await?.is_some())
    }

    /// When an office last signed something of this kind, Unix microseconds; 0: never.
    pub(crate) async fn last_office_statement(
        &self,
        tx: &mut Tx,
        office: OfficeNumber,
        kind: &'static str,
    ) -> Result<i64, StoreError> {
        let query =
            sqlx::query("SELECT MAX(made_us) AS last FROM office_statements WHERE office = $1 AND kind = $2");
        let row = query.bind(office.to_string()).bind(kind).fetch_one(&mut **tx).await?;
        Ok(row.try_get::<Option<i64>, _>("last")?.unwrap_or(0))
    }

    /// Has an office's mailbox cleared, and with `erase` what is kept of it erased.
    pub(crate) async fn put_closing(
        &self,
        tx: &mut Tx,
        office: OfficeNumber,
        erase: bool,
        at_us: i64,
    ) -> Result<(), StoreError> {
        let erases = if erase { "1" } else { "closing.erase" };
        let sql = format!(
            "INSERT INTO closing (office, erase, contents, since_us) VALUES ($1, $2, 0, $3) \
             ON CONFLICT (office) DO UPDATE SET erase = {erases}"
        );
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(office.to_string())
            .bind(i64::from(erase))
            .bind(at_us)
            .execute(&mut **tx)
            .await?;
        Ok(())
    }

    /// The office takes part again, or its mailbox is clear.
    pub(crate) async fn remove_closing(&self, tx: &mut Tx, office: OfficeNumber) -> Result<(), StoreError> {
        let delete = sqlx::query("DELETE FROM closing WHERE office = $1").bind(office.to_string());
        delete.execute(&mut **tx).await?;
        Ok(())
    }

    /// Offices whose mailboxes are to be cleared, the first that left first, at most `limit`.
    pub async fn closings(&self, limit: u32) -> Result<Vec<ClosingRow>, StoreError> {
        let query =
            sqlx::query("SELECT office, erase, contents FROM closing ORDER BY since_us, office LIMIT $1");
        query.bind(i64::from(limit)).fetch_all(self.read()).await?.iter().map(closing).collect()
    }

    /// An office's mailbox that is to be cleared.
    pub async fn closing(&self, office: OfficeNumber) -> Result<Option<ClosingRow>, StoreError> {
        let query = sqlx::query("SELECT office, erase, contents FROM closing WHERE office = $1");
        let row = query.bind(office.to_string()).fetch_optional(self.read()).await?;
        row.as_ref().map(closing).transpose()
    }

    pub(crate) async fn closing_in(
        &self,
        tx: &mut Tx,
        office: OfficeNumber,
    ) -> Result<Option<ClosingRow>, StoreError> {
        let query = sqlx::query("SELECT office, erase, contents FROM closing WHERE office = $1");
        let row = query.bind(office.to_string()).fetch_optional(&mut **tx).await?;
        row.as_ref().map(closing).transpose()
    }

    /// What waits for an office, the oldest first, at most `limit`.
    pub async fn waiting_for(&self, office: OfficeNumber, limit: u32) -> Result<Vec<ParcelKey>, StoreError> {
        self.open_parcels("recipient = $1 AND state = 'delivered'", office, limit).await
    }

    /// What an office holds back, the oldest first, at most `limit`.
    pub async fn held_by(&self, office: OfficeNumber, limit: u32) -> Result<Vec<ParcelKey>, StoreError> {
        self.open_parcels("sender = $1 AND state = 'held'", office, limit).await
    }

    async fn open_parcels(
        &self,
        which: &str,
        office: OfficeNumber,
        limit: u32,
    ) -> Result<Vec<ParcelKey>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM parcels WHERE {which} ORDER BY seq LIMIT $2");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(office.to_string()).bind(i64::from(limit));
        query.fetch_all(self.read()).await?.iter().map(|row| Ok(parcel(row)?.key)).collect()
    }

    /// Whether anything waits for an office, or is held back by it, under the lock.
    pub(crate) async fn has_open_parcels(
        &self,
        tx: &mut Tx,
        office: OfficeNumber,
    ) -> Result<bool, StoreError> {
        for sql in [
            "SELECT 1 FROM parcels WHERE recipient = $1 AND state = 'delivered' LIMIT 1",
            "SELECT 1 FROM parcels WHERE sender = $1 AND state = 'held' LIMIT 1",
        ] {
            if sqlx::query(sql).bind(office.to_string()).fetch_optional(&mut **tx).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Erases a piece of an office's sealed contents: all that came to it, and of what it sent that which nobody needs any
    /// more. Returns how many went; 0: there are no more.
    ///
    /// # Errors
    /// If the database can't be read or written.
    pub(crate) async fn erase_contents_of(
        &self,
        office: OfficeNumber,
        now_us: i64,
        limit: u32,
    ) -> Result<u64, StoreError> {
        for which in [
            "p.recipient = $1 AND p.state NOT IN ('held', 'delivered')",
            "p.sender = $1 AND p.state NOT IN ('held', 'delivered', 'fetched')",
        ] {
            let sql = format!(
                "SELECT p.seq FROM parcels p WHERE {which} AND \
                 EXISTS (SELECT 1 FROM contents c WHERE c.seq = p.seq) ORDER BY p.seq LIMIT $2"
            );
            let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(office.to_string()).bind(i64::from(limit));
            let rows = query.fetch_all(self.read()).await?;
            let seqs: Vec<i64> = rows.iter().map(|row| row.try_get("seq")).collect::<Result<_, _>>()?;
            if !seqs.is_empty() {
                return self.erase_piece(office, &seqs, now_us).await;
            }
        }
        Ok(0)
    }

    async fn erase_piece(&self, office: OfficeNumber, seqs: &[i64], now_us: i64) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let went = self.purge_in(&mut tx, seqs, now_us).await?;
        sqlx::query("UPDATE closing SET contents = contents + $1 WHERE office = $2")
            .bind(super::rows::int(went))
            .bind(office.to_string())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(went)
    }

    /// Nobody of this office is told of anything any more.
    pub(crate) async fn forget_whom_to_tell(
        &self,
        tx: &mut Tx,
        office: OfficeNumber,
    ) -> Result<(), StoreError> {
        for sql in [
            "DELETE FROM mail WHERE office = $1",
            "DELETE FROM webhooks WHERE office = $1",
            "DELETE FROM webhook_dead WHERE office = $1",
        ] {
            sqlx::query(sql).bind(office.to_string()).execute(&mut **tx).await?;
        }
        Ok(())
    }

    /// Erases what the directory says of an office, its refused submissions, and what it signed about itself; digests stay.
    pub(crate) async fn erase_office(
        &self,
        tx: &mut Tx,
        office: OfficeNumber,
        generation: i64,
    ) -> Result<ErasedRows, StoreError> {
        let refusals = sqlx::query("DELETE FROM refusals WHERE office = $1").bind(office.to_string());
        let refusals = refusals.execute(&mut **tx).await?.rows_affected();
        let statements =
            sqlx::query("UPDATE office_statements SET cms = $1 WHERE office = $2 AND LENGTH(cms) > 0");
        let statements = statements.bind(Vec::<u8>::new()).bind(office.to_string());
        let statements = statements.execute(&mut **tx).await?.rows_affected();
        sqlx::query(
            "UPDATE offices SET name = '', kana = '', services = '', municipality = '', accepts = '', declared = 0, \
             search_key = $1, generation = $2 WHERE number = $1",
        )
        .bind(office.to_string())
        .bind(generation)
        .execute(&mut **tx)
        .await?;
        sqlx::query("DELETE FROM profiles WHERE office = $1")
            .bind(office.to_string())
            .execute(&mut **tx)
            .await?;
        sqlx::query("UPDATE applications SET name = '', reason = '' WHERE office = $1")
            .bind(office.to_string())
            .execute(&mut **tx)
            .await?;
        Ok(ErasedRows { refusals, statements })
    }
}
