//! Spans of time as the configuration spells them: "5y", "90d", "12h", "15m", "30s"; where people wait, also "3wd".

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use tasuki_careplan::working_days;

const SECOND_US: i64 = 1_000_000;

/// The longest: a hundred years, so that adding one to a time can't overflow.
const MAX_US: i64 = 100 * 366 * 24 * 3_600 * SECOND_US;

/// A number and a unit: `y` of 366 days, `d` of 24 hours, `h`, `m` or `s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Period(i64);

/// Not a span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a span of time: write a number and a unit, such as \"5y\", \"90d\", \"12h\", \"15m\", \"30s\" (or \"3wd\" where working days are meant)"
)]
pub struct InvalidPeriod;

impl Period {
    /// So many days of 24 hours.
    pub const fn days(days: u32) -> Self {
        Self(days as i64 * 24 * 3_600 * SECOND_US)
    }

    /// So many seconds.
    pub const fn seconds(seconds: u32) -> Self {
        Self(seconds as i64 * SECOND_US)
    }

    /// So many years of 366 days: never shorter than by the calendar.
    pub const fn years(years: u32) -> Self {
        Self::days(years * 366)
    }

    /// Microseconds.
    pub fn us(self) -> i64 {
        self.0
    }
}

impl FromStr for Period {
    type Err = InvalidPeriod;

    fn from_str(text: &str) -> Result<Self, InvalidPeriod> {
        let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or(InvalidPeriod)?;
        let (number, unit) = text.split_at(digits);
        let number: i64 = number.parse().map_err(|_| InvalidPeriod)?;
        let seconds = match unit {
            "y" => 366 * 24 * 3_600,
            "d" => 24 * 3_600,
            "h" => 3_600,
            "m" => 60,
            "s" => 1,
            _ => return Err(InvalidPeriod),
        };
        let us = number.checked_mul(seconds * SECOND_US).filter(|us| *us <= MAX_US);
        us.map(Self).ok_or(InvalidPeriod)
    }
}

impl TryFrom<String> for Period {
    type Error = InvalidPeriod;

    fn try_from(text: String) -> Result<Self, InvalidPeriod> {
        text.parse()
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / SECOND_US;
        match seconds {
            s if s > 0 && s % (366 * 24 * 3_600) == 0 => write!(f, "{}y", s / (366 * 24 * 3_600)),
            s if s > 0 && s % (24 * 3_600) == 0 => write!(f, "{}d", s / (24 * 3_600)),
            s if s > 0 && s % 3_600 == 0 => write!(f, "{}h", s / 3_600),
            s if s > 0 && s % 60 == 0 => write!(f, "{}m", s / 60),
            s => write!(f, "{s}s"),
        }
    }
}

/// How long people are waited for: a span of time, or Japanese working days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Patience {
    /// A span of time.
    Span(Period),
    /// Until the end of the so many-th working day after the day on which waiting began, in Japan.
    WorkingDays(u32),
}

/// Working days at most: two years.
const MAX_WORKING_DAYS: u32 = 500;

impl Patience {
    /// When it ends that began at a time. Unix microseconds.
    pub fn ends_us(self, began_us: i64) -> i64 {
        match self {
            Self::Span(period) => began_us.saturating_add(period.us()),
            Self::WorkingDays(days) => working_days::end_of(began_us, days),
        }
    }
}

impl TryFrom<String> for Patience {
    type Error = InvalidPeriod;

    fn try_from(text: String) -> Result<Self, InvalidPeriod> {
        match text.strip_suffix("wd") {
            Some(days) => {
                let days = days.parse().ok().filter(|days| *days <= MAX_WORKING_DAYS);
                days.map(Self::WorkingDays).ok_or(InvalidPeriod)
            }
            None => text.parse().map(Self::Span),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_and_print() {
        for text in ["5y", "90d", "12h", "15m", "30s", "0s", "1d"] {
            assert_eq!(text.parse::<Period>().unwrap().to_string(), text);
        }
        assert_eq!("36h".parse::<Period>().unwrap().us(), 36 * 3_600 * SECOND_US);
        for bad in ["", "90", "d", "-1d", "1w", "1.5h", "99999999999999d", "40000d", "1 d"] {
            assert_eq!(bad.parse::<Period>(), Err(InvalidPeriod), "{bad}");
        }
    }

    #[test]
    fn patience_is_of_working_days_or_of_a_span() {
        assert_eq!(Patience::try_from("3wd".to_owned()), Ok(Patience::WorkingDays(3)));
        assert_eq!(Patience::try_from("2h".to_owned()).unwrap().ends_us(5), 2 * 3_600 * SECOND_US + 5);
        assert_eq!(Patience::try_from("501wd".to_owned()), Err(InvalidPeriod));
        assert_eq!(Patience::try_from("wd".to_owned()), Err(InvalidPeriod));
    }
}
