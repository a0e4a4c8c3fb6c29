//! Where is it? Lists, and one parcel with its events.

use std::future::Future;

use tasuki_careplan::month::Month;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::evidence::{self, Proven};
use tasuki_proto::{pb, reason};
use tonic::{Response, Status};

use crate::client::Client;
use crate::error::{SdkError, VerificationError};
use crate::parcel::{Parcel, ParcelHistory, ParcelName, State};

/// Rows of one page.
const PAGE: u32 = 500;

/// Pages of one list; more than a million parcels nobody lists.
const MAX_PAGES: usize = 4_000;

/// Which parcels a list shows. The default shows all.
#[derive(Clone, Debug, Default)]
pub struct ListFilter {
    /// Only these states; empty: all.
    pub states: Vec<State>,
    /// Only to or from this office.
    pub partner: Option<OfficeNumber>,
    /// Only with a file of this service month.
    pub month: Option<Month>,
    /// Only with a file of this kind (prefix).
    pub kind: Option<String>,
    /// Only those that are, or are not, superseded by a newer one.
    pub superseded: Option<bool>,
    /// Only those that are, or are not, overdue.
    pub overdue: Option<bool>,
}

impl ListFilter {
    /// What waits for its receiver: delivered, or fetched and not acknowledged yet. Superseded ones, too.
    pub fn waiting() -> Self {
        Self { states: vec![State::Delivered, State::Fetched], ..Self::default() }
    }

    fn request(&self, page_token: String) -> pb::ListRequest {
        pb::ListRequest {
            office: String::new(),
            states: self.states.iter().map(|s| s.to_wire()).collect(),
            partner: self.partner.map(|p| p.to_string()).unwrap_or_default(),
            month: self.month.map(|m| m.to_string()).unwrap_or_default(),
            kind: self.kind.clone().unwrap_or_default(),
            page_size: PAGE,
            page_token,
            superseded: marked(self.superseded),
            overdue: marked(self.overdue),
        }
    }
}

fn marked(wanted: Option<bool>) -> i32 {
    let marked = match wanted {
        None => pb::Marked::Any,
        Some(false) => pb::Marked::No,
        Some(true) => pb::Marked::Yes,
    };
    marked.into()
}

impl Client {
    /// What waits in the own mailbox: delivered, or fetched and not acknowledged yet, and not superseded by a newer
    /// version. Oldest first.
    ///
    /// # Errors
    /// The relay can't be reached or refuses.
    pub async fn inbox(&self) -> Result<Vec<Parcel>, SdkError> {
        self.list_received(&ListFilter { superseded: Some(false), ..ListFilter::waiting() }).await
    }

    /// What the own mailbox holds and held. Oldest first.
    ///
    /// # Errors
    /// The relay can't be reached or refuses.
    pub async fn list_received(&self, filter: &ListFilter) -> Result<Vec<Parcel>, SdkError> {
        self.list(filter, |request| {
            let mut tracking = self.inner.caller.tracking();
            async move { tracking.list_received(request).await }
        })
        .await
    }

    /// What the own office sent, newest first.
    ///
    /// ```no_run
    /// # async fn run(client: tasuki_sdk::Client) -> Result<(), tasuki_sdk::SdkError> {
    /// for parcel in client.sent().await? {
    ///     println!("{} {} {}", parcel.recipient_name, parcel.words().ja, parcel.state);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The relay can't be reached or refuses.
    pub async fn sent(&self) -> Result<Vec<Parcel>, SdkError> {
        self.list_sent(&ListFilter::default()).await
    }

    /// Some of what the own office sent, newest first.
    ///
    /// # Errors
    /// The relay can't be reached or refuses.
    pub async fn list_sent(&self, filter: &ListFilter) -> Result<Vec<Parcel>, SdkError> {
        self.list(filter, |request| {
            let mut tracking = self.inner.caller.tracking();
            async move { tracking.list_sent(request).await }
        })
        .await
    }

    async fn list<F>(
        &self,
        filter: &ListFilter,
        call: impl Fn(pb::ListRequest) -> F,
    ) -> Result<Vec<Parcel>, SdkError>
    where
        F: Future<Output = Result<Response<pb::ListResponse>, Status>>,
    {
        // A list is the relay's word; whether its log goes on from what was seen is not.
        self.log_key().await?;
        let mut parcels = Vec::new();
        let mut token = String::new();
        for _ in 0..MAX_PAGES {
            let answer = self.inner.caller.repeat(|| call(filter.request(token.clone()))).await?;
            for parcel in answer.parcels {
                parcels.push(Parcel::from_wire(parcel)?);
            }
            if answer.next_page_token.is_empty() {
                return Ok(parcels);
            }
            token = answer.next_page_token;
        }
        Err(VerificationError::Incomplete("an end of the list").into())
    }

    /// One parcel with its events, each proven to stand in the log; `None` if there is no such parcel for this
    /// office.
    ///
    /// ```no_run
    /// # async fn run(client: tasuki_sdk::Client) -> Result<(), tasuki_sdk::SdkError> {
    /// let name = "0193a3f0-8a1b-7c2d-8e3f-000000000000".parse()?;
    /// if let Some(history) = client.show(&name).await? {
    ///     for proven in &history.events {
    ///         println!("{} {}", proven.event.time_us, proven.event.kind);
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The relay can't be reached or refuses, or an event is not proven.
    pub async fn show(&self, name: &ParcelName) -> Result<Option<ParcelHistory>, SdkError> {
        let request = pb::GetParcelRequest { r#ref: Some(name.to_wire()) };
        let answer = self.inner.caller.repeat(|| {
            let mut tracking = self.inner.caller.tracking();
            let request = request.clone();
            async move { tracking.get_parcel(request).await }
        });
        let Some(answer) = found(answer.await)? else { return Ok(None) };
        let parcel = answer.parcel.ok_or(VerificationError::Incomplete("the parcel"))?;
        let parcel = Parcel::from_wire(parcel)?;
        if !name.names(&parcel.key) {
            return Err(VerificationError::Incomplete("the parcel that was asked for").into());
        }
        let events = self.prove_events(&parcel, &answer.events, &answer.checkpoint).await?;
        Ok(Some(ParcelHistory { parcel, events }))
    }

    /// Proves the events of one parcel: each under its own checkpoint, or under the shared one.
    pub(crate) async fn prove_events(
        &self,
        parcel: &Parcel,
        events: &[pb::Evidence],
        shared: &[u8],
    ) -> Result<Vec<Proven>, SdkError> {
        let mut proven = Vec::with_capacity(events.len());
        for event in events {
            let note: &[u8] = if event.checkpoint.is_empty() { shared } else { &event.checkpoint };
            let checkpoint = self.admit(note).await?;
            let one = evidence::check(event, &checkpoint).map_err(VerificationError::Evidence)?;
            check_about(&one, parcel)?;
            proven.push(one);
        }
        Ok(proven)
    }
}

/// Whether an event is about this parcel.
pub(crate) fn check_about(proven: &Proven, parcel: &Parcel) -> Result<(), VerificationError> {
    let event = &proven.event;
    if event.parcel() != Some(parcel.key) {
        return Err(VerificationError::Event("it is about another parcel"));
    }
    if event.office("recipient") != Some(parcel.recipient) {
        return Err(VerificationError::Event("it names another recipient"));
    }
    if event.digest("digest") != Some(parcel.digest) {
        return Err(VerificationError::Event("it names another digest"));
    }
    Ok(())
}

/// What is not there is no error.
pub(crate) fn found<T>(answer: Result<T, SdkError>) -> Result<Option<T>, SdkError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(SdkError::Rejected(refusal))
            if matches!(refusal.reason.as_str(), reason::PARCEL_NOT_FOUND | reason::OFFICE_NOT_FOUND) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
