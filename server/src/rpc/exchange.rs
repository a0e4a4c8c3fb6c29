//! `tasuki.v1.Exchange`: submit, fetch, acknowledge, declare.

use std::sync::Arc;

use tasuki_proto::mandate::Scope;
use tasuki_proto::pb::exchange_server::Exchange;
use tasuki_proto::{pb, reason};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::status::check_items;
use super::{Call, Context, Failure, declare, fetch, submit};

/// Messages that wait for a slow reader. A chunk of a fetch has 256 KiB.
const WAITING: usize = 4;

/// The service.
#[derive(Clone, Debug)]
pub(super) struct Service(pub(super) Arc<Context>);

#[tonic::async_trait]
impl Exchange for Service {
    type SubmitStream = ReceiverStream<Result<pb::SubmitResponse, Status>>;
    type FetchStream = ReceiverStream<Result<pb::FetchResponse, Status>>;

    async fn submit(
        &self,
        request: Request<Streaming<pb::SubmitRequest>>,
    ) -> Result<Response<Self::SubmitStream>, Status> {
        let entered = self.0.enter(Call::of(&request), Scope::Send).await?;
        let place = self.0.places.submits.enter(entered.caller.who);
        let place = place.ok_or(Failure::of(reason::TOO_MANY_STREAMS))?;
        let (results, answer) = mpsc::channel(WAITING);
        let context = Arc::clone(&self.0);
        tokio::spawn(async move {
            submit::run(context, entered.caller.clone(), request.into_inner(), results).await;
            drop((entered, place));
        });
        Ok(Response::new(ReceiverStream::new(answer)))
    }

    async fn fetch(&self, request: Request<pb::FetchRequest>) -> Result<Response<Self::FetchStream>, Status> {
        let entered = self.0.enter(Call::of(&request), Scope::Receive).await?;
        let items = request.into_inner().items;
        check_items(items.len())?;
        let (parts, answer) = mpsc::channel(WAITING);
        let context = Arc::clone(&self.0);
        tokio::spawn(async move {
            fetch::run(&context, &entered.caller, items, parts).await;
            drop(entered);
        });
        Ok(Response::new(ReceiverStream::new(answer)))
    }

    async fn acknowledge(
        &self,
        request: Request<pb::AcknowledgeRequest>,
    ) -> Result<Response<pb::AcknowledgeResponse>, Status> {
        let entered = self.0.enter(Call::of(&request), Scope::ReadStatus).await?;
        let statements = request.into_inner().statements;
        check_items(statements.len())?;
        let results = declare::acknowledge(&self.0, &entered.caller, statements).await;
        Ok(Response::new(pb::AcknowledgeResponse { results }))
    }

    async fn declare(
        &self,
        request: Request<pb::DeclareRequest>,
    ) -> Result<Response<pb::DeclareResponse>, Status> {
        let entered = self.0.enter(Call::of(&request), Scope::ReadStatus).await?;
        let statements = request.into_inner().statements;
        check_items(statements.len())?;
        let results = declare::declare(&self.0, &entered.caller, statements).await;
        Ok(Response::new(pb::DeclareResponse { results }))
    }
}
