//! Turning changes into events: texts, places in the log, places in the feeds.

use std::collections::HashMap;
use std::collections::hash_map;

use ring::rand::SecureRandom;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::canonical::digest_text;
use tasuki_proto::event::{Event, leaf_hash, sha256};
use tasuki_proto::feed::Opening;
use tasuki_proto::lifecycle::Act;
use tasuki_proto::mandate::{BY_OPERATOR, STATEMENT_VOUCHED, VOUCHED};
use tasuki_proto::statement::Word;
use tasuki_proto::time;

use super::change::{Asking, Delivery, Doing};
use crate::store::feeds::{FeedEnd, FeedRow};
use crate::store::leaves::{Leaf, Position};
use crate::store::parcels::{FileRow, ParcelRow};
use crate::store::{Store, StoreError, Tx};

/// Ends of feeds kept in memory: 40 bytes each. Beyond, they are read again.
const MAX_ENDS: usize = 200_000;

/// The system gave no randomness.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random bytes")]
pub(super) struct NoRandomness;

/// Ends of feeds, as of the head that the committer last moved.
#[derive(Debug, Default)]
pub(super) struct FeedEnds(HashMap<OfficeNumber, FeedEnd>);

impl FeedEnds {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Forgets what memory has no room for. Not in the middle of a batch, whose feed rows stand only here.
    pub(super) fn trim(&mut self) {
        if self.0.len() > MAX_ENDS {
            self.0.clear();
        }
    }

    /// Brings the ends of these offices' feeds into memory.
    pub(super) async fn load(
        &mut self,
        store: &Store,
        tx: &mut Tx,
        epoch: u64,
        offices: impl IntoIterator<Item = OfficeNumber>,
    ) -> Result<(), StoreError> {
        for office in offices {
            if let hash_map::Entry::Vacant(place) = self.0.entry(office) {
                place.insert(store.feed_end(tx, office, epoch).await?);
            }
        }
        Ok(())
    }

    fn next(&mut self, office: OfficeNumber) -> &mut FeedEnd {
        self.0.entry(office).or_insert(FeedEnd::EMPTY)
    }
}

/// Events of one batch on their way into the log.
#[derive(Debug)]
pub(super) struct Scribe<'r> {
    pub(super) epoch: u64,
    pub(super) next_index: u64,
    pub(super) time_us: i64,
    pub(super) leaves: Vec<Leaf>,
    pub(super) hashes: Vec<[u8; 32]>,
    pub(super) feed_rows: Vec<FeedRow>,
    random: Random<'r>,
}

impl<'r> Scribe<'r> {
    pub(super) fn new(epoch: u64, next_index: u64, time_us: i64, rng: &'r (dyn SecureRandom + Sync)) -> Self {
        Self {
            epoch,
            next_index,
            time_us,
            leaves: Vec::new(),
            hashes: Vec::new(),
            feed_rows: Vec::new(),
            random: Random { rng, pool: Vec::new() },
        }
    }

    /// Where the next event will stand.
    pub(super) fn position(&self) -> Position {
        Position { epoch: self.epoch, index: self.next_index }
    }

    /// Writes an event: `parties` are the offices that it concerns, each once.
    pub(super) fn write(
        &mut self,
        kind: &str,
        seq: i64,
        parties: &[OfficeNumber],
        ends: &mut FeedEnds,
        lines: impl FnOnce(&mut Event),
    ) -> Result<Entry, NoRandomness> {
        let mut event = Event::new(kind, self.epoch, self.time_us, self.random.salt()?);
        lines(&mut event);
        let position = self.position();
        let first_row = self.feed_rows.len();
        for party in parties {
            let end = *ends.next(*party);
            let opening = Opening {
                party: *party,
                number: end.number + 1,
                previous: end.leaf,
                salt: self.random.salt()?,
            };
            event.feeds.push(opening.commitment());
            self.feed_rows.push(FeedRow { opening, position });
        }
        event.feeds.sort_unstable();
        let text = event.print().into_bytes();
        let leaf = leaf_hash(&text);
        for row in &self.feed_rows[first_row..] {
            *ends.next(row.opening.party) = FeedEnd { number: row.opening.number, leaf };
        }
        self.leaves.push(Leaf { position, seq, text: text.clone() });
        self.hashes.push(leaf);
        self.next_index += 1;
        Ok(Entry { position, text })
    }
}

/// An event that was written.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) position: Position,
    pub(super) text: Vec<u8>,
}

/// Random bytes, asked for in larger pieces.
#[derive(Debug)]
struct Random<'r> {
    rng: &'r (dyn SecureRandom + Sync),
    pool: Vec<[u8; 16]>,
}

impl Random<'_> {
    fn salt(&mut self) -> Result<[u8; 16], NoRandomness> {
        if let Some(salt) = self.pool.pop() {
            return Ok(salt);
        }
        let mut bytes = [0; 16 * 64];
        self.rng.fill(&mut bytes).map_err(|_| NoRandomness)?;
        self.pool.extend_from_slice(bytes.as_chunks::<16>().0);
        self.pool.pop().ok_or(NoRandomness)
    }
}

/// Lines of parcel.delivered, or of parcel.held.
pub(super) fn accepted(event: &mut Event, delivery: &Delivery) {
    event.set_parcel(&delivery.key, delivery.recipient, &delivery.digest);
    event.lines.add("sealed", &digest_text(&delivery.sealed_digest));
    event.lines.add("size", &delivery.container_size.to_string());
    event.lines.add("signer", &digest_text(&delivery.signer));
    event.lines.add("transmitter", &delivery.transmitter);
    if let Some(proxy) = &delivery.proxy {
        event.lines.add("proxy", proxy.as_str());
    }
    // The signer's first; where another transmitted, that one's as well.
    for (key, mandate) in ["mandate", "transmitter-mandate"].into_iter().zip(&delivery.mandates) {
        event.lines.add(key, &digest_text(mandate));
    }
    for crl in &delivery.crls {
        event.lines.add("crl", &digest_text(crl));
    }
    // Equal lines would collapse in a set of lines: the place in the parcel keeps them apart.
    for (place, file) in delivery.files.iter().enumerate() {
        event.lines.add("file", &format!("{} {}", place + 1, FileRow::line(file)));
    }
    if let Some(older) = &delivery.supersedes {
        event.lines.add("supersedes", &older.to_string());
    }
    if delivery.vouched {
        event.lines.add(VOUCHED, BY_OPERATOR);
    }
    if delivery.confirm {
        event.lines.add("confirm", "office");
    }
    if let Some(release_us) = delivery.hold.filter(|us| *us > 0) {
        event.lines.add("release-at", &time::format_us(release_us));
    }
}

/// What parcel.delivered takes over from the parcel.held before it: everything but the hold, and when that was.
pub(super) fn released(event: &mut Event, held: &Event) {
    event.lines = held.lines.clone();
    event.lines.retain(|key| !["release-at", "confirm"].contains(&key));
    event.lines.add("accepted", &time::format_us(held.time_us));
}

/// Lines of every event about something done to a parcel: who did it, and the statement that says so.
pub(super) fn done(event: &mut Event, parcel: &ParcelRow, doing: &Doing) {
    if doing.act != Act::Release {
        event.set_parcel(&parcel.key, parcel.recipient, &parcel.digest);
    }
    event.lines.add("by", doing.by.name());
    if let Some(mandate) = doing.by.mandate() {
        // The release's event names what let the parcel's own signer sign as well.
        let key = if doing.act == Act::Release { "statement-mandate" } else { "mandate" };
        event.lines.add(key, &digest_text(mandate));
    }
    if doing.signed.is_some() && doing.by.vouched() {
        let key = if doing.act == Act::Release { STATEMENT_VOUCHED } else { VOUCHED };
        event.lines.add(key, BY_OPERATOR);
    }
    if doing.act == Act::CallOverdue {
        event.lines.add("since", &time::format_us(parcel.delivered_us()));
    }
    let Some(signed) = &doing.signed else { return };
    // The release's event names the parcel's own signer as well.
    let signer = if doing.act == Act::Release { "statement-signer" } else { "signer" };
    event.lines.add(signer, &digest_text(&signed.paper.signer));
    event.lines.add("statement", &digest_text(&sha256(&signed.paper.cms)));
    match &signed.word {
        Word::Refuse { reason, .. } => event.lines.add("reason", reason.as_str()),
        Word::Remark { urgent: true, .. } => event.lines.add("urgent", "yes"),
        _ => {}
    }
    if let Some(text) = signed.word.text() {
        event.lines.add("text", &digest_text(text));
    }
}

/// Lines of request.made.
pub(super) fn asked(event: &mut Event, asking: &Asking) {
    let request = &asking.request;
    event.lines.add("from", request.from.as_str());
    event.lines.add("to", request.to.as_str());
    event.lines.add("document", &request.document);
    event.lines.add("by", &asking.by);
    if let Some(mandate) = &asking.mandate {
        event.lines.add("mandate", &digest_text(mandate));
    }
    if asking.vouched {
        event.lines.add(VOUCHED, BY_OPERATOR);
    }
    event.lines.add("signer", &digest_text(&asking.paper.signer));
    event.lines.add("statement", &digest_text(&sha256(&asking.paper.cms)));
    if let Some(text) = &request.text {
        event.lines.add("text", &digest_text(text));
    }
}

/// Lines of log.started.
pub(super) fn started(event: &mut Event, lost: Option<&Lost>) {
    if let Some(lost) = lost {
        event.lines.add("previous-epoch", &lost.epoch.to_string());
        event.lines.add("kept-size", &lost.kept.to_string());
        event.lines.add("lost-size", &lost.known.to_string());
    }
}

/// What a database that went back in time lost: leaves `kept..known` of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The epoch that ended.
    pub epoch: u64,
    /// Leaves that the database still has.
    pub kept: u64,
    /// Leaves that the last known checkpoint covered.
    pub known: u64,
}
