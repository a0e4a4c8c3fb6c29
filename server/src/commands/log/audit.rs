//! One epoch of the log, recomputed leaf by leaf in constant memory.

use std::collections::BTreeMap;

use tasuki_proto::event::{Event, leaf_hash};
use tasuki_proto::log::{Checkpoint, Hash, LogVerifier};
use tlog_tiles::{EMPTY_HASH, node_hash};

use crate::store::head::Head;
use crate::store::leaves::{Leaf, Position, TileName};
use crate::store::{Store, StoreError};

/// Leaves and checkpoints that are read at once: a few MiB.
const PAGE: u32 = 2_000;

/// Hashes in a full tile.
const WIDTH: usize = 256;

/// Differences that are told; after so many the rest says nothing new.
const MAX_DIFFERENCES: usize = 100;

/// Something that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference(pub(super) String);

/// What an epoch's log holds, and what does not fit.
#[derive(Debug)]
pub(super) struct Audit {
    pub(super) leaves: u64,
    pub(super) checkpoints: u64,
    pub(super) root: Hash,
    pub(super) differences: Vec<Difference>,
}

impl Audit {
    /// Recomputes one epoch up to the head, or all of it if it is over.
    pub(super) async fn run(
        store: &Store,
        key: &LogVerifier,
        head: &Head,
        epoch: u64,
        witness: Option<&Checkpoint>,
    ) -> Result<Self, StoreError> {
        let current = epoch == head.epoch;
        let end = if current { head.size } else { u64::MAX };
        let mut walk = Walk {
            store,
            key,
            epoch,
            tree: Growing::default(),
            tiles: Vec::new(),
            time_us: i64::MIN,
            end,
            due: BTreeMap::new(),
            found: Self { leaves: 0, checkpoints: 0, root: EMPTY_HASH, differences: Vec::new() },
        };
        if current {
            walk.expect_at("the head's checkpoint", &head.note, head.size);
        }
        if let Some(last) = witness.filter(|w| w.epoch == epoch) {
            let due = Due { root: last.root, what: "the witness".to_owned() };
            walk.due.entry(last.size).or_default().push(due);
        }
        walk.leaves().await?;
        walk.last_tiles().await?;
        walk.finish(current.then_some(head.size), head.epoch);
        Ok(walk.found)
    }
}

/// A root that the tree must have at some size.
#[derive(Debug)]
struct Due {
    root: Hash,
    what: String,
}

struct Walk<'a> {
    store: &'a Store,
    key: &'a LogVerifier,
    epoch: u64,
    tree: Growing,
    /// The last, growing tile of each level, and its number.
    tiles: Vec<(u64, Vec<Hash>)>,
    time_us: i64,
    /// Leaves from here on are not looked at.
    end: u64,
    /// By size.
    due: BTreeMap<u64, Vec<Due>>,
    found: Audit,
}

impl Walk<'_> {
    fn differ(&mut self, text: String) {
        if self.found.differences.len() < MAX_DIFFERENCES {
            self.found.differences.push(Difference(text));
        }
    }

    async fn leaves(&mut self) -> Result<(), StoreError> {
        let mut checked_to = 0;
        while self.tree.size < self.end {
            let from = Position { epoch: self.epoch, index: self.tree.size };
            let page = self.store.leaves_from(from, PAGE).await?;
            let page: Vec<Leaf> = page
                .into_iter()
                .take_while(|leaf| leaf.position.epoch == self.epoch && leaf.position.index < self.end)
                .collect();
            let Some(last) = page.last() else { return Ok(()) };
            self.checkpoints(&mut checked_to, last.position.index + 1).await?;
            for leaf in page {
                if leaf.position.index != self.tree.size {
                    let missing = self.tree.size;
                    self.differ(format!("epoch {}: leaf {missing} is missing", self.epoch));
                    return Ok(());
                }
                self.leaf(&leaf).await?;
            }
        }
        Ok(())
    }

    /// Reads the checkpoints of the sizes that the next leaves lead to.
    async fn checkpoints(&mut self, from: &mut u64, to: u64) -> Result<(), StoreError> {
        while *from < to {
            let page = self.store.checkpoints_after(self.epoch, *from, PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            *from = *last;
            let end = self.end;
            for (size, note) in page.into_iter().filter(|(size, _)| *size <= end) {
                self.found.checkpoints += 1;
                self.expect_at(&format!("the checkpoint of size {size}"), &note, size);
            }
        }
        *from = (*from).max(to);
        Ok(())
    }

    /// A signed note must be the log's own, of this size, and will be held against the tree.
    fn expect_at(&mut self, what: &str, note: &[u8], size: u64) {
        let what = format!("epoch {}: {what}", self.epoch);
        match self.key.open(note) {
            Ok(c) if (c.epoch, c.size) == (self.epoch, size) => {
                self.due.entry(size).or_default().push(Due { root: c.root, what });
            }
            Ok(_) => self.differ(format!("{what} is of another size or epoch")),
            Err(error) => self.differ(format!("{what}: {error}")),
        }
    }

    async fn leaf(&mut self, leaf: &Leaf) -> Result<(), StoreError> {
        let index = leaf.position.index;
        match Event::parse(&leaf.text) {
            Ok(event) if event.epoch != self.epoch => {
                self.differ(format!("epoch {}: leaf {index} says epoch {}", self.epoch, event.epoch));
            }
            Ok(event) => {
                if event.time_us < self.time_us {
                    self.differ(format!("epoch {}: leaf {index} is older than the one before", self.epoch));
                }
                self.time_us = event.time_us;
            }
            Err(error) => self.differ(format!("epoch {}: leaf {index}: {error}", self.epoch)),
        }
        let hash = Hash(leaf_hash(&leaf.text));
        self.tree.append(hash);
        self.found.leaves += 1;
        self.grow_tiles(hash).await?;
        self.check_due();
        Ok(())
    }

    fn check_due(&mut self) {
        let Some(now) = self.due.remove(&self.tree.size) else { return };
        let root = self.tree.root();
        for due in now.into_iter().filter(|due| due.root != root) {
            self.differ(format!("{} has another root than the leaves", due.what));
        }
    }

    /// Adds a hash on the lowest level; full tiles are compared and passed on upwards.
    async fn grow_tiles(&mut self, mut hash: Hash) -> Result<(), StoreError> {
        for level in 0.. {
            if self.tiles.len() == level {
                self.tiles.push((0, Vec::with_capacity(WIDTH)));
            }
            let (number, hashes) = &mut self.tiles[level];
            hashes.push(hash);
            if hashes.len() < WIDTH {
                return Ok(());
            }
            let (number, full) = (*number, std::mem::take(hashes));
            self.tiles[level].0 += 1;
            self.compare(level, number, &full).await?;
            let mut above = Growing::default();
            for hash in full {
                above.append(hash);
            }
            hash = above.root();
        }
        Ok(())
    }

    async fn last_tiles(&mut self) -> Result<(), StoreError> {
        for (level, (number, hashes)) in std::mem::take(&mut self.tiles).into_iter().enumerate() {
            if !hashes.is_empty() {
                self.compare(level, number, &hashes).await?;
            }
        }
        Ok(())
    }

    /// A stored tile may be wider than the leaves that were read: a relay goes on writing.
    async fn compare(&mut self, level: usize, tile: u64, hashes: &[Hash]) -> Result<(), StoreError> {
        let name = TileName { epoch: self.epoch, level: u8::try_from(level).unwrap_or(u8::MAX), tile };
        let stored = self.store.tile(name).await?.unwrap_or_default();
        let same = stored.as_chunks::<32>().0.iter().zip(hashes).filter(|(s, h)| **s == h.0).count();
        if same != hashes.len() {
            self.differ(format!("epoch {}: tile {tile} of level {level} is not of these leaves", self.epoch));
        }
        Ok(())
    }

    fn finish(&mut self, head_size: Option<u64>, head_epoch: u64) {
        self.found.root = self.tree.root();
        let size = self.tree.size;
        if let Some(head) = head_size.filter(|head| *head != size) {
            self.differ(format!("epoch {}: the head says {head} leaves, there are {size}", self.epoch));
        }
        // An epoch that was given up because it lost leaves ends before its last checkpoint: the next epoch's
        // first event names what is missing.
        if self.epoch < head_epoch {
            return;
        }
        for (covered, dues) in std::mem::take(&mut self.due) {
            for due in dues {
                self.differ(format!("{} covers {covered} leaves, there are {size}", due.what));
            }
        }
    }
}

/// A Merkle tree (RFC 6962, section 2.1) of which only the roots of its full subtrees are kept.
#[derive(Clone, Debug, Default)]
struct Growing {
    size: u64,
    /// Roots of full subtrees, largest first: one for each bit of `size`.
    roots: Vec<Hash>,
}

impl Growing {
    fn append(&mut self, leaf: Hash) {
        let mut node = leaf;
        for _ in 0..self.size.trailing_ones() {
            let left = self.roots.pop().expect("there is a root for each bit of the size");
            node = node_hash(left, node);
        }
        self.roots.push(node);
        self.size += 1;
    }

    fn root(&self) -> Hash {
        let mut roots = self.roots.iter().rev().copied();
        let Some(last) = roots.next() else { return EMPTY_HASH };
        roots.fold(last, |right, left| node_hash(left, right))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::tree::Tree;

    #[test]
    fn the_growing_tree_has_the_roots_of_the_whole_one() {
        let (mut growing, mut tree) = (Growing::default(), Tree::empty(1));
        assert_eq!(growing.root(), EMPTY_HASH);
        for i in 0..1000u64 {
            let leaf = leaf_hash(&i.to_be_bytes());
            growing.append(Hash(leaf));
            tree.append(leaf);
            assert_eq!(growing.root(), tree.root(i + 1).unwrap(), "size {}", i + 1);
        }
    }
}
