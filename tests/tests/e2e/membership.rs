//! Who takes part: applying, approval, codes; leaving, what goes back, what is erased.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;
use tasuki_proto::reason as word;
use tasuki_tests::office::{Office, write_sample, write_slips};
use tasuki_tests::run::{Ran, text};

use crate::stage::{DAY, Database, MANAGER, Stage, VISIT};

/// On no list.
const STRANGER: &str = "1371215110";

/// A relay whose offices join by this policy; the three of the stage are in its directory before that counts.
fn stage(database: Database, policy: &str, code: bool) -> Stage {
    let mut stage = Stage::new(database);
    configure(&mut stage, policy, code);
    stage
}

fn configure(stage: &mut Stage, policy: &str, code: bool) {
    assert!(stage.relay.stop());
    stage.relay.configure(|line| match line {
        _ if line.starts_with("policy = \"implicit\"") => Some(format!("policy = \"{policy}\"")),
        "code = false" => Some(format!("code = {code}")),
        _ => None,
    });
    stage.relay.start();
}

/// An office that the directory need not have.
fn outsider(stage: &Stage, number: &str) -> Office {
    Office::outside(&stage.relay, stage.path(), number)
}

fn json(office: &Office, args: &[&str], code: i32) -> Value {
    let ran = office.run(&[&["--json"], args].concat());
    let mut objects = ran.expect(code).json();
    assert_eq!(objects.len(), 1, "{objects:?}");
    objects.remove(0)
}

/// The reason that a command gives on standard error.
fn refused(ran: &Ran, reason: &str) {
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains(reason) || ran.out.contains(reason), "{reason}: {ran:?}");
}

fn kinds(office: &Office) -> Vec<String> {
    let events = office.run(&["--json", "watch", "--once"]).expect(0).json();
    let kinds = events.iter().map(|event| text(event, "kind").to_owned());
    kinds.filter(|kind| kind.starts_with("office.") && kind != "office.changed").collect()
}

/// Waits until something holds that another process brings about.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn an_office_applies_and_the_operator_decides(database: Database) {
    let stage = stage(database, "approval", false);
    let stranger = outsider(&stage, STRANGER);
    // Its certificate is good, and yet it is nobody here.
    refused(&stranger.run(&["--json", "inbox"]), word::CALLER_UNKNOWN);
    assert_eq!(text(&json(&stranger, &["join", "--status"], 0), "state"), "none");

    let applied = json(&stranger, &["join", "--name", "みどり訪問看護"], 0);
    assert_eq!((text(&applied, "state"), text(&applied, "application")), ("applied", "open"));
    // Twice is once.
    let again = json(&stranger, &["join", "--name", "みどり訪問看護"], 0);
    assert_eq!((text(&again, "state"), &again["changed"]), ("applied", &Value::Bool(false)));
    let waiting = stage.relay.run(&["--json", "office", "applications"]).expect(0).json();
    assert_eq!(waiting.len(), 1);
    assert_eq!((text(&waiting[0], "office"), text(&waiting[0], "name")), (STRANGER, "みどり訪問看護"));

    stage.relay.run(&["office", "reject", STRANGER, "--reason", "番号を確認できません"]).expect(0);
    let rejected = json(&stranger, &["join", "--status"], 0);
    assert_eq!((text(&rejected, "application"), text(&rejected, "state")), ("rejected", "none"));
    refused(&stranger.run(&["--json", "inbox"]), word::CALLER_UNKNOWN);
    stage.relay.run(&["office", "approve", STRANGER]).expect(1);

    json(&stranger, &["join"], 0);
    // Neither the list nor the application has a name.
    let nameless = stage.relay.run(&["--json", "office", "approve", STRANGER]);
    assert!(nameless.code == 1 && nameless.err.contains(word::NAME_NEEDED), "{nameless:?}");
    stage.relay.run(&["office", "approve", STRANGER, "--name", "みどり訪問看護"]).expect(0);
    eventually("it takes part", || stranger.run(&["--json", "inbox"]).code == 0);
    assert_eq!(kinds(&stranger), ["office.applied", "office.rejected", "office.applied", "office.joined"]);
    assert_eq!(text(&json(&stranger, &["join"], 0), "state"), "active");

    // Whom the operator lists now has not joined; who was there before goes on.
    stage.relay.run(&["office", "add", "1371215128", "--name", "もみじ苑"]).expect(0);
    let listed = stage.relay.run(&["--json", "office", "list", "もみじ"]).expect(0).json();
    assert_eq!(text(&listed[0], "state"), "listed");
    stage.relay.run(&["office", "resume", "1371215128"]).expect(1);
    stage.relay.run(&["office", "approve", "1371215128"]).expect(0);
    let slip = write_sample(stage.path(), "03_slip_202602_to_visit").display().to_string();
    stage.office(VISIT).run(&["--json", "inbox"]).expect(0);
    stage.office(MANAGER).run(&["--json", "send", &slip, "--new-partner"]).expect(0);
    stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn an_office_applies_and_the_operator_decides_sqlite() {
    an_office_applies_and_the_operator_decides(Database::Sqlite);
}

#[test]
fn an_office_applies_and_the_operator_decides_postgres() {
    an_office_applies_and_the_operator_decides(Database::Postgres);
}

fn code_of(stage: &Stage, number: &str) -> String {
    let made = stage.relay.run(&["--json", "office", "code", number]).expect(0).json();
    text(&made[0], "code").to_owned()
}

fn another(code: &str) -> String {
    let last = if code.ends_with('0') { "1" } else { "0" };
    format!("{}{last}", &code[..code.len() - 1])
}

fn a_code_confirms_that_the_applicant_is_at_the_address(database: Database) {
    let stage = stage(database, "listed", true);
    stage.relay.run(&["office", "add", STRANGER, "--name", "みどり訪問看護"]).expect(0);
    let stranger = outsider(&stage, STRANGER);
    refused(&stranger.run(&["--json", "inbox"]), word::CALLER_NOT_JOINED);
    // Nothing goes to who has not joined.
    let slip = write_sample(stage.path(), "03_slip_202602_to_visit").display().to_string();
    let note = ["--json", "send", "--new-partner", "--note", &format!("{STRANGER}=こんにちは")];
    let manager = stage.office(MANAGER);
    assert_eq!(manager.run(&note).code, 1);
    stage.office(VISIT).run(&["--json", "inbox"]).expect(0);
    manager.run(&["--json", "send", &slip, "--new-partner"]).expect(0);

    // A code without an application is none, nor is one that nobody made.
    refused(&stranger.run(&["--json", "join", "--code", "1234567890"]), word::NO_APPLICATION);
    stage.relay.run(&["office", "code", STRANGER]).expect(1);
    assert_eq!(json(&stranger, &["join"], 0)["code_needed"], true);
    refused(&stranger.run(&["--json", "join", "--code", "1234567890"]), word::JOIN_CODE_WRONG);

    // Guessed: five wrong ones make it void, and the right one comes too late.
    let code = code_of(&stage, STRANGER);
    for _ in 0..4 {
        refused(&stranger.run(&["--json", "join", "--code", &another(&code)]), word::JOIN_CODE_WRONG);
    }
    refused(&stranger.run(&["--json", "join", "--code", &another(&code)]), word::JOIN_CODE_LOCKED);
    refused(&stranger.run(&["--json", "join", "--code", &code]), word::JOIN_CODE_LOCKED);
    // Another office can't use what is not its own.
    let code = code_of(&stage, STRANGER);
    refused(&stage.office(DAY).run(&["--json", "join", "--code", &code]), word::NO_APPLICATION);
    // Without the code the operator needs to say that he means it.
    let early = stage.relay.run(&["--json", "office", "approve", STRANGER]);
    assert!(early.code == 1 && early.err.contains(word::NOT_CONFIRMED), "{early:?}");

    let joined = json(&stranger, &["join", "--code", &code], 0);
    assert_eq!(text(&joined, "state"), "active");
    // Reused.
    refused(&stranger.run(&["--json", "join", "--code", &code]), word::NO_APPLICATION);
    stranger.run(&["--json", "inbox"]).expect(0);
    let kinds = kinds(&stranger);
    let wrong = kinds.iter().filter(|kind| *kind == "office.code-wrong").count();
    assert_eq!((wrong, kinds.last().map(String::as_str)), (4, Some("office.joined")), "{kinds:?}");
    assert!(kinds.iter().any(|kind| kind == "office.code-locked"), "{kinds:?}");
    stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn a_code_confirms_that_the_applicant_is_at_the_address_sqlite() {
    a_code_confirms_that_the_applicant_is_at_the_address(Database::Sqlite);
}

#[test]
fn a_code_confirms_that_the_applicant_is_at_the_address_postgres() {
    a_code_confirms_that_the_applicant_is_at_the_address(Database::Postgres);
}

#[test]
fn applications_are_bounded_and_may_be_closed() {
    let mut stage = stage(Database::Sqlite, "closed", false);
    let stranger = outsider(&stage, STRANGER);
    refused(&stranger.run(&["--json", "join"]), word::JOINING_CLOSED);
    // Who takes part does not notice.
    assert_eq!(text(&json(&stage.office(VISIT), &["join"], 0), "state"), "active");

    configure_again(&mut stage, "closed", "listed");
    // Twice at the same time is once.
    let (one, other) = (stranger.clone(), stranger.clone());
    std::thread::scope(|scope| {
        let at_once = [scope.spawn(|| one.run(&["join"])), scope.spawn(|| other.run(&["join"]))];
        for ran in at_once {
            ran.join().unwrap().expect(0);
        }
    });
    assert_eq!(stage.relay.run(&["--json", "office", "applications"]).expect(0).json().len(), 1);
    for n in 2..=5 {
        stage.relay.run(&["office", "reject", STRANGER, "--reason", "x"]).expect(0);
        let applied = json(&stranger, &["join"], 0);
        assert_eq!(text(&applied, "state"), "applied", "application {n}");
    }
    stage.relay.run(&["office", "reject", STRANGER, "--reason", "x"]).expect(0);
    refused(&stranger.run(&["--json", "join"]), word::TOO_MANY_APPLICATIONS);
    stage.relay.run(&["log", "verify"]).expect(0);
}

fn configure_again(stage: &mut Stage, from: &str, to: &str) {
    assert!(stage.relay.stop());
    let from = format!("policy = \"{from}\"");
    stage.relay.configure(|line| (line == from).then(|| format!("policy = \"{to}\"")));
    stage.relay.start();
}

fn an_office_leaves_and_comes_back(database: Database) {
    let stage = Stage::new(database);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    stage.relay.run(&["proxy", "add", "P00001", "--name", "東西伝送サービス"]).expect(0);
    let proxy = stage.office("P00001");
    let all = ["--scopes", "send,receive,acknowledge,read-status", "--days", "30"];
    visit.run(&[&["delegate", "P00001"][..], &all].concat()).expect(0);
    let acting = stage.path().join("acting").display().to_string();
    fs::create_dir_all(format!("{acting}/out")).unwrap();
    proxy.run(&["--json", "proxy", &acting, "--once"]).expect(0);
    // One is taken, three wait, one is held back by who leaves.
    let slips = write_slips(&stage.path().join("slips"), 4).display().to_string();
    let sent = manager.run(&["--json", "send", &slips, "--new-partner"]).expect(0).json();
    let parcels: Vec<&str> = sent.iter().map(|parcel| text(parcel, "parcel")).collect();
    let into = stage.path().join("in").display().to_string();
    visit.run(&["--json", "receive", "--out", &into, parcels[0]]).expect(0);
    manager.run(&["--json", "inbox"]).expect(0);
    let result = write_sample(stage.path(), "06_result_202602_from_visit").display().to_string();
    let held = visit.run(&["--json", "send", &result, "--hold", "--new-partner"]).expect(0).json();
    let held = text(&held[0], "parcel").to_owned();

    // Not by accident.
    visit.run(&["--json", "leave"]).expect(2);
    let left = json(&visit, &["leave", "--yes"], 0);
    assert_eq!((text(&left, "state"), &left["changed"]), ("left", &Value::Bool(true)));
    assert_eq!(json(&visit, &["leave", "--yes"], 0)["changed"], false);

    // Neither it nor its proxy goes on; nothing more is taken for it.
    refused(&visit.run(&["--json", "inbox"]), word::CALLER_LEFT);
    let acting = proxy.with_home(proxy.home.join("offices").join(VISIT));
    refused(&acting.run(&["--json", "inbox"]), word::CALLER_LEFT);
    let more = write_slips(&stage.path().join("more"), 1).display().to_string();
    refused(&manager.run(&["--json", "send", &more, "--again"]), word::RECIPIENT_LEFT);
    // What waited comes back, with the reason in its proof; what was taken stays taken.
    let shown = |parcel: &str| manager.run(&["--json", "show", parcel]).expect(0).json().remove(0);
    eventually("what waits goes back", || {
        parcels[1..].iter().all(|parcel| text(&shown(parcel), "state") == "expired")
    });
    assert_eq!(text(&shown(parcels[0]), "state"), "acknowledged");
    let proof = stage.path().join("proof");
    manager.run(&["evidence", parcels[1], "--out", &proof.display().to_string()]).expect(0);
    manager.run(&["verify", &proof.display().to_string()]).expect(0);
    assert!(any_file_has(&proof, "reason: recipient-left"));

    // It comes back by its word; its proxy does not.
    let joined = json(&visit, &["join"], 0);
    assert_eq!(text(&joined, "state"), "active");
    assert!(visit.run(&["--json", "inbox"]).expect(0).json().is_empty());
    refused(&acting.run(&["--json", "inbox"]), word::MANDATE_MISSING);
    assert!(visit.run(&["--json", "terminal", "list"]).expect(0).json().is_empty());
    let discarded = visit.run(&["--json", "show", &held]).expect(0).json();
    assert_eq!(text(&discarded[0], "state"), "discarded");
    manager.run(&["--json", "send", &more, "--again"]).expect(0);
    assert_eq!(visit.run(&["--json", "inbox"]).expect(0).json().len(), 1);
    assert_eq!(kinds(&visit), ["office.left", "office.applied", "office.joined"]);

    // Whom the operator put out comes back by him alone.
    stage.relay.run(&["office", "leave", VISIT, "--reason", "廃業の届出"]).expect(0);
    eventually("it is out", || visit.run(&["--json", "inbox"]).code == 1);
    assert_eq!(text(&json(&visit, &["join"], 0), "state"), "applied");
    stage.relay.run(&["office", "resume", VISIT]).expect(1);
    stage.relay.run(&["office", "approve", VISIT]).expect(0);
    eventually("it is in again", || visit.run(&["--json", "inbox"]).code == 0);
    stage.relay.run(&["log", "verify"]).expect(0);
}

/// The relay is killed again and again while it clears the mailbox of an office that left: each parcel goes back once.
fn a_relay_killed_while_it_clears_a_mailbox_goes_on(database: Database) {
    const PARCELS: usize = 400;
    let mut stage = Stage::new(database);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    visit.run(&["--json", "inbox"]).expect(0);
    let slips = write_slips(&stage.path().join("slips"), 400).display().to_string();
    assert_eq!(manager.run(&["--json", "send", &slips, "--new-partner"]).expect(0).json().len(), PARCELS);
    assert!(stage.relay.stop());
    stage.relay.run(&["office", "leave", VISIT, "--reason", "廃業の届出"]).expect(0);
    for pause_ms in [0, 5, 20, 40, 80] {
        stage.relay.start();
        std::thread::sleep(Duration::from_millis(pause_ms));
        stage.relay.kill();
    }
    stage.relay.start();
    let expired = || manager.run(&["--json", "sent", "--state", "expired"]).expect(0).json().len();
    eventually("all goes back", || expired() == PARCELS);
    let events = manager.run(&["--json", "watch", "--once"]).expect(0).json();
    let told = events.iter().filter(|event| text(event, "kind") == "parcel.expired").count();
    assert_eq!(told, PARCELS, "each once");
    stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn a_relay_killed_while_it_clears_a_mailbox_goes_on_sqlite() {
    a_relay_killed_while_it_clears_a_mailbox_goes_on(Database::Sqlite);
}

#[test]
fn a_relay_killed_while_it_clears_a_mailbox_goes_on_postgres() {
    a_relay_killed_while_it_clears_a_mailbox_goes_on(Database::Postgres);
}

fn any_file_has(folder: &std::path::Path, text: &str) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            any_file_has(&path, text)
        } else {
            String::from_utf8_lossy(&fs::read(&path).unwrap()).contains(text)
        }
    })
}

#[test]
fn an_office_leaves_and_comes_back_sqlite() {
    an_office_leaves_and_comes_back(Database::Sqlite);
}

#[test]
fn an_office_leaves_and_comes_back_postgres() {
    an_office_leaves_and_comes_back(Database::Postgres);
}

fn what_is_kept_of_an_office_is_erased_on_its_request(database: Database) {
    let stage = Stage::new(database);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    visit.run(&["--json", "inbox"]).expect(0);
    let slips = write_slips(&stage.path().join("slips"), 2).display().to_string();
    let sent = manager.run(&["--json", "send", &slips, "--new-partner"]).expect(0).json();
    let taken = text(&sent[0], "parcel").to_owned();
    let into = stage.path().join("in").display().to_string();
    visit.run(&["--json", "receive", "--out", &into, &taken]).expect(0);

    let left = json(&visit, &["leave", "--yes", "--erase"], 0);
    let erasure = text(&left, "erasure").to_owned();
    assert!(erasure.contains("kind: office.erased") && erasure.contains("contents: 2"), "{erasure}");
    let listed = stage.relay.run(&["--json", "office", "list", VISIT]).expect(0).json();
    assert_eq!((text(&listed[0], "name"), text(&listed[0], "state")), ("", "left"));
    // What was its partner's evidence stays, and verifies.
    let proof = stage.path().join("proof").display().to_string();
    manager.run(&["evidence", &taken, "--out", &proof]).expect(0);
    manager.run(&["verify", &proof]).expect(0);
    assert_eq!(text(&json(&visit, &["join", "--status"], 0), "erasure"), erasure);
    stage.relay.run(&["log", "verify"]).expect(0);

    // The list says the name anew, and it joins.
    stage.relay.run(&["office", "add", VISIT, "--name", "ひまわり訪問介護", "--services", "11"]).expect(0);
    assert_eq!(text(&json(&visit, &["join"], 0), "state"), "active");
    visit.run(&["--json", "inbox"]).expect(0);
    stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn what_is_kept_of_an_office_is_erased_on_its_request_sqlite() {
    what_is_kept_of_an_office_is_erased_on_its_request(Database::Sqlite);
}

#[test]
fn what_is_kept_of_an_office_is_erased_on_its_request_postgres() {
    what_is_kept_of_an_office_is_erased_on_its_request(Database::Postgres);
}
