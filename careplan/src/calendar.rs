//! Dates (YYYYMMDD), times (HHMM) and decimals (99.99) of records.

use std::fmt;
use std::str::FromStr;

use crate::month::Month;
use crate::serde_text::serde_as_text;

/// A day that exists, from 1900-01-01 to 2999-12-31, written `YYYYMMDD`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    month: Month,
    day: u8,
}

/// The text is not `YYYYMMDD` of a day that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a date is YYYYMMDD, from 19000101 to 29991231")]
pub struct InvalidDate;

impl Date {
    /// That day of the month, 1 being the first.
    pub fn new(month: Month, day: u8) -> Result<Self, InvalidDate> {
        if (1..=month.days()).contains(&day) { Ok(Self { month, day }) } else { Err(InvalidDate) }
    }

    /// Its month.
    pub fn month(self) -> Month {
        self.month
    }

    /// The day of the month, 1 to 31.
    pub fn day(self) -> u8 {
        self.day
    }
}

impl FromStr for Date {
    type Err = InvalidDate;

    fn from_str(text: &str) -> Result<Self, InvalidDate> {
        let (month, day) = text.split_at_checked(6).ok_or(InvalidDate)?;
        Self::new(month.parse().map_err(|_| InvalidDate)?, two_digits(day).ok_or(InvalidDate)?)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:02}", self.month, self.day)
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Date({self})")
    }
}

serde_as_text!(Date, "a date as YYYYMMDD");

/// A time of day, 00:00 to 23:59, written `HHMM`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    hour: u8,
    minute: u8,
}

/// The text is not `HHMM`, 0000 to 2359.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a time is HHMM, from 0000 to 2359")]
pub struct InvalidTime;

impl Time {
    /// That time; the hour 0 to 23, the minute 0 to 59.
    pub fn new(hour: u8, minute: u8) -> Result<Self, InvalidTime> {
        if hour < 24 && minute < 60 { Ok(Self { hour, minute }) } else { Err(InvalidTime) }
    }

    /// 0 to 23.
    pub fn hour(self) -> u8 {
        self.hour
    }

    /// 0 to 59.
    pub fn minute(self) -> u8 {
        self.minute
    }
}

impl FromStr for Time {
    type Err = InvalidTime;

    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        let (hour, minute) = text.split_at_checked(2).ok_or(InvalidTime)?;
        let part = |text| two_digits(text).ok_or(InvalidTime);
        Self::new(part(hour)?, part(minute)?)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}{:02}", self.hour, self.minute)
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Time({self})")
    }
}

serde_as_text!(Time, "a time as HHMM");

/// A number with two decimals (99.99), 0.00 to 999.99: yen for one unit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal {
    hundredths: u32,
}

/// The text is not one to three digits, a point and two digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a decimal is one to three digits, a point and two digits")]
pub struct InvalidDecimal;

impl Decimal {
    /// So many hundredths, at most 99,999.
    pub fn from_hundredths(hundredths: u32) -> Result<Self, InvalidDecimal> {
        if hundredths <= 99_999 { Ok(Self { hundredths }) } else { Err(InvalidDecimal) }
    }

    /// The number in hundredths.
    pub fn hundredths(self) -> u32 {
        self.hundredths
    }
}

impl FromStr for Decimal {
    type Err = InvalidDecimal;

    fn from_str(text: &str) -> Result<Self, InvalidDecimal> {
        let (whole, hundredths) = text.split_once('.').ok_or(InvalidDecimal)?;
        let digits = !whole.is_empty() && whole.len() <= 3 && whole.bytes().all(|b| b.is_ascii_digit());
        let hundredths = two_digits(hundredths).ok_or(InvalidDecimal)?;
        let whole: u32 = whole.parse().map_err(|_| InvalidDecimal)?;
        if digits { Self::from_hundredths(whole * 100 + u32::from(hundredths)) } else { Err(InvalidDecimal) }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.hundredths / 100, self.hundredths % 100)
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decimal({self})")
    }
}

serde_as_text!(Decimal, "a decimal as 99.99");

fn two_digits(text: &str) -> Option<u8> {
    // `parse` alone would take a sign.
    if text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// Whether eight ASCII digits are a day that [`Date`] takes; on bytes, since each record has several.
pub(crate) fn is_date(digits: &[u8]) -> bool {
    let Some((month, [tens, ones])) = digits.split_last_chunk::<2>() else { return false };
    let Some(month) = month_of(month) else { return false };
    (1..=month.days()).contains(&two(*tens, *ones))
}

/// Whether six ASCII digits are a month that [`Month`] takes.
pub(crate) fn is_month(digits: &[u8]) -> bool {
    month_of(digits).is_some()
}

/// Whether four ASCII digits are a time that [`Time`] takes.
pub(crate) fn is_time(digits: &[u8]) -> bool {
    matches!(digits, [a, b, c, d] if two(*a, *b) < 24 && two(*c, *d) < 60)
}

/// The month that six ASCII digits are.
pub(crate) fn month_of(digits: &[u8]) -> Option<Month> {
    let ([c1, c2, y1, y2, m1, m2], []) = digits.split_first_chunk::<6>()? else { return None };
    let year = u16::from(two(*c1, *c2)) * 100 + u16::from(two(*y1, *y2));
    Month::new(year, two(*m1, *m2)).ok()
}

/// The number of two ASCII digits; anything beyond 99 for other bytes.
fn two(tens: u8, ones: u8) -> u8 {
    if tens.is_ascii_digit() && ones.is_ascii_digit() { (tens - b'0') * 10 + (ones - b'0') } else { u8::MAX }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_exist() {
        for right in ["20260228", "20240229", "19000101", "29991231", "20261130"] {
            assert_eq!(right.parse::<Date>().map(|date| date.to_string()), Ok(right.into()));
            assert!(is_date(right.as_bytes()));
        }
        for wrong in [
            "",
            "2026022",
            "202602281",
            "20260229",
            "20260230",
            "20261301",
            "20260100",
            "20260132",
            "00000000",
            "18991231",
            "30000101",
            "2026-2-1",
            "+2026011",
            "202601+1",
            "２０２６０１０１",
            "é2602281",
        ] {
            assert_eq!(wrong.parse::<Date>(), Err(InvalidDate), "{wrong}");
            assert!(!is_date(wrong.as_bytes()), "{wrong}");
        }
    }

    #[test]
    fn times_that_exist() {
        for right in ["0000", "2359", "0930"] {
            assert_eq!(right.parse::<Time>().map(|time| time.to_string()), Ok(right.into()));
            assert!(is_time(right.as_bytes()));
        }
        for wrong in ["", "930", "2400", "0960", "9999", "09:3", "+930", "09300"] {
            assert_eq!(wrong.parse::<Time>(), Err(InvalidTime), "{wrong}");
            assert!(!is_time(wrong.as_bytes()), "{wrong}");
        }
    }

    #[test]
    fn decimals_have_two_places() {
        for right in ["0.00", "9.05", "11.40", "999.99"] {
            assert_eq!(right.parse::<Decimal>().map(|decimal| decimal.to_string()), Ok(right.into()));
        }
        assert_eq!("11.40".parse::<Decimal>().map(Decimal::hundredths), Ok(1140));
        for wrong in ["", "11", "11.4", "11.400", ".40", "1000.00", "-1.00", "+1.00", "1.+0"] {
            assert_eq!(wrong.parse::<Decimal>(), Err(InvalidDecimal), "{wrong}");
        }
        assert_eq!(Decimal::from_hundredths(100_000), Err(InvalidDecimal));
    }

    #[test]
    fn bytes_and_text_agree_on_months() {
        for text in ["202602", "190001", "299912", "189912", "300001", "202600", "202613", "20260", "2026021"]
        {
            assert_eq!(month_of(text.as_bytes()), text.parse().ok(), "{text}");
        }
    }
}
