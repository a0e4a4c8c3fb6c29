//! Every kind of tampering is noticed, and named.

mod bench;
mod erased;

use tasuki_proto::log::Hash;

use self::bench::{Bench, FIRST, SIZE, TILE, at, flipped};
use super::problem::Problem;
use super::*;
use crate::commands::testing::{RECEIVER, SENDER, acknowledge, deliver, fetch, office};
use crate::config::template::names;
use crate::store::dialect::Dialect;
use crate::store::testing::on_both_databases;

async fn an_honest_log_verifies(dialect: Dialect) {
    let bench = Bench::new(dialect).await;
    let (summary, problems) = bench.verify().await;
    assert_eq!(problems.told(), []);
    assert!(summary.verified && summary.witness);
    let Summary { epochs, events, checkpoints, feed_entries, parcels, contents, .. } = summary;
    assert_eq!((epochs, events, parcels, contents), (1, SIZE, 3, 3));
    assert_eq!((checkpoints, feed_entries), (SIZE, 2 + 6 * 2));
    let ran = bench.relay.run(&["log", "verify"]).await.expect(Exit::Done);
    assert_eq!((ran.out[0]["verified"].as_bool(), ran.err.as_str()), (Some(true), ""));
}

async fn a_changed_leaf_is_found(dialect: Dialect) {
    let bench = Bench::new(dialect).await;
    let row = format!("pos = {}", at(FIRST).to_key());
    let text = String::from_utf8(bench.bytes("leaves", "text", &row).await).unwrap();
    // Another salt: still a well-formed event that opens its commitments.
    let salt = text.lines().find(|line| line.starts_with("salt: ")).unwrap();
    let other = text.replace(salt, "salt: 00112233445566778899aabbccddeeff");
    let found = bench.found_with("leaves", "text", &row, other.as_bytes()).await;
    assert_eq!(found.iter().filter(|p| p.code() == "CHECKPOINT_ROOT").count() as u64, SIZE - FIRST);
    assert!(found.contains(&Problem::TileDiffers(TILE, FIRST)), "{found:?}");
    assert!(found.contains(&Problem::Head), "{found:?}");
    assert!(found.contains(&Problem::WitnessDiffers { epoch: 1, size: SIZE }), "{found:?}");
    let number = 3;
    assert!(found.contains(&Problem::FeedPrevious { office: office(SENDER), epoch: 1, number }), "{found:?}");

    let found = bench.found_with("leaves", "text", &row, b"not an event").await;
    assert!(found.contains(&Problem::LeafMalformed(at(FIRST))), "{found:?}");
    bench.assert_clean().await;

    let ran = {
        let old = bench.set("leaves", "text", &row, other.as_bytes()).await;
        let ran = bench.relay.run(&["log", "verify"]).await.expect(Exit::Failed);
        bench.set("leaves", "text", &row, &old).await;
        ran
    };
    let summary = ran.out.last().unwrap();
    assert_eq!(summary["verified"], false);
    assert_eq!(summary["problems"]["TILE_DIFFERS"], 1);
}

async fn a_leaf_that_is_gone_or_filed_elsewhere_is_found(dialect: Dialect) {
    let bench = Bench::new(dialect).await;
    let (place, away) = (at(FIRST).to_key(), at(1_000_000).to_key());
    let found = bench
        .found_between(
            &format!("UPDATE leaves SET pos = {away} WHERE pos = {place}"),
            &format!("UPDATE leaves SET pos = {place} WHERE pos = {away}"),
        )
        .await;
    assert!(found.contains(&Problem::LeafMissing(at(FIRST))), "{found:?}");

    let last = at(SIZE - 1);
    let key = bench.parcels[2];
    let found = bench
        .found_between(
            &format!("UPDATE leaves SET seq = 0 WHERE pos = {}", last.to_key()),
            &format!("UPDATE leaves SET seq = 3 WHERE pos = {}", last.to_key()),
        )
        .await;
    assert_eq!(
        found,
        [
            Problem::LeafParcel(last),
            Problem::Parcel { key, column: "state" },
            Problem::Parcel { key, column: "acknowledged_us" },
        ]
    );
    let found = bench
        .found_between(
            &format!("UPDATE leaves SET seq = 1 WHERE pos = {}", last.to_key()),
            &format!("UPDATE leaves SET seq = 3 WHERE pos = {}", last.to_key()),
        )
        .await;
    assert!(found.contains(&Problem::ParcelEvents { key: bench.parcels[0] }), "{found:?}");
    bench.assert_clean().await;
}

async fn a_changed_tile_is_found(dialect: Dialect) {
    let bench = Bench::new(dialect).await;
    let row = "epoch = 1 AND level = 0 AND tile = 0";
    let hashes = bench.bytes("tiles", "hashes", row).await;
    assert_eq!(hashes.len() as u64, SIZE * 32);
    for (changed, place) in [
        (flipped(&hashes, 32 * 4 + 7), 4),
        (hashes[..32 * 5].to_vec(), 5),
        ([&hashes[..], &[7; 32]].concat(), SIZE),
        (hashes[..=32 * 5].to_vec(), 5),
    ] {
        let found = bench.found_with("tiles", "hashes", row, &changed).await;
        assert_eq!(found, [Problem::TileDiffers(TILE, place)]);
    }
    let found =
        bench.found_between("UPDATE tiles SET tile = 9 WHERE tile = 0", "UPDATE tiles SET tile = 0").await;
    assert_eq!(found, [Problem::TileMissing(TILE)]);
    bench.assert_clean().await;
}

async fn a_changed_checkpoint_or_head_is_found(dialect: Dialect) {
    let bench = Bench::new(dialect).await;
    let row = "epoch = 1 AND size = 5";
    let (epoch, size) = (1, 5);
    let note = bench.bytes("checkpoints", "note", row).await;
    let found = bench.found_with("checkpoints", "note", row, &flipped(&note, note.len() - 5)).await;
    assert_eq!(found, [Problem::Checkpoint { epoch, size }]);
    // Signed with the log's own key, for another tree or another size.
    let forged = bench.signer.sign(1, 5, Hash([9; 32])).unwrap();
    let found = bench.found_with("checkpoints", "note", row, &forged).await;
    assert_eq!(found, [Problem::CheckpointRoot { epoch, size }]);
    let other = bench.signer.sign(1, 6, Hash([9; 32])).unwrap();
    let found = bench.found_with("checkpoints", "note", row, &other).await;
    assert_eq!(found, [Problem::Checkpoint { epoch, size }]);
    let found = bench
        .found_between(
            &format!("UPDATE checkpoints SET size = 999 WHERE size = {SIZE}"),
            &format!("UPDATE checkpoints SET size = {SIZE} WHERE size = 999"),
        )
        .await;
    assert_eq!(found, [Problem::CheckpointMissing { epoch, size: SIZE }]);

    let found = bench.found_with("head", "note", "one = 1", &forged).await;
    assert_eq!(found, [Problem::Head]);
    let forged = bench.signer.sign(1, SIZE, Hash([9; 32])).unwrap();
    let found = bench.found_with("head", "note", "one = 1", &forged).await;
    assert_eq!(found, [Problem::Head]);
    bench.assert_clean().await;
}

async fn the_witness_is_believed(dialect: Dialect) {
    let bench = Bench::new(dialect).await;
    let key = bench.signer.verifier();
    let witness = |epoch, size| key.open(&bench.signer.sign(epoch, size, Hash([9; 32])).unwrap()).unwrap();
    for (epoch, size, problem) in [
        (1, SIZE, Problem::WitnessDiffers { epoch: 1, size: SIZE }),
        (1, 4, Problem::WitnessDiffers { epoch: 1, size: 4 }),
        (1, SIZE + 1, Problem::WitnessAhead { epoch: 1, size: SIZE + 1 }),
        (2, 1, Problem::WitnessAhead { epoch: 2, size: 1 }),
    ] {
        let (summary, problems) = bench.verify_against(Some(&witness(epoch, size))).await;
        assert_eq!(problems.told(), [problem]);
        assert!(!summary.verified);
    }
    let (summary, _) = bench.verify_against(None).await;
    assert!(summary.verified && !summary.witness);
}

async fn a_changed_feed_is_found(dialect: Dialect) {
    let bench = Bench::new(dialect).await;
    let (office, epoch, number) = (office(RECEIVER), 1, 3);
    let row = format!("office = '{RECEIVER}' AND number = 3");
    let found = bench.found_with("feeds", "salt", &row, &[0; 16]).await;
    assert_eq!(found, [Problem::FeedCommitment { office, epoch, number }]);
    let found = bench.found_with("feeds", "previous", &row, &[0; 32]).await;
    assert_eq!(
        found,
        [Problem::FeedPrevious { office, epoch, number }, Problem::FeedCommitment { office, epoch, number }]
    );
    let found = bench
        .found_between(
            &format!("UPDATE feeds SET number = 99 WHERE {row}"),
            &format!("UPDATE feeds SET number = 3 WHERE office = '{RECEIVER}' AND number = 99"),
        )
        .await;
    assert!(found.contains(&Problem::FeedGap { office, epoch, number: 4 }), "{found:?}");
    // The last entry withheld leaves no gap behind it; the commitments are counted.
    bench.execute(&format!("DELETE FROM feeds WHERE office = '{RECEIVER}' AND number = 7")).await;
    let (_, problems) = bench.verify().await;
    assert_eq!(problems.told(), [Problem::FeedCount { committed: 14, entries: 13 }]);
}

async fn a_changed_parcel_is_found(dialect: Dialect) {
    let bench = Bench::new(dialect).await;
    let (first, third) = (bench.parcels[0], bench.parcels[2]);
    for (key, column, tamper, undo) in [
        (first, "state", "state = 'fetched'", "state = 'delivered'"),
        (third, "state", "state = 'fetched'", "state = 'acknowledged'"),
        (first, "container_size", "container_size = 901", "container_size = 900"),
        (third, "fetched_us", "fetched_us = fetched_us + 1", "fetched_us = fetched_us - 1"),
        (first, "accepted_us", "accepted_us = accepted_us + 1", "accepted_us = accepted_us - 1"),
        (first, "pos", "pos = pos + 1", "pos = pos - 1"),
        (
            first,
            "files",
            "files = 'UPJSK 202602 20260125103000 2444'",
            "files = 'UPPLAN 202602 20260125103000 2444'",
        ),
        (first, "sender, id, recipient, digest", "recipient = '9971100020'", "recipient = '9971100012'"),
    ] {
        let seq = if key == first { 1 } else { 3 };
        let found = bench
            .found_between(
                &format!("UPDATE parcels SET {tamper} WHERE seq = {seq}"),
                &format!("UPDATE parcels SET {undo} WHERE seq = {seq}"),
            )
            .await;
        assert_eq!(found, [Problem::Parcel { key, column }], "{tamper}");
    }
    let found = bench
        .found_between(
            "UPDATE parcels SET seq = 77 WHERE seq = 2",
            "UPDATE parcels SET seq = 2 WHERE seq = 77",
        )
        .await;
    assert!(found.contains(&Problem::ParcelEvents { key: bench.parcels[1] }), "{found:?}");
    bench.assert_clean().await;
    bench.execute("DELETE FROM parcels WHERE seq = 2").await;
    let (_, problems) = bench.verify().await;
    assert_eq!(problems.told(), [Problem::ParcelCount { told: 3, rows: 2 }]);
}

async fn changed_contents_and_papers_are_found(dialect: Dialect) {
    let bench = Bench::new(dialect).await;
    let (first, third) = (bench.parcels[0], bench.parcels[2]);
    for changed in [vec![1; 999], vec![1; 1001], flipped(&[1; 1000], 500)] {
        let found = bench.found_with("contents", "sealed", "seq = 1", &changed).await;
        assert_eq!(found, [Problem::Content { key: first }]);
    }
    // An empty row says that the content stands outside the database, where there is none.
    let found = bench.found_with("contents", "sealed", "seq = 1", b"").await;
    assert_eq!(found, [Problem::ContentMissing { key: first }]);
    let away = ("UPDATE contents SET seq = 77 WHERE seq = 1", "UPDATE contents SET seq = 1 WHERE seq = 77");
    assert_eq!(bench.found_between(away.0, away.1).await, [Problem::ContentMissing { key: first }]);
    // Who signed for it has it: its content may be forgotten.
    let away = ("UPDATE contents SET seq = 77 WHERE seq = 3", "UPDATE contents SET seq = 3 WHERE seq = 77");
    assert_eq!(bench.found_between(away.0, away.1).await, []);

    let found = bench.found_with("statements", "cms", "seq = 3", b"signed by nobody").await;
    assert_eq!(found, [Problem::Statement { key: third }]);
    for der in [&b"anchor"[..], b"signer", b"list"] {
        let fingerprint = tasuki_proto::event::sha256(der);
        let row = match bench.store.dialect() {
            Dialect::Sqlite => format!("fingerprint = x'{}'", tasuki_proto::canonical::hex(&fingerprint)),
            Dialect::Postgres => format!("fingerprint = '\\x{}'", tasuki_proto::canonical::hex(&fingerprint)),
        };
        let found = bench.found_with("archive", "der", &row, b"another").await;
        // Told once, at the first parcel that needs it.
        assert_eq!(found, [Problem::Archive { key: first, fingerprint }]);
    }
    bench.assert_clean().await;
}

async fn a_relay_may_write_meanwhile(dialect: Dialect) {
    let bench = Bench::new(dialect).await;
    let boot = bench.relay.boot().await;
    let writing = tokio::spawn(async move {
        for n in 0..40 {
            let key = deliver(&boot, n).await;
            fetch(&boot, key).await;
            acknowledge(&boot, key, n).await;
        }
        boot.finish().await.unwrap();
    });
    while !writing.is_finished() {
        let (summary, problems) = bench.verify().await;
        assert_eq!(problems.told(), [], "{summary:?}");
    }
    writing.await.unwrap();
    let (summary, problems) = bench.verify().await;
    assert_eq!(problems.told(), []);
    assert_eq!(summary.parcels, 3 + 40);
}

/// An embedded database is one file, so that setting it back is copying.
#[tokio::test]
async fn past_epochs_are_verified_too() {
    let bench = Bench::new(Dialect::Sqlite).await;
    bench.store.close().await;
    let (file, copy) = (bench.relay.at(names::DATABASE), bench.relay.beside("copy.db"));
    std::fs::copy(&file, &copy).unwrap();
    bench.relay.run(&["office", "suspend", SENDER, "--reason", "lost"]).await.expect(Exit::Done);
    for suffix in ["-wal", "-shm"] {
        let _absent = std::fs::remove_file(bench.relay.at(&format!("{}{suffix}", names::DATABASE)));
    }
    std::fs::copy(&copy, &file).unwrap();
    // Before anything is written the witness knows more than the database.
    let ran = bench.relay.run(&["log", "verify"]).await.expect(Exit::Failed);
    assert_eq!(ran.out[0]["problem"], "WITNESS_AHEAD");
    let ran = bench.relay.run(&["doctor"]).await.expect(Exit::Failed);
    assert!(ran.out.iter().any(|f| f["check"] == "witness" && f["status"] == "fail"), "{ran:?}");
    let ran = bench.relay.run(&["office", "suspend", SENDER, "--reason", "again"]).await.expect(Exit::Done);
    assert!(ran.err.contains("WENT_BACK"), "{ran:?}");

    let bench = Bench { store: bench.relay.boot().await.store, ..bench };
    let (summary, problems) = bench.verify().await;
    assert_eq!(problems.told(), []);
    assert_eq!(summary.epochs, 2);
    let row = format!("pos = {}", at(FIRST).to_key());
    let found = bench.found_with("leaves", "text", &row, b"not an event").await;
    assert!(found.contains(&Problem::TileDiffers(TILE, FIRST)), "{found:?}");
    // The new epoch's first event says how much of the old one was kept.
    let (last, away) = (at(SIZE - 1).to_key(), at(1_000_000).to_key());
    bench.execute(&format!("UPDATE leaves SET pos = {away} WHERE pos = {last}")).await;
    bench.execute(&format!("DELETE FROM checkpoints WHERE epoch = 1 AND size = {SIZE}")).await;
    let (_, problems) = bench.verify().await;
    assert!(problems.told().contains(&Problem::EpochStart(2)), "{:?}", problems.told());
}

on_both_databases!(
    an_honest_log_verifies,
    a_changed_leaf_is_found,
    a_leaf_that_is_gone_or_filed_elsewhere_is_found,
    a_changed_tile_is_found,
    a_changed_checkpoint_or_head_is_found,
    the_witness_is_believed,
    a_changed_feed_is_found,
    a_changed_parcel_is_found,
    changed_contents_and_papers_are_found,
    a_relay_may_write_meanwhile,
);
