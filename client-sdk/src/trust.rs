//! What the HOME trusts about other offices: anchors, revocation lists, profile; and the verifier made of them.

mod room;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use tasuki_certs::cms_verify::SignatureVerifier;
use tasuki_certs::handover::{Handover, MAX_HANDOVERS};
use tasuki_certs::profile::CertificateProfile;
use tasuki_certs::trust::{CurrentTrust, TrustMaterial, TrustStore, is_revocation_list};
use tasuki_proto::ca_roll;
use tasuki_proto::event::sha256;
use tasuki_proto::limits::MAX_CRL_BYTES;

use crate::crls::file_name;
use crate::error::{ConfigError, SdkError};
use crate::files::{self, Access};
use crate::home::{ANCHORS, CA_ROLLS, CRLS, Home, PROFILE, read_profile};
use crate::pem;
use room::MAX_CRLS;

pub(crate) use room::MAX_CRLS_BYTES;

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
        let crls = kept(home)?.into_iter().map(|list| list.der).collect();
        let store = Holder(Arc::new(RwLock::new(Arc::new(store(home, crls)?))));
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

    /// A revocation list that an answer of the verifier names (DER).
    pub(crate) fn crl(&self, fingerprint: &[u8; 32]) -> Option<Arc<[u8]>> {
        self.store.current().crl_der(fingerprint)
    }

    /// SHA-256 of the CAs that the HOME knows of having taken another's place.
    pub(crate) fn known_rolls(home: &Home) -> Result<Vec<Bytes>, SdkError> {
        let known = handovers(&home.path(CA_ROLLS))?;
        Ok(known.iter().map(|one| Bytes::from(sha256(&one.next).to_vec())).collect())
    }

    /// Keeps handovers of CAs that the relay's log is proven to tell of, and follows them from now on: as far as they begin or end at
    /// an anchor of this HOME, no further.
    pub(crate) fn follow(&self, home: &Home, told: Vec<Handover>) -> Result<(), SdkError> {
        let path = home.path(CA_ROLLS);
        let mut all = handovers(&path)?;
        let before = all.len();
        for one in told {
            if all.len() < MAX_HANDOVERS && all.iter().all(|known| known.next != one.next) {
                tracing::warn!(
                    emergency = one.withdrawn_us.is_some(),
                    "the relay's issuing CA goes on under a new key"
                );
                all.push(one);
            }
        }
        if all.len() > before {
            let lines: Vec<String> = all.iter().map(ca_roll::line).collect();
            files::write_durably(&path, (lines.join("\n") + "\n").as_bytes(), Access::Owner)?;
            let crls = kept(home)?.into_iter().map(|list| list.der).collect();
            let store = Arc::new(store(home, crls)?);
            *self.store.0.write().unwrap_or_else(PoisonError::into_inner) = store;
        }
        Ok(())
    }

    /// Keeps revocation lists that the relay handed on, and uses them from now on. One that can't be read is passed
    /// over. A relay can't make up a list, for each is signed by its issuer; nor make a revocation forgotten, neither
    /// by an older list, for older ones stand beside the newer, nor by many others: see [`room`].
    pub(crate) fn keep_crls<B: AsRef<[u8]>>(
        &self,
        home: &Home,
        crls: &[B],
        now_us: i64,
    ) -> Result<(), SdkError> {
        let mut lists = kept(home)?;
        let before = lists.len();
        for crl in crls.iter().map(AsRef::as_ref).take(MAX_CRLS) {
            let name = file_name(&sha256(crl));
            if lists.iter().any(|list| list.name == name) {
                continue;
            }
            if crl.len() > MAX_CRL_BYTES || !is_revocation_list(crl) {
                tracing::warn!("the relay handed on a revocation list that can't be read; it is passed over");
                continue;
            }
            lists.push(List { name, der: crl.to_vec() });
        }
        if lists.len() == before {
            return Ok(());
        }
        let all = store(home, lists.iter().map(|list| list.der.clone()).collect())?;
        let ranked =
            all.ranked_crls(now_us).into_iter().zip(&lists).map(|(rank, list)| (rank, list.der.len()));
        let stays = room::staying(&ranked.collect::<Vec<_>>());
        let folder = home.path(CRLS);
        // What is new is durable before anything goes for it.
        for (list, _) in lists.iter().zip(&stays).skip(before).filter(|(_, stays)| **stays) {
            files::write_durably(&folder.join(&list.name), &list.der, Access::Owner)?;
        }
        for (list, _) in lists.iter().zip(&stays).take(before).filter(|(_, stays)| !**stays) {
            files::remove(&folder.join(&list.name))?;
        }
        let left = if stays.contains(&false) {
            let left = lists.into_iter().zip(&stays).filter(|(_, stays)| **stays);
            store(home, left.map(|(list, _)| list.der).collect())?
        } else {
            all
        };
        *self.store.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(left);
        Ok(())
    }
}

/// A revocation list of the HOME.
struct List {
    name: String,
    der: Vec<u8>,
}

/// The lists of the HOME, in the order in which they came.
fn kept(home: &Home) -> Result<Vec<List>, SdkError> {
    let folder = home.path(CRLS);
    let mut lists = Vec::new();
    for name in files::list(&folder)? {
        let path = folder.join(&name);
        let modified = std::fs::metadata(&path).and_then(|metadata| metadata.modified());
        let modified = modified.map_err(|e| SdkError::io(&path, &e))?;
        lists.push((modified, List { der: files::read(&path)?, name }));
    }
    lists.sort_by(|(a, one), (b, other)| (a, &one.name).cmp(&(b, &other.name)));
    Ok(lists.into_iter().map(|(_, list)| list).collect())
}

/// The handovers of CAs that a HOME's folder knows of.
pub(crate) fn handovers(path: &Path) -> Result<Vec<Handover>, SdkError> {
    let Some(text) = files::read_if_exists(path)? else { return Ok(Vec::new()) };
    // A line of a later version is passed over, as what can't be followed is.
    Ok(String::from_utf8_lossy(&text).lines().filter_map(ca_roll::from_line).collect())
}

/// The trust anchors (DER) that the HOME was made with.
fn anchors(home: &Home) -> Result<Vec<Vec<u8>>, SdkError> {
    pem::read_certificates(&home.path(ANCHORS))
}

/// CA certificates above the own one: the other offices' CA is usually the same.
fn intermediates(home: &Home) -> Vec<Vec<u8>> {
    home.identity().chain_der().iter().filter(|der| is_ca(der)).cloned().collect()
}

/// Whether a certificate (DER) is a CA's.
pub(crate) fn is_ca(der: &[u8]) -> bool {
    let material = TrustMaterial { anchors: vec![der.to_vec()], ..TrustMaterial::default() };
    TrustStore::new(material).is_ok()
}

fn store(home: &Home, crls: Vec<Vec<u8>>) -> Result<TrustStore, SdkError> {
    let store = TrustStore::new(material(home, crls)?);
    store.map_err(|e| ConfigError::Trust(e.to_string()).into())
}

fn material(home: &Home, crls: Vec<Vec<u8>>) -> Result<TrustMaterial, SdkError> {
    let profile = home.path(PROFILE);
    let profile = if profile.exists() { read_profile(&profile)?.1 } else { CertificateProfile::default() };
    let policy = home.config().revocation.clone();
    let (anchors, intermediates) = (anchors(home)?, intermediates(home));
    let handovers = handovers(&home.path(CA_ROLLS))?;
    Ok(TrustMaterial { anchors, intermediates, handovers, crls, profile, policy, ..TrustMaterial::default() })
}
