//! `[witnesses]`: other parties that cosign the log's checkpoints.

use serde::Deserialize;

use crate::evidence::witnesses::Witnesses;

/// A note has at most 100 signatures (C2SP signed-note), the log's own among them.
const MAX_WITNESSES: usize = 99;

/// `[witnesses]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WitnessesConfig {
    /// Verifier keys (C2SP) of the witnesses whose cosignatures are kept and handed out.
    pub keys: Vec<String>,
}

impl WitnessesConfig {
    pub(super) fn check(&self) -> Result<(), (&'static str, &'static str)> {
        if self.keys.len() <= MAX_WITNESSES && Witnesses::parse(&self.keys).is_ok() {
            return Ok(());
        }
        Err(("witnesses.keys", "name at most 99 verifier keys, as `tasuki witness --show-key` prints them"))
    }
}
