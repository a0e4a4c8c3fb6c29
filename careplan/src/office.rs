//! Office numbers (事業所番号).

use std::fmt;
use std::str::FromStr;

use crate::serde_text::serde_as_text;

/// The ten-digit number of a care office (事業所番号).
///
/// A value is always ten ASCII digits. Whether its last digit is a right check digit is a separate question
/// ([`check_digit_ok`](Self::check_digit_ok)): the directory, not arithmetic, decides whether an office exists.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OfficeNumber([u8; 10]);

/// The text is not ten ASCII digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an office number is ten ASCII digits")]
pub struct InvalidOfficeNumber;

impl OfficeNumber {
    /// The ten digits as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("an office number holds ASCII digits only")
    }

    /// The ten digits as bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The number of these ten bytes, if they are ASCII digits.
    pub(crate) fn from_bytes(digits: &[u8]) -> Option<Self> {
        let digits: [u8; 10] = digits.try_into().ok()?;
        digits.iter().all(u8::is_ascii_digit).then_some(Self(digits))
    }

    /// Whether the last digit is the check digit of the nine before it: modulus 10, weights 2 and 1 from the
    /// right, the digits of each product added (ISO/IEC 7812-1 Annex B).
    ///
    /// The national trial's office 1371215102 and the sample files' offices satisfy this variant.
    pub fn check_digit_ok(&self) -> bool {
        let total: u32 = self
            .0
            .iter()
            .rev()
            .enumerate()
            .map(|(place, digit)| {
                let product = u32::from(digit - b'0') * if place % 2 == 1 { 2 } else { 1 };
                product / 10 + product % 10
            })
            .sum();
        total.is_multiple_of(10)
    }
}

impl FromStr for OfficeNumber {
    type Err = InvalidOfficeNumber;

    fn from_str(text: &str) -> Result<Self, InvalidOfficeNumber> {
        Self::from_bytes(text.as_bytes()).ok_or(InvalidOfficeNumber)
    }
}

impl fmt::Display for OfficeNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for OfficeNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OfficeNumber({self})")
    }
}

serde_as_text!(OfficeNumber, "an office number of ten digits");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_digits_and_nothing_else() {
        assert_eq!("1371215102".parse::<OfficeNumber>().map(|n| n.to_string()), Ok("1371215102".into()));
        for wrong in
            ["", "137121510", "13712151022", "137121510A", "１３７１２１５１０２", " 371215102", "-371215102"]
        {
            assert_eq!(wrong.parse::<OfficeNumber>(), Err(InvalidOfficeNumber), "{wrong:?}");
        }
    }

    #[test]
    fn check_digits_of_the_known_valid_numbers() {
        for valid in ["1371215102", "9971100012", "9971100020", "9971100038", "9900100042", "9971100053"] {
            assert!(valid.parse::<OfficeNumber>().unwrap().check_digit_ok(), "{valid}");
        }
    }

    /// Any single wrong digit is noticed, so the test above can't pass by chance of a weaker formula.
    #[test]
    fn every_single_digit_error_is_noticed() {
        let valid = *b"1371215102";
        for place in 0..10 {
            for digit in b'0'..=b'9' {
                let mut changed = valid;
                changed[place] = digit;
                assert_eq!(OfficeNumber(changed).check_digit_ok(), changed == valid);
            }
        }
    }

    #[test]
    fn serde_is_text_and_checks() {
        let number: OfficeNumber = "1371215102".parse().unwrap();
        assert_eq!(serde_json::to_string(&number).unwrap(), r#""1371215102""#);
        assert_eq!(serde_json::from_str::<OfficeNumber>(r#""1371215102""#).unwrap(), number);
        assert!(serde_json::from_str::<OfficeNumber>(r#""137""#).is_err());
        assert!(serde_json::from_str::<OfficeNumber>("1371215102").is_err());
    }
}
