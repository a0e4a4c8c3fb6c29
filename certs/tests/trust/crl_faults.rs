//! Revocation lists that cannot be used, each with its exact fault.

use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use tasuki_certs::error::{CertError, CrlFault, Position};
use tasuki_certs::trial_ca::{
    CrlOptions, Digest, IssueOptions, KeyUse, RawExtension, Revocation, RevocationReason, TrialCa,
};
use tasuki_certs::trust::{AlarmState, Purpose, TrustError, TrustMaterial, TrustStore};

use crate::trial::{
    DAY_US, NOW_US, OFFICE, ca, clean_crl, material, office, quick, refusal, root, store_of, trusting,
};

fn options() -> CrlOptions {
    CrlOptions {
        number: 1,
        this_update_us: NOW_US,
        next_update_us: NOW_US + DAY_US,
        digest: Digest::Sha256,
        extensions: Vec::new(),
    }
}

fn with_extension(oid: &str, critical: bool, der: &[u8]) -> CrlOptions {
    let extension = RawExtension { oid: oid.to_owned(), critical, der: der.to_vec() };
    CrlOptions { extensions: vec![extension], ..options() }
}

fn only(crl: Vec<u8>) -> TrustMaterial {
    TrustMaterial { crls: vec![crl], ..material() }
}

/// Asserts that a store with only this CRL refuses, and raises the alarm, for `fault`.
fn assert_fault(crl: Vec<u8>, fault: CrlFault) {
    let refused = refusal(only(crl.clone()), &office(ca(), &quick()), &[], Purpose::Sign);
    assert_eq!(refused, Some(CertError::CrlInvalid(Position::LEAF, fault)));
    let alarms = store_of(only(crl)).revocation_alarms(NOW_US);
    assert_eq!(alarms[0].state, AlarmState::Unusable(fault));
}

fn made(options: &CrlOptions) -> Vec<u8> {
    ca().crl_with(&[], options).expect("a CRL can be made")
}

#[test]
fn signed_by_another() {
    let mut crl = clean_crl(ca());
    let last = crl.len() - 1;
    crl[last] ^= 1;
    assert_fault(crl, CrlFault::BadSignature);
}

#[test]
fn of_a_ca_of_the_same_name_with_another_key() {
    // Its key identifier says that it is not the issuer's: as good as no list.
    let refused = refusal(only(clean_crl(&root("Trial root"))), &office(ca(), &quick()), &[], Purpose::Sign);
    assert_eq!(refused, Some(CertError::CrlMissing(Position::LEAF)));
}

#[test]
fn of_another_issuer() {
    let refused = refusal(only(clean_crl(&root("Other root"))), &office(ca(), &quick()), &[], Purpose::Sign);
    assert_eq!(refused, Some(CertError::CrlMissing(Position::LEAF)));
}

#[test]
fn of_an_issuer_that_may_not_sign_lists() {
    let mut may_not = IssueOptions::for_ca(NOW_US);
    may_not.key_usage = vec![KeyUse::KeyCertSign];
    let root = TrialCa::create_with("No lists", &may_not).expect("a CA can be made");
    let refused = refusal(trusting(&[&root]), &office(&root, &quick()), &[], Purpose::Sign);
    assert_eq!(refused, Some(CertError::CrlInvalid(Position::LEAF, CrlFault::IssuerWithoutCrlSign)));
}

#[test]
fn signed_over_a_weak_hash() {
    assert_fault(made(&CrlOptions { digest: Digest::Sha1, ..options() }), CrlFault::SignatureAlgorithm);
}

#[test]
fn from_the_future() {
    let this_update_us = NOW_US + 1_000_000;
    assert_fault(made(&CrlOptions { this_update_us, ..options() }), CrlFault::NotYetValid);
}

#[test]
fn with_a_critical_extension_that_nobody_knows() {
    assert_fault(made(&with_extension("1.2.3.4.5", true, &[5, 0])), CrlFault::UnknownCriticalExtension);
    let harmless = made(&with_extension("1.2.3.4.5", false, &[5, 0]));
    assert_eq!(refusal(only(harmless), &office(ca(), &quick()), &[], Purpose::Sign), None);
}

#[test]
fn a_delta() {
    assert_fault(made(&with_extension("2.5.29.27", true, &[2, 1, 1])), CrlFault::Delta);
}

#[test]
fn indirect_or_for_some_reasons_only() {
    let indirect = [0x30, 3, 0x84, 1, 0xff];
    let attributes_only = [0x30, 3, 0x85, 1, 0xff];
    let some_reasons = [0x30, 4, 0x83, 2, 6, 0x40];
    for point in [&indirect[..], &attributes_only, &some_reasons] {
        assert_fault(made(&with_extension("2.5.29.28", true, point)), CrlFault::Partial);
    }
    // TRUE as no DER writes it: not to be taken for absent.
    assert_fault(made(&with_extension("2.5.29.28", true, &[0x30, 3, 0x84, 1, 1])), CrlFault::Malformed);
}

#[test]
fn with_an_entry_for_another_issuer_or_of_unknown_meaning() {
    let entry = |oid: &str, critical: bool, der: &[u8]| {
        let mut entry = Revocation::new(&[1], NOW_US, RevocationReason::Superseded);
        entry.extensions.push(RawExtension { oid: oid.to_owned(), critical, der: der.to_vec() });
        ca().crl_with(&[entry], &options()).expect("a CRL can be made")
    };
    let other_issuer = [0x30, 9, 0x82, 7, b'e', b'x', b'a', b'm', b'p', b'l', b'e'];
    assert_fault(entry("2.5.29.29", true, &other_issuer), CrlFault::Partial);
    assert_fault(entry("1.2.3.4.5", true, &[5, 0]), CrlFault::UnknownCriticalExtension);
}

#[test]
fn without_what_must_be_there() {
    // TBSCertList: version, signature, issuer, thisUpdate, nextUpdate, [0] extensions
    assert_fault(edited(|parts| drop(parts.remove(4))), CrlFault::NoNextUpdate);
    assert_fault(edited(|parts| drop(parts.remove(5))), CrlFault::MissingExtension);
}

#[test]
fn that_are_malformed() {
    let good = clean_crl(ca());
    let trailing = [good.as_slice(), &[0]].concat();
    for bad in [&good[..good.len() - 1], &trailing, &[][..]] {
        assert_eq!(TrustStore::new(only(bad.to_vec())).err(), Some(TrustError::Crl(0, CrlFault::Malformed)));
    }
    // Version 1 has no extensions; one that has them is malformed.
    let version_1 = TrustStore::new(only(edited(|parts| drop(parts.remove(0)))));
    let refused =
        version_1.map(|store| store.verify(&office(ca(), &quick()), &[], Purpose::Sign, NOW_US).err());
    match refused {
        Err(error) => assert_eq!(error, TrustError::Crl(0, CrlFault::Malformed)),
        Ok(error) => assert_eq!(error, Some(CertError::CrlInvalid(Position::LEAF, CrlFault::Malformed))),
    }
}

#[test]
fn with_any_bit_flipped_they_do_not_free_a_revoked_certificate() {
    let issued = ca().issue_office(OFFICE, "office", &quick()).expect("issued");
    let entry = Revocation::new(&issued.serial, NOW_US, RevocationReason::KeyCompromise);
    let good = ca().crl_with(&[entry], &options()).expect("a CRL can be made");
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        if let Ok(store) = TrustStore::new(only(bad)) {
            assert!(store.verify(&issued.cert_der, &[], Purpose::Sign, NOW_US).is_err(), "bit {bit}");
        }
    }
}

#[test]
fn a_good_list_beside_a_bad_one_serves() {
    let mut both = only(made(&with_extension("1.2.3.4.5", true, &[5, 0])));
    both.crls.push(clean_crl(ca()));
    assert_eq!(refusal(both, &office(ca(), &quick()), &[], Purpose::Sign), None);
}

/// A clean list of the CA with the parts of its `TBSCertList` changed, signed again with the CA's key.
fn edited(edit: impl FnOnce(&mut Vec<Vec<u8>>)) -> Vec<u8> {
    let whole = parts(&made(&options()));
    let mut tbs = parts(&whole[0]);
    edit(&mut tbs);
    let tbs = sequence(&tbs);
    let key = PKey::private_key_from_pem(&ca().key_pem().expect("PEM")).expect("a key");
    let mut signer = Signer::new(MessageDigest::sha256(), &key).expect("a signer");
    let signature = signer.sign_oneshot_to_vec(&tbs).expect("a signature");
    let length = u8::try_from(signature.len() + 1).expect("an ECDSA signature is short");
    let signature = [&[0x03, length, 0][..], &signature].concat();
    sequence(&[tbs, whole[1].clone(), signature])
}

/// The elements inside a SEQUENCE.
fn parts(sequence: &[u8]) -> Vec<Vec<u8>> {
    let (header, _) = element(sequence);
    let mut rest = &sequence[header..];
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let (header, body) = element(rest);
        let (part, after) = rest.split_at(header + body);
        parts.push(part.to_vec());
        rest = after;
    }
    parts
}

/// Lengths of the header and the body of the first element.
fn element(bytes: &[u8]) -> (usize, usize) {
    match bytes[1] {
        0x81 => (3, usize::from(bytes[2])),
        0x82 => (4, usize::from(bytes[2]) << 8 | usize::from(bytes[3])),
        short => (2, usize::from(short)),
    }
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    let body = parts.concat();
    let [high, low] = u16::try_from(body.len()).expect("a small list").to_be_bytes();
    let header = if body.len() < 0x80 {
        vec![0x30, low]
    } else if high == 0 {
        vec![0x30, 0x81, low]
    } else {
        vec![0x30, 0x82, high, low]
    };
    [header, body].concat()
}
