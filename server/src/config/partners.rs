//! `[partners]`: who may exchange with whom.

use serde::Deserialize;

/// Who may exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PartnersPolicy {
    /// Every office with every other.
    #[default]
    Open,
    /// Those of which one invited and the other accepted.
    Linked,
}

/// `[partners]`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PartnersConfig {
    /// Who may exchange.
    pub policy: PartnersPolicy,
}

impl PartnersConfig {
    /// Whether only partners may exchange.
    pub fn linked_only(&self) -> bool {
        self.policy == PartnersPolicy::Linked
    }
}
