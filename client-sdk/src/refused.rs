//! What the relay did not accept, as it keeps it for its sender: reason and findings, no content.

use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::ids::ParcelId;
use tasuki_proto::{pb, time};

use crate::client::Client;
use crate::error::{Refusal, SdkError, VerificationError};
use crate::finding::Finding;
use crate::parcel::{ParcelName, key_from_wire};

/// Rows of one page.
const PAGE: u32 = 500;

/// Pages of one list. The relay keeps 1,000 submissions of an office, and a page of long ones holds some hundred.
const MAX_PAGES: usize = 100;

/// A submission that was not accepted. The relay's word; it proves nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedSubmission {
    /// Its id; `None`: the parcel could not be read, or named another sender.
    pub parcel: Option<ParcelId>,
    /// Whom it was for, if that could be read.
    pub recipient: Option<OfficeNumber>,
    /// The receiver's name in the directory.
    pub recipient_name: String,
    /// Why, what to do, and what was found. An attachment is named by its place in the parcel.
    pub refusal: Refusal,
    /// Findings that the relay did not keep, because there are too many.
    pub findings_left_out: u64,
    /// When, Unix microseconds.
    pub refused_us: i64,
}

impl RefusedSubmission {
    fn from_wire(submission: pb::RefusedSubmission) -> Result<Self, VerificationError> {
        let lacks = VerificationError::Incomplete;
        let rejected = submission.rejected.ok_or(lacks("why a submission was refused"))?;
        let findings = rejected.findings.into_iter().map(Finding::from).collect();
        let parcel = key_from_wire(rejected.r#ref.as_ref()).map(|key| key.id);
        Ok(Self {
            parcel,
            recipient: rejected.recipient.parse().ok(),
            recipient_name: submission.recipient_name,
            refusal: Refusal {
                reason: rejected.reason,
                message_ja: rejected.message_ja,
                message_en: rejected.message_en,
                findings,
            },
            findings_left_out: submission.findings_left_out,
            refused_us: time::parse_us(&submission.refused_at)
                .ok_or(lacks("when a submission was refused"))?,
        })
    }
}

impl Client {
    /// What the own office handed in and what was not accepted, newest first; only what was for one office if it is named.
    /// The relay keeps it for a while (30 days as it comes), up to 1,000 of an office.
    ///
    /// ```no_run
    /// # async fn run(client: tasuki_sdk::Client) -> Result<(), tasuki_sdk::SdkError> {
    /// for submission in client.refused(None).await? {
    ///     println!("{}: {}", submission.recipient_name, submission.refusal.message_ja);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The relay can't be reached or refuses.
    pub async fn refused(&self, partner: Option<OfficeNumber>) -> Result<Vec<RefusedSubmission>, SdkError> {
        let partner = partner.map(|office| office.to_string()).unwrap_or_default();
        self.list_refused(pb::ListRefusedRequest { partner, ..pb::ListRefusedRequest::default() }).await
    }

    /// One parcel of the own office that was not accepted; `None`: the relay keeps nothing of the kind.
    ///
    /// # Errors
    /// The relay can't be reached or refuses.
    pub async fn refused_parcel(&self, name: &ParcelName) -> Result<Option<RefusedSubmission>, SdkError> {
        if name.sender.is_some_and(|sender| sender != self.office()) {
            return Ok(None);
        }
        let parcel_id = name.id.to_string();
        let found =
            self.list_refused(pb::ListRefusedRequest { parcel_id, ..pb::ListRefusedRequest::default() });
        Ok(found.await?.into_iter().find(|submission| submission.parcel == Some(name.id)))
    }

    async fn list_refused(&self, wanted: pb::ListRefusedRequest) -> Result<Vec<RefusedSubmission>, SdkError> {
        let caller = &self.inner.caller;
        let mut submissions = Vec::new();
        let mut request = pb::ListRefusedRequest { page_size: PAGE, ..wanted };
        for _ in 0..MAX_PAGES {
            let answer = caller.repeat(|| {
                let mut tracking = caller.tracking();
                let request = request.clone();
                async move { tracking.list_refused(request).await }
            });
            let answer = answer.await?;
            for submission in answer.submissions {
                submissions.push(RefusedSubmission::from_wire(submission)?);
            }
            if answer.next_page_token.is_empty() {
                return Ok(submissions);
            }
            request.page_token = answer.next_page_token;
        }
        Err(VerificationError::Incomplete("an end of the list").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_submission_without_its_parts_is_refused_and_an_unknown_parcel_is_not() {
        let lacks = |what| Err(VerificationError::Incomplete(what));
        let bare = pb::RefusedSubmission::default();
        assert_eq!(RefusedSubmission::from_wire(bare.clone()), lacks("why a submission was refused"));
        let rejected = Some(pb::Rejected { reason: "CONTAINER".into(), ..pb::Rejected::default() });
        let timeless = pb::RefusedSubmission { rejected, ..bare };
        assert_eq!(RefusedSubmission::from_wire(timeless.clone()), lacks("when a submission was refused"));
        let refused_at = "2026-11-21T11:38:34.000123Z".to_owned();
        let read = RefusedSubmission::from_wire(pb::RefusedSubmission { refused_at, ..timeless }).unwrap();
        assert_eq!((read.parcel, read.recipient, read.refusal.reason.as_str()), (None, None, "CONTAINER"));
    }
}
