//! One item (項目) of a record: its type, length, marks and codes, read from its row of a layout table.

use super::readings::{self, Reading};
use crate::kind::FileKind;
use crate::table::Row;

/// What an item holds. The standard has no type column: this is its format column, with 英数, コード and 未使用 as our own
/// readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ItemType {
    /// `YYYYMM`.
    Month,
    /// `YYYYMMDD`.
    Date,
    /// `HHMM`, 0000 to 2359.
    Time,
    /// Digits, with a minus sign before them if negative.
    Integer,
    /// One to three digits, a point and two digits (`99.99`).
    Decimal,
    /// `XXX-XXXX`.
    PostalCode,
    /// Letters, digits and `( ) + . -` and space, all half-width (英数).
    Alphanumeric,
    /// One of a list of codes (コード); any letters and digits where the list is other bodies' master data.
    Code,
    /// Free text (フリーテキスト), in quotes.
    Text,
    /// Not used (未使用): empty.
    Unused,
}

/// Whether an item must be filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Requirement {
    /// 必須.
    Required,
    /// 条件: under a condition that the notes of the standard describe and that is not checked.
    Conditional,
    /// 任意.
    Optional,
}

/// One value of an item's code list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeValue {
    /// As it stands in the file.
    pub value: &'static str,
    /// What it means.
    pub name_ja: &'static str,
}

/// One item of a layout.
#[derive(Debug)]
pub struct LayoutItem {
    /// The standard's name of the item.
    pub name_ja: &'static str,
    /// An English name, in `snake_case`, unique within the layout.
    pub name_en: &'static str,
    /// What it holds.
    pub item_type: ItemType,
    /// Most characters (項目長); `None` for free text.
    pub max_len: Option<u16>,
    /// Whether `max_len` is the only permitted length.
    pub exact_len: bool,
    /// Whether it must be filled.
    pub requirement: Requirement,
    /// Codes: all that are permitted, for [`ItemType::Code`]; permitted besides real ones, for dates, months and times;
    /// worth knowing, for other types.
    pub codes: Vec<CodeValue>,
    /// A full-width hyphen counts as a hyphen.
    pub wide_hyphen: bool,
    packed: Vec<u128>,
}

impl LayoutItem {
    pub(super) fn of(kind: FileKind, row: &Row<'_>) -> Self {
        let mut item = Self {
            name_ja: row.get("name_ja"),
            name_en: row.get("name_en"),
            item_type: item_type(row.get("type")),
            max_len: row.get("max_len").parse().ok(),
            exact_len: false,
            requirement: requirement(row.get("required")),
            codes: codes(row.get("codes")),
            wide_hyphen: false,
            packed: Vec::new(),
        };
        for reading in readings::of(kind, item.name_en) {
            item.read_as(reading);
        }
        item.packed = item.codes.iter().filter_map(|code| pack(code.value.as_bytes())).collect();
        item
    }

    /// Whether the value is in the list of codes.
    pub fn has_code(&self, value: &[u8]) -> bool {
        pack(value).is_some_and(|packed| self.packed.contains(&packed))
    }

    fn read_as(&mut self, reading: &Reading) {
        match *reading {
            Reading::Exact(len) => (self.max_len, self.exact_len) = (Some(len), true),
            Reading::MaxLen(len) => self.max_len = Some(len),
            Reading::Required(requirement) => self.requirement = requirement,
            Reading::Type(item_type) => self.item_type = item_type,
            Reading::Also(value) => self.codes.push(CodeValue { value, name_ja: "" }),
            Reading::WideHyphen => self.wide_hyphen = true,
        }
    }
}

pub(super) fn item_type(text: &str) -> ItemType {
    match text {
        "YYYYMM" => ItemType::Month,
        "YYYYMMDD" => ItemType::Date,
        "HHMM" => ItemType::Time,
        "整数" => ItemType::Integer,
        "99.99" => ItemType::Decimal,
        "XXX-XXXX" => ItemType::PostalCode,
        "英数" => ItemType::Alphanumeric,
        "コード" => ItemType::Code,
        "未使用" => ItemType::Unused,
        // The tests hold the tables to these words.
        _ => ItemType::Text,
    }
}

pub(super) fn requirement(text: &str) -> Requirement {
    match text {
        "必須" => Requirement::Required,
        "条件" => Requirement::Conditional,
        _ => Requirement::Optional,
    }
}

/// `value:name|value:name`.
fn codes(text: &'static str) -> Vec<CodeValue> {
    let code = |pair: &'static str| pair.split_once(':').map(|(value, name_ja)| CodeValue { value, name_ja });
    text.split('|').filter_map(code).collect()
}

/// A short value as one number, so that looking it up is comparing numbers; `None` if it is too long for any code.
fn pack(value: &[u8]) -> Option<u128> {
    let fold = |packed: u128, byte: &u8| packed << 8 | u128::from(*byte);
    // A leading 1 keeps values of different lengths apart.
    (value.len() < 16).then(|| value.iter().fold(1, fold))
}
