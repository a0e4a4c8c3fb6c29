//! Revocation: what a CRL says, how old it may be, and what is known later about an earlier time.

use tasuki_certs::error::{CertError, Position};
use tasuki_certs::trial_ca::{CrlOptions, Digest, IssueOptions, RawExtension, Revocation, RevocationReason};
use tasuki_certs::trust::{
    AlarmState, OnDoubt, Purpose, RevocationPolicy, TrustMaterial, TrustStore, VerifiedCertificate, Warning,
};

use crate::trial::{DAY_US, NOW_US, OFFICE, SECOND_US, ca, clean_crl, material, office, quick, store_of};

const LEAF: Position = Position::LEAF;

fn revoked(serial: &[u8], since_us: i64) -> Revocation {
    Revocation::new(serial, since_us, RevocationReason::KeyCompromise)
}

fn crl(revoked: &[Revocation], number: u32, this_update_us: i64, next_update_us: i64) -> Vec<u8> {
    ca().crl(revoked, number, this_update_us, next_update_us).expect("a CRL can be made")
}

fn with_crls(crls: Vec<Vec<u8>>, policy: RevocationPolicy) -> TrustStore {
    store_of(TrustMaterial { crls, policy, ..material() })
}

fn verify(store: &TrustStore, der: &[u8], at_us: i64) -> Result<VerifiedCertificate, CertError> {
    store.verify(der, &[], Purpose::Sign, at_us)
}

#[test]
fn a_revoked_certificate_is_refused_whatever_the_reason() {
    let good = ca().issue_office(OFFICE, "office", &quick()).expect("issued");
    for reason in [
        RevocationReason::Unspecified,
        RevocationReason::KeyCompromise,
        RevocationReason::AffiliationChanged,
        RevocationReason::Superseded,
        RevocationReason::CessationOfOperation,
        RevocationReason::CertificateHold,
    ] {
        let issued = ca().issue_office(OFFICE, "office", &quick()).expect("issued");
        let entry = Revocation::new(&issued.serial, NOW_US - DAY_US, reason);
        let store = with_crls(vec![crl(&[entry], 1, NOW_US, NOW_US + DAY_US)], RevocationPolicy::default());
        assert_eq!(verify(&store, &issued.cert_der, NOW_US), Err(CertError::CertificateRevoked(LEAF)));
        assert!(verify(&store, &good.cert_der, NOW_US).is_ok());
    }
}

#[test]
fn a_serial_number_with_its_highest_bit_set_is_found() {
    let mut options = quick();
    options.serial = Some(vec![0xff, 0x01]);
    let der = office(ca(), &options);
    let entry = revoked(&[0xff, 0x01], NOW_US - DAY_US);
    let store = with_crls(vec![crl(&[entry], 1, NOW_US, NOW_US + DAY_US)], RevocationPolicy::default());
    assert_eq!(verify(&store, &der, NOW_US), Err(CertError::CertificateRevoked(LEAF)));
}

#[test]
fn a_revoked_intermediate_takes_its_offices_with_it() {
    let middle = ca().issue_intermediate("Middle", &IssueOptions::for_ca(NOW_US)).expect("issued");
    let issued = middle.issue_office(OFFICE, "office", &quick()).expect("issued");
    let serial = openssl::x509::X509::from_der(&issued.chain[0]).expect("DER");
    let serial = serial.serial_number().to_bn().expect("a number").to_vec();
    let crls = vec![crl(&[revoked(&serial, NOW_US)], 1, NOW_US, NOW_US + DAY_US), clean_crl(&middle)];
    let store = with_crls(crls, RevocationPolicy::default());
    let refused = store.verify(&issued.cert_der, &[&issued.chain[0]], Purpose::Sign, NOW_US);
    assert_eq!(refused, Err(CertError::CertificateRevoked(Position(1))));
}

#[test]
fn every_certificate_below_the_anchor_must_be_covered() {
    let middle = ca().issue_intermediate("Middle", &IssueOptions::for_ca(NOW_US)).expect("issued");
    let issued = middle.issue_office(OFFICE, "office", &quick()).expect("issued");
    let verify = |crls: Vec<Vec<u8>>, on_missing| {
        let store = with_crls(crls, RevocationPolicy { on_missing, ..RevocationPolicy::default() });
        store.verify(&issued.cert_der, &[&issued.chain[0]], Purpose::Sign, NOW_US)
    };
    let missing = |position| Err(CertError::CrlMissing(Position(position)));
    assert_eq!(verify(vec![clean_crl(ca())], OnDoubt::Refuse), missing(0));
    assert_eq!(verify(vec![clean_crl(&middle)], OnDoubt::Refuse), missing(1));
    let warned = verify(vec![clean_crl(ca())], OnDoubt::Warn).expect("the policy goes on");
    assert_eq!(warned.warnings, [Warning::CrlMissing(LEAF)]);
    assert!(verify(vec![clean_crl(ca()), clean_crl(&middle)], OnDoubt::Refuse).is_ok());
}

#[test]
fn a_stale_list_is_refused_by_its_own_word_or_by_the_policy() {
    let der = office(ca(), &quick());
    let promised = with_crls(vec![crl(&[], 1, NOW_US, NOW_US + DAY_US)], RevocationPolicy::default());
    let last_us = NOW_US + DAY_US + SECOND_US - 1;
    assert_eq!(verify(&promised, &der, last_us).expect("fresh").valid_until_us, last_us);
    assert_eq!(verify(&promised, &der, last_us + 1), Err(CertError::CrlStale(LEAF)));
    let policy = RevocationPolicy { max_crl_age_s: 3_600, ..RevocationPolicy::default() };
    let bounded = with_crls(vec![crl(&[], 1, NOW_US, NOW_US + DAY_US)], policy);
    let last_us = NOW_US + 3_600 * SECOND_US;
    assert_eq!(verify(&bounded, &der, last_us).expect("fresh").valid_until_us, last_us);
    assert_eq!(verify(&bounded, &der, last_us + 1), Err(CertError::CrlStale(LEAF)));
}

#[test]
fn a_stale_list_is_accepted_by_configuration_or_override_but_still_revokes() {
    let issued = ca().issue_office(OFFICE, "office", &quick()).expect("issued");
    let gone = ca().issue_office(OFFICE, "office", &quick()).expect("issued");
    let crls = vec![crl(&[revoked(&gone.serial, NOW_US)], 1, NOW_US, NOW_US + DAY_US)];
    let late = NOW_US + 2 * DAY_US;
    let warn = RevocationPolicy { on_stale: OnDoubt::Warn, ..RevocationPolicy::default() };
    let warned = with_crls(crls.clone(), warn);
    let verified = verify(&warned, &issued.cert_der, late).expect("the policy goes on");
    assert_eq!(verified.warnings, [Warning::CrlStale(LEAF)]);
    assert_eq!(verify(&warned, &gone.cert_der, late), Err(CertError::CertificateRevoked(LEAF)));

    let refusing = with_crls(crls, RevocationPolicy::default());
    let overridden = refusing.with_override(Some(late + DAY_US));
    let verified = verify(&overridden, &issued.cert_der, late).expect("the override is in force");
    assert_eq!(verified.warnings, [Warning::CrlStaleOverridden(LEAF)]);
    assert_eq!(verified.valid_until_us, late + DAY_US);
    assert_eq!(verify(&overridden, &gone.cert_der, late), Err(CertError::CertificateRevoked(LEAF)));
    let after = verify(&overridden, &issued.cert_der, late + DAY_US + 1);
    assert_eq!(after, Err(CertError::CrlStale(LEAF)));
    let ended = overridden.with_override(None);
    assert_eq!(verify(&ended, &issued.cert_der, late), Err(CertError::CrlStale(LEAF)));
}

#[test]
fn the_newest_list_counts_so_that_a_hold_can_be_lifted() {
    let issued = ca().issue_office(OFFICE, "office", &quick()).expect("issued");
    let hold = Revocation::new(&issued.serial, NOW_US, RevocationReason::CertificateHold);
    let on_hold = crl(&[hold], 1, NOW_US, NOW_US + 7 * DAY_US);
    let lifted = crl(&[], 2, NOW_US + DAY_US, NOW_US + 7 * DAY_US);
    for crls in [vec![on_hold.clone(), lifted.clone()], vec![lifted, on_hold]] {
        let store = with_crls(crls, RevocationPolicy::default());
        assert_eq!(verify(&store, &issued.cert_der, NOW_US), Err(CertError::CertificateRevoked(LEAF)));
        assert!(verify(&store, &issued.cert_der, NOW_US + DAY_US).is_ok());
    }
}

#[test]
fn a_later_list_speaks_of_an_earlier_time() {
    let issued = ca().issue_office(OFFICE, "office", &quick()).expect("issued");
    let later = NOW_US + 20 * DAY_US;
    let as_of = |crls: Vec<Vec<u8>>, known_us| {
        let store = with_crls(crls, RevocationPolicy::default());
        store.verify_as_of(&issued.cert_der, &[], Purpose::Sign, NOW_US, known_us)
    };
    // Only today's list is at hand, and the parcel is older: it was good then.
    let clean = crl(&[], 3, later, later + 7 * DAY_US);
    assert_eq!(as_of(vec![clean.clone()], later).expect("good then").warnings, []);
    // A list from the future proves a wrong clock, not a certificate.
    assert!(matches!(as_of(vec![clean], NOW_US), Err(CertError::CrlInvalid(LEAF, _))));
    // Revoked since: it was good then, and somebody should know.
    let since = NOW_US + 10 * DAY_US;
    let verified = as_of(vec![crl(&[revoked(&issued.serial, since)], 3, later, later + DAY_US)], later);
    let verified = verified.expect("good then");
    assert_eq!(verified.warnings, [Warning::RevokedLater(LEAF, since)]);
    assert!(verified.valid_until_us < since);
    // Revoked with effect before the time asked about, found out later: refused, although the list of then is clean.
    let crls = vec![clean_crl(ca()), crl(&[revoked(&issued.serial, NOW_US)], 3, later, later + DAY_US)];
    assert_eq!(as_of(crls, later), Err(CertError::CertificateRevoked(LEAF)));
    // The same by the date since which the key is suspected to be in other hands.
    let mut entry = revoked(&issued.serial, since);
    let suspected = RawExtension {
        oid: "2.5.29.24".to_owned(),
        critical: false,
        der: [&[0x18, 15][..], b"20261120000000Z"].concat(),
    };
    entry.extensions.push(suspected);
    let crls = vec![crl(&[entry], 3, later, later + DAY_US)];
    assert_eq!(as_of(crls, later), Err(CertError::CertificateRevoked(LEAF)));
}

#[test]
fn chain_and_lists_that_were_kept_are_enough_to_check_again() {
    let der = office(ca(), &quick());
    let store = with_crls(vec![clean_crl(ca())], RevocationPolicy::default());
    let then = verify(&store, &der, NOW_US).expect("good");
    let kept = TrustMaterial {
        anchors: vec![then.chain[1].clone()],
        crls: then.crls.iter().map(|name| store.crl_der(name).expect("it was used").to_vec()).collect(),
        ..TrustMaterial::default()
    };
    let years_later = NOW_US + 3_000 * DAY_US;
    let again = store_of(kept).verify_as_of(&der, &[], Purpose::Sign, NOW_US, years_later);
    assert_eq!(again, Ok(then));
    assert_eq!(store.crl_der(&[0; 32]), None);
}

#[test]
fn a_list_issued_after_the_certificate_expired_says_nothing_of_it() {
    let mut options = quick();
    options.not_after_us = NOW_US + DAY_US;
    let der = office(ca(), &options);
    let later = NOW_US + 20 * DAY_US;
    let store = with_crls(vec![crl(&[], 3, later, later + 7 * DAY_US)], RevocationPolicy::default());
    let refused = store.verify_as_of(&der, &[], Purpose::Sign, NOW_US, later);
    assert_eq!(refused, Err(CertError::CrlMissing(LEAF)));
}

#[test]
fn lists_for_users_only_and_for_one_distribution_point_cover_what_they_name() {
    let scoped = |point: &[u8]| {
        let scope = RawExtension { oid: "2.5.29.28".to_owned(), critical: true, der: point.to_vec() };
        let options = CrlOptions {
            number: 1,
            this_update_us: NOW_US,
            next_update_us: NOW_US + DAY_US,
            digest: Digest::Sha256,
            extensions: vec![scope],
        };
        let crl = ca().crl_with(&[], &options).expect("a CRL can be made");
        with_crls(vec![crl], RevocationPolicy::default())
    };
    let plain = office(ca(), &quick());
    let users_only = scoped(&[0x30, 3, 0x81, 1, 0xff]);
    assert!(verify(&users_only, &plain, NOW_US).is_ok());
    let cas_only = scoped(&[0x30, 3, 0x82, 1, 0xff]);
    assert_eq!(verify(&cas_only, &plain, NOW_US), Err(CertError::CrlMissing(LEAF)));

    let uri = b"http://crl.example.jp/1";
    let name = [&[0x86, 23][..], uri].concat();
    let point = [&[0xa0, 27, 0xa0, 25][..], &name].concat();
    let one_point = scoped(&[&[0x30, 29][..], &point].concat());
    assert_eq!(verify(&one_point, &plain, NOW_US), Err(CertError::CrlMissing(LEAF)));
    let mut options = quick();
    let points = [&[0x30, 31, 0x30, 29][..], &point].concat();
    options.extensions.push(RawExtension { oid: "2.5.29.31".to_owned(), critical: false, der: points });
    assert!(verify(&one_point, &office(ca(), &options), NOW_US).is_ok());
}

#[test]
fn alarms_come_before_a_list_is_stale_and_when_there_is_none() {
    let store = with_crls(vec![crl(&[], 1, NOW_US, NOW_US + 7 * DAY_US)], RevocationPolicy::default());
    let state = |store: &TrustStore, now_us| store.revocation_alarms(now_us).first().map(|alarm| alarm.state);
    let stale_us = NOW_US + 7 * DAY_US + SECOND_US;
    assert_eq!(state(&store, stale_us - 2 * DAY_US - 2), None);
    assert_eq!(state(&store, stale_us - 2 * DAY_US), Some(AlarmState::StaleFrom(stale_us)));
    assert_eq!(state(&store, stale_us), Some(AlarmState::StaleSince(stale_us)));
    let alarms = with_crls(Vec::new(), RevocationPolicy::default()).revocation_alarms(NOW_US);
    assert_eq!(alarms.len(), 1);
    assert_eq!(alarms[0].state, AlarmState::Missing);
    assert_eq!(alarms[0].issuer, "C=JP, O=Tasuki trial, CN=Trial root");
    // The newest counts.
    let newer = crl(&[], 2, NOW_US + 6 * DAY_US, NOW_US + 13 * DAY_US);
    let both = with_crls(vec![crl(&[], 1, NOW_US, NOW_US + 7 * DAY_US), newer], RevocationPolicy::default());
    assert_eq!(state(&both, NOW_US + 7 * DAY_US), None);
}

#[test]
fn the_age_of_a_cas_newest_list_is_told() {
    let old = crl(&[], 1, NOW_US - 5 * DAY_US, NOW_US + 20 * DAY_US);
    let new = crl(&[], 2, NOW_US - 2 * DAY_US, NOW_US + DAY_US);
    let policy = RevocationPolicy::default();
    let ages = with_crls(vec![old.clone(), new], policy.clone()).revocation_ages();
    assert_eq!(ages.len(), 1, "{ages:?}");
    assert_eq!(ages[0].this_update_us, NOW_US - 2 * DAY_US);
    assert_eq!(ages[0].fresh_until_us, NOW_US + DAY_US + SECOND_US - 1);
    let (name, key) = ages[0].issuer.rsplit_once(' ').expect("a name and a key");
    assert!(!name.is_empty() && key.len() == 8 && key.bytes().all(|b| b.is_ascii_hexdigit()), "{ages:?}");
    // The policy's bound ends a list that says that it is good for longer.
    let ages = with_crls(vec![old], policy).revocation_ages();
    assert_eq!(ages[0].fresh_until_us, NOW_US + 3 * DAY_US);
    assert_eq!(with_crls(Vec::new(), RevocationPolicy::default()).revocation_ages(), []);
}

#[test]
fn lists_are_ranked_by_who_signed_them_and_what_is_in_force() {
    use tasuki_certs::trust::CrlStanding::{Current, Replaced, Unverified};
    let stranger = crate::trial::root("Trial root");
    let crls = vec![
        crl(&[], 1, NOW_US - 2 * DAY_US, NOW_US),
        crl(&[], 2, NOW_US - DAY_US, NOW_US + DAY_US),
        // Not in force yet: until its time comes it replaces none.
        crl(&[], 3, NOW_US + DAY_US, NOW_US + 2 * DAY_US),
        clean_crl(&stranger),
    ];
    let store = with_crls(crls, RevocationPolicy::default());
    let ranked = |now_us| store.ranked_crls(now_us).iter().map(|one| one.standing).collect::<Vec<_>>();
    assert_eq!(ranked(NOW_US), [Replaced, Current, Current, Unverified]);
    assert_eq!(ranked(NOW_US + DAY_US), [Replaced, Replaced, Current, Unverified]);
    let delta = CrlOptions {
        number: 9,
        this_update_us: NOW_US,
        next_update_us: NOW_US + DAY_US,
        digest: Digest::default(),
        extensions: vec![RawExtension { oid: "2.5.29.27".to_owned(), critical: true, der: vec![2, 1, 1] }],
    };
    // Signed by the CA and of no use: it must not stand in the place of one that is.
    let delta = ca().crl_with(&[], &delta).expect("a CRL can be made");
    let store = with_crls(vec![delta, clean_crl(ca())], RevocationPolicy::default());
    let standings: Vec<_> = store.ranked_crls(NOW_US).iter().map(|one| one.standing).collect();
    assert_eq!(standings, [Unverified, Current]);
}
