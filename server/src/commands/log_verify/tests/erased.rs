//! Evidence that went because its time was over leaves a log that verifies; texts that are gone too early are found.

use super::bench::{Bench, FIRST, SIZE, at};
use super::*;
use crate::clock::{Clock as _, SystemClock};
use crate::commands::testing::{SENDER, deliver};
use crate::store::dialect::Dialect;
use crate::store::evidence_sweep::Erased;
use crate::store::testing::on_both_databases;

const YEAR_US: i64 = 366 * 24 * 3_600 * 1_000_000;

/// The bench's log with one event more, and nothing but the first parcel's content left.
async fn aged(dialect: Dialect) -> (Bench, i64) {
    let bench = Bench::new(dialect).await;
    bench.execute("DELETE FROM contents WHERE seq > 1").await;
    bench.relay.run(&["office", "suspend", SENDER, "--reason", "test"]).await.expect(Exit::Done);
    let later_us = SystemClock.now_us() + 6 * YEAR_US;
    (bench, later_us)
}

async fn erase(bench: &Bench, before_us: i64, step: u32) -> Erased {
    let mut all = Erased::default();
    while let Some(erased) = bench.store.erase_evidence(before_us, step).await.unwrap() {
        all = all.and(erased);
    }
    all
}

async fn what_was_erased_in_time_leaves_a_log_that_verifies(dialect: Dialect) {
    for step in [2, 3, 128] {
        let (bench, later_us) = aged(dialect).await;
        let before_us = later_us - 5 * YEAR_US;
        let due = bench.store.evidence_due(before_us, step).await.unwrap();
        assert_eq!((due.parcels, due.requests, due.events), (2, 0, 2 + 3));
        assert_eq!(bench.store.evidence_due(0, step).await.unwrap(), Erased::default());
        assert_eq!(erase(&bench, 0, step).await, Erased::default(), "nothing is as old as that");
        assert_eq!(erase(&bench, before_us, step).await, due);
        assert_eq!(erase(&bench, before_us, step).await, Erased::default());

        let (summary, problems) = bench.verify_at(later_us).await;
        assert_eq!(problems.told(), []);
        assert_eq!((summary.events, summary.erased, summary.parcels), (SIZE + 1, 5, 1));
        assert_eq!(bench.store.parcel(&bench.parcels[2]).await.unwrap(), None);
        assert_eq!(bench.store.statements_of(3).await.unwrap(), []);
        assert!(bench.store.parcel(&bench.parcels[0]).await.unwrap().is_some(), "its content is still kept");

        // Feeds go on where they were, behind events that are gone.
        bench.relay.run(&["office", "resume", SENDER]).await.expect(Exit::Done);
        let boot = bench.relay.boot().await;
        deliver(&boot, 9).await;
        boot.finish().await.unwrap();
        let (_, problems) = bench.verify_at(later_us).await;
        assert_eq!(problems.told(), []);
    }
}

async fn what_is_gone_too_early_is_found(dialect: Dialect) {
    let (bench, later_us) = aged(dialect).await;
    erase(&bench, later_us - 5 * YEAR_US, 128).await;
    let (_, problems) = bench.verify_at(SystemClock.now_us()).await;
    assert_eq!(problems.told(), [Problem::LeafErased(at(FIRST + 1))]);
    // The event that shows the age of those before it can't go either.
    let last = format!("pos = {}", at(SIZE).to_key());
    let hash = tasuki_proto::event::leaf_hash(&bench.bytes("leaves", "text", &last).await);
    bench.set("leaves", "text", &last, &hash).await;
    let (_, problems) = bench.verify_at(later_us).await;
    assert!(problems.told().contains(&Problem::LeafErased(at(FIRST + 1))), "{:?}", problems.told());
    // Another hash than the event's is another log.
    let first = format!("pos = {}", at(FIRST + 1).to_key());
    bench.set("leaves", "text", &first, &[7; 32]).await;
    let (_, problems) = bench.verify_at(later_us).await;
    assert!(problems.counts().contains_key("TILE_DIFFERS"), "{:?}", problems.counts());
}

async fn retention_tells_what_would_go(dialect: Dialect) {
    let bench = Bench::new(dialect).await;
    let ran = bench.relay.run(&["retention"]).await.expect(Exit::Done);
    let told: Vec<_> = ran.out.iter().map(|rule| (rule["rule"].as_str().unwrap(), &rule["count"])).collect();
    let none = &0.into();
    assert_eq!(told, [("evidence", none), ("archive", none), ("rejected", none)], "{ran:?}");
    let config = bench.relay.at(crate::config::template::names::CONFIG);
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text
        .replace("acknowledged = \"30d\"", "acknowledged = \"0s\"")
        .replace("by_kind = {}", "by_kind = { UPJSK = \"0s\" }");
    std::fs::write(&config, text).unwrap();
    let ran = bench.relay.run(&["retention"]).await.expect(Exit::Done);
    assert_eq!(ran.out.len(), 4, "{ran:?}");
    let rule = &ran.out[0];
    assert_eq!((&rule["rule"], &rule["state"]), (&"acknowledged".into(), &"acknowledged".into()));
    assert_eq!(
        (&rule["count"], &rule["bytes"], &rule["kind"]),
        (&1.into(), &1000.into(), &serde_json::Value::Null)
    );
    bench.assert_clean().await;
}

on_both_databases!(
    what_was_erased_in_time_leaves_a_log_that_verifies,
    what_is_gone_too_early_is_found,
    retention_tells_what_would_go,
);
