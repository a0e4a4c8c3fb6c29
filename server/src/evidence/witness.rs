//! The last checkpoint, kept outside the database: how a database that was set back in time is noticed.
//!
//! One file with two slots of 4 KiB, written in turn and synced. A crash in the middle of a write leaves
//! the other slot whole, so that the newest readable checkpoint is the last or the one before. Losing the
//! file loses the protection, nothing else; the relay says so and starts a new one.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tasuki_proto::log::{Checkpoint, LogVerifier};

/// Bytes of one slot: a checkpoint has about 250.
const SLOT: usize = 4096;

/// The file, open.
#[derive(Debug)]
pub struct Witness {
    path: PathBuf,
    file: File,
    next: u64,
    last: Option<Checkpoint>,
}

impl Witness {
    /// Opens or creates the file.
    ///
    /// # Errors
    /// If the file can't be read or written.
    pub fn open(path: &Path, key: &LogVerifier) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut bytes = Vec::with_capacity(2 * SLOT);
        (&file).take(2 * SLOT as u64).read_to_end(&mut bytes)?;
        let slots: Vec<Option<Checkpoint>> = bytes.chunks(SLOT).map(|slot| read_slot(slot, key)).collect();
        let newest = (0..slots.len()).max_by_key(|i| slots[*i].as_ref().map(|c| (c.epoch, c.size)));
        let last = newest.and_then(|i| slots[i].clone());
        let next = match (&last, newest) {
            (Some(_), Some(0)) => 1,
            _ => 0,
        };
        if bytes.is_empty() {
            // Both slots get their place now, so that later writes change no metadata.
            (&file).write_all(&[0; 2 * SLOT])?;
        }
        file.sync_all()?;
        if let Some(folder) = path.parent() {
            sync_folder(folder)?;
        }
        Ok(Self { path: path.to_owned(), file, next, last })
    }

    /// The newest checkpoint that was kept.
    pub fn last(&self) -> Option<&Checkpoint> {
        self.last.as_ref()
    }

    /// Keeps a checkpoint; returns when it is durable.
    ///
    /// # Errors
    /// If the file can't be written or synced: the checkpoint must not leave the relay then.
    pub fn keep(&mut self, checkpoint: &Checkpoint) -> io::Result<()> {
        let mut slot = [0; SLOT];
        let note = &checkpoint.note;
        let length = u32::try_from(note.len()).ok().filter(|n| *n as usize <= SLOT - 4);
        let length = length.ok_or_else(|| io::Error::other("checkpoint larger than its slot"))?;
        slot[..4].copy_from_slice(&length.to_be_bytes());
        slot[4..4 + note.len()].copy_from_slice(note);
        self.file.seek(SeekFrom::Start(self.next * SLOT as u64))?;
        self.file.write_all(&slot)?;
        self.file.sync_data()?;
        self.next = 1 - self.next;
        self.last = Some(checkpoint.clone());
        Ok(())
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A slot that is empty, torn, or of another key holds nothing.
fn read_slot(slot: &[u8], key: &LogVerifier) -> Option<Checkpoint> {
    let (length, rest) = slot.split_first_chunk::<4>()?;
    let note = rest.get(..u32::from_be_bytes(*length) as usize)?;
    key.open(note).ok()
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tasuki_proto::log::{Hash, LogSigner};

    fn checkpoint(key: &LogSigner, size: u64) -> Checkpoint {
        key.verifier().open(&key.sign(1, size, Hash([1; 32])).unwrap()).unwrap()
    }

    #[test]
    fn the_newest_survives_reopening_and_a_torn_write() {
        let folder = std::env::temp_dir().join(format!("tasuki-witness-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("witness");
        let key = LogSigner::generate("relay.test/log", &ring::rand::SystemRandom::new()).unwrap();
        let mut witness = Witness::open(&path, &key.verifier()).unwrap();
        assert_eq!(witness.last(), None);
        for size in 1..=5 {
            witness.keep(&checkpoint(&key, size)).unwrap();
            let again = Witness::open(&path, &key.verifier()).unwrap();
            assert_eq!(again.last().unwrap().size, size);
        }
        // Size 5 is in slot 0: tear it.
        let mut file = OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all(&[0xff; 100]).unwrap();
        let mut torn = Witness::open(&path, &key.verifier()).unwrap();
        assert_eq!(torn.last().unwrap().size, 4);
        torn.keep(&checkpoint(&key, 6)).unwrap();
        assert_eq!(Witness::open(&path, &key.verifier()).unwrap().last().unwrap().size, 6);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
