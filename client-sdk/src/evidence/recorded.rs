//! Evidence from the sender's own record, for a parcel that the relay does not know: the receipt was kept here.
//!
//! It goes as far as the acceptance: what happened to the parcel afterwards only the relay could tell.

use tasuki_proto::evidence;
use tasuki_proto::ids::ParcelKey;
use tasuki_proto::parcel::OpenParcel;
use tasuki_proto::pb;

use super::EvidenceSource;
use super::save::Material;
use crate::archive;
use crate::checkpoints;
use crate::client::Client;
use crate::epochs::{Epochs, is_lost};
use crate::error::{SdkError, VerificationError};
use crate::parcel::ParcelName;
use crate::receive::unpack::{Delivered, Signer, verify_sender};
use crate::send::sent::Sent;

/// What the HOME holds of an own parcel that was accepted; `None` if there is no record of it.
pub(super) fn material(client: &Client, name: &ParcelName) -> Result<Option<Material>, SdkError> {
    let home = client.home();
    let own = ParcelKey { sender: home.office(), id: name.id };
    if !name.names(&own) {
        return Ok(None);
    }
    let Some(record) = Sent::of_parcel(home, own)? else { return Ok(None) };
    let Some(log) = checkpoints::pinned_key(home)? else { return Ok(None) };
    // A record that does not hold is not worth handing out.
    let event = record.evidence.to_wire().ok_or(VerificationError::Incomplete("a whole record"))?;
    let checkpoint = log.open(&event.checkpoint).map_err(VerificationError::Log)?;
    let proven = evidence::check(&event, &checkpoint).map_err(VerificationError::Evidence)?;
    let about = proven.event.parcel() == Some(own)
        && proven.event.office("recipient") == Some(record.recipient)
        && proven.event.digest("digest") == Some(record.digest());
    if !about {
        return Err(VerificationError::Event("it is about another parcel").into());
    }
    let container = archive::get_from(home, record.batch, own.id)?;
    let mut wire = pb::GetEvidenceResponse {
        events: vec![event],
        log_keys: log.lines(proven.event.epoch),
        ..pb::GetEvidenceResponse::default()
    };
    if let Some(container) = &container {
        let delivered = Delivered::read(&proven, own)?;
        add_signer(client, container, &delivered, &mut wire)?;
    }
    let lost = Epochs::load(home)?.map(|epochs| epochs.lost).unwrap_or_default();
    let is_lost = is_lost(&lost, proven.event.epoch, proven.index);
    Ok(Some(Material {
        key: own,
        recipient: record.recipient,
        digest: record.digest(),
        proven: vec![proven],
        wire,
        container,
        vouched: Vec::new(),
        stamps: Vec::new(),
        source: EvidenceSource::SentRecord { lost: is_lost },
    }))
}

/// Adds what the own signature is verified with.
fn add_signer(
    client: &Client,
    container: &[u8],
    delivered: &Delivered,
    wire: &mut pb::GetEvidenceResponse,
) -> Result<(), SdkError> {
    let trust = &client.inner.trust;
    let parcel = OpenParcel::open(container).map_err(VerificationError::Parcel)?;
    match verify_sender(&parcel, delivered, trust.verifier(), client.now_us()) {
        Ok(Signer { certificate: signer, .. }) => {
            wire.certificates = signer.chain.iter().map(|der| der.clone().into()).collect();
            let crls = signer.crls.iter().filter_map(|fingerprint| trust.crl(fingerprint));
            wire.crls = crls.map(|der| bytes::Bytes::copy_from_slice(&der)).collect();
        }
        // The receipt is worth as much where the lists of this HOME do not reach back so far.
        Err(error) => tracing::warn!(%error, "the own signature can't be verified here and now"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tasuki_proto::event::kind;

    use super::*;
    use crate::clock::FixedClock;
    use crate::evidence::save::write;
    use crate::files::{self, Access};
    use crate::home::LOG_KEY;
    use crate::send::record::StoredEvidence;
    use crate::testing::case::{Case, Plan};
    use crate::testing::{self, NOW_US, world};
    use crate::verify::{Proven, VerifyOptions, verify};

    const DAY_US: i64 = 86_400_000_000;

    /// A HOME that holds the record of an accepted parcel, and a client of it.
    fn client(folder: &testing::Folder, case: &Case) -> Client {
        let home = testing::home(folder, &world().sender);
        let (text, sibling) = &case.events[0];
        let entry = pb::LogEntry { text: text.clone().into(), epoch: 1, index: 0, opening: None };
        let evidence = pb::Evidence {
            entry: Some(entry),
            inclusion: vec![sibling.to_vec().into()],
            checkpoint: case.checkpoint.clone().into(),
        };
        let evidence = StoredEvidence::from_wire(&evidence).unwrap();
        let digest = &case.delivered.digest;
        let recipient = case.delivered.recipient;
        crate::send::testing::sent(&home, case.key, recipient, digest, &case.container, evidence);
        let key = case.log.verifier().vkey(1);
        files::write_durably(&home.path(LOG_KEY), key.as_bytes(), Access::Owner).unwrap();
        let client = Client::open(home, Arc::new(FixedClock(NOW_US + DAY_US))).unwrap();
        let crl = world().ca.crl(&[], 1, NOW_US, NOW_US + 7 * DAY_US).unwrap();
        client.inner.trust.keep_crls(client.home(), &[crl], NOW_US).unwrap();
        client
    }

    #[tokio::test]
    async fn the_receipt_that_was_kept_verifies_as_far_as_it_goes() {
        let case = Case::new(&Plan::default());
        let folder = testing::folder("recorded");
        let client = client(&folder, &case);
        let material = material(&client, &case.key.into()).unwrap().unwrap();
        assert_eq!(material.source, EvidenceSource::SentRecord { lost: false });
        let out = folder.path().join("proof");
        let saved = write(&client, &material, &out).unwrap();
        assert!(saved.has_parcel && saved.events == 1);
        let readme = std::fs::read_to_string(out.join("README.txt")).unwrap();
        assert!(readme.contains("did not know the parcel") && readme.contains("知らなかった"), "{readme}");
        let report = verify(&out, &VerifyOptions::default()).unwrap();
        let proofs: Vec<_> = report.proofs.into_iter().map(|proof| proof.what).collect();
        assert_eq!(proofs, [Proven::SignedBySender, Proven::Logged(kind::PARCEL_DELIVERED.to_owned())]);
        let warnings: Vec<_> = report.warnings.iter().map(|warning| warning.en.as_str()).collect();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("record that the sender got"), "{warnings:?}");
    }

    #[tokio::test]
    async fn only_what_is_recorded_and_holds_is_handed_out() {
        let case = Case::new(&Plan::default());
        let folder = testing::folder("recorded-bad");
        let client = client(&folder, &case);
        let other = ParcelName { sender: Some(testing::office(testing::RECIPIENT)), id: case.key.id };
        assert!(material(&client, &other).unwrap().is_none());
        let unknown =
            ParcelName { sender: None, id: "0193a3f0-8a1b-7c2d-8e3f-000000000000".parse().unwrap() };
        assert!(material(&client, &unknown).unwrap().is_none());
        // Another log's key: the record does not hold.
        let key = Case::new(&Plan::default()).log.verifier().vkey(1);
        files::write_durably(&client.home().path(LOG_KEY), key.as_bytes(), Access::Owner).unwrap();
        assert!(matches!(
            material(&client, &case.key.into()),
            Err(SdkError::Verification(VerificationError::Log(_)))
        ));
    }
}
