//! The Merkle tree (RFC 6962) of one epoch's log, in tiles of height 8 (C2SP tlog-tiles).
//!
//! The right edge is always in memory; tiles to its left are loaded where a proof needs them. Each tile
//! is held with all its inner nodes, so that a hash is looked up and never recomputed.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

use tasuki_proto::log::Hash;
use tlog_tiles::{HashReader, node_hash, prove_record, prove_tree, split_stored_hash_index, tree_hash};

use crate::store::leaves::TileName;
use crate::store::{Store, StoreError, Tx};

/// Levels in one tile.
const HEIGHT: u8 = 8;
/// Hashes on the lowest level of a full tile.
const WIDTH: usize = 256;
/// Tiles in memory: 16 KiB each, 16 MiB together.
const MAX_TILES: usize = 1024;
/// Of the lowest level the newest tiles stay when room is made: the last 130,000 events, and more than one batch has.
const NEWEST_LEAVES: u64 = 512;
/// Of each level above the newest tiles that stay: one has what 256 have below.
const NEWEST_ABOVE: u64 = 128;

/// One tile with its inner nodes.
#[derive(Clone, Debug)]
struct Tile {
    /// `levels[0]` holds up to 256 hashes, each further level half of them.
    levels: [Vec<Hash>; HEIGHT as usize + 1],
}

impl Tile {
    fn new() -> Self {
        Self { levels: std::array::from_fn(|_| Vec::new()) }
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (hashes, rest) = bytes.as_chunks::<32>();
        if !rest.is_empty() || hashes.is_empty() || hashes.len() > WIDTH {
            return None;
        }
        let mut tile = Self::new();
        for hash in hashes {
            tile.push(Hash(*hash));
        }
        Some(tile)
    }

    /// Adds a hash on the lowest level. Returns the tile's root when that fills it.
    fn push(&mut self, hash: Hash) -> Option<Hash> {
        let mut node = hash;
        for level in 0..HEIGHT as usize {
            self.levels[level].push(node);
            let [.., left, right] = self.levels[level][..] else { return None };
            if self.levels[level].len() % 2 == 1 {
                return None;
            }
            node = node_hash(left, right);
        }
        self.levels[HEIGHT as usize].push(node);
        Some(node)
    }

    fn bytes(&self) -> Vec<u8> {
        self.levels[0].iter().flat_map(|h| h.0).collect()
    }
}

/// The tree as far as it is in memory.
#[derive(Debug)]
pub struct Tree {
    epoch: u64,
    size: u64,
    tiles: HashMap<(u8, u64), Tile>,
    changed: BTreeSet<(u8, u64)>,
}

impl Tree {
    /// The empty tree of an epoch.
    pub fn empty(epoch: u64) -> Self {
        Self { epoch, size: 0, tiles: HashMap::new(), changed: BTreeSet::new() }
    }

    /// The tree of an epoch at a size, with nothing loaded yet.
    pub fn of_size(epoch: u64, size: u64) -> Self {
        Self { size, ..Self::empty(epoch) }
    }

    /// Epoch and number of leaves, uncommitted ones included.
    pub fn extent(&self) -> (u64, u64) {
        (self.epoch, self.size)
    }

    /// The tree of an epoch at a size, with its right edge loaded.
    pub(crate) async fn load(store: &Store, tx: &mut Tx, epoch: u64, size: u64) -> Result<Self, StoreError> {
        let mut tree = Self::of_size(epoch, size);
        for (level, tile) in right_edge(size) {
            let bytes = store.tile_in(tx, TileName { epoch, level, tile }).await?;
            tree.insert(level, tile, bytes.as_deref())?;
        }
        Ok(tree)
    }

    /// Takes a tile that was read from the store.
    pub fn insert(&mut self, level: u8, tile: u64, bytes: Option<&[u8]>) -> Result<(), StoreError> {
        let loaded = bytes.and_then(Tile::from_bytes).ok_or_else(|| StoreError::Corrupt {
            table: "tiles",
            column: "hashes",
            row: format!("epoch {}, level {level}, tile {tile}", self.epoch),
        })?;
        self.make_room();
        // A tile on the right edge may have grown in memory since the store was read.
        let known = self.tiles.entry((level, tile)).or_insert_with(Tile::new);
        if loaded.levels[0].len() > known.levels[0].len() {
            *known = loaded;
        }
        Ok(())
    }

    /// Lets old tiles go where there are too many: the store has them. Those at the right edge, and those that it may not have yet, stay.
    fn make_room(&mut self) {
        if self.tiles.len() < MAX_TILES {
            return;
        }
        let edge: HashMap<u8, u64> = right_edge(self.size).collect();
        let (tiles, changed) = (&mut self.tiles, &self.changed);
        tiles.retain(|name @ (level, tile), _| {
            let newest = if *level == 0 { NEWEST_LEAVES } else { NEWEST_ABOVE };
            let last = edge.get(level).copied().unwrap_or_default();
            last.saturating_sub(*tile) < newest || changed.contains(name)
        });
    }

    /// Appends a leaf.
    pub fn append(&mut self, leaf: [u8; 32]) {
        if self.size.is_multiple_of(WIDTH as u64) {
            self.make_room();
        }
        let mut hash = Hash(leaf);
        let mut place = self.size;
        self.size += 1;
        for level in 0.. {
            let name = (level, place / WIDTH as u64);
            self.changed.insert(name);
            let Some(root) = self.tiles.entry(name).or_insert_with(Tile::new).push(hash) else { return };
            hash = root;
            place /= WIDTH as u64;
        }
    }

    /// Tiles that [`Tree::append`] changed since this was last called, with their new bytes.
    pub fn take_changed(&mut self) -> Vec<(TileName, Vec<u8>)> {
        let names = std::mem::take(&mut self.changed);
        names
            .into_iter()
            .filter_map(|(level, tile)| {
                let bytes = self.tiles.get(&(level, tile))?.bytes();
                Some((TileName { epoch: self.epoch, level, tile }, bytes))
            })
            .collect()
    }

    /// Root of the tree's first `size` leaves.
    ///
    /// # Errors
    /// [`Missing::Tile`]: load it and ask again.
    pub fn root(&self, size: u64) -> Result<Hash, Missing> {
        self.within(size)?;
        self.ask(|reader| tree_hash(size, reader))
    }

    /// Audit path of a leaf in the tree of `size`.
    ///
    /// # Errors
    /// [`Missing::Tile`]: load it and ask again. [`Missing::Range`]: there is no such leaf.
    pub fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, Missing> {
        self.within(size)?;
        if index >= size {
            return Err(Missing::Range);
        }
        self.ask(|reader| prove_record(size, index, reader))
    }

    /// Proof that the tree of `from` leaves is a prefix of the tree of `to`.
    ///
    /// # Errors
    /// As [`Tree::inclusion`].
    pub fn consistency(&self, from: u64, to: u64) -> Result<Vec<Hash>, Missing> {
        self.within(to)?;
        match from {
            _ if from > to => Err(Missing::Range),
            0 => Ok(Vec::new()),
            _ if from == to => Ok(Vec::new()),
            _ => self.ask(|reader| prove_tree(to, from, reader)),
        }
    }

    fn within(&self, size: u64) -> Result<(), Missing> {
        if size > self.size { Err(Missing::Range) } else { Ok(()) }
    }

    fn ask<T>(&self, prove: impl FnOnce(&Reader<'_>) -> Result<T, tlog_tiles::Error>) -> Result<T, Missing> {
        let reader = Reader { tree: self, missing: RefCell::new(None) };
        match prove(&reader) {
            Ok(proof) => Ok(proof),
            Err(_) => Err(reader.missing.take().map_or(Missing::Range, Missing::Tile)),
        }
    }
}

/// Why a proof can't be made from memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// This tile is not in memory.
    Tile(TileName),
    /// The tree has no such leaf or size.
    Range,
}

struct Reader<'t> {
    tree: &'t Tree,
    missing: RefCell<Option<TileName>>,
}

impl HashReader for Reader<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        indexes
            .iter()
            .map(|index| {
                let (level, place) = split_stored_hash_index(*index);
                let (tile_level, inner) = (level / HEIGHT, level % HEIGHT);
                let tile = place >> (HEIGHT - inner);
                let offset = place & ((1 << (HEIGHT - inner)) - 1);
                let found = self.tree.tiles.get(&(tile_level, tile)).and_then(|t| {
                    t.levels[usize::from(inner)].get(usize::try_from(offset).unwrap_or(usize::MAX))
                });
                found.copied().ok_or_else(|| {
                    let name = TileName { epoch: self.tree.epoch, level: tile_level, tile };
                    self.missing.replace(Some(name));
                    tlog_tiles::Error::IndexesNotInTree
                })
            })
            .collect()
    }
}

/// Names of the last tile of every level of a tree: (level, tile).
fn right_edge(size: u64) -> impl Iterator<Item = (u8, u64)> {
    (0u8..8).map_while(move |level| {
        let width = size >> (HEIGHT * level);
        (width > 0).then(|| (level, (width - 1) / WIDTH as u64))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tasuki_proto::event::leaf_hash;
    use tasuki_proto::log::Checkpoint;

    fn tree(size: u64) -> Tree {
        let mut tree = Tree::empty(1);
        for i in 0..size {
            tree.append(leaf_hash(&i.to_be_bytes()));
        }
        tree
    }

    fn checkpoint(tree: &Tree, size: u64) -> Checkpoint {
        Checkpoint { epoch: 1, size, root: tree.root(size).unwrap(), note: Vec::new() }
    }

    #[test]
    fn proofs_hold_over_tile_borders() {
        let tree = tree(66_000);
        for size in [1, 2, 3, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 66_000] {
            let head = checkpoint(&tree, size);
            for index in [0, 1, size / 2, size.saturating_sub(2), size - 1] {
                if index < size {
                    let proof = tree.inclusion(index, size).unwrap();
                    head.check_inclusion(index, leaf_hash(&index.to_be_bytes()), &proof).unwrap();
                }
            }
            for older in [1, size / 3 + 1, size / 2 + 1, size] {
                let older = checkpoint(&tree, older.min(size));
                head.check_consistency(&older, &tree.consistency(older.size, size).unwrap()).unwrap();
            }
        }
        assert_eq!(tree.inclusion(5, 5), Err(Missing::Range));
        assert_eq!(tree.root(66_001), Err(Missing::Range));
    }

    #[test]
    fn changed_tiles_rebuild_the_tree() {
        let mut grown = Tree::empty(1);
        let mut stored: HashMap<TileName, Vec<u8>> = HashMap::new();
        for i in 0..700u64 {
            grown.append(leaf_hash(&i.to_be_bytes()));
            if i % 50 == 0 || i == 699 {
                stored.extend(grown.take_changed());
            }
        }
        let mut again = Tree::of_size(1, 700);
        for (level, tile) in right_edge(700) {
            let name = TileName { epoch: 1, level, tile };
            again.insert(level, tile, stored.get(&name).map(Vec::as_slice)).unwrap();
        }
        assert_eq!(again.root(700).unwrap(), grown.root(700).unwrap());
        let Err(Missing::Tile(name)) = again.inclusion(3, 700) else { panic!("tile 0 was not loaded yet") };
        again.insert(name.level, name.tile, stored.get(&name).map(Vec::as_slice)).unwrap();
        assert_eq!(again.inclusion(3, 700).unwrap(), grown.inclusion(3, 700).unwrap());
    }

    #[test]
    fn memory_stays_small_and_old_leaves_are_proven_from_the_store() {
        const SIZE: u64 = 600_000;
        let mut tree = Tree::empty(1);
        let mut stored: HashMap<TileName, Vec<u8>> = HashMap::new();
        let mut most = 0;
        for i in 0..SIZE {
            tree.append(leaf_hash(&i.to_be_bytes()));
            most = most.max(tree.tiles.len());
            if i % 1_000 == 0 || i == SIZE - 1 {
                stored.extend(tree.take_changed());
                // The head is signed over what the right edge has.
                assert!(tree.root(i + 1).is_ok(), "{i}");
            }
        }
        assert!(most <= MAX_TILES + 8, "{most} tiles");
        // The newest need no look into the store, the oldest a few.
        assert!(tree.inclusion(SIZE - 100_000, SIZE).is_ok());
        let head = checkpoint(&tree, SIZE);
        for index in (0..SIZE).step_by(1_777) {
            let proof = loop {
                match tree.inclusion(index, SIZE) {
                    Ok(proof) => break proof,
                    Err(Missing::Tile(name)) => {
                        tree.insert(name.level, name.tile, stored.get(&name).map(Vec::as_slice)).unwrap();
                    }
                    Err(Missing::Range) => panic!("{index} is in the tree"),
                }
            };
            head.check_inclusion(index, leaf_hash(&index.to_be_bytes()), &proof).unwrap();
            assert!(tree.tiles.len() <= MAX_TILES + 8);
        }
    }

    #[test]
    fn a_damaged_tile_is_corrupt() {
        let mut tree = Tree::empty(1);
        for bytes in [None, Some(&[0u8; 31][..]), Some(&[][..]), Some(&[0u8; 32 * 257][..])] {
            assert!(matches!(tree.insert(0, 0, bytes), Err(StoreError::Corrupt { table: "tiles", .. })));
        }
    }
}
