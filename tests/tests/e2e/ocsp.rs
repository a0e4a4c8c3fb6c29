//! OCSP with OpenSSL's responder: an answer is needed, becomes evidence, revokes; and a responder that is down, slow or lying.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tasuki_certs::identity::KeyIdentity;
use tasuki_certs::trial_ca::{IssueOptions, Issued, KeyChoice, Revocation, RevocationReason, TrialCa};
use tasuki_proto::canonical::hex;
use tasuki_proto::pb;
use tasuki_proto::pb::directory_client::DirectoryClient;
use tasuki_tests::office::write_sample;
use tasuki_tests::raw::{RawOffice, now_us, status_reason};
use tasuki_tests::relay::Relay;
use tasuki_tests::run::{run, text};
use tasuki_tests::web::{Page, Web};
use tonic::transport::Channel;

use crate::stage::{Database, MANAGER, Stage, VISIT, programs};

/// `id-kp-OCSPSigning`.
const OCSP_SIGNING: &str = "1.3.6.1.5.5.7.3.9";

/// OpenSSL's responder, over the trial CA's key, with an index of its own.
#[derive(Clone)]
pub(crate) struct Responder {
    folder: PathBuf,
    /// Whose certificates it answers about, PEM.
    ca: PathBuf,
    /// Certificate and key that sign, PEM.
    signer: (PathBuf, PathBuf),
    /// Whether its certificate goes along with the answer.
    shows_certificate: bool,
}

impl Responder {
    fn new(stage: &Stage) -> Self {
        Self::of_ca(stage, "trial-ca")
    }

    /// For the certificates of one of the relay's CAs: `trial-ca`, `relay-ca`.
    pub(crate) fn of_ca(stage: &Stage, name: &str) -> Self {
        let folder = stage.path().join(format!("responder-{name}"));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("index.txt"), "").unwrap();
        let at = |ending: &str| stage.relay.dir.join(format!("{name}.{ending}"));
        Self { folder, ca: at("pem"), signer: (at("pem"), at("key")), shows_certificate: true }
    }

    /// Puts a certificate into the index, or changes what stands there.
    pub(crate) fn set(&self, serial: &[u8], revoked: bool) {
        let serial = hex(serial).to_uppercase();
        let path = self.folder.join("index.txt");
        let text = fs::read_to_string(&path).unwrap();
        let others = text.lines().filter(|line| !line.contains(&serial)).map(|line| format!("{line}\n"));
        let (state, since) = if revoked { ("R", "250101000000Z") } else { ("V", "") };
        let own = format!("{state}\t491231235959Z\t{since}\t{serial}\tunknown\t/CN={serial}\n");
        fs::write(&path, others.collect::<String>() + &own).unwrap();
    }

    /// Answers a question.
    pub(crate) fn answer(&self, question: &[u8]) -> Vec<u8> {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let (asked, answered) =
            (self.folder.join(format!("{serial}.req")), self.folder.join(format!("{serial}.ors")));
        fs::write(&asked, question).unwrap();
        let mut responder = Command::new("openssl");
        responder
            .args(["ocsp", "-rmd", "sha256", "-nmin", "60", "-index"])
            .arg(self.folder.join("index.txt"));
        if !self.shows_certificate {
            responder.arg("-resp_no_certs");
        }
        responder.arg("-CA").arg(&self.ca);
        responder.arg("-rsigner").arg(&self.signer.0).arg("-rkey").arg(&self.signer.1);
        run(responder.arg("-reqin").arg(&asked).arg("-respout").arg(&answered)).expect(0);
        fs::read(answered).unwrap()
    }

    /// A question of somebody else's about a certificate.
    pub(crate) fn question(&self, certificate: &Path) -> Vec<u8> {
        let path = self.folder.join("other.req");
        let mut client = Command::new("openssl");
        client.args(["ocsp", "-nonce", "-issuer"]).arg(&self.ca);
        run(client.arg("-cert").arg(certificate).arg("-reqout").arg(&path)).expect(0);
        fs::read(path).unwrap()
    }

    /// The same with another signer.
    pub(crate) fn signing_with(&self, name: &str, issued: &Issued) -> Self {
        let (certificate, key) =
            (self.folder.join(format!("{name}.pem")), self.folder.join(format!("{name}.key")));
        fs::write(&certificate, issued.cert_pem().unwrap()).unwrap();
        fs::write(&key, issued.key_pem().unwrap()).unwrap();
        Self { signer: (certificate, key), ..self.clone() }
    }
}

/// The word of a case, and what makes the responder so.
type Case<'c> = (&'static str, Box<dyn Fn(&RawOffice) + 'c>);

pub(crate) fn serve(web: &Web, responder: &Responder) {
    let responder = responder.clone();
    web.answer_by(move |_, question| Page::Body(responder.answer(question)));
}

pub(crate) fn configure(relay: &Relay, web: &Web, on_no_answer: &str) {
    relay.configure(|line| match line {
        "mode = \"off\"" => Some("mode = \"require\"".to_owned()),
        "responder = \"\"" => Some(format!("responder = \"{}\"", web.url("/ocsp"))),
        "every = \"5m\"" => Some("every = \"1s\"".to_owned()),
        "first_pause = \"10s\"" => Some("first_pause = \"1s\"".to_owned()),
        "timeout_s = 5" => Some("timeout_s = 2".to_owned()),
        _ if line.starts_with("on_no_answer =") => Some(format!("on_no_answer = \"{on_no_answer}\"")),
        _ => None,
    });
}

pub(crate) fn trial_ca(relay: &Relay) -> TrialCa {
    let read = |name: &str| fs::read(relay.dir.join(name)).unwrap();
    TrialCa::load(&read("trial-ca.pem"), &read("trial-ca.key")).unwrap()
}

pub(crate) fn quick() -> IssueOptions {
    IssueOptions::new(now_us()).with_key(KeyChoice::P256)
}

fn raw_office(issued: &Issued) -> RawOffice {
    let identity = KeyIdentity::from_pem(&issued.chain_pem().unwrap(), &issued.key_pem().unwrap()).unwrap();
    RawOffice { number: VISIT.to_owned(), identity }
}

async fn answered(channel: &Channel) -> String {
    let answer = DirectoryClient::new(channel.clone()).get_relay(pb::GetRelayRequest::default()).await;
    answer.map_or_else(|status| status_reason(&status), |_| "answered".to_owned())
}

/// A certificate as PEM.
fn pem_of(identity: &KeyIdentity) -> String {
    let body = STANDARD.encode(identity.certificate_der());
    let lines: Vec<&str> = (0..body.len()).step_by(64).map(|at| &body[at..body.len().min(at + 64)]).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

/// Serial of a certificate in a PEM file.
pub(crate) fn serial_of(pem: &Path) -> Vec<u8> {
    let shown = run(Command::new("openssl").args(["x509", "-noout", "-serial", "-in"]).arg(pem))
        .expect(0)
        .out
        .clone();
    let hex = shown.trim().trim_start_matches("serial=").to_owned();
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn an_answer_is_needed_and_becomes_evidence(database: Database) {
    let mut stage = Stage::new(database);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    let responder = Responder::new(&stage);
    let serials = [serial_of(&manager.file("pem")), serial_of(&visit.file("pem"))];
    for serial in &serials {
        responder.set(serial, false);
    }
    let web = Web::start(Page::Status("503 Service Unavailable", ""));
    assert!(stage.relay.stop());
    configure(&stage.relay, &web, "refuse");
    stage.relay.start();
    // Nobody answers: nobody gets in, by a word that says why.
    let refused = manager.run(&["--json", "inbox"]);
    assert!(refused.code != 0 && (refused.out + &refused.err).contains("OCSP_MISSING"), "{}", refused.line);

    serve(&web, &responder);
    let slip = write_sample(&stage.path().join("samples"), "03_slip_202602_to_visit").display().to_string();
    let parcel = text(&manager.run(&["--json", "send", &slip]).expect(0).json()[0], "parcel").to_owned();
    let out = stage.path().join("in").display().to_string();
    assert_eq!(visit.run(&["--json", "receive", "--out", &out]).expect(0).json().len(), 1);

    let raw = RawOffice::load(&manager.certificates, MANAGER);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let channel = raw.connect(&stage.relay).await.unwrap();
        assert_eq!(answered(&channel).await, "answered");
        responder.set(&serials[0], true);
        let deadline = Instant::now() + Duration::from_secs(60);
        while answered(&channel).await != "CERTIFICATE_REVOKED" {
            assert!(Instant::now() < deadline, "{}", stage.relay.log_text());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    // What was sent before keeps its meaning: the evidence holds the answer of its time, for others to check as well.
    let folder = stage.path().join("evidence");
    visit.run(&["evidence", &parcel, "--out", &folder.display().to_string()]).expect(0);
    run(programs().tasuki().arg("verify").arg(&folder)).expect(0);
    let answers = fs::read_dir(folder.join("crls")).unwrap().map(|file| file.unwrap().path());
    let answers: Vec<PathBuf> =
        answers.filter(|path| path.extension().is_some_and(|own| own == "ors")).collect();
    assert!(!answers.is_empty());
    let ca = stage.relay.dir.join("trial-ca.pem");
    let good = answers.iter().any(|path| {
        let mut client = Command::new("openssl");
        client.args(["ocsp", "-no_nonce", "-issuer"]).arg(&ca).arg("-CAfile").arg(&ca);
        client.arg("-cert").arg(manager.file("pem")).arg("-respin").arg(path);
        let said = run(&mut client);
        said.code == 0 && said.out.contains(": good") && said.err.contains("Response verify OK")
    });
    assert!(good, "OpenSSL finds the sender's certificate good by the answer that was kept");
    stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn an_answer_is_needed_and_becomes_evidence_sqlite() {
    an_answer_is_needed_and_becomes_evidence(Database::Sqlite);
}

#[test]
fn an_answer_is_needed_and_becomes_evidence_postgres() {
    an_answer_is_needed_and_becomes_evidence(Database::Postgres);
}

#[test]
fn a_responder_that_is_down_slow_or_lying_lets_nobody_in() {
    let mut stage = Stage::new(Database::Sqlite);
    let ca = trial_ca(&stage.relay);
    let responder = Responder::new(&stage);
    let stranger = TrialCa::create("Strange CA", now_us()).unwrap();
    let forger = responder.signing_with("forger", &stranger.issue_office(VISIT, "forger", &quick()).unwrap());
    let forger = Responder { shows_certificate: false, ..forger };
    // A certificate of the CA's, and not one for answering.
    let unfit = responder.signing_with("unfit", &ca.issue_office(VISIT, "unfit", &quick()).unwrap());
    // One for answering, which the CA has revoked.
    let answering = IssueOptions { extended_key_usage: vec![OCSP_SIGNING.to_owned()], ..quick() };
    let fallen = ca.issue_office(VISIT, "fallen", &answering).unwrap();
    let list = [Revocation::new(&fallen.serial, now_us() - 1_000_000, RevocationReason::KeyCompromise)];
    let list = ca.crl(&list, 1_000, now_us(), now_us() + 86_400 * 1_000_000).unwrap();
    fs::write(stage.relay.dir.join("crls/responders.crl"), list).unwrap();
    let fallen = responder.signing_with("fallen", &fallen);
    let other = ca.issue_office(VISIT, "other", &quick()).unwrap();
    responder.set(&other.serial, false);
    let other_pem = stage.path().join("other.pem");
    fs::write(&other_pem, other.cert_pem().unwrap()).unwrap();
    let other_question = responder.question(&other_pem);

    let web = Web::start(Page::Status("503 Service Unavailable", ""));
    assert!(stage.relay.stop());
    configure(&stage.relay, &web, "refuse");
    stage.relay.start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cases: [Case<'_>; 10] = [
        ("FETCH_STATUS", Box::new(|_| web.show(Page::Status("503 Service Unavailable", "")))),
        ("FETCH_TIMEOUT", Box::new(|_| web.show(Page::Silence(Duration::from_secs(10))))),
        ("FETCH_TOO_LARGE", Box::new(|_| web.show(Page::Endless(1024 * 1024)))),
        ("OCSP_MALFORMED", Box::new(|_| web.show(Page::Body(b"<html>good</html>".to_vec())))),
        // tryLater
        ("OCSP_NO_ANSWER", Box::new(|_| web.show(Page::Body(vec![0x30, 3, 0x0a, 1, 3])))),
        ("OCSP_FORGED", Box::new(|_| serve(&web, &forger))),
        ("OCSP_NO_AUTHORITY", Box::new(|_| serve(&web, &unfit))),
        ("OCSP_RESPONDER_REVOKED", Box::new(|_| serve(&web, &fallen))),
        ("OCSP_OTHER_CERTIFICATE", Box::new(|_| web.show(Page::Body(responder.answer(&other_question))))),
        (
            "OCSP_NONCE",
            Box::new(|office| {
                let pem = responder.folder.join("played-back.pem");
                fs::write(&pem, pem_of(&office.identity)).unwrap();
                web.show(Page::Body(responder.answer(&responder.question(&pem))));
            }),
        ),
    ];
    for (word, behave) in cases {
        let issued = ca.issue_office(VISIT, word, &quick()).unwrap();
        let office = raw_office(&issued);
        responder.set(&issued.serial, false);
        behave(&office);
        runtime.block_on(async {
            let channel = office.connect(&stage.relay).await.unwrap();
            assert_eq!(answered(&channel).await, "OCSP_MISSING", "{word}");
            let counted = format!("tasuki_ocsp_answers_total{{result=\"{word}\"}}");
            assert!(stage.relay.metrics().contains(&counted), "{word}: {}", stage.relay.log_text());
            // Once it answers well, the same certificate gets in over the same connection.
            serve(&web, &responder);
            let deadline = Instant::now() + Duration::from_secs(60);
            while answered(&channel).await != "answered" {
                assert!(Instant::now() < deadline, "{word}: {}", stage.relay.log_text());
            }
        });
    }
    // A certificate that the responder does not know.
    let unknown = ca.issue_office(VISIT, "unknown", &quick()).unwrap();
    runtime.block_on(async {
        let channel = raw_office(&unknown).connect(&stage.relay).await.unwrap();
        assert_eq!(answered(&channel).await, "OCSP_MISSING");
    });
    assert!(stage.relay.metrics().contains("result=\"OCSP_UNKNOWN\""));
    // An auditor finds what the responder did.
    let told = stage.relay.run(&["--json", "audit", "--kind", "revocation.refused"]).expect(0).json();
    for word in ["FETCH_TIMEOUT", "OCSP_FORGED", "OCSP_NO_AUTHORITY", "OCSP_NONCE"] {
        let refused = |event: &serde_json::Value| {
            let lines = &event["lines"];
            lines["refused"] == word && lines["what"] == "ocsp" && lines["source"].is_string()
        };
        assert!(told.iter().any(refused), "{word}: {told:#?}");
    }
    // The operator may decide to go by the lists meanwhile.
    assert!(stage.relay.stop());
    configure(&stage.relay, &web, "warn");
    web.show(Page::Status("503 Service Unavailable", ""));
    stage.relay.start();
    runtime.block_on(async {
        let channel = raw_office(&unknown).connect(&stage.relay).await.unwrap();
        assert_eq!(answered(&channel).await, "answered");
    });
}
