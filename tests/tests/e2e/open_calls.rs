//! A proxy's call that stays open while what lets the proxy act ends: from then on nothing more is taken on it.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use tasuki_certs::cms_sign::{self, Content};
use tasuki_proto::mandate::{Delegate, Papers};
use tasuki_proto::parcel::{FileEntry, build_with};
use tasuki_proto::pb::exchange_client::ExchangeClient;
use tasuki_proto::statement::Statement;
use tasuki_proto::{pb, reason as word};
use tasuki_tests::raw::{Forge, RawOffice, now_us, reason};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Streaming};

use crate::hostile_mandates::hand_in;
use crate::stage::{Database, MANAGER, Stage, VISIT};

const SECOND_US: i64 = 1_000_000;
const PROXY: &str = "P00001";

/// A short delegation: long enough to send on a busy machine.
const LASTS_US: i64 = 8 * SECOND_US;

/// A Submit call that a proxy holds open for an office.
struct Open {
    proxy: RawOffice,
    delegation: Vec<u8>,
    requests: mpsc::Sender<pb::SubmitRequest>,
    results: Streaming<pb::SubmitResponse>,
    ticket: u32,
}

impl Open {
    /// The office delegates for so long, and the proxy opens its call.
    async fn new(stage: &Stage, office: &RawOffice, for_us: i64) -> Self {
        let now = now_us();
        let said = Statement::Delegate(Delegate {
            office: MANAGER.parse().unwrap(),
            proxy: PROXY.parse().unwrap(),
            scopes: "send".parse().unwrap(),
            from_us: now,
            until_us: now + for_us,
            confirm: false,
            time_us: now,
        });
        let delegation =
            cms_sign::sign(&office.identity, said.print().as_bytes(), Content::Attached, now).unwrap();
        let own = office.connect(&stage.relay).await.unwrap();
        assert_eq!(hand_in(&own, MANAGER, delegation.clone()).await, "done");
        let proxy = stage.raw(PROXY);
        let (requests, stream) = mpsc::channel(1);
        let mut request = Request::new(ReceiverStream::new(stream));
        request.metadata_mut().insert("tasuki-office", MANAGER.parse().unwrap());
        let mut client = ExchangeClient::new(proxy.connect(&stage.relay).await.unwrap());
        let results = client.submit(request).await.unwrap().into_inner();
        Self { proxy, delegation, requests, results, ticket: 0 }
    }

    /// Hands in one more parcel: `accepted`, or why not.
    async fn send(&mut self) -> String {
        let (name, bytes) = Forge::withdrawal(MANAGER, VISIT).files.remove(0);
        let mut header = Forge::header(MANAGER, VISIT);
        header.files.push(FileEntry::standard(&name, "DLTPLAN", "text/csv"));
        let papers = Papers { delegation: Some(&self.delegation), ..Papers::default() };
        let files = [Cow::Owned(bytes)];
        let container = build_with(&header, &files, &papers, &self.proxy.identity, now_us()).unwrap();
        self.ticket += 1;
        let (ticket, size) = (self.ticket, container.len() as u64);
        self.requests.send(pb::SubmitRequest { ticket, size, chunk: container.into() }).await.unwrap();
        reason(&self.results.message().await.unwrap().unwrap()).to_owned()
    }

    /// Hands in one after the other until one is refused; gives how many were taken and why the last was not.
    async fn until_refused(&mut self) -> (usize, String) {
        let deadline = Instant::now() + Duration::from_secs(60);
        for taken in 0.. {
            let outcome = self.send().await;
            if outcome != "accepted" {
                return (taken, outcome);
            }
            assert!(Instant::now() < deadline, "what ended is refused");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        unreachable!("a deadline comes first")
    }
}

fn stage() -> (Stage, RawOffice) {
    let stage = Stage::new(Database::Sqlite);
    stage.relay.run(&["proxy", "add", PROXY, "--name", "伝送サービス"]).expect(0);
    stage.office(VISIT).run(&["inbox"]).expect(0);
    let manager = stage.raw(MANAGER);
    (stage, manager)
}

#[test]
fn a_revoked_certificate_ends_what_it_delegated() {
    let (stage, manager) = stage();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut open = Open::new(&stage, &manager, 3_600 * SECOND_US).await;
        assert_eq!(open.send().await, "accepted");
        assert_eq!(open.send().await, "accepted");
        // Lists of revoked certificates count whole seconds.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let pem = stage.path().join(format!("raw-{MANAGER}/{MANAGER}.pem")).display().to_string();
        stage.relay.run(&["cert", "revoke", &pem, "--reason", "key-compromise"]).expect(0);
        assert_eq!(open.until_refused().await.1, word::MANDATE_MISSING);
        assert_eq!(open.send().await, word::MANDATE_MISSING);
    });
    stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn a_delegation_ends_at_its_time() {
    let (stage, manager) = stage();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let begin = now_us();
        let mut open = Open::new(&stage, &manager, LASTS_US).await;
        let (taken, why) = open.until_refused().await;
        assert!(taken > 0 && now_us() - begin >= LASTS_US, "{taken} were taken");
        assert_eq!(why, word::MANDATE_MISSING);
        assert_eq!(open.send().await, word::MANDATE_MISSING);
    });
    stage.relay.run(&["log", "verify"]).expect(0);
}
