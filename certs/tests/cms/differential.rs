//! Our verification against OpenSSL's own, with its CAdES checks switched on: whatever we accept, OpenSSL accepts too,
//! and what is good, both accept.
//!
//! One thing OpenSSL is not asked to do as we do: to try another path where an embedded certificate that looks like
//! the issuer's is not. Embedded certificates are not signed, so somebody can put such a decoy beside the right one. We
//! find the right one all the same; OpenSSL is then asked again with the decoys taken out, and must accept.
//!
//! The inputs are good signatures, the same ones mutated (as bytes, as trees with lengths that fit, and as trees that
//! the signer signed again), and random bytes. The mutations follow from a fixed seed.

use openssl::cms::{CMSOptions, CmsContentInfo};
use openssl::pkey::{PKey, Private};
use openssl::stack::Stack;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::verify::X509VerifyParam;
use openssl::x509::{X509, X509PurposeId};
use tasuki_certs::cms_sign::{Content, sign};
use tasuki_certs::cms_verify::SignatureVerifier;
use tasuki_certs::identity::KeyIdentity;

use crate::der_tree::{Body, Node};
use crate::signature_parts as parts;
use crate::support::{self, NOW_US, SECOND_US};

const CONTENT: &[u8] = b"manifest";

/// `CMS_CADES` of OpenSSL's cms.h, which the openssl crate does not name: the ESS attribute is required and checked.
fn cades() -> CMSOptions {
    CMSOptions::from_bits_retain(0x10_0000) | CMSOptions::BINARY
}

/// OpenSSL's answer.
struct Oracle(X509Store);

impl Oracle {
    fn new() -> Self {
        let mut store = X509StoreBuilder::new().unwrap();
        store.add_cert(support::root()).unwrap();
        let mut parameters = X509VerifyParam::new().unwrap();
        parameters.set_time(NOW_US / SECOND_US);
        parameters.set_purpose(X509PurposeId::ANY).unwrap();
        store.set_param(&parameters).unwrap();
        Self(store.build())
    }

    fn accepts(&self, cms: &[u8], content: Option<&[u8]>) -> bool {
        let Ok(mut cms) = CmsContentInfo::from_der(cms) else {
            return false;
        };
        let mut out = Vec::new();
        let verified = cms.verify(None, Some(&self.0), content, Some(&mut out), cades());
        verified.is_ok() && content.is_none_or(|content| out == content)
    }
}

/// A good signature, whose key it is, and the content where it is detached.
struct Sample {
    cms: Vec<u8>,
    key: &'static PKey<Private>,
    content: Option<&'static [u8]>,
}

fn samples() -> Vec<Sample> {
    let mut samples = Vec::new();
    for (key, office) in offices() {
        for (mode, content) in [(Content::Detached, Some(CONTENT)), (Content::Attached, None)] {
            let at_us = if content.is_some() { NOW_US } else { 2_600_000_000 * SECOND_US };
            samples.push(Sample { cms: sign(office, CONTENT, mode, at_us).unwrap(), key, content });
        }
        for (options, content) in [
            (CMSOptions::DETACHED, Some(CONTENT)),
            (CMSOptions::empty(), None),
            (CMSOptions::USE_KEYID | CMSOptions::NOSMIMECAP, None),
        ] {
            samples.push(Sample { cms: openssl_signs(key, office, options), key, content });
        }
    }
    samples
}

fn offices() -> [(&'static PKey<Private>, &'static KeyIdentity); 3] {
    [
        (support::rsa(), support::rsa_office()),
        (support::p256(), support::p256_office()),
        (support::p384(), support::p384_office()),
    ]
}

fn openssl_signs(key: &PKey<Private>, office: &KeyIdentity, options: CMSOptions) -> Vec<u8> {
    let certificate = X509::from_der(office.certificate_der()).unwrap();
    let mut others = Stack::new().unwrap();
    others.push(support::issuing()).unwrap();
    let cms =
        CmsContentInfo::sign(Some(&certificate), Some(key), Some(&others), Some(CONTENT), cades() | options);
    cms.unwrap().to_der().unwrap()
}

/// A generator with a fixed seed (splitmix64): the same mutations in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.roll() % u64::try_from(bound).unwrap()).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.roll().to_le_bytes()[0]
    }
}

/// Flips, inserts, deletes or copies bytes, as something between a careless network and a clever enemy would.
fn mutate_bytes(bytes: &mut Vec<u8>, dice: &mut Dice) {
    for _ in 0..=dice.below(3) {
        if bytes.is_empty() {
            return;
        }
        let at = dice.below(bytes.len());
        match dice.below(5) {
            0 => bytes[at] ^= 1 << dice.below(8),
            1 => bytes[at] = dice.byte(),
            2 => bytes.insert(at, dice.byte()),
            3 => drop(bytes.remove(at)),
            _ => {
                let len = dice.below(40).min(bytes.len() - at);
                let piece = bytes[at..at + len].to_vec();
                let to = dice.below(bytes.len());
                bytes.splice(to..to, piece);
            }
        }
    }
}

/// The paths of all elements.
fn paths(node: &Node) -> Vec<Vec<usize>> {
    let mut all = vec![vec![]];
    if let Body::Nodes(nodes) = &node.body {
        for (step, child) in nodes.iter().enumerate() {
            all.extend(paths(child).into_iter().map(|path| [vec![step], path].concat()));
        }
    }
    all
}

/// Alters one element of `tree`, sometimes with one taken from `donor`.
fn mutate_tree(tree: &mut Node, donor: &Node, dice: &mut Dice) {
    let all = paths(tree);
    let path = &all[1 + dice.below(all.len() - 1)];
    let (last, parent) = path.split_last().unwrap();
    match dice.below(8) {
        0 => drop(tree.at(parent).children().remove(*last)),
        1 => {
            let copy = tree.at(path).clone();
            tree.at(parent).children().insert(*last, copy);
        }
        2 => {
            let siblings = tree.at(parent).children();
            let other = dice.below(siblings.len());
            siblings.swap(*last, other);
        }
        3 => tree.at(path).tag ^= [0x01, 0x02, 0x20, 0x80, 0xa0][dice.below(5)],
        4 => {
            let mut donor = donor.clone();
            let from = paths(&donor);
            let from = &from[dice.below(from.len())];
            *tree.at(path) = donor.at(from).clone();
        }
        5 => tree.at(parent).children().insert(*last, Node::bytes(5, b"")),
        _ => {
            if let Body::Bytes(bytes) = &mut tree.at(path).body {
                mutate_bytes(bytes, dice);
            }
        }
    }
}

/// Alters the signed attributes of `tree` and signs them again, in DER's order three times out of four.
fn mutate_signed(tree: &mut Node, donor: &Node, key: &PKey<Private>, dice: &mut Dice) {
    let mut donor = donor.clone();
    for _ in 0..=dice.below(2) {
        mutate_tree(tree.at(parts::ATTRIBUTES), donor.at(parts::ATTRIBUTES), dice);
        if !matches!(&tree.at(parts::ATTRIBUTES).body, Body::Nodes(nodes) if !nodes.is_empty()) {
            return;
        }
    }
    if dice.below(4) > 0 {
        tree.at(parts::ATTRIBUTES).sort();
    }
    parts::sign_again(tree, key);
}

/// What became of the inputs.
#[derive(Debug, Default)]
struct Count {
    both: usize,
    both_without_decoys: usize,
    openssl_only: usize,
    neither: usize,
}

struct Judge {
    ours: SignatureVerifier,
    oracle: Oracle,
    count: Count,
}

impl Judge {
    fn new() -> Self {
        Self { ours: support::verifier(), oracle: Oracle::new(), count: Count::default() }
    }

    fn judge(&mut self, cms: &[u8], content: Option<&[u8]>) {
        let ours = self.ours.verify(cms, content, NOW_US);
        let theirs = self.oracle.accepts(cms, content);
        match (ours, theirs) {
            (Ok(_), true) => self.count.both += 1,
            (Err(_), true) => self.count.openssl_only += 1,
            (Err(_), false) => self.count.neither += 1,
            (Ok(verified), false) => {
                let without_decoys = only_with(cms, &verified.signer.chain);
                assert_ne!(without_decoys, cms, "we accept what OpenSSL refuses: {cms:02x?}");
                assert!(
                    self.oracle.accepts(&without_decoys, content),
                    "we accept what OpenSSL refuses: {cms:02x?}"
                );
                self.count.both_without_decoys += 1;
            }
        }
    }
}

/// The signature with only those of its embedded certificates that are in `chain`.
fn only_with(cms: &[u8], chain: &[Vec<u8>]) -> Vec<u8> {
    let mut tree = Node::read(cms);
    tree.at(parts::CERTIFICATES).children().retain(|certificate| chain.contains(&certificate.write()));
    tree.write()
}

#[test]
fn both_accept_what_is_good() {
    let mut judge = Judge::new();
    for sample in samples() {
        judge.judge(&sample.cms, sample.content);
    }
    assert_eq!(judge.count.both, 15, "{:?}", judge.count);
}

#[test]
fn bytes_mutated() {
    let (mut judge, mut dice) = (Judge::new(), Dice(1));
    let samples = samples();
    for round in 0..8_000 {
        let sample = &samples[round % samples.len()];
        let mut cms = sample.cms.clone();
        mutate_bytes(&mut cms, &mut dice);
        judge.judge(&cms, sample.content);
    }
    // What OpenSSL alone accepts: unsigned fields, lengths that are not minimal, bytes behind the end.
    assert!(judge.count.neither > 7_400 && judge.count.openssl_only > 5, "{:?}", judge.count);
}

#[test]
fn trees_mutated() {
    let (mut judge, mut dice) = (Judge::new(), Dice(2));
    let samples = samples();
    let trees: Vec<Node> = samples.iter().map(|sample| Node::read(&sample.cms)).collect();
    for round in 0..8_000 {
        let sample = &samples[round % samples.len()];
        let mut tree = trees[round % samples.len()].clone();
        for _ in 0..=dice.below(2) {
            mutate_tree(&mut tree, &trees[dice.below(trees.len())], &mut dice);
        }
        judge.judge(&tree.write(), sample.content);
    }
    assert!(judge.count.neither > 6_400 && judge.count.openssl_only > 25, "{:?}", judge.count);
}

/// The attributes are altered and the signer signs what came of it: the signature is good, so that form alone decides.
#[test]
fn attributes_mutated_and_signed_again() {
    let (mut judge, mut dice) = (Judge::new(), Dice(3));
    // RSA and P-384 would differ in the signature only, and P-384 signs over SHA-384.
    let samples: Vec<Sample> =
        samples().into_iter().filter(|one| std::ptr::eq(one.key, support::p256())).collect();
    let trees: Vec<Node> = samples.iter().map(|sample| Node::read(&sample.cms)).collect();
    for round in 0..8_000 {
        let sample = &samples[round % samples.len()];
        let mut tree = trees[round % samples.len()].clone();
        mutate_signed(&mut tree, &trees[dice.below(trees.len())], sample.key, &mut dice);
        judge.judge(&tree.write(), sample.content);
    }
    assert!(judge.count.both > 1_000 && judge.count.openssl_only > 200, "{:?}", judge.count);
    assert!(judge.count.neither > 4_000, "{:?}", judge.count);
}

#[test]
fn random_bytes() {
    let (mut judge, mut dice) = (Judge::new(), Dice(4));
    for round in 0..10_000 {
        let len = dice.below(400);
        let mut bytes: Vec<u8> = (0..len).map(|_| dice.byte()).collect();
        // Half of them start as a signature does.
        if round % 2 == 0 {
            bytes = Node::nodes(0x30, vec![parts::oid("1.2.840.113549.1.7.2"), Node::bytes(0xa0, &bytes)])
                .write();
        }
        judge.judge(&bytes, Some(CONTENT));
    }
    assert_eq!(judge.count.neither, 10_000, "{:?}", judge.count);
}
