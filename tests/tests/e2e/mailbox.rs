//! Whose mailbox is it? Fetching, acknowledging, feeds: only one's own, only in order.

use tasuki_proto::event::sha256;
use tasuki_proto::ids::ParcelKey;
use tasuki_proto::pb;
use tasuki_proto::pb::feed_client::FeedClient;
use tasuki_proto::pb::tracking_client::TrackingClient;
use tasuki_proto::reason as word;
use tasuki_proto::statement::AboutParcel;
use tasuki_tests::office::write_slips;
use tasuki_tests::raw::{
    Forge, RawOffice, acknowledge, fetch, now_us, parcel_ref, reason, status_reason, submit,
};
use tasuki_tests::run::text;
use tonic::transport::Channel;

use crate::stage::{DAY, Database, MANAGER, Stage, VISIT};

struct Post {
    stage: Stage,
    visit: RawOffice,
    to_manager: Channel,
    to_visit: Channel,
    to_day: Channel,
    key: ParcelKey,
    digest: [u8; 32],
}

impl Post {
    async fn with_a_parcel(database: Database) -> Self {
        let stage = Stage::new(database);
        let (manager, visit, day) = (stage.raw(MANAGER), stage.raw(VISIT), stage.raw(DAY));
        let to_manager = manager.connect(&stage.relay).await.unwrap();
        let to_visit = visit.connect(&stage.relay).await.unwrap();
        let to_day = day.connect(&stage.relay).await.unwrap();
        let forge = Forge::withdrawal(MANAGER, VISIT);
        let container = forge.sign(&manager.identity);
        let digest = sha256(&container);
        assert_eq!(reason(&submit(&to_manager, container).await.unwrap()), "accepted");
        let key = ParcelKey { sender: MANAGER.parse().unwrap(), id: forge.id };
        Self { stage, visit, to_manager, to_visit, to_day, key, digest }
    }

    async fn acknowledge(&self, channel: &Channel, about: AboutParcel, signer: &RawOffice) -> String {
        acknowledge(channel, about, signer).await.unwrap()
    }

    fn about(&self) -> AboutParcel {
        AboutParcel {
            parcel: self.key,
            recipient: VISIT.parse().unwrap(),
            digest: self.digest,
            time_us: now_us(),
        }
    }
}

async fn only_its_receiver_takes_a_parcel(database: Database) {
    let post = Post::with_a_parcel(database).await;
    let not_found = Err(word::PARCEL_NOT_FOUND.to_owned());
    // Before it was fetched there is nothing to acknowledge.
    assert_eq!(post.acknowledge(&post.to_visit, post.about(), &post.visit).await, word::NOT_FETCHED);
    // Neither a stranger nor the sender can fetch it, and a stranger learns nothing.
    assert_eq!(fetch(&post.to_day, &post.key, 0).await.unwrap(), not_found);
    assert_eq!(fetch(&post.to_manager, &post.key, 0).await.unwrap(), not_found);
    let nobody = ParcelKey { sender: DAY.parse().unwrap(), id: post.key.id };
    assert_eq!(fetch(&post.to_visit, &nobody, 0).await.unwrap(), not_found);
    let mut tracking = TrackingClient::new(post.to_day.clone());
    let hidden = tracking.get_parcel(pb::GetParcelRequest { r#ref: Some(parcel_ref(&post.key)) }).await;
    assert_eq!(status_reason(&hidden.unwrap_err()), word::PARCEL_NOT_FOUND);

    // The receiver fetches, resumes from any offset, and not from behind the end.
    let whole = fetch(&post.to_visit, &post.key, 0).await.unwrap().unwrap();
    let half = whole.len() / 2;
    assert_eq!(fetch(&post.to_visit, &post.key, half as u64).await.unwrap().unwrap(), whole[half..]);
    let behind = fetch(&post.to_visit, &post.key, whole.len() as u64 + 1).await.unwrap();
    assert_eq!(behind, Err(word::OFFSET_OUT_OF_RANGE.to_owned()));

    // Acknowledging: not with a wrong digest, not by another, not for another.
    let wrong = AboutParcel { digest: [0; 32], ..post.about() };
    assert_eq!(post.acknowledge(&post.to_visit, wrong, &post.visit).await, word::DIGEST_MISMATCH);
    assert_eq!(post.acknowledge(&post.to_day, post.about(), &post.visit).await, word::STATEMENT_SIGNER);
    let day = post.stage.raw_again(DAY);
    assert_eq!(post.acknowledge(&post.to_visit, post.about(), &day).await, word::STATEMENT_SIGNER);
    let stolen = AboutParcel { recipient: DAY.parse().unwrap(), ..post.about() };
    assert_eq!(post.acknowledge(&post.to_day, stolen, &day).await, word::PARCEL_NOT_FOUND);
    assert_eq!(post.acknowledge(&post.to_visit, post.about(), &post.visit).await, "accepted");
    // Again, signed at another time: nothing changes, and it is no error.
    assert_eq!(post.acknowledge(&post.to_visit, post.about(), &post.visit).await, "accepted");

    let request = pb::GetParcelRequest { r#ref: Some(parcel_ref(&post.key)) };
    let parcel = TrackingClient::new(post.to_manager.clone()).get_parcel(request).await.unwrap().into_inner();
    assert_eq!(parcel.events.len(), 3, "delivered, fetched, acknowledged: once each");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_its_receiver_takes_a_parcel_sqlite() {
    only_its_receiver_takes_a_parcel(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_its_receiver_takes_a_parcel_postgres() {
    only_its_receiver_takes_a_parcel(Database::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn feeds_are_ones_own_and_end_where_they_end() {
    let post = Post::with_a_parcel(Database::Sqlite).await;
    let poll = async |channel: &Channel, office: &str, number: u64, wait_ms: u32| {
        let cursor = Some(pb::Cursor { epoch: 1, number });
        let request =
            pb::PollRequest { office: office.to_owned(), cursor, wait_ms, limit: 100, known_size: 0 };
        FeedClient::new(channel.clone()).poll(request).await.map(tonic::Response::into_inner)
    };
    let news = poll(&post.to_visit, "", 0, 0).await.unwrap();
    let end = news.next.unwrap().number;
    assert_eq!(news.entries.len() as u64, end);
    // Somebody else's feed, and a cursor from the future.
    let other = poll(&post.to_day, VISIT, 0, 0).await.unwrap_err();
    assert_eq!(status_reason(&other), word::NOT_ALLOWED);
    let future = poll(&post.to_visit, "", end + 1, 0).await.unwrap_err();
    assert_eq!(status_reason(&future), word::CURSOR_IN_FUTURE);
    // A long poll wakes when something happens.
    let waiting = poll(&post.to_manager, "", 0, 0).await.unwrap().next.unwrap().number;
    let (news, _) = tokio::join!(poll(&post.to_manager, "", waiting, 30_000), async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        fetch(&post.to_visit, &post.key, 0).await.unwrap().unwrap()
    });
    assert_eq!(news.unwrap().entries.len(), 1);
}

#[test]
fn a_full_mailbox_is_received_in_one_go() {
    // More bytes than the relay may send ahead on a call, so that fetching waits for verifying, which asks the relay
    // over the same connection.
    const PARCELS: u32 = 400;
    let stage = Stage::new(Database::Sqlite);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    visit.run(&["inbox"]).expect(0);
    let slips = write_slips(&stage.path().join("out"), PARCELS);
    manager.run(&["send", &slips.display().to_string()]).expect(0);
    let out = stage.path().join("in").display().to_string();
    let received = visit.run(&["--json", "receive", "--out", &out]).expect(0).json();
    assert_eq!(received.len(), 400);
    assert!(received.iter().all(|parcel| text(parcel, "state") == "acknowledged"), "{received:?}");
}
