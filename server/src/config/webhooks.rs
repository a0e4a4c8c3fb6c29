//! `[webhooks]`: telling programs of offices over HTTPS.

use std::path::PathBuf;

use serde::Deserialize;

use super::period::Period;

/// `[webhooks]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebhooksConfig {
    /// CA certificates (PEM) that programs' servers are known by. A file that is not there: no webhooks are offered.
    pub ca_file: PathBuf,
    /// Programs may stand at addresses that are not public: in the relay's own network.
    pub allow_private: bool,
    /// An event that nobody took for so long is given up. From then on each further one that is as old gets one try.
    pub give_up_after: Period,
    /// Pause after the first try that failed; doubled after each further one, up to an hour.
    pub first_pause: Period,
}

impl Default for WebhooksConfig {
    fn default() -> Self {
        Self {
            ca_file: PathBuf::from("/etc/ssl/certs/ca-certificates.crt"),
            allow_private: false,
            give_up_after: Period::days(1),
            first_pause: Period::seconds(10),
        }
    }
}

impl WebhooksConfig {
    /// What makes no sense: the key and what is wrong.
    pub(super) fn check(&self) -> Result<(), (&'static str, &'static str)> {
        if self.first_pause.us() == 0 {
            return Err(("webhooks.first_pause", "must be at least \"1s\""));
        }
        Ok(())
    }
}
