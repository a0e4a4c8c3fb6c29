//! Starting: hold database and witness against each other, begin a log or a new epoch of it.

use std::path::Path;
use std::sync::Arc;

use ring::rand::SystemRandom;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::event::kind;
use tasuki_proto::log::{Checkpoint, LogError, LogSigner};

use super::batch::{GiveUp, Writer};
use super::events::{self, FeedEnds, Lost, Scribe};
use super::{Committer, Fatal, Started};
use crate::clock::Clock;
use crate::evidence::ledger::{Grown, Ledger};
use crate::evidence::tree::{Missing, Tree};
use crate::evidence::witness::Witness;
use crate::log_key::LogKey;
use crate::store::head::Head;
use crate::store::{Store, StoreError};

/// What a start found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A new database: the log begins.
    New,
    /// Database and witness agree.
    Continues,
    /// There was no witness, so that a database set back in time would not be noticed this once.
    NoWitness,
    /// The database went back in time: a new epoch begins, and its first event names what was lost.
    WentBack(Lost),
}

impl Committer {
    /// Opens log and witness, and starts the committer's task.
    ///
    /// # Errors
    /// [`Fatal`] if the database, the witness or the log's key do not fit together.
    pub async fn start(
        store: Store,
        key: impl Into<LogKey>,
        witness: &Path,
        clock: Arc<dyn Clock>,
    ) -> Result<Started, Fatal> {
        let LogKey { signer, file: key_file } = key.into();
        let verifier = signer.verifier();
        let witness = Witness::open(witness, &verifier)?;
        let mut tx = store.begin().await?;
        let head = store.take_head(&mut tx).await?;
        let tree = Tree::load(&store, &mut tx, head.epoch, head.size).await?;
        let found = compare(&store, &mut tx, &head, &tree, &signer, witness.last()).await?;
        tx.rollback().await.map_err(StoreError::from)?;

        let checkpoint = if head.epoch == 0 { empty_checkpoint() } else { verifier.open(&head.note)? };
        let ledger = Arc::new(Ledger::new(store.clone(), verifier, tree, checkpoint.clone()));
        let mut writer = Writer {
            store,
            signer,
            key_file,
            witness,
            ledger: Arc::clone(&ledger),
            rng: SystemRandom::new(),
            ends: FeedEnds::default(),
            seen: head,
            stale: true,
        };
        match found {
            Found::New => writer.begin_epoch(1, None, clock.now_us()).await?,
            Found::WentBack(lost) => {
                tracing::error!(
                    log.epoch = lost.epoch,
                    log.kept = lost.kept,
                    log.known = lost.known,
                    "the database went back in time: a new epoch begins, senders will be told"
                );
                writer.begin_epoch(lost.epoch + 1, Some(lost), clock.now_us()).await?;
            }
            // The witness may be behind by the batch that a crash cut short.
            Found::Continues | Found::NoWitness => writer.witness.keep(&checkpoint)?,
        }
        writer.keep_rolls().await?;
        let (committer, running) = Self::run(writer, clock);
        Ok(Started { committer, ledger, running, found })
    }
}

async fn compare(
    store: &Store,
    tx: &mut crate::store::Tx,
    head: &Head,
    tree: &Tree,
    signer: &LogSigner,
    witness: Option<&Checkpoint>,
) -> Result<Found, Fatal> {
    if head.epoch > 0 {
        let checkpoint = signer.verifier().open(&head.note)?;
        let root = tree.root(head.size).map_err(|_| LogError::Consistency)?;
        if (checkpoint.epoch, checkpoint.size, checkpoint.root) != (head.epoch, head.size, root) {
            return Err(LogError::Consistency.into());
        }
    }
    // What handed the key over stands behind its last checkpoint: a roll that is known outside the database is a witness, too.
    if let Some(roll) = signer.rolls().last().filter(|roll| (head.epoch, head.size) <= roll.until) {
        let (epoch, size) = roll.until;
        let known = witness.filter(|known| known.epoch >= epoch);
        let (epoch, known) = known.map_or((epoch, size + 1), |known| (known.epoch, known.size));
        let kept = if head.epoch == epoch { head.size } else { 0 };
        return Ok(Found::WentBack(Lost { epoch, kept, known }));
    }
    let Some(known) = witness else {
        return Ok(if head.epoch == 0 { Found::New } else { Found::NoWitness });
    };
    let lost = Lost { epoch: known.epoch, kept: head.size, known: known.size };
    if head.epoch < known.epoch {
        // The whole epoch that the witness knows is gone.
        return Ok(Found::WentBack(Lost { kept: 0, ..lost }));
    }
    if head.epoch == known.epoch && head.size < known.size {
        return Ok(Found::WentBack(lost));
    }
    if head.epoch == known.epoch && root_at(store, tx, tree, known.size).await? != Some(known.root) {
        // As long, or longer, and different: it was set back and then written by somebody else.
        return Ok(Found::WentBack(lost));
    }
    Ok(Found::Continues)
}

async fn root_at(
    store: &Store,
    tx: &mut crate::store::Tx,
    tree: &Tree,
    size: u64,
) -> Result<Option<tasuki_proto::log::Hash>, Fatal> {
    let (epoch, full) = tree.extent();
    let mut copy = Tree::load(store, tx, epoch, full).await?;
    // A root needs two tiles a level at most.
    for _ in 0..32 {
        match copy.root(size) {
            Ok(root) => return Ok(Some(root)),
            Err(Missing::Range) => return Ok(None),
            Err(Missing::Tile(name)) => {
                let bytes = store.tile_in(tx, name).await?;
                copy.insert(name.level, name.tile, bytes.as_deref())?;
            }
        }
    }
    Ok(None)
}

/// Stands in until the first event of a new database is written; it never leaves the relay.
fn empty_checkpoint() -> Checkpoint {
    Checkpoint { epoch: 0, size: 0, root: tlog_tiles::EMPTY_HASH, note: Vec::new() }
}

impl Writer {
    /// Begins an epoch: an empty log whose first event says why, to every office of the directory.
    async fn begin_epoch(&mut self, epoch: u64, lost: Option<Lost>, now_us: i64) -> Result<(), Fatal> {
        let mut tx = self.store.begin().await?;
        let head = self.store.take_head(&mut tx).await?;
        if head != self.seen {
            // Another relay began it in this very moment.
            self.stale = true;
            return Ok(());
        }
        self.ends.clear();
        *self.ledger.tree() = Tree::empty(epoch);
        let time_us = now_us.max(head.time_us);
        let mut next = Head { epoch, size: 0, time_us, ..head };
        next.directory += 1;
        let mut scribe = Scribe::new(epoch, 0, time_us, &self.rng);
        // Each office is told in its own feed: one event for all would make every feed's commitment one line
        // of a text as long as the directory.
        let concerned =
            if lost.is_some() { self.store.offices_with_feeds(&mut tx).await? } else { Vec::new() };
        let write = |scribe: &mut Scribe<'_>, parties: &[OfficeNumber], ends: &mut FeedEnds| {
            scribe
                .write(kind::LOG_STARTED, 0, parties, ends, |event| events::started(event, lost.as_ref()))
                .map_err(|_| Fatal::Witness(std::io::Error::other("the system gives no random bytes")))
        };
        write(&mut scribe, &[], &mut self.ends)?;
        for office in concerned {
            write(&mut scribe, &[office], &mut self.ends)?;
        }
        self.store.insert_leaves(&mut tx, &scribe.leaves).await?;
        self.store.insert_feed_rows(&mut tx, &scribe.feed_rows).await?;
        let hashes = std::mem::take(&mut scribe.hashes);
        let checkpoint = self.seal(&mut tx, &mut next, &hashes).await.map_err(into_fatal)?;
        tx.commit().await.map_err(StoreError::from)?;
        self.witness.keep(&checkpoint)?;
        self.seen = next;
        self.stale = false;
        self.ledger.publish(checkpoint, &Grown::Any);
        Ok(())
    }
}

fn into_fatal(give_up: GiveUp) -> Fatal {
    match give_up {
        GiveUp::Store(error) => Fatal::Database(error),
        GiveUp::Fatal(fatal) => fatal,
        GiveUp::Repetition | GiveUp::NotNow(_) => Fatal::Died,
    }
}
