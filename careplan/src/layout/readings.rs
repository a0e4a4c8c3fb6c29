//! How we read what the standard's text leaves open: changes to the layout tables, each with its reason.

use std::sync::LazyLock;

use super::item::{self, ItemType, Requirement};
use crate::kind::FileKind;
use crate::table::Table;

/// One change to what an item's row says.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reading {
    Exact(u16),
    MaxLen(u16),
    Required(Requirement),
    Type(ItemType),
    Also(&'static str),
    WideHyphen,
}

/// `prefix` is `None` where the reading is of all kinds.
struct Row {
    prefix: Option<&'static str>,
    name_en: &'static str,
    reading: Reading,
}

static READINGS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let table = Table::parse(include_str!("../../data/readings.csv"));
    let read = |row: crate::table::Row<'_>| Row {
        prefix: Some(row.get("prefix")).filter(|prefix| *prefix != "*"),
        name_en: row.get("name_en"),
        reading: reading(row.get("what"), row.get("value")),
    };
    table.rows().map(read).collect()
});

/// The readings that apply to this item.
pub(super) fn of(kind: FileKind, name_en: &str) -> impl Iterator<Item = &'static Reading> {
    let applies =
        move |row: &&Row| row.name_en == name_en && row.prefix.is_none_or(|prefix| prefix == kind.prefix());
    READINGS.iter().filter(applies).map(|row| &row.reading)
}

fn reading(what: &str, value: &'static str) -> Reading {
    let length = || value.parse().expect("a length in readings.csv is a number");
    match what {
        "exact_len" => Reading::Exact(length()),
        "max_len" => Reading::MaxLen(length()),
        "required" => Reading::Required(item::requirement(value)),
        "type" => Reading::Type(item::item_type(value)),
        "also" => Reading::Also(value),
        "wide_hyphen" => Reading::WideHyphen,
        other => unreachable!("readings.csv has a change that nobody reads: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reading_is_of_an_item_and_has_a_reason() {
        let table = Table::parse(include_str!("../../data/readings.csv"));
        assert_eq!(table.rows().count(), READINGS.len());
        for row in table.rows() {
            let prefix = row.get("prefix");
            let kinds = FileKind::ALL.into_iter().filter(|kind| prefix == "*" || kind.prefix() == prefix);
            let mut items = kinds.flat_map(super::super::Layout::all_of).flat_map(|layout| &layout.items);
            assert!(items.any(|item| item.name_en == row.get("name_en")), "{}", row.get("name_en"));
            assert!(!row.get("why").is_empty());
        }
    }
}
