//! Known signers: remembered, bounded, and forgotten when they must be.

use std::sync::{Arc, Mutex};

use tasuki_certs::cms_sign::{Content, sign};
use tasuki_certs::cms_verify::SignatureVerifier;
use tasuki_certs::error::{CertError, Position};
use tasuki_certs::identity::KeyIdentity;
use tasuki_certs::signature_error::SignatureError;
use tasuki_certs::trust::{CurrentTrust, TrustStore};

use crate::der_tree::Node;
use crate::signature_parts as parts;
use crate::support::{self, DAY_US, Kind, NOW_US};

const CONTENT: &[u8] = b"manifest";

fn signed_by(office: &KeyIdentity) -> Vec<u8> {
    sign(office, CONTENT, Content::Detached, NOW_US).unwrap()
}

/// An office with a certificate of its own and a key that is quick to sign with.
fn office(serial: u16) -> KeyIdentity {
    support::identity(support::p256(), &support::office(serial, support::p256(), Kind::Office))
}

/// Whether the signer was known.
fn cached(verifier: &SignatureVerifier, cms: &[u8], at_us: i64) -> Result<bool, SignatureError> {
    verifier.verify(cms, Some(CONTENT), at_us).map(|answer| answer.cached)
}

/// A trust store that the test replaces.
#[derive(Clone)]
struct Replaceable(Arc<Mutex<Arc<TrustStore>>>);

impl Replaceable {
    fn new(store: Arc<TrustStore>) -> Self {
        Self(Arc::new(Mutex::new(store)))
    }

    fn replace(&self, store: Arc<TrustStore>) {
        *self.0.lock().unwrap() = store;
    }
}

impl CurrentTrust for Replaceable {
    fn current(&self) -> Arc<TrustStore> {
        Arc::clone(&self.0.lock().unwrap())
    }
}

#[test]
fn known_until_all_are_forgotten() {
    let verifier = support::verifier();
    let signed = signed_by(support::rsa_office());
    assert_eq!(cached(&verifier, &signed, NOW_US), Ok(false));
    assert_eq!(cached(&verifier, &signed, NOW_US), Ok(true));
    verifier.forget_all();
    assert_eq!(verifier.known_signers(), 0);
    assert_eq!(cached(&verifier, &signed, NOW_US), Ok(false));
    assert_eq!(cached(&verifier, &signed, NOW_US), Ok(true));
    assert_eq!(verifier.stats(), (2, 2));
}

#[test]
fn memory_is_bounded_and_keeps_those_who_come_back() {
    let verifier = SignatureVerifier::with_capacity(support::trust(), 8);
    let regular = signed_by(&office(501));
    assert_eq!(cached(&verifier, &regular, NOW_US), Ok(false));
    for serial in 502..540 {
        let passer_by = signed_by(&office(serial));
        assert_eq!(cached(&verifier, &passer_by, NOW_US), Ok(false));
        assert_eq!(cached(&verifier, &regular, NOW_US), Ok(true), "{serial}");
        assert!(verifier.known_signers() <= 8);
    }
    assert_eq!(cached(&verifier, &signed_by(&office(502)), NOW_US), Ok(false), "long forgotten");
}

#[test]
fn replaced_trust_store_forgets_everybody() {
    let trust = Replaceable::new(support::trust());
    let verifier = SignatureVerifier::new(trust.clone());
    let signed = signed_by(&office(551));
    assert_eq!(cached(&verifier, &signed, NOW_US), Ok(false));
    // The same content, but read again: nothing says that an answer of before still holds.
    trust.replace(support::trust());
    assert_eq!(cached(&verifier, &signed, NOW_US), Ok(false));
    assert_eq!(cached(&verifier, &signed, NOW_US), Ok(true));
    trust.replace(support::trust_with(&support::strangers_root(), vec![]));
    let refused = Err(SignatureError::Certificate(CertError::UntrustedIssuer));
    assert_eq!(cached(&verifier, &signed, NOW_US), refused);
}

#[test]
fn revocation_reaches_a_known_signer() {
    let trust = Replaceable::new(support::trust_with(&support::root(), vec![support::crl(&[])]));
    let verifier = SignatureVerifier::new(trust.clone());
    let (signed, other) = (signed_by(&office(561)), signed_by(&office(562)));
    for known in [false, true] {
        assert_eq!(cached(&verifier, &signed, NOW_US), Ok(known));
        assert_eq!(cached(&verifier, &other, NOW_US), Ok(known));
    }
    trust.replace(support::trust_with(&support::root(), vec![support::crl(&[561])]));
    let revoked = SignatureError::Certificate(CertError::CertificateRevoked(Position::LEAF));
    assert_eq!(cached(&verifier, &signed, NOW_US), Err(revoked.clone()));
    assert_eq!(cached(&verifier, &signed, NOW_US), Err(revoked));
    assert_eq!(cached(&verifier, &other, NOW_US), Ok(false));
}

/// A known signer is known for the time that the CRL vouches for, and not a microsecond longer.
#[test]
fn known_for_no_longer_than_the_crl_is_fresh() {
    let verifier = SignatureVerifier::new(support::trust_with(&support::root(), vec![support::crl(&[])]));
    let signed = signed_by(&office(571));
    assert_eq!(cached(&verifier, &signed, NOW_US), Ok(false));
    let last_us = verifier.verify(&signed, Some(CONTENT), NOW_US).unwrap().signer.valid_until_us;
    assert!((NOW_US..NOW_US + 8 * DAY_US).contains(&last_us));
    assert_eq!(cached(&verifier, &signed, last_us), Ok(true));
    let stale = Err(SignatureError::Certificate(CertError::CrlStale(Position::LEAF)));
    assert_eq!(cached(&verifier, &signed, last_us + 1), stale);
    // Nor for a time before the one that was answer.
    let first_us = verifier.verify(&signed, Some(CONTENT), NOW_US).unwrap().signer.valid_from_us;
    assert_eq!(cached(&verifier, &signed, first_us), Ok(true));
    assert_ne!(cached(&verifier, &signed, first_us - 1), Ok(true));
}

/// A list that is at hand before its time (a CA's clock runs fast) counts from its time on, for known signers too.
#[test]
fn crl_of_the_future_ends_what_is_known() {
    let hour_us = DAY_US / 24;
    let crls = vec![support::crl(&[]), support::crl_of(NOW_US + hour_us, &[573])];
    let verifier = SignatureVerifier::new(support::trust_with(&support::root(), crls));
    let signed = signed_by(&office(573));
    assert_eq!(cached(&verifier, &signed, NOW_US), Ok(false));
    assert_eq!(cached(&verifier, &signed, NOW_US + hour_us - 1), Ok(true));
    let revoked = SignatureError::Certificate(CertError::CertificateRevoked(Position::LEAF));
    assert_eq!(cached(&verifier, &signed, NOW_US + hour_us), Err(revoked));
}

/// A question about an earlier time is answered with what is known now, and leaves nothing behind that would answer
/// a question about another time.
#[test]
fn earlier_time_as_known_later() {
    let later_us = NOW_US + 2 * DAY_US;
    let crls = vec![support::crl(&[]), support::crl_of(later_us, &[575])];
    let verifier = SignatureVerifier::new(support::trust_with(&support::root(), crls));
    let as_of = |cms: &[u8], at_us, known_us| {
        verifier.verify_as_of(cms, Some(CONTENT), at_us, known_us).map(|answer| answer.cached)
    };
    let (revoked, other) = (signed_by(&office(575)), signed_by(&office(576)));
    let refusal = SignatureError::Certificate(CertError::CertificateRevoked(Position::LEAF));
    for cms in [&revoked, &other] {
        assert_eq!(as_of(cms, NOW_US, NOW_US), Ok(false));
        assert_eq!(as_of(cms, NOW_US, NOW_US), Ok(true));
        // From later, nobody is known: a list may have come in that says more about that time.
        for known_us in [NOW_US + 1, later_us, later_us] {
            assert_eq!(as_of(cms, NOW_US, known_us), Ok(false));
        }
        assert_eq!(as_of(cms, NOW_US, NOW_US - DAY_US), Ok(true), "known no earlier than the time itself");
    }
    assert_eq!(as_of(&revoked, later_us - 1, later_us), Ok(false), "revoked only later");
    assert_eq!(as_of(&revoked, later_us, later_us + 1), Err(refusal));
    assert_eq!(as_of(&other, later_us, later_us + 1), Ok(false));
}

/// Two signers who embed the very same certificates are two signers.
#[test]
fn same_certificates_but_another_signer() {
    let first = support::office(581, support::rsa(), Kind::Office);
    let second = support::office(582, support::p256(), Kind::Office);
    let both = [&first, &second, &support::issuing()].map(|one| Node::read(&one.to_der().unwrap()));
    let with_both = |key, certificate| {
        let mut tree = Node::read(&signed_by(&support::identity(key, certificate)));
        *tree.at(parts::CERTIFICATES).children() = both.to_vec();
        tree.at(parts::CERTIFICATES).sort();
        tree.write()
    };
    let signatures =
        [(with_both(support::rsa(), &first), &first), (with_both(support::p256(), &second), &second)];
    let verifier = support::verifier();
    for _ in 0..3 {
        for (signature, certificate) in &signatures {
            let answer = verifier.verify(signature, Some(CONTENT), NOW_US).unwrap();
            assert_eq!(answer.signer.der, certificate.to_der().unwrap());
        }
    }
    assert_eq!(verifier.known_signers(), 1, "they share one place");
}

/// A signature that names the known signer's certificate by another hash is not theirs, known or not.
#[test]
fn signed_hash_is_compared_for_known_signers_too() {
    let verifier = support::verifier();
    let signed = signed_by(support::rsa_office());
    assert_eq!(cached(&verifier, &signed, NOW_US), Ok(false));
    let mut tree = Node::read(&signed);
    parts::find(&mut tree, parts::SIGNING_CERTIFICATE_V2).at(&[1, 0, 0, 0, 0]).value()[0] ^= 1;
    parts::sign_again(&mut tree, support::rsa());
    assert_eq!(cached(&verifier, &tree.write(), NOW_US), Err(SignatureError::EssMismatch));
    assert_eq!(cached(&verifier, &signed, NOW_US), Ok(true));
}

/// Many threads, one verifier, a trust store that is replaced under them: every answer is right.
#[test]
fn threads_share_a_verifier() {
    let trust = Replaceable::new(support::trust());
    let verifier = SignatureVerifier::with_capacity(trust.clone(), 4);
    let signed: Vec<Vec<u8>> = (591..597).map(|serial| signed_by(&office(serial))).collect();
    std::thread::scope(|scope| {
        for start in 0..4 {
            let (verifier, signed) = (&verifier, &signed);
            scope.spawn(move || {
                for round in 0..60 {
                    let cms = &signed[(start + round) % signed.len()];
                    assert!(cached(verifier, cms, NOW_US).is_ok());
                }
            });
        }
        for _ in 0..20 {
            trust.replace(support::trust());
            std::thread::yield_now();
        }
    });
    let (hits, misses) = verifier.stats();
    assert_eq!(hits + misses, 240);
    assert!(verifier.known_signers() <= 4);
}
