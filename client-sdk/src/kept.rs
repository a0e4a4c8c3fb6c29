//! Keys that a HOME keeps after its certificate changed: what is still sealed to them, and when they can go.

use std::collections::HashSet;
use std::path::Path;

use tasuki_certs::identity::KeyIdentity;
use tasuki_proto::time;

use crate::client::Client;
use crate::config::KeptIdentity;
use crate::error::SdkError;
use crate::files;
use crate::home::{ARCHIVE, Home, OUTBOX};
use crate::send::batch::BatchId;
use crate::send::sent::Sent;
use crate::tracking::ListFilter;

/// Something may be sealed to a key for so long after another took its place: the new one is registered at the next contact, and a
/// program that runs goes on with the one before.
const OVERLAP_US: i64 = 7 * DAY_US;

/// A key goes only so long after another took its place.
const AT_LEAST_US: i64 = DAY_US;

const DAY_US: i64 = 24 * 60 * 60 * 1_000_000;

/// A key that the HOME keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptKey {
    /// SHA-256 of its certificate.
    pub fingerprint: [u8; 32],
    /// When another took its place, Unix microseconds.
    pub replaced_us: i64,
    /// Parcels that wait and may be sealed to it alone.
    pub waiting: usize,
    /// Parcels of the archive, and batches of the outbox, that may be sealed to it.
    pub archived: usize,
    /// Something needs it, or may within a day.
    pub needed: bool,
}

/// A kept key, read.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) config: KeptIdentity,
    pub(crate) identity: KeyIdentity,
}

impl Kept {
    fn replaced_us(&self) -> i64 {
        time::parse_us(&self.config.replaced_at).unwrap_or(i64::MAX)
    }
}

impl Client {
    /// The keys that this HOME keeps, and what still needs each. Texts of remarks and reasons that were sealed to a key can't be read
    /// any more once it is gone.
    ///
    /// # Errors
    /// The relay can't be reached or refuses.
    pub async fn kept_keys(&self) -> Result<Vec<KeptKey>, SdkError> {
        if self.home().kept().is_empty() {
            return Ok(Vec::new());
        }
        let waiting = self.list_received(&ListFilter::waiting()).await?;
        let archived = archived(self.home())?;
        let now_us = self.now_us();
        let one = |kept: &Kept| {
            let replaced_us = kept.replaced_us();
            let until_us = replaced_us.saturating_add(OVERLAP_US);
            let waiting = waiting
                .iter()
                .filter(|parcel| parcel.accepted_us.is_none_or(|at_us| at_us <= until_us))
                .count();
            let archived = archived.iter().filter(|made_us| **made_us <= until_us).count();
            let recent = now_us < replaced_us.saturating_add(AT_LEAST_US);
            let needed = recent || waiting > 0 || archived > 0;
            KeptKey { fingerprint: kept.identity.fingerprint(), replaced_us, waiting, archived, needed }
        };
        Ok(self.home().kept().iter().map(one).collect())
    }

    /// Forgets the kept keys that nothing needs any more, and removes their files. Gives those that went.
    ///
    /// # Errors
    /// As [`Client::kept_keys`]; the HOME can't be written.
    pub async fn forget_kept_keys(&self) -> Result<Vec<KeptKey>, SdkError> {
        let mut going = self.kept_keys().await?;
        going.retain(|key| !key.needed);
        let home = self.home();
        let goes = |kept: &Kept| going.iter().any(|key| key.fingerprint == kept.identity.fingerprint());
        let (gone, stay): (Vec<&Kept>, Vec<&Kept>) = home.kept().iter().partition(|kept| goes(kept));
        if gone.is_empty() {
            return Ok(going);
        }
        home.config().keep_only(home.folder(), stay.iter().map(|kept| kept.config.clone()).collect())?;
        for kept in gone {
            for name in kept.config.identity.files() {
                // A proxy's keys lie in the folder above, and are all its offices'.
                if Path::new(name).components().count() == 1 {
                    files::remove(&home.folder().join(name))?;
                }
            }
        }
        Ok(going)
    }
}

/// When each sent parcel of the archive was made, and each batch that waits in the outbox, Unix microseconds.
fn archived(home: &Home) -> Result<Vec<i64>, SdkError> {
    let batches = |folder| {
        let names = files::list(&home.path(folder))?;
        Ok::<_, SdkError>(names.iter().filter_map(|name| BatchId::of_name(name)).collect::<HashSet<_>>())
    };
    let (archived, waiting) = (batches(ARCHIVE)?, batches(OUTBOX)?);
    let sent = if archived.is_empty() { None } else { Some(Sent::of(home)?) };
    let parcels = sent.iter().flat_map(Sent::batches).filter(|batch| archived.contains(batch));
    Ok(parcels.chain(waiting.iter().copied()).map(BatchId::begun_us).collect())
}
