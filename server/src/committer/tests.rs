//! The committer on real databases: what is answered stands, in the log, in order, once.

mod archive;
mod aside;
mod certificates;
mod lifecycle;
mod log_key;
mod operators;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::event::{Event, kind, leaf_hash, sha256};
use tasuki_proto::feed::Cursor;
use tasuki_proto::ids::{ParcelId, ParcelKey};
use tasuki_proto::lifecycle::{Act, State};
use tasuki_proto::log::LogSigner;
use tasuki_proto::reason;
use tasuki_proto::statement::Word;

use super::change::{Actor, Change, Delivery, Doing, Done, Paper, Refused, Signed};
use super::events::Lost;
use super::start::Found;
use super::{Committer, Started};
use crate::clock::{Clock, HandClock};
use crate::config::RetentionConfig;
use crate::retention::Sweeper;
use crate::store::Store;
use crate::store::dialect::Dialect;
use crate::store::leaves::Position;
use crate::store::offices::{OfficeRow, OfficeState};
use crate::store::parcel_lists::{ParcelFilter, Side};
use crate::store::parcels::FileRow;
use crate::store::testing::{TestDatabase, on_both_databases};

const SENDER: &str = "1371215102";
const RECEIVER: &str = "9971100012";
const START_US: i64 = 1_795_261_114_000_000;

struct Bench {
    database: TestDatabase,
    key: String,
    clock: Arc<HandClock>,
}

impl Bench {
    async fn new(dialect: Dialect) -> Self {
        let key = LogSigner::generate("relay.test/log", &ring::rand::SystemRandom::new()).unwrap();
        Self {
            database: TestDatabase::new(dialect).await,
            key: key.to_secret_text().unwrap().to_string(),
            clock: Arc::new(HandClock(AtomicI64::new(START_US))),
        }
    }

    async fn start(&self) -> (Store, Started) {
        let store = self.database.open().await;
        let started = self.start_on(store.clone()).await;
        (store, started)
    }

    async fn start_on(&self, store: Store) -> Started {
        let signer = LogSigner::from_secret_text(&self.key).unwrap();
        let witness = self.database.folder.path().join("witness");
        Committer::start(store, signer, &witness, Arc::clone(&self.clock) as Arc<dyn Clock>).await.unwrap()
    }
}

fn office(number: &str) -> OfficeNumber {
    number.parse().unwrap()
}

fn office_row(number: &str) -> OfficeRow {
    OfficeRow {
        number: office(number),
        name: format!("事業所{number}"),
        kana: "ジギョウショ".to_owned(),
        services: vec!["11".to_owned()],
        standard_ready: true,
        municipality: "東京都千代田区".to_owned(),
        accepts: vec!["pdf".to_owned()],
        declared: false,
        state: OfficeState::Active,
        since_us: 0,
    }
}

fn delivery(n: u8) -> Box<Delivery> {
    let id = ParcelId::new(START_US + i64::from(n) * 1000, &ring::rand::SystemRandom::new()).unwrap();
    let sealed = vec![n; 1000];
    Box::new(Delivery {
        key: ParcelKey { sender: office(SENDER), id },
        recipient: office(RECEIVER),
        digest: [n; 32],
        container_size: 900,
        sealed_digest: sha256(&sealed),
        sealed_size: 1000,
        aside: false,
        sealed,
        files: vec![FileRow {
            kind: "UPPLAN".to_owned(),
            month: "202602".to_owned(),
            serial: "20260125103000".to_owned(),
            size: 2444,
        }],
        signer: [1; 32],
        transmitter: format!("office:{SENDER}"),
        mandates: Vec::new(),
        proxy: None,
        vouched: false,
        confirm: false,
        crls: vec![[2; 32]],
        archive: Arc::default(),
        directory: 0,
        hold: None,
        supersedes: None,
        partners: crate::config::PartnersConfig::default(),
    })
}

fn again(delivery: &Delivery) -> Box<Delivery> {
    Box::new(Delivery {
        sealed: delivery.sealed.clone(),
        files: delivery.files.clone(),
        transmitter: delivery.transmitter.clone(),
        mandates: delivery.mandates.clone(),
        crls: delivery.crls.clone(),
        archive: Arc::default(),
        ..*delivery
    })
}

fn doing(key: ParcelKey, act: Act, by: Option<&str>, signed: Option<Signed>) -> Change {
    let by = by.map_or(Actor::Relay, |number| Actor::Office {
        office: office(number),
        name: format!("office:{number}"),
        mandate: None,
        vouched: false,
    });
    Change::Act(Box::new(Doing { key, act, by, signed }))
}

fn signed(word: Word, digest: [u8; 32]) -> Signed {
    let paper = Paper {
        cms: format!("signed {word:?} {digest:?}").into_bytes(),
        text: Vec::new(),
        signer: [3; 32],
        archive: Arc::default(),
    };
    Signed { digest, recipient: office(RECEIVER), word, paper }
}

fn acknowledgement(key: ParcelKey, digest: [u8; 32]) -> Change {
    doing(key, Act::Acknowledge, Some(RECEIVER), Some(signed(Word::Acknowledge, digest)))
}

fn fetch(key: ParcelKey) -> Change {
    doing(key, Act::Fetch, Some(RECEIVER), None)
}

async fn with_offices(committer: &Committer) {
    committer.submit(Change::PutOffices(vec![office_row(SENDER), office_row(RECEIVER)])).await.unwrap();
}

async fn contents_go_when_their_time_is_over(dialect: Dialect) {
    const HOUR_US: i64 = 3_600_000_000;
    let bench = Bench::new(dialect).await;
    let (store, started) = bench.start().await;
    let committer = &started.committer;
    with_offices(committer).await;
    let (waiting, fetched, signed) = (delivery(1), delivery(2), delivery(3));
    let keys = [waiting.key, fetched.key, signed.key];
    for parcel in [waiting, fetched, signed] {
        committer.submit(Change::Deliver(parcel)).await.unwrap();
    }
    for key in &keys[1..] {
        committer.submit(fetch(*key)).await.unwrap();
    }
    committer.submit(acknowledgement(keys[2], [3; 32])).await.unwrap();

    let config = RetentionConfig { acknowledged: "2h".parse().unwrap(), ..RetentionConfig::default() };
    let sweeper = Sweeper::new(store.clone(), Arc::clone(&bench.clock) as Arc<dyn Clock>, config);
    assert_eq!(sweeper.sweep().await.unwrap(), 0, "two hours are not over");
    bench.clock.0.store(START_US + 2 * HOUR_US + 1, Ordering::SeqCst);
    assert_eq!(sweeper.sweep().await.unwrap(), 1);
    assert_eq!(sweeper.sweep().await.unwrap(), 0);
    for (key, kept) in keys.iter().zip([true, true, false]) {
        let row = store.parcel(key).await.unwrap().unwrap();
        assert_eq!(store.content(row.seq, 0, 10).await.unwrap().is_some(), kept);
        assert!(!store.leaves_of_parcel(row.seq).await.unwrap().is_empty(), "evidence stays");
    }
}

async fn prove(started: &Started, done: &Done) {
    let position = done.position.unwrap();
    let evidence = started.ledger.evidence(position, &done.checkpoint, None, None).await.unwrap();
    let checkpoint = started.ledger.key().open(&evidence.checkpoint).unwrap();
    tasuki_proto::evidence::check(&evidence, &checkpoint).unwrap();
}

async fn a_parcel_lives(dialect: Dialect) {
    let bench = Bench::new(dialect).await;
    let (store, started) = bench.start().await;
    assert_eq!(started.found, Found::New);
    let committer = &started.committer;
    with_offices(committer).await;

    let parcel = delivery(1);
    let key = parcel.key;
    let done = committer.submit(Change::Deliver(parcel)).await.unwrap();
    prove(&started, &done).await;
    assert!(!done.repeated);
    assert_eq!(
        committer.submit(acknowledgement(key, [1; 32])).await.unwrap_err(),
        Refused::Because(reason::NOT_FETCHED)
    );
    let stranger = doing(key, Act::Fetch, Some("9971100020"), None);
    assert_eq!(committer.submit(stranger).await.unwrap_err(), Refused::NotFound);

    let done = committer.submit(fetch(key)).await.unwrap();
    prove(&started, &done).await;
    assert!(committer.submit(fetch(key)).await.unwrap().repeated);
    assert_eq!(committer.submit(acknowledgement(key, [9; 32])).await.unwrap_err(), Refused::Digest);
    let done = committer.submit(acknowledgement(key, [1; 32])).await.unwrap();
    prove(&started, &done).await;
    assert!(committer.submit(acknowledgement(key, [1; 32])).await.unwrap().repeated);

    let row = store.parcel(&key).await.unwrap().unwrap();
    assert_eq!(row.state, State::Acknowledged);
    assert_eq!(store.content(row.seq, 990, 100).await.unwrap(), Some(vec![1; 10]));
    let kinds: Vec<String> = store
        .leaves_of_parcel(row.seq)
        .await
        .unwrap()
        .iter()
        .map(|leaf| Event::parse(&leaf.text).unwrap().kind)
        .collect();
    assert_eq!(kinds, [kind::PARCEL_DELIVERED, kind::PARCEL_FETCHED, kind::PARCEL_ACKNOWLEDGED]);
    let paper = signed(Word::Acknowledge, [1; 32]).paper;
    assert_eq!(store.statements_of(row.seq).await.unwrap()[0].cms, paper.cms);
}

async fn repetitions_answer_the_first_result(dialect: Dialect) {
    let bench = Bench::new(dialect).await;
    let (store, started) = bench.start().await;
    let committer = &started.committer;
    with_offices(committer).await;
    let first = delivery(1);
    let done = committer.submit(Change::Deliver(again(&first))).await.unwrap();

    let mut other = again(&first);
    other.digest = [7; 32];
    // In one batch with good ones: neither disturbs the others.
    let (repeated, reused, fresh) = tokio::join!(
        committer.submit(Change::Deliver(again(&first))),
        committer.submit(Change::Deliver(other)),
        committer.submit(Change::Deliver(delivery(2))),
    );
    let repeated = repeated.unwrap();
    assert!(repeated.repeated);
    assert_eq!(repeated.position, done.position);
    assert_eq!(reused.unwrap_err(), Refused::IdReused);
    let fresh = fresh.unwrap();
    prove(&started, &fresh).await;
    let row = fresh.parcel.unwrap();
    assert_eq!(store.content(row.seq, 0, 5000).await.unwrap(), Some(vec![2; 1000]));

    // Twice the same new one at once.
    let twice = delivery(3);
    let (a, b) = tokio::join!(
        committer.submit(Change::Deliver(again(&twice))),
        committer.submit(Change::Deliver(again(&twice))),
    );
    assert_ne!(a.unwrap().repeated, b.unwrap().repeated);
    let all = store.list_parcels(office(SENDER), Side::Sent, &ParcelFilter::default(), 100).await.unwrap();
    assert_eq!(all.len(), 3);

    // A batch that is tried again without a repetition writes everything else whole.
    committer.submit(fetch(first.key)).await.unwrap();
    let (word, repeated) = tokio::join!(
        committer.submit(acknowledgement(first.key, [1; 32])),
        committer.submit(Change::Deliver(again(&first))),
    );
    assert!(repeated.unwrap().repeated);
    let seq = word.unwrap().parcel.unwrap().seq;
    let paper = signed(Word::Acknowledge, [1; 32]).paper;
    assert_eq!(store.statements_of(seq).await.unwrap()[0].cms, paper.cms);
}

async fn many_at_once_make_gapless_feeds(dialect: Dialect) {
    let bench = Bench::new(dialect).await;
    let (store, started) = bench.start().await;
    with_offices(&started.committer).await;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..200 {
        let committer = started.committer.clone();
        tasks.spawn(async move { committer.submit(Change::Deliver(delivery(n))).await.unwrap() });
    }
    let done = tasks.join_all().await;
    for one in &done {
        prove(&started, one).await;
    }
    for number in [SENDER, RECEIVER] {
        let mut previous = tasuki_proto::feed::NO_PREVIOUS;
        let mut cursor = Cursor::default();
        let mut count = 0;
        loop {
            let page = store.feed_after(office(number), cursor, 64).await.unwrap();
            if page.is_empty() {
                break;
            }
            for (row, text) in page {
                let event = Event::parse(&text).unwrap();
                assert!(event.feeds.contains(&row.opening.commitment()));
                assert_eq!(row.opening.number, cursor.number + 1);
                assert_eq!(row.opening.previous, previous);
                previous = leaf_hash(&text);
                cursor = Cursor { epoch: row.position.epoch, number: row.opening.number };
                count += 1;
            }
        }
        assert_eq!(count, 201, "office.changed and 200 parcels");
        assert_eq!(store.feed_length(office(number), 1).await.unwrap(), 201);
    }
}

async fn two_processes_share_one_log(dialect: Dialect) {
    let bench = Bench::new(dialect).await;
    let (_, relay) = bench.start().await;
    with_offices(&relay.committer).await;
    let (_, command) = bench.start().await;
    assert_eq!(command.found, Found::Continues);
    for n in 0..10 {
        let by = if n % 2 == 0 { &relay } else { &command };
        let done = by.committer.submit(Change::Deliver(delivery(n))).await.unwrap();
        prove(by, &done).await;
    }
    let suspend = Change::SetOfficeState {
        office: office(RECEIVER),
        state: OfficeState::Suspended,
        reason: "test".to_owned(),
    };
    command.committer.submit(suspend).await.unwrap();
    // The relay checked the parcel before it heard: the commit looks again.
    let refused = relay.committer.submit(Change::Deliver(delivery(11))).await.unwrap_err();
    assert_eq!(refused, Refused::Recipient);
    // What the command wrote reaches the relay's readers without a restart.
    let mut news = relay.ledger.watch();
    let target = command.ledger.checkpoint().size;
    let seen = tokio::time::timeout(std::time::Duration::from_secs(5), async {
        while news.borrow_and_update().size < target {
            news.changed().await.unwrap();
        }
    });
    seen.await.unwrap();
}

async fn a_database_set_back_begins_an_epoch(dialect: Dialect) {
    let bench = Bench::new(dialect).await;
    let (store, started) = bench.start().await;
    with_offices(&started.committer).await;
    let kept = started.committer.submit(Change::Deliver(delivery(1))).await.unwrap();
    let size = kept.checkpoint.size;
    let lost = started.committer.submit(Change::Deliver(delivery(2))).await.unwrap();
    drop(started.committer);
    started.running.finished().await.unwrap();
    // Set the database back to before the second parcel.
    let mut tx = store.begin().await.unwrap();
    let mut head = store.take_head(&mut tx).await.unwrap();
    let old = Position { epoch: 1, index: size };
    for sql in [
        "DELETE FROM leaves WHERE pos >= $1",
        "DELETE FROM feeds WHERE pos >= $1",
        "DELETE FROM parcels WHERE pos >= $1",
    ] {
        sqlx::query(sql).bind(old.to_key()).execute(&mut *tx).await.unwrap();
    }
    sqlx::query("DELETE FROM checkpoints WHERE size > $1")
        .bind(i64::try_from(size).unwrap())
        .execute(&mut *tx)
        .await
        .unwrap();
    let leaves = store.leaves_from(Position { epoch: 1, index: 0 }, 100).await.unwrap();
    let hashes: Vec<u8> =
        leaves.iter().take(usize::try_from(size).unwrap()).flat_map(|l| leaf_hash(&l.text)).collect();
    let name = crate::store::leaves::TileName { epoch: 1, level: 0, tile: 0 };
    store.put_tile(&mut tx, name, hashes).await.unwrap();
    head.size = size;
    head.note.clone_from(&kept.checkpoint.note);
    store.put_head(&mut tx, &head).await.unwrap();
    tx.commit().await.unwrap();

    let (store, started) = bench.start().await;
    assert_eq!(started.found, Found::WentBack(Lost { epoch: 1, kept: size, known: lost.checkpoint.size }));
    // The sender learns it from its own feed, in the new epoch, from number 1 on.
    let news = store.feed_after(office(SENDER), Cursor { epoch: 1, number: 99 }, 10).await.unwrap();
    let event = Event::parse(&news[0].1).unwrap();
    assert_eq!((event.kind.as_str(), event.epoch, news[0].0.opening.number), (kind::LOG_STARTED, 2, 1));
    assert_eq!(event.lines.get("lost-size"), Some(lost.checkpoint.size.to_string().as_str()));
    // Work goes on, and past epochs stay provable.
    let done = started.committer.submit(Change::Deliver(delivery(3))).await.unwrap();
    prove(&started, &done).await;
    let past = started.ledger.checkpoint_of(1).await.unwrap();
    assert_eq!(past.size, size);
    started.ledger.inclusion(kept.position.unwrap(), &past).await.unwrap();
}

async fn time_never_runs_back_and_a_wild_clock_writes_nothing(dialect: Dialect) {
    let bench = Bench::new(dialect).await;
    let (store, started) = bench.start().await;
    with_offices(&started.committer).await;
    bench.clock.0.store(START_US - 30_000_000, Ordering::SeqCst);
    let done = started.committer.submit(Change::Deliver(delivery(1))).await.unwrap();
    let leaf = &store.leaves_from(done.position.unwrap(), 1).await.unwrap()[0];
    assert_eq!(Event::parse(&leaf.text).unwrap().time_us, START_US);
    bench.clock.0.store(START_US - 3_600_000_000, Ordering::SeqCst);
    let refused = started.committer.submit(Change::Deliver(delivery(2))).await.unwrap_err();
    assert_eq!(refused, Refused::Unavailable);
    bench.clock.0.store(START_US + 1_000_000, Ordering::SeqCst);
    let done = started.committer.submit(Change::Deliver(delivery(3))).await.unwrap();
    prove(&started, &done).await;
}

async fn lists_filter_and_page(dialect: Dialect) {
    let bench = Bench::new(dialect).await;
    let (store, started) = bench.start().await;
    with_offices(&started.committer).await;
    for n in 0..5 {
        let mut parcel = delivery(n);
        if n == 3 {
            parcel.files[0].month = "202603".to_owned();
            parcel.files[0].kind = "UPJSK".to_owned();
        }
        started.committer.submit(Change::Deliver(parcel)).await.unwrap();
    }
    let list = async |side, filter: &ParcelFilter, limit| {
        let office = if side == Side::Sent { office(SENDER) } else { office(RECEIVER) };
        let rows = store.list_parcels(office, side, filter, limit).await.unwrap();
        rows.iter().map(|p| p.seq).collect::<Vec<_>>()
    };
    let all = ParcelFilter::default();
    assert_eq!(list(Side::Received, &all, 3).await, [1, 2, 3]);
    assert_eq!(list(Side::Received, &ParcelFilter { after: Some(3), ..all.clone() }, 3).await, [4, 5]);
    assert_eq!(list(Side::Sent, &all, 2).await, [5, 4]);
    assert_eq!(list(Side::Sent, &ParcelFilter { after: Some(4), ..all.clone() }, 10).await, [3, 2, 1]);
    let month = ParcelFilter { month: Some("202603".to_owned()), ..all.clone() };
    assert_eq!(list(Side::Received, &month, 10).await, [4]);
    let kind = ParcelFilter { kind: Some("UPJSK".to_owned()), ..all.clone() };
    assert_eq!(list(Side::Received, &kind, 10).await, [4]);
    let states = ParcelFilter { states: vec![State::Fetched, State::Acknowledged], ..all.clone() };
    assert!(list(Side::Received, &states, 10).await.is_empty());
    let partner = ParcelFilter { partner: Some(office(SENDER)), states: vec![State::Delivered], ..all };
    assert_eq!(list(Side::Received, &partner, 10).await.len(), 5);
    let (found, next) = store.search_offices("じぎょうしょ　９９７", None, 10).await.unwrap();
    assert_eq!((found.len(), next), (1, None));
    let (found, next) = store.search_offices("", None, 1).await.unwrap();
    assert_eq!((found[0].number, next), (office(SENDER), Some(office(SENDER))));
}

on_both_databases!(
    a_parcel_lives,
    repetitions_answer_the_first_result,
    many_at_once_make_gapless_feeds,
    two_processes_share_one_log,
    a_database_set_back_begins_an_epoch,
    time_never_runs_back_and_a_wild_clock_writes_nothing,
    lists_filter_and_page,
    contents_go_when_their_time_is_over,
);
