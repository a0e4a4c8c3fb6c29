//! Serials (連番): when a send unit was made, shared by all its files.

use std::fmt;
use std::str::FromStr;

use crate::month::Month;
use crate::serde_text::serde_as_text;

/// The serial (連番) of a send unit: its creation time as `YYYYMMDDHHMMSS`, in Japan's local time.
///
/// All files of one unit carry the same serial, and a receiver imports units in the order of their serials:
/// `Ord` is that order. A value is always a real date (1900 to 2999) and time (00:00:00 to 23:59:59).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial(u64);

/// The text is not fourteen digits that form a date and a time that exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a serial is fourteen digits: an existing date and time as YYYYMMDDHHMMSS")]
pub struct InvalidSerial;

impl FromStr for Serial {
    type Err = InvalidSerial;

    fn from_str(text: &str) -> Result<Self, InvalidSerial> {
        if text.len() != 14 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidSerial);
        }
        let two = |at: usize| text[at..at + 2].parse::<u8>().map_err(|_| InvalidSerial);
        let month: Month = text[..6].parse().map_err(|_| InvalidSerial)?;
        let real = (1..=month.days()).contains(&two(6)?) && two(8)? < 24 && two(10)? < 60 && two(12)? < 60;
        if real { text.parse().map(Self).map_err(|_| InvalidSerial) } else { Err(InvalidSerial) }
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:014}", self.0)
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Serial({self})")
    }
}

serde_as_text!(Serial, "a serial as YYYYMMDDHHMMSS");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fourteen_digits_of_a_real_moment() {
        for right in ["20260120101500", "19000101000000", "29991231235959", "20240229000000"] {
            assert_eq!(right.parse::<Serial>().map(|s| s.to_string()), Ok(right.into()));
        }
        let wrong = [
            "",
            "2026012010150",
            "202601201015000",
            "20261320101500",
            "20260230101500",
            "20260100101500",
            "20260120241500",
            "20260120106000",
            "20260120101560",
            "18991231235959",
            "00000000000000",
            "+0260120101500",
            "2026012010150０",
        ];
        for text in wrong {
            assert_eq!(text.parse::<Serial>(), Err(InvalidSerial), "{text:?}");
        }
    }

    #[test]
    fn order_is_time() {
        let [earlier, later] = ["20251231235959", "20260101000000"].map(|s| s.parse::<Serial>().unwrap());
        assert!(earlier < later);
    }

    #[test]
    fn serde_is_text_and_checks() {
        let serial: Serial = "20260120101500".parse().unwrap();
        assert_eq!(serde_json::to_string(&serial).unwrap(), r#""20260120101500""#);
        assert_eq!(serde_json::from_str::<Serial>(r#""20260120101500""#).unwrap(), serial);
        assert!(serde_json::from_str::<Serial>(r#""20260230101500""#).is_err());
    }
}
