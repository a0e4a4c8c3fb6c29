//! `tasuki.v1.Webhooks`: an office's webhook.

use std::sync::Arc;

use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::pb::webhooks_server::Webhooks;
use tasuki_proto::{pb, reason, time};
use tonic::{Request, Response, Status};

use super::{Call, Context, Entered, Failure};
use crate::webhooks::WebhookError;

/// The service.
#[derive(Clone, Debug)]
pub(super) struct Service(pub(super) Arc<Context>);

impl From<WebhookError> for Failure {
    fn from(error: WebhookError) -> Self {
        match error {
            WebhookError::NotOffered => Self::of(reason::WEBHOOKS_NOT_OFFERED),
            WebhookError::Url(_) => Self::of(reason::WEBHOOK_URL),
            WebhookError::None => Self::of(reason::WEBHOOK_NONE),
            WebhookError::NoRandomness => Self::of(reason::INTERNAL),
            WebhookError::Store(error) => error.into(),
        }
    }
}

impl Service {
    /// Lets a call in, and says for which office it is.
    async fn enter(&self, call: Call, office: &str) -> Result<(Entered, OfficeNumber), Failure> {
        let entered = self.0.enter_itself(call).await?;
        let office = entered.caller.acts_for(office)?;
        Ok((entered, office))
    }
}

#[tonic::async_trait]
impl Webhooks for Service {
    async fn set(
        &self,
        request: Request<pb::SetWebhookRequest>,
    ) -> Result<Response<pb::SetWebhookResponse>, Status> {
        let (_entered, office) = self.enter(Call::of(&request), &request.get_ref().office).await?;
        let key = self.0.webhooks.set(office, &request.get_ref().url).await.map_err(Failure::from)?;
        Ok(Response::new(pb::SetWebhookResponse { key }))
    }

    async fn get(&self, request: Request<pb::GetWebhookRequest>) -> Result<Response<pb::Webhook>, Status> {
        let (_entered, office) = self.enter(Call::of(&request), &request.get_ref().office).await?;
        let Some(row) = self.0.store.webhook(office).await.map_err(Failure::from)? else {
            return Ok(Response::new(pb::Webhook::default()));
        };
        let dead = self.0.store.dead_letters(office).await.map_err(Failure::from)?;
        let at = |us: i64| if us > 0 { time::format_us(us) } else { String::new() };
        Ok(Response::new(pb::Webhook {
            url: row.url,
            epoch: row.cursor.epoch,
            number: row.cursor.number,
            tries: row.tries,
            last_error: row.last_error,
            next_try_at: at(row.next_us),
            delivered_at: at(row.delivered_us),
            dead: dead
                .into_iter()
                .map(|dead| pb::DeadLetter {
                    epoch: dead.cursor.epoch,
                    number: dead.cursor.number,
                    r#type: dead.kind,
                    error: dead.error,
                    given_up_at: at(dead.given_up_us),
                })
                .collect(),
        }))
    }

    async fn remove(
        &self,
        request: Request<pb::GetWebhookRequest>,
    ) -> Result<Response<pb::RemoveWebhookResponse>, Status> {
        let (_entered, office) = self.enter(Call::of(&request), &request.get_ref().office).await?;
        let removed = self.0.store.remove_webhook(office).await.map_err(Failure::from)?;
        Ok(Response::new(pb::RemoveWebhookResponse { removed }))
    }

    async fn test(
        &self,
        request: Request<pb::GetWebhookRequest>,
    ) -> Result<Response<pb::TestWebhookResponse>, Status> {
        let (_entered, office) = self.enter(Call::of(&request), &request.get_ref().office).await?;
        let outcome = self.0.webhooks.test(office).await.map_err(Failure::from)?;
        Ok(Response::new(pb::TestWebhookResponse { error: outcome.err().unwrap_or_default() }))
    }
}
