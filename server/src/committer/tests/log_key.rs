//! The log's key hands over on schedule, once, and not before its time.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tasuki_proto::log::LogSigner;

use super::{Bench, START_US, office_row};
use crate::boot;
use crate::clock::Clock;
use crate::committer::change::Change;
use crate::committer::{Committer, Started};
use crate::config::period::Period;
use crate::files::{self, Readers};
use crate::log_key::{self, LogKey};
use crate::log_key_roller::{LogKeyRoller, due_us};
use crate::store::Store;
use crate::store::dialect::Dialect;
use crate::store::testing::on_both_databases;

const AFTER: Period = Period::days(400);

async fn a_key_hands_over_when_it_is_old_enough(dialect: Dialect) {
    let bench = Bench::new(dialect).await;
    let store = bench.database.open().await;
    let path = bench.database.folder.path().join("log.key");
    files::replace(&path, bench.key.as_bytes(), Readers::Owner).unwrap();
    let started = start(&bench, &store).await;
    let first = LogSigner::from_secret_text(&bench.key).unwrap().public_hex();
    let roller = roller(&bench, &store, &started);
    // There is no log yet, or it is young.
    roller.look().await;
    started.committer.submit(Change::PutOffices(vec![office_row("1371215102")])).await.unwrap();
    roller.look().await;
    assert_eq!(due_us(&store, AFTER).await.unwrap(), Some(START_US + AFTER.us()));
    assert!(boot::rolls(&store).await.unwrap().is_empty());

    bench.clock.0.store(START_US + AFTER.us() + 1, Ordering::SeqCst);
    if dialect == Dialect::Postgres {
        // Others may be on this database: nothing happens before a person has brought the next key to them.
        roller.look().await;
        assert!(boot::rolls(&store).await.unwrap().is_empty());
        log_key::prepare(&path, None).unwrap();
    }
    roller.look().await;
    roller.look().await;
    let rolls = boot::rolls(&store).await.unwrap();
    assert_eq!((rolls.len(), rolls[0].emergency), (1, false));
    // The new key signs, lies in the old one's place, and has its own time before it.
    let signer = log_key::load(&path, &rolls).unwrap();
    assert_ne!(signer.public_hex(), first);
    assert!(!log_key::next_path(&path).exists());
    started.committer.submit(Change::PutOffices(vec![office_row("9971100012")])).await.unwrap();
    let head = store.head().await.unwrap();
    assert!(signer.verifier().open(&head.note).is_ok());
    let next_us = due_us(&store, AFTER).await.unwrap().unwrap();
    assert_eq!(next_us, rolls[0].time_us + AFTER.us());
}

async fn start(bench: &Bench, store: &Store) -> Started {
    let signer = LogSigner::from_secret_text(&bench.key).unwrap();
    let file = Some(bench.database.folder.path().join("log.key"));
    let witness = bench.database.folder.path().join("witness");
    let clock = Arc::clone(&bench.clock) as Arc<dyn Clock>;
    Committer::start(store.clone(), LogKey { signer, file }, &witness, clock).await.unwrap()
}

fn roller(bench: &Bench, store: &Store, started: &Started) -> LogKeyRoller {
    let key = bench.database.folder.path().join("log.key");
    let clock = Arc::clone(&bench.clock) as Arc<dyn Clock>;
    LogKeyRoller::new(key, AFTER, store, &started.committer, &clock)
}

on_both_databases!(a_key_hands_over_when_it_is_old_enough);
