//! The last good list of each address, on disk: what a restart finds, and what `doctor` tells of.
//!
//! Each address has two files, named by its SHA-256: the list itself (`….crl`), and what is known of it (`….json`). Each is replaced as a
//! whole. The list goes first: a list without its notes is used all the same.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use tasuki_proto::canonical::hex;
use tasuki_proto::event::sha256;

use crate::files::{self, Readers};

/// Files that are looked at: far more than there are addresses.
const MAX_FILES: usize = 1_024;
/// Longest file with notes.
const MAX_NOTES: u64 = 128 * 1024;

/// Who named an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Origin {
    /// The operator, in `relay.toml`.
    Configured,
    /// A certificate.
    Certificate,
}

/// What is known of an address. Times are Unix microseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Notes {
    /// Where.
    pub(crate) url: String,
    /// Who named it.
    pub(crate) origin: Origin,
    /// The CA whose list is there, DER in Base64, where a certificate named the address.
    issuer: Option<String>,
    /// The last try.
    pub(crate) tried_us: i64,
    /// Why it came to nothing: a stable word. `None`: it did not.
    pub(crate) fault: Option<String>,
    /// Tries since the last that succeeded.
    pub(crate) failures: u32,
    /// The last that succeeded.
    pub(crate) fetched_us: Option<i64>,
    /// What is held.
    pub(crate) list: Option<ListNotes>,
}

/// What is known of a list that is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ListNotes {
    /// Its CA.
    pub(crate) issuer: String,
    /// SHA-256, hexadecimal.
    pub(crate) sha256: String,
    /// Bytes.
    pub(crate) bytes: u64,
    /// When it was issued.
    pub(crate) this_update_us: i64,
    /// When the next one is promised.
    pub(crate) next_update_us: i64,
}

impl Notes {
    /// Of an address that was never tried.
    pub(crate) fn new(url: &str, origin: Origin, issuer_der: Option<&[u8]>) -> Self {
        Self {
            url: url.to_owned(),
            origin,
            issuer: issuer_der.map(|der| STANDARD.encode(der)),
            tried_us: 0,
            fault: None,
            failures: 0,
            fetched_us: None,
            list: None,
        }
    }

    /// The CA whose list is there, DER, where a certificate named the address.
    pub(crate) fn issuer_der(&self) -> Option<Vec<u8>> {
        STANDARD.decode(self.issuer.as_ref()?).ok()
    }
}

/// The folder.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    folder: PathBuf,
}

impl Kept {
    /// The folder at a path; it need not exist.
    pub(crate) fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Makes the folder where it is missing, and sets aside what a broken disk left of a list: it must not keep the relay from
    /// starting.
    pub(crate) fn prepare(&self) -> io::Result<()> {
        files::make_folder(&self.folder)?;
        for path in self.files("crl")? {
            let bytes = fs::read(&path)?;
            if !tasuki_certs::trust::is_revocation_list(&bytes) {
                tracing::error!(path = %path.display(), "a fetched revocation list on disk is broken; it is set aside and fetched again");
                fs::rename(&path, path.with_extension("broken"))?;
            }
        }
        Ok(())
    }

    /// What is known of all addresses, in their order. Notes that can't be read are passed over: they are written anew.
    pub(crate) fn notes(&self) -> io::Result<Vec<Notes>> {
        if !self.folder.exists() {
            return Ok(Vec::new());
        }
        let mut all = Vec::new();
        for path in self.files("json")? {
            if fs::metadata(&path)?.len() > MAX_NOTES {
                continue;
            }
            let read = serde_json::from_slice::<Notes>(&fs::read(&path)?);
            all.extend(read.ok().filter(|notes| self.path(&notes.url, "json") == path));
        }
        all.sort_by(|a, b| a.url.cmp(&b.url));
        Ok(all)
    }

    /// Bytes of all lists but an address's own.
    pub(crate) fn bytes_beside(&self, url: &str) -> io::Result<u64> {
        let own = self.path(url, "crl");
        let others = self.files("crl")?.into_iter().filter(|path| *path != own);
        others.map(|path| Ok(fs::metadata(path)?.len())).sum()
    }

    /// Keeps a list, durably.
    pub(crate) fn put_list(&self, url: &str, der: &[u8]) -> io::Result<()> {
        files::replace(&self.path(url, "crl"), der, Readers::All)
    }

    /// Keeps what is known of an address.
    pub(crate) fn put_notes(&self, notes: &Notes) -> io::Result<()> {
        files::replace(&self.path(&notes.url, "json"), &serde_json::to_vec(notes)?, Readers::All)
    }

    /// Forgets an address that nobody names any more, with its list.
    pub(crate) fn forget(&self, url: &str) -> io::Result<()> {
        for ending in ["json", "crl"] {
            match fs::remove_file(self.path(url, ending)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn path(&self, url: &str, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", hex(&sha256(url.as_bytes()))))
    }

    fn files(&self, ending: &str) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.folder)?.take(MAX_FILES) {
            let path = entry?.path();
            if path.extension().is_some_and(|own| own == ending) {
                found.push(path);
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_found_again_and_what_is_broken_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::at(&folder.path().join("fetched"));
        assert_eq!(kept.notes().unwrap(), []);
        kept.prepare().unwrap();
        let (one, two) = ("http://ca.example/1.crl", "http://ca.example/2.crl");
        let notes =
            [Notes::new(one, Origin::Configured, None), Notes::new(two, Origin::Certificate, Some(b"CA"))];
        for notes in &notes {
            kept.put_notes(notes).unwrap();
        }
        kept.put_list(one, b"no list").unwrap();
        assert_eq!(kept.notes().unwrap(), notes);
        assert_eq!((kept.bytes_beside(one).unwrap(), kept.bytes_beside(two).unwrap()), (0, 7));
        kept.prepare().unwrap();
        assert_eq!(kept.bytes_beside(two).unwrap(), 0, "set aside");
        fs::write(kept.path(two, "json"), b"{").unwrap();
        assert_eq!(kept.notes().unwrap(), notes[..1]);
        kept.forget(one).unwrap();
        kept.forget(one).unwrap();
        assert_eq!(kept.notes().unwrap(), []);
    }
}
