//! `[joining]`: how offices come to take part (利用申請).

use serde::Deserialize;

use crate::store::offices::OfficeState;

/// Who may take part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JoiningPolicy {
    /// Whom the operator puts into the directory takes part at once, without applying; others apply, and the operator decides.
    #[default]
    Implicit,
    /// Whom the operator puts into the directory joins when it applies; others wait for the operator.
    Listed,
    /// Every application waits for the operator.
    Approval,
    /// No applications are taken; the operator lets in whom he wants.
    Closed,
}

impl JoiningPolicy {
    /// Whether offices may apply.
    pub fn takes_applications(self) -> bool {
        self != Self::Closed
    }

    /// Whether an office of the operator's list joins by its application alone.
    pub fn list_decides(self) -> bool {
        matches!(self, Self::Implicit | Self::Listed)
    }
}

/// `[joining]`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JoiningConfig {
    /// Who may take part.
    pub policy: JoiningPolicy,
    /// Applications are confirmed with a code that the operator sends by post or tells by telephone.
    pub code: bool,
    /// How long such a code is good.
    pub code_days: u32,
    /// What offices declare to take waits for the operator.
    pub profile_approval: bool,
}

impl Default for JoiningConfig {
    fn default() -> Self {
        Self { policy: JoiningPolicy::default(), code: false, code_days: 30, profile_approval: false }
    }
}

impl JoiningConfig {
    /// How an office stands that the operator puts into the directory.
    pub fn enters_as(&self) -> OfficeState {
        if self.policy == JoiningPolicy::Implicit && !self.code {
            OfficeState::Active
        } else {
            OfficeState::Listed
        }
    }

    /// What makes no sense: the key and what is wrong.
    pub(super) fn check(self) -> Result<(), (&'static str, &'static str)> {
        if !(1..=365).contains(&self.code_days) {
            return Err(("joining.code_days", "must be from 1 to 365"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_default_lets_offices_in_that_never_applied() {
        let all =
            [JoiningPolicy::Implicit, JoiningPolicy::Listed, JoiningPolicy::Approval, JoiningPolicy::Closed];
        let enters = |policy, code| JoiningConfig { policy, code, ..JoiningConfig::default() }.enters_as();
        let states: Vec<OfficeState> = all.iter().map(|policy| enters(*policy, false)).collect();
        assert_eq!(states[0], OfficeState::Active);
        assert!(states[1..].iter().all(|state| *state == OfficeState::Listed));
        // A code that is asked for is no formality.
        assert_eq!(enters(JoiningPolicy::Implicit, true), OfficeState::Listed);
    }
}
