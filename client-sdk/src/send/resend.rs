//! Sending again what was sent before, from the archive: a receiver who lost its key can't open what was sealed to it.
//! The new parcel holds the same files and note under an id of its own, sealed to the keys of today, and supersedes the
//! one before.

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use tasuki_proto::ids::ParcelId;
use tasuki_proto::parcel::OpenParcel;
use tasuki_proto::reason;
use tasuki_proto::statement::RefusalReason;

use super::SendReport;
use super::batch::BatchId;
use super::fingerprint::Fingerprint;
use super::prepare::{Prepared, Workshop};
use super::run::{Draft, Work};
use crate::client::Client;
use crate::error::{Refusal, SdkError, VerificationError};
use crate::home::Task;
use crate::parcel::{Parcel, ParcelName, State};
use crate::progress::Progress;
use crate::tracking::ListFilter;
use crate::{archive, blocking};

impl Client {
    /// Sends parcels again, from the archive, each as a new one that supersedes it.
    ///
    /// # Errors
    /// As [`Client::send`]; or a name is none of an own parcel.
    pub async fn resend(
        &self,
        names: &[ParcelName],
        progress: &dyn Progress,
    ) -> Result<SendReport, SdkError> {
        let own = self.office();
        if names.iter().any(|name| name.sender.is_some_and(|sender| sender != own)) {
            return Err(Refusal::of(reason::PARCEL_NOT_FOUND).into());
        }
        let _lock = self.home().lock(Task::Send).await?;
        let mut work = Vec::with_capacity(names.len());
        for name in names {
            let again = self.archived(name.id).await?;
            work.push(again.ok_or_else(|| SdkError::from(Refusal::of(reason::NOT_ARCHIVED)))?);
        }
        self.send_as_agreed(work, progress).await
    }

    /// Own parcels that their receivers refused because the key that they were sealed to is lost, and that were not sent
    /// again yet. Oldest first.
    ///
    /// # Errors
    /// The relay can't be reached or refuses.
    pub async fn key_lost(&self) -> Result<Vec<ParcelName>, SdkError> {
        Ok(self.lost().await?.iter().map(|parcel| parcel.key.into()).collect())
    }

    /// Sends everything again that was refused because the receiver's key is lost, from the archive: each parcel once, as
    /// soon as its receiver has a key that is newer than the parcel. The relay remembers what was sent again, so this may be
    /// run at any time, and after a crash; two computers of one office should not both do it.
    ///
    /// # Errors
    /// Only what concerns the whole, as [`Client::resend`]. What happens to a parcel stands in the report.
    pub async fn resend_lost(&self, progress: &dyn Progress) -> Result<ResendReport, SdkError> {
        // Before the look at what is to do: who sends again now has done it then.
        let _lock = self.home().lock(Task::Send).await?;
        let mut report = ResendReport::default();
        let (mut work, mut keys) = (Vec::new(), HashMap::new());
        for parcel in self.lost().await? {
            let newest = match keys.entry(parcel.recipient) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(place) => *place.insert(self.newest_key_of(parcel.recipient).await?),
            };
            // It was sealed to every key that the receiver had then, and all of those are lost.
            if newest <= parcel.accepted_us {
                report.waiting.push(parcel);
                continue;
            }
            match self.archived(parcel.key.id).await? {
                Some(again) => {
                    report.older.push(parcel);
                    work.push(again);
                }
                None => report.not_archived.push(parcel),
            }
        }
        if !work.is_empty() {
            report.sent = self.send_as_agreed(work, progress).await?;
        }
        Ok(report)
    }

    /// What was refused for a lost key, without what has a successor: one that is delivered marks it, one that is held will,
    /// and of one that was taken back its sender had enough.
    async fn lost(&self) -> Result<Vec<Parcel>, SdkError> {
        let filter =
            ListFilter { states: vec![State::Refused], superseded: Some(false), ..ListFilter::default() };
        let mut lost = self.list_sent(&filter).await?;
        lost.retain(|parcel| parcel.marks.refusal == Some(RefusalReason::KeyLost));
        lost.reverse();
        if lost.is_empty() {
            return Ok(lost);
        }
        let states = vec![State::Held, State::Discarded, State::Recalled];
        let others = self.list_sent(&ListFilter { states, ..ListFilter::default() }).await?;
        let successors: HashSet<ParcelId> =
            others.iter().filter_map(|parcel| parcel.marks.supersedes).collect();
        lost.retain(|parcel| !successors.contains(&parcel.key.id));
        Ok(lost)
    }

    /// A parcel of the archive, to be sent as a new one; `None`: it is not kept any more.
    async fn archived(&self, id: ParcelId) -> Result<Option<Work>, SdkError> {
        let home = self.home().clone();
        blocking::run(move || {
            let Some(container) = archive::get(&home, id)? else { return Ok(None) };
            let parcel = OpenParcel::open(&container).map_err(VerificationError::Parcel)?;
            Ok(Some(Work::Again(id, Draft::of_header(&parcel.header), container.len())))
        })
        .await
    }
}

/// What became of what was refused for a lost key.
#[derive(Clone, Debug, Default)]
pub struct ResendReport {
    /// What was sent again, each with what became of it.
    pub sent: SendReport,
    /// The parcels that it takes the place of, in the same order.
    pub older: Vec<Parcel>,
    /// Their receivers have no newer key yet. Oldest first.
    pub waiting: Vec<Parcel>,
    /// Not kept here any more: their files must be sent again by hand. Oldest first.
    pub not_archived: Vec<Parcel>,
}

impl Workshop {
    /// Builds a new parcel for a batch, of what an earlier one held.
    pub(super) fn prepare_again(&self, older: ParcelId, batch: BatchId) -> Result<Prepared, SdkError> {
        let Some(container) = archive::get(&self.home, older)? else {
            return Ok(Prepared::Refused(Refusal::of(reason::NOT_ARCHIVED)));
        };
        let parcel = OpenParcel::open(&container).map_err(VerificationError::Parcel)?;
        let files: Vec<_> = parcel.files().collect();
        let header = &parcel.header;
        let content = Fingerprint::of(
            header.sender,
            header.recipient,
            header.note.as_deref(),
            files.iter().map(|file| (file.entry.path.as_str(), file.content)),
        );
        if let Some(ready) = self.outbox.ready(content)? {
            return Ok(Prepared::Ready(ready));
        }
        let mut new = self.header(header.sender, header.recipient)?;
        new.note.clone_from(&header.note);
        new.files.clone_from(&header.files);
        new.supersedes = Some(older);
        let contents: Vec<Cow<'_, [u8]>> = files.iter().map(|file| Cow::Borrowed(file.content)).collect();
        self.finish(content, &new, &contents, batch)
    }
}
