//! Lists: filters, order, pages, receiving in bulk and into one ZIP.

use std::io::Read as _;

use serde_json::Value;
use tasuki_tests::office::{Office, write_sample, write_slips};
use tasuki_tests::run::text;

use crate::stage::{DAY, Database, MANAGER, Stage, VISIT};

fn list(office: &Office, args: &[&str]) -> Vec<Value> {
    office.run(&[&["--json"], args].concat()).expect(0).json()
}

fn count(office: &Office, line: &str) -> usize {
    list(office, &line.split(' ').collect::<Vec<_>>()).len()
}

fn partners(office: &Office, line: &str, key: &str) -> Vec<String> {
    let listed = list(office, &line.split(' ').collect::<Vec<_>>());
    listed.iter().map(|parcel| text(parcel, key).to_owned()).collect()
}

#[test]
fn filters_orders_and_pages() {
    let stage = Stage::new(Database::Sqlite);
    let (manager, visit, day) = (stage.office(MANAGER), stage.office(VISIT), stage.office(DAY));
    for office in [&visit, &day, &manager] {
        office.run(&["inbox"]).expect(0);
    }
    let unit = |unit| write_sample(stage.path(), unit).display().to_string();
    let slips = write_slips(&stage.path().join("slips"), 3).display().to_string();
    manager.run(&["send", &unit("04_slip_202602_to_day_two_users"), &slips]).expect(0);
    let scan = stage.path().join("scan.pdf");
    std::fs::write(&scan, b"%PDF-1.7 of a test").unwrap();
    manager.run(&["send", "--attach", &format!("{DAY}={}", scan.display())]).expect(0);
    assert_eq!(count(&manager, "sent"), 5);
    // The three slips are versions of one another.
    for (filter, expected) in [
        ("--partner 9971100012", 3),
        ("--partner 9971100020", 2),
        ("--month 202602", 4),
        ("--month 202601", 0),
        ("--kind ATTACHMENT", 1),
        ("--kind UPJSK", 0),
        ("--partner 9971100020 --month 202602", 1),
        ("--unread", 5),
        ("--state delivered", 5),
        ("--state fetched --state acknowledged", 0),
        ("--overdue", 0),
        ("--page-size 2", 2),
        ("--page-size 2 --page 3", 1),
        ("--page-size 2 --page 4", 0),
    ] {
        assert_eq!(count(&manager, &format!("sent {filter}")), expected, "{filter}");
    }
    let superseded = count(&manager, "sent --superseded");
    assert_eq!(count(&visit, "inbox --all"), 3);
    assert_eq!(count(&visit, "inbox") + superseded, 3);
    assert_eq!(count(&visit, "inbox --superseded"), superseded);

    let sorted = partners(&manager, "sent --sort number", "recipient");
    assert!(sorted.is_sorted() && sorted.len() == 5, "{sorted:?}");
    let sorted = partners(&manager, "sent --sort name", "recipient_name");
    assert!(sorted.is_sorted() && sorted[0] != sorted[4], "{sorted:?}");
    let paged: Vec<String> = (1..=3)
        .flat_map(|page| {
            partners(&manager, &format!("sent --sort number --page-size 2 --page {page}"), "parcel")
        })
        .collect();
    assert_eq!(paged, partners(&manager, "sent --sort number", "parcel"), "pages follow one another");

    // What was received is unread no more.
    let out = stage.path().join("in-visit").display().to_string();
    visit.run(&["receive", "--all", "--out", &out]).expect(0);
    assert_eq!(count(&manager, "sent --unread"), 2);
    assert_eq!(count(&manager, "sent --state acknowledged --partner 9971100012"), 3);
    for bad in ["sent --page 2", "sent --page-size 0", "sent --state nowhere", "sent --sort colour"] {
        manager.run(&bad.split(' ').collect::<Vec<_>>()).expect(2);
    }
}

#[test]
fn a_month_of_one_office_goes_into_one_zip() {
    let stage = Stage::new(Database::Sqlite);
    let (manager, day) = (stage.office(MANAGER), stage.office(DAY));
    day.run(&["inbox"]).expect(0);
    let slip = write_sample(stage.path(), "04_slip_202602_to_day_two_users").display().to_string();
    let scan = stage.path().join("scan.pdf");
    std::fs::write(&scan, b"%PDF-1.7 of a test").unwrap();
    manager.run(&["send", &slip]).expect(0);
    manager.run(&["send", "--attach", &format!("{DAY}={}", scan.display())]).expect(0);
    let (out, zip) = (stage.path().join("in").display().to_string(), stage.path().join("all.zip"));
    let into = zip.display().to_string();
    let receive = |flags: &[&str]| list(&day, &[&["receive", "--out", &out, "--zip", &into], flags].concat());
    // Nothing is from there, or of that month: an empty ZIP, and what waits goes on waiting.
    assert!(receive(&["--from", VISIT]).is_empty() && receive(&["--month", "202601"]).is_empty());
    let received = receive(&["--from", MANAGER, "--month", "202602"]);
    assert_eq!(received.len(), 1, "the other one has no month");
    let mut archive = zip::ZipArchive::new(std::fs::File::open(&zip).unwrap()).unwrap();
    let names: Vec<String> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
    let files = received[0]["files"].as_array().unwrap();
    assert_eq!(names.len(), files.len(), "{names:?}");
    let inside = format!("{MANAGER}/{}/", text(&received[0], "parcel"));
    for name in &names {
        let file = name.strip_prefix(&inside).unwrap_or_else(|| panic!("{name}"));
        let mut content = Vec::new();
        archive.by_name(name).unwrap().read_to_end(&mut content).unwrap();
        let stored = std::path::Path::new(text(&received[0], "dir")).join(file);
        assert_eq!(content, std::fs::read(stored).unwrap(), "{name}");
    }
    assert_eq!(count(&day, "inbox"), 1);
}
