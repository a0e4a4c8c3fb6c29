//! What an auditor is told about an office and a key, and the incident pack, while the relay runs.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tasuki_proto::time::format_us;
use tasuki_tests::office::{Office, write_sample};
use tasuki_tests::raw::now_us;
use tasuki_tests::relay::Relay;
use tasuki_tests::run::{Ran, run, text};

use crate::stage::{DAY, Database, MANAGER, Stage, VISIT};

/// What stands in the samples, in a note, in an attachment and in its name: nobody but the two offices reads it.
const IN_THE_CLEAR: [&str; 6] =
    ["吉田実", "ヨシダミノル", "1234567896", "内緒の送付状", "退院サマリー", "本文はここだけ"];

/// Reads a table with another reader, which is strict: an object for each row.
const READ_CSV: &str = r#"
import csv, json, sys
with open(sys.argv[1], encoding="utf-8-sig", newline="") as table:
    for row in csv.DictReader(table, strict=True):
        assert None not in row and None not in row.values(), row
        print(json.dumps(row))
"#;

fn rows(table: &Path) -> Vec<Value> {
    run(Command::new("python3").args(["-c", READ_CSV]).arg(table)).expect(0).json()
}

fn kinds(ran: &Ran) -> Vec<String> {
    ran.json().iter().map(|event| text(event, "kind").to_owned()).filter(|kind| !kind.is_empty()).collect()
}

/// Whether a file holds one of these words, in the encoding of people's files or in that of the standard's.
fn holds(file: &Path, words: &[&str]) -> Option<String> {
    let bytes = fs::read(file).unwrap();
    let found = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    let both = |word: &&&str| found(word.as_bytes()) || found(&encoding_rs::SHIFT_JIS.encode(word).0);
    words.iter().find(both).map(|word| format!("{word} in {}", file.display()))
}

/// All files below a folder.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

/// A slip with a note and an attachment goes out and is signed for. Returns its sender, and the parcel.
fn a_slip(stage: &Stage) -> (Office, String) {
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    let slip = write_sample(&stage.path().join("samples"), "03_slip_202602_to_visit").display().to_string();
    let pdf = stage.path().join("退院サマリー.pdf");
    fs::write(&pdf, "%PDF-1.4 本文はここだけ").unwrap();
    let (attach, note) = (format!("{VISIT}={}", pdf.display()), format!("{VISIT}=内緒の送付状"));
    let sent = manager.run(&["--json", "send", &slip, "--attach", &attach, "--note", &note]).expect(0).json();
    let parcel = text(&sent[0], "parcel").to_owned();
    visit.run(&["--json", "receive", "--out", &stage.path().join("in").display().to_string()]).expect(0);
    (manager, parcel)
}

fn everything_about_an_office_and_a_key(database: Database) {
    let stage = Stage::new(database);
    let (_, parcel) = a_slip(&stage);
    let before_us = now_us();
    let pem = stage.path().join(format!("certificates-{MANAGER}/{MANAGER}.pem")).display().to_string();
    let revoked = stage.relay.run(&["--json", "cert", "revoke", &pem, "--reason", "key-compromise"]);
    let key = text(&revoked.expect(0).json()[0], "fingerprint").to_owned();

    let audit = |arguments: &[&str]| stage.relay.run(&[&["--json", "audit"], arguments].concat());
    let office = audit(&["--office", VISIT]);
    let told = kinds(office.expect(0));
    for kind in ["certificate.issued", "parcel.delivered", "parcel.fetched", "parcel.acknowledged"] {
        assert!(told.iter().any(|told| told == kind), "{kind}: {told:?}");
    }
    let last = office.json().pop().unwrap();
    assert_eq!(
        (text(&last, "name"), &last["parcels"], &last["erased"]),
        ("ひまわり訪問介護", &1.into(), &0.into())
    );
    let unconcerned = audit(&["--office", DAY]);
    assert!(kinds(&unconcerned).iter().all(|kind| !kind.starts_with("parcel.")), "{unconcerned:?}");

    // The life of a key: issued, registered, used, revoked. Audits of it are told as well.
    let kinds =
        |ran: &Ran| -> Vec<String> { kinds(ran).into_iter().filter(|kind| kind != "audit.made").collect() };
    let by_key = kinds(audit(&["--key", &key]).expect(0));
    assert_eq!(by_key, ["certificate.issued", "key.registered", "parcel.delivered", "certificate.revoked"]);
    let late = kinds(audit(&["--key", &key, "--from", &format_us(before_us)]).expect(0));
    assert_eq!(late, ["certificate.revoked"]);
    let early = kinds(audit(&["--key", &key, "--to", &format_us(before_us)]).expect(0));
    assert_eq!(early, by_key[..3]);
    // A day is one of Japan.
    let today = format_us(now_us() + 9 * 3_600_000_000)[..10].to_owned();
    assert_eq!(kinds(audit(&["--key", &key, "--to", "2020-01-01"]).expect(0)), [""; 0]);
    let days = kinds(audit(&["--key", &key, "--from", "2020-01-01", "--to", &today]).expect(0));
    assert!(days == by_key || format_us(now_us() + 9 * 3_600_000_000)[..10] != today, "{days:?}");

    // People read it in their language.
    let people = stage.relay.run(&["--lang", "ja", "audit", "--office", VISIT]);
    assert!(people.expect(0).out.contains("配達") && people.out.contains(&parcel), "{}", people.out);

    // Each of these audits is an event itself, and the log verifies.
    let audits = audit(&["--office", VISIT]);
    assert_eq!(audits.json().iter().filter(|event| event["kind"] == "audit.made").count(), 2);
    stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn everything_about_an_office_and_a_key_sqlite() {
    everything_about_an_office_and_a_key(Database::Sqlite);
}

#[test]
fn everything_about_an_office_and_a_key_postgres() {
    everything_about_an_office_and_a_key(Database::Postgres);
}

fn an_incident_pack(database: Database) {
    let stage = Stage::new(database);
    // A name that wants to be a formula, a tag, and a second column.
    let name = "=1+1,\"<script>alert(1)</script>";
    stage.relay.run(&["office", "add", VISIT, "--name", name]).expect(0);
    let (_, parcel) = a_slip(&stage);
    let folder = stage.path().join("incident");
    let out = folder.display().to_string();
    let ran = stage.relay.run(&["--json", "audit", "--office", VISIT, "--out", &out]);
    let summary = ran.expect(0).json().remove(0);
    let names: BTreeSet<String> =
        files_below(&folder).iter().map(|f| f.file_name().unwrap().to_string_lossy().into_owned()).collect();
    let expected = ["audit.json", "parcels.csv", "parties.csv", "report.html", "timeline.csv"];
    assert_eq!(names, expected.map(str::to_owned).into());

    let timeline = rows(&folder.join("timeline.csv"));
    assert_eq!(summary["events"], timeline.len());
    let delivered = timeline.iter().find(|row| text(row, "kind") == "parcel.delivered").unwrap();
    assert_eq!((text(delivered, "parcel"), text(delivered, "sender")), (parcel.as_str(), MANAGER));
    assert_eq!(text(delivered, "recipient_name"), format!("'{name}"));
    let parcels = rows(&folder.join("parcels.csv"));
    assert_eq!(parcels.len(), 1);
    assert_eq!((text(&parcels[0], "state"), text(&parcels[0], "months")), ("acknowledged", "202602"));
    assert_eq!(text(&parcels[0], "transmitter"), format!("office:{MANAGER}"));
    let parties = rows(&folder.join("parties.csv"));
    for party in [MANAGER, VISIT] {
        assert!(parties.iter().any(|row| text(row, "party") == format!("office:{party}")), "{parties:?}");
    }
    let whole: Value = serde_json::from_slice(&fs::read(folder.join("audit.json")).unwrap()).unwrap();
    assert_eq!(whole["events"].as_array().map(Vec::len), Some(timeline.len()));
    let report = fs::read_to_string(folder.join("report.html")).unwrap();
    assert!(report.contains("監査報告") && !report.contains("<script"), "{report}");
    for file in files_below(&folder) {
        assert_eq!(holds(&file, &IN_THE_CLEAR), None);
    }

    // Nothing is written over, and the refusal comes before anything is looked at.
    let again = stage.relay.run(&["--json", "audit", "--office", VISIT, "--out", &out]);
    assert!(again.expect(2).err.contains("FILE_EXISTS"), "{}", again.err);
    assert_eq!(rows(&folder.join("timeline.csv")), timeline);
}

#[test]
fn an_incident_pack_sqlite() {
    an_incident_pack(Database::Sqlite);
}

#[test]
fn an_incident_pack_postgres() {
    an_incident_pack(Database::Postgres);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let stage = Stage::new(Database::Sqlite);
    for (arguments, code, word) in [
        (&["--office", "1300000006"][..], 1, "OFFICE_NOT_FOUND"),
        (&["--terminal", "1300000006:reception"], 1, "OFFICE_NOT_FOUND"),
        (&["--office", VISIT, "--proxy", "P00001"], 2, "cannot be used with"),
        (&[], 2, "required"),
        (&["--office", VISIT, "--from", "last week"], 2, "--from"),
        (&["--office", VISIT, "--from", "2026-11-27", "--to", "2026-11-26"], 2, "AUDIT_TIMES"),
        (&["--key", "1234"], 2, "64 hexadecimal digits"),
    ] {
        let ran = stage.relay.run(&[&["--json", "audit"], arguments].concat());
        assert!(ran.expect(code).err.contains(word) && ran.out.is_empty(), "{ran:?}");
    }
}

#[test]
fn nothing_in_the_clear_gets_onto_the_relays_disk() {
    let mut stage = Stage::new(Database::Sqlite);
    let (manager, _) = a_slip(&stage);
    // One that the relay refuses for what stands in it, and keeps the findings of.
    let broken = write_sample(&stage.path().join("broken"), "03_slip_202602_to_visit");
    for file in files_below(&broken) {
        let mut bytes = fs::read(&file).unwrap();
        bytes.extend(encoding_rs::SHIFT_JIS.encode("\"吉田実\",\"ヨシダミノル\"\r\n").0.iter());
        fs::write(&file, bytes).unwrap();
    }
    let ran = manager.run(&["--json", "send", "--again", "--unchecked", &broken.display().to_string()]);
    ran.expect(1);
    assert!(!manager.run(&["--json", "refused"]).expect(0).json().is_empty(), "{ran:?}");
    let look = |relay: &Relay| files_below(&relay.dir).iter().find_map(|file| holds(file, &IN_THE_CLEAR));
    assert!(stage.relay.dir.join("relay.db").is_file() && stage.relay.log().is_file());
    assert_eq!(look(&stage.relay), None, "while it runs");
    assert!(stage.relay.stop());
    assert_eq!(look(&stage.relay), None, "when it has stopped");
    // The search itself finds what is there.
    assert!(holds(&files_below(&broken)[0], &["吉田実"]).is_some());
}
