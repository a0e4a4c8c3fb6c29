//! Who else may act for an office: terminals from the invitation to the revocation, delegations to proxies.

use std::path::PathBuf;

use serde_json::Value;
use tasuki_certs::request::NewKey;
use tasuki_proto::event::sha256;
use tasuki_proto::mandate::{Code, Enrolment};
use tasuki_proto::pb::directory_client::DirectoryClient;
use tasuki_proto::pb::enrolment_client::EnrolmentClient;
use tasuki_proto::pb::mandates_client::MandatesClient;
use tasuki_proto::pb::tracking_client::TrackingClient;
use tasuki_proto::{pb, reason as word};
use tasuki_tests::bench::load::anonymous;
use tasuki_tests::office::{Office, write_sample};
use tasuki_tests::raw::status_reason;
use tasuki_tests::run::{Ran, text};

use crate::stage::{Database, MANAGER, Stage, VISIT};

/// A code that an office gives.
fn invite(office: &Office, name: &str, scopes: &str) -> String {
    let args = ["--json", "terminal", "invite", "--name", name, "--scopes", scopes];
    text(&office.run(&args).expect(0).json()[0], "code").to_owned()
}

/// A new terminal, without a certificate, takes an invitation up.
fn enrol(stage: &Stage, office: &Office, folder: &str, code: &str) -> (PathBuf, Ran) {
    let home = stage.path().join(folder);
    let args = [
        "--json".to_owned(),
        "enrol".to_owned(),
        home.display().to_string(),
        "--relay".to_owned(),
        stage.relay.url.clone(),
        "--relay-ca".to_owned(),
        stage.relay.dir.join("relay-ca.pem").display().to_string(),
        "--code".to_owned(),
        code.to_owned(),
    ];
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    (home, office.run(&args))
}

fn mandates(office: &Office) -> Vec<Value> {
    office.run(&["--json", "terminal", "list"]).expect(0).json()
}

fn a_terminal_acts_for_its_office(database: Database) {
    let stage = Stage::new(database);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    let code = invite(&visit, "受付", "send,receive");
    assert_eq!(text(&mandates(&visit)[0], "state"), "invited");
    // The name is taken; another's code is none.
    let again = visit.run(&["--json", "terminal", "invite", "--name", "受付", "--scopes", "receive"]);
    again.expect(1);
    let wrong = code.replace(&code[..4], if code.starts_with('0') { "1111" } else { "0000" });
    enrol(&stage, &visit, "nobody", &wrong).1.expect(1);

    let (home, enrolled) = enrol(&stage, &visit, "terminal", &code);
    let enrolled = enrolled.expect(0).json().remove(0);
    assert_eq!((text(&enrolled, "office"), text(&enrolled, "terminal")), (VISIT, "受付"));
    assert_eq!(text(&mandates(&visit)[0], "state"), "active");
    // A code is used once.
    enrol(&stage, &visit, "thief", &code).1.expect(1);

    // What comes now is sealed to the terminal as well, which opens and acknowledges it.
    let terminal = visit.with_home(home);
    let slip = write_sample(stage.path(), "03_slip_202602_to_visit").display().to_string();
    manager.run(&["--json", "send", &slip]).expect(0);
    let into = stage.path().join("in").display().to_string();
    let received = terminal.run(&["--json", "receive", "--out", &into]).expect(0).json();
    assert_eq!(text(&received[0], "state"), "acknowledged", "{received:?}");
    let parcel = text(&received[0], "parcel").to_owned();
    // The evidence names it and verifies offline, with the office's word for it.
    let proof = stage.path().join("proof").display().to_string();
    manager.run(&["evidence", &parcel, "--out", &proof]).expect(0);
    let verified = manager.run(&["--json", "verify", &proof]).expect(0).out.clone();
    assert!(verified.contains(&format!("terminal:{VISIT}:受付")), "{verified}");
    let statements = std::fs::read_dir(stage.path().join("proof/mandates")).unwrap().count();
    assert_eq!(statements, 2, "the invitation and the enrolment");
    // The office itself sees that its terminal has it.
    assert!(visit.run(&["--json", "inbox"]).expect(0).json().is_empty());

    // It sends in the office's name, and the receiver believes it.
    let result = write_sample(stage.path(), "06_result_202602_from_visit").display().to_string();
    terminal.run(&["--json", "send", &result]).expect(0);
    let back = stage.path().join("back").display().to_string();
    let received = manager.run(&["--json", "receive", "--out", &back]).expect(0).json();
    assert_eq!(text(&received[0], "state"), "acknowledged", "{received:?}");

    // It may let nobody else act, and is out at once.
    terminal.run(&["--json", "terminal", "invite", "--name", "b", "--scopes", "send"]).expect(1);
    visit.run(&["terminal", "revoke", "受付"]).expect(0);
    let refused = terminal.run(&["--json", "inbox"]);
    assert_ne!(refused.code, 0, "{refused:?}");
    assert!(mandates(&visit).is_empty());
    stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn a_terminal_acts_for_its_office_sqlite() {
    a_terminal_acts_for_its_office(Database::Sqlite);
}

#[test]
fn a_terminal_acts_for_its_office_postgres() {
    a_terminal_acts_for_its_office(Database::Postgres);
}

#[test]
fn a_delegation_is_renewed_and_revoked() {
    let stage = Stage::new(Database::Sqlite);
    let visit = stage.office(VISIT);
    let delegate = |args: &[&str]| visit.run(&[&["--json", "delegate", "P00001"], args].concat());
    let all = ["--scopes", "send,receive,acknowledge,read-status", "--days", "30"];
    // The relay must know the proxy first.
    delegate(&all).expect(1);
    stage.relay.run(&["proxy", "add", "P00001", "--name", "東西伝送サービス"]).expect(0);
    let first = delegate(&all).expect(0).json().remove(0);
    let second = delegate(&["--scopes", "send", "--days", "60"]).expect(0).json().remove(0);
    assert_ne!(first["mandate"], second["mandate"]);
    let held = mandates(&visit);
    // The second took the place of the first.
    assert_eq!(held.len(), 1, "{held:?}");
    assert_eq!(
        (text(&held[0], "proxy"), text(&held[0], "name"), text(&held[0], "state"), &held[0]["scopes"]),
        ("P00001", "東西伝送サービス", "active", &serde_json::json!(["send"]))
    );
    stage.relay.run(&["proxy", "suspend", "P00001"]).expect(0);
    // A running relay notices what a command did within half a second.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while text(&mandates(&visit)[0], "state") != "unusable" {
        assert!(std::time::Instant::now() < deadline, "{:?}", mandates(&visit));
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    delegate(&["--revoke"]).expect(0);
    assert!(mandates(&visit).is_empty());
    delegate(&["--revoke"]).expect(1);
    // Each step stands in the office's own feed.
    let events = visit.run(&["--json", "watch", "--once"]).expect(0).json();
    let kinds: Vec<&str> =
        events.iter().map(|event| text(event, "kind")).filter(|k| k.starts_with("mandate.")).collect();
    assert_eq!(kinds, ["mandate.delegated", "mandate.ended", "mandate.delegated", "mandate.ended"]);
}

/// A proxy with its HOME and its folder.
fn proxy(stage: &Stage, number: &str) -> (Office, PathBuf) {
    stage.relay.run(&["proxy", "add", number, "--name", "伝送サービス"]).expect(0);
    let office = stage.office(number);
    let folder = stage.path().join(format!("work-{number}"));
    std::fs::create_dir_all(folder.join("out")).unwrap();
    (office, folder)
}

fn rounds(proxy: &Office, folder: &std::path::Path, code: i32) -> Vec<Value> {
    let folder = folder.display().to_string();
    proxy.run(&["--json", "proxy", &folder, "--once", "--new-partner"]).expect(code).json()
}

fn through_two_proxies(database: Database) {
    let stage = Stage::new(database);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    let ((east, east_folder), (west, west_folder)) = (proxy(&stage, "P00001"), proxy(&stage, "P00002"));
    let out = east_folder.join("out");
    let sample = write_sample(stage.path(), "03_slip_202602_to_visit");
    for entry in std::fs::read_dir(sample).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, out.join(path.file_name().unwrap())).unwrap();
    }
    std::fs::write(out.join("memo.txt"), "not ours").unwrap();
    let files = std::fs::read_dir(&out).unwrap().count();
    // Nobody has let it act: all is left and told.
    assert_eq!(rounds(&east, &east_folder, 0).len(), files + 1);

    let all = ["--scopes", "send,receive,acknowledge,read-status", "--days", "30"];
    manager.run(&[&["delegate", "P00001"][..], &all].concat()).expect(0);
    visit.run(&[&["delegate", "P00002"][..], &all].concat()).expect(0);
    let told = rounds(&east, &east_folder, 0);
    let sent = told.iter().find(|object| object["office"] == MANAGER).unwrap();
    assert_eq!((&sent["accepted"], &sent["pending"]), (&1.into(), &0.into()), "{told:?}");
    assert!(told.iter().any(|object| object["left"] == "memo.txt"), "{told:?}");
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 1, "only the memo stays");

    // The receiver sees through whom it came, and its own proxy takes it.
    let waiting = visit.run(&["--json", "inbox"]).expect(0).json();
    assert_eq!((text(&waiting[0], "proxy"), text(&waiting[0], "sender")), ("P00001", MANAGER));
    let parcel = text(&waiting[0], "parcel").to_owned();
    let told = rounds(&west, &west_folder, 0);
    assert_eq!(told[0]["received"], 1, "{told:?}");
    assert!(west_folder.join("in").join(VISIT).join(MANAGER).join(&parcel).is_dir());
    let shown = manager.run(&["--json", "show", &parcel]).expect(0).json();
    assert_eq!((text(&shown[0], "state"), text(&shown[0], "proxy")), ("acknowledged", "P00001"));
    let proof = stage.path().join("proof").display().to_string();
    manager.run(&["evidence", &parcel, "--out", &proof]).expect(0);
    let verified = manager.run(&["--json", "verify", &proof]).expect(0).out.clone();
    assert!(verified.contains("proxy:P00002"), "{verified}");

    // Beyond its scopes, and after the end, nothing goes.
    visit.run(&["delegate", "P00002", "--scopes", "read-status", "--days", "30"]).expect(0);
    let acting = west.with_home(west.home.join("offices").join(VISIT));
    let into = stage.path().join("in").display().to_string();
    acting.run(&["--json", "inbox"]).expect(0);
    manager.run(&["delegate", "P00001", "--revoke"]).expect(0);
    let revoked = east.with_home(east.home.join("offices").join(MANAGER));
    assert_ne!(revoked.run(&["--json", "sent"]).code, 0);
    let result = write_sample(stage.path(), "06_result_202602_from_visit").display().to_string();
    assert_ne!(acting.run(&["--json", "send", &result]).code, 0);
    visit.run(&["--json", "receive", "--out", &into]).expect(0);
    stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn through_two_proxies_sqlite() {
    through_two_proxies(Database::Sqlite);
}

#[test]
fn through_two_proxies_postgres() {
    through_two_proxies(Database::Postgres);
}

/// A connection that shows no certificate, and everything that it could ask for.
#[test]
fn without_a_certificate_there_is_nothing_but_enrolment() {
    let stage = Stage::new(Database::Sqlite);
    let address = stage.relay.url.trim_start_matches("https://").to_owned();
    let ca = stage.relay.dir.join("relay-ca.pem");
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let channel = anonymous(&address, &ca).await.unwrap();
        let unknown = |status: tonic::Status| assert_eq!(status.code(), tonic::Code::Unimplemented);
        unknown(DirectoryClient::new(channel.clone()).get_relay(pb::GetRelayRequest {}).await.unwrap_err());
        unknown(
            TrackingClient::new(channel.clone()).list_sent(pb::ListRequest::default()).await.unwrap_err(),
        );
        unknown(
            MandatesClient::new(channel.clone()).list(pb::ListMandatesRequest::default()).await.unwrap_err(),
        );
        // Codes that are none, until the address is locked out; that stands in the log.
        let mut enrolment = EnrolmentClient::new(channel);
        let mut ask = async |key: Vec<u8>| {
            let request = pb::GetInvitationRequest { code_key: key.into() };
            status_reason(&enrolment.get_invitation(request).await.unwrap_err())
        };
        assert_eq!(ask(vec![1; 31]).await, word::REQUEST_MALFORMED);
        for n in 0..10 {
            assert_eq!(ask(vec![n; 32]).await, word::CODE_UNKNOWN);
        }
        assert_eq!(ask(vec![99; 32]).await, word::TOO_MANY_TRIES);
    });
    stage.relay.run(&["log", "verify"]).expect(0);
}

/// Who has a code brings a key that is not its own, another name, wishes, a weak key: no terminal comes of it, and the code stays good.
#[test]
fn an_enrolment_that_does_not_hold_leaves_the_code_good() {
    let stage = Stage::new(Database::Sqlite);
    let visit = stage.office(VISIT);
    let text_of = invite(&visit, "受付", "receive");
    let code: Code = text_of.parse().unwrap();
    let address = stage.relay.url.trim_start_matches("https://").to_owned();
    let ca = stage.relay.dir.join("relay-ca.pem");
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut client = EnrolmentClient::new(anonymous(&address, &ca).await.unwrap());
        let request = pb::GetInvitationRequest { code_key: code.public_key().to_vec().into() };
        let invitation = client.get_invitation(request).await.unwrap().into_inner().statement;
        let (key, other) = (NewKey::generate().unwrap(), NewKey::generate().unwrap());
        let office = VISIT.parse().unwrap();
        let enrolment = Enrolment {
            office,
            name: "受付".to_owned(),
            invitation: sha256(&invitation),
            key: sha256(&key.spki_der().unwrap()),
        };
        let stranger = Code::new(&ring::rand::SystemRandom::new()).unwrap();
        let renamed = Enrolment { name: "裏口".to_owned(), ..enrolment.clone() };
        let good = key.request(VISIT, "受付").unwrap();
        let invalid = word::CERTIFICATE_REQUEST_INVALID;
        for (what, text, request, reason) in [
            ("another's code", enrolment.sign(&stranger), good.clone(), word::CODE_UNKNOWN),
            ("another name", renamed.sign(&code), good.clone(), word::CODE_UNKNOWN),
            ("another key", enrolment.sign(&code), other.request(VISIT, "受付").unwrap(), invalid),
            ("another office", enrolment.sign(&code), key.request(MANAGER, "受付").unwrap(), invalid),
            ("no request", enrolment.sign(&code), b"0".to_vec(), invalid),
            ("no text", "x".to_owned(), good.clone(), word::REQUEST_MALFORMED),
        ] {
            let request = pb::EnrolRequest { enrolment: text.into(), request: request.into() };
            let refused = client.enrol(request).await.unwrap_err();
            assert_eq!(status_reason(&refused), reason, "{what}: {refused:?}");
        }
        // Twice with the same key is once; with another key the code is used.
        let mut enrol = async |key: &NewKey| {
            let enrolment = Enrolment { key: sha256(&key.spki_der().unwrap()), ..enrolment.clone() };
            let request = pb::EnrolRequest {
                enrolment: enrolment.sign(&code).into(),
                request: key.request(VISIT, "受付").unwrap().into(),
            };
            client.enrol(request).await.map(|answer| answer.into_inner().certificates)
        };
        let first = enrol(&key).await.unwrap();
        assert_eq!(enrol(&key).await.unwrap(), first);
        assert_eq!(status_reason(&enrol(&other).await.unwrap_err()), word::CODE_USED);
        // Two terminals with one key are one: the second is refused.
        let second: Code = invite(&visit, "2号機", "receive").parse().unwrap();
        let request = pb::GetInvitationRequest { code_key: second.public_key().to_vec().into() };
        let invitation = client.get_invitation(request).await.unwrap().into_inner().statement;
        let name = "2号機".to_owned();
        let again = Enrolment { name, invitation: sha256(&invitation), ..enrolment.clone() };
        let request = pb::EnrolRequest {
            enrolment: again.sign(&second).into(),
            request: key.request(VISIT, "2号機").unwrap().into(),
        };
        assert_eq!(status_reason(&client.enrol(request).await.unwrap_err()), invalid);
    });
    let states: Vec<String> = mandates(&visit).iter().map(|m| text(m, "state").to_owned()).collect();
    assert_eq!(states, ["active", "invited"]);
}
