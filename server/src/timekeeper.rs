//! The timekeeper: what happens to parcels because a time has come. Held ones are released or given up, waiting ones
//! are called overdue and expire. Where only partners exchange, what is held for one that is none any more is discarded when its
//! time of release comes.
//!
//! Waiting parcels are found by walking the log, which is in the order of time: how far it was walked is remembered, for
//! each of the two periods, so that no parcel needs a row of an index for as long as it waits. Several relays may keep time
//! on one database: the committer lets each thing happen once.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tasuki_proto::ids::ParcelKey;
use tasuki_proto::lifecycle::Act;

use crate::clock::Clock;
use crate::committer::Committer;
use crate::committer::change::{Actor, Change, Doing, Refused};
use crate::config::{LifecycleConfig, PartnersConfig};
use crate::store::leaves::Position;
use crate::store::parcels::ParcelRow;
use crate::store::{Store, StoreError, settings};

/// Parcels that one step moves: one batch of the committer. Leaves that one step looks at.
const STEP: u32 = 128;
const LEAVES: u32 = 1_000;

/// Steps of one look, for each of the things that are looked for: the others have their turn, too.
const STEPS: u32 = 100;

/// Positions that a walk goes on before it is written down. A relay that starts walks at most so far again.
const NOTE_EVERY: u64 = 10_000;

/// Keeps time while the relay runs.
#[derive(Debug)]
pub(crate) struct Timekeeper {
    store: Store,
    committer: Committer,
    clock: Arc<dyn Clock>,
    config: LifecycleConfig,
    partners: PartnersConfig,
}

/// How far the log was walked for one of the periods.
#[derive(Debug)]
pub(crate) struct Walk {
    act: Act,
    setting: &'static str,
    at: Position,
    noted: Position,
}

impl Timekeeper {
    /// Keeps time for this store by these periods.
    pub(crate) fn new(
        store: Store,
        committer: Committer,
        clock: Arc<dyn Clock>,
        config: LifecycleConfig,
        partners: PartnersConfig,
    ) -> Self {
        Self { store, committer, clock, config, partners }
    }

    /// Looks again and again, until the task is dropped.
    pub(crate) async fn run(self) {
        let mut ticks = tokio::time::interval(Duration::from_secs(u64::from(self.config.look_every_s)));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut walks = None;
        loop {
            ticks.tick().await;
            if let Err(error) = self.look(&mut walks).await {
                // What is due stays due.
                tracing::warn!(%error, "parcels whose time has come can't be looked for");
            }
        }
    }

    pub(crate) async fn look(&self, walks: &mut Option<[Walk; 2]>) -> Result<(), StoreError> {
        let now_us = self.clock.now_us();
        for _ in 0..STEPS {
            let due = self.store.releases_due(now_us, STEP).await?;
            let (due, parted) = self.parted(due).await?;
            if due.is_empty() && parted.is_empty() {
                break;
            }
            let released = self.all(&due, Act::Release, Actor::Relay).await;
            if !(self.all(&parted, Act::Discard, Actor::Parted).await && released) {
                break;
            }
        }
        for _ in 0..STEPS {
            let before_us = now_us.saturating_sub(self.config.hold_at_most.us());
            let given_up = self.store.held_since(before_us, STEP).await?;
            if given_up.is_empty() || !self.all(&given_up, Act::Discard, Actor::Relay).await {
                break;
            }
        }
        let walks = match walks {
            Some(walks) => walks,
            None => walks.insert([
                Walk::start(&self.store, Act::CallOverdue, settings::WALKED_OVERDUE).await?,
                Walk::start(&self.store, Act::Expire, settings::WALKED_EXPIRED).await?,
            ]),
        };
        for walk in walks {
            self.walk(walk, now_us).await?;
        }
        Ok(())
    }

    /// Walks on as far as parcels are due.
    async fn walk(&self, walk: &mut Walk, now_us: i64) -> Result<(), StoreError> {
        while let Some(piece) = self.store.waiting_behind(walk.at, LEAVES).await? {
            let young = |delivered_us: i64| self.ends_us(walk.act, delivered_us) >= now_us;
            let due = piece.parcels.partition_point(|row| !young(row.delivered_us()));
            for step in piece.parcels[..due].chunks(STEP as usize) {
                // Nobody waits for a version that a newer one has taken the place of: an inbox does not even show it.
                let chased = step
                    .iter()
                    .filter(|row| walk.act != Act::CallOverdue || row.marks.superseded_by.is_none());
                let keys: Vec<ParcelKey> = chased.map(|row| row.key).collect();
                if !self.all(&keys, walk.act, Actor::Relay).await {
                    return Ok(());
                }
            }
            match piece.parcels.get(due) {
                // The first that is not due yet: the next look begins there.
                Some(first) => {
                    let behind = first.position.to_key() - 1;
                    walk.at = Position::from_key(behind.max(walk.at.to_key()));
                    return walk.note(&self.store).await;
                }
                None => walk.at = piece.last,
            }
            walk.note(&self.store).await?;
        }
        Ok(())
    }

    fn ends_us(&self, act: Act, delivered_us: i64) -> i64 {
        match act {
            Act::CallOverdue => self.config.overdue_after.ends_us(delivered_us),
            _ => delivered_us.saturating_add(self.config.expire_after.us()),
        }
    }

    /// Parts what is due from what may not be delivered any more, because its two offices have ended their partnership.
    async fn parted(&self, due: Vec<ParcelRow>) -> Result<(Vec<ParcelKey>, Vec<ParcelKey>), StoreError> {
        let (mut good, mut parted) = (Vec::new(), Vec::new());
        for ParcelRow { key, recipient, .. } in due {
            let may = !self.partners.linked_only() || self.store.linked(key.sender, recipient).await?;
            if may { good.push(key) } else { parted.push(key) }
        }
        Ok((good, parted))
    }

    /// Does this to all of them. False: some may be left, because the relay can't write now.
    async fn all(&self, parcels: &[ParcelKey], act: Act, by: Actor) -> bool {
        let outcomes = join_all(parcels.iter().map(|key| {
            let doing = Doing { key: *key, act, by: by.clone(), signed: None };
            self.committer.submit(Change::Act(Box::new(doing)))
        }));
        let mut done = true;
        for outcome in outcomes.await {
            match outcome {
                Ok(_) => {
                    metrics::counter!("tasuki_parcels_timed_total", "event" => act.event_kind()).increment(1);
                }
                Err(Refused::Unavailable | Refused::ShuttingDown) => done = false,
                // Somebody was faster: its receiver, its sender, another relay.
                Err(_) => {}
            }
        }
        done
    }
}

impl Walk {
    async fn start(store: &Store, act: Act, setting: &'static str) -> Result<Self, StoreError> {
        let noted = store.setting(setting).await?.and_then(|text| text.parse().ok()).unwrap_or(0);
        let at = Position::from_key(noted);
        Ok(Self { act, setting, at, noted: at })
    }

    /// Writes down how far it came, now and then.
    async fn note(&mut self, store: &Store) -> Result<(), StoreError> {
        let far = self.at.epoch != self.noted.epoch || self.at.index >= self.noted.index + NOTE_EVERY;
        if !far {
            return Ok(());
        }
        let mut tx = store.begin().await?;
        store.put_setting(&mut tx, self.setting, &self.at.to_key().to_string()).await?;
        tx.commit().await.map_err(StoreError::from)?;
        self.noted = self.at;
        Ok(())
    }
}
