//! One epoch of the log: its leaves in order, and what tiles, checkpoints and witness say of them.

use std::collections::VecDeque;

use tasuki_proto::event::{Event, kind};
use tasuki_proto::log::{Checkpoint, Hash, LogVerifier};

use super::operators::Acts;
use super::problem::{Problem, Problems};
use super::tree::{Growing, Tile};
use crate::commands::progress::Progress;
use crate::store::leaves::{Leaf, Position, TileName, erased_hash, hash_of};
use crate::store::{Store, StoreError};

/// Leaves, or checkpoints, read at once: about a MiB.
const PAGE: u32 = 1_000;

/// What the leaves of all epochs add up to, to be held against feeds and parcels.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) events: u64,
    pub(super) checkpoints: u64,
    /// Commitments to feed entries.
    pub(super) feed_lines: u64,
    /// Events about parcels.
    pub(super) parcel_events: u64,
    /// Parcels that were accepted.
    pub(super) accepted: u64,
    /// Events that were erased, their time as evidence being over.
    pub(super) erased: u64,
    /// The first erased event behind the last one whose text is there: the next one says whether they were old enough.
    pub(super) unshown: Option<Position>,
    /// Time of the last event.
    time_us: i64,
}

/// An epoch as `log verify` looks at it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    pub(super) epoch: u64,
    /// Leaves. Those behind were added after verification began.
    pub(super) size: u64,
    /// The epoch goes on: rows behind `size` are not wrong.
    pub(super) open: bool,
}

/// Walks over one epoch.
pub(super) struct Walk<'a> {
    pub(super) store: &'a Store,
    pub(super) key: &'a LogVerifier,
    /// The last checkpoint outside the database.
    pub(super) witness: Option<&'a Checkpoint>,
    /// The head's checkpoint.
    pub(super) head: Option<&'a Checkpoint>,
    /// The epochs before, with their sizes.
    pub(super) before: &'a [(u64, u64)],
    /// Texts of events of before this time may be gone. Unix microseconds.
    pub(super) erased_before_us: i64,
    pub(super) progress: &'a Progress,
    pub(super) problems: &'a mut Problems,
    pub(super) totals: &'a mut Totals,
    /// What operators signed.
    pub(super) acts: &'a mut Acts,
}

impl Walk<'_> {
    /// Recomputes the tree of an epoch.
    pub(super) async fn run(&mut self, extent: Extent) -> Result<(), StoreError> {
        let mut tree = Growing::default();
        let mut checkpoints = Checkpoints::new(extent.epoch);
        while tree.size() < extent.size {
            let from = Position { epoch: extent.epoch, index: tree.size() };
            let wanted = u32::try_from(extent.size - tree.size()).unwrap_or(u32::MAX).min(PAGE);
            let leaves = self.store.leaves_from(from, wanted).await?;
            let before = tree.size();
            for leaf in &leaves {
                if leaf.position != (Position { epoch: extent.epoch, index: tree.size() }) {
                    break;
                }
                self.leaf(leaf);
                for tile in tree.push(hash_of(&leaf.text)) {
                    self.tile(extent, &tile).await?;
                }
                self.checkpoints_at(&mut checkpoints, tree.size(), &tree).await?;
            }
            for problem in self.acts.settle(self.store).await? {
                self.problems.add(problem);
            }
            self.progress.advance(tree.size() - before);
            if tree.size() - before < u64::from(wanted) {
                // Nothing behind a gap has a place in the tree.
                let index = tree.size();
                self.problems.add(Problem::LeafMissing(Position { epoch: extent.epoch, index }));
                return Ok(());
            }
        }
        let partial: Vec<Tile> = tree.partial().collect();
        for tile in &partial {
            self.tile(extent, tile).await?;
        }
        let Extent { epoch, size, .. } = extent;
        if checkpoints.last != Some(size) {
            self.problems.add(Problem::CheckpointMissing { epoch, size });
        }
        if !extent.open {
            self.nothing_behind(extent).await?;
        }
        Ok(())
    }

    fn leaf(&mut self, leaf: &Leaf) {
        let at = leaf.position;
        self.totals.events += 1;
        if erased_hash(&leaf.text).is_some() {
            self.totals.erased += 1;
            self.totals.unshown.get_or_insert(at);
            return;
        }
        let event = match Event::parse(&leaf.text) {
            Ok(event) if event.epoch == at.epoch => event,
            Ok(_) | Err(_) => return self.problems.add(Problem::LeafMalformed(at)),
        };
        if event.time_us < self.totals.time_us {
            self.problems.add(Problem::LeafTime(at));
        }
        self.totals.time_us = event.time_us;
        // Events are in the order of time, so what stands before one that is old enough is so, too.
        if let Some(first) = self.totals.unshown.take()
            && event.time_us >= self.erased_before_us
        {
            self.problems.add(Problem::LeafErased(first));
        }
        self.totals.feed_lines += event.feeds.len() as u64;
        // Which parcel it is, is looked at where the parcels are.
        if event.parcel().is_some() != (leaf.seq > 0) {
            self.problems.add(Problem::LeafParcel(at));
        }
        self.totals.parcel_events += u64::from(leaf.seq > 0);
        // A delivery that follows a hold says when the parcel was accepted.
        let accepted = match event.kind.as_str() {
            kind::PARCEL_HELD => true,
            kind::PARCEL_DELIVERED => event.lines.get("accepted").is_none(),
            _ => false,
        };
        self.totals.accepted += u64::from(accepted);
        if at.index == 0 && !self.begins(&event) {
            self.problems.add(Problem::EpochStart(at.epoch));
        }
        self.acts.take(at, event);
    }

    /// Whether an epoch's first event says truly what it follows.
    fn begins(&self, event: &Event) -> bool {
        let number = |key: &str| event.lines.get(key).and_then(|text| text.parse::<u64>().ok());
        let follows = match number("previous-epoch") {
            None => event.epoch == 1,
            Some(previous) => {
                let size =
                    self.before.iter().find(|(epoch, _)| *epoch == previous).map_or(0, |(_, size)| *size);
                event.epoch == previous + 1 && number("kept-size") == Some(size)
            }
        };
        event.kind == kind::LOG_STARTED && follows
    }

    /// Compares a tile with the stored one.
    async fn tile(&mut self, extent: Extent, tile: &Tile) -> Result<(), StoreError> {
        let name = TileName { epoch: extent.epoch, level: tile.level, tile: tile.number };
        let Some(stored) = self.store.tile(name).await? else {
            self.problems.add(Problem::TileMissing(name));
            return Ok(());
        };
        let (stored, rest) = stored.as_chunks::<32>();
        let differs = tile.hashes.iter().zip(stored).position(|(ours, theirs)| ours.0 != *theirs);
        let short = (stored.len() < tile.hashes.len()).then_some(stored.len());
        let long = stored.len() > tile.hashes.len() && !self.grew(extent, name, stored.len()).await?;
        let long = long.then_some(tile.hashes.len());
        let torn = (!rest.is_empty()).then_some(stored.len());
        if let Some(place) = differs.or(short).or(long).or(torn) {
            self.problems.add(Problem::TileDiffers(name, place as u64));
        }
        Ok(())
    }

    /// Whether a tile has its width because the log grew since verification began.
    async fn grew(&self, extent: Extent, name: TileName, width: usize) -> Result<bool, StoreError> {
        let head = self.store.head().await?;
        let size = if extent.open && head.epoch == extent.epoch { head.size } else { extent.size };
        let covered = size.checked_shr(8 * u32::from(name.level)).unwrap_or(0);
        Ok(width as u64 <= covered.saturating_sub(name.tile.saturating_mul(256)).min(256))
    }

    /// Holds the root against the checkpoints of this size: the stored one, the witness, and the head.
    async fn checkpoints_at(
        &mut self,
        checkpoints: &mut Checkpoints,
        size: u64,
        tree: &Growing,
    ) -> Result<(), StoreError> {
        let epoch = checkpoints.epoch;
        // A root costs a few hashes: it is computed where somebody asks for it only.
        if let Some(note) = checkpoints.at(self.store, size).await? {
            self.totals.checkpoints += 1;
            match self.key.open(&note) {
                Ok(opened) if (opened.epoch, opened.size) == (epoch, size) => {
                    self.compare(opened.root, tree, Problem::CheckpointRoot { epoch, size });
                }
                Ok(_) | Err(_) => self.problems.add(Problem::Checkpoint { epoch, size }),
            }
        }
        let here = |checkpoint: &&Checkpoint| (checkpoint.epoch, checkpoint.size) == (epoch, size);
        if let Some(witness) = self.witness.filter(here) {
            self.compare(witness.root, tree, Problem::WitnessDiffers { epoch, size });
        }
        if let Some(head) = self.head.filter(here) {
            self.compare(head.root, tree, Problem::Head);
        }
        Ok(())
    }

    fn compare(&mut self, root: Hash, tree: &Growing, problem: Problem) {
        if root != tree.root() {
            self.problems.add(problem);
        }
    }

    /// A past epoch has ended: there must be no more of it.
    async fn nothing_behind(&mut self, extent: Extent) -> Result<(), StoreError> {
        let behind = Position { epoch: extent.epoch, index: extent.size };
        let next = self.store.leaves_from(behind, 1).await?;
        if let Some(leaf) = next.first().filter(|leaf| leaf.position.epoch == extent.epoch) {
            self.problems.add(Problem::LeafBehindEnd(leaf.position));
        }
        Ok(())
    }
}

/// An epoch's stored checkpoints, read ahead page by page.
struct Checkpoints {
    epoch: u64,
    ahead: VecDeque<(u64, Vec<u8>)>,
    /// Size of the last one that was read.
    read: u64,
    exhausted: bool,
    /// Size of the last one that was handed out.
    last: Option<u64>,
}

impl Checkpoints {
    fn new(epoch: u64) -> Self {
        Self { epoch, ahead: VecDeque::new(), read: 0, exhausted: false, last: None }
    }

    /// The checkpoint of this size. Sizes are asked for in ascending order.
    async fn at(&mut self, store: &Store, size: u64) -> Result<Option<Vec<u8>>, StoreError> {
        if self.ahead.is_empty() && !self.exhausted {
            let page = store.checkpoints_after(self.epoch, self.read, PAGE).await?;
            self.exhausted = page.len() < PAGE as usize;
            self.read = page.last().map_or(self.read, |(size, _)| *size);
            self.ahead.extend(page);
        }
        let note = self.ahead.pop_front_if(|(next, _)| *next == size).map(|(_, note)| note);
        if note.is_some() {
            self.last = Some(size);
        }
        Ok(note)
    }
}
