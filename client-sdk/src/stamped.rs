//! Time stamps of the log (RFC 3161): those that cover the events of a parcel, for its evidence.

use tasuki_proto::evidence::Proven;
use tasuki_proto::log::{Checkpoint, Hash};
use tasuki_proto::pb;

use crate::checkpoints;
use crate::client::Client;
use crate::error::{SdkError, VerificationError};

/// A checkpoint that an authority has stamped, and that is consistent with what this HOME has seen.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stamped {
    pub(crate) checkpoint: Checkpoint,
    /// The authority's answer, DER.
    pub(crate) response: Vec<u8>,
    /// That it is consistent with the checkpoints of the evidence: each with its proof from the smaller to the larger.
    pub(crate) links: Vec<(Checkpoint, Vec<Hash>)>,
}

impl Client {
    /// The first stamp that covers each event, linked to the checkpoint that proves the event. An event of the last minutes may have
    /// none yet, and a relay without an authority has none at all. Whether a stamp is good is for whoever verifies, who knows
    /// whom to believe.
    pub(crate) async fn stamps_for(
        &self,
        events: &[pb::Evidence],
        proven: &[Proven],
    ) -> Result<Vec<Stamped>, SdkError> {
        let caller = &self.inner.caller;
        let mut stamps: Vec<Stamped> = Vec::new();
        for (event, place) in events.iter().zip(proven) {
            let request = pb::GetTimestampRequest { epoch: place.event.epoch, index: place.index };
            let answer = caller.repeat(|| {
                let mut log = caller.log();
                async move { log.get_timestamp(request).await }
            });
            let answer = answer.await?;
            if answer.response.is_empty() {
                continue;
            }
            let other = self.pinned_log()?.open(&event.checkpoint).map_err(VerificationError::Log)?;
            let known = stamps.iter().position(|stamp| stamp.checkpoint.note[..] == answer.checkpoint[..]);
            let at = if let Some(at) = known {
                at
            } else {
                // What was stamped and what this HOME has seen must be one history.
                let checkpoint = self.admit_only(&answer.checkpoint).await?;
                stamps.push(Stamped { checkpoint, response: answer.response.to_vec(), links: Vec::new() });
                stamps.len() - 1
            };
            let stamp = &mut stamps[at];
            if other.epoch == stamp.checkpoint.epoch
                && stamp.links.iter().all(|(known, _)| known.note != other.note)
            {
                let proof = checkpoints::consistency(caller, &stamp.checkpoint, &other).await?;
                stamp.links.push((other, proof));
            }
        }
        Ok(stamps)
    }
}
