//! Offices whose key is on a token: `SoftHSM`, through PKCS #11.

use std::fs;
use std::path::Path;
use std::process::Command;

use tasuki_certs::trial_ca::{IssueOptions, KeyChoice};
use tasuki_tests::office::{Office, write_sample};
use tasuki_tests::run::{Ran, run, text};

use crate::softhsm::{PIN, SoftHsm};
use crate::stage::{Database, MANAGER, Stage, VISIT};

/// A token with an office's key.
struct Token {
    token: SoftHsm,
    uri: String,
}

impl Token {
    /// A new token that holds a key (PEM).
    fn with_key(stage: &Stage, key: &Path, name: &str) -> Self {
        let token = SoftHsm::new(stage.path(), name);
        let pkcs8 = token.folder.join("key.pk8");
        run(Command::new("openssl")
            .args(["pkcs8", "-topk8", "-nocrypt", "-in"])
            .arg(key)
            .arg("-out")
            .arg(&pkcs8))
        .expect(0);
        let file = pkcs8.display().to_string();
        token.util(&["--import", &file, "--token", name, "--label", "billing", "--id", "01", "--pin", PIN]);
        fs::remove_file(pkcs8).unwrap();
        Self { uri: token.uri("billing"), token }
    }

    /// A new token that holds an RSA key (PEM) that asks for the PIN before each signature.
    fn with_key_that_asks(stage: &Stage, key: &Path, name: &str) -> Self {
        let token = SoftHsm::new(stage.path(), name);
        let der = token.folder.join("key.der");
        run(Command::new("openssl")
            .args(["rsa", "-traditional", "-outform", "DER", "-in"])
            .arg(key)
            .arg("-out")
            .arg(&der))
        .expect(0);
        let file = der.display().to_string();
        let write =
            ["--type", "privkey", "--label", "billing", "--id", "01", "--always-auth", "--write-object"];
        token.tool(&[&write[..], &[&file]].concat());
        fs::remove_file(der).unwrap();
        Self { uri: token.uri("billing"), token }
    }

    /// Puts a certificate onto the token.
    fn put_certificate(&self, pem: &Path) {
        let der = self.token.folder.join("certificate.der");
        run(Command::new("openssl").args(["x509", "-outform", "DER", "-in"]).arg(pem).arg("-out").arg(&der))
            .expect(0);
        let file = der.display().to_string();
        self.token.tool(&["--id", "01", "--type", "cert", "--write-object", &file]);
    }

    fn run(&self, office: &Office, args: &[&str]) -> Ran {
        run(self.token.at(&mut office.command(args)))
    }

    /// `init` with the key of this token.
    fn init(&self, stage: &Stage, home: &Path, uri: &str, pin: &Path, more: &[&str]) -> Ran {
        let mut command = stage.relay.programs.tasuki();
        command.args(["--json", "init"]).arg(home).args(["--relay", &stage.relay.url, "--identity", uri]);
        command.arg("--relay-ca").arg(stage.relay.dir.join("relay-ca.pem"));
        command.arg("--password-file").arg(pin).args(more);
        run(self.token.at(&mut command))
    }
}

/// Sends and receives with a key that is nowhere but on the token.
fn works(stage: &Stage, token: &Token, office: &Office, manager: &Office) {
    token.run(office, &["inbox"]).expect(0);
    let slip = write_sample(stage.path(), "03_slip_202602_to_visit").display().to_string();
    let sent = manager.run(&["--json", "send", &slip, "--again"]).expect(0).json().remove(0);
    let into = stage.path().join("in").display().to_string();
    let received = token.run(office, &["--json", "receive", "--out", &into]).expect(0).json().remove(0);
    assert_eq!(text(&received, "state"), "acknowledged", "{received}");
    let parcel = text(&sent, "parcel");
    let proof = stage.path().join(format!("proof-{parcel}")).display().to_string();
    manager.run(&["evidence", parcel, "--out", &proof]).expect(0);
    manager.run(&["verify", &proof]).expect(0);

    let result = write_sample(stage.path(), "06_result_202602_from_visit").display().to_string();
    token.run(office, &["--json", "send", &result, "--again", "--new-partner"]).expect(0);
    let back = stage.path().join("back").display().to_string();
    let received = manager.run(&["--json", "receive", "--out", &back]).expect(0).json().remove(0);
    assert_eq!(text(&received, "state"), "acknowledged", "{received}");
}

#[test]
fn an_office_signs_with_a_key_on_a_token() {
    let stage = Stage::new(Database::Sqlite);
    let (manager, files) = (stage.office(MANAGER), stage.office(VISIT));
    let token = Token::with_key(&stage, &files.file("key"), "billing-card");
    let chain = files.file("pem").display().to_string();
    let home = stage.path().join("home-token");
    let init = |uri: &str, pin: &Path, more: &[&str]| token.init(&stage, &home, uri, pin, more);
    let refused = |ran: &Ran, reason: &str| {
        let told = ran.expect(2);
        assert!(format!("{}{}", told.out, told.err).contains(reason), "{reason}: {told:?}");
    };
    // What does not fit is said, and nothing is made.
    let certificates = ["--certificates", &chain];
    let wrong_pin = token.token.folder.join("wrong");
    fs::write(&wrong_pin, "another pin").unwrap();
    refused(&init(&token.uri, &wrong_pin, &certificates), "TOKEN_PIN");
    refused(
        &init(&token.uri.replace("object=billing", "object=x"), &token.token.pin, &certificates),
        "TOKEN_KEY_NOT_FOUND",
    );
    refused(
        &init(&token.uri.replace("billing-card", "y"), &token.token.pin, &certificates),
        "TOKEN_NOT_THERE",
    );
    refused(
        &init(&token.uri.replace("softhsm2.so", "none.so"), &token.token.pin, &certificates),
        "TOKEN_MODULE",
    );
    refused(&init(&format!("{}&pin-value=1", token.uri), &token.token.pin, &certificates), "TOKEN_URI");
    refused(&init(&token.uri, &token.token.pin, &[]), "NO_CERTIFICATE");
    let anothers = manager.file("pem").display().to_string();
    refused(&init(&token.uri, &token.token.pin, &["--certificates", &anothers]), "KEY_DOES_NOT_MATCH");
    assert!(!home.join("config.toml").exists());

    let made = init(&token.uri, &token.token.pin, &certificates).expect(0).json().remove(0);
    assert_eq!((text(&made, "office"), &made["sealing_key"]), (VISIT, &true.into()), "{made}");
    works(&stage, &token, &files.with_home(home.clone()), &manager);
    // The billing key is in no file of the HOME.
    let key = fs::read_to_string(files.file("key")).unwrap();
    let line = key.lines().nth(1).unwrap();
    for entry in fs::read_dir(&home).unwrap() {
        let path = entry.unwrap().path();
        assert!(!path.is_file() || !fs::read_to_string(&path).unwrap_or_default().contains(line), "{path:?}");
    }
    // Without the token nothing is signed, and nothing is lost.
    let gone = files.with_home(home);
    let refused = run(gone.command(&["inbox"]).env("SOFTHSM2_CONF", "/dev/null"));
    assert_ne!(refused.code, 0, "{refused:?}");
    token.run(&gone, &["inbox"]).expect(0);
}

#[test]
fn an_elliptic_curve_key_and_its_certificate_on_a_token() {
    let stage = Stage::new(Database::Sqlite);
    let manager = stage.office(MANAGER);
    let now_us = 1_000_000 * i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
    let options = IssueOptions::new(now_us).with_key(KeyChoice::P256);
    let files = stage.office_with_certificate(VISIT, &options, &[]);
    let special = stage.path().join(format!("special-{VISIT}"));
    let token = Token::with_key(&stage, &special.join("office.key"), "card");
    token.put_certificate(&special.join("office.pem"));
    let home = stage.path().join("home-token");
    // The certificate comes from the token; the CA above it is not there.
    let ca = stage.relay.dir.join("trial-ca.pem").display().to_string();
    token.init(&stage, &home, &token.uri, &token.token.pin, &["--ca", &ca]).expect(0);
    works(&stage, &token, &files.with_home(home), &manager);
}

#[test]
fn a_key_that_asks_for_the_pin_before_each_signature() {
    let stage = Stage::new(Database::Sqlite);
    let (manager, files) = (stage.office(MANAGER), stage.office(VISIT));
    let token = Token::with_key_that_asks(&stage, &files.file("key"), "card");
    let chain = files.file("pem").display().to_string();
    let home = stage.path().join("home-token");
    token.init(&stage, &home, &token.uri, &token.token.pin, &["--certificates", &chain]).expect(0);
    works(&stage, &token, &files.with_home(home), &manager);
}
