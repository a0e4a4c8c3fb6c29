//! Revocation lists fetched over HTTP: what is taken, what is refused by which word, what a restart finds, and that a revoked
//! certificate's connection ends.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;
use tasuki_certs::identity::KeyIdentity;
use tasuki_certs::trial_ca::{
    IssueOptions, Issued, KeyChoice, RawExtension, Revocation, RevocationReason, TrialCa,
};
use tasuki_proto::canonical::hex;
use tasuki_proto::event::sha256;
use tasuki_proto::pb;
use tasuki_proto::pb::directory_client::DirectoryClient;
use tasuki_tests::http_proxy::HttpProxy;
use tasuki_tests::office::write_sample;
use tasuki_tests::raw::{RawOffice, now_us, status_reason};
use tasuki_tests::relay::Relay;
use tasuki_tests::run::{run, text};
use tasuki_tests::web::{Page, Web};
use tonic::transport::Channel;

use crate::stage::{Database, MANAGER, Stage, VISIT, programs};

const SECOND_US: i64 = 1_000_000;
const HOUR_US: i64 = 3_600 * SECOND_US;
const LIST: &str = "/trial.crl";

/// Settings of `[trust.fetch]` that wait for seconds instead of hours, and what else a test says.
fn configure(relay: &Relay, further: &[(&str, String)]) {
    relay.configure(|line| {
        let key = line.split(" =").next().unwrap_or_default();
        let own = further.iter().find(|(name, _)| *name == key).map(|(_, value)| value.clone());
        let value = own.or_else(|| match line {
            "every = \"1h\"" | "first_pause = \"1m\"" => Some("\"1s\"".to_owned()),
            "timeout_s = 30" | "total_mib = 256" => Some("2".to_owned()),
            "max_mib = 32" | "reload_every_s = 5" => Some("1".to_owned()),
            // The trial CA's list reaches the relay over HTTP only.
            "crls = [\"crls\"]" => Some("[]".to_owned()),
            _ => None,
        });
        value.map(|value| format!("{key} = {value}"))
    });
}

fn trial_ca(relay: &Relay) -> TrialCa {
    let read = |name: &str| fs::read(relay.dir.join(name)).unwrap();
    TrialCa::load(&read("trial-ca.pem"), &read("trial-ca.key")).unwrap()
}

fn list(ca: &TrialCa, number: u32, this_update_us: i64, revoked: &[Revocation]) -> Vec<u8> {
    ca.crl(revoked, number, this_update_us, this_update_us + 24 * HOUR_US).unwrap()
}

/// How an address stands, as `revocation status` tells.
fn source(relay: &Relay, url: &str) -> Value {
    let status = relay.run(&["--json", "revocation", "status"]).expect(0).json().remove(0);
    let all = status["fetched"].as_array().unwrap();
    all.iter().find(|one| text(one, "url") == url).cloned().unwrap_or_default()
}

/// Waits until an address stands so.
fn wait(relay: &Relay, url: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let source = source(relay, url);
        if is_so(&source) {
            return source;
        }
        assert!(Instant::now() < deadline, "{source}\n{}", relay.log_text());
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn holds(list: &[u8]) -> impl Fn(&Value) -> bool {
    let digest = hex(&sha256(list));
    move |source| text(source, "sha256") == digest && source["fault"].is_null()
}

async fn answered(channel: &Channel) -> String {
    let answer = DirectoryClient::new(channel.clone()).get_relay(pb::GetRelayRequest::default()).await;
    answer.map_or_else(|status| status_reason(&status), |_| "answered".to_owned())
}

/// Everything that an address can come to, and that the last good list stays.
fn hostile(relay: &Relay, web: &Web, ca: &TrialCa, issued_us: i64, good: &[u8]) {
    let url = web.url(LIST);
    let forged = {
        let mut forged = list(ca, 11, now_us(), &[]);
        *forged.last_mut().unwrap() ^= 1;
        forged
    };
    let strange = TrialCa::create("Strange CA", now_us()).unwrap();
    let page = |der: Vec<u8>| Page::Body(der);
    let cases = [
        ("CRL_FORGED", page(forged)),
        ("CRL_OLDER", page(list(ca, 9, issued_us - HOUR_US, &[]))),
        ("CRL_OLDER", page(list(ca, 9, now_us(), &[]))),
        ("CRL_FROM_THE_FUTURE", page(list(ca, 12, now_us() + HOUR_US, &[]))),
        ("CRL_UNKNOWN_ISSUER", page(list(&strange, 12, now_us(), &[]))),
        ("CRL_MALFORMED", page(b"<html>maintenance</html>".to_vec())),
        ("CRL_MALFORMED", page(Vec::new())),
        ("FETCH_TOO_LARGE", page(vec![0x30; 1024 * 1024 + 1])),
        ("FETCH_TOO_LARGE", Page::Endless(8 * 1024 * 1024)),
        ("FETCH_MISSING", Page::Status("404 Not Found", "")),
        ("FETCH_STATUS", Page::Status("503 Service Unavailable", "")),
        ("FETCH_REDIRECT", Page::Status("302 Found", "Location: http://127.0.0.1:9/x\r\n")),
        ("FETCH_TIMEOUT", Page::Silence(Duration::from_secs(20))),
    ];
    for (word, answer) in cases {
        web.show(answer);
        let source = wait(relay, &url, |source| text(source, "fault") == word);
        assert!(
            holds(good)(&serde_json::json!({"sha256": source["sha256"], "fault": null})),
            "{word}: {source}"
        );
        // Back to the good one, so that the next word is the next case's.
        web.show(Page::Body(good.to_vec()));
        wait(relay, &url, holds(good));
    }
    let metrics = relay.metrics();
    for word in ["CRL_FORGED", "CRL_OLDER", "FETCH_TIMEOUT", "ok"] {
        assert!(metrics.contains(&format!("tasuki_crl_fetches_total{{result=\"{word}\"}}")), "{word}");
    }
    assert!(relay.log_text().contains("CRL_FORGED"));
    // An auditor finds each, with where it came from.
    let told = relay.run(&["--json", "audit", "--kind", "revocation.refused"]).expect(0).json();
    for word in ["CRL_FORGED", "CRL_OLDER", "CRL_FROM_THE_FUTURE", "FETCH_TOO_LARGE", "FETCH_MISSING"] {
        let refused = |event: &Value| event["lines"]["refused"] == word && event["lines"]["source"] == url;
        assert!(told.iter().any(refused), "{word}: {told:#?}");
    }
}

fn lists_of_an_address(database: Database) {
    let mut stage = Stage::new(database);
    let ca = trial_ca(&stage.relay);
    let issued_us = now_us() - 10 * SECOND_US;
    let good = list(&ca, 10, issued_us, &[]);
    let web = Web::start(Page::Body(good.clone()));
    let url = web.url(LIST);
    assert!(stage.relay.stop());
    configure(&stage.relay, &[("urls", format!("[\"{url}\"]"))]);
    // Before the relay starts: by hand.
    let fetched = stage.relay.run(&["--json", "revocation", "fetch"]).expect(0).json();
    assert_eq!((fetched.len(), text(&fetched[0], "url")), (1, url.as_str()));
    stage.relay.start();
    wait(&stage.relay, &url, holds(&good));

    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    let slip = write_sample(&stage.path().join("samples"), "03_slip_202602_to_visit").display().to_string();
    let parcel = text(&manager.run(&["--json", "send", &slip]).expect(0).json()[0], "parcel").to_owned();
    let out = stage.path().join("in").display().to_string();
    assert_eq!(visit.run(&["--json", "receive", "--out", &out]).expect(0).json().len(), 1);

    hostile(&stage.relay, &web, &ca, issued_us, &good);

    // A restart while nobody answers finds the last good one.
    web.show(Page::Status("404 Not Found", ""));
    wait(&stage.relay, &url, |source| text(source, "fault") == "FETCH_MISSING");
    stage.relay.kill();
    stage.relay.start();
    manager.run(&["inbox"]).expect(0);
    let findings = stage.relay.run(&["--json", "doctor"]).expect(0).json();
    let finding = findings.iter().find(|finding| text(finding, "check") == "fetched").unwrap();
    assert_eq!(text(finding, "status"), "warn");
    assert!(text(finding, "message_en").contains("FETCH_MISSING"), "{finding}");

    // Revoked while its connection is open.
    let issued = ca.issue_office(MANAGER, "of a test", &quick()).unwrap();
    let (raw, serial) = (raw_office(MANAGER, &issued), issued.serial.clone());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let channel = raw.connect(&stage.relay).await.unwrap();
        assert_eq!(answered(&channel).await, "answered");
        let revoked = Revocation::new(&serial, now_us(), RevocationReason::KeyCompromise);
        web.show(Page::Body(list(&ca, 11, now_us(), &[revoked])));
        let deadline = Instant::now() + Duration::from_secs(60);
        while answered(&channel).await != "CERTIFICATE_REVOKED" {
            assert!(Instant::now() < deadline, "{}", stage.relay.log_text());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    // What was sent before keeps its meaning: its evidence holds the list of its time.
    let folder = stage.path().join("evidence").display().to_string();
    visit.run(&["evidence", &parcel, "--out", &folder]).expect(0);
    let lists = fs::read_dir(stage.path().join("evidence/crls")).unwrap();
    assert!(lists.map(|file| fs::read(file.unwrap().path()).unwrap()).any(|der| der == good));
    run(programs().tasuki().args(["verify", &folder])).expect(0);
    stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn lists_of_an_address_sqlite() {
    lists_of_an_address(Database::Sqlite);
}

#[test]
fn lists_of_an_address_postgres() {
    lists_of_an_address(Database::Postgres);
}

/// `CRLDistributionPoints` (RFC 5280 section 4.2.1.13) with one address.
fn distribution_points(url: &str) -> RawExtension {
    let element = |tag: u8, body: &[u8]| [&[tag, u8::try_from(body.len()).unwrap()][..], body].concat();
    let name = element(0xa0, &element(0xa0, &element(0x86, url.as_bytes())));
    let der = element(0x30, &element(0x30, &name));
    RawExtension { oid: "2.5.29.31".to_owned(), critical: false, der }
}

/// A certificate whose key is quick to make.
fn quick() -> IssueOptions {
    IssueOptions::new(now_us()).with_key(KeyChoice::P256)
}

fn raw_office(number: &str, issued: &Issued) -> RawOffice {
    let identity = KeyIdentity::from_pem(&issued.chain_pem().unwrap(), &issued.key_pem().unwrap()).unwrap();
    RawOffice { number: number.to_owned(), identity }
}

/// An office whose certificate says that its list is at `url`.
fn office_with_point(stage: &Stage, url: &str) -> RawOffice {
    let options = IssueOptions { extensions: vec![distribution_points(url)], ..quick() };
    raw_office(VISIT, &trial_ca(&stage.relay).issue_office(VISIT, "of a test", &options).unwrap())
}

/// Whether an office gets in, tried for a while.
fn gets_in(stage: &Stage, office: &RawOffice, tries: u32) -> bool {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        for _ in 0..tries {
            if let Ok(channel) = office.connect(&stage.relay).await
                && answered(&channel).await == "answered"
            {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        false
    })
}

#[test]
fn a_certificates_distribution_point_is_followed_where_that_is_allowed() {
    let mut stage = Stage::new(Database::Sqlite);
    let ca = trial_ca(&stage.relay);
    let web = Web::start(Page::Body(list(&ca, 10, now_us() - SECOND_US, &[])));
    let url = web.url(LIST);
    let office = office_with_point(&stage, &url);
    assert!(stage.relay.stop());
    configure(&stage.relay, &[]);
    stage.relay.start();
    // No list yet, and the address is one of the relay's own network.
    assert!(!gets_in(&stage, &office, 1));
    wait(&stage.relay, &url, |source| text(source, "fault") == "FETCH_ADDRESS");
    assert!(!gets_in(&stage, &office, 1));
    assert_eq!(web.asked(), 0);
    // The address outlives a restart; allowed, and by a proxy, it is fetched from at once.
    assert!(stage.relay.stop());
    let proxy = HttpProxy::start();
    proxy.ask_for("Basic cmVsYXk6cGFzcw==");
    let secret = stage.relay.dir.join("fetch-proxy.pass");
    fs::write(&secret, "relay:pass\n").unwrap();
    run(std::process::Command::new("chmod").arg("600").arg(&secret)).expect(0);
    stage.relay.configure(|line| match line {
        // Those of [trust.fetch], the first of their names, and the second of webhooks, which is as good.
        "allow_private = false" => Some("allow_private = true".to_owned()),
        "proxy = \"\"" => Some(format!("proxy = \"{}\"", proxy.url(None))),
        "# proxy_user_file = \"fetch-proxy.pass\"" => {
            Some("proxy_user_file = \"fetch-proxy.pass\"".to_owned())
        }
        _ => None,
    });
    stage.relay.start();
    assert!(gets_in(&stage, &office, 150), "{}", stage.relay.log_text());
    assert!(proxy.tunnels() > 0 && web.asked() > 0);
    let source = wait(&stage.relay, &url, |source| source["fault"].is_null());
    assert_eq!(text(&source, "origin"), "certificate");
    // Not wanted any more: forgotten, with its list.
    assert!(stage.relay.stop());
    stage.relay.configure(|line| {
        (line == "distribution_points = true").then(|| "distribution_points = false".to_owned())
    });
    stage.relay.start();
    wait(&stage.relay, &url, Value::is_null);
}
