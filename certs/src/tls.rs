//! TLS as the relay and its clients speak it: mutual, TLS 1.3 or 1.2 with ECDHE and AES-GCM, HTTP/2 inside.
//!
//! The relay verifies a client's certificate with the same [`TrustStore`](crate::trust::TrustStore) as signatures, and
//! takes the snapshot that is current at each handshake. A client knows the relay by the CA that the relay's operator
//! gave out, and by no other; name and chain are checked by rustls.
//!
//! **Sessions are never resumed.** A resumed session would skip the certificate check, so that a revocation would take
//! effect only when the ticket expires; a full handshake costs the relay less than a millisecond. A connection that is
//! open when a certificate is revoked stays open: whoever serves calls on it must verify the peer's certificate again
//! per call, which a cache keyed by [`TrustStore::fingerprint`](crate::trust::TrustStore::fingerprint) makes cheap.

mod client_verifier;
mod relay_verifier;
mod server_certificate;
mod token_signer;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::{Resumption, WantsClientCert};
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{self, cipher_suite};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::time_provider::TimeProvider;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, ServerConfig, SupportedCipherSuite};

use self::client_verifier::ClientVerifier;
use self::relay_verifier::RelayVerifier;
pub use self::server_certificate::{NotShown, ServerCertificate, ServerInquiry};
use self::token_signer::TokenSigner;
use crate::certificate::{Certificate, SECOND_US};
use crate::error::CertError;
use crate::identity::{IdentityError, KeyIdentity, PrivateKey};
use crate::trust::CurrentTrust;

/// The application protocol: HTTP/2 (RFC 9113), which gRPC needs.
pub const ALPN: &[u8] = b"h2";

/// The cipher suites: AES-GCM with an ephemeral key exchange, and nothing else.
pub const CIPHER_SUITES: [SupportedCipherSuite; 6] = [
    cipher_suite::TLS13_AES_128_GCM_SHA256,
    cipher_suite::TLS13_AES_256_GCM_SHA384,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
];

/// The present, in Unix microseconds.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Is told the exact reason when a client's certificate is refused in a handshake. It runs inside the handshake, on its
/// thread and in its tracing span, and must not block. The peer gets an alert only, and rustls an error that says as
/// much as the alert.
pub type OnRefusal = Arc<dyn Fn(&CertError) + Send + Sync>;

/// Why a TLS configuration cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The own key cannot be taken out.
    #[error("the key cannot be used for TLS: {0}")]
    Identity(#[from] IdentityError),
    /// A CA certificate that servers are known by cannot be used, or there is none.
    #[error("the CA certificate cannot be read")]
    RelayCa,
    /// rustls refuses; the text is its own.
    #[error("{0}")]
    Refused(String),
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        Self::Refused(error.to_string())
    }
}

/// Whether a client may come without any certificate. What it is served then is not decided here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anonymous {
    /// It does not get past the handshake.
    Refused,
    /// It does: a new terminal has no certificate before it is enrolled.
    Admitted,
}

/// The relay's side. Clients with a certificate that `trust` does not accept do not get past the handshake.
pub fn server_config(
    certificate: &ServerCertificate,
    trust: Arc<dyn CurrentTrust>,
    clock: Clock,
    on_refusal: OnRefusal,
    anonymous: Anonymous,
) -> Result<ServerConfig, TlsError> {
    let provider = provider();
    let verifier =
        ClientVerifier::new(trust, on_refusal, anonymous, provider.signature_verification_algorithms);
    let mut config = ServerConfig::builder_with_details(provider, Arc::new(GivenTime(clock)))
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(Arc::new(certificate.clone()));
    config.alpn_protocols = vec![ALPN.to_vec()];
    // No way to resume: no memory of sessions, no tickets (rustls makes none for TLS 1.2 unless given a ticketer).
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// A client's side: trusts servers whose chain ends in one of `relay_ca_der` (DER) and nothing else. An OCSP answer that the server shows
/// must hold and say that its certificate is good.
pub fn client_config(
    relay_ca_der: &[Vec<u8>],
    identity: &KeyIdentity,
    clock: Clock,
) -> Result<ClientConfig, TlsError> {
    let mut config = relay_config(relay_ca_der, clock)?
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified(identity)?)));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// A client's side towards the relay for who has no certificate yet: [`client_config`] without one.
pub fn anonymous_client_config(relay_ca_der: &[Vec<u8>], clock: Clock) -> Result<ClientConfig, TlsError> {
    let mut config = relay_config(relay_ca_der, clock)?.with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// What both kinds of clients ask of the relay.
fn relay_config(
    relay_ca_der: &[Vec<u8>],
    clock: Clock,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, TlsError> {
    let provider = provider();
    let verifier = RelayVerifier::new(relay_ca_der, Arc::clone(&provider))?;
    Ok(ClientConfig::builder_with_details(provider, Arc::new(GivenTime(clock)))
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier)))
}

/// A client's side towards any server of the web, which shows no certificate of its own: trusts servers whose chain ends in one of
/// `roots_der` (DER), speaks HTTP/1.1. Roots that can't be read are left out: a system's collection may hold old ones.
pub fn web_client_config(roots_der: &[Vec<u8>], clock: Clock) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(roots_der.iter().map(|der| CertificateDer::from(der.as_slice())));
    if roots.is_empty() {
        return Err(TlsError::RelayCa);
    }
    let mut config = ClientConfig::builder_with_details(provider(), Arc::new(GivenTime(clock)))
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// ring's algorithms, with [`CIPHER_SUITES`] only.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider { cipher_suites: CIPHER_SUITES.to_vec(), ..ring::default_provider() })
}

/// The certificates to send: the own one and those above it, without the root, which the other side has or distrusts.
fn presented(identity: &KeyIdentity) -> Vec<CertificateDer<'static>> {
    let is_root = |der: &[u8]| Certificate::parse(der).is_ok_and(|certificate| certificate.self_issued);
    let (leaf, above) = match identity.chain_der() {
        [leaf, above @ ..] => (leaf.as_slice(), above),
        [] => (identity.certificate_der(), &[][..]),
    };
    let above = above.iter().map(Vec::as_slice).filter(|der| !is_root(der));
    std::iter::once(leaf).chain(above).map(|der| CertificateDer::from(der.to_vec())).collect()
}

/// Chain and key as rustls signs with them; the key's DER is wiped once it is read.
fn certified(identity: &KeyIdentity) -> Result<CertifiedKey, TlsError> {
    if let PrivateKey::Token(key) = identity.key() {
        let signer = TokenSigner { key: Arc::clone(key), kind: identity.kind() };
        return Ok(CertifiedKey::new(presented(identity), Arc::new(signer)));
    }
    let der = identity.private_key_pkcs8_der()?;
    let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der.as_slice()));
    let key = ring::sign::any_supported_type(&der)?;
    Ok(CertifiedKey::new(presented(identity), key))
}

/// A [`Clock`] as rustls takes it, in whole seconds.
struct GivenTime(Clock);

impl TimeProvider for GivenTime {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from((self.0)().div_euclid(SECOND_US)).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

impl fmt::Debug for GivenTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GivenTime")
    }
}
