//! Which offices are partners (招待・承諾), and what they declare to take while the operator has not agreed.

use sqlx::Row as _;
use sqlx::any::AnyRow;
use tasuki_careplan::office::OfficeNumber;

use super::rows::parsed;
use super::{Store, StoreError, Tx};

/// How two offices stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// One invited the other.
    Invited,
    /// The other accepted.
    Linked,
    /// One of them ended it, or left.
    Ended,
}

impl LinkState {
    /// As the database and JSON spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invited => "invited",
            Self::Linked => "linked",
            Self::Ended => "ended",
        }
    }
}

impl std::str::FromStr for LinkState {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Invited, Self::Linked, Self::Ended].into_iter().find(|s| s.as_str() == text).ok_or(())
    }
}

/// Two offices and how they stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkRow {
    /// The one with the smaller number.
    pub first: OfficeNumber,
    /// The other.
    pub second: OfficeNumber,
    /// How they stand to each other.
    pub state: LinkState,
    /// Who invited.
    pub inviter: OfficeNumber,
    /// Since when they stand so, Unix microseconds.
    pub since_us: i64,
}

impl LinkRow {
    /// The other one.
    pub fn other(&self, office: OfficeNumber) -> OfficeNumber {
        if self.first == office { self.second } else { self.first }
    }
}

/// What an office declared to take, which waits for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileRow {
    /// Which.
    pub office: OfficeNumber,
    /// What it takes.
    pub accepts: Vec<String>,
    /// SHA-256 of the statement.
    pub digest: Vec<u8>,
    /// When it was declared, Unix microseconds.
    pub made_us: i64,
}

/// Two offices in the order of the table.
pub fn ordered(one: OfficeNumber, other: OfficeNumber) -> (OfficeNumber, OfficeNumber) {
    if one <= other { (one, other) } else { (other, one) }
}

const LINK: &str = "first, second, state, inviter, since_us";

fn link(row: &AnyRow) -> Result<LinkRow, StoreError> {
    let first: OfficeNumber = parsed(row, "partner_links", "first", &"")?;
    Ok(LinkRow {
        first,
        second: parsed(row, "partner_links", "second", &first)?,
        state: parsed(row, "partner_links", "state", &first)?,
        inviter: parsed(row, "partner_links", "inviter", &first)?,
        since_us: row.try_get("since_us")?,
    })
}

fn profile(row: &AnyRow) -> Result<ProfileRow, StoreError> {
    let accepts: String = row.try_get("accepts")?;
    Ok(ProfileRow {
        office: parsed(row, "profiles", "office", &"")?,
        accepts: accepts.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect(),
        digest: row.try_get("digest")?,
        made_us: row.try_get("made_us")?,
    })
}

impl Store {
    /// Whether two offices are partners.
    pub async fn linked(&self, one: OfficeNumber, other: OfficeNumber) -> Result<bool, StoreError> {
        let (first, second) = ordered(one, other);
        let query =
            sqlx::query("SELECT 1 FROM partner_links WHERE first = $1 AND second = $2 AND state = 'linked'");
        let query = query.bind(first.to_string()).bind(second.to_string());
        Ok(query.fetch_optional(self.read()).await?.is_some())
    }

    /// How two offices stand to each other, under the lock.
    pub(crate) async fn link_in(
        &self,
        tx: &mut Tx,
        one: OfficeNumber,
        other: OfficeNumber,
    ) -> Result<Option<LinkRow>, StoreError> {
        let (first, second) = ordered(one, other);
        let sql = format!("SELECT {LINK} FROM partner_links WHERE first = $1 AND second = $2");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(first.to_string()).bind(second.to_string());
        query.fetch_optional(&mut **tx).await?.as_ref().map(link).transpose()
    }

    /// Writes how two offices stand to each other.
    pub(crate) async fn put_link(&self, tx: &mut Tx, row: &LinkRow) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO partner_links (first, second, state, inviter, since_us) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (first, second) DO UPDATE SET state = excluded.state, inviter = excluded.inviter, \
             since_us = excluded.since_us",
        )
        .bind(row.first.to_string())
        .bind(row.second.to_string())
        .bind(row.state.as_str())
        .bind(row.inviter.to_string())
        .bind(row.since_us)
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// Invitations that an office made and that nobody answered yet, under the lock.
    pub(crate) async fn invitations_in(&self, tx: &mut Tx, office: OfficeNumber) -> Result<i64, StoreError> {
        let query = sqlx::query(
            "SELECT COUNT(*) AS open FROM partner_links WHERE inviter = $1 AND state = 'invited'",
        );
        Ok(query.bind(office.to_string()).fetch_one(&mut **tx).await?.try_get("open")?)
    }

    /// What of an office's partnerships is not over, under the lock.
    pub(crate) async fn links_in(
        &self,
        tx: &mut Tx,
        office: OfficeNumber,
    ) -> Result<Vec<LinkRow>, StoreError> {
        let sql = format!(
            "SELECT {LINK} FROM partner_links WHERE (first = $1 OR second = $1) AND state <> 'ended' \
             ORDER BY first, second"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(office.to_string());
        query.fetch_all(&mut **tx).await?.iter().map(link).collect()
    }

    /// An office's partners and invitations, behind one, in the order of their numbers, at most `limit`.
    pub async fn partners(
        &self,
        office: OfficeNumber,
        after: &str,
        limit: u32,
    ) -> Result<Vec<LinkRow>, StoreError> {
        let sql = format!(
            "SELECT {LINK} FROM partner_links WHERE state <> 'ended' AND \
             ((first = $1 AND second > $2) OR (second = $1 AND first > $2)) \
             ORDER BY CASE WHEN first = $1 THEN second ELSE first END LIMIT $3"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(office.to_string())
            .bind(after.to_owned())
            .bind(i64::from(limit));
        query.fetch_all(self.read()).await?.iter().map(link).collect()
    }

    /// Writes what an office takes, as its own signed word.
    pub(crate) async fn declare_accepts(
        &self,
        tx: &mut Tx,
        office: OfficeNumber,
        accepts: &[String],
        (at_us, generation): (i64, i64),
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE offices SET accepts = $1, declared = 1, changed_us = $2, generation = $3 WHERE number = $4",
        )
        .bind(accepts.join(" "))
        .bind(at_us)
        .bind(generation)
        .bind(office.to_string())
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// Keeps a declaration for the operator, over one before.
    pub(crate) async fn put_profile(&self, tx: &mut Tx, row: &ProfileRow) -> Result<(), StoreError> {
        self.remove_profile(tx, row.office).await?;
        sqlx::query("INSERT INTO profiles (office, accepts, digest, made_us) VALUES ($1, $2, $3, $4)")
            .bind(row.office.to_string())
            .bind(row.accepts.join(" "))
            .bind(row.digest.clone())
            .bind(row.made_us)
            .execute(&mut **tx)
            .await?;
        Ok(())
    }

    /// A declaration that waits for the operator, under the lock.
    pub(crate) async fn profile_in(
        &self,
        tx: &mut Tx,
        office: OfficeNumber,
    ) -> Result<Option<ProfileRow>, StoreError> {
        let query = sqlx::query("SELECT office, accepts, digest, made_us FROM profiles WHERE office = $1");
        let row = query.bind(office.to_string()).fetch_optional(&mut **tx).await?;
        row.as_ref().map(profile).transpose()
    }

    /// The operator has decided.
    pub(crate) async fn remove_profile(&self, tx: &mut Tx, office: OfficeNumber) -> Result<(), StoreError> {
        let delete = sqlx::query("DELETE FROM profiles WHERE office = $1").bind(office.to_string());
        delete.execute(&mut **tx).await?;
        Ok(())
    }

    /// Declarations that wait for the operator, behind one office, at most `limit`.
    pub async fn profiles(&self, after: &str, limit: u32) -> Result<Vec<ProfileRow>, StoreError> {
        let query = sqlx::query(
            "SELECT office, accepts, digest, made_us FROM profiles WHERE office > $1 ORDER BY office LIMIT $2",
        );
        let query = query.bind(after.to_owned()).bind(i64::from(limit));
        query.fetch_all(self.read()).await?.iter().map(profile).collect()
    }
}
