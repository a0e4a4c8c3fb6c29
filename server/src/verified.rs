//! Certificates of the directory that were verified before. The directory is read anew whenever any office or key changes; what it says
//! of the others is the same as before, and so are the chains of their certificates.
//!
//! An answer serves only with the very snapshot of the trust store that gave it, and only for the times for which the chain was
//! verified. Refusals are not remembered: the next answer of a responder may lift them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tasuki_certs::cms_verify::{SignatureVerifier, VerifiedSignature};
use tasuki_certs::profile::Identity;
use tasuki_certs::recipient::Recipient;
use tasuki_certs::signature_error::SignatureError;
use tasuki_certs::trust::{Purpose, TrustStore};
use tasuki_proto::event::sha256;

use crate::cache::Generations;

/// What is needed of a certificate that verified.
#[derive(Debug)]
pub(crate) struct Good {
    /// Whose it is.
    pub(crate) identity: Identity,
    /// SHA-256 of it.
    pub(crate) fingerprint: [u8; 32],
    /// Ready for sealing, where its usage and its key allow that.
    pub(crate) recipient: Option<Recipient>,
    /// End of its validity, Unix microseconds.
    pub(crate) not_after_us: i64,
    /// From when on the chain is known to be good, Unix microseconds.
    valid_from_us: i64,
    /// Until when, Unix microseconds.
    pub(crate) valid_until_us: i64,
}

impl Good {
    fn verify(der: &[u8], trust: &TrustStore, purpose: Purpose, now_us: i64) -> Result<Self, &'static str> {
        let verified = trust.verify(der, &[], purpose, now_us).map_err(|error| error.code())?;
        let recipient = if verified.may_encrypt { Recipient::from_certificate(der).ok() } else { None };
        Ok(Self {
            identity: verified.identity,
            fingerprint: verified.fingerprint,
            recipient,
            not_after_us: verified.not_after_us,
            valid_from_us: verified.valid_from_us,
            valid_until_us: verified.valid_until_us,
        })
    }
}

/// The memory, about 2 KB for each certificate.
#[derive(Debug)]
pub(crate) struct Verified(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    /// The snapshot that every answer was made with.
    trust: Option<Arc<TrustStore>>,
    known: Generations<([u8; 32], Purpose), Arc<Good>>,
}

impl Verified {
    /// Remembers at most so many certificates.
    pub(crate) fn new(bound: usize) -> Self {
        Self(Mutex::new(Inner { trust: None, known: Generations::new(bound) }))
    }

    fn find(&self, trust: &Arc<TrustStore>, key: &([u8; 32], Purpose), now_us: i64) -> Option<Arc<Good>> {
        let mut inner = self.lock();
        if !inner.trust.as_ref().is_some_and(|held| Arc::ptr_eq(held, trust)) {
            inner.trust = Some(Arc::clone(trust));
            inner.known.clear();
        }
        inner.known.get(key).filter(|good| (good.valid_from_us..=good.valid_until_us).contains(&now_us))
    }

    fn put(&self, trust: &Arc<TrustStore>, key: ([u8; 32], Purpose), good: Arc<Good>) {
        let mut inner = self.lock();
        // The snapshot may have changed meanwhile: then the answer is already old.
        if inner.trust.as_ref().is_some_and(|held| Arc::ptr_eq(held, trust)) {
            inner.known.put(key, good);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every step leaves the map whole: a panic elsewhere can't leave it half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Judges certificates and signatures at one moment, with one snapshot of the trust store. No work for the threads that serve the network.
#[derive(Clone, Debug)]
pub(crate) struct Judge {
    pub(crate) verifier: Arc<SignatureVerifier>,
    pub(crate) verified: Arc<Verified>,
    pub(crate) trust: Arc<TrustStore>,
    /// Unix microseconds.
    pub(crate) now_us: i64,
}

impl Judge {
    /// A certificate, DER, without others beside it. The error is the stable word of why it is not good.
    pub(crate) fn certificate(&self, der: &[u8], purpose: Purpose) -> Result<Arc<Good>, &'static str> {
        let key = (sha256(der), purpose);
        if let Some(good) = self.verified.find(&self.trust, &key, self.now_us) {
            return Ok(good);
        }
        let good = Arc::new(Good::verify(der, &self.trust, purpose, self.now_us)?);
        self.verified.put(&self.trust, key, Arc::clone(&good));
        Ok(good)
    }

    /// A signature over what it carries.
    pub(crate) fn signature<'c>(&self, cms: &'c [u8]) -> Result<VerifiedSignature<'c>, SignatureError> {
        self.verifier.verify(cms, None, self.now_us)
    }
}

#[cfg(test)]
mod tests {
    use tasuki_certs::trial_ca::{IssueOptions, Revocation, RevocationReason, TrialCa};
    use tasuki_certs::trust::TrustMaterial;

    use super::*;

    const HOUR_US: i64 = 3_600 * 1_000_000;
    const SERIAL: &[u8] = &[0x12, 0x34, 0x56, 0x78];

    struct Scene {
        ca: TrialCa,
        office: Vec<u8>,
        now_us: i64,
    }

    impl Scene {
        fn new() -> Self {
            let now_us = 1_795_000_000_000_000;
            let ca = TrialCa::create("CA", now_us - HOUR_US).unwrap();
            let options = IssueOptions { serial: Some(SERIAL.to_vec()), ..IssueOptions::new(now_us) };
            let office = ca.issue_office("1371215102", "A", &options).unwrap().cert_der;
            Self { ca, office, now_us }
        }

        fn trust(&self, revoked: bool) -> Arc<TrustStore> {
            let entry = Revocation::new(SERIAL, self.now_us - HOUR_US, RevocationReason::KeyCompromise);
            let list = if revoked { vec![entry] } else { Vec::new() };
            let crl = self.ca.crl(&list, 1, self.now_us - 1_000_000, self.now_us + HOUR_US).unwrap();
            let anchors = vec![self.ca.cert_der().unwrap()];
            let material = TrustMaterial { anchors, crls: vec![crl], ..TrustMaterial::default() };
            Arc::new(TrustStore::new(material).unwrap())
        }
    }

    fn judge(verified: &Arc<Verified>, trust: &Arc<TrustStore>, now_us: i64) -> Judge {
        Judge {
            verifier: Arc::new(SignatureVerifier::new(Arc::clone(trust))),
            verified: Arc::clone(verified),
            trust: Arc::clone(trust),
            now_us,
        }
    }

    #[test]
    fn an_answer_serves_with_its_snapshot_its_purpose_and_its_time() {
        let scene = Scene::new();
        let verified = Arc::new(Verified::new(8));
        let trust = scene.trust(false);
        let now = judge(&verified, &trust, scene.now_us);
        let first = now.certificate(&scene.office, Purpose::Seal).unwrap();
        assert!(first.recipient.is_some());
        assert!(Arc::ptr_eq(&first, &now.certificate(&scene.office, Purpose::Seal).unwrap()));
        let client = now.certificate(&scene.office, Purpose::TlsClient).unwrap();
        assert!(!Arc::ptr_eq(&first, &client));
        // The list that says so ends.
        let later = judge(&verified, &trust, first.valid_until_us + 1);
        assert!(later.certificate(&scene.office, Purpose::Seal).is_err());
        let again = now.certificate(&scene.office, Purpose::Seal).unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        // Another snapshot knows more.
        let revoking = judge(&verified, &scene.trust(true), scene.now_us);
        let refused = revoking.certificate(&scene.office, Purpose::Seal).err();
        assert_eq!(refused, Some("CERTIFICATE_REVOKED"));
        // Whoever still works with the one before does not bring its answers back.
        assert!(now.certificate(&scene.office, Purpose::Seal).is_ok());
        assert!(revoking.certificate(&scene.office, Purpose::Seal).is_err());
    }
}
