//! Refused submissions: each office its own, bounded, and gone when their time is over.

use super::super::dialect::Dialect;
use super::super::refusals::{MAX_KEPT, RefusalFilter, RefusalRow};
use super::super::testing::{TestDatabase, on_both_databases};
use super::{OWN, RECEIVER, START_US, insert, office, parcel, stranger};
use crate::store::Store;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::ids::ParcelId;

fn id(at_us: i64) -> ParcelId {
    ParcelId::new(at_us, &ring::rand::SystemRandom::new()).unwrap()
}

fn refusal(of: OfficeNumber, at_us: i64, parcel: Option<ParcelId>) -> RefusalRow {
    RefusalRow {
        office: of,
        refused_us: at_us,
        parcel,
        recipient: Some(office(RECEIVER)),
        reason: "FILES_REJECTED".into(),
        findings: "error\tA\n".into(),
        left_out: 7,
    }
}

async fn listed(store: &Store, of: OfficeNumber, filter: &RefusalFilter) -> Vec<i64> {
    let rows = store.refusals(of, filter, 2_000).await.unwrap();
    rows.iter().map(|row| row.refused_us - START_US).collect()
}

async fn each_office_sees_its_own_by_pages_and_filters(dialect: Dialect) {
    let database = TestDatabase::new(dialect).await;
    let store = database.open().await;
    let (own, other) = (office(OWN), stranger(1));
    let named = id(START_US);
    let elsewhere = RefusalRow { recipient: None, ..refusal(own, START_US + 3, None) };
    let rows = [
        refusal(own, START_US + 1, Some(named)),
        refusal(other, START_US + 1, Some(named)),
        refusal(own, START_US + 2, None),
        elsewhere.clone(),
    ];
    store.put_refusals(&rows).await.unwrap();
    let all = RefusalFilter::default();
    assert_eq!(store.refusals(own, &all, 1).await.unwrap(), [elsewhere], "as it was put, newest first");
    assert_eq!(listed(&store, own, &all).await, [3, 2, 1]);
    assert_eq!(listed(&store, other, &all).await, [1]);
    assert_eq!(listed(&store, office(RECEIVER), &all).await, [0; 0], "it is none of the receiver's");
    let before = RefusalFilter { before_us: Some(START_US + 3), ..all.clone() };
    assert_eq!(listed(&store, own, &before).await, [2, 1]);
    let to = RefusalFilter { recipient: Some(office(RECEIVER)), ..all.clone() };
    assert_eq!(listed(&store, own, &to).await, [2, 1]);
    let of_parcel = RefusalFilter { parcel: Some(named), recipient: to.recipient, before_us: None };
    assert_eq!(listed(&store, own, &of_parcel).await, [1]);

    // The same parcel once more: the newest word counts. Accepted at last: there is nothing to mend.
    store.put_refusals(&[refusal(own, START_US + 4, Some(named))]).await.unwrap();
    assert_eq!(listed(&store, own, &all).await, [4, 3, 2]);
    let mut accepted = parcel(1, own, named, office(RECEIVER));
    accepted.accepted_us = START_US + 5;
    insert(&store, &[accepted]).await;
    assert_eq!(listed(&store, own, &all).await, [3, 2]);
    assert_eq!(listed(&store, other, &all).await, [1], "the same id of another office is another parcel");
    store.close().await;
}

async fn they_are_bounded_and_forgotten(dialect: Dialect) {
    let database = TestDatabase::new(dialect).await;
    let store = database.open().await;
    let (own, other) = (office(OWN), stranger(1));
    store.put_refusals(&[refusal(other, START_US, None)]).await.unwrap();
    let rows: Vec<RefusalRow> = (1..=1_300).map(|n| refusal(own, START_US + n, None)).collect();
    for piece in rows.chunks(100) {
        store.put_refusals(piece).await.unwrap();
    }
    let all = RefusalFilter::default();
    let kept = listed(&store, own, &all).await;
    assert_eq!((kept.len(), kept[0]), (MAX_KEPT as usize, 1_300));
    assert_eq!(listed(&store, other, &all).await, [0], "the bound is each office's own");

    assert_eq!(store.forget_refusals(START_US, 100).await.unwrap(), 0, "nothing is that old");
    let mut pieces = Vec::new();
    loop {
        match store.forget_refusals(START_US + 1_291, 400).await.unwrap() {
            0 => break,
            went => pieces.push(went),
        }
    }
    assert_eq!(pieces, [400, 400, 191], "piece by piece");
    assert_eq!(listed(&store, own, &all).await.len(), 10);
    assert_eq!(listed(&store, other, &all).await, [0; 0]);
    store.close().await;
}

on_both_databases!(each_office_sees_its_own_by_pages_and_filters, they_are_bounded_and_forgotten);
