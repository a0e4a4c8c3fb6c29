//! After sending, through the command line: hold, release, discard, recall, refuse, import, remark, supersede, overdue,
//! expire, key lost and sent again.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;
use tasuki_tests::office::{Office, write_slips};
use tasuki_tests::run::{Ran, run, text};

use crate::stage::{DAY, Database, MANAGER, Stage, VISIT, programs};

struct Post {
    stage: Stage,
    manager: Office,
    visit: Office,
    sent: u32,
}

impl Post {
    fn new(database: Database) -> Self {
        let stage = Stage::new(database);
        let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
        // Each registers its key.
        visit.run(&["inbox"]).expect(0);
        manager.run(&["inbox"]).expect(0);
        Self { stage, manager, visit, sent: 0 }
    }

    /// Sends one slip with a serial of its own.
    fn send(&mut self, flags: &[&str]) -> String {
        let sent = self.try_send(flags).expect(0).json();
        assert_eq!(sent.len(), 1, "{sent:?}");
        text(&sent[0], "parcel").to_owned()
    }

    fn try_send(&mut self, flags: &[&str]) -> Ran {
        let all = write_slips(&self.stage.path().join("slips"), self.sent + 1);
        let serial = format!("2026012510{:02}{:02}", self.sent / 60, self.sent % 60);
        self.sent += 1;
        let one = self.stage.path().join(format!("slip-{serial}"));
        fs::create_dir(&one).unwrap();
        for file in fs::read_dir(all).unwrap().map(Result::unwrap) {
            if file.file_name().to_string_lossy().contains(&serial) {
                fs::copy(file.path(), one.join(file.file_name())).unwrap();
            }
        }
        let path = one.display().to_string();
        self.manager.run(&[&["--json", "send"], flags, &[&path]].concat())
    }

    fn receive(&self) -> Vec<Value> {
        let out = self.stage.path().join("in").display().to_string();
        self.visit.run(&["--json", "receive", "--out", &out]).json()
    }

    fn inbox(&self, flags: &[&str]) -> Vec<String> {
        let listed = self.visit.run(&[&["--json", "inbox"], flags].concat()).expect(0).json();
        listed.iter().map(|parcel| text(parcel, "parcel").to_owned()).collect()
    }

    fn show(&self, parcel: &str) -> Value {
        self.manager.run(&["--json", "show", parcel]).expect(0).json().remove(0)
    }

    fn kinds(&self, parcel: &str) -> Vec<String> {
        let events = self.show(parcel)["events"].as_array().cloned().unwrap_or_default();
        events.iter().map(|event| text(event, "kind").to_owned()).collect()
    }
}

/// Does something that is to be done, and returns the state.
#[track_caller]
fn done(office: &Office, args: &[&str]) -> String {
    let told = office.run(&[&["--json"], args].concat()).expect(0).json().remove(0);
    assert!(told["reason"].is_null(), "{told}");
    text(&told, "state").to_owned()
}

/// Does something that is to be refused, and returns what was told.
#[track_caller]
fn refused(office: &Office, args: &[&str]) -> Value {
    let told = office.run(&[&["--json"], args].concat()).expect(1).json().remove(0);
    assert!(!text(&told, "message_ja").is_empty() && !text(&told, "message_en").is_empty(), "{told}");
    told
}

fn held_until_released(database: Database) {
    let mut post = Post::new(database);
    let (held, thrown) = (post.send(&["--hold"]), post.send(&["--hold"]));
    assert_eq!(text(&post.show(&held), "state"), "held");
    assert!(post.inbox(&[]).is_empty() && post.inbox(&["--all"]).is_empty());
    let hidden = post.visit.run(&["--json", "show", &held]);
    hidden.expect(1);
    assert!(hidden.err.contains("PARCEL_NOT_FOUND"), "{}", hidden.err);
    let refusal = refused(&post.visit, &["refuse", &held, "--reason", "other"]);
    assert_eq!(text(&refusal, "reason"), "PARCEL_NOT_FOUND");
    assert_eq!(text(&refused(&post.manager, &["imported", &held]), "reason"), "STATEMENT_SIGNER");

    assert_eq!(done(&post.manager, &["discard", &thrown]), "discarded");
    assert_eq!(text(&refused(&post.manager, &["release", &thrown]), "reason"), "PARCEL_DISCARDED");
    assert_eq!(done(&post.manager, &["release", &held]), "delivered");
    assert_eq!(done(&post.manager, &["release", &held]), "delivered", "again is no error");
    assert_eq!(text(&refused(&post.manager, &["discard", &held]), "reason"), "NOT_HELD");
    assert_eq!(post.inbox(&[]), [held.as_str()]);
    assert_eq!(post.receive().len(), 1);
    // Both sides prove it, each with what it may know.
    for (office, events) in [(&post.manager, 4), (&post.visit, 3)] {
        let proof = post.stage.path().join(format!("proof-{}", office.number)).display().to_string();
        office.run(&["evidence", &held, "--out", &proof]).expect(0);
        assert_eq!(fs::read_dir(format!("{proof}/events")).unwrap().count(), events);
        run(programs().tasuki().args(["--json", "verify", &proof])).expect(0);
    }
    post.stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn held_until_released_sqlite() {
    held_until_released(Database::Sqlite);
}

#[test]
fn held_until_released_postgres() {
    held_until_released(Database::Postgres);
}

#[test]
fn recalled_in_time_or_asked_back() {
    let mut post = Post::new(Database::Sqlite);
    let early = post.send(&[]);
    assert_eq!(post.inbox(&[]), [early.as_str()]);
    assert_eq!(done(&post.manager, &["recall", &early]), "recalled");
    assert!(post.inbox(&[]).is_empty());
    assert_eq!(post.inbox(&["--all"]), [early.as_str()], "what was there is not denied");
    assert!(post.receive().is_empty());

    let late = post.send(&[]);
    assert_eq!(post.receive().len(), 1);
    let told = refused(&post.manager, &["recall", &late]);
    assert_eq!(text(&told, "reason"), "ALREADY_FETCHED");
    assert_eq!(text(&told, "fetched_by"), format!("office:{VISIT}"));
    assert!(text(&told, "fetched_at").starts_with("20"), "{told}");
    done(&post.manager, &["recall", &late, "--ask", "--text", "利用者を間違えました"]);
    let events = post.visit.run(&["--json", "watch", "--once"]).expect(0).json();
    assert!(events.iter().any(|event| text(event, "kind") == "parcel.withdrawal-asked"), "{events:?}");
    let shown = post.visit.run(&["--json", "show", &late]).expect(0).json().remove(0);
    let asked = shown["events"].as_array().unwrap().last().unwrap();
    assert_eq!((text(asked, "text"), text(asked, "word_of")), ("利用者を間違えました", "sender"));
    post.stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn refused_imported_and_talked_about() {
    let mut post = Post::new(Database::Sqlite);
    let (wrong, right) = (post.send(&[]), post.send(&[]));
    assert_eq!(text(&refused(&post.visit, &["imported", &wrong]), "reason"), "NOT_FETCHED");
    assert_eq!(post.receive().len(), 2);
    let refuse = ["refuse", &wrong, "--reason", "wrong-content", "--text", "1名足りません"];
    assert_eq!(done(&post.visit, &refuse), "refused");
    assert_eq!(done(&post.visit, &refuse), "refused", "again is no error");
    assert_eq!(text(&refused(&post.visit, &["imported", &wrong]), "reason"), "PARCEL_REFUSED");
    assert_eq!(done(&post.visit, &["imported", &right]), "imported");
    assert_eq!(
        text(&refused(&post.visit, &["refuse", &right, "--reason", "other"]), "reason"),
        "ALREADY_IMPORTED"
    );
    post.visit.run(&["refuse", &right, "--reason", "because"]).expect(2);

    let sent = post.manager.run(&["--json", "sent", "--state", "refused"]).expect(0).json();
    assert_eq!((sent.len(), text(&sent[0], "refusal")), (1, "wrong-content"));
    done(&post.manager, &["remark", &right, "--text", "ありがとうございます", "--urgent"]);
    done(&post.visit, &["remark", &right, "--text", "1名追加してください"]);
    let shown = post.show(&right);
    assert_eq!(shown["urgent"], true);
    let texts: Vec<&str> =
        shown["events"].as_array().unwrap().iter().filter_map(|e| e["text"].as_str()).collect();
    assert_eq!(texts, ["ありがとうございます", "1名追加してください"]);
    // A stranger learns nothing, and the relay can read none of it.
    let stranger = post.stage.office(DAY);
    assert_eq!(text(&refused(&stranger, &["remark", &right, "--text", "?"]), "reason"), "PARCEL_NOT_FOUND");
    let database = fs::read(post.stage.relay.dir.join("relay.db")).unwrap();
    let wal = fs::read(post.stage.relay.dir.join("relay.db-wal")).unwrap_or_default();
    for words in ["1名足りません", "ありがとうございます"] {
        let found = |bytes: &[u8]| bytes.windows(words.len()).any(|piece| piece == words.as_bytes());
        assert!(!found(&database) && !found(&wal), "{words} stands in the database");
    }

    post.manager
        .run(&["--json", "request", VISIT, "--document", "burden-ratio", "--text", "お願いします"])
        .expect(0);
    let events = post.visit.run(&["--json", "watch", "--once"]).expect(0).json();
    let request = events.iter().find(|event| text(event, "kind") == "request.made").unwrap();
    assert_eq!(text(&request["details"], "document"), "burden-ratio");
    let unknown = post.manager.run(&["--json", "request", "8800000000", "--document", "other"]);
    unknown.expect(1);
    assert!(unknown.err.contains("RECIPIENT_UNKNOWN"), "{}", unknown.err);
    let proof = post.stage.path().join("proof").display().to_string();
    for parcel in [&wrong, &right] {
        post.manager.run(&["evidence", parcel, "--out", &format!("{proof}-{parcel}")]).expect(0);
        run(programs().tasuki().args(["verify", &format!("{proof}-{parcel}")])).expect(0);
    }
    post.stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn a_newer_version_takes_the_place_of_an_older_one() {
    let mut post = Post::new(Database::Sqlite);
    let first = post.send(&[]);
    let proposed = post.try_send(&["--hold"]);
    assert!(proposed.err.contains("MAY_SUPERSEDE") && proposed.err.contains(&first), "{}", proposed.err);
    let second = post.send(&["--supersedes", &first, "--hold"]);
    assert_eq!(post.inbox(&[]), [first.as_str()], "not before it is delivered");
    done(&post.manager, &["release", &second]);
    assert_eq!(post.inbox(&[]), [second.as_str()]);
    assert!(post.inbox(&["--all"]).contains(&first));
    assert_eq!(text(&post.show(&first), "superseded_by"), second);
    let third = post.send(&["--supersedes", "auto"]);
    assert_eq!(text(&post.show(&third), "supersedes"), second);
    assert_eq!(post.inbox(&[]), [third.as_str()]);
    done(&post.manager, &["recall", &third]);
    assert_eq!(post.inbox(&[]), [second.as_str()], "the mark ends with the recall");
    let unknown = post.try_send(&["--supersedes", "0193a3f0-8a1b-7c2d-8e3f-000000000000"]).expect(1).json();
    assert_eq!(text(&unknown[0], "reason"), "SUPERSEDES_UNKNOWN");
    let received = post.receive();
    assert_eq!(received.iter().map(|p| text(p, "parcel")).collect::<Vec<_>>(), [second]);
    post.stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn what_waits_is_called_overdue_and_expires() {
    let mut post = Post::new(Database::Sqlite);
    assert!(post.stage.relay.stop());
    post.stage.relay.configure(|line| {
        let short = [("overdue_after", "1s"), ("expire_after", "4s"), ("sweep_every_s", "")];
        let key = line.split(' ').next().unwrap();
        match short.iter().find(|(name, _)| *name == key) {
            Some((_, "")) => Some("sweep_every_s = 1".to_owned()),
            Some((name, span)) => Some(format!("{name} = \"{span}\"")),
            None => None,
        }
    });
    post.stage.relay.start();
    let soon = tasuki_proto::time::format_us(tasuki_tests::raw::now_us() + 1_500_000);
    let timed = post.send(&["--release-at", &soon]);
    assert_eq!(text(&post.show(&timed), "state"), "held");
    let replaced = post.send(&["--release-at", &soon]);
    let waits = post.send(&["--supersedes", &replaced]);
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut overdue = false;
    while [&waits, &timed, &replaced].iter().any(|parcel| text(&post.show(parcel), "state") != "expired") {
        overdue |= !post.manager.run(&["--json", "sent", "--overdue"]).expect(0).json().is_empty();
        assert!(Instant::now() < deadline, "{}", post.stage.relay.log_text());
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(overdue);
    assert_eq!(post.kinds(&waits), ["parcel.delivered", "parcel.overdue", "parcel.expired"]);
    assert_eq!(post.kinds(&timed), ["parcel.held", "parcel.delivered", "parcel.overdue", "parcel.expired"]);
    // A newer version took its place before: nobody is to fetch it.
    assert_eq!(post.kinds(&replaced), ["parcel.held", "parcel.delivered", "parcel.expired"]);
    assert!(post.receive().is_empty());
    assert_eq!(text(&refused(&post.manager, &["recall", &waits]), "reason"), "PARCEL_EXPIRED");
    let far = tasuki_proto::time::format_us(tasuki_tests::raw::now_us() + 100 * 86_400 * 1_000_000);
    let too_far = post.try_send(&["--release-at", &far]).expect(1).json();
    assert_eq!(text(&too_far[0], "reason"), "HOLD_TOO_LONG");
    post.stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn a_grace_period_lets_everything_be_recalled_unseen() {
    let mut post = Post::new(Database::Sqlite);
    assert!(post.stage.relay.stop());
    post.stage.relay.configure(|line| line.starts_with("grace =").then(|| "grace = \"2s\"".to_owned()));
    post.stage.relay.start();
    let (taken_back, stays) = (post.send(&[]), post.send(&[]));
    assert_eq!(done(&post.manager, &["recall", &taken_back]), "recalled");
    let deadline = Instant::now() + Duration::from_secs(30);
    while post.inbox(&[]).is_empty() {
        assert!(Instant::now() < deadline, "{}", post.stage.relay.log_text());
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(post.inbox(&["--all"]), [stays]);
}

#[test]
fn a_lost_key_is_answered_and_the_parcel_sent_again() {
    let mut post = Post::new(Database::Sqlite);
    let lost = post.send(&["--note", "2月分です"]);
    // The office's computer is gone, and with it the key: a new certificate, a new HOME.
    let renewed = post.stage.path().join("renewed");
    fs::create_dir(&renewed).unwrap();
    post.visit = Office::join(&post.stage.relay, &renewed, VISIT);
    let out = post.stage.path().join("in").display().to_string();
    let received = post.visit.run(&["--json", "receive", "--out", &out]).expect(1).json();
    assert_eq!((text(&received[0], "state"), text(&received[0], "reason")), ("refused", "NOT_A_RECIPIENT"));
    let sent = post.manager.run(&["--json", "sent"]);
    sent.expect(0);
    assert!(sent.err.contains("KEY_LOST"), "{}", sent.err);
    assert_eq!(text(&sent.json()[0], "refusal"), "key-lost");
    let again = post.manager.run(&["--json", "resend", "--lost"]).expect(0).json();
    assert_eq!(again.len(), 1);
    assert_eq!(text(&post.show(text(&again[0], "parcel")), "supersedes"), lost);
    assert!(post.manager.run(&["--json", "resend", "--lost"]).expect(0).json().is_empty(), "once");
    let received = post.receive();
    assert_eq!((text(&received[0], "state"), text(&received[0], "note")), ("acknowledged", "2月分です"));
    post.stage.relay.run(&["log", "verify"]).expect(0);
}
