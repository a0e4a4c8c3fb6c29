//! Samples that several tests use.

use tasuki_proto::event::Event;
use tasuki_proto::ids::ParcelKey;
use tasuki_sdk::{FileSummary, Parcel, State};

/// Id of the sample parcel.
pub(crate) const ID: &str = "0193a3f0-8a1b-7c2d-8e3f-000000000000";
/// When it was accepted.
pub(crate) const ACCEPTED_US: i64 = 1_795_261_114_000_123;

/// Its name.
pub(crate) fn key() -> ParcelKey {
    ParcelKey { sender: "1371215102".parse().unwrap(), id: ID.parse().unwrap() }
}

/// Results and an attachment, fetched a minute after they arrived.
pub(crate) fn parcel() -> Parcel {
    let file = |kind: &str, month: Option<&str>, serial: Option<&str>, size| FileSummary {
        kind: kind.into(),
        month: month.map(Into::into),
        serial: serial.map(Into::into),
        size,
    };
    Parcel {
        key: key(),
        sender_name: "ひかり居宅介護支援事業所".into(),
        recipient: "9971100012".parse().unwrap(),
        recipient_name: "あおぞら訪問介護".into(),
        state: State::Fetched,
        files: vec![
            file("UPJSK", Some("202602"), Some("20260301174500"), 2444),
            file("ATTACHMENT", None, None, 512),
        ],
        digest: [0x5d; 32],
        container_size: 3000,
        sealed_size: 3500,
        accepted_us: Some(ACCEPTED_US),
        fetched_us: Some(ACCEPTED_US + 60_000_000),
        acknowledged_us: None,
        signer: [0x91; 32],
    }
}

/// An event about the sample parcel.
pub(crate) fn event(kind: &str) -> Event {
    let mut event = Event::new(kind, 1, ACCEPTED_US, [7; 16]);
    event.set_parcel(&key(), "9971100012".parse().unwrap(), &[0x5d; 32]);
    event
}
