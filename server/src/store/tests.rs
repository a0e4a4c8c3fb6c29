//! What the store answers, on both databases.

mod refusals;
mod turns;

use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::event::sha256;
use tasuki_proto::ids::{ParcelId, ParcelKey};
use tasuki_proto::lifecycle::State;

use super::dialect::Dialect;
use super::leaves::Position;
use super::offices::{KeyKind, KeyRow, MAX_KEYS_READ};
use super::parcels::{FileRow, Marks, ParcelRow};
use super::testing::{TestDatabase, on_both_databases};
use super::{Store, Tx};

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
        marks: Marks::default(),
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

/// The `n`th key of an office, registered in this order.
async fn register(store: &Store, tx: &mut Tx, n: i64, kind: KeyKind, not_after_us: i64) -> [u8; 32] {
    let key = n.to_be_bytes().to_vec();
    let fingerprint = sha256(&key);
    let approval = Vec::new();
    let row =
        KeyRow { office: office(OWN), kind, key, fingerprint, approval, not_after_us, registered_us: 0 };
    assert!(store.insert_key(tx, &row, START_US + n).await.unwrap());
    fingerprint
}

async fn an_offices_keys_are_the_newest_that_have_not_ended(dialect: Dialect) {
    let database = TestDatabase::new(dialect).await;
    let store = database.open().await;
    let read = i64::from(MAX_KEYS_READ);
    let mut tx = store.begin().await.unwrap();
    for n in 0..read {
        register(&store, &mut tx, n, KeyKind::Certificate, START_US - 1).await;
    }
    tx.commit().await.unwrap();
    assert_eq!(store.office_keys(&[office(OWN)], START_US).await.unwrap(), [], "they have all ended");
    let mut newest = Vec::new();
    let mut tx = store.begin().await.unwrap();
    for n in read..=2 * read {
        newest.insert(0, register(&store, &mut tx, n, KeyKind::Sealing, i64::MAX).await);
    }
    tx.commit().await.unwrap();
    let found = store.office_keys(&[office(OWN)], START_US).await.unwrap();
    let found: Vec<[u8; 32]> = found.iter().map(|key| key.fingerprint).collect();
    assert_eq!(found, newest[..usize::try_from(read).unwrap()], "the oldest of them is left out");

    let beside = |fingerprint: [u8; 32]| {
        let store = store.clone();
        async move { store.sealing_keys_beside(office(OWN), &fingerprint).await.unwrap() }
    };
    assert_eq!(beside([0; 32]).await, MAX_KEYS_READ + 1);
    assert_eq!(beside(newest[0]).await, MAX_KEYS_READ);
    store.close().await;
}

on_both_databases!(
    strangers_who_chose_the_same_id_hide_nothing,
    an_offices_keys_are_the_newest_that_have_not_ended,
);
