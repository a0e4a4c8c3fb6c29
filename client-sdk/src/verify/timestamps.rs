//! Which time stamps hold for the events of a folder.

use std::path::Path;

use tasuki_certs::timestamp;
use tasuki_proto::evidence::Proven;

use super::material::LogKeys;
use super::witnesses::linked;
use super::{StampedBy, VerifyOptions, VerifyWarning};
use crate::error::{ConfigError, SdkError, VerificationError};
use crate::evidence::Index;
use crate::pem;
use crate::trust::is_ca;

/// Checks every stamp: what it stamps, whose it is, and which events it covers.
pub(super) fn verify(
    folder: &Path,
    index: &Index,
    events: &[Proven],
    keys: &LogKeys,
    options: &VerifyOptions,
    warnings: &mut Vec<VerifyWarning>,
) -> Result<Vec<StampedBy>, SdkError> {
    let given = options.tsa_ca.as_deref().map(pem::read_certificates).transpose()?;
    let mut stamped = Vec::new();
    for one in &index.stamped {
        let (checkpoint, covers) = linked(folder, index, &one.checkpoint, &one.links, events, keys)?;
        let response = Index::read_file(folder, &one.response)?;
        let anchors = if let Some(given) = &given {
            given.clone()
        } else {
            let along = timestamp::certificates(&response).map_err(VerificationError::TimeStamp)?;
            along.into_iter().filter(|der| is_ca(der)).collect()
        };
        if anchors.is_empty() {
            warnings.push(VerifyWarning::new(
                "タイムスタンプの認証局の証明書がないため、タイムスタンプは確認していません（--tsa-ca で指定してください）",
                "the time stamp was not verified: its CA is not in it; give it with --tsa-ca",
            ));
            continue;
        }
        let trust = timestamp::authorities(anchors).map_err(|e| ConfigError::Trust(e.to_string()))?;
        // Offline there is no clock to hold it against: its time is the authority's word.
        let stamp = timestamp::verify(&response, &checkpoint.note, None, &trust, i64::MAX);
        let stamp = stamp.map_err(VerificationError::TimeStamp)?;
        stamped.push(StampedBy {
            authority: stamp.authority,
            anchor: stamp.anchor,
            pinned: given.is_some(),
            time_us: stamp.time_us,
            events: covers.iter().filter(|covers| **covers).count(),
        });
    }
    Ok(stamped)
}
