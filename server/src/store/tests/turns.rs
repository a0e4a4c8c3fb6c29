//! Whose turn it is to be told, among many that have nothing to be told.

use sqlx::AssertSqlSafe;
use tasuki_proto::log::{Checkpoint, Hash};

use super::*;
use crate::clock::{Clock as _, SystemClock};
use crate::store::turns::Way;
use crate::turns::Turns;

/// Offices with a webhook, addresses and a feed of two entries, which all were told of.
async fn told(store: &Store, count: i64) {
    let mut tx = store.begin().await.unwrap();
    for n in 1..=count {
        let office = stranger(n);
        sqlx::query(
            "INSERT INTO webhooks (office, url, key, epoch, number, tries, next_us, lease_us, last_error, delivered_us, \
             changed_us) VALUES ($1, 'https://localhost/', $2, 1, 2, 0, 0, 0, '', 0, 1)",
        )
        .bind(office.to_string())
        .bind(vec![7; 32])
        .execute(&mut *tx)
        .await
        .unwrap();
        sqlx::query(
            "INSERT INTO mail (office, addresses, epoch, number, next_us, tries, last_error, lease_us, changed_us) \
             VALUES ($1, 'a@example.jp', 1, 2, 0, 0, '', 0, 1)",
        )
        .bind(office.to_string())
        .execute(&mut *tx)
        .await
        .unwrap();
        for number in 1..=2 {
            grow(&mut tx, office, number, 2 * n + number).await;
        }
    }
    tx.commit().await.unwrap();
}

async fn grow(tx: &mut Tx, office: OfficeNumber, number: i64, index: i64) {
    let position = Position { epoch: 1, index: index.unsigned_abs() };
    let row = sqlx::query(
        "INSERT INTO feeds (office, epoch, number, pos, salt, previous) VALUES ($1, 1, $2, $3, $4, $5)",
    );
    row.bind(office.to_string())
        .bind(number)
        .bind(position.to_key())
        .bind(vec![7; 16])
        .bind(vec![7; 32])
        .execute(&mut **tx)
        .await
        .unwrap();
}

async fn many(dialect: Dialect, count: i64) -> (TestDatabase, Store) {
    let database = TestDatabase::new(dialect).await;
    let store = database.open().await;
    told(&store, count).await;
    (database, store)
}

/// A checkpoint as far as turns look at it.
fn checkpoint(size: u64) -> Checkpoint {
    Checkpoint { epoch: 1, size, root: Hash([0; 32]), note: Vec::new() }
}

async fn only_who_has_something_to_be_told_is_looked_at(dialect: Dialect) {
    let (_database, store) = many(dialect, 20).await;
    for way in [Way::Webhook, Way::Mail] {
        let turns = Turns::new(way);
        let next = async |size, now_us| turns.next(&store, &checkpoint(size), now_us, 3).await.unwrap();
        let none: [OfficeNumber; 0] = [];
        assert_eq!(next(43, START_US).await, none, "everybody was told of everything");
        // Written by whomever: this look, and once.
        let mut tx = store.begin().await.unwrap();
        grow(&mut tx, stranger(7), 3, 43).await;
        grow(&mut tx, stranger(999), 1, 44).await;
        grow(&mut tx, stranger(9), 3, 45).await;
        tx.commit().await.unwrap();
        assert_eq!(next(45, START_US).await, [stranger(7)], "the checkpoint covers no more yet");
        assert_eq!(next(46, START_US).await, [stranger(9)]);
        assert_eq!(next(46, START_US).await, none);
        // No more at once than there are places; the others stay noted, each once.
        for n in [1, 2, 1, 3, 4] {
            turns.note(stranger(n));
        }
        assert_eq!(next(46, START_US).await, [1, 2, 3].map(stranger));
        assert_eq!(next(46, START_US).await, [stranger(4)]);
        // Pauses and turns that are over; a pause outlasts a turn.
        let table = if way == Way::Webhook { "webhooks" } else { "mail" };
        let mut tx = store.begin().await.unwrap();
        for (n, next_us, lease_us) in [(10, 5, 0), (11, 6, 0), (12, 0, 4), (13, 7, 4)] {
            let (office, us) = (stranger(n), |after: i64| if after == 0 { 0 } else { START_US + after });
            let (next_us, lease_us) = (us(next_us), us(lease_us));
            let sql = format!(
                "UPDATE {table} SET next_us = {next_us}, lease_us = {lease_us} WHERE office = '{office}'"
            );
            sqlx::query(AssertSqlSafe(sql)).execute(&mut *tx).await.unwrap();
        }
        tx.commit().await.unwrap();
        assert_eq!(next(46, START_US + 4).await, none);
        assert_eq!(next(46, START_US + 5).await, [10, 12].map(stranger));
        store.end_turn(way, stranger(12), START_US + 4, START_US + 9).await.unwrap();
        store.end_turn(way, stranger(13), START_US + 3, START_US + 9).await.unwrap();
        assert_eq!(
            next(46, START_US + 7).await,
            [10, 11, 13].map(stranger),
            "12's turn is longer, 13's another's"
        );
        // Whoever was forgotten is found when everybody is looked at.
        let later_us = START_US + 600_000_000;
        assert_eq!(next(46, later_us).await, [7, 9, 10].map(stranger));
        let mut tx = store.begin().await.unwrap();
        let sql = format!("DELETE FROM feeds WHERE number > 2 OR office = '{}'", stranger(999));
        sqlx::query(AssertSqlSafe(sql)).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
    }
}

async fn a_turn_may_be_taken_where_there_is_something_to_do(dialect: Dialect) {
    let (_database, store) = many(dialect, 5).await;
    let all = [1, 2, 3, 4, 5].map(stranger);
    assert_eq!(store.due_webhooks(&all, START_US).await.unwrap(), []);
    assert_eq!(store.due_webhooks(&[], START_US).await.unwrap(), []);
    let mut tx = store.begin().await.unwrap();
    for n in 1..=3 {
        grow(&mut tx, stranger(n), 3, 20 + n).await;
    }
    // One is told by another relay, one keeps a pause, and one's pause is over.
    for (n, column, us) in
        [(2, "lease_us", START_US + 1), (3, "next_us", START_US + 1), (4, "next_us", START_US)]
    {
        for table in ["webhooks", "mail"] {
            let sql = format!("UPDATE {table} SET {column} = {us} WHERE office = '{}'", stranger(n));
            sqlx::query(AssertSqlSafe(sql)).execute(&mut *tx).await.unwrap();
        }
    }
    tx.commit().await.unwrap();
    let due = store.due_webhooks(&all, START_US).await.unwrap();
    assert_eq!(due.iter().map(|row| row.office).collect::<Vec<_>>(), [1, 4].map(stranger));
    let due = store.due_mail(&all, START_US).await.unwrap();
    assert_eq!(due.iter().map(|row| row.office).collect::<Vec<_>>(), [1, 4].map(stranger));
    assert_eq!(store.due_mail(&all, START_US + 2).await.unwrap().len(), 4);
}

async fn a_turn_that_is_given_back_is_another_relays_soon(dialect: Dialect) {
    let (_database, store) = many(dialect, 2).await;
    let turns = Turns::new(Way::Webhook);
    let now_us = SystemClock.now_us();
    let (office, lease_us) = (stranger(2), now_us + 60_000_000);
    let offices = async |at_us| turns.next(&store, &checkpoint(7), at_us, 3).await.unwrap();
    assert_eq!(offices(now_us).await, []);
    store.end_turn(Way::Webhook, office, 0, lease_us).await.unwrap();
    turns.give_back(&store, &SystemClock, office, lease_us).await;
    assert_eq!(offices(now_us + 4_000_000).await, [], "the cause needs a moment to pass");
    assert_eq!(offices(now_us + 30_000_000).await, [office]);
}

on_both_databases!(
    a_turn_that_is_given_back_is_another_relays_soon,
    only_who_has_something_to_be_told_is_looked_at,
    a_turn_may_be_taken_where_there_is_something_to_do,
);
