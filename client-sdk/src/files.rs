//! Files that survive a crash: written under another name, synced, renamed.
//!
//! On Unix everything inside HOME is the owner's only (0700, 0600), and folders are synced too; elsewhere the
//! folder's own permissions count, and renaming is as durable as the file system makes it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::error::SdkError;

/// Suffix of a file that is being written. What a crash leaves under it is never read.
pub(crate) const UNFINISHED: &str = ".unfinished";

/// Who may read what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// The owner only.
    Owner,
    /// As the system's defaults say: what users work with.
    Default,
}

/// Makes a folder and those above it; new ones are the owner's only.
pub(crate) fn create_private_folder(path: &Path) -> Result<(), SdkError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(path).map_err(|e| SdkError::io(path, &e))
}

/// Writes a whole file: afterwards it is the old one or the new one, never half, also after a power cut.
pub(crate) fn write_durably(path: &Path, content: &[u8], access: Access) -> Result<(), SdkError> {
    let unfinished = unfinished(path);
    write_new(&unfinished, content, access).map_err(|e| SdkError::io(&unfinished, &e))?;
    fs::rename(&unfinished, path).map_err(|e| SdkError::io(path, &e))?;
    sync_folder_of(path)
}

/// Writes a whole file that nobody misses: after a power cut it may be the old one, an empty one, or none.
pub(crate) fn write_lightly(path: &Path, content: &[u8], access: Access) -> Result<(), SdkError> {
    let unfinished = unfinished(path);
    let write = || create(&unfinished, access)?.write_all(content);
    write().map_err(|e| SdkError::io(&unfinished, &e))?;
    fs::rename(&unfinished, path).map_err(|e| SdkError::io(path, &e))
}

/// Writes and syncs a file under its own name; the caller renames what holds it.
pub(crate) fn write_synced(path: &Path, content: &[u8], access: Access) -> Result<(), SdkError> {
    write_new(path, content, access).map_err(|e| SdkError::io(path, &e))
}

fn write_new(path: &Path, content: &[u8], access: Access) -> io::Result<()> {
    let mut file = create(path, access)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Opens a file for writing, empty.
pub(crate) fn create(path: &Path, access: Access) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    restrict(&mut options, access);
    options.open(path)
}

/// Opens a file for reading and writing as it is; makes it if need be.
pub(crate) fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    restrict(&mut options, Access::Owner);
    options.open(path)
}

/// Refuses a secret that others than its owner may read.
#[cfg(unix)]
pub(crate) fn must_be_private(path: &Path) -> Result<(), SdkError> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(path).map_err(|e| SdkError::io(path, &e))?.permissions().mode();
    let others = mode & 0o077;
    if others != 0 {
        return Err(crate::error::ConfigError::Readable(path.to_owned()).into());
    }
    Ok(())
}

/// Refuses a secret that others than its owner may read. Only Unix tells; on Windows the folder's own permissions count.
#[cfg(not(unix))]
pub(crate) fn must_be_private(_path: &Path) -> Result<(), SdkError> {
    Ok(())
}

#[cfg(unix)]
fn restrict(options: &mut OpenOptions, access: Access) {
    use std::os::unix::fs::OpenOptionsExt as _;
    if access == Access::Owner {
        options.mode(0o600);
    }
}

#[cfg(not(unix))]
fn restrict(_options: &mut OpenOptions, _access: Access) {}

fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    // Two processes may write the same file; each needs its own draft.
    name.push(format!(".{}{UNFINISHED}", std::process::id()));
    PathBuf::from(name)
}

/// Makes renames and removals inside the folder of `path` durable.
pub(crate) fn sync_folder_of(path: &Path) -> Result<(), SdkError> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => sync_folder(folder),
        _ => sync_folder(Path::new(".")),
    }
}

/// Makes renames and removals inside a folder durable.
#[cfg(unix)]
pub(crate) fn sync_folder(folder: &Path) -> Result<(), SdkError> {
    File::open(folder).and_then(|f| f.sync_all()).map_err(|e| SdkError::io(folder, &e))
}

/// Windows can't sync a folder; NTFS journals names itself.
#[cfg(not(unix))]
pub(crate) fn sync_folder(_folder: &Path) -> Result<(), SdkError> {
    Ok(())
}

/// Removes a file, durably; it is no error if there is none.
pub(crate) fn remove(path: &Path) -> Result<(), SdkError> {
    match fs::remove_file(path) {
        Ok(()) => sync_folder_of(path),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(SdkError::io(path, &e)),
    }
}

/// Removes a file; after a power cut it may be there again. It is no error if there is none.
pub(crate) fn discard(path: &Path) -> Result<(), SdkError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(SdkError::io(path, &e)),
        _ => Ok(()),
    }
}

/// Reads a whole file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, SdkError> {
    fs::read(path).map_err(|e| SdkError::io(path, &e))
}

/// Reads a whole file; `None` if there is none.
pub(crate) fn read_if_exists(path: &Path) -> Result<Option<Vec<u8>>, SdkError> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(SdkError::io(path, &e)),
    }
}

/// Reads a file of at most `limit` bytes; `None` if it is longer.
pub(crate) fn read_at_most(path: &Path, limit: usize) -> Result<Option<Vec<u8>>, SdkError> {
    let read = || -> io::Result<Vec<u8>> {
        let file = File::open(path)?;
        let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        // With room for what it has, and to see that there is no more: one read, and one that finds the end.
        let room = file.metadata()?.len().saturating_add(1).min(bound);
        let mut content = Vec::with_capacity(usize::try_from(room).unwrap_or(0));
        file.take(bound).read_to_end(&mut content)?;
        Ok(content)
    };
    let content = read().map_err(|e| SdkError::io(path, &e))?;
    Ok((content.len() <= limit).then_some(content))
}

/// [`read_at_most`] of a file that had `size` bytes a moment ago: if it still has, one read does.
pub(crate) fn read_of_size(path: &Path, size: u64, limit: usize) -> Result<Option<Vec<u8>>, SdkError> {
    let Ok(expected) = usize::try_from(size) else { return Ok(None) };
    if expected > limit {
        return Ok(None);
    }
    // With room for one byte more, that is left empty where the file ends.
    let mut content = vec![0; expected + 1];
    let read = File::open(path).and_then(|mut file| file.read(&mut content));
    if read.map_err(|e| SdkError::io(path, &e))? == expected {
        content.truncate(expected);
        return Ok(Some(content));
    }
    read_at_most(path, limit)
}

/// Names of the files in a folder, sorted, without unfinished ones; none if there is no such folder.
pub(crate) fn list(folder: &Path) -> Result<Vec<String>, SdkError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(SdkError::io(folder, &e)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(|e| SdkError::io(folder, &e))?.file_name();
        // What this library writes is ASCII; anything else is not its own.
        if let Some(name) = name.to_str().filter(|n| !n.ends_with(UNFINISHED)) {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Whether there is nothing at a path, or an empty folder.
pub(crate) fn is_empty_or_missing(folder: &Path) -> Result<bool, SdkError> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(e) => Err(SdkError::io(folder, &e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_file_replaces_the_old_one_and_leaves_no_draft() {
        let folder = crate::testing::folder("files");
        let path = folder.path().join("state.json");
        write_durably(&path, b"one", Access::Owner).unwrap();
        write_durably(&path, b"two", Access::Owner).unwrap();
        assert_eq!(read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        std::fs::write(folder.path().join("x.1.unfinished"), b"half").unwrap();
        assert_eq!(list(folder.path()).unwrap(), ["state.json"]);
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert_eq!(read_if_exists(&path).unwrap(), None);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_private_is_the_owners_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = crate::testing::folder("files-mode");
        let private = folder.path().join("home");
        create_private_folder(&private).unwrap();
        write_durably(&private.join("key"), b"secret", Access::Owner).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&private), mode(&private.join("key"))), (0o700, 0o600));
    }

    #[test]
    fn a_bound_on_reading_holds() {
        let folder = crate::testing::folder("files-bound");
        let path = folder.path().join("f");
        fs::write(&path, [0; 10]).unwrap();
        assert_eq!(read_at_most(&path, 10).unwrap().map(|c| c.len()), Some(10));
        assert_eq!(read_at_most(&path, 9).unwrap(), None);
        // Whatever somebody believed of its length.
        for size in [0, 9, 10, 11, 99] {
            assert_eq!(read_of_size(&path, size, 100).unwrap(), read_at_most(&path, 100).unwrap(), "{size}");
        }
        assert_eq!(read_of_size(&path, 10, 9).unwrap(), None);
        assert_eq!(read_of_size(&path, 5, 9).unwrap(), None);
    }
}
