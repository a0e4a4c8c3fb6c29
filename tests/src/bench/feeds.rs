//! What being told costs: a poll that finds nothing, against an empty gRPC call, and the way of an arrival to a thousand
//! open feeds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::stream::{self, TryStreamExt as _};
use tasuki_proto::event::{Event, kind};
use tasuki_proto::ids::ParcelKey;
use tasuki_proto::pb;
use tasuki_proto::pb::feed_client::FeedClient;
use tokio::sync::mpsc;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::cpu;
use super::fixture::Signed;
use super::load::Load;

/// Calls of each kind in one round.
const CALLS: usize = 10_000;
/// Rounds: the kinds take turns, so that the machine's moods meet all of them.
const ROUNDS: u32 = 3;
/// Calls under way at once.
const AT_ONCE: usize = 64;
/// Unanswered parcels while feeds are open.
const WINDOW: usize = 256;

/// Relay CPU of one call of each kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct Calls {
    /// `grpc.health.v1.Health/Check`: what a gRPC call over mutual TLS costs by itself.
    pub empty: Duration,
    /// A poll with nothing new anywhere.
    pub unchanged: Duration,
    /// A poll with nothing new for this office while the log has grown, which takes a proof of consistency.
    pub log_grown: Duration,
}

/// Where the readers stand: behind everything that is there.
pub async fn ends(channels: &[Channel]) -> Result<Vec<(pb::Cursor, u64)>, String> {
    let mut ends = Vec::with_capacity(channels.len());
    for channel in channels {
        let mut cursor = pb::Cursor::default();
        loop {
            let request = pb::PollRequest { cursor: Some(cursor), limit: 200, ..Default::default() };
            let batch = FeedClient::new(channel.clone()).poll(request).await.map_err(text)?.into_inner();
            cursor = batch.next.unwrap_or_default();
            if batch.entries.is_empty() && !batch.more {
                ends.push((cursor, tree_size(&batch.checkpoint)));
                break;
            }
        }
    }
    Ok(ends)
}

/// Measures the three kinds of calls.
///
/// # Errors
/// If a call fails, or a poll finds something.
pub async fn calls(channels: &[Channel], ends: &[(pb::Cursor, u64)], pid: u32) -> Result<Calls, String> {
    let newest = ends.iter().map(|(_, size)| *size).max().unwrap_or(0);
    let mut calls = Calls::default();
    for _ in 0..ROUNDS {
        calls.empty += each(channels, pid, |n| {
            let mut client = HealthClient::new(channels[n].clone());
            async move { client.check(HealthCheckRequest::default()).await.map(|_| ()).map_err(text) }
        })
        .await?;
        for (known_size, sum) in [(newest, &mut calls.unchanged), (newest / 2, &mut calls.log_grown)] {
            *sum += each(channels, pid, |n| poll(channels[n].clone(), ends[n].0, known_size)).await?;
        }
    }
    Ok(Calls {
        empty: calls.empty / ROUNDS,
        unchanged: calls.unchanged / ROUNDS,
        log_grown: calls.log_grown / ROUNDS,
    })
}

/// Relay CPU per call.
async fn each<F: Future<Output = Result<(), String>>>(
    channels: &[Channel],
    pid: u32,
    call: impl Fn(usize) -> F,
) -> Result<Duration, String> {
    let before = cpu::of_process(pid);
    let calls = stream::iter((0..CALLS).map(|n| Ok::<_, String>(call(n % channels.len()))));
    calls.try_buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
    Ok(cpu::of_process(pid).saturating_sub(before) / u32::try_from(CALLS).unwrap_or(1))
}

async fn poll(channel: Channel, cursor: pb::Cursor, known_size: u64) -> Result<(), String> {
    let request = pb::PollRequest { cursor: Some(cursor), known_size, limit: 100, ..Default::default() };
    let batch = FeedClient::new(channel).poll(request).await.map_err(text)?.into_inner();
    if batch.entries.is_empty() { Ok(()) } else { Err("a poll found something".to_owned()) }
}

/// Sends parcels at a rate while every receiver has its feed open. Returns how long each took from being handed to its
/// sender's connection until it stood in its receiver's feed, sorted.
///
/// # Errors
/// If a parcel is rejected, a feed ends, or an arrival does not come.
pub async fn arrivals(
    load: &mut Load,
    parcels: &[Signed],
    receivers: &[Channel],
    ends: &[(pb::Cursor, u64)],
    per_second: f64,
) -> Result<Vec<Duration>, String> {
    let sent: Arc<Mutex<HashMap<ParcelKey, Instant>>> = Arc::default();
    let (told, mut arrived) = mpsc::unbounded_channel();
    let mut followers = tokio::task::JoinSet::new();
    for (channel, (cursor, known_size)) in receivers.iter().zip(ends) {
        let request =
            pb::StreamRequest { cursor: Some(*cursor), known_size: *known_size, ..Default::default() };
        let mut feed = FeedClient::new(channel.clone()).stream(request).await.map_err(text)?.into_inner();
        let (sent, told) = (Arc::clone(&sent), told.clone());
        followers.spawn(async move {
            while let Ok(Some(batch)) = feed.message().await {
                let now = Instant::now();
                for entry in batch.entries.iter().filter_map(|evidence| evidence.entry.as_ref()) {
                    let event =
                        Event::parse(&entry.text).ok().filter(|event| event.kind == kind::PARCEL_DELIVERED);
                    let began = event.and_then(|event| event.parcel()).and_then(|key| {
                        sent.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied()
                    });
                    let _gone = told.send(began.map(|began| now.duration_since(began)));
                }
            }
        });
    }
    let note = |parcel: &Signed| {
        let mut sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.insert(parcel.key, Instant::now());
    };
    load.run_telling(parcels, WINDOW, Some(per_second), &note).await?;
    let mut latencies = Vec::with_capacity(parcels.len());
    while latencies.len() < parcels.len() {
        let next = tokio::time::timeout(Duration::from_secs(10), arrived.recv()).await;
        match next {
            Ok(Some(Some(latency))) => latencies.push(latency),
            Ok(Some(None)) => return Err("an arrival that nobody sent".to_owned()),
            Ok(None) | Err(_) => {
                return Err(format!("{} of {} arrivals came", latencies.len(), parcels.len()));
            }
        }
    }
    latencies.sort_unstable();
    Ok(latencies)
}

/// The second line of a checkpoint is the tree's size (C2SP tlog-checkpoint).
fn tree_size(checkpoint: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(checkpoint);
    text.lines().nth(1).and_then(|size| size.parse().ok()).unwrap_or(0)
}

#[expect(clippy::needless_pass_by_value, reason = "what map_err hands over")]
fn text(status: tonic::Status) -> String {
    status.to_string()
}
