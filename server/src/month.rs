//! Months of the calendar, in Japan.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::{TimeZone, offset};

/// A month, `yyyymm`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: i16,
    month: i8,
}

/// Not a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a month such as 202602")]
pub struct InvalidMonth;

/// Japan has no summer time.
pub(crate) fn japan() -> TimeZone {
    TimeZone::fixed(offset(9))
}

/// Date and minute in Japan, for people.
pub(crate) fn minute_in_japan(us: i64) -> String {
    let time = jiff::Timestamp::from_microsecond(us).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    time.to_zoned(japan()).strftime("%Y-%m-%d %H:%M").to_string()
}

impl Month {
    /// The month in which a time lies. Unix microseconds; a time beyond the calendar counts as its beginning.
    pub fn of(time_us: i64) -> Self {
        let time = jiff::Timestamp::from_microsecond(time_us).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let day = time.to_zoned(japan()).date();
        Self { year: day.year(), month: day.month() }
    }

    /// When it begins. Unix microseconds.
    pub fn begins_us(self) -> i64 {
        let first = Date::new(self.year, self.month, 1).and_then(|day| day.to_zoned(japan()));
        first.map_or(0, |first| first.timestamp().as_microsecond())
    }

    /// The month behind it.
    #[must_use]
    pub fn next(self) -> Self {
        if self.month == 12 {
            Self { year: self.year + 1, month: 1 }
        } else {
            Self { month: self.month + 1, ..self }
        }
    }

    /// The month before it.
    #[must_use]
    pub fn before(self) -> Self {
        if self.month == 1 {
            Self { year: self.year - 1, month: 12 }
        } else {
            Self { month: self.month - 1, ..self }
        }
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}{:02}", self.year, self.month)
    }
}

impl FromStr for Month {
    type Err = InvalidMonth;

    fn from_str(text: &str) -> Result<Self, InvalidMonth> {
        if text.len() != 6 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(InvalidMonth);
        }
        let (year, month) = text.split_at(4);
        let year = year.parse().map_err(|_| InvalidMonth)?;
        let month = month.parse().map_err(|_| InvalidMonth)?;
        // Parcels are younger than 1970, and four digits end at 9999.
        let known = (1970..9999).contains(&year) && (1..=12).contains(&month);
        known.then_some(Self { year, month }).ok_or(InvalidMonth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_begins_at_midnight_in_japan() {
        let month: Month = "202602".parse().unwrap();
        let begins: jiff::Timestamp = "2026-02-01T00:00:00+09:00".parse().unwrap();
        assert_eq!(month.begins_us(), begins.as_microsecond());
        assert_eq!(Month::of(month.begins_us()), month);
        assert_eq!(Month::of(month.begins_us() - 1), month.before());
        assert_eq!(
            (month.next().to_string(), month.before().before().to_string()),
            ("202603".into(), "202512".into())
        );
        assert_eq!("202512".parse::<Month>().unwrap().next().to_string(), "202601");
        for wrong in ["", "2026", "202600", "202613", "2026-2", "２０２６０２"] {
            assert_eq!(wrong.parse::<Month>(), Err(InvalidMonth), "{wrong}");
        }
    }
}
