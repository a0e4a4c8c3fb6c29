//! `[timestamps]`: an authority that stamps checkpoints (RFC 3161).

use std::path::PathBuf;

use serde::Deserialize;

use super::period::Period;
use crate::fetch;

/// `[timestamps]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimestampsConfig {
    /// The authority; empty: nothing is stamped.
    pub url: String,
    /// CA certificates that the authority's certificate must end in (PEM or DER).
    pub ca_file: PathBuf,
    /// At most one stamp in this time, and none while nothing happens.
    pub every: Period,
    /// Seconds for one.
    pub timeout_s: u32,
}

impl Default for TimestampsConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            ca_file: PathBuf::from("tsa-ca.pem"),
            every: Period::seconds(600),
            timeout_s: 30,
        }
    }
}

impl TimestampsConfig {
    /// There is an authority.
    pub fn is_on(&self) -> bool {
        !self.url.is_empty()
    }

    /// What makes no sense: the key and what is wrong.
    pub(super) fn check(&self) -> Result<(), (&'static str, &'static str)> {
        if self.is_on() && !fetch::is_address(&self.url) {
            return Err(("timestamps.url", "must be http:// or https://, without user and password"));
        }
        if self.every.us() < Period::seconds(1).us() || !(1..=600).contains(&self.timeout_s) {
            return Err(("timestamps.every", "must be at least 1s, and timeout_s from 1 to 600"));
        }
        Ok(())
    }
}
