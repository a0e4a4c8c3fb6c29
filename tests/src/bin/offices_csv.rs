//! A list of made-up offices for `tasuki-relay office import`, on standard output: `offices-csv COUNT > list.csv`.
//!
//! How long an import takes: `time tasuki-relay --config relay.toml office import list.csv`, and the same again, which changes nothing.

use std::io::{self, BufWriter, Write as _};
use std::process::ExitCode;

use tasuki_careplan::office::OfficeNumber;

/// More than that the relay refuses; one row more shows it.
const MAX_COUNT: u32 = 100_000_000;

fn main() -> ExitCode {
    let count = std::env::args().nth(1).and_then(|count| count.parse().ok());
    let Some(count) = count.filter(|count| *count <= MAX_COUNT) else {
        eprintln!("usage: offices-csv COUNT");
        return ExitCode::from(2);
    };
    if write(count).is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn write(count: u32) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    writeln!(out, "number,name,kana,services,standard_ready,municipality")?;
    for n in 0..count {
        let city = n % 1_700;
        writeln!(out, "{},見本事業所{n},ミホンジギョウショ,11 43,false,見本県見本{city}市", number(n))?;
    }
    out.flush()
}

/// The `n`th number with a right check digit.
fn number(n: u32) -> OfficeNumber {
    (0..10)
        .filter_map(|digit| format!("{n:09}{digit}").parse().ok())
        .find(OfficeNumber::check_digit_ok)
        .expect("one of ten digits is right")
}
