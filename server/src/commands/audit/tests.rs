//! Audits of a relay's own log, on both databases.

use std::path::Path;

use serde_json::Value;
use tasuki_proto::event::kind;
use tasuki_proto::{canonical, time};

use super::range::{Range, stretches};
use super::subject::Subject;
use super::walk::{Erased, Found, Walk};
use crate::clock::{Clock as _, SystemClock};
use crate::commands::exit::Exit;
use crate::commands::testing::{RECEIVER, Ran, SENDER, TestRelay, acknowledge, deliver, fetch, office};
use crate::store::Store;
use crate::store::dialect::Dialect;
use crate::store::testing::on_both_databases;

/// A relay with offices, certificates of one of them and of a proxy, and two parcels of which one was signed for.
async fn busy(dialect: Dialect) -> TestRelay {
    let relay = TestRelay::new(dialect).await;
    relay.with_offices().await;
    let out = relay.beside("certificates").display().to_string();
    for holder in [SENDER, "P00004"] {
        relay.run(&["cert", "issue", holder, "--out", &out, "--key", "p256"]).await.expect(Exit::Done);
    }
    let boot = relay.boot().await;
    let first = deliver(&boot, 1).await;
    deliver(&boot, 2).await;
    fetch(&boot, first).await;
    acknowledge(&boot, first, 1).await;
    boot.finish().await.unwrap();
    relay
}

fn kinds(ran: &Ran) -> Vec<&str> {
    ran.out.iter().filter_map(|object| object["kind"].as_str()).collect()
}

fn summary(ran: &Ran) -> &Value {
    ran.out.last().unwrap()
}

async fn each_subject_has_its_events(dialect: Dialect) {
    let relay = busy(dialect).await;
    relay
        .run(&["notice", "send", "--ja", "点検", "--en", "works", "--to", RECEIVER])
        .await
        .expect(Exit::Done);
    let ran = relay.run(&["audit", "--office", RECEIVER]).await.expect(Exit::Done);
    let mine = [
        kind::OFFICE_CHANGED,
        kind::PARCEL_DELIVERED,
        kind::PARCEL_DELIVERED,
        kind::PARCEL_FETCHED,
        kind::PARCEL_ACKNOWLEDGED,
        kind::RELAY_NOTICE,
    ];
    assert_eq!(kinds(&ran), mine);
    assert!(ran.out[..6].iter().all(|event| event["in_feed"] == true), "{ran:?}");
    let told = summary(&ran);
    assert_eq!(
        (&told["subject"], &told["events"], &told["parcels"]),
        (&format!("office:{RECEIVER}").into(), &6.into(), &2.into())
    );
    assert_eq!((&told["erased"], &told["erased_in_feed"]), (&0.into(), &0.into()));

    // The key that signed the parcels, and the one that signed for one of them.
    let signer = ran.out[1]["signer"].as_str().unwrap().to_owned();
    let by_key =
        relay.run(&["audit", "--key", &signer["sha256:".len()..].to_uppercase()]).await.expect(Exit::Done);
    assert_eq!(kinds(&by_key), [kind::PARCEL_DELIVERED, kind::PARCEL_DELIVERED]);
    assert!(by_key.out[0]["in_feed"].is_null());
    let other = ran.out[4]["signer"].as_str().unwrap();
    assert_eq!(kinds(&relay.run(&["audit", "--key", other]).await), [kind::PARCEL_ACKNOWLEDGED]);

    // Issued and registered: the certificate of the sender, by its own fingerprint.
    let audited = relay.run(&["audit", "--office", SENDER]).await.expect(Exit::Done);
    let issued = audited.out.iter().find(|event| event["kind"] == kind::CERTIFICATE_ISSUED).unwrap();
    let fingerprint = issued["lines"]["certificate"].as_str().unwrap();
    let ran = relay.run(&["audit", "--key", fingerprint]).await.expect(Exit::Done);
    assert_eq!(kinds(&ran), [kind::CERTIFICATE_ISSUED, kind::KEY_REGISTERED]);

    // A proxy's certificate stands in no feed.
    let ran = relay.run(&["audit", "--proxy", "P00004"]).await.expect(Exit::Done);
    assert_eq!(kinds(&ran), [kind::CERTIFICATE_ISSUED]);
    let terminal = format!("{SENDER}:受付");
    let ran = relay.run(&["audit", "--terminal", &terminal]).await.expect(Exit::Done);
    assert_eq!((kinds(&ran).len(), &summary(&ran)["events"]), (0, &0.into()));
    relay.run(&["log", "verify"]).await.expect(Exit::Done);
}

async fn an_audit_is_itself_an_event(dialect: Dialect) {
    let relay = busy(dialect).await;
    let ran = relay.run(&["audit", "--office", SENDER, "--from", "2026-01-01"]).await.expect(Exit::Done);
    assert!(!kinds(&ran).contains(&kind::AUDIT_MADE), "not its own");
    let recorded = summary(&ran)["recorded_index"].clone();
    assert_eq!(summary(&ran)["size"], recorded, "it stands behind all that was looked at");
    let again = relay.run(&["audit", "--office", SENDER]).await.expect(Exit::Done);
    let event = again.out.iter().find(|event| event["kind"] == kind::AUDIT_MADE).unwrap();
    assert_eq!((&event["index"], &event["in_feed"]), (&recorded, &false.into()));
    assert_eq!(event["lines"]["subject"], format!("office:{SENDER}"));
    assert_eq!(event["lines"]["from"], "2025-12-31T15:00:00.000000Z");
    assert!(event["lines"]["until"].is_null() && event["lines"]["pack"].is_null());
    // Nobody else's audit is concerned, and no feed has any.
    let other = relay.run(&["audit", "--office", RECEIVER]).await.expect(Exit::Done);
    assert!(!kinds(&other).contains(&kind::AUDIT_MADE));
}

async fn times_narrow_it_down(dialect: Dialect) {
    let relay = busy(dialect).await;
    let all = relay.run(&["audit", "--office", SENDER]).await.expect(Exit::Done);
    let times: Vec<&str> =
        all.out.iter().filter(|e| e["kind"].is_string()).map(|e| e["time"].as_str().unwrap()).collect();
    assert!(times.is_sorted() && times.len() >= 6, "{times:?}");
    // From each event on, and up to it: the two halves are all of it.
    for time in &times {
        let before = relay.run(&["audit", "--office", SENDER, "--to", time]).await.expect(Exit::Done);
        let from = relay
            .run(&["audit", "--office", SENDER, "--from", time, "--to", &after(&all)])
            .await
            .expect(Exit::Done);
        let told: Vec<&str> = [&before, &from]
            .iter()
            .flat_map(|ran| &ran.out)
            .filter(|e| e["kind"].is_string())
            .map(|e| e["time"].as_str().unwrap())
            .collect();
        assert_eq!(told, times, "{time}");
        assert!(before.out.iter().all(|event| event["time"].as_str() < Some(time)));
    }
    let future = relay.run(&["audit", "--office", SENDER, "--from", "2999-01-01"]).await.expect(Exit::Done);
    assert_eq!(future.out.len(), 1, "only the summary");
    let past = relay.run(&["audit", "--office", SENDER, "--to", "2001-01-01"]).await.expect(Exit::Done);
    assert_eq!((past.out.len(), &past.out[0]["events"]), (1, &0.into()));
}

/// A moment behind the last event of an audit: what later audits add is not in it.
fn after(ran: &Ran) -> String {
    let last = time::parse_us(summary(ran)["last"].as_str().unwrap()).unwrap();
    time::format_us(last + 1)
}

async fn what_makes_no_sense_is_refused_and_not_recorded(dialect: Dialect) {
    let relay = TestRelay::new(dialect).await;
    let size = async || {
        let store = Store::open(&relay.config().database.url).await.unwrap();
        let size = store.head().await.unwrap().size;
        store.close().await;
        size
    };
    // The log has begun, and the office that is asked for is not in the directory.
    relay.run(&["office", "add", RECEIVER, "--name", "事業所"]).await.expect(Exit::Done);
    let before = size().await;
    for (arguments, exit, word) in [
        (&["audit", "--office", SENDER][..], Exit::Failed, "OFFICE_NOT_FOUND"),
        (&["audit", "--terminal", "1371215102:a"], Exit::Failed, "OFFICE_NOT_FOUND"),
        (
            &["audit", "--proxy", "P00001", "--from", "2026-11-27", "--to", "2026-11-26"],
            Exit::Usage,
            "AUDIT_TIMES",
        ),
    ] {
        let ran = relay.run(arguments).await.expect(exit);
        assert!(ran.err.contains(word) && ran.out.is_empty(), "{ran:?}");
    }
    let folder = relay.beside("pack");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("parties.csv"), "mine").unwrap();
    let out = folder.display().to_string();
    let ran = relay.run(&["audit", "--proxy", "P00001", "--out", &out]).await.expect(Exit::Usage);
    assert!(ran.err.contains("FILE_EXISTS"), "{ran:?}");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    assert_eq!(size().await, before);
}

#[test]
fn there_is_exactly_one_subject() {
    use clap::Parser as _;
    let parsed = |arguments: &[&str]| {
        let line = ["tasuki-relay", "audit"].iter().chain(arguments);
        crate::cli::Cli::try_parse_from(line).map_err(|error| error.exit_code()).map(|_| ())
    };
    assert_eq!(parsed(&["--office", SENDER]), Ok(()));
    for wrong in [
        &[][..],
        &["--office", SENDER, "--proxy", "P00001"],
        &["--key", "ab", "--from", "2026-11-27"],
        &["--office", "12"],
        &["--proxy", "1371215102"],
        &["--terminal", SENDER],
        &["--office", SENDER, "--from", "yesterday"],
        &["--office", SENDER, "--to", "2026-02-30"],
    ] {
        assert_eq!(parsed(wrong), Err(2), "{wrong:?}");
    }
}

async fn a_pack_holds_it_all(dialect: Dialect) {
    let relay = busy(dialect).await;
    let folder = relay.beside("incident");
    let out = folder.display().to_string();
    let ran = relay.run(&["audit", "--office", RECEIVER, "--out", &out]).await.expect(Exit::Done);
    assert_eq!(ran.out.len(), 1, "the summary alone");
    assert_eq!(ran.out[0]["files"].as_array().unwrap().len(), 5);
    let rows = |name: &str| {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        let mut reader = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
        let header = reader.headers().unwrap().clone();
        let rows: Vec<Value> = reader
            .records()
            .map(|row| header.iter().map(str::to_owned).zip(row.unwrap().iter().map(Value::from)).collect())
            .collect();
        rows
    };
    let (timeline, parcels, parties) = (rows("timeline.csv"), rows("parcels.csv"), rows("parties.csv"));
    assert_eq!((timeline.len(), parcels.len()), (5, 2));
    assert_eq!(
        (&timeline[1]["kind"], &timeline[1]["sender_name"]),
        (&"parcel.delivered".into(), &"事業所".into())
    );
    let signed_for = &parcels[0];
    assert_eq!((&signed_for["state"], &signed_for["state_ja"]), (&"acknowledged".into(), &"受領済".into()));
    assert_eq!((&signed_for["kinds"], &signed_for["months"]), (&"UPPLAN".into(), &"202602".into()));
    assert_eq!(signed_for["transmitter"], format!("office:{SENDER}"));
    assert_eq!(signed_for["acknowledged_by"], format!("office:{RECEIVER}"));
    assert_ne!(signed_for["acknowledged_signer"], signed_for["signer"]);
    assert_eq!((&parcels[1]["state"], &parcels[1]["acknowledged_by"]), (&"delivered".into(), &"".into()));
    let named: Vec<&str> = parties.iter().map(|party| party["party"].as_str().unwrap()).collect();
    assert_eq!(&named[..2], [format!("office:{SENDER}"), format!("office:{RECEIVER}")]);
    assert_eq!(named.iter().filter(|party| party.starts_with("sha256:")).count(), 2);

    let text = std::fs::read_to_string(folder.join("audit.json")).unwrap();
    let whole: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(whole["events"].as_array().unwrap().len(), 5);
    assert_eq!(
        (&whole["summary"]["parcels"], &whole["parcels"][1]["state"]),
        (&2.into(), &"delivered".into())
    );
    for event in whole["events"].as_array().unwrap() {
        let leaf = tasuki_proto::event::leaf_hash(event["text"].as_str().unwrap().as_bytes());
        assert_eq!(event["leaf"], canonical::digest_text(&leaf));
    }
    let report = std::fs::read_to_string(folder.join("report.html")).unwrap();
    assert!(report.contains("監査報告") && report.contains(RECEIVER));
}

/// The events of a walk with windows of `window` leaves.
async fn walked(store: &Store, subject: &Subject, range: Range, window: u64) -> (Vec<Found>, Erased) {
    let head = store.head().await.unwrap();
    let stretches = stretches(store, &head, range).await.unwrap();
    let mut walk = Walk::new(store, subject, range, stretches, window);
    let mut all = Vec::new();
    while let Some(page) = walk.next().await.unwrap() {
        all.extend(page);
    }
    (all, walk.erased())
}

async fn windows_of_any_size_find_the_same(dialect: Dialect) {
    let relay = busy(dialect).await;
    let store = Store::open(&relay.config().database.url).await.unwrap();
    let subject = Subject::Office(office(SENDER));
    let places = async |range, window| {
        let (found, erased) = walked(&store, &subject, range, window).await;
        assert_eq!(erased, Erased::default());
        found.iter().map(|found| found.position).collect::<Vec<_>>()
    };
    let whole = places(Range::default(), 1_000).await;
    assert!(whole.is_sorted() && whole.len() > 5);
    for window in [0, 1, 2, 3, 7] {
        assert_eq!(places(Range::default(), window).await, whole, "{window}");
    }
    store.close().await;
}

async fn what_was_erased_is_counted(dialect: Dialect) {
    let relay = busy(dialect).await;
    let store = Store::open(&relay.config().database.url).await.unwrap();
    let subject = Subject::Office(office(SENDER));
    let (before, none) = walked(&store, &subject, Range::default(), 3).await;
    assert_eq!(none, Erased::default());
    // One parcel's content and evidence go; the newest event stays.
    let now_us = SystemClock.now_us() + 1;
    let kept = store.kept_after(0, 10).await.unwrap();
    let seqs: Vec<i64> = kept.iter().map(|row| row.seq).collect();
    store.purge(&seqs[..1], now_us).await.unwrap();
    let erased = store.erase_evidence(now_us, 128).await.unwrap().unwrap();
    assert!(erased.parcels == 0 && erased.events == 0, "its last event is the newest of all");
    relay.run(&["office", "suspend", RECEIVER, "--reason", "test"]).await.expect(Exit::Done);
    let erased = store.erase_evidence(SystemClock.now_us() + 1, 128).await.unwrap().unwrap();
    assert_eq!((erased.parcels, erased.events), (1, 3));
    let (found, told) = walked(&store, &subject, Range::default(), 3).await;
    assert_eq!(told, Erased { events: 3, in_feed: 3 });
    assert_eq!(found.len(), before.len() - 3);
    // Where the time of what is gone is not known, it is told as possibly in the range, whatever the range is.
    let first = before.iter().find(|found| found.event.kind == kind::PARCEL_DELIVERED).unwrap();
    let range = Range { from_us: Some(first.event.time_us), until_us: None };
    assert_eq!(walked(&store, &subject, range, 3).await.1.events, 3);
    let early = Range { from_us: None, until_us: Some(before[0].event.time_us) };
    assert_eq!(walked(&store, &subject, early, 3).await.1, Erased::default());
    store.close().await;

    let ran = relay.run(&["audit", "--office", SENDER]).await.expect(Exit::Done);
    assert_eq!((&summary(&ran)["erased"], &summary(&ran)["erased_in_feed"]), (&3.into(), &3.into()));
    let key = relay.run(&["audit", "--proxy", "P00004"]).await.expect(Exit::Done);
    assert_eq!((&summary(&key)["erased"], &summary(&key)["erased_in_feed"]), (&3.into(), &Value::Null));
}

async fn the_report_of_a_pack_is_for_its_owner(dialect: Dialect) {
    let relay = TestRelay::new(dialect).await;
    let name = "=HYPERLINK(\"http://x\")<script>";
    relay.run(&["office", "add", SENDER, "--name", name]).await.expect(Exit::Done);
    let folder = relay.beside("pack");
    relay
        .run(&["audit", "--office", SENDER, "--out", &folder.display().to_string()])
        .await
        .expect(Exit::Done);
    let read = |name: &str| std::fs::read_to_string(Path::new(&folder).join(name)).unwrap();
    assert!(
        read("parties.csv").contains("\"'=HYPERLINK(\"\"http://x\"\")<script>\""),
        "{}",
        read("parties.csv")
    );
    let report = read("report.html");
    assert!(report.contains("&lt;script&gt;") && !report.contains("<script"));
}

on_both_databases!(
    each_subject_has_its_events,
    an_audit_is_itself_an_event,
    times_narrow_it_down,
    what_makes_no_sense_is_refused_and_not_recorded,
    a_pack_holds_it_all,
    windows_of_any_size_find_the_same,
    what_was_erased_is_counted,
    the_report_of_a_pack_is_for_its_owner,
);
