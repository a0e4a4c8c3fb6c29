//! `doctor` on a good relay, and on relays with one thing wrong each.

use super::*;
use crate::commands::testing::{RECEIVER, SENDER, TestRelay};
use crate::config::template::names;
use crate::store::Store;
use crate::store::alerts::{AddressAlert, Alert, SIGNATURE_FAILURES};
use crate::store::dialect::Dialect;
use crate::store::head::Head;
use crate::store::testing::on_both_databases;
use crate::store::timestamps::TimestampRow;

const DAY_US: i64 = 86_400 * 1_000_000;

async fn findings(relay: &TestRelay, now_us: i64) -> Vec<Finding> {
    examine(&relay.config(), now_us).await
}

fn worst(findings: &[Finding], check: &str) -> Status {
    let of_check = findings.iter().filter(|finding| finding.check == check);
    of_check.map(|finding| finding.status).max().unwrap_or_else(|| panic!("no check {check}: {findings:?}"))
}

async fn a_good_relay_is_well(dialect: Dialect) {
    let relay = TestRelay::new(dialect).await;
    relay.with_offices().await;
    let ran = relay.run(&["doctor"]).await.expect(Exit::Done);
    for check in
        ["config", "secrets", "database", "clock", "log", "witness", "revocation", "certificates", "tls"]
    {
        let finding = ran.out.iter().find(|finding| finding["check"] == check);
        assert_eq!(finding.unwrap_or_else(|| panic!("{check}: {ran:?}"))["status"], "ok", "{check}");
    }
}

async fn what_ends_is_told_before_it_ends(dialect: Dialect) {
    let relay = TestRelay::new(dialect).await;
    relay.with_offices().await;
    let issue = |number, days| {
        let out = relay.beside("certificates").display().to_string();
        let relay = &relay;
        async move {
            let arguments = ["cert", "issue", number, "--out", &out, "--days", days, "--key", "p256"];
            relay.run(&arguments).await.expect(Exit::Done)
        }
    };
    issue(SENDER, "20").await;
    issue(RECEIVER, "300").await;
    let now_us = SystemClock.now_us();
    let found = findings(&relay, now_us).await;
    let certificates = found.iter().find(|finding| finding.check == "certificates").unwrap();
    assert_eq!(certificates.status, Status::Warn);
    assert!(certificates.text.en.contains(SENDER) && !certificates.text.en.contains(RECEIVER));

    // The list is good for a week, the alarm comes two days before its end.
    assert_eq!(worst(&findings(&relay, now_us + 4 * DAY_US).await, "revocation"), Status::Ok);
    assert_eq!(worst(&findings(&relay, now_us + 6 * DAY_US).await, "revocation"), Status::Warn);
    assert_eq!(worst(&findings(&relay, now_us + 8 * DAY_US).await, "revocation"), Status::Fail);
    // The server's certificate is good for 13 months.
    assert_eq!(worst(&findings(&relay, now_us + 360 * DAY_US).await, "tls"), Status::Ok);
    assert_eq!(worst(&findings(&relay, now_us + 380 * DAY_US).await, "tls"), Status::Warn);
    assert_eq!(worst(&findings(&relay, now_us + 390 * DAY_US).await, "tls"), Status::Fail);
    assert_eq!(worst(&findings(&relay, now_us + 400 * DAY_US).await, "tls"), Status::Fail);
    // A clock that lags behind the log.
    assert_eq!(worst(&findings(&relay, now_us - DAY_US).await, "clock"), Status::Fail);
}

#[tokio::test]
async fn each_thing_that_is_wrong_is_told() {
    let relay = TestRelay::new(Dialect::Sqlite).await;
    let now_us = SystemClock.now_us();
    let away = |name: &str| std::fs::rename(relay.at(name), relay.beside("away")).unwrap();
    let back = |name: &str| std::fs::rename(relay.beside("away"), relay.at(name)).unwrap();
    for (name, check, status) in [
        (names::LOG_KEY, "secrets", Status::Fail),
        (names::LOG_KEY, "log", Status::Fail),
        (names::TLS_KEY, "tls", Status::Fail),
        (names::TLS_CERTIFICATE, "tls", Status::Fail),
        (names::WITNESS, "witness", Status::Warn),
        (names::TRIAL_CA, "trust", Status::Fail),
        ("crls/trial-ca.crl", "revocation", Status::Fail),
        (names::DATABASE, "database", Status::Fail),
    ] {
        away(name);
        let found = findings(&relay, now_us).await;
        assert_eq!(worst(&found, check), status, "{name}: {found:?}");
        back(name);
    }
    // Another log's key.
    let other = TestRelay::new(Dialect::Sqlite).await;
    away(names::LOG_KEY);
    std::fs::copy(other.at(names::LOG_KEY), relay.at(names::LOG_KEY)).unwrap();
    assert_eq!(worst(&findings(&relay, now_us).await, "log"), Status::Fail);
}

async fn alerts_of_the_last_days_are_told(dialect: Dialect) {
    let relay = TestRelay::new(dialect).await;
    let now_us = SystemClock.now_us();
    // The first boot makes the log.
    relay.boot().await.finish().await.unwrap();
    assert_eq!(worst(&findings(&relay, now_us).await, "alerts"), Status::Ok);
    let store = desk::open_to_read(&relay.config()).await.unwrap();
    let (at_us, period_us) = (now_us - 6 * DAY_US, 0);
    let (code, count, usual) = (SIGNATURE_FAILURES, 30, 0);
    let alert =
        |office: &str| Alert { code, office: office.parse().unwrap(), period_us, at_us, count, usual };
    store.raise(&[alert(SENDER), alert(RECEIVER)], 0).await.unwrap();
    let address = "192.0.2.1".parse().unwrap();
    store.raise_addresses(&[AddressAlert { address, period_us, at_us, count: 300 }], 0).await.unwrap();
    store.close().await;
    let found = findings(&relay, now_us).await;
    let told = found.iter().find(|finding| finding.check == "alerts").unwrap();
    assert_eq!(told.status, Status::Warn);
    let words = format!("REFUSED_HANDSHAKES 1 (192.0.2.1); SIGNATURE_FAILURES 2 ({SENDER}, {RECEIVER})");
    assert!(told.text.en.contains(&words), "{told:?}");
    assert_eq!(worst(&findings(&relay, now_us + 2 * DAY_US).await, "alerts"), Status::Ok, "long ago");
    let ran = relay.run(&["alerts"]).await.expect(Exit::Done);
    assert_eq!((&ran.out[0]["office"], &ran.out[2]["address"]), (&SENDER.into(), &"192.0.2.1".into()));
}

#[tokio::test]
async fn a_scanner_that_does_not_answer_fails() {
    let relay = TestRelay::new(Dialect::Sqlite).await;
    let mut config = relay.config();
    let found = examine(&config, SystemClock.now_us()).await;
    assert!(found.iter().all(|finding| finding.check != "malware"), "none is configured: {found:?}");
    // Nobody listens there.
    config.malware.clamd = "127.0.0.1:1".to_owned();
    assert_eq!(worst(&examine(&config, SystemClock.now_us()).await, "malware"), Status::Fail);
}

async fn events_that_wait_for_a_stamp_are_told(dialect: Dialect) {
    let relay = TestRelay::new(dialect).await;
    let now_us = SystemClock.now_us();
    relay.boot().await.finish().await.unwrap();
    let mut config = relay.config();
    let at = async |config: &Config, now_us| examine(config, now_us).await;
    assert!(
        at(&config, now_us).await.iter().all(|finding| finding.check != "timestamps"),
        "none is configured"
    );
    config.timestamps.url = "http://127.0.0.1:1/".to_owned();
    let every_us = config.timestamps.every.us();
    assert_eq!(worst(&at(&config, now_us).await, "timestamps"), Status::Ok, "it may still come");
    let late_us = now_us + 4 * every_us;
    assert_eq!(worst(&at(&config, late_us).await, "timestamps"), Status::Warn);
    // What is stamped waits no more, however long ago.
    let store = Store::open(&config.database.url).await.unwrap();
    let Head { epoch, size, note, .. } = store.head().await.unwrap();
    let row = TimestampRow { epoch, size, time_us: now_us, note, response: vec![0] };
    store.put_timestamp(&row).await.unwrap();
    store.close().await;
    assert_eq!(worst(&at(&config, late_us).await, "timestamps"), Status::Ok);
}

#[cfg(unix)]
#[tokio::test]
async fn a_key_that_others_may_read_fails() {
    use std::os::unix::fs::PermissionsExt as _;
    let relay = TestRelay::new(Dialect::Sqlite).await;
    for name in [names::LOG_KEY, names::TLS_KEY, "trial-ca.key", names::RELAY_CA_KEY] {
        let open =
            |mode| std::fs::set_permissions(relay.at(name), std::fs::Permissions::from_mode(mode)).unwrap();
        open(0o640);
        let ran = relay.run(&["doctor"]).await.expect(Exit::Failed);
        assert!(ran.out.iter().any(|f| f["check"] == "secrets" && f["status"] == "fail"), "{name}");
        open(0o600);
    }
    relay.run(&["doctor"]).await.expect(Exit::Done);
}

on_both_databases!(
    a_good_relay_is_well,
    what_ends_is_told_before_it_ends,
    alerts_of_the_last_days_are_told,
    events_that_wait_for_a_stamp_are_told
);
