//! A client's check of the relay's certificate: name and chain as rustls checks them, and the OCSP answer that came along.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::TlsError;
use crate::certificate::{Certificate, SECOND_US};
use crate::stapled::judge_shown;

/// Certificates that a server may send above its own: more are not looked through for the issuer.
const MAX_ABOVE: usize = 8;

/// Trusts a relay whose chain ends in one of the roots. An answer that the relay shows must hold (RFC 6066 section 8: a client ends the
/// handshake otherwise); a certificate that promises one (RFC 7633) needs it; others do without.
#[derive(Debug)]
pub(super) struct RelayVerifier {
    by_chain: Arc<WebPkiServerVerifier>,
    /// Those that may have issued a relay's certificate themselves.
    roots: Vec<Certificate>,
}

impl RelayVerifier {
    pub(super) fn new(relay_ca_der: &[Vec<u8>], provider: Arc<CryptoProvider>) -> Result<Self, TlsError> {
        let mut store = RootCertStore::empty();
        for der in relay_ca_der {
            store.add(CertificateDer::from(der.as_slice())).map_err(|_| TlsError::RelayCa)?;
        }
        if store.is_empty() {
            return Err(TlsError::RelayCa);
        }
        let by_chain = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider).build();
        let by_chain = by_chain.map_err(|_| TlsError::RelayCa)?;
        let roots = relay_ca_der.iter().filter_map(|der| Certificate::parse(der).ok()).collect();
        Ok(Self { by_chain, roots })
    }

    fn check_answer(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        answer: &[u8],
        now: UnixTime,
    ) -> Result<(), CertificateError> {
        // Whether it promises an answer, only one that can be read tells.
        let leaf = Certificate::parse(leaf).map_err(|_| CertificateError::BadEncoding)?;
        if answer.is_empty() {
            return if leaf.must_staple() { Err(CertificateError::UnknownRevocationStatus) } else { Ok(()) };
        }
        let above: Vec<Certificate> =
            above.iter().take(MAX_ABOVE).filter_map(|der| Certificate::parse(der).ok()).collect();
        let issuer = above.iter().chain(&self.roots).find(|one| one.issued(&leaf));
        let issuer = issuer.ok_or(CertificateError::InvalidOcspResponse)?;
        let now_us = i64::try_from(now.as_secs()).unwrap_or(i64::MAX).saturating_mul(SECOND_US);
        match judge_shown(answer, &leaf, issuer, now_us) {
            Ok(stapled) if stapled.revoked => Err(CertificateError::Revoked),
            Ok(_) => Ok(()),
            Err(_) => Err(CertificateError::InvalidOcspResponse),
        }
    }
}

impl ServerCertVerifier for RelayVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified =
            self.by_chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        self.check_answer(end_entity, intermediates, ocsp_response, now)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_chain.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_chain.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by_chain.supported_verify_schemes()
    }
}
