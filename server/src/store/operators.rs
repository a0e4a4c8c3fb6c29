//! Operators, what they signed, and acts that wait for a second one.

use sqlx::Row as _;
use sqlx::any::AnyRow;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::canonical::hex;
use tasuki_proto::operator::{Role, Roles};

use super::rows::{digest, parsed};
use super::{Store, StoreError, Tx};
use crate::trial_ca::unhex;

/// Operators at a time, and acts that wait at a time: a desk of people, never a directory.
pub const MAX_OPERATORS: u32 = 64;
/// See [`MAX_OPERATORS`].
pub const MAX_WAITING: u32 = 200;

/// An operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorRow {
    /// SHA-256 of the certificate.
    pub fingerprint: [u8; 32],
    /// The name, as the certificate has it.
    pub name: String,
    /// What the operator may do.
    pub roles: Roles,
    /// The certificate and those above it to the trust anchor, DER.
    pub chain: Vec<Vec<u8>>,
    /// End of the certificate's validity, Unix microseconds.
    pub not_after_us: i64,
    /// When the operator was added, Unix microseconds.
    pub added_us: i64,
    /// When the operator was removed, Unix microseconds; 0: still there.
    pub removed_us: i64,
}

/// A signed act, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActRow {
    /// SHA-256 of `cms`.
    pub digest: [u8; 32],
    /// SHA-256 of the text that was signed.
    pub text_digest: [u8; 32],
    /// CMS `SignedData` (DER).
    pub cms: Vec<u8>,
    /// SHA-256 of the signer's certificate.
    pub signer: [u8; 32],
}

/// How an act that needs two stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApprovalState {
    /// It waits, or its time is over.
    Asked,
    /// A second operator approved, and it was done.
    Approved,
    /// An operator said no.
    Rejected,
}

impl ApprovalState {
    /// As the database spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
        }
    }
}

impl std::str::FromStr for ApprovalState {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Asked, Self::Approved, Self::Rejected].into_iter().find(|s| s.as_str() == text).ok_or(())
    }
}

/// An act that needs two operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalRow {
    /// 16 hexadecimal digits: the beginning of `statement`.
    pub id: String,
    /// Kind of the event that the act will write.
    pub kind: String,
    /// The role that it needs, of both.
    pub role: Role,
    /// All that it does, as the first operator signed it.
    pub details: Vec<String>,
    /// The office that it concerns.
    pub office: OfficeNumber,
    /// Who asked: SHA-256 of the certificate.
    pub asked_by: [u8; 32],
    /// Who asked, by name.
    pub asked_name: String,
    /// SHA-256 of the act that the first operator signed (CMS).
    pub statement: [u8; 32],
    /// When it was asked for, Unix microseconds.
    pub asked_us: i64,
    /// Until when it can be approved, Unix microseconds; the moment itself is too late.
    pub until_us: i64,
    /// How it stands.
    pub state: ApprovalState,
    /// Who decided; empty: nobody yet.
    pub decided_name: String,
    /// When, Unix microseconds; 0: not yet.
    pub decided_us: i64,
}

const OPERATOR: &str = "fingerprint, name, roles, chain, not_after_us, added_us, removed_us";
const APPROVAL: &str = "id, kind, role, details, office, asked_by, asked_name, statement, asked_us, until_us, state, \
                        decided_name, decided_us";

fn operator(row: &AnyRow) -> Result<OperatorRow, StoreError> {
    let (name, chain): (String, String) = (row.try_get("name")?, row.try_get("chain")?);
    let corrupt = || StoreError::Corrupt { table: "operators", column: "chain", row: name.clone() };
    Ok(OperatorRow {
        fingerprint: digest(row, "fingerprint")?,
        roles: parsed(row, "operators", "roles", &name)?,
        chain: chain.lines().map(unhex).collect::<Option<_>>().ok_or_else(corrupt)?,
        not_after_us: row.try_get("not_after_us")?,
        added_us: row.try_get("added_us")?,
        removed_us: row.try_get("removed_us")?,
        name,
    })
}

fn approval(row: &AnyRow) -> Result<ApprovalRow, StoreError> {
    let id: String = row.try_get("id")?;
    let details: String = row.try_get("details")?;
    Ok(ApprovalRow {
        kind: row.try_get("kind")?,
        role: parsed(row, "approvals", "role", &id)?,
        details: details.lines().map(str::to_owned).collect(),
        office: parsed(row, "approvals", "office", &id)?,
        asked_by: digest(row, "asked_by")?,
        asked_name: row.try_get("asked_name")?,
        statement: digest(row, "statement")?,
        asked_us: row.try_get("asked_us")?,
        until_us: row.try_get("until_us")?,
        state: parsed(row, "approvals", "state", &id)?,
        decided_name: row.try_get("decided_name")?,
        decided_us: row.try_get("decided_us")?,
        id,
    })
}

impl Store {
    /// Everybody who is or was an operator, in the order of names and times.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn operators(&self) -> Result<Vec<OperatorRow>, StoreError> {
        let sql = format!("SELECT {OPERATOR} FROM operators ORDER BY name, added_us, fingerprint");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(self.read()).await?;
        rows.iter().map(operator).collect()
    }

    /// The operators of now.
    pub(crate) async fn operators_in(&self, tx: &mut Tx) -> Result<Vec<OperatorRow>, StoreError> {
        let sql = format!("SELECT {OPERATOR} FROM operators WHERE removed_us = 0 ORDER BY name, added_us");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&mut **tx).await?;
        rows.iter().map(operator).collect()
    }

    pub(crate) async fn put_operator(&self, tx: &mut Tx, row: &OperatorRow) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO operators (fingerprint, name, roles, chain, not_after_us, added_us, removed_us) \
             VALUES ($1, $2, $3, $4, $5, $6, 0) ON CONFLICT (fingerprint) DO UPDATE SET roles = excluded.roles, \
             added_us = excluded.added_us, removed_us = 0",
        )
        .bind(row.fingerprint.to_vec())
        .bind(row.name.clone())
        .bind(row.roles.to_string())
        .bind(row.chain.iter().map(|der| hex(der)).collect::<Vec<_>>().join("\n"))
        .bind(row.not_after_us)
        .bind(row.added_us)
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    pub(crate) async fn remove_operator(
        &self,
        tx: &mut Tx,
        fingerprint: &[u8; 32],
        now_us: i64,
    ) -> Result<(), StoreError> {
        sqlx::query("UPDATE operators SET removed_us = $2 WHERE fingerprint = $1 AND removed_us = 0")
            .bind(fingerprint.to_vec())
            .bind(now_us)
            .execute(&mut **tx)
            .await?;
        Ok(())
    }

    /// Keeps a signed act. False: the same text was kept before.
    pub(crate) async fn insert_operator_act(
        &self,
        tx: &mut Tx,
        row: &ActRow,
        now_us: i64,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO operator_acts (digest, text_digest, cms, signer, made_us) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT DO NOTHING",
        )
        .bind(row.digest.to_vec())
        .bind(row.text_digest.to_vec())
        .bind(row.cms.clone())
        .bind(row.signer.to_vec())
        .bind(now_us)
        .execute(&mut **tx)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Whether an act of this text was kept.
    pub(crate) async fn knows_operator_act(
        &self,
        tx: &mut Tx,
        text_digest: &[u8; 32],
    ) -> Result<bool, StoreError> {
        let row = sqlx::query("SELECT made_us FROM operator_acts WHERE text_digest = $1")
            .bind(text_digest.to_vec())
            .fetch_optional(&mut **tx)
            .await?;
        Ok(row.is_some())
    }

    /// A signed act, by SHA-256 of its bytes.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn operator_act(&self, of: &[u8; 32]) -> Result<Option<ActRow>, StoreError> {
        let row = sqlx::query("SELECT digest, text_digest, cms, signer FROM operator_acts WHERE digest = $1")
            .bind(of.to_vec())
            .fetch_optional(self.read())
            .await?;
        row.map(|row| {
            Ok(ActRow {
                digest: digest(&row, "digest")?,
                text_digest: digest(&row, "text_digest")?,
                cms: row.try_get("cms")?,
                signer: digest(&row, "signer")?,
            })
        })
        .transpose()
    }

    /// Acts that need two operators, the newest first, at most [`MAX_WAITING`].
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn approvals(&self) -> Result<Vec<ApprovalRow>, StoreError> {
        let sql = format!("SELECT {APPROVAL} FROM approvals ORDER BY asked_us DESC, id LIMIT $1");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(i64::from(MAX_WAITING));
        query.fetch_all(self.read()).await?.iter().map(approval).collect()
    }

    pub(crate) async fn approval_in(&self, tx: &mut Tx, id: &str) -> Result<Option<ApprovalRow>, StoreError> {
        let sql = format!("SELECT {APPROVAL} FROM approvals WHERE id = $1");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id.to_owned());
        query.fetch_optional(&mut **tx).await?.as_ref().map(approval).transpose()
    }

    /// How many acts wait.
    pub(crate) async fn waiting_approvals(&self, tx: &mut Tx, now_us: i64) -> Result<u32, StoreError> {
        let row = sqlx::query("SELECT COUNT(*) AS n FROM approvals WHERE state = 'asked' AND until_us > $1")
            .bind(now_us)
            .fetch_one(&mut **tx)
            .await?;
        Ok(u32::try_from(row.try_get::<i64, _>("n")?).unwrap_or(u32::MAX))
    }

    pub(crate) async fn insert_approval(&self, tx: &mut Tx, row: &ApprovalRow) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO approvals (id, kind, role, details, office, asked_by, asked_name, statement, asked_us, until_us, \
             state, decided_name, decided_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, '', 0)",
        )
        .bind(row.id.clone())
        .bind(row.kind.clone())
        .bind(row.role.as_str())
        .bind(row.details.join("\n"))
        .bind(row.office.to_string())
        .bind(row.asked_by.to_vec())
        .bind(row.asked_name.clone())
        .bind(row.statement.to_vec())
        .bind(row.asked_us)
        .bind(row.until_us)
        .bind(row.state.as_str())
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    pub(crate) async fn decide_approval(
        &self,
        tx: &mut Tx,
        id: &str,
        state: ApprovalState,
        by: &str,
        now_us: i64,
    ) -> Result<(), StoreError> {
        sqlx::query("UPDATE approvals SET state = $2, decided_name = $3, decided_us = $4 WHERE id = $1")
            .bind(id.to_owned())
            .bind(state.as_str())
            .bind(by.to_owned())
            .bind(now_us)
            .execute(&mut **tx)
            .await?;
        Ok(())
    }
}
