//! Threads for work that needs a processor, apart from those that serve connections.
//!
//! One queue, a fixed number of threads. Under load a thread that has done its work finds the next without
//! sleeping in between; waking a thread for every parcel costs more than hashing it.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};

type Job = Box<dyn FnOnce() + Send>;

/// Jobs that may wait for each thread. Enough that a thread never runs dry while its next job is being
/// handed over; those that wait hold the memory of their parcels.
const QUEUE_PER_WORKER: usize = 8;

/// The work was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Lost {
    /// It panicked, which was logged.
    #[error("the work panicked")]
    Panicked,
    /// The threads are gone.
    #[error("the relay is going down")]
    Gone,
}

/// A fixed number of threads with one bounded queue. The threads end when the pool is dropped.
#[derive(Debug)]
pub(super) struct Workers {
    queue: mpsc::Sender<Job>,
}

impl Workers {
    /// Starts `count` threads.
    ///
    /// # Panics
    /// If the system can't start a thread.
    pub(super) fn start(count: usize) -> Self {
        let (queue, jobs) = mpsc::channel(count.max(1) * QUEUE_PER_WORKER);
        let jobs = Arc::new(Mutex::new(jobs));
        for n in 0..count.max(1) {
            let jobs = Arc::clone(&jobs);
            std::thread::Builder::new()
                .name(format!("intake-{n}"))
                .spawn(move || work(&jobs))
                .expect("the system can start a thread");
        }
        Self { queue }
    }

    /// Runs a job on one of the threads; waits for a place in the queue.
    ///
    /// # Errors
    /// See [`Lost`].
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Lost> {
        let (reply, answer) = oneshot::channel();
        // Who asked may be gone; the work is done all the same.
        self.start_work(move || drop(reply.send(job()))).await?;
        // What was queued is always done, so that only a panic loses the reply.
        answer.await.map_err(|_| Lost::Panicked)
    }

    /// Gives a job to one of the threads; waits for a place in the queue, not for the job.
    ///
    /// # Errors
    /// [`Lost::Gone`].
    pub(super) async fn start_work(&self, job: impl FnOnce() + Send + 'static) -> Result<(), Lost> {
        self.queue.send(Box::new(job)).await.map_err(|_| Lost::Gone)
    }
}

fn work(jobs: &Mutex<mpsc::Receiver<Job>>) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        let Some(job) = job else { return };
        // A job that panics loses its own reply and nothing else. That it did is logged where the panic begins.
        let _panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail() {
        panic!("as a test");
    }

    #[tokio::test]
    async fn a_panic_loses_one_job_only() {
        let workers = Workers::start(2);
        assert_eq!(workers.run(fail).await, Err(Lost::Panicked));
        for n in 0..100 {
            assert_eq!(workers.run(move || n * 2).await, Ok(n * 2));
        }
    }
}
