//! A receiver lost its key: its parcels are sent again from the sender's archive, each once, when there is a new key.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;
use tasuki_tests::office::{Office, write_slips};
use tasuki_tests::run::{run, text};

use crate::stage::{Database, MANAGER, Stage, VISIT};

/// Sends `count` slips and returns their ids.
fn send(stage: &Stage, manager: &Office, count: u32) -> Vec<String> {
    let slips = write_slips(&stage.path().join("slips"), count).display().to_string();
    let sent = manager.run(&["--json", "send", &slips]).expect(0).json();
    sent.iter().map(|object| text(object, "parcel").to_owned()).collect()
}

/// The office's computer is gone, and with it the key: a new certificate, a new HOME.
fn renewed(stage: &Stage, name: &str) -> Office {
    let folder = stage.path().join(name);
    fs::create_dir(&folder).unwrap();
    Office::join(&stage.relay, &folder, VISIT)
}

fn receive(stage: &Stage, office: &Office, code: i32) -> Vec<Value> {
    let out = stage.path().join("in").display().to_string();
    office.run(&["--json", "receive", "--out", &out]).expect(code).json()
}

#[test]
fn nothing_is_sent_to_the_lost_key_and_nothing_twice() {
    let mut stage = Stage::new(Database::Sqlite);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    visit.run(&["inbox"]).expect(0);
    // One after the other, so that each is in a batch of its own.
    let first = send(&stage, &manager, 1);
    let parcels = send(&stage, &manager, 2);
    assert_eq!(parcels[0], first[0]);
    // It can open them in truth; it says that it can't, and has no other key.
    receive(&stage, &visit, 0);
    for parcel in &parcels {
        visit.run(&["refuse", parcel, "--reason", "key-lost"]).expect(0);
    }
    for again in
        [&["resend", "--lost"][..], &["resend", "--all-key-lost"], &["watch", "--once", "--auto-resend"]]
    {
        let ran = manager.run(&[&["--json"], again].concat());
        let objects = ran.expect(0).json();
        let told = objects.iter().filter(|object| text(object, "state") == "waiting").count()
            + ran.err.matches("KEY_LOST_WAITING").count();
        assert_eq!(told, 2, "{objects:?}\n{}", ran.err);
        assert!(objects.iter().all(|object| text(object, "kind") != "resend" || object["parcel"].is_null()));
    }
    assert_eq!(manager.run(&["--json", "sent"]).expect(0).json().len(), 2);

    // One is not in the archive any more: the other goes all the same, held for its sender's time of grace.
    let batches = fs::read_dir(manager.home.join("archive")).unwrap().map(|file| file.unwrap().path());
    fs::remove_file(batches.min().unwrap()).unwrap();
    assert!(stage.relay.stop());
    stage.relay.configure(|line| line.starts_with("grace =").then(|| "grace = \"1h\"".to_owned()));
    stage.relay.start();
    let visit = renewed(&stage, "renewed");
    // A computer that loses what it does from here on: as a crash would, and worse.
    let crashed = stage.path().join("crashed");
    run(Command::new("cp").arg("-r").arg(&manager.home).arg(&crashed)).expect(0);
    let crashed = manager.with_home(crashed);
    let resent = manager.run(&["--json", "resend", "--lost"]);
    let objects = resent.expect(1).json();
    assert_eq!(objects.len(), 1, "{objects:?}");
    assert_eq!(text(&objects[0], "state"), "held");
    assert!(resent.err.contains("NOT_ARCHIVED") && resent.err.contains(&parcels[0]), "{}", resent.err);
    let new = text(&objects[0], "parcel").to_owned();
    // It does not supersede yet, and is not sent once more; nor when its sender takes it back.
    let once_more = |word: &str| {
        for office in [&manager, &crashed] {
            let again = office.run(&["--json", "resend", "--lost"]).expect(1).json();
            assert!(again.is_empty(), "{word}: {again:?}");
        }
    };
    once_more("held");
    manager.run(&["recall", &new]).expect(0);
    once_more("recalled");
    assert!(visit.run(&["--json", "inbox"]).expect(0).json().is_empty());
    stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn who_watches_sends_again_by_itself() {
    let stage = Stage::new(Database::Sqlite);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    visit.run(&["inbox"]).expect(0);
    let parcels = send(&stage, &manager, 3);
    let mut command = manager.command(&["--json", "watch", "--auto-resend"]);
    let mut watching =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let (lines, told) = mpsc::channel::<Value>();
    let output = BufReader::new(watching.stdout.take().unwrap());
    std::thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            let _gone = lines.send(serde_json::from_str(&line).unwrap());
        }
    });

    let visit = {
        let lost = renewed(&stage, "renewed");
        let received = receive(&stage, &lost, 1);
        assert!(received.iter().all(|object| text(object, "state") == "refused"), "{received:?}");
        lost
    };
    let mut again = Vec::new();
    while again.len() < 3 {
        let news = told.recv_timeout(Duration::from_secs(60)).expect("it sends again");
        if text(&news, "kind") == "resend" {
            assert_eq!(text(&news, "state"), "delivered", "{news}");
            again.push(text(&news, "supersedes").to_owned());
        }
    }
    again.sort();
    let mut expected = parcels;
    expected.sort();
    assert_eq!(again, expected, "each once");
    run(Command::new("kill").arg(watching.id().to_string())).expect(0);
    assert!(watching.wait().unwrap().success());

    let received = receive(&stage, &visit, 0);
    assert_eq!(received.len(), 3);
    assert!(received.iter().all(|object| text(object, "state") == "acknowledged"), "{received:?}");
    // Once more there is nothing to do, by whichever way.
    assert!(manager.run(&["--json", "resend", "--lost"]).expect(0).json().is_empty());
    assert_eq!(manager.run(&["--json", "sent"]).expect(0).json().len(), 6);
    stage.relay.run(&["log", "verify"]).expect(0);
}
