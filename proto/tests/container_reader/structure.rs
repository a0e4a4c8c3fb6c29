//! Lies about where things stand: end record, directory, gaps and overlaps.

use tasuki_proto::container::{ContainerError, ContainerLimits, read};

use crate::build::{Entry, Zip, refused};

#[test]
fn not_a_zip() {
    assert_eq!(refused(b""), ContainerError::NoEndRecord);
    assert_eq!(refused(b"PK\x05\x06"), ContainerError::NoEndRecord);
    assert_eq!(refused(&[0x20; 4096]), ContainerError::NoEndRecord);
}

#[test]
fn cut_at_any_byte() {
    let bytes = Zip::sample().bytes();
    for length in 0..bytes.len() {
        let error = refused(&bytes[..length]);
        assert!(matches!(error.code(), "ZIP_MALFORMED" | "ZIP_TRAILING_DATA"), "cut to {length}: {error:?}");
    }
}

#[test]
fn trailing_data() {
    for trailing in [b"x".to_vec(), b"\0".to_vec(), vec![b'x'; 60_000]] {
        let bytes = Zip::sample_but(|zip| zip.trailing = trailing);
        assert_eq!(refused(&bytes), ContainerError::TrailingData);
        assert_eq!(refused(&bytes).code(), "ZIP_TRAILING_DATA");
    }
}

#[test]
fn archive_comment() {
    let bytes = Zip::sample_but(|zip| zip.comment = b"hello".to_vec());
    assert_eq!(refused(&bytes), ContainerError::Comment);
    assert_eq!(refused(&bytes).code(), "ZIP_COMMENT");
}

#[test]
fn comment_length_without_comment() {
    let bytes = Zip::sample_end(&[(20, 5)]);
    assert_eq!(refused(&bytes), ContainerError::Comment);
}

#[test]
fn an_archive_hidden_in_the_comment_of_another() {
    // A reader that searches forward finds the first end record, one that searches backward the second.
    let inner = Zip::sample().bytes();
    let bytes = Zip::sample_but(|zip| zip.comment = inner);
    assert_eq!(refused(&bytes).code(), "ZIP_MALFORMED");
}

#[test]
fn two_archives_one_after_the_other() {
    let bytes = [Zip::sample().bytes(), Zip::sample().bytes()].concat();
    assert_eq!(refused(&bytes), ContainerError::DirectoryExtent);
}

#[test]
fn prefix_bytes_with_offsets_that_know_of_them() {
    let bytes = Zip::sample_but(|zip| zip.entries[0].gap = b"#!/bin/sh\n".to_vec());
    assert_eq!(refused(&bytes), ContainerError::NotContiguous { entry: 0 });
    assert_eq!(refused(&bytes).code(), "ZIP_NOT_CONTIGUOUS");
}

#[test]
fn prefix_bytes_with_offsets_that_do_not() {
    let bytes = [b"MZ".to_vec(), Zip::sample().bytes()].concat();
    assert_eq!(refused(&bytes), ContainerError::DirectoryExtent);
}

#[test]
fn a_gap_between_entries() {
    let bytes = Zip::sample_but(|zip| zip.entries[2].gap = vec![0; 3]);
    assert_eq!(refused(&bytes), ContainerError::NotContiguous { entry: 2 });
}

#[test]
fn an_entry_that_only_local_headers_know() {
    // Between two listed entries, and behind the last: a streaming reader would see a fifth file.
    let hidden = {
        let zip = Zip::exactly([Entry::stored(b"hidden.csv", b"1")]).bytes();
        zip[..zip.windows(4).position(|window| window == b"PK\x01\x02").unwrap()].to_vec()
    };
    let between = Zip::sample_but(|zip| zip.entries[1].gap = hidden.clone());
    assert_eq!(refused(&between), ContainerError::NotContiguous { entry: 1 });
    let behind = Zip::sample_but(|zip| zip.before_directory = hidden.clone());
    assert_eq!(refused(&behind), ContainerError::DirectoryGap);
    assert_eq!(refused(&behind).code(), "ZIP_NOT_CONTIGUOUS");
}

#[test]
fn overlapping_entries() {
    // Two records for one local entry: the classic way to inflate the same bytes many times.
    let bytes = Zip::sample_but(|zip| {
        let first = 30 + 8 + 31 + 30 + 11 + 17;
        zip.entries[3].offset_shift = 0_u32.wrapping_sub(first);
    });
    assert_eq!(refused(&bytes), ContainerError::NotContiguous { entry: 3 });
}

#[test]
fn directory_in_another_order_than_the_entries() {
    let bytes = Zip::sample_but(|zip| zip.directory_order = Some(vec![0, 2, 1, 3]));
    assert_eq!(refused(&bytes), ContainerError::NotContiguous { entry: 1 });
}

#[test]
fn offset_past_the_end() {
    let bytes = Zip::sample_but(|zip| zip.entries[0].offset_shift = 0x7fff_ffff);
    assert_eq!(refused(&bytes), ContainerError::NotContiguous { entry: 0 });
}

#[test]
fn bytes_between_directory_and_end_record() {
    let bytes = Zip::sample_but(|zip| zip.before_end = b"signature block".to_vec());
    assert_eq!(refused(&bytes), ContainerError::DirectoryExtent);
}

#[test]
fn bytes_between_the_last_record_and_the_directorys_end() {
    let good = Zip::sample().bytes();
    let size = good[good.len() - 10..].first_chunk().map(|size| u32::from_le_bytes(*size)).unwrap();
    let bytes = Zip::sample_but(|zip| {
        zip.before_end = vec![0; 8];
        zip.end = vec![(12, (size + 8).to_le_bytes().to_vec())];
    });
    assert_eq!(refused(&bytes), ContainerError::DirectoryExtent);
}

#[test]
fn directory_size_and_offset_that_overflow() {
    let bytes = Zip::sample_end(&[(12, 0xfffe), (14, 0xffff)]);
    assert_eq!(refused(&bytes), ContainerError::DirectoryExtent);
    let bytes = Zip::sample_end(&[(16, 0xfffe), (18, 0xffff)]);
    assert_eq!(refused(&bytes), ContainerError::DirectoryExtent);
}

#[test]
fn fewer_entries_declared_than_there_are() {
    let bytes = Zip::sample_end(&[(8, 3), (10, 3)]);
    assert_eq!(refused(&bytes), ContainerError::DirectoryExtent);
}

#[test]
fn more_entries_declared_than_there_are() {
    let bytes = Zip::sample_end(&[(8, 5), (10, 5)]);
    assert!(matches!(refused(&bytes), ContainerError::Record { .. }));
    // More than the directory has room for is known before anything is read or reserved.
    let bytes = Zip::sample_end(&[(8, 999), (10, 999)]);
    assert_eq!(refused(&bytes), ContainerError::DirectoryExtent);
}

#[test]
fn no_entries_at_all() {
    assert_eq!(refused(&Zip::exactly([]).bytes()), ContainerError::Mimetype);
}

#[test]
fn several_disks() {
    for lie in [(4, 1), (6, 1), (8, 3)] {
        assert_eq!(refused(&Zip::sample_end(&[lie])), ContainerError::MultiDisk);
    }
    let bytes = Zip::sample_but(|zip| zip.entries[1].disk = 1);
    assert_eq!(refused(&bytes), ContainerError::MultiDisk);
    assert_eq!(refused(&bytes).code(), "ZIP_UNSUPPORTED");
}

#[test]
fn zip64_markers_in_the_end_record() {
    for at in [8, 12, 16] {
        let bytes = Zip::sample_end(&[(at, u16::MAX), (at + 2, u16::MAX)]);
        assert_eq!(refused(&bytes), ContainerError::Zip64);
    }
}

#[test]
fn zip64_markers_in_an_entry() {
    let bytes = Zip::sample_but(|zip| zip.entries[2].both(|header| header.size = u32::MAX));
    assert_eq!(refused(&bytes), ContainerError::Zip64);
    let bytes = Zip::sample_but(|zip| zip.entries[2].both(|header| header.compressed = u32::MAX));
    assert_eq!(refused(&bytes), ContainerError::Zip64);
    let bytes = Zip::sample_but(|zip| zip.entries[0].offset_shift = u32::MAX);
    assert_eq!(refused(&bytes), ContainerError::Zip64);
}

#[test]
fn a_zip64_locator_before_the_end_record() {
    let bytes = Zip::sample_but(|zip| zip.before_end = [&b"PK\x06\x07"[..], &[0; 16]].concat());
    assert_eq!(refused(&bytes), ContainerError::Zip64);
}

#[test]
fn a_zip64_locator_hidden_in_the_last_records_extra_field() {
    // The fields are harmless ones, but a reader that looks 20 bytes before the end record sees a locator.
    let bytes = Zip::sample_but(|zip| {
        zip.entries[3].central.extra = [&b"\x0a\x00\x14\x00PK\x06\x07"[..], &[0; 16]].concat();
    });
    assert_eq!(refused(&bytes), ContainerError::Zip64);
}

#[test]
fn too_many_entries() {
    let limits = ContainerLimits { entries: 4, ..ContainerLimits::default() };
    let bytes = Zip::sample().bytes();
    assert!(read(&bytes, &limits).is_ok());
    let limits = ContainerLimits { entries: 3, ..limits };
    let error = read(&bytes, &limits).unwrap_err();
    assert_eq!(error, ContainerError::TooManyEntries { entries: 4, limit: 3 });
    assert_eq!(error.code(), "ZIP_TOO_MANY_ENTRIES");
}

#[test]
fn container_too_large() {
    let bytes = Zip::sample().bytes();
    let limits = ContainerLimits { container_bytes: bytes.len(), ..ContainerLimits::default() };
    assert!(read(&bytes, &limits).is_ok());
    let limits = ContainerLimits { container_bytes: bytes.len() - 1, ..limits };
    let error = read(&bytes, &limits).unwrap_err();
    assert_eq!(error, ContainerError::ContainerTooLarge { bytes: bytes.len(), limit: bytes.len() - 1 });
    assert_eq!(error.code(), "CONTAINER_TOO_LARGE");
}

#[test]
fn records_without_their_signature() {
    let good = Zip::sample().bytes();
    for (signature, offset) in [(b"PK\x03\x04", 0), (b"PK\x01\x02", 0)] {
        let mut bytes = good.clone();
        let at = bytes.windows(4).skip(offset).position(|window| window == signature).unwrap();
        bytes[at + 3] ^= 1;
        assert_eq!(refused(&bytes), ContainerError::Record { offset: at });
        assert_eq!(refused(&bytes).code(), "ZIP_MALFORMED");
    }
}
