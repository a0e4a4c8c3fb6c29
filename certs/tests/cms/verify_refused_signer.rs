//! Signatures of the right form that are refused for who signed, or with what.

use openssl::pkey::{PKey, Private};
use tasuki_certs::cms_sign::{Content, sign};
use tasuki_certs::cms_verify::SignatureVerifier;
use tasuki_certs::error::{CertError, Position};
use tasuki_certs::identity::KeyIdentity;
use tasuki_certs::signature_error::SignatureError;

use crate::der_tree::Node;
use crate::signature_parts as parts;
use crate::support::{self, Kind, NOW_US, SECOND_US};

const CONTENT: &[u8] = b"manifest";

fn signed_by(office: &KeyIdentity) -> Vec<u8> {
    sign(office, CONTENT, Content::Detached, NOW_US).unwrap()
}

fn verify(cms: &[u8]) -> Result<(), SignatureError> {
    support::verifier().verify(cms, Some(CONTENT), NOW_US).map(drop)
}

/// A signature whose embedded certificate of the signer is replaced by `certificate`.
fn with_certificate(cms: &[u8], certificate: &openssl::x509::X509) -> Vec<u8> {
    let mut tree = Node::read(cms);
    let issuing = Node::read(&support::issuing().to_der().unwrap());
    *tree.at(parts::CERTIFICATES).children() = vec![issuing, Node::read(&certificate.to_der().unwrap())];
    tree.at(parts::CERTIFICATES).sort();
    tree.write()
}

#[test]
fn another_offices_certificate_in_place_of_the_signers() {
    let other = support::office(401, support::other_rsa(), Kind::Office);
    let altered = with_certificate(&signed_by(support::rsa_office()), &other);
    assert_eq!(verify(&altered), Err(SignatureError::SignerNotEmbedded));
}

/// The same CA, the same serial number, the same key even: but not the certificate that was signed with.
#[test]
fn twin_of_the_signers_certificate() {
    let office = support::identity(support::rsa(), &support::office(402, support::rsa(), Kind::Office));
    for twin in [
        support::office(402, support::rsa(), Kind::SignsOnly),
        support::office(402, support::other_rsa(), Kind::Office),
    ] {
        let altered = with_certificate(&signed_by(&office), &twin);
        assert_eq!(verify(&altered), Err(SignatureError::EssMismatch));
    }
}

/// Both are embedded, the right one and one that bears its name: which is meant is not ours to guess.
#[test]
fn two_certificates_under_the_signers_name() {
    let mut tree = Node::read(&signed_by(support::rsa_office()));
    let twin = support::office(11, support::other_rsa(), Kind::Office);
    tree.at(parts::CERTIFICATES).children().push(Node::read(&twin.to_der().unwrap()));
    tree.at(parts::CERTIFICATES).sort();
    assert_eq!(verify(&tree.write()), Err(SignatureError::SignerAmbiguous));
}

#[test]
fn signed_hash_issuer_or_serial_of_another_certificate() {
    for path in [&[1, 0, 0, 0, 0][..], &[1, 0, 0, 0, 1, 1], &[1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1]] {
        let mut tree = Node::read(&signed_by(support::rsa_office()));
        let value = parts::find(&mut tree, parts::SIGNING_CERTIFICATE_V2).at(path).value();
        *value.last_mut().unwrap() ^= 1;
        parts::sign_again(&mut tree, support::rsa());
        assert_eq!(verify(&tree.write()), Err(SignatureError::EssMismatch), "{path:?}");
    }
    // Without issuer and serial number the hash alone decides (RFC 5035 section 4 makes them optional).
    let mut tree = Node::read(&signed_by(support::rsa_office()));
    let id = parts::find(&mut tree, parts::SIGNING_CERTIFICATE_V2).at(&[1, 0, 0, 0]);
    id.children().truncate(1);
    tree.at(parts::ATTRIBUTES).sort();
    parts::sign_again(&mut tree, support::rsa());
    assert_eq!(verify(&tree.write()), Ok(()));
}

#[test]
fn signed_with_another_key() {
    let mut tree = Node::read(&signed_by(support::rsa_office()));
    parts::sign_again(&mut tree, support::other_rsa());
    assert_eq!(verify(&tree.write()), Err(SignatureError::BadSignature));
    // For a signer who is known too.
    let verifier = support::verifier();
    verifier.verify(&signed_by(support::rsa_office()), Some(CONTENT), NOW_US).unwrap();
    let refusal = verifier.verify(&tree.write(), Some(CONTENT), NOW_US).map(drop);
    assert_eq!((refusal, verifier.stats()), (Err(SignatureError::BadSignature), (1, 1)));
}

#[test]
fn digest_of_another_length_or_content() {
    for digest in [vec![], vec![0; 31], vec![0; 32], vec![0; 33]] {
        let mut tree = Node::read(&signed_by(support::rsa_office()));
        *parts::find(&mut tree, parts::MESSAGE_DIGEST).at(&[1, 0]).value() = digest;
        tree.at(parts::ATTRIBUTES).sort();
        parts::sign_again(&mut tree, support::rsa());
        assert_eq!(verify(&tree.write()), Err(SignatureError::DigestMismatch));
    }
}

fn refused_certificate(key: &PKey<Private>, kind: Kind) -> Result<(), SignatureError> {
    verify(&signed_by(&support::identity(key, &support::office(403, key, kind))))
}

#[test]
fn certificate_that_may_not_sign() {
    assert_eq!(
        refused_certificate(support::rsa(), Kind::ReceivesOnly),
        Err(SignatureError::Certificate(CertError::WrongKeyUsage(Position::LEAF)))
    );
}

/// A key below the policy cannot even make an identity; somebody else's software would sign with it.
#[test]
fn weak_key() {
    let weak = support::office(404, support::weak_rsa(), Kind::Office);
    let mut tree = Node::read(&with_certificate(&signed_by(support::rsa_office()), &weak));
    let serial = [parts::SID, &[1]].concat();
    *tree.at(&serial).value() = vec![0x01, 0x94];
    let id = parts::find(&mut tree, parts::SIGNING_CERTIFICATE_V2).at(&[1, 0, 0, 0]);
    *id.at(&[0]).value() = openssl::sha::sha256(&weak.to_der().unwrap()).to_vec();
    *id.at(&[1, 1]).value() = vec![0x01, 0x94];
    tree.at(parts::ATTRIBUTES).sort();
    parts::sign_again(&mut tree, support::weak_rsa());
    assert_eq!(verify(&tree.write()), Err(SignatureError::Certificate(CertError::WeakKey(Position::LEAF))));
}

#[test]
fn certificate_before_and_after_its_time() {
    let signed = signed_by(support::rsa_office());
    let year_us = 365 * 86_400 * SECOND_US;
    let verifier = support::verifier();
    let at = |at_us| verifier.verify(&signed, Some(CONTENT), at_us).map(drop);
    let refused = |error| Err(SignatureError::Certificate(error));
    assert_eq!(at(NOW_US - 2 * year_us), refused(CertError::CertificateNotYetValid(Position::LEAF)));
    assert_eq!(at(NOW_US), Ok(()));
    // Known by now; that changes nothing about the time.
    assert_eq!(at(NOW_US - 2 * year_us), refused(CertError::CertificateNotYetValid(Position::LEAF)));
    assert_eq!(at(NOW_US + 10 * year_us), refused(CertError::CertificateExpired(Position::LEAF)));
    assert_eq!(at(i64::MIN), refused(CertError::CertificateNotYetValid(Position::LEAF)));
    assert_eq!(at(i64::MAX), refused(CertError::CertificateExpired(Position::LEAF)));
}

#[test]
fn certificate_of_a_ca_that_nobody_trusts() {
    let stranger = support::office(405, support::p256(), Kind::Office);
    let verifier = SignatureVerifier::new(support::trust_with(&support::strangers_root(), vec![]));
    let signed = signed_by(&support::identity(support::p256(), &stranger));
    let refusal = verifier.verify(&signed, Some(CONTENT), NOW_US).map(drop);
    assert_eq!(refusal, Err(SignatureError::Certificate(CertError::UntrustedIssuer)));
}

#[test]
fn ca_that_signs_a_parcel_itself() {
    let refusal = verify(&signed_by(&support::identity_of_root()));
    assert_eq!(refusal, Err(SignatureError::Certificate(CertError::CaAsEndEntity)));
}

#[test]
fn chain_with_a_gap() {
    let mut tree = Node::read(&signed_by(support::rsa_office()));
    let own = Node::read(support::rsa_office().certificate_der());
    *tree.at(parts::CERTIFICATES).children() = vec![own];
    assert_eq!(verify(&tree.write()), Err(SignatureError::Certificate(CertError::UntrustedIssuer)));
}

#[test]
fn every_error_has_a_stable_name() {
    assert_eq!(SignatureError::Certificate(CertError::UntrustedIssuer).code(), "UNTRUSTED_ISSUER");
    assert_eq!(SignatureError::BadSignature.code(), "BAD_SIGNATURE");
    assert_eq!(SignatureError::Malformed("sid").code(), "MALFORMED_SIGNATURE");
}
