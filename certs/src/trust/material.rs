//! What a trust store is made of.

use ring::digest::{Context, SHA256};

use crate::certificate::Certificate;
use crate::error::{CertError, CrlFault, Position};
use crate::handover::Handover;
use crate::profile::CertificateProfile;
use crate::revocation::RevocationPolicy;

/// The default of [`TrustMaterial::max_intermediates`]: twice what hierarchies have.
pub const DEFAULT_MAX_INTERMEDIATES: u8 = 6;

/// What a [`TrustStore`](super::TrustStore) is made of.
#[derive(Debug, Clone)]
pub struct TrustMaterial {
    /// Trust anchors, DER: CA certificates, self-signed or not.
    pub anchors: Vec<Vec<u8>>,
    /// Intermediate CA certificates, DER.
    pub intermediates: Vec<Vec<u8>>,
    /// CAs that handed over to others: what is an anchor beside those above, or not any more.
    pub handovers: Vec<Handover>,
    /// CRLs, DER. Several of one issuer may stand side by side. Answers of OCSP responders, DER, may be among them, as
    /// evidence has them.
    pub crls: Vec<Vec<u8>>,
    /// Where a certificate says whose it is.
    pub profile: CertificateProfile,
    /// How revocation is decided.
    pub policy: RevocationPolicy,
    /// How it is decided below some of the anchors, by SHA-256 of the anchor's DER.
    pub anchor_policies: Vec<([u8; 32], RevocationPolicy)>,
    /// Most CA certificates between the end entity and the anchor; at most 32.
    pub max_intermediates: u8,
}

impl Default for TrustMaterial {
    fn default() -> Self {
        Self {
            anchors: Vec::new(),
            intermediates: Vec::new(),
            handovers: Vec::new(),
            crls: Vec::new(),
            profile: CertificateProfile::default(),
            policy: RevocationPolicy::default(),
            anchor_policies: Vec::new(),
            max_intermediates: DEFAULT_MAX_INTERMEDIATES,
        }
    }
}

/// An error in what a trust store was to be made of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// No trust anchor.
    #[error("no trust anchor is configured")]
    NoAnchor,
    /// An anchor, by its number from 0, that cannot be read or is no CA certificate.
    #[error("trust anchor {0}: {1}")]
    Anchor(usize, CertError),
    /// An intermediate certificate, by its number from 0, that cannot be read or is no CA certificate.
    #[error("intermediate certificate {0}: {1}")]
    Intermediate(usize, CertError),
    /// A CRL, by its number from 0, that cannot be read.
    #[error("revocation list {0}: {1}")]
    Crl(usize, CrlFault),
    /// A handover of which something cannot be read, or without the word of the CA before.
    #[error("the CA before does not vouch for the new one")]
    Handover,
}

/// Reads CA certificates that the operator configured.
pub(super) fn read_cas(
    ders: &[Vec<u8>],
    error: impl Fn(usize, CertError) -> TrustError,
) -> Result<Vec<Certificate>, TrustError> {
    let read = |(number, der): (usize, &Vec<u8>)| match Certificate::parse_at(der, Position::LEAF) {
        Ok(certificate) if !certificate.is_ca => Err(error(number, CertError::NotACa(Position::LEAF))),
        outcome => outcome.map_err(|why| error(number, why)),
    };
    ders.iter().enumerate().map(read).collect()
}

/// SHA-256 of what a store is made of, but for the policies.
pub(super) fn contents_fingerprint(material: &TrustMaterial) -> [u8; 32] {
    let handovers = format!("{:?}", material.handovers);
    let groups = [&material.anchors, &material.intermediates, &material.crls].map(|group| {
        let ders: Vec<&[u8]> = group.iter().map(Vec::as_slice).collect();
        hash(&ders)
    });
    let rest = format!("{:?} {}", material.profile, material.max_intermediates);
    hash(&[&groups[0], &groups[1], &groups[2], rest.as_bytes(), handovers.as_bytes()])
}

/// SHA-256 over lengths and contents, so that no two lists hash the same bytes.
pub(super) fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    context.finish().as_ref().try_into().expect("a SHA-256 value has 32 bytes")
}
