//! The exact bytes that get signed.

use tasuki_proto::manifest::{AsicManifest, DataObject, parse, write};

use crate::sample;

#[test]
fn the_bytes_are_those_of_the_golden_file() {
    assert_eq!(write(&sample()), include_str!("golden.xml"));
}

#[test]
fn what_was_written_is_read() {
    assert_eq!(parse(include_bytes!("golden.xml")), Ok(sample()));
}

#[test]
fn every_character_that_a_name_may_have_survives() {
    let awkward = "!#$%&'()+,-.0;=@AZ[]^_`az{}~ é ｶﾞ 葛\u{e0100} 𩸽 \u{e000}";
    for c in awkward.chars() {
        let name = format!("x{c}x");
        let file = DataObject::new(&name, Some("text/x&<>\"'"), b"");
        let manifest = AsicManifest { files: vec![file] };
        assert_eq!(parse(write(&manifest).as_bytes()), Ok(manifest), "{c:?}");
    }
}

#[test]
fn digests_are_those_of_sha256sum() {
    // NIST's one-block example, FIPS 180-4.
    let digest = DataObject::new("a", None, b"abc").sha256;
    assert_eq!(digest[..4], [0xba, 0x78, 0x16, 0xbf]);
    assert_eq!(digest[28..], [0xf2, 0x00, 0x15, 0xad]);
}
