//! One month through the command line, on both databases.

use std::fs;
use std::process::Command;

use serde_json::Value;
use tasuki_tests::office::{Office, write_sample};
use tasuki_tests::run::{run, text};

use crate::stage::{DAY, Database, MANAGER, Stage, VISIT, programs};

fn sample(stage: &Stage, unit: &str) -> String {
    write_sample(&stage.path().join("samples"), unit).display().to_string()
}

fn receive(stage: &Stage, office: &Office) -> Vec<Value> {
    let out = stage.path().join(format!("in-{}", office.number)).display().to_string();
    office.run(&["--json", "receive", "--out", &out, "--keep-sealed"]).expect(0).json()
}

fn a_month(database: Database) {
    let mut stage = Stage::new(database);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    let slip = sample(&stage, "03_slip_202602_to_visit");
    let sent = manager.run(&["--json", "send", &slip]).expect(0).json();
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(text(&sent[0], "recipient"), VISIT);
    assert_eq!(text(&sent[0], "state"), "delivered");
    assert!(sent[0].get("reason").is_some_and(Value::is_null));
    let parcel = text(&sent[0], "parcel").to_owned();

    // The same again is the same parcel; --again makes a new one.
    let same = manager.run(&["--json", "send", &slip]).expect(0).json();
    assert_eq!(text(&same[0], "parcel"), parcel);
    let again = manager.run(&["--json", "send", "--again", &slip]).expect(0).json();
    assert_ne!(text(&again[0], "parcel"), parcel);

    let inbox = visit.run(&["--json", "inbox"]).expect(0).json();
    assert_eq!(inbox.len(), 2);
    for key in ["parcel", "sender", "recipient", "state"] {
        assert!(!text(&inbox[0], key).is_empty(), "{key} in {}", inbox[0]);
    }
    let received = receive(&stage, &visit);
    assert_eq!(received.len(), 2);
    let folder = stage.path().join(format!("in-{VISIT}")).join(MANAGER).join(&parcel);
    for file in fs::read_dir(&slip).unwrap() {
        let file = file.unwrap();
        assert_eq!(fs::read(file.path()).unwrap(), fs::read(folder.join(file.file_name())).unwrap());
    }
    assert!(folder.join("sealed.p7m").exists() && folder.join("parcel.asice").exists());
    assert!(visit.run(&["--json", "inbox"]).expect(0).json().is_empty());
    assert!(receive(&stage, &visit).is_empty(), "nothing is received twice");

    let show = manager.run(&["--json", "show", &parcel]).expect(0).json().remove(0);
    assert_eq!(text(&show, "state"), "acknowledged");
    assert_eq!((text(&show, "sender"), text(&show, "recipient")), (MANAGER, VISIT));
    assert_eq!(text(&show, "recipient_name"), "ひまわり訪問介護");
    assert_eq!(text(&show, "sender_name"), "A居宅介護支援事業所");
    assert_eq!(show["files"].as_array().map(Vec::len), Some(3));
    assert_eq!(show["events"].as_array().map(Vec::len), Some(3));

    let results = sample(&stage, "06_result_202602_from_visit");
    visit.run(&["send", &results]).expect(0);
    assert_eq!(receive(&stage, &manager).len(), 1);

    for (office, name) in [(&manager, "sender"), (&visit, "receiver")] {
        let proof = stage.path().join(format!("proof-{name}")).display().to_string();
        office.run(&["evidence", &parcel, "--out", &proof]).expect(0);
        run(programs().tasuki().args(["--json", "verify", &proof])).expect(0);
    }
    run(programs().tasuki().arg("verify").arg(folder.join("parcel.asice"))).expect(0);

    stage.relay.run(&["log", "verify"]).expect(0);
    assert!(stage.relay.stop(), "{}", stage.relay.log_text());
    stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn a_month_on_sqlite() {
    a_month(Database::Sqlite);
}

#[test]
fn a_month_on_postgres() {
    a_month(Database::Postgres);
}

#[test]
fn what_is_kept_opens_without_tasuki() {
    let stage = Stage::new(Database::Sqlite);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    let sent = manager.run(&["--json", "send", &sample(&stage, "03_slip_202602_to_visit")]).expect(0).json();
    receive(&stage, &visit);
    let folder = stage.path().join(format!("in-{VISIT}")).join(MANAGER).join(text(&sent[0], "parcel"));
    let work = stage.path().join("by-hand");
    fs::create_dir(&work).unwrap();
    let opened = work.join("opened.asice");
    run(Command::new("openssl")
        .args(["cms", "-decrypt", "-binary", "-inform", "DER", "-in"])
        .arg(folder.join("sealed.p7m"))
        .arg("-recip")
        .arg(visit.file("pem"))
        .arg("-inkey")
        .arg(visit.file("key"))
        .arg("-out")
        .arg(&opened))
    .expect(0);
    assert_eq!(fs::read(&opened).unwrap(), fs::read(folder.join("parcel.asice")).unwrap());
    run(Command::new("unzip").arg("-q").arg(&opened).arg("-d").arg(&work)).expect(0);
    run(Command::new("openssl")
        .args(["cms", "-verify", "-cades", "-binary", "-purpose", "any", "-inform", "DER", "-in"])
        .arg(work.join("META-INF/signature.p7s"))
        .arg("-content")
        .arg(work.join("META-INF/ASiCManifest.xml"))
        .arg("-CAfile")
        .arg(stage.relay.dir.join("trial-ca.pem"))
        .arg("-out")
        .arg(work.join("verified")))
    .expect(0);
}

#[test]
fn notes_and_attachments_arrive() {
    let stage = Stage::new(Database::Sqlite);
    let (manager, visit, day) = (stage.office(MANAGER), stage.office(VISIT), stage.office(DAY));
    let pdf = stage.path().join("退院 時 情報.pdf");
    fs::write(&pdf, b"%PDF-1.4 test").unwrap();
    let attach = format!("{VISIT}={}", pdf.display());
    let note = format!("{DAY}=お世話になります。");
    let slips =
        [sample(&stage, "03_slip_202602_to_visit"), sample(&stage, "04_slip_202602_to_day_two_users")];
    let sent = manager
        .run(&["--json", "send", &slips[0], &slips[1], "--attach", &attach, "--note", &note])
        .expect(0)
        .json();
    assert!(sent.iter().all(|p| text(p, "state") == "delivered"), "{sent:?}");
    receive(&stage, &visit);
    receive(&stage, &day);
    let found = |office: &str, name: &str, content: &str| {
        let base = stage.path().join(format!("in-{office}")).join(MANAGER);
        fs::read_dir(base).unwrap().any(|parcel| {
            let file = parcel.unwrap().path().join(name);
            fs::read_to_string(file).is_ok_and(|text| text.contains(content))
        })
    };
    assert!(found(VISIT, "退院 時 情報.pdf", "%PDF"));
    assert!(found(DAY, "note.txt", "お世話になります。"));
    // Neither is anywhere on the relay's disk.
    for entry in fs::read_dir(&stage.relay.dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = fs::read(&path).unwrap();
            for secret in ["お世話になります", "退院 時 情報", "%PDF-1.4 test"] {
                let at = bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
                assert!(!at, "{secret} stands in {}", path.display());
            }
        }
    }
}

#[test]
fn exit_codes_tell_what_happened() {
    let mut stage = Stage::new(Database::Sqlite);
    let manager = stage.office(MANAGER);
    // 1: VISIT has no key yet, so its parcel is rejected.
    let slip = sample(&stage, "03_slip_202602_to_visit");
    let rejected = manager.run(&["--json", "send", &slip]).expect(1).json();
    assert_eq!(text(&rejected[0], "state"), "rejected");
    assert_eq!(text(&rejected[0], "reason"), "RECIPIENT_NO_KEY");
    // Once there is a key, the same command sends it.
    let visit = stage.office(VISIT);
    manager.run(&["send", &slip]).expect(0);
    // 2: usage, configuration.
    manager.run(&["send"]).expect(2);
    manager.run(&["no-such-command"]).expect(2);
    run(programs().tasuki().args(["--home", "/nonexistent", "inbox"])).expect(2);
    manager.run(&["send", "/nonexistent/file.CSV"]).expect(2);
    // 3: the relay is away; the same again resumes.
    stage.relay.stop();
    let results = sample(&stage, "06_result_202602_from_visit");
    visit.run(&["send", &results]).expect(3);
    manager.run(&["inbox"]).expect(3);
    stage.relay.start();
    let sent = visit.run(&["--json", "send", &results]).expect(0).json();
    assert_eq!(text(&sent[0], "state"), "delivered");
    assert_eq!(manager.run(&["--json", "inbox"]).expect(0).json().len(), 1);
}

#[test]
fn the_directory_is_searched_by_words() {
    let stage = Stage::new(Database::Sqlite);
    let manager = stage.office(MANAGER);
    for (words, number) in
        [(&["ひまわり"][..], VISIT), (&["サクラ"], DAY), (&["さくら", "デイ"], DAY), (&["997110001"], VISIT)]
    {
        let mut args = vec!["--json", "offices"];
        args.extend(words);
        let found = manager.run(&args).expect(0).json();
        assert_eq!(found.len(), 1, "{words:?}: {found:?}");
        assert_eq!(text(&found[0], "number"), number);
    }
}
