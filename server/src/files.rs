//! Files that the relay writes: whole or not at all, and secrets for their owner only.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Drafts of [`replace`] that this process has begun.
static DRAFTS: AtomicU64 = AtomicU64::new(0);

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Its owner.
    Owner,
    /// Everybody.
    All,
}

/// Makes a folder that only its owner may enter, with the folders above it.
///
/// # Errors
/// If it can't be made.
pub fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Writes a file that must not exist yet, and syncs it.
///
/// # Errors
/// `AlreadyExists` leaves the file that is there alone.
pub fn write_new(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    let mut file = create_new(path, readers)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes a file that must not exist yet, to be written piece by piece and synced by the caller.
///
/// # Errors
/// `AlreadyExists` leaves the file that is there alone.
pub fn create_new(path: &Path, readers: Readers) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    restrict(&mut options, readers);
    options.open(path)
}

/// Puts a file in the place of another: readers see the old one or the new one, also after a crash.
///
/// # Errors
/// If it can't be written; the old file is still there then.
pub fn replace(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // A dot in front: folders of revocation lists are read by whoever passes by. The number: a command and the relay, or two threads of
    // one of them, may write the same file at once, and each needs its own draft.
    let draft = DRAFTS.fetch_add(1, Ordering::Relaxed);
    let new = folder.join(format!(".{name}.{}-{draft}.new", std::process::id()));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    restrict(&mut options, readers);
    let mut file = options.open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    sync_folder(folder)
}

/// Adds a line to a file, and syncs it.
///
/// # Errors
/// If it can't be written.
pub fn append_line(path: &Path, line: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    restrict(&mut options, Readers::Owner);
    let mut file = options.open(path)?;
    file.write_all(format!("{line}\n").as_bytes())?;
    file.sync_all()
}

/// Whether others than the owner may read a secret.
///
/// # Errors
/// If the file can't be looked at.
#[cfg(unix)]
pub fn readable_by_others(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs::metadata(path)?.permissions().mode() & 0o077 != 0)
}

/// Whether others than the owner may read a secret. Only Unix tells.
///
/// # Errors
/// If the file can't be looked at.
#[cfg(not(unix))]
pub fn readable_by_others(path: &Path) -> io::Result<bool> {
    fs::metadata(path).map(|_| false)
}

#[cfg(unix)]
fn restrict(options: &mut OpenOptions, readers: Readers) {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(match readers {
        Readers::Owner => 0o600,
        Readers::All => 0o644,
    });
}

#[cfg(not(unix))]
fn restrict(_options: &mut OpenOptions, _readers: Readers) {}

/// Makes durable what a folder's entries are.
///
/// # Errors
/// If it can't be synced.
#[cfg(unix)]
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Makes durable what the entries of a file's folder are.
///
/// # Errors
/// If it can't be synced.
pub fn sync_folder_of(path: &Path) -> io::Result<()> {
    sync_folder(path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")))
}

/// Makes durable what a folder's entries are; only Unix can be asked to.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_their_owners_only_and_nothing_is_overwritten() {
        let folder = std::env::temp_dir().join(format!("tasuki-files-{}", std::process::id()));
        make_folder(&folder).unwrap();
        let path = folder.join("secret");
        write_new(&path, b"one", Readers::Owner).unwrap();
        assert!(!readable_by_others(&path).unwrap());
        let error = write_new(&path, b"two", Readers::Owner).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        replace(&path, b"three", Readers::All).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"three");
        assert!(readable_by_others(&path).unwrap());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "no temporary file is left");
        fs::remove_dir_all(&folder).unwrap();
    }
}
