//! Mutual TLS: who gets past the handshake, and what the others are told.

use std::sync::{Arc, Mutex};

use rustls::pki_types::ServerName;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, Error, ServerConfig, ServerConnection,
};
use tasuki_certs::error::{CertError, Position};
use tasuki_certs::identity::KeyIdentity;
use tasuki_certs::tls::{Anonymous, Clock, ServerCertificate, client_config, server_config};
use tasuki_certs::trial_ca::{IssueOptions, Issued, Revocation, RevocationReason, TrialCa};
use tasuki_certs::trust::{TrustMaterial, TrustStore};

use crate::trial::{DAY_US, NOW_US, OFFICE, ca, clean_crl, material, quick, root, store_of};

pub(crate) fn clock() -> Clock {
    Arc::new(|| NOW_US)
}

pub(crate) fn identity(issued: &Issued) -> KeyIdentity {
    let chain = issued.chain_pem().expect("PEM");
    KeyIdentity::from_pem(&chain, &issued.key_pem().expect("PEM"))
        .expect("certificate and key belong together")
}

/// An office of `ca`.
pub(crate) fn client(ca: &TrialCa, options: &IssueOptions) -> KeyIdentity {
    identity(&ca.issue_office(OFFICE, "office", options).expect("issued"))
}

/// A relay's server certificate by a CA of its own, and that CA's DER.
pub(crate) fn relay() -> (KeyIdentity, Vec<u8>) {
    let ca = root("Relay CA");
    let names = ["localhost", "127.0.0.1"];
    let server = ca.issue_server(&names, &IssueOptions::for_server(NOW_US)).expect("issued");
    (identity(&server), ca.cert_der().expect("DER"))
}

/// A relay's configuration, and what it refused.
pub(crate) fn relay_config(trust: TrustMaterial) -> (ServerConfig, Vec<u8>, Arc<Mutex<Vec<CertError>>>) {
    let (server, relay_ca) = relay();
    let store: Arc<TrustStore> = Arc::new(store_of(trust));
    let refused = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&refused);
    let on_refusal = Arc::new(move |error: &CertError| log.lock().expect("not poisoned").push(error.clone()));
    let server = ServerCertificate::new(&server).expect("the key can be used");
    let config = server_config(&server, Arc::new(store), clock(), on_refusal, Anonymous::Refused)
        .expect("the configuration is good");
    (config, relay_ca, refused)
}

/// Both sides of a handshake that has come to its end.
pub(crate) struct Outcome {
    pub(crate) client: ClientConnection,
    pub(crate) server: ServerConnection,
    pub(crate) client_error: Option<Error>,
    pub(crate) server_error: Option<Error>,
}

/// Lets the two shake hands in memory.
pub(crate) fn shake_hands(
    client: &Arc<ClientConfig>,
    server: &Arc<ServerConfig>,
    name: &'static str,
) -> Outcome {
    let name = ServerName::try_from(name).expect("a server name");
    let mut outcome = Outcome {
        client: ClientConnection::new(Arc::clone(client), name).expect("a connection"),
        server: ServerConnection::new(Arc::clone(server)).expect("a connection"),
        client_error: None,
        server_error: None,
    };
    // Both handshakes take two round trips; an alert and tickets take one more.
    for _ in 0..6 {
        let mut bytes = Vec::new();
        while outcome.client.wants_write() {
            outcome.client.write_tls(&mut bytes).expect("memory takes everything");
        }
        outcome.server.read_tls(&mut bytes.as_slice()).expect("memory gives everything");
        outcome.server_error = outcome.server_error.or(outcome.server.process_new_packets().err());
        let mut bytes = Vec::new();
        while outcome.server.wants_write() {
            outcome.server.write_tls(&mut bytes).expect("memory takes everything");
        }
        outcome.client.read_tls(&mut bytes.as_slice()).expect("memory gives everything");
        outcome.client_error = outcome.client_error.or(outcome.client.process_new_packets().err());
    }
    outcome
}

/// What becomes of a client with this identity at a relay with this trust: the relay's error and its exact reason, and
/// the alert that the client gets.
fn refused(
    identity: &KeyIdentity,
    trust: TrustMaterial,
) -> (Option<Error>, Vec<CertError>, Option<AlertDescription>) {
    let (server, relay_ca, log) = relay_config(trust);
    let client = client_config(&[relay_ca], identity, clock()).expect("the configuration is good");
    let outcome = shake_hands(&Arc::new(client), &Arc::new(server), "localhost");
    let alert = match outcome.client_error {
        Some(Error::AlertReceived(alert)) => Some(alert),
        _ => None,
    };
    let log = log.lock().expect("not poisoned").clone();
    (outcome.server_error, log, alert)
}

fn assert_refused(
    identity: &KeyIdentity,
    trust: TrustMaterial,
    exact: CertError,
    rustls: CertificateError,
    alert: AlertDescription,
) {
    let (error, log, received) = refused(identity, trust);
    assert_eq!(error, Some(Error::InvalidCertificate(rustls)));
    assert_eq!(log, [exact]);
    assert_eq!(received, Some(alert));
}

#[test]
fn an_office_and_the_relay_know_each_other() {
    let (server, relay_ca, log) = relay_config(material());
    let server = Arc::new(server);
    for options in [quick(), IssueOptions::new(NOW_US)] {
        let identity = client(ca(), &options);
        let client = client_config(std::slice::from_ref(&relay_ca), &identity, clock())
            .expect("the configuration is good");
        let client = Arc::new(client);
        for name in ["localhost", "127.0.0.1"] {
            let outcome = shake_hands(&client, &server, name);
            assert_eq!((outcome.client_error, outcome.server_error), (None, None));
            assert_eq!(outcome.server.alpn_protocol(), Some(&b"h2"[..]));
            let peer = outcome.server.peer_certificates().expect("the client has a certificate");
            // The root is not sent: the relay has it.
            assert_eq!(peer.len(), 1);
            assert_eq!(peer[0].as_ref(), identity.certificate_der());
        }
    }
    assert!(log.lock().expect("not poisoned").is_empty());
}

#[test]
fn a_client_comes_with_its_intermediate() {
    let middle = ca().issue_intermediate("Middle", &IssueOptions::for_ca(NOW_US)).expect("issued");
    let mut trust = material();
    trust.crls.push(clean_crl(&middle));
    let (error, _, _) = refused(&client(&middle, &quick()), trust);
    assert_eq!(error, None);
}

#[test]
fn no_certificate() {
    let (server, relay_ca, _) = relay_config(material());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(relay_ca.into()).expect("a CA");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let nobody = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[version])
            .expect("a version that ring speaks")
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        let outcome = shake_hands(&Arc::new(nobody), &Arc::new(server.clone()), "localhost");
        assert_eq!(outcome.server_error, Some(Error::NoCertificatesPresented));
    }
}

#[test]
fn a_foreign_certificate() {
    let identity = client(&root("Trial root"), &quick());
    assert_refused(
        &identity,
        material(),
        CertError::UntrustedIssuer,
        CertificateError::UnknownIssuer,
        AlertDescription::UnknownCA,
    );
}

#[test]
fn an_expired_certificate() {
    let mut options = quick();
    options.not_after_us = NOW_US - DAY_US;
    options.not_before_us = NOW_US - 2 * DAY_US;
    assert_refused(
        &client(ca(), &options),
        material(),
        CertError::CertificateExpired(Position::LEAF),
        CertificateError::Expired,
        AlertDescription::CertificateExpired,
    );
}

#[test]
fn a_revoked_certificate() {
    let issued = ca().issue_office(OFFICE, "office", &quick()).expect("issued");
    let entry = Revocation::new(&issued.serial, NOW_US, RevocationReason::KeyCompromise);
    let crl = ca().crl(&[entry], 1, NOW_US, NOW_US + DAY_US).expect("a CRL");
    assert_refused(
        &identity(&issued),
        TrustMaterial { crls: vec![crl], ..material() },
        CertError::CertificateRevoked(Position::LEAF),
        CertificateError::Revoked,
        AlertDescription::CertificateRevoked,
    );
}

#[test]
fn a_stale_revocation_list() {
    let crl = ca().crl(&[], 1, NOW_US - 9 * DAY_US, NOW_US + DAY_US).expect("a CRL");
    assert_refused(
        &client(ca(), &quick()),
        TrustMaterial { crls: vec![crl], ..material() },
        CertError::CrlStale(Position::LEAF),
        CertificateError::ExpiredRevocationList,
        AlertDescription::UnknownCA,
    );
}

#[test]
fn a_certificate_for_something_else() {
    let mut options = quick();
    options.extended_key_usage = vec!["1.3.6.1.5.5.7.3.4".to_owned()];
    assert_refused(
        &client(ca(), &options),
        material(),
        CertError::WrongExtendedKeyUsage(Position::LEAF),
        CertificateError::InvalidPurpose,
        AlertDescription::UnsupportedCertificate,
    );
}

#[test]
fn a_certificate_of_nobody() {
    let options = IssueOptions { subject: Some(vec![("CN".to_owned(), "x".to_owned())]), ..quick() };
    assert_refused(
        &client(ca(), &options),
        material(),
        CertError::IdentityNotFound,
        CertificateError::ApplicationVerificationFailure,
        AlertDescription::AccessDenied,
    );
}

#[test]
fn the_client_refuses_another_relay_and_another_name() {
    let (server, relay_ca, _) = relay_config(material());
    let server = Arc::new(server);
    let office = client(ca(), &quick());
    let other = root("Relay CA").cert_der().expect("DER");
    let pinned_elsewhere = client_config(&[other], &office, clock()).expect("the configuration is good");
    let outcome = shake_hands(&Arc::new(pinned_elsewhere), &server, "localhost");
    assert!(matches!(outcome.client_error, Some(Error::InvalidCertificate(_))), "{:?}", outcome.client_error);
    let pinned = client_config(&[relay_ca], &office, clock()).expect("the configuration is good");
    let outcome = shake_hands(&Arc::new(pinned), &server, "relay.example.jp");
    let refused = matches!(
        outcome.client_error,
        Some(Error::InvalidCertificate(CertificateError::NotValidForNameContext { .. }))
    );
    assert!(refused, "{:?}", outcome.client_error);
}
