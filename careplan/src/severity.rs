//! How strict a check is: warnings that an operator, an office or a proxy wants to be errors.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::finding::{RuleId, Severity};

/// The rules whose warnings count as errors.
///
/// Severities can only be tightened, never loosened: the type can't say anything else. So what a relay demands and what an
/// office or its proxy adds are joined by [`and`](Self::and), and nobody's demand gets lost. Serialized as a list of rule
/// names, such as `["CHECK_DIGIT", "OUT_OF_SCOPE"]`.
///
/// ```
/// use tasuki_careplan::finding::{RuleId, Severity};
/// use tasuki_careplan::severity::Severities;
///
/// let relay = Severities::strict_about([RuleId::CheckDigit]);
/// let office = Severities::strict_about([RuleId::OutOfScope]);
/// let both = relay.and(&office);
/// assert_eq!(both.of(RuleId::CheckDigit, Severity::Warning), Severity::Error);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Severities {
    as_errors: BTreeSet<RuleId>,
}

impl Severities {
    /// The standard's severities, except that warnings of these rules are errors.
    pub fn strict_about(rules: impl IntoIterator<Item = RuleId>) -> Self {
        Self { as_errors: rules.into_iter().collect() }
    }

    /// The rules whose warnings are errors.
    pub fn rules(&self) -> impl Iterator<Item = RuleId> {
        self.as_errors.iter().copied()
    }

    /// What both demand.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self { as_errors: self.as_errors.union(&other.as_errors).copied().collect() }
    }

    /// The severity of a finding that the standard's rules rate as `standard`; never less than that.
    pub fn of(&self, rule: RuleId, standard: Severity) -> Severity {
        if self.as_errors.contains(&rule) { Severity::Error } else { standard }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_loosened() {
        let severities = Severities::strict_about(RuleId::ALL);
        for rule in RuleId::ALL {
            assert_eq!(severities.of(rule, Severity::Error), Severity::Error);
            assert_eq!(severities.of(rule, Severity::Warning), Severity::Error);
            assert_eq!(Severities::default().of(rule, Severity::Error), Severity::Error);
            assert_eq!(Severities::default().of(rule, Severity::Warning), Severity::Warning);
        }
    }

    #[test]
    fn both_demands_count() {
        let one = Severities::strict_about([RuleId::CheckDigit]);
        let other: Severities = serde_json::from_str(r#"["OUT_OF_SCOPE"]"#).unwrap();
        assert_eq!(one.and(&other), Severities::strict_about([RuleId::OutOfScope, RuleId::CheckDigit]));
        assert_eq!(one.and(&Severities::default()), one);
    }
}
