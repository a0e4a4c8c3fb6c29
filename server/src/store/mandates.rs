//! Who else may act for an office.

use std::fmt;

use sqlx::Row as _;
use sqlx::any::AnyRow;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::ids::ProxyNumber;
use tasuki_proto::mandate::{KeepTerminal, KeyChain, Role, Scopes};

use super::rows::{First, digest, parsed, pieces};
use super::{Store, StoreError, Tx};

/// Mandates of one office that can be used at a time: ten care managers with two computers each and a few proxies, twice
/// over. Each that may receive costs the relay 50 µs for every parcel.
pub const MAX_MANDATES: u32 = 48;

/// That a mandate was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Use {
    /// Which: SHA-256 of what gives it.
    pub(crate) mandate: [u8; 32],
    /// When, Unix microseconds.
    pub(crate) at_us: i64,
}

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
    /// SHA-256 of the statement (CMS) that gave it, or of its text where the operator registered it.
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
    /// The statement (CMS) that shows it now: of a terminal's the invitation, or what a later certificate of the office signed in its
    /// place. Empty: the operator registered it for an office without a certificate.
    pub cms: Vec<u8>,
    /// SHA-256 of the certificate that signed it; absent where the operator registered it.
    pub signer: Option<[u8; 32]>,
    /// Public key of the invitation code; empty for a proxy.
    pub code_key: Vec<u8>,
    /// The terminal's certificate (DER); empty: there is none.
    pub certificate: Vec<u8>,
    /// SHA-256 of it.
    pub fingerprint: Vec<u8>,
    /// The terminal's key, signed with the invitation's, and its renewals behind it.
    pub enrolment: Vec<u8>,
    /// The terminal's certificate before its last renewal (DER), good as well until it ends; empty: there is none.
    pub previous: Vec<u8>,
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
            previous: Vec::new(),
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

    /// Whether an office that keeps a terminal means this one, as it was invited, with a key that it has or had.
    pub fn is_meant_by(&self, said: &KeepTerminal) -> bool {
        self.digest == said.mandate
            && self.office == said.office
            && self.holder == Holder::Terminal(said.name.clone())
            && self.scopes == said.scopes
            && self.code_key == said.code_key
            && KeyChain::peek(&self.enrolment).is_ok_and(|chain| chain.keys().any(|key| key == said.key))
    }

    /// The operator registered it; no office signed.
    pub fn by_operator(&self) -> bool {
        self.cms.is_empty()
    }
}

const MANDATE: &str = "digest, office, kind, holder, scopes, from_us, until_us, cms, signer, code_key, certificate, \
                       fingerprint, enrolment, previous, made_us, enrolled_us, ended_us, last_used_us, confirm";

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
        previous: bytes("previous")?,
        made_us: row.try_get("made_us")?,
        enrolled_us: row.try_get("enrolled_us")?,
        ended_us: row.try_get("ended_us")?,
        last_used_us: row.try_get("last_used_us")?,
    })
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

    /// Writes what a terminal's renewal brings. False: it was renewed meanwhile, or it was ended.
    pub(crate) async fn renew_terminal(&self, tx: &mut Tx, row: &MandateRow) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE mandates SET certificate = $1, fingerprint = $2, enrolment = $3, previous = $4, until_us = $5 \
             WHERE digest = $6 AND certificate = $4 AND ended_us = 0",
        )
        .bind(row.certificate.clone())
        .bind(row.fingerprint.clone())
        .bind(row.enrolment.clone())
        .bind(row.previous.clone())
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

    /// Offices' mandates that are not over at `now_us` (Unix microseconds), each office's oldest first, at most
    /// [`MAX_MANDATES`] of each.
    pub async fn mandates(
        &self,
        offices: &[OfficeNumber],
        now_us: i64,
    ) -> Result<Vec<MandateRow>, StoreError> {
        const FIRST: First<'static> = First {
            table: "mandates",
            columns: MANDATE,
            condition: "ended_us = 0 AND until_us >",
            order: "made_us, digest",
            count: MAX_MANDATES,
        };
        let mut found = Vec::with_capacity(offices.len());
        for piece in pieces(offices) {
            for row in &FIRST.of_each(self.dialect(), piece).bind(now_us).fetch_all(self.read()).await? {
                found.push(mandate(row)?);
            }
        }
        Ok(found)
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

    /// Remembers when mandates were used. No state rests on it, so it is written beside the committer.
    pub(crate) async fn touch_mandates(&self, uses: &[Use]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for Use { mandate, at_us } in uses {
            sqlx::query("UPDATE mandates SET last_used_us = $1 WHERE digest = $2 AND last_used_us < $1")
                .bind(*at_us)
                .bind(mandate.to_vec())
                .execute(&mut *tx)
                .await?;
        }
        Ok(tx.commit().await?)
    }
}
