//! What the reader accepts: the plain case, and what vendors' writers add.

use std::borrow::Cow;

use tasuki_proto::container::{MIMETYPE, MIMETYPE_NAME};

use crate::build::{Entry, Zip, csv, read_default};

#[test]
fn stored_deflated_and_streamed_entries() {
    let bytes = Zip::sample().bytes();
    let container = read_default(&bytes).unwrap();
    let names: Vec<_> = container.entries().iter().map(|entry| entry.name).collect();
    assert_eq!(names, [MIMETYPE_NAME, "parcel.json", "UPPLAN.CSV", "添付/見守り.txt"]);
    assert_eq!(container.get(MIMETYPE_NAME).unwrap(), MIMETYPE.as_bytes());
    assert_eq!(container.get("parcel.json").unwrap(), b"{\"note\":\"stored\"}");
    assert_eq!(container.get("UPPLAN.CSV").unwrap(), csv(200).as_bytes());
    assert_eq!(container.get("添付/見守り.txt").unwrap(), "変わりありません。".as_bytes());
    assert_eq!(container.position("UPPLAN.CSV"), Some(2));
}

#[test]
fn a_name_is_found_only_as_it_is_written() {
    let bytes = Zip::sample().bytes();
    let container = read_default(&bytes).unwrap();
    assert_eq!(container.get("upplan.csv"), None);
    assert_eq!(container.get("UPPLAN.CS"), None);
    assert_eq!(container.get(""), None);
}

#[test]
fn a_stored_file_is_borrowed_and_not_copied() {
    let bytes = Zip::sample().bytes();
    let entries = read_default(&bytes).unwrap().into_entries();
    assert!(matches!(entries[1].content, Cow::Borrowed(_)));
    assert!(matches!(entries[2].content, Cow::Owned(_)));
}

#[test]
fn empty_files() {
    let bytes = Zip::with([
        Entry::stored(b"stored", b""),
        Entry::deflated(b"deflated", b""),
        Entry::streamed(b"streamed", b""),
    ])
    .bytes();
    let container = read_default(&bytes).unwrap();
    assert!(container.entries()[1..].iter().all(|entry| entry.content.is_empty()));
}

#[test]
fn a_container_of_only_the_mimetype() {
    let bytes = Zip::with([]).bytes();
    assert_eq!(read_default(&bytes).unwrap().entries().len(), 1);
}

#[test]
fn extra_fields_that_hold_times_and_owners() {
    let mut entry = Entry::deflated(b"a.csv", b"1,2\r\n");
    // Extended timestamp: three times in the local header, one in the directory, as Info-ZIP writes it.
    entry.local.extra =
        [&b"UT\x0d\x00\x07"[..], &[1; 12], b"ux\x0b\x00\x01\x04", &[0; 4], &[4], &[0; 4]].concat();
    entry.central.extra = [&b"UT\x05\x00\x07"[..], &[1; 4]].concat();
    let mut ntfs = Entry::stored(b"b.csv", b"3");
    ntfs.central.extra = [&b"\x0a\x00\x20\x00\0\0\0\0\x01\x00\x18\x00"[..], &[7; 24]].concat();
    assert!(read_default(&Zip::with([entry, ntfs]).bytes()).is_ok());
}

#[test]
fn flags_that_say_how_hard_the_writer_tried_and_utf8_on_ascii() {
    let mut entry = Entry::deflated(b"a.csv", b"1,2\r\n");
    entry.both(|header| header.flags = 0b110 | 1 << 11);
    assert!(read_default(&Zip::with([entry]).bytes()).is_ok());
}

#[test]
fn attributes_of_dos_and_of_no_system() {
    for attributes in [0, 0x20, 0x01, 0o644 << 16] {
        let mut entry = Entry::stored(b"a.csv", b"1");
        entry.attributes = attributes;
        assert!(read_default(&Zip::with([entry]).bytes()).is_ok(), "{attributes:#x}");
    }
}

#[test]
fn a_zip_inside_a_stored_file_confuses_nobody() {
    let inner = Zip::sample().bytes();
    let bytes = Zip::with([Entry::stored(b"inner.zip", &inner)]).bytes();
    assert_eq!(read_default(&bytes).unwrap().get("inner.zip").unwrap(), inner);
}
