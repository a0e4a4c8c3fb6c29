//! Who else may act for an office, and the proxies.

use std::fmt;

use sqlx::Row as _;
use sqlx::any::AnyRow;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::ids::ProxyNumber;
use tasuki_proto::mandate::{Role, Scopes};

use super::rows::{digest, parsed};
use super::{Store, StoreError, Tx};

/// Mandates of one office that can be used at a time: ten care managers with two computers each and a few proxies, twice
/// over. Each that may receive costs the relay 50 µs for every parcel.
pub const MAX_MANDATES: u32 = 48;

/// Keys of one proxy that parcels are sealed to: two that overlap in a renewal, and one of an emergency.
pub const MAX_PROXY_KEYS: u32 = 3;

/// Who holds a mandate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A proxy.
    Proxy(ProxyNumber),
    /// A terminal of the office, by its name.
    Terminal(String),
}

impl Holder {
    /// As the database spells it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Proxy(_) => "proxy",
            Self::Terminal(_) => "terminal",
        }
    }

    /// A proxy's number, a terminal's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Proxy(number) => number.as_str(),
            Self::Terminal(name) => name,
        }
    }

    /// The role in which its holder acts.
    pub fn role(&self) -> Role {
        match self {
            Self::Proxy(number) => Role::Proxy { number: *number },
            Self::Terminal(name) => Role::Terminal { name: name.clone() },
        }
    }

    /// As events name it; see `tasuki_proto::ids::identity_text`.
    pub fn identity(&self, office: OfficeNumber) -> String {
        match self {
            Self::Proxy(number) => format!("proxy:{number}"),
            Self::Terminal(name) => format!("terminal:{office}:{name}"),
        }
    }
}

/// A mandate.
#[derive(Clone, PartialEq, Eq)]
pub struct MandateRow {
    /// SHA-256 of the statement (CMS), or of its text where the operator registered it.
    pub digest: [u8; 32],
    /// The office that gives it.
    pub office: OfficeNumber,
    /// Who has it.
    pub holder: Holder,
    /// How far it goes.
    pub scopes: Scopes,
    /// From when, Unix microseconds.
    pub from_us: i64,
    /// Until when, Unix microseconds; the moment itself is too late. Of an invitation: until when it can be taken up.
    pub until_us: i64,
    /// What the proxy signs and hands in is held until the office itself releases or discards it.
    pub confirm: bool,
    /// The statement (CMS); empty: the operator registered it for an office without a certificate.
    pub cms: Vec<u8>,
    /// SHA-256 of the certificate that signed it; absent where the operator registered it.
    pub signer: Option<[u8; 32]>,
    /// Public key of the invitation code; empty for a proxy.
    pub code_key: Vec<u8>,
    /// The terminal's certificate (DER); empty: there is none.
    pub certificate: Vec<u8>,
    /// SHA-256 of it.
    pub fingerprint: Vec<u8>,
    /// The terminal's key, signed with the invitation's.
    pub enrolment: Vec<u8>,
    /// When it was given, Unix microseconds.
    pub made_us: i64,
    /// When the terminal took it up, Unix microseconds; 0: not yet.
    pub enrolled_us: i64,
    /// When it was ended, Unix microseconds; 0: it was not.
    pub ended_us: i64,
    /// When it was last used, Unix microseconds, to the hour; 0: never.
    pub last_used_us: i64,
}

impl fmt::Debug for MandateRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MandateRow")
            .field("office", &self.office)
            .field("holder", &self.holder)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

impl MandateRow {
    /// One that nothing was written about yet: no time, no paper.
    pub fn new(office: OfficeNumber, holder: Holder, scopes: Scopes, digest: [u8; 32]) -> Self {
        Self {
            digest,
            office,
            holder,
            scopes,
            from_us: 0,
            until_us: 0,
            confirm: false,
            cms: Vec::new(),
            signer: None,
            code_key: Vec::new(),
            certificate: Vec::new(),
            fingerprint: Vec::new(),
            enrolment: Vec::new(),
            made_us: 0,
            enrolled_us: 0,
            ended_us: 0,
            last_used_us: 0,
        }
    }

    /// A terminal's that nobody took up yet.
    pub fn is_invitation(&self) -> bool {
        matches!(self.holder, Holder::Terminal(_)) && self.certificate.is_empty()
    }

    /// The operator registered it; no office signed.
    pub fn by_operator(&self) -> bool {
        self.cms.is_empty()
    }
}

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

const MANDATE: &str = "digest, office, kind, holder, scopes, from_us, until_us, cms, signer, code_key, certificate, \
                       fingerprint, enrolment, made_us, enrolled_us, ended_us, last_used_us, confirm";

fn mandate(row: &AnyRow) -> Result<MandateRow, StoreError> {
    let office: OfficeNumber = parsed(row, "mandates", "office", &"")?;
    let kind: String = row.try_get("kind")?;
    let holder = match kind.as_str() {
        "proxy" => Holder::Proxy(parsed(row, "mandates", "holder", &office)?),
        "terminal" => Holder::Terminal(row.try_get("holder")?),
        _ => return Err(StoreError::Corrupt { table: "mandates", column: "kind", row: office.to_string() }),
    };
    // Empty bytes come back as NULL from SQLite.
    let bytes = |column| -> Result<Vec<u8>, StoreError> {
        Ok(row.try_get::<Option<_>, _>(column)?.unwrap_or_default())
    };
    Ok(MandateRow {
        digest: digest(row, "digest")?,
        office,
        holder,
        scopes: parsed(row, "mandates", "scopes", &office)?,
        from_us: row.try_get("from_us")?,
        until_us: row.try_get("until_us")?,
        confirm: row.try_get::<i64, _>("confirm")? != 0,
        cms: bytes("cms")?,
        signer: bytes("signer")?.try_into().ok(),
        code_key: bytes("code_key")?,
        certificate: bytes("certificate")?,
        fingerprint: bytes("fingerprint")?,
        enrolment: bytes("enrolment")?,
        made_us: row.try_get("made_us")?,
        enrolled_us: row.try_get("enrolled_us")?,
        ended_us: row.try_get("ended_us")?,
        last_used_us: row.try_get("last_used_us")?,
    })
}

fn proxy(row: &AnyRow) -> Result<ProxyRow, StoreError> {
    let number: ProxyNumber = parsed(row, "proxies", "number", &"")?;
    Ok(ProxyRow { number, name: row.try_get("name")?, state: parsed(row, "proxies", "state", &number)? })
}

impl Store {
    /// Inserts a mandate. False: it is there already.
    pub(crate) async fn insert_mandate(&self, tx: &mut Tx, row: &MandateRow) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO mandates (digest, office, kind, holder, scopes, from_us, until_us, cms, signer, code_key, certificate, \
             fingerprint, enrolment, made_us, enrolled_us, ended_us, end_cms, last_used_us, confirm) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 0, 0, $15, 0, $16) \
             ON CONFLICT (digest) DO NOTHING",
        )
        .bind(row.digest.to_vec())
        .bind(row.office.to_string())
        .bind(row.holder.kind())
        .bind(row.holder.name().to_owned())
        .bind(row.scopes.to_string())
        .bind(row.from_us)
        .bind(row.until_us)
        .bind(row.cms.clone())
        .bind(row.signer.map(|signer| signer.to_vec()).unwrap_or_default())
        .bind(row.code_key.clone())
        .bind(row.certificate.clone())
        .bind(row.fingerprint.clone())
        .bind(row.enrolment.clone())
        .bind(row.made_us)
        .bind(Vec::new())
        .bind(i64::from(row.confirm))
        .execute(&mut **tx)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Ends a mandate; `statement` is the office's word, empty where the operator ends it.
    pub(crate) async fn end_mandate(
        &self,
        tx: &mut Tx,
        digest: &[u8; 32],
        at_us: i64,
        statement: &[u8],
    ) -> Result<(), StoreError> {
        sqlx::query("UPDATE mandates SET ended_us = $1, end_cms = $2 WHERE digest = $3 AND ended_us = 0")
            .bind(at_us)
            .bind(statement.to_vec())
            .bind(digest.to_vec())
            .execute(&mut **tx)
            .await?;
        Ok(())
    }

    /// Writes what a terminal brings when it takes its invitation up. False: somebody has taken it up, or it was ended.
    pub(crate) async fn enrol(&self, tx: &mut Tx, row: &MandateRow) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE mandates SET certificate = $1, fingerprint = $2, enrolment = $3, enrolled_us = $4, until_us = $5 \
             WHERE digest = $6 AND enrolled_us = 0 AND ended_us = 0",
        )
        .bind(row.certificate.clone())
        .bind(row.fingerprint.clone())
        .bind(row.enrolment.clone())
        .bind(row.enrolled_us)
        .bind(row.until_us)
        .bind(row.digest.to_vec())
        .execute(&mut **tx)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// A mandate, under the head's lock.
    pub(crate) async fn mandate_in(
        &self,
        tx: &mut Tx,
        digest: &[u8; 32],
    ) -> Result<Option<MandateRow>, StoreError> {
        let sql = format!("SELECT {MANDATE} FROM mandates WHERE digest = $1");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(digest.to_vec());
        query.fetch_optional(&mut **tx).await?.as_ref().map(mandate).transpose()
    }

    /// An office's mandates that are not over, under the head's lock.
    pub(crate) async fn mandates_in(
        &self,
        tx: &mut Tx,
        office: OfficeNumber,
        now_us: i64,
    ) -> Result<Vec<MandateRow>, StoreError> {
        let sql = format!(
            "SELECT {MANDATE} FROM mandates WHERE office = $1 AND ended_us = 0 AND until_us > $2 \
             ORDER BY made_us, digest LIMIT {}",
            MAX_MANDATES + 1
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(office.to_string()).bind(now_us);
        query.fetch_all(&mut **tx).await?.iter().map(mandate).collect()
    }

    /// A mandate by its digest.
    pub async fn mandate(&self, digest: &[u8; 32]) -> Result<Option<MandateRow>, StoreError> {
        let sql = format!("SELECT {MANDATE} FROM mandates WHERE digest = $1");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(digest.to_vec());
        query.fetch_optional(self.read()).await?.as_ref().map(mandate).transpose()
    }

    /// The invitation that belongs to a code.
    pub async fn invitation(&self, code_key: &[u8; 32]) -> Result<Option<MandateRow>, StoreError> {
        let sql = format!("SELECT {MANDATE} FROM mandates WHERE code_key = $1 AND kind = 'terminal'");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(code_key.to_vec());
        query.fetch_optional(self.read()).await?.as_ref().map(mandate).transpose()
    }

    /// An office's mandates that are not over at `now_us` (Unix microseconds), oldest first.
    pub async fn mandates(&self, office: OfficeNumber, now_us: i64) -> Result<Vec<MandateRow>, StoreError> {
        let sql = format!(
            "SELECT {MANDATE} FROM mandates WHERE office = $1 AND ended_us = 0 AND until_us > $2 \
             ORDER BY made_us, digest LIMIT {MAX_MANDATES}"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(office.to_string()).bind(now_us);
        query.fetch_all(self.read()).await?.iter().map(mandate).collect()
    }

    /// An office's mandates, those that are over as well, newest first, behind a place.
    pub async fn all_mandates(
        &self,
        office: OfficeNumber,
        before: Option<(i64, [u8; 32])>,
        limit: u32,
    ) -> Result<Vec<MandateRow>, StoreError> {
        let (made_us, digest) = before.unwrap_or((i64::MAX, [0; 32]));
        let sql = format!(
            "SELECT {MANDATE} FROM mandates WHERE office = $1 AND (made_us < $2 OR (made_us = $2 AND digest < $3)) \
             ORDER BY made_us DESC, digest DESC LIMIT $4"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(office.to_string())
            .bind(made_us)
            .bind(digest.to_vec())
            .bind(i64::from(limit));
        query.fetch_all(self.read()).await?.iter().map(mandate).collect()
    }

    /// A proxy's mandates that are not over at `now_us`, by office, behind an office and a digest.
    pub async fn mandates_of_proxy(
        &self,
        number: ProxyNumber,
        after: &(String, [u8; 32]),
        now_us: i64,
        limit: u32,
    ) -> Result<Vec<MandateRow>, StoreError> {
        let sql = format!(
            "SELECT {MANDATE} FROM mandates WHERE kind = 'proxy' AND holder = $1 AND ended_us = 0 AND until_us > $2 \
             AND (office > $3 OR (office = $3 AND digest > $4)) ORDER BY office, digest LIMIT $5"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(number.to_string())
            .bind(now_us)
            .bind(after.0.clone())
            .bind(after.1.to_vec())
            .bind(i64::from(limit));
        query.fetch_all(self.read()).await?.iter().map(mandate).collect()
    }

    /// Remembers that a mandate was used. No state rests on it, so it is written beside the committer.
    pub(crate) async fn touch_mandate(&self, digest: &[u8; 32], at_us: i64) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE mandates SET last_used_us = $1 WHERE digest = $2 AND last_used_us < $1")
            .bind(at_us)
            .bind(digest.to_vec())
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }

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
