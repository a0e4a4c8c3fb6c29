//! Lies about one entry: headers that contradict each other, features that change what a reader sees.

use tasuki_proto::container::{ContainerError, HeaderField};

use crate::build::{Entry, FLAG_DESCRIPTOR, Header, STORED, Zip, refused};

#[track_caller]
fn local_differs(change: impl FnOnce(&mut Header), field: HeaderField) {
    let bytes = Zip::sample_but(|zip| change(&mut zip.entries[2].local));
    assert_eq!(refused(&bytes), ContainerError::HeaderMismatch { entry: 2, field });
    assert_eq!(refused(&bytes).code(), "ZIP_HEADER_MISMATCH");
}

#[test]
fn local_header_contradicts_the_directory() {
    local_differs(|local| local.name = b"UPPLAN.csv".to_vec(), HeaderField::Name);
    local_differs(|local| local.method = STORED, HeaderField::Method);
    local_differs(|local| local.flags = 2, HeaderField::Flags);
    local_differs(|local| local.version = 10, HeaderField::Version);
    local_differs(|local| local.time += 1, HeaderField::Time);
    local_differs(|local| local.crc ^= 1, HeaderField::Crc);
    local_differs(|local| local.size += 1, HeaderField::Size);
    local_differs(|local| local.compressed -= 1, HeaderField::Size);
}

#[test]
fn a_longer_local_name_that_swallows_data() {
    local_differs(|local| local.name.extend(b".exe"), HeaderField::Name);
}

#[test]
fn encrypted_entries() {
    for flag in [1, 1 | 1 << 6, 1 << 6, 1 << 13] {
        let bytes = Zip::sample_but(|zip| zip.entries[2].both(|header| header.flags |= flag));
        assert_eq!(refused(&bytes), ContainerError::Encrypted { entry: 2 });
        assert_eq!(refused(&bytes).code(), "ZIP_ENCRYPTED");
    }
}

#[test]
fn unknown_flags() {
    for bit in [4, 5, 7, 8, 9, 10, 12, 14, 15] {
        let bytes = Zip::sample_but(|zip| zip.entries[2].both(|header| header.flags |= 1 << bit));
        assert_eq!(refused(&bytes), ContainerError::Flags { entry: 2, flags: 1 << bit });
        assert_eq!(refused(&bytes).code(), "ZIP_UNSUPPORTED");
    }
}

#[test]
fn unsupported_methods() {
    // Shrink, deflate64, bzip2, LZMA, zstd, XZ, AES.
    for method in [1, 9, 12, 14, 93, 95, 99] {
        let bytes = Zip::sample_but(|zip| zip.entries[2].both(|header| header.method = method));
        assert_eq!(refused(&bytes), ContainerError::Method { entry: 2, method });
    }
}

#[test]
fn a_version_that_promises_more_than_deflate() {
    for version in [21, 45, 51, 63, 0x0314] {
        let bytes = Zip::sample_but(|zip| zip.entries[2].both(|header| header.version = version));
        assert_eq!(refused(&bytes), ContainerError::Version { entry: 2, version });
    }
}

#[test]
fn extra_fields_that_change_an_entry() {
    // ZIP64, Unicode path, Unicode comment, AES, strong encryption, and one nobody knows.
    for id in [0x0001, 0x7075, 0x6375, 0x9901, 0x0017, 0xbeef_u16] {
        let extra = [&id.to_le_bytes()[..], b"\x04\x00\0\0\0\0"].concat();
        let in_directory = Zip::sample_but(|zip| zip.entries[2].central.extra = extra.clone());
        assert_eq!(refused(&in_directory), ContainerError::Extra { entry: 2 }, "{id:#06x}");
        let in_local = Zip::sample_but(|zip| zip.entries[2].local.extra = extra);
        assert_eq!(refused(&in_local), ContainerError::Extra { entry: 2 }, "{id:#06x}");
    }
}

#[test]
fn malformed_extra_fields() {
    let twice = b"UT\x01\x00\x00UT\x01\x00\x00".to_vec();
    let long = [&b"UT\x60\x00"[..], &[0; 0x60]].concat();
    for extra in [b"U".to_vec(), b"UT\x05\x00\x01".to_vec(), b"UT\x00\x00\x00".to_vec(), twice, long] {
        let bytes = Zip::sample_but(|zip| zip.entries[2].central.extra = extra);
        assert_eq!(refused(&bytes), ContainerError::Extra { entry: 2 });
    }
}

#[test]
fn entry_comment() {
    let bytes = Zip::sample_but(|zip| zip.entries[2].comment = b"unsigned words".to_vec());
    assert_eq!(refused(&bytes), ContainerError::Comment);
}

#[test]
fn links_directories_and_devices() {
    for attributes in [0o120_777 << 16, 0o040_755 << 16, 0o020_600 << 16, 0o010_600 << 16, 0x10, 0x08] {
        let bytes = Zip::sample_but(|zip| zip.entries[2].attributes = attributes);
        assert_eq!(refused(&bytes), ContainerError::NotAFile { entry: 2 }, "{attributes:#o}");
        assert_eq!(refused(&bytes).code(), "ZIP_NOT_A_FILE");
    }
}

#[test]
fn a_descriptor_that_differs_from_the_directory() {
    for byte in 0..16 {
        let bytes = Zip::sample_but(|zip| zip.entries[3].descriptor[byte] ^= 1);
        assert_eq!(refused(&bytes), ContainerError::Descriptor { entry: 3 });
        assert_eq!(refused(&bytes).code(), "ZIP_HEADER_MISMATCH");
    }
}

#[test]
fn a_descriptor_without_signature_or_cut_short() {
    let unsigned = Zip::sample_but(|zip| drop(zip.entries[3].descriptor.drain(..4)));
    assert_eq!(refused(&unsigned), ContainerError::Descriptor { entry: 3 });
    let missing = Zip::sample_but(|zip| zip.entries[3].descriptor.clear());
    assert_eq!(refused(&missing), ContainerError::Descriptor { entry: 3 });
}

#[test]
fn a_descriptor_nobody_announced() {
    let bytes = Zip::sample_but(|zip| zip.entries[2].descriptor = zip.entries[3].descriptor.clone());
    assert_eq!(refused(&bytes), ContainerError::NotContiguous { entry: 3 });
}

#[test]
fn a_descriptor_behind_a_stored_file() {
    // Where a stored file ends, only the directory knows; a reader of streams would look for the descriptor's
    // signature, which the file itself may hold.
    let bytes = Zip::sample_but(|zip| {
        let content = [b"PK\x07\x08", &[0; 12][..]].concat();
        let mut entry = Entry::streamed(b"stored", &content);
        entry.both(|header| header.method = STORED);
        entry.data = content;
        zip.entries[3] = entry;
    });
    assert_eq!(refused(&bytes), ContainerError::Descriptor { entry: 3 });
}

#[test]
fn local_sizes_beside_a_descriptor() {
    let bytes = Zip::sample_but(|zip| zip.entries[3].local.size = zip.entries[3].central.size);
    assert_eq!(refused(&bytes), ContainerError::HeaderMismatch { entry: 3, field: HeaderField::Size });
    let bytes = Zip::sample_but(|zip| zip.entries[3].local.crc = zip.entries[3].central.crc);
    assert_eq!(refused(&bytes), ContainerError::HeaderMismatch { entry: 3, field: HeaderField::Crc });
}

#[test]
fn zero_sizes_without_a_descriptor() {
    let bytes = Zip::sample_but(|zip| {
        let entry = &mut zip.entries[3];
        entry.both(|header| header.flags &= !FLAG_DESCRIPTOR);
        entry.descriptor.clear();
    });
    assert_eq!(refused(&bytes), ContainerError::HeaderMismatch { entry: 3, field: HeaderField::Crc });
}

#[test]
fn data_that_runs_into_the_directory() {
    let bytes = Zip::sample_but(|zip| {
        zip.entries[3] = {
            let mut entry = Entry::deflated(b"last", b"content");
            entry.both(|header| header.compressed += 1);
            entry
        }
    });
    assert!(matches!(refused(&bytes), ContainerError::Record { .. }));
}

#[test]
fn a_mimetype_that_is_not_first_stored_plain_and_right() {
    let refuse = |change: &dyn Fn(&mut Vec<Entry>)| {
        let mut zip = Zip::sample();
        change(&mut zip.entries);
        assert_eq!(refused(&zip.bytes()), ContainerError::Mimetype);
        assert_eq!(refused(&zip.bytes()).code(), "CONTAINER_MIMETYPE");
    };
    refuse(&|entries| drop(entries.remove(0)));
    refuse(&|entries| entries.swap(0, 1));
    refuse(&|entries| entries[0] = Entry::deflated(b"mimetype", b"application/vnd.etsi.asic-e+zip"));
    refuse(&|entries| entries[0] = Entry::stored(b"mimetype", b"application/vnd.etsi.asic-s+zip"));
    refuse(&|entries| entries[0] = Entry::stored(b"mimetype", b"application/vnd.etsi.asic-e+zip\n"));
    refuse(&|entries| entries[0] = Entry::stored(b"MIMETYPE", b"application/vnd.etsi.asic-e+zip"));
    refuse(&|entries| entries[0].local.extra = b"UT\x01\x00\x00".to_vec());
    refuse(&|entries| entries[0].central.extra = b"UT\x01\x00\x00".to_vec());
}
