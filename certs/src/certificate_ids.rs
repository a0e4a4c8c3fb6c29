//! What CMS calls a certificate by: issuer and serial number, or subject key identifier.

use der::Tag;
use x509_parser::prelude::{FromDer, ParsedExtension, X509Certificate};

use crate::der_write;

/// Bytes of a key identifier that are looked at; 20 is what everybody uses.
pub(crate) const MAX_KEY_ID: usize = 64;

/// A certificate's names in CMS, and what it says about its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CertificateIds {
    /// The issuer's name, DER.
    pub(crate) issuer: Vec<u8>,
    /// The subject's name, DER.
    pub(crate) subject: Vec<u8>,
    /// The serial number: an INTEGER, DER.
    pub(crate) serial: Vec<u8>,
    /// `IssuerAndSerialNumber` (RFC 5652 section 10.2.4), DER.
    pub(crate) issuer_and_serial: Vec<u8>,
    /// The value of the subject key identifier extension.
    pub(crate) key_id: Option<Vec<u8>>,
    /// `SubjectPublicKeyInfo`, DER.
    pub(crate) spki: Vec<u8>,
    /// The key usage extension's bits, where it is present.
    pub(crate) key_usage: Option<KeyUsageBits>,
}

/// The bits of key usage that matter for a recipient (RFC 5280 section 4.2.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyUsageBits {
    /// Keys may be encrypted to it: RSA.
    pub(crate) key_encipherment: bool,
    /// Keys may be agreed with it: EC.
    pub(crate) key_agreement: bool,
}

/// Not one X.509 certificate in DER.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotACertificate;

impl CertificateIds {
    /// Reads one certificate; nothing may follow it. Verifies nothing.
    pub(crate) fn read(der: &[u8]) -> Result<Self, NotACertificate> {
        let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| NotACertificate)?;
        if !rest.is_empty() {
            return Err(NotACertificate);
        }
        let issuer = certificate.issuer().as_raw().to_vec();
        let serial = der_write::element(Tag::Integer, &[certificate.raw_serial()])
            .map_err(|_: der_write::TooLong| NotACertificate)?;
        let issuer_and_serial = der_write::element(Tag::Sequence, &[&issuer, &serial])
            .map_err(|_: der_write::TooLong| NotACertificate)?;
        let key_id = certificate.iter_extensions().find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
            _ => None,
        });
        let key_usage = certificate.key_usage().map_err(|_| NotACertificate)?;
        Ok(Self {
            issuer,
            subject: certificate.subject().as_raw().to_vec(),
            serial,
            issuer_and_serial,
            key_id: key_id.filter(|id| !id.is_empty() && id.len() <= MAX_KEY_ID),
            spki: certificate.public_key().raw.to_vec(),
            key_usage: key_usage.map(|usage| KeyUsageBits {
                key_encipherment: usage.value.key_encipherment(),
                key_agreement: usage.value.key_agreement(),
            }),
        })
    }
}
