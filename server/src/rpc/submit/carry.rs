//! One complete parcel: check, seal, commit, answer.

use std::sync::Arc;

use bytes::Bytes;
use tasuki_proto::{pb, reason};

use super::Room;
use crate::access::Caller;
use crate::committer::change::Done;
use crate::denials::Attempt;
use crate::intake::Refusal;
use crate::rpc::Context;
use crate::rpc::convert::{covers, parcel_ref};

/// Carries one parcel to its receiver's mailbox, and says what became of it.
pub(super) async fn carry(
    context: Arc<Context>,
    caller: Caller,
    ticket: u32,
    container: Bytes,
    room: Room,
) -> pb::SubmitResponse {
    match deliver(&context, &caller, container, room).await {
        Ok(accepted) => {
            // Spelled out twice: labels that are known beforehand cost nothing.
            if accepted.repeated {
                metrics::counter!("tasuki_parcels_total", "outcome" => "repeated", "reason" => "")
                    .increment(1);
            } else {
                context.watchman.accepted(caller.office);
                metrics::counter!("tasuki_parcels_total", "outcome" => "accepted", "reason" => "")
                    .increment(1);
            }
            pb::SubmitResponse { ticket, outcome: Some(pb::submit_response::Outcome::Accepted(accepted)) }
        }
        Err(refusal) => {
            context.watchman.rejected(caller.office, refusal.reason);
            context.denials.note(Attempt {
                who: caller.name.clone(),
                office: Some(caller.office),
                act: "submit",
                refused: refusal.reason,
            });
            rejected(&context, ticket, refusal)
        }
    }
}

/// The answer to a parcel that is not accepted.
pub(super) fn rejected(context: &Context, ticket: u32, refusal: Refusal) -> pb::SubmitResponse {
    metrics::counter!("tasuki_parcels_total", "outcome" => "rejected", "reason" => refusal.reason)
        .increment(1);
    context.rejected.add(refusal.reason);
    pb::SubmitResponse { ticket, outcome: Some(pb::submit_response::Outcome::Rejected(refusal.into())) }
}

async fn deliver(
    context: &Arc<Context>,
    caller: &Caller,
    container: Bytes,
    room: Room,
) -> Result<pb::Accepted, Refusal> {
    // A stream lives longer than a certificate's or an office's good standing.
    let caller = &context.access.still(caller).await?;
    let done = context.intake.take_in(container, caller, room).await;
    let done = done.inspect_err(|refusal| context.refusals.keep(caller.office, refusal))?;
    let about = done.parcel.as_ref().map(|row| (row.key, row.recipient));
    accepted(context, done).await.map_err(|refusal| match about {
        Some((key, recipient)) => refusal.naming(key, recipient),
        None => refusal,
    })
}

async fn accepted(context: &Context, done: Done) -> Result<pb::Accepted, Refusal> {
    // Sending again finds the parcel accepted, and tries again to prove it.
    let unproven = || Refusal::of(reason::STORE_UNAVAILABLE);
    let (Some(row), Some(position)) = (done.parcel, done.position) else { return Err(unproven()) };
    // A repetition's event can be of another epoch, or of another process that is ahead of this one.
    let checkpoint = if covers(&done.checkpoint, position) {
        done.checkpoint
    } else {
        context.checkpoint_over(position).await.map_err(|_| unproven())?
    };
    let evidence =
        context.ledger.evidence(position, &checkpoint, done.text, None).await.map_err(|error| {
            tracing::warn!(%error, "evidence can't be made");
            unproven()
        })?;
    Ok(pb::Accepted {
        r#ref: Some(parcel_ref(&row.key)),
        recipient: row.recipient.to_string(),
        state: pb::ParcelState::from(row.state).into(),
        digest: row.digest.to_vec().into(),
        repeated: done.repeated,
        evidence: Some(evidence),
    })
}
