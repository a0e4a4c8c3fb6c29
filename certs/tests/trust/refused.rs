//! Certificates that are refused, each for its exact reason.

use tasuki_certs::error::{CertError, CrlFault, Position};
use tasuki_certs::trial_ca::{Digest, IssueOptions, KeyChoice, KeyUse, RawExtension, TrialCa};
use tasuki_certs::trust::{Purpose, TrustError, TrustMaterial, TrustStore};

use crate::trial::{
    DAY_US, NOW_US, OFFICE, SECOND_US, ca, clean_crl, material, office, quick, refusal, root, store, trusting,
};

const CA: Position = Position(1);

/// Why an office's certificate made as `options` say is refused for signing.
fn refused(options: &IssueOptions) -> Option<CertError> {
    refusal(material(), &office(ca(), options), &[], Purpose::Sign)
}

/// Why an office's certificate below a root made as `options` say is refused for signing.
fn refused_below(options: &IssueOptions) -> Option<CertError> {
    let root = TrialCa::create_with("Odd root", options).expect("a CA can be made");
    refusal(trusting(&[&root]), &office(&root, &quick()), &[], Purpose::Sign)
}

#[test]
fn bytes_that_are_no_certificate() {
    let good = office(ca(), &quick());
    let trailing = [good.as_slice(), &[0]].concat();
    let huge = vec![0x30; 65 * 1024];
    for bad in [&[][..], b"-----BEGIN CERTIFICATE-----", &good[..good.len() - 1], &trailing] {
        let error = CertError::MalformedCertificate(Position::LEAF, "not a DER certificate");
        assert_eq!(refusal(material(), bad, &[], Purpose::Sign), Some(error));
    }
    let error = CertError::MalformedCertificate(Position::LEAF, "longer than 64 KiB");
    assert_eq!(refusal(material(), &huge, &[], Purpose::Sign), Some(error));
}

#[test]
fn any_bit_flipped_in_a_certificate() {
    let good = office(ca(), &quick());
    let store = store();
    assert!(store.verify(&good, &[], Purpose::Sign, NOW_US).is_ok());
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(store.verify(&bad, &[], Purpose::Sign, NOW_US).is_err(), "bit {bit}");
    }
}

#[test]
fn the_signature_of_another_key() {
    let mut bad = office(ca(), &quick());
    let last = bad.len() - 1;
    bad[last] ^= 1;
    let error = CertError::BadCertificateSignature(Position::LEAF);
    assert_eq!(refusal(material(), &bad, &[], Purpose::Sign), Some(error));
}

#[test]
fn outside_its_validity_both_ends_included() {
    let mut options = quick();
    (options.not_before_us, options.not_after_us) = (NOW_US - DAY_US, NOW_US + DAY_US);
    let der = office(ca(), &options);
    let mut material = material();
    material.crls = vec![ca().crl(&[], 1, NOW_US - 2 * DAY_US, NOW_US + 5 * DAY_US).expect("a CRL")];
    let store = TrustStore::new(material).expect("the material is good");
    let at = |at_us| store.verify(&der, &[], Purpose::Sign, at_us).err();
    assert_eq!(at(NOW_US - DAY_US - 1), Some(CertError::CertificateNotYetValid(Position::LEAF)));
    assert_eq!(at(NOW_US - DAY_US), None);
    assert_eq!(at(NOW_US + DAY_US + SECOND_US - 1), None);
    assert_eq!(at(NOW_US + DAY_US + SECOND_US), Some(CertError::CertificateExpired(Position::LEAF)));
}

#[test]
fn below_a_root_that_has_expired_or_not_begun() {
    let mut options = IssueOptions::for_ca(NOW_US);
    options.not_after_us = NOW_US - SECOND_US;
    assert_eq!(refused_below(&options), Some(CertError::CertificateExpired(CA)));
    options = IssueOptions::for_ca(NOW_US);
    options.not_before_us = NOW_US + SECOND_US;
    assert_eq!(refused_below(&options), Some(CertError::CertificateNotYetValid(CA)));
}

#[test]
fn of_a_ca_that_is_not_trusted_even_by_the_same_name() {
    for name in ["Trial root", "Another root"] {
        let foreign = root(name);
        let issued = foreign.issue_office(OFFICE, "office", &quick()).expect("issued");
        let sent: Vec<&[u8]> = issued.chain.iter().map(Vec::as_slice).collect();
        let refused = refusal(material(), &issued.cert_der, &sent, Purpose::Sign);
        assert_eq!(refused, Some(CertError::UntrustedIssuer), "{name}");
    }
}

#[test]
fn with_a_weak_or_unknown_key() {
    let with = |key| refused(&quick().with_key(key));
    assert_eq!(with(KeyChoice::Rsa(1024)), Some(CertError::WeakKey(Position::LEAF)));
    assert_eq!(with(KeyChoice::Rsa(2047)), Some(CertError::WeakKey(Position::LEAF)));
    assert_eq!(with(KeyChoice::P521), Some(CertError::UnsupportedKey(Position::LEAF)));
    assert_eq!(with(KeyChoice::Ed25519), Some(CertError::UnsupportedKey(Position::LEAF)));
    let weak_root = IssueOptions::for_ca(NOW_US).with_key(KeyChoice::Rsa(1024));
    assert_eq!(refused_below(&weak_root), Some(CertError::WeakKey(CA)));
}

#[test]
fn signed_with_a_weak_or_unknown_algorithm() {
    let mut options = quick();
    options.digest = Digest::Sha1;
    assert_eq!(refused(&options), Some(CertError::WeakSignatureAlgorithm(Position::LEAF)));
    let ed25519 = IssueOptions::for_ca(NOW_US).with_key(KeyChoice::Ed25519);
    assert_eq!(refused_below(&ed25519), Some(CertError::UnsupportedSignatureAlgorithm(Position::LEAF)));
    // A root's own signature proves nothing, and old roots are signed with SHA-1.
    let mut old_root = IssueOptions::for_ca(NOW_US);
    old_root.digest = Digest::Sha1;
    assert_eq!(refused_below(&old_root), None);
}

#[test]
fn with_another_key_usage_than_the_purpose_needs() {
    let wrong = Some(CertError::WrongKeyUsage(Position::LEAF));
    let cases = [
        (KeyUse::DigitalSignature, [None, None, wrong.clone()]),
        (KeyUse::NonRepudiation, [None, wrong.clone(), wrong.clone()]),
        (KeyUse::KeyEncipherment, [wrong.clone(), wrong.clone(), wrong.clone()]),
        (KeyUse::KeyAgreement, [wrong.clone(), wrong.clone(), None]),
    ];
    for (usage, expected) in cases {
        let mut options = quick();
        options.key_usage = vec![usage];
        let der = office(ca(), &options);
        let purposes = [Purpose::Sign, Purpose::TlsClient, Purpose::Seal];
        assert_eq!(purposes.map(|purpose| refusal(material(), &der, &[], purpose)), expected, "{usage:?}");
        assert_eq!(refusal(material(), &der, &[], Purpose::Any), None);
    }
    // Without the extension everything is allowed (RFC 5280 section 4.2.1.3).
    let mut options = quick();
    options.key_usage = Vec::new();
    let der = office(ca(), &options);
    for purpose in [Purpose::Sign, Purpose::TlsClient, Purpose::Seal] {
        assert_eq!(refusal(material(), &der, &[], purpose), None);
    }
}

#[test]
fn with_another_extended_key_usage_than_the_purpose_needs() {
    let wrong = Some(CertError::WrongExtendedKeyUsage(Position::LEAF));
    let cases = [
        ("1.3.6.1.5.5.7.3.2", None, None),                   // clientAuth
        ("1.3.6.1.5.5.7.3.4", None, wrong.clone()),          // emailProtection
        ("1.3.6.1.5.5.7.3.36", None, wrong.clone()),         // documentSigning
        ("1.3.6.1.4.1.311.10.3.12", None, wrong.clone()),    // documentSigning, Microsoft's
        ("2.5.29.37.0", None, None),                         // anyExtendedKeyUsage
        ("1.3.6.1.5.5.7.3.1", wrong.clone(), wrong.clone()), // serverAuth
        ("1.3.6.1.5.5.7.3.3", wrong.clone(), wrong.clone()), // codeSigning
    ];
    for (usage, sign, connect) in cases {
        let mut options = quick();
        options.extended_key_usage = vec![usage.to_owned()];
        let der = office(ca(), &options);
        assert_eq!(refusal(material(), &der, &[], Purpose::Sign), sign, "{usage}");
        assert_eq!(refusal(material(), &der, &[], Purpose::TlsClient), connect, "{usage}");
        assert_eq!(refusal(material(), &der, &[], Purpose::Any), None);
    }
}

#[test]
fn with_or_below_a_critical_extension_that_nobody_knows() {
    let unknown = RawExtension { oid: "1.2.3.4.5".to_owned(), critical: true, der: vec![5, 0] };
    let mut options = quick();
    options.extensions.push(unknown.clone());
    assert_eq!(refused(&options), Some(CertError::UnknownCriticalExtension(Position::LEAF)));
    let mut odd_root = IssueOptions::for_ca(NOW_US);
    odd_root.extensions.push(unknown.clone());
    assert_eq!(refused_below(&odd_root), Some(CertError::UnknownCriticalExtension(CA)));
    options.extensions = vec![RawExtension { critical: false, ..unknown }];
    assert_eq!(refused(&options), None);
}

#[test]
fn of_a_ca_itself() {
    let der = ca().cert_der().expect("a CA has a certificate");
    assert_eq!(refusal(material(), &der, &[], Purpose::Sign), Some(CertError::CaAsEndEntity));
    let mut options = quick();
    options.is_ca = true;
    assert_eq!(refused(&options), Some(CertError::CaAsEndEntity));
}

#[test]
fn outside_the_names_that_a_ca_may_vouch_for() {
    let mut options = IssueOptions::for_ca(NOW_US);
    // permitted: dNSName example.jp
    let permitted = [&[0x30, 0x10, 0xa0, 0x0e, 0x30, 0x0c, 0x82, 0x0a][..], b"example.jp"].concat();
    options.extensions.push(RawExtension { oid: "2.5.29.30".to_owned(), critical: true, der: permitted });
    let root = TrialCa::create_with("Constrained", &options).expect("a CA can be made");
    let store = TrustStore::new(trusting(&[&root])).expect("the material is good");
    let verify = |name: &str| {
        let issued = root.issue_server(&[name], &IssueOptions::for_server(NOW_US)).expect("issued");
        store.verify_chain(&issued.cert_der, &[], Purpose::Any, NOW_US).err()
    };
    assert_eq!(verify("relay.example.jp"), None);
    assert_eq!(verify("relay.example.com"), Some(CertError::NameConstraint(Position::LEAF)));
}

#[test]
fn without_the_policy_that_a_ca_requires() {
    let mut options = IssueOptions::for_ca(NOW_US);
    // requireExplicitPolicy = 0
    let required =
        RawExtension { oid: "2.5.29.36".to_owned(), critical: true, der: vec![0x30, 3, 0x80, 1, 0] };
    options.extensions.push(required);
    let root = TrialCa::create("Trial root", NOW_US).expect("a CA can be made");
    let middle = root.issue_intermediate("Strict", &options).expect("issued");
    let issued = middle.issue_office(OFFICE, "office", &quick()).expect("issued");
    let mut material = trusting(&[&root]);
    material.crls.push(clean_crl(&middle));
    let sent: Vec<&[u8]> = issued.chain.iter().map(Vec::as_slice).collect();
    let refused = refusal(material, &issued.cert_der, &sent, Purpose::Sign);
    assert!(matches!(refused, Some(CertError::CertificatePolicy(_))), "{refused:?}");
}

#[test]
fn material_that_makes_no_store() {
    let der = office(ca(), &quick());
    let new = |material| TrustStore::new(material).err();
    assert_eq!(new(TrustMaterial::default()), Some(TrustError::NoAnchor));
    let not_a_ca = TrustMaterial { anchors: vec![der.clone()], ..TrustMaterial::default() };
    assert_eq!(new(not_a_ca), Some(TrustError::Anchor(0, CertError::NotACa(Position::LEAF))));
    let not_a_ca = TrustMaterial { intermediates: vec![der], ..material() };
    assert_eq!(new(not_a_ca), Some(TrustError::Intermediate(0, CertError::NotACa(Position::LEAF))));
    let mut no_crl = material();
    no_crl.crls.push(vec![0x30, 0]);
    assert_eq!(new(no_crl), Some(TrustError::Crl(1, CrlFault::Malformed)));
}
