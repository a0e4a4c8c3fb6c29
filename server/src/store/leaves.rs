//! The log's rows: leaves, tiles of hashes, checkpoints.

use sqlx::Row as _;
use tasuki_proto::event::leaf_hash;

use super::rows::{insert_sql, int, pieces, unsigned};
use super::{Store, StoreError, Tx};

/// Bits of a position that hold the index: room for 2^40 leaves in an epoch, and 2^23 epochs.
const INDEX_BITS: u32 = 40;

/// Position of a leaf over all epochs, in order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Epoch of the log.
    pub epoch: u64,
    /// Index in that epoch's log, from 0.
    pub index: u64,
}

impl Position {
    /// As the database holds it.
    pub fn to_key(self) -> i64 {
        int(self.epoch << INDEX_BITS | self.index)
    }

    /// Back from [`Position::to_key`].
    pub fn from_key(key: i64) -> Self {
        let key = u64::try_from(key).unwrap_or(0);
        Self { epoch: key >> INDEX_BITS, index: key & ((1 << INDEX_BITS) - 1) }
    }
}

/// One leaf: an event's canonical text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Where it stands.
    pub position: Position,
    /// The parcel that it is about; 0: none.
    pub seq: i64,
    /// Canonical text; of an event that was erased, its leaf hash, see [`erased_hash`].
    pub text: Vec<u8>,
}

/// What remains of an event whose time as evidence is over: its leaf hash, in the place of its text. `None`: this is a text.
pub fn erased_hash(text: &[u8]) -> Option<[u8; 32]> {
    text.try_into().ok()
}

/// Leaf hash of what is kept of an event.
pub fn hash_of(text: &[u8]) -> [u8; 32] {
    erased_hash(text).unwrap_or_else(|| leaf_hash(text))
}

/// Names a tile of height 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TileName {
    /// Epoch of the log.
    pub epoch: u64,
    /// 0 is the level of leaf hashes.
    pub level: u8,
    /// Place in its level, from 0.
    pub tile: u64,
}

impl Store {
    pub(crate) async fn insert_leaves(&self, tx: &mut Tx, leaves: &[Leaf]) -> Result<(), StoreError> {
        for piece in pieces(leaves) {
            let sql = insert_sql(self.dialect(), "leaves (pos, seq, text)", 3, piece.len(), "");
            let mut query = sqlx::query(sql);
            for leaf in piece {
                query = query.bind(leaf.position.to_key()).bind(leaf.seq).bind(leaf.text.clone());
            }
            query.execute(&mut **tx).await?;
        }
        Ok(())
    }

    /// Writes a tile, over its narrower self.
    pub(crate) async fn put_tile(
        &self,
        tx: &mut Tx,
        name: TileName,
        hashes: Vec<u8>,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO tiles (epoch, level, tile, hashes) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (epoch, level, tile) DO UPDATE SET hashes = excluded.hashes",
        )
        .bind(int(name.epoch))
        .bind(i64::from(name.level))
        .bind(int(name.tile))
        .bind(hashes)
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// A tile as last committed, possibly wider than the reader expects.
    pub async fn tile(&self, name: TileName) -> Result<Option<Vec<u8>>, StoreError> {
        let row = sqlx::query("SELECT hashes FROM tiles WHERE epoch = $1 AND level = $2 AND tile = $3")
            .bind(int(name.epoch))
            .bind(i64::from(name.level))
            .bind(int(name.tile))
            .fetch_optional(self.read())
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    pub(crate) async fn tile_in(&self, tx: &mut Tx, name: TileName) -> Result<Option<Vec<u8>>, StoreError> {
        let row = sqlx::query("SELECT hashes FROM tiles WHERE epoch = $1 AND level = $2 AND tile = $3")
            .bind(int(name.epoch))
            .bind(i64::from(name.level))
            .bind(int(name.tile))
            .fetch_optional(&mut **tx)
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    pub(crate) async fn insert_checkpoint(
        &self,
        tx: &mut Tx,
        epoch: u64,
        size: u64,
        note: &[u8],
    ) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO checkpoints (epoch, size, note) VALUES ($1, $2, $3)")
            .bind(int(epoch))
            .bind(int(size))
            .bind(note.to_vec())
            .execute(&mut **tx)
            .await?;
        Ok(())
    }

    pub(crate) async fn checkpoint_in(
        &self,
        tx: &mut Tx,
        epoch: u64,
        size: u64,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let row = sqlx::query("SELECT note FROM checkpoints WHERE epoch = $1 AND size = $2")
            .bind(int(epoch))
            .bind(int(size))
            .fetch_optional(&mut **tx)
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// The newest checkpoint of an epoch.
    pub async fn last_checkpoint(&self, epoch: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let row = sqlx::query("SELECT note FROM checkpoints WHERE epoch = $1 ORDER BY size DESC LIMIT 1")
            .bind(int(epoch))
            .fetch_optional(self.read())
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// Checkpoints of an epoch above a size, ascending, at most `limit`: (size, note).
    pub async fn checkpoints_after(
        &self,
        epoch: u64,
        size: u64,
        limit: u32,
    ) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
        let rows = sqlx::query(
            "SELECT size, note FROM checkpoints WHERE epoch = $1 AND size > $2 ORDER BY size LIMIT $3",
        )
        .bind(int(epoch))
        .bind(int(size))
        .bind(i64::from(limit))
        .fetch_all(self.read())
        .await?;
        rows.iter().map(|row| Ok((unsigned(row, "size")?, row.try_get("note")?))).collect()
    }

    /// Leaves from a position on, in order, at most `limit`.
    pub async fn leaves_from(&self, from: Position, limit: u32) -> Result<Vec<Leaf>, StoreError> {
        let rows = sqlx::query("SELECT pos, seq, text FROM leaves WHERE pos >= $1 ORDER BY pos LIMIT $2")
            .bind(from.to_key())
            .bind(i64::from(limit))
            .fetch_all(self.read())
            .await?;
        rows.iter().map(leaf).collect()
    }

    /// Leaves about one parcel, in order. A parcel has few: one for each state and statement.
    pub async fn leaves_of_parcel(&self, seq: i64) -> Result<Vec<Leaf>, StoreError> {
        let rows = sqlx::query(
            "SELECT pos, seq, text FROM leaves WHERE seq = $1 AND seq > 0 ORDER BY pos LIMIT 1000",
        )
        .bind(seq)
        .fetch_all(self.read())
        .await?;
        rows.iter().map(leaf).collect()
    }

    pub(crate) async fn leaf_text_in(
        &self,
        tx: &mut Tx,
        position: Position,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let row = sqlx::query("SELECT text FROM leaves WHERE pos = $1")
            .bind(position.to_key())
            .fetch_optional(&mut **tx)
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// One leaf's text; `None`: there is none any more.
    pub(crate) async fn leaf_text(&self, position: Position) -> Result<Option<Vec<u8>>, StoreError> {
        let row = sqlx::query("SELECT text FROM leaves WHERE pos = $1")
            .bind(position.to_key())
            .fetch_optional(self.read())
            .await?;
        let text: Option<Vec<u8>> = row.map(|row| row.try_get(0)).transpose()?;
        Ok(text.filter(|text| erased_hash(text).is_none()))
    }
}

pub(super) fn leaf(row: &sqlx::any::AnyRow) -> Result<Leaf, StoreError> {
    Ok(Leaf {
        position: Position::from_key(row.try_get("pos")?),
        seq: row.try_get("seq")?,
        text: row.try_get("text")?,
    })
}
