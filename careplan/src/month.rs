//! Service months (サービス提供年月) and the calendar behind months and serials.

use std::fmt;
use std::str::FromStr;

use crate::serde_text::serde_as_text;

/// First year that a month or a serial may name; what is earlier is a typing error, not a date.
pub const FIRST_YEAR: u16 = 1900;
/// Last year that a month or a serial may name, for the same reason.
pub const LAST_YEAR: u16 = 2999;

/// A calendar month, written `YYYYMM`, from 190001 to 299912.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: u16,
    month: u8,
}

/// The text is not `YYYYMM` with a year of 1900 to 2999 and a month of 01 to 12.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a month is YYYYMM, from 190001 to 299912")]
pub struct InvalidMonth;

impl Month {
    /// The month of that year (1900 to 2999), 1 being January.
    pub fn new(year: u16, month: u8) -> Result<Self, InvalidMonth> {
        if (FIRST_YEAR..=LAST_YEAR).contains(&year) && (1..=12).contains(&month) {
            Ok(Self { year, month })
        } else {
            Err(InvalidMonth)
        }
    }

    /// The year, 1900 to 2999.
    pub fn year(self) -> u16 {
        self.year
    }

    /// The month of the year, 1 to 12.
    pub fn month(self) -> u8 {
        self.month
    }

    /// The month after this one; `None` after 299912.
    pub fn next(self) -> Option<Self> {
        let (year, month) = if self.month == 12 { (self.year + 1, 1) } else { (self.year, self.month + 1) };
        Self::new(year, month).ok()
    }

    /// How many days the month has.
    pub fn days(self) -> u8 {
        match self.month {
            4 | 6 | 9 | 11 => 30,
            2 if self.year.is_multiple_of(4)
                && (!self.year.is_multiple_of(100) || self.year.is_multiple_of(400)) =>
            {
                29
            }
            2 => 28,
            _ => 31,
        }
    }
}

impl FromStr for Month {
    type Err = InvalidMonth;

    fn from_str(text: &str) -> Result<Self, InvalidMonth> {
        // `parse` alone would take a sign.
        if text.len() != 6 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidMonth);
        }
        let (year, month) = text.split_at(4);
        Self::new(year.parse().map_err(|_| InvalidMonth)?, month.parse().map_err(|_| InvalidMonth)?)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}{:02}", self.year, self.month)
    }
}

impl fmt::Debug for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Month({self})")
    }
}

serde_as_text!(Month, "a month as YYYYMM");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_digits_and_a_real_month() {
        let month: Month = "202602".parse().unwrap();
        assert_eq!((month.year(), month.month(), month.to_string()), (2026, 2, "202602".into()));
        for wrong in [
            "", "20262", "2026021", "202600", "202613", "189912", "300001", "000000", "+02602", "2026０2",
            "2026-2",
        ] {
            assert_eq!(wrong.parse::<Month>(), Err(InvalidMonth), "{wrong:?}");
        }
        assert!("190001".parse::<Month>().is_ok() && "299912".parse::<Month>().is_ok());
    }

    #[test]
    fn the_month_after() {
        let next = |text: &str| text.parse::<Month>().unwrap().next().map(|m| m.to_string());
        assert_eq!(next("202601"), Some("202602".into()));
        assert_eq!(next("202512"), Some("202601".into()));
        assert_eq!(next("299912"), None);
    }

    #[test]
    fn days_of_february() {
        let days = |year| Month::new(year, 2).unwrap().days();
        assert_eq!([days(2026), days(2024), days(1900), days(2000)], [28, 29, 28, 29]);
    }

    #[test]
    fn serde_is_text_and_checks() {
        let month: Month = "202602".parse().unwrap();
        assert_eq!(serde_json::to_string(&month).unwrap(), r#""202602""#);
        assert_eq!(serde_json::from_str::<Month>(r#""202602""#).unwrap(), month);
        assert!(serde_json::from_str::<Month>(r#""202613""#).is_err());
    }
}
