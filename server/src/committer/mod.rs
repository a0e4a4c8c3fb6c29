//! The committer: the only place that changes state. Many changes, one transaction, one checkpoint.
//!
//! Changes queue in a bounded channel. The committer takes what waits, applies it in one transaction under
//! the head's lock ([`batch`]), signs the checkpoint, keeps it in the witness, publishes it, and only then
//! answers. An answer therefore means: durable, in the log, and covered by a checkpoint that the relay
//! would recognise after any crash.

pub mod administering;
mod apply;
mod batch;
mod certificates;
pub mod change;
mod events;
mod mandates;
mod membership;
mod operators;
mod parcels;
mod partners;
mod recover;
mod roll;
mod roll_ca;
pub mod start;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::evidence::ledger::Ledger;
use batch::Writer;
use change::{Change, Done, Refused};
pub use membership::code_hash;

/// Changes that may wait. At 2,000 a second this is half a second's work; more would only hide that the
/// relay is late.
const QUEUE: usize = 1024;

/// Changes in one transaction. Measured on a prototype: 32 and 256 do equally well; the smaller the batch,
/// the sooner the first one in it is answered.
const MAX_BATCH: usize = 128;

/// From this size on a batch is cut to a power of two: one of 95 changes would take twice the statements of one
/// of 64. Of smaller ones the latency matters more.
const CUT_FROM: usize = 32;

/// Bytes of sealed content in one transaction: bounds its memory and the time that the head is held.
const MAX_BATCH_BYTES: usize = 48 * 1024 * 1024;

/// How long a batch that is not full waits for company while others are being worked on: every batch writes the
/// last page of each feed and mailbox that it touches, however many of its changes stand there.
const LINGER: Duration = Duration::from_millis(5);

/// How often the head is looked at for changes that another process made.
const POLL: Duration = Duration::from_millis(500);

/// Tells who asked what became of a change. Dropped uncalled if the committer died.
type Reply = Box<dyn FnOnce(Result<Done, Refused>) + Send + Sync>;

struct Job {
    change: Change,
    reply: Reply,
}

/// Handle to the committer; clones share it.
#[derive(Clone, Debug)]
pub struct Committer {
    queue: mpsc::Sender<Job>,
}

/// The committer's own task.
#[derive(Debug)]
pub struct Running {
    task: JoinHandle<Result<(), Fatal>>,
}

/// The committer can't go on: the process must end, so that nothing more is promised.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    /// Whether a commit took effect could not be found out, or the disk failed.
    #[error("the database failed and it is unknown what it holds: {0}")]
    Database(#[from] crate::store::StoreError),
    /// The witness could not be written.
    #[error("the witness can't be written: {0}")]
    Witness(#[from] std::io::Error),
    /// A key or a checkpoint was not what it must be.
    #[error("the log is not usable: {0}")]
    Log(#[from] tasuki_proto::log::LogError),
    /// The task died.
    #[error("the committer stopped unexpectedly")]
    Died,
}

impl Committer {
    fn run(writer: Writer, clock: Arc<dyn Clock>) -> (Self, Running) {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let task = tokio::spawn(work(writer, jobs, clock));
        (Self { queue }, Running { task })
    }

    /// Makes a change. Waits for a place in the queue and for the commit.
    ///
    /// # Errors
    /// [`Refused`]: the change was not made.
    pub async fn submit(&self, change: Change) -> Result<Done, Refused> {
        let (sender, answer) = oneshot::channel();
        // Who went away has its answer in the database.
        let reply: Reply = Box::new(|outcome| drop(sender.send(outcome)));
        self.queue.send(Job { change, reply }).await.map_err(|_| Refused::ShuttingDown)?;
        // The committer answers every job it took; if it died, what became of this one is unknown.
        answer.await.unwrap_or(Err(Refused::Unavailable))
    }

    /// Makes a change, asked for by a thread that may block: waits for a place in the queue, not for the commit.
    /// `reply` is called on the committer's task and must be short.
    pub fn hand_over(
        &self,
        change: Change,
        reply: impl FnOnce(Result<Done, Refused>) + Send + Sync + 'static,
    ) {
        let job = Job { change, reply: Box::new(reply) };
        if let Err(mpsc::error::SendError(job)) = self.queue.blocking_send(job) {
            (job.reply)(Err(Refused::ShuttingDown));
        }
    }

    /// Changes that wait, for metrics.
    pub fn queued(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }
}

impl Running {
    /// Waits until all handles are gone and everything queued is committed.
    ///
    /// # Errors
    /// [`Fatal`].
    pub async fn finished(self) -> Result<(), Fatal> {
        self.task.await.unwrap_or(Err(Fatal::Died))
    }

    /// Resolves when the committer can't go on while handles are still there.
    pub async fn failed(&mut self) -> Fatal {
        match (&mut self.task).await {
            Ok(Err(fatal)) => fatal,
            Ok(Ok(())) | Err(_) => Fatal::Died,
        }
    }
}

async fn work(mut writer: Writer, mut jobs: mpsc::Receiver<Job>, clock: Arc<dyn Clock>) -> Result<(), Fatal> {
    let mut poll = tokio::time::interval(POLL);
    poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut busy_until = Instant::now();
    let mut held_over: Vec<Job> = Vec::new();
    loop {
        let mut batch = std::mem::take(&mut held_over);
        if batch.is_empty() {
            tokio::select! {
                job = jobs.recv() => match job {
                    Some(job) => batch.push(job),
                    None => return Ok(()),
                },
                _ = poll.tick() => {
                    writer.notice_others().await?;
                    continue;
                }
            }
        }
        let linger = if Instant::now() < busy_until { Instant::now() + LINGER } else { Instant::now() };
        gather(&mut batch, &mut jobs, linger).await;
        let surplus = batch.split_off(whole(batch.len()));
        metrics::histogram!("tasuki_commit_batch").record(f64::from(u32::try_from(batch.len()).unwrap_or(0)));
        let began = Instant::now();
        let crowded = batch.len() > 1;
        held_over = writer.commit(batch, clock.now_us()).await?;
        held_over.extend(surplus);
        metrics::histogram!("tasuki_commit_seconds").record(began.elapsed());
        if crowded {
            busy_until = Instant::now() + LINGER * 4;
        }
    }
}

/// Adds what waits already and, if there is room, what comes until `deadline`.
async fn gather(batch: &mut Vec<Job>, jobs: &mut mpsc::Receiver<Job>, deadline: Instant) {
    take_waiting(batch, jobs);
    if batch.len() < MAX_BATCH && Instant::now() < deadline {
        // One look at the end: to wake for each that comes would cost more than it saves.
        tokio::time::sleep_until(deadline).await;
        take_waiting(batch, jobs);
    }
}

fn take_waiting(batch: &mut Vec<Job>, jobs: &mut mpsc::Receiver<Job>) {
    let mut bytes: usize = batch.iter().map(weight).sum();
    while batch.len() < MAX_BATCH && bytes < MAX_BATCH_BYTES {
        let Ok(job) = jobs.try_recv() else { return };
        bytes += weight(&job);
        batch.push(job);
    }
}

/// How many of a large batch to take: a power of two, since its rows go into the database in pieces of such
/// lengths. The others are first in the next batch.
fn whole(batch: usize) -> usize {
    if batch < CUT_FROM { batch } else { 1 << batch.ilog2() }
}

fn weight(job: &Job) -> usize {
    match &job.change {
        Change::Deliver(delivery) => delivery.sealed.len(),
        _ => 0,
    }
}

/// What the committer gives to the rest of the relay.
#[derive(Debug)]
pub struct Started {
    /// For making changes.
    pub committer: Committer,
    /// For reading the log.
    pub ledger: Arc<Ledger>,
    /// The committer's task.
    pub running: Running,
    /// What was found at start.
    pub found: start::Found,
}
