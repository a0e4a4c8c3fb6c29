//! Whatever the bytes: checking a file takes no more memory than a bound beside the file, taking a file of the one-file form
//! apart no more than its size and a bound.
//!
//! The only test of its program, since the allocator counts for all threads.

use peak_alloc::PeakAlloc;
use tasuki_careplan::check::check_file;
use tasuki_careplan::file::SourceFile;
use tasuki_careplan::parcel::{CheckOptions, ParcelFacts, check_parcel};
use tasuki_careplan::{one_file, samples};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const NAME: &str = "UPPLAN_202602_1371215102_43_9971100012_11_20260125103000.CSV";
const ONE_FILE: &str = "CAREPLAN_1371215102_20260125103000.CSV";

/// Size of a hostile file.
const BYTES: usize = 16 << 20;
/// What a check may take beside the file: findings, which are bounded, and what is remembered of one record.
const BOUND: usize = 1 << 20;
/// What a check may take beside a slip, for each user in it: who was named and where, to find who is misdirected.
const USER_BYTES: usize = 64;
const USERS: u32 = 100_000;

/// Runs `work` and returns how much more was held in between than before.
fn peak(work: impl FnOnce()) -> usize {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    work();
    MEMORY.peak_usage().saturating_sub(before)
}

/// `unit` again and again, [`BYTES`] of it or a bit less.
fn full_of(unit: &[u8]) -> Vec<u8> {
    unit.repeat(BYTES / unit.len())
}

const A_HUNDRED_THOUSAND: &str = "a hundred thousand users of another office";

/// Files that cost as much as a file can, each with what it is.
fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    let sample = samples::all().iter().find(|sample| sample.name == NAME).expect("the slip is a sample");
    let line = sample.bytes.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
    let find = |value: &[u8]| line.windows(10).position(|part| part == value).expect("it is in the sample");
    let (user_at, office_at) = (find(b"1234567896"), find(b"9971100012"));
    let mut line_of_another = line.to_vec();
    line_of_another[office_at..office_at + 10].copy_from_slice(b"9971100020");
    let mut users = Vec::with_capacity(BYTES);
    for user in 0..USERS {
        line_of_another[user_at..user_at + 10].copy_from_slice(format!("{user:010}").as_bytes());
        users.extend_from_slice(&line_of_another);
    }
    let mut item = b"202407,131128,".to_vec();
    item.resize(BYTES, b'9');
    vec![
        ("one line of commas", full_of(b",")),
        ("one line of quotes", full_of(b"\"")),
        ("one quoted item that never ends", [b"\"".as_slice(), &full_of(b"a")].concat()),
        ("one long item", item),
        ("nothing but NUL", full_of(b"\0")),
        ("nothing but LF", full_of(b"\n")),
        ("nothing but CR", full_of(b"\r")),
        ("empty records", full_of(b"\r\n")),
        ("half characters", full_of(b"\x82")),
        ("the same line", full_of(line)),
        (A_HUNDRED_THOUSAND, users),
    ]
}

#[test]
fn memory_is_bounded() {
    // What is read once for all files is no file's.
    assert!(check_file(NAME, b"").has_errors());
    for (what, bytes) in hostile() {
        let bound = BOUND + if what == A_HUNDRED_THOUSAND { USERS as usize * USER_BYTES } else { 0 };
        let checked = peak(|| drop(check_file(NAME, &bytes)));
        assert!(checked <= bound, "{what}: {checked} bytes beside a file of {}", bytes.len());

        let file = SourceFile { name: NAME, bytes: &bytes };
        let (facts, options) = (ParcelFacts::default(), CheckOptions::default());
        let parcel = peak(|| drop(check_parcel(&facts, &[file], &options)));
        assert!(parcel <= bound, "{what}: {parcel} bytes beside a parcel of {}", bytes.len());

        let split = peak(|| drop(one_file::split(ONE_FILE, &bytes)));
        assert!(split <= bytes.len() + BOUND, "{what}: {split} bytes to split {}", bytes.len());
        println!("{what}: {} bytes; check {checked}, parcel {parcel}, split {split}", bytes.len());
    }
}
