//! The writer: same entries, same bytes; and never anything that the reader refuses.

use std::borrow::Cow;

use tasuki_proto::container::{ContainerError, NameError, write};
use tasuki_proto::limits::{MAX_FILE_BYTES, MAX_FILES};

use crate::build::{csv, read_default};

/// Bytes without pattern, as in a JPEG.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn what_was_written_is_read_in_the_same_order() {
    let (csv, noise) = (csv(300), noise(5000));
    let entries: [(&str, &[u8]); 4] = [
        ("META-INF/ASiCManifest.xml", b"<x/>"),
        ("様式/第6表.CSV", csv.as_bytes()),
        ("photo.jpg", &noise),
        ("empty", b""),
    ];
    let bytes = write(&entries).unwrap();
    let container = read_default(&bytes).unwrap();
    let read: Vec<_> = container.entries()[1..].iter().map(|entry| (entry.name, &*entry.content)).collect();
    assert_eq!(read, entries);
}

#[test]
fn the_same_entries_give_the_same_bytes() {
    let csv = csv(300);
    let entries: [(&str, &[u8]); 2] = [("a.csv", csv.as_bytes()), ("b.csv", b"1")];
    assert_eq!(write(&entries).unwrap(), write(&entries).unwrap());
}

#[test]
fn the_mimetype_stands_where_tools_look_for_it() {
    let bytes = write(&[("a.txt", b"a"), ("様.txt", b"")]).unwrap();
    let mimetype: &[u8] = b"PK\x03\x04\x0a\0\0\0\0\0\0\0\x21\0\x8a\x21\xf9\x45\x1f\0\0\0\x1f\0\0\0\x08\0\0\0\
        mimetypeapplication/vnd.etsi.asic-e+zip";
    assert_eq!(&bytes[..mimetype.len()], mimetype);
    assert_eq!(&bytes[30..38], b"mimetype");
}

#[test]
fn csv_is_deflated_and_what_does_not_shrink_is_stored() {
    let (csv, noise) = (csv(300), noise(5000));
    let bytes = write(&[("a.csv", csv.as_bytes()), ("photo.jpg", &noise)]).unwrap();
    let entries = read_default(&bytes).unwrap().into_entries();
    assert!(matches!(entries[1].content, Cow::Owned(_)));
    assert!(matches!(entries[2].content, Cow::Borrowed(_)));
}

#[test]
fn a_blank_scan_is_not_written_as_a_bomb() {
    let blank = vec![0xff; 8 * 1024 * 1024];
    let bytes = write(&[("blank.bmp", &blank)]).unwrap();
    assert_eq!(read_default(&bytes).unwrap().get("blank.bmp").unwrap(), blank);
}

#[test]
fn bad_names_are_refused() {
    let error = write(&[("a", b""), ("../b", b"")]).unwrap_err();
    assert_eq!(error, ContainerError::Name { entry: 2, reason: NameError::Traversal });
}

#[test]
fn clashing_names_are_refused() {
    assert_eq!(
        write(&[("a", b""), ("b", b""), ("A", b"")]).unwrap_err(),
        ContainerError::DuplicateName { first: 1, second: 3 }
    );
    assert_eq!(
        write(&[("mimetype", b"")]).unwrap_err(),
        ContainerError::DuplicateName { first: 0, second: 1 }
    );
}

#[test]
fn too_many_and_too_large_files_are_refused() {
    let names: Vec<String> = (0..MAX_FILES + 24).map(|n| n.to_string()).collect();
    let entries: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    assert!(matches!(write(&entries).unwrap_err(), ContainerError::TooManyEntries { .. }));
    assert!(write(&entries[1..]).is_ok());

    let large = vec![0; MAX_FILE_BYTES + 1];
    let error = write(&[("large", &large)]).unwrap_err();
    assert!(matches!(error, ContainerError::FileTooLarge { entry: 1, .. }));
}

#[test]
fn a_container_that_grows_too_large_is_refused() {
    let noise = noise(MAX_FILE_BYTES);
    let error = write(&[("large.jpg", &noise)]).unwrap_err();
    assert!(matches!(error, ContainerError::ContainerTooLarge { .. }));
}
