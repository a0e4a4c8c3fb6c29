//! A result of the relay: verified, recorded with others; only then the parcel leaves the outbox.

use std::collections::BTreeMap;
use std::sync::Arc;

use tasuki_proto::event::kind;
use tasuki_proto::evidence::{self, Proven};
use tasuki_proto::pb;
use tasuki_proto::pb::submit_response::Outcome;

use super::SendOutcome;
use super::batch::BatchId;
use super::outbox::{Fate, Outbox};
use super::prepare::Ready;
use super::record::{SentRecord, StoredEvidence};
use super::sent::Sent;
use crate::blocking;
use crate::client::Client;
use crate::error::{Refusal, SdkError, VerificationError};
use crate::finding::Finding;
use crate::parcel::{State, key_from_wire};

/// Settles results.
#[derive(Clone, Debug)]
pub(super) struct Settler {
    pub(super) client: Client,
    pub(super) outbox: Outbox,
    pub(super) sent: Arc<Sent>,
}

/// What a result means.
#[derive(Debug)]
pub(super) enum Settled {
    /// The relay has it, and proves that. It is to be recorded; until then it waits in the outbox.
    Proven(Box<SentRecord>, SendOutcome),
    /// All is said and done.
    Done(SendOutcome),
}

impl Settler {
    /// What a result means.
    pub(super) async fn settle(&self, ready: &Ready, outcome: Option<Outcome>) -> Settled {
        let settled = match outcome {
            Some(Outcome::Accepted(accepted)) => self.accepted(ready, accepted).await,
            Some(Outcome::Rejected(rejected)) => self.rejected(ready, rejected).await,
            None => Err(VerificationError::Incomplete("an outcome").into()),
        };
        match settled {
            Ok(settled) => settled,
            Err(error @ SdkError::Verification(_)) => Settled::Done(SendOutcome::Unproven(error)),
            Err(error) => Settled::Done(SendOutcome::Pending(error)),
        }
    }

    async fn accepted(&self, ready: &Ready, accepted: pb::Accepted) -> Result<Settled, SdkError> {
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
        let (key, recipient, batch) = (ready.key, ready.recipient, ready.batch);
        let record = SentRecord::new(key, recipient, &ready.digest, state, accepted_us, batch, stored);
        let outcome = SendOutcome::Accepted { state, accepted_us, repeated: accepted.repeated };
        Ok(Settled::Proven(Box::new(record), outcome))
    }

    async fn rejected(&self, ready: &Ready, rejected: pb::Rejected) -> Result<Settled, SdkError> {
        let (outbox, batch, parcel) = (self.outbox.clone(), ready.batch, ready.key.id);
        blocking::run(move || outbox.settle(batch, &[(parcel, Fate::Refused)])).await?;
        let mut refusal = Refusal::told(rejected);
        refusal.findings = refusal.findings.into_iter().map(|f| with_own_name(f, ready)).collect();
        Ok(Settled::Done(SendOutcome::Rejected(refusal)))
    }

    /// Records parcels that the relay has; durable before this returns.
    pub(super) async fn record(&self, parcels: &[(Ready, Box<SentRecord>)]) -> Result<(), SdkError> {
        let (this, parcels) = (self.clone(), parcels.to_vec());
        blocking::run(move || {
            let inner = &this.client.inner;
            let records: Vec<_> = parcels.iter().map(|(ready, record)| (ready.content, &**record)).collect();
            // The record comes first: with it, nothing of what follows can make a second parcel.
            this.sent.put(BatchId::new(this.client.now_us(), &inner.rng)?, &records)?;
            let mut fates: BTreeMap<BatchId, Vec<_>> = BTreeMap::new();
            for (ready, _) in &parcels {
                fates.entry(ready.batch).or_default().push((ready.key.id, Fate::Accepted));
            }
            fates.into_iter().try_for_each(|(batch, fates)| this.outbox.settle(batch, &fates))
        })
        .await
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
