//! What the HOME trusts about other offices: anchors, revocation lists, profile; and the verifier made of them.

use std::sync::{Arc, PoisonError, RwLock};

use tasuki_certs::cms_verify::SignatureVerifier;
use tasuki_certs::profile::CertificateProfile;
use tasuki_certs::trust::{CurrentTrust, TrustMaterial, TrustStore};
use tasuki_proto::event::sha256;
use tasuki_proto::limits::MAX_CRL_BYTES;

use crate::crls::file_name;
use crate::error::{ConfigError, SdkError};
use crate::files::{self, Access};
use crate::home::{ANCHORS, CRLS, Home, PROFILE, read_profile};
use crate::pem;

/// Revocation lists that are kept: several issuers, and some older lists of each.
const MAX_CRLS: usize = 64;

/// Bytes of the lists that are kept, two of the largest: every command reads them all, in about 30 ms a megabyte.
const MAX_CRLS_BYTES: u64 = 2 * MAX_CRL_BYTES as u64;

/// Verifies other offices' signatures with what the HOME trusts.
#[derive(Debug)]
pub(crate) struct Trust {
    store: Holder,
    verifier: SignatureVerifier,
}

/// The current trust store; replaced when revocation lists arrive.
#[derive(Clone, Debug)]
struct Holder(Arc<RwLock<Arc<TrustStore>>>);

impl CurrentTrust for Holder {
    fn current(&self) -> Arc<TrustStore> {
        // The value is replaced whole: a panic elsewhere leaves nothing half written.
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Trust {
    /// Reads anchors, revocation lists and profile of a HOME.
    pub(crate) fn load(home: &Home) -> Result<Self, SdkError> {
        let store = Holder(Arc::new(RwLock::new(Arc::new(read(home)?))));
        Ok(Self { verifier: SignatureVerifier::new(store.clone()), store })
    }

    /// What is trusted now.
    pub(crate) fn store(&self) -> Arc<TrustStore> {
        self.store.current()
    }

    /// Verifies other offices' signatures.
    pub(crate) fn verifier(&self) -> &SignatureVerifier {
        &self.verifier
    }

    /// Keeps revocation lists that the relay handed on, and uses them from now on. Each is signed by its issuer, so
    /// that a relay can't make one up; one that can't be read is passed over. Older ones stay: a relay can't make a
    /// revocation forgotten by handing on an older list.
    pub(crate) fn keep_crls<B: AsRef<[u8]>>(&self, home: &Home, crls: &[B]) -> Result<(), SdkError> {
        let folder = home.path(CRLS);
        let mut changed = false;
        for crl in crls.iter().map(AsRef::as_ref).take(MAX_CRLS) {
            let path = folder.join(file_name(&sha256(crl)));
            if path.exists() {
                continue;
            }
            if crl.len() > MAX_CRL_BYTES || !is_crl(home, crl)? {
                tracing::warn!("the relay handed on a revocation list that can't be read; it is passed over");
                continue;
            }
            files::write_durably(&path, crl, Access::Owner)?;
            changed = true;
        }
        if changed {
            drop_oldest(home)?;
            let store = Arc::new(read(home)?);
            *self.store.0.write().unwrap_or_else(PoisonError::into_inner) = store;
        }
        Ok(())
    }
}

/// The trust anchors (DER).
pub(crate) fn anchors(home: &Home) -> Result<Vec<Vec<u8>>, SdkError> {
    pem::read_certificates(&home.path(ANCHORS))
}

fn material(home: &Home, crls: Vec<Vec<u8>>) -> Result<TrustMaterial, SdkError> {
    let profile = home.path(PROFILE);
    let profile = if profile.exists() { read_profile(&profile)?.1 } else { CertificateProfile::default() };
    let policy = home.config().revocation.clone();
    Ok(TrustMaterial { anchors: anchors(home)?, crls, profile, policy, ..TrustMaterial::default() })
}

fn read(home: &Home) -> Result<TrustStore, SdkError> {
    let folder = home.path(CRLS);
    let mut crls = Vec::new();
    for name in files::list(&folder)? {
        crls.push(files::read(&folder.join(name))?);
    }
    let store = TrustStore::new(material(home, crls)?);
    store.map_err(|e| ConfigError::Trust(e.to_string()).into())
}

/// Whether the bytes are a revocation list at all; who signed it is looked at whenever it is used.
fn is_crl(home: &Home, crl: &[u8]) -> Result<bool, SdkError> {
    Ok(TrustStore::new(material(home, vec![crl.to_vec()])?).is_ok())
}

/// Removes the lists that arrived first, beyond [`MAX_CRLS`] and [`MAX_CRLS_BYTES`].
fn drop_oldest(home: &Home) -> Result<(), SdkError> {
    let folder = home.path(CRLS);
    let mut by_age = Vec::new();
    for name in files::list(&folder)? {
        let path = folder.join(name);
        let metadata = std::fs::metadata(&path);
        let found = metadata.and_then(|m| Ok((m.modified()?, m.len())));
        let (modified, bytes) = found.map_err(|e| SdkError::io(&path, &e))?;
        by_age.push((modified, path, bytes));
    }
    by_age.sort_unstable();
    let mut kept = 0;
    let fits = by_age.iter().rev().take(MAX_CRLS).take_while(|(_, _, bytes)| {
        kept += bytes;
        kept <= MAX_CRLS_BYTES
    });
    let surplus = by_age.len() - fits.count();
    by_age.iter().take(surplus).try_for_each(|(_, path, _)| files::remove(path))
}
