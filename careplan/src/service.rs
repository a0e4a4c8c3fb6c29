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
}

static KNOWN: LazyLock<Vec<Facts>> = LazyLock::new(|| {
    let table = Table::parse(include_str!("../data/service_types.csv"));
    table.rows().map(|row| Facts { code: row.get("code"), name_ja: row.get("name_ja") }).collect()
});

impl ServiceKind {
    /// The two characters as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a service kind holds ASCII only")
    }

    /// The kind's Japanese name, from the standard's table of kinds; `None` for a kind it does not list.
    pub fn name_ja(&self) -> Option<&'static str> {
        KNOWN.iter().find(|facts| facts.code == self.as_str()).map(|facts| facts.name_ja)
    }
}

impl FromStr for ServiceKind {
    type Err = InvalidServiceKind;

    fn from_str(text: &str) -> Result<Self, InvalidServiceKind> {
        let code: [u8; 2] = text.as_bytes().try_into().map_err(|_| InvalidServiceKind)?;
        let plain = code.iter().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
        if plain { Ok(Self(code)) } else { Err(InvalidServiceKind) }
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
    fn every_code_of_the_table_parses() {
        assert!(KNOWN.len() > 60);
        for facts in KNOWN.iter() {
            assert!(facts.code.parse::<ServiceKind>().is_ok(), "{}", facts.code);
            assert!(!facts.name_ja.is_empty());
        }
    }
}
