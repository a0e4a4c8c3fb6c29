//! A folder of evidence verifies, and not one of its files can be changed.

use std::path::{Path, PathBuf};

use tasuki_certs::trial_ca::{IssueOptions, KeyChoice};
use tasuki_proto::canonical::hex;
use tasuki_proto::cosignature::Cosigner;
use tasuki_proto::event::{kind, leaf_hash, sha256};
use tasuki_proto::evidence::EvidenceError;
use tasuki_proto::log::{Hash, LogError};

use super::{Proven, VerifyOptions, VerifyReport, verify};
use crate::error::{SdkError, VerificationError, words};
use crate::evidence::{CosignedIndex, EventIndex, INDEX, Index, LinkIndex};
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
        ..VerifyOptions::default()
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
    let with =
        |profile| verify(&parcel, &VerifyOptions { ca: ca.clone(), profile, ..VerifyOptions::default() });
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

/// Adds checkpoints that witnesses have cosigned: one of the two events, and one of a tree that goes on.
fn add_cosigned(folder: &Folder, case: &Case, witnesses: [&Cosigner; 2]) {
    let leaves = case.events.each_ref().map(|(text, _)| leaf_hash(text.as_bytes()));
    let third = Hash([3; 32]);
    let two = tlog_tiles::node_hash(Hash(leaves[0]), Hash(leaves[1]));
    let three = case.log.sign(1, 3, tlog_tiles::node_hash(two, third)).unwrap();
    let put = |name: &str, note: &[u8]| std::fs::write(folder.path().join(name), note).unwrap();
    put("checkpoints/same.txt", &witnesses[0].cosign(&case.checkpoint, 7).unwrap());
    put("checkpoints/more.txt", &witnesses[1].cosign(&three, 8).unwrap());
    let link =
        |consistency: Vec<String>| LinkIndex { checkpoint: "checkpoints/e1-2.txt".to_owned(), consistency };
    let mut index = Index::read(folder.path()).unwrap();
    index.cosigned = vec![
        CosignedIndex { checkpoint: "checkpoints/same.txt".to_owned(), links: vec![link(vec![])] },
        CosignedIndex {
            checkpoint: "checkpoints/more.txt".to_owned(),
            links: vec![link(vec![hex(&third.0)])],
        },
    ];
    let keys = witnesses.map(|witness| witness.key().vkey());
    put("witness-keys.txt", keys.join("\n").as_bytes());
    index.witness_keys = Some("witness-keys.txt".to_owned());
    std::fs::write(folder.path().join(INDEX), index.print()).unwrap();
}

#[test]
fn witnesses_count_for_what_they_have_seen() {
    let case = Case::new(&Plan::default());
    let folder = write(&case, true);
    let witness = |name: &str| Cosigner::generate(name, &ring::rand::SystemRandom::new()).unwrap();
    let (one, two) = (witness("w.example/1"), witness("w.example/2"));
    add_cosigned(&folder, &case, [&one, &two]);
    let asked = |keys: Option<&str>, need: u32| {
        let options = VerifyOptions {
            witness_keys: keys.map(str::to_owned),
            witnesses_needed: need,
            ..VerifyOptions::default()
        };
        verify(folder.path(), &options).map(|report| report.witnesses).map_err(|error| match error {
            SdkError::Verification(error) => error,
            other => panic!("{other}"),
        })
    };
    let found = asked(None, 2).unwrap();
    let seen: Vec<_> = found.iter().map(|v| (v.key.clone(), v.pinned, v.time_us, v.events)).collect();
    assert_eq!(seen, [(one.key().vkey(), false, 7_000_000, 2), (two.key().vkey(), false, 8_000_000, 2)]);
    assert_eq!(asked(None, 3), Err(VerificationError::Witnesses { have: 2, need: 3 }));
    // Keys that are given decide; the same key twice is one witness.
    let twice = format!("{0}\n{0}\n", one.key().vkey());
    assert!(asked(Some(&twice), 1).unwrap()[0].pinned);
    assert_eq!(asked(Some(&twice), 2), Err(VerificationError::Witnesses { have: 1, need: 2 }));
    let stranger = witness("w.example/1").key().vkey();
    assert_eq!(asked(Some(&stranger), 1), Err(VerificationError::Witnesses { have: 0, need: 1 }));
    assert_eq!(asked(Some("nonsense"), 0), Err(VerificationError::Log(LogError::Key)));

    // Another history, a proof that does not hold, and a cosignature of something else.
    change(&folder, INDEX, &"03".repeat(32), &"04".repeat(32));
    assert_eq!(asked(None, 0), Err(VerificationError::Log(LogError::Consistency)));
    add_cosigned(&folder, &case, [&one, &two]);
    let other = one.cosign(&case.log.sign(1, 2, Hash([9; 32])).unwrap(), 7).unwrap();
    std::fs::write(folder.path().join("checkpoints/same.txt"), other).unwrap();
    assert_eq!(asked(None, 0), Err(VerificationError::Log(LogError::Consistency)));
    add_cosigned(&folder, &case, [&one, &two]);
    let path = folder.path().join("checkpoints/same.txt");
    let line = one.key().cosignature(&std::fs::read(&path).unwrap()).unwrap().unwrap().line;
    let moved = [std::fs::read(folder.path().join("checkpoints/more.txt")).unwrap(), line].concat();
    std::fs::write(folder.path().join("checkpoints/more.txt"), moved).unwrap();
    assert_eq!(asked(None, 0), Err(VerificationError::Log(LogError::Signature)));
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
