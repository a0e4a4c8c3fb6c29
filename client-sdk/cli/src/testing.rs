//! Samples that several tests use.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use tasuki_careplan::samples;
use tasuki_proto::event::Event;
use tasuki_proto::ids::ParcelKey;
use tasuki_sdk::{FileSummary, Marks, Parcel, State};

pub(crate) use crate::output::captured::Stream;

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
        marks: Marks::default(),
    }
}

/// An event about the sample parcel.
pub(crate) fn event(kind: &str) -> Event {
    let mut event = Event::new(kind, 1, ACCEPTED_US, [7; 16]);
    event.set_parcel(&key(), "9971100012".parse().unwrap(), &[0x5d; 32]);
    event
}

/// A folder that is gone when the test ends.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

/// A new folder with the samples of one unit, if it is named.
pub(crate) fn folder(name: &str, unit: &str) -> Folder {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("tasuki-cli-{}-{number}-{name}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    for sample in samples::of_folder(unit) {
        std::fs::write(path.join(sample.name), sample.bytes).unwrap();
    }
    Folder(path)
}
