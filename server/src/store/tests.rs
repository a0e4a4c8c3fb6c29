//! What the store answers, on both databases.

use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::ids::{ParcelId, ParcelKey};

use super::Store;
use super::dialect::Dialect;
use super::leaves::Position;
use super::parcels::{FileRow, ParcelRow, State};
use super::testing::{TestDatabase, on_both_databases};

const START_US: i64 = 1_795_261_114_000_000;
const OWN: &str = "1371215102";
const RECEIVER: &str = "9971100012";

fn office(number: &str) -> OfficeNumber {
    number.parse().unwrap()
}

/// The `n`th number of an office that nobody knows.
fn stranger(n: i64) -> OfficeNumber {
    format!("88{n:08}").parse().unwrap()
}

fn parcel(seq: i64, sender: OfficeNumber, id: ParcelId, recipient: OfficeNumber) -> ParcelRow {
    ParcelRow {
        seq,
        key: ParcelKey { sender, id },
        recipient,
        state: State::Delivered,
        digest: [1; 32],
        sealed_digest: [2; 32],
        container_size: 1,
        sealed_size: 1,
        files: vec![FileRow {
            kind: "ATTACHMENT".into(),
            month: String::new(),
            serial: String::new(),
            size: 1,
        }],
        signer: [3; 32],
        accepted_us: START_US,
        fetched_us: 0,
        acknowledged_us: 0,
        position: Position { epoch: 1, index: u64::try_from(seq).unwrap() },
    }
}

async fn insert(store: &Store, parcels: &[ParcelRow]) {
    let mut tx = store.begin().await.unwrap();
    assert!(store.insert_parcels(&mut tx, parcels).await.unwrap());
    tx.commit().await.unwrap();
}

async fn strangers_who_chose_the_same_id_hide_nothing(dialect: Dialect) {
    let database = TestDatabase::new(dialect).await;
    let store = database.open().await;
    let id = ParcelId::new(START_US, &ring::rand::SystemRandom::new()).unwrap();
    let mut parcels: Vec<ParcelRow> =
        (1..=20).map(|n| parcel(n, stranger(n), id, stranger(n + 100))).collect();
    parcels.push(parcel(21, office(OWN), id, office(RECEIVER)));
    insert(&store, &parcels).await;
    for own in [OWN, RECEIVER] {
        let found = store.parcels_by_id(&id, office(own)).await.unwrap();
        assert_eq!(found, parcels[20..], "{own}");
    }
    // Two that concern the same office are both told, so that it can be asked which.
    insert(&store, &[parcel(22, stranger(50), id, office(OWN))]).await;
    let found = store.parcels_by_id(&id, office(OWN)).await.unwrap();
    assert_eq!(found.iter().map(|p| p.seq).collect::<Vec<_>>(), [21, 22]);
    assert_eq!(store.parcels_by_id(&id, stranger(999)).await.unwrap(), []);
    store.close().await;
}

on_both_databases!(strangers_who_chose_the_same_id_hide_nothing);
