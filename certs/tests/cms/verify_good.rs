//! Signatures that verify: ours, and those that `openssl cms -sign -cades` makes.

use tasuki_certs::cms_sign::{Content, sign};
use tasuki_certs::profile::Identity;

use crate::support::{self, Folder, Kind, NOW_US, SECOND_US};

const CONTENT: &[u8] = b"\x00\xff manifest\r\n\n";

#[test]
fn ours_of_every_key_detached_and_attached() {
    for office in [support::rsa_office(), support::p256_office(), support::p384_office()] {
        let verifier = support::verifier();
        let signed_us = NOW_US - 5 * SECOND_US;
        let detached = sign(office, CONTENT, Content::Detached, signed_us).unwrap();
        let answer = verifier.verify(&detached, Some(CONTENT), NOW_US).unwrap();
        assert_eq!(answer.signer.identity, Identity::Office { number: "1371215102".to_owned() });
        assert_eq!(answer.signer.der, office.certificate_der());
        assert_eq!(answer.signer.fingerprint, office.fingerprint());
        assert_eq!(answer.signer.chain.len(), 3);
        assert_eq!(answer.signing_time_us, signed_us);
        assert_eq!((answer.content, answer.cached), (None, false));

        let attached = sign(office, CONTENT, Content::Attached, signed_us).unwrap();
        let answer = verifier.verify(&attached, None, NOW_US).unwrap();
        assert_eq!((answer.content, answer.cached), (Some(CONTENT), true));
        assert_eq!(verifier.stats(), (1, 1));
    }
}

#[test]
fn ours_of_nothing_and_of_much() {
    for len in [0, 1, 127, 128, 65_536, 1 << 24] {
        let content = vec![0x30; len];
        let signed = sign(support::p256_office(), &content, Content::Attached, NOW_US).unwrap();
        let verifier = support::verifier();
        assert!(verifier.verify(&signed, None, NOW_US).unwrap().content == Some(&content[..]), "{len}");
    }
}

/// A signer's time is a claim; the form it takes follows RFC 5652 and comes back as it went in.
#[test]
fn signing_times_of_both_forms() {
    for at_us in [0, 2_524_607_999 * SECOND_US, 2_524_608_000 * SECOND_US, 253_402_300_799 * SECOND_US] {
        let signed = sign(support::p256_office(), CONTENT, Content::Detached, at_us).unwrap();
        let answer = support::verifier().verify(&signed, Some(CONTENT), NOW_US).map(|v| v.signing_time_us);
        assert_eq!(answer, Ok(at_us));
    }
}

/// A folder with the offices' keys, certificates and the issuing CA's certificate.
fn folder() -> Folder {
    let folder = Folder::new();
    folder.put("content", CONTENT);
    folder.put("issuing.pem", &support::issuing().to_pem().unwrap());
    for (name, key, office) in [
        ("rsa", support::rsa(), support::rsa_office()),
        ("p256", support::p256(), support::p256_office()),
        ("p384", support::p384(), support::p384_office()),
    ] {
        folder.put(&format!("{name}.key"), &key.private_key_to_pem_pkcs8().unwrap());
        folder.put(&format!("{name}.pem"), &support::pem(office.certificate_der()));
    }
    folder
}

#[test]
fn openssls_of_every_key_and_hash_in_the_policy() {
    let folder = folder();
    let sign = "cms -sign -cades -binary -in content -outform DER -out signed -certfile issuing.pem";
    for options in [
        "-signer rsa.pem -inkey rsa.key -md sha256",
        "-signer rsa.pem -inkey rsa.key -md sha384",
        "-signer rsa.pem -inkey rsa.key -md sha512",
        "-signer rsa.pem -inkey rsa.key -md sha256 -keyid",
        "-signer rsa.pem -inkey rsa.key -md sha256 -nosmimecap",
        "-signer p256.pem -inkey p256.key -md sha256",
        "-signer p256.pem -inkey p256.key -md sha384",
        "-signer p384.pem -inkey p384.key -md sha256",
        "-signer p384.pem -inkey p384.key -md sha384 -keyid",
    ] {
        folder.must(&format!("{sign} {options}"));
        let detached = folder.get("signed");
        let verifier = support::verifier();
        for cached in [false, true] {
            let answer = verifier.verify(&detached, Some(CONTENT), NOW_US).map(|answer| answer.cached);
            assert_eq!(answer, Ok(cached), "{options}");
        }
        folder.must(&format!("{sign} {options} -nodetach"));
        let attached = folder.get("signed");
        let answer = verifier.verify(&attached, None, NOW_US).unwrap();
        assert_eq!((answer.content, answer.cached), (Some(CONTENT), true), "{options}");
    }
}

/// Key usage limits where it stands; without it a certificate may sign.
#[test]
fn certificate_without_key_usage() {
    let office = support::identity(support::rsa(), &support::office(301, support::rsa(), Kind::Unlimited));
    let signed = sign(&office, CONTENT, Content::Detached, NOW_US).unwrap();
    assert!(support::verifier().verify(&signed, Some(CONTENT), NOW_US).is_ok());
}
