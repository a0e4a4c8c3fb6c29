//! The archive: what was sent, sealed to the own key, for a set time. It holds the outbox's batches once the fate of all their parcels is known.

use tasuki_proto::ids::{ParcelId, ParcelKey};

use crate::error::SdkError;
use crate::files;
use crate::home::{ARCHIVE, Home, OUTBOX};
use crate::send::batch::{self, BatchId};
use crate::send::sent::Sent;

const DAY_US: i64 = 24 * 60 * 60 * 1_000_000;

/// A container that was sent, if it is still kept.
pub(crate) fn get(home: &Home, parcel: ParcelId) -> Result<Option<Vec<u8>>, SdkError> {
    let key = ParcelKey { sender: home.office(), id: parcel };
    let Some(record) = Sent::of_parcel(home, key)? else { return Ok(None) };
    get_from(home, record.batch, parcel)
}

/// A container of a batch, if it is still kept.
pub(crate) fn get_from(home: &Home, batch: BatchId, parcel: ParcelId) -> Result<Option<Vec<u8>>, SdkError> {
    // While others of its batch wait, it is still in the outbox; it may move while this looks.
    for folder in [ARCHIVE, OUTBOX, ARCHIVE] {
        if let Some(container) = batch::container(home, &batch.path(&home.path(folder)), parcel)? {
            return Ok(Some(container.into()));
        }
    }
    Ok(None)
}

/// Removes what was kept long enough. A batch's name tells when it was begun.
pub(crate) fn sweep(home: &Home, now_us: i64) -> Result<(), SdkError> {
    let keep_us = i64::from(home.config().archive_days).saturating_mul(DAY_US);
    let folder = home.path(ARCHIVE);
    for name in files::list(&folder)? {
        if BatchId::of_name(&name).is_some_and(|b| b.begun_us().saturating_add(keep_us) < now_us) {
            files::remove(&folder.join(name))?;
        }
    }
    Ok(())
}

/// When an id was made: its first 48 bits are Unix milliseconds (RFC 9562, section 5.7).
pub(crate) fn made_us(parcel: ParcelId) -> i64 {
    let mut millis = [0; 8];
    millis[2..].copy_from_slice(&parcel.as_bytes()[..6]);
    i64::try_from(u64::from_be_bytes(millis)).unwrap_or(i64::MAX).saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_when_it_was_made() {
        let parcel = ParcelId::new(1_795_261_114_000_123, &ring::rand::SystemRandom::new()).unwrap();
        assert_eq!(made_us(parcel), 1_795_261_114_000_000);
    }
}
