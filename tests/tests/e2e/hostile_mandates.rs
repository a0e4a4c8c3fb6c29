//! Delegations that must come to nothing, and what a proxy or a terminal may not do: refused with a reason that an audit finds.

use std::path::Path;
use std::time::{Duration, Instant};

use ring::rand::SystemRandom;
use serde_json::Value;
use tasuki_certs::cms_sign::{self, Content};
use tasuki_certs::request::NewKey;
use tasuki_proto::event::sha256;
use tasuki_proto::mandate::{Code, Delegate, EndMandate, Enrolment, InviteTerminal};
use tasuki_proto::pb::enrolment_client::EnrolmentClient;
use tasuki_proto::pb::exchange_client::ExchangeClient;
use tasuki_proto::statement::Statement;
use tasuki_proto::{pb, reason as word};
use tasuki_tests::bench::load::anonymous;
use tasuki_tests::office::{Office, write_sample};
use tasuki_tests::raw::{RawOffice, now_us, status_reason};
use tasuki_tests::run::{Ran, text};
use tonic::Request;
use tonic::transport::Channel;

use crate::stage::{Database, MANAGER, Stage, VISIT};

const SECOND_US: i64 = 1_000_000;
const DAY_US: i64 = 86_400 * SECOND_US;
const PROXY: &str = "P00001";

/// A delegation of VISIT's to the proxy, for 30 days.
fn delegation(scopes: &str) -> Delegate {
    let now = now_us();
    Delegate {
        office: VISIT.parse().unwrap(),
        proxy: PROXY.parse().unwrap(),
        scopes: scopes.parse().unwrap(),
        from_us: now,
        until_us: now + 30 * DAY_US,
        confirm: false,
        time_us: now,
    }
}

fn sign(signer: &RawOffice, statement: &Statement) -> Vec<u8> {
    cms_sign::sign(&signer.identity, statement.print().as_bytes(), Content::Attached, now_us()).unwrap()
}

/// Hands a statement in, for an office; `done`, `repeated`, or the reason why not.
pub(crate) async fn hand_in(channel: &Channel, office: &str, cms: Vec<u8>) -> String {
    let statement = pb::SignedStatement { statement: cms.into(), text: bytes::Bytes::new() };
    let mut request = Request::new(pb::DeclareRequest { statements: vec![statement] });
    request.metadata_mut().insert("tasuki-office", office.parse().unwrap());
    let answer = match ExchangeClient::new(channel.clone()).declare(request).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => return status_reason(&status),
    };
    match answer.results.into_iter().next().and_then(|result| result.outcome).unwrap() {
        pb::declare_result::Outcome::Accepted(accepted) if accepted.repeated => "repeated".to_owned(),
        pb::declare_result::Outcome::Accepted(_) => "done".to_owned(),
        pb::declare_result::Outcome::Rejected(rejected) => rejected.reason,
    }
}

/// Waits until an audit finds that this was refused; it is written beside the call.
fn audited(stage: &Stage, subject: [&str; 2], by: &str, reason: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let told = stage.relay.run(&[&["--json", "audit"][..], &subject].concat()).expect(0).json();
        let refused = |event: &Value| {
            let lines = &event["lines"];
            event["kind"] == "act.refused" && lines["by"] == by && lines["refused"] == reason
        };
        if told.iter().any(refused) {
            return;
        }
        assert!(Instant::now() < deadline, "{by} {reason}: {told:#?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn delegations_that_do_not_hold(database: Database) {
    let stage = Stage::new(database);
    stage.relay.run(&["proxy", "add", PROXY, "--name", "伝送サービス"]).expect(0);
    let visit_home = stage.office(VISIT);
    let (manager, visit, proxy) = (stage.raw(MANAGER), stage.raw(VISIT), stage.raw(PROXY));
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let ours = visit.connect(&stage.relay).await.unwrap();
        let theirs = manager.connect(&stage.relay).await.unwrap();
        let proxys = proxy.connect(&stage.relay).await.unwrap();
        let narrow = sign(&visit, &Statement::Delegate(delegation("send,read-status")));
        // Forged: another office's word, the proxy's own, the office's own handed in by another.
        let wide = Statement::Delegate(delegation("send,receive,acknowledge,read-status"));
        assert_eq!(hand_in(&ours, VISIT, sign(&manager, &wide)).await, word::STATEMENT_SIGNER);
        assert_eq!(hand_in(&theirs, MANAGER, narrow.clone()).await, word::STATEMENT_SIGNER);
        assert_eq!(hand_in(&proxys, VISIT, sign(&proxy, &wide)).await, word::MANDATE_MISSING);
        assert_eq!(hand_in(&ours, VISIT, narrow.clone()).await, "done");
        assert_eq!(hand_in(&proxys, VISIT, sign(&proxy, &wide)).await, word::STATEMENT_SIGNER);
        // Widened on the way.
        let mut widened = sign(&visit, &Statement::Delegate(delegation("send,read-status")));
        let place = widened.windows(16).position(|bytes| bytes == b"send,read-status").unwrap();
        widened[place..place + 16].copy_from_slice(b"send,acknowledge");
        assert_eq!(hand_in(&ours, VISIT, widened).await, "SIGNATURE_DIGEST_MISMATCH");
        // Over, too long, from the future, to nobody.
        let now = now_us();
        let with = |change: fn(&mut Delegate)| {
            let mut said = delegation("send");
            change(&mut said);
            sign(&visit, &Statement::Delegate(said))
        };
        let over = with(|said| said.until_us = said.time_us);
        assert_eq!(hand_in(&ours, VISIT, over).await, word::MANDATE_ENDED);
        let long = with(|said| said.until_us += 10_000 * DAY_US);
        assert_eq!(hand_in(&ours, VISIT, long).await, word::STATEMENT_MALFORMED);
        let ahead = with(|said| said.time_us += DAY_US);
        assert_eq!(hand_in(&ours, VISIT, ahead).await, word::CREATED_IN_FUTURE);
        let unknown = with(|said| said.proxy = "P00077".parse().unwrap());
        assert_eq!(hand_in(&ours, VISIT, unknown).await, word::PROXY_UNKNOWN);
        // Replayed: while it holds it changes nothing, once it is over it stays over.
        assert_eq!(hand_in(&ours, VISIT, narrow.clone()).await, "repeated");
        // Overlapping: the later one takes the place of the one before.
        let second = sign(&visit, &Statement::Delegate(delegation("read-status")));
        assert_eq!(hand_in(&ours, VISIT, second.clone()).await, "done");
        assert_eq!(hand_in(&ours, VISIT, narrow).await, word::MANDATE_ENDED);
        let end = EndMandate { office: VISIT.parse().unwrap(), mandate: sha256(&second), time_us: now };
        let ended = Statement::EndMandate(end);
        assert_eq!(hand_in(&theirs, MANAGER, sign(&manager, &ended)).await, word::STATEMENT_SIGNER);
        assert_eq!(visit_home.run(&["--json", "terminal", "list"]).expect(0).json().len(), 1);
        assert_eq!(hand_in(&ours, VISIT, sign(&visit, &ended)).await, "done");
        assert_eq!(hand_in(&ours, VISIT, second).await, word::MANDATE_ENDED);
        // For some seconds: it counts until then, and not any more after.
        let short = with(|said| said.until_us = said.time_us + 4 * SECOND_US);
        assert_eq!(hand_in(&ours, VISIT, short).await, "done");
        let nothing = || hand_in(&proxys, VISIT, Vec::new());
        assert_eq!(nothing().await, "MALFORMED_SIGNATURE");
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(nothing().await, word::MANDATE_MISSING);
    });
    assert!(visit_home.run(&["--json", "terminal", "list"]).expect(0).json().is_empty());
    let (office, by) = (["--office", VISIT], format!("office:{VISIT}"));
    for reason in [word::STATEMENT_SIGNER, "SIGNATURE_DIGEST_MISMATCH", word::MANDATE_ENDED] {
        audited(&stage, office, &by, reason);
    }
    for reason in [word::CREATED_IN_FUTURE, word::STATEMENT_MALFORMED, word::PROXY_UNKNOWN] {
        audited(&stage, office, &by, reason);
    }
    audited(&stage, ["--office", MANAGER], &format!("office:{MANAGER}"), word::STATEMENT_SIGNER);
    for reason in [word::STATEMENT_SIGNER, word::MANDATE_MISSING] {
        audited(&stage, ["--proxy", PROXY], &format!("proxy:{PROXY}"), reason);
    }
    stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn delegations_that_do_not_hold_sqlite() {
    delegations_that_do_not_hold(Database::Sqlite);
}

#[test]
fn delegations_that_do_not_hold_postgres() {
    delegations_that_do_not_hold(Database::Postgres);
}

/// What a party prints of a refusal, wherever it stands in its answer.
fn refused(ran: &Ran, reason: &str) {
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.contains(reason), "{reason}: {ran:?}");
}

fn send_and_receive(acting: &Office, folder: &Path) -> [Ran; 3] {
    let result = write_sample(folder, "06_result_202602_from_visit").display().to_string();
    let into = folder.join("in").display().to_string();
    [
        acting.run(&["--json", "send", &result, "--new-partner"]),
        acting.run(&["--json", "receive", "--out", &into]),
        acting.run(&["--json", "sent"]),
    ]
}

/// With one scope alone, a proxy's other acts are refused, and the office's mailbox is as it was.
#[test]
fn a_scope_opens_nothing_but_its_own() {
    let stage = Stage::new(Database::Sqlite);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    stage.relay.run(&["proxy", "add", PROXY, "--name", "伝送サービス"]).expect(0);
    let proxy = stage.office(PROXY);
    let work = stage.path().join("work").display().to_string();
    visit.run(&["delegate", PROXY, "--scopes", "read-status", "--days", "3"]).expect(0);
    proxy.run(&["proxy", &work, "--once"]).expect(0);
    let acting = proxy.with_home(proxy.home.join("offices").join(VISIT));
    let slip = write_sample(stage.path(), "03_slip_202602_to_visit").display().to_string();
    manager.run(&["send", &slip]).expect(0);

    let [sent, received, listed] = send_and_receive(&acting, stage.path());
    refused(&sent, word::MANDATE_SCOPE);
    refused(&received, word::MANDATE_SCOPE);
    assert_eq!(listed.code, 0, "{listed:?}");
    visit.run(&["delegate", PROXY, "--scopes", "acknowledge", "--days", "3"]).expect(0);
    // Whoever may do anything may look on.
    let [sent, received, listed] = send_and_receive(&acting, stage.path());
    refused(&sent, word::MANDATE_SCOPE);
    refused(&received, word::MANDATE_SCOPE);
    assert_eq!(listed.code, 0, "{listed:?}");
    let waiting = visit.run(&["--json", "inbox"]).expect(0).json();
    assert_eq!((waiting.len(), text(&waiting[0], "state")), (1, "delivered"), "{waiting:?}");
    assert!(visit.run(&["--json", "sent"]).expect(0).json().is_empty());
    audited(&stage, ["--office", VISIT], &format!("proxy:{PROXY}"), word::MANDATE_SCOPE);

    // What an office says for itself, its proxy and its terminal do not.
    visit.run(&["delegate", PROXY, "--scopes", "send,receive,read-status", "--days", "3"]).expect(0);
    let invite = ["--json", "terminal", "invite", "--name", "受付 1", "--scopes", "send,receive"];
    let code = text(&visit.run(&invite).expect(0).json()[0], "code").to_owned();
    let home = stage.path().join("terminal");
    let (ca, at) = (stage.relay.dir.join("relay-ca.pem").display().to_string(), home.display().to_string());
    let enrol = ["enrol", &at, "--relay", &stage.relay.url, "--relay-ca", &ca, "--code", &code];
    visit.run(&enrol).expect(0);
    for (who, holder) in
        [(visit.with_home(home), format!("terminal:{VISIT}:受付 1")), (acting, format!("proxy:{PROXY}"))]
    {
        for act in [
            &["leave", "--yes"][..],
            &["join"],
            &["profile", "--accepts", "csv-4.1"],
            &["partner", "invite", MANAGER],
            &["delegate", PROXY, "--scopes", "send", "--days", "300"],
            &["delegate", PROXY, "--revoke"],
            &["terminal", "invite", "--name", "b", "--scopes", "send"],
            &["terminal", "revoke", "受付 1"],
        ] {
            let ran = who.run(&[&["--json"][..], act].concat());
            assert_ne!(ran.code, 0, "{act:?}: {ran:?}");
        }
        audited(&stage, ["--office", VISIT], &holder, word::NOT_ALLOWED);
        audited(&stage, ["--office", VISIT], &holder, word::STATEMENT_SIGNER);
    }
    assert_eq!(visit.run(&["--json", "terminal", "list"]).expect(0).json().len(), 2);
    assert!(visit.run(&["--json", "partner", "list"]).expect(0).json().is_empty());
    let standing = visit.run(&["--json", "join", "--status"]).expect(0).json();
    assert_eq!(text(&standing[0], "state"), "active");
    stage.relay.run(&["log", "verify"]).expect(0);
}

/// Codes that come too late, with another key, or that were used: no terminal comes of it, and an audit of the office finds it.
#[test]
fn what_is_tried_with_a_code_stands_in_the_log() {
    let stage = Stage::new(Database::Sqlite);
    let (visit_home, visit) = (stage.office(VISIT), stage.raw(VISIT));
    let (address, ca) =
        (stage.relay.url.trim_start_matches("https://"), stage.relay.dir.join("relay-ca.pem"));
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let ours = visit.connect(&stage.relay).await.unwrap();
        let mut client = EnrolmentClient::new(anonymous(address, &ca).await.unwrap());
        let (code, now) = (Code::new(&SystemRandom::new()).unwrap(), now_us());
        let invite = InviteTerminal {
            office: VISIT.parse().unwrap(),
            name: "受付".to_owned(),
            scopes: "receive".parse().unwrap(),
            code_key: code.public_key(),
            until_us: now + 4 * SECOND_US,
            time_us: now,
        };
        let invitation = sign(&visit, &Statement::InviteTerminal(invite));
        assert_eq!(hand_in(&ours, VISIT, invitation.clone()).await, "done");
        let (key, other) = (NewKey::generate().unwrap(), NewKey::generate().unwrap());
        let enrolment = Enrolment {
            office: VISIT.parse().unwrap(),
            name: "受付".to_owned(),
            invitation: sha256(&invitation),
            key: sha256(&key.spki_der().unwrap()),
        };
        let mut enrol = async |signer: &Code, key: &NewKey| {
            let request = key.request(VISIT, "受付").unwrap().into();
            let request = pb::EnrolRequest { enrolment: enrolment.sign(signer).into(), request };
            status_reason(&client.enrol(request).await.unwrap_err())
        };
        let stranger = Code::new(&SystemRandom::new()).unwrap();
        assert_eq!(enrol(&stranger, &key).await, word::CODE_UNKNOWN);
        assert_eq!(enrol(&code, &other).await, word::CERTIFICATE_REQUEST_INVALID);
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(enrol(&code, &key).await, word::CODE_USED);
        let request = pb::GetInvitationRequest { code_key: code.public_key().to_vec().into() };
        let late = client.get_invitation(request).await.unwrap_err();
        assert_eq!(status_reason(&late), word::CODE_USED);
        // Ended for good: the same paper does not bring it back.
        assert_eq!(hand_in(&ours, VISIT, invitation).await, word::MANDATE_ENDED);
    });
    let holder = format!("terminal:{VISIT}:受付");
    for reason in [word::CODE_UNKNOWN, word::CERTIFICATE_REQUEST_INVALID, word::CODE_USED] {
        audited(&stage, ["--office", VISIT], &holder, reason);
    }
    assert!(visit_home.run(&["--json", "terminal", "list"]).expect(0).json().is_empty());
    stage.relay.run(&["log", "verify"]).expect(0);
}
