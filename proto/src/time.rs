//! Times at the edges: RFC 3339 in UTC with microseconds; inside, Unix microseconds in an `i64`.

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;

/// Prints `2026-11-21T11:38:34.000123Z`: always UTC, always six digits, so that equal times are equal
/// texts. Times outside years −9999..=9999 can't occur: events are bounded by the relay's clock.
pub fn format_us(us: i64) -> String {
    const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(6));
    let time = Timestamp::from_microsecond(us).unwrap_or(Timestamp::UNIX_EPOCH);
    let mut text = String::with_capacity(27);
    PRINTER.print_timestamp(&time, &mut text).expect("writing to a String does not fail");
    text
}

/// Reads exactly what [`format_us`] prints; anything else is `None`.
pub fn parse_us(text: &str) -> Option<i64> {
    let us = text.parse::<Timestamp>().ok()?.as_microsecond();
    (format_us(us) == text).then_some(us)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_time_has_one_text() {
        assert_eq!(format_us(1_795_261_114_000_123), "2026-11-21T11:38:34.000123Z");
        assert_eq!(format_us(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(parse_us("2026-11-21T11:38:34.000123Z"), Some(1_795_261_114_000_123));
        for text in ["2026-11-21T11:38:34Z", "2026-11-21T20:38:34.000123+09:00", "", "2026-11-21"] {
            assert_eq!(parse_us(text), None, "{text}");
        }
    }
}
