//! A database copy set back in time, as a careless restore would do it.

use std::fs;

use tasuki_tests::office::write_sample;
use tasuki_tests::run::text;

use crate::stage::{Database, MANAGER, Stage, VISIT};

#[test]
fn a_restored_copy_is_noticed_and_work_goes_on() {
    let mut stage = Stage::new(Database::Sqlite);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    let sample = |unit: &str| write_sample(&stage.path().join("samples"), unit).display().to_string();
    let (first, second) = (sample("01_plan_documents_to_visit"), sample("03_slip_202602_to_visit"));
    manager.run(&["send", &first]).expect(0);

    assert!(stage.relay.stop());
    let (database, copy) = (stage.relay.dir.join("relay.db"), stage.relay.dir.join("copy.db"));
    fs::copy(&database, &copy).unwrap();
    stage.relay.start();
    let lost = manager.run(&["--json", "send", &second]).expect(0).json();
    let lost = text(&lost[0], "parcel").to_owned();
    assert!(stage.relay.stop());
    fs::rename(&copy, &database).unwrap();

    stage.relay.start();
    assert!(stage.relay.log_text().contains("went back in time"), "{}", stage.relay.log_text());
    // The sender is told by its feed which range was lost; what it sends again arrives.
    let news = manager.run(&["--json", "watch", "--once"]);
    assert!(
        news.out.contains("log.started") || news.out.contains("feed.new-epoch"),
        "{}{}",
        news.out,
        news.err
    );
    let again = manager.run(&["--json", "send", "--again", &second]).expect(0).json();
    assert_ne!(text(&again[0], "parcel"), lost);
    let out = stage.path().join("in").display().to_string();
    let received = visit.run(&["--json", "receive", "--out", &out]).expect(0).json();
    assert_eq!(received.len(), 2, "{received:?}");
    stage.relay.run(&["log", "verify"]).expect(0);
}
