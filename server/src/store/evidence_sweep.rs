//! Evidence whose time is over: rows, statements and texts of events go; the log's hashes stay for ever.
//!
//! The log is in the order of time, so the sweep walks it from where it was left. A parcel goes as a whole when the walk
//! passes its last event; what the operator wrote into the log (offices, keys, overrides, the log's own beginnings) stays.
//! Of an event that goes its leaf hash remains, in the place of its text: 32 bytes, which no text of an event is as short
//! as. The tree, every checkpoint and the chains of all feeds verify as before. The last event that is old enough always
//! stays until a later one is: its text, which the log proves, shows that everything erased before it was old enough.

use sqlx::{AnyConnection, Row as _};
use tasuki_proto::event::{Event, kind, leaf_hash};

use super::archive_sweep::named;
use super::leaves::{Leaf, Position, erased_hash};
use super::retention::numbered;
use super::settings::EVIDENCE_ERASED_TO;
use super::{Store, StoreError};

/// What one step erased, or what would be erased.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Parcels, each with its row, its statements and the texts of its events.
    pub parcels: u64,
    /// Requests between offices, with their statements.
    pub requests: u64,
    /// Texts of events.
    pub events: u64,
    /// Bytes of those texts.
    pub bytes: u64,
    /// Time of the oldest event. Unix microseconds; 0: there is none.
    pub oldest_us: i64,
}

impl Erased {
    /// Whether there is anything.
    pub fn is_empty(&self) -> bool {
        self.events == 0
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let oldest = [self.oldest_us, other.oldest_us].into_iter().filter(|us| *us > 0).min();
        Self {
            parcels: self.parcels + other.parcels,
            requests: self.requests + other.requests,
            events: self.events + other.events,
            bytes: self.bytes + other.bytes,
            oldest_us: oldest.unwrap_or(0),
        }
    }
}

/// What one step of the walk found.
#[derive(Debug)]
struct Plan {
    /// Where the next step begins.
    next: Position,
    /// Numbers of the parcels that go.
    parcels: Vec<i64>,
    /// Digests of the statements of requests that go.
    requests: Vec<[u8; 32]>,
    /// Texts that go.
    leaves: Vec<Leaf>,
    /// Certificates and CRLs that events name which were passed and stay.
    pinned: Vec<[u8; 32]>,
    erased: Erased,
}

impl Store {
    /// One step of the sweep: looks at `limit` events at most, behind where the last step ended, and erases what is older than
    /// `before_us` and complete. `None`: there is nothing more to walk over now. Steps of several relays take turns by
    /// the head's lock, each going on where the other was.
    ///
    /// # Errors
    /// If the database can't be read or written; nothing of this step is erased then.
    pub async fn erase_evidence(&self, before_us: i64, limit: u32) -> Result<Option<Erased>, StoreError> {
        let mut tx = self.begin().await?;
        self.take_head(&mut tx).await?;
        let from = erased_to(&mut tx).await?;
        let Some(plan) = plan(&mut tx, from, before_us, limit).await? else { return Ok(None) };
        for leaf in &plan.leaves {
            sqlx::query("UPDATE leaves SET text = $1, seq = 0 WHERE pos = $2")
                .bind(leaf_hash(&leaf.text).to_vec())
                .bind(leaf.position.to_key())
                .execute(&mut *tx)
                .await?;
        }
        for digest in &plan.requests {
            let delete = sqlx::query("DELETE FROM statements WHERE digest = $1 AND seq = 0");
            delete.bind(digest.to_vec()).execute(&mut *tx).await?;
        }
        if !plan.parcels.is_empty() {
            let list = numbered(1, plan.parcels.len());
            for sql in [
                format!("DELETE FROM statements WHERE seq IN ({list})"),
                format!("DELETE FROM parcels WHERE seq IN ({list})"),
            ] {
                let delete = sqlx::query(sqlx::AssertSqlSafe(sql));
                plan.parcels.iter().fold(delete, |query, seq| query.bind(*seq)).execute(&mut *tx).await?;
            }
        }
        self.pin(&mut tx, &plan.pinned).await?;
        self.put_setting(&mut tx, EVIDENCE_ERASED_TO, &plan.next.to_key().to_string()).await?;
        tx.commit().await?;
        Ok(Some(plan.erased))
    }

    /// What the sweep would erase now, without touching anything.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn evidence_due(&self, before_us: i64, step: u32) -> Result<Erased, StoreError> {
        let mut connection = self.read().acquire().await?;
        let mut at = erased_to(&mut connection).await?;
        let mut due = Erased::default();
        while let Some(plan) = plan(&mut connection, at, before_us, step).await? {
            due = due.and(plan.erased);
            at = plan.next;
        }
        Ok(due)
    }
}

/// Where the sweep goes on.
pub(super) async fn erased_to(connection: &mut AnyConnection) -> Result<Position, StoreError> {
    let row = sqlx::query("SELECT value FROM settings WHERE name = $1")
        .bind(EVIDENCE_ERASED_TO)
        .fetch_optional(connection)
        .await?;
    let key: Option<String> = row.map(|row| row.try_get(0)).transpose()?;
    Ok(Position::from_key(key.and_then(|key| key.parse().ok()).unwrap_or(0)))
}

/// What the next step erases. `None`: no event but the first is old enough.
async fn plan(
    connection: &mut AnyConnection,
    from: Position,
    before_us: i64,
    limit: u32,
) -> Result<Option<Plan>, StoreError> {
    let rows = sqlx::query("SELECT pos, seq, text FROM leaves WHERE pos >= $1 ORDER BY pos LIMIT $2")
        .bind(from.to_key())
        .bind(i64::from(limit.max(2)))
        .fetch_all(&mut *connection)
        .await?;
    let mut old: Vec<(Leaf, Event)> = Vec::with_capacity(rows.len());
    for row in &rows {
        let leaf = super::leaves::leaf(row)?;
        if erased_hash(&leaf.text).is_some() {
            continue;
        }
        let event = read(&leaf)?;
        if event.time_us >= before_us {
            break;
        }
        old.push((leaf, event));
    }
    // The last one stays: it shows how old those before it are.
    let Some((last, _)) = old.pop() else { return Ok(None) };
    if old.is_empty() {
        return Ok(None);
    }
    let next = last.position;
    let mut seqs: Vec<i64> = old.iter().map(|(leaf, _)| leaf.seq).filter(|seq| *seq > 0).collect();
    seqs.sort_unstable();
    seqs.dedup();
    let parcels = complete(connection, &seqs, next).await?;
    let mut leaves = leaves_of(connection, &parcels).await?;
    let (mut requests, mut pinned) = (Vec::new(), Vec::new());
    for (leaf, event) in old.into_iter().filter(|(leaf, _)| leaf.seq == 0) {
        if event.kind == kind::REQUEST_MADE {
            requests.extend(event.digest("statement"));
            leaves.push(leaf);
        } else {
            pinned.extend(named(&event));
        }
    }
    let mut oldest_us = 0;
    for leaf in &leaves {
        let time_us = read(leaf)?.time_us;
        oldest_us = if oldest_us == 0 { time_us } else { time_us.min(oldest_us) };
    }
    let erased = Erased {
        parcels: parcels.len() as u64,
        requests: requests.len() as u64,
        events: leaves.len() as u64,
        bytes: leaves.iter().map(|leaf| leaf.text.len() as u64).sum(),
        oldest_us,
    };
    Ok(Some(Plan { next, parcels, requests, leaves, pinned, erased }))
}

pub(super) fn read(leaf: &Leaf) -> Result<Event, StoreError> {
    Event::parse(&leaf.text).map_err(|_| StoreError::Corrupt {
        table: "leaves",
        column: "text",
        row: leaf.position.to_key().to_string(),
    })
}

/// Those parcels whose every event stands before a position and whose content is gone: nothing more is to come.
async fn complete(
    connection: &mut AnyConnection,
    seqs: &[i64],
    before: Position,
) -> Result<Vec<i64>, StoreError> {
    if seqs.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT seq FROM leaves WHERE seq > 0 AND seq IN ({}) AND NOT EXISTS (SELECT 1 FROM contents c WHERE c.seq = leaves.seq) \
         GROUP BY seq HAVING MAX(pos) < $1 ORDER BY seq",
        numbered(2, seqs.len())
    );
    let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(before.to_key());
    let rows = seqs.iter().fold(query, |query, seq| query.bind(*seq)).fetch_all(connection).await?;
    rows.iter().map(|row| Ok(row.try_get("seq")?)).collect()
}

pub(super) async fn leaves_of(connection: &mut AnyConnection, seqs: &[i64]) -> Result<Vec<Leaf>, StoreError> {
    if seqs.is_empty() {
        return Ok(Vec::new());
    }
    let list = numbered(1, seqs.len());
    let sql = format!("SELECT pos, seq, text FROM leaves WHERE seq > 0 AND seq IN ({list}) ORDER BY pos");
    let query = sqlx::query(sqlx::AssertSqlSafe(sql));
    let rows = seqs.iter().fold(query, |query, seq| query.bind(*seq)).fetch_all(connection).await?;
    rows.iter().map(super::leaves::leaf).collect()
}
