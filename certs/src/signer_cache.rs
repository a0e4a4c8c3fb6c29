//! Signers that were verified before, so that a parcel costs one signature check and no certificate parsing.
//!
//! An answer is found by the SHA-256 of the whole `certificates` field and serves only if the signer's name and the
//! signed ESS certificate identifier are byte for byte those it was made for, only for times in the interval for
//! which the chain was verified, and only as long as the trust store is the same snapshot.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::primitives::signature::VerifyingKey;
use crate::trust::{TrustStore, VerifiedCertificate};

/// SHA-256 of a `certificates` field.
pub(crate) type CacheKey = [u8; 32];

/// A signer whose certificate was verified.
#[derive(Debug)]
pub(crate) struct KnownSigner {
    /// `SignerInfo.sid`, as its bytes stood there.
    pub(crate) signer_id: Vec<u8>,
    /// The signed `ESSCertIDv2`, whose hash was that of the certificate.
    pub(crate) ess: Vec<u8>,
    /// The certificate, as the trust store verified it.
    pub(crate) certificate: Arc<VerifiedCertificate>,
    /// Its key.
    pub(crate) key: VerifyingKey,
}

impl KnownSigner {
    /// Whether the answer is for this signature and holds at `at_us`, with what is known then.
    fn serves(&self, signer_id: &[u8], ess: &[u8], at_us: i64) -> bool {
        self.signer_id == signer_id
            && self.ess == ess
            && (self.certificate.valid_from_us..=self.certificate.valid_until_us).contains(&at_us)
    }
}

/// A bounded map in two generations: what is asked for moves to the younger one, and when that is half of the whole,
/// the older one is forgotten. Close to least-recently-used, without a list to keep.
#[derive(Debug)]
pub(crate) struct SignerCache {
    half: usize,
    inner: Mutex<Generations>,
}

#[derive(Debug, Default)]
struct Generations {
    /// The snapshot that every answer was made with.
    trust: Option<Arc<TrustStore>>,
    young: HashMap<CacheKey, Arc<KnownSigner>>,
    old: HashMap<CacheKey, Arc<KnownSigner>>,
}

impl Generations {
    fn follow(&mut self, trust: &Arc<TrustStore>) {
        let same = self.trust.as_ref().is_some_and(|held| Arc::ptr_eq(held, trust));
        if !same {
            *self = Self { trust: Some(Arc::clone(trust)), ..Self::default() };
        }
    }

    fn put(&mut self, key: CacheKey, signer: Arc<KnownSigner>, half: usize) {
        if self.young.len() >= half && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, signer);
    }
}

impl SignerCache {
    /// A cache for at most `capacity` signers, at least 2.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { half: (capacity / 2).max(1), inner: Mutex::default() }
    }

    /// The signer that was verified with this very snapshot, if it serves.
    pub(crate) fn find(
        &self,
        trust: &Arc<TrustStore>,
        key: &CacheKey,
        signer_id: &[u8],
        ess: &[u8],
        at_us: i64,
    ) -> Option<Arc<KnownSigner>> {
        let mut inner = self.lock();
        inner.follow(trust);
        if let Some(signer) = inner.young.get(key) {
            return signer.serves(signer_id, ess, at_us).then(|| Arc::clone(signer));
        }
        let signer = inner.old.remove(key)?;
        let serves = signer.serves(signer_id, ess, at_us);
        inner.put(*key, Arc::clone(&signer), self.half);
        serves.then_some(signer)
    }

    /// Remembers a signer that was verified with this snapshot; one that stood there under the same key goes.
    pub(crate) fn put(&self, trust: &Arc<TrustStore>, key: CacheKey, signer: Arc<KnownSigner>) {
        let mut inner = self.lock();
        // The snapshot may have changed while the signer was being verified: then the answer is already old.
        if inner.trust.as_ref().is_some_and(|held| Arc::ptr_eq(held, trust)) {
            inner.put(key, signer, self.half);
        }
    }

    /// Forgets all signers.
    pub(crate) fn clear(&self) {
        *self.lock() = Generations::default();
    }

    /// How many signers are known.
    pub(crate) fn len(&self) -> usize {
        let inner = self.lock();
        inner.young.len() + inner.old.len()
    }

    fn lock(&self) -> MutexGuard<'_, Generations> {
        // Every step leaves the maps whole, so that a panic elsewhere while the lock was held does no harm.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
