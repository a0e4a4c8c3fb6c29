//! Sealing and opening: one recipient and many, by certificate and by sealing key.

use ring::rand::SystemRandom;
use tasuki_certs::open::{OpenError, OpeningKey, inspect, open};
use tasuki_certs::recipient::{Recipient, RecipientError, RecipientId};
use tasuki_certs::seal::{MAX_RECIPIENTS, SealError, seal};
use tasuki_certs::sealing_key::{SealingKey, SealingKeyError};

use crate::support::{self, Kind};

const CONTENT: &[u8] = b"PK\x03\x04 a parcel";

fn sealed_to(recipients: &[Recipient]) -> Vec<u8> {
    seal(CONTENT, recipients, &SystemRandom::new()).unwrap()
}

#[test]
fn each_kind_of_recipient_opens() {
    let sealing_key = SealingKey::generate().unwrap();
    for (recipient, key) in [
        (
            Recipient::from_certificate(support::rsa_office().certificate_der()).unwrap(),
            OpeningKey::from_identity(support::rsa_office()).unwrap(),
        ),
        (
            Recipient::from_certificate(support::p256_office().certificate_der()).unwrap(),
            OpeningKey::from_identity(support::p256_office()).unwrap(),
        ),
        (
            Recipient::from_sealing_key(&sealing_key.spki_der()).unwrap(),
            OpeningKey::from_sealing_key(&sealing_key),
        ),
    ] {
        let sealed = sealed_to(std::slice::from_ref(&recipient));
        assert_eq!(inspect(&sealed), Ok(vec![recipient.id().clone()]));
        assert_eq!(open(&sealed, &[key]), Ok(CONTENT.to_vec()));
    }
}

#[test]
fn contents_of_every_length_of_a_length() {
    let recipient = Recipient::from_certificate(support::p256_office().certificate_der()).unwrap();
    let key = OpeningKey::from_identity(support::p256_office()).unwrap();
    for len in [0, 1, 15, 16, 17, 127, 128, 255, 256, 65_535, 65_536, 1 << 24] {
        let content: Vec<u8> = (0..len).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let sealed = seal(&content, [&recipient], &SystemRandom::new()).unwrap();
        assert!(open(&sealed, std::slice::from_ref(&key)) == Ok(content), "{len}");
    }
}

#[test]
fn many_recipients_each_open_alone_and_nobody_else_does() {
    let keys: Vec<SealingKey> = (0..MAX_RECIPIENTS - 2).map(|_| SealingKey::generate().unwrap()).collect();
    let mut recipients: Vec<Recipient> =
        keys.iter().map(|key| Recipient::from_sealing_key(&key.spki_der()).unwrap()).collect();
    recipients.push(Recipient::from_certificate(support::rsa_office().certificate_der()).unwrap());
    recipients.push(Recipient::from_certificate(support::p256_office().certificate_der()).unwrap());
    let sealed = sealed_to(&recipients);
    assert_eq!(inspect(&sealed).unwrap().len(), MAX_RECIPIENTS);

    let mut openers: Vec<OpeningKey> = keys.iter().map(OpeningKey::from_sealing_key).collect();
    openers.push(OpeningKey::from_identity(support::rsa_office()).unwrap());
    openers.push(OpeningKey::from_identity(support::p256_office()).unwrap());
    for opener in &openers {
        assert_eq!(open(&sealed, std::slice::from_ref(opener)), Ok(CONTENT.to_vec()));
    }
    assert_eq!(open(&sealed, &openers), Ok(CONTENT.to_vec()));

    let stranger = OpeningKey::from_sealing_key(&SealingKey::generate().unwrap());
    assert_eq!(open(&sealed, &[stranger]), Err(OpenError::NotARecipient));
    assert_eq!(open(&sealed, &[]), Err(OpenError::NotARecipient));
}

#[test]
fn too_many_too_few_and_the_same_twice() {
    let rng = SystemRandom::new();
    let recipient = |_| Recipient::from_sealing_key(&SealingKey::generate().unwrap().spki_der()).unwrap();
    let recipients: Vec<Recipient> = (0..=MAX_RECIPIENTS).map(recipient).collect();
    assert_eq!(seal(CONTENT, &recipients, &rng), Err(SealError::TooManyRecipients));
    assert_eq!(seal(CONTENT, &[], &rng), Err(SealError::NoRecipient));
    let twice = seal(CONTENT, [&recipients[0], &recipients[1], &recipients[0]], &rng).unwrap();
    assert_eq!(inspect(&twice).unwrap().len(), 2);
}

#[test]
fn certificates_that_nothing_may_be_sealed_to() {
    let refusal =
        |key, kind| Recipient::from_certificate(&support::office(201, key, kind).to_der().unwrap()).err();
    assert_eq!(refusal(support::rsa(), Kind::Office), None);
    assert_eq!(refusal(support::rsa(), Kind::Unlimited), None);
    assert_eq!(refusal(support::p256(), Kind::Unlimited), None);
    assert_eq!(refusal(support::rsa(), Kind::SignsOnly), Some(RecipientError::UsageForbidsSealing));
    assert_eq!(refusal(support::p256(), Kind::SignsOnly), Some(RecipientError::UsageForbidsSealing));
    assert_eq!(refusal(support::weak_rsa(), Kind::Office), Some(RecipientError::WeakKey));
    assert_eq!(refusal(support::p384(), Kind::Office), Some(RecipientError::UnsupportedKey));
    assert_eq!(Recipient::from_certificate(b"x").err(), Some(RecipientError::MalformedCertificate));
    let mut trailing = support::rsa_office().certificate_der().to_vec();
    trailing.push(0);
    assert_eq!(Recipient::from_certificate(&trailing).err(), Some(RecipientError::MalformedCertificate));
    let p384 = support::p384().public_key_to_der().unwrap();
    assert_eq!(Recipient::from_sealing_key(&p384).err(), Some(RecipientError::MalformedKey));
    assert_eq!(Recipient::from_sealing_key(b"").err(), Some(RecipientError::MalformedKey));
    assert_eq!(OpeningKey::from_identity(support::p384_office()).err(), Some(RecipientError::UnsupportedKey));
}

#[test]
fn sealing_key_survives_its_file() {
    let key = SealingKey::generate().unwrap();
    let recipient = Recipient::from_sealing_key(&key.spki_der()).unwrap();
    let again = SealingKey::from_pem(&key.to_pem().unwrap()).unwrap();
    assert_eq!(again.key_id(), key.key_id());
    assert_eq!(recipient.id(), &RecipientId::KeyId(key.key_id().to_vec()));
    let sealed = sealed_to(&[recipient]);
    assert_eq!(open(&sealed, &[OpeningKey::from_sealing_key(&again)]), Ok(CONTENT.to_vec()));

    // RFC 7093 section 2 method 1, over the bits of the BIT STRING.
    let hash = openssl::sha::sha256(&key.spki_der()[26..]);
    assert_eq!(key.key_id(), hash[..20]);
    assert!(!format!("{key:?}").contains("PKey"));
}

#[test]
fn sealing_key_files_that_are_wrong() {
    let pem = |key: &openssl::pkey::PKey<openssl::pkey::Private>| key.private_key_to_pem_pkcs8().unwrap();
    let read = |pem: &[u8]| SealingKey::from_pem(pem).err();
    assert_eq!(read(&pem(support::p384())), Some(SealingKeyError::NotP256));
    assert_eq!(read(&pem(support::rsa())), Some(SealingKeyError::NotP256));
    assert_eq!(read(b"x"), Some(SealingKeyError::MalformedPem));
    let cipher = openssl::symm::Cipher::aes_256_cbc();
    let encrypted = support::p256().private_key_to_pem_pkcs8_passphrase(cipher, b"x").unwrap();
    assert_eq!(read(&encrypted), Some(SealingKeyError::EncryptedKey));
}
