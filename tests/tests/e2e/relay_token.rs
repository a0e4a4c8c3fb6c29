//! A relay whose log and issuing CA have their keys on a token: `SoftHSM`, through PKCS #11.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use tasuki_tests::office::{Office, write_sample};
use tasuki_tests::run::{Ran, run, text};

use crate::softhsm::{SoftHsm, owner_only};
use crate::stage::{DAY, Database, MANAGER, Stage, VISIT, programs};

const PATIENCE: Duration = Duration::from_secs(60);

fn send(stage: &Stage, manager: &Office) -> String {
    let slip = write_sample(stage.path(), "03_slip_202602_to_visit").display().to_string();
    let sent = manager.run(&["--json", "send", "--again", &slip]).expect(0).json();
    text(&sent[0], "parcel").to_owned()
}

/// Sends a parcel and takes it; gives its evidence.
fn exchange(stage: &Stage, manager: &Office, visit: &Office) -> String {
    let parcel = send(stage, manager);
    let into = stage.path().join("in").display().to_string();
    let received = visit.run(&["--json", "receive", "--out", &into]).expect(0).json();
    assert!(received.iter().all(|parcel| text(parcel, "state") == "acknowledged"), "{received:?}");
    let proof = stage.path().join(format!("proof-{parcel}")).display().to_string();
    manager.run(&["evidence", &parcel, "--out", &proof]).expect(0);
    manager.run(&["verify", &proof]).expect(0);
    proof
}

fn one(stage: &Stage, args: &[&str]) -> Value {
    stage.relay.run(args).expect(0).json().remove(0)
}

/// A relay on `database` whose keys are on a token from its first day on.
fn relay_on_a_token(database: Database) -> (Stage, SoftHsm) {
    let folder = tempfile::tempdir().unwrap();
    let token = SoftHsm::new(folder.path(), "relay");
    let programs = programs().with("SOFTHSM2_CONF", token.config());
    let (log, ca, pin) = (token.uri("log"), token.uri("ca"), token.pin.display().to_string());
    let keys = ["--log-key", &log, "--ca-key", &ca, "--pin-file", &pin];
    (Stage::with(database, folder, programs, &keys), token)
}

/// The private keys on the token.
fn keys(token: &SoftHsm) -> Vec<String> {
    let listed = token.tool(&["--list-objects", "--type", "privkey"]);
    let mut names: Vec<String> = listed
        .lines()
        .filter_map(|line| line.trim().strip_prefix("label:"))
        .map(|name| name.trim().to_owned())
        .collect();
    assert!(
        !listed.contains("extractable") || listed.matches("never extractable").count() == names.len(),
        "{listed}"
    );
    names.sort();
    names
}

fn both_keys_never_leave_their_token(database: Database) {
    let (stage, token) = relay_on_a_token(database);
    assert_eq!(keys(&token), ["ca", "log"]);
    for name in ["log.key", "trial-ca.key"] {
        let said = fs::read_to_string(stage.relay.dir.join(name)).unwrap();
        assert!(said.contains("pkcs11:token=relay") && said.contains("\npin-file: "), "{name}: {said}");
    }
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    let first = exchange(&stage, &manager, &visit);
    // What the CA on the token has signed is good for others too.
    let chain = visit.file("pem").display().to_string();
    let ca = stage.relay.dir.join("trial-ca.pem").display().to_string();
    run(Command::new("openssl").args(["verify", "-CAfile", &ca, &chain])).expect(0);
    let list = stage.relay.dir.join("crls/trial-ca.crl").display().to_string();
    run(Command::new("openssl").args(["crl", "-inform", "DER", "-noout", "-CAfile", &ca, "-in", &list]))
        .expect(0);
    assert_eq!(one(&stage, &["--json", "log-key", "status"])["token"], token.uri("log"));
    assert_eq!(one(&stage, &["--json", "ca", "status"])["token"], token.uri("ca"));
    stage.relay.run(&["doctor"]).expect(0);

    // Both go over to keys that are made on the same token; offices follow.
    stage.relay.run(&["log-key", "roll"]).expect(0);
    one(&stage, &["--json", "ca", "roll"]);
    assert_eq!(keys(&token), ["ca", "ca-2", "log", "log-2"]);
    assert_eq!(one(&stage, &["--json", "log-key", "status"])["token"], token.uri("log-2"));
    assert_eq!(one(&stage, &["--json", "ca", "status"])["token"], token.uri("ca-2"));
    let second = exchange(&stage, &manager, &visit);
    let day = stage.office(DAY);
    // A relay that runs goes over to the CA's new key within seconds.
    let deadline = Instant::now() + PATIENCE;
    while day.run(&["inbox"]).code != 0 {
        assert!(Instant::now() < deadline, "{}", stage.relay.log_text());
        std::thread::sleep(Duration::from_millis(200));
    }
    for proof in [&first, &second] {
        day.run(&["verify", proof]).expect(0);
    }
    stage.relay.run(&["log", "verify"]).expect(0);
    // A revocation is signed by the key that issued: the first one's list still comes.
    stage.relay.run(&["cert", "revoke", &fingerprint(&visit)]).expect(0);
}

fn fingerprint(office: &Office) -> String {
    let pem = office.file("pem").display().to_string();
    let told = run(Command::new("openssl").args(["x509", "-noout", "-fingerprint", "-sha256", "-in", &pem]));
    let told = told.expect(0).out.trim().to_owned();
    told.rsplit('=').next().unwrap().replace(':', "").to_lowercase()
}

#[test]
fn both_keys_never_leave_their_token_sqlite() {
    both_keys_never_leave_their_token(Database::Sqlite);
}

#[test]
fn both_keys_never_leave_their_token_postgres() {
    both_keys_never_leave_their_token(Database::Postgres);
}

#[test]
fn a_relay_goes_over_to_a_token_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let token = SoftHsm::new(folder.path(), "relay");
    let programs = programs().with("SOFTHSM2_CONF", token.config());
    let stage = Stage::with(Database::Sqlite, folder, programs, &[]);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    let first = exchange(&stage, &manager, &visit);
    let pin = token.pin.display().to_string();
    let (log, ca) = (token.uri("log"), token.uri("ca"));
    // Without a PIN's file nothing happens.
    let refused = stage.relay.run(&["log-key", "roll", "--key", &log]).expect(2).clone();
    assert!(refused.err.contains("--pin-file"), "{refused:?}");
    stage.relay.run(&["log-key", "prepare", "--key", &log, "--pin-file", &pin]).expect(0);
    let other = token.uri("another");
    let refused = stage
        .relay
        .run(&["--json", "log-key", "roll", "--key", &other, "--pin-file", &pin])
        .expect(2)
        .clone();
    assert!(refused.err.contains("NEXT_KEY_PREPARED"), "{refused:?}");
    stage.relay.run(&["log-key", "roll"]).expect(0);
    let prepared = one(&stage, &["--json", "ca", "prepare", "--key", &ca, "--pin-file", &pin]);
    assert!(Path::new(text(&prepared, "folder")).join("ca.key").is_file(), "{prepared}");
    let rolled = one(&stage, &["--json", "ca", "roll", "--key", &ca, "--pin-file", &pin]);
    assert_eq!(rolled["new_ca"], prepared["next_ca"]);
    let second = exchange(&stage, &manager, &visit);
    assert_eq!(keys(&token), ["ca", "log"]);
    stage.relay.run(&["log-key", "roll", "--key", "file"]).expect(0);
    one(&stage, &["--json", "ca", "roll", "--key", "file"]);
    assert_eq!(one(&stage, &["--json", "log-key", "status"]).get("token"), None);
    let third = exchange(&stage, &manager, &visit);
    for proof in [first, second, third] {
        visit.run(&["verify", &proof]).expect(0);
    }
}

/// `init` into a new folder, with these arguments.
fn init(token: &SoftHsm, dir: &Path, args: &[&str]) -> Ran {
    let mut command = programs().with("SOFTHSM2_CONF", token.config()).relay();
    run(command.args(["--json", "init"]).arg(dir).args(args))
}

#[test]
fn a_token_that_cant_be_used_is_said_and_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let token = SoftHsm::new(folder.path(), "relay");
    let dir = folder.path().join("relay");
    let (log, pin) = (token.uri("log"), token.pin.display().to_string());
    let file = |name: &str, text: &str| -> PathBuf {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        owner_only(&path);
        path
    };
    let wrong = file("wrong", "another pin\n").display().to_string();
    let absent = folder.path().join("absent").display().to_string();
    let gone = log.replace("token=relay", "token=away");
    let no_driver = log.replace("softhsm2.so", "none.so");
    for (uri, pin, reason) in [
        (&log, &wrong, "TOKEN_PIN"),
        (&log, &absent, "absent"),
        (&gone, &pin, "TOKEN_NOT_THERE"),
        (&no_driver, &pin, "TOKEN_MODULE"),
        (&format!("{log}&pin-value=1"), &pin, "TOKEN_URI"),
    ] {
        for key in ["--log-key", "--ca-key"] {
            let told = init(&token, &dir, &[key, uri, "--pin-file", pin]).expect(2).clone();
            assert!(told.err.contains(reason), "{key} {reason}: {told:?}");
            assert!(!dir.exists(), "{key} {reason}");
        }
    }
    // A PIN that others may read is none.
    let open = file("open", "a long enough pin\n");
    let mut permissions = fs::metadata(&open).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
    fs::set_permissions(&open, permissions).unwrap();
    let told =
        init(&token, &dir, &["--log-key", &log, "--pin-file", &open.display().to_string()]).expect(2).clone();
    assert!(told.err.contains("chmod 600"), "{told:?}");
    // A key of another kind under that name is no log's.
    token.tool(&["--keypairgen", "--key-type", "EC:prime256v1", "--label", "log", "--id", "01"]);
    let told = init(&token, &dir, &["--log-key", &log, "--pin-file", &pin]).expect(2).clone();
    assert!(told.err.contains("TOKEN_KEY_NOT_FOUND"), "{told:?}");
    assert!(!dir.exists());
}

#[test]
fn without_its_token_a_relay_does_not_start() {
    let (mut stage, token) = relay_on_a_token(Database::Sqlite);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    exchange(&stage, &manager, &visit);
    stage.relay.stop();
    let away = token.folder.join("away");
    fs::rename(token.folder.join("tokens"), &away).unwrap();
    fs::create_dir(token.folder.join("tokens")).unwrap();
    let told = run(&mut stage.relay.command(&["--json", "serve"])).expect(2).clone();
    assert!(told.err.contains("TOKEN_NOT_THERE"), "{told:?}");
    let doctor = stage.relay.run(&["--json", "doctor"]).expect(1).clone();
    assert!(doctor.out.contains("is not there"), "{doctor:?}");
    fs::remove_dir(token.folder.join("tokens")).unwrap();
    fs::rename(away, token.folder.join("tokens")).unwrap();
    stage.relay.start();
    exchange(&stage, &manager, &visit);
}

#[test]
fn while_its_token_is_away_nothing_is_confirmed() {
    let (mut stage, token) = relay_on_a_token(Database::Sqlite);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    exchange(&stage, &manager, &visit);
    let (here, away) = (token.folder.join("tokens"), token.folder.join("away"));
    fs::rename(&here, &away).unwrap();
    let slip = write_sample(stage.path(), "03_slip_202602_to_visit").display().to_string();
    let unsent = manager.run(&["--json", "send", "--again", &slip]);
    assert_ne!(unsent.code, 0, "{unsent:?}");
    let told = unsent.json().remove(0);
    assert_eq!((text(&told, "state"), text(&told, "reason")), ("pending", "STORE_UNAVAILABLE"), "{told}");
    assert!(stage.relay.log_text().contains("the log's checkpoint can't be signed"));
    fs::rename(&away, &here).unwrap();
    // This driver does not find a token again whose files were gone: it must be loaded anew.
    assert!(stage.relay.stop());
    stage.relay.start();
    let sent = manager.run(&["--json", "send", "--again", &slip]).expect(0).json().remove(0);
    assert_eq!(sent["parcel"], told["parcel"]);
    let into = stage.path().join("late").display().to_string();
    let received = visit.run(&["--json", "receive", "--out", &into]).expect(0).json();
    assert_eq!(received.len(), 1, "{received:?}");
    assert!(stage.relay.run(&["log", "verify"]).code == 0);
}
