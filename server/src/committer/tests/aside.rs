//! Large contents: the commit consumes the intent of one that was set aside, or does not take place.

use super::*;
use crate::store::blobs::Blobs;

async fn set_aside(store: &Store, parcel: &mut Delivery, at_us: i64) -> [u8; 32] {
    let digest = parcel.sealed_digest;
    parcel.aside = store.set_aside(&digest, &mut parcel.sealed, at_us).await.unwrap();
    assert!(parcel.aside && parcel.sealed.is_empty());
    digest
}

async fn a_large_content_goes_when_its_time_is_over(dialect: Dialect) {
    let bench = Bench::new(dialect).await;
    let folder = bench.database.folder.path().join("content");
    std::fs::create_dir(&folder).unwrap();
    let store = bench.database.open().await.with_blobs(Blobs::open(&folder, 500).unwrap());
    let started = bench.start_on(store.clone()).await;
    with_offices(&started.committer).await;
    let (mut signed, mut waiting) = (delivery(1), delivery(2));
    let keys = [signed.key, waiting.key];
    for parcel in [&mut signed, &mut waiting] {
        set_aside(&store, parcel, START_US).await;
    }
    for parcel in [signed, waiting] {
        started.committer.submit(Change::Deliver(parcel)).await.unwrap();
    }
    started.committer.submit(fetch(keys[0])).await.unwrap();
    started.committer.submit(acknowledgement(keys[0], [1; 32])).await.unwrap();
    bench.clock.0.store(START_US + 1, Ordering::SeqCst);
    let config = RetentionConfig { acknowledged: "0s".parse().unwrap(), ..RetentionConfig::default() };
    let sweeper = Sweeper::new(store.clone(), Arc::clone(&bench.clock) as Arc<dyn Clock>, config);
    assert_eq!(sweeper.sweep().await.unwrap(), 1);
    assert_eq!(store.sweep(START_US).await.unwrap(), 1);
    assert_eq!((sweeper.sweep().await.unwrap(), store.sweep(i64::MAX).await.unwrap()), (0, 0));
    for (key, kept) in keys.iter().zip([false, true]) {
        let row = store.parcel(key).await.unwrap().unwrap();
        assert_eq!(store.content(row.seq, 0, 10).await.unwrap().is_some(), kept);
    }
}

async fn a_commit_consumes_the_intent_or_does_not_take_place(dialect: Dialect) {
    let bench = Bench::new(dialect).await;
    let folder = bench.database.folder.path().join("content");
    std::fs::create_dir(&folder).unwrap();
    let store = bench.database.open().await.with_blobs(Blobs::open(&folder, 500).unwrap());
    let started = bench.start_on(store.clone()).await;
    let committer = &started.committer;
    with_offices(committer).await;

    let (mut large, mut late, small) = (delivery(1), delivery(2), delivery(3));
    let mut repetition = again(&large);
    set_aside(&store, &mut large, START_US).await;
    set_aside(&store, &mut late, START_US - 1).await;
    assert_eq!(store.sweep(START_US).await.unwrap(), 1);
    let key = late.key;
    let (taken, late, small) = tokio::join!(
        committer.submit(Change::Deliver(large)),
        committer.submit(Change::Deliver(late)),
        committer.submit(Change::Deliver(small)),
    );
    assert_eq!(late.unwrap_err(), Refused::Unavailable, "its content is gone: it may be sent again");
    assert_eq!(store.parcel(&key).await.unwrap(), None);
    let (taken, small) = (taken.unwrap(), small.unwrap());
    prove(&started, &taken).await;
    let content = async |done: &Done| {
        let row = done.parcel.as_ref().unwrap();
        store.content(row.seq, 990, 100).await.unwrap()
    };
    assert_eq!(content(&taken).await, Some(vec![1; 10]));
    assert_eq!(content(&small).await, Some(vec![3; 10]));
    assert_eq!(taken.parcel.as_ref().unwrap().sealed_size, 1000);

    // The same parcel again, sealed again: what it was committed with stays, the new one is given up.
    repetition.sealed = vec![9; 1000];
    repetition.sealed_digest = sha256(&repetition.sealed);
    let second = set_aside(&store, &mut repetition, START_US).await;
    let mut other = delivery(4);
    set_aside(&store, &mut other, START_US).await;
    let (repeated, other) = tokio::join!(
        committer.submit(Change::Deliver(repetition)),
        committer.submit(Change::Deliver(other)),
    );
    assert!(repeated.unwrap().repeated);
    store.give_up(&second).await.unwrap();
    assert_eq!(store.sweep(i64::MAX).await.unwrap(), 0, "nothing is left over");
    assert_eq!(content(&taken).await, Some(vec![1; 10]));
    assert_eq!(content(&other.unwrap()).await, Some(vec![4; 10]));
}

on_both_databases!(
    a_commit_consumes_the_intent_or_does_not_take_place,
    a_large_content_goes_when_its_time_is_over,
);
