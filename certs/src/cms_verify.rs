//! Verifying a parcel's or statement's signature: CMS `SignedData`, CAdES baseline B-B.
//!
//! The walk is our own (strict DER, one signer, no certificate parsing for a signer that is known), the signature
//! check is ring's, the chain is the trust store's. Tests hold it against OpenSSL's own verification: whatever is
//! accepted here, OpenSSL accepts too (given the same chain: it does not search among several paths as we do).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use openssl::error::ErrorStack;
use openssl::x509::X509;

use crate::certificate_ids::{CertificateIds, NotACertificate};
use crate::cms_verify_attributes::EssCertId;
use crate::cms_verify_walk::{self, SignedData, SignerId};
use crate::error::{CertError, Position};
use crate::identity::sha256;
use crate::primitives::Failed;
use crate::primitives::signature::VerifyingKey;
use crate::revocation::Moment;
use crate::signature_error::SignatureError;
use crate::signer_cache::{KnownSigner, SignerCache};
use crate::trust::{CurrentTrust, Purpose, TrustStore, VerifiedCertificate};

/// Signers that are remembered where nothing else is configured: about 6 KiB each, 24 MiB in all.
pub const DEFAULT_KNOWN_SIGNERS: usize = 4096;

/// A signature that verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedSignature<'a> {
    /// The signer's certificate, verified as of the time asked for.
    pub signer: Arc<VerifiedCertificate>,
    /// The content, where the signature carries it.
    pub content: Option<&'a [u8]>,
    /// What the signer claims as the time of signing, Unix microseconds. Nobody vouches for it.
    pub signing_time_us: i64,
    /// Whether the signer was known, so that no certificate had to be parsed.
    pub cached: bool,
}

/// Verifies signatures and remembers their signers. Shared between threads.
pub struct SignatureVerifier {
    trust: Box<dyn CurrentTrust>,
    cache: SignerCache,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl SignatureVerifier {
    /// A verifier that asks `trust` for the current snapshot each time, with room for [`DEFAULT_KNOWN_SIGNERS`].
    pub fn new(trust: impl CurrentTrust + 'static) -> Self {
        Self::with_capacity(trust, DEFAULT_KNOWN_SIGNERS)
    }

    /// A verifier that remembers at most `known_signers` signers (at least 2).
    pub fn with_capacity(trust: impl CurrentTrust + 'static, known_signers: usize) -> Self {
        Self {
            trust: Box::new(trust),
            cache: SignerCache::new(known_signers),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// Verifies `cms_der` as of `at_us` (Unix microseconds), over `content` if given, else over what it carries.
    ///
    /// Looked at in this order, the first fault being the error: the form, the content against the signed digest, the
    /// signer's certificate, the signature. A signer is remembered only once a signature of theirs has verified, so
    /// that nobody can fill the memory with other people's certificates.
    pub fn verify<'a>(
        &self,
        cms_der: &'a [u8],
        content: Option<&[u8]>,
        at_us: i64,
    ) -> Result<VerifiedSignature<'a>, SignatureError> {
        self.verify_as_of(cms_der, content, at_us, at_us)
    }

    /// [`SignatureVerifier::verify`] about an earlier time: was the signer's certificate good at `at_us`, as far as is
    /// known at `known_us` (both Unix microseconds)? See [`TrustStore::verify_as_of`].
    ///
    /// Known signers are known as of one time only: where `known_us` is later than `at_us`, nobody is known, and nobody
    /// is remembered.
    pub fn verify_as_of<'a>(
        &self,
        cms_der: &'a [u8],
        content: Option<&[u8]>,
        at_us: i64,
        known_us: i64,
    ) -> Result<VerifiedSignature<'a>, SignatureError> {
        let moment = Moment { at_us, known_us: known_us.max(at_us) };
        let parts = SignedData::walk(cms_der)?;
        let bytes = match (content, parts.content) {
            (Some(given), None) => given,
            (None, Some(carried)) => carried,
            (Some(_), Some(_)) => return Err(SignatureError::NotDetached),
            (None, None) => return Err(SignatureError::NoContent),
        };
        if parts.hash.of(bytes).as_ref() != parts.attributes.message_digest {
            return Err(SignatureError::DigestMismatch);
        }

        let trust = self.trust.current();
        let key = sha256(parts.certificates);
        let is_of_one_time = moment.known_us == moment.at_us;
        let (sid, ess) = (parts.signer.raw, parts.attributes.ess.raw);
        let known = is_of_one_time.then(|| self.cache.find(&trust, &key, sid, ess, at_us)).flatten();
        let cached = known.is_some();
        let signer = match known {
            Some(signer) => signer,
            None => Arc::new(learn(&trust, &parts, moment)?),
        };
        let counter = if cached { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);

        if !signer.key.allows(parts.scheme) {
            return Err(SignatureError::Algorithm);
        }
        signer
            .key
            .verify(parts.scheme, &parts.attributes.signed_bytes(), parts.signature)
            .map_err(|_: Failed| SignatureError::BadSignature)?;
        if !cached && is_of_one_time {
            self.cache.put(&trust, key, Arc::clone(&signer));
        }
        Ok(VerifiedSignature {
            signer: Arc::clone(&signer.certificate),
            content: parts.content,
            signing_time_us: parts.attributes.signing_time_us,
            cached,
        })
    }

    /// Forgets every known signer: an office's standing changed. (A changed trust store is noticed by itself.)
    pub fn forget_all(&self) {
        self.cache.clear();
    }

    /// How often a signer was known, and how often one had to be verified (successfully), since the start.
    pub fn stats(&self) -> (u64, u64) {
        (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed))
    }

    /// How many signers are known now.
    pub fn known_signers(&self) -> usize {
        self.cache.len()
    }
}

impl fmt::Debug for SignatureVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignatureVerifier").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl SignerId<'_> {
    /// Whether it names this certificate.
    fn names(&self, ids: &CertificateIds) -> bool {
        match self.key_id {
            None => ids.issuer_and_serial == self.raw,
            Some(key_id) => ids.key_id.as_deref() == Some(key_id),
        }
    }
}

/// Finds the signer's certificate among the embedded ones and verifies it.
fn learn(trust: &TrustStore, parts: &SignedData<'_>, moment: Moment) -> Result<KnownSigner, SignatureError> {
    let embedded = cms_verify_walk::certificates(parts.certificates)?;
    let mut own = None;
    for (index, der) in embedded.iter().enumerate() {
        // The chain is built without those that cannot be read; but nobody has a reason to send such, and a verifier
        // that reads the signature with OpenSSL would refuse it for them. So they are read its way too.
        X509::from_der(der).map_err(|_: ErrorStack| SignatureError::Malformed("certificates"))?;
        let ids = CertificateIds::read(der)
            .map_err(|_: NotACertificate| SignatureError::Malformed("certificates"))?;
        if parts.signer.names(&ids) && own.replace((index, ids)).is_some() {
            return Err(SignatureError::SignerAmbiguous);
        }
    }
    let (index, ids) = own.ok_or(SignatureError::SignerNotEmbedded)?;
    if !parts.attributes.ess.is_of(embedded[index], &ids) {
        return Err(SignatureError::EssMismatch);
    }
    let others: Vec<&[u8]> =
        embedded.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, der)| *der).collect();
    let certificate =
        trust.verify_as_of(embedded[index], &others, Purpose::Sign, moment.at_us, moment.known_us)?;
    let key = VerifyingKey::from_spki(&certificate.spki_der)
        .map_err(|_: Failed| CertError::UnsupportedKey(Position::LEAF))?;
    Ok(KnownSigner {
        signer_id: parts.signer.raw.to_vec(),
        ess: parts.attributes.ess.raw.to_vec(),
        certificate: Arc::new(certificate),
        key,
    })
}

impl EssCertId<'_> {
    /// Whether it names this certificate.
    fn is_of(&self, der: &[u8], ids: &CertificateIds) -> bool {
        self.hash.of(der).as_ref() == self.certificate_hash
            && self.issuer_serial.is_none_or(|(issuer, serial)| issuer == ids.issuer && serial == ids.serial)
    }
}
