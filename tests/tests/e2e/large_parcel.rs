//! A parcel so large that its sealed content is a file: as every other, and it survives a crash.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tasuki_certs::open::{OpeningKey, open};
use tasuki_proto::ids::ParcelKey;
use tasuki_proto::reason as word;
use tasuki_tests::raw::{Forge, fetch, reason, submit};

use crate::stage::{Database, MANAGER, Stage, VISIT};

/// Files outside the database.
fn files(stage: &Stage) -> Vec<PathBuf> {
    let folders = fs::read_dir(stage.relay.dir.join("content")).unwrap();
    folders.flat_map(|f| fs::read_dir(f.unwrap().path()).unwrap()).map(|f| f.unwrap().path()).collect()
}

/// What a repetition had put aside goes after its answer, so wait for it.
async fn one_file(stage: &Stage) {
    let until = Instant::now() + Duration::from_secs(30);
    while files(stage).len() != 1 {
        assert!(Instant::now() < until, "a repetition leaves nothing: {:?}", files(stage));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn a_large_parcel(database: Database) {
    let mut stage = Stage::new(database);
    let (manager, visit) = (stage.raw(MANAGER), stage.raw(VISIT));
    let to_manager = manager.connect(&stage.relay).await.unwrap();
    let forge = Forge::large(MANAGER, VISIT);
    let container = forge.sign(&manager.identity);
    let key = ParcelKey { sender: MANAGER.parse().unwrap(), id: forge.id };
    for _ in 0..2 {
        assert_eq!(reason(&submit(&to_manager, container.clone()).await.unwrap()), "accepted");
        one_file(&stage).await;
    }
    let small = Forge::withdrawal(MANAGER, VISIT).sign(&manager.identity);
    assert_eq!(reason(&submit(&to_manager, small).await.unwrap()), "accepted");
    // Refused, and therefore nowhere.
    let refused = Forge::large(MANAGER, MANAGER).sign(&manager.identity);
    assert_eq!(reason(&submit(&to_manager, refused).await.unwrap()), word::RECIPIENT_IS_SENDER);
    assert_eq!(files(&stage).len(), 1);

    stage.relay.kill();
    stage.relay.start();
    let to_visit = visit.connect(&stage.relay).await.unwrap();
    let sealed = fetch(&to_visit, &key, 0).await.unwrap().unwrap();
    let opened = open(&sealed, &[OpeningKey::from_identity(&visit.identity).unwrap()]).unwrap();
    assert_eq!(opened, container);
    assert_eq!(fetch(&to_visit, &key, 299_999).await.unwrap().unwrap(), sealed[299_999..]);
    assert_eq!(fetch(&to_visit, &key, sealed.len() as u64).await.unwrap().unwrap(), [0; 0]);
    stage.relay.run(&["log", "verify"]).expect(0);

    // What somebody took away is missed.
    fs::remove_file(&files(&stage)[0]).unwrap();
    assert_eq!(fetch(&to_visit, &key, 0).await.unwrap(), Err(word::CONTENT_GONE.to_owned()));
    assert_ne!(stage.relay.run(&["log", "verify"]).code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_parcel_on_sqlite() {
    a_large_parcel(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_parcel_on_postgres() {
    a_large_parcel(Database::Postgres).await;
}
