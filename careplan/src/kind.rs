//! The eighteen kinds of file that the standard knows.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use crate::serde_text::serde_as_text;
use crate::table::Table;

/// What a standard file holds, told by the prefix of its name.
///
/// Serialized as the prefix. Names, months and the rest come from the table `data/files.csv`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the prefix of the standard; name_ja and name_en say what it is")]
pub enum FileKind {
    Up1kyo,
    Up2kyo,
    Up3kyo,
    Upplan,
    Upsikyu,
    Uphosoku,
    Upjsk,
    Dlt1kyo,
    Dltplan,
    Dltjsk,
    Upkihon,
    UpkihonSub1,
    UpkihonSub2,
    UpkihonImage,
    Dltkihon,
    Upyobo,
    UpyoboSub,
    Dltyobo,
}

/// What a file is about, as people call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// Home care plan, tables 1 to 3 (居宅サービス計画書).
    Plan,
    /// Service use slips, tables 6 and 7 (サービス利用票).
    Slip,
    /// Results (実績).
    Result,
    /// User basic information of preventive care (利用者基本情報).
    BasicInformation,
    /// Preventive service and support plan (介護予防サービス・支援計画書).
    PreventivePlan,
    /// User supplement (利用者補足情報): goes with plans and with slips.
    Supplement,
}

/// What a file does at the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Create, or replace what an earlier file created (作成・更新). The standard does not tell them apart.
    CreateOrUpdate,
    /// Withdraw what an earlier file created (取下げ).
    Withdraw,
}

/// The prefix is none of the standard's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no file kind of the standard has this prefix")]
pub struct UnknownPrefix;

struct Facts {
    name_ja: &'static str,
    name_en: &'static str,
    name_pattern: &'static str,
    has_month: bool,
    is_image: bool,
    in_edition_3_2: bool,
}

/// In the order of `FileKind::ALL`.
static FACTS: LazyLock<Vec<Facts>> = LazyLock::new(|| {
    let table = Table::parse(include_str!("../data/files.csv"));
    let facts = FileKind::ALL.map(|kind| {
        let row = table
            .rows()
            .find(|row| row.get("prefix") == kind.prefix())
            .expect("files.csv has a row for every file kind");
        Facts {
            name_ja: row.get("name_ja"),
            name_en: row.get("name_en"),
            name_pattern: row.get("file_name_pattern"),
            has_month: row.get("file_name_pattern").contains("{month:6}"),
            is_image: row.get("encoding") == "JPEG",
            in_edition_3_2: !row.get("pattern_until_v3_2").is_empty(),
        }
    });
    facts.into()
});

impl FileKind {
    /// All kinds: home care first, then preventive care.
    pub const ALL: [Self; 18] = [
        Self::Up1kyo,
        Self::Up2kyo,
        Self::Up3kyo,
        Self::Upplan,
        Self::Upsikyu,
        Self::Uphosoku,
        Self::Upjsk,
        Self::Dlt1kyo,
        Self::Dltplan,
        Self::Dltjsk,
        Self::Upkihon,
        Self::UpkihonSub1,
        Self::UpkihonSub2,
        Self::UpkihonImage,
        Self::Dltkihon,
        Self::Upyobo,
        Self::UpyoboSub,
        Self::Dltyobo,
    ];

    /// The prefix of the file name, upper case.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Up1kyo => "UP1KYO",
            Self::Up2kyo => "UP2KYO",
            Self::Up3kyo => "UP3KYO",
            Self::Upplan => "UPPLAN",
            Self::Upsikyu => "UPSIKYU",
            Self::Uphosoku => "UPHOSOKU",
            Self::Upjsk => "UPJSK",
            Self::Dlt1kyo => "DLT1KYO",
            Self::Dltplan => "DLTPLAN",
            Self::Dltjsk => "DLTJSK",
            Self::Upkihon => "UPKIHON",
            Self::UpkihonSub1 => "UPKIHON_SUB1",
            Self::UpkihonSub2 => "UPKIHON_SUB2",
            Self::UpkihonImage => "UPKIHON_IMAGE",
            Self::Dltkihon => "DLTKIHON",
            Self::Upyobo => "UPYOBO",
            Self::UpyoboSub => "UPYOBO_SUB",
            Self::Dltyobo => "DLTYOBO",
        }
    }

    /// The kind with exactly this prefix (upper case, as the standard writes it).
    pub fn from_prefix(prefix: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.prefix() == prefix)
    }

    /// The standard's name of the file.
    pub fn name_ja(self) -> &'static str {
        self.facts().name_ja
    }

    /// An English name of the file.
    pub fn name_en(self) -> &'static str {
        self.facts().name_en
    }

    /// How the file's name is built in edition 4.1, with the length of each part, such as
    /// `UP1KYO_{from_office:10}_{from_service:2}_{to_office:10}_{to_service:2}_{serial:14}.CSV`.
    pub fn name_pattern(self) -> &'static str {
        self.facts().name_pattern
    }

    /// What the file is about.
    pub fn subject(self) -> Subject {
        match self {
            Self::Up1kyo | Self::Up2kyo | Self::Up3kyo | Self::Dlt1kyo => Subject::Plan,
            Self::Upplan | Self::Upsikyu | Self::Dltplan => Subject::Slip,
            Self::Upjsk | Self::Dltjsk => Subject::Result,
            Self::Upkihon | Self::UpkihonSub1 | Self::UpkihonSub2 | Self::UpkihonImage | Self::Dltkihon => {
                Subject::BasicInformation
            }
            Self::Upyobo | Self::UpyoboSub | Self::Dltyobo => Subject::PreventivePlan,
            Self::Uphosoku => Subject::Supplement,
        }
    }

    /// What the file does at the receiver.
    pub fn action(self) -> Action {
        match self {
            Self::Dlt1kyo | Self::Dltplan | Self::Dltjsk | Self::Dltkihon | Self::Dltyobo => Action::Withdraw,
            _ => Action::CreateOrUpdate,
        }
    }

    /// Whether the file name holds a month.
    pub fn has_month(self) -> bool {
        self.facts().has_month
    }

    /// Whether the file is a JPEG image with a branch number in its name, not a CSV.
    pub fn is_image(self) -> bool {
        self.facts().is_image
    }

    /// Whether edition 3.2 knew this kind, so that its name may lack the two service kinds.
    pub fn in_edition_3_2(self) -> bool {
        self.facts().in_edition_3_2
    }

    fn facts(self) -> &'static Facts {
        &FACTS[self as usize]
    }
}

impl FromStr for FileKind {
    type Err = UnknownPrefix;

    fn from_str(prefix: &str) -> Result<Self, UnknownPrefix> {
        Self::from_prefix(prefix).ok_or(UnknownPrefix)
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.prefix())
    }
}

serde_as_text!(FileKind, "a file kind of the standard, as its prefix");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_and_the_enum_hold_the_same_kinds() {
        let table = Table::parse(include_str!("../data/files.csv"));
        let mut in_table: Vec<&str> = table.rows().map(|row| row.get("prefix")).collect();
        let mut in_enum: Vec<&str> = FileKind::ALL.iter().map(|kind| kind.prefix()).collect();
        in_table.sort_unstable();
        in_enum.sort_unstable();
        assert_eq!(in_table, in_enum);
        assert!(
            FileKind::ALL.iter().enumerate().all(|(at, kind)| *kind as usize == at),
            "FACTS is indexed by it"
        );
    }

    #[test]
    fn prefixes_lead_back() {
        for kind in FileKind::ALL {
            assert_eq!(FileKind::from_prefix(kind.prefix()), Some(kind));
        }
        for wrong in ["", "upplan", "UPPLAN_", "UPPLA", "UPKIHON_SUB", "UPKIHON_SUB3"] {
            assert_eq!(wrong.parse::<FileKind>(), Err(UnknownPrefix), "{wrong:?}");
        }
    }

    #[test]
    fn facts_come_from_the_table() {
        let with = |fact: fn(FileKind) -> bool| -> Vec<&str> {
            FileKind::ALL.into_iter().filter(|kind| fact(*kind)).map(FileKind::prefix).collect()
        };
        assert_eq!(
            with(FileKind::has_month),
            ["UPPLAN", "UPSIKYU", "UPHOSOKU", "UPJSK", "DLTPLAN", "DLTJSK"]
        );
        assert_eq!(with(FileKind::is_image), ["UPKIHON_IMAGE"]);
        assert_eq!(
            with(FileKind::in_edition_3_2),
            ["UP1KYO", "UP2KYO", "UPPLAN", "UPSIKYU", "UPHOSOKU", "UPJSK", "DLT1KYO", "DLTPLAN", "DLTJSK"]
        );
        assert_eq!(FileKind::Upsikyu.name_ja(), "第７表（サービス利用票別表）");
        assert_eq!(FileKind::Upjsk.name_en(), "table 6 results");
    }

    #[test]
    fn withdrawals_are_the_files_the_table_calls_delete() {
        let table = Table::parse(include_str!("../data/files.csv"));
        for row in table.rows() {
            let kind: FileKind = row.get("prefix").parse().unwrap();
            assert_eq!(kind.action() == Action::Withdraw, row.get("kind") == "delete", "{kind}");
        }
    }
}
