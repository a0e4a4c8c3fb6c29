//! The last checkpoint, kept outside the database: how a database that was set back in time is noticed.
//!
//! One file with two slots of 4 KiB, written in turn and synced. A crash in the middle of a write leaves
//! the other slot whole, so that the newest readable checkpoint is the last or the one before. Losing the
//! file loses the protection, nothing else; the relay says so and starts a new one.
//!
//! Several processes may hold the file: a relay and administrative commands, or several relays. Each write
//! takes the file's lock, reads both slots again, and goes over the older one, so that no process can undo
//! what another has kept.

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
    key: LogVerifier,
    last: Option<Checkpoint>,
    /// What this process last wrote or read, whose signatures need no second look.
    known: [Option<Checkpoint>; 2],
}

/// What the two slots hold.
struct Slots {
    newest: Option<Checkpoint>,
    /// The slot that the next checkpoint goes into.
    next: u64,
    /// The file was made just now and has no slots yet.
    new: bool,
}

impl Witness {
    /// Opens or creates the file.
    ///
    /// # Errors
    /// If the file can't be read or written.
    pub fn open(path: &Path, key: &LogVerifier) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut witness =
            Self { path: path.to_owned(), file, key: key.clone(), last: None, known: [None, None] };
        witness.locked(|witness| {
            let slots = read_slots(&witness.file, &witness.key, &witness.known)?;
            if slots.new {
                // Both slots get their place now, so that later writes change no metadata.
                (&witness.file).write_all(&[0; 2 * SLOT])?;
            }
            witness.file.sync_all()?;
            witness.last = slots.newest;
            Ok(())
        })?;
        if let Some(folder) = path.parent() {
            sync_folder(folder)?;
        }
        Ok(witness)
    }

    /// Reads the newest checkpoint without making or changing anything; `None` if there is no file, or no
    /// readable checkpoint in it.
    ///
    /// # Errors
    /// If the file is there and can't be read.
    pub fn read(path: &Path, key: &LogVerifier) -> io::Result<Option<Checkpoint>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        file.lock_shared()?;
        let slots = read_slots(&file, key, &[]);
        file.unlock()?;
        Ok(slots?.newest)
    }

    /// The newest checkpoint that was kept, as far as this process knows.
    pub fn last(&self) -> Option<&Checkpoint> {
        self.last.as_ref()
    }

    /// Keeps a checkpoint; returns when it is durable. Another process may have kept a newer one meanwhile:
    /// that one stays, because it covers this one.
    ///
    /// # Errors
    /// If the file can't be written or synced, or holds another tree of the same size: the checkpoint must not
    /// leave the relay then.
    pub fn keep(&mut self, checkpoint: &Checkpoint) -> io::Result<()> {
        let mut slot = [0; SLOT];
        let note = &checkpoint.note;
        let length = u32::try_from(note.len()).ok().filter(|n| *n as usize <= SLOT - 4);
        let length = length.ok_or_else(|| io::Error::other("checkpoint larger than its slot"))?;
        slot[..4].copy_from_slice(&length.to_be_bytes());
        slot[4..4 + note.len()].copy_from_slice(note);
        self.locked(|witness| {
            let slots = read_slots(&witness.file, &witness.key, &witness.known)?;
            if let Some(newest) = &slots.newest
                && extent(newest) >= extent(checkpoint)
            {
                if extent(newest) == extent(checkpoint) && newest.root != checkpoint.root {
                    return Err(io::Error::other("the witness holds another tree of the same size"));
                }
                // Whoever wrote it synced it before giving the lock back.
                witness.last = slots.newest;
                return Ok(());
            }
            witness.file.seek(SeekFrom::Start(slots.next * SLOT as u64))?;
            witness.file.write_all(&slot)?;
            witness.file.sync_data()?;
            witness.known = [slots.newest, Some(checkpoint.clone())];
            witness.last = Some(checkpoint.clone());
            Ok(())
        })
    }

    /// The log's key has handed over to another.
    pub fn set_key(&mut self, key: LogVerifier) {
        self.key = key;
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Works while no other process does. The lock is held for one write and its sync.
    fn locked(&mut self, work: impl FnOnce(&mut Self) -> io::Result<()>) -> io::Result<()> {
        self.file.lock()?;
        let done = work(self);
        self.file.unlock()?;
        done
    }
}

/// Which of two checkpoints is newer: an epoch only begins when the one before has ended.
fn extent(checkpoint: &Checkpoint) -> (u64, u64) {
    (checkpoint.epoch, checkpoint.size)
}

fn read_slots(mut file: &File, key: &LogVerifier, known: &[Option<Checkpoint>]) -> io::Result<Slots> {
    let mut bytes = Vec::with_capacity(2 * SLOT);
    file.seek(SeekFrom::Start(0))?;
    file.take(2 * SLOT as u64).read_to_end(&mut bytes)?;
    file.seek(SeekFrom::Start(0))?;
    let slots: Vec<Option<Checkpoint>> = bytes.chunks(SLOT).map(|slot| read_slot(slot, key, known)).collect();
    let newest = (0..slots.len()).max_by_key(|i| slots[*i].as_ref().map(extent));
    let last = newest.and_then(|i| slots[i].clone());
    let next = u64::from(last.is_some() && newest == Some(0));
    Ok(Slots { newest: last, next, new: bytes.is_empty() })
}

/// A slot that is empty, torn, or of another key holds nothing.
fn read_slot(slot: &[u8], key: &LogVerifier, known: &[Option<Checkpoint>]) -> Option<Checkpoint> {
    let (length, rest) = slot.split_first_chunk::<4>()?;
    let note = rest.get(..u32::from_be_bytes(*length) as usize)?;
    let known = known.iter().flatten().find(|checkpoint| checkpoint.note == note);
    known.cloned().or_else(|| key.open(note).ok())
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
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

    fn key() -> LogSigner {
        LogSigner::generate("relay.test/log", &ring::rand::SystemRandom::new()).unwrap()
    }

    fn checkpoint(key: &LogSigner, size: u64) -> Checkpoint {
        key.verifier().open(&key.sign(1, size, Hash([1; 32])).unwrap()).unwrap()
    }

    #[test]
    fn the_newest_survives_reopening_and_a_torn_write() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("witness");
        let key = key();
        assert_eq!(Witness::read(&path, &key.verifier()).unwrap(), None);
        assert!(!path.exists(), "reading makes no file");
        let mut witness = Witness::open(&path, &key.verifier()).unwrap();
        assert_eq!(witness.last(), None);
        for size in 1..=5 {
            witness.keep(&checkpoint(&key, size)).unwrap();
            let again = Witness::open(&path, &key.verifier()).unwrap();
            assert_eq!(again.last().unwrap().size, size);
            assert_eq!(Witness::read(&path, &key.verifier()).unwrap().unwrap().size, size);
        }
        // Size 5 is in slot 0: tear it.
        let mut file = OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all(&[0xff; 100]).unwrap();
        let mut torn = Witness::open(&path, &key.verifier()).unwrap();
        assert_eq!(torn.last().unwrap().size, 4);
        torn.keep(&checkpoint(&key, 6)).unwrap();
        assert_eq!(Witness::open(&path, &key.verifier()).unwrap().last().unwrap().size, 6);
    }

    #[test]
    fn one_process_does_not_undo_what_another_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("witness");
        let key = key();
        let mut relay = Witness::open(&path, &key.verifier()).unwrap();
        let mut command = Witness::open(&path, &key.verifier()).unwrap();
        // Each believes that its own slot is next: without a second look they would meet in one slot.
        relay.keep(&checkpoint(&key, 1)).unwrap();
        command.keep(&checkpoint(&key, 2)).unwrap();
        relay.keep(&checkpoint(&key, 3)).unwrap();
        // A late word about less is covered already.
        command.keep(&checkpoint(&key, 2)).unwrap();
        assert_eq!(command.last().unwrap().size, 3);
        // Tearing the newest leaves the one before, not an older one.
        let newest = Witness::open(&path, &key.verifier()).unwrap();
        assert_eq!(newest.last().unwrap().size, 3);
        OpenOptions::new().write(true).open(&path).unwrap().write_all(&[0xff; 100]).unwrap();
        assert_eq!(Witness::read(&path, &key.verifier()).unwrap().unwrap().size, 2);
    }

    #[test]
    fn another_tree_of_the_same_size_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("witness");
        let key = key();
        let mut witness = Witness::open(&path, &key.verifier()).unwrap();
        witness.keep(&checkpoint(&key, 1)).unwrap();
        witness.keep(&checkpoint(&key, 1)).unwrap();
        let other = key.verifier().open(&key.sign(1, 1, Hash([2; 32])).unwrap()).unwrap();
        witness.keep(&other).unwrap_err();
        assert_eq!(Witness::read(&path, &key.verifier()).unwrap().unwrap().root, Hash([1; 32]));
    }

    #[test]
    fn many_writers_at_once_leave_the_newest() {
        const EACH: u64 = 25;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("witness");
        let key = key();
        let checkpoints: Vec<Checkpoint> = (1..=4 * EACH).map(|size| checkpoint(&key, size)).collect();
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let (path, key, checkpoints) = (&path, key.verifier(), &checkpoints);
                scope.spawn(move || {
                    let mut witness = Witness::open(path, &key).unwrap();
                    for turn in 0..EACH {
                        let mine = &checkpoints[usize::try_from(turn * 4 + writer).unwrap()];
                        witness.keep(mine).unwrap();
                        let kept = Witness::read(path, &key).unwrap().unwrap();
                        assert!(kept.size >= mine.size, "{} was kept, {} is there", mine.size, kept.size);
                    }
                });
            }
        });
        assert_eq!(Witness::read(&path, &key.verifier()).unwrap().unwrap().size, 4 * EACH);
    }
}
