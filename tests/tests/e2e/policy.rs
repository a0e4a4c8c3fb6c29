//! What is demanded beyond the standard, and where parcels may go: by the relay's configuration, by the office's own.

use std::fs;

use serde_json::Value;
use tasuki_tests::office::{Office, write_sample};
use tasuki_tests::relay::Relay;
use tasuki_tests::run::text;

use crate::stage::{DAY, Database, MANAGER, Stage, VISIT};

/// Sets keys of `[checks]`, and starts the relay again.
fn demand(relay: &mut Relay, keys: &[(&str, &str)]) {
    assert!(relay.stop());
    relay.configure(|line| {
        let key = line.trim_start_matches("# ").split(' ').next().unwrap();
        keys.iter().find(|(name, _)| *name == key).map(|(name, value)| format!("{name} = {value}"))
    });
    relay.start();
}

fn add_to_home(office: &Office, text: &str) {
    let path = office.home.join("config.toml");
    let kept = fs::read_to_string(&path).unwrap();
    let table = text.lines().next().unwrap();
    let kept: String = kept
        .split("\n[")
        .enumerate()
        .filter(|(_, part)| !format!("[{part}").starts_with(table))
        .map(|(at, part)| if at == 0 { part.to_owned() } else { format!("\n[{part}") })
        .collect();
    fs::write(&path, format!("{kept}\n{text}\n")).unwrap();
}

fn rules(told: &Value) -> Vec<&str> {
    told["findings"].as_array().unwrap().iter().map(|finding| text(finding, "rule")).collect()
}

/// A slip in lower case, which the standard's rules warn about.
fn lower_case(stage: &Stage) -> String {
    let folder = stage.path().join("lower");
    fs::create_dir_all(&folder).unwrap();
    for sample in tasuki_careplan::samples::of_folder("03_slip_202602_to_visit") {
        fs::write(folder.join(sample.name.replace(".CSV", ".csv")), sample.bytes).unwrap();
    }
    folder.display().to_string()
}

#[test]
fn a_relay_may_demand_more_and_an_office_more_than_that() {
    let mut stage = Stage::new(Database::Sqlite);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    visit.run(&["inbox"]).expect(0);
    let slip = lower_case(&stage);
    let sent = manager.run(&["--json", "send", &slip]).expect(0).json();
    assert!(!sent[0]["warnings"].as_array().unwrap().is_empty(), "{sent:?}");

    demand(&mut stage.relay, &[("as_errors", "[\"FILE_NAME\"]")]);
    let refused = manager.run(&["--json", "send", "--again", &slip]).expect(1).json();
    assert_eq!(text(&refused[0], "reason"), "FILES_REJECTED");
    assert!(refused[0]["parcel"].is_null() && rules(&refused[0]).contains(&"FILE_NAME"), "{refused:?}");
    let refused = manager.run(&["--json", "send", "--again", "--unchecked", &slip]).expect(1).json();
    assert_eq!(text(&refused[0], "reason"), "FILES_REJECTED");
    assert!(!refused[0]["parcel"].is_null(), "the relay itself refused it: {refused:?}");

    demand(&mut stage.relay, &[("as_errors", "[]")]);
    add_to_home(&manager, "[checks]\nas_errors = [\"FILE_NAME\"]");
    let refused = manager.run(&["--json", "send", "--again", &slip]).expect(1).json();
    assert!(refused[0]["parcel"].is_null() && rules(&refused[0]).contains(&"FILE_NAME"), "{refused:?}");
    manager.run(&["--json", "check", &slip]).expect(1);
    tasuki_tests::run::run(crate::stage::programs().tasuki().args(["check", &slip])).expect(0);

    add_to_home(&manager, "[checks]\nas_errors = [\"NO_SUCH_RULE\"]");
    manager.run(&["send", &slip]).expect(2);
}

#[test]
fn documents_are_those_that_the_operator_names() {
    let mut stage = Stage::new(Database::Sqlite);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    visit.run(&["inbox"]).expect(0);
    let folder = stage.path().join("documents");
    fs::create_dir(&folder).unwrap();
    let named = |kind: &str, branch: u32| {
        let name = format!("ATTACH_{kind}_{MANAGER}_{VISIT}_20260125103000_{branch:04}.pdf");
        let path = folder.join(name);
        fs::write(&path, b"%PDF-1.4 test").unwrap();
        format!("{VISIT}={}", path.display())
    };
    let (known, unknown) = (named("insurance-certificate", 1), named("x-ray", 2));
    manager.run(&["send", "--attach", &known, "--attach", &unknown]).expect(0);

    demand(&mut stage.relay, &[("unknown_documents", "false")]);
    manager.run(&["send", "--again", "--attach", &known]).expect(0);
    for flags in [&["--json", "send", "--again"][..], &["--json", "send", "--again", "--unchecked"]] {
        let refused = manager.run(&[flags, &["--attach", unknown.as_str()]].concat()).expect(1).json();
        assert_eq!(text(&refused[0], "reason"), "FILES_REJECTED", "{refused:?}");
    }

    let own = "[[document]]\nid = \"x-ray\"\nname_ja = \"画像\"\nname_en = \"x-ray\"\nformats = [\"pdf\"]\n";
    fs::write(stage.relay.dir.join("documents.toml"), own).unwrap();
    demand(&mut stage.relay, &[("documents", "\"documents.toml\"")]);
    manager.run(&["send", "--again", "--attach", &unknown]).expect(0);
    fs::write(stage.relay.dir.join("documents.toml"), "nonsense").unwrap();
    let doctor = stage.relay.run(&["--json", "doctor"]).json();
    assert!(doctor.iter().any(|f| text(f, "check") == "checks" && text(f, "status") == "fail"), "{doctor:?}");
    assert!(stage.relay.stop());
    let refused = stage.relay.run(&["serve"]);
    assert!(refused.expect(2).err.contains("documents.toml"), "{}", refused.err);
}

#[test]
fn a_destination_is_looked_at_before_anything_leaves() {
    let stage = Stage::new(Database::Sqlite);
    let (manager, visit, day) = (stage.office(MANAGER), stage.office(VISIT), stage.office(DAY));
    for office in [&visit, &day] {
        office.run(&["inbox"]).expect(0);
    }
    let slip = write_sample(&stage.path().join("samples"), "03_slip_202602_to_visit").display().to_string();
    // The first time it is told, later it is not.
    let first = manager.run(&["--json", "send", &slip]);
    assert_eq!(first.expect(0).json()[0]["new_partner"], true);
    assert!(first.err.contains("NEW_PARTNER") && first.err.contains("ひまわり訪問介護"), "{}", first.err);
    let second = manager.run(&["--json", "send", "--again", &slip]);
    assert_eq!(second.expect(0).json()[0]["new_partner"], false);
    assert!(!second.err.contains("NEW_PARTNER"), "{}", second.err);
    // A HOME that demands it: nothing leaves without a word.
    add_to_home(&manager, "[send]\nconfirm_new_partners = true");
    let note = format!("{DAY}=お世話になります");
    let refused = manager.run(&["--json", "send", "--note", &note]).expect(1).json();
    assert_eq!((text(&refused[0], "reason"), &refused[0]["parcel"]), ("NEW_PARTNER", &Value::Null));
    manager.run(&["--json", "send", "--note", &note, "--new-partner"]).expect(0);
    manager.run(&["--json", "send", "--again", "--note", &note]).expect(0);

    // An office whose software does not read the standard's files gets none; a note it gets.
    let csv =
        format!("number,name,kana,services,standard_ready\n{VISIT},ひまわり訪問介護,ヒマワリ,11,false\n");
    let path = stage.path().join("not-ready.csv");
    fs::write(&path, csv).unwrap();
    stage.relay.run(&["office", "import", &path.display().to_string()]).expect(0);
    // At once at the relay's door; in what it tells of its directory within a second.
    let refused = manager.run(&["--json", "send", "--again", &slip]).expect(1).json();
    assert_eq!(text(&refused[0], "reason"), "RECIPIENT_NOT_READY", "{refused:?}");
    std::thread::sleep(std::time::Duration::from_secs(2));
    for (flags, made) in [(&["--again"][..], false), (&["--again", "--unchecked"], true)] {
        let flags = [&["--json", "send"], flags, &[slip.as_str()]].concat();
        let refused = manager.run(&flags).expect(1).json();
        assert_eq!(text(&refused[0], "reason"), "RECIPIENT_NOT_READY", "{refused:?}");
        assert_eq!(!refused[0]["parcel"].is_null(), made, "left to the relay only if asked to: {refused:?}");
    }
    manager.run(&["--json", "send", "--note", &format!("{VISIT}=ファイルは郵送します")]).expect(0);
    stage.relay.run(&["office", "suspend", DAY, "--reason", "試験"]).expect(0);
    std::thread::sleep(std::time::Duration::from_secs(2));
    let refused = manager.run(&["--json", "send", "--again", "--note", &note]).expect(1).json();
    assert_eq!((text(&refused[0], "reason"), &refused[0]["parcel"]), ("RECIPIENT_SUSPENDED", &Value::Null));
    // What had arrived before is still told as that.
    manager.run(&["--json", "send", "--note", &note]).expect(0);
    // Nobody is asked about what can't go from here anyway.
    let others = write_sample(&stage.path().join("others"), "06_result_202602_from_visit");
    let refused = manager.run(&["--json", "send", &others.display().to_string()]);
    assert_eq!(text(&refused.expect(1).json()[0], "reason"), "SENDER_MISMATCH");
    assert!(!refused.err.contains("NEW_PARTNER"), "{}", refused.err);
}
