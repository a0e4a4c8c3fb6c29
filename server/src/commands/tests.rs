//! Commands on a relay's folder: what they leave on disk and in the log.

use std::fmt::Write as _;
use std::path::Path;

use tasuki_certs::cms_sign::{Content, sign};
use tasuki_certs::error::CertError;
use tasuki_certs::identity::KeyIdentity;
use tasuki_certs::profile::Identity;
use tasuki_certs::trust::{CurrentTrust as _, Purpose};
use tasuki_proto::event::{Event, kind};

use super::exit::Exit;
use super::testing::{RECEIVER, SENDER, TestRelay, office, run};
use crate::clock::{Clock as _, SystemClock};
use crate::config::template::names;
use crate::store::Store;
use crate::store::dialect::Dialect;
use crate::store::leaves::Position;
use crate::store::testing::on_both_databases;
use crate::trust::Trust;

/// The events of a log, in order.
async fn events(relay: &TestRelay) -> Vec<Event> {
    let store = Store::open(&relay.config().database.url).await.unwrap();
    let leaves = store.leaves_from(Position { epoch: 1, index: 0 }, 10_000).await.unwrap();
    store.close().await;
    leaves.iter().map(|leaf| Event::parse(&leaf.text).unwrap()).collect()
}

async fn kinds(relay: &TestRelay) -> Vec<String> {
    events(relay).await.into_iter().map(|event| event.kind).collect()
}

#[cfg(unix)]
#[tokio::test]
async fn init_makes_a_private_relay_and_touches_no_other() {
    use super::testing::mode;
    let relay = TestRelay::new(Dialect::Sqlite).await;
    assert_eq!(mode(&relay.at("")), 0o700);
    for name in [names::LOG_KEY, names::TLS_KEY, names::RELAY_CA_KEY, "trial-ca.key"] {
        assert_eq!(mode(&relay.at(name)), 0o600, "{name}");
    }
    for name in [names::RELAY_CA, names::TRIAL_CA, names::WITNESS, names::DATABASE, "crls/trial-ca.crl"] {
        assert!(relay.at(name).is_file(), "{name}");
    }
    assert_eq!(kinds(&relay).await, [kind::LOG_STARTED]);
    let before = std::fs::read(relay.at(names::LOG_KEY)).unwrap();
    let again = run(&["init", &relay.at("").display().to_string(), "--json"]).await.expect(Exit::Usage);
    assert!(again.err.contains("NOT_EMPTY"), "{again:?}");
    assert_eq!(std::fs::read(relay.at(names::LOG_KEY)).unwrap(), before);
    // An empty folder will do, and is closed to others.
    let empty = relay.beside("empty");
    std::fs::create_dir(&empty).unwrap();
    let ran = run(&["init", &empty.display().to_string(), "--name", "relay.example", "--json"]).await;
    let made = &ran.expect(Exit::Done).out[0];
    assert_eq!(made["url"], "https://relay.example:8443");
    assert!(made["log_key"].as_str().unwrap().starts_with("relay.example/e1+"));
    assert_eq!(mode(&empty), 0o700);
}

#[tokio::test]
async fn a_failed_init_leaves_nothing_behind() {
    let relay = TestRelay::new(Dialect::Sqlite).await;
    let file = relay.write("file", b"");
    let inside = Path::new(&file).join("relay").display().to_string();
    run(&["init", &inside]).await.expect(Exit::Usage);
    assert_eq!(std::fs::read(&file).unwrap(), b"");
}

#[test]
fn a_servers_certificate_names_how_it_is_reached() {
    let names = |listen: &str, name| super::init::server_names(listen.parse().unwrap(), name);
    assert_eq!(names("127.0.0.1:8443", None), ["localhost", "127.0.0.1"]);
    assert_eq!(names("0.0.0.0:8443", Some("relay.example")), ["localhost", "127.0.0.1", "relay.example"]);
    assert_eq!(names("192.0.2.7:1", Some("relay.example:8443"))[2..], ["192.0.2.7", "relay.example"]);
    assert_eq!(names("[2001:db8::1]:1", Some("[2001:db8::2]:443"))[2..], ["2001:db8::1", "2001:db8::2"]);
    assert_eq!(names("[::]:1", Some("2001:db8::2"))[2..], ["2001:db8::2"]);
}

async fn offices_come_in_from_a_file(dialect: Dialect) {
    let relay = TestRelay::new(dialect).await;
    let csv = format!(
        "\u{feff}number,name,kana,services,standard_ready\r\n{SENDER},\"ケアプラン, さくら\",サクラ,43,true\r\n\
         {RECEIVER},みどり,ミドリ,11 A2,false\r\n"
    );
    let file = relay.write("offices.csv", csv.as_bytes());
    let ran = relay.run(&["office", "import", &file]).await.expect(Exit::Done);
    assert_eq!(ran.out[0]["imported"], 2);
    let listed = relay.run(&["office", "list"]).await.expect(Exit::Done).out;
    assert_eq!((listed.len(), &listed[0]["name"]), (2, &"ケアプラン, さくら".into()));
    assert_eq!((&listed[1]["services"][1], &listed[1]["standard_ready"]), (&"A2".into(), &false.into()));
    let found = relay.run(&["office", "list", "みどり", RECEIVER]).await.expect(Exit::Done).out;
    assert_eq!((found.len(), &found[0]["office"]), (1, &RECEIVER.into()));

    // One bad row, and nothing of the file is taken.
    let bad = relay.write("bad.csv", format!("{csv}9971100020,ok,,11,true\r\n12,x,,,true\r\n").as_bytes());
    let ran = relay.run(&["office", "import", &bad]).await.expect(Exit::Failed);
    assert_eq!((&ran.out[0]["line"], &ran.out[0]["reason"]), (&5.into(), &"NUMBER".into()));
    assert!(ran.err.contains("ROWS_REJECTED"), "{ran:?}");
    assert_eq!(relay.run(&["office", "list"]).await.out.len(), 2);

    // The same again changes nothing, and lifts no suspension.
    relay.run(&["office", "suspend", RECEIVER, "--reason", "廃止"]).await.expect(Exit::Done);
    let before = events(&relay).await.len();
    relay.run(&["office", "import", &file]).await.expect(Exit::Done);
    assert_eq!(events(&relay).await.len(), before);
    let again = relay.run(&["office", "suspend", RECEIVER, "--reason", "廃止"]).await.expect(Exit::Done);
    assert_eq!((&again.out[0]["state"], &again.out[0]["changed"]), (&"suspended".into(), &false.into()));
    relay.run(&["office", "resume", RECEIVER]).await.expect(Exit::Done);
    let unknown = relay.run(&["office", "suspend", "9971100020", "--reason", "x"]).await.expect(Exit::Failed);
    assert!(unknown.err.contains("OFFICE_NOT_FOUND"), "{unknown:?}");
    let changed = [kind::LOG_STARTED, kind::OFFICE_CHANGED, kind::OFFICE_CHANGED];
    assert_eq!(kinds(&relay).await, [&changed[..], &[kind::OFFICE_SUSPENDED, kind::OFFICE_RESUMED]].concat());
}

async fn large_files_come_in_in_pieces(dialect: Dialect) {
    let relay = TestRelay::new(dialect).await;
    let mut csv = "number,name,kana,services,standard_ready\n".to_owned();
    for n in 0..2_500u64 {
        writeln!(csv, "{:010},事業所{n},ジギョウショ,11,true", 1_300_000_000 + n).unwrap();
    }
    let file = relay.write("offices.csv", csv.as_bytes());
    let ran = relay.run(&["office", "import", &file]).await.expect(Exit::Done);
    assert_eq!(ran.out[0]["imported"], 2_500);
    assert!(ran.out[0]["check_digit_warnings"].as_u64().unwrap() > 2_000);
    // Told one by one as long as that helps.
    assert_eq!(ran.err.lines().count(), 20);
    assert_eq!(relay.run(&["office", "list"]).await.out.len(), 2_500);
    relay.run(&["log", "verify"]).await.expect(Exit::Done);
}

async fn certificates_are_issued_and_revoked(dialect: Dialect) {
    let relay = TestRelay::new(dialect).await;
    let out = relay.beside("certificates");
    let out_text = out.display().to_string();
    let issue = ["cert", "issue", SENDER, "--out", &out_text];
    let ran = relay.run(&issue).await.expect(Exit::Failed);
    assert!(ran.err.contains("OFFICE_NOT_FOUND"), "{ran:?}");
    assert!(!out.exists(), "nothing is issued to a stranger");
    relay.with_offices().await;
    let issued = relay.run(&issue).await.expect(Exit::Done).out.remove(0);
    assert_eq!(issued["may_encrypt"], true);
    check_files(&out, SENDER);
    let again = relay.run(&issue).await.expect(Exit::Usage);
    assert!(again.err.contains("FILE_EXISTS"), "{again:?}");

    let store = Store::open(&relay.config().database.url).await.unwrap();
    let keys = store.office_keys(&[office(SENDER)], SystemClock.now_us()).await.unwrap();
    store.close().await;
    let trust = || Trust::load(&relay.config().trust).unwrap().current();
    let now_us = SystemClock.now_us();
    let verified = trust().verify(&keys[0].key, &[], Purpose::Seal, now_us).unwrap();
    assert_eq!(verified.identity, Identity::Office { number: SENDER.to_owned() });
    assert_eq!((keys.len(), verified.not_after_us), (1, keys[0].not_after_us));

    let serial = issued["serial"].as_str().unwrap();
    let revoke = ["cert", "revoke", serial, "--reason", "key-compromise"];
    let ran = relay.run(&revoke).await.expect(Exit::Done);
    assert_eq!((&ran.out[0]["changed"], &ran.out[1]["number"]), (&true.into(), &2.into()));
    let refused = trust().verify(&keys[0].key, &[], Purpose::Seal, SystemClock.now_us()).unwrap_err();
    assert!(matches!(refused, CertError::CertificateRevoked(_)), "{refused:?}");
    // By its file, again: a new list, no new event.
    let pem = out.join(format!("{SENDER}.pem")).display().to_string();
    let ran = relay.run(&["cert", "revoke", &pem]).await.expect(Exit::Done);
    assert_eq!((&ran.out[0]["changed"], &ran.out[1]["number"]), (&false.into(), &3.into()));
    assert_eq!(ran.out[0]["reason"], "key-compromise");
    let ran = relay.run(&["cert", "crl"]).await.expect(Exit::Done);
    assert_eq!((&ran.out[0]["revoked"], &ran.out[0]["number"]), (&1.into(), &4.into()));
    let ran = relay.run(&["cert", "revoke", &"ab".repeat(32)]).await.expect(Exit::Failed);
    assert!(ran.err.contains("NOT_ISSUED"), "{ran:?}");

    let told = events(&relay).await;
    let of = |kind: &str| told.iter().filter(|event| event.kind == kind).collect::<Vec<_>>();
    assert_eq!(of(kind::KEY_REGISTERED).len(), 1);
    let (issued_events, revoked) = (of(kind::CERTIFICATE_ISSUED), of(kind::CERTIFICATE_REVOKED));
    assert_eq!((issued_events.len(), revoked.len()), (1, 1));
    for event in [issued_events[0], revoked[0]] {
        assert_eq!(event.lines.get("serial"), Some(serial));
        assert_eq!(event.digest("certificate"), Some(keys[0].fingerprint));
        assert_eq!(event.feeds.len(), 1, "the office sees it in its feed");
    }
    relay.run(&["log", "verify"]).await.expect(Exit::Done);
}

/// PKCS#12 with its password, and PEM, hold the same identity; all are the owner's only.
fn check_files(folder: &Path, number: &str) {
    let file = |ending: &str| folder.join(format!("{number}.{ending}"));
    let read = |ending: &str| std::fs::read(file(ending)).unwrap();
    let password = String::from_utf8(read("pass")).unwrap();
    let pkcs12 = KeyIdentity::from_pkcs12(&read("p12"), password.trim_end()).unwrap();
    let pem = KeyIdentity::from_pem(&read("pem"), &read("key")).unwrap();
    assert_eq!(pkcs12.chain_der(), pem.chain_der());
    assert_eq!(pem.chain_der().len(), 2, "the certificate and its CA");
    sign(&pem, b"parcel", Content::Detached, SystemClock.now_us()).unwrap();
    #[cfg(unix)]
    for ending in ["p12", "pass", "pem", "key"] {
        assert_eq!(super::testing::mode(&file(ending)), 0o600, "{ending}");
    }
}

#[tokio::test]
async fn a_certificate_that_only_signs_registers_no_key() {
    let relay = TestRelay::new(Dialect::Sqlite).await;
    relay.with_offices().await;
    let out = relay.beside("certificates").display().to_string();
    for (holder, key, more) in
        [(SENDER, "rsa2048", "--sign-only"), (RECEIVER, "p256", "--sign-only"), ("P00004", "p256", "--json")]
    {
        let ran = relay.run(&["cert", "issue", holder, "--out", &out, "--key", key, more]).await;
        let issued = ran.expect(Exit::Done).out.remove(0);
        assert_eq!(issued["may_encrypt"], more != "--sign-only");
        check_files(Path::new(&out), holder);
    }
    let told = kinds(&relay).await;
    assert_eq!(told.iter().filter(|told| *told == kind::CERTIFICATE_ISSUED).count(), 3);
    assert!(!told.iter().any(|told| told == kind::KEY_REGISTERED), "{told:?}");
}

#[tokio::test]
async fn a_new_server_certificate_fits_its_key() {
    let relay = TestRelay::new(Dialect::Sqlite).await;
    let read = |name: &str| std::fs::read(relay.at(name)).unwrap();
    let old = read(names::TLS_CERTIFICATE);
    let ran = relay.run(&["cert", "server", "--name", "relay.example"]).await.expect(Exit::Done);
    assert_eq!(ran.out[0]["names"], serde_json::json!(["localhost", "127.0.0.1", "relay.example"]));
    assert_ne!(read(names::TLS_CERTIFICATE), old);
    KeyIdentity::from_pem(&read(names::TLS_CERTIFICATE), &read(names::TLS_KEY)).unwrap();
    relay.run(&["doctor"]).await.expect(Exit::Done);
}

async fn an_override_is_recorded(dialect: Dialect) {
    let relay = TestRelay::new(dialect).await;
    let status = async || relay.run(&["revocation", "status"]).await.expect(Exit::Done).out.remove(0);
    assert!(status().await["override_until"].is_null());
    let until = tasuki_proto::time::format_us(SystemClock.now_us() + 3_600_000_000);
    let arguments = ["revocation", "override", "--until", &until, "--reason", "CA out of reach"];
    relay.run(&arguments).await.expect(Exit::Done);
    assert_eq!(status().await["override_until"], until.as_str());
    relay.run(&["revocation", "end", "--reason", "CA is back"]).await.expect(Exit::Done);
    assert!(status().await["override_until"].is_null());
    let told = events(&relay).await;
    let of: Vec<_> = told.iter().filter(|event| event.kind == kind::REVOCATION_OVERRIDE).collect();
    assert_eq!(of[0].lines.get("until"), Some(until.as_str()));
    assert_eq!(of[1].lines.get("until"), Some("ended"));
    assert_eq!(of[1].lines.get("reason"), Some("CA is back"));
}

#[tokio::test]
async fn a_database_that_is_not_there_is_not_made() {
    let relay = TestRelay::new(Dialect::Sqlite).await;
    std::fs::rename(relay.at(names::DATABASE), relay.beside("away.db")).unwrap();
    for arguments in [&["office", "list"][..], &["office", "resume", SENDER], &["log", "verify"]] {
        let ran = relay.run(arguments).await.expect(Exit::Usage);
        assert!(ran.err.contains("NO_DATABASE"), "{ran:?}");
    }
    assert!(!relay.at(names::DATABASE).exists());
}

on_both_databases!(
    offices_come_in_from_a_file,
    large_files_come_in_in_pieces,
    certificates_are_issued_and_revoked,
    an_override_is_recorded,
);
