//! Sealed parcels that were cut, altered, or put together by somebody who wants us to fall over.

use ring::rand::SystemRandom;
use tasuki_certs::open::{OpenError, OpeningKey, OutsideSealProfile, inspect, open};
use tasuki_certs::recipient::Recipient;
use tasuki_certs::seal::{MAX_RECIPIENTS, seal};
use tasuki_certs::sealing_key::SealingKey;

use crate::der_tree::Node;
use crate::support;

const CONTENT: &[u8] = b"PK\x03\x04 a parcel";

// Where things stand in a `ContentInfo`.
const ENVELOPED: &[usize] = &[1, 0];
const VERSION: &[usize] = &[1, 0, 0];
const RECIPIENTS: &[usize] = &[1, 0, 1];
const CONTENT_INFO: &[usize] = &[1, 0, 2];
const MAC: &[usize] = &[1, 0, 3];

/// The content sealed to an RSA certificate and a sealing key, and the keys that open it.
fn sealed() -> (Vec<u8>, [OpeningKey; 2]) {
    let sealing_key = SealingKey::generate().unwrap();
    let recipients = [
        Recipient::from_certificate(support::rsa_office().certificate_der()).unwrap(),
        Recipient::from_sealing_key(&sealing_key.spki_der()).unwrap(),
    ];
    let keys = [
        OpeningKey::from_identity(support::rsa_office()).unwrap(),
        OpeningKey::from_sealing_key(&sealing_key),
    ];
    (seal(CONTENT, &recipients, &SystemRandom::new()).unwrap(), keys)
}

/// The content sealed to one sealing key, as a tree. The recipient's entry is the first.
fn sealed_to_one() -> (Node, [OpeningKey; 1]) {
    let key = SealingKey::generate().unwrap();
    let recipient = Recipient::from_sealing_key(&key.spki_der()).unwrap();
    let sealed = seal(CONTENT, [&recipient], &SystemRandom::new()).unwrap();
    (Node::read(&sealed), [OpeningKey::from_sealing_key(&key)])
}

/// The content sealed to one RSA certificate, as a tree.
fn sealed_to_rsa() -> (Node, [OpeningKey; 1]) {
    let recipient = Recipient::from_certificate(support::rsa_office().certificate_der()).unwrap();
    let sealed = seal(CONTENT, [&recipient], &SystemRandom::new()).unwrap();
    (Node::read(&sealed), [OpeningKey::from_identity(support::rsa_office()).unwrap()])
}

/// What opening says after `alter` changed the tree.
fn altered(
    (mut tree, keys): (Node, [OpeningKey; 1]),
    alter: impl FnOnce(&mut Node),
) -> Result<Vec<u8>, OpenError> {
    assert_eq!(open(&tree.write(), &keys), Ok(CONTENT.to_vec()), "it opens before it is altered");
    alter(&mut tree);
    open(&tree.write(), &keys)
}

fn outside(what: OutsideSealProfile) -> Result<Vec<u8>, OpenError> {
    Err(OpenError::OutsideProfile(what))
}

#[test]
fn every_truncation_is_malformed() {
    let (sealed, keys) = sealed();
    for cut in 0..sealed.len() {
        let error = open(&sealed[..cut], &keys).unwrap_err();
        assert_eq!(error, OpenError::Malformed("ContentInfo"), "cut at {cut}");
    }
    let mut longer = sealed.clone();
    longer.push(0);
    assert_eq!(open(&longer, &keys), Err(OpenError::Malformed("ContentInfo")));
}

/// Every byte, altered in three ways, for each key alone. Where the flip hits the other recipient's entry the content
/// may still open, unaltered; nothing else may.
#[test]
fn every_flip_is_refused_or_is_in_the_other_recipients_entry() {
    let (sealed, keys) = sealed();
    let mut tree = Node::read(&sealed);
    let entries = tree.at(RECIPIENTS).children().iter().map(|entry| entry.write().len()).sum::<usize>();
    for key in &keys {
        let mut opened = 0;
        for at in 0..sealed.len() {
            for mask in [0x01, 0x80, 0xff] {
                let mut flipped = sealed.clone();
                flipped[at] ^= mask;
                if let Ok(content) = open(&flipped, std::slice::from_ref(key)) {
                    assert_eq!(content, CONTENT, "flip at {at}");
                    opened += 1;
                }
            }
        }
        assert!((100..=3 * entries).contains(&opened), "{opened}");
    }
}

/// With only one recipient there is no other entry: DER leaves no two ways to write one thing.
#[test]
fn every_flip_of_a_seal_to_one_is_refused() {
    let (tree, keys) = sealed_to_one();
    let sealed = tree.write();
    for at in 0..sealed.len() {
        for bit in 0..8 {
            let mut flipped = sealed.clone();
            flipped[at] ^= 1 << bit;
            assert!(open(&flipped, &keys).is_err(), "bit {bit} of {at}");
        }
    }
}

#[test]
fn altered_content_tag_nonce_key_and_point_are_not_authentic() {
    let ciphertext = [CONTENT_INFO, &[2]].concat();
    let nonce = [CONTENT_INFO, &[1, 1, 0]].concat();
    let wrapped = [RECIPIENTS, &[0, 3, 0, 1]].concat();
    let point = [RECIPIENTS, &[0, 1, 0, 1]].concat();
    for path in [MAC, &ciphertext, &nonce, &wrapped, &point] {
        let refusal = altered(sealed_to_one(), |tree| *tree.at(path).value().last_mut().unwrap() ^= 1);
        assert_eq!(refusal, Err(OpenError::NotAuthentic), "{path:?}");
    }
    let encrypted_key = [RECIPIENTS, &[0, 3]].concat();
    let refusal = altered(sealed_to_rsa(), |tree| tree.at(&encrypted_key).value()[100] ^= 1);
    assert_eq!(refusal, Err(OpenError::NotAuthentic));
    let refusal = altered(sealed_to_rsa(), |tree| tree.at(&encrypted_key).value().truncate(255));
    assert_eq!(refusal, Err(OpenError::NotAuthentic));
}

/// A content key of another length, rightly encrypted to us.
#[test]
fn content_key_that_is_too_short_is_not_authentic() {
    let encrypted_key = [RECIPIENTS, &[0, 3]].concat();
    let short = tasuki_certs::primitives::rsa_oaep::encrypt(support::rsa(), &[7; 16]).unwrap();
    let refusal = altered(sealed_to_rsa(), |tree| *tree.at(&encrypted_key).value() = short);
    assert_eq!(refusal, Err(OpenError::NotAuthentic));
}

#[test]
fn fields_outside_the_profile_have_names() {
    let insert = |at: usize, node: Node| {
        altered(sealed_to_one(), |tree| tree.at(ENVELOPED).children().insert(at, node))
    };
    let empty = || vec![Node::nodes(0x30, vec![])];
    assert_eq!(insert(1, Node::nodes(0xa0, empty())), outside(OutsideSealProfile::OriginatorInfo));
    assert_eq!(insert(3, Node::nodes(0xa1, empty())), outside(OutsideSealProfile::Attributes));
    assert_eq!(insert(4, Node::nodes(0xa2, empty())), outside(OutsideSealProfile::Attributes));
    assert_eq!(insert(4, Node::nodes(0xa3, empty())), Err(OpenError::Malformed("AuthEnvelopedData")));

    let content_type = [CONTENT_INFO, &[0]].concat();
    let refusal = altered(sealed_to_one(), |tree| *tree.at(&content_type).value().last_mut().unwrap() = 2);
    assert_eq!(refusal, outside(OutsideSealProfile::ContentType));

    let entry = [RECIPIENTS, &[0]].concat();
    let ukm = Node::nodes(0xa1, vec![Node::bytes(4, b"salt")]);
    let refusal = altered(sealed_to_one(), |tree| tree.at(&entry).children().insert(2, ukm));
    assert_eq!(refusal, outside(OutsideSealProfile::UserKeyingMaterial));

    let keys = [RECIPIENTS, &[0, 3]].concat();
    let refusal = altered(sealed_to_one(), |tree| {
        let keys = tree.at(&keys).children();
        keys.push(keys[0].clone());
    });
    assert_eq!(refusal, outside(OutsideSealProfile::SharedAgreement));

    let originator = [RECIPIENTS, &[0, 1, 0]].concat();
    let refusal = altered(sealed_to_one(), |tree| *tree.at(&originator) = Node::bytes(0x80, &[7; 20]));
    assert_eq!(refusal, outside(OutsideSealProfile::StaticOriginator));
}

#[test]
fn other_kinds_of_recipients_are_refused() {
    // A key encryption key, a password, another kind (RFC 5652 section 6.2).
    for choice in [0xa2, 0xa3, 0xa4] {
        let refusal = altered(sealed_to_one(), |tree| tree.at(RECIPIENTS).children()[0].tag = choice);
        assert_eq!(refusal, outside(OutsideSealProfile::RecipientKind));
    }
}

#[test]
fn versions_and_lengths_are_exact() {
    let refusal = altered(sealed_to_one(), |tree| tree.at(VERSION).value()[0] = 1);
    assert_eq!(refusal, Err(OpenError::Malformed("AuthEnvelopedData.version")));
    let refusal = altered(sealed_to_one(), |tree| tree.at(VERSION).value().insert(0, 0));
    assert_eq!(refusal, Err(OpenError::Malformed("AuthEnvelopedData.version")));
    // A shorter tag is easier to guess.
    let refusal = altered(sealed_to_one(), |tree| tree.at(MAC).value().truncate(12));
    assert_eq!(refusal, Err(OpenError::Malformed("mac")));
    let tag_len = [CONTENT_INFO, &[1, 1, 1]].concat();
    let refusal = altered(sealed_to_one(), |tree| tree.at(&tag_len).value()[0] = 12);
    assert_eq!(refusal, Err(OpenError::Algorithm));
    let parameters = [CONTENT_INFO, &[1, 1]].concat();
    let refusal = altered(sealed_to_one(), |tree| tree.at(&parameters).children().truncate(1));
    assert_eq!(refusal, Err(OpenError::Algorithm), "the default of 12");
    let nonce = [CONTENT_INFO, &[1, 1, 0]].concat();
    let refusal = altered(sealed_to_one(), |tree| tree.at(&nonce).value().push(0));
    assert_eq!(refusal, Err(OpenError::Algorithm));
    let point = [RECIPIENTS, &[0, 1, 0, 1]].concat();
    let refusal = altered(sealed_to_one(), |tree| tree.at(&point).value().truncate(34));
    assert_eq!(refusal, Err(OpenError::Malformed("originatorKey")), "compressed");
    let wrapped = [RECIPIENTS, &[0, 3, 0, 1]].concat();
    let refusal = altered(sealed_to_one(), |tree| tree.at(&wrapped).value().push(0));
    assert_eq!(refusal, Err(OpenError::Malformed("encryptedKey")));
}

#[test]
fn names_of_recipients_are_bounded_and_matched_exactly() {
    let key_id = [RECIPIENTS, &[0, 3, 0, 0, 0]].concat();
    let refusal = altered(sealed_to_one(), |tree| tree.at(&key_id).value()[0] ^= 1);
    assert_eq!(refusal, Err(OpenError::NotARecipient));
    let refusal = altered(sealed_to_one(), |tree| *tree.at(&key_id).value() = vec![1; 65]);
    assert_eq!(refusal, Err(OpenError::Malformed("rid")));
    let refusal = altered(sealed_to_one(), |tree| tree.at(&key_id).value().clear());
    assert_eq!(refusal, Err(OpenError::Malformed("rid")));
    let serial = [RECIPIENTS, &[0, 1, 1]].concat();
    let refusal = altered(sealed_to_rsa(), |tree| tree.at(&serial).value()[0] ^= 1);
    assert_eq!(refusal, Err(OpenError::NotARecipient));
    let issuer = [RECIPIENTS, &[0, 1, 0]].concat();
    let refusal = altered(sealed_to_rsa(), |tree| *tree.at(&issuer) = Node::bytes(0x30, &[0x31; 5000]));
    assert_eq!(refusal, Err(OpenError::Malformed("rid")));
}

/// The name is ours, the kind of key is not: nobody's key is used for what it is not.
#[test]
fn key_of_another_kind_under_our_name_is_not_tried() {
    let (mut tree, keys) = sealed_to_one();
    let (mut rsa, _) = sealed_to_rsa();
    let name = rsa.at(&[RECIPIENTS, &[0, 1]].concat()).clone();
    *tree.at(&[RECIPIENTS, &[0, 3, 0, 0]].concat()) = name;
    let rsa_keys = [OpeningKey::from_identity(support::rsa_office()).unwrap()];
    assert_eq!(open(&tree.write(), &rsa_keys), Err(OpenError::NotARecipient));
    assert_eq!(open(&tree.write(), &keys), Err(OpenError::NotARecipient));
}

#[test]
fn recipients_out_of_order_or_twice_are_malformed() {
    let (sealed, keys) = sealed();
    let mut tree = Node::read(&sealed);
    tree.at(RECIPIENTS).children().reverse();
    assert_eq!(open(&tree.write(), &keys), Err(OpenError::Malformed("recipientInfos")));
    let entries = tree.at(RECIPIENTS).children();
    entries[0] = entries[1].clone();
    assert_eq!(open(&tree.write(), &keys), Err(OpenError::Malformed("recipientInfos")));
    tree.at(RECIPIENTS).children().clear();
    assert_eq!(open(&tree.write(), &keys), Err(OpenError::Malformed("recipientInfos")));
}

#[test]
fn more_recipients_than_the_bound() {
    for (count, refusal) in [
        (MAX_RECIPIENTS + 1, OpenError::TooManyRecipients),
        // From here on nobody even counts.
        (MAX_RECIPIENTS + 2, OpenError::Malformed("recipientInfos")),
        (200_000, OpenError::Malformed("recipientInfos")),
    ] {
        let numbers = 0..u32::try_from(count).unwrap();
        let entries = numbers.map(|number| Node::nodes(0x30, vec![Node::bytes(4, &number.to_be_bytes())]));
        let (mut tree, keys) = sealed_to_one();
        *tree.at(RECIPIENTS).children() = entries.collect();
        assert_eq!(open(&tree.write(), &keys), Err(refusal), "{count}");
        assert_eq!(inspect(&tree.write()), Err(refusal), "{count}");
    }
}
