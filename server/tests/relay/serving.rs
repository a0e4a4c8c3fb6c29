//! A relay as a process: a parcel's way through it, what everybody sees of it, and how it stops.

use std::time::Duration;

use tasuki_certs::open::{OpeningKey, open};
use tasuki_proto::event::{kind, sha256};
use tasuki_proto::log::{Checkpoint, LogVerifier, proof_hashes};
use tasuki_proto::pb::directory_client::DirectoryClient;
use tasuki_proto::pb::exchange_client::ExchangeClient;
use tasuki_proto::pb::feed_client::FeedClient;
use tasuki_proto::pb::log_client::LogClient;
use tasuki_proto::pb::tracking_client::TrackingClient;
use tasuki_proto::{evidence, pb, reason as word};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

use crate::common::{MANAGER, Relay, VISIT, accepted, parcel_ref, pieces, reason, status_reason, submit};

async fn log_key(channel: &Channel) -> LogVerifier {
    let relay =
        DirectoryClient::new(channel.clone()).get_relay(pb::GetRelayRequest::default()).await.unwrap();
    LogVerifier::from_vkey(&relay.into_inner().log_key).unwrap()
}

fn proven(key: &LogVerifier, evidence: &pb::Evidence) -> evidence::Proven {
    let checkpoint = key.open(&evidence.checkpoint).unwrap();
    evidence::check(evidence, &checkpoint).unwrap()
}

async fn fetch(channel: &Channel, item: pb::FetchItem) -> (pb::FetchHeader, Vec<u8>) {
    let request = pb::FetchRequest { items: vec![item] };
    let mut parts = ExchangeClient::new(channel.clone()).fetch(request).await.unwrap().into_inner();
    let (mut header, mut bytes, mut ended) = (None, Vec::new(), false);
    while let Some(message) = parts.message().await.unwrap() {
        match message.part.unwrap() {
            pb::fetch_response::Part::Header(h) => header = Some(h),
            pb::fetch_response::Part::Chunk(chunk) => {
                assert!(chunk.len() <= 256 * 1024);
                bytes.extend_from_slice(&chunk);
            }
            pb::fetch_response::Part::End(_) => ended = true,
            pb::fetch_response::Part::Failure(failure) => panic!("{failure:?}"),
        }
    }
    assert!(ended);
    (header.unwrap(), bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parcel_goes_all_the_way_and_every_step_is_proven() {
    let relay = Relay::started();
    let (manager, visit) = (relay.office(MANAGER), relay.office(VISIT));
    let to_manager = relay.connect(&manager).await.unwrap();
    let to_visit = relay.connect(&visit).await.unwrap();
    let log = log_key(&to_manager).await;

    let (key, container) = manager.parcel(VISIT, 700_000);
    let results = submit(&to_manager, pieces(1, &container)).await.unwrap();
    let first = accepted(results.into_iter().next().unwrap());
    assert_eq!(first.digest, sha256(&container).to_vec());
    assert_eq!(proven(&log, first.evidence.as_ref().unwrap()).event.kind, kind::PARCEL_DELIVERED);
    assert!(!first.repeated);
    let again = submit(&to_manager, pieces(1, &container)).await.unwrap();
    let again = accepted(again.into_iter().next().unwrap());
    assert!(again.repeated);
    proven(&log, again.evidence.as_ref().unwrap());
    // It is large, and kept once outside the database. What the repetition had put there goes after its answer.
    let kept = || -> usize {
        let folders = std::fs::read_dir(relay.path().join("content")).unwrap();
        folders.map(|f| std::fs::read_dir(f.unwrap().path()).unwrap().count()).sum()
    };
    let patience = async {
        while kept() != 1 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), patience).await.unwrap();

    // Fetched in two pieces: the second goes on where the first stopped.
    let item = |offset| pb::FetchItem { r#ref: Some(parcel_ref(&key)), offset };
    let (header, sealed) = fetch(&to_visit, item(0)).await;
    assert_eq!(header.sealed_digest, sha256(&sealed).to_vec());
    assert_eq!(header.parcel.as_ref().unwrap().state(), pb::ParcelState::Fetched);
    assert_eq!(header.parcel.unwrap().sender_name, "居宅");
    let delivered = proven(&log, &header.delivered.unwrap());
    assert_eq!(delivered.event.digest("sealed"), Some(sha256(&sealed)));
    assert_eq!(delivered.opening.unwrap().party.as_str(), VISIT);
    let (_, rest) = fetch(&to_visit, item(300_000)).await;
    assert_eq!(rest, sealed[300_000..]);
    let opened = open(&sealed, &[OpeningKey::from_identity(&visit.identity).unwrap()]).unwrap();
    assert_eq!(opened, container);

    let statement = visit.acknowledgement(key, sha256(&container));
    let acknowledge = async |statement: bytes::Bytes| {
        let request = pb::AcknowledgeRequest { statements: vec![statement] };
        let response = ExchangeClient::new(to_visit.clone()).acknowledge(request).await.unwrap();
        match response.into_inner().results.remove(0).outcome.unwrap() {
            pb::acknowledge_result::Outcome::Accepted(accepted) => accepted,
            pb::acknowledge_result::Outcome::Rejected(rejected) => panic!("{rejected:?}"),
        }
    };
    let done = acknowledge(statement.clone()).await;
    assert!(!done.repeated);
    let event = proven(&log, &done.evidence.unwrap());
    assert_eq!(event.event.digest("statement"), Some(sha256(&statement)));
    // Another statement about the same parcel is answered with the one that counts.
    let repeated = acknowledge(visit.acknowledgement(key, sha256(&container))).await;
    assert!(repeated.repeated);
    assert_eq!(proven(&log, &repeated.evidence.unwrap()).index, event.index);

    for channel in [&to_manager, &to_visit] {
        let request = pb::GetParcelRequest { r#ref: Some(parcel_ref(&key)) };
        let evidence = TrackingClient::new(channel.clone()).get_evidence(request).await.unwrap().into_inner();
        let kinds: Vec<String> = evidence.events.iter().map(|e| proven(&log, e).event.kind).collect();
        assert_eq!(kinds, [kind::PARCEL_DELIVERED, kind::PARCEL_FETCHED, kind::PARCEL_ACKNOWLEDGED]);
        assert_eq!(evidence.statements, std::slice::from_ref(&statement));
        // Two signers and their CA; the CRL that both were checked against.
        assert_eq!((evidence.certificates.len(), evidence.log_keys.len()), (3, 1));
        assert!(!evidence.crls.is_empty());
    }
    let by_id = pb::ParcelRef { sender: String::new(), ..parcel_ref(&key) };
    let found = TrackingClient::new(to_manager.clone())
        .get_parcel(pb::GetParcelRequest { r#ref: Some(by_id) })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(found.parcel.unwrap().state(), pb::ParcelState::Acknowledged);
    let verified = relay.run(&["log", "verify"]);
    assert!(String::from_utf8(verified.stdout).unwrap().contains("verifies"));
}

/// What waits in a call's own queue must not keep database connections from the one that is being sent: with more
/// calls than connections, all of them would wait for each other.
#[tokio::test(flavor = "multi_thread")]
async fn many_calls_that_fetch_many_parcels_do_not_wait_for_each_other() {
    const CALLS: usize = 12;
    const PARCELS: u32 = 24;
    let relay = Relay::started();
    let (manager, visit) = (relay.office(MANAGER), relay.office(VISIT));
    let to_manager = relay.connect(&manager).await.unwrap();
    let (mut items, mut messages) = (Vec::new(), Vec::new());
    for ticket in 1..=PARCELS {
        let (key, container) = manager.parcel(VISIT, 1_000);
        messages.extend(pieces(ticket, &container));
        items.push(pb::FetchItem { r#ref: Some(parcel_ref(&key)), offset: 0 });
    }
    submit(&to_manager, messages).await.unwrap().into_iter().for_each(|result| drop(accepted(result)));
    let to_visit = relay.connect(&visit).await.unwrap();
    let calls = (0..CALLS).map(|_| {
        let (channel, items) = (to_visit.clone(), items.clone());
        tokio::spawn(async move {
            let request = pb::FetchRequest { items };
            let mut parts = ExchangeClient::new(channel).fetch(request).await.unwrap().into_inner();
            let mut ended = 0;
            while let Some(message) = parts.message().await.unwrap() {
                match message.part.unwrap() {
                    pb::fetch_response::Part::End(_) => ended += 1,
                    pb::fetch_response::Part::Failure(failure) => panic!("{failure:?}"),
                    pb::fetch_response::Part::Header(_) | pb::fetch_response::Part::Chunk(_) => {}
                }
            }
            ended
        })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap(), PARCELS);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_is_gapless_and_wakes_its_readers() {
    let relay = Relay::started();
    let (manager, visit) = (relay.office(MANAGER), relay.office(VISIT));
    let to_manager = relay.connect(&manager).await.unwrap();
    let to_visit = relay.connect(&visit).await.unwrap();
    let log = log_key(&to_visit).await;
    let mut feed = FeedClient::new(to_visit.clone());
    let poll = |cursor: Option<pb::Cursor>, wait_ms, known_size| pb::PollRequest {
        office: String::new(),
        cursor,
        wait_ms,
        limit: 2,
        known_size,
    };

    // From the beginning, in pages of two.
    let (mut cursor, mut seen, mut newest): (_, u64, Option<Checkpoint>) = (None, 0, None);
    loop {
        let known = newest.as_ref().map_or(0, |c| c.size);
        let batch = feed.poll(poll(cursor, 0, known)).await.unwrap().into_inner();
        let checkpoint = log.open(&batch.checkpoint).unwrap();
        if let Some(newest) = &newest {
            checkpoint.check_consistency(newest, &proof_hashes(&batch.consistency).unwrap()).unwrap();
        }
        for entry in &batch.entries {
            let opening = evidence::check(entry, &checkpoint).unwrap().opening.unwrap();
            seen += 1;
            assert_eq!(opening.number, seen);
        }
        newest = Some(checkpoint);
        cursor = batch.next;
        if !batch.more {
            break;
        }
    }
    assert!(seen >= 2, "the office's entry and its key");

    // A waiting poll and a stream hear of an arrival.
    let waiting = tokio::spawn({
        let mut feed = FeedClient::new(to_visit.clone());
        async move { feed.poll(poll(cursor, 30_000, 0)).await.unwrap().into_inner() }
    });
    let request = pb::StreamRequest { office: VISIT.to_owned(), cursor, known_size: newest.unwrap().size };
    let mut stream = feed.stream(request).await.unwrap().into_inner();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let (_, container) = manager.parcel(VISIT, 10);
    submit(&to_manager, pieces(1, &container)).await.unwrap();
    let heard = tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap();
    assert_eq!(heard.entries.len(), 1);
    let heard = tokio::time::timeout(Duration::from_secs(5), stream.message()).await.unwrap();
    assert_eq!(heard.unwrap().unwrap().entries.len(), 1);

    // Nobody reads ahead of the end, or in another's feed.
    let ahead = pb::Cursor { epoch: 1, number: seen + 100 };
    let refused = feed.poll(poll(Some(ahead), 0, 0)).await.unwrap_err();
    assert_eq!(status_reason(&refused), word::CURSOR_IN_FUTURE);
    let other = pb::PollRequest { office: MANAGER.to_owned(), ..poll(None, 0, 0) };
    assert_eq!(status_reason(&feed.poll(other).await.unwrap_err()), word::NOT_ALLOWED);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_have_pages_and_filters() {
    let relay = Relay::started();
    let (manager, visit) = (relay.office(MANAGER), relay.office(VISIT));
    let to_manager = relay.connect(&manager).await.unwrap();
    let to_visit = relay.connect(&visit).await.unwrap();
    let messages: Vec<_> = (1..=5).flat_map(|t| pieces(t, &manager.parcel(VISIT, 10).1)).collect();
    let results = submit(&to_manager, messages).await.unwrap();
    assert!(results.iter().all(|r| reason(r) == "accepted"));

    let mut tracking = TrackingClient::new(to_visit.clone());
    let mut request = pb::ListRequest { page_size: 2, ..pb::ListRequest::default() };
    let (mut pages, mut count) = (0, 0);
    loop {
        let page = tracking.list_received(request.clone()).await.unwrap().into_inner();
        pages += 1;
        count += page.parcels.len();
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!((pages, count), (3, 5));
    let count = async |request: pb::ListRequest| {
        TrackingClient::new(to_manager.clone()).list_sent(request).await.map(|r| r.into_inner().parcels.len())
    };
    let all = pb::ListRequest::default;
    assert_eq!(count(all()).await.unwrap(), 5);
    let delivered = vec![pb::ParcelState::Delivered.into()];
    assert_eq!(count(pb::ListRequest { states: delivered, ..all() }).await.unwrap(), 5);
    let refused = vec![pb::ParcelState::Refused.into()];
    assert_eq!(count(pb::ListRequest { states: refused, ..all() }).await.unwrap(), 0);
    assert_eq!(count(pb::ListRequest { kind: "ATTACHMENT".into(), ..all() }).await.unwrap(), 5);
    assert_eq!(count(pb::ListRequest { month: "202602".into(), ..all() }).await.unwrap(), 0);
    for bad in [
        pb::ListRequest { month: "2026-02".into(), ..all() },
        pb::ListRequest { kind: "%".into(), ..all() },
        pb::ListRequest { partner: "1".into(), ..all() },
        pb::ListRequest { page_size: 501, ..all() },
        pb::ListRequest { page_token: "x".into(), ..all() },
        pb::ListRequest { states: vec![99], ..all() },
    ] {
        let status = count(bad.clone()).await.unwrap_err();
        assert_eq!(status_reason(&status), word::REQUEST_MALFORMED, "{bad:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_proves_its_growth_within_its_range() {
    let relay = Relay::started();
    let manager = relay.office(MANAGER);
    let channel = relay.connect(&manager).await.unwrap();
    let mut client = LogClient::new(channel.clone());
    let log = log_key(&channel).await;
    let newest = client.get_checkpoint(pb::GetCheckpointRequest { epoch: 0 }).await.unwrap().into_inner();
    let checkpoint = log.open(&newest.checkpoint).unwrap();
    let tile = client.get_tile(pb::GetTileRequest { epoch: 1, level: 0, index: 0 }).await.unwrap();
    assert_eq!(tile.into_inner().hashes.len() as u64, checkpoint.size * 32);
    let range = |from_size, to_size| pb::GetConsistencyRequest { epoch: 1, from_size, to_size };
    client.get_consistency(range(1, 0)).await.unwrap();
    for bad in [range(0, 0), range(2, 1), range(1, checkpoint.size + 1000)] {
        let status = client.get_consistency(bad).await.unwrap_err();
        assert_eq!(status_reason(&status), word::LOG_RANGE);
    }
    let status = client.get_checkpoint(pb::GetCheckpointRequest { epoch: 7 }).await.unwrap_err();
    assert_eq!(status_reason(&status), word::LOG_RANGE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_finishes_what_is_open_and_takes_nothing_new() {
    let mut relay = Relay::started();
    let manager = relay.office(MANAGER);
    relay.office(VISIT);
    let channel = relay.connect(&manager).await.unwrap();
    let (_, container) = manager.parcel(VISIT, 3_000_000);
    let mut parts = pieces(1, &container).into_iter();
    let (requests, stream) = mpsc::channel(16);
    requests.send(parts.next().unwrap()).await.unwrap();
    let mut results =
        ExchangeClient::new(channel).submit(ReceiverStream::new(stream)).await.unwrap().into_inner();
    tokio::time::sleep(Duration::from_millis(300)).await;
    relay.terminate();
    tokio::time::sleep(Duration::from_millis(300)).await;
    for part in pieces(2, &manager.parcel(VISIT, 10).1) {
        requests.send(part).await.unwrap();
    }
    for part in parts {
        requests.send(part).await.unwrap();
    }
    let mut by_ticket = [String::new(), String::new()];
    while let Some(result) = results.message().await.unwrap() {
        by_ticket[result.ticket as usize - 1] = reason(&result).to_owned();
    }
    assert_eq!(by_ticket, ["accepted", word::SHUTTING_DOWN]);
    drop(requests);
    assert!(relay.ended());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_sender_is_told_and_gives_its_memory_back() {
    let mut relay = Relay::new(&["submit_idle_s = 1"]);
    relay.start();
    let manager = relay.office(MANAGER);
    relay.office(VISIT);
    let channel = relay.connect(&manager).await.unwrap();
    let (_, container) = manager.parcel(VISIT, 3_000_000);
    let (requests, stream) = mpsc::channel(16);
    requests.send(pieces(7, &container).remove(0)).await.unwrap();
    let mut results =
        ExchangeClient::new(channel.clone()).submit(ReceiverStream::new(stream)).await.unwrap().into_inner();
    let result = tokio::time::timeout(Duration::from_secs(10), results.message()).await.unwrap();
    assert_eq!(reason(&result.unwrap().unwrap()), word::STREAM_TOO_SLOW);
    assert!(results.message().await.unwrap().is_none(), "the stream ends");
    drop(requests);
    let results = submit(&channel, pieces(1, &container)).await.unwrap();
    assert_eq!(reason(&results[0]), "accepted");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_a_budget() {
    let mut relay =
        Relay::new(&["open_parcels_mib = 65", "open_parcels_per_stream_mib = 65", "memory_wait_s = 1"]);
    relay.start();
    let manager = relay.office(MANAGER);
    relay.office(VISIT);
    let channel = relay.connect(&manager).await.unwrap();
    // Two parcels that are announced large and never finished hold all there is.
    let hold =
        |ticket| pb::SubmitRequest { ticket, size: 16 * 1024 * 1024, chunk: bytes::Bytes::from_static(b"x") };
    let (requests, stream) = mpsc::channel(16);
    requests.send(hold(1)).await.unwrap();
    requests.send(hold(2)).await.unwrap();
    let holding = ExchangeClient::new(channel.clone()).submit(ReceiverStream::new(stream)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (_, container) = manager.parcel(VISIT, 2_000_000);
    let refused = submit(&channel, pieces(1, &container)).await.unwrap();
    assert_eq!(reason(&refused[0]), word::OVERLOADED);
    match &refused[0].outcome {
        Some(pb::submit_response::Outcome::Rejected(rejected)) => assert!(rejected.retry),
        other => panic!("{other:?}"),
    }
    drop((holding, requests));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let taken = submit(&channel, pieces(1, &container)).await.unwrap();
    assert_eq!(reason(&taken[0]), "accepted");
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_one_office_are_bounded() {
    let mut relay = Relay::new(&["submits_per_office = 2", "feeds_per_office = 2"]);
    relay.start();
    let manager = relay.office(MANAGER);
    let channel = relay.connect(&manager).await.unwrap();
    let mut open = Vec::new();
    let mut outcomes = Vec::new();
    for _ in 0..3 {
        let request = pb::StreamRequest::default();
        match FeedClient::new(channel.clone()).stream(request).await {
            Ok(stream) => {
                open.push(stream);
                outcomes.push(String::new());
            }
            Err(status) => outcomes.push(status_reason(&status)),
        }
    }
    assert_eq!(outcomes, ["", "", word::TOO_MANY_STREAMS]);
    drop(open);
    tokio::time::sleep(Duration::from_millis(300)).await;
    FeedClient::new(channel.clone()).stream(pb::StreamRequest::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn standing_and_certificates_are_asked_for_again_while_a_connection_lasts() {
    let relay = Relay::started();
    let (manager, visit) = (relay.office(MANAGER), relay.office(VISIT));
    let to_manager = relay.connect(&manager).await.unwrap();
    let to_visit = relay.connect(&visit).await.unwrap();
    let request = pb::StreamRequest::default();
    let mut stream = FeedClient::new(to_visit.clone()).stream(request).await.unwrap().into_inner();
    let asked = async |channel: &Channel| {
        let answer = DirectoryClient::new(channel.clone()).get_relay(pb::GetRelayRequest::default()).await;
        answer.map_or_else(|status| status_reason(&status), |_| "answered".to_owned())
    };
    let becomes = async |channel: &Channel, expected: &str| {
        for _ in 0..100 {
            if asked(channel).await == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("still {} instead of {expected}", asked(channel).await);
    };
    relay.run(&["office", "suspend", MANAGER, "--reason", "test"]);
    becomes(&to_manager, word::CALLER_SUSPENDED).await;
    relay.run(&["office", "resume", MANAGER]);
    becomes(&to_manager, "answered").await;

    relay.run(&["cert", "revoke", visit.pem.to_str().unwrap()]);
    becomes(&to_visit, "CERTIFICATE_REVOKED").await;
    // In TLS 1.3 the client learns of the refusal with its first call.
    let refused = match relay.connect(&visit).await {
        Ok(channel) => asked(&channel).await != "answered",
        Err(_) => true,
    };
    assert!(refused, "no new connection either");
    // The open stream ends when it next has something to send.
    let (_, container) = manager.parcel(VISIT, 10);
    let results = submit(&to_manager, pieces(1, &container)).await.unwrap();
    // The only key of the receiver was the revoked certificate's.
    assert_eq!(reason(&results[0]), word::RECIPIENT_NO_KEY);
    relay.run(&["office", "suspend", VISIT, "--reason", "test"]);
    let ended = tokio::time::timeout(Duration::from_secs(40), async {
        loop {
            match stream.message().await {
                Ok(Some(_)) => {}
                Ok(None) => return String::new(),
                Err(status) => return status_reason(&status),
            }
        }
    });
    assert_eq!(ended.await.unwrap(), "CERTIFICATE_REVOKED");
}
