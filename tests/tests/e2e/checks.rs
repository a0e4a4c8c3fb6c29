//! The standard's checks on the way: offline, before sending, and at the relay's door.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tasuki_careplan::samples;
use tasuki_tests::office::write_sample;
use tasuki_tests::run::{run, text};

use crate::stage::{Database, MANAGER, Stage, VISIT, programs};

fn rules(object: &Value) -> Vec<&str> {
    let findings = object["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    findings.iter().map(|finding| text(finding, "rule")).collect()
}

/// Writes sample units into one folder, with other texts in their names.
fn renamed(folder: &Path, units: &[&str], from: &str, to: &str) -> String {
    fs::create_dir_all(folder).unwrap();
    for sample in units.iter().flat_map(|unit| samples::of_folder(unit)) {
        fs::write(folder.join(sample.name.replace(from, to)), sample.bytes).unwrap();
    }
    folder.display().to_string()
}

#[test]
fn every_sample_is_clean_and_one_unit() {
    let folder = tempfile::tempdir().unwrap();
    let units: BTreeSet<&str> = samples::all().iter().map(|sample| sample.folder).collect();
    let mut command = programs().tasuki();
    command.args(["--json", "check"]);
    for unit in &units {
        command.arg(write_sample(folder.path(), unit));
    }
    let summaries = run(&mut command).expect(0).json();
    assert_eq!(summaries.len(), units.len(), "a summary for each path and no finding: {summaries:?}");
    for summary in &summaries {
        assert_eq!((&summary["errors"], &summary["warnings"]), (&0.into(), &0.into()), "{summary}");
        assert_eq!(summary["units"].as_array().map(Vec::len), Some(1), "{summary}");
        assert!(!text(&summary["units"][0], "content_ja").is_empty());
    }
}

#[test]
fn a_misdirected_slip_leaves_neither_this_computer_nor_the_relay() {
    let stage = Stage::new(Database::Sqlite);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    // One of the two users of this slip has no service at the visiting office.
    let slip = renamed(
        &stage.path().join("misdirected"),
        &["04_slip_202602_to_day_two_users"],
        "9971100020_15",
        "9971100012_11",
    );
    let refused = manager.run(&["--json", "send", &slip]).expect(1).json();
    assert_eq!(text(&refused[0], "reason"), "FILES_REJECTED");
    assert!(rules(&refused[0]).contains(&"MISDIRECTED"), "{refused:?}");
    assert!(refused[0]["parcel"].is_null(), "nothing was made, so nothing left: {refused:?}");

    let refused = manager.run(&["--json", "send", "--unchecked", &slip]).expect(1).json();
    assert_eq!((text(&refused[0], "state"), text(&refused[0], "reason")), ("rejected", "FILES_REJECTED"));
    assert!(rules(&refused[0]).contains(&"MISDIRECTED"), "{refused:?}");
    assert!(!text(&refused[0], "parcel").is_empty(), "the relay judged it: {refused:?}");
    assert!(visit.run(&["--json", "inbox"]).expect(0).json().is_empty());
    assert!(manager.run(&["--json", "sent"]).expect(0).json().is_empty());

    // Without that user's rows, and with a new serial, it goes.
    let out = stage.path().join("mended").display().to_string();
    let split =
        manager.run(&["--json", "split", "--drop-misdirected", &slip, "--out", &out]).expect(0).json();
    assert_eq!(split.last().map(|object| &object["dropped_users"]), Some(&1.into()));
    manager.run(&["send", &out]).expect(0);
    assert_eq!(visit.run(&["--json", "inbox"]).expect(0).json().len(), 1);
}

#[test]
fn one_unit_of_an_export_goes_and_the_rest_is_listed() {
    let stage = Stage::new(Database::Sqlite);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    let folder = stage.path().join("export");
    let units = ["01_plan_documents_to_visit", "03_slip_202602_to_visit"];
    let export = renamed(&folder, &units, "20260120101500", "20260125103000");
    let attached = "ATTACH_signed-use-slip_1371215102_9971100012_20260125103000_0001.pdf";
    fs::write(folder.join(attached), b"%PDF-1.7 for the end-to-end test").unwrap();

    let sent = manager.run(&["--json", "send", "--unit", "slip", &export]).expect(0).json();
    assert_eq!(text(&sent[0], "state"), "delivered");
    assert_eq!(sent[0]["files"].as_array().map(Vec::len), Some(4));
    let left: Vec<&str> = sent[1..].iter().map(|object| text(object, "reason")).collect();
    assert_eq!(left, ["OTHER_UNIT"; 4]);

    let words = "サービス利用票（第6・7表）2026年2月分 作成・更新、添付1件";
    let inbox = visit.run(&["--json", "inbox"]).expect(0).json();
    assert_eq!(text(&inbox[0], "content_ja"), words);
    let listed = manager.run(&["--json", "sent"]).expect(0).json();
    assert_eq!(text(&listed[0], "content_ja"), words);
    let parcel = text(&sent[0], "parcel");
    let show = manager.run(&["--lang", "ja", "show", parcel]);
    show.expect(0);
    assert!(show.out.contains(words), "{}", show.out);
    let out = stage.path().join("in").display().to_string();
    let received = visit.run(&["--lang", "ja", "receive", "--out", &out]);
    received.expect(0);
    assert!(received.out.contains(words) && received.out.contains(attached), "{}", received.out);

    // What was received is joined for import: three kinds, three files.
    let import = stage.path().join("import").display().to_string();
    let joined = visit.run(&["--json", "join", &out, "--out", &import]).expect(0).json();
    assert_eq!(joined.iter().filter(|object| object["state"] == "written").count(), 3);
}
