//! What the relay's log lost. A database that was set back ends its log; the next epoch's first event names the range
//! that is gone, and each office finds it as number 1 of its feed there.
//!
//! A client looks as soon as it sees a checkpoint of a later epoch, whatever it is doing, and keeps what it learnt in
//! `state/epochs.json`. Where that is missing, the oldest record of what was sent tells since when there is something to
//! lose: a proxy, which has hundreds of HOMEs, writes it only once the log began anew.
//!
//! From then on records of what was sent in a lost range don't count as sent: sending the same files again sends the same
//! bytes under the same id, so that they arrive once, whoever had them before.

use serde::{Deserialize, Serialize};
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::event::kind;
use tasuki_proto::evidence::{self, Proven};
use tasuki_proto::ids::ParcelKey;
use tasuki_proto::pb;

use crate::blocking;
use crate::checkpoints;
use crate::client::Client;
use crate::error::{SdkError, VerificationError, words};
use crate::feed::first_of_epoch;
use crate::files::{self, Access};
use crate::home::{EPOCHS, Home, SEALING_KEY_APPROVED, Task};
use crate::send::sent::Sent;

const FORMAT: &str = "tasuki-epochs/v1";

/// Leaves of one epoch that are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostRange {
    /// The epoch that ended.
    pub epoch: u64,
    /// The first leaf that is gone, from 0.
    pub from: u64,
    /// Behind the last one that was known.
    pub to: u64,
}

/// An own parcel whose acceptance was lost, and that was not sent again since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostParcel {
    /// The parcel.
    pub parcel: ParcelKey,
    /// Who was to get it.
    pub recipient: OfficeNumber,
    /// When the relay had accepted it, Unix microseconds.
    pub accepted_us: i64,
}

/// What the log lost, as far as this office knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// The epoch in which the log goes on.
    pub epoch: u64,
    /// Every range that was lost.
    pub ranges: Vec<LostRange>,
    /// Own parcels that must be sent again.
    pub parcels: Vec<LostParcel>,
    /// True: learnt since this client was opened.
    pub are_new: bool,
}

/// What is kept on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Epochs {
    format: String,
    /// The newest epoch whose beginning was looked at.
    pub(crate) newest: u64,
    /// What was lost of earlier ones.
    pub(crate) lost: Vec<LostRange>,
}

impl Epochs {
    fn new(newest: u64) -> Self {
        Self { format: FORMAT.to_owned(), newest, lost: Vec::new() }
    }

    /// Reads what is kept; `None` before the first contact.
    pub(crate) fn load(home: &Home) -> Result<Option<Self>, SdkError> {
        let path = home.path(EPOCHS);
        let Some(json) = files::read_if_exists(&path)? else { return Ok(None) };
        let epochs: Option<Self> = serde_json::from_slice(&json).ok();
        let epochs = epochs.filter(|epochs| epochs.format == FORMAT);
        let malformed = || {
            let message =
                words("記録の期についての控えではありません", "not what is kept of the log's epochs");
            VerificationError::Malformed { path, message }
        };
        Ok(Some(epochs.ok_or_else(malformed)?))
    }

    fn save(&self, home: &Home) -> Result<(), SdkError> {
        let json = serde_json::to_vec_pretty(self).expect("strings and numbers always serialise");
        files::write_durably(&home.path(EPOCHS), &json, Access::Owner)
    }
}

/// What is known of the epochs; `None` if nothing can be lost.
fn known(home: &Home) -> Result<Option<Epochs>, SdkError> {
    match Epochs::load(home)? {
        Some(known) => Ok(Some(known)),
        None => Ok(Sent::first_epoch(home)?.map(Epochs::new)),
    }
}

/// Whether a place of the log is in a lost range.
pub(crate) fn is_lost(ranges: &[LostRange], epoch: u64, index: u64) -> bool {
    ranges.iter().any(|range| range.epoch == epoch && index >= range.from)
}

impl Client {
    /// What the relay's log lost and which own parcels must be sent again for it: usually nothing. Sending the same
    /// files again does that, and each parcel arrives once. Reads only this HOME: what other calls learnt.
    ///
    /// ```no_run
    /// # fn run(client: tasuki_sdk::Client) -> Result<(), tasuki_sdk::SdkError> {
    /// for lost in client.losses()?.parcels {
    ///     println!("send again: {} for {}", lost.parcel.id, lost.recipient);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The HOME can't be read.
    pub fn losses(&self) -> Result<Losses, SdkError> {
        let Some(epochs) = Epochs::load(self.home())? else { return Ok(Losses::default()) };
        let parcels = if epochs.lost.is_empty() { Vec::new() } else { Sent::of(self.home())?.lost()? };
        let mut parcels: Vec<LostParcel> = parcels
            .iter()
            .map(|record| LostParcel {
                parcel: record.key(),
                recipient: record.recipient,
                accepted_us: record.accepted_us(),
            })
            .collect();
        parcels.sort_by_key(|lost| (lost.accepted_us, lost.parcel));
        Ok(Losses {
            epoch: epochs.newest,
            ranges: epochs.lost,
            parcels,
            are_new: self.inner.epochs.are_new(),
        })
    }

    /// Looks at the beginnings of epochs up to this one, if they are new. Says whether something was lost.
    pub(crate) async fn look_at_epochs(&self, up_to: u64) -> Result<bool, SdkError> {
        if self.inner.epochs.newest() >= up_to {
            return Ok(false);
        }
        let (home, place) = (self.home(), self.home().clone());
        let Some(known) = blocking::run(move || known(&place)).await? else {
            // The first contact: nothing that this office knows of can be lost.
            if !home.is_of_a_proxy() {
                keep(home, Epochs::new(up_to)).await?;
            }
            self.inner.epochs.set(up_to, false);
            return Ok(false);
        };
        if known.newest >= up_to {
            self.inner.epochs.set(known.newest, false);
            return Ok(false);
        }
        let mut lost = Vec::new();
        for epoch in known.newest + 1..=up_to {
            lost.extend(self.lost_before(epoch).await?);
        }
        let any = !lost.is_empty();
        if any {
            tracing::warn!(epoch = up_to, "the relay's log was set back and began anew");
            // The approval of the sealing key may be among what was lost: it is made once more.
            files::remove(&home.path(SEALING_KEY_APPROVED))?;
        }
        keep(home, Epochs { lost, ..Epochs::new(up_to) }).await?;
        self.inner.epochs.set(up_to, any);
        Ok(any)
    }

    /// What the first event of an epoch in the own feed says of the one before.
    async fn lost_before(&self, epoch: u64) -> Result<Option<LostRange>, SdkError> {
        let caller = &self.inner.caller;
        let request = pb::PollRequest {
            office: String::new(),
            cursor: Some(pb::Cursor { epoch, number: 0 }),
            wait_ms: 0,
            limit: 1,
            known_size: 0,
        };
        let batch = caller.repeat(|| {
            let mut feed = caller.feed();
            let request = request.clone();
            async move { feed.poll(request).await }
        });
        let batch = batch.await?;
        let first = match batch.entries.first() {
            None => None,
            Some(entry) => {
                let checkpoint = self.admit_only(&batch.checkpoint).await?;
                let proven = evidence::check(entry, &checkpoint).map_err(VerificationError::Evidence)?;
                first_of_epoch(self.office(), epoch, &proven)?;
                Some(proven)
            }
        };
        if let Some(range) = first.as_ref().and_then(named) {
            return Ok(Some(range));
        }
        // A new epoch is told to every office of which the relay still has something. Where it is not told, all is gone.
        let (home, log) = (self.home(), self.pinned_log()?);
        let before = epoch - 1;
        let seen = checkpoints::newest(home, &log, before)?;
        Ok(seen.map(|seen| LostRange { epoch: before, from: 0, to: seen.size }))
    }
}

/// The lost range that the first event of an epoch names.
fn named(first: &Proven) -> Option<LostRange> {
    let event = &first.event;
    let number = |key: &str| event.lines.get(key)?.parse::<u64>().ok();
    if event.kind != kind::LOG_STARTED {
        return None;
    }
    Some(LostRange { epoch: number("previous-epoch")?, from: number("kept-size")?, to: number("lost-size")? })
}

/// Adds to what is kept, whatever another process added meanwhile.
async fn keep(home: &Home, new: Epochs) -> Result<(), SdkError> {
    let _lock = home.lock(Task::Epochs).await?;
    let home = home.clone();
    blocking::run(move || {
        let mut all = Epochs::load(&home)?.unwrap_or_else(|| Epochs::new(0));
        for range in new.lost {
            if !all.lost.contains(&range) {
                all.lost.push(range);
            }
        }
        all.newest = all.newest.max(new.newest);
        all.save(&home)
    })
    .await
}

/// What this process knows of the epochs.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    newest: std::sync::atomic::AtomicU64,
    new_losses: std::sync::atomic::AtomicBool,
}

impl Seen {
    fn newest(&self) -> u64 {
        self.newest.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn are_new(&self) -> bool {
        self.new_losses.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn set(&self, newest: u64, lost: bool) {
        self.newest.fetch_max(newest, std::sync::atomic::Ordering::Relaxed);
        self.new_losses.fetch_or(lost, std::sync::atomic::Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, world};

    #[test]
    fn what_lies_behind_what_was_kept_is_lost() {
        let ranges = [LostRange { epoch: 1, from: 10, to: 12 }];
        assert!(!is_lost(&ranges, 1, 9) && is_lost(&ranges, 1, 10) && is_lost(&ranges, 1, 11));
        // The relay may have signed more than the last checkpoint that survived.
        assert!(is_lost(&ranges, 1, 12));
        assert!(!is_lost(&ranges, 2, 11) && !is_lost(&[], 1, 11));
    }

    #[tokio::test]
    async fn what_was_learnt_is_kept_and_added_to() {
        let folder = testing::folder("epochs");
        let home = testing::home(&folder, &world().sender);
        assert_eq!(Epochs::load(&home), Ok(None));
        keep(&home, Epochs::new(1)).await.unwrap();
        let range = LostRange { epoch: 1, from: 10, to: 12 };
        for _ in 0..2 {
            keep(&home, Epochs { lost: vec![range], ..Epochs::new(2) }).await.unwrap();
        }
        keep(&home, Epochs::new(1)).await.unwrap();
        assert_eq!(Epochs::load(&home), Ok(Some(Epochs { lost: vec![range], ..Epochs::new(2) })));
        std::fs::write(home.path(EPOCHS), "{}").unwrap();
        assert!(matches!(
            Epochs::load(&home),
            Err(SdkError::Verification(VerificationError::Malformed { .. }))
        ));
    }
}
