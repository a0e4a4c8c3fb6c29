//! Whom offices deal with and what they take: declared profiles, partners by invitation and acceptance.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;
use tasuki_proto::reason as word;
use tasuki_proto::time::format_us;
use tasuki_tests::office::{Office, write_sample};
use tasuki_tests::raw::{Forge, RawOffice, now_us, reason, submit};
use tasuki_tests::run::text;

use crate::stage::{DAY, Database, MANAGER, Stage, VISIT};

/// A relay with these lines in its settings in place of others.
fn stage(database: Database, lines: &[(&str, &str)]) -> Stage {
    let mut stage = Stage::new(database);
    assert!(stage.relay.stop());
    stage
        .relay
        .configure(|line| lines.iter().find(|(from, _)| *from == line).map(|(_, to)| (*to).to_owned()));
    stage.relay.start();
    stage
}

fn json(office: &Office, args: &[&str]) -> Value {
    let mut objects = office.run(&[&["--json"], args].concat()).expect(0).json();
    assert_eq!(objects.len(), 1, "{objects:?}");
    objects.remove(0)
}

fn partners(office: &Office) -> Vec<(String, String)> {
    let listed = office.run(&["--json", "partner", "list"]).expect(0).json();
    listed.iter().map(|p| (text(p, "office").to_owned(), text(p, "state").to_owned())).collect()
}

fn kinds(office: &Office, prefix: &str) -> Vec<String> {
    let events = office.run(&["--json", "watch", "--once"]).expect(0).json();
    let kinds = events.iter().map(|event| text(event, "kind").to_owned());
    kinds.filter(|kind| kind.starts_with(prefix)).collect()
}

/// What the relay's door says to a parcel that no SDK looked at.
fn at_the_door(stage: &Stage, sender: &RawOffice, recipient: &str) -> String {
    let parcel = Forge::withdrawal(&sender.number, recipient).sign(&sender.identity);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let channel = sender.connect(&stage.relay).await.unwrap();
        reason(&submit(&channel, parcel).await.unwrap()).to_owned()
    })
}

fn only_partners_exchange(database: Database) {
    let stage = stage(database, &[("policy = \"open\"", "policy = \"linked\"")]);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    visit.run(&["--json", "inbox"]).expect(0);
    let slip = write_sample(stage.path(), "03_slip_202602_to_visit").display().to_string();
    let send = |code: i32| manager.run(&["--json", "send", &slip, "--new-partner"]).expect(code).out.clone();
    assert!(send(1).contains(word::NOT_LINKED));
    // Past the SDK it is the door that refuses.
    let raw = stage.raw(MANAGER);
    assert_eq!(at_the_door(&stage, &raw, VISIT), word::NOT_LINKED);
    manager.run(&["--json", "request", VISIT, "--document", "other"]).expect(1);

    // An invitation alone opens nothing, and can't be accepted by who made it.
    manager.run(&["partner", "invite", VISIT]).expect(0);
    manager.run(&["partner", "accept", VISIT]).expect(1);
    manager.run(&["partner", "invite", MANAGER]).expect(1);
    manager.run(&["partner", "invite", "1371215110"]).expect(1);
    assert_eq!(at_the_door(&stage, &raw, VISIT), word::NOT_LINKED);
    assert_eq!(partners(&manager), [(VISIT.to_owned(), "invited".to_owned())]);
    assert_eq!(partners(&visit), [(MANAGER.to_owned(), "invites".to_owned())]);
    // A third office has nothing to accept.
    let day = stage.office(DAY);
    day.run(&["partner", "accept", MANAGER]).expect(1);

    visit.run(&["partner", "accept", MANAGER]).expect(0);
    assert_eq!(partners(&manager), [(VISIT.to_owned(), "linked".to_owned())]);
    send(0);
    assert_eq!(at_the_door(&stage, &raw, VISIT), "accepted");
    assert_eq!(at_the_door(&stage, &raw, DAY), word::NOT_LINKED);
    // Who only looks on sees nothing of it.
    assert!(kinds(&day, "partner.").is_empty());

    // What is held for later goes nowhere if they part meanwhile: neither by itself nor by the sender's word.
    let held = |sample: &str, more: &[&str]| {
        let files = write_sample(stage.path(), sample).display().to_string();
        text(&json(&manager, &[&["send", &files, "--new-partner"], more].concat()), "parcel").to_owned()
    };
    let soon = format_us(now_us() + 6_000_000);
    let timed = held("09_delete_plan_documents", &["--release-at", &soon]);
    let waiting = held("11_delete_slip", &["--hold"]);
    visit.run(&["partner", "end", MANAGER]).expect(0);
    visit.run(&["partner", "end", MANAGER]).expect(1);
    assert!(manager.run(&["--json", "release", &waiting]).expect(1).out.contains(word::NOT_LINKED));
    let deadline = Instant::now() + Duration::from_secs(30);
    while text(&json(&manager, &["show", &timed]), "state") == "held" {
        assert!(Instant::now() < deadline, "its time of release passed");
        std::thread::sleep(Duration::from_millis(200));
    }
    let shown = json(&manager, &["show", &timed]);
    assert_eq!(text(&shown, "state"), "discarded", "{shown}");
    assert_eq!(text(&json(&manager, &["show", &waiting]), "state"), "held");
    assert_eq!(at_the_door(&stage, &raw, VISIT), word::NOT_LINKED);
    // What was delivered before stays.
    assert_eq!(visit.run(&["--json", "inbox"]).expect(0).json().len(), 2);
    // Both invite: that is an agreement, too. Who leaves has no partners.
    manager.run(&["partner", "invite", VISIT]).expect(0);
    visit.run(&["partner", "invite", MANAGER]).expect(0);
    assert_eq!(at_the_door(&stage, &raw, VISIT), "accepted");
    visit.run(&["leave", "--yes"]).expect(0);
    assert!(partners(&manager).is_empty());
    let expected =
        ["invited", "linked", "ended", "invited", "linked", "ended"].map(|kind| format!("partner.{kind}"));
    assert_eq!(kinds(&manager, "partner."), expected);
    stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn only_partners_exchange_sqlite() {
    only_partners_exchange(Database::Sqlite);
}

#[test]
fn only_partners_exchange_postgres() {
    only_partners_exchange(Database::Postgres);
}

fn an_office_gets_what_it_declared_to_take(database: Database) {
    let stage = Stage::new(database);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    let raw = stage.raw(MANAGER);
    visit.run(&["--json", "inbox"]).expect(0);
    // What the operator's list says is no declaration.
    let add = ["office", "add", VISIT, "--name", "ひまわり訪問介護", "--services", "11", "--accepts", "pdf"];
    stage.relay.run(&add).expect(0);
    assert_eq!(at_the_door(&stage, &raw, VISIT), "accepted");
    visit.run(&["profile", "--accepts", "PDF"]).expect(2);

    let declared = json(&visit, &["profile", "--accepts", "csv-3.2,pdf"]);
    assert_eq!((&declared["declared"], &declared["waiting"]), (&true.into(), &false.into()));
    let slip = write_sample(stage.path(), "03_slip_202602_to_visit").display().to_string();
    let refused = manager.run(&["--json", "send", &slip, "--new-partner"]).expect(1).out.clone();
    assert!(refused.contains(word::RECIPIENT_DOES_NOT_ACCEPT), "{refused}");
    assert_eq!(at_the_door(&stage, &raw, VISIT), word::RECIPIENT_DOES_NOT_ACCEPT);
    // The SDK that does not look is told by the relay.
    let unchecked = manager.run(&["--json", "send", &slip, "--new-partner", "--unchecked"]);
    assert!(unchecked.out.contains(word::RECIPIENT_DOES_NOT_ACCEPT), "{unchecked:?}");
    // The operator's list does not overrule the office.
    stage.relay.run(&add).expect(0);
    let listed = stage.relay.run(&["--json", "office", "list", VISIT]).expect(0).json();
    assert_eq!(
        (&listed[0]["accepts"], &listed[0]["declared"]),
        (&serde_json::json!(["csv-3.2", "pdf"]), &true.into())
    );

    json(&visit, &["profile", "--accepts", "csv-4.1"]);
    manager.run(&["--json", "send", &slip, "--new-partner"]).expect(0);
    let picture = stage.path().join("map.png");
    fs::write(&picture, b"\x89PNG\r\n\x1a\n").unwrap();
    let attach = format!("{VISIT}={}", picture.display());
    let refused = manager.run(&["--json", "send", "--attach", &attach]).expect(1).out.clone();
    assert!(refused.contains(word::RECIPIENT_DOES_NOT_ACCEPT), "{refused}");
    assert_eq!(kinds(&visit, "office.declared").len(), 2);
    stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn an_office_gets_what_it_declared_to_take_sqlite() {
    an_office_gets_what_it_declared_to_take(Database::Sqlite);
}

#[test]
fn an_office_gets_what_it_declared_to_take_postgres() {
    an_office_gets_what_it_declared_to_take(Database::Postgres);
}

#[test]
fn a_declaration_may_wait_for_the_operator() {
    let stage = stage(Database::Sqlite, &[("profile_approval = false", "profile_approval = true")]);
    let visit = stage.office(VISIT);
    let raw = stage.raw(MANAGER);
    visit.run(&["--json", "inbox"]).expect(0);
    assert_eq!(json(&visit, &["profile", "--accepts", "pdf"])["waiting"], true);
    assert_eq!(at_the_door(&stage, &raw, VISIT), "accepted");
    let waiting = stage.relay.run(&["--json", "office", "profiles"]).expect(0).json();
    assert_eq!((text(&waiting[0], "office"), &waiting[0]["accepts"][0]), (VISIT, &"pdf".into()));
    stage.relay.run(&["office", "profile", VISIT, "--reject"]).expect(0);
    stage.relay.run(&["office", "profile", VISIT, "--approve"]).expect(1);
    json(&visit, &["profile", "--accepts", "pdf"]);
    stage.relay.run(&["office", "profile", VISIT, "--approve"]).expect(0);
    let deadline = Instant::now() + Duration::from_secs(60);
    while at_the_door(&stage, &raw, VISIT) != word::RECIPIENT_DOES_NOT_ACCEPT {
        assert!(Instant::now() < deadline, "the operator's word is not followed");
        std::thread::sleep(Duration::from_millis(200));
    }
    // The door may follow a moment before the feed tells.
    let mut told = kinds(&visit, "office.");
    while !told.iter().any(|kind| kind == "office.profile-approved") {
        assert!(Instant::now() < deadline, "the feed does not tell: {told:?}");
        std::thread::sleep(Duration::from_millis(200));
        told.extend(kinds(&visit, "office."));
    }
    let expected = ["declared", "profile-rejected", "declared", "profile-approved"];
    assert_eq!(told.iter().filter(|kind| *kind != "office.changed").count(), 4, "{told:?}");
    assert!(expected.iter().all(|kind| told.contains(&format!("office.{kind}"))), "{told:?}");
}
