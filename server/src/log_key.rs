//! The log's key: its file, which holds it or names its token ([`crate::key_file`]), the next one while the log is handed over, and the
//! rolls that led here.
//!
//! `log.key` is the key that signs. `log.key.next` is written before a roll is committed, and takes the other's place once the
//! database holds the roll, by whoever notices first: the command, or a relay that runs or starts. `log.key.rolls` holds the rolls
//! outside the database: a database that was set back to before one must not make the relay forget which key counts.

use std::io;
use std::path::{Path, PathBuf};

use ring::rand::SystemRandom;
use tasuki_certs::token::Ed25519Key;
use tasuki_proto::log::roll::KeyRoll;
use tasuki_proto::log::{LogError, LogSigner};
use zeroize::Zeroizing;

use crate::boot::BootError;
use crate::files::{self, Readers};
use crate::key_file::{KeyFileError, KeyPlace, OnToken, read_secret};

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
            moved.map_err(|source| KeyFileError::File { path: path.to_owned(), source })?;
            signer
        }
    };
    if rolls.len() > on_disk.len() {
        let lines: Vec<String> = rolls.iter().map(KeyRoll::line).collect();
        let path = beside(path, "rolls");
        let kept = files::replace(&path, (lines.join("\n") + "\n").as_bytes(), Readers::All);
        kept.map_err(|source| KeyFileError::File { path, source })?;
    }
    Ok(signer)
}

/// The next key: what was prepared, or one made now, where `wanted` says or else where the key is that signs. It is on disk, or on
/// its token, before anything names it.
///
/// # Errors
/// [`BootError`]; [`BootError::Prepared`] if there is a next key already, elsewhere than wanted.
pub fn prepare(path: &Path, wanted: Option<&KeyPlace>) -> Result<LogSigner, BootError> {
    let next = next_path(path);
    if next.exists() {
        let is = read(&next)?.1;
        return match wanted {
            Some(wanted) if *wanted != is => Err(BootError::Prepared(next)),
            _ => read_key(&next),
        };
    }
    let (name, is) = read(path)?;
    let rolls = read_rolls(&beside(path, "rolls"))?.len();
    make(&next, &name, &is.next(wanted, rolls + 2, &format!("{name} log")))
}

/// Makes a log's key: its file is not there yet.
///
/// # Errors
/// [`BootError`].
pub fn make(path: &Path, name: &str, place: &KeyPlace) -> Result<LogSigner, BootError> {
    let unusable = |source| BootError::LogKey { path: path.to_owned(), source };
    let (signer, text) = match place {
        KeyPlace::File => {
            let signer = LogSigner::generate(name, &SystemRandom::new()).map_err(unusable)?;
            let text = signer.to_secret_text().ok_or(unusable(LogError::Key))?;
            (signer, text)
        }
        KeyPlace::Token(token) => {
            let key = Ed25519Key::open_or_make(token.uri().clone(), &token.pin()?);
            let signer = LogSigner::on_token(name, key.map_err(|e| token.failed(e))?).map_err(unusable)?;
            (signer, Zeroizing::new(format!("{name}+{token}")))
        }
    };
    let written =
        files::write_new(path, text.as_bytes(), Readers::Owner).and_then(|()| files::sync_folder_of(path));
    written.map_err(|source| KeyFileError::File { path: path.to_owned(), source })?;
    Ok(signer)
}

/// Where the key of this file is.
///
/// # Errors
/// [`BootError`].
pub fn place(path: &Path) -> Result<KeyPlace, BootError> {
    Ok(read(path)?.1)
}

/// Rolls as the database keeps them: one a line. A line that does not hold is left out.
pub fn parse_rolls(text: &str) -> Vec<KeyRoll> {
    text.lines().filter_map(|line| KeyRoll::from_line(line)?.ok()).collect()
}

fn read_key(path: &Path) -> Result<LogSigner, BootError> {
    let unusable = |source| BootError::LogKey { path: path.to_owned(), source };
    match read(path)? {
        (name, KeyPlace::Token(token)) => {
            let key = Ed25519Key::open(token.uri().clone(), &token.pin()?);
            LogSigner::on_token(&name, key.map_err(|e| token.failed(e))?).map_err(unusable)
        }
        (_, KeyPlace::File) => {
            let text = read_secret(path)?;
            let text = std::str::from_utf8(&text).map_err(|_| unusable(LogError::Key))?;
            LogSigner::from_secret_text(text).map_err(unusable)
        }
    }
}

/// The log's name, and where its key is: `name+base64(seed)`, or `name+` and what names a token.
fn read(path: &Path) -> Result<(String, KeyPlace), BootError> {
    let text = read_secret(path)?;
    let unusable = || BootError::LogKey { path: path.to_owned(), source: LogError::Key };
    let text = std::str::from_utf8(&text).map_err(|_| unusable())?;
    let (name, _) = text.split_once('+').ok_or_else(unusable)?;
    let place = OnToken::parse(text, path)?.map_or(KeyPlace::File, KeyPlace::Token);
    Ok((name.to_owned(), place))
}

fn read_rolls(path: &Path) -> Result<Vec<KeyRoll>, BootError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(parse_rolls(&text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(KeyFileError::File { path: path.to_owned(), source }.into()),
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
    use tasuki_proto::log::Hash;

    use super::*;

    fn key() -> LogSigner {
        LogSigner::generate("relay.test/log", &SystemRandom::new()).unwrap()
    }

    fn write(path: &Path, key: &LogSigner) {
        files::replace(path, key.to_secret_text().unwrap().as_bytes(), Readers::Owner).unwrap();
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
