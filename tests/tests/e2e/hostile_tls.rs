//! Certificates that must be refused at the door, by the rule that they break.

use tasuki_certs::identity::KeyIdentity;
use tasuki_certs::trial_ca::{IssueOptions, Issued, KeyChoice, KeyUse, TrialCa};
use tasuki_proto::pb;
use tasuki_proto::pb::directory_client::DirectoryClient;
use tasuki_proto::reason as word;
use tasuki_tests::bench::load::connect;
use tasuki_tests::raw::{Forge, RawOffice, now_us, reason, status_reason, submit};
use tasuki_tests::relay::Relay;

use crate::stage::{Database, MANAGER, Stage, VISIT};

const DAY_US: i64 = 86_400_000_000;

fn trial_ca(relay: &Relay) -> TrialCa {
    let read = |name: &str| std::fs::read(relay.dir.join(name)).unwrap();
    TrialCa::load(&read("trial-ca.pem"), &read("trial-ca.key")).unwrap()
}

fn identity(issued: &Issued) -> KeyIdentity {
    KeyIdentity::from_pem(&issued.chain_pem().unwrap(), &issued.key_pem().unwrap()).unwrap()
}

/// Whether a caller with this certificate gets an answer to the simplest question.
async fn answered(relay: &Relay, identity: &KeyIdentity) -> Result<(), String> {
    let ca = relay.dir.join("relay-ca.pem");
    let channel = connect(relay.url.trim_start_matches("https://"), &ca, identity).await?;
    match DirectoryClient::new(channel).get_relay(pb::GetRelayRequest::default()).await {
        Ok(_) => Ok(()),
        Err(status) => Err(format!("{} {status:?}", status_reason(&status))),
    }
}

/// Neither our own client nor rustls signs with such a key, so OpenSSL's client comes with it.
fn weak_key(stage: &Stage, issued: &Issued) {
    let (certificate, key) = (stage.path().join("weak.pem"), stage.path().join("weak.key"));
    std::fs::write(&certificate, issued.cert_pem().unwrap()).unwrap();
    std::fs::write(&key, issued.key_pem().unwrap()).unwrap();
    let mut client = std::process::Command::new("openssl");
    client.args(["s_client", "-tls1_2", "-cipher", "DEFAULT@SECLEVEL=0", "-alpn", "h2", "-connect"]);
    client.arg(stage.relay.url.trim_start_matches("https://"));
    client.arg("-cert").arg(&certificate).arg("-key").arg(&key).stdin(std::process::Stdio::null());
    assert!(!client.output().unwrap().status.success());
    assert!(stage.relay.log_text().contains("WEAK_KEY"), "{}", stage.relay.log_text());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_good_certificates_are_answered() {
    let stage = Stage::new(Database::Sqlite);
    let ca = trial_ca(&stage.relay);
    let now = now_us();
    let key =
        KeyChoice::Pkcs8(ca.issue_office(MANAGER, "key", &IssueOptions::new(now)).unwrap().key_pkcs8_der);
    let options = || IssueOptions::new(now).with_key(key.clone());
    let office = |options: &IssueOptions| identity(&ca.issue_office(MANAGER, "A", options).unwrap());

    answered(&stage.relay, &office(&options())).await.unwrap();

    let expired = IssueOptions { not_before_us: now - 30 * DAY_US, not_after_us: now - DAY_US, ..options() };
    let early = IssueOptions { not_before_us: now + DAY_US, ..options() };
    let usage = IssueOptions { key_usage: vec![KeyUse::KeyCertSign], ..options() };
    let server = IssueOptions { extended_key_usage: vec!["1.3.6.1.5.5.7.3.1".to_owned()], ..options() };
    for (what, options) in
        [("expired", expired), ("not yet valid", early), ("usage", usage), ("server", server)]
    {
        let refused = answered(&stage.relay, &office(&options)).await;
        assert!(refused.is_err(), "{what}");
    }
    weak_key(&stage, &ca.issue_office(MANAGER, "A", &options().with_key(KeyChoice::Rsa(1024))).unwrap());
    let foreign = TrialCa::create("foreign", now).unwrap();
    let stranger = identity(&foreign.issue_office(MANAGER, "A", &options()).unwrap());
    assert!(answered(&stage.relay, &stranger).await.is_err(), "foreign");
    // A good certificate of an office that the directory does not hold.
    let unknown = identity(&ca.issue_office("9999999999", "?", &options()).unwrap());
    let refused = answered(&stage.relay, &unknown).await.unwrap_err();
    assert!(refused.starts_with(word::CALLER_UNKNOWN), "{refused}");
    // A proxy that the operator did not add.
    let proxy = identity(&ca.issue_proxy("P00004", "proxy", &options()).unwrap());
    let refused = answered(&stage.relay, &proxy).await.unwrap_err();
    assert!(refused.starts_with(word::PROXY_UNKNOWN), "{refused}");
    answered(&stage.relay, &office(&options())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_certificate_stops_within_seconds() {
    let stage = Stage::new(Database::Sqlite);
    let manager = stage.raw(MANAGER);
    stage.raw(VISIT);
    let channel = manager.connect(&stage.relay).await.unwrap();
    let send = async || {
        let parcel = Forge::withdrawal(MANAGER, VISIT).sign(&manager.identity);
        match submit(&channel, parcel).await {
            Ok(response) => reason(&response).to_owned(),
            Err(status) => status_reason(&status),
        }
    };
    assert_eq!(send().await, "accepted");
    let pem = stage.path().join(format!("raw-{MANAGER}")).join(format!("{MANAGER}.pem"));
    stage.relay.run(&["cert", "revoke", &pem.display().to_string(), "--reason", "key-compromise"]).expect(0);
    // The connection is open and the signer is in the cache: both must stop.
    let mut last = String::new();
    for _ in 0..50 {
        last = send().await;
        if last != "accepted" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    assert!(last != "accepted", "still accepted ten seconds after its revocation");
    assert!(
        manager.connect(&stage.relay).await.is_err()
            || answered(&stage.relay, &manager.identity).await.is_err()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_certificate_must_be_the_signers() {
    // Same issuer and same subject, another key: what signs is not what is shown.
    let stage = Stage::new(Database::Sqlite);
    let ca = trial_ca(&stage.relay);
    stage.raw(VISIT);
    let manager = stage.raw(MANAGER);
    let twin = identity(&ca.issue_office(MANAGER, "twin", &IssueOptions::new(now_us())).unwrap());
    let mixed = KeyIdentity::from_pem(
        &std::fs::read(stage.path().join(format!("raw-{MANAGER}/{MANAGER}.pem"))).unwrap(),
        &std::fs::read(stage.path().join(format!("raw-{VISIT}/{VISIT}.key"))).unwrap(),
    );
    assert!(mixed.is_err(), "a key that is not the certificate's is refused when it is loaded");
    // A second good certificate of the same office may sign what the first one transmits.
    let channel = manager.connect(&stage.relay).await.unwrap();
    let parcel = Forge::withdrawal(MANAGER, VISIT).sign(&twin);
    assert_eq!(reason(&submit(&channel, parcel).await.unwrap()), "accepted");
    drop::<RawOffice>(manager);
}
