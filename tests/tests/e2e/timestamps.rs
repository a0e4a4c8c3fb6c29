//! Time stamps of the log by OpenSSL's authority: kept, part of the evidence, verified by both; and answers that are none.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tasuki_certs::trial_ca::{IssueOptions, KeyChoice, KeyUse, RawExtension, TrialCa};
use tasuki_proto::canonical::hex;
use tasuki_tests::office::write_sample;
use tasuki_tests::raw::now_us;
use tasuki_tests::run::{Ran, run, text};
use tasuki_tests::web::{Page, Web};

use crate::stage::{Database, MANAGER, Stage, VISIT, programs};

/// OpenSSL's time stamping authority.
#[derive(Clone)]
struct Authority {
    folder: PathBuf,
}

impl Authority {
    fn new(folder: &Path) -> Self {
        fs::create_dir(folder).unwrap();
        let ca = TrialCa::create("Authority root", now_us()).unwrap();
        // extKeyUsage, critical, timeStamping and nothing else (RFC 3161 section 2.3).
        let usage = [&[0x30, 10, 6, 8][..], &[0x2b, 6, 1, 5, 5, 7, 3, 8]].concat();
        let usage = RawExtension { oid: "2.5.29.37".to_owned(), critical: true, der: usage };
        let options = IssueOptions {
            key_usage: vec![KeyUse::DigitalSignature],
            subject: Some(vec![("CN".to_owned(), "Test authority".to_owned())]),
            extensions: vec![usage],
            ..IssueOptions::new(now_us()).with_key(KeyChoice::Rsa(2048))
        };
        let issued = ca.issue_office(MANAGER, "authority", &options).unwrap();
        let own = Self { folder: folder.to_owned() };
        fs::write(own.file("tsa.pem"), issued.cert_pem().unwrap()).unwrap();
        fs::write(own.file("tsa.key"), issued.key_pem().unwrap()).unwrap();
        fs::write(own.file("root.pem"), ca.cert_pem().unwrap()).unwrap();
        fs::write(own.file("serial"), "01\n").unwrap();
        let path = |name: &str| own.file(name).display().to_string();
        let config = format!(
            "[tsa]\ndefault_tsa = one\n[one]\nserial = {}\nsigner_cert = {}\ncerts = {}\nsigner_key = {}\nsigner_digest = sha256\n\
             default_policy = 1.2.3.4.1\ndigests = sha256\naccuracy = secs:1\nordering = no\ntsa_name = yes\n\
             ess_cert_id_chain = no\ness_cert_id_alg = sha256\n",
            path("serial"),
            path("tsa.pem"),
            path("root.pem"),
            path("tsa.key")
        );
        fs::write(own.file("tsa.cnf"), config).unwrap();
        own
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn answer(&self, question: &[u8]) -> Vec<u8> {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let (asked, answered) = (self.file(&format!("{serial}.tsq")), self.file(&format!("{serial}.tsr")));
        fs::write(&asked, question).unwrap();
        let mut authority = Command::new("openssl");
        authority.args(["ts", "-reply", "-config"]).arg(self.file("tsa.cnf"));
        // A question that is none is answered, too, and fails.
        run(authority.arg("-queryfile").arg(&asked).arg("-out").arg(&answered));
        fs::read(answered).unwrap()
    }

    /// An answer to somebody else's question about the same bytes.
    fn answer_other(&self, question: &[u8]) -> Vec<u8> {
        let at = question.windows(2).position(|two| two == [0x04, 0x20]).unwrap() + 2;
        let path = self.file("other.tsq");
        let mut client = Command::new("openssl");
        client.args(["ts", "-query", "-sha256", "-cert", "-digest", &hex(&question[at..at + 32]), "-out"]);
        run(client.arg(&path)).expect(0);
        self.answer(&fs::read(path).unwrap())
    }
}

fn serve(web: &Web, authority: &Authority) {
    let authority = authority.clone();
    web.answer_by(move |_, question| Page::Body(authority.answer(question)));
}

fn counted(stage: &Stage, word: &str) {
    let counter = format!("tasuki_timestamps_total{{result=\"{word}\"}}");
    let deadline = Instant::now() + Duration::from_secs(90);
    while !stage.relay.metrics().contains(&counter) {
        assert!(Instant::now() < deadline, "{word}: {}", stage.relay.log_text());
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn verify(folder: &Path, further: &[&str]) -> Ran {
    run(programs().tasuki().args(["--json", "verify"]).arg(folder).args(further))
}

/// Answers that are no time stamp of what was asked about, each with its word.
fn hostile(stage: &Stage, web: &Web, authority: &Authority) {
    let stranger = Authority::new(&stage.path().join("stranger"));
    let bent = authority.clone();
    let other = authority.clone();
    let stale = authority.answer_other(&[&[0x04, 0x20][..], &[7; 32]].concat());
    web.show(Page::Status("503 Service Unavailable", ""));
    counted(stage, "FETCH_STATUS");
    web.show(Page::Body(b"<html>".to_vec()));
    counted(stage, "TSP_MALFORMED");
    web.show(Page::Body(stale));
    counted(stage, "TSP_IMPRINT");
    web.show(Page::Body(authority.answer(b"no question")));
    counted(stage, "TSP_REFUSED");
    web.answer_by(move |_, question| Page::Body(other.answer_other(question)));
    counted(stage, "TSP_NONCE");
    serve(web, &stranger);
    counted(stage, "TSP_CERTIFICATE");
    web.answer_by(move |_, question| {
        let mut answer = bent.answer(question);
        *answer.last_mut().unwrap() ^= 1;
        Page::Body(answer)
    });
    counted(stage, "TSP_BAD_SIGNATURE");
}

fn stamps_are_evidence(database: Database, with_hostile: bool) {
    let mut stage = Stage::new(database);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    let authority = Authority::new(&stage.path().join("authority"));
    let root = authority.file("root.pem").display().to_string();
    let web = Web::start(Page::Status("503 Service Unavailable", ""));
    assert!(stage.relay.stop());
    let mut in_timestamps = false;
    stage.relay.configure(|line| {
        if line.starts_with('[') {
            in_timestamps = line == "[timestamps]";
        }
        match line.split(" =").next() {
            Some("url") if in_timestamps => Some(format!("url = \"{}\"", web.url("/tsa"))),
            Some("ca_file") if in_timestamps => Some(format!("ca_file = \"{root}\"")),
            Some("every") if in_timestamps => Some("every = \"1s\"".to_owned()),
            Some("timeout_s") if in_timestamps => Some("timeout_s = 10".to_owned()),
            _ => None,
        }
    });
    stage.relay.start();
    let slip = write_sample(&stage.path().join("samples"), "03_slip_202602_to_visit").display().to_string();
    let parcel = text(&manager.run(&["--json", "send", &slip]).expect(0).json()[0], "parcel").to_owned();
    if with_hostile {
        hostile(&stage, &web, &authority);
    }
    serve(&web, &authority);
    let out = stage.path().join("in").display().to_string();
    assert_eq!(visit.run(&["--json", "receive", "--out", &out]).expect(0).json().len(), 1);
    counted(&stage, "ok");

    // The event of the receipt may wait for the next stamp.
    let deadline = Instant::now() + Duration::from_secs(60);
    let folder = loop {
        let folder = stage.path().join(format!("evidence-{}", web.asked()));
        visit.run(&["evidence", &parcel, "--out", &folder.display().to_string()]).expect(0);
        let report = verify(&folder, &["--tsa-ca", &root]).expect(0).json().remove(0);
        let events = report["proofs"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|proof| text(proof, "what") == "logged")
            .count();
        let stamps = report["timestamps"].as_array().unwrap();
        if stamps.iter().any(|stamp| stamp["events"] == events && stamp["pinned"] == true) {
            break folder;
        }
        assert!(Instant::now() < deadline, "{report}");
        std::thread::sleep(Duration::from_millis(300));
    };
    // By what came along, and by OpenSSL.
    let found = verify(&folder, &[]).expect(0).json().remove(0);
    assert_eq!(found["timestamps"][0]["pinned"], false);
    let stamps: Vec<PathBuf> = fs::read_dir(folder.join("checkpoints"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "tsr"))
        .collect();
    for stamp in &stamps {
        let mut client = Command::new("openssl");
        client.args(["ts", "-verify", "-CAfile", &root, "-data"]).arg(stamp.with_extension("txt"));
        assert!(run(client.arg("-in").arg(stamp)).expect(0).out.contains("Verification: OK"));
    }
    // Nothing happens: nothing is stamped.
    let asked = web.asked();
    std::thread::sleep(Duration::from_secs(4));
    assert!(web.asked() <= asked + 1, "at most the last events were still to be stamped");
    // Another authority's CA, and a stamp of something else.
    let other = stage.path().join("other.pem");
    fs::write(&other, TrialCa::create("Other root", now_us()).unwrap().cert_pem().unwrap()).unwrap();
    let refused = verify(&folder, &["--tsa-ca", &other.display().to_string()]).expect(1).json().remove(0);
    assert_eq!(text(&refused, "reason"), "TIME_STAMP_INVALID");
    fs::write(&stamps[0], authority.answer_other(&[&[0x04, 0x20][..], &[7; 32]].concat())).unwrap();
    assert_eq!(text(&verify(&folder, &[]).expect(1).json()[0], "reason"), "TIME_STAMP_INVALID");
    stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn stamps_are_evidence_and_what_is_none_is_not_kept() {
    stamps_are_evidence(Database::Sqlite, true);
}

#[test]
fn stamps_are_evidence_postgres() {
    stamps_are_evidence(Database::Postgres, false);
}
