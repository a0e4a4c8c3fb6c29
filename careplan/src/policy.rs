//! How parcels are checked where an operator, an office or a proxy says more than the standard: owned, to be kept and handed
//! on.

use std::borrow::Cow;

use crate::documents::{Registry, RegistryError};
use crate::parcel::CheckOptions;
use crate::severity::Severities;

/// What a check goes by. The default is the standard's rules, the registry of this crate, and any document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckPolicy {
    /// Which warnings are errors.
    pub severities: Severities,
    /// Whether attachments may name a type that the registry does not know.
    pub unknown_documents: bool,
    documents: Cow<'static, Registry>,
    /// The registry's text, where it is not the built-in one.
    toml: Option<String>,
}

impl Default for CheckPolicy {
    fn default() -> Self {
        Self {
            severities: Severities::default(),
            unknown_documents: true,
            documents: Cow::Borrowed(Registry::built_in()),
            toml: None,
        }
    }
}

impl CheckPolicy {
    /// The default, with or without documents of types that the registry does not know.
    #[must_use]
    pub fn taking_unknown_documents(self, unknown_documents: bool) -> Self {
        Self { unknown_documents, ..self }
    }

    /// With a registry of documents of one's own: the text of a `documents.toml`.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub fn with_documents(self, toml: &str) -> Result<Self, RegistryError> {
        let documents = Cow::Owned(Registry::parse(toml)?);
        Ok(Self { documents, toml: Some(toml.to_owned()), ..self })
    }

    /// What somebody demands on top of it. There is no way to demand less.
    #[must_use]
    pub fn and(self, severities: &Severities) -> Self {
        Self { severities: self.severities.and(severities), ..self }
    }

    /// The text of the registry; `None`: it is the built-in one.
    pub fn documents_toml(&self) -> Option<&str> {
        self.toml.as_deref()
    }

    /// For [`check_parcel`](crate::parcel::check_parcel).
    pub fn options(&self) -> CheckOptions<'_> {
        CheckOptions {
            severities: self.severities.clone(),
            documents: &self.documents,
            allow_unknown_documents: self.unknown_documents,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{RuleId, Severity};

    #[test]
    fn demands_add_up_and_a_registry_is_ones_own() {
        let toml =
            "[[document]]\nid = \"x-ray\"\nname_ja = \"画像\"\nname_en = \"x-ray\"\nformats = [\"png\"]\n";
        let policy = CheckPolicy::default().with_documents(toml).unwrap();
        let policy = policy
            .and(&Severities::strict_about([RuleId::CheckDigit]))
            .and(&Severities::strict_about([RuleId::OutOfScope]));
        for rule in [RuleId::CheckDigit, RuleId::OutOfScope] {
            assert_eq!(policy.options().severities.of(rule, Severity::Warning), Severity::Error);
        }
        assert_eq!(policy.documents_toml(), Some(toml));
        assert_ne!(policy.options().documents, Registry::built_in());
        assert!(CheckPolicy::default().with_documents("[[document]]\nid = \"\"").is_err());
    }
}
