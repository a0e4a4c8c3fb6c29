//! The log's key on disk: its file, the next one while the log is handed over, and the rolls that led here.
//!
//! `log.key` is the key that signs. `log.key.next` is written before a roll is committed, and takes the other's place once the
//! database holds the roll, by whoever notices first: the command, or a relay that runs or starts. `log.key.rolls` holds the rolls
//! outside the database: a database that was set back to before one must not make the relay forget which key counts.

use std::io;
use std::path::{Path, PathBuf};

use ring::rand::SystemRandom;
use tasuki_proto::log::LogSigner;
use tasuki_proto::log::roll::KeyRoll;
use zeroize::Zeroizing;

use crate::boot::{BootError, read_secret};
use crate::files::{self, Readers};

/// The key that signs, and where it came from.
#[derive(Debug)]
pub struct LogKey {
    /// The key, with the rolls that led to it.
    pub signer: LogSigner,
    /// Its file; absent in tests that need none.
    pub file: Option<PathBuf>,
}

impl From<LogSigner> for LogKey {
    fn from(signer: LogSigner) -> Self {
        Self { signer, file: None }
    }
}

/// Where the next key stands until it is the one that signs.
pub fn next_path(path: &Path) -> PathBuf {
    beside(path, "next")
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

/// Reads the key that signs now: of what stands on disk, the one to which the rolls lead that the database or the file beside
/// knows of.
///
/// # Errors
/// [`BootError`]: a file can't be read, or none of the keys is the one.
pub fn load(path: &Path, in_database: &[KeyRoll]) -> Result<LogSigner, BootError> {
    let on_disk = read_rolls(&beside(path, "rolls"))?;
    let mut all = on_disk.clone();
    all.extend(in_database.iter().filter(|roll| !on_disk.contains(roll)).cloned());
    let rolls = in_order(&all);
    let unusable = |source| BootError::LogKey { path: path.to_owned(), source };
    let signer = match read_key(path)?.with_rolls(rolls.clone()) {
        Ok(signer) => signer,
        Err(why) => {
            let next = next_path(path);
            if !next.exists() {
                return Err(unusable(why));
            }
            let signer = read_key(&next)?.with_rolls(rolls.clone()).map_err(unusable)?;
            // Only now, with the roll known, may it take the other's place.
            let moved = std::fs::rename(&next, path).and_then(|()| files::sync_folder_of(path));
            moved.map_err(|source| BootError::Secret { path: path.to_owned(), source })?;
            signer
        }
    };
    if rolls.len() > on_disk.len() {
        let lines: Vec<String> = rolls.iter().map(KeyRoll::line).collect();
        let path = beside(path, "rolls");
        let kept = files::replace(&path, (lines.join("\n") + "\n").as_bytes(), Readers::All);
        kept.map_err(|source| BootError::Secret { path, source })?;
    }
    Ok(signer)
}

/// The next key: what was prepared, or one made now. It is on disk before anything names it.
///
/// # Errors
/// [`BootError`].
pub fn prepare(path: &Path) -> Result<LogSigner, BootError> {
    let next = next_path(path);
    if !next.exists() {
        let unusable = |source| BootError::LogKey { path: next.clone(), source };
        let made = LogSigner::generate(load(path, &[])?.name(), &SystemRandom::new()).map_err(unusable)?;
        let text = Zeroizing::new(made.to_secret_text());
        let written = files::write_new(&next, text.as_bytes(), Readers::Owner)
            .and_then(|()| files::sync_folder_of(&next));
        written.map_err(|source| BootError::Secret { path: next.clone(), source })?;
    }
    read_key(&next)
}

/// Rolls as the database keeps them: one a line. A line that does not hold is left out.
pub fn parse_rolls(text: &str) -> Vec<KeyRoll> {
    text.lines().filter_map(|line| KeyRoll::from_line(line)?.ok()).collect()
}

fn read_key(path: &Path) -> Result<LogSigner, BootError> {
    let text = read_secret(path)?;
    LogSigner::from_secret_text(&String::from_utf8_lossy(&text))
        .map_err(|source| BootError::LogKey { path: path.to_owned(), source })
}

fn read_rolls(path: &Path) -> Result<Vec<KeyRoll>, BootError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(parse_rolls(&text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(BootError::Secret { path: path.to_owned(), source }),
    }
}

/// The rolls from the first key on, each behind the one that led to it.
fn in_order(rolls: &[KeyRoll]) -> Vec<KeyRoll> {
    let mut ordered: Vec<KeyRoll> = Vec::new();
    let mut next = rolls.iter().find(|roll| !rolls.iter().any(|other| other.new == roll.old));
    while let Some(roll) = next {
        ordered.push(roll.clone());
        // Each roll stands further along than the one before, so this ends.
        next = rolls.iter().find(|other| other.old == roll.new && other.until > roll.until);
    }
    ordered
}

#[cfg(test)]
mod tests {
    use tasuki_proto::log::{Hash, LogError};

    use super::*;

    fn key() -> LogSigner {
        LogSigner::generate("relay.test/log", &SystemRandom::new()).unwrap()
    }

    fn write(path: &Path, key: &LogSigner) {
        files::replace(path, key.to_secret_text().as_bytes(), Readers::Owner).unwrap();
    }

    #[test]
    fn the_next_key_takes_over_once_the_roll_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.key");
        let (first, second, third) = (key(), key(), key());
        write(&path, &first);
        write(&next_path(&path), &second);
        // Written, and not committed: nothing has changed.
        assert_eq!(load(&path, &[]).unwrap().public_hex(), first.public_hex());
        assert!(next_path(&path).exists());
        let roll = KeyRoll::make(&first, &second, (1, 7), Hash([1; 32]), false, 1).unwrap();
        let loaded = load(&path, std::slice::from_ref(&roll)).unwrap();
        assert_eq!((loaded.public_hex(), loaded.rolls()), (second.public_hex(), std::slice::from_ref(&roll)));
        assert!(!next_path(&path).exists());
        // A database that was set back knows nothing of it; the file does.
        assert_eq!(load(&path, &[]).unwrap().rolls(), std::slice::from_ref(&roll));
        // A key put back from a backup is not the one that counts.
        write(&path, &first);
        assert!(matches!(load(&path, &[]), Err(BootError::LogKey { source: LogError::Replaced, .. })));
        write(&path, &second);
        write(&next_path(&path), &third);
        let again = KeyRoll::make(&second, &third, (1, 9), Hash([2; 32]), true, 2).unwrap();
        let loaded = load(&path, &[again.clone(), roll.clone()]).unwrap();
        assert_eq!(loaded.rolls(), [roll, again]);
    }
}
