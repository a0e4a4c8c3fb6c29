//! Acknowledging: signed statements of the receiver, each judged on its own.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use tasuki_certs::cms_verify::SignatureVerifier;
use tasuki_certs::profile::Identity;
use tasuki_certs::trust::VerifiedCertificate;
use tasuki_proto::event::{Event, kind};
use tasuki_proto::ids::{ParcelKey, identity_text};
use tasuki_proto::statement::{AboutParcel, Statement};
use tasuki_proto::{limits, pb, reason};

use super::convert::{opening_at, parcel_ref, state};
use super::{Context, Failure};
use crate::access::Caller;
use crate::committer::change::{Acknowledgement, Change, Done};
use crate::intake::Refusal;
use crate::store::leaves::Position;

/// A statement whose signature was verified.
pub(super) struct Verified {
    /// What it says.
    pub(super) statement: Statement,
    /// Who signed it.
    pub(super) signer: Arc<VerifiedCertificate>,
}

/// Reads a statement and verifies its signature, as of now.
pub(super) fn verify(verifier: &SignatureVerifier, cms: &[u8], now_us: i64) -> Result<Verified, Refusal> {
    if cms.len() > limits::MAX_SIGNATURE_BYTES {
        return Err(Refusal::of(reason::STATEMENT_MALFORMED));
    }
    let signature = verifier.verify(cms, None, now_us)?;
    let text = signature.content.ok_or(Refusal::of(reason::STATEMENT_MALFORMED))?;
    let statement = Statement::parse(text).map_err(|_| Refusal::of(reason::STATEMENT_MALFORMED))?;
    Ok(Verified { statement, signer: signature.signer })
}

/// Judges all statements of one call; results are in their order.
pub(super) async fn run(
    context: &Context,
    caller: &Caller,
    statements: Vec<Bytes>,
) -> Vec<pb::AcknowledgeResult> {
    // All together, so that they share commits.
    join_all(statements.into_iter().map(|cms| async {
        let mut parcel = None;
        let outcome = match one(context, caller, cms, &mut parcel).await {
            Ok(accepted) => pb::acknowledge_result::Outcome::Accepted(accepted),
            Err(refusal) => {
                metrics::counter!("tasuki_statements_rejected_total", "reason" => refusal.reason)
                    .increment(1);
                pb::acknowledge_result::Outcome::Rejected(refusal.into())
            }
        };
        pb::AcknowledgeResult { r#ref: parcel.as_ref().map(parcel_ref), outcome: Some(outcome) }
    }))
    .await
}

async fn one(
    context: &Context,
    caller: &Caller,
    cms: Bytes,
    parcel: &mut Option<ParcelKey>,
) -> Result<pb::AcknowledgeAccepted, Refusal> {
    let (verifier, now_us, bytes) = (Arc::clone(&context.verifier), context.clock.now_us(), cms.clone());
    let Verified { statement, signer } =
        context.intake.work(move || verify(&verifier, &bytes, now_us)).await??;
    let Statement::Acknowledge(about) = statement else {
        return Err(Refusal::of(reason::STATEMENT_MALFORMED));
    };
    *parcel = Some(about.parcel);
    check(&about, &signer, caller, now_us)?;
    let needed = context.archivist.needed(&signer);
    let change = Change::Acknowledge(Box::new(Acknowledgement {
        key: about.parcel,
        office: about.recipient,
        digest: about.digest,
        cms: cms.to_vec(),
        by: identity_text(&signer.identity),
        signer: signer.fingerprint,
        archive: Arc::clone(&needed.items),
    }));
    let done = context.committer.submit(change).await?;
    if !done.repeated {
        context.archivist.committed(&needed);
    }
    accepted(context, caller, done).await.map_err(|failure| Refusal::of(failure.reason))
}

/// The receiver itself signs, and hands in its own statements.
fn check(
    about: &AboutParcel,
    signer: &VerifiedCertificate,
    caller: &Caller,
    now_us: i64,
) -> Result<(), Refusal> {
    let office = Identity::Office { number: about.recipient.to_string() };
    if signer.identity != office || caller.office != about.recipient {
        return Err(Refusal::of(reason::STATEMENT_SIGNER));
    }
    if about.time_us > now_us.saturating_add(limits::MAX_CLOCK_AHEAD_US) {
        return Err(Refusal::of(reason::CREATED_IN_FUTURE));
    }
    Ok(())
}

async fn accepted(
    context: &Context,
    caller: &Caller,
    done: Done,
) -> Result<pb::AcknowledgeAccepted, Failure> {
    let row = done.parcel.ok_or(Failure::of(reason::STORE_UNAVAILABLE))?;
    let position = match done.position {
        Some(position) => position,
        None => first_acknowledgement(context, row.seq).await?,
    };
    let openings = context.store.openings_of(caller.office, row.seq).await?;
    let checkpoint = context.checkpoint_over(position).await?;
    let opening = opening_at(&openings, position);
    let evidence = context.ledger.evidence(position, &checkpoint, done.text, opening).await?;
    Ok(pb::AcknowledgeAccepted {
        state: state(row.state).into(),
        repeated: done.repeated,
        evidence: Some(evidence),
    })
}

/// The event of the acknowledgement that counts: the first.
async fn first_acknowledgement(context: &Context, seq: i64) -> Result<Position, Failure> {
    let leaves = context.store.leaves_of_parcel(seq).await?;
    let acknowledged =
        |text: &[u8]| Event::parse(text).is_ok_and(|event| event.kind == kind::PARCEL_ACKNOWLEDGED);
    let leaf = leaves.into_iter().find(|leaf| acknowledged(&leaf.text));
    leaf.map(|leaf| leaf.position).ok_or(Failure::of(reason::STORE_UNAVAILABLE))
}
