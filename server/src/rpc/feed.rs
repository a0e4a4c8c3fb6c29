//! `tasuki.v1.Feed`: one office's slice of the log, from a cursor on. Polling, long polling and streaming all
//! read with [`read`]; the bell is taken before reading, so that nothing falls in between.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::feed::Cursor;
use tasuki_proto::log::Checkpoint;
use tasuki_proto::mandate::Scope;
use tasuki_proto::pb::feed_server::Feed;
use tasuki_proto::{limits, pb, reason};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::convert::covers;
use super::page::page_size;
use super::{Call, Context, Failure};
use crate::access::{Caller, Who};
use crate::budget::Slot;
use crate::evidence::feed_ends::End;
use crate::evidence::ledger::wire;
use crate::store::feeds::FeedRow;
use crate::store::leaves::{Position, erased_hash};

/// An empty batch goes out after this long without news, so that both sides and everything between them know
/// that the other is there.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// A stream sends batches of this size.
const STREAM_BATCH: u32 = 100;

/// Entries that are read at once, whatever is asked for: an event of a parcel with 1,000 files has 50 KiB.
const MAX_ENTRIES: u32 = 200;

/// Bytes of event texts in one batch, so that it stays below the 4 MiB that gRPC clients take by default.
const MAX_BATCH_BYTES: usize = 2 * 1024 * 1024;

/// Batches that wait for a slow reader.
const WAITING: usize = 2;

/// The service.
#[derive(Clone, Debug)]
pub(super) struct Service(pub(super) Arc<Context>);

/// Where a reader stands.
#[derive(Clone, Copy, Debug)]
struct Place {
    office: OfficeNumber,
    cursor: Cursor,
    /// Size of the newest checkpoint of the cursor's epoch that the reader holds; 0: none.
    known_size: u64,
}

#[tonic::async_trait]
impl Feed for Service {
    type StreamStream = ReceiverStream<Result<pb::FeedBatch, Status>>;

    async fn poll(&self, request: Request<pb::PollRequest>) -> Result<Response<pb::FeedBatch>, Status> {
        let context = &self.0;
        let entered = context.enter(Call::of(&request), Scope::ReadStatus).await?;
        let request = request.into_inner();
        let office = entered.caller.acts_for(&request.office).map_err(Failure::from)?;
        if request.wait_ms > limits::MAX_WAIT_MS {
            return Err(Failure::malformed("wait_ms is at most 60000").into());
        }
        let limit = page_size(request.limit, 100)?;
        let place = Place { office, cursor: cursor(request.cursor), known_size: request.known_size };
        let _place = match request.wait_ms {
            0 => None,
            _ => Some(feed_slot(context, &entered.caller)?),
        };
        let deadline = Instant::now() + Duration::from_millis(u64::from(request.wait_ms));
        Ok(Response::new(wait(context, place, limit, deadline).await?))
    }

    async fn stream(
        &self,
        request: Request<pb::StreamRequest>,
    ) -> Result<Response<Self::StreamStream>, Status> {
        let entered = self.0.enter(Call::of(&request), Scope::ReadStatus).await?;
        let request = request.into_inner();
        let office = entered.caller.acts_for(&request.office).map_err(Failure::from)?;
        let place = Place { office, cursor: cursor(request.cursor), known_size: request.known_size };
        let slot = feed_slot(&self.0, &entered.caller)?;
        let (batches, answer) = mpsc::channel(WAITING);
        let context = Arc::clone(&self.0);
        tokio::spawn(async move {
            if let Err(failure) = follow(&context, &entered.caller, place, &batches).await {
                let _gone = batches.send(Err(failure.into())).await;
            }
            drop((entered, slot));
        });
        Ok(Response::new(ReceiverStream::new(answer)))
    }
}

fn feed_slot(context: &Context, caller: &Caller) -> Result<Slot<Who>, Failure> {
    context.places.feeds.enter(caller.who).ok_or(Failure::of(reason::TOO_MANY_STREAMS))
}

fn cursor(message: Option<pb::Cursor>) -> Cursor {
    message.map_or(Cursor::default(), |c| Cursor { epoch: c.epoch, number: c.number })
}

/// Sends batches until the reader goes, loses its right, or the relay goes down.
async fn follow(
    context: &Context,
    caller: &Caller,
    mut place: Place,
    batches: &mpsc::Sender<Result<pb::FeedBatch, Status>>,
) -> Result<(), Failure> {
    let mut stopping = context.stopping.clone();
    loop {
        let batch = tokio::select! {
            () = batches.closed() => return Ok(()),
            () = stopping.wait() => return Err(Failure::of(reason::SHUTTING_DOWN)),
            batch = wait(context, place, STREAM_BATCH, Instant::now() + HEARTBEAT) => batch?,
        };
        // Asked after the wait, which was long: what is sent is sent to who may read it now.
        context.access.still(caller).await?;
        place = behind(&place, &batch, context).unwrap_or(place);
        let patience = tokio::time::timeout(HEARTBEAT, batches.send(Ok(batch)));
        if !matches!(patience.await, Ok(Ok(()))) {
            return Ok(());
        }
    }
}

/// The reader's place once it has a batch.
fn behind(place: &Place, batch: &pb::FeedBatch, context: &Context) -> Option<Place> {
    let next = batch.next.as_ref()?;
    let size = context.ledger.key().open(&batch.checkpoint).ok()?.size;
    Some(Place {
        office: place.office,
        cursor: Cursor { epoch: next.epoch, number: next.number },
        known_size: size,
    })
}

/// A batch with news as soon as there are some; at the deadline, one without.
async fn wait(
    context: &Context,
    place: Place,
    limit: u32,
    deadline: Instant,
) -> Result<pb::FeedBatch, Failure> {
    let mut stopping = context.stopping.clone();
    let mut first = true;
    loop {
        let bell = context.ledger.bell(place.office);
        let mut ring = std::pin::pin!(bell.notified());
        ring.as_mut().enable();
        let batch = read(context, place, limit, first).await?;
        first = false;
        let news = !batch.entries.is_empty() || batch.next != Some(place.cursor_message());
        if news || Instant::now() >= deadline || stopping.now() {
            return Ok(batch);
        }
        tokio::select! {
            () = &mut ring => {}
            () = tokio::time::sleep_until(deadline) => {}
            () = stopping.wait() => {}
        }
    }
}

impl Place {
    /// The cursor, as a batch without news repeats it.
    fn cursor_message(&self) -> pb::Cursor {
        pb::Cursor { epoch: self.cursor.epoch, number: self.cursor.number }
    }
}

/// What stands behind a cursor now, as far as the published checkpoint covers it.
async fn read(
    context: &Context,
    place: Place,
    limit: u32,
    check_cursor: bool,
) -> Result<pb::FeedBatch, Failure> {
    // Taken before the rows: those that it does not cover yet are left for the next time.
    let (current, end) = context.ledger.feed_end(place.office);
    let before_all = place.cursor.epoch == 0;
    if place.cursor.epoch > current.epoch || (before_all && place.cursor.number > 0) {
        return Err(Failure::of(reason::CURSOR_IN_FUTURE));
    }
    let ticket = match end {
        End::At(number) if place.cursor.epoch == current.epoch => {
            if place.cursor.number == number {
                return batch(context, place, Vec::new(), place.cursor, false, &current).await;
            }
            None
        }
        End::At(_) => None,
        End::Unknown(ticket) => Some(ticket),
    };
    let limit = limit.min(MAX_ENTRIES);
    let mut rows = context.store.feed_after(place.office, place.cursor, limit + 1).await?;
    rows.retain(|(row, _)| row.position.epoch < current.epoch || covers(&current, row.position));
    if rows.is_empty() && check_cursor {
        check_not_ahead(context, place, &current).await?;
        if let Some(ticket) = ticket.filter(|_| place.cursor.epoch == current.epoch) {
            context.ledger.learn_feed_end(place.office, ticket, place.cursor.number);
        }
    }
    if let Some((row, leaf)) = last_erased(&rows) {
        let next = Cursor { epoch: row.position.epoch, number: row.opening.number };
        let checkpoint = context.ledger.checkpoint_of(next.epoch).await?;
        let erased = pb::ErasedRange { through: next.number, leaf: leaf.to_vec().into() };
        let batch = batch(context, place, Vec::new(), next, true, &checkpoint).await?;
        return Ok(pb::FeedBatch { erased: Some(erased), ..batch });
    }
    let mut more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    more |= cut_batch(&mut rows);

    let Some((last, _)) = rows.last() else {
        // An epoch that is over gets no more events: the reader goes on at the beginning of the current one.
        let cursor = if place.cursor.epoch < current.epoch {
            Cursor { epoch: current.epoch, number: 0 }
        } else {
            place.cursor
        };
        return batch(context, place, Vec::new(), cursor, false, &current).await;
    };
    let next = Cursor { epoch: last.position.epoch, number: last.opening.number };
    let checkpoint = context.ledger.checkpoint_of(next.epoch).await?;
    more |= next.epoch < current.epoch;
    if let Some(ticket) = ticket.filter(|_| !more) {
        context.ledger.learn_feed_end(place.office, ticket, next.number);
    }
    batch(context, place, rows, next, more, &checkpoint).await
}

/// Where offices' feeds end under the published checkpoint; those that are growing right now are left out. From memory where a feed did
/// not grow since it was last asked for.
pub(super) async fn ends(
    context: &Context,
    offices: &[OfficeNumber],
) -> Result<BTreeMap<OfficeNumber, Cursor>, Failure> {
    let mut ends = BTreeMap::new();
    let mut unknown = BTreeMap::new();
    for office in offices {
        let (current, end) = context.ledger.feed_end(*office);
        match end {
            End::At(number) => drop(ends.insert(*office, Cursor { epoch: current.epoch, number })),
            End::Unknown(ticket) => drop(unknown.insert(*office, (current, ticket))),
        }
    }
    // All of them are of one epoch, but for the moment in which the log begins a new one.
    let Some(epoch) = unknown.values().next().map(|(current, _)| current.epoch) else { return Ok(ends) };
    unknown.retain(|_, (current, _)| current.epoch == epoch);
    let asked: Vec<OfficeNumber> = unknown.keys().copied().collect();
    let mut last: BTreeMap<OfficeNumber, (u64, Position)> =
        context.store.feed_lengths(&asked, epoch).await?.into_iter().collect();
    for (office, (current, ticket)) in unknown {
        let number = match last.remove(&office) {
            Some((_, position)) if !covers(&current, position) => continue,
            Some((number, _)) => number,
            None => 0,
        };
        context.ledger.learn_feed_end(office, ticket, number);
        ends.insert(office, Cursor { epoch, number });
    }
    Ok(ends)
}

/// The last entry whose event was erased, and what is left of it. What stands before it is skipped with it, even where a parcel
/// with later events kept its texts: all of it is older than evidence is kept.
fn last_erased(rows: &[(FeedRow, Vec<u8>)]) -> Option<(&FeedRow, [u8; 32])> {
    rows.iter().rev().find_map(|(row, text)| Some((row, erased_hash(text)?)))
}

/// Ends a batch before it is too large. Returns whether it did. One entry always fits.
fn cut_batch(rows: &mut Vec<(FeedRow, Vec<u8>)>) -> bool {
    let mut bytes = 0;
    let fits = rows.iter().take_while(|(_, text)| {
        bytes += text.len();
        bytes <= MAX_BATCH_BYTES
    });
    let fits = fits.count().max(1);
    let cut = fits < rows.len();
    rows.truncate(fits);
    cut
}

/// In the current epoch a cursor can't lie behind the feed's end. In an epoch that is over it can: the database
/// was set back, and the reader had seen what was lost.
async fn check_not_ahead(context: &Context, place: Place, current: &Checkpoint) -> Result<(), Failure> {
    if place.cursor.epoch < current.epoch {
        return Ok(());
    }
    let length = context.store.feed_length(place.office, place.cursor.epoch).await?;
    if place.cursor.number > length { Err(Failure::of(reason::CURSOR_IN_FUTURE)) } else { Ok(()) }
}

async fn batch(
    context: &Context,
    place: Place,
    rows: Vec<(FeedRow, Vec<u8>)>,
    next: Cursor,
    more: bool,
    checkpoint: &Checkpoint,
) -> Result<pb::FeedBatch, Failure> {
    let mut entries = Vec::with_capacity(rows.len());
    for (row, text) in rows {
        let evidence = context.ledger.evidence(row.position, checkpoint, Some(text), Some(&row)).await?;
        entries.push(pb::Evidence { checkpoint: bytes::Bytes::new(), ..evidence });
    }
    // A smaller checkpoint than the reader's is one of a slower relay: the reader asks Log.GetConsistency for
    // the other direction.
    let grown = place.cursor.epoch == checkpoint.epoch && (1..checkpoint.size).contains(&place.known_size);
    let consistency = if grown {
        context.ledger.consistency(checkpoint.epoch, place.known_size, checkpoint.size).await?
    } else {
        Vec::new()
    };
    Ok(pb::FeedBatch {
        entries,
        next: Some(pb::Cursor { epoch: next.epoch, number: next.number }),
        more,
        checkpoint: checkpoint.note.clone().into(),
        consistency: wire(&consistency),
        erased: None,
    })
}
