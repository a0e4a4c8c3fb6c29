//! A result of the relay: verified, recorded, archived; only then the container leaves the outbox.

use std::sync::Arc;

use tasuki_proto::event::kind;
use tasuki_proto::evidence::{self, Proven};
use tasuki_proto::pb;
use tasuki_proto::pb::submit_response::Outcome;

use super::SendOutcome;
use super::outbox::Outbox;
use super::prepare::Ready;
use super::record::{Sent, SentRecord, StoredEvidence};
use crate::client::Client;
use crate::error::{Refusal, SdkError, VerificationError};
use crate::finding::Finding;
use crate::parcel::{State, key_from_wire};
use crate::{archive, blocking};

/// Settles results.
#[derive(Clone, Debug)]
pub(super) struct Settler {
    pub(super) client: Client,
    pub(super) outbox: Outbox,
    pub(super) sent: Arc<Sent>,
}

impl Settler {
    /// What a result means; durable before this returns.
    pub(super) async fn settle(&self, ready: &Ready, outcome: Option<Outcome>) -> SendOutcome {
        let settled = match outcome {
            Some(Outcome::Accepted(accepted)) => self.accepted(ready, accepted).await,
            Some(Outcome::Rejected(rejected)) => self.rejected(ready, rejected).await,
            None => Err(VerificationError::Incomplete("an outcome").into()),
        };
        match settled {
            Ok(outcome) => outcome,
            Err(error @ SdkError::Verification(_)) => SendOutcome::Unproven(error),
            Err(error) => SendOutcome::Pending(error),
        }
    }

    async fn accepted(&self, ready: &Ready, accepted: pb::Accepted) -> Result<SendOutcome, SdkError> {
        let evidence = accepted.evidence.ok_or(VerificationError::Incomplete("evidence"))?;
        if key_from_wire(accepted.r#ref.as_ref()) != Some(ready.key) || accepted.digest[..] != ready.digest {
            return Err(VerificationError::Digest.into());
        }
        let checkpoint = self.client.admit(&evidence.checkpoint).await?;
        let proven = evidence::check(&evidence, &checkpoint).map_err(VerificationError::Evidence)?;
        let signer = self.client.home().identity().fingerprint();
        check_delivered(&proven, ready, &signer)?;

        let accepted_us = proven.event.time_us;
        let state = State::from_wire(accepted.state);
        let stored = StoredEvidence::from_wire(&evidence).ok_or(VerificationError::Incomplete("evidence"))?;
        let record = SentRecord::new(ready.key, ready.recipient, &ready.digest, state, accepted_us, stored);
        let (this, ready) = (self.clone(), ready.clone());
        blocking::run(move || {
            let inner = &this.client.inner;
            // The record comes first: with it, nothing of what follows can make a second parcel.
            this.sent.put(ready.content, &record)?;
            archive::keep(&inner.home, ready.key.id, &ready.container, &inner.rng)?;
            this.outbox.remove(ready.content)
        })
        .await?;
        Ok(SendOutcome::Accepted { state, accepted_us, repeated: accepted.repeated })
    }

    async fn rejected(&self, ready: &Ready, rejected: pb::Rejected) -> Result<SendOutcome, SdkError> {
        let (this, content) = (self.clone(), ready.content);
        blocking::run(move || this.outbox.remove(content)).await?;
        let mut refusal = Refusal::told(rejected);
        refusal.findings = refusal.findings.into_iter().map(|f| with_own_name(f, ready)).collect();
        Ok(SendOutcome::Rejected(refusal))
    }
}

/// Whether the event says what was sent.
fn check_delivered(proven: &Proven, ready: &Ready, signer: &[u8; 32]) -> Result<(), VerificationError> {
    let event = &proven.event;
    let wrong = VerificationError::Event;
    if !matches!(event.kind.as_str(), kind::PARCEL_DELIVERED | kind::PARCEL_HELD) {
        return Err(wrong("it is no acceptance"));
    }
    if event.parcel() != Some(ready.key) {
        return Err(wrong("it is about another parcel"));
    }
    if event.office("recipient") != Some(ready.recipient) {
        return Err(wrong("it names another recipient"));
    }
    if event.digest("digest") != Some(ready.digest) {
        return Err(wrong("it names another digest"));
    }
    if event.digest("signer") != Some(*signer) {
        return Err(wrong("it names another signer"));
    }
    Ok(())
}

/// The relay names an attachment by its place only; here its name may be shown.
fn with_own_name(mut finding: Finding, ready: &Ready) -> Finding {
    let place = finding.file.strip_prefix('#').and_then(|p| p.parse::<usize>().ok());
    let name = place.and_then(|p| ready.files.get(p.checked_sub(1)?));
    if let Some(name) = name {
        name.rsplit('/').next().unwrap_or(name).clone_into(&mut finding.file);
    }
    finding
}
