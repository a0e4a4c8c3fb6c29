//! A folder of evidence verifies, and not one of its files can be changed.

use std::path::{Path, PathBuf};

use tasuki_certs::trial_ca::{IssueOptions, KeyChoice};
use tasuki_proto::canonical::hex;
use tasuki_proto::event::{kind, sha256};
use tasuki_proto::evidence::EvidenceError;
use tasuki_proto::log::LogError;

use super::{Proven, VerifyOptions, VerifyReport, verify};
use crate::error::{SdkError, VerificationError, words};
use crate::evidence::{EventIndex, INDEX, Index};
use crate::pem;
use crate::testing::case::{Case, Plan};
use crate::testing::{self, Folder, NOW_US, world};

fn write(case: &Case, with_parcel: bool) -> Folder {
    let folder = testing::folder("verify");
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
        name.to_owned()
    };
    let mut index = Index::new(case.key, case.delivered.recipient, &case.delivered.digest, "log-key.txt");
    for (number, (text, sibling)) in case.events.iter().enumerate() {
        index.events.push(EventIndex {
            file: put(&format!("events/{number}.txt"), text.as_bytes()),
            epoch: 1,
            index: number as u64,
            inclusion: vec![hex(sibling)],
            checkpoint: put("checkpoints/e1-2.txt", &case.checkpoint),
        });
    }
    index.statements.push(put("statements/1.p7s", &case.statement));
    index.anchors.push(put("certificates/anchor.pem", &world().ca.cert_pem().unwrap()));
    index.certificates.push(put("certificates/1.pem", pem::encode([&world().sender.cert_der]).as_bytes()));
    let crl = world().ca.crl(&[], 1, NOW_US, NOW_US + 86_400_000_000).unwrap();
    index.crls.push(put("crls/1.crl", &crl));
    put("log-key.txt", case.log.verifier().vkey(1).as_bytes());
    if with_parcel {
        index.container = Some(put("parcel.asice", &case.container));
    }
    put(INDEX, &index.print());
    folder
}

fn check(folder: &Folder) -> Result<VerifyReport, VerificationError> {
    verify(folder.path(), &VerifyOptions::default()).map_err(|error| match error {
        SdkError::Verification(error) => error,
        other => panic!("{other}"),
    })
}

fn change(folder: &Folder, name: &str, from: &str, to: &str) {
    let path = folder.path().join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(path, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn good_evidence_proves_who_said_what() {
    let case = Case::new(&Plan::default());
    let report = check(&write(&case, true)).unwrap();
    let proofs: Vec<_> = report.proofs.iter().map(|p| (p.what.clone(), p.by.as_str())).collect();
    assert_eq!(
        proofs,
        [
            (Proven::SignedBySender, "office:1371215102"),
            (Proven::Logged(kind::PARCEL_DELIVERED.to_owned()), "relay"),
            (Proven::Stated("acknowledge".to_owned()), "office:9971100012"),
            (Proven::Logged(kind::PARCEL_ACKNOWLEDGED.to_owned()), "relay"),
        ]
    );
    assert_eq!((report.parcel, report.digest), (case.key, case.delivered.digest));
    assert_eq!(report.trust.anchors, [sha256(&world().ca.cert_der().unwrap())]);
    assert!(!report.trust.anchors_pinned && !report.trust.log_key_pinned && report.warnings.is_empty());

    let report = check(&write(&case, false)).unwrap();
    assert_eq!((report.proofs.len(), report.warnings.len()), (3, 1));
}

#[test]
fn pinned_trust_decides() {
    let case = Case::new(&Plan::default());
    let folder = write(&case, true);
    let other = Case::new(&Plan::default());
    let pinned = |options: VerifyOptions| verify(folder.path(), &options);
    let good = VerifyOptions {
        ca: Some(folder.path().join("certificates/anchor.pem")),
        log_key: Some(case.log.verifier().vkey(1)),
        profile: None,
    };
    let report = pinned(good.clone()).unwrap();
    assert!(report.trust.anchors_pinned && report.trust.log_key_pinned);
    let log_key = Some(other.log.verifier().vkey(1));
    let error = pinned(VerifyOptions { log_key, ..good.clone() }).unwrap_err();
    assert_eq!(error, VerificationError::Log(LogError::Signature).into());

    let elsewhere = tasuki_certs::trial_ca::TrialCa::create("other", NOW_US).unwrap();
    let ca = folder.path().join("other.pem");
    std::fs::write(&ca, elsewhere.cert_pem().unwrap()).unwrap();
    let error = pinned(VerifyOptions { ca: Some(ca), ..good }).unwrap_err();
    assert_eq!(error.reason(), "UNTRUSTED_ISSUER");
}

/// Office numbers in the serial number, as the trial CA's certificates have them, but with a rule of its own.
const BY_SERIAL: &str = r#"rules = [{ identity = "office", match = [
    { source = "subject:serialNumber", pattern = "{number:10}" }] }]"#;

/// The example of the README: office numbers in common names, which the trial CA's certificates don't have.
fn by_name() -> &'static str {
    let (_, behind) = include_str!("../../../README.md").split_once("```toml\n").unwrap();
    behind.split_once("```").unwrap().0
}

#[test]
fn another_profile_says_where_the_office_stands() {
    let case = Case::new(&Plan::default());
    let folder = write(&case, true);
    let profile = |text: &str| {
        let path = folder.path().join("given.toml");
        std::fs::write(&path, text).unwrap();
        Some(path)
    };
    let ca = Some(folder.path().join("certificates/anchor.pem"));
    let with = |ca: &Option<PathBuf>, profile: Option<PathBuf>| {
        verify(folder.path(), &VerifyOptions { ca: ca.clone(), profile, ..VerifyOptions::default() })
    };
    let report = with(&ca, profile(BY_SERIAL)).unwrap();
    assert_eq!(
        (report.trust.profile, report.trust.profile_pinned),
        (Some(sha256(BY_SERIAL.as_bytes())), true)
    );
    assert_eq!(with(&ca, profile(by_name())).unwrap_err().reason(), "IDENTITY_NOT_FOUND");
    assert_eq!(with(&ca, profile("rules = []")).unwrap_err().reason(), "CONFIG_MALFORMED");

    // One that came along counts only where nothing is pinned: it says how the certificates of others are read.
    change(&folder, INDEX, "\"log_key\"", "\"profile\": \"profile.toml\", \"log_key\"");
    std::fs::write(folder.path().join("profile.toml"), by_name()).unwrap();
    assert_eq!(with(&None, None).unwrap_err().reason(), "IDENTITY_NOT_FOUND");
    let report = with(&ca, None).unwrap();
    assert_eq!((report.trust.profile, report.trust.profile_pinned), (None, false));
    std::fs::write(folder.path().join("profile.toml"), BY_SERIAL).unwrap();
    let report = with(&None, None).unwrap();
    assert_eq!(
        (report.trust.profile, report.trust.profile_pinned),
        (Some(sha256(BY_SERIAL.as_bytes())), false)
    );
    std::fs::write(folder.path().join("profile.toml"), "rules = []").unwrap();
    assert_eq!(with(&None, None).unwrap_err().reason(), "EVIDENCE_MALFORMED");
}

#[test]
fn a_lone_parcel_is_read_with_another_profile() {
    // A certificate that the trial CA's own profile can't read.
    let subject = [("O", "Example Billing CA Subscribers"), ("CN", "KYOTAKU 1371215102")];
    let subject = subject.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let options =
        IssueOptions { subject: Some(subject), ..IssueOptions::new(NOW_US) }.with_key(KeyChoice::P256);
    let issued = world().ca.issue_office(testing::SENDER, "A", &options).unwrap();
    let case = Case::signed_with(&Plan::default(), &testing::identity(&issued));
    let folder = testing::folder("lone-profile");
    let put = |name: &str, bytes: &[u8]| {
        std::fs::write(folder.path().join(name), bytes).unwrap();
        folder.path().join(name)
    };
    let parcel = put("parcel.asice", &case.container);
    let ca = Some(put("ca.pem", &world().ca.cert_pem().unwrap()));
    let with = |profile| verify(&parcel, &VerifyOptions { ca: ca.clone(), profile, log_key: None });
    assert_eq!(with(None).unwrap_err().reason(), "IDENTITY_NOT_FOUND");
    let report = with(Some(put("profile.toml", by_name().as_bytes()))).unwrap();
    assert_eq!(report.proofs[0].by, "office:1371215102");
}

#[test]
fn every_change_is_noticed() {
    let case = Case::new(&Plan::default());
    let changed = |edit: &dyn Fn(&Folder)| {
        let folder = write(&case, true);
        edit(&folder);
        check(&folder).unwrap_err()
    };
    let text = |name: &'static str, from: &'static str, to: &'static str| {
        changed(&|folder| change(folder, name, from, to))
    };
    let not_in_log = VerificationError::Evidence(EvidenceError::Log(LogError::Inclusion));
    assert_eq!(text("events/0.txt", "9971100012", "9971100020"), not_in_log);
    assert_eq!(text("events/1.txt", "salt: 02", "salt: 03"), not_in_log);
    assert_eq!(text(INDEX, "\"index\": 1", "\"index\": 0"), not_in_log);
    assert_eq!(text("checkpoints/e1-2.txt", "\n2\n", "\n3\n"), VerificationError::Log(LogError::Signature));
    assert_eq!(
        text(INDEX, "9971100012", "9971100020"),
        VerificationError::Event("it is about another parcel")
    );
    let replace = |name: &'static str, bytes: &'static [u8]| {
        changed(&|folder| std::fs::write(folder.path().join(name), bytes).unwrap())
    };
    assert_eq!(replace("statements/1.p7s", b"x"), VerificationError::Incomplete("a signed statement"));
    assert_eq!(replace("parcel.asice", b"x"), VerificationError::Digest);
    assert!(matches!(replace("log-key.txt", b"\n"),
        VerificationError::NothingToTrust(what) if what.en == "log key (--log-key)"));
    assert_eq!(replace("log-key.txt", b"x").code(), "EVIDENCE_MALFORMED");
    assert_eq!(replace(INDEX, b"{}").code(), "EVIDENCE_MALFORMED");
}

#[test]
fn an_acknowledgement_counts_only_from_the_receiver() {
    let case = Case::new(&Plan { acknowledged_by_recipient: false, ..Plan::default() });
    let error = check(&write(&case, true)).unwrap_err();
    assert_eq!(error, VerificationError::Signer("9971100012".to_owned()));
}

#[test]
fn a_lone_parcel_needs_an_anchor_beside_it_or_given() {
    let case = Case::new(&Plan::default());
    let folder = testing::folder("lone");
    let path = folder.path().join("parcel.asice");
    std::fs::write(&path, &case.container).unwrap();
    let lone = |path: &Path| verify(path, &VerifyOptions::default());
    let nothing = VerificationError::NothingToTrust(words("事業所証明書のCA（--ca）", "trust anchor (--ca)"));
    assert_eq!(lone(&path).unwrap_err(), nothing.into());
    let chain = pem::encode([&world().sender.cert_der, &world().ca.cert_der().unwrap()]);
    std::fs::write(folder.path().join("certificates.pem"), chain).unwrap();
    for path in [path.as_path(), folder.path()] {
        let report = lone(path).unwrap();
        assert_eq!(report.proofs.len(), 1);
        // Without a list nobody can say that the certificate was not revoked, and the time is the sender's claim.
        assert_eq!(report.warnings.len(), 2);
    }
    let mut altered = case.container.clone();
    let at = altered.len() / 2;
    altered[at] ^= 1;
    std::fs::write(&path, altered).unwrap();
    assert!(matches!(lone(&path), Err(SdkError::Verification(_))));
}
