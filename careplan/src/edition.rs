//! Editions of the standard, and which one a record's version value names.

use std::fmt;
use std::sync::LazyLock;

use crate::table::Table;

/// An edition whose layouts this crate knows. `Ord` is their age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Edition {
    /// Edition 3.2 of June 2023; its version value is shared by 3 and 3.1.
    V3_2,
    /// Edition 4.1 of October 2024.
    V4_1,
}

static VERSIONS: LazyLock<Vec<(&'static str, Edition)>> = LazyLock::new(|| {
    let table = Table::parse(include_str!("../data/csv_versions.csv"));
    let edition = |text: &str| Edition::ALL.into_iter().find(|edition| edition.as_str() == text);
    table.rows().filter_map(|row| Some((row.get("csv_version"), edition(row.get("edition"))?))).collect()
});

impl Edition {
    /// All known editions, the oldest first.
    pub const ALL: [Self; 2] = [Self::V3_2, Self::V4_1];

    /// The edition's number, as people write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V3_2 => "3.2",
            Self::V4_1 => "4.1",
        }
    }

    /// The edition that the version value (CSVバージョン, item 1 of every record) names; `None` if its layouts are not
    /// known, or the value is of no edition at all.
    pub fn from_version(version: &[u8]) -> Option<Self> {
        VERSIONS.iter().find(|(value, _)| value.as_bytes() == version).map(|(_, edition)| *edition)
    }
}

impl fmt::Display for Edition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_name_editions() {
        assert_eq!(Edition::from_version(b"202407"), Some(Edition::V4_1));
        assert_eq!(Edition::from_version(b"202208"), Some(Edition::V3_2));
        // 4.0 was replaced before it applied, and edition 2's layouts were not found.
        for unknown in [&b"202504"[..], b"202003", b"202410", b"", "２０２４０７".as_bytes()] {
            assert_eq!(Edition::from_version(unknown), None);
        }
    }

    #[test]
    fn every_edition_has_a_version_value() {
        for edition in Edition::ALL {
            assert!(VERSIONS.iter().any(|(_, known)| *known == edition), "{edition}");
        }
    }
}
