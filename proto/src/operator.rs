//! What an operator signs before an administrative act is done: canonical text inside CMS `SignedData`, as statements are.
//!
//! ```text
//! tasuki-operator-act/v1
//! detail: office=1371215102
//! detail: reason=invoices unpaid
//! kind: office.suspended
//! log: relay.example
//! nonce: 3f0e…
//! operator: 田中
//! role: offices
//! time: 2026-11-21T11:38:34.000123Z
//! ```
//!
//! `kind` is the event that the act writes, and the details are all that it does: the relay compares them with what it is about
//! to do. The event names the operator, the certificate and SHA-256 of the CMS bytes.

use std::fmt;
use std::str::FromStr;

use crate::canonical::{Lines, TextError, hex, parse_hex};
use crate::mandate::is_terminal_name;
use crate::time;

const FORM: &str = "tasuki-operator-act/v1";

/// How far the signer's clock may be from the relay's: commands sign and commit on the same machine, or two of one network.
pub const MAX_ACT_AGE_US: i64 = 5 * 60 * 1_000_000;

/// What an operator may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look up what concerns an office, a key, a terminal or a proxy.
    Read,
    /// Offices, proxies and their mandates, notices, stops and the relay's mode.
    Offices,
    /// Certificates, keys, revocation, the relay's own keys, and the operators themselves.
    Certificates,
    /// Erasing before its time.
    Retention,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 4] = [Self::Read, Self::Offices, Self::Certificates, Self::Retention];

    /// As statements, events and command lines spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Offices => "offices",
            Self::Certificates => "certificates",
            Self::Retention => "retention",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let role = Self::ALL.into_iter().find(|role| role.as_str() == text);
        role.ok_or_else(|| format!("{text:?} is none of read, offices, certificates, retention"))
    }
}

/// Roles of one operator: at least one, each once, in the order of [`Role::ALL`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles(Vec<Role>);

impl Roles {
    /// Whether a role is among them.
    pub fn has(&self, role: Role) -> bool {
        self.0.contains(&role)
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.0.iter().map(|role| role.as_str()).collect();
        f.write_str(&words.join(","))
    }
}

impl FromStr for Roles {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut roles = text.split(',').map(|word| word.trim().parse()).collect::<Result<Vec<Role>, _>>()?;
        roles.sort_unstable();
        roles.dedup();
        Ok(Self(roles))
    }
}

/// One administrative act, as its operator signs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorAct {
    /// Name of the log that it is for, without its epoch.
    pub log: String,
    /// The operator, as the certificate names it.
    pub operator: String,
    /// Kind of the event that it writes.
    pub kind: String,
    /// The role that it needs.
    pub role: Role,
    /// All that it does, as `key=value`; see [`details`].
    pub details: Vec<String>,
    /// Random: no two acts are the same.
    pub nonce: [u8; 16],
    /// When, by the signer's clock. Unix microseconds.
    pub time_us: i64,
}

/// Brings details into the order and the spelling in which a text holds them.
pub fn details(pairs: impl IntoIterator<Item = (&'static str, String)>) -> Vec<String> {
    let mut lines = Lines::new();
    for (key, value) in pairs {
        lines.add("detail", &format!("{key}={}", value.trim()));
    }
    lines.all("detail").map(str::to_owned).collect()
}

impl OperatorAct {
    /// The canonical text to sign.
    pub fn print(&self) -> String {
        let mut lines = Lines::new();
        for detail in &self.details {
            lines.add("detail", detail);
        }
        lines.add("kind", &self.kind);
        lines.add("log", &self.log);
        lines.add("nonce", &hex(&self.nonce));
        lines.add("operator", &self.operator);
        lines.add("role", self.role.as_str());
        lines.add("time", &time::format_us(self.time_us));
        lines.print(FORM)
    }

    /// Reads a canonical text.
    ///
    /// # Errors
    /// If it is not exactly what [`OperatorAct::print`] would print.
    pub fn parse(bytes: &[u8]) -> Result<Self, TextError> {
        let lines = Lines::read(bytes, FORM, &["detail"])?;
        let operator = lines.need("operator")?;
        let act = Self {
            log: lines.need("log")?.to_owned(),
            operator: Some(operator)
                .filter(|name| is_operator_name(name))
                .ok_or(TextError::Value("operator"))?
                .to_owned(),
            kind: lines.need("kind")?.to_owned(),
            role: lines.parse("role")?,
            details: lines.all("detail").map(str::to_owned).collect(),
            nonce: parse_hex(lines.need("nonce")?).ok_or(TextError::Value("nonce"))?,
            time_us: time::parse_us(lines.need("time")?).ok_or(TextError::Value("time"))?,
        };
        (act.print().as_bytes() == bytes).then_some(act).ok_or(TextError::Value("time"))
    }

    /// The values of one key among the details.
    pub fn detail<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        values(&self.details, key)
    }
}

/// The values of one key among details.
pub fn values<'a>(details: &'a [String], key: &'a str) -> impl Iterator<Item = &'a str> {
    details.iter().filter_map(move |detail| detail.strip_prefix(key)?.strip_prefix('='))
}

/// Whether a text can name an operator: as a terminal's, and without what would make two parts of a path of it.
pub fn is_operator_name(name: &str) -> bool {
    is_terminal_name(name) && !name.contains(['/', '\\', ':']) && !name.starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act() -> OperatorAct {
        OperatorAct {
            log: "relay.example".to_owned(),
            operator: "田中".to_owned(),
            kind: "office.suspended".to_owned(),
            role: Role::Offices,
            details: details([("reason", "invoices unpaid".to_owned()), ("office", "1371215102".to_owned())]),
            nonce: [0x3f; 16],
            time_us: 1_795_261_114_000_123,
        }
    }

    #[test]
    fn the_golden_text_reads_and_prints() {
        let golden = include_str!("../tests/golden/operator-act.txt");
        assert_eq!(act().print(), golden);
        assert_eq!(OperatorAct::parse(golden.as_bytes()), Ok(act()));
        assert_eq!(act().detail("office").collect::<Vec<_>>(), ["1371215102"]);
    }

    #[test]
    fn another_spelling_is_none() {
        for (from, to) in [
            ("role: offices", "role: everything"),
            ("operator: 田中", "operator: ../etc"),
            ("nonce: 3f", "nonce: 3F"),
            ("tasuki-operator-act/v1", "tasuki-statement/v1"),
            ("detail: office=1371215102\n", ""),
        ] {
            let text = act().print().replacen(from, to, 1);
            assert_ne!(text, act().print(), "{from}");
            assert_ne!(OperatorAct::parse(text.as_bytes()), Ok(act()), "{from}");
        }
    }

    #[test]
    fn roles_are_words_each_once() {
        let roles: Roles = "offices, read,offices".parse().unwrap();
        assert_eq!(roles.to_string(), "read,offices");
        assert!(roles.has(Role::Read) && !roles.has(Role::Retention));
        for wrong in ["", "all", "read;offices", "read,"] {
            wrong.parse::<Roles>().unwrap_err();
        }
    }
}
