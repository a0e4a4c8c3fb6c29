//! OCSP answers that come along with a certificate: an office's for a relay that reaches no responder, and the relay's own for its clients.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tasuki_certs::error::{CertError, OcspFault};
use tasuki_certs::tls;
use tasuki_certs::trial_ca::TrialCa;
use tasuki_certs::trust::{OcspUse, Purpose, RevocationPolicy, TrustMaterial, TrustStore};
use tasuki_proto::event::sha256;
use tasuki_tests::office::{Office, write_sample};
use tasuki_tests::raw::{RawOffice, now_us};
use tasuki_tests::run::{Ran, run};
use tasuki_tests::web::{Page, Web};
use tokio_rustls::TlsConnector;

use crate::ocsp::{Responder, configure, quick, serial_of, serve, trial_ca};
use crate::stage::{Database, MANAGER, Stage, VISIT, programs};

/// How long the relay has to do what it does each second.
const PATIENCE: Duration = Duration::from_secs(30);

fn said(ran: &Ran) -> String {
    format!("{}{}", ran.out, ran.err)
}

/// Runs a command until what it says has these words.
fn until(words: &str, mut command: impl FnMut() -> Ran) -> Ran {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let ran = command();
        if said(&ran).contains(words) {
            return ran;
        }
        assert!(Instant::now() < deadline, "{}: {}", ran.line, said(&ran));
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn an_office_brings_its_answer(database: Database) {
    let mut stage = Stage::new(database);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    let responder = Responder::of_ca(&stage, "trial-ca");
    let serial = serial_of(&manager.file("pem"));
    for serial in [&serial, &serial_of(&visit.file("pem"))] {
        responder.set(serial, false);
    }
    // The responder is there for others: the relay never reaches it.
    let web = Web::start(Page::Status("503 Service Unavailable", ""));
    assert!(stage.relay.stop());
    configure(&stage.relay, &web, "refuse");
    stage.relay.start();
    let answer = |by: &Responder, office: &Office| by.answer(&responder.question(&office.file("pem")));
    let bring = |home: &Path, bytes: &[u8]| fs::write(home.join("ocsp.der"), bytes).unwrap();
    let refused = |word: &str| {
        let ran = manager.run(&["--json", "inbox"]);
        assert!(ran.code != 0 && said(&ran).contains(word), "{word}: {}", said(&ran));
    };

    refused("OCSP_MISSING");
    let told = stage.relay.run(&["--json", "doctor"]).json();
    let found = told.iter().find(|finding| finding["check"] == "ocsp").unwrap();
    assert!(found["status"] == "fail" && found["message_en"].as_str().unwrap().contains("FETCH_STATUS"));
    // What nobody can read is not sent; what is no good is refused with what is wrong.
    bring(&manager.home, &[0x30; 5_000]);
    refused("OCSP_MISSING");
    bring(&manager.home, b"no answer");
    refused("OCSP_INVALID");
    bring(&manager.home, &answer(&responder, &visit));
    refused("OCSP_INVALID");
    let stranger = TrialCa::create("Strange CA", now_us()).unwrap();
    let forger = responder.signing_with("forger", &stranger.issue_office(MANAGER, "f", &quick()).unwrap());
    bring(&manager.home, &answer(&forger, &manager));
    refused("OCSP_INVALID");
    let told = stage.relay.run(&["--json", "audit", "--kind", "revocation.refused"]).expect(0).json();
    for word in ["OCSP_MALFORMED", "OCSP_OTHER_CERTIFICATE", "OCSP_NO_AUTHORITY"] {
        let found =
            told.iter().any(|e| e["lines"]["refused"] == word && e["lines"]["what"] == "ocsp-stapled");
        assert!(found, "{word}: {told:#?}");
    }

    // The good one opens the door; what it says is evidence as if the relay had fetched it.
    let good = answer(&responder, &manager);
    bring(&manager.home, &good);
    let slip = write_sample(&stage.path().join("samples"), "03_slip_202602_to_visit").display().to_string();
    bring(&visit.home, &answer(&responder, &visit));
    visit.run(&["--json", "inbox"]).expect(0);
    let sent = manager.run(&["--json", "send", &slip]).expect(0).json();
    let parcel = sent[0]["parcel"].as_str().unwrap();
    let folder = stage.path().join("evidence");
    manager.run(&["evidence", parcel, "--out", &folder.display().to_string()]).expect(0);
    run(programs().tasuki().arg("verify").arg(&folder)).expect(0);
    let kept = fs::read_dir(folder.join("crls")).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap());
    assert!(kept.into_iter().any(|bytes| bytes == good));

    // Revoked: the relay hears it from the responder that it reaches by now; the answer from before is older and helps no more.
    std::thread::sleep(Duration::from_secs(2));
    responder.set(&serial, true);
    serve(&web, &responder);
    until("CertificateRevoked", || manager.run(&["--json", "inbox"]));

    // An operator that wants none of this.
    assert!(stage.relay.stop());
    web.show(Page::Status("503 Service Unavailable", ""));
    stage.relay.configure(|line| (line == "stapled = true").then(|| "stapled = false".to_owned()));
    stage.relay.start();
    let ran = visit.run(&["--json", "inbox"]);
    assert!(ran.code != 0 && said(&ran).contains("OCSP_MISSING"), "{}", said(&ran));
}

#[test]
fn an_office_brings_its_answer_sqlite() {
    an_office_brings_its_answer(Database::Sqlite);
}

#[test]
fn an_office_brings_its_answer_postgres() {
    an_office_brings_its_answer(Database::Postgres);
}

/// A server's key and its certificate of the relay's CA, which promises an answer: written over the relay's.
fn promise_an_answer(relay: &Path, url: &str) -> (PathBuf, PathBuf) {
    let at = |name: &str| relay.join(name);
    let extensions = at("tls.ext");
    let text = format!(
        "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\nkeyUsage=digitalSignature\n\
         tlsfeature=status_request\nauthorityInfoAccess=OCSP;URI:{url}\n"
    );
    fs::write(&extensions, text).unwrap();
    let (certificate, key, request) = (at("tls.pem"), at("tls.key"), at("tls.csr"));
    let mut asking = Command::new("openssl");
    asking.args(["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]);
    asking.args(["-subj", "/CN=localhost", "-keyout"]).arg(&key).arg("-out").arg(&request);
    run(&mut asking).expect(0);
    let mut signing = Command::new("openssl");
    signing.args(["x509", "-req", "-days", "30", "-in"]).arg(&request).arg("-extfile").arg(&extensions);
    signing.arg("-CA").arg(at("relay-ca.pem")).arg("-CAkey").arg(at("relay-ca.key"));
    run(signing.arg("-out").arg(&certificate)).expect(0);
    let own = fs::read_to_string(&certificate).unwrap();
    let issuer = fs::read_to_string(at("relay-ca.pem")).unwrap();
    fs::write(&certificate, own + &issuer).unwrap();
    (certificate, key)
}

/// What `openssl` is shown in a handshake.
fn shown(address: &str) -> Ran {
    let mut client = Command::new("openssl");
    run(client.args(["s_client", "-status", "-alpn", "h2", "-connect", address]).stdin(Stdio::null()))
}

#[test]
fn the_relay_shows_an_answer_about_its_own_certificate() {
    let mut stage = Stage::new(Database::Sqlite);
    let manager = stage.office(MANAGER);
    let responder = Responder::of_ca(&stage, "relay-ca");
    let web = Web::start(Page::Status("503 Service Unavailable", ""));
    assert!(stage.relay.stop());
    let (certificate, _key) = promise_an_answer(&stage.relay.dir, "http://127.0.0.1:1/");
    let serial = serial_of(&certificate);
    responder.set(&serial, false);
    stage.relay.configure(|line| match line {
        "ocsp_responder = \"\"" => Some(format!("ocsp_responder = \"{}\"", web.url("/ocsp"))),
        "every = \"5m\"" => Some("every = \"1s\"".to_owned()),
        "first_pause = \"10s\"" => Some("first_pause = \"1s\"".to_owned()),
        _ => None,
    });
    stage.relay.start();
    let address = stage.relay.url.trim_start_matches("https://").to_owned();

    let doctor = |status: &str, words: &str| {
        let told = stage.relay.run(&["--json", "doctor"]).json();
        let found = told.iter().find(|finding| finding["check"] == "ocsp").unwrap();
        let text = found["message_en"].as_str().unwrap();
        assert!(found["status"] == status && text.contains(words), "{found}");
    };
    doctor("fail", "FETCH_STATUS");
    // A certificate that promises an answer is nothing without one.
    let ran = manager.run(&["--json", "inbox"]);
    assert!(ran.code == 2 && said(&ran).contains("UnknownRevocationStatus"), "{}: {}", ran.code, said(&ran));

    serve(&web, &responder);
    until("Cert Status: good", || shown(&address));
    manager.run(&["--json", "inbox"]).expect(0);
    assert!(stage.relay.metrics().contains("tasuki_ocsp_stapled 1"));
    doctor("ok", "good until");
    // A responder that is away, or lies, for a while: the answer that is shown is good until its time is over.
    for page in [Page::Status("503 Service Unavailable", ""), Page::Body(b"<html>good</html>".to_vec())] {
        web.show(page);
        std::thread::sleep(Duration::from_millis(2_500));
        manager.run(&["--json", "inbox"]).expect(0);
    }

    responder.set(&serial, true);
    serve(&web, &responder);
    until("no response sent", || shown(&address));
    doctor("fail", "revoked");
    let ran = manager.run(&["--json", "inbox"]);
    assert!(ran.code == 2 && said(&ran).contains("UnknownRevocationStatus"), "{}: {}", ran.code, said(&ran));
    let told = stage.relay.run(&["--json", "audit", "--kind", "revocation.refused"]).expect(0).json();
    for word in ["FETCH_STATUS", "OCSP_MALFORMED", "OCSP_REVOKED"] {
        let found = told.iter().any(|e| e["lines"]["refused"] == word && e["lines"]["what"] == "ocsp-server");
        assert!(found, "{word}: {told:#?}");
    }
}

/// OpenSSL as a server that shows an answer.
struct Shower {
    child: Child,
    port: u16,
}

impl Shower {
    fn start(certificate: &Path, key: &Path, answer: &Path) -> Self {
        let port =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr()).unwrap().port();
        let mut server = Command::new("openssl");
        server.args(["s_server", "-quiet", "-alpn", "h2", "-accept", &port.to_string(), "-cert"]);
        server.arg(certificate).arg("-cert_chain").arg(certificate).arg("-key").arg(key);
        server.arg("-status_file").arg(answer);
        server.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = server.spawn().unwrap();
        let deadline = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(Instant::now() < deadline, "openssl s_server does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { child, port }
    }
}

impl Drop for Shower {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Whoever took the relay's key can't show what the CA did not say.
#[test]
fn a_client_ends_the_handshake_with_a_relay_whose_answer_is_no_good() {
    let stage = Stage::new(Database::Sqlite);
    let manager = stage.office(MANAGER);
    let responder = Responder::of_ca(&stage, "relay-ca");
    let other = Responder::of_ca(&stage, "trial-ca");
    let (certificate, key) = promise_an_answer(&stage.relay.dir, "http://127.0.0.1:1/");
    let serial = serial_of(&certificate);
    let about = responder.question(&certificate);
    let stranger = TrialCa::create("Strange CA", now_us()).unwrap();
    let forger = responder.signing_with("forger", &stranger.issue_office(VISIT, "f", &quick()).unwrap());
    let file = |name: &str, bytes: Vec<u8>| {
        let path = stage.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    responder.set(&serial, false);
    let good = file("good.ors", responder.answer(&about));
    let forged = file("forged.ors", forger.answer(&about));
    responder.set(&serial, true);
    let revoked = file("revoked.ors", responder.answer(&about));
    other.set(&serial_of(&manager.file("pem")), false);
    let strange = file("other.ors", other.answer(&other.question(&manager.file("pem"))));
    let path = manager.home.join("config.toml");
    let (config, at) = (fs::read_to_string(&path).unwrap(), stage.relay.url.clone());
    // Nobody answers behind the handshake: that need not be waited for long.
    let number = |line: &str| match line.split_once(" = ") {
        Some((key @ ("attempts" | "request_timeout_s"), _)) => format!("{key} = 1\n"),
        _ => format!("{line}\n"),
    };
    let config: String = config.lines().map(number).collect();
    assert!(config.contains(&at) && config.contains("attempts = 1\n"), "{config}");
    for (answer, code, word) in [
        // No relay behind it, but the handshake is done.
        (&good, 3, ""),
        (&forged, 2, "InvalidOcspResponse"),
        (&revoked, 2, "Revoked"),
        (&strange, 2, "InvalidOcspResponse"),
    ] {
        let server = Shower::start(&certificate, &key, answer);
        let elsewhere = config.replace(&at, &format!("https://127.0.0.1:{}", server.port));
        fs::write(&path, elsewhere).unwrap();
        let ran = manager.run(&["--json", "inbox"]);
        assert!(
            ran.code == code && said(&ran).contains(word),
            "{}: {}: {}",
            answer.display(),
            ran.code,
            said(&ran)
        );
    }
}

/// By a clock that is a little wrong an answer still counts; long after its end it does not.
#[test]
fn an_answer_that_a_relay_shows_too_long_ends_the_handshake() {
    let stage = Stage::new(Database::Sqlite);
    let manager = stage.office(MANAGER);
    let responder = Responder::of_ca(&stage, "relay-ca");
    let (certificate, key) = promise_an_answer(&stage.relay.dir, "http://127.0.0.1:1/");
    responder.set(&serial_of(&certificate), false);
    let answer = stage.path().join("good.ors");
    // It says that it serves for an hour.
    fs::write(&answer, responder.answer(&responder.question(&certificate))).unwrap();
    let server = Shower::start(&certificate, &key, &answer);
    let read = |name: &str| fs::read(stage.relay.dir.join(name)).unwrap();
    let ca = TrialCa::load(&read("relay-ca.pem"), &read("relay-ca.key")).unwrap().cert_der().unwrap();
    let identity = RawOffice::load(&manager.certificates, MANAGER).identity;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for (minutes, holds) in [(0, true), (70, true), (80, false), (2 * 24 * 60, false)] {
        let now = move || now_us() + minutes * 60 * 1_000_000;
        let config = tls::client_config(std::slice::from_ref(&ca), &identity, Arc::new(now)).unwrap();
        let shaken = runtime.block_on(async {
            let stream = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, server.port)).await.unwrap();
            let name = "localhost".try_into().unwrap();
            TlsConnector::from(Arc::new(config)).connect(name, stream).await.map(drop)
        });
        match shaken {
            Ok(()) => assert!(holds, "after {minutes} minutes"),
            Err(error) => {
                let word = error.to_string();
                assert!(!holds && word.contains("InvalidOcspResponse"), "after {minutes} minutes: {word}");
            }
        }
    }
}

/// What was said before a revocation, or in the same second, does not lift it, whoever brings it and in which order.
#[test]
fn a_good_answer_from_before_lifts_no_revocation() {
    let stage = Stage::new(Database::Sqlite);
    let manager = stage.office(MANAGER);
    let responder = Responder::of_ca(&stage, "trial-ca");
    let (pem, serial) = (manager.file("pem"), serial_of(&manager.file("pem")));
    let question = responder.question(&pem);
    responder.set(&serial, false);
    let good = responder.answer(&question);
    responder.set(&serial, true);
    let revoked = responder.answer(&question);

    let ca = trial_ca(&stage.relay);
    let crl = ca.crl(&[], 1, now_us(), now_us() + 86_400 * 1_000_000).unwrap();
    let policy = RevocationPolicy { ocsp: OcspUse::Require, ..RevocationPolicy::default() };
    let anchors = vec![ca.cert_der().unwrap()];
    let material = TrustMaterial { anchors, crls: vec![crl], policy, ..TrustMaterial::default() };
    let store = TrustStore::new(material).unwrap();
    let identity = RawOffice::load(&manager.certificates, MANAGER).identity;
    let fingerprint = sha256(identity.certificate_der());
    // Nobody wants an answer about it yet.
    assert_eq!(store.take_stapled(&fingerprint, &good, now_us()), Ok(false));
    let judged = store.verify(identity.certificate_der(), &[], Purpose::TlsClient, now_us());
    assert!(matches!(judged, Err(CertError::OcspMissing(_))), "{judged:?}");
    assert_eq!(store.take_stapled(&fingerprint, &good, now_us()), Ok(true));
    assert_eq!(store.take_stapled(&fingerprint, &revoked, now_us()), Ok(true));
    assert_eq!(store.take_stapled(&fingerprint, &good, now_us()), Err(OcspFault::Older));
    let too_late = now_us() + 2 * 3_600 * 1_000_000;
    assert_eq!(store.take_stapled(&fingerprint, &revoked, too_late), Err(OcspFault::Stale));
}
