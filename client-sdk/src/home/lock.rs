//! One process at a time does a thing with a HOME.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use super::{Home, LOCKS};
use crate::error::{ConfigError, SdkError};
use crate::files;

/// What is locked. Sending, receiving and reading the feed don't disturb one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Outbox, `sent/`, archive.
    Send,
    /// Parcels half fetched.
    Receive,
    /// The feed's cursor.
    Feed,
    /// The checkpoints seen; held for moments only. One for all offices of a proxy.
    Checkpoints,
    /// What the log lost; held for moments only.
    Epochs,
    /// What a witness has vouched for.
    Witness,
}

impl Task {
    fn file(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Receive => "receive",
            Self::Feed => "feed",
            Self::Checkpoints => "checkpoints",
            Self::Epochs => "epochs",
            Self::Witness => "witness",
        }
    }
}

/// Held until dropped, or until the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "closing the file gives the lock back")] File);

/// How long another process is waited for: a sending of a few parcels takes less.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often a lock is tried.
const STEP: Duration = Duration::from_millis(100);

impl Home {
    /// Takes the lock, waiting a while for another process.
    pub(crate) async fn lock(&self, task: Task) -> Result<Lock, SdkError> {
        let mut waited = Duration::ZERO;
        loop {
            match self.try_lock(task) {
                Err(SdkError::Config(ConfigError::Locked(_))) if waited < PATIENCE => {
                    tokio::time::sleep(STEP).await;
                    waited += STEP;
                }
                done => return done,
            }
        }
    }

    /// Takes the lock if nobody has it.
    pub(crate) fn try_lock(&self, task: Task) -> Result<Lock, SdkError> {
        let folder = if task == Task::Checkpoints { self.common(LOCKS) } else { self.path(LOCKS) };
        Lock::take(&self.folder, &folder, task.file())
    }
}

impl Lock {
    /// Takes a lock of a HOME if nobody has it.
    pub(crate) fn take(home: &Path, folder: &Path, name: &str) -> Result<Self, SdkError> {
        files::create_private_folder(folder)?;
        let path = folder.join(name);
        let file = files::open_private(&path).map_err(|e| SdkError::io(&path, &e))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(ConfigError::Locked(home.to_owned()).into()),
            Err(TryLockError::Error(e)) => Err(SdkError::io(&path, &e)),
        }
    }
}
