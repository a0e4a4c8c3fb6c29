//! Sending again what was sent before, from the archive: a receiver who lost its key can't open what was sealed to it.
//! The new parcel holds the same files and note under an id of its own, sealed to the keys of today, and supersedes the
//! one before.

use std::borrow::Cow;

use tasuki_proto::ids::ParcelId;
use tasuki_proto::parcel::OpenParcel;
use tasuki_proto::reason;
use tasuki_proto::statement::RefusalReason;

use super::SendReport;
use super::fingerprint::Fingerprint;
use super::prepare::{Prepared, Workshop};
use super::run::{Draft, Work};
use crate::client::Client;
use crate::error::{Refusal, SdkError, VerificationError};
use crate::home::Task;
use crate::parcel::{ParcelName, State};
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
            let (home, id) = (self.home().clone(), name.id);
            let draft = blocking::run(move || match archive::get(&home, id)? {
                Some(container) => {
                    let parcel = OpenParcel::open(&container).map_err(VerificationError::Parcel)?;
                    Ok(Some((Draft::of_header(&parcel.header), container.len())))
                }
                None => Ok(None),
            });
            let (draft, size) =
                draft.await?.ok_or_else(|| SdkError::from(Refusal::of(reason::NOT_ARCHIVED)))?;
            work.push(Work::Again(id, draft, size));
        }
        self.send_as_agreed(work, progress).await
    }

    /// Own parcels that their receivers refused because the key that they were sealed to is lost, and that were not sent
    /// again yet. Oldest first.
    ///
    /// # Errors
    /// The relay can't be reached or refuses.
    pub async fn key_lost(&self) -> Result<Vec<ParcelName>, SdkError> {
        let filter =
            ListFilter { states: vec![State::Refused], superseded: Some(false), ..ListFilter::default() };
        let mut refused = self.list_sent(&filter).await?;
        refused.reverse();
        let lost = refused.iter().filter(|parcel| parcel.marks.refusal == Some(RefusalReason::KeyLost));
        Ok(lost.map(|parcel| parcel.key.into()).collect())
    }
}

impl Workshop {
    /// Builds a new parcel of what an earlier one held, and puts it durably into the outbox.
    pub(super) fn prepare_again(&self, older: ParcelId) -> Result<Prepared, SdkError> {
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
        if let Some(ready) = self.left(content)? {
            return Ok(Prepared::Ready(ready));
        }
        let mut new = self.header(header.sender, header.recipient)?;
        new.note.clone_from(&header.note);
        new.files.clone_from(&header.files);
        new.supersedes = Some(older);
        let contents: Vec<Cow<'_, [u8]>> = files.iter().map(|file| Cow::Borrowed(file.content)).collect();
        self.finish(content, &new, &contents)
    }
}
