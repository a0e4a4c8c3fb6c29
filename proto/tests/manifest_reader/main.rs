//! The manifest: its exact bytes, what other writers may change about them, and one test for each lie.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails its test")]

mod accepted;
mod check;
mod fuzz;
mod golden;
mod hostile;

use tasuki_proto::manifest::{AsicManifest, DataObject};

/// Two files, one with a name that needs encoding, one without media type.
fn sample() -> AsicManifest {
    AsicManifest {
        files: vec![
            DataObject::new("parcel.json", Some("application/json"), b"{}"),
            DataObject::new("添付/見守り 100%.txt", None, b""),
        ],
    }
}

/// The sample's XML with one piece replaced, which must be there exactly once.
#[track_caller]
fn sample_with(from: &str, to: &str) -> String {
    let xml = tasuki_proto::manifest::write(&sample());
    assert_eq!(xml.matches(from).count(), 1, "{from} stands once in {xml}");
    xml.replace(from, to)
}
