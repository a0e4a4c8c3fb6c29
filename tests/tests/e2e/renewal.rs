//! Certificates that are renewed: in place by the relay's CA, or elsewhere. What waits stays readable, and nobody slips a key in.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tasuki_certs::identity::KeyIdentity;
use tasuki_certs::request::NewKey;
use tasuki_certs::trial_ca::{IssueOptions, KeyChoice, TrialCa};
use tasuki_proto::event::sha256;
use tasuki_proto::mandate::Renewal;
use tasuki_proto::pb::renewal_client::RenewalClient;
use tasuki_proto::{pb, reason as word};
use tasuki_tests::office::{Office, write_sample, write_slips};
use tasuki_tests::raw::{RawOffice, now_us, status_reason};
use tasuki_tests::run::{run, text};
use tonic::transport::Channel;

use crate::stage::{DAY, Database, MANAGER, Stage, VISIT, programs};

const ALL: [&str; 4] = ["--scopes", "send,receive,acknowledge,read-status", "--days", "300"];

fn send(stage: &Stage, manager: &Office, folder: &str, from: u32, to: u32) {
    let all = write_slips(&stage.path().join(format!("all-{folder}")), to);
    let before = write_slips(&stage.path().join(format!("before-{folder}")), from);
    for entry in std::fs::read_dir(before).unwrap() {
        std::fs::remove_file(all.join(entry.unwrap().file_name())).unwrap();
    }
    let sent = manager.run(&["--json", "send", &all.display().to_string()]).expect(0).json();
    assert_eq!(sent.len(), (to - from) as usize, "{sent:?}");
}

/// Receives, and gives how many were signed for; all must have been.
fn receive(stage: &Stage, office: &Office) -> usize {
    let into = stage.path().join("in").display().to_string();
    let received = office.run(&["--json", "receive", "--out", &into]).expect(0).json();
    assert!(received.iter().all(|parcel| text(parcel, "state") == "acknowledged"), "{received:?}");
    received.len()
}

/// A copy of a HOME: what somebody has who copied the computer, or restored a backup.
fn copy_of(stage: &Stage, office: &Office, name: &str) -> Office {
    let copy = stage.path().join(name);
    run(Command::new("cp").arg("-r").arg(&office.home).arg(&copy)).expect(0);
    office.with_home(copy)
}

fn renew(office: &Office) -> Value {
    office.run(&["--json", "renew"]).expect(0).json().remove(0)
}

fn kinds(office: &Office) -> Vec<Value> {
    office.run(&["--json", "watch", "--once"]).expect(0).json()
}

fn an_office_renews_while_parcels_wait(database: Database) {
    let stage = Stage::new(database);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    visit.run(&["inbox"]).expect(0);
    stage.relay.run(&["proxy", "add", "P00001", "--name", "伝送サービス"]).expect(0);
    visit.run(&[&["delegate", "P00001"][..], &ALL].concat()).expect(0);
    send(&stage, &manager, "a", 0, 3);
    let copy = copy_of(&stage, &visit, "copy");

    // A scheduler that asks every day renews once, when it is time.
    let early = visit.run(&["--json", "renew", "--if-within", "30"]).expect(0).json().remove(0);
    assert_eq!(early["due"], false, "{early}");
    let renewed = visit.run(&["--json", "renew", "--if-within", "3000"]).expect(0).json().remove(0);
    assert_eq!(text(&renewed, "holder"), format!("office:{VISIT}"));
    assert_eq!(early["certificate"], renewed["previous"]);
    assert_eq!(renewed["delegated"], serde_json::json!(["P00001"]));
    assert_ne!(renewed["certificate"], renewed["previous"]);
    // What waited is sealed to the key before, what comes now to both.
    send(&stage, &manager, "b", 3, 5);
    assert_eq!(receive(&stage, &visit), 5);
    let kept = visit.run(&["--json", "renew", "--kept"]).expect(0).json();
    assert_eq!(
        (kept.len(), &kept[0]["certificate"], &kept[0]["waiting"]),
        (1, &renewed["previous"], &0.into())
    );
    // Within a day something may still come that only it opens.
    assert_eq!(kept[0]["needed"], true);
    let forgotten = visit.run(&["--json", "renew", "--forget"]).expect(0).json();
    assert_eq!(forgotten[0]["removed"], false);

    // The step stands in its feed, and is an alert.
    let events = kinds(&visit);
    let event = events.iter().find(|event| text(event, "kind") == "key.renewed").unwrap();
    assert_eq!(text(&event["details"], "previous"), format!("sha256:{}", text(&renewed, "previous")));
    let alerts = stage.relay.run(&["--json", "alerts"]).expect(0).json();
    assert!(alerts.iter().any(|alert| alert["code"] == "NEW_KEY" && alert["office"] == VISIT), "{alerts:?}");

    // A copy of the old HOME works until its certificate ends, but the next key is not its to have.
    copy.run(&["inbox"]).expect(0);
    let refused = copy.run(&["--json", "renew"]);
    assert!(refused.code == 1 && refused.err.contains(word::RENEWED_ALREADY), "{refused:?}");
    stage.relay.run(&["cert", "revoke", text(&renewed, "previous"), "--reason", "superseded"]).expect(0);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while copy.run(&["--json", "inbox"]).code == 0 {
        assert!(std::time::Instant::now() < deadline, "the old certificate is revoked");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    // The renewed one goes on, and so does what it signed anew.
    send(&stage, &manager, "c", 5, 6);
    assert_eq!(receive(&stage, &visit), 1);
    let mandates = visit.run(&["--json", "terminal", "list"]).expect(0).json();
    assert_eq!((mandates.len(), text(&mandates[0], "state")), (1, "active"));
    stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn an_office_renews_while_parcels_wait_sqlite() {
    an_office_renews_while_parcels_wait(Database::Sqlite);
}

#[test]
fn an_office_renews_while_parcels_wait_postgres() {
    an_office_renews_while_parcels_wait(Database::Postgres);
}

fn a_terminal_renews_by_itself(database: Database) {
    let stage = Stage::new(database);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    let invited = ["--json", "terminal", "invite", "--name", "受付", "--scopes", "send,receive"];
    let code = text(&visit.run(&invited).expect(0).json()[0], "code").to_owned();
    let home = stage.path().join("terminal");
    let (folder, ca) = (home.display().to_string(), stage.relay.dir.join("relay-ca.pem"));
    let ca = ca.display().to_string();
    let args = ["enrol", &folder, "--relay", &stage.relay.url, "--relay-ca", &ca, "--code", &code];
    visit.run(&args).expect(0);
    let terminal = visit.with_home(home);
    send(&stage, &manager, "a", 0, 2);
    let copy = copy_of(&stage, &terminal, "copy");

    let renewed = renew(&terminal);
    assert_eq!(text(&renewed, "holder"), format!("terminal:{VISIT}:受付"));
    send(&stage, &manager, "b", 2, 3);
    assert_eq!(receive(&stage, &terminal), 3);
    // Others believe the new key by the chain from the office's invitation; so does evidence, offline.
    let result = write_sample(stage.path(), "06_result_202602_from_visit").display().to_string();
    let sent = terminal.run(&["--json", "send", &result]).expect(0).json();
    assert_eq!(receive(&stage, &manager), 1);
    let proof = stage.path().join("proof").display().to_string();
    manager.run(&["evidence", text(&sent[0], "parcel"), "--out", &proof]).expect(0);
    let verified = manager.run(&["--json", "verify", &proof]).expect(0).out.clone();
    assert!(verified.contains(&format!("terminal:{VISIT}:受付")), "{verified}");
    // Twice is another link of the chain.
    renew(&terminal);
    send(&stage, &manager, "c", 3, 4);
    assert_eq!(receive(&stage, &terminal), 1);
    // The copy's key was renewed; its certificate is not even the one before any more.
    assert_ne!(copy.run(&["--json", "renew"]).code, 0);
    assert_ne!(copy.run(&["--json", "inbox"]).code, 0);
    let listed = visit.run(&["--json", "terminal", "list"]).expect(0).json();
    assert_eq!((listed.len(), text(&listed[0], "state")), (1, "active"));
    let events = kinds(&visit);
    let count = events.iter().filter(|event| text(event, "kind") == "key.renewed").count();
    assert_eq!(count, 2);
    visit.run(&["terminal", "revoke", "受付"]).expect(0);
    assert_ne!(terminal.run(&["--json", "inbox"]).code, 0);
    assert_ne!(terminal.run(&["--json", "renew"]).code, 0);
    stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn a_terminal_renews_by_itself_sqlite() {
    a_terminal_renews_by_itself(Database::Sqlite);
}

#[test]
fn a_terminal_renews_by_itself_postgres() {
    a_terminal_renews_by_itself(Database::Postgres);
}

#[test]
fn a_proxy_renews_while_parcels_wait() {
    let stage = Stage::new(Database::Sqlite);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    stage.relay.run(&["proxy", "add", "P00001", "--name", "伝送サービス"]).expect(0);
    let proxy = stage.office("P00001");
    visit.run(&[&["delegate", "P00001"][..], &ALL].concat()).expect(0);
    let work = stage.path().join("work");
    std::fs::create_dir_all(work.join("out")).unwrap();
    let round = || {
        let work = work.display().to_string();
        proxy.run(&["--json", "proxy", &work, "--once", "--new-partner"]).expect(0).json()
    };
    round();
    send(&stage, &manager, "a", 0, 2);
    let early = proxy.run(&["--json", "renew", "--if-within", "30"]).expect(0).json().remove(0);
    assert_eq!(early["due"], false, "{early}");
    let renewed = renew(&proxy);
    assert_eq!(text(&renewed, "holder"), "proxy:P00001");
    send(&stage, &manager, "b", 2, 3);
    let told = round();
    assert_eq!(told[0]["received"], 3, "{told:?}");
    // The HOME of its office works by itself as well, and holds the key before.
    let acting = proxy.with_home(proxy.home.join("offices").join(VISIT));
    acting.run(&["inbox"]).expect(0);
    assert_eq!(acting.run(&["--json", "renew", "--kept"]).expect(0).json().len(), 1);
    // Its offices see it.
    assert!(kinds(&visit).iter().any(|event| text(event, "kind") == "key.renewed"));
    stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn a_certificate_from_elsewhere_takes_the_place_of_the_one_before() {
    let stage = Stage::new(Database::Sqlite);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    visit.run(&["inbox"]).expect(0);
    send(&stage, &manager, "a", 0, 2);
    let other = stage.path().join("other");
    let issue = |number: &str| {
        let out = other.display().to_string();
        stage.relay.run(&["cert", "issue", number, "--out", &out]).expect(0);
        let file = |ending: &str| other.join(format!("{number}.{ending}")).display().to_string();
        (file("p12"), file("pass"))
    };
    // Another office's is not taken, and nothing changes.
    let (p12, pass) = issue(DAY);
    let refused = visit.run(&["--json", "renew", "--identity", &p12, "--password-file", &pass]);
    assert_eq!(refused.code, 2, "{refused:?}");
    let (p12, pass) = issue(VISIT);
    visit.run(&["--json", "renew", "--identity", &p12, "--password-file", &pass]).expect(0);
    send(&stage, &manager, "b", 2, 3);
    assert_eq!(receive(&stage, &visit), 3);
    assert_eq!(visit.run(&["--json", "renew", "--kept"]).expect(0).json().len(), 1);
    stage.relay.run(&["log", "verify"]).expect(0);
}

/// One call of the interface itself.
async fn ask(channel: &Channel, renewal: String, request: Vec<u8>) -> Result<pb::RenewResponse, String> {
    let request = pb::RenewRequest { renewal: renewal.into(), request: request.into() };
    let answer = RenewalClient::new(channel.clone()).renew(request).await;
    answer.map(tonic::Response::into_inner).map_err(|status| status_reason(&status))
}

fn signed(holder: &str, before: &KeyIdentity, spki: &[u8], time_us: i64) -> String {
    let (holder, previous) = (holder.to_owned(), before.spki_der().unwrap());
    Renewal { holder, key: sha256(spki), previous, time_us }.sign(before).unwrap()
}

/// A request by the program `openssl`: a key of any kind, and whatever it wishes. Gives the public key and the request.
fn by_openssl(folder: &Path, kind: &[&str], number: &str, more: &[&str]) -> (Vec<u8>, Vec<u8>) {
    let path = |name: &str| -> PathBuf { folder.join(name) };
    let (key, csr, public) = (path("weak.key"), path("weak.csr"), path("weak.pub"));
    let mut command = Command::new("openssl");
    command.args(["genpkey", "-out"]).arg(&key).args(kind);
    run(&mut command).expect(0);
    let subject = format!("/CN={number}/serialNumber={number}");
    let mut command = Command::new("openssl");
    command.args(["req", "-new", "-outform", "DER", "-subj", &subject, "-out"]).arg(&csr);
    command.arg("-key").arg(&key).args(more);
    run(&mut command).expect(0);
    let mut command = Command::new("openssl");
    command.args(["pkey", "-pubout", "-outform", "DER", "-in"]).arg(&key).arg("-out").arg(&public);
    run(&mut command).expect(0);
    (std::fs::read(public).unwrap(), std::fs::read(csr).unwrap())
}

#[test]
fn a_renewal_that_does_not_hold_changes_nothing() {
    let stage = Stage::new(Database::Sqlite);
    let (visit, day) = (stage.raw(VISIT), stage.raw(DAY));
    let holder = format!("office:{VISIT}");
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let channel = visit.connect(&stage.relay).await.unwrap();
        let others = day.connect(&stage.relay).await.unwrap();
        let key = NewKey::generate().unwrap();
        let (spki, request) = (key.spki_der().unwrap(), key.request(VISIT, VISIT).unwrap());
        let own = visit.identity.spki_der().unwrap();
        let good = signed(&holder, &visit.identity, &spki, now_us());
        let rsa = |bits: &'static str| ["-algorithm", "RSA", "-pkeyopt", bits];
        let (weak, weak_request) = by_openssl(stage.path(), &rsa("rsa_keygen_bits:1024"), VISIT, &[]);
        let wishes = ["-addext", "basicConstraints=critical,CA:TRUE"];
        let (wishing, wishing_request) =
            by_openssl(stage.path(), &rsa("rsa_keygen_bits:2048"), VISIT, &wishes);
        let of = |spki: &[u8]| signed(&holder, &visit.identity, spki, now_us());
        let invalid = word::CERTIFICATE_REQUEST_INVALID;
        let day_us = 24 * 3_600 * 1_000_000;
        let old = signed(&holder, &visit.identity, &spki, now_us() - 2 * day_us);
        let ahead = signed(&holder, &visit.identity, &spki, now_us() + day_us);
        let stranger = signed(&holder, &day.identity, &spki, now_us());
        let for_another = signed(&format!("office:{DAY}"), &visit.identity, &spki, now_us());
        for (what, renewal, request, reason) in [
            ("a weak key", of(&weak), weak_request, invalid),
            ("wishes", of(&wishing), wishing_request, invalid),
            ("another's number", good.clone(), key.request(DAY, DAY).unwrap(), invalid),
            ("a terminal's name", good.clone(), key.request(VISIT, "受付").unwrap(), invalid),
            ("another key", of(&weak), request.clone(), invalid),
            ("no request", good.clone(), b"0".to_vec(), invalid),
            ("the same key", of(&own), request.clone(), word::RENEWAL_INVALID),
            ("signed by another", stranger, request.clone(), word::RENEWAL_INVALID),
            ("for another", for_another, request.clone(), word::RENEWAL_INVALID),
            ("long ago", old, request.clone(), word::RENEWAL_INVALID),
            ("in the future", ahead, request.clone(), word::RENEWAL_INVALID),
            ("no text", "x".to_owned(), request.clone(), word::RENEWAL_INVALID),
        ] {
            assert_eq!(ask(&channel, renewal, request).await.unwrap_err(), reason, "{what}");
        }
        // Over another's connection it is worth nothing.
        assert_eq!(ask(&others, good.clone(), request.clone()).await.unwrap_err(), word::RENEWAL_INVALID);
        // Twice is once; with another key it is too late.
        let first = ask(&channel, good.clone(), request.clone()).await.unwrap();
        let again = ask(&channel, good, request).await.unwrap();
        assert_eq!(first.certificates, again.certificates);
        let second = NewKey::generate().unwrap();
        let spki = second.spki_der().unwrap();
        let late = ask(&channel, of(&spki), second.request(VISIT, VISIT).unwrap()).await;
        assert_eq!(late.unwrap_err(), word::RENEWED_ALREADY);
        // The key that took the place is no new one for somebody else.
        let issued = tasuki_pem(&first.certificates);
        let next = KeyIdentity::from_pem(issued.as_bytes(), &key.to_pem().unwrap()).unwrap();
        let renewed = RawOffice { number: VISIT.to_owned(), identity: next };
        let channel = renewed.connect(&stage.relay).await.unwrap();
        let back = signed(&holder, &renewed.identity, &own, now_us());
        let request = key.request(VISIT, VISIT).unwrap();
        assert_eq!(ask(&channel, back, request).await.unwrap_err(), invalid);
    });
    stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn who_is_revoked_or_another_ca_s_gets_no_new_certificate() {
    let mut stage = Stage::new(Database::Sqlite);
    let visit = stage.office(VISIT);
    visit.run(&["inbox"]).expect(0);
    let pem = visit.file("pem").display().to_string();
    stage.relay.run(&["cert", "revoke", &pem, "--reason", "key-compromise"]).expect(0);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while visit.run(&["--json", "inbox"]).code == 0 {
        assert!(std::time::Instant::now() < deadline, "the certificate is revoked");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    let config = std::fs::read_to_string(visit.home.join("config.toml")).unwrap();
    assert_ne!(visit.run(&["--json", "renew"]).code, 0);
    assert_eq!(std::fs::read_to_string(visit.home.join("config.toml")).unwrap(), config);

    // A certificate of another CA that the relay trusts is renewed there.
    let other = TrialCa::create("another CA", now_us()).unwrap();
    std::fs::write(stage.relay.dir.join("other-ca.pem"), other.cert_pem().unwrap()).unwrap();
    let list = other.crl(&[], 1, now_us(), now_us() + 3_600_000_000).unwrap();
    std::fs::write(stage.relay.dir.join("crls").join("other.crl"), list).unwrap();
    assert!(stage.relay.stop());
    let both = "anchors = [\"trial-ca.pem\", \"other-ca.pem\"]";
    stage.relay.configure(|line| line.starts_with("anchors =").then(|| both.to_owned()));
    stage.relay.start();
    let options = IssueOptions::new(now_us()).with_key(KeyChoice::P256);
    let issued = other.issue_office(MANAGER, "of a test", &options).unwrap();
    let path = |name: &str| stage.path().join(name).display().to_string();
    std::fs::write(path("other.pem"), issued.chain_pem().unwrap()).unwrap();
    std::fs::write(path("other.key"), issued.key_pem().unwrap()).unwrap();
    let ca = stage.relay.dir.join("relay-ca.pem").display().to_string();
    let mut command = programs().tasuki();
    command.args(["init", &path("manager"), "--relay", &stage.relay.url, "--relay-ca", &ca]);
    command.args(["--identity", &path("other.pem"), "--key", &path("other.key")]);
    run(&mut command).expect(0);
    let manager = visit.with_home(stage.path().join("manager"));
    manager.run(&["inbox"]).expect(0);
    let refused = manager.run(&["--json", "renew"]);
    assert!(refused.code == 1 && refused.err.contains(word::RENEWAL_ELSEWHERE), "{refused:?}");
}

/// Certificates as PEM.
fn tasuki_pem(chain: &[bytes::Bytes]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut pem = String::new();
    for der in chain {
        let (from, to) = (folder.path().join("der"), folder.path().join("pem"));
        std::fs::write(&from, der).unwrap();
        let mut command = Command::new("openssl");
        command.args(["x509", "-inform", "DER", "-in"]).arg(&from).arg("-out").arg(&to);
        run(&mut command).expect(0);
        pem += &std::fs::read_to_string(to).unwrap();
    }
    pem
}
