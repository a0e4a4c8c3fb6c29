//! Signed statements of the parties, each judged on its own: acknowledgements and everything else that is declared.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use tasuki_careplan::office::OfficeNumber;
use tasuki_certs::cms_verify::SignatureVerifier;
use tasuki_certs::trust::VerifiedCertificate;
use tasuki_proto::event::{Event, kind, sha256};
use tasuki_proto::ids::{ParcelKey, identity_text, is_office};
use tasuki_proto::mandate::{Role, Scope};
use tasuki_proto::statement::{Declaration, Statement, Word};
use tasuki_proto::{limits, pb, reason};

use super::convert::parcel_ref;
use super::{Context, Failure};
use super::{mandates, partners};
use crate::access::Caller;
use crate::committer::change::{Actor, Asking, Change, Doing, Done, Paper, Signed};
use crate::denials::Attempt;
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

/// Judges acknowledgements; results are in their order.
pub(super) async fn acknowledge(
    context: &Context,
    caller: &Caller,
    statements: Vec<Bytes>,
) -> Vec<pb::AcknowledgeResult> {
    let alone = |statement| pb::SignedStatement { statement, text: Bytes::new() };
    let only = |statement: &Statement| {
        matches!(statement, Statement::Parcel(Declaration { word: Word::Acknowledge, .. }))
    };
    // All together, so that they share commits.
    join_all(statements.into_iter().map(|cms| async {
        let (parcel, outcome) = judge(context, caller, alone(cms), only).await;
        let outcome = match outcome {
            Ok(pb::DeclareAccepted { state, repeated, evidence }) => {
                pb::acknowledge_result::Outcome::Accepted(pb::AcknowledgeAccepted {
                    state,
                    repeated,
                    evidence,
                })
            }
            Err(refusal) => pb::acknowledge_result::Outcome::Rejected(refusal.into()),
        };
        pb::AcknowledgeResult { r#ref: parcel.as_ref().map(parcel_ref), outcome: Some(outcome) }
    }))
    .await
}

/// Judges statements of any kind; results are in their order.
pub(super) async fn declare(
    context: &Context,
    caller: &Caller,
    statements: Vec<pb::SignedStatement>,
) -> Vec<pb::DeclareResult> {
    join_all(statements.into_iter().map(|signed| async {
        let (parcel, outcome) = judge(context, caller, signed, |_| true).await;
        let outcome = match outcome {
            Ok(accepted) => pb::declare_result::Outcome::Accepted(accepted),
            Err(refusal) => pb::declare_result::Outcome::Rejected(refusal.into()),
        };
        pb::DeclareResult { r#ref: parcel.as_ref().map(parcel_ref), outcome: Some(outcome) }
    }))
    .await
}

async fn judge(
    context: &Context,
    caller: &Caller,
    signed: pb::SignedStatement,
    taken: impl Fn(&Statement) -> bool,
) -> (Option<ParcelKey>, Result<pb::DeclareAccepted, Refusal>) {
    let mut parcel = None;
    let outcome = one(context, caller, signed, taken, &mut parcel).await;
    if let Err(refusal) = &outcome {
        metrics::counter!("tasuki_statements_rejected_total", "reason" => refusal.reason).increment(1);
        context.denials.note(Attempt {
            who: caller.name.clone(),
            office: Some(caller.office),
            act: "declare",
            refused: refusal.reason,
        });
    }
    (parcel, outcome)
}

async fn one(
    context: &Context,
    caller: &Caller,
    signed: pb::SignedStatement,
    taken: impl Fn(&Statement) -> bool,
    parcel: &mut Option<ParcelKey>,
) -> Result<pb::DeclareAccepted, Refusal> {
    let (verifier, now_us) = (Arc::clone(&context.verifier), context.clock.now_us());
    let pb::SignedStatement { statement: cms, text } = signed;
    let bytes = cms.clone();
    let Verified { statement, signer } =
        context.intake.work(move || verify(&verifier, &bytes, now_us)).await??;
    if !taken(&statement) {
        return Err(Refusal::of(reason::STATEMENT_MALFORMED));
    }
    check_text(&statement, &text)?;
    let (speaker, scope) = match &statement {
        Statement::Parcel(declaration) => {
            *parcel = Some(declaration.about.parcel);
            (declaration.speaker(), Some(declaration.scope()))
        }
        Statement::Request(request) => (request.from, Some(Scope::Send)),
        Statement::Delegate(delegate) => (delegate.office, None),
        Statement::InviteTerminal(invite) => (invite.office, None),
        Statement::KeepTerminal(keep) => (keep.office, None),
        Statement::EndMandate(end) => (end.office, None),
        Statement::Membership(said) => (said.office, None),
        // A sealing key is handed in where keys are: `Directory.ApproveSealingKey`.
        Statement::ApproveSealingKey(_) => {
            return Err(Refusal::of(reason::STATEMENT_MALFORMED));
        }
    };
    check_speaker(speaker, scope, &signer, caller)?;
    if statement.time_us() > now_us.saturating_add(limits::MAX_CLOCK_AHEAD_US) {
        return Err(Refusal::of(reason::CREATED_IN_FUTURE));
    }
    check_partners(context, &statement).await?;
    let needed = context.archivist.needed(&signer);
    let paper = Paper {
        cms: cms.to_vec(),
        text: text.to_vec(),
        signer: signer.fingerprint,
        archive: Arc::clone(&needed.items),
    };
    let by = identity_text(&signer.identity);
    // Of the office's own word nobody needs to show that it may speak, whoever hands it in.
    let itself = by != caller.name;
    let mandate = caller.mandate_digest().filter(|_| !itself);
    let vouched = !itself && caller.vouched();
    let (kind, change) = match statement {
        Statement::Request(request) => {
            (kind::REQUEST_MADE, Change::Request(Box::new(Asking { request, by, mandate, vouched, paper })))
        }
        Statement::Delegate(delegate) => {
            (kind::MANDATE_DELEGATED, mandates::delegate(&delegate, &signer, by, paper, now_us)?)
        }
        Statement::InviteTerminal(invite) => {
            (kind::MANDATE_INVITED, mandates::invite(&invite, &signer, by, paper, now_us)?)
        }
        Statement::KeepTerminal(keep) => {
            (kind::MANDATE_KEPT, mandates::keep(context, keep, &signer, by, paper).await?)
        }
        Statement::EndMandate(end) => (kind::MANDATE_ENDED, mandates::end(&end, by, paper)),
        Statement::Parcel(Declaration { about, word }) => {
            let act = word.act();
            let doing = Doing {
                key: about.parcel,
                act,
                by: Actor::Office { office: speaker, name: by, mandate, vouched },
                signed: Some(Signed { digest: about.digest, recipient: about.recipient, word, paper }),
            };
            (act.event_kind(), Change::Act(Box::new(doing)))
        }
        Statement::Membership(said) => partners::change(context, said, by, paper)?,
        Statement::ApproveSealingKey(_) => return Err(Refusal::of(reason::STATEMENT_MALFORMED)),
    };
    let of_mandates = matches!(change, Change::Mandate(_) | Change::Profile(_) | Change::Partner(_));
    let done = context.committer.submit(change).await?;
    if !done.repeated {
        context.archivist.committed(&needed);
    }
    if of_mandates {
        // Who was let act may act as soon as the office has its answer.
        context.directory.refresh().await?;
    }
    let about = Told { kind, statement: sha256(&cms) };
    accepted(context, caller, done, &about).await.map_err(|failure| Refusal::of(failure.reason))
}

/// Where only partners may exchange, nothing begins between others: no request, no release of what was held.
async fn check_partners(context: &Context, statement: &Statement) -> Result<(), Refusal> {
    let pair = match statement {
        Statement::Request(request) => Some((request.from, request.to)),
        Statement::Parcel(Declaration { about, word: Word::Release }) => {
            Some((about.parcel.sender, about.recipient))
        }
        _ => None,
    };
    match pair {
        Some((one, other)) if context.partners.linked_only() && !context.store.linked(one, other).await? => {
            Err(Refusal::of(reason::NOT_LINKED))
        }
        _ => Ok(()),
    }
}

/// What the event says that a repeated statement is answered with.
struct Told {
    kind: &'static str,
    statement: [u8; 32],
}

/// A text belongs to a statement that names it, and to no other.
fn check_text(statement: &Statement, text: &[u8]) -> Result<(), Refusal> {
    if text.len() > limits::MAX_SEALED_TEXT_BYTES {
        return Err(Refusal::of(reason::TEXT_TOO_LONG));
    }
    let fits = match statement.text() {
        Some(digest) => sha256(text) == *digest,
        None => text.is_empty(),
    };
    if fits { Ok(()) } else { Err(Refusal::of(reason::TEXT_MISMATCH)) }
}

/// The office itself signs, or who calls and may say that for it; and the call is for the office. Without a scope it is the office's
/// alone to say.
fn check_speaker(
    speaker: OfficeNumber,
    scope: Option<Scope>,
    signer: &VerifiedCertificate,
    caller: &Caller,
) -> Result<(), Refusal> {
    if caller.office != speaker {
        return Err(Refusal::of(reason::STATEMENT_SIGNER));
    }
    let itself = is_office(&signer.identity, speaker);
    match scope {
        None if itself && caller.role == Role::Office => Ok(()),
        Some(scope) if itself || identity_text(&signer.identity) == caller.name => Ok(caller.may(scope)?),
        _ => Err(Refusal::of(reason::STATEMENT_SIGNER)),
    }
}

async fn accepted(
    context: &Context,
    caller: &Caller,
    done: Done,
    told: &Told,
) -> Result<pb::DeclareAccepted, Failure> {
    let repeated = done.repeated;
    let (state, position): (pb::ParcelState, _) = match &done.parcel {
        Some(row) if repeated => (row.state.into(), Some(first_event(context, row.seq, told).await?)),
        Some(row) => (row.state.into(), done.position),
        None => (pb::ParcelState::Unspecified, done.position),
    };
    let evidence = match position {
        Some(position) => {
            let opening = context.store.opening_at(caller.office, position).await?;
            let checkpoint = context.checkpoint_over(position).await?;
            Some(context.ledger.evidence(position, &checkpoint, done.text, opening.as_ref()).await?)
        }
        // A request that was made before.
        None => None,
    };
    Ok(pb::DeclareAccepted { state: state.into(), repeated, evidence })
}

/// The event that counts: that of the same statement, else the first of its kind.
async fn first_event(context: &Context, seq: i64, told: &Told) -> Result<Position, Failure> {
    let leaves = context.store.leaves_of_parcel(seq).await?;
    let read = |text: &[u8]| Event::parse(text).ok().filter(|event| event.kind == told.kind);
    let alike: Vec<(Event, Position)> =
        leaves.iter().filter_map(|leaf| Some((read(&leaf.text)?, leaf.position))).collect();
    let same = alike.iter().find(|(event, _)| event.digest("statement") == Some(told.statement));
    same.or(alike.first()).map(|(_, position)| *position).ok_or(Failure::of(reason::STORE_UNAVAILABLE))
}
