//! The directory: imports of lists of others, searching, who changed, and partners who are not there yet.

use std::fs;
use std::sync::Arc;

use serde_json::Value;
use tasuki_careplan::ms932;
use tasuki_sdk::{Client, Home, OfficeChanges, SystemClock};
use tasuki_tests::office::{IMPORT_HEADER, Office};
use tasuki_tests::run::{Ran, text};

use crate::stage::{DAY, Database, MANAGER, Stage, VISIT};

const LIST: &str = "都道府県,市区町村,事業所番号,事業所名称,カナ,サービスの種類\r\n\
    見本県,澤田市,１３７１２１５１１０,髙﨑ケア,ﾀｶｻｷｹｱ,訪問介護\r\n\
    見本県,澤田市,1371215110,髙﨑ケア,ﾀｶｻｷｹｱ,居宅介護支援\r\n\
    見本県,別市,1371215128,別の見本,ベツノミホン,15\r\n";

const COLUMNS: &str = "number = \"事業所番号\"\nname = \"事業所名称\"\nkana = \"カナ\"\n\
    municipality = [\"都道府県\", \"市区町村\"]\nservices = \"サービスの種類\"\n";

fn import(stage: &Stage, list: &[u8], further: &[&str]) -> Ran {
    let (file, columns) = (stage.path().join("list.csv"), stage.path().join("columns.toml"));
    fs::write(&file, list).unwrap();
    fs::write(&columns, COLUMNS).unwrap();
    let (file, columns) = (file.display().to_string(), columns.display().to_string());
    let args = [&["--json", "office", "import", &file, "--columns", &columns], further].concat();
    stage.relay.run(&args)
}

fn size_of_log(stage: &Stage) -> u64 {
    let verified = stage.relay.run(&["--json", "log", "verify"]).expect(0).json().remove(0);
    verified["events"].as_u64().unwrap()
}

fn found(office: &Office, words: &[&str]) -> Vec<Value> {
    office.run(&[&["--json", "offices"], words].concat()).expect(0).json()
}

fn a_list_of_others_is_imported(database: Database) {
    let stage = Stage::new(database);
    let visit = stage.office(VISIT);
    let done = import(&stage, &ms932::encode(LIST).unwrap(), &[]).expect(0).json().remove(0);
    assert_eq!((&done["imported"], &done["changed"], &done["rejected"]), (&2.into(), &2.into(), &0.into()));
    // The same list in another encoding and order says nothing new: no event.
    let before = size_of_log(&stage);
    let mut lines: Vec<&str> = LIST.lines().collect();
    lines[1..].reverse();
    let again = format!("\u{feff}{}\n", lines.join("\n"));
    let done = import(&stage, again.as_bytes(), &[]).expect(0).json().remove(0);
    assert_eq!((&done["imported"], &done["changed"]), (&2.into(), &0.into()));
    assert_eq!(size_of_log(&stage), before);
    for words in [&["高崎"][..], &["ﾀｶｻｷ", "けあ"], &["沢田市"], &["１３７１２１５１１０"], &["髙﨑", "澤田"]]
    {
        let offices = found(&visit, words);
        assert_eq!(offices.len(), 1, "{words:?}");
        let office = &offices[0];
        assert_eq!((text(office, "name"), text(office, "municipality")), ("髙﨑ケア", "見本県澤田市"));
        assert_eq!(office["services"], serde_json::json!(["11", "43"]));
        assert!(text(office, "since").ends_with('Z'), "{office}");
    }
    // What the list has no column for stays.
    stage.relay.run(&["office", "add", "1371215128", "--name", "x", "--accepts", "pdf,csv-4.1"]).expect(0);
    let done = import(&stage, LIST.as_bytes(), &[]).expect(0).json().remove(0);
    assert_eq!(done["changed"], 1);
    let office = found(&visit, &["1371215128"]).remove(0);
    assert_eq!((text(&office, "name"), &office["standard_ready"]), ("別の見本", &true.into()));
    assert_eq!(office["accepts"], serde_json::json!(["csv-4.1", "pdf"]));
    stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn a_list_of_others_is_imported_sqlite() {
    a_list_of_others_is_imported(Database::Sqlite);
}

#[test]
fn a_list_of_others_is_imported_postgres() {
    a_list_of_others_is_imported(Database::Postgres);
}

#[test]
fn a_list_with_bad_rows_is_imported_whole_or_not_at_all_unless_they_are_skipped() {
    let stage = Stage::new(Database::Sqlite);
    let bad = format!(
        "{LIST}見本県,よその市,1371215110,髙﨑ケア,,11\r\n見本県,市,12,x,,11\r\n見本県,市,1371215136,x,,釣り\r\n"
    );
    let before = size_of_log(&stage);
    let told: Vec<(Value, Value)> = import(&stage, bad.as_bytes(), &[])
        .expect(1)
        .json()
        .into_iter()
        .map(|row| (row["line"].clone(), row["reason"].clone()))
        .collect();
    let expected: Vec<(Value, Value)> = [(5, "NUMBER_TWICE"), (6, "NUMBER"), (7, "SERVICES")]
        .map(|(line, reason)| (line.into(), reason.into()))
        .into();
    assert_eq!(told, expected);
    assert_eq!(size_of_log(&stage), before, "nothing half done");
    let skipped = import(&stage, bad.as_bytes(), &["--skip-bad"]).expect(1).json();
    let done = skipped.last().unwrap();
    assert_eq!((skipped.len(), &done["imported"], &done["rejected"]), (4, &2.into(), &3.into()));
    // Another list than the mapping is for.
    let other = import(&stage, LIST.replace("カナ", "かな名").as_bytes(), &[]).expect(1).json();
    assert_eq!(other[0]["reason"], "CSV_HEADER");
    let other =
        import(&stage, &[LIST.as_bytes(), b"\xff\xff,\r\n"].concat(), &["--skip-bad"]).expect(1).json();
    assert_eq!((&other[0]["line"], &other[0]["reason"]), (&5.into(), &"ENCODING".into()));
    stage.relay.run(&["log", "verify"]).expect(0);
}

fn numbers(changes: &OfficeChanges) -> Vec<String> {
    changes.offices.iter().map(|office| office.number.to_string()).collect()
}

/// What changes meanwhile is on a later page, and what changed before comes once.
fn software_follows_the_directory(database: Database) {
    let stage = Stage::new(database);
    let visit = stage.office(VISIT);
    visit.run(&["inbox"]).expect(0);
    let rows = (0..600).map(|n| format!("88{n:08},n{n},,11,true"));
    let many: Vec<String> = std::iter::once(IMPORT_HEADER.to_owned()).chain(rows).collect();
    let file = stage.path().join("many.csv");
    fs::write(&file, many.join("\n")).unwrap();
    stage.relay.run(&["office", "import", &file.display().to_string()]).expect(0);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let client = {
        let _inside = runtime.enter();
        Client::open(Home::open(&visit.home).unwrap(), Arc::new(SystemClock)).unwrap()
    };
    let changed = |cursor: Option<&str>| runtime.block_on(client.offices_changed(cursor)).unwrap();
    let first = changed(None);
    assert_eq!((first.offices.len(), first.more, first.restarted), (500, true, false));
    // Between the pages one office of the first page changes, and one of the second.
    stage.relay.run(&["office", "suspend", &numbers(&first)[3], "--reason", "test"]).expect(0);
    stage.relay.run(&["office", "add", "8800000599", "--name", "other"]).expect(0);
    let second = changed(Some(&first.cursor));
    assert!(!second.more);
    assert_eq!(second.offices.len(), 603 - 500 + 1);
    let ends = &second.offices[second.offices.len() - 2..];
    assert_eq!(ends[0].number.to_string(), numbers(&first)[3]);
    assert!(!ends[0].active);
    assert_eq!((ends[1].number.as_str(), ends[1].name.as_str()), ("8800000599", "other"));
    let mut all: Vec<String> = [numbers(&first), numbers(&second)].concat();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 603);
    let rest = changed(Some(&second.cursor));
    assert_eq!((rest.offices.len(), rest.more, &rest.cursor), (0, false, &second.cursor));
    // A change of keys is one.
    stage.office(DAY);
    let rest = changed(Some(&second.cursor));
    assert_eq!(numbers(&rest), [DAY]);
    assert_eq!(changed(Some(&rest.cursor)).offices, []);
    runtime.block_on(client.offices_changed(Some("nonsense"))).unwrap_err();
}

#[test]
fn software_follows_the_directory_sqlite() {
    software_follows_the_directory(Database::Sqlite);
}

#[test]
fn software_follows_the_directory_postgres() {
    software_follows_the_directory(Database::Postgres);
}

#[test]
fn partners_without_the_relay_are_told_and_invited() {
    let stage = Stage::new(Database::Sqlite);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    visit.run(&["inbox"]).expect(0);
    stage.relay.run(&["office", "add", "1371215110", "--name", "停止する事業所"]).expect(0);
    stage.relay.run(&["office", "suspend", "1371215110", "--reason", "test"]).expect(0);
    let list = stage.path().join("partners.csv");
    let rows = format!(
        "名称,事業所番号\r\n見本,{VISIT}\r\n見本,{DAY}\r\n見本,１３７１２１５１１０\r\n見本,1371215128\r\n"
    );
    fs::write(&list, ms932::encode(&rows).unwrap()).unwrap();
    let (list, page) = (list.display().to_string(), stage.path().join("invitation.html"));
    let page_arg = page.display().to_string();
    let args = ["--json", "offices", "--not-members", &list, "--invitation", &page_arg];
    let missing = manager.run(&args).expect(0).json();
    let told: Vec<(&str, &str)> =
        missing.iter().map(|office| (text(office, "number"), text(office, "reason"))).collect();
    assert_eq!(told, [("1371215110", "suspended"), ("1371215128", "not-in-directory"), (DAY, "no-key")]);
    let page = fs::read_to_string(&page).unwrap();
    assert!(page.contains("A居宅介護支援事業所") && !page.contains(DAY), "{page}");
    manager.run(&["offices", "--not-members", &list, "--exit-code"]).expect(1);
    let reached = stage.path().join("reached.csv");
    fs::write(&reached, format!("{VISIT}\n")).unwrap();
    manager.run(&["offices", "--not-members", &reached.display().to_string(), "--exit-code"]).expect(0);
    manager.run(&["offices", "--invitation", &page_arg, "x"]).expect(2);
}
