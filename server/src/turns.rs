//! Whose turn it is to be told, by webhook or by mail. Nobody is asked for who has nothing to be told: offices are noted when
//! something is written into their feeds, by whichever process, and when a pause or a cut-off turn is over.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::log::Checkpoint;

use crate::clock::Clock;
use crate::store::leaves::Position;
use crate::store::turns::Way;
use crate::store::{Store, StoreError};

/// After a turn that was cut short the next one waits for so long.
const REST_US: i64 = 5 * 1_000_000;

/// How often everybody is looked at: what rang at a relay that went down in that second is found then.
const ALL_EVERY_US: i64 = 10 * 60 * 1_000_000;

/// How often giving a turn back is tried while the database fails; after that the lease itself has to end.
const GIVE_BACK: [Duration; 3] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(3)];

/// Offices that may have something to be told.
#[derive(Debug)]
pub(crate) struct Turns {
    way: Way,
    noted: Mutex<Noted>,
}

/// As many as have a webhook, or addresses, at most.
#[derive(Debug, Default)]
struct Noted {
    /// In the order of their noting, each once.
    queue: VecDeque<OfficeNumber>,
    queued: HashSet<OfficeNumber>,
    /// Up to where the log was looked at; `None`: not at all yet.
    looked: Option<Position>,
    /// When everybody was looked at. Unix microseconds.
    all_us: i64,
}

impl Noted {
    fn add(&mut self, office: OfficeNumber) {
        if self.queued.insert(office) {
            self.queue.push_back(office);
        }
    }
}

impl Turns {
    /// Nobody noted yet.
    pub(crate) fn new(way: Way) -> Self {
        Self { way, noted: Mutex::default() }
    }

    /// This office may have something to be told: it is looked at next.
    pub(crate) fn note(&self, office: OfficeNumber) {
        self.noted().add(office);
    }

    /// Takes the next offices out, at most `most`, as of a checkpoint. Who takes none of their turns (there is nothing to be told, or
    /// another relay is at it) forgets them: whoever ends a turn notes its office anew.
    ///
    /// # Errors
    /// If the database can't be read; nobody is forgotten then.
    pub(crate) async fn next(
        &self,
        store: &Store,
        current: &Checkpoint,
        now_us: i64,
        most: u32,
    ) -> Result<Vec<OfficeNumber>, StoreError> {
        let (looked, all_us) = {
            let noted = self.noted();
            (noted.looked, noted.all_us)
        };
        let end = Position { epoch: current.epoch, index: current.size };
        let looked = looked.filter(|from| from.epoch == end.epoch && now_us < all_us + ALL_EVERY_US);
        let news = match looked {
            Some(from) if from == end => Vec::new(),
            Some(from) => store.rung(self.way, from, end).await?,
            None => store.behind(self.way).await?,
        };
        let awake = store.awake(self.way, now_us, most).await?;
        let mut noted = self.noted();
        noted.looked = Some(end);
        noted.all_us = if looked.is_none() { now_us } else { all_us };
        news.into_iter().chain(awake).for_each(|office| noted.add(office));
        let taken = noted.queue.len().min(most as usize);
        let taken: Vec<OfficeNumber> = noted.queue.drain(..taken).collect();
        for office in &taken {
            noted.queued.remove(office);
        }
        Ok(taken)
    }

    /// Gives a turn back that was cut short, so that the next one need not wait for the end of its lease.
    pub(crate) async fn give_back(
        &self,
        store: &Store,
        clock: &dyn Clock,
        office: OfficeNumber,
        lease_us: i64,
    ) {
        for pause in GIVE_BACK {
            tokio::time::sleep(pause).await;
            let until_us = clock.now_us().saturating_add(REST_US).min(lease_us);
            match store.end_turn(self.way, office, lease_us, until_us).await {
                Ok(()) => return,
                Err(error) => tracing::warn!(%error, "a turn can't be given back; its lease ends by itself"),
            }
        }
    }

    /// A panic can't leave it half changed in a way that matters: at worst an office is looked at in vain.
    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
