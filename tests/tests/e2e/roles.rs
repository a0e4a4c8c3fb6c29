//! Operators: certificates with roles, acts over their signatures, and acts that need two of them.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::Value;
use tasuki_tests::office::write_sample;
use tasuki_tests::run::{Ran, text};

use crate::stage::{Database, MANAGER, Stage, VISIT};

/// An operator with the files that `cert issue` made.
struct Operator {
    p12: PathBuf,
    pass: PathBuf,
    pem: PathBuf,
    key: PathBuf,
}

impl Operator {
    /// `signer` issues the certificate; none: the relay has no operators yet.
    fn issue(stage: &Stage, name: &str, signer: Option<&Self>) -> Self {
        let folder = stage.path().join(format!("operator-{name}"));
        let (holder, out) = (format!("operator:{name}"), folder.display().to_string());
        let args = ["--json", "cert", "issue", &holder, "--out", &out, "--key", "p256"];
        as_operator(stage, signer, &args).expect(0);
        let file = |ending: &str| folder.join(format!("operator-{name}.{ending}"));
        Self { p12: file("p12"), pass: file("pass"), pem: file("pem"), key: file("key") }
    }

    fn flags(&self) -> [String; 4] {
        let [p12, pass] = [&self.p12, &self.pass].map(|path| path.display().to_string());
        ["--operator".to_owned(), p12, "--password-file".to_owned(), pass]
    }
}

/// A command of an operator, or of the relay's account alone.
fn as_operator(stage: &Stage, operator: Option<&Operator>, args: &[&str]) -> Ran {
    let flags = operator.map(Operator::flags).unwrap_or_default();
    let flags: Vec<&str> = flags.iter().map(String::as_str).filter(|flag| !flag.is_empty()).collect();
    stage.relay.run(&[&flags[..], args].concat())
}

fn add(stage: &Stage, signer: Option<&Operator>, name: &str, operator: &Operator, roles: &str) -> Ran {
    let pem = operator.pem.display().to_string();
    as_operator(stage, signer, &["--json", "operator", "add", name, "--certificate", &pem, "--roles", roles])
}

#[track_caller]
fn refused(ran: &Ran, word: &str) {
    ran.expect(1);
    assert!(ran.err.contains(word), "{ran:?}");
}

/// The refusals that the log tells of.
fn refusals(stage: &Stage, reader: &Operator, name: &str) -> Vec<String> {
    let audit = as_operator(stage, Some(reader), &["--json", "audit", "--by-operator", name]);
    let events = audit.expect(0).json();
    let words = events.iter().filter(|event| text(event, "kind") == "operator.refused");
    words.map(|event| text(&event["lines"], "refused").to_owned()).collect()
}

fn verifies(stage: &Stage) -> Value {
    stage.relay.run(&["--json", "log", "verify"]).expect(0).json().remove(0)
}

fn an_act_needs_an_operator_with_the_role(database: Database) {
    let stage = Stage::new(database);
    // Without operators everything is as it was.
    stage.relay.run(&["office", "suspend", VISIT, "--reason", "試験"]).expect(0);
    stage.relay.run(&["office", "resume", VISIT]).expect(0);
    let (chief, clerk) = (Operator::issue(&stage, "主任", None), Operator::issue(&stage, "係", None));
    // The first must be one who can add others; the certificate must be the operator's own.
    refused(&add(&stage, None, "係", &clerk, "read,offices"), "OPERATOR_LAST");
    refused(&add(&stage, None, "主任", &clerk, "certificates"), "OPERATOR_CERTIFICATE");
    add(&stage, None, "主任", &chief, "read,offices,certificates,retention").expect(0);

    // From now on the rights of the account are not enough, and what is done before the database is not done either.
    let suspend = ["--json", "office", "suspend", VISIT, "--reason", "未納"];
    refused(&stage.relay.run(&suspend), "OPERATOR_NEEDED");
    let out = stage.path().join("nobody").display().to_string();
    refused(&stage.relay.run(&["cert", "issue", VISIT, "--out", &out]), "OPERATOR_NEEDED");
    assert!(!stage.path().join("nobody").exists());
    refused(&stage.relay.run(&["cert", "crl"]), "OPERATOR_NEEDED");
    refused(&add(&stage, None, "係", &clerk, "offices"), "OPERATOR_NEEDED");
    // Somebody with a certificate of an operator's form, whom nobody added, is none.
    refused(&as_operator(&stage, Some(&clerk), &suspend), "OPERATOR_UNKNOWN");
    let state = stage.relay.run(&["--json", "office", "list", VISIT]).expect(0).json().remove(0);
    assert_eq!(text(&state, "state"), "active");

    add(&stage, Some(&chief), "係", &clerk, "offices").expect(0);
    as_operator(&stage, Some(&clerk), &suspend).expect(0);
    as_operator(&stage, Some(&clerk), &["office", "resume", VISIT]).expect(0);
    // PEM serves as well.
    let pem = [&clerk.pem, &clerk.key].map(|path| path.display().to_string());
    let flags = ["--operator", &pem[0], "--operator-key", &pem[1]];
    stage.relay.run(&[&flags[..], &suspend[..]].concat()).expect(0);
    as_operator(&stage, Some(&clerk), &["office", "resume", VISIT]).expect(0);
    // Without the role: refused, and nothing is half done.
    let issued = stage.path().join("by-clerk");
    let out = issued.display().to_string();
    refused(&as_operator(&stage, Some(&clerk), &["cert", "issue", VISIT, "--out", &out]), "OPERATOR_ROLE");
    assert!(!issued.exists());
    refused(&as_operator(&stage, Some(&clerk), &["audit", "--office", VISIT]), "OPERATOR_ROLE");
    refused(&add(&stage, Some(&clerk), "係", &clerk, "certificates"), "OPERATOR_ROLE");
    assert_eq!(
        refusals(&stage, &chief, "係"),
        ["OPERATOR_UNKNOWN", "OPERATOR_ROLE", "OPERATOR_ROLE", "OPERATOR_ROLE"]
    );

    // The events name the operator, the office sees it in its feed, and the log's verification knows what was signed.
    let feed = stage.office_events(&chief);
    let suspended: Vec<&Value> =
        feed.iter().filter(|event| text(event, "kind") == "office.suspended").collect();
    assert_eq!(suspended.last().map(|event| text(&event["lines"], "operator")), Some("operator:係"));
    assert!(verifies(&stage)["signed_acts"].as_u64() >= Some(6));

    // A file that others may read is none; a password is never an argument.
    std::fs::set_permissions(&clerk.p12, std::fs::Permissions::from_mode(0o644)).unwrap();
    as_operator(&stage, Some(&clerk), &suspend).expect(2);
    std::fs::set_permissions(&clerk.p12, std::fs::Permissions::from_mode(0o600)).unwrap();

    // Nobody is left without a key: the last one with the role stays. A removed one is out at once.
    refused(&as_operator(&stage, Some(&chief), &["operator", "remove", "主任"]), "OPERATOR_LAST");
    refused(&add(&stage, Some(&chief), "主任", &chief, "read"), "OPERATOR_LAST");
    refused(&as_operator(&stage, Some(&chief), &["operator", "remove", "誰か"]), "OPERATOR_NOT_FOUND");
    as_operator(&stage, Some(&chief), &["operator", "remove", "係"]).expect(0);
    refused(&as_operator(&stage, Some(&clerk), &suspend), "OPERATOR_UNKNOWN");
    let listed = stage.relay.run(&["--json", "operator", "list"]).expect(0).json();
    assert_eq!(listed.iter().map(|row| text(row, "operator")).collect::<Vec<_>>(), ["主任"]);
    // So is one whose certificate was revoked.
    add(&stage, Some(&chief), "係", &clerk, "offices").expect(0);
    let pem = clerk.pem.display().to_string();
    as_operator(&stage, Some(&chief), &["cert", "revoke", &pem, "--reason", "key-compromise"]).expect(0);
    refused(&as_operator(&stage, Some(&clerk), &suspend), "REVOKED");
    verifies(&stage);
}

impl Stage {
    /// What the log tells of the office that was suspended.
    fn office_events(&self, reader: &Operator) -> Vec<Value> {
        as_operator(self, Some(reader), &["--json", "audit", "--office", VISIT]).expect(0).json()
    }
}

#[test]
fn an_act_needs_an_operator_with_the_role_sqlite() {
    an_act_needs_an_operator_with_the_role(Database::Sqlite);
}

#[test]
fn an_act_needs_an_operator_with_the_role_postgres() {
    an_act_needs_an_operator_with_the_role(Database::Postgres);
}

fn a_reassignment_needs_two(database: Database) {
    let stage = Stage::new(database);
    stage.relay.configure(|line| {
        line.starts_with("two_persons").then(|| "two_persons = [\"reassignment\"]".to_owned())
    });
    let manager = stage.office(MANAGER);
    for proxy in ["P00001", "P00002"] {
        stage.relay.run(&["proxy", "add", proxy, "--name", "伝送サービス"]).expect(0);
    }
    let assign = |operator: Option<&Operator>, proxy: &str| {
        let args = ["--json", "proxy", "assign", MANAGER, proxy, "--scopes", "send,receive", "--days", "30"];
        as_operator(&stage, operator, &args)
    };
    // The first proxy is no re-assignment; for the second nobody could approve without operators.
    assign(None, "P00001").expect(0);
    refused(&assign(None, "P00002"), "OPERATOR_NEEDED");

    let names = ["一郎", "二郎", "三郎"];
    let [first, second, third] = names.map(|name| Operator::issue(&stage, name, None));
    add(&stage, None, "一郎", &first, "read,offices,certificates").expect(0);
    add(&stage, Some(&first), "二郎", &second, "offices").expect(0);
    add(&stage, Some(&first), "三郎", &third, "read").expect(0);
    let asked = assign(Some(&first), "P00002").expect(0).json().remove(0);
    assert_eq!(asked["changed"], false);
    let id = text(&asked, "approval").to_owned();
    let mandates = || manager.run(&["--json", "terminal", "list"]).expect(0).json();
    let holders =
        |rows: &[Value]| -> Vec<String> { rows.iter().map(|row| text(row, "proxy").to_owned()).collect() };
    assert_eq!(holders(&mandates()), ["P00001"], "nothing was done yet");

    let decide = |operator: &Operator, word: &str| {
        as_operator(&stage, Some(operator), &["--json", "approvals", word, &id])
    };
    // Not by oneself, not with another certificate of oneself, not without the role.
    refused(&decide(&first, "approve"), "APPROVAL_SAME_PERSON");
    refused(&decide(&third, "approve"), "OPERATOR_ROLE");
    refused(&stage.relay.run(&["approvals", "approve", &id]), "OPERATOR_NEEDED");
    assert_eq!(holders(&mandates()), ["P00001"]);
    let done = decide(&second, "approve").expect(0).json().remove(0);
    assert_eq!((text(&done, "state"), text(&done, "decided_by")), ("approved", "二郎"));
    assert_eq!(holders(&mandates()), ["P00001", "P00002"]);
    refused(&decide(&second, "approve"), "APPROVAL_NOT_FOUND");

    // One that is rejected is over; one whose operator went can't be approved.
    let asked = |operator: &Operator| {
        stage.relay.run(&["proxy", "add", "P00003", "--name", "x"]);
        let ran = assign(Some(operator), "P00003");
        text(&ran.expect(0).json()[0], "approval").to_owned()
    };
    as_operator(&stage, Some(&first), &["proxy", "add", "P00003", "--name", "第三"]).expect(0);
    let rejected = asked(&first);
    as_operator(&stage, Some(&first), &["approvals", "reject", &rejected]).expect(0);
    refused(&as_operator(&stage, Some(&second), &["approvals", "approve", &rejected]), "APPROVAL_NOT_FOUND");
    let void = asked(&second);
    as_operator(&stage, Some(&first), &["operator", "remove", "二郎"]).expect(0);
    refused(&as_operator(&stage, Some(&first), &["approvals", "approve", &void]), "APPROVAL_VOID");
    // What is not approved in time lapses.
    stage
        .relay
        .configure(|line| line.starts_with("approve_within").then(|| "approve_within = \"1s\"".to_owned()));
    add(&stage, Some(&first), "二郎", &second, "offices").expect(0);
    let late = asked(&first);
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    refused(&as_operator(&stage, Some(&second), &["approvals", "approve", &late]), "APPROVAL_LAPSED");
    assert_eq!(holders(&mandates()), ["P00001", "P00002"]);

    // Everybody concerned sees who asked and who approved.
    let events = manager.run(&["--json", "watch", "--once"]).expect(0).json();
    let given = events.iter().rfind(|event| text(event, "kind") == "mandate.delegated").unwrap();
    assert_eq!(text(&given["details"], "operator"), "operator:二郎", "{given}");
    assert_eq!(text(&given["details"], "asked-by"), "operator:一郎");
    verifies(&stage);
}

#[test]
fn a_reassignment_needs_two_sqlite() {
    a_reassignment_needs_two(Database::Sqlite);
}

#[test]
fn a_reassignment_needs_two_postgres() {
    a_reassignment_needs_two(Database::Postgres);
}

#[test]
fn an_office_asks_who_did_what_in_its_name() {
    let stage = Stage::new(Database::Sqlite);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    let slip = write_sample(stage.path(), "03_slip_202602_to_visit").display().to_string();
    manager.run(&["--json", "send", &slip]).expect(0);
    let chief = Operator::issue(&stage, "主任", None);
    add(&stage, None, "主任", &chief, "read,offices,certificates").expect(0);
    let before = tasuki_proto::time::format_us(tasuki_tests::raw::now_us());
    as_operator(&stage, Some(&chief), &["proxy", "add", "P00001", "--name", "伝送"]).expect(0);
    let assign = ["proxy", "assign", MANAGER, "P00001", "--scopes", "send", "--days", "30"];
    as_operator(&stage, Some(&chief), &assign).expect(0);
    manager.run(&["--json", "terminal", "invite", "--name", "受付", "--scopes", "send"]).expect(0);
    // Before it is read, and after: where `watch` goes on stays as it was.
    let told = |args: &[&str]| -> Vec<(String, String)> {
        let lines = manager.run(&[&["--json", "access"], args].concat()).expect(0).json();
        lines.iter().map(|line| (text(line, "by").to_owned(), text(line, "kind").to_owned())).collect()
    };
    let own = |kind: &str| (format!("office:{MANAGER}"), kind.to_owned());
    let all = told(&[]);
    for done in [
        own("parcel.delivered"),
        own("mandate.invited"),
        ("operator:主任".to_owned(), "mandate.delegated".to_owned()),
        ("operator".to_owned(), "certificate.issued".to_owned()),
    ] {
        assert!(all.contains(&done), "{done:?} is not in {all:?}");
    }
    let late = told(&["--from", &before]);
    let kinds: Vec<&str> = late.iter().map(|(_, kind)| kind.as_str()).collect();
    assert_eq!(kinds, ["mandate.delegated", "mandate.invited"]);
    assert!(told(&["--to", "2020-01-01 00:00"]).is_empty());
    let watched = manager.run(&["--json", "watch", "--once"]).expect(0).json();
    assert_eq!(watched.first().map(|event| event["number"].clone()), Some(1.into()));
    // Another office learns nothing of it.
    let others = visit.run(&["--json", "access"]).expect(0).json();
    assert!(others.iter().all(|line| text(line, "kind") != "parcel.delivered"), "{others:?}");
}
