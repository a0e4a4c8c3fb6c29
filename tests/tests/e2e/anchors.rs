//! `[[trust.anchor]]`: what holds below one trust anchor holds below no other.

use std::fs;

use tasuki_certs::identity::KeyIdentity;
use tasuki_certs::trial_ca::{IssueOptions, KeyChoice, TrialCa};
use tasuki_proto::pb;
use tasuki_proto::pb::directory_client::DirectoryClient;
use tasuki_tests::raw::{RawOffice, now_us, status_reason};

use crate::stage::{Database, MANAGER, Stage, VISIT};

const HOUR_US: i64 = 3_600 * 1_000_000;

/// An office with a certificate of the national CA.
fn office(ca: &TrialCa) -> RawOffice {
    let issued =
        ca.issue_office(VISIT, "of a test", &IssueOptions::new(now_us()).with_key(KeyChoice::P256)).unwrap();
    let identity = KeyIdentity::from_pem(&issued.chain_pem().unwrap(), &issued.key_pem().unwrap()).unwrap();
    RawOffice { number: VISIT.to_owned(), identity }
}

/// How the relay answers a call: `answered`, or why not. In the handshake it tells nobody why: `refused`.
fn asked(stage: &Stage, office: &RawOffice) -> String {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let Ok(channel) = office.connect(&stage.relay).await else { return "refused".to_owned() };
        let answer = DirectoryClient::new(channel).get_relay(pb::GetRelayRequest::default()).await;
        let reason = answer.map_or_else(|status| status_reason(&status), |_| "answered".to_owned());
        if reason.is_empty() { "refused".to_owned() } else { reason }
    })
}

/// The relay with this table for the national CA; empty: what holds for all holds for it.
fn with_table(stage: &mut Stage, table: &str) {
    assert!(stage.relay.stop());
    let path = stage.relay.dir.join("relay.toml");
    let config = fs::read_to_string(&path).unwrap();
    let (before, rest) = config.split_once("# [[trust.anchor]]\n").unwrap();
    let after = rest.split_once("\n[trial_ca]").unwrap().1;
    let before =
        before.replace("anchors = [\"trial-ca.pem\"]", "anchors = [\"trial-ca.pem\", \"national-ca.pem\"]");
    fs::write(&path, format!("{before}# [[trust.anchor]]\n{table}\n[trial_ca]{after}")).unwrap();
    stage.relay.start();
}

#[test]
fn each_trust_anchor_has_its_own_policy() {
    let mut stage = Stage::new(Database::Sqlite);
    let national = TrialCa::create("National CA", now_us()).unwrap();
    let file = |name: &str| stage.relay.dir.join(name);
    fs::write(file("national-ca.pem"), national.cert_pem().unwrap()).unwrap();
    let list = file("crls/national.crl");
    let (visit, manager) = (office(&national), stage.office(MANAGER));
    let table = |lines: &str| format!("[[trust.anchor]]\ncertificate = \"national-ca.pem\"\n{lines}\n");

    // It publishes no list: what holds for all refuses its certificates.
    with_table(&mut stage, "");
    assert_eq!(asked(&stage, &visit), "refused");
    assert!(stage.relay.log_text().contains("CRL_MISSING"));
    with_table(&mut stage, &table("on_missing = \"warn\""));
    assert_eq!(asked(&stage, &visit), "answered");
    manager.run(&["inbox"]).expect(0);

    // A list of three days: fresh enough for all, too old where the anchor demands more, and then as it says.
    let old = national.crl(&[], 1, now_us() - 72 * HOUR_US, now_us() + 72 * HOUR_US).unwrap();
    fs::write(&list, old).unwrap();
    with_table(&mut stage, &table("on_missing = \"warn\""));
    assert_eq!(asked(&stage, &visit), "answered");
    with_table(&mut stage, &table("crl_max_age_hours = 48"));
    assert_eq!(asked(&stage, &visit), "refused");
    assert!(stage.relay.log_text().contains("CRL_STALE"));
    // The other anchor's offices are not concerned.
    manager.run(&["inbox"]).expect(0);
    let doctor = stage.relay.run(&["--json", "doctor"]);
    assert!(doctor.out.contains("National CA"), "{doctor:?}");
    with_table(&mut stage, &table("crl_max_age_hours = 48\non_stale = \"warn\""));
    assert_eq!(asked(&stage, &visit), "answered");

    // A table of an anchor that there is not, or with what makes no sense, keeps the relay from starting.
    assert!(stage.relay.stop());
    let path = stage.relay.dir.join("relay.toml");
    let good = fs::read_to_string(&path).unwrap();
    for wrong in [
        good.replace("crl_max_age_hours = 48", "crl_max_age_hours = 0"),
        good.replace("certificate = \"national-ca.pem\"", "certificate = \"relay-ca.pem\""),
        good.replace("certificate = \"national-ca.pem\"", "certificate = \"none.pem\""),
    ] {
        fs::write(&path, wrong).unwrap();
        stage.relay.run(&["serve"]).expect(2);
    }
}
