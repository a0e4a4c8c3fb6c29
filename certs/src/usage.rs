//! What a certificate may be used for, by its key usage and, only where present, its extended key usage.

use crate::certificate::Certificate;
use crate::error::{CertError, Position};
use crate::key_policy::KeyKind;

/// What a certificate is used for; decides which key usages it must have.
///
/// A key usage extension must be fitting where it is present (RFC 5280 section 4.2.1.3), and so must an extended key
/// usage (section 4.2.1.12), in the certificate and in the intermediates above it. `anyExtendedKeyUsage` fits every
/// purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Signs parcels and statements: `digitalSignature` or `nonRepudiation`; extended `emailProtection` (which is what
    /// CMS signatures go by), `documentSigning` (RFC 9336 or Microsoft's), or `clientAuth`: a billing certificate that
    /// was issued for logging in to the billing system is the office's one key, and signs too.
    Sign,
    /// Is the client's certificate in a TLS handshake: `digitalSignature`; extended `clientAuth`.
    TlsClient,
    /// Parcels are sealed to its key: `keyEncipherment` (RSA) or `keyAgreement` (P-256); extended as for
    /// [`Purpose::Sign`]. There is no sealing to P-384.
    Seal,
    /// Signs time stamps (RFC 3161 section 2.3): `digitalSignature` or `nonRepudiation`; extended `timeStamping`.
    TimeStamp,
    /// Chain, validity, revocation and identity only; key usage is not looked at.
    Any,
}

const ANY: &str = "2.5.29.37.0";
const CLIENT_AUTH: &str = "1.3.6.1.5.5.7.3.2";
const EMAIL_PROTECTION: &str = "1.3.6.1.5.5.7.3.4";
const TIME_STAMPING: &str = "1.3.6.1.5.5.7.3.8";
/// RFC 9336.
const DOCUMENT_SIGNING: &str = "1.3.6.1.5.5.7.3.36";
/// The identifier that CAs used before RFC 9336.
const MICROSOFT_DOCUMENT_SIGNING: &str = "1.3.6.1.4.1.311.10.3.12";

impl Purpose {
    /// Whether the certificate at `position` allows this purpose.
    pub(crate) fn check_leaf(self, certificate: &Certificate) -> Result<(), CertError> {
        if !self.key_usage_fits(certificate) {
            return Err(CertError::WrongKeyUsage(Position::LEAF));
        }
        self.check_extended(certificate, Position::LEAF)
    }

    /// Whether the extended key usage of the certificate at `position`, where present, allows this purpose.
    pub(crate) fn check_extended(
        self,
        certificate: &Certificate,
        position: Position,
    ) -> Result<(), CertError> {
        let accepted: &[&str] = match self {
            Self::Sign | Self::Seal => {
                &[ANY, EMAIL_PROTECTION, DOCUMENT_SIGNING, MICROSOFT_DOCUMENT_SIGNING, CLIENT_AUTH]
            }
            Self::TlsClient => &[ANY, CLIENT_AUTH],
            Self::TimeStamp => &[ANY, TIME_STAMPING],
            Self::Any => return Ok(()),
        };
        match &certificate.extended {
            Some(present) if !present.iter().any(|usage| accepted.contains(&usage.as_str())) => {
                Err(CertError::WrongExtendedKeyUsage(position))
            }
            _ => Ok(()),
        }
    }

    fn key_usage_fits(self, certificate: &Certificate) -> bool {
        if self == Self::Seal && !matches!(certificate.key, Ok(KeyKind::Rsa | KeyKind::P256)) {
            return false;
        }
        let Some(usage) = certificate.key_usage else {
            return true;
        };
        match self {
            Self::Sign | Self::TimeStamp => usage.digital_signature() || usage.non_repudiation(),
            Self::TlsClient => usage.digital_signature(),
            Self::Seal if certificate.key == Ok(KeyKind::Rsa) => usage.key_encipherment(),
            Self::Seal => usage.key_agreement(),
            Self::Any => true,
        }
    }
}
