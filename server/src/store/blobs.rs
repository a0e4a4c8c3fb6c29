//! Where large sealed contents stand: files in a folder, written whole and synced, each named by its SHA-256.

use std::io;
use std::path::{Path as FilePath, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{Error, ObjectStoreExt as _};
use tasuki_proto::canonical::hex;

use crate::files::sync_folder;

/// How long writing one content may take: the largest at half a megabyte a second.
const PATIENCE: Duration = Duration::from_secs(64);

/// SHA-256 of a sealed content, which is its name. No two are alike: each is sealed with a key of its own.
pub(crate) type Digest = [u8; 32];

/// The folder.
#[derive(Debug)]
pub struct Blobs {
    files: LocalFileSystem,
    folder: PathBuf,
    from_bytes: usize,
}

/// The folder, or what it holds, can't be used.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// Reading, writing or deleting.
    #[error(transparent)]
    Store(#[from] Error),
    /// What a write that was cut short left behind can't be removed.
    #[error("{0}: {1}")]
    Rest(PathBuf, io::Error),
    /// Writing took too long.
    #[error("a large content was not written in time")]
    Slow,
}

impl Blobs {
    /// Opens a folder, which must exist: where a disk is not mounted, its contents would look as if they were gone.
    /// Contents of more than `from_bytes` bytes go there.
    ///
    /// # Errors
    /// [`BlobError`] if it can't be used.
    pub fn open(folder: &FilePath, from_bytes: usize) -> Result<Self, BlobError> {
        let files = LocalFileSystem::new_with_prefix(folder)?.with_fsync(true);
        Ok(Self { files, folder: folder.to_owned(), from_bytes })
    }

    /// Whether a content of so many bytes belongs here.
    pub(super) fn take(&self, bytes: usize) -> bool {
        bytes > self.from_bytes
    }

    /// Writes a content. It is durable when this returns, with the folder's entry that leads to it.
    pub(super) async fn put(&self, digest: &Digest, content: Bytes) -> Result<(), BlobError> {
        let path = path(digest);
        let put = self.files.put(&path, content.into());
        tokio::time::timeout(PATIENCE, put).await.map_err(|_elapsed| BlobError::Slow)??;
        Ok(())
    }

    /// At most `length` bytes from `offset` on. `None`: there is no such content.
    pub(super) async fn piece(
        &self,
        digest: &Digest,
        offset: u64,
        length: usize,
    ) -> Result<Option<Vec<u8>>, BlobError> {
        let path = path(digest);
        let size = match self.files.head(&path).await {
            Ok(meta) => meta.size,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let end = size.min(offset.saturating_add(length as u64));
        if offset >= end {
            return Ok(Some(Vec::new()));
        }
        Ok(Some(self.files.get_range(&path, offset..end).await?.into()))
    }

    /// Deletes a content, durably, and what a write of it that was cut short left behind. That it is gone already is fine.
    pub(super) async fn delete(&self, digest: &Digest) -> Result<(), BlobError> {
        match self.files.delete(&path(digest)).await {
            Ok(()) | Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let folder = self.folder.join(prefix(digest));
        remove_rests(&folder, &hex(digest)).map_err(|error| BlobError::Rest(folder, error))
    }
}

/// `object_store` writes to `name#1` and renames it.
fn remove_rests(folder: &FilePath, name: &str) -> io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let rest = entry.file_name().to_string_lossy().strip_prefix(name).is_some_and(|r| r.starts_with('#'));
        if rest {
            std::fs::remove_file(entry.path())?;
        }
    }
    sync_folder(folder)
}

/// The first byte is a folder: a million files in one are slow to list.
fn prefix(digest: &Digest) -> String {
    hex(&digest[..1])
}

fn path(digest: &Digest) -> Path {
    Path::from_iter([prefix(digest), hex(digest)])
}
