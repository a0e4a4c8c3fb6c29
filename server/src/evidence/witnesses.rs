//! Other parties that cosign checkpoints: whose word counts, and what they have vouched for.
//!
//! Not to be confused with [`super::witness`], the relay's own copy of its last checkpoint.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use tasuki_proto::cosignature::WitnessKey;
use tasuki_proto::log::{LogError, LogVerifier};

use crate::store::cosignatures::CosignatureRow;
use crate::store::{Store, StoreError};

/// The witnesses of `relay.toml`.
#[derive(Clone, Debug, Default)]
pub struct Witnesses(Vec<WitnessKey>);

/// A cosignature that is not kept.
#[derive(Debug, thiserror::Error)]
pub enum CosignatureError {
    /// It is of no checkpoint that this relay has signed and still has.
    #[error("no such checkpoint of this log")]
    Checkpoint,
    /// There is no valid cosignature of a configured witness.
    #[error("no valid cosignature of a configured witness")]
    Witness,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Witnesses {
    /// Reads the keys of the configuration.
    ///
    /// # Errors
    /// [`LogError::Key`].
    pub fn parse(keys: &[String]) -> Result<Self, LogError> {
        keys.iter().map(|key| WitnessKey::from_vkey(key)).collect::<Result<_, _>>().map(Self)
    }

    /// Their keys.
    pub fn keys(&self) -> &[WitnessKey] {
        &self.0
    }

    /// Keeps the cosignatures of a checkpoint, durably. `log`: the relay's own key. Gives back how many there were.
    ///
    /// # Errors
    /// See [`CosignatureError`].
    pub async fn add(
        &self,
        store: &Store,
        log: &LogVerifier,
        note: &[u8],
    ) -> Result<usize, CosignatureError> {
        let checkpoint = log.open(note).map_err(|_| CosignatureError::Checkpoint)?;
        let own = store.checkpoint(checkpoint.epoch, checkpoint.size).await?;
        let own = own.and_then(|own| log.open(&own).ok()).ok_or(CosignatureError::Checkpoint)?;
        // Signed by this relay, before its database was set back: nobody should be told of that tree.
        if own.root != checkpoint.root {
            return Err(CosignatureError::Checkpoint);
        }
        let mut kept = 0;
        for key in &self.0 {
            let Some(cosignature) = key.cosignature(note).map_err(|_| CosignatureError::Witness)? else {
                continue;
            };
            store
                .put_cosignature(&CosignatureRow {
                    epoch: checkpoint.epoch,
                    witness: key.vkey(),
                    size: checkpoint.size,
                    time_s: cosignature.time_s,
                    line: cosignature.line,
                })
                .await?;
            kept += 1;
        }
        if kept == 0 { Err(CosignatureError::Witness) } else { Ok(kept) }
    }

    /// The newest cosigned checkpoints of an epoch, the largest first: signed notes, each with the lines of every witness
    /// of the configuration whose last word is about it.
    ///
    /// # Errors
    /// The database can't be read.
    pub async fn cosigned(&self, store: &Store, epoch: u64) -> Result<Vec<Vec<u8>>, StoreError> {
        if self.0.is_empty() {
            return Ok(Vec::new());
        }
        let mut notes: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
        let known: Vec<String> = self.0.iter().map(WitnessKey::vkey).collect();
        for (row, note) in store.cosignatures(epoch).await? {
            if known.contains(&row.witness) {
                notes.entry(row.size).or_insert(note).extend_from_slice(&row.line);
            }
        }
        Ok(notes.into_values().rev().collect())
    }
}
