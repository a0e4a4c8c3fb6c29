//! What a sending leaves in a HOME, for other rooms' tests.

use ring::rand::SystemRandom;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::ids::ParcelKey;

use super::batch::{self, BatchId};
use super::fingerprint::Fingerprint;
use super::record::{SentRecord, StoredEvidence};
use super::sent::Sent;
use crate::home::{ARCHIVE, Home};
use crate::parcel::State;
use crate::testing::NOW_US;

/// Records a parcel as accepted, and archives its container.
pub(crate) fn sent(
    home: &Home,
    key: ParcelKey,
    recipient: OfficeNumber,
    digest: &[u8; 32],
    container: &[u8],
    evidence: StoredEvidence,
) {
    let rng = SystemRandom::new();
    let id = BatchId::new(NOW_US, &rng).unwrap();
    let content = Fingerprint::of(key.sender, recipient, None, std::iter::once(("a", container)));
    let record = SentRecord::new(key, recipient, digest, State::Delivered, NOW_US, id, evidence);
    Sent::of(home).unwrap().put(id, &[(content, &record)]).unwrap();
    let container = bytes::Bytes::copy_from_slice(container);
    let parcels = std::iter::once((content, key.id, &container));
    batch::write(home, &id.path(&home.path(ARCHIVE)), parcels, &rng).unwrap();
}
