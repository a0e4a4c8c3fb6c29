//! `[operators]`: what needs more than one of them. Who they are stands in the database (`operator add`).

use std::path::PathBuf;

use serde::Deserialize;

use crate::committer::administering::TwoPersons;
use crate::config::period::Period;

/// The longest that an act may wait for its second operator.
const MAX_LAPSE_US: i64 = 31 * 86_400 * 1_000_000;

/// `[operators]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OperatorsConfig {
    /// Acts that a second operator must approve.
    pub two_persons: Vec<TwoPersonAct>,
    /// For how long the second may.
    pub approve_within: Period,
}

/// An act that may need two operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TwoPersonAct {
    /// `proxy assign` of an office that has another proxy.
    Reassignment,
    /// `office leave --erase`.
    Erasure,
}

impl Default for OperatorsConfig {
    fn default() -> Self {
        Self { two_persons: Vec::new(), approve_within: Period::days(3) }
    }
}

impl OperatorsConfig {
    pub(super) fn check(&self) -> Result<(), (&'static str, &'static str)> {
        if (1..=MAX_LAPSE_US).contains(&self.approve_within.us()) {
            return Ok(());
        }
        Err(("operators.approve_within", "must be longer than nothing and at most 31d"))
    }

    /// As the committer takes it.
    pub fn two_persons(&self) -> TwoPersons {
        TwoPersons {
            reassignment: self.two_persons.contains(&TwoPersonAct::Reassignment),
            erasure: self.two_persons.contains(&TwoPersonAct::Erasure),
            lapse_us: self.approve_within.us(),
        }
    }
}

/// Where the operator's certificate and key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorFiles {
    /// PKCS#12, or PEM with the certificates and, unless `key` is given, the key.
    pub certificate: PathBuf,
    /// The key, PEM, where it stands alone.
    pub key: Option<PathBuf>,
    /// The PKCS#12 file's password, in a file.
    pub password_file: Option<PathBuf>,
}
