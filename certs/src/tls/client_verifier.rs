//! The relay's check of a client's certificate in the TLS handshake.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
};

use super::{Anonymous, OnRefusal};
use crate::certificate::SECOND_US;
use crate::error::CertError;
use crate::trust::{CurrentTrust, Purpose};

/// Asks the trust store that is current at the time of the handshake.
pub(super) struct ClientVerifier {
    trust: Arc<dyn CurrentTrust>,
    on_refusal: OnRefusal,
    anonymous: Anonymous,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientVerifier {
    pub(super) fn new(
        trust: Arc<dyn CurrentTrust>,
        on_refusal: OnRefusal,
        anonymous: Anonymous,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Self {
        Self { trust, on_refusal, anonymous, algorithms }
    }
}

impl ClientCertVerifier for ClientVerifier {
    /// None: the anchors may change while this configuration is in use, and a client has one certificate to offer.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        self.anonymous == Anonymous::Refused
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let extra: Vec<&[u8]> = intermediates.iter().map(AsRef::as_ref).collect();
        let now_us = i64::try_from(now.as_secs()).unwrap_or(i64::MAX).saturating_mul(SECOND_US);
        match self.trust.current().verify(end_entity, &extra, Purpose::TlsClient, now_us) {
            // A handshake can't wait for a responder. Whoever serves calls judges the certificate again before each, and waits.
            Ok(_) | Err(CertError::OcspMissing(_) | CertError::OcspStale(_)) => {
                Ok(ClientCertVerified::assertion())
            }
            Err(refused) => {
                (self.on_refusal)(&refused);
                Err(Error::InvalidCertificate(as_rustls(refused)))
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl fmt::Debug for ClientVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientVerifier").finish_non_exhaustive()
    }
}

/// rustls chooses the alert (RFC 8446 section 6.2) by this value:
///
/// | reason | alert |
/// |---|---|
/// | expired, not valid yet | `certificate_expired` |
/// | revoked | `certificate_revoked` |
/// | no anchor, no usable CRL | `unknown_ca` |
/// | usage | `unsupported_certificate` |
/// | malformed, unknown critical extension | `bad_certificate` |
/// | names nobody, or two | `access_denied` |
/// | weak or unknown key or algorithm, anything else | `certificate_unknown` |
fn as_rustls(refused: CertError) -> CertificateError {
    match refused {
        CertError::MalformedCertificate(..) => CertificateError::BadEncoding,
        CertError::UnknownCriticalExtension(_) => CertificateError::UnhandledCriticalExtension,
        CertError::CertificateExpired(_) => CertificateError::Expired,
        CertError::CertificateNotYetValid(_) => CertificateError::NotValidYet,
        CertError::CertificateRevoked(_) | CertError::IssuerWithdrawn(_) => CertificateError::Revoked,
        CertError::UntrustedIssuer => CertificateError::UnknownIssuer,
        CertError::CrlStale(_) => CertificateError::ExpiredRevocationList,
        CertError::CrlMissing(_) | CertError::CrlInvalid(..) => CertificateError::UnknownRevocationStatus,
        CertError::WrongKeyUsage(_) | CertError::WrongExtendedKeyUsage(_) | CertError::CaAsEndEntity => {
            CertificateError::InvalidPurpose
        }
        CertError::IdentityNotFound | CertError::IdentityAmbiguous => {
            CertificateError::ApplicationVerificationFailure
        }
        other => CertificateError::Other(OtherError(Arc::new(other))),
    }
}
