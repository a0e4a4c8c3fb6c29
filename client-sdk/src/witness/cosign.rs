//! Being a witness: look at the log, hold it against everything that was vouched for before, cosign it.
//!
//! What was vouched for last is kept in `state/witness/` of the HOME, one signed note for each epoch, and written before
//! a cosignature leaves. The relay hands out what it has of this witness's cosignatures, and the HOME keeps the newest
//! checkpoint that it has seen: where the own state went back, either still stands against a second history.

use std::path::{Path, PathBuf};

use tasuki_proto::cosignature::{Cosigner, WitnessKey};
use tasuki_proto::log::Checkpoint;
use tasuki_proto::pb;

use crate::blocking;
use crate::checkpoints;
use crate::client::Client;
use crate::error::{ConfigError, SdkError, VerificationError, words};
use crate::files::{self, Access};
use crate::home::{Task, WITNESS, WITNESS_KEY};

/// An unchanged tree is vouched for again after this long: so that a witness at work is told from one that is gone.
const AGAIN_S: u64 = 60 * 60;

/// A witness at work with a HOME.
#[derive(Debug)]
pub struct Witness {
    client: Client,
    cosigner: Cosigner,
}

/// What a look at the log came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigned {
    /// Epoch of the log.
    pub epoch: u64,
    /// Leaves of its tree.
    pub size: u64,
    /// When it was vouched for, Unix seconds.
    pub time_s: u64,
    /// False: that was done before, and nothing is new.
    pub is_new: bool,
    /// The own state was behind what the relay has of this witness: it was set back, or lost.
    pub state_went_back: bool,
}

impl Client {
    /// Makes this HOME a witness: its key is in `witness.key`. Without one, a new key is made for a witness of this `name`.
    ///
    /// ```no_run
    /// # async fn run(client: tasuki_sdk::Client) -> Result<(), tasuki_sdk::SdkError> {
    /// let witness = client.witness(Some("witness.example/1"))?;
    /// println!("for relay.toml and config.toml: {}", witness.key().vkey());
    /// let cosigned = witness.look().await?;
    /// println!("vouched for {} leaves of epoch {}", cosigned.size, cosigned.epoch);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// There is no key and no name, the name is none, or it is not that of the key; a file can't be read or written.
    pub fn witness(&self, name: Option<&str>) -> Result<Witness, SdkError> {
        let path = self.home().path(WITNESS_KEY);
        let cosigner = match files::read_if_exists(&path)? {
            Some(text) => read_key(path, &text)?,
            None => self.make_key(&path, name)?,
        };
        if name.is_some_and(|name| name != cosigner.key().name()) {
            let own = cosigner.key().name();
            let message = words(
                format!("このHOMEの立会人の名前は {own} です"),
                format!("the witness of this HOME is named {own}"),
            );
            return Err(ConfigError::Argument(message).into());
        }
        Ok(Witness { client: self.clone(), cosigner })
    }

    fn make_key(&self, path: &Path, name: Option<&str>) -> Result<Cosigner, SdkError> {
        let message = || {
            words(
                "立会人の名前を --name で指定してください（例: witness.example/1。空白と + は使えません）",
                "name the witness with --name, such as witness.example/1, without spaces and +",
            )
        };
        let new = name.and_then(|name| Cosigner::generate(name, &self.inner.rng).ok());
        let new = new.ok_or_else(|| ConfigError::Argument(message()))?;
        files::write_durably(path, new.to_secret_text().as_bytes(), Access::Owner)?;
        Ok(new)
    }
}

fn read_key(path: PathBuf, text: &[u8]) -> Result<Cosigner, SdkError> {
    let read = std::str::from_utf8(text).ok().and_then(|text| Cosigner::from_secret_text(text).ok());
    let message = || words("立会人の鍵ではありません", "not a witness's key");
    Ok(read.ok_or_else(|| ConfigError::File { path, message: message() })?)
}

impl Witness {
    /// The public key: what relay and offices are told.
    pub fn key(&self) -> &WitnessKey {
        self.cosigner.key()
    }

    /// Looks at the log once and vouches for it, if it goes on from everything that was vouched for before.
    ///
    /// # Errors
    /// The relay can't be reached or refuses; its log contradicts what was seen or vouched for: an alarm.
    pub async fn look(&self) -> Result<Cosigned, SdkError> {
        let client = &self.client;
        let _lock = client.home().lock(Task::Witness).await?;
        let caller = &client.inner.caller;
        let answer = caller.repeat(|| {
            let mut log = caller.log();
            async move { log.get_checkpoint(pb::GetCheckpointRequest { epoch: 0 }).await }
        });
        let answer = answer.await?;
        // Consistent with the newest that this HOME has seen, and kept there before anything is signed.
        let checkpoint = client.admit(&answer.checkpoint).await?;
        self.refuse_earlier_epoch(checkpoint.epoch)?;
        let mut last = self.last(checkpoint.epoch)?;
        let mut state_went_back = false;
        for note in &answer.cosigned {
            if let Some(own) = self.own(note)?.filter(|own| own.epoch == checkpoint.epoch) {
                let behind = last.as_ref().is_none_or(|last| last.size < own.size);
                if let (true, Some(last)) = (behind, &last) {
                    checkpoints::consistency(caller, last, &own).await?;
                }
                if behind {
                    (last, state_went_back) = (Some(own), true);
                }
            }
        }
        let now_s = u64::try_from(client.now_us() / 1_000_000).unwrap_or(0);
        if let Some(last) = &last {
            // A slower relay of the same log shows less: there is nothing to vouch for.
            checkpoints::consistency(caller, last, &checkpoint).await?;
            let time_s = self.time_of(last)?;
            let is_done = last.size == checkpoint.size && now_s < time_s.saturating_add(AGAIN_S);
            let is_known = answer
                .cosigned
                .iter()
                .any(|note| matches!(self.own(note), Ok(Some(own)) if own.size == last.size));
            if last.size > checkpoint.size || (is_done && is_known) {
                let (epoch, size) = (last.epoch, last.size);
                return Ok(Cosigned { epoch, size, time_s, is_new: false, state_went_back });
            }
        }
        let note = self.cosigner.cosign(&bare(&checkpoint.note), now_s).map_err(VerificationError::Log)?;
        let (path, kept) = (self.path(checkpoint.epoch), note.clone());
        blocking::run(move || {
            files::create_private_folder(path.parent().unwrap_or(&path))?;
            files::write_durably(&path, &kept, Access::Owner)
        })
        .await?;
        let answer = caller.repeat(|| {
            let mut log = caller.log();
            let request = pb::AddCosignatureRequest { checkpoint: note.clone().into() };
            async move { log.add_cosignature(request).await }
        });
        answer.await?;
        let (epoch, size) = (checkpoint.epoch, checkpoint.size);
        Ok(Cosigned { epoch, size, time_s: now_s, is_new: true, state_went_back })
    }

    fn path(&self, epoch: u64) -> PathBuf {
        self.client.home().path(WITNESS).join(format!("e{epoch}.txt"))
    }

    /// What was vouched for last in an epoch.
    fn last(&self, epoch: u64) -> Result<Option<Checkpoint>, SdkError> {
        let path = self.path(epoch);
        let Some(note) = files::read_if_exists(&path)? else { return Ok(None) };
        // A file that can't be read is an alarm: to go on without it would be to forget.
        let message = || words("立会人の控えではありません", "not what this witness has vouched for");
        let own = self.own(&note).ok().flatten().filter(|own| own.epoch == epoch);
        own.map(Some).ok_or_else(|| VerificationError::Malformed { path, message: message() }.into())
    }

    /// A checkpoint of the log that this witness has cosigned; `None` if it has not.
    fn own(&self, note: &[u8]) -> Result<Option<Checkpoint>, SdkError> {
        let Ok(Some(_)) = self.key().cosignature(note) else { return Ok(None) };
        Ok(Some(self.client.pinned_log()?.open(note).map_err(VerificationError::Log)?))
    }

    fn time_of(&self, own: &Checkpoint) -> Result<u64, SdkError> {
        let cosignature = self.key().cosignature(&own.note).map_err(VerificationError::Log)?;
        Ok(cosignature.map_or(0, |cosignature| cosignature.time_s))
    }

    /// An epoch that has ended is not vouched for again.
    fn refuse_earlier_epoch(&self, epoch: u64) -> Result<(), SdkError> {
        let names = files::list(&self.client.home().path(WITNESS))?;
        let epochs =
            names.iter().filter_map(|name| name.strip_prefix('e')?.strip_suffix(".txt")?.parse().ok());
        match epochs.max() {
            Some(seen) if seen > epoch => Err(crate::error::Unreachable::EarlierEpoch { epoch, seen }.into()),
            _ => Ok(()),
        }
    }
}

/// The note with the log's own signature only, which stands first.
fn bare(note: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(note);
    match text.split_once("\n\n") {
        Some((body, lines)) => {
            let first = lines.split_inclusive('\n').next().unwrap_or_default();
            format!("{body}\n\n{first}").into_bytes()
        }
        None => note.to_vec(),
    }
}
