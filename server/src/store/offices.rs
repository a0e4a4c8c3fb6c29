//! The directory: offices and the keys that parcels for them are sealed to.

use std::fmt::Write as _;

use sqlx::Row as _;
use sqlx::any::AnyRow;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::reason;

use super::dialect::Dialect;
use super::rows::{AnyQuery, First, digest, insert_sql, naming, parameters, parsed, pieces};
use super::search_key;
use super::{Store, StoreError, Tx};

/// An office's standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfficeState {
    /// Takes part.
    Active,
    /// Neither sends nor receives, for a while.
    Suspended,
    /// The operator's list has it; it has not joined.
    Listed,
    /// It left by its own word.
    Left,
    /// The operator had it leave: it does not come back without him.
    Removed,
}

impl OfficeState {
    /// As commands and programs spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Listed => "listed",
            Self::Left | Self::Removed => "left",
        }
    }

    /// As the database holds it: whether it is active, as every version knows it, and what more there is to say.
    fn columns(self) -> (&'static str, &'static str) {
        match self {
            Self::Active => ("active", ""),
            Self::Suspended => ("suspended", ""),
            Self::Listed => ("suspended", "listed"),
            Self::Left => ("suspended", "left"),
            Self::Removed => ("suspended", "removed"),
        }
    }

    /// Back from the database. An earlier version changes the first column alone.
    fn of_columns(state: &str, standing: &str) -> Option<Self> {
        match (state, standing) {
            ("active", _) => Some(Self::Active),
            ("suspended", "") => Some(Self::Suspended),
            ("suspended", "listed") => Some(Self::Listed),
            ("suspended", "left") => Some(Self::Left),
            ("suspended", "removed") => Some(Self::Removed),
            _ => None,
        }
    }

    /// It takes part, or did and was only suspended.
    pub fn is_member(self) -> bool {
        matches!(self, Self::Active | Self::Suspended)
    }

    /// Why nothing is accepted for such an office; none: it is.
    pub fn refuses_as_recipient(self) -> Option<&'static str> {
        match self {
            Self::Active => None,
            Self::Suspended => Some(reason::RECIPIENT_SUSPENDED),
            Self::Listed => Some(reason::RECIPIENT_NOT_JOINED),
            Self::Left | Self::Removed => Some(reason::RECIPIENT_LEFT),
        }
    }

    /// Why such an office can't act; none: it can.
    pub fn refuses_as_caller(self) -> Option<&'static str> {
        match self {
            Self::Active => None,
            Self::Suspended => Some(reason::CALLER_SUSPENDED),
            Self::Listed => Some(reason::CALLER_NOT_JOINED),
            Self::Left | Self::Removed => Some(reason::CALLER_LEFT),
        }
    }
}

/// One office.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfficeRow {
    /// 10 digits.
    pub number: OfficeNumber,
    /// Its name.
    pub name: String,
    /// The name's reading.
    pub kana: String,
    /// Two-character service kinds.
    pub services: Vec<String>,
    /// Its software reads the standard's files.
    pub standard_ready: bool,
    /// Prefecture and municipality, or as much of its address as is known; empty: not known.
    pub municipality: String,
    /// What it takes, a word each; see `tasuki_proto::accepts`. None: not known.
    pub accepts: Vec<String>,
    /// `accepts` is its own signed word: nothing else is taken for it. A change of the entry leaves it and them as they are.
    pub declared: bool,
    /// Its standing.
    pub state: OfficeState,
    /// When it came into the directory, Unix microseconds; 0: not known. A change leaves it as it is.
    pub since_us: i64,
}

impl OfficeRow {
    /// The same entry but for what a change of it leaves alone: its standing, and since when it is there.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let Self {
            number,
            name,
            kana,
            services,
            standard_ready,
            municipality,
            accepts,
            declared: _,
            state: _,
            since_us: _,
        } = self;
        *number == other.number
            && *name == other.name
            && *kana == other.kana
            && *services == other.services
            && *standard_ready == other.standard_ready
            && *municipality == other.municipality
            && *accepts == other.accepts
    }

    /// What searches compare words with.
    fn search_key(&self) -> String {
        search_key::fold(&format!("{} {} {} {}", self.number, self.name, self.kana, self.municipality))
    }
}

/// What kind of key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// The billing certificate's.
    Certificate,
    /// A sealing key approved by a statement.
    Sealing,
}

impl KeyKind {
    /// As the database and events spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Sealing => "sealing",
        }
    }
}

impl std::str::FromStr for KeyKind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Certificate, Self::Sealing].into_iter().find(|s| s.as_str() == text).ok_or(())
    }
}

/// A key that parcels for an office are sealed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// Whose.
    pub office: OfficeNumber,
    /// What `key` is.
    pub kind: KeyKind,
    /// Certificate, or `SubjectPublicKeyInfo`: DER.
    pub key: Vec<u8>,
    /// SHA-256 of `key`.
    pub fingerprint: [u8; 32],
    /// The statement (CMS) that approved a sealing key; empty for a certificate.
    pub approval: Vec<u8>,
    /// End of validity, Unix microseconds; `i64::MAX`: none of its own.
    pub not_after_us: i64,
    /// When it was registered, Unix microseconds; 0: it is not yet.
    pub registered_us: i64,
}

/// Keys that one parcel is sealed to: certificates that overlap in a renewal, and a sealing key or two. The newest
/// usable ones count; each costs the relay 50 µs for every parcel.
pub const MAX_KEYS_USED: usize = 8;

/// Sealing keys that one office may register in its life: one for each computer that it ever set up.
pub const MAX_SEALING_KEYS: u32 = 32;

/// Keys of one office that are read to find those [`MAX_KEYS_USED`]: all its sealing keys could be newer than the
/// certificate that counts, and of certificates that have not ended several may be revoked, one for each computer
/// that was lost in two years.
pub const MAX_KEYS_READ: u32 = MAX_SEALING_KEYS + 64;

/// Offices on one page, with a token for the next.
pub type OfficePage = (Vec<OfficeRow>, Option<OfficeNumber>);

const OFFICE: &str = "number, name, kana, services, standard_ready, municipality, accepts, declared, state, standing, since_us";

fn words(row: &AnyRow, column: &'static str) -> Result<Vec<String>, StoreError> {
    let words: String = row.try_get(column)?;
    Ok(words.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect())
}

fn office(row: &AnyRow) -> Result<OfficeRow, StoreError> {
    let number: OfficeNumber = parsed(row, "offices", "number", &"")?;
    let ready: i64 = row.try_get("standard_ready")?;
    Ok(OfficeRow {
        number,
        name: row.try_get("name")?,
        kana: row.try_get("kana")?,
        services: words(row, "services")?,
        standard_ready: ready != 0,
        municipality: row.try_get("municipality")?,
        accepts: words(row, "accepts")?,
        declared: row.try_get::<i64, _>("declared")? != 0,
        state: state(row, number)?,
        since_us: row.try_get("since_us")?,
    })
}

fn state(row: &AnyRow, number: OfficeNumber) -> Result<OfficeState, StoreError> {
    let (state, standing): (String, String) = (row.try_get("state")?, row.try_get("standing")?);
    OfficeState::of_columns(&state, &standing).ok_or_else(|| StoreError::Corrupt {
        table: "offices",
        column: "state",
        row: number.to_string(),
    })
}

fn key(row: &AnyRow) -> Result<KeyRow, StoreError> {
    let office: OfficeNumber = parsed(row, "office_keys", "office", &"")?;
    Ok(KeyRow {
        office,
        kind: parsed(row, "office_keys", "kind", &office)?,
        key: row.try_get("key")?,
        fingerprint: digest(row, "fingerprint")?,
        approval: row.try_get("approval")?,
        not_after_us: row.try_get("not_after_us")?,
        registered_us: row.try_get("registered_us")?,
    })
}

impl Store {
    /// Writes offices, over what stood there. Suspension is not lifted by it. `generation` is that of the directory with this
    /// change.
    pub(crate) async fn put_offices(
        &self,
        tx: &mut Tx,
        offices: &[OfficeRow],
        at_us: i64,
        generation: i64,
    ) -> Result<(), StoreError> {
        for piece in pieces(offices) {
            let sql = insert_sql(
                self.dialect(),
                "offices (number, name, kana, services, standard_ready, municipality, accepts, state, standing, \
                 search_key, changed_us, since_us, generation)",
                13,
                piece.len(),
                " ON CONFLICT (number) DO UPDATE SET name = excluded.name, kana = excluded.kana, \
                 services = excluded.services, standard_ready = excluded.standard_ready, \
                 municipality = excluded.municipality, \
                 accepts = CASE WHEN offices.declared = 0 THEN excluded.accepts ELSE offices.accepts END, \
                 search_key = excluded.search_key, changed_us = excluded.changed_us, \
                 generation = excluded.generation",
            );
            let mut query = sqlx::query(sql);
            for o in piece {
                query = query
                    .bind(o.number.to_string())
                    .bind(o.name.clone())
                    .bind(o.kana.clone())
                    .bind(o.services.join(" "))
                    .bind(i64::from(o.standard_ready))
                    .bind(o.municipality.clone())
                    .bind(o.accepts.join(" "))
                    .bind(o.state.columns().0)
                    .bind(o.state.columns().1)
                    .bind(o.search_key())
                    .bind(at_us)
                    .bind(at_us)
                    .bind(generation);
            }
            query.execute(&mut **tx).await?;
        }
        Ok(())
    }

    /// Changes an office's standing. False: it is not in the directory, or stands so already.
    pub(crate) async fn set_office_state(
        &self,
        tx: &mut Tx,
        number: OfficeNumber,
        state: OfficeState,
        at_us: i64,
        generation: i64,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE offices SET state = $1, standing = $5, changed_us = $2, generation = $4 \
             WHERE number = $3 AND (state <> $1 OR standing <> $5)",
        )
        .bind(state.columns().0)
        .bind(at_us)
        .bind(number.to_string())
        .bind(generation)
        .bind(state.columns().1)
        .execute(&mut **tx)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// An office's keys changed: who follows the directory hears of it.
    pub(crate) async fn touch_office(
        &self,
        tx: &mut Tx,
        number: OfficeNumber,
        generation: i64,
    ) -> Result<(), StoreError> {
        sqlx::query("UPDATE offices SET generation = $1 WHERE number = $2")
            .bind(generation)
            .bind(number.to_string())
            .execute(&mut **tx)
            .await?;
        Ok(())
    }

    /// Registers a key. False: it was registered already.
    pub(crate) async fn insert_key(&self, tx: &mut Tx, row: &KeyRow, at_us: i64) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO office_keys (office, fingerprint, kind, key, approval, not_after_us, registered_us) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (office, fingerprint) DO NOTHING",
        )
        .bind(row.office.to_string())
        .bind(row.fingerprint.to_vec())
        .bind(row.kind.as_str())
        .bind(row.key.clone())
        .bind(row.approval.clone())
        .bind(row.not_after_us)
        .bind(at_us)
        .execute(&mut **tx)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Writes another approval of a sealing key that is known. False: it has this one, or is no sealing key.
    pub(crate) async fn approve_key(&self, tx: &mut Tx, row: &KeyRow) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE office_keys SET approval = $1 WHERE office = $2 AND fingerprint = $3 AND kind = $4 \
             AND approval <> $1",
        )
        .bind(row.approval.clone())
        .bind(row.office.to_string())
        .bind(row.fingerprint.to_vec())
        .bind(KeyKind::Sealing.as_str())
        .execute(&mut **tx)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// The statement that approves a sealing key, if the key is known.
    pub async fn approval(
        &self,
        number: OfficeNumber,
        fingerprint: &[u8; 32],
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let row = sqlx::query(
            "SELECT approval FROM office_keys WHERE office = $1 AND fingerprint = $2 AND kind = $3",
        )
        .bind(number.to_string())
        .bind(fingerprint.to_vec())
        .bind(KeyKind::Sealing.as_str())
        .fetch_optional(self.read())
        .await?;
        Ok(row.map(|row| row.try_get("approval")).transpose()?)
    }

    /// One office.
    pub async fn office(&self, number: OfficeNumber) -> Result<Option<OfficeRow>, StoreError> {
        let sql = format!("SELECT {OFFICE} FROM offices WHERE number = $1");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(number.to_string());
        query.fetch_optional(self.read()).await?.as_ref().map(office).transpose()
    }

    pub(crate) async fn office_in(
        &self,
        tx: &mut Tx,
        number: OfficeNumber,
    ) -> Result<Option<OfficeRow>, StoreError> {
        let sql = format!("SELECT {OFFICE} FROM offices WHERE number = $1");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(number.to_string());
        query.fetch_optional(&mut **tx).await?.as_ref().map(office).transpose()
    }

    /// Those of these offices that the directory holds, in any order.
    pub async fn offices_of(&self, numbers: &[OfficeNumber]) -> Result<Vec<OfficeRow>, StoreError> {
        let mut found = Vec::with_capacity(numbers.len());
        for piece in pieces(numbers) {
            let query = bound(self.dialect(), piece);
            for row in &query.fetch_all(self.read()).await? {
                found.push(office(row)?);
            }
        }
        Ok(found)
    }

    /// [`Store::offices_of`] within a transaction.
    pub(crate) async fn offices_of_in(
        &self,
        tx: &mut Tx,
        numbers: &[OfficeNumber],
    ) -> Result<Vec<OfficeRow>, StoreError> {
        let mut found = Vec::with_capacity(numbers.len());
        for piece in pieces(numbers) {
            let query = bound(self.dialect(), piece);
            for row in &query.fetch_all(&mut **tx).await? {
                found.push(office(row)?);
            }
        }
        Ok(found)
    }

    /// Offices behind a place in the order of their last changes, at most `limit`, each with its place.
    ///
    /// Nothing that commits meanwhile is missed: generations are given out under the head's lock, so a change that was not
    /// visible to this query has a higher generation than all that were.
    pub async fn offices_changed(
        &self,
        after: (i64, &str),
        limit: u32,
    ) -> Result<Vec<(OfficeRow, i64)>, StoreError> {
        let sql = format!(
            "SELECT {OFFICE}, generation FROM offices WHERE (generation, number) > ($1, $2) \
             ORDER BY generation, number LIMIT $3"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(after.0)
            .bind(after.1.to_owned())
            .bind(i64::from(limit))
            .fetch_all(self.read())
            .await?;
        rows.iter().map(|row| Ok((office(row)?, row.try_get("generation")?))).collect()
    }

    /// Offices' keys that have not ended at `now_us` (Unix microseconds), each office's newest first, at most
    /// [`MAX_KEYS_READ`] of each.
    pub async fn office_keys(
        &self,
        numbers: &[OfficeNumber],
        now_us: i64,
    ) -> Result<Vec<KeyRow>, StoreError> {
        const FIRST: First<'static> = First {
            table: "office_keys",
            columns: "office, fingerprint, kind, key, approval, not_after_us, registered_us",
            condition: "not_after_us >=",
            order: "registered_us DESC, fingerprint DESC",
            count: MAX_KEYS_READ,
        };
        let mut found = Vec::with_capacity(numbers.len());
        for piece in pieces(numbers) {
            for row in &FIRST.of_each(self.dialect(), piece).bind(now_us).fetch_all(self.read()).await? {
                found.push(key(row)?);
            }
        }
        Ok(found)
    }

    /// How many sealing keys an office ever registered, beside the one with this fingerprint.
    pub async fn sealing_keys_beside(
        &self,
        number: OfficeNumber,
        fingerprint: &[u8; 32],
    ) -> Result<u32, StoreError> {
        let row = sqlx::query(
            "SELECT COUNT(*) AS keys FROM office_keys WHERE office = $1 AND kind = $2 AND fingerprint <> $3",
        )
        .bind(number.to_string())
        .bind(KeyKind::Sealing.as_str())
        .bind(fingerprint.to_vec())
        .fetch_one(self.read())
        .await?;
        Ok(u32::try_from(row.try_get::<i64, _>("keys")?).unwrap_or(u32::MAX))
    }

    /// Offices whose number, name, reading or municipality contains every word, in order of their numbers.
    pub async fn search_offices(
        &self,
        words: &str,
        after: Option<OfficeNumber>,
        limit: u32,
    ) -> Result<OfficePage, StoreError> {
        let folded = search_key::fold(words);
        // More words than this can't narrow anything down.
        let words: Vec<&str> = folded.split(' ').filter(|w| !w.is_empty()).take(16).collect();
        let mut sql = format!("SELECT {OFFICE} FROM offices WHERE number > $1");
        for i in 0..words.len() {
            write!(sql, " AND search_key LIKE ${} ESCAPE '!'", i + 3)
                .expect("writing to a String does not fail");
        }
        sql.push_str(" ORDER BY number LIMIT $2");
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(after.map(|n| n.to_string()).unwrap_or_default())
            .bind(i64::from(limit) + 1);
        for word in words {
            let word = word.replace('!', "!!").replace('%', "!%").replace('_', "!_");
            query = query.bind(format!("%{word}%"));
        }
        let mut found: Vec<OfficeRow> =
            query.fetch_all(self.read()).await?.iter().map(office).collect::<Result<_, _>>()?;
        let more = found.len() > limit as usize;
        found.truncate(limit as usize);
        let next = if more { found.last().map(|o| o.number) } else { None };
        Ok((found, next))
    }
}

/// Asks for one piece of offices with one query.
fn bound(dialect: Dialect, piece: &[OfficeNumber]) -> AnyQuery {
    let sql = format!("SELECT {OFFICE} FROM offices WHERE number IN ({})", parameters(dialect, piece.len()));
    naming(sql, piece)
}
