//! One Submit stream: pieces of parcels in, results out, everything bounded.
//!
//! One task does it all: it reads pieces, waits for memory, watches parcels that are being worked on, and sends
//! results. When a bound is reached it stops reading, and the caller feels that through HTTP/2 flow control.

mod carry;
mod tickets;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tasuki_proto::{pb, reason};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::Instant;
use tonic::{Status, Streaming};

use super::{Context, Failure};
use crate::access::Caller;
use crate::budget::{Held, Memory};
use crate::intake::Refusal;
use tickets::{Piece, Step, Tickets};

/// A stream with nothing open is ended after this long; the next submission opens another.
const QUIET: Duration = Duration::from_mins(5);

/// Memory of one parcel beside its container and its sealed copy: recipient infos, rows, the future itself.
const OVERHEAD: usize = 16 * 1024;

/// Memory of one parcel, of the stream's share and of everybody's.
#[derive(Debug)]
pub(super) struct Room {
    _own: Held,
    _all: Held,
}

/// Why a stream ends before its time.
enum End {
    /// The caller went away, or does not read its results.
    Gone,
    /// The caller broke a rule.
    Broken(Failure),
}

type Results = mpsc::Sender<Result<pb::SubmitResponse, Status>>;

/// Serves one stream to its end.
pub(super) async fn run(
    context: Arc<Context>,
    caller: Caller,
    mut input: Streaming<pb::SubmitRequest>,
    results: Results,
) {
    let mut session = Session::new(context, caller, results);
    if let Err(End::Broken(failure)) = session.serve(&mut input).await {
        let _gone = session.results.send(Err(failure.into())).await;
    }
}

struct Session {
    context: Arc<Context>,
    caller: Caller,
    results: Results,
    share: Memory,
    tickets: Tickets<Room>,
    /// Tickets whose parcels are being worked on.
    working: HashSet<u32>,
    /// Tasks of their own, like the one below: this one sleeps while its caller does not read its results, and what
    /// it would poll keeps a database connection, or its place in a queue, from others.
    flights: JoinSet<pb::SubmitResponse>,
    /// A new parcel that waits for memory.
    waiting: Option<Waiting>,
    last_piece: Instant,
}

impl Session {
    fn new(context: Arc<Context>, caller: Caller, results: Results) -> Self {
        Self {
            share: Memory::mib(context.limits.open_parcels_per_stream_mib, None),
            tickets: Tickets::new(&context.limits),
            working: HashSet::new(),
            flights: JoinSet::new(),
            waiting: None,
            last_piece: Instant::now(),
            context,
            caller,
            results,
        }
    }

    async fn serve(&mut self, input: &mut Streaming<pb::SubmitRequest>) -> Result<(), End> {
        let mut stopping = self.context.stopping.clone();
        let mut told = false;
        let mut reading = true;
        let in_flight = self.context.limits.parcels_in_flight as usize;
        let mut alarm = std::pin::pin!(tokio::time::sleep_until(self.deadline()));
        while reading || self.waiting.is_some() || !self.flights.is_empty() {
            let may_read = reading && self.waiting.is_none() && self.flights.len() < in_flight;
            if !may_read {
                // Who is not read from can't be slow.
                self.last_piece = Instant::now();
            }
            let deadline = self.deadline();
            // Set once and again only when it has rung too early: most pieces move the deadline, and a timer for
            // each would cost more than the look at the clock.
            if alarm.deadline() > deadline || alarm.is_elapsed() {
                alarm.as_mut().reset(deadline);
            }
            tokio::select! {
                biased;
                () = self.results.closed() => return Err(End::Gone),
                Some(landed) = self.flights.join_next(), if !self.flights.is_empty() => {
                    let response = landed.map_err(|error| lost(&error))?;
                    self.working.remove(&response.ticket);
                    self.answer(response).await?;
                }
                granted = granted(&mut self.waiting), if self.waiting.is_some() => {
                    self.waiting = None;
                    let (piece, room) = granted.map_err(|error| lost(&error))?;
                    self.begin(piece, room).await?;
                }
                message = input.message(), if may_read => match message {
                    Ok(Some(message)) => self.take(message).await?,
                    Ok(None) => {
                        reading = false;
                        self.give_up(reason::STREAM_CUT).await?;
                    }
                    // Or the connection broke; then nobody is there to be told.
                    Err(_) => return Err(End::Broken(Failure::malformed("a message can't be read or is too large"))),
                },
                () = &mut alarm, if may_read => {
                    if Instant::now() >= deadline {
                        reading = self.too_slow().await?;
                    }
                }
                () = stopping.wait(), if !told => told = true,
            }
            if told && self.tickets.is_idle() && self.waiting.is_none() {
                reading = false;
            }
        }
        Ok(())
    }

    async fn take(&mut self, message: pb::SubmitRequest) -> Result<(), End> {
        self.last_piece = Instant::now();
        if self.working.contains(&message.ticket) {
            return Err(End::Broken(Failure::malformed("the ticket's parcel is complete already")));
        }
        let piece = Piece { ticket: message.ticket, size: message.size, chunk: message.chunk };
        match self.tickets.take(piece, self.context.stopping.now()) {
            Step::Wait => Ok(()),
            Step::NeedsRoom(piece) => self.find_room(piece).await,
            Step::Whole { ticket, container, room } => {
                self.launch(ticket, container, room);
                Ok(())
            }
            Step::Refuse { ticket, reason } => self.refuse(ticket, Refusal::of(reason)).await,
            Step::Broken(rule) => Err(End::Broken(Failure::malformed(rule))),
        }
    }

    /// Memory for a new parcel: now, or when others gave some back.
    async fn find_room(&mut self, piece: Piece) -> Result<(), End> {
        // Before any memory: nothing of it is read on.
        if let Some(closed) = self.context.operating.refuses() {
            self.tickets.ignore(&piece);
            return self.refuse(piece.ticket, closed.into()).await;
        }
        let bytes = piece.container_bytes().saturating_mul(2).saturating_add(OVERHEAD);
        let (share, all) = (self.share.clone(), self.context.places.memory.clone());
        if let Some(own) = share.try_take(bytes)
            && let Some(all) = all.try_take(bytes)
        {
            return self.begin(piece, Some(Room { _own: own, _all: all })).await;
        }
        let patience = Duration::from_secs(u64::from(self.context.limits.memory_wait_s));
        self.waiting = Some(Waiting(tokio::spawn(async move {
            let own = share.take(bytes, patience).await;
            let all = match own {
                Some(_) => all.take(bytes, patience).await,
                None => None,
            };
            (piece, own.zip(all).map(|(own, all)| Room { _own: own, _all: all }))
        })));
        Ok(())
    }

    async fn begin(&mut self, piece: Piece, room: Option<Room>) -> Result<(), End> {
        let ticket = piece.ticket;
        let Some(room) = room else {
            self.tickets.ignore(&piece);
            return self.refuse(ticket, Refusal::of(reason::OVERLOADED)).await;
        };
        if let Some((container, room)) = self.tickets.begin(piece, room, Instant::now()) {
            self.launch(ticket, container, room);
        }
        Ok(())
    }

    fn launch(&mut self, ticket: u32, container: Bytes, room: Room) {
        self.working.insert(ticket);
        let flight = carry::carry(Arc::clone(&self.context), self.caller.clone(), ticket, container, room);
        self.flights.spawn(flight);
    }

    /// When something has taken too long, if nothing comes before.
    fn deadline(&self) -> Instant {
        if self.tickets.is_idle() {
            return self.last_piece + QUIET;
        }
        let idle = Duration::from_secs(u64::from(self.context.limits.submit_idle_s));
        self.tickets.deadline().map_or(self.last_piece + idle, |first| first.min(self.last_piece + idle))
    }

    /// The deadline came. Returns whether to go on reading.
    async fn too_slow(&mut self) -> Result<bool, End> {
        let now = Instant::now();
        let idle = Duration::from_secs(u64::from(self.context.limits.submit_idle_s));
        if self.tickets.is_idle() || now >= self.last_piece + idle {
            self.give_up(reason::STREAM_TOO_SLOW).await?;
            return Ok(false);
        }
        for ticket in self.tickets.drop_slow(now) {
            self.refuse(ticket, Refusal::of(reason::STREAM_TOO_SLOW)).await?;
        }
        Ok(true)
    }

    /// No more pieces will be read: what is incomplete stays so, and nothing of it is kept.
    async fn give_up(&mut self, reason: &'static str) -> Result<(), End> {
        for ticket in self.tickets.drop_all() {
            self.refuse(ticket, Refusal::of(reason)).await?;
        }
        Ok(())
    }

    async fn refuse(&mut self, ticket: u32, refusal: Refusal) -> Result<(), End> {
        self.context.refusals.keep(self.caller.office, &refusal);
        self.answer(carry::rejected(&self.context, ticket, refusal)).await
    }

    async fn answer(&mut self, response: pb::SubmitResponse) -> Result<(), End> {
        let patience = Duration::from_secs(u64::from(self.context.limits.submit_idle_s));
        match tokio::time::timeout(patience, self.results.send(Ok(response))).await {
            Ok(Ok(())) => Ok(()),
            // Who does not read its results holds memory that others need.
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }
}

/// A task that waits for a parcel's memory, and ends with its stream.
struct Waiting(JoinHandle<(Piece, Option<Room>)>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Resolves when the waiting parcel has its memory, or will not get it.
async fn granted(waiting: &mut Option<Waiting>) -> Result<(Piece, Option<Room>), JoinError> {
    match waiting {
        Some(waiting) => (&mut waiting.0).await,
        None => std::future::pending().await,
    }
}

/// A task panicked: what became of its parcel is unknown here, and sending it again finds out.
fn lost(error: &JoinError) -> End {
    tracing::error!(%error, "a task of a Submit stream was lost");
    End::Broken(Failure::of(reason::STORE_UNAVAILABLE))
}
