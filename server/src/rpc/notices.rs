//! Notices of the operator, from a place in the log on.

use bytes::Bytes;
use tasuki_careplan::office::OfficeNumber;
use tasuki_certs::handover::MAX_HANDOVERS;
use tasuki_proto::event::sha256;
use tasuki_proto::{pb, time};

use super::convert::covers;
use super::page::page_size;
use super::{Context, Failure};
use crate::operation::Stop;
use crate::store::leaves::Position;

/// Notices to an office, or to all, behind a place.
pub(super) async fn list(
    context: &Context,
    office: OfficeNumber,
    request: &pb::ListNoticesRequest,
) -> Result<pb::ListNoticesResponse, Failure> {
    let limit = page_size(request.page_size, 100)?;
    let (epoch, index) = (request.epoch, request.index);
    if epoch >= 1 << 23 || index >= 1 << 40 {
        return Err(Failure::malformed("no place in the log is as far as that"));
    }
    // Taken before the rows: those that it does not cover yet are left for the next time.
    let current = context.ledger.checkpoint();
    let mut found = context.store.notices_for(office, Position { epoch, index }, limit + 1).await?;
    found.retain(|at| at.epoch < current.epoch || covers(&current, *at));
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let mut notices = Vec::with_capacity(found.len());
    for at in found {
        let checkpoint = if at.epoch == current.epoch {
            current.clone()
        } else {
            context.ledger.checkpoint_of(at.epoch).await?
        };
        notices.push(context.ledger.evidence(at, &checkpoint, None, None).await?);
    }
    Ok(pb::ListNoticesResponse { notices, more })
}

/// How the issuing CA handed over, but for the CAs that the caller knows.
pub(super) async fn ca_rolls(context: &Context, known: &[Bytes]) -> Result<Vec<pb::Evidence>, Failure> {
    if known.len() > MAX_HANDOVERS {
        return Err(Failure::malformed("more CA rolls than there can be"));
    }
    let current = context.ledger.checkpoint();
    let mut rolls = Vec::new();
    for roll in context.trust.ca_rolls().iter() {
        let is_known = known.iter().any(|known| known[..] == sha256(&roll.handover.next));
        // Those that it does not cover yet are left for the next time.
        if is_known || (roll.at.epoch == current.epoch && !covers(&current, roll.at)) {
            continue;
        }
        let checkpoint = context.ledger.checkpoint_of(roll.at.epoch).await?;
        rolls.push(context.ledger.evidence(roll.at, &checkpoint, None, None).await?);
    }
    Ok(rolls)
}

/// A planned stop, as it crosses the wire.
pub(super) fn planned(stop: &Stop) -> pb::PlannedStop {
    pb::PlannedStop {
        from: time::format_us(stop.from_us),
        until: time::format_us(stop.until_us),
        ja: stop.ja.clone(),
        en: stop.en.clone(),
    }
}
