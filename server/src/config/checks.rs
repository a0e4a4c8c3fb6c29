//! `[checks]`: what is demanded of files beyond the standard.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use tasuki_careplan::policy::CheckPolicy;
use tasuki_careplan::severity::Severities;

use super::ConfigError;

/// Bytes of a registry of documents: some hundred entries. Clients get it with what they learn of the relay.
const MAX_DOCUMENTS_BYTES: u64 = 256 * 1024;

/// `[checks]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChecksConfig {
    /// Rules whose warnings count as errors.
    pub as_errors: Severities,
    /// A `documents.toml`; absent: the types that come with the software.
    pub documents: Option<PathBuf>,
    /// Attachments of types that the registry does not know are taken.
    pub unknown_documents: bool,
}

impl Default for ChecksConfig {
    fn default() -> Self {
        Self { as_errors: Severities::default(), documents: None, unknown_documents: true }
    }
}

impl ChecksConfig {
    /// What the door checks by.
    ///
    /// # Errors
    /// The registry of documents can't be read, or is none.
    pub fn policy(&self) -> Result<CheckPolicy, ConfigError> {
        let policy = CheckPolicy::default().taking_unknown_documents(self.unknown_documents);
        let policy = policy.and(&self.as_errors);
        match &self.documents {
            Some(path) => policy
                .with_documents(&read(path)?)
                .map_err(|error| ConfigError::Documents { path: path.clone(), problem: error.to_string() }),
            None => Ok(policy),
        }
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    let failed = |source| ConfigError::Read { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(failed)?.len() > MAX_DOCUMENTS_BYTES {
        let problem = format!("more than {MAX_DOCUMENTS_BYTES} bytes");
        return Err(ConfigError::Documents { path: path.to_owned(), problem });
    }
    std::fs::read_to_string(path).map_err(failed)
}
