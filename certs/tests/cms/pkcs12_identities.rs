//! Identities from PKCS#12 and PEM, good and bad.

use openssl::nid::Nid;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::PKey;
use openssl::stack::Stack;
use openssl::symm::Cipher;
use openssl::x509::X509;
use tasuki_certs::identity::{IdentityError, KeyIdentity};

use crate::support::{self, Folder, Kind};

const PASSWORD: &str = "伝送 and spaces";

fn der(certificate: &X509) -> Vec<u8> {
    certificate.to_der().unwrap()
}

/// A PKCS#12 file by OpenSSL's library, its CA certificates in the wrong order and with a stranger among them.
fn modern(password: &str) -> (Vec<u8>, X509) {
    let certificate = support::office(101, support::rsa(), Kind::Office);
    let mut others = Stack::new().unwrap();
    others.push(support::root()).unwrap();
    others.push(support::office(102, support::p256(), Kind::Office)).unwrap();
    others.push(support::issuing()).unwrap();
    let mut builder = Pkcs12::builder();
    builder.name("office").pkey(support::rsa()).cert(&certificate).ca(others);
    (builder.build2(password).unwrap().to_der().unwrap(), certificate)
}

#[test]
fn modern_file_opens_and_its_chain_is_put_in_order() {
    let (file, certificate) = modern(PASSWORD);
    let identity = KeyIdentity::from_pkcs12(&file, PASSWORD).unwrap();
    assert_eq!(identity.certificate_der(), der(&certificate));
    assert_eq!(identity.chain_der(), [&certificate, &support::issuing(), &support::root()].map(der));
    let key = PKey::private_key_from_pkcs8(&identity.private_key_pkcs8_der().unwrap()).unwrap();
    assert!(key.public_eq(support::rsa()));
    let fingerprint = openssl::sha::sha256(&der(&certificate));
    assert_eq!(identity.fingerprint(), fingerprint);
}

#[test]
fn legacy_files_open_whatever_the_old_algorithm() {
    let folder = Folder::new();
    let certificate = support::office(103, support::rsa(), Kind::Office);
    folder.put("key.pem", &support::rsa().private_key_to_pem_pkcs8().unwrap());
    folder.put("certificate.pem", &certificate.to_pem().unwrap());
    folder.put("ca.pem", &support::issuing().to_pem().unwrap());
    for (certificates, key) in [
        ("PBE-SHA1-RC2-40", "PBE-SHA1-3DES"),
        ("PBE-SHA1-RC2-128", "PBE-SHA1-2DES"),
        ("PBE-SHA1-3DES", "PBE-SHA1-3DES"),
        ("PBE-SHA1-RC4-128", "PBE-SHA1-RC2-40"),
    ] {
        folder.must(&format!(
            "pkcs12 -export -legacy -certpbe {certificates} -keypbe {key} -macalg sha1 \
             -inkey key.pem -in certificate.pem -certfile ca.pem -out legacy.p12 -passout pass:secret"
        ));
        let file = folder.get("legacy.p12");
        let identity = KeyIdentity::from_pkcs12(&file, "secret").unwrap();
        assert_eq!(identity.chain_der(), [&certificate, &support::issuing()].map(der), "{certificates}");
        // The identity goes on working after the old algorithms were put away again.
        let signed = tasuki_certs::cms_sign::sign(
            &identity,
            b"text",
            tasuki_certs::cms_sign::Content::Detached,
            support::NOW_US,
        );
        assert!(signed.is_ok(), "{certificates}");
        let wrong = KeyIdentity::from_pkcs12(&file, "Secret").err();
        assert_eq!(wrong, Some(IdentityError::WrongPassword), "{certificates}");
    }
}

#[test]
fn password_that_is_wrong_in_any_way() {
    let (file, _) = modern(PASSWORD);
    for password in ["", "伝送", "伝送 and spaces ", "a\0b", "伝送 and spaces\0"] {
        assert_eq!(
            KeyIdentity::from_pkcs12(&file, password).err(),
            Some(IdentityError::WrongPassword),
            "{password:?}"
        );
    }
}

#[test]
fn empty_password_is_a_password() {
    let (file, certificate) = modern("");
    assert_eq!(KeyIdentity::from_pkcs12(&file, "").unwrap().certificate_der(), der(&certificate));
    assert_eq!(KeyIdentity::from_pkcs12(&file, "x").err(), Some(IdentityError::WrongPassword));
}

#[test]
fn bytes_that_are_no_pkcs12() {
    let (file, certificate) = modern(PASSWORD);
    for bytes in [&b""[..], b"-----BEGIN PKCS12-----", &der(&certificate), &file[..file.len() / 2]] {
        assert_eq!(KeyIdentity::from_pkcs12(bytes, PASSWORD).err(), Some(IdentityError::MalformedPkcs12));
    }
}

#[test]
fn every_cut_or_flipped_pkcs12_is_an_error_or_the_same_identity() {
    let (file, _) = modern("p");
    let whole = KeyIdentity::from_pkcs12(&file, "p").unwrap();
    for cut in (0..file.len()).step_by(97) {
        assert!(KeyIdentity::from_pkcs12(&file[..cut], "p").is_err(), "cut at {cut}");
    }
    for at in (0..file.len()).step_by(61) {
        let mut flipped = file.clone();
        flipped[at] ^= 0x41;
        // A flip in a friendly name, say, changes nothing that matters: but the MAC covers even that.
        if let Ok(identity) = KeyIdentity::from_pkcs12(&flipped, "p") {
            assert_eq!(identity.fingerprint(), whole.fingerprint(), "flip at {at}");
        }
    }
}

#[test]
fn file_without_key_or_certificate() {
    let folder = Folder::new();
    folder.put("key.pem", &support::rsa().private_key_to_pem_pkcs8().unwrap());
    folder.put("certificate.pem", &support::issuing().to_pem().unwrap());
    folder.must("pkcs12 -export -nokeys -in certificate.pem -out no-key.p12 -passout pass:x");
    folder.must("pkcs12 -export -nocerts -inkey key.pem -out no-certificate.p12 -passout pass:x");
    let read = |name| KeyIdentity::from_pkcs12(&folder.get(name), "x").err();
    assert_eq!(read("no-key.p12"), Some(IdentityError::NoKey));
    assert_eq!(read("no-certificate.p12"), Some(IdentityError::NoCertificate));
}

#[test]
fn key_of_another_certificate() {
    let mut others = Stack::new().unwrap();
    others.push(support::office(104, support::p256(), Kind::Office)).unwrap();
    let mut builder = Pkcs12::builder();
    builder.pkey(support::rsa()).ca(others).key_algorithm(Nid::AES_256_CBC);
    let file = builder.build2("x").unwrap().to_der().unwrap();
    assert_eq!(KeyIdentity::from_pkcs12(&file, "x").err(), Some(IdentityError::KeyDoesNotMatch));

    let certificate = support::office(105, support::p256(), Kind::Office).to_pem().unwrap();
    let key = support::rsa().private_key_to_pem_pkcs8().unwrap();
    assert_eq!(KeyIdentity::from_pem(&certificate, &key).err(), Some(IdentityError::KeyDoesNotMatch));
}

#[test]
fn pem_in_every_form_and_order() {
    let certificate = support::office(106, support::rsa(), Kind::Office);
    let chain = [&certificate, &support::issuing(), &support::root()];
    let backwards = chain.map(|one| one.to_pem().unwrap()).into_iter().rev().collect::<Vec<_>>().concat();
    let pkcs8 = support::rsa().private_key_to_pem_pkcs8().unwrap();
    let pkcs1 = support::rsa().rsa().unwrap().private_key_to_pem().unwrap();
    let together = [backwards.clone(), pkcs8.clone()].concat();
    for (certificates, key) in [(&backwards, &pkcs8), (&backwards, &pkcs1), (&together, &together)] {
        let identity = KeyIdentity::from_pem(certificates, key).unwrap();
        assert_eq!(identity.chain_der(), chain.map(der));
    }
    let sec1 = support::p256().ec_key().unwrap().private_key_to_pem().unwrap();
    let certificate = support::office(107, support::p256(), Kind::Office).to_pem().unwrap();
    assert!(KeyIdentity::from_pem(&certificate, &sec1).is_ok());
}

#[test]
fn pem_that_is_encrypted_missing_or_broken() {
    let certificate = support::office(108, support::rsa(), Kind::Office).to_pem().unwrap();
    let key = support::rsa().private_key_to_pem_pkcs8().unwrap();
    let encrypted = support::rsa().private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), b"x").unwrap();
    let old = support::rsa().rsa().unwrap();
    let old = old.private_key_to_pem_passphrase(Cipher::aes_256_cbc(), b"x").unwrap();
    let broken = [&key[..200], &b"!"[..], &key[200..]].concat();
    let read = |certificates: &[u8], key: &[u8]| KeyIdentity::from_pem(certificates, key).err();
    assert_eq!(read(&certificate, &encrypted), Some(IdentityError::EncryptedKey));
    assert_eq!(read(&certificate, &old), Some(IdentityError::EncryptedKey));
    assert_eq!(read(&certificate, &broken), Some(IdentityError::MalformedPem));
    assert_eq!(read(&certificate, &certificate), Some(IdentityError::NoKey));
    assert_eq!(read(&certificate, b""), Some(IdentityError::NoKey));
    assert_eq!(read(&key, &key), Some(IdentityError::NoCertificate));
    assert_eq!(read(b"", &key), Some(IdentityError::NoCertificate));
}

#[test]
fn keys_outside_the_policy() {
    let edwards = PKey::generate_ed25519().unwrap();
    for key in [support::weak_rsa(), support::p521(), &edwards] {
        let certificate = support::office(109, key, Kind::Unlimited).to_pem().unwrap();
        let key = key.private_key_to_pem_pkcs8().unwrap();
        assert_eq!(KeyIdentity::from_pem(&certificate, &key).err(), Some(IdentityError::UnsupportedKey));
    }
}

#[test]
fn more_certificates_than_anybody_has() {
    let certificate = support::office(110, support::p256(), Kind::Office).to_pem().unwrap();
    let many = certificate.repeat(33);
    let key = support::p256().private_key_to_pem_pkcs8().unwrap();
    assert_eq!(KeyIdentity::from_pem(&many, &key).err(), Some(IdentityError::TooManyCertificates));
}

#[test]
fn debug_shows_no_key() {
    let identity = support::rsa_office();
    let shown = format!("{identity:?}");
    assert!(shown.starts_with("KeyIdentity { kind: Rsa, fingerprint: "), "{shown}");
    assert!(shown.len() < 140, "{shown}");
}
