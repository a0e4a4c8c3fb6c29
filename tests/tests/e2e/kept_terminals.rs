//! An office's certificate is renewed, revoked or ends: its terminals go on, and nobody slips one in.

use std::path::Path;
use std::time::{Duration, Instant};

use tasuki_certs::cms_sign::{self, Content};
use tasuki_certs::trial_ca::{IssueOptions, KeyChoice, KeyUse, TrialCa};
use tasuki_proto::event::sha256;
use tasuki_proto::mandate::{EndMandate, KeepTerminal, KeyChain};
use tasuki_proto::pb::exchange_client::ExchangeClient;
use tasuki_proto::pb::mandates_client::MandatesClient;
use tasuki_proto::statement::Statement;
use tasuki_proto::{pb, reason as word};
use tasuki_tests::office::{Office, write_sample};
use tasuki_tests::raw::{RawOffice, now_us};
use tasuki_tests::run::text;
use tonic::transport::Channel;

use crate::stage::{Database, MANAGER, Stage, VISIT};

const SECOND_US: i64 = 1_000_000;
const NAME: &str = "受付";

/// A terminal of an office that may send and receive.
fn terminal(stage: &Stage, office: &Office, name: &str) -> Office {
    let invited = ["--json", "terminal", "invite", "--name", name, "--scopes", "send,receive"];
    let code = text(&office.run(&invited).expect(0).json()[0], "code").to_owned();
    let home = stage.path().join(format!("terminal-{name}"));
    let (folder, ca) = (home.display().to_string(), stage.relay.dir.join("relay-ca.pem"));
    let ca = ca.display().to_string();
    let args = ["enrol", &folder, "--relay", &stage.relay.url, "--relay-ca", &ca, "--code", &code];
    office.run(&args).expect(0);
    office.with_home(home)
}

/// The manager sends a slip to the office of the terminal, which receives and signs for it. Gives the parcel.
fn reaches(stage: &Stage, manager: &Office, terminal: &Office) -> String {
    let slip = write_sample(&stage.path().join("slip"), "03_slip_202602_to_visit").display().to_string();
    let sent = manager.run(&["--json", "send", &slip, "--new-partner", "--again"]).expect(0).json();
    let into = stage.path().join("in").display().to_string();
    let received = terminal.run(&["--json", "receive", "--out", &into]).expect(0).json();
    let parcel = text(&sent[0], "parcel").to_owned();
    let got = received.iter().find(|got| text(got, "parcel") == parcel).expect("it came");
    assert_eq!(text(got, "state"), "acknowledged", "{received:?}");
    parcel
}

/// The terminal sends a result in the office's name, and the manager believes it. Gives the parcel.
fn sends(stage: &Stage, manager: &Office, terminal: &Office) -> String {
    let result =
        write_sample(&stage.path().join("result"), "06_result_202602_from_visit").display().to_string();
    let sent = terminal.run(&["--json", "send", &result, "--again"]).expect(0).json();
    let into = stage.path().join("back").display().to_string();
    let received = manager.run(&["--json", "receive", "--out", &into]).expect(0).json();
    assert_eq!(text(&received[0], "state"), "acknowledged", "{received:?}");
    text(&sent[0], "parcel").to_owned()
}

/// The evidence of a parcel names the terminal, and holds offline.
fn proven(stage: &Stage, manager: &Office, parcel: &str) {
    let proof = stage.path().join(format!("proof-{parcel}-{}", now_us())).display().to_string();
    manager.run(&["evidence", parcel, "--out", &proof]).expect(0);
    let verified = manager.run(&["--json", "verify", &proof]).expect(0).out.clone();
    assert!(verified.contains(&format!("terminal:{VISIT}:{NAME}")), "{verified}");
}

/// Revokes a certificate, and waits until the relay refuses who has it.
fn revoke(stage: &Stage, certificate: &str, holder: &Office) {
    // Lists of revoked certificates count whole seconds: what was signed in the same one is not believed.
    std::thread::sleep(Duration::from_secs(2));
    stage.relay.run(&["cert", "revoke", certificate, "--reason", "superseded"]).expect(0);
    let deadline = Instant::now() + Duration::from_secs(60);
    while holder.run(&["--json", "inbox"]).code == 0 {
        assert!(Instant::now() < deadline, "the certificate is revoked");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn wait_until(at_us: i64) {
    std::thread::sleep(Duration::from_micros((at_us - now_us()).max(0).unsigned_abs()));
}

fn copy_of(stage: &Stage, office: &Office) -> Office {
    let copy = stage.path().join(format!("copy-{}", now_us()));
    copy_folder(&office.home, &copy);
    office.with_home(copy)
}

fn copy_folder(from: &Path, to: &Path) {
    tasuki_tests::run::run(std::process::Command::new("cp").arg("-r").arg(from).arg(to)).expect(0);
}

fn state(office: &Office) -> String {
    let listed = office.run(&["--json", "terminal", "list"]).expect(0).json();
    assert_eq!(listed.len(), 1, "{listed:?}");
    text(&listed[0], "state").to_owned()
}

fn terminals_go_on_when_their_office_renews(database: Database) {
    let stage = Stage::new(database);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    let desk = terminal(&stage, &visit, NAME);
    let before = reaches(&stage, &manager, &desk);
    let sent_before = sends(&stage, &manager, &desk);
    for _ in 1..=2 {
        let copy = copy_of(&stage, &visit);
        let renewed = visit.run(&["--json", "renew"]).expect(0).json().remove(0);
        assert_eq!(renewed["kept"], serde_json::json!([NAME]));
        assert_eq!(renewed["terminals"], serde_json::json!([]));
        revoke(&stage, text(&renewed, "previous"), &copy);
        assert_eq!(state(&visit), "active");
        // The manager seals to it by the new certificate's word, and believes what it sends by that.
        let parcel = reaches(&stage, &manager, &desk);
        let sent = sends(&stage, &manager, &desk);
        for parcel in [&before, &parcel, &sent_before, &sent] {
            proven(&stage, &manager, parcel);
        }
    }
    // It renews its own key under the new certificate's word.
    desk.run(&["--json", "renew"]).expect(0);
    let parcel = reaches(&stage, &manager, &desk);
    proven(&stage, &manager, &parcel);
    let sent = sends(&stage, &manager, &desk);
    proven(&stage, &manager, &sent);
    // There is nothing left to sign anew.
    let again = visit.run(&["--json", "renew", "--papers"]).expect(0).json().remove(0);
    assert_eq!(again, serde_json::json!({"delegated": [], "kept": [], "terminals": []}));
    visit.run(&["--json", "terminal", "keep", NAME]).expect(0);
    let events = visit.run(&["--json", "watch", "--once"]).expect(0).json();
    let kept = events.iter().filter(|event| text(event, "kind") == "mandate.kept");
    assert_eq!(kept.count(), 2, "{events:?}");
    // It is the same mandate as before: its end is the end.
    visit.run(&["terminal", "revoke", NAME]).expect(0);
    assert_ne!(desk.run(&["--json", "inbox"]).code, 0);
    visit.run(&["--json", "terminal", "keep", NAME]).expect(1);
    stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn terminals_go_on_when_their_office_renews_sqlite() {
    terminals_go_on_when_their_office_renews(Database::Sqlite);
}

#[test]
fn terminals_go_on_when_their_office_renews_postgres() {
    terminals_go_on_when_their_office_renews(Database::Postgres);
}

/// A certificate of the office from elsewhere takes the place of the one that it has.
fn replace(stage: &Stage, office: &Office, folder: &str) -> serde_json::Value {
    let out = stage.path().join(folder);
    stage.relay.run(&["cert", "issue", VISIT, "--out", &out.display().to_string()]).expect(0);
    let file = |ending: &str| out.join(format!("{VISIT}.{ending}")).display().to_string();
    let args = ["--json", "renew", "--identity", &file("p12"), "--password-file", &file("pass")];
    office.run(&args).expect(0).json().remove(0)
}

#[test]
fn what_a_revoked_certificate_let_act_goes_on_only_by_name() {
    let stage = Stage::new(Database::Sqlite);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    let desk = terminal(&stage, &visit, NAME);
    let before = reaches(&stage, &manager, &desk);
    revoke(&stage, &visit.file("pem").display().to_string(), &visit);
    assert_ne!(desk.run(&["--json", "inbox"]).code, 0);
    // Whoever stole the key may have invited somebody: nothing goes on by itself.
    let renewed = replace(&stage, &visit, "new");
    assert_eq!((&renewed["kept"], state(&visit).as_str()), (&serde_json::json!([]), "unusable"));
    assert_ne!(desk.run(&["--json", "inbox"]).code, 0);
    visit.run(&["--json", "terminal", "keep", "裏口"]).expect(1);
    let kept = visit.run(&["--json", "terminal", "keep", NAME]).expect(0).json().remove(0);
    assert_eq!(kept, serde_json::json!({"name": NAME, "kept": true}));
    assert_eq!(state(&visit), "active");
    reaches(&stage, &manager, &desk);
    let sent = sends(&stage, &manager, &desk);
    proven(&stage, &manager, &sent);
    proven(&stage, &manager, &before);
    stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn a_terminal_whose_office_renewed_too_late_goes_on_by_name() {
    let stage = Stage::new(Database::Sqlite);
    let manager = stage.office(MANAGER);
    let until_us = now_us() + 20 * SECOND_US;
    let short =
        IssueOptions { not_after_us: until_us, ..IssueOptions::new(now_us()).with_key(KeyChoice::P256) };
    let visit = stage.office_with_certificate(VISIT, &short, &[]);
    let desk = terminal(&stage, &visit, NAME);
    reaches(&stage, &manager, &desk);
    wait_until(until_us + 2 * SECOND_US);
    assert_ne!(desk.run(&["--json", "inbox"]).code, 0);
    replace(&stage, &visit, "new");
    assert_ne!(desk.run(&["--json", "inbox"]).code, 0);
    visit.run(&["--json", "terminal", "keep", NAME]).expect(0);
    reaches(&stage, &manager, &desk);
    sends(&stage, &manager, &desk);
    stage.relay.run(&["log", "verify"]).expect(0);
}

/// Hands a statement in; `done`, `repeated`, or the reason why not.
async fn hand_in(channel: &Channel, cms: Vec<u8>) -> String {
    let statement = pb::SignedStatement { statement: cms.into(), text: bytes::Bytes::new() };
    let request = pb::DeclareRequest { statements: vec![statement] };
    let answer = ExchangeClient::new(channel.clone()).declare(request).await.unwrap().into_inner();
    match answer.results.into_iter().next().and_then(|result| result.outcome).unwrap() {
        pb::declare_result::Outcome::Accepted(accepted) if accepted.repeated => "repeated".to_owned(),
        pb::declare_result::Outcome::Accepted(_) => "done".to_owned(),
        pb::declare_result::Outcome::Rejected(rejected) => rejected.reason,
    }
}

fn sign(signer: &RawOffice, statement: &Statement) -> Vec<u8> {
    cms_sign::sign(&signer.identity, statement.print().as_bytes(), Content::Attached, now_us()).unwrap()
}

fn a_terminal_is_kept_as_it_is_or_not_at_all(database: Database) {
    let stage = Stage::new(database);
    let visit = stage.office(VISIT);
    let desk = terminal(&stage, &visit, NAME);
    // Another certificate of the same office, and another office.
    let (raw, manager) = (stage.raw(VISIT), stage.raw(MANAGER));
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let ours = raw.connect(&stage.relay).await.unwrap();
        let theirs = manager.connect(&stage.relay).await.unwrap();
        let listed = MandatesClient::new(ours.clone()).list(pb::ListMandatesRequest::default()).await;
        let held = listed.unwrap().into_inner().mandates.remove(0);
        let paper = held.paper.unwrap();
        let chain = KeyChain::peek(&paper.enrolment).unwrap();
        let invited = sha256(&paper.statement);
        let text = String::from_utf8_lossy(&paper.statement).into_owned();
        let code_key = text.split("code-key: ").nth(1).unwrap()[..64].to_owned();
        let good = KeepTerminal {
            office: VISIT.parse().unwrap(),
            mandate: invited,
            name: NAME.to_owned(),
            scopes: "send,receive".parse().unwrap(),
            code_key: tasuki_proto::canonical::parse_hex(&code_key).unwrap(),
            key: chain.newest(),
            time_us: now_us(),
        };
        let with = |change: &dyn Fn(&mut KeepTerminal)| {
            let mut said = good.clone();
            change(&mut said);
            sign(&raw, &Statement::KeepTerminal(said))
        };
        for (what, cms, reason) in [
            ("another key", with(&|said| said.key = [7; 32]), word::MANDATE_INVALID),
            (
                "wider",
                with(&|said| said.scopes = "send,receive,acknowledge".parse().unwrap()),
                word::MANDATE_INVALID,
            ),
            ("another code", with(&|said| said.code_key = [7; 32]), word::MANDATE_INVALID),
            ("another name", with(&|said| "裏口".clone_into(&mut said.name)), word::MANDATE_INVALID),
            ("unknown", with(&|said| said.mandate = [7; 32]), word::MANDATE_NOT_FOUND),
            ("in the future", with(&|said| said.time_us += 86_400 * SECOND_US), word::CREATED_IN_FUTURE),
            (
                "another office's word",
                sign(&manager, &Statement::KeepTerminal(good.clone())),
                word::STATEMENT_SIGNER,
            ),
        ] {
            assert_eq!(hand_in(&ours, cms).await, reason, "{what}");
        }
        let first = with(&|_| ());
        assert_eq!(hand_in(&theirs, first.clone()).await, word::STATEMENT_SIGNER);
        let stranger = KeepTerminal { office: MANAGER.parse().unwrap(), ..good.clone() };
        let stranger = sign(&manager, &Statement::KeepTerminal(stranger));
        assert_eq!(hand_in(&theirs, stranger).await, word::MANDATE_NOT_FOUND);
        assert_eq!(hand_in(&ours, first.clone()).await, "done");
        assert_eq!(hand_in(&ours, first.clone()).await, "repeated");
        let second = with(&|said| said.time_us += 1);
        assert_eq!(hand_in(&ours, second.clone()).await, "done");
        // What another took the place of does not come back, and what was ended is over.
        assert_eq!(hand_in(&ours, first).await, word::MANDATE_ENDED);
        desk.run(&["inbox"]).expect(0);
        let end = EndMandate { office: good.office, mandate: invited, time_us: now_us() };
        assert_eq!(hand_in(&ours, sign(&raw, &Statement::EndMandate(end))).await, "done");
        assert_eq!(hand_in(&ours, with(&|said| said.time_us += 2)).await, word::MANDATE_ENDED);
    });
    assert_ne!(desk.run(&["--json", "inbox"]).code, 0);
    // The terminal itself may not say it.
    desk.run(&["--json", "terminal", "keep", NAME]).expect(1);
    desk.run(&["--json", "renew", "--papers"]).expect(2);
    stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn a_terminal_is_kept_as_it_is_or_not_at_all_sqlite() {
    a_terminal_is_kept_as_it_is_or_not_at_all(Database::Sqlite);
}

#[test]
fn a_terminal_is_kept_as_it_is_or_not_at_all_postgres() {
    a_terminal_is_kept_as_it_is_or_not_at_all(Database::Postgres);
}

#[test]
fn a_sealing_key_is_approved_anew_by_the_next_certificate() {
    let stage = Stage::new(Database::Sqlite);
    let manager = stage.office(MANAGER);
    let key_usage = vec![KeyUse::DigitalSignature, KeyUse::NonRepudiation];
    let signing = IssueOptions { key_usage, ..IssueOptions::new(now_us()).with_key(KeyChoice::P256) };
    let until_us = now_us() + 20 * SECOND_US;
    let short = IssueOptions { not_after_us: until_us, ..signing.clone() };
    let visit = stage.office_with_certificate(VISIT, &short, &[]);
    visit.run(&["inbox"]).expect(0);
    reaches(&stage, &manager, &visit);
    // Another one that may not encrypt either.
    let other = stage.path().join("other");
    let ca = |name: &str| std::fs::read(stage.relay.dir.join(name)).unwrap();
    let ca = TrialCa::load(&ca("trial-ca.pem"), &ca("trial-ca.key")).unwrap();
    let issued = ca.issue_office(VISIT, "of a test", &signing).unwrap();
    std::fs::create_dir(&other).unwrap();
    let (pem, key) = (other.join("o.pem"), other.join("o.key"));
    std::fs::write(&pem, issued.chain_pem().unwrap()).unwrap();
    std::fs::write(&key, issued.key_pem().unwrap()).unwrap();
    let (pem, key) = (pem.display().to_string(), key.display().to_string());
    visit.run(&["--json", "renew", "--identity", &pem, "--key", &key]).expect(0);
    let approvals = || {
        let events = visit.run(&["--json", "watch", "--once"]).expect(0).json();
        events.iter().filter(|event| event["details"]["key-kind"] == "sealing").count()
    };
    assert_eq!(approvals(), 2);
    wait_until(until_us + 2 * SECOND_US);
    // The manager seals to the same key by the next certificate's word.
    reaches(&stage, &manager, &visit);
    visit.run(&["inbox"]).expect(0);
    assert_eq!(approvals(), 0);
    stage.relay.run(&["log", "verify"]).expect(0);
}
