//! Certificates and CRLs go with the evidence that needed them, and not before.

use std::collections::BTreeSet;

use super::*;
use crate::store::archive::Archived;
use crate::store::archive_sweep::{LINGER_US, Unnamed};

const DAY_US: i64 = 24 * 3_600 * 1_000_000;
const YEAR_US: i64 = 366 * DAY_US;

/// Something for the archive, under the CA's certificate if it is a signer's.
fn item(name: &str) -> Archived {
    let (fingerprint, ca) = (sha256(name.as_bytes()), sha256(b"ca"));
    let (kind, chain) = match name {
        "ca" => ("certificate", vec![ca]),
        list if list.starts_with("list") => ("crl", Vec::new()),
        _ => ("certificate", vec![fingerprint, ca]),
    };
    Archived { fingerprint, kind, der: name.as_bytes().into(), chain }
}

fn items(names: &[&str]) -> Arc<Vec<Archived>> {
    Arc::new(names.iter().map(|name| item(name)).collect())
}

/// A parcel that this signer signed, checked against this list, with what intake would hand over.
fn by(n: u8, signer: &str, list: &str) -> Box<Delivery> {
    Box::new(Delivery {
        signer: item(signer).fingerprint,
        crls: vec![item(list).fingerprint],
        archive: items(&[signer, "ca", list]),
        ..*delivery(n)
    })
}

struct Years {
    bench: Bench,
    store: Store,
    started: Started,
    sweeper: Sweeper,
}

impl Years {
    async fn new(dialect: Dialect) -> Self {
        let bench = Bench::new(dialect).await;
        let (store, started) = bench.start().await;
        with_offices(&started.committer).await;
        let clock = Arc::clone(&bench.clock) as Arc<dyn Clock>;
        let sweeper = Sweeper::new(store.clone(), clock, RetentionConfig::default());
        Self { bench, store, started, sweeper }
    }

    async fn submit(&self, change: Change) -> Done {
        self.started.committer.submit(change).await.unwrap()
    }

    /// Goes on to a time; something happens there, and all that is due goes.
    async fn at(&self, us: i64) -> Unnamed {
        self.bench.clock.0.store(START_US + us, Ordering::SeqCst);
        for state in [OfficeState::Suspended, OfficeState::Active] {
            let office = office("9971100020");
            self.submit(Change::SetOfficeState { office, state, reason: "test".to_owned() }).await;
        }
        self.sweeper.sweep().await.unwrap();
        self.sweeper.erase_evidence().await.unwrap();
        let due = self.store.archive_due().await.unwrap();
        assert_eq!(self.sweeper.erase_archive().await.unwrap(), due, "what was shown went");
        due
    }

    /// What of these is still kept.
    async fn kept(&self) -> BTreeSet<&'static str> {
        let mut kept = BTreeSet::new();
        for name in ["ca", "early", "late", "receiver", "operator", "list 1", "list 2"] {
            if self.store.archived(&item(name).fingerprint).await.unwrap().is_some() {
                kept.insert(name);
            }
        }
        kept
    }
}

async fn what_no_evidence_names_goes(dialect: Dialect) {
    let years = Years::new(dialect).await;
    years.submit(Change::PutOffices(vec![office_row("9971100020")])).await;
    // One parcel that is over soon, and one that its receiver signs for a year later.
    let (short, long) = (by(1, "early", "list 1"), by(2, "late", "list 2"));
    let (short_key, long_key) = (short.key, long.key);
    for parcel in [short, long] {
        years.submit(Change::Deliver(parcel)).await;
    }
    years.submit(fetch(short_key)).await;
    years.submit(fetch(long_key)).await;
    let signed = |digest| {
        let paper = Paper {
            cms: format!("signed {digest:?}").into_bytes(),
            text: Vec::new(),
            signer: item("receiver").fingerprint,
            archive: items(&["receiver", "ca"]),
        };
        Some(Signed { digest, recipient: office(RECEIVER), word: Word::Acknowledge, paper })
    };
    years.submit(doing(short_key, Act::Acknowledge, Some(RECEIVER), signed([1; 32]))).await;
    // An event that stays for ever names a certificate as well.
    years.at(DAY_US).await;
    let mut tx = years.store.begin().await.unwrap();
    for name in ["operator", "ca"] {
        years.store.archive(&mut tx, &item(name), START_US + DAY_US).await.unwrap();
    }
    tx.commit().await.unwrap();
    let lines = vec![("signer", tasuki_proto::canonical::digest_text(&item("operator").fingerprint))];
    years.submit(Change::Audit { kind: kind::REVOCATION_OVERRIDE, lines, office: None, setting: None }).await;
    let all = BTreeSet::from(["ca", "early", "late", "receiver", "operator", "list 1", "list 2"]);
    assert_eq!(years.kept().await, all);

    years.at(2 * LINGER_US).await;
    years.at(YEAR_US).await;
    years.submit(doing(long_key, Act::Acknowledge, Some(RECEIVER), signed([2; 32]))).await;
    years.at(YEAR_US + 2 * LINGER_US).await;
    // Evidence of the first parcel goes; what it named lingers.
    years.at(5 * YEAR_US + 2 * DAY_US).await;
    years.at(5 * YEAR_US + 3 * DAY_US).await;
    assert!(years.store.parcel(&short_key).await.unwrap().is_none());
    assert_eq!(years.kept().await, all);
    let gone = years.at(5 * YEAR_US + 2 * LINGER_US + DAY_US).await;
    assert_eq!(gone, Unnamed { count: 2, bytes: "earlylist 1".len() as u64, oldest_us: START_US });
    let named_by_the_second = BTreeSet::from(["ca", "late", "receiver", "operator", "list 2"]);
    assert_eq!(
        years.kept().await,
        named_by_the_second,
        "its signer, its list, its receiver's word, their CA"
    );

    // Whoever signs again is archived again.
    years.submit(Change::Deliver(by(3, "early", "list 1"))).await;
    assert_eq!(years.kept().await, all);
    years.at(6 * YEAR_US + 2 * LINGER_US + DAY_US).await;
    assert!(years.store.parcel(&long_key).await.unwrap().is_none());
    assert_eq!(years.kept().await, BTreeSet::from(["ca", "early", "operator", "list 1"]));
}

async fn what_is_needed_while_the_sweep_looks_stays(dialect: Dialect) {
    let years = Years::new(dialect).await;
    years.submit(Change::PutOffices(vec![office_row("9971100020")])).await;
    // From before uses were noted: they count as used when the first sweep finds them.
    let mut tx = years.store.begin().await.unwrap();
    for name in ["early", "ca", "list 1"] {
        years.store.archive(&mut tx, &item(name), 0).await.unwrap();
    }
    tx.commit().await.unwrap();
    years.at(DAY_US).await;
    years.at(5 * YEAR_US).await;
    assert_eq!(years.kept().await, BTreeSet::from(["ca", "early", "list 1"]));
    years.bench.clock.0.store(START_US + 6 * YEAR_US, Ordering::SeqCst);
    years.submit(Change::PutOffices(vec![office_row("9971100020")])).await;
    years.bench.clock.0.store(START_US + 12 * YEAR_US, Ordering::SeqCst);
    years.sweeper.erase_evidence().await.unwrap();
    let page = years.store.unnamed(None).await.unwrap().unwrap();
    assert_eq!(page.unnamed.len(), 3);
    years.submit(Change::Deliver(by(1, "early", "list 2"))).await;
    assert_eq!(
        years.store.erase_unnamed(&page.unnamed).await.unwrap().count,
        1,
        "only the list that nobody used"
    );
    assert_eq!(years.kept().await, BTreeSet::from(["ca", "early", "list 2"]));
}

on_both_databases!(what_no_evidence_names_goes, what_is_needed_while_the_sweep_looks_stays);
