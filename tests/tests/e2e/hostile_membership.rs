//! Statements about taking part that must come to nothing: another's, forged, replayed, late, of another kind.

use tasuki_certs::cms_sign::{self, Content};
use tasuki_proto::membership::{Membership, MembershipWord, PartnerStep};
use tasuki_proto::pb::directory_client::DirectoryClient;
use tasuki_proto::pb::exchange_client::ExchangeClient;
use tasuki_proto::pb::membership_client::MembershipClient;
use tasuki_proto::statement::Statement;
use tasuki_proto::{pb, reason as word};
use tasuki_tests::raw::{RawOffice, now_us, status_reason};
use tonic::transport::Channel;

use crate::hostile_mandates::hand_in;
use crate::stage::{Database, MANAGER, Stage, VISIT};

const HOUR_US: i64 = 3_600 * 1_000_000;

fn signed(signer: &RawOffice, office: &str, word: MembershipWord, at_us: i64) -> Vec<u8> {
    let said = Membership { office: office.parse().unwrap(), word, time_us: at_us };
    let text = Statement::Membership(said).print();
    cms_sign::sign(&signer.identity, text.as_bytes(), Content::Attached, at_us).unwrap()
}

fn leave() -> MembershipWord {
    MembershipWord::Leave { erase: false }
}

fn join() -> MembershipWord {
    MembershipWord::Join { name: String::new() }
}

/// Hands a statement in; the state after it, or the reason why not.
async fn leaves(channel: &Channel, statement: Vec<u8>) -> String {
    let request = pb::LeaveRequest { statement: statement.into() };
    let answer = MembershipClient::new(channel.clone()).leave(request).await;
    answer.map_or_else(|status| status_reason(&status), |standing| standing.into_inner().state)
}

async fn joins(channel: &Channel, statement: Vec<u8>) -> String {
    let request = pb::ApplyRequest { statement: statement.into() };
    let answer = MembershipClient::new(channel.clone()).apply(request).await;
    answer.map_or_else(|status| status_reason(&status), |standing| standing.into_inner().state)
}

async fn state(channel: &Channel) -> String {
    let standing = MembershipClient::new(channel.clone()).get_standing(pb::GetStandingRequest {}).await;
    standing.unwrap().into_inner().state
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_joins_or_leaves_by_anothers_word() {
    let stage = Stage::new(Database::Sqlite);
    let (manager, visit) = (stage.raw(MANAGER), stage.raw(VISIT));
    let (ours, theirs) =
        (manager.connect(&stage.relay).await.unwrap(), visit.connect(&stage.relay).await.unwrap());
    let now = now_us();
    // Another's certificate for this number, this one for another, another's word handed in.
    assert_eq!(leaves(&theirs, signed(&manager, VISIT, leave(), now)).await, word::STATEMENT_SIGNER);
    assert_eq!(leaves(&ours, signed(&manager, VISIT, leave(), now)).await, word::STATEMENT_SIGNER);
    assert_eq!(leaves(&ours, signed(&visit, VISIT, leave(), now)).await, word::STATEMENT_SIGNER);
    // Of another kind, from the future, altered, none at all.
    assert_eq!(leaves(&theirs, signed(&visit, VISIT, join(), now)).await, word::STATEMENT_MALFORMED);
    assert_eq!(joins(&theirs, signed(&visit, VISIT, leave(), now)).await, word::STATEMENT_MALFORMED);
    let ahead = signed(&visit, VISIT, leave(), now + 24 * HOUR_US);
    assert_ne!(leaves(&theirs, ahead).await, "left");
    let mut altered = signed(&visit, VISIT, leave(), now);
    let place = altered.windows(5).position(|bytes| bytes == b"erase").unwrap();
    altered[place] = b'E';
    assert_ne!(leaves(&theirs, altered).await, "left");
    assert_ne!(leaves(&theirs, b"leave".to_vec()).await, "left");
    // Not by the way of declarations either.
    let paper = pb::SignedStatement {
        statement: signed(&visit, VISIT, leave(), now).into(),
        text: bytes::Bytes::new(),
    };
    let request = pb::DeclareRequest { statements: vec![paper] };
    let answer = ExchangeClient::new(theirs.clone()).declare(request).await.unwrap().into_inner();
    match answer.results[0].outcome.as_ref().unwrap() {
        pb::declare_result::Outcome::Rejected(rejected) => {
            assert_eq!(rejected.reason, word::STATEMENT_MALFORMED);
        }
        accepted @ pb::declare_result::Outcome::Accepted(_) => panic!("{accepted:?}"),
    }
    assert_eq!(state(&theirs).await, "active");

    // A terminal and a proxy speak for nobody here.
    stage.relay.run(&["proxy", "add", "P00001", "--name", "伝送サービス"]).expect(0);
    let proxy = stage.raw("P00001");
    let through = proxy.connect(&stage.relay).await.unwrap();
    assert_eq!(leaves(&through, signed(&visit, VISIT, leave(), now)).await, word::NOT_ALLOWED);
    stage.relay.run(&["log", "verify"]).expect(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_before_counts_once() {
    let stage = Stage::new(Database::Sqlite);
    let visit = stage.raw(VISIT);
    let channel = visit.connect(&stage.relay).await.unwrap();
    let now = now_us();
    let (stale_leave, stale_join) =
        (signed(&visit, VISIT, leave(), now - 2 * HOUR_US), signed(&visit, VISIT, join(), now - 2 * HOUR_US));
    let left = signed(&visit, VISIT, leave(), now);
    assert_eq!(leaves(&channel, left.clone()).await, "left");
    // An application from before it left is no wish to come back.
    assert_eq!(joins(&channel, stale_join).await, word::STATEMENT_OLD);
    let joined = signed(&visit, VISIT, join(), now_us());
    assert_eq!(joins(&channel, joined.clone()).await, "active");
    // Replayed, and kept back until now: it stays.
    assert_eq!(leaves(&channel, left).await, "active");
    assert_eq!(leaves(&channel, stale_leave).await, word::STATEMENT_OLD);
    assert_eq!(state(&channel).await, "active");
    // Nor does a replayed application let it in again.
    assert_eq!(leaves(&channel, signed(&visit, VISIT, leave(), now_us())).await, "left");
    assert_eq!(joins(&channel, joined).await, "left");
    // Who is suspended does not come back by leaving.
    assert_eq!(joins(&channel, signed(&visit, VISIT, join(), now_us())).await, "active");
    stage.relay.run(&["office", "suspend", VISIT, "--reason", "test"]).expect(0);
    assert_eq!(leaves(&channel, signed(&visit, VISIT, leave(), now_us())).await, word::CALLER_SUSPENDED);
    assert_eq!(joins(&channel, signed(&visit, VISIT, join(), now_us())).await, word::CALLER_SUSPENDED);
    stage.relay.run(&["log", "verify"]).expect(0);
}

async fn replayed_words_change_nothing(database: Database) {
    let stage = Stage::new(database);
    let (manager, visit) = (stage.raw(MANAGER), stage.raw(VISIT));
    let (ours, theirs) =
        (manager.connect(&stage.relay).await.unwrap(), visit.connect(&stage.relay).await.unwrap());
    let now = now_us();
    let takes = |accepts: &[&str], at_us| {
        let accepts = accepts.iter().map(|one| (*one).to_owned()).collect();
        signed(&visit, VISIT, MembershipWord::Profile { accepts }, at_us)
    };
    let (first, second) = (takes(&["csv-4.1"], now), takes(&["csv-4.1", "pdf"], now + 1));
    assert_eq!(hand_in(&theirs, VISIT, first.clone()).await, "done");
    assert_eq!(hand_in(&theirs, VISIT, second).await, "done");
    // The word before, once more; one that was signed long before and held back; another's.
    assert_eq!(hand_in(&theirs, VISIT, first.clone()).await, "repeated");
    assert_eq!(hand_in(&theirs, VISIT, takes(&["csv-3.2"], now - HOUR_US)).await, word::STATEMENT_OLD);
    assert_eq!(hand_in(&ours, MANAGER, first).await, word::STATEMENT_SIGNER);
    let request = pb::GetOfficeRequest { number: VISIT.to_owned() };
    let office = DirectoryClient::new(ours.clone()).get_office(request).await.unwrap().into_inner();
    assert_eq!(office.accepts, ["csv-4.1", "pdf"]);

    let says = |signer: &RawOffice, to: &str, step, at_us| {
        let said = MembershipWord::Partner { partner: to.parse().unwrap(), step };
        signed(signer, &signer.number, said, at_us)
    };
    let invite = says(&manager, VISIT, PartnerStep::Invite, now);
    let accept = says(&visit, MANAGER, PartnerStep::Accept, now);
    assert_eq!(hand_in(&theirs, VISIT, accept.clone()).await, word::NO_INVITATION);
    assert_eq!(hand_in(&ours, MANAGER, invite.clone()).await, "done");
    assert_eq!(hand_in(&theirs, VISIT, accept.clone()).await, "done");
    assert_eq!(hand_in(&theirs, VISIT, says(&visit, MANAGER, PartnerStep::End, now)).await, "done");
    // What was said before the end brings nothing back.
    assert_eq!(hand_in(&ours, MANAGER, invite.clone()).await, "repeated");
    assert_eq!(hand_in(&theirs, VISIT, accept).await, "repeated");
    let held_back = says(&manager, VISIT, PartnerStep::Invite, now - HOUR_US);
    assert_eq!(hand_in(&ours, MANAGER, held_back).await, word::STATEMENT_OLD);
    assert_eq!(hand_in(&theirs, VISIT, invite).await, word::STATEMENT_SIGNER);
    let late = says(&visit, MANAGER, PartnerStep::Accept, now + 1);
    assert_eq!(hand_in(&theirs, VISIT, late).await, word::NO_INVITATION, "there is no invitation");
}

#[tokio::test(flavor = "multi_thread")]
async fn replayed_words_change_nothing_sqlite() {
    replayed_words_change_nothing(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replayed_words_change_nothing_postgres() {
    replayed_words_change_nothing(Database::Postgres).await;
}
