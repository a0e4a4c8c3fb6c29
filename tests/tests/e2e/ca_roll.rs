//! The issuing CA hands over to a new key: offices follow by themselves, evidence of any time stays good, and after an emergency the
//! old key's certificates are refused.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use tasuki_certs::handover::ROLLED_BY_LOG;
use tasuki_certs::trial_ca::{IssueOptions, KeyChoice, TrialCa};
use tasuki_tests::office::{Office, write_sample};
use tasuki_tests::raw::now_us;
use tasuki_tests::run::{Ran, run, text};

use crate::stage::{DAY, Database, MANAGER, Stage, VISIT, programs};

const PATIENCE: Duration = Duration::from_secs(60);

#[track_caller]
fn until(what: &str, stage: &Stage, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: {}", stage.relay.log_text());
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn send(stage: &Stage, manager: &Office) -> String {
    let slip = write_sample(stage.path(), "03_slip_202602_to_visit").display().to_string();
    let sent = manager.run(&["--json", "send", "--again", &slip]).expect(0).json();
    text(&sent[0], "parcel").to_owned()
}

fn receive(stage: &Stage, visit: &Office) -> usize {
    let into = stage.path().join("in").display().to_string();
    let received = visit.run(&["--json", "receive", "--out", &into]).expect(0).json();
    assert!(received.iter().all(|parcel| text(parcel, "state") == "acknowledged"), "{received:?}");
    received.len()
}

fn evidence(stage: &Stage, office: &Office, parcel: &str, name: &str) -> String {
    let proof = stage.path().join(format!("proof-{name}")).display().to_string();
    office.run(&["evidence", parcel, "--out", &proof]).expect(0);
    proof
}

fn roll(stage: &Stage, more: &[&str]) -> Value {
    stage.relay.run(&[&["--json", "ca", "roll"][..], more].concat()).expect(0).json().remove(0)
}

fn status(stage: &Stage) -> Vec<Value> {
    stage.relay.run(&["--json", "ca", "status"]).expect(0).json()
}

/// Issues a new certificate for an office that has a HOME, and has the HOME go over to it.
fn go_over(stage: &Stage, office: &Office) -> Ran {
    let out = stage.path().join(format!("again-{}", office.number));
    stage.relay.run(&["cert", "issue", &office.number, "--out", &out.display().to_string()]).expect(0);
    let file = |ending: &str| out.join(format!("{}.{ending}", office.number)).display().to_string();
    office.run(&["--json", "renew", "--identity", &file("p12"), "--password-file", &file("pass")])
}

fn offices_follow_a_new_ca(database: Database) {
    let mut stage = Stage::new(database);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    let old_anchor = stage.relay.dir.join("trial-ca.pem").display().to_string();
    let early = send(&stage, &manager);
    assert_eq!(receive(&stage, &visit), 1);
    let early = evidence(&stage, &manager, &early, "early");
    let waiting = send(&stage, &manager);

    let rolled = roll(&stage, &[]);
    assert_eq!((&rolled["emergency"], text(&rolled, "new_ca").len()), (&false.into(), 64));
    assert_ne!(rolled["old_ca"], rolled["new_ca"]);
    let states: Vec<Value> = status(&stage).iter().map(|key| key["state"].clone()).collect();
    assert_eq!(states, ["issuing", "before"]);
    // What was issued before stays good: what waited is received, without a person doing anything.
    until("the relay follows", &stage, || stage.relay.log_text().contains("goes on under a new key"));
    assert_eq!(receive(&stage, &visit), 1);
    let notices = visit.run(&["--json", "notices"]).expect(0).json();
    assert_eq!(notices.iter().map(|n| text(n, "kind")).collect::<Vec<_>>(), ["ca.rolled"]);
    assert!(visit.home.join("trust/ca-rolls.txt").is_file());

    // What is issued from now on, by the command and in place, is of the new key, and goes both ways with the old.
    let day = stage.office(DAY);
    let renewed = manager.run(&["--json", "renew"]).expect(0).json().remove(0);
    assert_eq!(text(&renewed, "holder"), format!("office:{MANAGER}"));
    day.run(&["inbox"]).expect(0);
    // The receiver slept over it: a HOME as it was before the roll, which meets a parcel of the new key at its first contact.
    fs::remove_file(visit.home.join("trust/ca-rolls.txt")).unwrap();
    let late = send(&stage, &manager);
    assert_eq!(receive(&stage, &visit), 1);
    assert!(visit.home.join("trust/ca-rolls.txt").is_file());
    let late = evidence(&stage, &manager, &late, "late");
    let waited = evidence(&stage, &visit, &waiting, "waited");
    // Offline, evidence of before and after holds by the anchor that was published first, and by what lies beside it.
    for proof in [&early, &waited, &late] {
        visit.run(&["verify", proof, "--ca", &old_anchor]).expect(0);
        visit.run(&["verify", proof]).expect(0);
    }
    // A stranger's anchor proves nothing.
    let stranger = stage.path().join("stranger.pem");
    fs::write(&stranger, TrialCa::create("stranger", now_us()).unwrap().cert_pem().unwrap()).unwrap();
    visit.run(&["verify", &late, "--ca", &stranger.display().to_string()]).expect(1);

    // Certificates of either key are revoked as ever, and a second roll follows the first.
    let before = text(&renewed, "previous").to_owned();
    stage.relay.run(&["cert", "revoke", &before, "--reason", "superseded"]).expect(0);
    roll(&stage, &["--reason", "年次の更新"]);
    assert!(stage.relay.stop());
    stage.relay.start();
    visit.run(&["--json", "renew"]).expect(0);
    send(&stage, &manager);
    assert_eq!(receive(&stage, &visit), 1);
    let last = send(&stage, &manager);
    assert_eq!(receive(&stage, &visit), 1);
    let last = evidence(&stage, &visit, &last, "last");
    visit.run(&["verify", &last, "--ca", &old_anchor]).expect(0);
    assert_eq!(status(&stage).len(), 3);
    let verified = stage.relay.run(&["--json", "log", "verify"]).expect(0).json().remove(0);
    assert_eq!(verified["verified"], true);
    stage.relay.run(&["doctor"]).expect(0);
}

#[test]
fn offices_follow_a_new_ca_sqlite() {
    offices_follow_a_new_ca(Database::Sqlite);
}

#[test]
fn offices_follow_a_new_ca_postgres() {
    offices_follow_a_new_ca(Database::Postgres);
}

#[test]
fn after_an_emergency_the_old_ca_is_refused() {
    let stage = Stage::new(Database::Sqlite);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    let early = send(&stage, &manager);
    assert_eq!(receive(&stage, &visit), 1);
    let early = evidence(&stage, &manager, &early, "early");
    send(&stage, &manager);
    // Who has the key makes a certificate of his own for an office.
    let thief = Office::outside(&stage.relay, stage.path(), DAY);

    stage.relay.run(&["ca", "roll", "--emergency"]).expect(2);
    let rolled = roll(&stage, &["--emergency", "--reason", "鍵の漏えいの疑い"]);
    assert_eq!(rolled["emergency"], true);
    until("the old key's certificates are refused", &stage, || manager.run(&["inbox"]).code != 0);
    assert_ne!(thief.run(&["inbox"]).code, 0);
    let refused = manager.run(&["--json", "renew"]);
    assert_ne!(refused.code, 0, "{refused:?}");
    let states: Vec<Value> = status(&stage).iter().map(|key| key["state"].clone()).collect();
    assert_eq!(states, ["issuing", "withdrawn"]);

    // The operator issues anew; the office puts it into the HOME that it has, which learns of the new CA from the log.
    for office in [&manager, &visit] {
        go_over(&stage, office).expect(0);
        let notices = office.run(&["--json", "notices"]).expect(0).json();
        assert_eq!(notices.last().map(|n| n["urgent"].clone()), Some(true.into()));
    }
    // What was accepted before keeps its meaning: it is received, and its evidence holds.
    assert_eq!(receive(&stage, &visit), 1);
    visit.run(&["verify", &early]).expect(0);
    send(&stage, &manager);
    assert_eq!(receive(&stage, &visit), 1);
    // A certificate of the old key, made after the emergency: no HOME that followed believes it, nor does the relay.
    let read = |name: &str| fs::read(stage.relay.dir.join(name)).unwrap();
    let old = TrialCa::load(&read("trial-ca.pem"), &read("trial-ca.key")).unwrap();
    let forged = old.issue_office(DAY, "forged", &IssueOptions::new(now_us())).unwrap();
    let folder = stage.path().join("forged");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("o.pem"), forged.chain_pem().unwrap()).unwrap();
    fs::write(folder.join("o.key"), forged.key_pem().unwrap()).unwrap();
    let forger = init(&stage, &folder);
    assert_ne!(run(programs().tasuki().arg("--home").arg(&forger).arg("inbox")).code, 0);
    let verified = stage.relay.run(&["--json", "log", "verify"]).expect(0).json().remove(0);
    assert_eq!(verified["verified"], true);
    stage.relay.run(&["doctor"]).expect(0);
}

#[test]
fn a_relay_hands_its_ca_over_when_the_time_has_come() {
    let mut stage = Stage::new(Database::Sqlite);
    let manager = stage.office(MANAGER);
    assert!(stage.relay.stop());
    // Its CA has ten years before it: what is to be done three years before the end is not due.
    let path = stage.relay.dir.join("relay.toml");
    let config = fs::read_to_string(&path).unwrap();
    let with =
        |period: &str| config.replace("# roll_before = \"3y\"", &format!("roll_before = \"{period}\""));
    fs::write(&path, with("20y")).unwrap();
    stage.relay.run(&["ca", "status"]).expect(2);
    fs::write(&path, with("3y")).unwrap();
    stage.relay.start();
    manager.run(&["inbox"]).expect(0);
    assert_eq!(status(&stage).len(), 1);
    assert!(stage.relay.stop());
    let ca = |name: &str| stage.relay.dir.join(name);
    let pkcs8 = stage.path().join("ca.pk8");
    run(Command::new("openssl")
        .args(["pkcs8", "-topk8", "-nocrypt", "-outform", "DER", "-in"])
        .arg(ca("trial-ca.key"))
        .arg("-out")
        .arg(&pkcs8))
    .expect(0);
    // The same CA, as it is two years before its end.
    let options = IssueOptions {
        not_after_us: now_us() + 2 * 365 * 86_400_000_000,
        uris: vec![ROLLED_BY_LOG.to_owned()],
        ..IssueOptions::for_ca(now_us()).with_key(KeyChoice::Pkcs8(fs::read(pkcs8).unwrap().into()))
    };
    let old = TrialCa::create_with("Tasuki trial CA", &options).unwrap();
    fs::write(ca("trial-ca.pem"), old.cert_pem().unwrap()).unwrap();
    let doctor = stage.relay.run(&["--json", "doctor"]);
    assert!(
        doctor.json().iter().any(|found| found["check"] == "ca" && found["status"] == "warn"),
        "{doctor:?}"
    );
    stage.relay.start();
    until("the relay hands over", &stage, || status(&stage).len() == 2);
    until("and follows", &stage, || stage.relay.log_text().contains("goes on under a new key"));
    // Once: the next key has its time before it.
    std::thread::sleep(Duration::from_secs(7));
    assert_eq!(status(&stage).len(), 2);
    manager.run(&["inbox"]).expect(0);
    stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn after_an_emergency_a_proxy_learns_of_the_new_ca_by_its_new_certificate() {
    let stage = Stage::new(Database::Sqlite);
    let visit = stage.office(VISIT);
    stage.relay.run(&["proxy", "add", "P00001", "--name", "伝送サービス"]).expect(0);
    let proxy = stage.office("P00001");
    let work = stage.path().join("work");
    fs::create_dir_all(work.join("out")).unwrap();
    let round = || proxy.run(&["--json", "proxy", &work.display().to_string(), "--once"]);
    visit.run(&["delegate", "P00001", "--scopes", "receive,acknowledge", "--days", "30"]).expect(0);
    round().expect(0);
    roll(&stage, &["--emergency", "--reason", "鍵の漏えいの疑い"]);
    until("the old key's certificates are refused", &stage, || round().code != 0);
    go_over(&stage, &visit).expect(0);
    let renewed = go_over(&stage, &proxy).expect(0).json().remove(0);
    assert_eq!(text(&renewed, "holder"), "proxy:P00001");
    assert!(proxy.home.join("trust/ca-rolls.txt").is_file());
    // What the withdrawn CA's certificates signed lets nobody act: the office says so once more.
    assert_eq!(round().expect(0).json().last().map(|last| last["totals"]["offices"].clone()), Some(0.into()));
    visit.run(&["delegate", "P00001", "--scopes", "receive,acknowledge", "--days", "30"]).expect(0);
    let manager = stage.office(MANAGER);
    send(&stage, &manager);
    round().expect(0);
    let received = work.join("in").join(VISIT).join(MANAGER);
    assert_eq!(fs::read_dir(received).unwrap().count(), 1);
}

#[test]
fn a_database_set_back_to_before_a_roll_has_it_announced_again() {
    let mut stage = Stage::new(Database::Sqlite);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    send(&stage, &manager);
    assert_eq!(receive(&stage, &visit), 1);
    assert!(stage.relay.stop());
    let (database, backup) = (stage.relay.dir.join("relay.db"), stage.path().join("backup.db"));
    fs::copy(&database, &backup).unwrap();
    let rolled = roll(&stage, &[]);
    for ending in ["-wal", "-shm"] {
        let _absent = fs::remove_file(stage.relay.dir.join(format!("relay.db{ending}")));
    }
    fs::copy(&backup, &database).unwrap();
    stage.relay.start();
    let told = stage.relay.run(&["ca", "status"]).expect(0).clone();
    assert!(told.err.contains("NOT_RECORDED"), "{told:?}");
    assert!(stage.relay.run(&["doctor"]).expect(1).out.contains("ca roll"));
    // The same key, as it was announced, and not a third one.
    assert_eq!(roll(&stage, &[])["new_ca"], rolled["new_ca"]);
    assert_eq!(status(&stage).len(), 2);
    stage.relay.run(&["doctor"]).expect(0);
    let day = stage.office(DAY);
    until("the relay follows", &stage, || day.run(&["inbox"]).code == 0);
    send(&stage, &manager);
    assert_eq!(receive(&stage, &visit), 1);
    stage.relay.run(&["log", "verify"]).expect(0);
}

fn init(stage: &Stage, folder: &Path) -> std::path::PathBuf {
    let home = folder.join("home");
    let mut command = programs().tasuki();
    command.arg("init").arg(&home).args(["--relay", &stage.relay.url]);
    command.arg("--relay-ca").arg(stage.relay.dir.join("relay-ca.pem"));
    command.arg("--identity").arg(folder.join("o.pem")).arg("--key").arg(folder.join("o.key"));
    run(&mut command).expect(0);
    home
}
