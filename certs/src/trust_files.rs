//! Trust from files: anchors, intermediates and CRLs, read from disk and read again when they change.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::SystemTime;
use std::{fs, io};

use serde::{Deserialize, Serialize};
use x509_parser::pem::Pem;

use crate::error::{CertError, CrlFault};
use crate::handover::Handover;
use crate::identity::sha256;
use crate::profile::CertificateProfile;
use crate::trust::{
    CurrentTrust, DEFAULT_MAX_INTERMEDIATES, RevocationPolicy, TrustError, TrustMaterial, TrustStore,
};

/// Largest file that is read. The largest CRLs have some tens of MiB.
const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;
/// Most files that are read, over all folders.
const MAX_FILES: usize = 4_096;
/// In a folder, files with these endings are read; others, such as a README, are passed over.
const ENDINGS: [&str; 5] = ["pem", "crt", "cer", "der", "crl"];

/// Where trust is configured to come from.
///
/// A path is a file, PEM (any number of blocks) or DER (one), or a folder, of which every file with the ending `pem`,
/// `crt`, `cer`, `der` or `crl` is read. As TOML:
///
/// ```toml
/// anchors = ["trial-ca.pem"]
/// crls = ["crls"]
///
/// [revocation]
/// max_crl_age_s = 691200
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustFiles {
    /// Trust anchors.
    pub anchors: Vec<PathBuf>,
    /// Intermediate CA certificates.
    #[serde(default)]
    pub intermediates: Vec<PathBuf>,
    /// Revocation lists.
    #[serde(default)]
    pub crls: Vec<PathBuf>,
    /// How revocation is decided.
    #[serde(default)]
    pub revocation: RevocationPolicy,
    /// How it is decided below some of the anchors: files with their certificates. Whoever makes this configuration gives them.
    #[serde(skip)]
    pub anchor_policies: Vec<(PathBuf, RevocationPolicy)>,
    /// Where certificates say whose they are.
    #[serde(default)]
    pub profile: CertificateProfile,
    /// See [`TrustMaterial::max_intermediates`].
    #[serde(default = "default_max_intermediates")]
    pub max_intermediates: u8,
}

fn default_max_intermediates() -> u8 {
    DEFAULT_MAX_INTERMEDIATES
}

/// Why trust could not be read from files.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustFilesError {
    /// A file or folder could not be read.
    #[error("{}: {kind}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What went wrong.
        kind: io::ErrorKind,
    },
    /// A file larger than 64 MiB.
    #[error("{}: larger than 64 MiB", .0.display())]
    TooLarge(PathBuf),
    /// More than 4,096 files.
    #[error("more than 4096 files")]
    TooManyFiles,
    /// A PEM file that is broken, or has a block of another kind than belongs there.
    #[error("{}: not PEM blocks of the kind that belongs here", .0.display())]
    Pem(PathBuf),
    /// A certificate that cannot be used as configured.
    #[error("{}: {error}", path.display())]
    Certificate {
        /// The file it stands in.
        path: PathBuf,
        /// What is wrong with it.
        error: CertError,
    },
    /// A CRL that cannot be read.
    #[error("{}: {fault}", path.display())]
    Crl {
        /// The file it stands in.
        path: PathBuf,
        /// What is wrong with it.
        fault: CrlFault,
    },
    /// A certificate with a policy of its own that is no trust anchor.
    #[error("{}: a certificate in it is no trust anchor", .0.display())]
    NoSuchAnchor(PathBuf),
    /// The files hold no trust anchor.
    #[error("no trust anchor is configured")]
    NoAnchor,
}

impl TrustFiles {
    /// Only these anchors, everything else as by default.
    pub fn of_anchors(anchors: Vec<PathBuf>) -> Self {
        Self {
            anchors,
            intermediates: Vec::new(),
            crls: Vec::new(),
            revocation: RevocationPolicy::default(),
            anchor_policies: Vec::new(),
            profile: CertificateProfile::default(),
            max_intermediates: DEFAULT_MAX_INTERMEDIATES,
        }
    }

    /// The same with relative paths taken from `base`, the folder of the configuration file.
    #[must_use]
    pub fn relative_to(mut self, base: &Path) -> Self {
        for path in self.anchors.iter_mut().chain(&mut self.intermediates).chain(&mut self.crls) {
            *path = base.join(&path);
        }
        self
    }

    /// Reads all files.
    pub fn load(&self) -> Result<TrustStore, TrustFilesError> {
        self.load_with(Vec::new())
    }

    /// [`TrustFiles::load`] with CAs that handed over.
    fn load_with(&self, handovers: Vec<Handover>) -> Result<TrustStore, TrustFilesError> {
        let (anchors, anchor_files) = read_all(&self.anchors, "CERTIFICATE")?;
        let (intermediates, intermediate_files) = read_all(&self.intermediates, "CERTIFICATE")?;
        let (crls, crl_files) = once(read_all(&self.crls, "X509 CRL")?);
        let anchor_policies = self.policies_of(&anchors)?;
        let material = TrustMaterial {
            anchors,
            intermediates,
            handovers,
            crls,
            profile: self.profile.clone(),
            policy: self.revocation.clone(),
            anchor_policies,
            max_intermediates: self.max_intermediates,
        };
        TrustStore::new(material).map_err(|error| match error {
            // What can't be followed is passed over; it stops nobody.
            TrustError::NoAnchor | TrustError::Handover => TrustFilesError::NoAnchor,
            TrustError::Anchor(number, error) => {
                TrustFilesError::Certificate { path: origin(&anchor_files, number), error }
            }
            TrustError::Intermediate(number, error) => {
                TrustFilesError::Certificate { path: origin(&intermediate_files, number), error }
            }
            TrustError::Crl(number, fault) => {
                TrustFilesError::Crl { path: origin(&crl_files, number), fault }
            }
        })
    }

    /// The policies of single anchors, by SHA-256 of the anchor.
    fn policies_of(&self, anchors: &[Vec<u8>]) -> Result<Vec<([u8; 32], RevocationPolicy)>, TrustFilesError> {
        let mut policies = Vec::new();
        for (path, policy) in &self.anchor_policies {
            for der in certificates_in(path)? {
                if !anchors.contains(&der) {
                    return Err(TrustFilesError::NoSuchAnchor(path.clone()));
                }
                policies.push((sha256(&der), policy.clone()));
            }
        }
        Ok(policies)
    }

    /// The files as they are on disk now: a changed list means that something may have changed.
    fn stamps(&self) -> Result<Vec<Stamp>, TrustFilesError> {
        let paths = self.anchors.iter().chain(&self.intermediates).chain(&self.crls);
        let mut stamps = Vec::new();
        for path in paths {
            for file in files_of(path)? {
                let metadata = fs::metadata(&file).map_err(|error| io_error(&file, &error))?;
                stamps.push(Stamp { len: metadata.len(), modified: metadata.modified().ok(), path: file });
            }
        }
        Ok(stamps)
    }
}

/// One file as the directory shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    path: PathBuf,
    len: u64,
    modified: Option<SystemTime>,
}

/// What a list of paths holds: DER, and beside each the file it came from.
fn read_all(paths: &[PathBuf], label: &str) -> Result<(Vec<Vec<u8>>, Vec<PathBuf>), TrustFilesError> {
    let (mut ders, mut origins) = (Vec::new(), Vec::new());
    for path in paths {
        for file in files_of(path)? {
            let found = ders_of(&file, label)?;
            origins.extend(found.iter().map(|_| file.clone()));
            ders.extend(found);
        }
    }
    Ok((ders, origins))
}

/// The same without those that stand there twice: a list may be in a file and be fetched.
fn once((ders, origins): (Vec<Vec<u8>>, Vec<PathBuf>)) -> (Vec<Vec<u8>>, Vec<PathBuf>) {
    let mut seen = HashSet::new();
    ders.into_iter().zip(origins).filter(|(der, _)| seen.insert(sha256(der))).unzip()
}

fn origin(files: &[PathBuf], number: usize) -> PathBuf {
    files.get(number).cloned().unwrap_or_default()
}

/// The certificates in one file, PEM or DER, each as DER; none of them has been judged.
pub fn certificates_in(file: &Path) -> Result<Vec<Vec<u8>>, TrustFilesError> {
    ders_of(file, "CERTIFICATE")
}

/// The file itself, or the files of a folder in the order of their names.
fn files_of(path: &Path) -> Result<Vec<PathBuf>, TrustFilesError> {
    let error = |error: io::Error| io_error(path, &error);
    if !fs::metadata(path).map_err(error)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(error)? {
        let file = entry.map_err(error)?.path();
        let ending = file.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
        if ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str())) && file.is_file() {
            files.push(file);
        }
        if files.len() > MAX_FILES {
            return Err(TrustFilesError::TooManyFiles);
        }
    }
    files.sort();
    Ok(files)
}

fn ders_of(file: &Path, label: &str) -> Result<Vec<Vec<u8>>, TrustFilesError> {
    let error = |error: io::Error| io_error(file, &error);
    if fs::metadata(file).map_err(error)?.len() > MAX_FILE_BYTES {
        return Err(TrustFilesError::TooLarge(file.to_owned()));
    }
    let bytes = fs::read(file).map_err(error)?;
    // A DER certificate or CRL begins with SEQUENCE, which PEM text cannot.
    if bytes.first() == Some(&0x30) {
        return Ok(vec![bytes]);
    }
    let malformed = || TrustFilesError::Pem(file.to_owned());
    let blocks = Pem::iter_from_buffer(&bytes).collect::<Result<Vec<_>, _>>().map_err(|_| malformed())?;
    if blocks.is_empty() || blocks.iter().any(|block| block.label != label) {
        return Err(malformed());
    }
    Ok(blocks.into_iter().map(|block| block.contents).collect())
}

fn io_error(path: &Path, error: &io::Error) -> TrustFilesError {
    TrustFilesError::Io { path: path.to_owned(), kind: error.kind() }
}

/// A [`TrustStore`] that follows its files, as often as [`TrustWatch::reload_if_changed`] is called.
pub struct TrustWatch {
    files: TrustFiles,
    current: RwLock<Arc<TrustStore>>,
    seen: Mutex<Seen>,
    handovers: Mutex<Vec<Handover>>,
}

/// What the last look at the files showed.
struct Seen {
    stamps: Vec<Stamp>,
    /// The contents were read at least once after these stamps had been seen before: a file that was written again
    /// within the resolution of its time stamp has been read, too.
    settled: bool,
}

impl TrustWatch {
    /// Reads the files for the first time.
    pub fn load(files: TrustFiles) -> Result<Self, TrustFilesError> {
        let stamps = files.stamps()?;
        let store = files.load()?;
        let seen = Seen { stamps, settled: false };
        Ok(Self {
            files,
            current: RwLock::new(Arc::new(store)),
            seen: Mutex::new(seen),
            handovers: Mutex::default(),
        })
    }

    /// The snapshot to use now.
    pub fn current(&self) -> Arc<TrustStore> {
        // A poisoned lock means that a thread died around a whole assignment: the snapshot is still good.
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Where the trust comes from.
    pub fn files(&self) -> &TrustFiles {
        &self.files
    }

    /// Looks at names, sizes and times of the files and, where they have changed, reads them. `true`: there is a new
    /// snapshot. On an error the old snapshot stays in force, and the next call tries again.
    pub fn reload_if_changed(&self) -> Result<bool, TrustFilesError> {
        let mut seen = lock(&self.seen);
        let stamps = self.files.stamps()?;
        let same_stamps = stamps == seen.stamps;
        if same_stamps && seen.settled {
            return Ok(false);
        }
        let current = self.current();
        let store = self
            .files
            .load_with(lock(&self.handovers).clone())?
            .following(&current)
            .with_override(current.policy().override_until_us);
        *seen = Seen { stamps, settled: same_stamps };
        if store.fingerprint() == current.fingerprint() {
            return Ok(false);
        }
        self.replace(store);
        Ok(true)
    }

    /// Puts an operator's override for stale CRLs in force until `until_us` (Unix microseconds), or ends it.
    /// See [`RevocationPolicy::override_until_us`]; recording who decided it is the caller's task.
    pub fn set_override(&self, until_us: Option<i64>) {
        let _no_reload_between = lock(&self.seen);
        let store = self.current().with_override(until_us);
        self.replace(store);
    }

    /// Follows CAs that handed over to others, beside what the files say. `true`: there is a new snapshot.
    ///
    /// # Errors
    /// A file can't be used; the old snapshot stays in force.
    pub fn set_handovers(&self, handovers: Vec<Handover>) -> Result<bool, TrustFilesError> {
        let _no_reload_between = lock(&self.seen);
        if *lock(&self.handovers) == handovers {
            return Ok(false);
        }
        let current = self.current();
        let store = self.files.load_with(handovers.clone())?.following(&current);
        self.replace(store.with_override(current.policy().override_until_us));
        *lock(&self.handovers) = handovers;
        Ok(true)
    }

    /// Has what OCSP answers have said since taken into account. `true`: there is a new snapshot.
    pub fn renew_if_answered(&self) -> bool {
        let _no_reload_between = lock(&self.seen);
        let current = self.current();
        let renewed = current.renewed();
        let is_new = renewed.fingerprint() != current.fingerprint();
        if is_new {
            self.replace(renewed);
        }
        is_new
    }

    fn replace(&self, store: TrustStore) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(store);
    }
}

impl CurrentTrust for TrustWatch {
    fn current(&self) -> Arc<TrustStore> {
        Self::current(self)
    }
}

impl CurrentTrust for Arc<TrustWatch> {
    fn current(&self) -> Arc<TrustStore> {
        TrustWatch::current(self)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
