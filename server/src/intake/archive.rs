//! Certificates and CRLs for the archive: what evidence needs later, handed to the committer once.

use std::sync::{Arc, Mutex, PoisonError};

use tasuki_certs::trust::{CurrentTrust, VerifiedCertificate};
use tasuki_proto::event::sha256;

use crate::cache::Generations;
use crate::clock::Clock;
use crate::store::archive::Archived;
use crate::trust::Trust;

/// Signers and CRLs that are known to be archived, 32 bytes each.
const MAX_KNOWN: usize = 65_536;

/// What is archived is handed over again once in this time. So the archive knows when it was last needed, and what the sweep
/// took because nothing named it (`store::archive_sweep`, months later at the earliest) comes back with its next use.
const AGAIN_US: i64 = 24 * 3_600 * 1_000_000;

/// Knows what need not be archived again.
///
/// That a signer's certificate was verified before is not enough: the parcel that it came with may have been
/// refused, and then nothing of it was kept. Only a commit counts.
#[derive(Debug)]
pub struct Archivist {
    trust: Trust,
    clock: Arc<dyn Clock>,
    kept: Mutex<Generations<[u8; 32], ()>>,
}

/// What must be archived with one change.
#[derive(Clone, Debug)]
pub struct Needed {
    /// Certificates and CRLs; empty if they are known to be there.
    pub items: Arc<Vec<Archived>>,
    /// What is known once they are there, for this day: the signer with its CRLs, and each CRL.
    names: Vec<[u8; 32]>,
}

impl Archivist {
    /// Takes CRLs from this trust store.
    pub fn new(trust: Trust, clock: Arc<dyn Clock>) -> Self {
        Self { trust, clock, kept: Mutex::new(Generations::new(MAX_KNOWN)) }
    }

    /// What must be archived with something that this certificate signed.
    pub fn needed(&self, signer: &VerifiedCertificate) -> Needed {
        let day = self.clock.now_us().div_euclid(AGAIN_US);
        let name = name(day, [&signer.fingerprint].into_iter().chain(&signer.crls));
        if self.is_kept(&name) {
            return Needed { items: Arc::default(), names: Vec::new() };
        }
        let chain: Vec<[u8; 32]> = signer.chain.iter().map(|der| sha256(der)).collect();
        let mut items: Vec<Archived> = signer
            .chain
            .iter()
            .zip(&chain)
            .enumerate()
            .map(|(place, (der, fingerprint))| Archived {
                fingerprint: *fingerprint,
                kind: "certificate",
                der: der.as_slice().into(),
                chain: chain[place..].to_vec(),
            })
            .collect();
        let trust = self.trust.current();
        let mut names = vec![name];
        for fingerprint in &signer.crls {
            let of_list = self::name(day, [fingerprint]);
            if self.is_kept(&of_list) {
                continue;
            }
            if let Some(der) = trust.crl_der(fingerprint) {
                items.push(Archived { fingerprint: *fingerprint, kind: "crl", der, chain: Vec::new() });
                names.push(of_list);
            } else {
                // The trust store was reloaded since: the next one brings the newer CRL.
                names.clear();
                break;
            }
        }
        Needed { items: Arc::new(items), names }
    }

    fn is_kept(&self, name: &[u8; 32]) -> bool {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(name).is_some()
    }

    /// Something was committed, and with it what [`Archivist::needed`] had named.
    pub fn committed(&self, needed: &Needed) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for name in &needed.names {
            kept.put(*name, ());
        }
    }
}

/// A signer and the CRLs that it was checked against, or one CRL, on a day.
fn name<'f>(day: i64, of: impl IntoIterator<Item = &'f [u8; 32]>) -> [u8; 32] {
    let mut text = day.to_be_bytes().to_vec();
    text.extend(of.into_iter().flatten());
    sha256(&text)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use tasuki_certs::profile::Identity;
    use tasuki_certs::trial_ca::TrialCa;

    use super::*;
    use crate::clock::HandClock;
    use crate::config::TrustConfig;

    #[test]
    fn what_was_committed_is_handed_over_again_the_next_day() {
        const NOW_US: i64 = 20_000 * AGAIN_US;
        let folder = tempfile::tempdir().unwrap();
        let anchor = folder.path().join("ca.pem");
        std::fs::write(&anchor, TrialCa::create("test", NOW_US).unwrap().cert_pem().unwrap()).unwrap();
        let text = format!("anchors = [{anchor:?}]\ncrls = []\n");
        let trust = Trust::load(&toml::from_str::<TrustConfig>(&text).unwrap()).unwrap();
        let signer = VerifiedCertificate {
            der: vec![1],
            fingerprint: sha256(&[1]),
            identity: Identity::Office { number: "1371215102".to_owned() },
            spki_der: Vec::new(),
            not_before_us: 0,
            not_after_us: i64::MAX,
            valid_from_us: 0,
            valid_until_us: i64::MAX,
            chain: vec![vec![1], vec![2]],
            crls: Vec::new(),
            may_encrypt: true,
            warnings: Vec::new(),
        };
        let clock = Arc::new(HandClock(AtomicI64::new(NOW_US)));
        let archivist = Archivist::new(trust, Arc::clone(&clock) as Arc<dyn Clock>);
        let handed_over = || archivist.needed(&signer).items.len();
        let needed = archivist.needed(&signer);
        assert_eq!((needed.items.len(), handed_over()), (2, 2), "nothing was committed yet");
        archivist.committed(&needed);
        clock.0.store(NOW_US + AGAIN_US - 1, Ordering::SeqCst);
        assert_eq!(handed_over(), 0);
        clock.0.store(NOW_US + AGAIN_US, Ordering::SeqCst);
        assert_eq!(handed_over(), 2);
        // What began yesterday and was committed today says nothing of today.
        archivist.committed(&needed);
        assert_eq!(handed_over(), 2);
    }
}
