//! After acceptance: held, released, recalled, superseded, refused, overdue, expired. What `tasuki_proto::lifecycle`
//! allows yields one event; what it does not, none.

use tasuki_proto::lifecycle::{Party, Step};
use tasuki_proto::statement::RefusalReason;

use super::*;
use crate::commands::log_verify;
use crate::config::{LifecycleConfig, PartnersConfig};
use crate::store::parcels::ParcelRow;
use crate::timekeeper::Timekeeper;

const PROXY: &str = "proxy:P00004";
const HOUR_US: i64 = 3_600_000_000;

struct Case {
    bench: Bench,
    store: Store,
    started: Started,
}

impl Case {
    async fn new(dialect: Dialect) -> Self {
        let bench = Bench::new(dialect).await;
        let (store, started) = bench.start().await;
        with_offices(&started.committer).await;
        Self { bench, store, started }
    }

    async fn send(&self, n: u8, change: impl FnOnce(&mut Delivery)) -> ParcelKey {
        let mut parcel = delivery(n);
        change(&mut parcel);
        let key = parcel.key;
        let done = self.started.committer.submit(Change::Deliver(parcel)).await.unwrap();
        prove(&self.started, &done).await;
        key
    }

    async fn act(&self, key: ParcelKey, act: Act, party: Party, n: u8) -> Result<Done, Refused> {
        let by = match party {
            Party::Sender | Party::SenderProxy => Some(SENDER),
            Party::Recipient | Party::RecipientProxy => Some(RECEIVER),
            Party::Relay => None,
        };
        let signed = word(act, party).map(|word| signed(word, [n; 32]));
        let mut change = doing(key, act, by, signed);
        if let (Change::Act(doing), Party::SenderProxy | Party::RecipientProxy) = (&mut change, party)
            && let Actor::Office { name, .. } = &mut doing.by
        {
            *name = PROXY.to_owned();
        }
        self.started.committer.submit(change).await
    }

    async fn row(&self, key: ParcelKey) -> ParcelRow {
        self.store.parcel(&key).await.unwrap().unwrap()
    }

    async fn kinds(&self, key: ParcelKey) -> Vec<String> {
        let leaves = self.store.leaves_of_parcel(self.row(key).await.seq).await.unwrap();
        leaves.iter().map(|leaf| Event::parse(&leaf.text).unwrap().kind).collect()
    }

    async fn feed(&self, number: &str) -> Vec<String> {
        let rows = self.store.feed_after(office(number), Cursor { epoch: 0, number: 0 }, 500).await.unwrap();
        rows.iter().map(|(_, text)| Event::parse(text).unwrap().kind).collect()
    }

    async fn received(&self) -> Vec<i64> {
        let all = ParcelFilter::default();
        let rows = self.store.list_parcels(office(RECEIVER), Side::Received, &all, 100).await.unwrap();
        rows.iter().map(|row| row.seq).collect()
    }

    fn wait(&self, us: i64) {
        self.bench.clock.0.fetch_add(us, Ordering::SeqCst);
    }

    async fn keep_time(&self) {
        let config = LifecycleConfig {
            overdue_after: "2h".to_owned().try_into().unwrap(),
            expire_after: "5h".parse().unwrap(),
            hold_at_most: "8h".parse().unwrap(),
            ..LifecycleConfig::default()
        };
        let clock = Arc::clone(&self.bench.clock) as Arc<dyn Clock>;
        let keeper = Timekeeper::new(
            self.store.clone(),
            self.started.committer.clone(),
            clock,
            config,
            PartnersConfig::default(),
        );
        keeper.look(&mut None).await.unwrap();
    }

    async fn verify(&self) {
        let witness = self.bench.database.folder.path().join("witness");
        let mut found = log_verify::differences(&self.store, &self.started.ledger.key(), &witness).await;
        // The signers here are made up, and so are their certificates.
        found.remove("ARCHIVE");
        assert!(found.is_empty(), "{found:?}");
    }
}

/// What a party signs for an act; `None`: nothing.
fn word(act: Act, party: Party) -> Option<Word> {
    let by = if party.receives() { office(RECEIVER) } else { office(SENDER) };
    match act {
        Act::Release | Act::Discard if party == Party::Relay => None,
        Act::Release => Some(Word::Release),
        Act::Discard => Some(Word::Discard),
        Act::Recall => Some(Word::Recall),
        Act::Acknowledge => Some(Word::Acknowledge),
        Act::Refuse => Some(Word::Refuse { reason: RefusalReason::Other, text: None }),
        Act::Import => Some(Word::Import),
        Act::HandOver => Some(Word::HandOver),
        Act::Remark => Some(Word::Remark { by, urgent: false, text: sha256(b"") }),
        Act::AskWithdrawal => Some(Word::AskWithdrawal { text: None }),
        Act::Fetch | Act::Expire | Act::CallOverdue => None,
    }
}

/// How a parcel begins.
#[derive(Clone, Copy)]
enum Mailbox {
    Straight,
    Held,
    ToConfirm,
}

/// Ways into every state that a parcel can be in.
fn ways() -> Vec<(Mailbox, Vec<(Act, Party)>)> {
    use Mailbox::{Held, Straight, ToConfirm};
    use Party::{Recipient, RecipientProxy, Relay, Sender};
    let (fetch, sign) = ((Act::Fetch, Recipient), (Act::Acknowledge, Recipient));
    vec![
        (Held, vec![]),
        (Held, vec![(Act::Release, Sender)]),
        (Held, vec![(Act::Discard, Sender)]),
        (Held, vec![(Act::Recall, Sender)]),
        (ToConfirm, vec![]),
        (ToConfirm, vec![(Act::Release, Sender)]),
        (Straight, vec![]),
        (Straight, vec![(Act::CallOverdue, Relay)]),
        (Straight, vec![(Act::Recall, Sender)]),
        (Straight, vec![(Act::Expire, Relay)]),
        (Straight, vec![fetch]),
        (Straight, vec![fetch, (Act::Refuse, Recipient)]),
        (Straight, vec![(Act::Fetch, RecipientProxy), (Act::HandOver, RecipientProxy)]),
        (Straight, vec![fetch, sign]),
        (Straight, vec![fetch, sign, (Act::Refuse, Recipient)]),
        (Straight, vec![fetch, sign, (Act::Import, Recipient)]),
    ]
}

async fn every_act_yields_one_event_or_none(dialect: Dialect) {
    let case = Case::new(dialect).await;
    let parties = Party::ALL.map(Some).into_iter().chain([None]);
    let mut n = 0_u8;
    for (begin, way) in ways() {
        // One parcel for all refusals: they change nothing. A new one after each act that changed it.
        let mut parcel: Option<(ParcelKey, u8)> = None;
        for act in Act::ALL {
            for party in parties.clone() {
                let (key, m) = if let Some(same) = parcel {
                    same
                } else {
                    n = n.wrapping_add(1);
                    let begun = case.send(n, |delivery| match begin {
                        Mailbox::Straight => {}
                        Mailbox::Held => delivery.hold = Some(1),
                        Mailbox::ToConfirm => (delivery.hold, delivery.confirm) = (Some(0), true),
                    });
                    let key = begun.await;
                    for (act, party) in &way {
                        case.act(key, *act, *party, n).await.unwrap();
                    }
                    (key, n)
                };
                let before = (case.row(key).await, case.kinds(key).await);
                let Some(party) = party else {
                    let signed = word(act, Party::Sender).map(|word| signed(word, [m; 32]));
                    let stranger = doing(key, act, Some("9971100020"), signed);
                    assert_eq!(case.started.committer.submit(stranger).await.unwrap_err(), Refused::NotFound);
                    assert_eq!((case.row(key).await, case.kinds(key).await), before);
                    parcel = Some((key, m));
                    continue;
                };
                let told = tasuki_proto::lifecycle::step(before.0.state, before.0.past(), act, party);
                let outcome = case.act(key, act, party, m).await;
                let (row, kinds) = (case.row(key).await, case.kinds(key).await);
                match told {
                    Ok(Step::Moves(next)) => {
                        let done = outcome.unwrap();
                        prove(&case.started, &done).await;
                        assert_eq!((row.state, done.parcel.unwrap()), (next, row.clone()));
                        assert_eq!(kinds.len(), before.1.len() + 1);
                        assert_eq!(kinds.last().unwrap(), act.event_kind());
                        parcel = None;
                    }
                    Ok(Step::Notes) => {
                        outcome.unwrap();
                        assert_eq!((row.state, kinds.len()), (before.0.state, before.1.len() + 1));
                        assert_eq!(kinds.last().unwrap(), act.event_kind());
                        parcel = None;
                    }
                    Ok(Step::Repeats) => {
                        assert!(outcome.unwrap().repeated, "{act:?} {party:?}");
                        assert_eq!((row, kinds), before);
                        parcel = Some((key, m));
                    }
                    Err(reason) => {
                        assert_eq!(outcome.unwrap_err().code(), reason, "{act:?} {party:?}");
                        assert_eq!((row, kinds), before);
                        parcel = Some((key, m));
                    }
                }
            }
        }
    }
    case.verify().await;
}

async fn a_held_parcel_is_its_senders_alone(dialect: Dialect) {
    let case = Case::new(dialect).await;
    let before = case.feed(RECEIVER).await;
    let key = case.send(1, |d| d.hold = Some(0)).await;
    let timed = case.send(2, |d| d.hold = Some(START_US + HOUR_US)).await;
    let forgotten = case.send(3, |d| d.hold = Some(0)).await;
    assert_eq!(case.received().await, [] as [i64; 0]);
    assert_eq!(case.feed(RECEIVER).await, before, "nothing tells of what is held");
    case.keep_time().await;
    assert_eq!(case.row(timed).await.state, State::Held);
    let refused = case.started.committer.submit(doing(timed, Act::Release, None, None)).await;
    assert_eq!(refused.unwrap_err(), Refused::Conflict, "not before its time");

    let done = case.act(key, Act::Release, Party::Sender, 1).await.unwrap();
    let event = Event::parse(&done.text.unwrap()).unwrap();
    assert_eq!(event.lines.get("accepted"), Some(tasuki_proto::time::format_us(START_US).as_str()));
    assert!(event.digest("sealed").is_some() && event.digest("statement").is_some());
    case.wait(HOUR_US);
    case.keep_time().await;
    assert_eq!(case.kinds(timed).await, [kind::PARCEL_HELD, kind::PARCEL_DELIVERED]);
    assert_eq!(case.received().await.len(), 2);
    assert_eq!(case.feed(RECEIVER).await.len(), before.len() + 2);
    case.wait(8 * HOUR_US);
    case.keep_time().await;
    assert_eq!(case.kinds(forgotten).await, [kind::PARCEL_HELD, kind::PARCEL_DISCARDED]);
    case.verify().await;
}

async fn what_waits_too_long_is_told_once_and_expires(dialect: Dialect) {
    let case = Case::new(dialect).await;
    let (waits, fetched) = (case.send(1, |_| ()).await, case.send(2, |_| ()).await);
    let held = case.send(3, |d| d.hold = Some(0)).await;
    case.act(fetched, Act::Fetch, Party::Recipient, 2).await.unwrap();
    case.wait(HOUR_US);
    case.keep_time().await;
    assert_eq!(case.row(waits).await.marks.overdue_us, 0);
    // Its waiting begins with its release.
    case.act(held, Act::Release, Party::Sender, 3).await.unwrap();
    case.wait(HOUR_US + 1);
    case.keep_time().await;
    case.keep_time().await;
    assert_eq!(case.kinds(waits).await, [kind::PARCEL_DELIVERED, kind::PARCEL_OVERDUE]);
    let overdue = ParcelFilter { overdue: Some(true), ..ParcelFilter::default() };
    let list = case.store.list_parcels(office(SENDER), Side::Sent, &overdue, 10).await.unwrap();
    assert_eq!(list.iter().map(|row| row.key).collect::<Vec<_>>(), [waits]);
    case.wait(3 * HOUR_US);
    case.keep_time().await;
    assert_eq!(case.row(waits).await.state, State::Expired);
    assert_eq!(case.row(held).await.state, State::Delivered);
    case.wait(HOUR_US);
    case.keep_time().await;
    assert_eq!(case.kinds(held).await[2..], [kind::PARCEL_OVERDUE, kind::PARCEL_EXPIRED]);
    assert_eq!(case.row(fetched).await.state, State::Fetched);
    case.verify().await;
}

async fn the_newest_delivered_version_counts(dialect: Dialect) {
    let case = Case::new(dialect).await;
    let third = Change::PutOffices(vec![office_row("9971100020")]);
    case.started.committer.submit(third).await.unwrap();
    let first = case.send(1, |_| ()).await;
    let stranger = delivery(9);
    let refused = async |older: ParcelId, recipient: &str| {
        let mut parcel = delivery(8);
        parcel.supersedes = Some(older);
        parcel.recipient = office(recipient);
        case.started.committer.submit(Change::Deliver(parcel)).await.unwrap_err()
    };
    let unknown = Refused::Because(reason::SUPERSEDES_UNKNOWN);
    assert_eq!(refused(stranger.key.id, RECEIVER).await, unknown);
    assert_eq!(refused(first.id, "9971100020").await, unknown);

    // A held one does not supersede yet.
    let second = case.send(2, |d| (d.supersedes, d.hold) = (Some(first.id), Some(0))).await;
    assert_eq!(case.row(first).await.marks.superseded_by, None);
    case.act(second, Act::Release, Party::Sender, 2).await.unwrap();
    assert_eq!(case.row(first).await.marks.superseded_by, Some(second.id));
    let third = case.send(3, |d| d.supersedes = Some(first.id)).await;
    assert_eq!(case.row(first).await.marks.superseded_by, Some(third.id));
    case.verify().await;
    for (recalled, n, left) in [(third, 3, Some(second.id)), (second, 2, None)] {
        case.act(recalled, Act::Recall, Party::Sender, n).await.unwrap();
        assert_eq!(case.row(first).await.marks.superseded_by, left);
    }
    // One that was accepted earlier and released later is not the newest.
    let held = case.send(6, |d| (d.supersedes, d.hold) = (Some(first.id), Some(0))).await;
    let newest = case.send(7, |d| d.supersedes = Some(first.id)).await;
    case.act(held, Act::Release, Party::Sender, 6).await.unwrap();
    assert_eq!(case.row(first).await.marks.superseded_by, Some(newest.id));
    // Both in one batch: the newer one waits for the older.
    let (older, mut newer) = (delivery(4), delivery(5));
    let (a, b) = (older.key, newer.key);
    newer.supersedes = Some(a.id);
    let committer = &case.started.committer;
    let (x, y) =
        tokio::join!(committer.submit(Change::Deliver(older)), committer.submit(Change::Deliver(newer)));
    assert!(x.is_ok() && y.is_ok());
    assert_eq!(case.row(a).await.marks.superseded_by, Some(b.id));
    let filter = ParcelFilter { superseded: Some(false), ..ParcelFilter::default() };
    let list = case.store.list_parcels(office(RECEIVER), Side::Received, &filter, 10).await.unwrap();
    assert!(list.iter().all(|row| row.key != a) && list.iter().any(|row| row.key == b));
    case.verify().await;
}

async fn at_the_same_instant_one_wins(dialect: Dialect) {
    let case = Case::new(dialect).await;
    for n in 0..20 {
        let key = case.send(n, |_| ()).await;
        let recall = case.act(key, Act::Recall, Party::Sender, n);
        let fetch = case.act(key, Act::Fetch, Party::Recipient, n);
        let (recall, fetch) = if n % 2 == 0 {
            tokio::join!(recall, fetch)
        } else {
            let (f, r) = tokio::join!(fetch, recall);
            (r, f)
        };
        assert!(recall.is_ok() != fetch.is_ok());
        let state = if recall.is_ok() { State::Recalled } else { State::Fetched };
        assert_eq!((case.row(key).await.state, case.kinds(key).await.len()), (state, 2));

        let key = case.send(n + 100, |d| d.hold = Some(0)).await;
        let release = case.act(key, Act::Release, Party::Sender, n + 100);
        let discard = case.act(key, Act::Discard, Party::Sender, n + 100);
        let (release, discard) = tokio::join!(release, discard);
        assert!(release.is_ok() != discard.is_ok());
        assert_eq!(case.kinds(key).await.len(), 2);
    }
    case.verify().await;
}

async fn statements_have_a_bound_and_count_once(dialect: Dialect) {
    let case = Case::new(dialect).await;
    let key = case.send(1, |_| ()).await;
    let remark = |n: u32| {
        let mut signed =
            signed(Word::Remark { by: office(RECEIVER), urgent: n == 3, text: sha256(b"") }, [1; 32]);
        signed.paper.cms = format!("remark {n}").into_bytes();
        doing(key, Act::Remark, Some(RECEIVER), Some(signed))
    };
    for n in 0..tasuki_proto::limits::MAX_STATEMENTS {
        assert!(!case.started.committer.submit(remark(n)).await.unwrap().repeated);
    }
    assert!(case.row(key).await.marks.urgent);
    assert!(case.started.committer.submit(remark(7)).await.unwrap().repeated);
    let refused = case.started.committer.submit(remark(9999)).await.unwrap_err();
    assert_eq!(refused, Refused::Because(reason::TOO_MANY_STATEMENTS));
    // Its life goes on.
    case.act(key, Act::Fetch, Party::Recipient, 1).await.unwrap();
    case.act(key, Act::Acknowledge, Party::Recipient, 1).await.unwrap();
    let wrong = case.act(key, Act::Import, Party::Recipient, 2).await.unwrap_err();
    assert_eq!(wrong, Refused::Digest);
}

on_both_databases!(
    every_act_yields_one_event_or_none,
    a_held_parcel_is_its_senders_alone,
    what_waits_too_long_is_told_once_and_expires,
    the_newest_delivered_version_counts,
    at_the_same_instant_one_wins,
    statements_have_a_bound_and_count_once,
);
