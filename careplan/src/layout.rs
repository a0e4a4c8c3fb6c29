//! Record layouts: which items a record of a file kind has, in each edition.

mod item;
mod readings;
mod roles;

use std::sync::LazyLock;

use crate::edition::Edition;
use crate::file_name::{FileName, MonthField};
use crate::kind::FileKind;
use crate::month::Month;
use crate::records::Record;
use crate::table::Table;

pub(crate) use roles::{INSURED, INSURER, Party, Roles, VERSION};

pub use item::{CodeValue, ItemType, LayoutItem, Requirement};

/// The layout of one file kind's records.
#[derive(Debug)]
pub struct Layout {
    /// Whose records.
    pub kind: FileKind,
    /// The edition whose text the table was read from. Editions without a table of their own share it.
    pub edition: Edition,
    /// The items in order; item number 1 is the first.
    pub items: Vec<LayoutItem>,
    /// Which of them tell what the file is about.
    pub(crate) roles: Roles,
    /// How each may be judged at a glance.
    pub(crate) glances: Vec<Glance>,
}

/// How an item may be judged at a glance: in one byte, since every item of every record is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Glance {
    /// Empty is wrong.
    pub(crate) required: bool,
    /// Anything but empty is right.
    pub(crate) text: bool,
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
        let items: Vec<LayoutItem> = table.rows().map(|row| LayoutItem::of(kind, &row)).collect();
        let roles = Roles::of(kind, &items);
        let glance = |item: &LayoutItem| Glance {
            required: item.requirement == Requirement::Required,
            text: item.item_type == ItemType::Text,
        };
        let glances = items.iter().map(glance).collect();
        Layout { kind, edition, items, roles, glances }
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

    /// The layout of one record of a file: of those that its version and the month of the name allow, the first that has
    /// as many items.
    pub(crate) fn of_record(name: &FileName, record: &Record<'_>, bytes: &[u8]) -> Option<&'static Self> {
        let version = record.items.first().map(|item| item.of(bytes)).unwrap_or_default();
        let layouts = Self::for_version(name.kind, version, name.month.and_then(MonthField::month));
        layouts.into_iter().find(|layout| layout.items.len() as u64 == record.count)
    }

    /// The item of this English name, and where it stands in a record, from 0.
    pub fn item(&self, name_en: &str) -> Option<(usize, &LayoutItem)> {
        self.items.iter().enumerate().find(|(_, item)| item.name_en == name_en)
    }

    /// All layouts of this kind, the oldest first; none for images.
    pub fn all_of(kind: FileKind) -> impl Iterator<Item = &'static Self> {
        LAYOUTS.iter().filter(move |layout| layout.kind == kind)
    }

    /// The layouts that a record with this version value (its item 1) may follow in a file of this service month, the
    /// likeliest first: its edition's, or, where the value names none that had this kind, the month's; without a month
    /// any of the kind's. A known version that is not the one of the month may follow either.
    pub fn for_version(kind: FileKind, version: &[u8], month: Option<Month>) -> Vec<&'static Self> {
        let of_version = Edition::from_version(version).and_then(|edition| Self::of(kind, edition));
        let of_month = month.and_then(Edition::of_month).and_then(|edition| Self::of(kind, edition));
        match (of_version, of_month) {
            (None, None) => Self::all_of(kind).collect(),
            (Some(one), Some(other)) if !std::ptr::eq(one, other) => vec![one, other],
            (Some(one), _) | (None, Some(one)) => vec![one],
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
    fn version_and_month_choose() {
        let lengths = |kind, version: &str, month: &str| -> Vec<usize> {
            let month = month.parse().ok();
            let layouts = Layout::for_version(kind, version.as_bytes(), month);
            layouts.iter().map(|layout| layout.items.len()).collect()
        };
        assert_eq!(lengths(FileKind::Upjsk, "202407", "202602"), [25]);
        assert_eq!(lengths(FileKind::Upjsk, "202407", ""), [25]);
        assert_eq!(lengths(FileKind::Upjsk, "202208", "202503"), [22]);
        assert_eq!(lengths(FileKind::Upjsk, "202208", "202602"), [22, 25]);
        assert_eq!(lengths(FileKind::Upjsk, "202410", "202602"), [25]);
        assert_eq!(lengths(FileKind::Upjsk, "202410", ""), [22, 25]);
        assert_eq!(lengths(FileKind::Up3kyo, "202208", ""), [13]);
    }

    #[test]
    fn rows_are_read_with_their_types_lengths_marks_and_codes() {
        let (_, sex) = Layout::of(FileKind::Uphosoku, Edition::V4_1).unwrap().item("user_sex").unwrap();
        assert_eq!(
            (sex.item_type, sex.max_len, sex.requirement),
            (ItemType::Code, Some(1), Requirement::Required)
        );
        assert!(sex.has_code(b"1") && sex.has_code(b"2"));
        assert!(
            !sex.has_code(b"") && !sex.has_code(b"3") && !sex.has_code(b"11") && !sex.has_code(&[b'1'; 40])
        );
        let plan = Layout::of(FileKind::Upplan, Edition::V4_1).unwrap();
        let item = |name| plan.item(name).map(|(at, item)| (at + 1, item.item_type, item.max_len)).unwrap();
        assert_eq!(item("start_time"), (12, ItemType::Time, Some(4)));
        assert_eq!(item("plan_manager_name"), (7, ItemType::Text, None));
        assert!(plan.item("start_time").unwrap().1.has_code(b"9999"));
        assert_eq!(plan.item("plan_manager_name").unwrap().1.requirement, Requirement::Optional);
        assert_eq!(plan.item("tais_code").unwrap().1.requirement, Requirement::Conditional);
        assert!(plan.item("insured_no").unwrap().1.exact_len);
    }

    #[test]
    fn tables_use_only_known_words() {
        const TYPES: &str = "YYYYMM YYYYMMDD HHMM 整数 99.99 XXX-XXXX 英数 コード 未使用 フリーテキスト";
        for &(kind, edition, text) in TABLES {
            for row in Table::parse(text).rows() {
                let place = format!("{kind} {edition} {}", row.get("no"));
                assert!(TYPES.split(' ').any(|known| known == row.get("type")), "{place}");
                assert!(["必須", "任意", "条件"].contains(&row.get("required")), "{place}");
                assert_eq!(row.get("max_len").is_empty(), row.get("type") == "フリーテキスト", "{place}");
            }
        }
    }
}
