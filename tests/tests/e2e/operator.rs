//! What the operator does and sees: notices, planned stops, receive-only mode, overdue parcels, a month in numbers, and evidence
//! that goes when its time is over.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tasuki_proto::time::format_us;
use tasuki_tests::office::{Office, write_sample};
use tasuki_tests::raw::{Forge, now_us, reason, submit};
use tasuki_tests::relay::Relay;
use tasuki_tests::run::{Ran, run, text};
use tokio::runtime::Runtime;

use crate::stage::{DAY, Database, MANAGER, Stage, VISIT};

const PATIENCE: Duration = Duration::from_secs(60);

/// An administrative command, and the objects that it printed.
#[track_caller]
fn desk(relay: &Relay, args: &[&str]) -> Vec<Value> {
    relay.run(&[&["--json"], args].concat()).expect(0).json()
}

fn slip(stage: &Stage) -> String {
    write_sample(&stage.path().join("samples"), "03_slip_202602_to_visit").display().to_string()
}

fn send(office: &Office, slip: &str) -> Ran {
    office.run(&["--json", "send", "--again", slip])
}

fn receive(office: &Office, into: &Path) {
    office.run(&["--json", "receive", "--out", &into.display().to_string()]).expect(0);
}

/// Tries until it comes true.
#[track_caller]
fn until(what: &str, relay: &Relay, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: {}", relay.log_text());
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn notices(office: &Office) -> Vec<Value> {
    office.run(&["--json", "notices"]).expect(0).json()
}

fn offices_are_told(database: Database) {
    let stage = Stage::new(database);
    let (visit, day) = (stage.office(VISIT), stage.office(DAY));
    desk(&stage.relay, &["notice", "send", "--ja", "点検します", "--en", "works tonight", "--urgent"]);
    desk(&stage.relay, &["notice", "send", "--ja", "確認", "--en", "please look", "--to", VISIT]);
    until("notices", &stage.relay, || notices(&visit).len() == 2);
    let (first, second) = (&notices(&visit)[0], &notices(&visit)[1]);
    assert_eq!(
        (text(first, "ja"), text(first, "en"), &first["urgent"]),
        ("点検します", "works tonight", &true.into())
    );
    assert_eq!((text(second, "kind"), text(second, "en")), ("relay.notice", "please look"));
    // The other office sees what is for all, and can go on behind it.
    assert_eq!(notices(&day), std::slice::from_ref(first));
    let place = format!("{}:{}", first["epoch"], first["index"]);
    assert_eq!(
        visit.run(&["--json", "notices", "--after", &place]).expect(0).json(),
        std::slice::from_ref(second)
    );
    // What is for some stands in their feeds; what is for all is told beside it, once.
    let watched = || {
        let mut events = visit.run(&["--json", "watch", "--once"]).expect(0).json();
        events.retain(|event| text(event, "kind") == "relay.notice");
        events.into_iter().map(|event| event["details"]["en"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(watched(), ["please look", "works tonight"]);
    assert!(watched().is_empty());
    let long = "あ".repeat(1_001);
    stage.relay.run(&["notice", "send", "--ja", &long, "--en", "x"]).expect(2);
    stage.relay.run(&["notice", "send", "--ja", "x", "--en", "x", "--to", "1300000006"]).expect(1);
    stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn a_notice_to_all_reaches_who_watches() {
    let stage = Stage::new(Database::Sqlite);
    let day = stage.office(DAY);
    let told = stage.path().join("told.jsonl");
    let program = ["watch", "--exec", "sh", "-c", "cat >>\"$0\""];
    let mut command = day.command(&[&["--json"], &program[..]].concat());
    command.arg(&told).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut watching = command.spawn().unwrap();
    let notices = || -> Vec<Value> {
        let lines = std::fs::read_to_string(&told).unwrap_or_default();
        let events = lines.lines().map(|line| serde_json::from_str(line).unwrap());
        events.filter(|event| text(event, "kind").starts_with("relay.")).collect()
    };
    until("the feed is watched", &stage.relay, || told.exists());
    desk(&stage.relay, &["notice", "send", "--ja", "点検します", "--en", "works tonight", "--urgent"]);
    until("the notice", &stage.relay, || !notices().is_empty());
    run(Command::new("kill").args(["-TERM", &watching.id().to_string()]));
    assert!(watching.wait().unwrap().success());
    let notice = notices().remove(0);
    assert_eq!((text(&notice, "kind"), &notice["number"]), ("relay.notice", &Value::Null));
    assert_eq!((&notice["details"]["ja"], &notice["parcel"]), (&"点検します".into(), &Value::Null));
    // The next watch goes on behind it.
    desk(&stage.relay, &["mode", "receive-only", "--ja", "障害対応", "--en", "trouble"]);
    let mut command = day.command(&[&["--json", "watch", "--once"], &program[1..]].concat());
    command.arg(&told);
    until("the mode", &stage.relay, || {
        run(&mut command).expect(0);
        notices().len() > 1
    });
    let kinds: Vec<String> = notices().iter().map(|notice| text(notice, "kind").to_owned()).collect();
    assert_eq!(kinds, ["relay.notice", "relay.mode-changed"]);
}

#[test]
fn offices_are_told_sqlite() {
    offices_are_told(Database::Sqlite);
}

#[test]
fn offices_are_told_postgres() {
    offices_are_told(Database::Postgres);
}

#[test]
fn a_receive_only_relay_takes_nothing_new_and_hands_out_all() {
    let stage = Stage::new(Database::Sqlite);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    visit.run(&["inbox"]).expect(0);
    let slip = slip(&stage);
    send(&manager, &slip).expect(0);
    desk(&stage.relay, &["mode", "receive-only", "--ja", "障害対応", "--en", "trouble"]);
    let refused = |ran: &Ran, word: &str| {
        format!("{ran:?}").contains(word) && !format!("{ran:?}").contains("accepted\": true")
    };
    until("receive-only", &stage.relay, || {
        let ran = send(&manager, &slip);
        refused(&ran, "RECEIVE_ONLY")
    });
    receive(&visit, &stage.path().join("in"));
    assert!(desk(&stage.relay, &["overdue"]).is_empty());
    desk(&stage.relay, &["mode", "normal"]);
    until("normal", &stage.relay, || {
        send(&manager, &slip).json().iter().any(|sent| sent["parcel"].is_string() && sent["reason"].is_null())
    });

    // A stop that has begun, and one that is called off.
    let (from, end) = (format_us(now_us() - 1_000_000), format_us(now_us() + 3_600_000_000));
    desk(&stage.relay, &["stop", "plan", "--from", &from, "--until", &end, "--ja", "停止", "--en", "stop"]);
    assert_eq!(desk(&stage.relay, &["stop", "list"]).len(), 1);
    until("a stop", &stage.relay, || refused(&send(&manager, &slip), "PLANNED_STOP"));
    let waits = send(&manager, &slip).json().remove(0);
    assert_eq!((text(&waits, "state"), text(&waits, "reason")), ("pending", "PLANNED_STOP"), "{waits}");
    let said = format!("(until {end})");
    assert!(
        text(&waits, "message_en").contains(&said) && text(&waits, "message_ja").contains("まで）"),
        "{waits}"
    );
    desk(&stage.relay, &["stop", "cancel", "--from", &from, "--ja", "中止", "--en", "off"]);
    assert!(desk(&stage.relay, &["stop", "list"]).is_empty());
    stage.relay.run(&["stop", "plan", "--from", &end, "--until", &from, "--ja", "x", "--en", "x"]).expect(2);
    until("all notices", &stage.relay, || notices(&visit).len() == 4);
    let kinds: Vec<String> = notices(&visit).iter().map(|notice| text(notice, "kind").to_owned()).collect();
    assert_eq!(
        kinds,
        ["relay.mode-changed", "relay.mode-changed", "relay.stop-planned", "relay.stop-cancelled"]
    );
}

fn evidence_goes(database: Database) {
    let mut stage = Stage::new(database);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    visit.run(&["inbox"]).expect(0);
    send(&manager, &slip(&stage)).expect(0);
    until("overdue", &stage.relay, || desk(&stage.relay, &["overdue"]).is_empty());
    receive(&visit, &stage.path().join("in"));
    assert!(stage.relay.stop());
    stage.relay.configure(|line| match line.split(' ').next().unwrap_or_default() {
        key @ ("acknowledged" | "fetched" | "refused" | "ended") => Some(format!("{key} = \"0s\"")),
        "evidence" => Some("evidence = \"3s\"".to_owned()),
        "sweep_every_s" => Some("sweep_every_s = 1".to_owned()),
        "overdue_after" => Some("overdue_after = \"1s\"".to_owned()),
        _ => None,
    });
    let due = |relay: &Relay, rule: &str| {
        let rules = desk(relay, &["retention"]);
        rules
            .iter()
            .filter(|found| text(found, "rule") == rule)
            .filter_map(|found| found["count"].as_u64())
            .sum::<u64>()
    };
    assert_eq!(due(&stage.relay, "acknowledged"), 1, "shown, and not touched");
    let table = stage.relay.run(&["retention", "--csv"]);
    assert!(format!("{table:?}").contains("rule,state,kind,count,bytes,oldest"), "{table:?}");
    stage.relay.start();
    let month = desk(&stage.relay, &["stats", "--month", "209912"]).remove(0);
    assert_eq!(month["parcels"], 0);
    // Time goes on, and the log with it.
    until("evidence went", &stage.relay, || {
        desk(&stage.relay, &["office", "suspend", DAY, "--reason", "test"]);
        desk(&stage.relay, &["office", "resume", DAY]);
        manager.run(&["--json", "sent"]).expect(0).json().is_empty()
    });
    let verified = desk(&stage.relay, &["log", "verify"]).remove(0);
    assert_eq!(verified["verified"], true);
    assert!(verified["erased"].as_u64().is_some_and(|erased| erased >= 3), "{verified}");
    // Whoever reads the feed from the beginning is told what is gone, and goes on behind it without a gap.
    let watched = manager.run(&["--json", "watch", "--once"]).expect(0).json();
    assert!(watched.iter().any(|event| text(event, "kind") == "feed.erased"), "{watched:?}");
    // So is a program of another office's.
    let told = stage.path().join("told.jsonl");
    let mut command = visit.command(&["--json", "watch", "--once", "--exec", "sh", "-c", "cat >>\"$0\""]);
    let printed = run(command.arg(&told)).expect(0).json();
    let lines = std::fs::read_to_string(&told).unwrap();
    let handed: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(handed, printed, "the program gets what --json prints");
    let erased = handed.iter().find(|event| text(event, "kind") == "feed.erased").unwrap();
    assert!(erased["from"].as_u64() <= erased["through"].as_u64(), "{erased}");
    send(&manager, &slip(&stage)).expect(0);
    let next = manager.run(&["--json", "watch", "--once"]).expect(0).json();
    assert!(next.iter().any(|event| text(event, "kind") == "parcel.delivered"), "{next:?}");
    until("overdue", &stage.relay, || {
        let waits = desk(&stage.relay, &["overdue"]);
        waits.iter().any(|parcel| text(parcel, "recipient") == VISIT && text(parcel, "sender") == MANAGER)
    });
}

#[test]
fn evidence_goes_sqlite() {
    evidence_goes(Database::Sqlite);
}

#[test]
fn evidence_goes_postgres() {
    evidence_goes(Database::Postgres);
}

#[test]
fn an_address_that_knocks_in_vain_is_an_alert() {
    let mut stage = Stage::new(Database::Sqlite);
    assert!(stage.relay.stop());
    let threshold = "refused_handshakes = 3";
    stage.relay.configure(|line| line.starts_with("refused_handshakes").then(|| threshold.to_owned()));
    stage.relay.start();
    let address = stage.relay.url.trim_start_matches("https://").to_owned();
    let knock = |words: &[u8]| {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.write_all(words).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        // Until the relay has closed it, too.
        let _ended = stream.read_to_end(&mut Vec::new());
    };
    // Who only looks whether the port is open does not count.
    (0..20).for_each(|_| knock(b""));
    (0..3).for_each(|_| knock(b"GET / HTTP/1.0\r\n\r\n"));
    until("an alert", &stage.relay, || !desk(&stage.relay, &["alerts"]).is_empty());
    let alert = desk(&stage.relay, &["alerts"]).remove(0);
    assert_eq!((text(&alert, "code"), text(&alert, "address")), ("REFUSED_HANDSHAKES", "127.0.0.1"));
    assert_eq!((&alert["count"], &alert["office"]), (&3.into(), &Value::Null));
}

#[test]
fn a_month_is_counted_without_content() {
    let mut stage = Stage::new(Database::Sqlite);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    visit.run(&["inbox"]).expect(0);
    send(&manager, &slip(&stage)).expect(0);
    desk(&stage.relay, &["office", "suspend", VISIT, "--reason", "test"]);
    until("a rejection", &stage.relay, || {
        send(&manager, &slip(&stage)).json().iter().any(|sent| sent["reason"].is_string())
    });
    // What the relay turns away is counted by its reason, whoever's it was.
    let sender = stage.raw(MANAGER);
    let broken = Forge::withdrawal(MANAGER, VISIT).sign(&stage.raw(DAY).identity);
    let refused: Vec<String> = Runtime::new().unwrap().block_on(async {
        let channel = sender.connect(&stage.relay).await.unwrap();
        let mut words = Vec::new();
        for container in [b"no ZIP".to_vec(), b"nor this".to_vec(), broken] {
            words.push(reason(&submit(&channel, container).await.unwrap()).to_owned());
        }
        words
    });
    assert_eq!(refused[0], refused[1]);
    assert_ne!(refused[1], refused[2]);
    // The relay adds what it counted when it stops.
    assert!(stage.relay.stop());
    let time = month_in_japan(now_us());
    let month = desk(&stage.relay, &["stats", "--month", &time, "--offices"]);
    let summary = &month[0];
    assert_eq!(
        (&summary["parcels"], &summary["states"]["delivered"], &summary["unread"]),
        (&1.into(), &1.into(), &1.into())
    );
    let rejected = &summary["rejected"];
    assert_eq!((&rejected[&refused[0]], &rejected[&refused[2]]), (&2.into(), &1.into()), "{rejected}");
    assert_eq!((&summary["offices"]["new"], &summary["offices"]["active"]), (&2.into(), &2.into()));
    assert_eq!(month.iter().filter(|line| line["use"] == "new").count(), 2);
    let table = format!("{:?}", stage.relay.run(&["stats", "--month", &time, "--csv"]));
    assert!(table.contains("month,measure,detail,count"), "{table}");
    stage.relay.run(&["stats", "--month", "2026-2"]).expect(2);
}

/// The month in Japan in which a time lies.
fn month_in_japan(us: i64) -> String {
    let japan = format_us(us + 9 * 3_600_000_000);
    format!("{}{}", &japan[..4], &japan[5..7])
}
