//! The archive: what was sent, sealed to the own key, for a set time.

use std::path::PathBuf;

use ring::rand::SecureRandom;
use tasuki_certs::open::open;
use tasuki_certs::seal::seal;
use tasuki_proto::ids::ParcelId;

use crate::error::{ConfigError, SdkError, VerificationError};
use crate::files::{self, Access};
use crate::home::{ARCHIVE, Home};

const SUFFIX: &str = ".p7m";

const DAY_US: i64 = 24 * 60 * 60 * 1_000_000;

fn path(home: &Home, parcel: ParcelId) -> PathBuf {
    home.path(ARCHIVE).join(format!("{parcel}{SUFFIX}"))
}

/// Keeps a container that was accepted, unless the archive is switched off.
pub(crate) fn keep(
    home: &Home,
    parcel: ParcelId,
    container: &[u8],
    rng: &dyn SecureRandom,
) -> Result<(), SdkError> {
    if home.config().archive_days == 0 {
        return Ok(());
    }
    let failed = |e: tasuki_certs::seal::SealError| ConfigError::Trust(e.to_string());
    let sealed = seal(container, &[home.archive_key()?], rng).map_err(failed)?;
    files::write_durably(&path(home, parcel), &sealed, Access::Owner)
}

/// A container that was sent, if it is still kept.
pub(crate) fn get(home: &Home, parcel: ParcelId) -> Result<Option<Vec<u8>>, SdkError> {
    let Some(sealed) = files::read_if_exists(&path(home, parcel))? else { return Ok(None) };
    Ok(Some(open(&sealed, &home.opening_keys()).map_err(VerificationError::Seal)?))
}

/// Removes what was kept long enough. Ids tell when a parcel was made.
pub(crate) fn sweep(home: &Home, now_us: i64) -> Result<(), SdkError> {
    let keep_us = i64::from(home.config().archive_days).saturating_mul(DAY_US);
    let folder = home.path(ARCHIVE);
    for name in files::list(&folder)? {
        let parcel: Option<ParcelId> = name.strip_suffix(SUFFIX).and_then(|n| n.parse().ok());
        if parcel.is_some_and(|p| made_us(p).saturating_add(keep_us) < now_us) {
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
