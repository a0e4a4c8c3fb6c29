//! The committer: the only place that changes state. Many changes, one transaction, one checkpoint.
//!
//! Changes queue in a bounded channel. The committer takes what waits, applies it in one transaction under
//! the head's lock ([`batch`]), signs the checkpoint, keeps it in the witness, publishes it, and only then
//! answers. An answer therefore means: durable, in the log, and covered by a checkpoint that the relay
//! would recognise after any crash.

mod apply;
mod batch;
pub mod change;
mod events;
mod recover;
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

/// Changes that may wait. At 2,000 a second this is half a second's work; more would only hide that the
/// relay is late.
const QUEUE: usize = 1024;

/// Changes in one transaction. Measured on a prototype: 32 and 256 do equally well; the smaller the batch,
/// the sooner the first one in it is answered.
const MAX_BATCH: usize = 128;

/// Bytes of sealed content in one transaction: bounds its memory and the time that the head is held.
const MAX_BATCH_BYTES: usize = 48 * 1024 * 1024;

/// How long a small batch waits for company while others are being worked on. Measured on a prototype: it
/// saves 55 µs a change at saturation.
const LINGER: Duration = Duration::from_millis(3);

/// How often the head is looked at for changes that another process made.
const POLL: Duration = Duration::from_millis(500);

struct Job {
    change: Change,
    reply: oneshot::Sender<Result<Done, Refused>>,
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
        let (reply, answer) = oneshot::channel();
        self.queue.send(Job { change, reply }).await.map_err(|_| Refused::ShuttingDown)?;
        // The committer answers every job it took; if it died, what became of this one is unknown.
        answer.await.unwrap_or(Err(Refused::Unavailable))
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
        metrics::histogram!("tasuki_commit_batch").record(f64::from(u32::try_from(batch.len()).unwrap_or(0)));
        let began = Instant::now();
        let crowded = batch.len() > 1;
        held_over = writer.commit(batch, clock.now_us()).await?;
        metrics::histogram!("tasuki_commit_seconds").record(began.elapsed());
        if crowded {
            busy_until = Instant::now() + LINGER * 4;
        }
    }
}

/// Adds what waits already, and what comes until `deadline`.
async fn gather(batch: &mut Vec<Job>, jobs: &mut mpsc::Receiver<Job>, deadline: Instant) {
    let mut bytes: usize = batch.iter().map(weight).sum();
    while batch.len() < MAX_BATCH && bytes < MAX_BATCH_BYTES {
        let job = match jobs.try_recv() {
            Ok(job) => job,
            Err(mpsc::error::TryRecvError::Disconnected) => return,
            Err(mpsc::error::TryRecvError::Empty) => {
                match tokio::time::timeout_at(deadline, jobs.recv()).await {
                    Ok(Some(job)) => job,
                    Ok(None) | Err(_) => return,
                }
            }
        };
        bytes += weight(&job);
        batch.push(job);
    }
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
