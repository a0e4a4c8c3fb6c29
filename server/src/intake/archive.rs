//! Certificates and CRLs for the archive: what evidence needs later, handed to the committer once.

use std::sync::{Arc, Mutex, PoisonError};

use tasuki_certs::trust::{CurrentTrust, VerifiedCertificate};
use tasuki_proto::event::sha256;

use crate::cache::Generations;
use crate::store::archive::Archived;
use crate::trust::Trust;

/// Signers and CRLs that are known to be archived, 32 bytes each.
const MAX_KNOWN: usize = 65_536;

/// Knows what need not be archived again.
///
/// That a signer's certificate was verified before is not enough: the parcel that it came with may have been
/// refused, and then nothing of it was kept. Only a commit counts.
#[derive(Debug)]
pub struct Archivist {
    trust: Trust,
    kept: Mutex<Generations<[u8; 32], ()>>,
}

/// What must be archived with one change.
#[derive(Clone, Debug)]
pub struct Needed {
    /// Certificates and CRLs; empty if they are known to be there.
    pub items: Arc<Vec<Archived>>,
    /// What is known once they are there: the signer with its CRLs, and each CRL.
    names: Vec<[u8; 32]>,
}

impl Archivist {
    /// Takes CRLs from this trust store.
    pub fn new(trust: Trust) -> Self {
        Self { trust, kept: Mutex::new(Generations::new(MAX_KNOWN)) }
    }

    /// What must be archived with something that this certificate signed.
    pub fn needed(&self, signer: &VerifiedCertificate) -> Needed {
        let name = name(signer);
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
        for fingerprint in signer.crls.iter().filter(|fingerprint| !self.is_kept(fingerprint)) {
            if let Some(der) = trust.crl_der(fingerprint) {
                items.push(Archived { fingerprint: *fingerprint, kind: "crl", der, chain: Vec::new() });
                names.push(*fingerprint);
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

/// A signer, and the CRLs that it was checked against.
fn name(signer: &VerifiedCertificate) -> [u8; 32] {
    let mut text = signer.fingerprint.to_vec();
    text.extend(signer.crls.iter().flatten());
    sha256(&text)
}
