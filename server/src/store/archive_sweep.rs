//! Certificates and CRLs of the archive that no evidence names any more.
//!
//! Nothing counts who names what: whatever is needed is handed over again once a day (`intake::archive`), and its row notes
//! when. What was not needed for [`LINGER_US`] before the place that the sweep of evidence has reached can only be named by
//! parcels that are as old and still there: those that lived that long, a few, which are looked at one by one. Events that stay
//! for ever pin what they name when that sweep passes them.

use std::collections::HashMap;

use sqlx::{AnyConnection, Row as _};
use tasuki_proto::canonical;
use tasuki_proto::event::Event;

use super::archive::chain;
use super::evidence_sweep::{erased_to, leaves_of, read};
use super::leaves::erased_hash;
use super::rows::digest;
use super::{Store, StoreError, Tx};

/// How much older than all evidence a use must be: longer than an unfetched parcel waits by default, so that few parcels that are
/// as old are still there, and far longer than the day by which a row's time may lag behind its last use.
pub const LINGER_US: i64 = 100 * DAY_US;

/// By how much a row's time may lag behind the last event that names it: a day between two uses that are noted, and what a
/// submission may wait for its commit.
const LAG_US: i64 = 2 * DAY_US;

const DAY_US: i64 = 24 * 3_600 * 1_000_000;

/// Rows that are looked at together, 40 bytes each in memory.
const AT_ONCE: u32 = 4_096;

/// Old parcels that one query looks at.
const PARCELS: u32 = 128;

/// In the place of a row's time: it is never taken.
const FOR_EVER: i64 = i64::MAX;

/// What went, or would go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unnamed {
    /// Certificates and CRLs.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When the one was last needed that was not needed for the longest time. Unix microseconds; 0: there is none.
    pub oldest_us: i64,
}

/// A row that may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    fingerprint: [u8; 32],
    used_us: i64,
    bytes: u64,
}

impl Unnamed {
    fn add(&mut self, candidate: &Candidate) {
        *self = self.and(Self { count: 1, bytes: candidate.bytes, oldest_us: candidate.used_us });
    }

    /// Both together, of which this one was needed before the other.
    #[must_use]
    pub fn and(self, later: Self) -> Self {
        let oldest_us = if self.count == 0 { later.oldest_us } else { self.oldest_us };
        Self { count: self.count + later.count, bytes: self.bytes + later.bytes, oldest_us }
    }
}

/// Certificates and CRLs that an event names.
pub(super) fn named(event: &Event) -> impl Iterator<Item = [u8; 32]> {
    let signers = ["signer", "statement-signer"].into_iter().filter_map(|key| event.digest(key));
    signers.chain(event.lines.all("crl").filter_map(canonical::parse_digest))
}

impl Store {
    /// Takes these out of the archive, in one transaction. What was needed since they were looked at stays, and what is needed
    /// from now on comes back with the commit that needs it: both write under the head's lock.
    pub(crate) async fn erase_unnamed(&self, unnamed: &[Candidate]) -> Result<Unnamed, StoreError> {
        let mut all = Unnamed::default();
        let mut tx = self.begin().await?;
        self.take_head(&mut tx).await?;
        for candidate in unnamed {
            let delete = sqlx::query("DELETE FROM archive WHERE fingerprint = $1 AND used_us = $2")
                .bind(candidate.fingerprint.to_vec())
                .bind(candidate.used_us);
            if delete.execute(&mut *tx).await?.rows_affected() == 1 {
                all.add(candidate);
            }
        }
        tx.commit().await?;
        Ok(all)
    }

    /// What no evidence names any more, without touching anything.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn archive_due(&self) -> Result<Unnamed, StoreError> {
        let mut all = Unnamed::default();
        let mut after = None;
        while let Some(page) = self.unnamed(after).await? {
            after = Some(page.last);
            page.unnamed.iter().for_each(|candidate| all.add(candidate));
        }
        Ok(all)
    }

    /// Rows from before uses were noted count as used now, `step` of them. False: there were none.
    pub(crate) async fn adopt_archive(&self, now_us: i64, step: u32) -> Result<bool, StoreError> {
        let old = "SELECT fingerprint FROM archive WHERE used_us = 0 ORDER BY fingerprint LIMIT $1";
        let some = sqlx::query(old).bind(1_i64).fetch_optional(self.read()).await?;
        if some.is_none() {
            return Ok(false);
        }
        let mut tx = self.begin().await?;
        self.take_head(&mut tx).await?;
        let rows = sqlx::query(old).bind(i64::from(step.max(1))).fetch_all(&mut *tx).await?;
        let old: Vec<[u8; 32]> =
            rows.iter().map(|row| digest(row, "fingerprint")).collect::<Result<_, _>>()?;
        self.note_use(&mut tx, &old, now_us).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Notes that these were needed at a time.
    pub(super) async fn note_use(
        &self,
        tx: &mut Tx,
        fingerprints: &[[u8; 32]],
        at_us: i64,
    ) -> Result<(), StoreError> {
        for fingerprint in fingerprints {
            sqlx::query("UPDATE archive SET used_us = $1 WHERE fingerprint = $2 AND used_us < $1")
                .bind(at_us)
                .bind(fingerprint.to_vec())
                .execute(&mut **tx)
                .await?;
        }
        Ok(())
    }

    /// Has what an event names that stays for ever stay as long, each certificate with its chain.
    pub(super) async fn pin(&self, tx: &mut Tx, fingerprints: &[[u8; 32]]) -> Result<(), StoreError> {
        for fingerprint in fingerprints {
            let chain = chain_of(tx, fingerprint).await?;
            self.note_use(tx, &chain, FOR_EVER).await?;
            self.note_use(tx, &[*fingerprint], FOR_EVER).await?;
        }
        Ok(())
    }

    /// The next rows, in the order of their times, that no evidence names. `None`: there are no more that are old enough.
    pub(crate) async fn unnamed(&self, after: Option<Candidate>) -> Result<Option<Page>, StoreError> {
        let mut connection = self.read().acquire().await?;
        let Some(before_us) = reached_us(&mut connection).await? else { return Ok(None) };
        let candidates = candidates(&mut connection, before_us.saturating_sub(LINGER_US), after).await?;
        let Some(last) = candidates.last().copied() else { return Ok(None) };
        let mut left: HashMap<[u8; 32], Candidate> =
            candidates.into_iter().map(|candidate| (candidate.fingerprint, candidate)).collect();
        let until_us = last.used_us.saturating_add(LAG_US);
        let mut seq = 0;
        while !left.is_empty() {
            let old = parcels_until(&mut connection, seq, until_us).await?;
            let Some(end) = old.last() else { break };
            seq = *end;
            for leaf in leaves_of(&mut connection, &old).await? {
                for fingerprint in named(&read(&leaf)?) {
                    if left.remove(&fingerprint).is_some() {
                        for above in chain_of(&mut connection, &fingerprint).await? {
                            left.remove(&above);
                        }
                    }
                }
            }
        }
        let mut unnamed: Vec<Candidate> = left.into_values().collect();
        unnamed.sort_unstable_by_key(|candidate| (candidate.used_us, candidate.fingerprint));
        Ok(Some(Page { last, unnamed }))
    }
}

/// Rows that were looked at together.
#[derive(Debug)]
pub(crate) struct Page {
    /// The last that was looked at.
    pub(crate) last: Candidate,
    /// Those that nothing names, in the order of their times.
    pub(crate) unnamed: Vec<Candidate>,
}

/// The time of the event that the sweep of evidence has reached: all that is left of what was before it are parcels that lived on,
/// and events that stay for ever.
async fn reached_us(connection: &mut AnyConnection) -> Result<Option<i64>, StoreError> {
    let reached = erased_to(connection).await?;
    let row = sqlx::query("SELECT pos, seq, text FROM leaves WHERE pos = $1").bind(reached.to_key());
    let Some(row) = row.fetch_optional(connection).await? else { return Ok(None) };
    let leaf = super::leaves::leaf(&row)?;
    if erased_hash(&leaf.text).is_some() {
        return Ok(None);
    }
    Ok(Some(read(&leaf)?.time_us))
}

async fn candidates(
    connection: &mut AnyConnection,
    before_us: i64,
    after: Option<Candidate>,
) -> Result<Vec<Candidate>, StoreError> {
    let (used_us, fingerprint) = after.map_or((0, Vec::new()), |c| (c.used_us, c.fingerprint.to_vec()));
    let rows = sqlx::query(
        "SELECT fingerprint, used_us, CAST(LENGTH(der) AS BIGINT) AS size FROM archive \
         WHERE used_us > 0 AND used_us < $1 AND (used_us > $2 OR (used_us = $2 AND fingerprint > $3)) \
         ORDER BY used_us, fingerprint LIMIT $4",
    )
    .bind(before_us)
    .bind(used_us)
    .bind(fingerprint)
    .bind(i64::from(AT_ONCE))
    .fetch_all(connection)
    .await?;
    let candidate = |row| {
        Ok(Candidate {
            fingerprint: digest(row, "fingerprint")?,
            used_us: row.try_get("used_us")?,
            bytes: super::rows::unsigned(row, "size")?,
        })
    };
    rows.iter().map(candidate).collect()
}

/// Numbers of parcels behind one that were accepted up to a time: their order is that of the times.
async fn parcels_until(
    connection: &mut AnyConnection,
    after: i64,
    until_us: i64,
) -> Result<Vec<i64>, StoreError> {
    let rows = sqlx::query("SELECT seq, accepted_us FROM parcels WHERE seq > $1 ORDER BY seq LIMIT $2")
        .bind(after)
        .bind(i64::from(PARCELS))
        .fetch_all(connection)
        .await?;
    let mut old = Vec::with_capacity(rows.len());
    for row in &rows {
        if row.try_get::<i64, _>("accepted_us")? > until_us {
            break;
        }
        old.push(row.try_get("seq")?);
    }
    Ok(old)
}

/// Fingerprints of a certificate's chain; none where it is not kept.
async fn chain_of(
    connection: &mut AnyConnection,
    fingerprint: &[u8; 32],
) -> Result<Vec<[u8; 32]>, StoreError> {
    let query = sqlx::query("SELECT chain FROM archive WHERE fingerprint = $1").bind(fingerprint.to_vec());
    let row = query.fetch_optional(connection).await?;
    row.map_or(Ok(Vec::new()), |row| chain(&row, fingerprint))
}
