//! The parcels: their rows against their events, their sealed contents, and what their evidence needs.

use std::collections::HashSet;

use ring::digest::{Context, SHA256};
use tasuki_proto::event::{Event, kind, sha256};
use tasuki_proto::ids::{ParcelId, ParcelKey, proxy_of};
use tasuki_proto::lifecycle::{Act, Party, Past, State, Step, Way, step};
use tasuki_proto::time;

use super::epoch::{Extent, Totals};
use super::problem::{Problem, Problems};
use crate::commands::progress::Progress;
use crate::config::RetentionConfig;
use crate::store::leaves::{Leaf, Position};
use crate::store::parcels::{FileRow, Marks, ParcelRow};
use crate::store::{Store, StoreError};

/// Parcels whose rows and events are read at once.
const PAGE: u32 = 200;

/// Bytes of sealed content read at once.
const PIECE: usize = 4 * 1024 * 1024;

/// Certificates and revocation lists that were looked at already and need not be again.
const MAX_SEEN: usize = 100_000;

/// How often a parcel that moves under our eyes is looked at again.
const TRIES: u32 = 10;

/// What the parcels add up to.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) parcels: u64,
    pub(super) contents: u64,
}

/// Which sealed contents may be gone.
#[derive(Debug)]
pub(in crate::commands) struct Due {
    pub(in crate::commands) retention: RetentionConfig,
    /// Now, Unix microseconds.
    pub(in crate::commands) now_us: i64,
}

impl Due {
    /// Must its content be there? What its receiver has signed for may have gone by other periods than those of today.
    fn is_kept(&self, row: &ParcelRow) -> bool {
        match row.state {
            State::Held | State::Delivered => true,
            State::Fetched => self.retention.goes_us(row).is_none_or(|at_us| at_us >= self.now_us),
            _ => false,
        }
    }
}

/// Walks over all parcels.
pub(super) struct Walk<'a> {
    store: &'a Store,
    current: Extent,
    due: &'a Due,
    problems: &'a mut Problems,
    counts: Counts,
    /// Events about parcels.
    events: u64,
    /// Kept certificates and lists that are right.
    seen: HashSet<[u8; 32]>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(store: &'a Store, current: Extent, due: &'a Due, problems: &'a mut Problems) -> Self {
        Self { store, current, due, problems, counts: Counts::default(), events: 0, seen: HashSet::new() }
    }

    pub(super) async fn run(mut self, totals: &Totals, progress: &Progress) -> Result<Counts, StoreError> {
        let mut after = 0;
        loop {
            let page = self.store.parcels_from(after, PAGE).await?;
            let (Some(first), Some(last)) = (page.first(), page.last()) else { break };
            let leaves = self.store.leaves_of_parcels(first.seq, last.seq).await?;
            after = last.seq;
            for row in &page {
                // What was accepted after verification began is not part of what is verified.
                if !self.covers(row.position) {
                    continue;
                }
                let first = leaves.partition_point(|leaf| leaf.seq < row.seq);
                let behind = leaves.partition_point(|leaf| leaf.seq <= row.seq);
                self.parcel(row, &leaves[first..behind]).await?;
            }
            progress.advance(page.len() as u64);
        }
        let Counts { parcels, .. } = self.counts;
        // Each accepted parcel has one row, and each event about a parcel was found at its parcel.
        if parcels != totals.accepted {
            self.problems.add(Problem::ParcelCount { told: totals.accepted, rows: parcels });
        } else if self.events != totals.parcel_events {
            self.problems.add(Problem::ParcelCount { told: totals.parcel_events, rows: self.events });
        }
        Ok(self.counts)
    }

    fn covers(&self, position: Position) -> bool {
        position.epoch != self.current.epoch || position.index < self.current.size
    }

    async fn parcel(&mut self, row: &ParcelRow, leaves: &[Leaf]) -> Result<(), StoreError> {
        self.counts.parcels += 1;
        self.events += leaves.iter().filter(|leaf| self.covers(leaf.position)).count() as u64;
        let (row, events, problems) = self.settled(row.clone(), leaves).await?;
        for problem in problems {
            self.problems.add(problem);
        }
        self.superseded(&row).await?;
        self.content(&row).await?;
        self.statements(&row, &events).await?;
        self.kept(&row, &events).await
    }

    /// A row and its events that belong together, and what differs all the same: a relay may move the parcel on
    /// between the two readings.
    async fn settled(
        &self,
        mut row: ParcelRow,
        leaves: &[Leaf],
    ) -> Result<(ParcelRow, Vec<Told>, Vec<Problem>), StoreError> {
        let mut events = read(leaves);
        let mut problems = compare(&row, events.as_deref());
        for _ in 0..TRIES {
            if problems.is_empty() {
                break;
            }
            events = read(&self.store.leaves_of_parcel(row.seq).await?);
            match self.store.parcel(&row.key).await? {
                Some(again) if again != row => row = again,
                // Nobody moves it: what differs, differs.
                Some(_) | None => break,
            }
            problems = compare(&row, events.as_deref());
        }
        Ok((row, events.unwrap_or_default(), problems))
    }

    /// What is marked as superseded is so, by a parcel that was delivered and not recalled.
    async fn superseded(&mut self, row: &ParcelRow) -> Result<(), StoreError> {
        let Some(id) = row.marks.superseded_by else { return Ok(()) };
        let newer = self.store.parcel(&ParcelKey { sender: row.key.sender, id }).await?;
        // Evidence of the newer one may have gone before: this one had later events. Then this one is as old.
        if newer.is_none() && row.accepted_us < self.due.retention.evidence_before_us(self.due.now_us) {
            return Ok(());
        }
        let holds = newer.is_some_and(|newer| {
            newer.marks.supersedes == Some(row.key.id)
                && newer.recipient == row.recipient
                && newer.past().delivered()
                && newer.state != State::Recalled
        });
        // It may have been recalled since the row was read.
        let same = self.store.parcel(&row.key).await?.is_some_and(|again| again.marks == row.marks);
        if !holds && same {
            self.problems.add(Problem::Parcel { key: row.key, column: "superseded_by" });
        }
        Ok(())
    }

    /// The sealed content is what the event of its acceptance says. Once it waits for nobody any more, it may be gone.
    async fn content(&mut self, row: &ParcelRow) -> Result<(), StoreError> {
        let mut context = Context::new(&SHA256);
        let mut offset = 0;
        loop {
            let Some(piece) = self.store.content(row.seq, offset, PIECE).await? else {
                if self.due.is_kept(row) {
                    self.problems.add(Problem::ContentMissing { key: row.key });
                }
                return Ok(());
            };
            context.update(&piece);
            offset += piece.len() as u64;
            if piece.len() < PIECE {
                break;
            }
        }
        self.counts.contents += 1;
        if context.finish().as_ref() != row.sealed_digest || offset != row.sealed_size {
            self.problems.add(Problem::Content { key: row.key });
        }
        Ok(())
    }

    /// The statements that events name are kept as they were.
    async fn statements(&mut self, row: &ParcelRow, events: &[Told]) -> Result<(), StoreError> {
        let named: Vec<[u8; 32]> = events.iter().filter_map(|(event, _)| event.digest("statement")).collect();
        if named.is_empty() {
            return Ok(());
        }
        let kept = self.store.statements_of(row.seq).await?;
        let good = |digest: &[u8; 32]| {
            kept.iter().any(|kept| kept.digest == *digest && sha256(&kept.cms) == *digest)
        };
        // Sealed texts are named by the same events.
        let texts: Vec<[u8; 32]> = events.iter().filter_map(|(event, _)| event.digest("text")).collect();
        let has_text = |digest: &[u8; 32]| kept.iter().any(|kept| sha256(&kept.text) == *digest);
        if !named.iter().all(good) || !texts.iter().all(has_text) {
            self.problems.add(Problem::Statement { key: row.key });
        }
        Ok(())
    }

    /// The signers' certificates with their chains, and the revocation lists, are kept as they were.
    async fn kept(&mut self, row: &ParcelRow, events: &[Told]) -> Result<(), StoreError> {
        let mut wanted: Vec<[u8; 32]> = Vec::new();
        for (event, _) in events {
            wanted.extend(event.digest("signer"));
            wanted.extend(event.digest("statement-signer"));
            wanted.extend(event.lines.all("crl").filter_map(tasuki_proto::canonical::parse_digest));
        }
        while let Some(fingerprint) = wanted.pop() {
            if self.seen.contains(&fingerprint) {
                continue;
            }
            match self.store.archived(&fingerprint).await? {
                Some((der, chain)) if sha256(&der) == fingerprint => {
                    // The chain begins with the certificate itself.
                    wanted.extend(chain.into_iter().filter(|above| *above != fingerprint));
                }
                Some(_) | None => self.problems.add(Problem::Archive { key: row.key, fingerprint }),
            }
            if self.seen.len() >= MAX_SEEN {
                self.seen.clear();
            }
            self.seen.insert(fingerprint);
        }
        Ok(())
    }
}

/// An event and where it stands.
type Told = (Event, Position);

/// A parcel's events; `None`: one of them can't be read.
fn read(leaves: &[Leaf]) -> Option<Vec<Told>> {
    leaves.iter().map(|leaf| Some((Event::parse(&leaf.text).ok()?, leaf.position))).collect()
}

/// Holds a parcel's row against its events.
fn compare(row: &ParcelRow, events: Option<&[Told]>) -> Vec<Problem> {
    let key = row.key;
    let strange = |event: &Event| {
        event.parcel() != Some(key)
            || event.office("recipient") != Some(row.recipient)
            || event.digest("digest") != Some(row.digest)
    };
    let life = events.and_then(|events| Some((events, Life::of(events)?)));
    let Some((events @ [(accepted, _), ..], life)) = life else {
        return vec![Problem::ParcelEvents { key }];
    };
    let files: Vec<String> =
        (1..).zip(&row.files).map(|(n, file)| format!("{n} {}", FileRow::line(file))).collect();
    let told: HashSet<&str> = accepted.lines.all("file").collect();
    let marks = Marks { superseded_by: row.marks.superseded_by, ..life.marks };
    let checks = [
        ("sender, id, recipient, digest", events.iter().any(|(event, _)| strange(event))),
        ("state", row.state != life.state),
        ("sealed_digest", accepted.digest("sealed") != Some(row.sealed_digest)),
        ("container_size", accepted.lines.get("size") != Some(row.container_size.to_string().as_str())),
        ("signer", accepted.digest("signer") != Some(row.signer)),
        ("files", files.iter().map(String::as_str).collect::<HashSet<_>>() != told),
        ("pos", life.position != row.position),
        ("accepted_us", row.accepted_us != accepted.time_us),
        ("fetched_us", row.fetched_us != life.fetched_us),
        ("acknowledged_us", row.acknowledged_us != life.acknowledged_us),
        (
            "held, release_us, released_us, ended_us, overdue_us, supersedes, urgent, refusal, proxy, confirm, \
             recipient_proxy, handed_us",
            row.marks != marks,
        ),
    ];
    let differ = checks.into_iter().filter(|(_, differs)| *differs);
    differ.map(|(column, _)| Problem::Parcel { key, column }).collect()
}

/// What a parcel's events lead to.
struct Life {
    state: State,
    past: Past,
    position: Position,
    fetched_us: i64,
    acknowledged_us: i64,
    marks: Marks,
}

impl Life {
    /// `None`: the events can't have happened in this order.
    fn of(events: &[Told]) -> Option<Self> {
        let ((first, position), rest) = events.split_first()?;
        let held = match first.kind.as_str() {
            kind::PARCEL_HELD => true,
            kind::PARCEL_DELIVERED => false,
            _ => return None,
        };
        let confirm = held && first.lines.get("confirm").is_some();
        let way = match (held, confirm) {
            (true, true) => Way::ToConfirm,
            (true, false) => Way::Held,
            (false, _) => Way::Straight,
        };
        let id = |text: &str| text.parse::<ParcelId>().ok();
        let mut life = Self {
            state: if held { State::Held } else { State::Delivered },
            past: Past { way, ..Past::default() },
            position: *position,
            fetched_us: 0,
            acknowledged_us: 0,
            marks: Marks {
                held,
                release_us: first.lines.get("release-at").and_then(time::parse_us).unwrap_or(0),
                supersedes: first.lines.get("supersedes").and_then(id),
                proxy: first.lines.get("proxy").and_then(|number| number.parse().ok()),
                confirm,
                ..Marks::default()
            },
        };
        for (event, position) in rest {
            // Kinds of later versions annotate and change nothing.
            if let Some(act) = Act::of_event(&event.kind) {
                life.follow(act, event, *position)?;
            }
        }
        Some(life)
    }

    fn follow(&mut self, act: Act, event: &Event, position: Position) -> Option<()> {
        let by_anybody =
            Party::ALL.into_iter().filter_map(|party| step(self.state, self.past, act, party).ok());
        match by_anybody.into_iter().find(|step| *step != Step::Repeats)? {
            Step::Moves(next) => self.state = next,
            Step::Notes | Step::Repeats => {}
        }
        self.past = self.past.after(act);
        let at_us = event.time_us;
        match act {
            Act::Release => {
                self.marks.released_us = at_us;
                self.position = position;
            }
            Act::Fetch => {
                self.fetched_us = at_us;
                self.marks.recipient_proxy = event.lines.get("by").and_then(proxy_of);
            }
            Act::HandOver => self.marks.handed_us = at_us,
            Act::Acknowledge => self.acknowledged_us = at_us,
            Act::Refuse => {
                self.marks.ended_us = at_us;
                self.marks.refusal = event.lines.get("reason").and_then(|reason| reason.parse().ok());
            }
            Act::Import | Act::Recall | Act::Discard | Act::Expire => self.marks.ended_us = at_us,
            Act::CallOverdue => self.marks.overdue_us = at_us,
            Act::Remark => self.marks.urgent |= event.lines.get("urgent").is_some(),
            Act::AskWithdrawal => {}
        }
        Some(())
    }
}
