//! The search for a path of issuers: what ends it, what it survives, what bounds it.

use tasuki_certs::error::{CertError, Position};
use tasuki_certs::trial_ca::{IssueOptions, KeyChoice, KeyUse, TrialCa};
use tasuki_certs::trust::{MAX_EXTRA_CERTIFICATES, Purpose, TrustMaterial};

use crate::trial::{
    NOW_US, OFFICE, ca, clean_crl, material, office, quick, refusal, root, store_of, trusting,
};

fn middle(above: &TrialCa, name: &str, options: &IssueOptions) -> TrialCa {
    above.issue_intermediate(name, options).expect("a CA can be issued")
}

/// Trust in the process's root, with clean CRLs of these CAs too.
fn with_crls(cas: &[&TrialCa]) -> TrustMaterial {
    let mut material = material();
    material.crls.extend(cas.iter().map(|ca| clean_crl(ca)));
    material
}

#[test]
fn a_path_longer_than_a_ca_or_the_verifier_allows() {
    let mut options = IssueOptions::for_ca(NOW_US);
    options.path_length = Some(0);
    let first = middle(ca(), "First", &options);
    let second = middle(&first, "Second", &IssueOptions::for_ca(NOW_US));
    let issued = second.issue_office(OFFICE, "office", &quick()).expect("issued");
    let sent: Vec<&[u8]> = issued.chain.iter().map(Vec::as_slice).collect();
    let refused = refusal(with_crls(&[&first, &second]), &issued.cert_der, &sent, Purpose::Sign);
    assert_eq!(refused, Some(CertError::PathLength(Position(2))));

    let first = middle(ca(), "First", &IssueOptions::for_ca(NOW_US));
    let second = middle(&first, "Second", &IssueOptions::for_ca(NOW_US));
    let issued = second.issue_office(OFFICE, "office", &quick()).expect("issued");
    let sent: Vec<&[u8]> = issued.chain.iter().map(Vec::as_slice).collect();
    let mut material = with_crls(&[&first, &second]);
    assert_eq!(refusal(material.clone(), &issued.cert_der, &sent, Purpose::Sign), None);
    material.max_intermediates = 1;
    let refused = refusal(material, &issued.cert_der, &sent, Purpose::Sign);
    assert_eq!(refused, Some(CertError::ChainTooLong(1)));
}

#[test]
fn an_issuer_that_is_no_ca_or_may_not_issue() {
    let mut options = quick();
    options.key_usage = vec![KeyUse::DigitalSignature];
    let mut crl_only = IssueOptions::for_ca(NOW_US);
    crl_only.key_usage = vec![KeyUse::CrlSign];
    let cases =
        [(options, CertError::NotACa(Position(1))), (crl_only, CertError::WrongKeyUsage(Position(1)))];
    for (options, error) in cases {
        let impostor = middle(ca(), "Impostor", &options);
        let issued = impostor.issue_office(OFFICE, "office", &quick()).expect("issued");
        let sent: Vec<&[u8]> = issued.chain.iter().map(Vec::as_slice).collect();
        assert_eq!(refusal(material(), &issued.cert_der, &sent, Purpose::Sign), Some(error));
    }
}

#[test]
fn an_intermediate_for_servers_only() {
    let mut options = IssueOptions::for_ca(NOW_US);
    options.extended_key_usage = vec!["1.3.6.1.5.5.7.3.1".to_owned()];
    let servers = middle(ca(), "Servers", &options);
    let issued = servers.issue_office(OFFICE, "office", &quick()).expect("issued");
    let sent: Vec<&[u8]> = issued.chain.iter().map(Vec::as_slice).collect();
    let refused = refusal(with_crls(&[&servers]), &issued.cert_der, &sent, Purpose::Sign);
    assert_eq!(refused, Some(CertError::WrongExtendedKeyUsage(Position(1))));
}

#[test]
fn a_dead_end_does_not_hide_the_way_around_it() {
    // The same intermediate, its key certified twice: once long ago, once now.
    let mut long_ago = IssueOptions::for_ca(NOW_US);
    let key = middle(ca(), "Twice", &long_ago).key_pem().expect("PEM");
    let key = openssl::pkey::PKey::private_key_from_pem(&key).expect("a key");
    let pkcs8 = KeyChoice::Pkcs8(key.private_key_to_pkcs8().expect("PKCS#8").into());
    long_ago.key = pkcs8.clone();
    (long_ago.not_before_us, long_ago.not_after_us) = (NOW_US - 2_000_000, NOW_US - 1_000_000);
    let expired = middle(ca(), "Twice", &long_ago);
    let current = middle(ca(), "Twice", &IssueOptions::for_ca(NOW_US).with_key(pkcs8));
    let leaf = office(&current, &quick());
    let (expired, current_der) = (expired.cert_der().expect("DER"), current.cert_der().expect("DER"));
    let material = with_crls(&[&current]);
    let both = store_of(material.clone());
    let verified =
        both.verify(&leaf, &[&expired, &current_der], Purpose::Sign, NOW_US).expect("a way around");
    assert_eq!(verified.chain[1], current_der);
    let refused = refusal(material, &leaf, &[&expired], Purpose::Sign);
    assert_eq!(refused, Some(CertError::CertificateExpired(Position(1))));
}

#[test]
fn what_came_along_is_bounded_and_junk_in_it_is_passed_over() {
    let leaf = office(ca(), &quick());
    let junk: Vec<&[u8]> = vec![b"junk"; MAX_EXTRA_CERTIFICATES];
    assert_eq!(refusal(material(), &leaf, &junk, Purpose::Sign), None);
    let junk: Vec<&[u8]> = vec![b"junk"; MAX_EXTRA_CERTIFICATES + 1];
    let error = CertError::TooManyCertificates(MAX_EXTRA_CERTIFICATES);
    assert_eq!(refusal(material(), &leaf, &junk, Purpose::Sign), Some(error));
}

#[test]
fn a_maze_of_issuers_ends_soon() {
    // By name and key identifier every one of them could be the issuer of every other: only signatures tell.
    let mut options = IssueOptions::for_ca(NOW_US);
    options.key_id = Some(vec![1; 20]);
    let first = TrialCa::create_with("Maze", &options).expect("a CA can be made");
    let mut cas = vec![first.clone()];
    while cas.len() < MAX_EXTRA_CERTIFICATES {
        let last = cas.last().expect("there is one");
        cas.push(middle(last, "Maze", &options));
    }
    let leaf = office(cas.last().expect("there is one"), &quick());
    let sent: Vec<Vec<u8>> = cas.iter().map(|ca| ca.cert_der().expect("DER")).collect();
    let sent: Vec<&[u8]> = sent.iter().map(Vec::as_slice).collect();
    let other = TrialCa::create_with("Maze", &options).expect("a CA can be made");
    let cases = [
        // No way leads out.
        (material(), CertError::UntrustedIssuer),
        // Every way leads to an anchor that signed nothing here.
        (trusting(&[&other]), CertError::BadCertificateSignature(Position::LEAF)),
    ];
    for (mut material, error) in cases {
        material.max_intermediates = 32;
        let begun = std::time::Instant::now();
        assert_eq!(refusal(material, &leaf, &sent, Purpose::Sign), Some(error));
        assert!(begun.elapsed().as_secs() < 1, "{:?}", begun.elapsed());
    }
}

#[test]
fn another_root_changes_the_fingerprint_and_so_does_the_policy() {
    let one = store_of(material());
    let two = store_of(trusting(&[ca(), &root("Second root")]));
    assert_ne!(one.fingerprint(), two.fingerprint());
    assert_ne!(one.fingerprint(), one.with_override(Some(NOW_US)).fingerprint());
    assert_eq!(one.fingerprint(), one.with_override(None).fingerprint());
}
