//! The log as readers see it: the published checkpoint, proofs, and a bell for who waits for news.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::log::{Checkpoint, Hash, LogVerifier};
use tasuki_proto::pb;
use tokio::sync::{Notify, watch};

use super::feed_ends::{End, FeedEnds, Ticket};
use super::tree::{Missing, Tree};
use crate::store::feeds::FeedRow;
use crate::store::leaves::{Position, TileName};
use crate::store::{Store, StoreError};

/// A proof can't be made.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// No such epoch, leaf or size.
    #[error("no such epoch, leaf or size of the log")]
    Range,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The published log. The committer writes it, everything else reads it.
#[derive(Debug)]
pub struct Ledger {
    store: Store,
    key: RwLock<Arc<LogVerifier>>,
    tree: Mutex<Tree>,
    published: watch::Sender<Arc<Checkpoint>>,
    ends: Mutex<FeedEnds>,
    bells: Mutex<HashMap<OfficeNumber, Arc<Notify>>>,
}

/// Whose feeds grew.
#[derive(Clone, Debug)]
pub(crate) enum Grown {
    /// These offices'.
    Of(HashSet<OfficeNumber>),
    /// Anybody's: another process wrote.
    Any,
}

impl Ledger {
    /// Publishes what the committer found at start.
    pub(crate) fn new(store: Store, key: LogVerifier, tree: Tree, checkpoint: Checkpoint) -> Self {
        Self {
            store,
            key: RwLock::new(Arc::new(key)),
            tree: Mutex::new(tree),
            published: watch::Sender::new(Arc::new(checkpoint)),
            ends: Mutex::new(FeedEnds::new()),
            bells: Mutex::new(HashMap::new()),
        }
    }

    /// The log's public key, with those before it.
    pub fn key(&self) -> Arc<LogVerifier> {
        Arc::clone(&self.key.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The log's key has handed over to another.
    pub(crate) fn set_key(&self, key: LogVerifier) {
        *self.key.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
    }

    /// The newest checkpoint that may leave the relay.
    pub fn checkpoint(&self) -> Arc<Checkpoint> {
        self.published.borrow().clone()
    }

    /// Told of every new checkpoint.
    pub fn watch(&self) -> watch::Receiver<Arc<Checkpoint>> {
        self.published.subscribe()
    }

    /// A checkpoint of an epoch that is not the current one.
    pub async fn checkpoint_of(&self, epoch: u64) -> Result<Arc<Checkpoint>, ProofError> {
        let current = self.checkpoint();
        if current.epoch == epoch {
            return Ok(current);
        }
        let note = self.store.last_checkpoint(epoch).await?.ok_or(ProofError::Range)?;
        Ok(Arc::new(self.key().open(&note).map_err(|_| ProofError::Range)?))
    }

    /// Audit path of a leaf under a checkpoint.
    pub async fn inclusion(&self, position: Position, under: &Checkpoint) -> Result<Vec<Hash>, ProofError> {
        if position.epoch != under.epoch {
            return Err(ProofError::Range);
        }
        self.prove(under.epoch, under.size, |tree| tree.inclusion(position.index, under.size)).await
    }

    /// Proof that one size of an epoch's tree is a prefix of another.
    pub async fn consistency(&self, epoch: u64, from: u64, to: u64) -> Result<Vec<Hash>, ProofError> {
        self.prove(epoch, to, |tree| tree.consistency(from, to)).await
    }

    async fn prove(
        &self,
        epoch: u64,
        size: u64,
        ask: impl Fn(&Tree) -> Result<Vec<Hash>, Missing>,
    ) -> Result<Vec<Hash>, ProofError> {
        let current = self.checkpoint().epoch == epoch;
        // A past epoch's tree is built anew from the store: rare, and small.
        let mut past = (!current).then(|| Tree::of_size(epoch, size));
        // A proof touches two tiles a level at most.
        for _ in 0..32 {
            let missing = match &past {
                Some(tree) => ask(tree),
                None => ask(&self.tree()),
            };
            let name = match missing {
                Ok(proof) => return Ok(proof),
                Err(Missing::Range) => return Err(ProofError::Range),
                Err(Missing::Tile(name)) => name,
            };
            let bytes = self.store.tile(name).await?;
            match &mut past {
                Some(tree) => tree.insert(name.level, name.tile, bytes.as_deref())?,
                None => self.tree().insert(name.level, name.tile, bytes.as_deref())?,
            }
        }
        Err(ProofError::Range)
    }

    /// A tile as far as the published checkpoint covers it.
    pub async fn tile(&self, name: TileName) -> Result<Vec<u8>, ProofError> {
        let size = self.checkpoint_of(name.epoch).await?.size;
        let covered = size.checked_shr(8 * u32::from(name.level)).unwrap_or(0);
        let width = covered.saturating_sub(name.tile.saturating_mul(256)).min(256);
        let mut bytes = self.store.tile(name).await?.ok_or(ProofError::Range)?;
        bytes.truncate(usize::try_from(width).unwrap_or(0) * 32);
        if bytes.is_empty() { Err(ProofError::Range) } else { Ok(bytes) }
    }

    /// Evidence for an event: its text, its proof, the checkpoint, and the opening for one party.
    pub async fn evidence(
        &self,
        position: Position,
        under: &Checkpoint,
        text: Option<Vec<u8>>,
        opening: Option<&FeedRow>,
    ) -> Result<pb::Evidence, ProofError> {
        let text = match text {
            Some(text) => text,
            None => self.store.leaf_text(position).await?.ok_or(ProofError::Range)?,
        };
        let inclusion = self.inclusion(position, under).await?;
        Ok(pb::Evidence {
            entry: Some(pb::LogEntry {
                text: text.into(),
                epoch: position.epoch,
                index: position.index,
                opening: opening.map(|row| (&row.opening).into()),
            }),
            inclusion: wire(&inclusion),
            checkpoint: under.note.clone().into(),
        })
    }

    /// A bell that rings when an office's feed grew. Take it before reading the feed.
    pub fn bell(&self, office: OfficeNumber) -> Arc<Notify> {
        let mut bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        // Bells that nobody holds any more go when there are many.
        if bells.len() > 10_000 {
            bells.retain(|_, bell| Arc::strong_count(bell) > 1);
        }
        bells.entry(office).or_default().clone()
    }

    /// The newest checkpoint that may leave the relay, and where an office's feed ends under it.
    pub fn feed_end(&self, office: OfficeNumber) -> (Arc<Checkpoint>, End) {
        let mut ends = self.ends();
        (self.checkpoint(), ends.look(office))
    }

    /// Keeps where a reader found that an office's feed ends.
    pub fn learn_feed_end(&self, office: OfficeNumber, ticket: Ticket, number: u64) {
        self.ends().learn(office, ticket, number);
    }

    /// Makes a checkpoint public and rings.
    pub(crate) fn publish(&self, checkpoint: Arc<Checkpoint>, grown: &Grown) {
        let mut ends = self.ends();
        match grown {
            Grown::Of(offices) => offices.iter().for_each(|office| ends.forget(*office)),
            Grown::Any => ends.forget_all(),
        }
        self.published.send_replace(checkpoint);
        drop(ends);
        let bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        match grown {
            Grown::Of(offices) => {
                offices.iter().filter_map(|office| bells.get(office)).for_each(|bell| bell.notify_waiters());
            }
            Grown::Any => bells.values().for_each(|bell| bell.notify_waiters()),
        }
    }

    /// What is known of feeds' ends. A panic can't leave it half changed.
    fn ends(&self) -> MutexGuard<'_, FeedEnds> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tree. A panic while it was held can't leave it half changed in a way that matters: the committer
    /// loads it anew whenever its size is not the head's.
    pub(crate) fn tree(&self) -> MutexGuard<'_, Tree> {
        self.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hashes as messages carry them: pieces of one buffer.
pub fn wire(hashes: &[Hash]) -> Vec<bytes::Bytes> {
    let all = bytes::Bytes::from(hashes.iter().flat_map(|h| h.0).collect::<Vec<u8>>());
    (0..hashes.len()).map(|n| all.slice(n * 32..(n + 1) * 32)).collect()
}
