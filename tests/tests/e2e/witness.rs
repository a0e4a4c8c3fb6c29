//! Witnesses: other parties that cosign the log, offices that insist on them, a relay that shows two histories.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tasuki_tests::office::{Office, write_sample};
use tasuki_tests::run::{Ran, run, text};

use crate::stage::{DAY, Database, MANAGER, Stage, VISIT, programs};

/// Makes the offices witnesses, tells the relay of them, and gives their verifier keys back.
fn make_witnesses(stage: &mut Stage, offices: &[&Office]) -> Vec<String> {
    let key = |(number, office): (usize, &&Office)| {
        let name = format!("witness.example/{number}");
        let shown = office.run(&["--json", "witness", "--show-key", "--name", &name]).expect(0).json();
        assert_eq!(text(&shown[0], "witness"), name);
        text(&shown[0], "key").to_owned()
    };
    let keys: Vec<String> = offices.iter().enumerate().map(key).collect();
    stage.relay.configure(|line| (line == "keys = []").then(|| format!("keys = {}", list(&keys))));
    assert!(stage.relay.stop());
    stage.relay.start();
    keys
}

fn list(keys: &[String]) -> String {
    format!("[{}]", keys.iter().map(|key| format!("{key:?}")).collect::<Vec<_>>().join(", "))
}

/// Has an office insist on witnesses.
fn insist(office: &Office, keys: &[String], need: usize) {
    let path = office.home.join("config.toml");
    let before = fs::read_to_string(&path).unwrap();
    let begin = before.find("[witnesses]").unwrap_or(before.len());
    let table = format!("{}\n[witnesses]\nkeys = {}\nneed = {need}\n", &before[..begin], list(keys));
    fs::write(path, table).unwrap();
}

fn send(office: &Office, note: &str) -> String {
    let sent = office.run(&["--json", "send", "--note", &format!("{VISIT}={note}")]).expect(0).json();
    text(&sent[0], "parcel").to_owned()
}

fn look(office: &Office) -> Ran {
    office.run(&["--json", "witness", "--once"])
}

#[track_caller]
fn looked(office: &Office) -> Value {
    look(office).expect(0).json().remove(0)
}

/// Witnesses agree: offices see it, insist on it, and hand it on as evidence.
fn n_of_m(database: Database) {
    let mut stage = Stage::new(database);
    let (manager, visit, day) = (stage.office(MANAGER), stage.office(VISIT), stage.office(DAY));
    let keys = make_witnesses(&mut stage, &[&visit, &day]);
    insist(&manager, &keys, 2);

    // Nobody has vouched yet, then one: too few, said in both languages, and nothing else is wrong.
    for have in 0..2 {
        let missing = manager.run(&["--json", "inbox"]);
        for part in [
            "WITNESSES_MISSING",
            "立会人が足りません",
            &format!("確認済み {have}"),
            &format!("{have} of the witnesses"),
        ] {
            assert!(missing.expect(1).err.contains(part), "{part}: {}", missing.err);
        }
        let first = looked([&visit, &day][have]);
        assert_eq!(
            (text(&first, "witness"), &first["cosigned"]),
            (format!("witness.example/{have}").as_str(), &true.into())
        );
    }
    manager.run(&["inbox"]).expect(0);
    // Nothing new: nothing is signed again.
    assert_eq!(looked(&day)["cosigned"], false);

    // Cosignatures come after the acceptance. Evidence waits for them.
    let parcel = send(&manager, "1");
    let proof = stage.path().join("proof").display().to_string();
    let evidence = || manager.run(&["--json", "evidence", &parcel, "--out", &proof]);
    assert!(evidence().expect(1).err.contains("WITNESSES_MISSING"));
    assert!(!Path::new(&proof).exists());
    looked(&visit);
    // The log goes on in between: the witnesses vouch for trees of different sizes.
    send(&manager, "2");
    looked(&day);
    evidence().expect(0);
    for file in ["README.txt", "evidence.json", "witness-keys.txt"] {
        assert!(Path::new(&proof).join(file).exists(), "{file}");
    }

    // Anybody can check it offline, with keys of their own.
    let known = stage.path().join("witnesses.txt");
    fs::write(&known, keys.join("\n")).unwrap();
    let known = known.display().to_string();
    let verify = |args: &[&str]| run(programs().tasuki().args(["--json", "verify", &proof]).args(args));
    let report = verify(&["--witness", &known, "--need", "2"]).expect(0).json().remove(0);
    let names: Vec<&str> = report["witnesses"].as_array().unwrap().iter().map(|w| text(w, "key")).collect();
    assert!(keys.iter().all(|key| names.contains(&key.as_str())) && names.len() == 2, "{report}");
    assert_eq!(
        (&report["witnesses"][0]["events"], &report["witnesses"][0]["pinned"]),
        (&1.into(), &true.into())
    );
    assert_eq!(verify(&[]).expect(0).json()[0]["witnesses"].as_array().unwrap().len(), 2);
    let too_few = verify(&["--witness", &known, "--need", "3"]).expect(1).json().remove(0);
    assert_eq!(text(&too_few, "reason"), "WITNESSES_MISSING");
    let words = run(programs().tasuki().args(["--lang", "ja", "verify", &proof]));
    assert!(words.expect(0).out.contains("立会人 witness.example/0+"), "{}", words.out);

    // So it is with the proof of a month: it waits for the witnesses, and is checked against them offline.
    let slip = write_sample(stage.path(), "03_slip_202602_to_visit").display().to_string();
    manager.run(&["send", &slip]).expect(0);
    let month = stage.path().join("month.zip").display().to_string();
    let save = || manager.run(&["--json", "evidence", "--month", "202602", "--out", &month]);
    assert!(save().expect(1).err.contains("WITNESSES_MISSING"));
    assert!(!Path::new(&month).exists());
    looked(&visit);
    looked(&day);
    save().expect(0);
    let verify = |need: &str| {
        run(programs().tasuki().args(["--json", "verify", &month, "--witness", &known, "--need", need]))
    };
    verify("2").expect(0);
    assert_eq!(text(&verify("3").expect(1).json()[0], "reason"), "WITNESSES_MISSING");

    // The operator sees who is at work.
    let listed = stage.relay.run(&["--json", "witness"]).expect(0).json();
    let all: Vec<(&str, bool)> =
        listed.iter().map(|w| (text(w, "witness"), w["size"].as_u64() <= w["log_size"].as_u64())).collect();
    assert_eq!(all, [("witness.example/0", true), ("witness.example/1", true)]);
    stage.relay.run(&["log", "verify"]).expect(0);

    // Who is not in the configuration does not count, and is told so.
    let refused = manager.run(&["--json", "witness", "--once", "--name", "stranger.example/1"]);
    assert!(refused.expect(1).err.contains("COSIGNATURE_INVALID"), "{}", refused.err);
    // A name is for ever, and there is none without.
    assert!(
        visit
            .run(&["--json", "witness", "--show-key", "--name", "other/1"])
            .expect(2)
            .err
            .contains("ARGUMENT")
    );
    fs::remove_file(day.home.join("witness.key")).unwrap();
    assert!(look(&day).expect(2).err.contains("--name"));
}

#[test]
fn n_of_m_on_sqlite() {
    n_of_m(Database::Sqlite);
}

#[test]
fn n_of_m_on_postgres() {
    n_of_m(Database::Postgres);
}

/// Removes what an office has seen of the log, as if it were new.
fn forget_checkpoints(office: &Office) {
    fs::remove_dir_all(office.home.join("state/checkpoints")).unwrap();
    fs::create_dir(office.home.join("state/checkpoints")).unwrap();
}

#[test]
fn a_relay_with_two_histories_finds_no_witness_for_the_second() {
    let mut stage = Stage::new(Database::Sqlite);
    let (manager, day) = (stage.office(MANAGER), stage.office(DAY));
    stage.office(VISIT).run(&["inbox"]).expect(0);
    make_witnesses(&mut stage, &[&day]);
    send(&manager, "1");
    looked(&day);
    let file = |name: &str| -> PathBuf { stage.relay.dir.join(name) };
    let (database, copy, kept) = (file("relay.db"), file("copy.db"), file("witness/checkpoint"));
    assert!(stage.relay.stop());
    fs::copy(&database, &copy).unwrap();
    stage.relay.start();
    send(&manager, "2");
    let seen = looked(&day)["size"].as_u64().unwrap();

    // The relay forgets, on purpose: the database goes back, and so does its own witness file.
    assert!(stage.relay.stop());
    fs::rename(&copy, &database).unwrap();
    fs::remove_file(&kept).unwrap();
    stage.relay.start();
    // It shows less: nothing is vouched for.
    let behind = look(&day);
    assert!(behind.expect(3).err.contains("RELAY_BEHIND"), "{}", behind.err);
    // It shows another history of the same length and more, to an office that knows no better.
    forget_checkpoints(&manager);
    let mut size = 0;
    for note in 0..10 {
        send(&manager, &format!("another {note}"));
        let listed = stage.relay.run(&["--json", "witness"]).expect(0).json();
        size = listed[0]["log_size"].as_u64().unwrap();
        if size > seen {
            break;
        }
    }
    assert!(size > seen);
    for forgotten in [false, true] {
        if forgotten {
            // What was vouched for is kept apart from what was seen.
            forget_checkpoints(&day);
        }
        let refused = look(&day);
        assert!(refused.expect(1).err.contains("LOG_INCONSISTENT"), "{}", refused.err);
    }
    let listed = stage.relay.run(&["--json", "witness"]).expect(0).json();
    assert!(listed[0]["size"].as_u64() < Some(seen), "{listed:?}");
}

#[test]
fn a_witness_whose_state_went_back_takes_up_what_it_has_vouched_for() {
    let mut stage = Stage::new(Database::Sqlite);
    let (manager, day) = (stage.office(MANAGER), stage.office(DAY));
    stage.office(VISIT).run(&["inbox"]).expect(0);
    make_witnesses(&mut stage, &[&day]);
    send(&manager, "1");
    looked(&day);
    let state = day.home.join("state/witness/e1.txt");
    let old = fs::read(&state).unwrap();
    send(&manager, "2");
    let newest = looked(&day)["size"].clone();
    fs::write(&state, &old).unwrap();
    forget_checkpoints(&day);
    send(&manager, "3");
    let ran = look(&day);
    assert!(ran.expect(0).err.contains("WITNESS_STATE_WENT_BACK"), "{}", ran.err);
    assert!(ran.json()[0]["size"].as_u64() > newest.as_u64());
    assert!(!look(&day).err.contains("WITNESS_STATE_WENT_BACK"));
    // What can't be read is an alarm, not a beginning.
    fs::write(&state, "nonsense").unwrap();
    let refused = look(&day);
    assert!(refused.expect(1).err.contains("EVIDENCE_MALFORMED"), "{}", refused.err);
}
