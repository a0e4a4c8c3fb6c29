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

/// What a proxy sends waits for the office that wants to see it first; only the office itself may let it go.
#[test]
fn what_a_proxy_sends_waits_for_the_offices_own_word() {
    let stage = Stage::new(Database::Sqlite);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    let (east, folder) = proxy(&stage, "P00001");
    let terms = ["--scopes", "send,receive,acknowledge,read-status", "--days", "30", "--confirm"];
    manager.run(&[&["delegate", "P00001"][..], &terms].concat()).expect(0);
    rounds(&east, &folder, 0);
    let acting = east.with_home(east.home.join("offices").join(MANAGER));
    let send = |office: &Office, unit: &str, more: &[&str]| {
        let path = write_sample(stage.path(), unit).display().to_string();
        office.run(&[&["--json", "send", &path, "--new-partner"], more].concat()).expect(0).json().remove(0)
    };
    // Whatever time the proxy names: it waits.
    let slip = send(&acting, "03_slip_202602_to_visit", &[]);
    assert_eq!(text(&slip, "state"), "held", "{slip}");
    let slip = text(&slip, "parcel").to_owned();
    let waits = manager.run(&["--json", "show", &slip]).expect(0).json().remove(0);
    assert_eq!(waits["confirm"], true, "{waits}");
    assert!(visit.run(&["--json", "inbox"]).expect(0).json().is_empty());
    let refused = acting.run(&["--json", "release", &slip]).expect(1).json().remove(0);
    assert_eq!(text(&refused, "reason"), word::CONFIRMATION_NEEDED);
    // A terminal of the office is the office.
    let (home, enrolled) = enrol(&stage, &manager, "terminal", &invite(&manager, "受付", "send"));
    enrolled.expect(0);
    manager.with_home(home).run(&["release", &slip]).expect(0);
    assert_eq!(text(&visit.run(&["--json", "inbox"]).expect(0).json()[0], "parcel"), slip);

    // What the office signs itself needs no second word; what it throws away is gone.
    let plan = send(&acting, "01_plan_documents_to_visit", &[]);
    assert_eq!(text(&plan, "state"), "held", "{plan}");
    manager.run(&["discard", text(&plan, "parcel")]).expect(0);
    let own = send(&manager, "11_delete_slip", &[]);
    assert_eq!(text(&own, "state"), "delivered", "{own}");
    stage.relay.run(&["log", "verify"]).expect(0);
}

/// An office without a certificate, behind one proxy and then, mid-month, another: what was sealed to the first only is answered as
/// lost and sent again.
fn another_proxy_takes_over(database: Database) {
    let stage = Stage::new(database);
    let manager = stage.office(MANAGER);
    let ((east, east_folder), (west, west_folder)) = (proxy(&stage, "P00001"), proxy(&stage, "P00002"));
    let all = ["--scopes", "send,receive,acknowledge,read-status", "--days", "30"];
    let assign = |number: &str| {
        stage.relay.run(&[&["proxy", "assign", VISIT, number][..], &all].concat()).expect(0);
    };
    assign("P00001");
    // Both register their keys with their first round.
    let acting = |proxy: &Office| proxy.with_home(proxy.home.join("offices").join(VISIT));
    until(|| rounds(&east, &east_folder, 0).iter().any(|object| object["office"] == VISIT));
    acting(&east).run(&["inbox"]).expect(0);
    let slip = write_sample(stage.path(), "03_slip_202602_to_visit").display().to_string();
    let sent = manager.run(&["--json", "send", &slip]).expect(0).json().remove(0);
    let first = text(&sent, "parcel").to_owned();
    let way = manager.run(&["--json", "show", &first]).expect(0).json().remove(0);
    // Where it waits is known before anybody has fetched it.
    assert_eq!(
        (&way["path"][2]["station"], &way["path"][2]["state"]),
        (&"recipient-proxy".into(), &"waiting".into())
    );

    stage.relay.run(&["proxy", "unassign", VISIT, "P00001"]).expect(0);
    assign("P00002");
    until(|| rounds(&west, &west_folder, 1).iter().any(|object| object["office"] == VISIT));
    let shown = manager.run(&["--json", "show", &first]).expect(0).json().remove(0);
    assert_eq!((text(&shown, "state"), text(&shown, "refusal")), ("refused", "key-lost"), "{shown}");
    // The first is out, the second has its key there: the sender sends it again.
    assert_ne!(acting(&east).run(&["--json", "inbox"]).code, 0);
    let again = manager.run(&["--json", "resend", &first]).expect(0).json().remove(0);
    let second = text(&again, "parcel").to_owned();
    let told = rounds(&west, &west_folder, 0);
    assert_eq!(told.iter().find(|object| object["office"] == VISIT).unwrap()["received"], 1, "{told:?}");
    acting(&west).run(&["handed-over", &second]).expect(0);
    let shown = manager.run(&["--json", "show", &second]).expect(0).json().remove(0);
    assert_eq!(
        (text(&shown, "state"), text(&shown, "recipient_proxy")),
        ("acknowledged", "P00002"),
        "{shown}"
    );
    assert!(shown["handed_over_at"].is_string(), "{shown}");
    // No more than the proxy's word.
    let words: Vec<&str> =
        shown["events"].as_array().unwrap().iter().map(|event| text(event, "word_of")).collect();
    assert_eq!(words, ["relay", "relay", "recipient-proxy", "recipient-proxy"]);

    // What it sends is believed on the operator's word, unless the receiver takes no such word.
    let result = write_sample(stage.path(), "06_result_202602_from_visit").display().to_string();
    acting(&west).run(&["--json", "send", &result, "--new-partner"]).expect(0);
    let config = manager.home.join("config.toml");
    let strict = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, strict.replace("accept_vouched = true", "accept_vouched = false")).unwrap();
    let into = stage.path().join("in").display().to_string();
    let refused = manager.run(&["--json", "receive", "--out", &into]).expect(1).json().remove(0);
    assert_eq!(text(&refused, "reason"), word::MANDATE_MISSING, "{refused}");
    std::fs::write(&config, strict).unwrap();
    let received = manager.run(&["--json", "receive", "--out", &into]).expect(0).json().remove(0);
    assert_eq!(text(&received, "vouched_by"), "operator", "{received}");
    stage.relay.run(&["log", "verify"]).expect(0);
}

/// A running relay notices what a command did within half a second.
fn until(mut holds: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !holds() {
        assert!(std::time::Instant::now() < deadline, "it does not come true");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

#[test]
fn another_proxy_takes_over_sqlite() {
    another_proxy_takes_over(Database::Sqlite);
}

#[test]
fn another_proxy_takes_over_postgres() {
    another_proxy_takes_over(Database::Postgres);
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
        unknown(
            DirectoryClient::new(channel.clone())
                .get_relay(pb::GetRelayRequest::default())
                .await
                .unwrap_err(),
        );
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
