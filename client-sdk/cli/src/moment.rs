//! Times as people and programs read them. Inside, they are Unix microseconds.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use tasuki_proto::time;

/// Japan has one time zone and no summer time since 1952.
const JAPAN: Offset = Offset::constant(9);

/// For programs: RFC 3339 in UTC with microseconds.
pub(crate) fn utc(us: i64) -> String {
    time::format_us(us)
}

/// For people: `2026-11-21 20:38`, Japan time.
pub(crate) fn japan(us: i64) -> String {
    print(us, "%Y-%m-%d %H:%M")
}

/// For people, where seconds count: `2026-11-21 20:38:34`, Japan time.
pub(crate) fn japan_seconds(us: i64) -> String {
    print(us, "%Y-%m-%d %H:%M:%S")
}

/// As a serial of the standard: `20261121203834`, Japan time.
pub(crate) fn serial(us: i64) -> String {
    print(us, "%Y%m%d%H%M%S")
}

/// Reads a time from the command line: RFC 3339 with its offset, or a date and time in Japan. Unix microseconds.
pub(crate) fn parse(text: &str) -> Result<i64, String> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment.as_microsecond());
    }
    let civil = text.replace(' ', "T").parse::<DateTime>();
    let moment = civil.ok().and_then(|civil| civil.to_zoned(TimeZone::fixed(JAPAN)).ok());
    let moment = moment.ok_or("expected a time such as 2026-02-01T09:00:00+09:00 or \"2026-02-01 09:00\"")?;
    Ok(moment.timestamp().as_microsecond())
}

fn print(us: i64, format: &str) -> String {
    // Outside the years −9999..=9999 there is no date; such a time is wrong anyway.
    let time = Timestamp::from_microsecond(us).unwrap_or(Timestamp::UNIX_EPOCH);
    time.to_zoned(TimeZone::fixed(JAPAN)).strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_japan_time_and_programs_utc() {
        let us = 1_795_261_114_000_123;
        assert_eq!(utc(us), "2026-11-21T11:38:34.000123Z");
        assert_eq!(japan(us), "2026-11-21 20:38");
        assert_eq!(japan_seconds(us), "2026-11-21 20:38:34");
        assert_eq!(serial(us), "20261121203834");
    }

    #[test]
    fn a_time_is_read_in_japan_unless_it_says_otherwise() {
        let nine = time::parse_us("2026-02-01T00:00:00.000000Z").unwrap();
        for text in
            ["2026-02-01 09:00", "2026-02-01T09:00:00", "2026-02-01T09:00:00+09:00", "2026-02-01T00:00Z"]
        {
            assert_eq!(parse(text), Ok(nine), "{text}");
        }
        for text in ["", "tomorrow", "2026-02-30 09:00", "09:00"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_day_changes_at_midnight_in_japan() {
        let us = time::parse_us("2026-02-28T15:00:00.000000Z").unwrap();
        assert_eq!(japan(us), "2026-03-01 00:00");
        assert_eq!(japan(us - 1), "2026-02-28 23:59");
        assert_eq!(japan(i64::MAX), "1970-01-01 09:00");
    }
}
