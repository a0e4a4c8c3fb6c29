//! Record layouts: which items a record of a file kind has, in each edition.

use std::sync::LazyLock;

use crate::edition::Edition;
use crate::kind::FileKind;
use crate::table::Table;

/// The layout of one file kind's records.
#[derive(Debug)]
pub struct Layout {
    /// Whose records.
    pub kind: FileKind,
    /// The edition whose text the table was read from. Editions without a table of their own share it.
    pub edition: Edition,
    /// The items in order; item number 1 is the first.
    pub items: Vec<LayoutItem>,
}

/// One item (項目) of a record.
#[derive(Debug)]
pub struct LayoutItem {
    /// The standard's name of the item.
    pub name_ja: &'static str,
    /// An English name, in `snake_case`, unique within the layout.
    pub name_en: &'static str,
}

macro_rules! tables {
    ($($edition:ident $folder:literal: $($kind:ident $file:literal),+;)+) => {
        &[$($((
            FileKind::$kind,
            Edition::$edition,
            include_str!(concat!("../data/", $folder, "/", $file, ".csv")),
        ),)+)+]
    };
}

const TABLES: &[(FileKind, Edition, &str)] = tables! {
    V3_2 "v3_2": Upplan "upplan", Upsikyu "upsikyu", Upjsk "upjsk";
    V4_1 "v4_1":
        Up1kyo "up1kyo", Up2kyo "up2kyo", Up3kyo "up3kyo", Upplan "upplan", Upsikyu "upsikyu", Uphosoku "uphosoku",
        Upjsk "upjsk", Dlt1kyo "dlt1kyo", Dltplan "dltplan", Dltjsk "dltjsk", Upkihon "upkihon",
        UpkihonSub1 "upkihon_sub1", UpkihonSub2 "upkihon_sub2", Dltkihon "dltkihon", Upyobo "upyobo",
        UpyoboSub "upyobo_sub", Dltyobo "dltyobo";
};

static LAYOUTS: LazyLock<Vec<Layout>> = LazyLock::new(|| {
    let read = |&(kind, edition, text): &(FileKind, Edition, &'static str)| {
        let table = Table::parse(text);
        let items =
            table.rows().map(|row| LayoutItem { name_ja: row.get("name_ja"), name_en: row.get("name_en") });
        Layout { kind, edition, items: items.collect() }
    };
    TABLES.iter().map(read).collect()
});

impl Layout {
    /// The layout of this kind in this edition; `None` for images, and for kinds the edition did not know yet.
    pub fn of(kind: FileKind, edition: Edition) -> Option<&'static Self> {
        if edition == Edition::V3_2 && !kind.in_edition_3_2() {
            return None;
        }
        // A table holds until another edition changes it, and for older editions back to one of their own.
        let own_or_newer = Self::all_of(kind).filter(|layout| layout.edition >= edition);
        own_or_newer.min_by_key(|layout| layout.edition).or_else(|| Self::all_of(kind).last())
    }

    /// The standard's name of the item with this number, counted from 1; `None` beyond the last.
    pub fn item_name_ja(&self, number: u64) -> Option<&'static str> {
        let at = usize::try_from(number.checked_sub(1)?).ok()?;
        self.items.get(at).map(|item| item.name_ja)
    }

    /// All layouts of this kind, the oldest first; none for images.
    pub fn all_of(kind: FileKind) -> impl Iterator<Item = &'static Self> {
        LAYOUTS.iter().filter(move |layout| layout.kind == kind)
    }

    /// The layouts that a record with this version value (its item 1) may follow: its edition's, or, where the
    /// value names none that had this kind, any of the kind's.
    pub fn for_version(kind: FileKind, version: &[u8]) -> Vec<&'static Self> {
        match Edition::from_version(version).and_then(|edition| Self::of(kind, edition)) {
            Some(layout) => vec![layout],
            None => Self::all_of(kind).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn tables_are_numbered_and_named_without_gaps() {
        for &(kind, edition, text) in TABLES {
            let table = Table::parse(text);
            for (at, row) in table.rows().enumerate() {
                assert_eq!(row.get("no"), (at + 1).to_string(), "{kind} {edition}");
                assert!(!row.get("name_ja").is_empty() && !row.get("name_en").is_empty());
            }
            let names: BTreeSet<_> = table.rows().map(|row| row.get("name_en")).collect();
            assert_eq!(names.len(), table.rows().count(), "{kind} {edition}: a name stands twice");
            assert_eq!(
                table.rows().next().map(|row| row.get("name_en")),
                Some("csv_version"),
                "{kind} {edition}"
            );
        }
    }

    #[test]
    fn lengths_are_those_of_the_list_of_files() {
        let files = Table::parse(include_str!("../data/files.csv"));
        for row in files.rows() {
            let kind: FileKind = row.get("prefix").parse().unwrap();
            let found = Layout::of(kind, Edition::V4_1).map(|layout| layout.items.len().to_string());
            assert_eq!(found.unwrap_or_default(), row.get("fields"), "{kind}");
        }
    }

    #[test]
    fn editions_share_what_did_not_change() {
        let len = |kind, edition| Layout::of(kind, edition).map(|layout| layout.items.len());
        assert_eq!(len(FileKind::Upplan, Edition::V3_2), Some(22));
        assert_eq!(len(FileKind::Upplan, Edition::V4_1), Some(25));
        assert_eq!(len(FileKind::Upsikyu, Edition::V3_2), Some(34));
        assert_eq!(len(FileKind::Uphosoku, Edition::V3_2), Some(63));
        assert_eq!(len(FileKind::Up3kyo, Edition::V3_2), None);
        assert_eq!(len(FileKind::UpkihonImage, Edition::V4_1), None);
    }

    #[test]
    fn the_version_chooses() {
        let lengths = |kind, version: &str| -> Vec<usize> {
            Layout::for_version(kind, version.as_bytes()).iter().map(|layout| layout.items.len()).collect()
        };
        assert_eq!(lengths(FileKind::Upjsk, "202407"), [25]);
        assert_eq!(lengths(FileKind::Upjsk, "202208"), [22]);
        assert_eq!(lengths(FileKind::Upjsk, "202410"), [22, 25]);
        assert_eq!(lengths(FileKind::Up3kyo, "202208"), [13]);
    }
}
