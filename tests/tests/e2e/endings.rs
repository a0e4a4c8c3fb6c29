//! What ends: certificates that come near their end, terminals that nobody uses, certificates that are revoked while parcels wait.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;
use tasuki_tests::office::{Office, write_slips};
use tasuki_tests::run::text;

use crate::stage::{Database, MANAGER, Stage, VISIT};

/// Everything in an office's feed of one kind, once there are `count` of them.
fn told(office: &Office, kind: &str, count: usize, seen: &mut Vec<Value>) -> Vec<Value> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        seen.extend(office.run(&["--json", "watch", "--once"]).expect(0).json());
        let found: Vec<Value> = seen.iter().filter(|event| text(event, "kind") == kind).cloned().collect();
        if found.len() >= count {
            return found;
        }
        assert!(Instant::now() < deadline, "{kind}: {seen:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn enrol(stage: &Stage, office: &Office, name: &str) -> Office {
    let invited = office.run(&["--json", "terminal", "invite", "--name", name, "--scopes", "send,receive"]);
    let code = text(&invited.expect(0).json()[0], "code").to_owned();
    let home: PathBuf = stage.path().join(format!("terminal-{name}"));
    let (folder, ca) = (home.display().to_string(), stage.relay.dir.join("relay-ca.pem"));
    let ca = ca.display().to_string();
    let args = ["enrol", &folder, "--relay", &stage.relay.url, "--relay-ca", &ca, "--code", &code];
    office.run(&args).expect(0);
    office.with_home(home)
}

fn a_certificate_that_ends_soon_is_told_once(database: Database) {
    let mut stage = Stage::new(database);
    let visit = Office::join_issued(&stage.relay, stage.path(), VISIT, &["--days", "25"], &[]);
    let all = ["--scopes", "send,receive,acknowledge,read-status", "--days", "300"];
    stage.relay.run(&["proxy", "add", "P00001", "--name", "伝送サービス"]).expect(0);
    visit.run(&[&["delegate", "P00001"][..], &all].concat()).expect(0);
    enrol(&stage, &visit, "uketsuke");
    let proxy = Office::join_issued(&stage.relay, stage.path(), "P00001", &["--days", "5"], &[]);
    assert!(proxy.home.exists());

    let mut seen = Vec::new();
    let events = told(&visit, "certificate.ending", 3, &mut seen);
    let mut said: Vec<(&str, &str)> = events
        .iter()
        .map(|event| (text(&event["details"], "holder"), text(&event["details"], "days")))
        .collect();
    said.sort_unstable();
    let (office, terminal) = (format!("office:{VISIT}"), format!("terminal:{VISIT}:uketsuke"));
    assert_eq!(said, [(office.as_str(), "30"), ("proxy:P00001", "7"), (&terminal, "30")]);

    // Each command says so; so does doctor.
    assert!(visit.run(&["--json", "inbox"]).expect(0).err.contains("CERTIFICATE_ENDS_SOON"));
    let doctor = stage.relay.run(&["--json", "doctor"]).expect(0).json();
    let told_by_doctor = doctor.iter().find(|finding| finding["check"] == "certificates").unwrap();
    let words = text(told_by_doctor, "message_en");
    for holder in [office.as_str(), "proxy:P00001", &terminal] {
        assert!(words.contains(holder), "{words}");
    }
    // A terminal that came is an alert, and stands in the feed.
    let alerts = stage.relay.run(&["--json", "alerts"]).expect(0).json();
    assert!(alerts.iter().any(|alert| alert["code"] == "NEW_TERMINAL" && alert["office"] == VISIT));
    told(&visit, "mandate.enrolled", 1, &mut seen);

    // Nothing is told twice, after a restart neither.
    assert!(stage.relay.stop());
    stage.relay.start();
    std::thread::sleep(Duration::from_secs(7));
    assert_eq!(told(&visit, "certificate.ending", 3, &mut seen).len(), 3);
    stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn a_certificate_that_ends_soon_is_told_once_sqlite() {
    a_certificate_that_ends_soon_is_told_once(Database::Sqlite);
}

#[test]
fn a_certificate_that_ends_soon_is_told_once_postgres() {
    a_certificate_that_ends_soon_is_told_once(Database::Postgres);
}

fn a_terminal_that_nobody_uses_lapses(database: Database) {
    let mut stage = Stage::new(database);
    let visit = stage.office(VISIT);
    let terminal = enrol(&stage, &visit, "uketsuke");
    terminal.run(&["inbox"]).expect(0);
    assert!(stage.relay.stop());
    let short = |line: &str| {
        line.starts_with("terminal_idle_after").then(|| "terminal_idle_after = \"2s\"".to_owned())
    };
    stage.relay.configure(short);
    stage.relay.start();
    let ended = told(&visit, "mandate.ended", 1, &mut Vec::new());
    let details = &ended[0]["details"];
    assert_eq!((text(details, "by"), text(details, "reason")), ("relay", "idle"));
    let refused = terminal.run(&["--json", "inbox"]);
    assert!(refused.code != 0 && refused.err.contains("MANDATE_MISSING"), "{refused:?}");
    assert!(visit.run(&["--json", "terminal", "list"]).expect(0).json().is_empty());
    stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn a_terminal_that_nobody_uses_lapses_sqlite() {
    a_terminal_that_nobody_uses_lapses(Database::Sqlite);
}

#[test]
fn a_terminal_that_nobody_uses_lapses_postgres() {
    a_terminal_that_nobody_uses_lapses(Database::Postgres);
}

fn revoked_while_parcels_wait(database: Database) {
    let stage = Stage::new(database);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    visit.run(&["inbox"]).expect(0);
    let slips = write_slips(&stage.path().join("slips"), 2).display().to_string();
    manager.run(&["send", &slips]).expect(0);
    let pem = visit.file("pem").display().to_string();
    stage.relay.run(&["cert", "revoke", &pem, "--reason", "key-compromise"]).expect(0);

    let events = told(&manager, "key.revoked", 1, &mut Vec::new());
    assert_eq!(events.len(), 1);
    let details = &events[0]["details"];
    assert_eq!((text(details, "office"), text(details, "parcels-wait")), (VISIT, "yes"));
    // Who is revoked gets nothing; what waits stays as it is, and nothing goes anywhere by itself.
    let into = stage.path().join("in").display().to_string();
    let refused = visit.run(&["--json", "receive", "--out", &into]);
    assert_ne!(refused.code, 0, "{refused:?}");
    let sent = manager.run(&["--json", "sent"]).expect(0).json();
    let states: Vec<&str> = sent.iter().map(|parcel| text(parcel, "state")).collect();
    assert_eq!(states, ["delivered", "delivered"]);
    // Another slip finds nobody to be sealed to.
    let more = write_slips(&stage.path().join("more"), 3).display().to_string();
    assert_ne!(manager.run(&["--json", "send", &more]).code, 0);
    stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn revoked_while_parcels_wait_sqlite() {
    revoked_while_parcels_wait(Database::Sqlite);
}

#[test]
fn revoked_while_parcels_wait_postgres() {
    revoked_while_parcels_wait(Database::Postgres);
}
