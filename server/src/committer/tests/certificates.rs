//! Certificates that end: each threshold is told once, to whom it concerns, by whichever relay looks first.

use tasuki_proto::ids::ProxyNumber;
use tasuki_proto::mandate::{Scope, Scopes};

use super::*;
use crate::committer::change::{Certifying, Mandating};
use crate::store::certificates::{Bearer, CertificateRow};
use crate::store::mandates::{Holder, MandateRow};
use crate::store::offices::{KeyKind, KeyRow};
use crate::store::proxies::{ProxyKeyRow, ProxyRow, ProxyState};

const DAY_US: i64 = 86_400 * 1_000_000;

/// Says everything that is due, as each of two relays at once would.
async fn tell(store: &Store, relays: [&Started; 2]) {
    let due = store.certificates_due(i64::MAX, 10).await.unwrap();
    for key in due {
        for relay in relays {
            let change = Change::Certificate(Box::new(Certifying::Ending(key.clone())));
            relay.committer.submit(change).await.unwrap();
        }
    }
}

/// Kind, holder and days of the events of an office's feed that are about ends and revocations.
async fn told(store: &Store, number: &str) -> Vec<(String, String, String)> {
    let cursor = Cursor { epoch: 1, number: 0 };
    let feed = store.feed_after(office(number), cursor, 100).await.unwrap();
    let events = feed.into_iter().map(|(_, text)| Event::parse(&text).unwrap());
    let about = events.filter(|e| [kind::CERTIFICATE_ENDING, kind::KEY_REVOKED].contains(&e.kind.as_str()));
    let line = |event: &Event, key: &str| event.lines.get(key).unwrap_or_default().to_owned();
    about.map(|event| (event.kind.clone(), line(&event, "holder"), line(&event, "days"))).collect()
}

fn key(n: u8, not_after_us: i64) -> Change {
    Change::RegisterKey(Box::new(KeyRow {
        office: office(RECEIVER),
        kind: KeyKind::Certificate,
        key: vec![n],
        fingerprint: [n; 32],
        approval: Vec::new(),
        not_after_us,
        registered_us: 0,
    }))
}

async fn ends_are_told_once_for_each_threshold(dialect: Dialect) {
    let bench = Bench::new(dialect).await;
    let (store, relay) = bench.start().await;
    let other = bench.start_on(store.clone()).await;
    with_offices(&relay.committer).await;
    relay.committer.submit(key(1, START_US + 100 * DAY_US)).await.unwrap();
    let ending =
        |days: &str| (kind::CERTIFICATE_ENDING.to_owned(), format!("office:{RECEIVER}"), days.to_owned());
    for (day, days) in [(9, &[][..]), (11, &["90"]), (12, &["90"]), (94, &["90", "7"])] {
        bench.clock.0.store(START_US + day * DAY_US, Ordering::SeqCst);
        tell(&store, [&relay, &other]).await;
        let expected: Vec<_> = days.iter().map(|days| ending(days)).collect();
        assert_eq!(told(&store, RECEIVER).await, expected, "day {day}");
    }
    // Renewed: the end of the old one is no news. After a restart nothing is told twice.
    relay.committer.submit(key(2, START_US + 800 * DAY_US)).await.unwrap();
    drop((relay, other));
    let relay = bench.start_on(store.clone()).await;
    bench.clock.0.store(START_US + 101 * DAY_US, Ordering::SeqCst);
    tell(&store, [&relay, &relay]).await;
    assert_eq!(told(&store, RECEIVER).await, [ending("90"), ending("7")]);
    assert_eq!(told(&store, SENDER).await, []);
    assert!(store.certificates_due(START_US + 101 * DAY_US, 10).await.unwrap().is_empty());
}

async fn a_proxy_s_end_is_told_to_its_offices(dialect: Dialect) {
    let bench = Bench::new(dialect).await;
    let (store, relay) = bench.start().await;
    with_offices(&relay.committer).await;
    let submit = async |mandating: Mandating| {
        relay.committer.submit(Change::Mandate(Box::new(mandating))).await.unwrap();
    };
    let number: ProxyNumber = "P00001".parse().unwrap();
    submit(Mandating::PutProxy(ProxyRow { number, name: "伝送".to_owned(), state: ProxyState::Active }))
        .await;
    let row = MandateRow {
        until_us: START_US + 300 * DAY_US,
        ..MandateRow::new(office(SENDER), Holder::Proxy(number), Scopes::of([Scope::Send]), [7; 32])
    };
    submit(Mandating::Give { row, by: "operator".to_owned(), paper: None }).await;
    let not_after_us = START_US + 20 * DAY_US;
    let key =
        ProxyKeyRow { proxy: number, key: vec![1], fingerprint: [1; 32], not_after_us, registered_us: 0 };
    submit(Mandating::RegisterProxyKey(key)).await;
    tell(&store, [&relay, &relay]).await;
    let ending = (kind::CERTIFICATE_ENDING.to_owned(), "proxy:P00001".to_owned(), "30".to_owned());
    assert_eq!(told(&store, SENDER).await, [ending]);
    assert_eq!(told(&store, RECEIVER).await, []);
}

async fn who_waits_for_a_revoked_receiver_is_told(dialect: Dialect) {
    let bench = Bench::new(dialect).await;
    let (store, relay) = bench.start().await;
    with_offices(&relay.committer).await;
    relay.committer.submit(key(1, START_US + 100 * DAY_US)).await.unwrap();
    relay.committer.submit(key(2, START_US + 200 * DAY_US)).await.unwrap();
    relay.committer.submit(Change::Deliver(delivery(1))).await.unwrap();
    let revoke = async |n: u8| {
        let key = (Bearer::Office(office(RECEIVER)), [n; 32]);
        let change = Change::Certificate(Box::new(Certifying::Revoked(key)));
        relay.committer.submit(change).await.unwrap().repeated
    };
    // It has another one: its senders need not know. Without any they do, once.
    assert!(!revoke(1).await);
    assert_eq!((told(&store, SENDER).await.len(), told(&store, RECEIVER).await.len()), (0, 1));
    assert!(!revoke(2).await && revoke(2).await);
    let sender = told(&store, SENDER).await;
    let revoked = (kind::KEY_REVOKED.to_owned(), format!("office:{RECEIVER}"), String::new());
    assert_eq!(sender, [revoked]);
    assert_eq!(told(&store, RECEIVER).await.len(), 2);
    // What is revoked does not end any more.
    assert!(store.certificates_due(i64::MAX, 10).await.unwrap().is_empty());
}

async fn one_that_only_signs_is_remembered_and_a_second_one_is_an_alert(dialect: Dialect) {
    let bench = Bench::new(dialect).await;
    let (store, relay) = bench.start().await;
    with_offices(&relay.committer).await;
    let bearer = Bearer::Office(office(RECEIVER));
    let see = async |n: u8| {
        let row = CertificateRow::seen(bearer.clone(), &[n], [n; 32], START_US + DAY_US);
        let change = Change::Certificate(Box::new(Certifying::Seen(row)));
        relay.committer.submit(change).await.unwrap().repeated
    };
    assert!(!see(1).await && see(1).await);
    assert_eq!(store.alerts_since(0, 10).await.unwrap(), []);
    assert!(!see(2).await);
    assert_eq!(store.alerts_since(0, 10).await.unwrap().len(), 1);
    assert!(store.knows_certificate(&bearer, &[2; 32]).await.unwrap());
    assert!(!store.knows_certificate(&bearer, &[3; 32]).await.unwrap());
}

on_both_databases!(
    ends_are_told_once_for_each_threshold,
    a_proxy_s_end_is_told_to_its_offices,
    who_waits_for_a_revoked_receiver_is_told,
    one_that_only_signs_is_remembered_and_a_second_one_is_an_alert,
);
