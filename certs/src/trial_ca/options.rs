//! What a certificate of the trial CA is to be like: the ordinary, and what tests of refusals need.

use der::Tag;
use openssl::asn1::{Asn1Object, Asn1OctetString};
use openssl::hash::MessageDigest;
use openssl::pkey::{Id, PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::X509Extension;
use openssl::x509::extension::KeyUsage;
use zeroize::Zeroizing;

use super::{BACKDATED_US, TrialCaError};
use crate::certificate::SECOND_US;
use crate::der_write;

/// How long an office's certificate is valid.
const OFFICE_VALIDITY_US: i64 = 3 * 365 * 86_400 * SECOND_US;
/// How long a server's certificate is valid; one year and a month to change it.
const SERVER_VALIDITY_US: i64 = 395 * 86_400 * SECOND_US;
/// `serverAuth`.
const SERVER_AUTH: &str = "1.3.6.1.5.5.7.3.1";

/// The key of a new certificate.
#[derive(Clone)]
#[non_exhaustive]
pub enum KeyChoice {
    /// A new RSA key of so many bits. Generating one takes tenths of a second.
    Rsa(u32),
    /// A new key on P-256.
    P256,
    /// A new key on P-384.
    P384,
    /// A new key on P-521, which the policy refuses.
    P521,
    /// A new Ed25519 key, which the policy refuses.
    Ed25519,
    /// This key: PKCS#8, DER, unencrypted.
    Pkcs8(Zeroizing<Vec<u8>>),
}

impl KeyChoice {
    pub(super) fn make(&self) -> Result<PKey<Private>, TrialCaError> {
        Ok(match self {
            Self::Rsa(bits) => PKey::from_rsa(Rsa::generate(*bits)?)?,
            Self::P256 => PKey::ec_gen("P-256")?,
            Self::P384 => PKey::ec_gen("P-384")?,
            Self::P521 => PKey::ec_gen("P-521")?,
            Self::Ed25519 => PKey::generate_ed25519()?,
            Self::Pkcs8(der) => PKey::private_key_from_pkcs8(der)?,
        })
    }
}

/// The hash in the signature on a certificate or CRL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Digest {
    /// SHA-256.
    #[default]
    Sha256,
    /// SHA-1, which the policy refuses.
    Sha1,
}

impl Digest {
    /// For OpenSSL: Ed25519 signs without a separate hash.
    pub(super) fn for_key(self, signer: &PKey<Private>) -> MessageDigest {
        match self {
            _ if signer.id() == Id::ED25519 => MessageDigest::null(),
            Self::Sha256 => MessageDigest::sha256(),
            Self::Sha1 => MessageDigest::sha1(),
        }
    }
}

/// Key usages (RFC 5280 section 4.2.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyUse {
    /// `digitalSignature`.
    DigitalSignature,
    /// `nonRepudiation`, also called `contentCommitment`.
    NonRepudiation,
    /// `keyEncipherment`.
    KeyEncipherment,
    /// `keyAgreement`.
    KeyAgreement,
    /// `keyCertSign`.
    KeyCertSign,
    /// `cRLSign`.
    CrlSign,
}

/// An extension of a certificate or CRL, as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawExtension {
    /// Object identifier, dotted.
    pub oid: String,
    /// Whether it is critical.
    pub critical: bool,
    /// Its value, DER.
    pub der: Vec<u8>,
}

impl RawExtension {
    pub(super) fn build(&self) -> Result<X509Extension, TrialCaError> {
        let value = Asn1OctetString::new_from_bytes(&self.der)?;
        Ok(X509Extension::new_from_der(&*Asn1Object::from_str(&self.oid)?, self.critical, &value)?)
    }
}

/// `subjectKeyIdentifier` of this value.
pub(super) fn subject_key_id(value: &[u8]) -> Result<X509Extension, TrialCaError> {
    let der = der_write::element(Tag::OctetString, &[value])
        .map_err(|_| TrialCaError::Library("the key identifier is too long".to_owned()))?;
    RawExtension { oid: "2.5.29.14".to_owned(), critical: false, der }.build()
}

/// What a new certificate is to be like.
#[derive(Clone)]
pub struct IssueOptions {
    /// `notBefore`, Unix microseconds; fractions of a second are cut off.
    pub not_before_us: i64,
    /// `notAfter`, Unix microseconds; fractions of a second are cut off.
    pub not_after_us: i64,
    /// The key.
    pub key: KeyChoice,
    /// Key usage, critical; empty: no such extension.
    pub key_usage: Vec<KeyUse>,
    /// Extended key usages, dotted; empty: no such extension.
    pub extended_key_usage: Vec<String>,
    /// URIs among the alternative names.
    pub uris: Vec<String>,
    /// Whether it is a CA's.
    pub is_ca: bool,
    /// A CA's path length constraint.
    pub path_length: Option<u32>,
    /// The hash in the signature.
    pub digest: Digest,
    /// Another subject than the kind of certificate has: attributes such as `CN` with their values, in order.
    pub subject: Option<Vec<(String, String)>>,
    /// The serial number, big-endian, in place of a random one.
    pub serial: Option<Vec<u8>>,
    /// The subject key identifier in place of the key's hash.
    pub key_id: Option<Vec<u8>>,
    /// Further extensions.
    pub extensions: Vec<RawExtension>,
}

impl IssueOptions {
    /// An office, terminal, proxy or operator: RSA-2048; `digitalSignature`, `nonRepudiation`, `keyEncipherment`; no
    /// extended key usage; three years from `now_us` (Unix microseconds), beginning an hour earlier.
    pub fn new(now_us: i64) -> Self {
        Self {
            not_before_us: now_us.saturating_sub(BACKDATED_US),
            not_after_us: now_us.saturating_add(OFFICE_VALIDITY_US),
            key: KeyChoice::Rsa(2048),
            key_usage: vec![KeyUse::DigitalSignature, KeyUse::NonRepudiation, KeyUse::KeyEncipherment],
            extended_key_usage: Vec::new(),
            uris: Vec::new(),
            is_ca: false,
            path_length: None,
            digest: Digest::default(),
            subject: None,
            serial: None,
            key_id: None,
            extensions: Vec::new(),
        }
    }

    /// A server: P-256, whose handshake costs half of RSA's; `digitalSignature`; `serverAuth`; 13 months.
    pub fn for_server(now_us: i64) -> Self {
        Self {
            not_after_us: now_us.saturating_add(SERVER_VALIDITY_US),
            key: KeyChoice::P256,
            key_usage: vec![KeyUse::DigitalSignature],
            extended_key_usage: vec![SERVER_AUTH.to_owned()],
            ..Self::new(now_us)
        }
    }

    /// A CA: P-256; `keyCertSign`, `cRLSign`.
    pub fn for_ca(now_us: i64) -> Self {
        Self {
            key: KeyChoice::P256,
            key_usage: vec![KeyUse::KeyCertSign, KeyUse::CrlSign],
            is_ca: true,
            ..Self::new(now_us)
        }
    }

    /// The same with another key.
    #[must_use]
    pub fn with_key(mut self, key: KeyChoice) -> Self {
        self.key = key;
        self
    }

    pub(super) fn key_usage_extension(&self) -> Result<Option<X509Extension>, TrialCaError> {
        if self.key_usage.is_empty() {
            return Ok(None);
        }
        let mut usage = KeyUsage::new();
        usage.critical();
        for one in &self.key_usage {
            match one {
                KeyUse::DigitalSignature => usage.digital_signature(),
                KeyUse::NonRepudiation => usage.non_repudiation(),
                KeyUse::KeyEncipherment => usage.key_encipherment(),
                KeyUse::KeyAgreement => usage.key_agreement(),
                KeyUse::KeyCertSign => usage.key_cert_sign(),
                KeyUse::CrlSign => usage.crl_sign(),
            };
        }
        Ok(Some(usage.build()?))
    }
}
