//! Parcels: rows that lists show, and their sealed content.

use sqlx::Row as _;
use sqlx::any::AnyRow;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::ids::{ParcelId, ParcelKey, ProxyNumber};
use tasuki_proto::lifecycle::{Past, State, Way};
use tasuki_proto::statement::RefusalReason;

use super::leaves::Position;
use super::rows::{digest, insert_sql, int, parsed, pieces, unsigned};
use super::{Store, StoreError, Tx};

/// What the relay knows of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRow {
    /// Prefix of a standard file, or `ATTACHMENT`.
    pub kind: String,
    /// Service month, or empty.
    pub month: String,
    /// Serial, or empty.
    pub serial: String,
    /// Bytes before compression.
    pub size: u64,
}

impl FileRow {
    /// One line, as the database and events hold it: `UPPLAN 202602 20260125103000 2444`, `-` for empty.
    pub fn line(&self) -> String {
        let dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
        format!("{} {} {} {}", self.kind, dash(&self.month), dash(&self.serial), self.size)
    }

    fn parse(line: &str) -> Option<Self> {
        let mut parts = line.split(' ');
        let mut next = || parts.next().map(|p| if p == "-" { String::new() } else { p.to_owned() });
        Some(Self { kind: next()?, month: next()?, serial: next()?, size: next()?.parse().ok()? })
    }
}

/// One parcel, without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParcelRow {
    /// Number in this relay's order of acceptance.
    pub seq: i64,
    /// Sender and id.
    pub key: ParcelKey,
    /// The receiving office.
    pub recipient: OfficeNumber,
    /// Where it stands.
    pub state: State,
    /// SHA-256 of the container.
    pub digest: [u8; 32],
    /// SHA-256 of the sealed parcel.
    pub sealed_digest: [u8; 32],
    /// Bytes of the container.
    pub container_size: u64,
    /// Bytes of the sealed parcel.
    pub sealed_size: u64,
    /// Its files.
    pub files: Vec<FileRow>,
    /// SHA-256 of the signer's certificate.
    pub signer: [u8; 32],
    /// Unix microseconds; 0: not yet.
    pub accepted_us: i64,
    /// Unix microseconds; 0: not yet.
    pub fetched_us: i64,
    /// Unix microseconds; 0: not yet.
    pub acknowledged_us: i64,
    /// Where its delivery stands in the log; of one that is held, its acceptance.
    pub position: Position,
    /// What is true of few parcels.
    pub marks: Marks,
}

/// What is true of few parcels: columns with defaults, which the insertion of a batch leaves out where none of its parcels has any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// It was held after acceptance.
    pub held: bool,
    /// When it is to be released, Unix microseconds; 0: when its sender says so.
    pub release_us: i64,
    /// When it was released. Unix microseconds; 0: not yet.
    pub released_us: i64,
    /// When it came into its final state. Unix microseconds; 0: not yet.
    pub ended_us: i64,
    /// When it was called overdue. Unix microseconds; 0: it was not.
    pub overdue_us: i64,
    /// The parcel of the same sender that it supersedes.
    pub supersedes: Option<ParcelId>,
    /// The parcel of the same sender that supersedes it.
    pub superseded_by: Option<ParcelId>,
    /// One of its parties marked it urgent.
    pub urgent: bool,
    /// Why its receiver refused it; `None`: it did not.
    pub refusal: Option<RefusalReason>,
    /// The proxy through which it was sent.
    pub proxy: Option<ProxyNumber>,
    /// What the sender's proxy handed in waits, or waited, for the office's own word.
    pub confirm: bool,
    /// The proxy that fetched it for its receiver.
    pub recipient_proxy: Option<ProxyNumber>,
    /// When that proxy said that it had handed it over, Unix microseconds; 0: it did not.
    pub handed_us: i64,
}

impl Marks {
    /// Whether a new parcel begins with any.
    fn are_any(&self) -> bool {
        self.held || self.supersedes.is_some() || self.proxy.is_some()
    }
}

impl ParcelRow {
    /// When it came into its receiver's mailbox. Unix microseconds; 0: not yet.
    pub fn delivered_us(&self) -> i64 {
        if self.marks.held { self.marks.released_us } else { self.accepted_us }
    }

    /// What the table of states needs to know of it.
    pub fn past(&self) -> Past {
        let way = match (self.marks.held, self.delivered_us()) {
            (false, _) => Way::Straight,
            (true, 0) if self.marks.confirm => Way::ToConfirm,
            (true, 0) => Way::Held,
            (true, _) => Way::Released,
        };
        Past {
            way,
            acknowledged: self.acknowledged_us != 0,
            overdue: self.marks.overdue_us != 0,
            handed_over: self.marks.handed_us != 0,
        }
    }

    /// It exists for this office: it sent it, or it is to receive it and it was delivered.
    pub fn exists_for(&self, office: OfficeNumber) -> bool {
        self.key.sender == office || (self.recipient == office && self.delivered_us() != 0)
    }
}

/// What a new parcel's row is written with.
const NEW: &str = "seq, sender, id, recipient, state, digest, sealed_digest, container_size, sealed_size, files, signer, \
                   accepted_us, fetched_us, acknowledged_us, pos";

/// And with the marks that it begins with.
const NEW_MARKS: &str = ", held, release_us, supersedes, proxy, confirm";

pub(super) const COLUMNS: &str = "seq, sender, id, recipient, state, digest, sealed_digest, container_size, sealed_size, \
                       files, signer, accepted_us, fetched_us, acknowledged_us, pos, held, release_us, released_us, \
                       ended_us, overdue_us, supersedes, superseded_by, urgent, refusal, proxy, confirm, recipient_proxy, handed_us";

pub(super) fn parcel(row: &AnyRow) -> Result<ParcelRow, StoreError> {
    let seq: i64 = row.try_get("seq")?;
    let corrupt = |column| StoreError::Corrupt { table: "parcels", column, row: seq.to_string() };
    let files: String = row.try_get("files")?;
    let id: Vec<u8> = row.try_get("id")?;
    Ok(ParcelRow {
        seq,
        key: ParcelKey {
            sender: parsed(row, "parcels", "sender", &seq)?,
            id: ParcelId::from_bytes(&id).map_err(|_| corrupt("id"))?,
        },
        recipient: parsed(row, "parcels", "recipient", &seq)?,
        state: parsed(row, "parcels", "state", &seq)?,
        digest: digest(row, "digest")?,
        sealed_digest: digest(row, "sealed_digest")?,
        container_size: unsigned(row, "container_size")?,
        sealed_size: unsigned(row, "sealed_size")?,
        files: files.lines().map(FileRow::parse).collect::<Option<_>>().ok_or_else(|| corrupt("files"))?,
        signer: digest(row, "signer")?,
        accepted_us: row.try_get("accepted_us")?,
        fetched_us: row.try_get("fetched_us")?,
        acknowledged_us: row.try_get("acknowledged_us")?,
        position: Position::from_key(row.try_get("pos")?),
        marks: Marks {
            held: row.try_get::<i64, _>("held")? != 0,
            release_us: row.try_get("release_us")?,
            released_us: row.try_get("released_us")?,
            ended_us: row.try_get("ended_us")?,
            overdue_us: row.try_get("overdue_us")?,
            supersedes: optional_id(row, "supersedes", seq)?,
            superseded_by: optional_id(row, "superseded_by", seq)?,
            urgent: row.try_get::<i64, _>("urgent")? != 0,
            refusal: match row.try_get::<String, _>("refusal")?.as_str() {
                "" => None,
                word => Some(word.parse().map_err(|()| corrupt("refusal"))?),
            },
            proxy: optional_proxy(row, "proxy", seq)?,
            confirm: row.try_get::<i64, _>("confirm")? != 0,
            recipient_proxy: optional_proxy(row, "recipient_proxy", seq)?,
            handed_us: row.try_get("handed_us")?,
        },
    })
}

fn optional_proxy(row: &AnyRow, column: &'static str, seq: i64) -> Result<Option<ProxyNumber>, StoreError> {
    let corrupt = |_| StoreError::Corrupt { table: "parcels", column, row: seq.to_string() };
    let number: String = row.try_get(column)?;
    if number.is_empty() { Ok(None) } else { number.parse().map(Some).map_err(corrupt) }
}

fn optional_id(row: &AnyRow, column: &'static str, seq: i64) -> Result<Option<ParcelId>, StoreError> {
    let bytes: Option<Vec<u8>> = row.try_get(column)?;
    let corrupt = |_| StoreError::Corrupt { table: "parcels", column, row: seq.to_string() };
    bytes.map(|bytes| ParcelId::from_bytes(&bytes).map_err(corrupt)).transpose()
}

/// What a receiver may know of: what was held and never released does not exist for it.
pub(super) const VISIBLE: &str = "(held = 0 OR released_us > 0)";

impl Store {
    /// Inserts new parcels. False: at least one was left out, because its sender and id exist already.
    pub(crate) async fn insert_parcels(
        &self,
        tx: &mut Tx,
        parcels: &[ParcelRow],
    ) -> Result<bool, StoreError> {
        let marked = parcels.iter().any(|parcel| parcel.marks.are_any());
        let (marks, columns) = if marked { (NEW_MARKS, 20) } else { ("", 15) };
        let head = format!("parcels ({NEW}{marks})");
        let mut inserted = 0;
        for piece in pieces(parcels) {
            let tail = " ON CONFLICT (id, sender) DO NOTHING";
            let mut query = sqlx::query(insert_sql(self.dialect(), &head, columns, piece.len(), tail));
            for p in piece {
                let files: Vec<String> = p.files.iter().map(FileRow::line).collect();
                query = query
                    .bind(p.seq)
                    .bind(p.key.sender.to_string())
                    .bind(p.key.id.as_bytes().to_vec())
                    .bind(p.recipient.to_string())
                    .bind(p.state.as_str())
                    .bind(p.digest.to_vec())
                    .bind(p.sealed_digest.to_vec())
                    .bind(int(p.container_size))
                    .bind(int(p.sealed_size))
                    .bind(files.join("\n"))
                    .bind(p.signer.to_vec())
                    .bind(p.accepted_us)
                    .bind(p.fetched_us)
                    .bind(p.acknowledged_us)
                    .bind(p.position.to_key());
                if marked {
                    let Marks { held, release_us, supersedes, proxy, confirm, .. } = &p.marks;
                    query = query
                        .bind(i64::from(*held))
                        .bind(*release_us)
                        .bind(supersedes.map(|id| id.as_bytes().to_vec()))
                        .bind(proxy.map(|number| number.to_string()).unwrap_or_default())
                        .bind(i64::from(*confirm));
                }
            }
            inserted += query.execute(&mut **tx).await?.rows_affected();
        }
        Ok(inserted == parcels.len() as u64)
    }

    pub(crate) async fn insert_contents(
        &self,
        tx: &mut Tx,
        contents: Vec<(i64, Vec<u8>)>,
    ) -> Result<(), StoreError> {
        let mut contents = contents;
        while !contents.is_empty() {
            let length = usize::pow(2, contents.len().ilog2()).min(super::rows::MAX_ROWS);
            let rest = contents.split_off(length);
            let mut query = sqlx::query(insert_sql(self.dialect(), "contents (seq, sealed)", 2, length, ""));
            for (seq, sealed) in contents {
                query = query.bind(seq).bind(sealed);
            }
            query.execute(&mut **tx).await?;
            contents = rest;
        }
        Ok(())
    }

    /// Marks a parcel as superseded by the newest other one that says so, was delivered and not recalled; takes the mark away
    /// where there is none. The newest is the one that was accepted last, whenever it was released.
    pub(crate) async fn settle_superseded(
        &self,
        tx: &mut Tx,
        sender: OfficeNumber,
        older: &ParcelId,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE parcels SET superseded_by = (SELECT n.id FROM parcels n WHERE n.sender = $1 \
             AND n.supersedes = $2 AND n.state <> 'recalled' AND (n.held = 0 OR n.released_us > 0) \
             ORDER BY n.seq DESC LIMIT 1) WHERE id = $2 AND sender = $1",
        )
        .bind(sender.to_string())
        .bind(older.as_bytes().to_vec())
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// Moves a parcel on, if it is still in the state that the caller saw. `position`: of the event; that of a
    /// delivery becomes the parcel's. False: it is not in that state any more.
    pub(crate) async fn move_parcel(
        &self,
        tx: &mut Tx,
        row: &ParcelRow,
        to: State,
        at_us: i64,
        position: Position,
    ) -> Result<bool, StoreError> {
        let stamp = match to {
            State::Held => return Ok(false),
            State::Delivered => "released_us = $2, pos = $5",
            State::Fetched => "fetched_us = $2",
            State::Acknowledged => "acknowledged_us = $2",
            State::Imported | State::Refused | State::Recalled | State::Discarded | State::Expired => {
                "ended_us = $2"
            }
        };
        let sql = format!("UPDATE parcels SET state = $1, {stamp} WHERE seq = $3 AND state = $4");
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(to.as_str())
            .bind(at_us)
            .bind(row.seq)
            .bind(row.state.as_str());
        if to == State::Delivered {
            query = query.bind(position.to_key());
        }
        Ok(query.execute(&mut **tx).await?.rows_affected() == 1)
    }

    /// Marks a parcel as called overdue.
    pub(crate) async fn mark_overdue(&self, tx: &mut Tx, seq: i64, at_us: i64) -> Result<(), StoreError> {
        let query = sqlx::query("UPDATE parcels SET overdue_us = $1 WHERE seq = $2");
        query.bind(at_us).bind(seq).execute(&mut **tx).await?;
        Ok(())
    }

    /// Remembers the proxy that fetched a parcel for its receiver.
    pub(crate) async fn mark_recipient_proxy(
        &self,
        tx: &mut Tx,
        seq: i64,
        proxy: ProxyNumber,
    ) -> Result<(), StoreError> {
        let query = sqlx::query("UPDATE parcels SET recipient_proxy = $1 WHERE seq = $2");
        query.bind(proxy.to_string()).bind(seq).execute(&mut **tx).await?;
        Ok(())
    }

    /// Marks a parcel as handed over by its receiver's proxy.
    pub(crate) async fn mark_handed_over(&self, tx: &mut Tx, seq: i64, at_us: i64) -> Result<(), StoreError> {
        let query = sqlx::query("UPDATE parcels SET handed_us = $1 WHERE seq = $2");
        query.bind(at_us).bind(seq).execute(&mut **tx).await?;
        Ok(())
    }

    /// Remembers why a parcel was refused.
    pub(crate) async fn mark_refused(
        &self,
        tx: &mut Tx,
        seq: i64,
        reason: RefusalReason,
    ) -> Result<(), StoreError> {
        let query = sqlx::query("UPDATE parcels SET refusal = $1 WHERE seq = $2");
        query.bind(reason.as_str()).bind(seq).execute(&mut **tx).await?;
        Ok(())
    }

    /// Marks a parcel as urgent.
    pub(crate) async fn mark_urgent(&self, tx: &mut Tx, seq: i64) -> Result<(), StoreError> {
        sqlx::query("UPDATE parcels SET urgent = 1 WHERE seq = $1").bind(seq).execute(&mut **tx).await?;
        Ok(())
    }

    /// A parcel by sender and id.
    pub async fn parcel(&self, key: &ParcelKey) -> Result<Option<ParcelRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM parcels WHERE id = $1 AND sender = $2");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql));
        let row = query
            .bind(key.id.as_bytes().to_vec())
            .bind(key.sender.to_string())
            .fetch_optional(self.read())
            .await?;
        row.as_ref().map(parcel).transpose()
    }

    /// A parcel by its number.
    pub async fn parcel_numbered(&self, seq: i64) -> Result<Option<ParcelRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM parcels WHERE seq = $1");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(seq).fetch_optional(self.read()).await?;
        row.as_ref().map(parcel).transpose()
    }

    pub(crate) async fn parcel_in(
        &self,
        tx: &mut Tx,
        key: &ParcelKey,
    ) -> Result<Option<ParcelRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM parcels WHERE id = $1 AND sender = $2");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql));
        let row = query
            .bind(key.id.as_bytes().to_vec())
            .bind(key.sender.to_string())
            .fetch_optional(&mut **tx)
            .await?;
        row.as_ref().map(parcel).transpose()
    }

    /// Parcels of any sender with this id that `office` sent or is to receive: one, unless senders chose alike.
    /// At most 2, which is enough to see that. Strangers' parcels don't count: an id that they chose alike can't
    /// hide an office's own.
    pub async fn parcels_by_id(
        &self,
        id: &ParcelId,
        office: OfficeNumber,
    ) -> Result<Vec<ParcelRow>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM parcels WHERE id = $1 AND (sender = $2 OR (recipient = $2 AND {VISIBLE})) \
             ORDER BY seq LIMIT 2"
        );
        let query =
            sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id.as_bytes().to_vec()).bind(office.to_string());
        query.fetch_all(self.read()).await?.iter().map(parcel).collect()
    }

    /// A piece of a sealed parcel: at most `length` bytes from `offset` on. `None`: no content is kept.
    pub async fn content(&self, seq: i64, offset: u64, length: usize) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = match self.dialect() {
            super::dialect::Dialect::Sqlite => {
                "SELECT substr(sealed, $1, $2), length(sealed) FROM contents WHERE seq = $3"
            }
            super::dialect::Dialect::Postgres => {
                "SELECT substr(sealed, $1::INT, $2::INT), length(sealed)::BIGINT FROM contents WHERE seq = $3"
            }
        };
        let row = sqlx::query(sql)
            .bind(int(offset) + 1)
            .bind(int(length as u64))
            .bind(seq)
            .fetch_optional(self.read())
            .await?;
        let Some(row) = row else { return Ok(None) };
        if row.try_get::<i64, _>(1)? == 0 {
            return self.content_aside(seq, offset, length).await;
        }
        // An empty piece comes back as NULL from SQLite.
        Ok(Some(row.try_get::<Option<Vec<u8>>, _>(0)?.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_line_reads_back() {
        for file in [
            FileRow {
                kind: "UPPLAN".into(),
                month: "202602".into(),
                serial: "20260125103000".into(),
                size: 2444,
            },
            FileRow { kind: "ATTACHMENT".into(), month: String::new(), serial: String::new(), size: 0 },
        ] {
            assert_eq!(FileRow::parse(&file.line()), Some(file));
        }
        assert_eq!(FileRow::parse("UPPLAN 202602"), None);
    }
}
