//! A revocation list larger than a gRPC message: everything works, and it is part of the evidence.

use std::fs;
use std::time::{Duration, Instant};

use tasuki_certs::trial_ca::{Revocation, RevocationReason, TrialCa};
use tasuki_proto::event::sha256;
use tasuki_proto::pb::directory_client::DirectoryClient;
use tasuki_proto::{limits, pb, reason as word};
use tasuki_tests::office::write_sample;
use tasuki_tests::raw::{now_us, status_reason};
use tasuki_tests::run::{run, text};
use tonic::transport::Channel;

use crate::stage::{Database, MANAGER, Stage, VISIT, programs};

const MINUTE_US: i64 = 60_000_000;

/// What a gRPC client takes at once by default.
const MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// The trial CA's list with 100,000 entries.
fn large_list(stage: &Stage, number: u32) -> Vec<u8> {
    let read = |name: &str| fs::read(stage.relay.dir.join(name)).unwrap();
    let ca = TrialCa::load(&read("trial-ca.pem"), &read("trial-ca.key")).unwrap();
    let now_us = now_us();
    let revoked: Vec<Revocation> = (0..100_000_u32)
        .map(|n| {
            let serial = [&[0x41; 16][..], &n.to_be_bytes()].concat();
            Revocation::new(&serial, now_us - MINUTE_US, RevocationReason::KeyCompromise)
        })
        .collect();
    let list = ca.crl(&revoked, number, now_us, now_us + 60 * MINUTE_US).unwrap();
    assert!(list.len() > MESSAGE_BYTES);
    list
}

/// Puts a list in the place of what the relay uses, and waits until it has noticed.
fn use_list(stage: &Stage, list: &[u8]) {
    let reloads = || stage.relay.log_text().matches("trust store reloaded").count();
    let before = reloads();
    let folder = stage.relay.dir.join("crls");
    fs::write(folder.join(".large.new"), list).unwrap();
    fs::rename(folder.join(".large.new"), folder.join("large.crl")).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while reloads() == before {
        assert!(Instant::now() < deadline, "{}", stage.relay.log_text());
        std::thread::sleep(Duration::from_millis(100));
    }
}

async fn get_crl(channel: &Channel, fingerprint: &[u8]) -> Result<Vec<u8>, String> {
    let request = pb::GetCrlRequest { fingerprint: fingerprint.to_vec().into() };
    // A client with the default limit.
    let answer = DirectoryClient::new(channel.clone()).get_crl(request).await;
    let mut pieces = answer.map_err(|status| status_reason(&status))?.into_inner();
    let mut list = Vec::new();
    while let Some(piece) = pieces.message().await.unwrap() {
        assert!(!piece.chunk.is_empty() && piece.chunk.len() <= 256 * 1024);
        list.extend_from_slice(&piece.chunk);
    }
    Ok(list)
}

fn a_large_list(database: Database) {
    let stage = Stage::new(database);
    let first = large_list(&stage, 1_000);
    use_list(&stage, &first);

    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    let slip = write_sample(&stage.path().join("samples"), "03_slip_202602_to_visit").display().to_string();
    let sent = manager.run(&["--json", "send", &slip]).expect(0).json();
    let parcel = text(&sent[0], "parcel").to_owned();
    let out = stage.path().join("in").display().to_string();
    assert_eq!(visit.run(&["--json", "receive", "--out", &out]).expect(0).json().len(), 1);
    for office in [&manager, &visit] {
        let folder = stage.path().join(format!("evidence-{}", office.number));
        let folder_text = folder.display().to_string();
        office.run(&["evidence", &parcel, "--out", &folder_text]).expect(0);
        let lists: Vec<Vec<u8>> = fs::read_dir(folder.join("crls"))
            .unwrap()
            .map(|file| fs::read(file.unwrap().path()).unwrap())
            .collect();
        assert!(lists.contains(&first), "the evidence holds the list that was used");
        run(programs().tasuki().args(["verify", &folder_text])).expect(0);
    }

    // Over the wire: what comes along is small; what was used before is still there in pieces.
    let second = large_list(&stage, 1_001);
    use_list(&stage, &second);
    let raw = stage.raw(MANAGER);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let channel = raw.connect(&stage.relay).await.unwrap();
        let relay =
            DirectoryClient::new(channel.clone()).get_relay(pb::GetRelayRequest::default()).await.unwrap();
        let relay = relay.into_inner();
        assert_eq!(relay.more_crls, [sha256(&second).to_vec()]);
        assert!(relay.crls.iter().map(bytes::Bytes::len).sum::<usize>() <= limits::MAX_CRLS_ALONG_BYTES);
        assert!(!relay.crls.is_empty(), "the trial CA's own small list");
        for list in [&first, &second] {
            assert!(get_crl(&channel, &sha256(list)).await.as_ref() == Ok(list));
        }
        assert_eq!(get_crl(&channel, &[0; 32]).await, Err(word::CRL_NOT_FOUND.to_owned()));
        assert_eq!(get_crl(&channel, &[0; 31]).await, Err(word::REQUEST_MALFORMED.to_owned()));
        // Certificates are archived beside the lists; they are nobody's business but the parcel's parties'.
        let certificate = sha256(raw.identity.certificate_der());
        assert_eq!(get_crl(&channel, &certificate).await, Err(word::CRL_NOT_FOUND.to_owned()));
    });
    // The office takes over the new one, and goes on.
    manager.run(&["--json", "send", "--again", &slip]).expect(0);
    stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn a_large_list_on_sqlite() {
    a_large_list(Database::Sqlite);
}

#[test]
fn a_large_list_on_postgres() {
    a_large_list(Database::Postgres);
}
