//! Certificates of the trial CA verify, and say what they should.

use crate::trial::{DAY_US, NOW_US, OFFICE, ca, material, quick, store};
use tasuki_certs::identity::KeyIdentity;
use tasuki_certs::profile::Identity;
use tasuki_certs::trial_ca::{IssueOptions, KeyChoice, KeyUse, TrialCa, TrialCaError};
use tasuki_certs::trust::{Purpose, TrustMaterial, TrustStore};

#[test]
fn an_office_signs_seals_and_connects_with_its_rsa_certificate() {
    let office =
        ca().issue_office(OFFICE, "たすき居宅介護支援事業所", &IssueOptions::new(NOW_US)).expect("issued");
    for purpose in [Purpose::Sign, Purpose::TlsClient, Purpose::Seal, Purpose::Any] {
        let verified =
            store().verify(&office.cert_der, &[], purpose, NOW_US).expect("the certificate is good");
        assert_eq!(verified.identity, Identity::Office { number: OFFICE.to_owned() });
        assert!(verified.may_encrypt);
        assert_eq!(verified.der, office.cert_der);
        assert_eq!(verified.chain, [office.cert_der.clone(), ca().cert_der().expect("DER")]);
        assert_eq!(verified.crls.len(), 1);
        assert_eq!(verified.warnings, []);
        assert_eq!(
            (verified.valid_from_us, verified.valid_until_us),
            (NOW_US, NOW_US + 7 * DAY_US + 999_999)
        );
    }
}

#[test]
fn terminals_proxies_and_operators_are_told_apart() {
    let office = OFFICE.to_owned();
    let cases = [
        (
            ca().issue_terminal(OFFICE, "受付", &quick()),
            Identity::Terminal { office, name: "受付".to_owned() },
        ),
        (ca().issue_proxy("P00001", "伝送代行", &quick()), Identity::Proxy { number: "P00001".to_owned() }),
        (ca().issue_operator("relay", &quick()), Identity::Operator { name: "relay".to_owned() }),
    ];
    for (issued, identity) in cases {
        let der = issued.expect("issued").cert_der;
        let verified = store().verify(&der, &[], Purpose::Sign, NOW_US).expect("the certificate is good");
        assert_eq!(verified.identity, identity);
        // P-256 with keyEncipherment but not keyAgreement.
        assert!(!verified.may_encrypt);
    }
}

#[test]
fn p_256_seals_with_key_agreement_and_p_384_does_not() {
    for (key, may_encrypt) in [(KeyChoice::P256, true), (KeyChoice::P384, false)] {
        let mut options = quick().with_key(key);
        options.key_usage = vec![KeyUse::DigitalSignature, KeyUse::KeyAgreement];
        let der = ca().issue_office(OFFICE, "office", &options).expect("issued").cert_der;
        let verified = store().verify(&der, &[], Purpose::Sign, NOW_US).expect("the certificate is good");
        assert_eq!(verified.may_encrypt, may_encrypt);
        assert_eq!(store().verify(&der, &[], Purpose::Seal, NOW_US).is_ok(), may_encrypt);
    }
}

#[test]
fn a_chain_goes_through_intermediates_configured_or_sent_along() {
    let middle = ca().issue_intermediate("Trial middle", &IssueOptions::for_ca(NOW_US)).expect("issued");
    let office = middle.issue_office(OFFICE, "office", &quick()).expect("issued");
    assert_eq!(office.chain.len(), 2);
    let mut material = material();
    material.crls.push(middle.crl(&[], 1, NOW_US, NOW_US + DAY_US).expect("a CRL"));
    let extra: Vec<&[u8]> = office.chain.iter().map(Vec::as_slice).collect();
    let sent = TrustStore::new(material.clone()).expect("the material is good");
    let verified = sent.verify(&office.cert_der, &extra, Purpose::Sign, NOW_US).expect("the chain is good");
    assert_eq!(verified.chain.len(), 3);
    assert_eq!(verified.crls.len(), 2);
    material.intermediates.push(office.chain[0].clone());
    let configured = TrustStore::new(material).expect("the material is good");
    assert!(configured.verify(&office.cert_der, &[], Purpose::Sign, NOW_US).is_ok());
    // An intermediate as anchor: the chain ends there.
    let pinned = TrustMaterial {
        anchors: vec![office.chain[0].clone()],
        crls: vec![middle.crl(&[], 1, NOW_US, NOW_US + DAY_US).expect("a CRL")],
        ..TrustMaterial::default()
    };
    let pinned = TrustStore::new(pinned).expect("the material is good");
    assert_eq!(pinned.verify(&office.cert_der, &[], Purpose::Sign, NOW_US).expect("good").chain.len(), 2);
}

#[test]
fn what_was_issued_can_be_stored_and_loaded() {
    let again = TrialCa::load(&ca().cert_pem().expect("PEM"), &ca().key_pem().expect("PEM")).expect("loads");
    let office = again.issue_office(OFFICE, "office", &quick()).expect("issued");
    assert!(store().verify(&office.cert_der, &[], Purpose::Sign, NOW_US).is_ok());
    let p12 = office.to_pkcs12("password").expect("a PKCS#12 file");
    let identity = KeyIdentity::from_pkcs12(&p12, "password").expect("the file opens");
    assert_eq!(identity.certificate_der(), office.cert_der);
    assert_eq!(identity.chain_der().len(), 2);
    let identity = KeyIdentity::from_pem(&office.chain_pem().expect("PEM"), &office.key_pem().expect("PEM"));
    assert_eq!(identity.expect("the PEM is good").certificate_der(), office.cert_der);
    let other = TrialCa::create("Other", NOW_US).expect("a CA");
    let mixed = TrialCa::load(&ca().cert_pem().expect("PEM"), &other.key_pem().expect("PEM"));
    assert_eq!(mixed.err(), Some(TrialCaError::CannotLoad));
}

#[test]
fn numbers_have_their_form() {
    for bad in ["", "137121510", "13712151022", "P000000001", "137121510x"] {
        let refused = ca().issue_office(bad, "office", &quick()).err();
        assert_eq!(refused, Some(TrialCaError::BadNumber(bad.to_owned())));
    }
    assert_eq!(ca().issue_proxy("00001", "p", &quick()).err(), Some(TrialCaError::BadNumber("00001".into())));
    assert_eq!(ca().issue_server(&[], &quick()).err(), Some(TrialCaError::NoServerName));
}
