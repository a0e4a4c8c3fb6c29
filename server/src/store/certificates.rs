//! Certificates of offices, their terminals and proxies as the relay has seen them: when they end, and who was told of it.

use std::fmt;
use std::str::FromStr;

use sqlx::Row as _;
use sqlx::any::AnyRow;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::ids::ProxyNumber;
use tasuki_proto::mandate::is_terminal_name;

use super::rows::{digest, parsed};
use super::{Store, StoreError, Tx};

/// Offices of one proxy that are told of something that concerns the proxy: more than any proxy serves.
const MAX_OFFICES: u32 = 10_000;

/// Senders that are told when a receiver's certificate is revoked while their parcels wait: more than one office has.
const MAX_SENDERS: u32 = 10_000;

/// Whose certificate it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bearer {
    /// An office's own.
    Office(OfficeNumber),
    /// Of a terminal of an office, by its name.
    Terminal(OfficeNumber, String),
    /// A proxy's.
    Proxy(ProxyNumber),
}

impl Bearer {
    /// The office that it belongs to.
    pub fn office(&self) -> Option<OfficeNumber> {
        match self {
            Self::Office(office) | Self::Terminal(office, _) => Some(*office),
            Self::Proxy(_) => None,
        }
    }
}

impl fmt::Display for Bearer {
    /// As events and the database spell it; see `tasuki_proto::ids::identity_text`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Office(number) => write!(f, "office:{number}"),
            Self::Terminal(office, name) => write!(f, "terminal:{office}:{name}"),
            Self::Proxy(number) => write!(f, "proxy:{number}"),
        }
    }
}

impl FromStr for Bearer {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (kind, whose) = text.split_once(':').ok_or(())?;
        match kind {
            "office" => whose.parse().map(Self::Office).map_err(|_| ()),
            "proxy" => whose.parse().map(Self::Proxy).map_err(|_| ()),
            "terminal" => {
                let (office, name) = whose.split_once(':').ok_or(())?;
                let office = office.parse().map_err(|_| ())?;
                is_terminal_name(name).then(|| Self::Terminal(office, name.to_owned())).ok_or(())
            }
            _ => Err(()),
        }
    }
}

/// A certificate that the relay has seen.
#[derive(Clone, PartialEq, Eq)]
pub struct CertificateRow {
    /// Whose.
    pub bearer: Bearer,
    /// SHA-256 of it.
    pub fingerprint: [u8; 32],
    /// DER.
    pub certificate: Vec<u8>,
    /// Its end, Unix microseconds; of a terminal's: the end of what it may do, where that comes before.
    pub not_after_us: i64,
    /// When somebody is to be told next, Unix microseconds; 0: nothing more is to be told.
    pub due_us: i64,
    /// When the relay noticed that it is revoked, Unix microseconds; 0: it is not, as far as is known.
    pub revoked_us: i64,
    /// SHA-256 of the certificate whose place it took by a renewal.
    pub renews: Option<[u8; 32]>,
    /// What the key of that certificate signed for it; empty: it came by no renewal.
    pub renewal: Vec<u8>,
}

impl fmt::Debug for CertificateRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateRow")
            .field("bearer", &self.bearer)
            .field("not_after_us", &self.not_after_us)
            .field("due_us", &self.due_us)
            .finish_non_exhaustive()
    }
}

/// A certificate by whose it is and its SHA-256.
pub type CertificateKey = (Bearer, [u8; 32]);

const CERTIFICATE: &str =
    "holder, fingerprint, certificate, not_after_us, due_us, revoked_us, renews, renewal";

fn certificate(row: &AnyRow) -> Result<CertificateRow, StoreError> {
    // Empty bytes come back as NULL from SQLite.
    let bytes = |column| -> Result<Vec<u8>, StoreError> {
        Ok(row.try_get::<Option<_>, _>(column)?.unwrap_or_default())
    };
    Ok(CertificateRow {
        bearer: parsed(row, "certificates", "holder", &"")?,
        fingerprint: digest(row, "fingerprint")?,
        certificate: row.try_get("certificate")?,
        not_after_us: row.try_get("not_after_us")?,
        due_us: row.try_get("due_us")?,
        revoked_us: row.try_get("revoked_us")?,
        renews: bytes("renews")?.try_into().ok(),
        renewal: bytes("renewal")?,
    })
}

impl Store {
    /// Remembers a certificate. False: it was known already.
    pub(crate) async fn insert_certificate(
        &self,
        tx: &mut Tx,
        row: &CertificateRow,
        at_us: i64,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO certificates (holder, fingerprint, certificate, not_after_us, seen_us, due_us, revoked_us, \
             renews, renewal) VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8) ON CONFLICT (holder, fingerprint) DO NOTHING",
        )
        .bind(row.bearer.to_string())
        .bind(row.fingerprint.to_vec())
        .bind(row.certificate.clone())
        .bind(row.not_after_us)
        .bind(at_us)
        .bind(row.due_us)
        .bind(row.renews.map(|renews| renews.to_vec()).unwrap_or_default())
        .bind(row.renewal.clone())
        .execute(&mut **tx)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Whether a certificate is known.
    pub async fn knows_certificate(
        &self,
        bearer: &Bearer,
        fingerprint: &[u8; 32],
    ) -> Result<bool, StoreError> {
        let query = sqlx::query("SELECT due_us FROM certificates WHERE holder = $1 AND fingerprint = $2")
            .bind(bearer.to_string())
            .bind(fingerprint.to_vec());
        Ok(query.fetch_optional(self.read()).await?.is_some())
    }

    /// How many certificates of somebody are known, those that have ended among them.
    pub(crate) async fn certificates_of(&self, tx: &mut Tx, bearer: &Bearer) -> Result<i64, StoreError> {
        let query = sqlx::query("SELECT COUNT(*) AS count FROM certificates WHERE holder = $1");
        Ok(query.bind(bearer.to_string()).fetch_one(&mut **tx).await?.try_get("count")?)
    }

    /// Certificates of somebody that have not ended at `now_us` and are not known to be revoked, the newest first, at most 100.
    pub async fn certificates_held(
        &self,
        bearer: &Bearer,
        now_us: i64,
    ) -> Result<Vec<CertificateRow>, StoreError> {
        let sql = format!(
            "SELECT {CERTIFICATE} FROM certificates WHERE holder = $1 AND not_after_us >= $2 AND revoked_us = 0 \
             ORDER BY seen_us DESC, fingerprint LIMIT 100"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(bearer.to_string()).bind(now_us);
        query.fetch_all(self.read()).await?.iter().map(certificate).collect()
    }

    /// Whether a certificate was renewed already, under the head's lock.
    pub(crate) async fn is_renewed(
        &self,
        tx: &mut Tx,
        bearer: &Bearer,
        fingerprint: &[u8; 32],
    ) -> Result<bool, StoreError> {
        let query = sqlx::query("SELECT due_us FROM certificates WHERE holder = $1 AND renews = $2 LIMIT 1")
            .bind(bearer.to_string())
            .bind(fingerprint.to_vec());
        Ok(query.fetch_optional(&mut **tx).await?.is_some())
    }

    /// A certificate, under the head's lock.
    pub(crate) async fn certificate_in(
        &self,
        tx: &mut Tx,
        (bearer, fingerprint): &CertificateKey,
    ) -> Result<Option<CertificateRow>, StoreError> {
        let sql = format!("SELECT {CERTIFICATE} FROM certificates WHERE holder = $1 AND fingerprint = $2");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(bearer.to_string()).bind(fingerprint.to_vec());
        query.fetch_optional(&mut **tx).await?.as_ref().map(certificate).transpose()
    }

    /// Whether somebody has another certificate that is not revoked and ends later than `not_after_us`.
    pub(crate) async fn has_later_certificate(
        &self,
        tx: &mut Tx,
        row: &CertificateRow,
        not_after_us: i64,
    ) -> Result<bool, StoreError> {
        let query = sqlx::query(
            "SELECT due_us FROM certificates WHERE holder = $1 AND fingerprint <> $2 AND revoked_us = 0 \
             AND not_after_us > $3 LIMIT 1",
        )
        .bind(row.bearer.to_string())
        .bind(row.fingerprint.to_vec())
        .bind(not_after_us);
        Ok(query.fetch_optional(&mut **tx).await?.is_some())
    }

    /// Writes when a certificate ends, when somebody is to be told next of that, and since when it is known to be revoked.
    pub(crate) async fn note_certificate(&self, tx: &mut Tx, row: &CertificateRow) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE certificates SET not_after_us = $1, due_us = $2, revoked_us = $3 \
             WHERE holder = $4 AND fingerprint = $5",
        )
        .bind(row.not_after_us)
        .bind(row.due_us)
        .bind(row.revoked_us)
        .bind(row.bearer.to_string())
        .bind(row.fingerprint.to_vec())
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// Certificates of which somebody is to be told, the longest due first, at most `limit`.
    pub async fn certificates_due(&self, now_us: i64, limit: u32) -> Result<Vec<CertificateKey>, StoreError> {
        let rows = sqlx::query(
            "SELECT holder, fingerprint FROM certificates WHERE due_us > 0 AND due_us <= $1 \
             ORDER BY due_us, holder, fingerprint LIMIT $2",
        )
        .bind(now_us)
        .bind(i64::from(limit))
        .fetch_all(self.read())
        .await?;
        rows.iter()
            .map(|row| Ok((parsed(row, "certificates", "holder", &"")?, digest(row, "fingerprint")?)))
            .collect()
    }

    /// Certificates that have not ended and are not known to be revoked, behind one of them, at most `limit`.
    pub async fn certificates_behind(
        &self,
        after: Option<&CertificateKey>,
        now_us: i64,
        limit: u32,
    ) -> Result<Vec<CertificateRow>, StoreError> {
        let (holder, fingerprint) =
            after.map(|(bearer, fingerprint)| (bearer.to_string(), fingerprint.to_vec())).unwrap_or_default();
        let sql = format!(
            "SELECT {CERTIFICATE} FROM certificates WHERE (holder > $1 OR (holder = $1 AND fingerprint > $2)) \
             AND revoked_us = 0 AND not_after_us >= $3 ORDER BY holder, fingerprint LIMIT $4"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(holder)
            .bind(fingerprint)
            .bind(now_us)
            .bind(i64::from(limit));
        query.fetch_all(self.read()).await?.iter().map(certificate).collect()
    }

    /// Who has no certificate that ends after `until_us`, and when the last one ends, from `from_us` on: the soonest first, at
    /// most `limit`. What is revoked does not count.
    pub async fn certificates_ending(
        &self,
        from_us: i64,
        until_us: i64,
        limit: u32,
    ) -> Result<Vec<(Bearer, i64)>, StoreError> {
        // Only who has one that ends in this time is looked at: the index finds those.
        let rows = sqlx::query(
            "SELECT c.holder AS holder, MAX(c.not_after_us) AS last_us FROM certificates c \
             WHERE c.not_after_us >= $1 AND c.not_after_us < $2 AND c.revoked_us = 0 \
             AND NOT EXISTS (SELECT 1 FROM certificates l WHERE l.holder = c.holder AND l.revoked_us = 0 \
             AND l.not_after_us >= $2) GROUP BY c.holder ORDER BY last_us, c.holder LIMIT $3",
        )
        .bind(from_us)
        .bind(until_us)
        .bind(i64::from(limit))
        .fetch_all(self.read())
        .await?;
        rows.iter()
            .map(|row| Ok((parsed(row, "certificates", "holder", &"")?, row.try_get("last_us")?)))
            .collect()
    }

    /// The offices that let a proxy act, under the head's lock.
    pub(crate) async fn offices_of_proxy(
        &self,
        tx: &mut Tx,
        number: ProxyNumber,
        now_us: i64,
    ) -> Result<Vec<OfficeNumber>, StoreError> {
        let rows = sqlx::query(
            "SELECT DISTINCT office FROM mandates WHERE kind = 'proxy' AND holder = $1 AND ended_us = 0 \
             AND until_us > $2 ORDER BY office LIMIT $3",
        )
        .bind(number.to_string())
        .bind(now_us)
        .bind(i64::from(MAX_OFFICES))
        .fetch_all(&mut **tx)
        .await?;
        rows.iter().map(|row| parsed(row, "mandates", "office", &"")).collect()
    }

    /// Offices whose parcels wait for a receiver, under the head's lock.
    pub(crate) async fn senders_waiting_for(
        &self,
        tx: &mut Tx,
        recipient: OfficeNumber,
    ) -> Result<Vec<OfficeNumber>, StoreError> {
        let rows = sqlx::query(
            "SELECT DISTINCT sender FROM parcels WHERE recipient = $1 AND state IN ('delivered', 'fetched') \
             ORDER BY sender LIMIT $2",
        )
        .bind(recipient.to_string())
        .bind(i64::from(MAX_SENDERS))
        .fetch_all(&mut **tx)
        .await?;
        rows.iter().map(|row| parsed(row, "parcels", "sender", &recipient)).collect()
    }

    /// Terminals whose time is not over at `now_us` and that nobody has used since a time, at most `limit`.
    pub async fn idle_terminals(
        &self,
        before_us: i64,
        now_us: i64,
        limit: u32,
    ) -> Result<Vec<(OfficeNumber, [u8; 32])>, StoreError> {
        let rows = sqlx::query(
            "SELECT office, digest FROM mandates WHERE kind = 'terminal' AND ended_us = 0 AND enrolled_us > 0 \
             AND last_used_us <= $1 AND enrolled_us <= $1 AND until_us > $2 \
             ORDER BY last_used_us, digest LIMIT $3",
        )
        .bind(before_us)
        .bind(now_us)
        .bind(i64::from(limit))
        .fetch_all(self.read())
        .await?;
        rows.iter().map(|row| Ok((parsed(row, "mandates", "office", &"")?, digest(row, "digest")?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bearers_read_as_they_print() {
        for text in ["office:1371215102", "proxy:P00001", "terminal:1371215102:受付: 2"] {
            assert_eq!(text.parse::<Bearer>().unwrap().to_string(), text);
        }
        for wrong in ["", "office", "office:1", "proxy:1371215102", "terminal:1371215102", "operator:x"] {
            assert!(wrong.parse::<Bearer>().is_err(), "{wrong}");
        }
    }
}
