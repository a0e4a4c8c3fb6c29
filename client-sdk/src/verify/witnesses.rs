//! Which witnesses have vouched for the events of a folder.

use std::path::Path;

use tasuki_proto::canonical::parse_hex;
use tasuki_proto::cosignature::WitnessKey;
use tasuki_proto::evidence::Proven;
use tasuki_proto::log::{Checkpoint, Hash, LogError};

use super::material::LogKeys;
use super::{VerifyOptions, VouchedBy};
use crate::error::{SdkError, VerificationError};
use crate::evidence::{CosignedIndex, Index, LinkIndex};

/// A cosigned checkpoint, and which of the events it covers.
struct Cosigned {
    checkpoint: Checkpoint,
    covers: Vec<bool>,
}

/// Checks every cosigned checkpoint and insists on as many witnesses for each event as are asked for.
pub(super) fn verify(
    folder: &Path,
    index: &Index,
    events: &[Proven],
    keys: &LogKeys,
    options: &VerifyOptions,
) -> Result<Vec<VouchedBy>, SdkError> {
    let cosigned = index.cosigned.iter().map(|one| read(folder, index, one, events, keys));
    let cosigned = cosigned.collect::<Result<Vec<_>, _>>()?;
    let mut vouched = Vec::new();
    let mut counts = vec![0_u32; events.len()];
    for key in witness_keys(folder, index, options)? {
        let mut covered = vec![false; events.len()];
        let mut newest_s = None;
        for Cosigned { checkpoint, covers } in &cosigned {
            let cosignature = key.cosignature(&checkpoint.note).map_err(VerificationError::Log)?;
            let Some(cosignature) = cosignature.filter(|_| covers.contains(&true)) else { continue };
            newest_s = newest_s.max(Some(cosignature.time_s));
            covered.iter_mut().zip(covers).for_each(|(covered, covers)| *covered |= covers);
        }
        let Some(time_s) = newest_s else { continue };
        counts.iter_mut().zip(&covered).for_each(|(count, covered)| *count += u32::from(*covered));
        vouched.push(VouchedBy {
            key: key.vkey(),
            pinned: options.witness_keys.is_some(),
            time_us: i64::try_from(time_s).unwrap_or(i64::MAX).saturating_mul(1_000_000),
            events: covered.iter().filter(|covered| **covered).count(),
        });
    }
    let (have, need) = (counts.iter().copied().min().unwrap_or(0), options.witnesses_needed);
    if have < need {
        return Err(VerificationError::Witnesses { have, need }.into());
    }
    Ok(vouched)
}

/// The keys that were given, else those beside the evidence; each once.
fn witness_keys(folder: &Path, index: &Index, options: &VerifyOptions) -> Result<Vec<WitnessKey>, SdkError> {
    let text = match (&options.witness_keys, &index.witness_keys) {
        (Some(given), _) => given.clone(),
        (None, Some(name)) => String::from_utf8_lossy(&Index::read_file(folder, name)?).into_owned(),
        (None, None) => return Ok(Vec::new()),
    };
    let mut keys: Vec<WitnessKey> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let key = WitnessKey::from_vkey(line).map_err(VerificationError::Log)?;
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    Ok(keys)
}

/// A cosigned checkpoint, and what it covers.
fn read(
    folder: &Path,
    index: &Index,
    one: &CosignedIndex,
    events: &[Proven],
    keys: &LogKeys,
) -> Result<Cosigned, SdkError> {
    let (checkpoint, covers) = linked(folder, index, &one.checkpoint, &one.links, events, keys)?;
    Ok(Cosigned { checkpoint, covers })
}

/// A further checkpoint covers an event of its log if it is large enough and of one history with the checkpoint that
/// proves the event.
pub(super) fn linked(
    folder: &Path,
    index: &Index,
    name: &str,
    links: &[LinkIndex],
    events: &[Proven],
    keys: &LogKeys,
) -> Result<(Checkpoint, Vec<bool>), SdkError> {
    let checkpoint = keys.open(folder, name)?;
    let mut linked = Vec::new();
    for link in links {
        let other = keys.open(folder, &link.checkpoint)?;
        let proof = link.consistency.iter().map(|hash| parse_hex::<32>(hash).map(Hash));
        let proof = proof.collect::<Option<Vec<_>>>().ok_or(VerificationError::Log(LogError::Consistency))?;
        let (older, newer) =
            if other.size <= checkpoint.size { (&other, &checkpoint) } else { (&checkpoint, &other) };
        newer.check_consistency(older, &proof).map_err(VerificationError::Log)?;
        linked.push(link.checkpoint.as_str());
    }
    let covers = events.iter().zip(&index.events).map(|(proven, event)| {
        proven.event.epoch == checkpoint.epoch
            && proven.index < checkpoint.size
            && linked.contains(&event.checkpoint.as_str())
    });
    let covers = covers.collect();
    Ok((checkpoint, covers))
}
