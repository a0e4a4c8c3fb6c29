//! `tasuki.v1.Mail`: where an office is written to.

use std::sync::Arc;

use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::pb::mail_server::Mail;
use tasuki_proto::{pb, reason};
use tonic::{Request, Response, Status};

use super::{Call, Context, Failure};
use crate::mail::MailError;

/// The service.
#[derive(Clone, Debug)]
pub(super) struct Service(pub(super) Arc<Context>);

impl From<MailError> for Failure {
    fn from(error: MailError) -> Self {
        match error {
            MailError::NotOffered => Self::of(reason::MAIL_NOT_OFFERED),
            MailError::Address => Self::of(reason::MAIL_ADDRESS),
            MailError::Store(error) => error.into(),
        }
    }
}

impl Service {
    async fn settings(&self, office: OfficeNumber) -> Result<Response<pb::MailSettings>, Status> {
        let row = self.0.store.mail(office).await.map_err(Failure::from)?;
        let settings = row.map_or_else(pb::MailSettings::default, |row| pb::MailSettings {
            addresses: row.addresses,
            tries: row.tries,
            last_error: row.last_error,
        });
        Ok(Response::new(settings))
    }
}

#[tonic::async_trait]
impl Mail for Service {
    async fn set_addresses(
        &self,
        request: Request<pb::SetAddressesRequest>,
    ) -> Result<Response<pb::MailSettings>, Status> {
        let entered = self.0.enter_itself(Call::of(&request)).await?;
        let request = request.into_inner();
        let office = entered.caller.acts_for(&request.office).map_err(Failure::from)?;
        self.0.mails.set(office, request.addresses).await.map_err(Failure::from)?;
        self.settings(office).await
    }

    async fn get_addresses(
        &self,
        request: Request<pb::GetAddressesRequest>,
    ) -> Result<Response<pb::MailSettings>, Status> {
        let entered = self.0.enter_itself(Call::of(&request)).await?;
        let office = entered.caller.acts_for(&request.get_ref().office).map_err(Failure::from)?;
        self.settings(office).await
    }
}
