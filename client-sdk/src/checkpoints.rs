//! The log must only grow: every checkpoint seen is held against the newest one kept on disk.
//!
//! A checkpoint counts once the pinned key signed it and its tree is proven to contain, or to be contained in, the
//! tree of the newest checkpoint of the same epoch. A relay that shows two different histories is found out by
//! whoever compares; here that is this client with its own past.

use std::collections::VecDeque;
use std::path::PathBuf;

use tasuki_proto::log::{Checkpoint, Hash, LogError, LogVerifier, proof_hashes};
use tasuki_proto::{pb, reason};
use tokio::sync::Mutex;

use crate::blocking;
use crate::error::{ConfigError, SdkError, Unreachable, VerificationError, words};
use crate::files::{self, Access};
use crate::home::{CHECKPOINTS, Home, LOG_KEY, Task};
use crate::transport::Caller;

/// Checkpoints remembered as proven: the relay makes one for each batch, and a batch's results share it.
const REMEMBERED: usize = 256;

/// Checkpoints that were proven in this process.
#[derive(Debug, Default)]
pub(crate) struct Checkpoints {
    proven: Mutex<VecDeque<(u64, u64, Hash)>>,
}

/// A consistency proof that came along.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AlongProof<'a> {
    /// The size that the proof starts from.
    pub(crate) from_size: u64,
    /// Its hashes.
    pub(crate) hashes: &'a [bytes::Bytes],
}

impl Checkpoints {
    /// Checks a checkpoint's signature and that it is consistent with the newest one kept; keeps the newer one.
    pub(crate) async fn admit(
        &self,
        home: &Home,
        caller: &Caller,
        verifier: &LogVerifier,
        note: &[u8],
        along: Option<AlongProof<'_>>,
    ) -> Result<Checkpoint, SdkError> {
        let checkpoint = verifier.open(note).map_err(VerificationError::Log)?;
        let place = (checkpoint.epoch, checkpoint.size, checkpoint.root);
        // Held while the relay is asked: parallel results under the same checkpoint wait for one proof.
        let mut proven = self.proven.lock().await;
        if proven.contains(&place) {
            return Ok(checkpoint);
        }
        loop {
            let newest = newest(home, verifier, checkpoint.epoch)?;
            if let Some(newest) = &newest {
                compare(home, caller, newest, &checkpoint, along).await?;
            }
            if newest.as_ref().is_some_and(|n| n.size >= checkpoint.size)
                || keep(home, newest, &checkpoint).await?
            {
                break;
            }
        }
        if proven.len() == REMEMBERED {
            proven.pop_front();
        }
        proven.push_back(place);
        Ok(checkpoint)
    }
}

fn path(home: &Home, epoch: u64) -> PathBuf {
    home.path(CHECKPOINTS).join(format!("e{epoch}.txt"))
}

/// The newest checkpoint of an epoch that this HOME has seen.
pub(crate) fn newest(
    home: &Home,
    verifier: &LogVerifier,
    epoch: u64,
) -> Result<Option<Checkpoint>, SdkError> {
    let path = path(home, epoch);
    match files::read_if_exists(&path)? {
        None => Ok(None),
        Some(note) => match verifier.open(&note) {
            Ok(checkpoint) if checkpoint.epoch == epoch => Ok(Some(checkpoint)),
            Ok(_) | Err(_) => {
                let message =
                    words("この記録のチェックポイントではありません", "not a checkpoint of this log");
                Err(VerificationError::Malformed { path, message }.into())
            }
        },
    }
}

/// Keeps a newer checkpoint. False: another process was faster, and its checkpoint must be compared with first.
async fn keep(home: &Home, compared: Option<Checkpoint>, checkpoint: &Checkpoint) -> Result<bool, SdkError> {
    let _lock = home.lock(Task::Checkpoints).await?;
    let path = path(home, checkpoint.epoch);
    let note = checkpoint.note.clone();
    blocking::run(move || {
        if files::read_if_exists(&path)? != compared.map(|c| c.note) {
            return Ok(false);
        }
        files::write_durably(&path, &note, Access::Owner)?;
        Ok(true)
    })
    .await
}

async fn compare(
    home: &Home,
    caller: &Caller,
    newest: &Checkpoint,
    checkpoint: &Checkpoint,
    along: Option<AlongProof<'_>>,
) -> Result<(), SdkError> {
    let (older, newer) =
        if newest.size <= checkpoint.size { (newest, checkpoint) } else { (checkpoint, newest) };
    let check = |proof: &[Hash]| newer.check_consistency(older, proof).map_err(VerificationError::Log);
    if older.size == newer.size || older.size == 0 {
        return Ok(check(&[])?);
    }
    if let Some(along) = along.filter(|a| a.from_size == older.size && newer.size == checkpoint.size) {
        return Ok(check(&hashes(along.hashes)?)?);
    }
    let request =
        pb::GetConsistencyRequest { epoch: checkpoint.epoch, from_size: older.size, to_size: newer.size };
    let answer = caller.repeat(|| {
        let mut log = caller.log();
        async move { log.get_consistency(request).await }
    });
    match answer.await {
        Ok(answer) => Ok(check(&hashes(&answer.hashes)?)?),
        // The relay does not know the size that it, or another relay of the same log, has signed.
        Err(SdkError::Rejected(refusal)) if refusal.reason == reason::LOG_RANGE => {
            if newest.size > checkpoint.size && has_ended(home, checkpoint.epoch)? {
                // The end of that log was lost, as the first event of the next epoch says; what is left of it can't
                // be connected with what was seen.
                tracing::warn!(epoch = checkpoint.epoch, "the relay lost the end of an earlier log");
                Ok(())
            } else if newest.size > checkpoint.size {
                Err(Unreachable::Behind { size: checkpoint.size, seen: newest.size }.into())
            } else {
                Err(VerificationError::Log(LogError::Consistency).into())
            }
        }
        Err(error) => Err(error),
    }
}

/// The proof that two checkpoints of an epoch are one history, from the smaller to the larger; checked.
pub(crate) async fn consistency(
    caller: &Caller,
    one: &Checkpoint,
    other: &Checkpoint,
) -> Result<Vec<Hash>, SdkError> {
    let (older, newer) = if one.size <= other.size { (one, other) } else { (other, one) };
    let mut proof = Vec::new();
    if older.epoch == newer.epoch && older.size != newer.size && older.size > 0 {
        let request =
            pb::GetConsistencyRequest { epoch: older.epoch, from_size: older.size, to_size: newer.size };
        let answer = caller.repeat(|| {
            let mut log = caller.log();
            async move { log.get_consistency(request).await }
        });
        match answer.await {
            Ok(answer) => proof = hashes(&answer.hashes)?,
            Err(SdkError::Rejected(refusal)) if refusal.reason == reason::LOG_RANGE => {
                return Err(Unreachable::Behind { size: older.size, seen: newer.size }.into());
            }
            Err(error) => return Err(error),
        }
    }
    newer.check_consistency(older, &proof).map_err(VerificationError::Log)?;
    Ok(proof)
}

/// Whether a checkpoint of a later epoch was seen.
fn has_ended(home: &Home, epoch: u64) -> Result<bool, SdkError> {
    let names = files::list(&home.path(CHECKPOINTS))?;
    let epochs = names.iter().filter_map(|n| n.strip_prefix('e')?.strip_suffix(".txt")?.parse::<u64>().ok());
    Ok(epochs.max().is_some_and(|newest| newest > epoch))
}

fn hashes(wire: &[bytes::Bytes]) -> Result<Vec<Hash>, VerificationError> {
    // A consistency proof that can't even be read proves nothing.
    proof_hashes(wire).map_err(|_| VerificationError::Log(LogError::Consistency))
}

/// The pinned key of the log; `None` before the first contact.
pub(crate) fn pinned_key(home: &Home) -> Result<Option<LogVerifier>, SdkError> {
    let path = home.path(LOG_KEY);
    let Some(text) = files::read_if_exists(&path)? else { return Ok(None) };
    let key = std::str::from_utf8(&text).ok().and_then(|t| LogVerifier::from_vkey(t).ok());
    let message = || words("記録の検証鍵ではありません", "not a verifier key of a log");
    let malformed = || ConfigError::File { path, message: message() };
    Ok(Some(key.ok_or_else(malformed)?))
}

/// Holds the key that the relay shows against the pinned one; pins it at the first contact. It never changes
/// silently: a changed key is an alarm, and only a person may pin another.
pub(crate) fn pin(home: &Home, shown: &str) -> Result<LogVerifier, SdkError> {
    let key = LogVerifier::from_vkey(shown).map_err(VerificationError::Log)?;
    match pinned_key(home)? {
        None => {
            files::write_durably(
                &home.path(LOG_KEY),
                format!("{}\n", shown.trim()).as_bytes(),
                Access::Owner,
            )?;
            Ok(key)
        }
        Some(pinned) if pinned == key => Ok(key),
        Some(_) => Err(VerificationError::LogKeyChanged.into()),
    }
}
