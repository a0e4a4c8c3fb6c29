//! Retention: Tasuki transports, proves and forgets. Sealed contents go when their time is over; what proves
//! them stays for years, then goes as well (`store::evidence_sweep`), the certificates and CRLs behind it follow
//! (`store::archive_sweep`), and the log's hashes stay.
//!
//! A sweep goes through the contents that are kept, piece by piece. Each piece is a small transaction, so the
//! committer waits for milliseconds at most, and a sweep that was cut short has done no harm: the next one
//! begins anew. Several relays may sweep one database; what one has deleted, the other does not find.

use std::sync::Arc;
use std::time::Duration;

use tasuki_proto::lifecycle::State;

use crate::clock::Clock;
use crate::config::RetentionConfig;
use crate::config::period::Period;
use crate::store::archive_sweep::Unnamed;
use crate::store::evidence_sweep::Erased;
use crate::store::parcels::ParcelRow;
use crate::store::{Store, StoreError};

/// Contents that one step looks at, and deletes at most.
pub const PIECE: u32 = 256;

/// Events that one step of the sweep of evidence looks at: a few hundred small updates under the head's lock at most.
pub const EVIDENCE_PIECE: u32 = 128;

/// Between two steps that deleted something: the committer goes first.
pub const PAUSE: Duration = Duration::from_millis(5);

impl RetentionConfig {
    /// Evidence of what was over before this time goes. Unix microseconds.
    pub fn evidence_before_us(&self, now_us: i64) -> i64 {
        now_us.saturating_sub(self.evidence.us())
    }

    /// The rule by which a parcel's content goes: the key of `[retention]`, and for `by_kind` which kind. `None`: it is kept.
    pub fn rule(&self, parcel: &ParcelRow) -> Option<(&'static str, Option<String>)> {
        match parcel.state {
            State::Held | State::Delivered => None,
            State::Fetched => Some(("fetched", None)),
            State::Acknowledged | State::Imported => {
                let shortest = self.signed_for(parcel);
                let kind = parcel.files.iter().find(|file| self.by_kind.get(&file.kind) == Some(&shortest));
                match kind.filter(|_| shortest < self.acknowledged) {
                    Some(file) => Some(("by_kind", Some(file.kind.clone()))),
                    None => Some(("acknowledged", None)),
                }
            }
            State::Refused => Some(("refused", None)),
            State::Recalled | State::Discarded | State::Expired => Some(("ended", None)),
        }
    }

    /// When a parcel's sealed content goes, as the parcel stands now. Unix microseconds; `None`: it waits for its
    /// receiver or its release, and is kept.
    pub fn goes_us(&self, parcel: &ParcelRow) -> Option<i64> {
        let after = |began_us: i64, period: Period| Some(began_us.saturating_add(period.us()));
        match parcel.state {
            State::Held | State::Delivered => None,
            State::Fetched => after(parcel.fetched_us, self.fetched),
            State::Acknowledged | State::Imported => after(parcel.acknowledged_us, self.signed_for(parcel)),
            State::Refused => after(parcel.marks.ended_us, self.refused),
            State::Recalled | State::Discarded | State::Expired => after(parcel.marks.ended_us, self.ended),
        }
    }

    /// The shortest period of what is in the parcel.
    fn signed_for(&self, parcel: &ParcelRow) -> Period {
        let of_kinds = parcel.files.iter().filter_map(|file| self.by_kind.get(&file.kind).copied());
        of_kinds.chain([self.acknowledged]).min().unwrap_or(self.acknowledged)
    }
}

/// Lets contents go while the relay runs.
#[derive(Debug)]
pub struct Sweeper {
    store: Store,
    clock: Arc<dyn Clock>,
    config: RetentionConfig,
}

impl Sweeper {
    /// Sweeps this store by these periods.
    pub fn new(store: Store, clock: Arc<dyn Clock>, config: RetentionConfig) -> Self {
        Self { store, clock, config }
    }

    /// Sweeps again and again, until the task is dropped.
    pub async fn run(self) {
        let mut ticks = tokio::time::interval(Duration::from_secs(u64::from(self.config.sweep_every_s)));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match self.sweep().await {
                Ok(0) => {}
                Ok(purged) => tracing::info!(purged, "sealed contents went, their time was over"),
                // What is due stays due.
                Err(error) => tracing::warn!(%error, "a sweep was cut short"),
            }
            match self.erase_evidence().await {
                Ok(erased) if erased.is_empty() => {}
                Ok(Erased { parcels, requests, events, .. }) => {
                    tracing::info!(parcels, requests, events, "evidence went, its time was over");
                }
                Err(error) => {
                    tracing::warn!(%error, "a sweep of evidence was cut short; the next one goes on");
                }
            }
            match self.erase_archive().await {
                Ok(Unnamed { count: 0, .. }) => {}
                Ok(Unnamed { count, bytes, .. }) => {
                    tracing::info!(
                        count,
                        bytes,
                        "certificates and revocation lists went that no evidence names"
                    );
                }
                Err(error) => {
                    tracing::warn!(%error, "a sweep of the archive was cut short; the next one goes on");
                }
            }
        }
    }

    /// Erases evidence whose time is over, step by step. Returns what went.
    ///
    /// # Errors
    /// If the database can't be read or written; what was erased before stays erased, and the next sweep goes on there.
    pub async fn erase_evidence(&self) -> Result<Erased, StoreError> {
        let before_us = self.config.evidence_before_us(self.clock.now_us());
        let mut all = Erased::default();
        while let Some(erased) = self.store.erase_evidence(before_us, EVIDENCE_PIECE).await? {
            metrics::counter!("tasuki_evidence_erased_total").increment(erased.parcels + erased.requests);
            all = all.and(erased);
            tokio::time::sleep(PAUSE).await;
        }
        Ok(all)
    }

    /// Takes certificates and CRLs that no evidence names any more out of the archive, piece by piece. Returns what went.
    ///
    /// # Errors
    /// If the database can't be read or written; what went stays away, and the next sweep finds the rest.
    pub async fn erase_archive(&self) -> Result<Unnamed, StoreError> {
        while self.store.adopt_archive(self.clock.now_us(), EVIDENCE_PIECE).await? {
            tokio::time::sleep(PAUSE).await;
        }
        let (mut all, mut after) = (Unnamed::default(), None);
        while let Some(page) = self.store.unnamed(after).await? {
            after = Some(page.last);
            for piece in page.unnamed.chunks(EVIDENCE_PIECE as usize) {
                let erased = self.store.erase_unnamed(piece).await?;
                metrics::counter!("tasuki_archive_erased_total").increment(erased.count);
                all = all.and(erased);
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(all)
    }

    /// One sweep through all contents. Returns how many went.
    ///
    /// # Errors
    /// If the database can't be read or written; what was deleted before stays deleted.
    pub async fn sweep(&self) -> Result<u64, StoreError> {
        let now_us = self.clock.now_us();
        self.forget_refusals(now_us).await?;
        let (mut after, mut purged) = (0, 0);
        loop {
            let piece = self.store.kept_after(after, PIECE).await?;
            let Some(last) = piece.last() else { return Ok(purged) };
            after = last.seq;
            let due = |row: &&ParcelRow| self.config.goes_us(row).is_some_and(|at_us| at_us < now_us);
            let due: Vec<i64> = piece.iter().filter(due).map(|row| row.seq).collect();
            // What is due stays due, whatever happens to the parcel meanwhile: no state leads back.
            let went = self.store.purge(&due, now_us).await?;
            if went > 0 {
                metrics::counter!("tasuki_contents_purged_total").increment(went);
                purged += went;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// What was refused at the door goes without a trace: it never was a parcel.
    async fn forget_refusals(&self, now_us: i64) -> Result<(), StoreError> {
        let before_us = now_us.saturating_sub(self.config.rejected.us());
        while self.store.forget_refusals(before_us, PIECE).await? > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }
}
