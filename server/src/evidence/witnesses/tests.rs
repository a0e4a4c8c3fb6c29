//! What witnesses hand in, and what is handed out of it, on both databases.

use ring::rand::SystemRandom;
use tasuki_proto::cosignature::Cosigner;
use tasuki_proto::log::{Hash, LogSigner};

use super::{CosignatureError, Witnesses};
use crate::store::dialect::Dialect;
use crate::store::testing::{TestDatabase, on_both_databases};

fn witness(name: &str) -> Cosigner {
    Cosigner::generate(name, &SystemRandom::new()).unwrap()
}

async fn the_last_word_of_each_witness_is_handed_out(dialect: Dialect) {
    let database = TestDatabase::new(dialect).await;
    let store = database.open().await;
    let signer = LogSigner::generate("relay.test/log", &SystemRandom::new()).unwrap();
    let note = |size: u8| signer.sign(1, size.into(), Hash([size; 32])).unwrap();
    let mut tx = store.begin().await.unwrap();
    for size in [3, 5] {
        store.insert_checkpoint(&mut tx, 1, size.into(), &note(size)).await.unwrap();
    }
    tx.commit().await.unwrap();
    let (one, two, stranger) = (witness("w.test/1"), witness("w.test/2"), witness("w.test/3"));
    let witnesses = Witnesses::parse(&[one.key().vkey(), two.key().vkey()]).unwrap();
    let key = signer.verifier();
    let add = async |note: &[u8]| witnesses.add(&store, &key, note).await;
    let cosigned = async || witnesses.cosigned(&store, 1).await.unwrap();

    assert_eq!(cosigned().await, Vec::<Vec<u8>>::new());
    assert_eq!(add(&one.cosign(&note(3), 10).unwrap()).await.unwrap(), 1);
    assert_eq!(cosigned().await, [one.cosign(&note(3), 10).unwrap()]);
    // A later word replaces the earlier one, whoever brings it; a late one changes nothing.
    let both = two.cosign(&one.cosign(&note(5), 11).unwrap(), 12).unwrap();
    assert_eq!(add(&stranger.cosign(&both, 13).unwrap()).await.unwrap(), 2);
    assert_eq!(add(&one.cosign(&note(3), 14).unwrap()).await.unwrap(), 1);
    assert_eq!(add(&one.cosign(&note(5), 9).unwrap()).await.unwrap(), 1);
    assert_eq!(cosigned().await, [both]);
    // Of different sizes, the largest comes first.
    let mut tx = store.begin().await.unwrap();
    store.insert_checkpoint(&mut tx, 1, 8, &note(8)).await.unwrap();
    tx.commit().await.unwrap();
    add(&two.cosign(&note(8), 15).unwrap()).await.unwrap();
    let newest = [two.cosign(&note(8), 15).unwrap(), one.cosign(&note(5), 11).unwrap()];
    assert_eq!(cosigned().await, newest);

    // What is none of ours: an unknown size, another tree of a known size, another log, a stranger's word, a wrong one.
    let other_tree = signer.sign(1, 5, Hash([9; 32])).unwrap();
    let other_log = LogSigner::generate("relay.test/log", &SystemRandom::new()).unwrap();
    let other_log = other_log.sign(1, 5, Hash([5; 32])).unwrap();
    for bad in [note(4), other_tree, other_log, b"nonsense".to_vec()] {
        let bad = one.cosign(&bad, 20).unwrap_or(bad);
        assert!(matches!(add(&bad).await, Err(CosignatureError::Checkpoint)));
    }
    let line = one.key().cosignature(&one.cosign(&note(5), 21).unwrap()).unwrap().unwrap().line;
    for bad in [note(8), stranger.cosign(&note(8), 20).unwrap(), [note(8), line].concat()] {
        assert!(matches!(add(&bad).await, Err(CosignatureError::Witness)));
    }
    assert_eq!(cosigned().await, newest);
    // Who is taken out of the configuration is not shown any more.
    let fewer = Witnesses::parse(&[two.key().vkey()]).unwrap();
    assert_eq!(fewer.cosigned(&store, 1).await.unwrap(), newest[..1]);
    store.close().await;
}

on_both_databases!(the_last_word_of_each_witness_is_handed_out);
