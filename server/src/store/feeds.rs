//! Feeds: which events concern which office, numbered without gaps.

use sqlx::Row as _;
use sqlx::any::AnyRow;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::feed::{Cursor, NO_PREVIOUS, Opening};

use super::leaves::{Position, hash_of};
use super::rows::{array, digest, insert_sql, int, naming, parameter, parameters, parsed, pieces, unsigned};
use super::{Store, StoreError, Tx};

/// One entry of a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedRow {
    /// Whose feed, which number, and what opens the commitment.
    pub opening: Opening,
    /// The event.
    pub position: Position,
}

/// Where one office's feed ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedEnd {
    /// Number of the last entry; 0: none yet.
    pub number: u64,
    /// Leaf hash of the last entry.
    pub leaf: [u8; 32],
}

impl FeedEnd {
    /// End of an empty feed.
    pub const EMPTY: Self = Self { number: 0, leaf: NO_PREVIOUS };
}

impl Store {
    pub(crate) async fn insert_feed_rows(&self, tx: &mut Tx, rows: &[FeedRow]) -> Result<(), StoreError> {
        for piece in pieces(rows) {
            let sql = insert_sql(
                self.dialect(),
                "feeds (office, epoch, number, pos, salt, previous)",
                6,
                piece.len(),
                "",
            );
            let mut query = sqlx::query(sql);
            for row in piece {
                query = query
                    .bind(row.opening.party.to_string())
                    .bind(int(row.position.epoch))
                    .bind(int(row.opening.number))
                    .bind(row.position.to_key())
                    .bind(row.opening.salt.to_vec())
                    .bind(row.opening.previous.to_vec());
            }
            query.execute(&mut **tx).await?;
        }
        Ok(())
    }

    /// Where an office's feed of this epoch ends, under the head's lock.
    pub(crate) async fn feed_end(
        &self,
        tx: &mut Tx,
        office: OfficeNumber,
        epoch: u64,
    ) -> Result<FeedEnd, StoreError> {
        let row = sqlx::query(
            "SELECT f.number, l.text FROM feeds f JOIN leaves l ON l.pos = f.pos \
             WHERE f.office = $1 AND f.epoch = $2 ORDER BY f.number DESC LIMIT 1",
        )
        .bind(office.to_string())
        .bind(int(epoch))
        .fetch_optional(&mut **tx)
        .await?;
        row.map_or(Ok(FeedEnd::EMPTY), |row| {
            let text: Vec<u8> = row.try_get("text")?;
            Ok(FeedEnd { number: unsigned(&row, "number")?, leaf: hash_of(&text) })
        })
    }

    /// Every office that has a feed.
    pub(crate) async fn offices_with_feeds(&self, tx: &mut Tx) -> Result<Vec<OfficeNumber>, StoreError> {
        let rows =
            sqlx::query("SELECT DISTINCT office FROM feeds ORDER BY office").fetch_all(&mut **tx).await?;
        rows.iter().map(|row| parsed(row, "feeds", "office", &"")).collect()
    }

    /// Number of the last entry of an office's feed in one epoch; 0: none.
    pub async fn feed_length(&self, office: OfficeNumber, epoch: u64) -> Result<u64, StoreError> {
        let row = sqlx::query("SELECT MAX(number) AS number FROM feeds WHERE office = $1 AND epoch = $2")
            .bind(office.to_string())
            .bind(int(epoch))
            .fetch_one(self.read())
            .await?;
        let number: Option<i64> = row.try_get("number")?;
        Ok(number.and_then(|n| u64::try_from(n).ok()).unwrap_or(0))
    }

    /// Number and place in the log of the last entry of each of these offices' feeds in one epoch; who has none is left out.
    pub(crate) async fn feed_lengths(
        &self,
        offices: &[OfficeNumber],
        epoch: u64,
    ) -> Result<Vec<(OfficeNumber, (u64, Position))>, StoreError> {
        let dialect = self.dialect();
        let mut found = Vec::with_capacity(offices.len());
        for piece in pieces(offices) {
            let sql = format!(
                "SELECT f.office, f.number, f.pos FROM feeds f JOIN (SELECT office, epoch, MAX(number) AS number \
                 FROM feeds WHERE office IN ({}) AND epoch = {} GROUP BY office, epoch) last \
                 ON last.office = f.office AND last.epoch = f.epoch AND last.number = f.number",
                parameters(dialect, piece.len()),
                parameter(dialect, piece.len() + 1),
            );
            for row in &naming(sql, piece).bind(int(epoch)).fetch_all(self.read()).await? {
                let office = parsed(row, "feeds", "office", &"")?;
                let position = Position::from_key(row.try_get("pos")?);
                found.push((office, (unsigned(row, "number")?, position)));
            }
        }
        Ok(found)
    }

    /// Entries behind a cursor, in order, with their texts, at most `limit`, all of one epoch: that of the
    /// first entry found.
    pub async fn feed_after(
        &self,
        office: OfficeNumber,
        cursor: Cursor,
        limit: u32,
    ) -> Result<Vec<(FeedRow, Vec<u8>)>, StoreError> {
        let rows = sqlx::query(
            "SELECT f.epoch, f.number, f.pos, f.salt, f.previous, l.text FROM feeds f \
             JOIN leaves l ON l.pos = f.pos \
             WHERE f.office = $1 AND (f.epoch > $2 OR (f.epoch = $2 AND f.number > $3)) \
             ORDER BY f.epoch, f.number LIMIT $4",
        )
        .bind(office.to_string())
        .bind(int(cursor.epoch))
        .bind(int(cursor.number))
        .bind(i64::from(limit))
        .fetch_all(self.read())
        .await?;
        let mut entries: Vec<(FeedRow, Vec<u8>)> = Vec::with_capacity(rows.len());
        for row in &rows {
            let entry = feed_row(row, office)?;
            if entries.first().is_some_and(|(first, _)| first.position.epoch != entry.position.epoch) {
                break;
            }
            entries.push((entry, row.try_get("text")?));
        }
        Ok(entries)
    }

    /// An office's opening of one event; `None`: the event is not in its feed.
    pub async fn opening_at(
        &self,
        office: OfficeNumber,
        position: Position,
    ) -> Result<Option<FeedRow>, StoreError> {
        let row = sqlx::query(
            "SELECT number, pos, salt, previous FROM feeds WHERE pos = $1 AND office = $2 LIMIT 1",
        )
        .bind(position.to_key())
        .bind(office.to_string())
        .fetch_optional(self.read())
        .await?;
        row.as_ref().map(|row| feed_row(row, office)).transpose()
    }

    /// An office's openings of the events about one parcel.
    pub async fn openings_of(&self, office: OfficeNumber, seq: i64) -> Result<Vec<FeedRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT f.number, f.pos, f.salt, f.previous FROM leaves l JOIN feeds f ON f.pos = l.pos \
             WHERE l.seq = $1 AND l.seq > 0 AND f.office = $2 ORDER BY l.pos LIMIT 1000",
        )
        .bind(seq)
        .bind(office.to_string())
        .fetch_all(self.read())
        .await?;
        rows.iter().map(|row| feed_row(row, office)).collect()
    }
}

fn feed_row(row: &AnyRow, office: OfficeNumber) -> Result<FeedRow, StoreError> {
    let opening = Opening {
        party: office,
        number: unsigned(row, "number")?,
        previous: digest(row, "previous")?,
        salt: array(row, "salt")?,
    };
    Ok(FeedRow { opening, position: Position::from_key(row.try_get("pos")?) })
}
