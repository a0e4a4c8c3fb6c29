//! One batch: take the head, apply changes, write events, move the head, commit, keep, publish, answer.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use ring::rand::SystemRandom;
use tasuki_proto::ids::ParcelKey;
use tasuki_proto::log::{Checkpoint, Hash, LogError, LogSigner};

use super::apply::{Applied, Draft};
use super::change::{Change, Done, Refused};
use super::events::{FeedEnds, Scribe};
use super::{Fatal, Job};
use crate::evidence::ledger::{Grown, Ledger};
use crate::evidence::tree::{Missing, Tree};
use crate::evidence::witness::Witness;
use crate::store::head::Head;
use crate::store::{Store, StoreError, Tx};

/// How far the last event's time may lie ahead of the clock: beyond, one of the two is wrong, and events
/// would carry times that nobody should believe. Wide enough for the drift of several relays.
const MAX_SKEW_US: i64 = 60 * 1_000_000;

/// Everything that a commit needs. Owned by the committer's task.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) store: Store,
    pub(super) signer: LogSigner,
    /// The key's file; absent in tests that need none.
    pub(super) key_file: Option<PathBuf>,
    pub(super) witness: Witness,
    pub(super) ledger: Arc<Ledger>,
    pub(super) rng: SystemRandom,
    pub(super) ends: FeedEnds,
    /// The head as this writer last saw it.
    pub(super) seen: Head,
    /// An abandoned transaction left traces in memory: load tree and feed ends anew.
    pub(super) stale: bool,
}

/// Why a transaction was given up. Nothing of it took effect.
#[derive(Debug)]
pub(super) enum GiveUp {
    /// The database failed before the commit.
    Store(StoreError),
    /// A delivery's id exists already: sort such out and try the others again.
    Repetition,
    /// Head and clock are too far apart, no randomness, or the token with the log's key is away.
    NotNow(&'static str),
    /// The head does not fit the log that this relay knows.
    Fatal(Fatal),
}

impl From<StoreError> for GiveUp {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Writer {
    /// Commits a batch and answers its jobs. Returns jobs that must wait for the next batch.
    pub(super) async fn commit(&mut self, mut jobs: Vec<Job>, now_us: i64) -> Result<Vec<Job>, Fatal> {
        let held_over = set_repetitions_aside(&mut jobs);
        loop {
            let outcome = self.attempt(&mut jobs, now_us).await;
            match outcome {
                Ok(answers) => {
                    for (job, answer) in jobs.into_iter().zip(answers) {
                        (job.reply)(answer);
                    }
                    return Ok(held_over);
                }
                Err(GiveUp::Repetition) => {
                    self.forget();
                    jobs = self.answer_repetitions(jobs).await;
                    if jobs.is_empty() {
                        return Ok(held_over);
                    }
                }
                Err(GiveUp::NotNow(why)) => {
                    tracing::error!(reason = why, "refusing to write");
                    self.forget();
                    refuse_all(jobs);
                    return Ok(held_over);
                }
                Err(GiveUp::Store(error)) if error.is_transient() => {
                    tracing::warn!(%error, "a batch was given up");
                    self.forget();
                    refuse_all(jobs);
                    return Ok(held_over);
                }
                Err(GiveUp::Store(error)) => {
                    refuse_all(jobs);
                    return Err(error.into());
                }
                Err(GiveUp::Fatal(fatal)) => {
                    refuse_all(jobs);
                    return Err(fatal);
                }
            }
        }
    }

    async fn attempt(&mut self, jobs: &mut [Job], now_us: i64) -> Result<Vec<Result<Done, Refused>>, GiveUp> {
        let mut tx = self.store.begin().await?;
        let head = self.take_head(&mut tx).await?;
        let time_us = now_us.max(head.time_us);
        if time_us - now_us > MAX_SKEW_US {
            return Err(GiveUp::NotNow("the last event lies in the future: check the clock"));
        }
        let mut next = Head { time_us, ..head };
        let mut draft = Draft {
            store: &self.store,
            scribe: Scribe::new(next.epoch, next.size, time_us, &self.rng),
            ends: &mut self.ends,
            head: &mut next,
            signer: &self.signer,
            rolled: None,
            quiet: false,
            parcels: Vec::new(),
            contents: Vec::new(),
        };
        let mut answers = Vec::with_capacity(jobs.len());
        draft.load_ends(&mut tx, jobs.iter().map(|job| &job.change)).await?;
        for (place, job) in jobs.iter_mut().enumerate() {
            answers.push(draft.apply(&mut tx, place, &mut job.change).await?);
        }
        if !draft.insert_parcels(&mut tx).await? {
            give_back(jobs, draft.contents);
            return Err(GiveUp::Repetition);
        }
        let (rolled, quiet) = (draft.rolled.take(), draft.quiet);
        let written = draft.write(&mut tx).await?;
        let changed = !written.hashes.is_empty() || next.directory != self.seen.directory;
        if !changed {
            let ended = if quiet { tx.commit().await } else { tx.rollback().await };
            ended.map_err(StoreError::from)?;
            return Ok(finish(answers, &self.ledger.checkpoint()));
        }
        let grown = Grown::Of(written.concerned.into_iter().collect());
        // The checkpoint over the roll is the new key's first.
        let before = rolled.map(|new| std::mem::replace(&mut self.signer, new));
        match self.conclude(tx, next, &written.hashes, before.is_some()).await {
            Ok(checkpoint) => {
                self.ledger.publish(Arc::clone(&checkpoint), &grown);
                Ok(finish(answers, &checkpoint))
            }
            Err(give_up) => {
                if let Some(before) = before {
                    self.signer = before;
                }
                Err(give_up)
            }
        }
    }

    /// Signs, commits and keeps. When this returns, all of it is durable.
    async fn conclude(
        &mut self,
        mut tx: Tx,
        mut next: Head,
        hashes: &[[u8; 32]],
        rolled: bool,
    ) -> Result<Arc<Checkpoint>, GiveUp> {
        let checkpoint = self.seal(&mut tx, &mut next, hashes).await?;
        if let Err(error) = tx.commit().await {
            self.settle(&next, error.into()).await?;
        }
        if rolled {
            self.use_key();
        }
        self.witness.keep(&checkpoint).map_err(|e| GiveUp::Fatal(e.into()))?;
        self.seen = next;
        Ok(checkpoint)
    }

    /// Reads the head under its lock. If another process moved it, brings tree and feed ends to it and
    /// publishes what that process committed.
    pub(super) async fn take_head(&mut self, tx: &mut Tx) -> Result<Head, GiveUp> {
        let head = self.store.take_head(tx).await?;
        if !self.stale && head == self.seen {
            return Ok(head);
        }
        self.ends.clear();
        if head.epoch > 0 && self.signer.verifier().open(&head.note).is_err() {
            self.reload_key().await?;
        }
        let tree = Tree::load(&self.store, tx, head.epoch, head.size).await?;
        *self.ledger.tree() = tree;
        let checkpoint = self.check_against_witness(&head).map_err(GiveUp::Fatal)?;
        if checkpoint != *self.ledger.checkpoint() {
            self.witness.keep(&checkpoint).map_err(|e| GiveUp::Fatal(e.into()))?;
            self.ledger.publish(Arc::new(checkpoint), &Grown::Any);
        }
        self.seen = head.clone();
        self.stale = false;
        Ok(head)
    }

    /// A head that another process moved must continue what this relay has signed.
    fn check_against_witness(&self, head: &Head) -> Result<Checkpoint, Fatal> {
        let checkpoint = self.signer.verifier().open(&head.note)?;
        let Some(last) = self.witness.last().filter(|last| last.epoch == head.epoch) else {
            return Ok(checkpoint);
        };
        match self.ledger.tree().root(last.size) {
            Ok(root) if root == last.root => Ok(checkpoint),
            // Further back than the tiles in memory: `log verify` compares those.
            Err(Missing::Tile(_)) => Ok(checkpoint),
            Ok(_) | Err(Missing::Range) => Err(LogError::Consistency.into()),
        }
    }

    /// Moves tree and head over the batch's leaves and signs the checkpoint.
    pub(super) async fn seal(
        &mut self,
        tx: &mut Tx,
        next: &mut Head,
        hashes: &[[u8; 32]],
    ) -> Result<Arc<Checkpoint>, GiveUp> {
        let (root, changed) = {
            let mut tree = self.ledger.tree();
            for hash in hashes {
                tree.append(*hash);
            }
            next.size += hashes.len() as u64;
            (tree.root(next.size), tree.take_changed())
        };
        let root = root.map_err(|_| {
            GiveUp::Store(StoreError::Corrupt {
                table: "tiles",
                column: "hashes",
                row: "right edge".to_owned(),
            })
        })?;
        for (name, bytes) in changed {
            self.store.put_tile(tx, name, bytes).await?;
        }
        next.note = self.sign(next.epoch, next.size, root).await?;
        // Where only a counter moved, the checkpoint of this size exists already.
        if !hashes.is_empty() {
            self.store.insert_checkpoint(tx, next.epoch, next.size, &next.note).await?;
        }
        self.store.put_head(tx, next).await?;
        let note = next.note.clone();
        Ok(Arc::new(Checkpoint { epoch: next.epoch, size: next.size, root, note }))
    }

    /// Signs a tree head. A token takes a while, and may be away for a while: nothing is written meanwhile.
    async fn sign(&self, epoch: u64, size: u64, root: Hash) -> Result<Vec<u8>, GiveUp> {
        let signed = if self.signer.on_a_token() {
            let signer = self.signer.clone();
            let signed = tokio::task::spawn_blocking(move || signer.sign(epoch, size, root)).await;
            signed.map_err(|_| GiveUp::Fatal(Fatal::Died))?
        } else {
            self.signer.sign(epoch, size, root)
        };
        signed.map_err(|error| match error {
            LogError::Token(_) => {
                tracing::error!(%error, "the log's checkpoint can't be signed");
                GiveUp::NotNow("the token with the log's key can't be used")
            }
            other => GiveUp::Fatal(other.into()),
        })
    }

    /// Remembers that memory holds traces of an abandoned transaction. Readers are not disturbed: they ask
    /// for published sizes only.
    pub(super) fn forget(&mut self) {
        self.stale = true;
    }

    /// Looks whether another process moved the head, and publishes what it wrote.
    pub(super) async fn notice_others(&mut self) -> Result<(), Fatal> {
        let head = match self.store.head().await {
            Ok(head) => head,
            Err(error) => {
                tracing::warn!(%error, "the head can't be read");
                return Ok(());
            }
        };
        if head == self.seen || head.epoch == 0 {
            return Ok(());
        }
        let mut tx = match self.store.begin().await {
            Ok(tx) => tx,
            Err(error) if error.is_transient() => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        match self.take_head(&mut tx).await {
            Ok(_) => Ok(tx.rollback().await.map_err(StoreError::from)?),
            Err(GiveUp::Fatal(fatal)) => Err(fatal),
            Err(GiveUp::Store(error)) if !error.is_transient() => Err(error.into()),
            Err(_) => Ok(()),
        }
    }
}

/// Two deliveries of one name in a batch: the second waits, so that it meets the first in the database. So does one
/// that supersedes another of the batch.
fn set_repetitions_aside(jobs: &mut Vec<Job>) -> Vec<Job> {
    let mut names = HashSet::new();
    let mut aside = Vec::new();
    let mut kept = Vec::with_capacity(jobs.len());
    for job in jobs.drain(..) {
        let first = match &job.change {
            Change::Deliver(delivery) => {
                let older = delivery.supersedes.map(|id| ParcelKey { sender: delivery.key.sender, id });
                let known = older.is_none_or(|older| !names.contains(&older));
                // Inserted also where it waits: a third of the same name waits with it.
                names.insert(delivery.key) && known
            }
            _ => true,
        };
        if first { kept.push(job) } else { aside.push(job) }
    }
    *jobs = kept;
    aside
}

/// Puts sealed contents back into their deliveries, for the next attempt.
fn give_back(jobs: &mut [Job], contents: Vec<(usize, i64, Vec<u8>)>) {
    for (place, _, sealed) in contents {
        if let Some(Job { change: Change::Deliver(delivery), .. }) = jobs.get_mut(place) {
            delivery.sealed = sealed;
        }
    }
}

fn refuse_all(jobs: Vec<Job>) {
    for job in jobs {
        (job.reply)(Err(Refused::Unavailable));
    }
}

fn finish(
    answers: Vec<Result<Applied, Refused>>,
    checkpoint: &Arc<Checkpoint>,
) -> Vec<Result<Done, Refused>> {
    let done = |applied: Applied| Done {
        parcel: applied.parcel,
        position: applied.written.as_ref().map(|w| w.position).or(applied.position),
        text: applied.written.map(|w| w.text),
        repeated: applied.repeated,
        checkpoint: Arc::clone(checkpoint),
    };
    answers.into_iter().map(|answer| answer.map(done)).collect()
}
