//! Service kinds (サービス種類コード).

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use crate::serde_text::serde_as_text;
use crate::table::Table;

/// The two-character code of a service kind (サービス種類コード): digits and upper-case letters, such as `43` for
/// care management (居宅介護支援) or `A6`.
///
/// Any such code parses: a kind that the table does not know has no name, but may be real.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceKind([u8; 2]);

/// The text is not two ASCII digits or upper-case letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a service kind is two ASCII digits or upper-case letters")]
pub struct InvalidServiceKind;

struct Facts {
    code: &'static str,
    name_ja: &'static str,
    in_scope: bool,
    is_preventive: bool,
}

static KNOWN: LazyLock<Vec<Facts>> = LazyLock::new(|| {
    let table = Table::parse(include_str!("../data/service_types.csv"));
    let facts = |row: crate::table::Row<'_>| Facts {
        code: row.get("code"),
        name_ja: row.get("name_ja"),
        in_scope: row.get("in_scope") != "対象外",
        is_preventive: matches!(row.get("group"), "予防給付" | "総合事業"),
    };
    table.rows().map(facts).collect()
});

impl ServiceKind {
    /// The two characters as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a service kind holds ASCII only")
    }

    /// The kind's Japanese name, from the standard's table of kinds; `None` for a kind it does not list.
    pub fn name_ja(&self) -> Option<&'static str> {
        self.facts().map(|facts| facts.name_ja)
    }

    /// The names of the standard's table that stand for one kind only, with that kind.
    pub fn named() -> impl Iterator<Item = (&'static str, Self)> {
        let single = |name: &str| KNOWN.iter().filter(|facts| facts.name_ja == name).count() == 1;
        let named = KNOWN.iter().filter(move |facts| single(facts.name_ja));
        named.filter_map(|facts| Some((facts.name_ja, Self::from_bytes(facts.code.as_bytes())?)))
    }

    /// The kind of these two bytes, if they are digits or upper-case letters.
    pub(crate) fn from_bytes(code: &[u8]) -> Option<Self> {
        let code: [u8; 2] = code.try_into().ok()?;
        let plain = code.iter().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
        plain.then_some(Self(code))
    }

    /// Whether the standard leaves this kind out (対象外), such as facilities; a kind that its table does not list is not
    /// judged.
    pub fn is_out_of_scope(&self) -> bool {
        self.facts().is_some_and(|facts| !facts.in_scope)
    }

    /// Whether offices of this kind manage care: 居宅介護支援 (43) and 介護予防支援 (46).
    pub fn is_care_management(&self) -> bool {
        matches!(&self.0, b"43" | b"46")
    }

    /// Whether the kind belongs to preventive care or the municipalities' comprehensive services: 介護予防支援 (46), 予防給付,
    /// 総合事業.
    pub fn is_preventive(&self) -> bool {
        &self.0 == b"46" || self.facts().is_some_and(|facts| facts.is_preventive)
    }

    fn facts(self) -> Option<&'static Facts> {
        KNOWN.iter().find(|facts| facts.code.as_bytes() == self.0)
    }
}

impl FromStr for ServiceKind {
    type Err = InvalidServiceKind;

    fn from_str(text: &str) -> Result<Self, InvalidServiceKind> {
        Self::from_bytes(text.as_bytes()).ok_or(InvalidServiceKind)
    }
}

impl fmt::Display for ServiceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for ServiceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceKind({self})")
    }
}

serde_as_text!(ServiceKind, "a service kind of two characters");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_digits_or_upper_case_letters() {
        for right in ["43", "A6", "2B", "ZZ"] {
            assert_eq!(right.parse::<ServiceKind>().map(|kind| kind.to_string()), Ok(right.into()));
        }
        for wrong in ["", "4", "043", "a6", "4-", "４", "é"] {
            assert_eq!(wrong.parse::<ServiceKind>(), Err(InvalidServiceKind), "{wrong:?}");
        }
    }

    #[test]
    fn names_come_from_the_table() {
        let name = |code: &str| code.parse::<ServiceKind>().unwrap().name_ja();
        assert_eq!(name("43"), Some("居宅介護支援"));
        assert_eq!(name("A6"), Some("通所型サービス（独自）"));
        assert_eq!(name("00"), None);
    }

    #[test]
    fn scope_and_groups_come_from_the_table() {
        let with = |fact: fn(&ServiceKind) -> bool, codes: &str| -> Vec<bool> {
            codes.split(' ').map(|code| fact(&code.parse().unwrap())).collect()
        };
        assert_eq!(
            with(ServiceKind::is_out_of_scope, "33 51 81 39 11 43 46 00"),
            [true, true, true, false, false, false, false, false]
        );
        assert_eq!(with(ServiceKind::is_care_management, "43 46 11"), [true, true, false]);
        assert_eq!(
            with(ServiceKind::is_preventive, "46 62 A6 43 11 00"),
            [true, true, true, false, false, false]
        );
    }

    #[test]
    fn every_code_of_the_table_parses() {
        assert!(KNOWN.len() > 60);
        for facts in KNOWN.iter() {
            assert!(facts.code.parse::<ServiceKind>().is_ok(), "{}", facts.code);
            assert!(!facts.name_ja.is_empty());
        }
    }
}
