//! Lies about contents: bombs, wrong sizes, damaged streams.

use tasuki_proto::container::{ContainerError, ContainerLimits, read};

use crate::build::{Entry, Zip, deflate, read_default, refused};

const MIB: usize = 1024 * 1024;

#[test]
fn a_file_over_its_limit() {
    let bytes = Zip::with([Entry::stored(b"ok", &[7; 1000]), Entry::deflated(b"big", &[7; 1001])]).bytes();
    let limits = ContainerLimits { file_bytes: 1001, ..ContainerLimits::default() };
    assert!(read(&bytes, &limits).is_ok());
    let limits = ContainerLimits { file_bytes: 1000, ..limits };
    let error = read(&bytes, &limits).unwrap_err();
    assert_eq!(error, ContainerError::FileTooLarge { entry: 2, bytes: 1001, limit: 1000 });
    assert_eq!(error.code(), "FILE_TOO_LARGE");
}

#[test]
fn files_over_the_total() {
    let bytes = Zip::with([Entry::stored(b"a", &[7; 1000]), Entry::deflated(b"b", &[7; 1000])]).bytes();
    let limits = ContainerLimits { total_bytes: 2031, ..ContainerLimits::default() };
    assert!(read(&bytes, &limits).is_ok());
    let limits = ContainerLimits { total_bytes: 2030, ..limits };
    let error = read(&bytes, &limits).unwrap_err();
    assert_eq!(error, ContainerError::Bomb { bytes: 2031, limit: 2030 });
    assert_eq!(error.code(), "ZIP_BOMB");
}

#[test]
fn a_bomb_of_one_file() {
    let bytes = Zip::with([Entry::deflated(b"bomb", &vec![0; 20 * MIB])]).bytes();
    assert!(bytes.len() < 40_000);
    let error = refused(&bytes);
    assert_eq!(error, ContainerError::Bomb { bytes: 20 * MIB + 31, limit: bytes.len() * 100 });
    assert_eq!(error.code(), "ZIP_BOMB");
}

#[test]
fn a_bomb_of_many_small_files() {
    let blank = vec![b' '; 60_000];
    let entries = (0..900).map(|n| Entry::deflated(format!("{n}").as_bytes(), &blank));
    let bytes = Zip::with(entries).bytes();
    assert!(matches!(refused(&bytes), ContainerError::Bomb { .. }));
}

#[test]
fn blank_files_below_the_floor_are_no_bomb() {
    let bytes = Zip::with([Entry::deflated(b"blank", &vec![0; MIB - 31])]).bytes();
    assert!(read_default(&bytes).is_ok());
    let bytes = Zip::with([Entry::deflated(b"blank", &vec![0; MIB - 30])]).bytes();
    assert!(matches!(refused(&bytes), ContainerError::Bomb { .. }));
}

#[test]
fn a_bomb_that_declares_little() {
    let mut entry = Entry::deflated(b"bomb", &vec![0; 20 * MIB]);
    entry.both(|header| header.size = 100);
    assert_eq!(refused(&Zip::with([entry]).bytes()), ContainerError::Size { entry: 1 });
}

#[test]
fn a_file_that_declares_more_than_it_has() {
    let mut entry = Entry::deflated(b"a", b"content");
    entry.both(|header| header.size += 1);
    let bytes = Zip::with([entry]).bytes();
    assert_eq!(refused(&bytes), ContainerError::Size { entry: 1 });
    assert_eq!(refused(&bytes).code(), "ZIP_SIZE");
}

#[test]
fn a_file_that_declares_less_than_it_has() {
    let mut entry = Entry::deflated(b"a", b"content");
    entry.both(|header| header.size -= 1);
    assert_eq!(refused(&Zip::with([entry]).bytes()), ContainerError::Size { entry: 1 });
}

#[test]
fn a_stored_file_with_two_sizes() {
    let mut entry = Entry::stored(b"a", b"content");
    entry.both(|header| header.size += 1);
    assert_eq!(refused(&Zip::with([entry]).bytes()), ContainerError::Size { entry: 1 });
}

#[test]
fn wrong_crc() {
    for entry in [Entry::stored(b"a", b"content"), Entry::deflated(b"a", b"content")] {
        let mut entry = entry;
        entry.both(|header| header.crc ^= 1);
        let bytes = Zip::with([entry]).bytes();
        assert_eq!(refused(&bytes), ContainerError::Crc { entry: 1 });
        assert_eq!(refused(&bytes).code(), "ZIP_CRC");
    }
}

#[test]
fn changed_stored_content() {
    let bytes = Zip::sample_but(|zip| zip.entries[1].data[3] ^= 1);
    assert_eq!(refused(&bytes), ContainerError::Crc { entry: 1 });
    let bytes = Zip::sample_but(|zip| zip.entries[0].data[0] ^= 1);
    assert_eq!(refused(&bytes), ContainerError::Crc { entry: 0 });
}

/// An entry whose headers fit `data`, which is no good stream.
fn raw(data: Vec<u8>) -> Vec<u8> {
    let mut entry = Entry::deflated(b"a", b"content");
    entry.both(|header| header.compressed = u32::try_from(data.len()).unwrap());
    entry.data = data;
    Zip::with([entry]).bytes()
}

#[test]
fn bytes_behind_the_deflate_stream() {
    let hidden = [deflate(b"content"), b"hidden".to_vec()].concat();
    assert_eq!(refused(&raw(hidden)), ContainerError::Deflate { entry: 1 });
}

#[test]
fn two_deflate_streams() {
    let twice = [deflate(b"content"), deflate(b"content")].concat();
    assert_eq!(refused(&raw(twice)), ContainerError::Deflate { entry: 1 });
}

#[test]
fn a_deflate_stream_cut_short() {
    let whole = deflate(b"content");
    for length in 0..whole.len() {
        let error = refused(&raw(whole[..length].to_vec()));
        assert_eq!(error, ContainerError::Deflate { entry: 1 }, "cut to {length}");
        assert_eq!(error.code(), "ZIP_DEFLATE");
    }
}

#[test]
fn an_invalid_deflate_stream() {
    // Block type 3 does not exist.
    assert_eq!(refused(&raw(vec![0x07, 0, 0, 0])), ContainerError::Deflate { entry: 1 });
}

#[test]
fn a_zlib_stream_instead_of_a_raw_one() {
    let zlib = [&b"\x78\x9c"[..], &deflate(b"content"), &[0; 4]].concat();
    assert_eq!(refused(&raw(zlib)), ContainerError::Deflate { entry: 1 });
}

#[test]
fn a_window_does_not_leak_from_one_file_into_the_next() {
    // Fixed Huffman block: literal 'a', then a match of length 3 at distance 2, which no byte stands for.
    let mut stream = Entry::deflated(b"b", b"aaaa");
    let data = vec![0x4b, 0x04, 0x22, 0x00];
    stream.both(|header| header.compressed = u32::try_from(data.len()).unwrap());
    stream.data = data;
    let first = Entry::deflated(b"a", &[b'z'; 500]);
    assert_eq!(refused(&Zip::with([first, stream]).bytes()), ContainerError::Deflate { entry: 2 });
}
