//! One epoch's tree, recomputed leaf by leaf in constant memory: its root at any size on the way, and its tiles.

use tasuki_proto::log::Hash;
use tlog_tiles::{EMPTY_HASH, node_hash};

/// Hashes in a full tile.
const WIDTH: usize = 256;

/// The tree so far.
#[derive(Debug, Default)]
pub(super) struct Growing {
    size: u64,
    /// Roots of the perfect subtrees that the leaves make, the largest first, with the number of their leaves
    /// as a power of two.
    peaks: Vec<(u32, Hash)>,
    /// The last tile of each level, growing.
    tiles: Vec<Growth>,
}

#[derive(Debug, Default)]
struct Growth {
    number: u64,
    hashes: Vec<Hash>,
}

/// A tile whose hashes are known now.
#[derive(Debug, PartialEq)]
pub(super) struct Tile {
    /// 0 is the level of leaf hashes.
    pub(super) level: u8,
    /// Place in its level, from 0.
    pub(super) number: u64,
    /// Up to 256 hashes.
    pub(super) hashes: Vec<Hash>,
}

impl Growing {
    /// Leaves so far.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf; hands back the tiles that it fills.
    pub(super) fn push(&mut self, leaf: [u8; 32]) -> Vec<Tile> {
        self.size += 1;
        let mut top = (0, Hash(leaf));
        while let Some((height, left)) = self.peaks.pop_if(|(height, _)| *height == top.0) {
            top = (height + 1, node_hash(left, top.1));
        }
        self.peaks.push(top);
        let mut full = Vec::new();
        let mut hash = Hash(leaf);
        for level in 0u8.. {
            if self.tiles.len() == usize::from(level) {
                self.tiles.push(Growth::default());
            }
            let growth = &mut self.tiles[usize::from(level)];
            growth.hashes.push(hash);
            if growth.hashes.len() < WIDTH {
                break;
            }
            let hashes = std::mem::take(&mut growth.hashes);
            hash = perfect_root(&hashes);
            full.push(Tile { level, number: growth.number, hashes });
            growth.number += 1;
        }
        full
    }

    /// The tiles that are not full yet.
    pub(super) fn partial(&self) -> impl Iterator<Item = Tile> {
        (0u8..).zip(&self.tiles).filter(|(_, growth)| !growth.hashes.is_empty()).map(|(level, growth)| Tile {
            level,
            number: growth.number,
            hashes: growth.hashes.clone(),
        })
    }

    /// Root of the tree so far (RFC 6962, section 2.1): the peaks joined from the right.
    pub(super) fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev().map(|(_, hash)| *hash);
        let Some(last) = peaks.next() else { return EMPTY_HASH };
        peaks.fold(last, |right, left| node_hash(left, right))
    }
}

/// Root over a full tile's hashes.
fn perfect_root(hashes: &[Hash]) -> Hash {
    let mut level = hashes.to_vec();
    while level.len() > 1 {
        level = level.as_chunks::<2>().0.iter().map(|[left, right]| node_hash(*left, *right)).collect();
    }
    level.first().copied().unwrap_or(EMPTY_HASH)
}

#[cfg(test)]
mod tests {
    use tasuki_proto::event::leaf_hash;

    use super::*;
    use crate::evidence::tree::Tree;

    /// The relay's own tree is the other opinion: the two share no code.
    #[test]
    fn roots_and_tiles_are_those_of_the_relays_tree() {
        let mut growing = Growing::default();
        let mut tree = Tree::empty(1);
        let mut full = Vec::new();
        assert_eq!(growing.root(), EMPTY_HASH);
        for i in 0..66_000u64 {
            let leaf = leaf_hash(&i.to_be_bytes());
            full.extend(growing.push(leaf));
            tree.append(leaf);
            if i < 1_000 || i % 997 == 0 || (65_530..65_540).contains(&i) {
                assert_eq!(growing.root(), tree.root(i + 1).unwrap(), "{i}");
            }
        }
        assert_eq!(growing.size(), 66_000);
        let bytes = |tile: &Tile| -> Vec<u8> { tile.hashes.iter().flat_map(|hash| hash.0).collect() };
        let stored = tree.take_changed();
        let ours: Vec<Tile> = full.into_iter().chain(growing.partial()).collect();
        assert_eq!(ours.len(), stored.len());
        for (name, hashes) in stored {
            let tile = ours.iter().find(|t| (t.level, t.number) == (name.level, name.tile)).unwrap();
            assert_eq!(bytes(tile), hashes, "{name:?}");
        }
    }
}
