//! Revocation lists that came over the network: which take the place of what is held, and where certificates say that they are.

use openssl::sha::sha256;
use tasuki_certs::error::CrlFault;
use tasuki_certs::trial_ca::{CrlOptions, Digest, IssueOptions, RawExtension, TrialCa};
use tasuki_certs::trust::{ListRefusal, OnDoubt, Purpose, RevocationPolicy, TrustMaterial};

use crate::trial::{
    DAY_US, NOW_US, SECOND_US, ca, clean_crl, material, office, quick, root, store, store_of,
};

/// `CRLDistributionPoints` with one address.
fn points_at(url: &str) -> IssueOptions {
    let element =
        |tag: u8, body: &[u8]| [&[tag, u8::try_from(body.len()).expect("it is short")][..], body].concat();
    let name = element(0xa0, &element(0xa0, &element(0x86, url.as_bytes())));
    let der = element(0x30, &element(0x30, &name));
    let extension = RawExtension { oid: "2.5.29.31".to_owned(), critical: false, der };
    IssueOptions { extensions: vec![extension], ..quick() }
}

fn list(ca: &TrialCa, number: u32, this_update_us: i64) -> Vec<u8> {
    ca.crl(&[], number, this_update_us, this_update_us + 7 * DAY_US).expect("a CRL can be made")
}

fn holding(crls: Vec<Vec<u8>>) -> TrustMaterial {
    TrustMaterial { crls, ..material() }
}

#[test]
fn a_newer_list_of_a_known_ca_is_taken_in_either_form() {
    let store = store_of(holding(vec![list(ca(), 5, NOW_US - DAY_US)]));
    let newer = list(ca(), 6, NOW_US);
    let taken = store.judge_list(&newer, &[], NOW_US).unwrap();
    assert_eq!((&taken.der, taken.this_update_us), (&newer, NOW_US));
    let pem = openssl::x509::X509Crl::from_der(&newer).unwrap().to_pem().unwrap();
    assert_eq!(store.judge_list(&pem, &[], NOW_US).unwrap(), taken);
    // The one that is held is no older than itself.
    assert!(store.judge_list(&list(ca(), 5, NOW_US - DAY_US), &[], NOW_US).is_ok());
}

#[test]
fn what_was_played_back_is_refused() {
    let store = store_of(holding(vec![list(ca(), 5, NOW_US - DAY_US)]));
    for older in
        [list(ca(), 4, NOW_US - 2 * DAY_US), list(ca(), 4, NOW_US), list(ca(), 6, NOW_US - 2 * DAY_US)]
    {
        assert_eq!(store.judge_list(&older, &[], NOW_US), Err(ListRefusal::Older));
    }
}

#[test]
fn a_held_list_of_the_future_or_of_nobody_holds_nothing_up() {
    let mut forged = list(ca(), 900, NOW_US - SECOND_US);
    *forged.last_mut().unwrap() ^= 1;
    let store = store_of(holding(vec![forged, list(ca(), 901, NOW_US + DAY_US)]));
    assert!(store.judge_list(&list(ca(), 5, NOW_US - DAY_US), &[], NOW_US).is_ok());
}

#[test]
fn what_is_none_of_a_known_ca_is_refused_by_its_word() {
    let judge = |bytes: &[u8]| store().judge_list(bytes, &[], NOW_US).map(|_| ());
    let mut forged = list(ca(), 7, NOW_US);
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(judge(&forged), Err(ListRefusal::Forged));
    assert_eq!(judge(&clean_crl(&root("Other root"))), Err(ListRefusal::UnknownIssuer));
    assert_eq!(judge(&list(ca(), 7, NOW_US + SECOND_US)), Err(ListRefusal::FromTheFuture));
    let weak = CrlOptions {
        number: 7,
        this_update_us: NOW_US,
        next_update_us: NOW_US + DAY_US,
        digest: Digest::Sha1,
        extensions: Vec::new(),
    };
    let weak = ca().crl_with(&[], &weak).unwrap();
    assert_eq!(judge(&weak), Err(ListRefusal::Unusable(CrlFault::SignatureAlgorithm)));
    for bytes in [&b"<html>not found</html>"[..], b"", &[0x30, 0], &office(ca(), &quick())] {
        assert_eq!(judge(bytes), Err(ListRefusal::Malformed));
    }
    assert_eq!(ListRefusal::Older.code(), "CRL_OLDER");
}

#[test]
fn points_are_noted_of_certificates_whose_chain_is_good() {
    let url = "http://ca.example/list.crl";
    // Nothing is known of its issuer's lists yet: that is when the address is needed.
    let store = store_of(holding(Vec::new()));
    assert!(store.verify(&office(ca(), &points_at(url)), &[], Purpose::Sign, NOW_US).is_err());
    let noted = store.noted_points();
    assert_eq!((noted.len(), noted[0].url.as_str()), (1, url));
    assert_eq!(noted[0].issuer[..], ca().cert_der().unwrap());
    // An override gives another snapshot of the same.
    assert_eq!(store.with_override(Some(NOW_US)).noted_points(), noted);
    // A stranger's, and what is no address of the web, are not.
    let stranger = root("Trial root");
    for (ca, url) in [
        (&stranger, "http://stranger.example/"),
        (ca(), "ldap://ca.example/cn=list"),
        (ca(), "file:///etc/passwd"),
    ] {
        let _refused = store.verify(&office(ca, &points_at(url)), &[], Purpose::Sign, NOW_US);
        assert_eq!(store.noted_points(), noted, "{url}");
    }
}

#[test]
fn one_ca_names_so_many_points_and_no_more() {
    let store = store();
    for number in 0..20 {
        let _verified = store.verify(
            &office(ca(), &points_at(&format!("http://ca.example/{number}"))),
            &[],
            Purpose::Sign,
            NOW_US,
        );
    }
    assert_eq!(store.noted_points().len(), 16);
}

#[test]
fn an_anchor_may_have_a_policy_of_its_own() {
    let (strict, lax) = (root("Strict root"), root("Lax root"));
    let anchor = |ca: &TrialCa| ca.cert_der().unwrap();
    let warn = RevocationPolicy { on_missing: OnDoubt::Warn, ..RevocationPolicy::default() };
    let material = TrustMaterial {
        anchors: vec![anchor(&strict), anchor(&lax)],
        anchor_policies: vec![(sha256(&anchor(&lax)), warn)],
        ..TrustMaterial::default()
    };
    let store = store_of(material);
    let verify = |ca: &TrialCa| store.verify(&office(ca, &quick()), &[], Purpose::Sign, NOW_US).is_ok();
    assert!(verify(&lax));
    assert!(!verify(&strict));
    // An override reaches all of them and changes nothing else.
    let overridden = store.with_override(Some(NOW_US + DAY_US));
    assert!(overridden.verify(&office(&lax, &quick()), &[], Purpose::Sign, NOW_US).is_ok());
    assert_ne!(overridden.fingerprint(), store.fingerprint());
}
