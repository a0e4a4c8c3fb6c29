//! Certificates of another layout than the trial CA's: the README's example, from end to end.

use std::fs;

use tasuki_certs::trial_ca::{IssueOptions, KeyChoice, KeyUse};
use tasuki_tests::office::write_sample;
use tasuki_tests::raw::now_us;
use tasuki_tests::run::{run, text};

use crate::stage::{Database, MANAGER, Stage, VISIT, programs};

/// The README's example of a profile.
fn profile() -> &'static str {
    let (_, behind) = include_str!("../../../README.md").split_once("```toml\n").unwrap();
    behind.split_once("```").unwrap().0
}

/// A certificate as the example describes it.
fn options(number: &str) -> IssueOptions {
    let subject = [("O", "Example Billing CA Subscribers".to_owned()), ("CN", format!("KYOTAKU {number}"))];
    let subject = subject.map(|(name, value)| (name.to_owned(), value)).to_vec();
    let key_usage = vec![KeyUse::DigitalSignature, KeyUse::KeyAgreement];
    IssueOptions {
        subject: Some(subject),
        key_usage,
        ..IssueOptions::new(now_us()).with_key(KeyChoice::P256)
    }
}

#[test]
fn offices_are_found_where_the_profile_says() {
    let mut stage = Stage::new(Database::Sqlite);
    let file = stage.relay.dir.join("profile.toml");
    fs::write(&file, profile()).unwrap();
    let given = file.display().to_string();
    let office =
        |number: &str| stage.office_with_certificate(number, &options(number), &["--profile", &given]);
    let (manager, visit) = (office(MANAGER), office(VISIT));
    assert!(stage.relay.stop());
    stage.relay.configure(|line| (line == "# profile = \"profile.toml\"").then(|| line[2..].to_owned()));
    stage.relay.start();

    visit.run(&["inbox"]).expect(0);
    let slip = write_sample(stage.path(), "03_slip_202602_to_visit").display().to_string();
    let sent = manager.run(&["--json", "send", &slip]).expect(0).json();
    let id = text(&sent[0], "parcel");
    let out = stage.path().join("in").display().to_string();
    let received = visit.run(&["--json", "receive", "--keep-sealed", "--out", &out]).expect(0).json();
    assert_eq!(text(&received[0], "state"), "acknowledged");

    // Evidence brings its profile along, as it does its anchors; who pins the anchors pins the profile, too.
    let proof = stage.path().join("proof").display().to_string();
    manager.run(&["evidence", id, "--out", &proof]).expect(0);
    let ca = stage.relay.dir.join("trial-ca.pem").display().to_string();
    let verify = |args: &[&str]| run(programs().tasuki().args(["--json", "verify"]).args(args));
    let found = verify(&[&proof]).expect(0).json().remove(0);
    assert_eq!(
        (found["trust"]["profile"].is_string(), &found["trust"]["profile_pinned"]),
        (true, &false.into())
    );
    let refused = verify(&[&proof, "--ca", &ca]).expect(1).json().remove(0);
    assert_eq!(text(&refused, "reason"), "IDENTITY_NOT_FOUND");
    let pinned = verify(&[&proof, "--ca", &ca, "--profile", &given]).expect(0).json().remove(0);
    assert_eq!(pinned["trust"]["profile_pinned"], true);

    // The parcel alone.
    let parcel = format!("{out}/{MANAGER}/{id}/parcel.asice");
    let refused = verify(&[&parcel]).expect(1).json().remove(0);
    assert_eq!(text(&refused, "reason"), "IDENTITY_NOT_FOUND");
    verify(&[&parcel, "--profile", &given]).expect(0);
    verify(&[&parcel, "--profile", "/nonexistent"]).expect(2);
    verify(&[&parcel, "--profile", &ca]).expect(2);
}
