//! Seals across the fence: the machine's own `openssl cms` opens ours, and we open its.

use ring::rand::SystemRandom;
use tasuki_certs::open::{OpenError, OpeningKey, open};
use tasuki_certs::recipient::Recipient;
use tasuki_certs::seal::seal;
use tasuki_certs::sealing_key::SealingKey;

use crate::support::{self, Folder};

fn content() -> Vec<u8> {
    // Every byte value, so that nothing on the way may take it for text.
    (0..=u8::MAX).cycle().take(70_000).collect()
}

/// A folder with both offices' keys and certificates.
fn folder() -> Folder {
    let folder = Folder::new();
    folder.put("content", &content());
    folder.put("rsa.key", &support::rsa().private_key_to_pem_pkcs8().unwrap());
    folder.put("rsa.pem", &support::pem(support::rsa_office().certificate_der()));
    folder.put("p256.key", &support::p256().private_key_to_pem_pkcs8().unwrap());
    folder.put("p256.pem", &support::pem(support::p256_office().certificate_der()));
    folder
}

fn certificate_recipients() -> Vec<Recipient> {
    [support::rsa_office(), support::p256_office()]
        .map(|office| Recipient::from_certificate(office.certificate_der()).unwrap())
        .to_vec()
}

#[test]
fn openssl_opens_what_we_seal() {
    let folder = folder();
    let sealing_key = SealingKey::generate().unwrap();
    folder.put("sealing.key", &sealing_key.to_pem().unwrap());
    let mut recipients = certificate_recipients();
    recipients.push(Recipient::from_sealing_key(&sealing_key.spki_der()).unwrap());
    let rng = SystemRandom::new();

    folder.put("sealed.p7m", &seal(&content(), &recipients, &rng).unwrap());
    for name in ["rsa", "p256"] {
        folder.must(&format!(
            "cms -decrypt -binary -inform DER -in sealed.p7m -recip {name}.pem -inkey {name}.key -out opened"
        ));
        assert!(folder.get("opened") == content(), "{name}");
    }
    // Without a certificate, openssl tries the key on every recipient.
    for (recipient, name) in recipients.iter().zip(["rsa", "p256", "sealing"]) {
        folder.put("sealed.p7m", &seal(&content(), [recipient], &rng).unwrap());
        folder
            .must(&format!("cms -decrypt -binary -inform DER -in sealed.p7m -inkey {name}.key -out opened"));
        assert!(folder.get("opened") == content(), "{name}");
    }
}

#[test]
fn we_open_what_openssl_seals_in_our_profile() {
    let folder = folder();
    let encrypt = "cms -encrypt -binary -in content -outform DER -out sealed.p7m -aes-256-gcm";
    let rsa =
        "-recip rsa.pem -keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha256 -keyopt rsa_mgf1_md:sha256";
    let p256 = "-recip p256.pem -keyopt ecdh_kdf_md:sha256";
    let keys = [support::rsa_office(), support::p256_office()].map(|o| OpeningKey::from_identity(o).unwrap());
    for (recipients, keys) in [
        (rsa.to_owned(), &keys[..1]),
        (p256.to_owned(), &keys[1..]),
        (format!("{rsa} {p256}"), &keys[..1]),
        (format!("{rsa} {p256}"), &keys[1..]),
        (format!("-keyid {rsa}"), &keys[..1]),
        (format!("-keyid {p256}"), &keys[1..]),
    ] {
        folder.must(&format!("{encrypt} {recipients}"));
        assert!(open(&folder.get("sealed.p7m"), keys) == Ok(content()), "{recipients}");
    }
}

#[test]
fn we_refuse_what_openssl_seals_otherwise() {
    let folder = folder();
    let keys = [support::rsa_office(), support::p256_office()].map(|o| OpeningKey::from_identity(o).unwrap());
    let oaep = "-recip rsa.pem -keyopt rsa_padding_mode:oaep";
    for (options, refusal) in [
        // PKCS #1 v1.5 padding.
        ("-aes-256-gcm -recip rsa.pem".to_owned(), OpenError::Algorithm),
        // OAEP with SHA-1, with SHA-1 in the mask only, with a label.
        (format!("-aes-256-gcm {oaep}"), OpenError::Algorithm),
        (
            format!("-aes-256-gcm {oaep} -keyopt rsa_oaep_md:sha256 -keyopt rsa_mgf1_md:sha1"),
            OpenError::Algorithm,
        ),
        (
            format!("-aes-256-gcm {oaep} -keyopt rsa_oaep_md:sha256 -keyopt rsa_oaep_label:00ff"),
            OpenError::Algorithm,
        ),
        // The key derivation with SHA-1.
        ("-aes-256-gcm -recip p256.pem".to_owned(), OpenError::Algorithm),
        // A smaller cipher; its key wrap is another one too.
        (format!("-aes-128-gcm {oaep} -keyopt rsa_oaep_md:sha256"), OpenError::Algorithm),
        ("-aes-128-gcm -recip p256.pem -keyopt ecdh_kdf_md:sha256".to_owned(), OpenError::Algorithm),
        // No authentication: another content type altogether.
        (format!("-aes-256-cbc {oaep} -keyopt rsa_oaep_md:sha256"), OpenError::Malformed("contentType")),
        // BER.
        (
            format!("-stream -aes-256-gcm {oaep} -keyopt rsa_oaep_md:sha256"),
            OpenError::Malformed("ContentInfo"),
        ),
    ] {
        folder.must(&format!("cms -encrypt -binary -in content -outform DER -out sealed.p7m {options}"));
        assert_eq!(open(&folder.get("sealed.p7m"), &keys), Err(refusal), "{options}");
    }
}
