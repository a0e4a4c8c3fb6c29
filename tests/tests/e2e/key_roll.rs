//! The log's key hands over to another: clients, witnesses and a running relay follow, old evidence stays, the old key has no future.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tasuki_tests::office::{Office, write_sample};
use tasuki_tests::relay::Relay;
use tasuki_tests::run::{Ran, text};

use crate::stage::{Database, MANAGER, Stage, VISIT};

const PATIENCE: Duration = Duration::from_secs(60);

#[track_caller]
fn until(what: &str, relay: &Relay, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: {}", relay.log_text());
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Sends the slip once more, receives it, and saves its evidence.
fn exchange(stage: &Stage, manager: &Office, visit: &Office, name: &str) -> String {
    let slip = write_sample(stage.path(), "03_slip_202602_to_visit").display().to_string();
    let sent = manager.run(&["--json", "send", "--again", &slip]).expect(0).json();
    let parcel = text(&sent[0], "parcel").to_owned();
    let into = stage.path().join(format!("in-{name}")).display().to_string();
    visit.run(&["--json", "receive", "--out", &into]).expect(0);
    let proof = stage.path().join(format!("proof-{name}")).display().to_string();
    manager.run(&["evidence", &parcel, "--out", &proof]).expect(0);
    proof
}

fn status(stage: &Stage) -> Value {
    stage.relay.run(&["--json", "log-key", "status"]).expect(0).json().remove(0)
}

fn verify(office: &Office, proof: &str, more: &[&str]) -> Ran {
    office.run(&[&["--json", "verify", proof], more].concat())
}

fn everybody_follows_a_new_log_key(database: Database) {
    let mut stage = Stage::new(database);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    let published = stage.path().join("log-key.txt");
    fs::write(&published, text(&status(&stage), "log_key")).unwrap();
    let published = published.display().to_string();
    let before = exchange(&stage, &manager, &visit, "before");
    let old_key = fs::read(stage.relay.dir.join("log.key")).unwrap();

    // A client that listens all the while.
    let told = stage.path().join("told.jsonl");
    let mut listening = visit.command(&["--json", "watch"]);
    listening.stdin(Stdio::null()).stdout(fs::File::create(&told).unwrap()).stderr(Stdio::null());
    let mut listening = listening.spawn().unwrap();
    let delivered = || {
        let lines = fs::read_to_string(&told).unwrap_or_default();
        lines.lines().filter(|line| line.contains("\"parcel.delivered\"")).count()
    };
    until("the feed is watched", &stage.relay, || delivered() == 1);

    let rolled = stage.relay.run(&["--json", "log-key", "roll"]).expect(0).json().remove(0);
    assert_eq!((&rolled["emergency"], text(&rolled, "old_key").len()), (&false.into(), 64));
    assert_ne!(fs::read(stage.relay.dir.join("log.key")).unwrap(), old_key);
    assert!(!stage.relay.dir.join("log.key.next").exists());
    // The relay that runs, the clients that know the old key, and the one that listens go on.
    let after = exchange(&stage, &manager, &visit, "after");
    until("the listener follows", &stage.relay, || delivered() == 2);
    listening.kill().unwrap();
    listening.wait().unwrap();
    let notices = manager.run(&["--json", "notices"]).expect(0).json();
    assert_eq!(notices.iter().map(|n| text(n, "kind")).collect::<Vec<_>>(), ["log.key-rolled"]);

    // In an emergency the same, told as urgent; and after a restart.
    let wrong = stage.relay.run(&["log-key", "roll", "--emergency"]);
    wrong.expect(2);
    let emergency = ["--json", "log-key", "roll", "--emergency", "--reason", "鍵の漏えいの疑い"];
    assert_eq!(stage.relay.run(&emergency).expect(0).json()[0]["emergency"], true);
    assert!(stage.relay.stop());
    stage.relay.start();
    let last = exchange(&stage, &manager, &visit, "last");
    let notices = manager.run(&["--json", "notices"]).expect(0).json();
    assert_eq!(notices.last().map(|n| n["urgent"].clone()), Some(true.into()));
    let verified = stage.relay.run(&["--json", "log", "verify"]).expect(0).json().remove(0);
    assert_eq!(verified["verified"], true);
    let known = status(&stage);
    assert_eq!(known["rolls"], 2);

    // Evidence of any time verifies offline, by the key that was published at first, in a new HOME as well.
    let late = stage.office(crate::stage::DAY);
    late.run(&["--json", "inbox"]).expect(0);
    for proof in [&before, &after, &last] {
        verify(&manager, proof, &[]).expect(0);
        verify(&late, proof, &["--log-key", &published]).expect(0);
    }
    // What says that the log went on under another key is part of the evidence: without it, what came later is not proven.
    let keys = std::path::Path::new(&last).join("log-key.txt");
    let with_rolls = fs::read_to_string(&keys).unwrap();
    assert_eq!(with_rolls.lines().filter(|line| line.starts_with("roll ")).count(), 2);
    let without: String = with_rolls.lines().filter(|line| !line.starts_with("roll ")).collect();
    fs::write(&keys, without).unwrap();
    verify(&manager, &last, &[]).expect(1);
    fs::write(&keys, with_rolls).unwrap();

    // The old key, put back from a backup, is not the log's any more.
    assert!(stage.relay.stop());
    let new_key = fs::read(stage.relay.dir.join("log.key")).unwrap();
    fs::write(stage.relay.dir.join("log.key"), &old_key).unwrap();
    let refused = stage.relay.run(&["--json", "office", "suspend", VISIT, "--reason", "x"]);
    refused.expect(2);
    assert!(refused.err.contains("LOG_KEY_REPLACED"), "{refused:?}");
    fs::write(stage.relay.dir.join("log.key"), new_key).unwrap();
    stage.relay.start();
    exchange(&stage, &manager, &visit, "again");
}

#[test]
fn everybody_follows_a_new_log_key_sqlite() {
    everybody_follows_a_new_log_key(Database::Sqlite);
}

#[test]
fn everybody_follows_a_new_log_key_postgres() {
    everybody_follows_a_new_log_key(Database::Postgres);
}

#[test]
fn a_database_set_back_to_before_a_roll_does_not_bring_the_old_key_back() {
    let mut stage = Stage::new(Database::Sqlite);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    exchange(&stage, &manager, &visit, "first");
    assert!(stage.relay.stop());
    let (database, backup) = (stage.relay.dir.join("relay.db"), stage.path().join("backup.db"));
    fs::copy(&database, &backup).unwrap();
    stage.relay.run(&["log-key", "roll"]).expect(0);
    // Set back, and the witness gone as well: what handed the key over stands beside the key.
    for ending in ["-wal", "-shm"] {
        let _absent = fs::remove_file(stage.relay.dir.join(format!("relay.db{ending}")));
    }
    fs::copy(&backup, &database).unwrap();
    fs::remove_file(stage.relay.dir.join("witness/checkpoint")).unwrap();
    stage.relay.start();
    let verified = stage.relay.run(&["--json", "log", "verify"]).expect(0).json().remove(0);
    assert_eq!((&verified["verified"], &verified["epochs"]), (&true.into(), &2.into()));
    exchange(&stage, &manager, &visit, "second");
    assert_eq!(status(&stage)["rolls"], 1);
}
