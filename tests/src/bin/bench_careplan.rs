//! What checking a file costs, beside decoding and walking the same bytes: `cargo bench-careplan`.
//!
//! The floor is what any reader must do: decode MS932 with `encoding_rs` and walk the text with the csv crate. Both are
//! measured in turns on the same bytes; the fastest of many rounds counts, since whatever else the machine does only adds.
//! Exits with 1 if a check costs more than [`MAX_RATIO`] times the floor. `--large` goes on to 1 GB, which takes about
//! 4 GB of memory and a minute.

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use encoding_rs::SHIFT_JIS;
use tasuki_careplan::check::check_file;
use tasuki_careplan::file::SourceFile;
use tasuki_careplan::parcel::{CheckOptions, ParcelFacts, check_parcel};
use tasuki_careplan::samples::{self, Sample};

/// What a check may cost, in floors.
const MAX_RATIO: f64 = 1.3;
/// Size of a usual file.
const USUAL_BYTES: usize = 20 << 10;
/// Rounds of each measurement, and how long all of them may take.
const MAX_ROUNDS: u32 = 400;
const MAX_TIME: Duration = Duration::from_secs(5);
/// Bytes that one round goes through at least, so that the clock's own steps do not count.
const ROUND_BYTES: usize = 200 << 10;

/// Kinds of files, in folders whose samples have several rows.
const KINDS: [(&str, &str); 6] = [
    ("04_slip_202602_to_day_two_users", "UPPLAN"),
    ("04_slip_202602_to_day_two_users", "UPSIKYU"),
    ("04_slip_202602_to_day_two_users", "UPHOSOKU"),
    ("07_result_202602_from_day_two_users", "UPJSK"),
    ("02_plan_documents_to_day_two_users", "UP1KYO"),
    ("02_plan_documents_to_day_two_users", "UP2KYO"),
];

/// Sizes of a slip, from a small file to a hopeless one.
const SIZES: [usize; 5] = [10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];
const LARGE: usize = 1_000_000_000;

fn main() -> ExitCode {
    let large = std::env::args().any(|arg| arg == "--large");
    println!(
        "{:<10}{:>12}{:>14}{:>14}{:>8}{:>10}",
        "file", "bytes", "check us", "floor us", "ratio", "ns/byte"
    );
    let mut worst: f64 = 0.0;
    for (folder, kind) in KINDS {
        worst = worst.max(measure(sample(folder, kind), USUAL_BYTES));
    }
    let slip = sample("04_slip_202602_to_day_two_users", "UPPLAN");
    for size in SIZES.into_iter().chain(large.then_some(LARGE)) {
        worst = worst.max(measure(slip, size));
    }
    parcel();
    println!("\nworst ratio {worst:.2}, allowed {MAX_RATIO}");
    if worst > MAX_RATIO { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn sample(folder: &str, kind: &str) -> &'static Sample {
    let is_it = |sample: &&Sample| sample.name.split('_').next() == Some(kind);
    samples::of_folder(folder).find(is_it).expect("the samples have this kind in this folder")
}

/// Measures one file of the sample's rows, again and again; gives the ratio.
fn measure(sample: &Sample, size: usize) -> f64 {
    let bytes = sample.bytes.repeat(size.div_ceil(sample.bytes.len()));
    assert!(check_file(sample.name, &bytes).is_clean(), "the bench measures clean files");
    let times = (ROUND_BYTES / bytes.len()).max(1);
    let (mut check, mut floor) = (f64::MAX, f64::MAX);
    let begin = Instant::now();
    for _ in 0..MAX_ROUNDS {
        check = check.min(once(times, || {
            black_box(check_file(sample.name, black_box(&bytes)));
        }));
        floor = floor.min(once(times, || {
            black_box(decode_and_walk(black_box(&bytes)));
        }));
        if begin.elapsed() > MAX_TIME {
            break;
        }
    }
    let kind = sample.name.split('_').next().unwrap_or_default();
    let length = u32::try_from(bytes.len()).map_or(f64::MAX, f64::from);
    let (ratio, per_byte) = (check / floor, check * 1e9 / length);
    println!(
        "{kind:<10}{:>12}{:>14.1}{:>14.1}{ratio:>8.2}{per_byte:>10.2}",
        bytes.len(),
        check * 1e6,
        floor * 1e6
    );
    ratio
}

/// The parcel as the relay meets it: a slip of three files with what they must agree about.
fn parcel() {
    let files: Vec<SourceFile<'_>> = samples::of_folder("04_slip_202602_to_day_two_users")
        .map(|sample| SourceFile { name: sample.name, bytes: sample.bytes })
        .collect();
    let size: usize = files.iter().map(|file| file.bytes.len()).sum();
    let (facts, options) = (ParcelFacts::default(), CheckOptions::default());
    let mut best = f64::MAX;
    for _ in 0..MAX_ROUNDS {
        best = best.min(once(20, || {
            black_box(check_parcel(&facts, black_box(&files), &options));
        }));
    }
    println!(
        "\na slip of {} files, {size} bytes, with all that they must agree about: {:.1} us",
        files.len(),
        best * 1e6
    );
}

/// Seconds of one call.
fn once(times: usize, mut call: impl FnMut()) -> f64 {
    let begin = Instant::now();
    for _ in 0..times {
        call();
    }
    begin.elapsed().as_secs_f64() / u32::try_from(times).map_or(f64::MAX, f64::from)
}

/// The floor. Gives the number of items, so that nothing is left out.
fn decode_and_walk(bytes: &[u8]) -> usize {
    let (text, _, _) = SHIFT_JIS.decode(bytes);
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut record = csv::ByteRecord::new();
    let mut items = 0;
    while reader.read_byte_record(&mut record).expect("reading from memory does not fail") {
        items += record.len();
    }
    items
}
