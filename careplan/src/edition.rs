//! Editions of the standard, and which one a record's version value names.

use std::fmt;
use std::sync::LazyLock;

use crate::month::Month;
use crate::table::Table;

/// An edition whose layouts this crate knows. `Ord` is their age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Edition {
    /// Edition 3.2 of June 2023; its version value is shared by 3 and 3.1.
    V3_2,
    /// Edition 4.1 of October 2024.
    V4_1,
}

/// A version value, and from which service month on it is the right one.
struct Version {
    value: &'static str,
    edition: Edition,
    first_month: Month,
}

/// The known ones, the oldest first.
static VERSIONS: LazyLock<Vec<Version>> = LazyLock::new(|| {
    let table = Table::parse(include_str!("../data/csv_versions.csv"));
    let edition = |text: &str| Edition::ALL.into_iter().find(|edition| edition.as_str() == text);
    let versions = table.rows().filter_map(|row| {
        let value = row.get("csv_version");
        // An edition's value may be an earlier edition's too, and then holds from that one's first month on.
        let months = table.rows().filter(|other| other.get("csv_version") == value);
        let first_month =
            months.filter_map(|other| other.get("applies_from_service_month").parse().ok()).min()?;
        Some(Version { value, edition: edition(row.get("edition"))?, first_month })
    });
    versions.collect()
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
        VERSIONS.iter().find(|known| known.value.as_bytes() == version).map(|known| known.edition)
    }

    /// The edition whose version value is the right one for this service month: a value holds from a service month on,
    /// not from a day of sending. `None` for months before the oldest known one.
    pub fn of_month(month: Month) -> Option<Self> {
        VERSIONS.iter().rev().find(|known| known.first_month <= month).map(|known| known.edition)
    }

    /// The version value (CSVバージョン) of this edition's records, such as `202407`.
    pub fn version(self) -> &'static str {
        self.facts().value
    }

    /// The first service month for which the version value is the right one.
    pub fn first_month(self) -> Month {
        self.facts().first_month
    }

    fn facts(self) -> &'static Version {
        let facts = VERSIONS.iter().find(|known| known.edition == self);
        facts.expect("csv_versions.csv has a row for every edition")
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
            assert_eq!(Edition::from_version(edition.version().as_bytes()), Some(edition));
        }
    }

    #[test]
    fn a_version_holds_from_a_service_month_on() {
        let of = |month: &str| Edition::of_month(month.parse().unwrap());
        assert_eq!(of("202212"), None);
        assert_eq!(of("202301"), Some(Edition::V3_2));
        assert_eq!(of("202503"), Some(Edition::V3_2));
        assert_eq!(of("202504"), Some(Edition::V4_1));
        assert_eq!(of("299912"), Some(Edition::V4_1));
        assert_eq!(Edition::V4_1.first_month().to_string(), "202504");
    }
}
