//! `tasuki.v1.Log`: checkpoints, proofs and tiles, to every member; cosignatures from witnesses; time stamps.

use std::sync::Arc;

use tasuki_proto::pb::log_server::Log;
use tasuki_proto::{pb, reason};
use tonic::{Request, Response, Status};

use super::{Call, Context, Failure};
use crate::evidence::ledger::wire;
use crate::store::leaves::TileName;

/// The service.
#[derive(Clone, Debug)]
pub(super) struct Service(pub(super) Arc<Context>);

impl Service {
    /// Epoch 0 stands for the current one.
    fn epoch(&self, asked: u64) -> u64 {
        if asked == 0 { self.0.ledger.checkpoint().epoch } else { asked }
    }
}

#[tonic::async_trait]
impl Log for Service {
    async fn get_checkpoint(
        &self,
        request: Request<pb::GetCheckpointRequest>,
    ) -> Result<Response<pb::GetCheckpointResponse>, Status> {
        let _entered = self.0.enter_member(Call::of(&request)).await?;
        let epoch = self.epoch(request.into_inner().epoch);
        let checkpoint = self.0.ledger.checkpoint_of(epoch).await.map_err(Failure::from)?;
        let cosigned = self.0.witnesses.cosigned(&self.0.store, epoch).await.map_err(Failure::from)?;
        Ok(Response::new(pb::GetCheckpointResponse {
            checkpoint: checkpoint.note.clone().into(),
            log_key: self.0.ledger.key().vkey(epoch),
            cosigned: cosigned.into_iter().map(Into::into).collect(),
        }))
    }

    async fn add_cosignature(
        &self,
        request: Request<pb::AddCosignatureRequest>,
    ) -> Result<Response<pb::AddCosignatureResponse>, Status> {
        let _entered = self.0.enter_member(Call::of(&request)).await?;
        let note = request.into_inner().checkpoint;
        let kept = self.0.witnesses.add(&self.0.store, &self.0.ledger.key(), &note).await;
        let kept = kept.map_err(Failure::from)?;
        Ok(Response::new(pb::AddCosignatureResponse { kept: u32::try_from(kept).unwrap_or(u32::MAX) }))
    }

    async fn get_consistency(
        &self,
        request: Request<pb::GetConsistencyRequest>,
    ) -> Result<Response<pb::GetConsistencyResponse>, Status> {
        let _entered = self.0.enter_member(Call::of(&request)).await?;
        let request = request.into_inner();
        let epoch = self.epoch(request.epoch);
        let checkpoint = self.0.ledger.checkpoint_of(epoch).await.map_err(Failure::from)?;
        let to = if request.to_size == 0 { checkpoint.size } else { request.to_size };
        // Beyond the newest checkpoint there may be leaves already; nobody has promised them yet.
        if request.from_size == 0 || request.from_size > to || to > checkpoint.size {
            return Err(Failure::of(reason::LOG_RANGE).into());
        }
        let hashes = self.0.ledger.consistency(epoch, request.from_size, to).await.map_err(Failure::from)?;
        Ok(Response::new(pb::GetConsistencyResponse {
            hashes: wire(&hashes),
            checkpoint: checkpoint.note.clone().into(),
        }))
    }

    async fn get_timestamp(
        &self,
        request: Request<pb::GetTimestampRequest>,
    ) -> Result<Response<pb::GetTimestampResponse>, Status> {
        let _entered = self.0.enter_member(Call::of(&request)).await?;
        let request = request.into_inner();
        let epoch = self.epoch(request.epoch);
        // No leaf is so far: what does not fit into the database's numbers is not there either.
        let index = request.index.min(i64::MAX as u64);
        let stamp = self.0.store.timestamp_covering(epoch, index).await.map_err(Failure::from)?;
        Ok(Response::new(stamp.map_or_else(pb::GetTimestampResponse::default, |stamp| {
            pb::GetTimestampResponse { checkpoint: stamp.note.into(), response: stamp.response.into() }
        })))
    }

    async fn get_tile(
        &self,
        request: Request<pb::GetTileRequest>,
    ) -> Result<Response<pb::GetTileResponse>, Status> {
        let _entered = self.0.enter_member(Call::of(&request)).await?;
        let request = request.into_inner();
        let name = TileName {
            epoch: self.epoch(request.epoch),
            level: u8::try_from(request.level).map_err(|_| Failure::of(reason::LOG_RANGE))?,
            tile: request.index,
        };
        let hashes = self.0.ledger.tile(name).await.map_err(Failure::from)?;
        Ok(Response::new(pb::GetTileResponse { hashes: hashes.into() }))
    }
}
