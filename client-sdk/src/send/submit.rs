//! One bidirectional call that carries many parcels, and the next one where it broke.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tasuki_proto::limits::MAX_CHUNK_BYTES;
use tasuki_proto::pb;
use tasuki_proto::pb::submit_response::Outcome;
use tasuki_proto::reason::SCANNER_UNAVAILABLE;
use tokio::sync::{Notify, mpsc};
use tokio_stream::wrappers::ReceiverStream;

use super::batch;
use super::prepare::Ready;
use super::record::SentRecord;
use super::run::{Draft, Share};
use super::settle::{Settled, Settler};
use super::{ParcelReport, SendOutcome};
use crate::error::{Refusal, SdkError, Unreachable, VerificationError};
use crate::progress::{Progress, Step};
use crate::transport::Caller;

/// Messages between this and the connection. Each holds at most a chunk.
const QUEUE: usize = 4;

/// How long nothing may move in either direction while results are due.
const STANDSTILL: Duration = Duration::from_secs(60);

/// Parcels that are recorded together at most.
const MAX_RECORDS: usize = batch::MAX_PARCELS;

/// How long results wait for more to be recorded with while others are due: short for a person, long beside what a sync takes.
const LINGER: Duration = Duration::from_millis(500);

/// A parcel on its way: which one of the plan, its container, and its share of what may be in flight.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) place: usize,
    pub(super) draft: Draft,
    pub(super) ready: Ready,
    pub(super) share: Share,
}

/// Sends what comes through `parcels` until there is no more, and tells every one's fate through `told`.
pub(super) struct Submission<'a> {
    pub(super) caller: &'a Caller,
    pub(super) settler: &'a Settler,
    pub(super) progress: &'a dyn Progress,
    pub(super) told: mpsc::UnboundedSender<(usize, ParcelReport)>,
    /// Why the relay could not be asked just before: then nothing is sent, and all waits in the outbox.
    pub(super) unreachable: Option<SdkError>,
}

/// A parcel that the relay proves to have, still to be recorded.
struct Accepted {
    parcel: Parcel,
    record: Box<SentRecord>,
    outcome: SendOutcome,
}

/// What one call has come to.
#[derive(Debug, Default)]
struct Call {
    /// Parcels handed to the connection whose results are due.
    by_ticket: Mutex<HashMap<u32, Parcel>>,
    /// Parcels that the relay was too busy for, and its last word on that.
    again: Mutex<(Vec<Parcel>, Option<Refusal>)>,
    /// Told when the relay is busy: what it refused holds its share of what may be in flight, so the call must end
    /// rather than wait for parcels that get no share.
    busy: Notify,
    /// Counts chunks handed to the connection and results received: as long as it grows, something moves.
    moved: AtomicU64,
    /// A parcel's fate came to be known.
    progressed: AtomicBool,
}

impl Call {
    fn put(&self, ticket: u32, parcel: Parcel) {
        lock(&self.by_ticket).insert(ticket, parcel);
    }

    fn take(&self, ticket: u32) -> Option<Parcel> {
        lock(&self.by_ticket).remove(&ticket)
    }

    fn is_idle(&self) -> bool {
        lock(&self.by_ticket).is_empty()
    }

    fn refused(&self, parcel: Parcel, refusal: Refusal) {
        let mut again = lock(&self.again);
        again.0.push(parcel);
        again.1 = Some(refusal);
        self.busy.notify_one();
    }

    fn note_move(&self) {
        self.moved.fetch_add(1, Ordering::Relaxed);
    }

    /// Everything without a fate, in the plan's order, and the relay's word if it was busy.
    fn leftovers(self) -> (Vec<Parcel>, Option<Refusal>) {
        let (mut parcels, busy) = self.again.into_inner().unwrap_or_else(PoisonError::into_inner);
        let due = self.by_ticket.into_inner().unwrap_or_else(PoisonError::into_inner);
        parcels.extend(due.into_values());
        parcels.sort_unstable_by_key(|parcel| parcel.place);
        (parcels, busy)
    }
}

/// Inserting and removing leave nothing half done, so a panic elsewhere does not matter.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Submission<'_> {
    pub(super) async fn run(&self, mut parcels: mpsc::Receiver<Parcel>) {
        let mut waiting: VecDeque<Parcel> = VecDeque::new();
        if let Some(error) = &self.unreachable {
            return self.give_up(waiting, parcels, error).await;
        }
        let mut attempt = 1;
        loop {
            if waiting.is_empty() {
                // No call before there is something to say.
                match parcels.recv().await {
                    Some(first) => waiting.push_back(first),
                    None => return,
                }
            }
            let call = Call::default();
            let ended = self.call(&mut waiting, &mut parcels, &call).await;
            if call.progressed.load(Ordering::Relaxed) {
                attempt = 1;
            }
            let (left, busy) = call.leftovers();
            waiting.extend(left);
            let error: SdkError = match (ended, busy) {
                (Err(error), _) => error,
                (Ok(()), Some(refusal)) => Unreachable::Busy(refusal).into(),
                (Ok(()), None) if waiting.is_empty() => continue,
                (Ok(()), None) => Unreachable::Network("the relay ended the call early".to_owned()).into(),
            };
            let may_pass = matches!(error, SdkError::Unreachable(_));
            if !may_pass || attempt >= self.caller.attempts() {
                return self.give_up(waiting, parcels, &error).await;
            }
            self.caller.pause(attempt).await;
            attempt += 1;
            self.progress.step(Step::Reconnecting { attempt, error: &error });
        }
    }

    /// Leaves everything in the outbox.
    async fn give_up(
        &self,
        waiting: VecDeque<Parcel>,
        mut parcels: mpsc::Receiver<Parcel>,
        error: &SdkError,
    ) {
        for parcel in waiting {
            self.tell(parcel, SendOutcome::Pending(error.clone()));
        }
        while let Some(parcel) = parcels.recv().await {
            self.tell(parcel, SendOutcome::Pending(error.clone()));
        }
    }

    fn tell(&self, parcel: Parcel, outcome: SendOutcome) {
        let Parcel { place, draft, share, .. } = parcel;
        // Whoever collects lives as long as this; should it be gone, nobody wants to know.
        let _gone = self.told.send((place, draft.finish(outcome)));
        drop(share);
    }

    /// One call, from its first parcel to its end.
    async fn call(
        &self,
        waiting: &mut VecDeque<Parcel>,
        parcels: &mut mpsc::Receiver<Parcel>,
        call: &Call,
    ) -> Result<(), SdkError> {
        let (requests, queue) = mpsc::channel(QUEUE);
        let write = self.write(waiting, parcels, call, requests);
        let read = self.read(queue, call);
        tokio::pin!(write, read);
        let mut writing = true;
        loop {
            tokio::select! {
                ended = &mut read => return ended,
                () = &mut write, if writing => writing = false,
            }
        }
    }

    /// Hands parcels to the connection until there are no more, the relay is busy, or the connection takes none.
    async fn write(
        &self,
        waiting: &mut VecDeque<Parcel>,
        parcels: &mut mpsc::Receiver<Parcel>,
        call: &Call,
        requests: mpsc::Sender<pb::SubmitRequest>,
    ) {
        for ticket in 1.. {
            let mut parcel = waiting.pop_front();
            if parcel.is_none() {
                parcel = tokio::select! {
                    parcel = parcels.recv() => parcel,
                    () = call.busy.notified() => None,
                };
            }
            let Some(parcel) = parcel else { return };
            let container = parcel.ready.container.clone();
            call.put(ticket, parcel);
            for request in chunks(ticket, &container) {
                let bytes = request.chunk.len();
                if requests.send(request).await.is_err() {
                    return;
                }
                call.note_move();
                self.progress.step(Step::Transferred { bytes: u64::try_from(bytes).unwrap_or(u64::MAX) });
            }
        }
    }

    /// Takes results until the relay ends the call and all are settled.
    async fn read(&self, queue: mpsc::Receiver<pb::SubmitRequest>, call: &Call) -> Result<(), SdkError> {
        let mut exchange = self.caller.exchange();
        let opened = exchange.submit(ReceiverStream::new(queue));
        let mut results = self.caller.once(opened).await?;
        let mut settling = FuturesUnordered::new();
        let mut proven = Vec::new();
        // At most one at a time: what comes meanwhile goes with the next.
        let mut recording = FuturesUnordered::new();
        let mut ended = None;
        while ended.is_none() || !settling.is_empty() || !proven.is_empty() || !recording.is_empty() {
            let nothing_due = settling.is_empty() && (ended.is_some() || call.is_idle());
            let full = proven.len() >= MAX_RECORDS;
            if recording.is_empty() && !proven.is_empty() && (nothing_due || full) {
                recording.push(self.record(std::mem::take(&mut proven)));
            }
            tokio::select! {
                Some(()) = recording.next() => {}
                Some((parcel, settled)) = settling.next() => match settled {
                    Settled::Proven(record, outcome) => proven.push(Accepted { parcel, record, outcome }),
                    Settled::Done(outcome) => self.tell(parcel, outcome),
                },
                () = tokio::time::sleep(LINGER), if recording.is_empty() && !proven.is_empty() => {
                    recording.push(self.record(std::mem::take(&mut proven)));
                }
                result = self.next(&mut results, call), if ended.is_none() => match result {
                    Ok(Some(result)) => {
                        call.note_move();
                        let Some(parcel) = call.take(result.ticket) else {
                            // Answered twice, or made up.
                            let unasked = VerificationError::Incomplete("a ticket that was asked for");
                            ended = Some(Err(unasked.into()));
                            continue;
                        };
                        match result.outcome {
                            // That is about this parcel's files: the others need not wait for the relay's scanner.
                            Some(Outcome::Rejected(rejected)) if rejected.reason == SCANNER_UNAVAILABLE => {
                                let busy = Unreachable::Busy(Refusal::of(SCANNER_UNAVAILABLE));
                                self.tell(parcel, SendOutcome::Pending(busy.into()));
                                call.progressed.store(true, Ordering::Relaxed);
                            }
                            Some(Outcome::Rejected(rejected)) if rejected.retry => {
                                call.refused(parcel, Refusal::told(rejected));
                            }
                            outcome => settling.push(async move {
                                let settled = self.settler.settle(&parcel.ready, outcome).await;
                                (parcel, settled)
                            }),
                        }
                        call.progressed.fetch_or(!settling.is_empty(), Ordering::Relaxed);
                    }
                    // What was answered before the end is settled first.
                    Ok(None) => ended = Some(Ok(())),
                    Err(error) => ended = Some(Err(error)),
                },
            }
        }
        ended.unwrap_or(Ok(()))
    }

    /// Records parcels that the relay has, and tells.
    async fn record(&self, accepted: Vec<Accepted>) {
        let records: Vec<_> =
            accepted.iter().map(|one| (one.parcel.ready.clone(), one.record.clone())).collect();
        let recorded = self.settler.record(&records).await;
        for Accepted { parcel, outcome, .. } in accepted {
            let outcome =
                recorded.as_ref().map_or_else(|error| SendOutcome::Pending(error.clone()), |()| outcome);
            self.tell(parcel, outcome);
        }
    }

    /// The next result; `None` at the end. An error if nothing moves.
    async fn next(
        &self,
        results: &mut tonic::Streaming<pb::SubmitResponse>,
        call: &Call,
    ) -> Result<Option<pb::SubmitResponse>, SdkError> {
        let mut moved = call.moved.load(Ordering::Relaxed);
        let next = results.message();
        tokio::pin!(next);
        loop {
            match tokio::time::timeout(STANDSTILL, &mut next).await {
                Ok(result) => return result.map_err(|status| self.caller.error(&status)),
                Err(_elapsed) => {
                    let now = call.moved.load(Ordering::Relaxed);
                    if now == moved && !call.is_idle() {
                        return Err(Unreachable::Timeout.into());
                    }
                    moved = now;
                }
            }
        }
    }
}

/// A container's messages.
fn chunks(ticket: u32, container: &Bytes) -> impl Iterator<Item = pb::SubmitRequest> {
    let size = u64::try_from(container.len()).unwrap_or(u64::MAX);
    (0..container.len()).step_by(MAX_CHUNK_BYTES).map(move |from| {
        let to = container.len().min(from + MAX_CHUNK_BYTES);
        pb::SubmitRequest { ticket, size: if from == 0 { size } else { 0 }, chunk: container.slice(from..to) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_goes_in_chunks_and_its_size_in_the_first() {
        let container = Bytes::from(vec![7; MAX_CHUNK_BYTES + 1]);
        let messages: Vec<_> = chunks(3, &container).collect();
        assert_eq!(messages.len(), 2);
        assert_eq!((messages[0].size, messages[0].chunk.len()), (1_048_577, MAX_CHUNK_BYTES));
        assert_eq!((messages[1].size, messages[1].chunk.len(), messages[1].ticket), (0, 1, 3));
    }
}
