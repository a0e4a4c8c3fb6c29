//! Operators' acts under the lock: forged, replayed, stale and mismatched ones do nothing, and the log says so.

use tasuki_proto::event::{Event, kind, sha256};
use tasuki_proto::operator::{MAX_ACT_AGE_US, OperatorAct, Role};
use tasuki_proto::reason;

use super::{Bench, SENDER, START_US, office, office_row};
use crate::committer::Started;
use crate::committer::administering::{TwoPersons, describe};
use crate::committer::change::{Administering, By, Change, Operating, Refused, SignedAct};
use crate::store::Store;
use crate::store::dialect::Dialect;
use crate::store::leaves::Position;
use crate::store::offices::OfficeState;
use crate::store::operators::OperatorRow;
use crate::store::testing::on_both_databases;

const LOG: &str = "relay.test/log";

fn row(name: &str, key: u8, roles: &str) -> OperatorRow {
    OperatorRow {
        fingerprint: [key; 32],
        name: name.to_owned(),
        roles: roles.parse().unwrap(),
        chain: vec![vec![key; 4]],
        not_after_us: START_US + 1_000_000_000,
        added_us: 0,
        removed_us: 0,
    }
}

fn suspend() -> Change {
    let reason = "未納".to_owned();
    Change::SetOfficeState { office: office(SENDER), state: OfficeState::Suspended, reason }
}

fn act(change: &Change, nonce: u8) -> OperatorAct {
    let described = describe(change).unwrap();
    OperatorAct {
        log: LOG.to_owned(),
        operator: "係".to_owned(),
        kind: described.kind.to_owned(),
        role: described.role,
        details: described.details,
        nonce: [nonce; 16],
        time_us: START_US,
    }
}

/// As if its signature had been verified; that it is, is the desk's business.
fn by(act: OperatorAct, key: u8) -> By {
    let cms = [b"signed ", act.print().as_bytes(), &[key]].concat();
    By::Operator(Box::new(SignedAct { act, cms, signer: [key; 32] }))
}

async fn ask(started: &Started, by: By, change: Change) -> Result<bool, Refused> {
    let administering = Administering { by, two_persons: TwoPersons::default(), change };
    let done = started.committer.submit(Change::Administer(Box::new(administering))).await;
    done.map(|done| done.repeated)
}

fn put(row: OperatorRow) -> Change {
    Change::Operators(Box::new(Operating::Put { row, emergency: None }))
}

async fn refusals(store: &Store) -> Vec<String> {
    let leaves = store.leaves_from(Position { epoch: 1, index: 0 }, 100).await.unwrap();
    let events = leaves.iter().map(|leaf| Event::parse(&leaf.text).unwrap());
    let refused = events.filter(|event| event.kind == kind::OPERATOR_REFUSED);
    refused.map(|event| event.lines.get("refused").unwrap().to_owned()).collect()
}

async fn forged_and_replayed_acts_do_nothing(dialect: Dialect) {
    let bench = Bench::new(dialect).await;
    let (store, started) = bench.start().await;
    ask(&started, By::Account, Change::PutOffices(vec![office_row(SENDER)])).await.unwrap();
    ask(&started, By::Account, put(row("主任", 1, "certificates"))).await.unwrap();
    let add = put(row("係", 2, "offices"));
    let said = OperatorAct { operator: "主任".to_owned(), ..act(&add, 1) };
    ask(&started, by(said, 1), add).await.unwrap();

    let resume = Change::SetOfficeState {
        office: office(SENDER),
        state: OfficeState::Active,
        reason: "支払".to_owned(),
    };
    let stale_us = START_US - MAX_ACT_AGE_US - 1;
    let good = act(&suspend(), 2);
    for (by, word) in [
        (By::Account, reason::OPERATOR_NEEDED),
        (By::Stranger { reason: reason::OPERATOR_UNKNOWN, key: [9; 32] }, reason::OPERATOR_UNKNOWN),
        // Another's certificate, or one's own under another's name.
        (by(good.clone(), 9), reason::OPERATOR_UNKNOWN),
        (by(OperatorAct { operator: "主任".to_owned(), ..good.clone() }, 2), reason::OPERATOR_UNKNOWN),
        // Signed for something else, for another log, or long ago.
        (by(act(&resume, 3), 2), reason::OPERATOR_ACT_INVALID),
        (by(OperatorAct { role: Role::Read, ..good.clone() }, 2), reason::OPERATOR_ACT_INVALID),
        (by(OperatorAct { log: "other/log".to_owned(), ..good.clone() }, 2), reason::OPERATOR_ACT_INVALID),
        (by(OperatorAct { time_us: stale_us, ..good.clone() }, 2), reason::OPERATOR_ACT_INVALID),
        // Without the role.
        (by(OperatorAct { operator: "主任".to_owned(), ..good.clone() }, 1), reason::OPERATOR_ROLE),
    ] {
        assert_eq!(ask(&started, by, suspend()).await, Err(Refused::Because(word)));
        assert_eq!(store.office(office(SENDER)).await.unwrap().unwrap().state, OfficeState::Active, "{word}");
    }
    assert_eq!(refusals(&store).await.len(), 9);

    assert_eq!(ask(&started, by(good.clone(), 2), suspend()).await, Ok(false));
    let digest = sha256(&[b"signed ", good.print().as_bytes(), &[2]].concat());
    assert_eq!(store.operator_act(&digest).await.unwrap().unwrap().signer, [2; 32]);
    // Resumed meanwhile, the same act does not suspend again, signed anew or not.
    ask(&started, by(act(&resume, 4), 2), resume).await.unwrap();
    assert_eq!(
        ask(&started, by(good, 2), suspend()).await,
        Err(Refused::Because(reason::OPERATOR_ACT_REPLAYED))
    );
    assert_eq!(store.office(office(SENDER)).await.unwrap().unwrap().state, OfficeState::Active);
    assert_eq!(refusals(&store).await.last().map(String::as_str), Some(reason::OPERATOR_ACT_REPLAYED));
}

async fn the_account_adds_operators_only_where_nobody_can_sign(dialect: Dialect) {
    let bench = Bench::new(dialect).await;
    let (_store, started) = bench.start().await;
    ask(&started, By::Account, put(row("主任", 1, "certificates"))).await.unwrap();
    let emergency = || {
        let why = Some("証明書の期限切れ".to_owned());
        Change::Operators(Box::new(Operating::Put { row: row("新任", 3, "certificates"), emergency: why }))
    };
    let needed = Err(Refused::Because(reason::OPERATOR_NEEDED));
    assert_eq!(ask(&started, By::Account, emergency()).await, needed);
    bench.clock.0.store(START_US + 1_000_000_000, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(ask(&started, By::Account, put(row("新任", 3, "certificates"))).await, needed);
    assert_eq!(ask(&started, By::Account, emergency()).await, Ok(false));
}

on_both_databases!(
    forged_and_replayed_acts_do_nothing,
    the_account_adds_operators_only_where_nobody_can_sign
);
