//! Fetching: the release to the receiver is committed first, then the sealed bytes go out.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tasuki_proto::lifecycle::Act;
use tasuki_proto::{pb, reason};
use tokio::sync::mpsc;
use tonic::Status;

use super::convert::{opening_at, parcel_key};
use super::{Context, Failure};
use crate::access::Caller;
use crate::committer::change::{Change, Doing};
use crate::store::parcels::ParcelRow;

/// Bytes of one chunk: eight of them fill the window of an HTTP/2 connection well, and a reader that stops
/// holds no more than a few.
const CHUNK: usize = 256 * 1024;

/// Releases that are asked for ahead of the bytes that are being sent: they share commits. More would release
/// parcels that the caller may never come to read.
const AHEAD: usize = 16;

/// A reader that takes nothing for so long has gone.
const PATIENCE: Duration = Duration::from_mins(1);

type Parts = mpsc::Sender<Result<pb::FetchResponse, Status>>;

/// The caller went away.
struct Gone;

/// A parcel that was released, and from where on its bytes are wanted.
struct Released {
    row: ParcelRow,
    offset: u64,
}

/// Sends all items, in order.
pub(super) async fn run(context: &Arc<Context>, caller: &Caller, items: Vec<pb::FetchItem>, parts: Parts) {
    // Each release is a task of its own: one that merely stood in this stream would keep its database connection
    // for as long as nobody polls it, and all of them together would wait for each other.
    let asked = items.into_iter().map(|item| {
        let (context, caller) = (Arc::clone(context), caller.clone());
        tokio::spawn(async move {
            let outcome = release(&context, &caller, &item).await;
            (item, outcome)
        })
    });
    let mut releases = futures_util::stream::iter(asked).buffered(AHEAD);
    while let Some(released) = releases.next().await {
        let Ok((item, outcome)) = released else {
            let _gone = parts.send(Err(Failure::of(reason::STORE_UNAVAILABLE).into())).await;
            return;
        };
        if context.stopping.now() {
            let _gone = parts.send(Err(Failure::of(reason::SHUTTING_DOWN).into())).await;
            return;
        }
        // Certificates and standing end while long answers are on their way.
        if let Err(denied) = context.access.still(caller).await {
            let _gone = parts.send(Err(Failure::from(denied).into())).await;
            return;
        }
        let sent = match outcome {
            Ok(released) => send(context, caller, &released, &parts).await,
            Err(failure) => put(&parts, failed(&item, &failure)).await,
        };
        if sent.is_err() {
            return;
        }
    }
}

/// Commits the release, if it is the first.
async fn release(context: &Context, caller: &Caller, item: &pb::FetchItem) -> Result<Released, Failure> {
    let key = parcel_key(item.r#ref.as_ref())?;
    let theirs = |row: &ParcelRow| row.recipient == caller.office && row.exists_for(caller.office);
    let found = context.store.parcel(&key).await?.filter(theirs);
    let row = found.ok_or(Failure::of(reason::PARCEL_NOT_FOUND))?;
    if item.offset > row.sealed_size {
        return Err(Failure::of(reason::OFFSET_OUT_OF_RANGE));
    }
    if row.state.was_fetched() {
        return Ok(Released { row, offset: item.offset });
    }
    let by = caller.actor();
    let doing = Doing { key, act: Act::Fetch, by, signed: None };
    let done = context.committer.submit(Change::Act(Box::new(doing))).await?;
    let row = done.parcel.ok_or(Failure::of(reason::STORE_UNAVAILABLE))?;
    Ok(Released { row, offset: item.offset })
}

async fn send(context: &Context, caller: &Caller, released: &Released, parts: &Parts) -> Result<(), Gone> {
    let Released { row, offset } = released;
    let key = super::convert::parcel_ref(&row.key);
    let item = pb::FetchItem { r#ref: Some(key), offset: *offset };
    match header(context, caller, released).await {
        Ok(header) => put(parts, pb::fetch_response::Part::Header(header)).await?,
        Err(failure) => return put(parts, failed(&item, &failure)).await,
    }
    let mut at = *offset;
    while at < row.sealed_size {
        let chunk = match context.store.content(row.seq, at, CHUNK).await {
            Ok(Some(chunk)) if !chunk.is_empty() => chunk,
            Ok(_) => return put(parts, failed(&item, &Failure::of(reason::CONTENT_GONE))).await,
            Err(error) => return put(parts, failed(&item, &error.into())).await,
        };
        at += chunk.len() as u64;
        put(parts, pb::fetch_response::Part::Chunk(chunk.into())).await?;
    }
    metrics::counter!("tasuki_parcels_fetched_total").increment(1);
    put(parts, pb::fetch_response::Part::End(pb::FetchEnd {})).await
}

async fn header(context: &Context, caller: &Caller, released: &Released) -> Result<pb::FetchHeader, Failure> {
    let Released { row, offset } = released;
    let openings = context.store.openings_of(caller.office, row.seq).await?;
    let checkpoint = context.checkpoint_over(row.position).await?;
    let opening = opening_at(&openings, row.position);
    let delivered = context.ledger.evidence(row.position, &checkpoint, None, opening).await?;
    Ok(pb::FetchHeader {
        parcel: Some(context.summary(row).await?),
        offset: *offset,
        sealed_digest: row.sealed_digest.to_vec().into(),
        delivered: Some(delivered),
    })
}

fn failed(item: &pb::FetchItem, failure: &Failure) -> pb::fetch_response::Part {
    let (message_ja, message_en) = failure.messages();
    pb::fetch_response::Part::Failure(pb::FetchFailure {
        r#ref: item.r#ref.clone(),
        reason: failure.reason.to_owned(),
        message_ja,
        message_en,
    })
}

async fn put(parts: &Parts, part: pb::fetch_response::Part) -> Result<(), Gone> {
    let message = pb::FetchResponse { part: Some(part) };
    match tokio::time::timeout(PATIENCE, parts.send(Ok(message))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Gone),
    }
}
