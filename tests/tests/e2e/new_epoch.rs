//! Clients that meet a new epoch: the relay's database was set back under offices that had seen more.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;
use tasuki_certs::trial_ca::{IssueOptions, KeyChoice, KeyUse};
use tasuki_tests::office::{Office, write_sample};
use tasuki_tests::raw::now_us;
use tasuki_tests::run::{Ran, run, text};

use crate::stage::{Database, MANAGER, Stage, VISIT, programs};

const DOCUMENTS: &str = "01_plan_documents_to_visit";
const SLIP: &str = "03_slip_202602_to_visit";

fn sample(stage: &Stage, unit: &str) -> String {
    write_sample(&stage.path().join("samples"), unit).display().to_string()
}

/// Sends one parcel and gives its id back.
fn send(office: &Office, args: &[&str]) -> String {
    let sent = office.run(&[&["--json", "send"], args].concat()).expect(0).json();
    assert_eq!((sent.len(), text(&sent[0], "state")), (1, "delivered"), "{sent:?}");
    text(&sent[0], "parcel").to_owned()
}

/// Copies the database as a backup does, the relay being stopped for it.
fn back_up(stage: &mut Stage) -> PathBuf {
    assert!(stage.relay.stop());
    let copy = stage.relay.dir.join("copy.db");
    fs::copy(stage.relay.dir.join("relay.db"), &copy).unwrap();
    stage.relay.start();
    copy
}

/// Restores the copy.
fn set_back(stage: &mut Stage, copy: &Path) {
    assert!(stage.relay.stop());
    fs::rename(copy, stage.relay.dir.join("relay.db")).unwrap();
    stage.relay.start();
    assert!(stage.relay.log_text().contains("went back in time"), "{}", stage.relay.log_text());
}

/// The remark on standard error that the log began anew, if there is one.
fn remark(ran: &Ran) -> Option<Value> {
    let mut lines = ran.err.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.find(|line| text(line, "notice") == "LOG_BEGAN_ANEW")
}

#[test]
fn what_was_lost_is_named_sent_again_and_arrives_once() {
    let mut stage = Stage::new(Database::Sqlite);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    visit.run(&["inbox"]).expect(0);
    let out = stage.path().join("in").display().to_string();
    let receive = || visit.run(&["--json", "receive", "--out", &out]).expect(0).json();
    let (documents, slip) = (sample(&stage, DOCUMENTS), sample(&stage, SLIP));
    let kept = send(&manager, &[&documents]);
    assert_eq!(receive().len(), 1);
    manager.run(&["watch", "--once"]).expect(0);

    let copy = back_up(&mut stage);
    let (read, unread) = (send(&manager, &[&slip]), "9971100012=よろしくお願いします。");
    assert_eq!(receive().len(), 1);
    let unread_id = send(&manager, &["--note", unread]);
    for office in [&manager, &visit] {
        office.run(&["watch", "--once"]).expect(0);
    }
    let proof = |id: &str| stage.path().join(format!("proof-{id}")).display().to_string();
    for id in [&kept, &read] {
        manager.run(&["evidence", id, "--out", &proof(id)]).expect(0);
    }
    let log_key = manager.home.join("log-key").display().to_string();
    let proofs = [proof(&kept), proof(&read)];
    set_back(&mut stage, &copy);

    // Whichever command comes first says so, in words, and goes on saying so until all is sent again.
    let inbox = manager.run(&["--lang", "en", "inbox"]);
    inbox.expect(0);
    for part in ["began anew, as epoch 2", "of epoch 1", "To send again: 2", &read, &unread_id] {
        assert!(inbox.err.contains(part), "{part}: {}", inbox.err);
    }
    let sent = manager.run(&["--lang", "ja", "sent"]);
    assert!(sent.err.contains("第2期") && sent.err.contains("再送が必要な電文: 2件"), "{}", sent.err);
    assert!(sent.out.contains(&kept) && !sent.out.contains(&read), "{}", sent.out);
    let listed = manager.run(&["--json", "sent"]);
    assert!(text(&remark(&listed).unwrap(), "message_ja").contains(&unread_id), "{}", listed.err);
    assert_eq!(listed.expect(0).json().len(), 1);
    manager.run(&["--json", "show", &read]).expect(1);
    manager.run(&["--json", "show", &kept]).expect(0);

    // The receipt was kept: evidence comes from there, marked as such, as far as it goes.
    let receipt = stage.path().join("receipt").display().to_string();
    let saved = manager.run(&["--json", "evidence", &unread_id, "--out", &receipt]);
    let object = saved.expect(0).json().remove(0);
    assert_eq!(
        (&object["source"], &object["events"], &object["has_parcel"]),
        (&"sent-record".into(), &1.into(), &true.into())
    );
    assert!(
        saved.err.contains("EVIDENCE_FROM_RECORD") && saved.err.contains("失われた範囲"),
        "{}",
        saved.err
    );
    let pinned = ["verify", &receipt, "--log-key", &log_key, "--json"];
    let verified = run(programs().tasuki().args(pinned)).expect(0).json().remove(0);
    let proven: Vec<&str> =
        verified["proofs"].as_array().unwrap().iter().map(|proof| text(proof, "what")).collect();
    assert_eq!(proven, ["signed", "logged"], "{verified}");
    assert!(verified["warnings"].to_string().contains("record that the sender got"), "{verified}");
    // Nobody else has a record of it.
    let nothing = ["--json", "evidence", &unread_id, "--out", &receipt];
    visit.run(&nothing).expect(1);

    // The feed tells it as an event of its own: to programs and to people.
    let news = manager.run(&["--json", "watch", "--once"]).expect(0).json();
    let anew =
        news.iter().find(|n| text(n, "kind") == "feed.new-epoch").unwrap_or_else(|| panic!("{news:?}"));
    assert_eq!((&anew["from_epoch"], &anew["epoch"]), (&1.into(), &2.into()));
    assert!(anew["lost"][0].as_u64().unwrap() < anew["lost"][1].as_u64().unwrap(), "{anew}");
    let resend: Vec<&str> = anew["resend"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(resend, [read.as_str(), unread_id.as_str()]);
    assert!(news.iter().any(|n| text(n, "kind") == "log.started"), "{news:?}");
    let news = visit.run(&["--lang", "ja", "watch", "--once"]);
    assert!(news.expect(0).out.contains("第2期として新しく始まりました"), "{}", news.out);
    assert!(manager.run(&["--json", "watch", "--once"]).expect(0).json().is_empty(), "told once");

    // The receiver loses nothing that it has; there is nothing to receive.
    assert!(receive().is_empty());
    // Sending the same again, without --again, sends the same parcels.
    assert_eq!(send(&manager, &[&slip]), read);
    assert_eq!(send(&manager, &["--note", unread]), unread_id);
    assert_eq!(send(&manager, &[&documents]), kept);
    let quiet = manager.run(&["--json", "sent"]);
    assert_eq!((quiet.expect(0).json().len(), remark(&quiet)), (3, None));
    let received = receive();
    let there: Vec<(&str, &Value)> =
        received.iter().map(|p| (text(p, "parcel"), &p["already_there"])).collect();
    assert_eq!(there, [(read.as_str(), &Value::Bool(true)), (unread_id.as_str(), &Value::Bool(false))]);
    assert_eq!(fs::read_dir(PathBuf::from(&out).join(MANAGER)).unwrap().count(), 3);
    assert!(receive().is_empty());
    let show = manager.run(&["--json", "show", &read]).expect(0).json().remove(0);
    assert_eq!(text(&show, "state"), "acknowledged");
    let epochs: Vec<u64> =
        show["events"].as_array().unwrap().iter().filter_map(|e| e["epoch"].as_u64()).collect();
    assert_eq!(epochs, [2, 2, 2]);

    // What was proven stays proven, also what the relay no longer knows.
    for folder in &proofs {
        run(programs().tasuki().args(["verify", folder, "--log-key", &log_key])).expect(0);
    }
    manager
        .run(&["evidence", &read, "--out", &stage.path().join("proof-again").display().to_string()])
        .expect(0);
    stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn an_office_that_only_sends_sends_what_was_lost() {
    let mut stage = Stage::new(Database::Sqlite);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    visit.run(&["inbox"]).expect(0);
    let slip = sample(&stage, SLIP);
    send(&manager, &["--note", "9971100012=1"]);
    let copy = back_up(&mut stage);
    let lost = send(&manager, &[&slip]);
    set_back(&mut stage, &copy);
    // No command in between: the record alone would say that it is delivered.
    let sent = manager.run(&["--json", "send", &slip]);
    assert_eq!(text(&sent.expect(0).json()[0], "parcel"), lost);
    assert_eq!(sent.json()[0]["repeated"], false);
    assert!(remark(&sent).is_some(), "told once at least: {}", sent.err);
    assert_eq!(visit.run(&["--json", "inbox"]).expect(0).json().len(), 2);

    // Where the archive does not keep it, it goes as a new parcel.
    let config = manager.home.join("config.toml");
    let toml = fs::read_to_string(&config).unwrap().replace("archive_days = 90", "archive_days = 0");
    fs::write(&config, toml).unwrap();
    let copy = back_up(&mut stage);
    let lost = send(&manager, &["--note", "9971100012=2"]);
    set_back(&mut stage, &copy);
    assert_ne!(send(&manager, &["--note", "9971100012=2"]), lost);
    let quiet = manager.run(&["--json", "sent"]);
    assert_eq!((quiet.expect(0).json().len(), remark(&quiet)), (3, None));
    assert_eq!(visit.run(&["--json", "inbox"]).expect(0).json().len(), 3);
}

#[test]
fn what_receiving_had_begun_is_finished_in_the_new_epoch() {
    let mut stage = Stage::new(Database::Sqlite);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    visit.run(&["watch", "--once"]).expect(0);
    let id = send(&manager, &[&sample(&stage, SLIP)]);
    let copy = back_up(&mut stage);
    let out = stage.path().join("in").display().to_string();
    let receive = || visit.run(&["--json", "receive", "--out", &out]);
    assert_eq!(text(&receive().expect(0).json()[0], "state"), "acknowledged");
    set_back(&mut stage, &copy);
    // The relay has forgotten the acknowledgement: it is given again, and the files stay as they are.
    let again = receive();
    let received = again.expect(0).json();
    assert_eq!((received.len(), text(&received[0], "parcel")), (1, id.as_str()));
    assert_eq!(
        (text(&received[0], "state"), &received[0]["already_there"]),
        ("acknowledged", &Value::Bool(true))
    );
    assert!(text(&remark(&again).unwrap(), "message_en").contains("None of your parcels"), "{}", again.err);
    let show = manager.run(&["--json", "show", &id]).expect(0).json().remove(0);
    let epochs: Vec<u64> =
        show["events"].as_array().unwrap().iter().filter_map(|e| e["epoch"].as_u64()).collect();
    assert_eq!(epochs, [1, 2, 2]);
    let proof = stage.path().join("proof").display().to_string();
    manager.run(&["evidence", &id, "--out", &proof]).expect(0);
    run(programs().tasuki().args(["verify", &proof])).expect(0);
}

/// A `tasuki watch` at work, and what it prints.
struct Watching {
    process: Child,
    lines: mpsc::Receiver<(bool, Value)>,
}

impl Watching {
    fn start(office: &Office) -> Self {
        let mut command = office.command(&["--json", "watch"]);
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let (told, lines) = mpsc::channel();
        let of_results = told.clone();
        let results = BufReader::new(process.stdout.take().unwrap());
        let errors = BufReader::new(process.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in results.lines().map_while(Result::ok) {
                let _gone = of_results.send((true, serde_json::from_str(&line).unwrap()));
            }
        });
        std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                let _gone = told.send((false, serde_json::from_str(&line).unwrap_or(Value::String(line))));
            }
        });
        Self { process, lines }
    }

    /// Waits for a line of standard output (true) or standard error whose `key` says `word`.
    #[track_caller]
    fn until(&self, result: bool, key: &str, word: &str) -> Value {
        let mut before = Vec::new();
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(60));
            let (is_result, value) = line.unwrap_or_else(|e| panic!("no {word}: {e}; before: {before:?}"));
            if is_result == result && text(&value, key) == word {
                return value;
            }
            before.push(value);
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _status = self.process.wait();
    }
}

#[test]
fn who_watches_is_told_of_a_lost_connection_and_of_a_new_epoch() {
    let mut stage = Stage::new(Database::Sqlite);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    visit.run(&["inbox"]).expect(0);
    let watching = Watching::start(&manager);
    send(&manager, &["--note", "9971100012=1"]);
    watching.until(true, "kind", "parcel.delivered");

    // A restart.
    let copy = back_up(&mut stage);
    let lost = watching.until(false, "notice", "RELAY_LOST");
    assert!(!text(&lost, "message_ja").is_empty() && !text(&lost, "message_en").is_empty());
    watching.until(false, "notice", "RELAY_CONNECTED");
    let id = send(&manager, &["--note", "9971100012=2"]);
    let told = watching.until(true, "kind", "parcel.delivered");
    assert_eq!(text(&told, "parcel"), id);

    set_back(&mut stage, &copy);
    watching.until(false, "notice", "RELAY_LOST");
    watching.until(false, "notice", "RELAY_CONNECTED");
    let anew = watching.until(true, "kind", "feed.new-epoch");
    assert_eq!(anew["resend"], serde_json::json!([id]));
    assert_eq!(send(&manager, &["--note", "9971100012=2"]), id);
    let told = watching.until(true, "kind", "parcel.delivered");
    assert_eq!((text(&told, "parcel"), &told["epoch"]), (id.as_str(), &2.into()));
}

#[test]
fn a_sealing_key_whose_approval_was_lost_is_approved_again() {
    let mut stage = Stage::new(Database::Sqlite);
    let (manager, visit) = (stage.office(MANAGER), signing_only(&stage, VISIT));
    let copy = back_up(&mut stage);
    visit.run(&["inbox"]).expect(0);
    let note = ["--note", "9971100012=1"];
    let id = send(&manager, &note);
    set_back(&mut stage, &copy);
    // The relay has forgotten the key; what was sealed without it could not be opened here.
    visit.run(&["inbox"]).expect(0);
    assert_eq!(send(&manager, &note), id);
    let out = stage.path().join("in").display().to_string();
    let received = visit.run(&["--json", "receive", "--out", &out]).expect(0).json();
    assert_eq!(text(&received[0], "state"), "acknowledged");
}

/// An office whose certificate may sign and not encrypt.
fn signing_only(stage: &Stage, number: &str) -> Office {
    let key_usage = vec![KeyUse::DigitalSignature, KeyUse::NonRepudiation];
    let options = IssueOptions { key_usage, ..IssueOptions::new(now_us()).with_key(KeyChoice::P256) };
    let office = stage.office_with_certificate(number, &options, &[]);
    assert!(office.home.join("sealing.key").exists());
    office
}
