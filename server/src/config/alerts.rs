//! `[alerts]`: what of an office's doings is unusual (不正監視).

use serde::Deserialize;

/// `[alerts]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlertsConfig {
    /// Parcels that an office sends in a day before its volume is looked at: the largest offices send about so many a month.
    pub volume_at_least: u32,
    /// How many times its daily mean of the last 28 days is unusual: the days about the tenth have several times the mean.
    pub volume_times: u32,
    /// Submissions of one office in an hour whose signature fails: software that is set up wrongly fails a few times, until
    /// somebody looks.
    pub signature_failures: u32,
    /// Handshakes in an hour that come to nothing, of one address (IPv6: one /64 network).
    pub refused_handshakes: u32,
}

impl Default for AlertsConfig {
    fn default() -> Self {
        Self { volume_at_least: 500, volume_times: 20, signature_failures: 20, refused_handshakes: 200 }
    }
}

impl AlertsConfig {
    /// What makes no sense: the key and what is wrong.
    pub(super) fn check(&self) -> Result<(), (&'static str, &'static str)> {
        let all = [self.volume_at_least, self.volume_times, self.signature_failures, self.refused_handshakes];
        if all.contains(&0) {
            return Err(("alerts", "thresholds must be at least 1"));
        }
        Ok(())
    }
}
