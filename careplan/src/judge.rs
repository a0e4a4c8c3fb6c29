//! Is one value what its item may hold? Judged on the raw bytes; the bulk of the time of a check goes here.

use crate::calendar::{is_date, is_month, is_time};
use crate::layout::{ItemType, LayoutItem, Requirement};

/// Why a value is not what its item may hold: the first that applies, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ItemFault {
    /// Empty, though marked as required.
    Required,
    /// Characters or a form that the type doesn't allow.
    Type,
    /// Full-width digits or letters where half-width ones are due.
    FullWidth,
    /// Too long, or not of the one length.
    Length,
    /// No such date, month or time.
    Range,
    /// Not in the list of codes.
    Code,
}

/// The length of each kind of moment.
const MONTH_LEN: usize = 6;
const DATE_LEN: usize = 8;
const TIME_LEN: usize = 4;

/// Judges the value of an item as it stands between commas or quotes, in MS932. Null is empty.
pub(crate) fn judge(item: &LayoutItem, value: &[u8]) -> Option<ItemFault> {
    if value.is_empty() {
        return (item.requirement == Requirement::Required).then_some(ItemFault::Required);
    }
    match item.item_type {
        ItemType::Text => None,
        ItemType::Month => moment(item, value, MONTH_LEN, is_month),
        ItemType::Date => moment(item, value, DATE_LEN, is_date),
        ItemType::Time => moment(item, value, TIME_LEN, is_time),
        ItemType::Integer => {
            let digits = value.strip_prefix(b"-").unwrap_or(value);
            if digits.is_empty() || !all_digits(digits) {
                Some(wrong(value))
            } else {
                length(item, value.len())
            }
        }
        ItemType::Code => {
            if !value.iter().all(u8::is_ascii_alphanumeric) {
                Some(wrong(value))
            } else if item.codes.is_empty() {
                length(item, value.len())
            } else {
                (!item.has_code(value)).then_some(ItemFault::Code)
            }
        }
        ItemType::Alphanumeric => alphanumeric(item, value),
        ItemType::Decimal => decimal(item, value),
        ItemType::PostalCode => postal_code(item, value),
        ItemType::Unused => Some(wrong(value)),
    }
}

fn moment(item: &LayoutItem, value: &[u8], len: usize, exists: fn(&[u8]) -> bool) -> Option<ItemFault> {
    if value.len() == len && exists(value) {
        None
    } else if !all_digits(value) {
        Some(wrong(value))
    } else if value.len() != len {
        Some(ItemFault::Length)
    } else {
        (!item.has_code(value)).then_some(ItemFault::Range)
    }
}

fn alphanumeric(item: &LayoutItem, value: &[u8]) -> Option<ItemFault> {
    if value.iter().all(|byte| ALPHANUMERIC[usize::from(*byte)]) {
        return length(item, value.len());
    }
    if !item.wide_hyphen {
        return Some(wrong(value));
    }
    let mut characters = 0;
    let mut rest = value;
    while let Some((&first, behind)) = rest.split_first() {
        rest = match rest {
            [0x81, 0x5D | 0x7C, behind @ ..] => behind,
            _ if ALPHANUMERIC[usize::from(first)] => behind,
            _ => return Some(wrong(value)),
        };
        characters += 1;
    }
    length(item, characters)
}

fn decimal(item: &LayoutItem, value: &[u8]) -> Option<ItemFault> {
    let Some((whole, [b'.', tenths, hundredths])) = value.split_last_chunk::<3>() else {
        return Some(wrong(value));
    };
    if whole.is_empty() || !all_digits(whole) || !tenths.is_ascii_digit() || !hundredths.is_ascii_digit() {
        return Some(wrong(value));
    }
    length(item, value.len())
}

fn postal_code(item: &LayoutItem, value: &[u8]) -> Option<ItemFault> {
    if let [a, b, c, b'-', d, e, f, g] = value
        && [a, b, c, d, e, f, g].into_iter().all(u8::is_ascii_digit)
    {
        return None;
    }
    let of_its_characters = value.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-');
    let too_long = item.max_len.is_some_and(|max| value.len() > usize::from(max));
    Some(if of_its_characters && too_long { ItemFault::Length } else { wrong(value) })
}

fn length(item: &LayoutItem, characters: usize) -> Option<ItemFault> {
    let max = usize::from(item.max_len?);
    (characters > max || (item.exact_len && characters != max)).then_some(ItemFault::Length)
}

/// A wrong type, and whether the reason is full-width input: MS932 has ０-９ at 824F, Ａ-Ｚ at 8260, ａ-ｚ at 8281.
fn wrong(value: &[u8]) -> ItemFault {
    let mut rest = value;
    while !rest.is_empty() {
        rest = match rest {
            [0x82, 0x4F..=0x58 | 0x60..=0x79 | 0x81..=0x9A, ..] => return ItemFault::FullWidth,
            [0x81..=0x9F | 0xE0..=0xFC, _, behind @ ..] => behind,
            _ => rest.get(1..).unwrap_or_default(),
        };
    }
    ItemFault::Type
}

fn all_digits(value: &[u8]) -> bool {
    value.iter().all(u8::is_ascii_digit)
}

/// Characters of 英数 items: letters, digits, and what telephone numbers and equipment codes are written with.
const ALPHANUMERIC: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte: u8 = 0;
    while byte < 128 {
        table[byte as usize] =
            byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'(' | b')' | b'+' | b'-' | b'.');
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edition::Edition;
    use crate::kind::FileKind;
    use crate::layout::Layout;

    fn of(kind: FileKind, edition: Edition, name: &str, value: &str) -> Option<ItemFault> {
        let (_, item) = Layout::of(kind, edition).unwrap().item(name).unwrap();
        let (bytes, _, replaced) = encoding_rs::SHIFT_JIS.encode(value);
        assert!(!replaced);
        judge(item, &bytes)
    }

    fn plan(name: &str, value: &str) -> Option<ItemFault> {
        of(FileKind::Upplan, Edition::V4_1, name, value)
    }

    #[test]
    fn moments() {
        use ItemFault::{FullWidth, Length, Range, Required, Type};
        for (value, fault) in [
            ("20260201", None),
            ("", Some(Required)),
            ("20260230", Some(Range)),
            ("00000000", Some(Range)),
            ("260201", Some(Length)),
            ("202602011", Some(Length)),
            ("2026/2/1", Some(Type)),
            ("2026020１", Some(FullWidth)),
            ("令和８年", Some(FullWidth)),
            ("令和", Some(Type)),
        ] {
            assert_eq!(plan("service_date", value), fault, "{value}");
        }
        for (value, fault) in [("9999", None), ("2359", None), ("2400", Some(Range)), ("930", Some(Length))] {
            assert_eq!(plan("start_time", value), fault, "{value}");
        }
        assert_eq!(of(FileKind::Up3kyo, Edition::V4_1, "service_start_time", "9999"), Some(Range));
        assert_eq!(plan("target_month", "202613"), Some(Range));
        assert_eq!(plan("target_month", "000000"), Some(Range));
        let supplement = |name, value| of(FileKind::Uphosoku, Edition::V4_1, name, value);
        assert_eq!(supplement("target_month", "000000"), None);
        assert_eq!(supplement("plan_created_on", "00000000"), None);
        assert_eq!(supplement("user_birth_date", "00000000"), Some(Range));
    }

    #[test]
    fn numbers() {
        use ItemFault::{FullWidth, Length, Required, Type};
        for (value, fault) in [
            ("396", None),
            ("-396", None),
            ("", None),
            ("0", None),
            ("999999", None),
            ("1000000", Some(Length)),
            ("-100000", Some(Length)),
            ("-", Some(Type)),
            ("+1", Some(Type)),
            ("1.5", Some(Type)),
            ("1 000", Some(Type)),
            ("３９６", Some(FullWidth)),
        ] {
            assert_eq!(plan("units", value), fault, "{value}");
        }
        assert_eq!(plan("service_count", ""), Some(Required));
        let price = |value| of(FileKind::Upsikyu, Edition::V4_1, "unit_price", value);
        for (value, fault) in [
            ("11.40", None),
            ("100.00", None),
            ("11.4", Some(Type)),
            ("11", Some(Type)),
            (".40", Some(Type)),
            ("1000.00", Some(Length)),
            ("１１．４０", Some(FullWidth)),
        ] {
            assert_eq!(price(value), fault, "{value}");
        }
    }

    #[test]
    fn letters_and_codes() {
        use ItemFault::{Code, FullWidth, Length, Type};
        for (value, fault) in [
            ("1234567896", None),
            ("H123456783", None),
            ("123456789", Some(Length)),
            ("12345678961", Some(Length)),
            ("１２３４５６７８９６", Some(FullWidth)),
            ("ﾖｼﾀﾞ", Some(Type)),
            ("12345_7896", Some(Type)),
        ] {
            assert_eq!(plan("insured_no", value), fault, "{value}");
        }
        for (value, fault) in
            [("0", None), ("1", None), ("2", Some(Code)), ("01", Some(Code)), ("１", Some(FullWidth))]
        {
            assert_eq!(plan("over_30_days", value), fault, "{value}");
        }
        assert_eq!(plan("tais_code", "00001-000010"), None);
        assert_eq!(plan("tais_code", "00001－000010"), None);
        assert_eq!(plan("tais_code", "00001－0000101"), Some(Length));
        assert_eq!(plan("tais_code", "００００１"), Some(FullWidth));
        assert_eq!(plan("service_code", "17100"), Some(Length));
        assert_eq!(plan("identifier", "1"), Some(Type));
        let annex = |name, value| of(FileKind::Upsikyu, Edition::V4_1, name, value);
        assert_eq!(annex("fixed_office_code", "9999999999"), None);
        assert_eq!(annex("fixed_office_code", ""), None);
        assert_eq!(annex("fixed_office_code", "1371215102"), Some(Code));
        assert_eq!(annex("service_code", "15AAAA"), None);
        assert_eq!(of(FileKind::Dltjsk, Edition::V4_1, "service_type", "A6"), None);
        assert_eq!(of(FileKind::Dltjsk, Edition::V4_1, "service_type", "A66"), Some(Length));
    }

    #[test]
    fn postal_codes_and_text() {
        use ItemFault::{FullWidth, Length, Type};
        let code = |value| of(FileKind::Up1kyo, Edition::V4_1, "user_postal_code", value);
        for (value, fault) in [
            ("999-0001", None),
            ("", None),
            ("9990001", Some(Type)),
            ("99-90001", Some(Type)),
            ("999-00011", Some(Length)),
            ("９９９-0001", Some(FullWidth)),
        ] {
            assert_eq!(code(value), fault, "{value}");
        }
        assert_eq!(of(FileKind::Up1kyo, Edition::V4_1, "plan_author_name", ""), Some(ItemFault::Required));
        assert_eq!(of(FileKind::Up1kyo, Edition::V4_1, "plan_author_name", "架空　太郎"), None);
        assert_eq!(plan("plan_manager_name", ""), None);
    }

    /// The variants of two and of five digits: the standard contradicts itself.
    #[test]
    fn both_lengths_of_days_used_are_accepted() {
        for edition in Edition::ALL {
            let days = |value| of(FileKind::Upsikyu, edition, "days_until_prev_month", value);
            assert_eq!((days("12"), days("12345"), days("123456")), (None, None, Some(ItemFault::Length)));
        }
        let count = |edition, value| of(FileKind::Upsikyu, edition, "count_or_days", value);
        assert_eq!(count(Edition::V4_1, "123"), None);
        assert_eq!(count(Edition::V3_2, "123"), Some(ItemFault::Length));
    }
}
