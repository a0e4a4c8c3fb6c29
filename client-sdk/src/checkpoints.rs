//! The log must only grow: every checkpoint seen is held against the newest one kept on disk.
//!
//! A checkpoint counts once the pinned key signed it and its tree is proven to contain, or to be contained in, the
//! tree of the newest checkpoint of the same epoch. A relay that shows two different histories is found out by
//! whoever compares; here that is this client with its own past.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tasuki_proto::log::roll::{KeyRoll, MAX_ROLLS};
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

/// Where the newest checkpoint is kept in memory: how often it is written. A crash forgets that much of what was seen; what
/// was accepted meanwhile has its own checkpoint in its record.
const KEEP_EVERY: Duration = Duration::from_secs(1);

/// Checkpoints that were proven in this process.
#[derive(Debug, Default)]
pub(crate) struct Checkpoints {
    known: Mutex<Known>,
    /// The newest one is kept in memory, and on disk every [`KEEP_EVERY`].
    ahead: bool,
}

#[derive(Debug, Default)]
struct Known {
    proven: VecDeque<Checkpoint>,
    ahead: Option<Ahead>,
}

/// The newest checkpoint of an epoch, and what lies on the disk of it.
#[derive(Clone, Debug)]
struct Ahead {
    newest: Checkpoint,
    on_disk: Option<Checkpoint>,
    kept: Option<Instant>,
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
    /// Many offices over one connection see a checkpoint every few milliseconds: the newest one goes to disk only every second,
    /// and with [`Checkpoints::flush`].
    pub(crate) fn ahead() -> Self {
        Self { ahead: true, ..Self::default() }
    }

    /// Checks a checkpoint's signature and that it is consistent with the newest one kept; keeps the newer one.
    pub(crate) async fn admit(
        &self,
        home: &Home,
        caller: &Caller,
        verifier: &LogVerifier,
        note: &[u8],
        along: Option<AlongProof<'_>>,
    ) -> Result<Checkpoint, SdkError> {
        // Held while the relay is asked: parallel results under the same checkpoint wait for one proof.
        let mut known = self.known.lock().await;
        if let Some(proven) = known.proven.iter().rev().find(|proven| proven.note == note) {
            return Ok(proven.clone());
        }
        let checkpoint = verifier.open(note).map_err(VerificationError::Log)?;
        let place = |c: &Checkpoint| (c.epoch, c.size, c.root);
        if known.proven.iter().any(|proven| place(proven) == place(&checkpoint)) {
            return Ok(checkpoint);
        }
        if self.ahead {
            let ahead = Ahead::with(known.ahead.as_ref(), home, caller, verifier, &checkpoint, along).await?;
            known.ahead = Some(ahead);
        } else {
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
        }
        if known.proven.len() == REMEMBERED {
            known.proven.pop_front();
        }
        known.proven.push_back(checkpoint.clone());
        Ok(checkpoint)
    }

    /// Writes what is kept in memory only.
    pub(crate) async fn flush(
        &self,
        home: &Home,
        caller: &Caller,
        verifier: &LogVerifier,
    ) -> Result<(), SdkError> {
        match &mut self.known.lock().await.ahead {
            Some(ahead) => ahead.write(home, caller, verifier).await,
            None => Ok(()),
        }
    }
}

impl Ahead {
    /// With one more checkpoint, once it is consistent with the newest one.
    async fn with(
        before: Option<&Self>,
        home: &Home,
        caller: &Caller,
        verifier: &LogVerifier,
        checkpoint: &Checkpoint,
        along: Option<AlongProof<'_>>,
    ) -> Result<Self, SdkError> {
        let (on_disk, seen, kept) = match before {
            Some(ahead) if ahead.newest.epoch == checkpoint.epoch => {
                (ahead.on_disk.clone(), Some(ahead.newest.clone()), ahead.kept)
            }
            other => {
                if let Some(other) = other {
                    other.clone().write(home, caller, verifier).await?;
                }
                let on_disk = newest(home, verifier, checkpoint.epoch)?;
                (on_disk.clone(), on_disk, None)
            }
        };
        if let Some(seen) = &seen {
            compare(home, caller, seen, checkpoint, along).await?;
        }
        let newest = seen.filter(|seen| seen.size >= checkpoint.size).unwrap_or_else(|| checkpoint.clone());
        let mut ahead = Self { newest, on_disk, kept };
        if ahead.kept.is_none_or(|kept| kept.elapsed() >= KEEP_EVERY) {
            ahead.write(home, caller, verifier).await?;
        }
        Ok(ahead)
    }

    async fn write(&mut self, home: &Home, caller: &Caller, verifier: &LogVerifier) -> Result<(), SdkError> {
        let note = |c: &Option<Checkpoint>| c.as_ref().map(|c| c.note.clone());
        while note(&self.on_disk).as_ref() != Some(&self.newest.note) {
            if keep(home, self.on_disk.clone(), &self.newest).await? {
                self.on_disk = Some(self.newest.clone());
                break;
            }
            // Another process has written meanwhile.
            self.on_disk = newest(home, verifier, self.newest.epoch)?;
            if let Some(on_disk) = &self.on_disk {
                compare(home, caller, on_disk, &self.newest, None).await?;
                if on_disk.size >= self.newest.size {
                    self.newest = on_disk.clone();
                }
            }
        }
        self.kept = Some(Instant::now());
        Ok(())
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
    let keys = std::str::from_utf8(&text).ok().and_then(|t| LogVerifier::from_lines(t).ok());
    let key = keys.filter(|keys| keys.len() == 1).and_then(|mut keys| keys.pop());
    let message = || words("記録の検証鍵ではありません", "not a verifier key of a log");
    let malformed = || ConfigError::File { path, message: message() };
    Ok(Some(key.ok_or_else(malformed)?))
}

/// Holds the key that the relay shows against the pinned one; pins it at the first contact. A changed key is an alarm, and only a
/// person may pin another, unless the pinned one has handed over to it: what both have signed is followed, and kept beside the
/// pinned key. A key that has handed over has no say any more in who comes next.
pub(crate) fn pin(home: &Home, shown: &str, rolls: &[bytes::Bytes]) -> Result<LogVerifier, SdkError> {
    let mut key = LogVerifier::from_vkey(shown).map_err(VerificationError::Log)?;
    let rolls = rolls.iter().take(MAX_ROLLS).map(|note| KeyRoll::open(note));
    let rolls = rolls.collect::<Result<Vec<_>, _>>().map_err(VerificationError::Log)?;
    let pinned = pinned_key(home)?;
    if let Some(pinned) = pinned {
        if !pinned.is_of(&key) {
            return Err(VerificationError::LogKeyChanged.into());
        }
        key = pinned;
        if !key.follow(&rolls) {
            return Ok(key);
        }
        tracing::warn!(
            log.rolls = key.rolls().len(),
            "the relay's log goes on under a new key, which the old one has signed"
        );
    } else {
        key.follow(&rolls);
    }
    let lines = std::iter::once(shown.trim().to_owned()).chain(key.rolls().iter().map(KeyRoll::line));
    let text = lines.collect::<Vec<_>>().join("\n") + "\n";
    files::write_durably(&home.path(LOG_KEY), text.as_bytes(), Access::Owner)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use tasuki_proto::log::LogSigner;

    use super::*;
    use crate::testing::{self, world};

    fn signer(name: &str) -> LogSigner {
        LogSigner::generate(name, &SystemRandom::new()).unwrap()
    }

    fn roll(old: &LogSigner, new: &LogSigner, size: u64) -> bytes::Bytes {
        KeyRoll::make(old, new, (1, size), Hash([5; 32]), false, 1).unwrap().note.into()
    }

    #[test]
    fn a_new_key_is_followed_only_where_the_pinned_one_signed_it() {
        let folder = testing::folder("pin");
        let home = testing::home(&folder, &world().sender);
        let [first, second, third, thief] = ["log"; 4].map(signer);
        let shown = first.verifier().vkey(1);
        pin(&home, &shown, &[]).unwrap();
        let opens = |key: &LogVerifier, signer: &LogSigner, size| {
            key.open(&signer.sign(1, size, Hash([1; 32])).unwrap()).is_ok()
        };
        // Announced without the old key's signature: another key that the relay shows, or a note that only new keys signed.
        let alarm = Err(SdkError::Verification(VerificationError::LogKeyChanged));
        assert_eq!(pin(&home, &second.verifier().vkey(1), &[]), alarm);
        assert_eq!(pin(&home, &second.verifier().vkey(1), &[roll(&second, &third, 7)]), alarm);
        let key = pin(&home, &shown, &[roll(&second, &third, 7)]).unwrap();
        assert!(key.rolls().is_empty() && !opens(&key, &third, 8));
        let note = String::from_utf8(roll(&first, &second, 7).to_vec()).unwrap();
        let cut = note.rfind("\n\u{2014} ").unwrap();
        let unsigned = bytes::Bytes::from(format!("{}\n", &note[..cut]));
        let refused = VerificationError::Log(LogError::Signature);
        assert_eq!(pin(&home, &shown, &[unsigned]), Err(refused.into()));

        let key = pin(&home, &shown, &[roll(&first, &second, 7)]).unwrap();
        assert!(opens(&key, &second, 8) && opens(&key, &first, 7) && !opens(&key, &first, 8));
        assert_eq!(pinned_key(&home), Ok(Some(key.clone())));
        // The relay forgets the roll, or shows another of the same key: what was followed stays, and the old key has no future.
        for rolls in [vec![], vec![roll(&first, &thief, 7)], vec![roll(&first, &thief, 99)]] {
            assert_eq!(pin(&home, &shown, &rolls), Ok(key.clone()));
        }
        let both = [roll(&second, &third, 9), roll(&first, &second, 7)];
        let key = pin(&home, &shown, &both).unwrap();
        assert!(opens(&key, &third, 10) && opens(&key, &second, 9) && !opens(&key, &second, 10));
        // Who comes later learns all of it at once.
        let folder = testing::folder("pin-late");
        let late = testing::home(&folder, &world().recipient);
        assert_eq!(pin(&late, &shown, &both), Ok(key));
    }
}
