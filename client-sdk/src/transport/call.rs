//! Making calls: a bound on the time of each, and another try where that is safe.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ring::rand::{SecureRandom as _, SystemRandom};
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::ids::{OCSP_METADATA, OFFICE_METADATA};
use tasuki_proto::limits::MAX_MESSAGE_BYTES;
use tasuki_proto::pb;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use super::fault::LastFault;
use super::stapled::Stapled;
use super::status;
use crate::error::{SdkError, Unreachable};

/// Pause before the second try; doubled before each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Longest pause between tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The way of a call: the connection, and for which office it is.
pub(crate) type Way = InterceptedService<Channel, Says>;

/// What every call says beside its request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Says {
    /// For which office it is, where the certificate does not say it.
    acts_for: Option<MetadataValue<Ascii>>,
    /// The OCSP answer about the own certificate, where there is one.
    stapled: Option<Arc<Stapled>>,
}

impl Interceptor for Says {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(office) = &self.acts_for {
            request.metadata_mut().insert(OFFICE_METADATA, office.clone());
        }
        if let Some(answer) = self.stapled.as_ref().and_then(|stapled| stapled.current()) {
            request.metadata_mut().insert_bin(OCSP_METADATA, answer);
        }
        Ok(request)
    }
}

/// Calls the relay.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    channel: Channel,
    says: Says,
    fault: LastFault,
    attempts: u32,
    request_timeout: Duration,
}

impl Caller {
    pub(super) fn new(channel: Channel, fault: LastFault, attempts: u32, request_timeout: Duration) -> Self {
        Self { channel, says: Says::default(), fault, attempts, request_timeout }
    }

    /// The same connection, with calls for this office.
    pub(crate) fn acting_for(&self, office: OfficeNumber) -> Self {
        // Ten digits always are a header's value.
        let says = Says { acts_for: office.as_str().parse().ok(), ..self.says.clone() };
        Self { says, ..self.clone() }
    }

    /// The same connection, with the OCSP answer in this file, as it is at each call.
    pub(crate) fn bringing(self, answer: PathBuf) -> Self {
        let says = Says { stapled: Some(Arc::new(Stapled::new(answer))), ..self.says };
        Self { says, ..self }
    }

    fn way(&self) -> Way {
        InterceptedService::new(self.channel.clone(), self.says.clone())
    }

    /// How often a safe call is made.
    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }

    pub(crate) fn exchange(&self) -> pb::exchange_client::ExchangeClient<Way> {
        pb::exchange_client::ExchangeClient::new(self.way()).max_decoding_message_size(MAX_MESSAGE_BYTES)
    }

    pub(crate) fn tracking(&self) -> pb::tracking_client::TrackingClient<Way> {
        pb::tracking_client::TrackingClient::new(self.way()).max_decoding_message_size(MAX_MESSAGE_BYTES)
    }

    pub(crate) fn directory(&self) -> pb::directory_client::DirectoryClient<Way> {
        pb::directory_client::DirectoryClient::new(self.way()).max_decoding_message_size(MAX_MESSAGE_BYTES)
    }

    pub(crate) fn feed(&self) -> pb::feed_client::FeedClient<Way> {
        pb::feed_client::FeedClient::new(self.way()).max_decoding_message_size(MAX_MESSAGE_BYTES)
    }

    pub(crate) fn log(&self) -> pb::log_client::LogClient<Way> {
        pb::log_client::LogClient::new(self.way()).max_decoding_message_size(MAX_MESSAGE_BYTES)
    }

    pub(crate) fn mandates(&self) -> pb::mandates_client::MandatesClient<Way> {
        pb::mandates_client::MandatesClient::new(self.way()).max_decoding_message_size(MAX_MESSAGE_BYTES)
    }

    pub(crate) fn enrolment(&self) -> pb::enrolment_client::EnrolmentClient<Way> {
        pb::enrolment_client::EnrolmentClient::new(self.way())
    }

    pub(crate) fn renewal(&self) -> pb::renewal_client::RenewalClient<Way> {
        pb::renewal_client::RenewalClient::new(self.way())
    }

    pub(crate) fn membership(&self) -> pb::membership_client::MembershipClient<Way> {
        pb::membership_client::MembershipClient::new(self.way())
    }

    pub(crate) fn partners(&self) -> pb::partners_client::PartnersClient<Way> {
        pb::partners_client::PartnersClient::new(self.way()).max_decoding_message_size(MAX_MESSAGE_BYTES)
    }

    pub(crate) fn mail(&self) -> pb::mail_client::MailClient<Way> {
        pb::mail_client::MailClient::new(self.way())
    }

    pub(crate) fn webhooks(&self) -> pb::webhooks_client::WebhooksClient<Way> {
        pb::webhooks_client::WebhooksClient::new(self.way())
    }

    /// What a failed call means.
    pub(crate) fn error(&self, status: &Status) -> SdkError {
        status::error(status, &self.fault)
    }

    /// Waits for the first answer of a call, within the time configured.
    pub(crate) async fn once<T>(
        &self,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, SdkError> {
        match tokio::time::timeout(self.request_timeout, call).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(self.error(&status)),
            Err(_elapsed) => Err(Unreachable::Timeout.into()),
        }
    }

    /// Makes a call that is safe to repeat, again while the relay can't be reached or is busy.
    pub(crate) async fn repeat<T, F>(&self, mut call: impl FnMut() -> F) -> Result<T, SdkError>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let mut attempt = 1;
        loop {
            match self.once(call()).await {
                Err(SdkError::Unreachable(_)) if attempt < self.attempts => {
                    self.pause(attempt).await;
                    attempt += 1;
                }
                done => return done,
            }
        }
    }

    /// Pauses after a failed attempt (from 1), longer each time, and not in step with other clients.
    pub(crate) async fn pause(&self, attempt: u32) {
        tokio::time::sleep(pause(attempt, random_share())).await;
    }
}

/// Between half and all of the doubled pause; `share` is 0 to 255.
fn pause(attempt: u32, share: u8) -> Duration {
    let whole = FIRST_PAUSE.saturating_mul(1 << (attempt - 1).min(10)).min(LONGEST_PAUSE);
    whole / 2 + whole / 2 * u32::from(share) / 255
}

fn random_share() -> u8 {
    let mut byte = [0];
    // Without randomness all clients pause alike, which is no reason to fail.
    if SystemRandom::new().fill(&mut byte).is_err() {
        return 255;
    }
    byte[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_are_bounded() {
        assert_eq!(pause(1, 255), FIRST_PAUSE);
        assert_eq!(pause(1, 0), FIRST_PAUSE / 2);
        assert_eq!(pause(3, 255), FIRST_PAUSE * 4);
        assert_eq!(pause(60, 255), LONGEST_PAUSE);
    }
}
