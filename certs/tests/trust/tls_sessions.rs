//! TLS versions and cipher suites, and that no session outlives a revocation.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{ALL_CIPHER_SUITES, default_provider};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{
    CipherSuite, ClientConfig, Error, HandshakeKind, PeerIncompatible, RootCertStore, SupportedCipherSuite,
};
use tasuki_certs::error::{CertError, Position};
use tasuki_certs::identity::KeyIdentity;
use tasuki_certs::tls::{Anonymous, CIPHER_SUITES, ServerCertificate, client_config, server_config};
use tasuki_certs::trial_ca::{Revocation, RevocationReason};
use tasuki_certs::trust::{CurrentTrust, TrustMaterial, TrustStore};

use crate::tls_handshakes::{client, clock, identity, relay, relay_config, shake_hands};
use crate::trial::{DAY_US, NOW_US, OFFICE, ca, material, quick, store_of};

/// A client of ordinary rustls, with session resumption, that offers only `suite`.
fn ordinary_client(relay_ca: &[u8], office: &KeyIdentity, suites: Vec<SupportedCipherSuite>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(relay_ca)).expect("a CA");
    let versions: &[&rustls::SupportedProtocolVersion] =
        if suites.iter().all(|suite| suite.tls13().is_some()) { &[&TLS13] } else { &[&TLS12] };
    let provider = CryptoProvider { cipher_suites: suites, ..default_provider() };
    let key = office.private_key_pkcs8_der().expect("a key").to_vec();
    let chain = vec![CertificateDer::from(office.certificate_der().to_vec())];
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .expect("versions that ring speaks")
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key)))
        .expect("a certificate");
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

#[test]
fn aes_gcm_with_an_ephemeral_exchange_and_nothing_else() {
    let (server, relay_ca, _) = relay_config(material());
    let server = Arc::new(server);
    let office = client(ca(), &quick());
    for suite in ALL_CIPHER_SUITES {
        let config = ordinary_client(&relay_ca, &office, vec![*suite]);
        let outcome = shake_hands(&Arc::new(config), &server, "localhost");
        let name = suite.suite();
        // The relay's key is P-256, so that suites signed with RSA cannot be agreed upon.
        let signed_with_rsa = format!("{name:?}").contains("_RSA_");
        if CIPHER_SUITES.contains(suite) && !signed_with_rsa {
            assert_eq!(outcome.server_error, None, "{name:?}");
            let agreed = outcome.server.negotiated_cipher_suite().map(|suite| suite.suite());
            assert_eq!(agreed, Some(name));
        } else {
            let none = Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon);
            assert_eq!(outcome.server_error, Some(none), "{name:?}");
        }
    }
    let ours: Vec<CipherSuite> = CIPHER_SUITES.iter().map(SupportedCipherSuite::suite).collect();
    assert!(ours.iter().all(|suite| format!("{suite:?}").contains("AES")), "{ours:?}");
}

#[test]
fn a_session_is_never_resumed() {
    let (server, relay_ca, _) = relay_config(material());
    let server = Arc::new(server);
    let office = client(ca(), &quick());
    let ours =
        client_config(std::slice::from_ref(&relay_ca), &office, clock()).expect("the configuration is good");
    let by_version = |tls13: bool| {
        let suites = CIPHER_SUITES.into_iter().filter(|suite| suite.tls13().is_some() == tls13).collect();
        ordinary_client(&relay_ca, &office, suites)
    };
    for config in [ours, by_version(true), by_version(false)] {
        let config = Arc::new(config);
        for _ in 0..3 {
            let outcome = shake_hands(&config, &server, "localhost");
            assert_eq!(outcome.server_error, None);
            assert_eq!(outcome.server.handshake_kind(), Some(HandshakeKind::Full));
            assert_eq!(outcome.client.handshake_kind(), Some(HandshakeKind::Full));
            assert_eq!(outcome.client.tls13_tickets_received(), 0);
        }
    }
}

/// A clean store until the switch is thrown, then one that revokes.
struct Switching {
    revoked: Arc<AtomicBool>,
    before: Arc<TrustStore>,
    after: Arc<TrustStore>,
}

impl CurrentTrust for Switching {
    fn current(&self) -> Arc<TrustStore> {
        Arc::clone(if self.revoked.load(Ordering::SeqCst) { &self.after } else { &self.before })
    }
}

#[test]
fn a_revocation_takes_effect_at_the_next_handshake() {
    let issued = ca().issue_office(OFFICE, "office", &quick()).expect("issued");
    let entry = Revocation::new(&issued.serial, NOW_US, RevocationReason::KeyCompromise);
    let crl = ca().crl(&[entry], 2, NOW_US, NOW_US + DAY_US).expect("a CRL");
    let revoked = Arc::new(AtomicBool::new(false));
    let trust = Switching {
        revoked: Arc::clone(&revoked),
        before: Arc::new(store_of(material())),
        after: Arc::new(store_of(TrustMaterial { crls: vec![crl], ..material() })),
    };
    let (server, relay_ca) = relay();
    let seen = Arc::new(std::sync::Mutex::new(None));
    let log = Arc::clone(&seen);
    let on_refusal =
        Arc::new(move |error: &CertError| *log.lock().expect("not poisoned") = Some(error.clone()));
    let server = ServerCertificate::new(&server).expect("the key can be used");
    let server = Arc::new(
        server_config(&server, Arc::new(trust), clock(), on_refusal, Anonymous::Refused).expect("good"),
    );
    let suites = CIPHER_SUITES.into_iter().filter(|suite| suite.tls13().is_some()).collect();
    let client = Arc::new(ordinary_client(&relay_ca, &identity(&issued), suites));
    assert_eq!(shake_hands(&client, &server, "localhost").server_error, None);
    revoked.store(true, Ordering::SeqCst);
    assert!(shake_hands(&client, &server, "localhost").server_error.is_some());
    let refused = seen.lock().expect("not poisoned").clone();
    assert_eq!(refused, Some(CertError::CertificateRevoked(Position::LEAF)));
}
