//! Parcels: rows that lists show, and their sealed content.

use sqlx::Row as _;
use sqlx::any::AnyRow;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::ids::{ParcelId, ParcelKey};

use super::leaves::Position;
use super::rows::{digest, insert_sql, int, parsed, pieces, unsigned};
use super::{Store, StoreError, Tx};

/// Where a parcel stands. See the table of states in ARCHITECTURE.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// In the receiver's mailbox.
    Delivered,
    /// Released to the receiver.
    Fetched,
    /// Signed for by the receiver.
    Acknowledged,
}

impl State {
    /// All states, in the order of a parcel's life.
    pub const ALL: [Self; 3] = [Self::Delivered, Self::Fetched, Self::Acknowledged];

    /// As the database and the command line spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Fetched => "fetched",
            Self::Acknowledged => "acknowledged",
        }
    }
}

impl std::str::FromStr for State {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|s| s.as_str() == text).ok_or(())
    }
}

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
    /// Where its acceptance stands in the log.
    pub position: Position,
}

pub(super) const COLUMNS: &str = "seq, sender, id, recipient, state, digest, sealed_digest, container_size, sealed_size, \
                       files, signer, accepted_us, fetched_us, acknowledged_us, pos";

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
    })
}

/// Which parcels a list wants.
#[derive(Clone, Debug, Default)]
pub struct ParcelFilter {
    /// Any of these states; empty: all.
    pub states: Vec<State>,
    /// The other office.
    pub partner: Option<OfficeNumber>,
    /// Service month of at least one file.
    pub month: Option<String>,
    /// Kind of at least one file.
    pub kind: Option<String>,
    /// Continue behind this `seq`.
    pub after: Option<i64>,
}

/// Whose side of its parcels an office lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What it sent, newest first.
    Sent,
    /// What it received, oldest first.
    Received,
}

impl Store {
    /// Inserts new parcels. False: at least one was left out, because its sender and id exist already.
    pub(crate) async fn insert_parcels(
        &self,
        tx: &mut Tx,
        parcels: &[ParcelRow],
    ) -> Result<bool, StoreError> {
        let head = format!("parcels ({COLUMNS})");
        let mut inserted = 0;
        for piece in pieces(parcels) {
            let tail = " ON CONFLICT (id, sender) DO NOTHING";
            let mut query = sqlx::query(insert_sql(self.dialect(), &head, 15, piece.len(), tail));
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

    /// Moves a parcel on, if it is still in the state that the caller saw. False: it is not.
    pub(crate) async fn move_parcel(
        &self,
        tx: &mut Tx,
        seq: i64,
        from: State,
        to: State,
        at_us: i64,
    ) -> Result<bool, StoreError> {
        let sql = match to {
            State::Delivered => return Ok(false),
            State::Fetched => "UPDATE parcels SET state = $1, fetched_us = $2 WHERE seq = $3 AND state = $4",
            State::Acknowledged => {
                "UPDATE parcels SET state = $1, acknowledged_us = $2 WHERE seq = $3 AND state = $4"
            }
        };
        let done = sqlx::query(sql)
            .bind(to.as_str())
            .bind(at_us)
            .bind(seq)
            .bind(from.as_str())
            .execute(&mut **tx)
            .await?;
        Ok(done.rows_affected() == 1)
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
            "SELECT {COLUMNS} FROM parcels WHERE id = $1 AND (sender = $2 OR recipient = $2) ORDER BY seq LIMIT 2"
        );
        let query =
            sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id.as_bytes().to_vec()).bind(office.to_string());
        query.fetch_all(self.read()).await?.iter().map(parcel).collect()
    }

    /// One page of an office's parcels.
    pub async fn list_parcels(
        &self,
        office: OfficeNumber,
        side: Side,
        filter: &ParcelFilter,
        limit: u32,
    ) -> Result<Vec<ParcelRow>, StoreError> {
        let (own, other, compare, order) = match side {
            Side::Sent => ("sender", "recipient", "<", "DESC"),
            Side::Received => ("recipient", "sender", ">", "ASC"),
        };
        let mut sql = format!("SELECT {COLUMNS} FROM parcels WHERE {own} = $1");
        let mut texts = vec![office.to_string()];
        let mut with = |sql: &mut String, condition: &str, value: String| {
            texts.push(value);
            sql.push_str(&condition.replace('?', &format!("${}", texts.len())));
        };
        if let Some(partner) = filter.partner {
            with(&mut sql, &format!(" AND {other} = ?"), partner.to_string());
        }
        // Files are lines "KIND MONTH SERIAL SIZE": a month stands between spaces, a kind begins a line.
        if let Some(month) = &filter.month {
            with(&mut sql, " AND files LIKE ? ESCAPE '!'", format!("% {} %", like(month)));
        }
        if let Some(kind) = &filter.kind {
            let newline = "\n";
            with(
                &mut sql,
                &format!(" AND ('{newline}' || files) LIKE ? ESCAPE '!'"),
                format!("%\n{} %", like(kind)),
            );
        }
        if !filter.states.is_empty() {
            sql.push_str(" AND state IN (");
            for (i, state) in filter.states.iter().enumerate() {
                with(&mut sql, if i == 0 { "?" } else { ",?" }, state.as_str().to_owned());
            }
            sql.push(')');
        }
        let count = texts.len();
        let after =
            if filter.after.is_some() { format!(" AND seq {compare} ${}", count + 2) } else { String::new() };
        let sql = format!("{sql}{after} ORDER BY seq {order} LIMIT ${}", count + 1);
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
        for text in texts {
            query = query.bind(text);
        }
        query = query.bind(i64::from(limit));
        if let Some(after) = filter.after {
            query = query.bind(after);
        }
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

/// Takes the meaning from LIKE's wildcards.
fn like(text: &str) -> String {
    text.replace('!', "!!").replace('%', "!%").replace('_', "!_")
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
