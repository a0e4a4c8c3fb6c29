//! The receiver's signed word that it holds a parcel, in batches.

use bytes::Bytes;
use tasuki_certs::cms_sign::{self, Content};
use tasuki_proto::event::{kind, sha256};
use tasuki_proto::evidence;
use tasuki_proto::pb;
use tasuki_proto::pb::acknowledge_result::Outcome;
use tasuki_proto::statement::{AboutParcel, Statement};

use super::unpack::Delivered;
use super::{ReceiveOutcome, Stored};
use crate::blocking;
use crate::client::Client;
use crate::error::{ConfigError, Refusal, SdkError, Unreachable, VerificationError};
use crate::parcel::{State, key_from_wire};
use crate::transport::is_busy;

/// Statements of one call: about 3 KiB each, far below the bound of a message.
pub(super) const BATCH: usize = 64;

/// Signs and sends acknowledgements of parcels that are stored. One outcome for each, in order.
pub(super) async fn acknowledge(client: &Client, parcels: Vec<(Delivered, Stored)>) -> Vec<ReceiveOutcome> {
    let about: Vec<Delivered> = parcels.iter().map(|(delivered, _)| delivered.clone()).collect();
    let (statements, results) = match sign_and_send(client, about).await {
        Ok(answered) => answered,
        Err(error) => {
            let stored = parcels.into_iter().map(|(_, stored)| stored);
            return stored.map(|stored| ReceiveOutcome::Stored { stored, error: error.clone() }).collect();
        }
    };
    let mut outcomes = Vec::with_capacity(parcels.len());
    for (((delivered, stored), statement), result) in parcels.into_iter().zip(statements).zip(results) {
        outcomes.push(match check(client, &delivered, &statement, result).await {
            Ok((state, acknowledged_us)) => ReceiveOutcome::Acknowledged { stored, state, acknowledged_us },
            Err(error) => ReceiveOutcome::Stored { stored, error },
        });
    }
    outcomes
}

async fn sign_and_send(
    client: &Client,
    about: Vec<Delivered>,
) -> Result<(Vec<Bytes>, Vec<pb::AcknowledgeResult>), SdkError> {
    let signer = client.clone();
    let sign_all = move || about.iter().map(|delivered| sign(&signer, delivered)).collect();
    let statements: Vec<Bytes> = blocking::run(sign_all).await?;
    let caller = &client.inner.caller;
    let answer = caller.repeat(|| {
        let mut exchange = caller.exchange();
        let request = pb::AcknowledgeRequest { statements: statements.clone() };
        async move { exchange.acknowledge(request).await }
    });
    let results = answer.await?.results;
    if results.len() != statements.len() {
        return Err(VerificationError::Incomplete("one result for each statement").into());
    }
    Ok((statements, results))
}

fn sign(client: &Client, delivered: &Delivered) -> Result<Bytes, SdkError> {
    let now_us = client.now_us();
    let statement = Statement::acknowledge(AboutParcel {
        parcel: delivered.key,
        recipient: delivered.recipient,
        digest: delivered.digest,
        time_us: now_us,
    });
    let identity = client.home().identity();
    let signed = cms_sign::sign(identity, statement.print().as_bytes(), Content::Attached, now_us);
    Ok(signed.map_err(|e| ConfigError::Trust(e.to_string()))?.into())
}

/// What the relay answered, with its evidence verified.
async fn check(
    client: &Client,
    delivered: &Delivered,
    statement: &[u8],
    result: pb::AcknowledgeResult,
) -> Result<(State, i64), SdkError> {
    let accepted = match result.outcome {
        Some(Outcome::Accepted(accepted)) => accepted,
        // It is stored: the next run acknowledges.
        Some(Outcome::Rejected(rejected)) if is_busy(&rejected.reason) => {
            return Err(Unreachable::Busy(Refusal::of(&rejected.reason)).into());
        }
        Some(Outcome::Rejected(rejected)) => return Err(Refusal::of(&rejected.reason).into()),
        None => return Err(VerificationError::Incomplete("an outcome").into()),
    };
    let wrong = VerificationError::Event;
    if key_from_wire(result.r#ref.as_ref()) != Some(delivered.key) {
        return Err(VerificationError::Incomplete("results in their order").into());
    }
    let evidence = accepted.evidence.ok_or(VerificationError::Incomplete("evidence"))?;
    let checkpoint = client.admit(&evidence.checkpoint).await?;
    let proven = evidence::check(&evidence, &checkpoint).map_err(VerificationError::Evidence)?;
    let event = &proven.event;
    if event.kind != kind::PARCEL_ACKNOWLEDGED {
        return Err(wrong("it is no acknowledgement").into());
    }
    if event.parcel() != Some(delivered.key) || event.digest("digest") != Some(delivered.digest) {
        return Err(wrong("it is about another parcel").into());
    }
    // A repeated acknowledgement is answered with the first one's event, which names the first statement.
    if !accepted.repeated && event.digest("statement") != Some(sha256(statement)) {
        return Err(wrong("it names another statement").into());
    }
    Ok((State::from_wire(accepted.state), event.time_us))
}
