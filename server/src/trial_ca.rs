//! The relay's own CA for trials: certificate and key, and a register of what was issued and revoked.
//!
//! Commands and a running relay may use it at once: whoever changes the register holds its lock file.

mod disk;
mod generation;
mod issued;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use tasuki_certs::handover::Handover;
use tasuki_certs::trial_ca::{RevocationReason, TrialCa, TrialCaError};
use tasuki_certs::trust_files::TrustFilesError;
use tasuki_proto::canonical::hex;
use tasuki_proto::event::sha256;

use self::disk::{key_place, rename, replace};
pub use self::disk::{load_ca, make_ca, write_ca};
use self::generation::Generation;
pub use self::issued::{IssuedEntry, Wanted};

use crate::config::TrialCaConfig;
use crate::files::{self, Readers};
use crate::key_file::{KeyFileError, KeyPlace};

/// Names in the register's folder.
const CURRENT: &str = "current";
const NEXT: &str = "next";
const MAKING: &str = "next.new";
const LOCK: &str = "roll.lock";
/// Names in the folder of a further key.
const CERTIFICATE: &str = "ca.pem";
const KEY: &str = "ca.key";
/// Digits of a folder's name: half a SHA-256's would do for more keys than there ever are.
const NAME_CHARS: usize = 16;

/// The trial CA can't do it.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// A file can't be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A key can't be used.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// Several relays need the next key, and it was not brought to them.
    #[error("bring the next key to every relay: tasuki-relay ca prepare")]
    NotPrepared,
    /// A next key is prepared already, and not where it is wanted.
    #[error("{0}: a next key is prepared already")]
    Prepared(PathBuf),
    /// A file holds no certificate.
    #[error(transparent)]
    Certificate(#[from] TrustFilesError),
    /// A register can't be read.
    #[error("{path}, line {line}: not an entry of this register")]
    Register {
        /// Which.
        path: PathBuf,
        /// Where.
        line: usize,
    },
    /// Certificates can't be made.
    #[error(transparent)]
    Issue(#[from] TrialCaError),
    /// This CA did not issue the certificate.
    #[error("this CA did not issue the certificate {0}")]
    NotIssued(String),
}

/// A certificate that is revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokedCertificate {
    /// As it was issued.
    pub entry: IssuedEntry,
    /// Since when, Unix microseconds.
    pub since_us: i64,
    /// Why.
    pub reason: Reason,
    /// False: it was revoked before.
    pub new: bool,
    /// The event that tells of it is in the log; see [`TrialCaFiles::logged`].
    pub logged: bool,
    /// The list that was written.
    pub list: PublishedList,
}

/// A revocation list that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedList {
    /// Where.
    pub path: PathBuf,
    /// Its number; every list has a higher one than those before it.
    pub number: u32,
    /// Certificates on it.
    pub certificates: usize,
    /// When the next one is promised, Unix microseconds.
    pub next_update_us: i64,
}

/// Why a certificate is revoked (RFC 5280, section 5.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// No reason is stated.
    #[default]
    Unspecified,
    /// The key is, or may be, in other hands.
    KeyCompromise,
    /// The office has another name or number.
    AffiliationChanged,
    /// Another certificate has taken its place.
    Superseded,
    /// The office has closed.
    CessationOfOperation,
}

impl Reason {
    /// As commands and events spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "key-compromise",
            Self::AffiliationChanged => "affiliation-changed",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessation-of-operation",
        }
    }
}

impl From<Reason> for RevocationReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Unspecified => Self::Unspecified,
            Reason::KeyCompromise => Self::KeyCompromise,
            Reason::AffiliationChanged => Self::AffiliationChanged,
            Reason::Superseded => Self::Superseded,
            Reason::CessationOfOperation => Self::CessationOfOperation,
        }
    }
}

/// The CA on disk: the key that issues now, and those before it.
///
/// The first key's files are where the configuration says. Each further one has a folder in the register, named by its
/// certificate, with a register of its own, and its list beside the first one's; `current` names the one that issues. `next` is
/// a key that nothing in the log speaks of yet. Nothing is ever moved but `next`, once.
#[derive(Debug)]
pub struct TrialCaFiles {
    config: TrialCaConfig,
    held: RwLock<Held>,
}

/// Which key issues as far as a process is concerned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Held {
    /// The one that the file names.
    #[default]
    OnDisk,
    /// The one in this folder; none: the first.
    Key(Option<String>),
}

/// A key that is ready to take the CA's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// Certificate of the CA that issues now, DER.
    pub previous: Vec<u8>,
    /// Certificate of the one to come, DER.
    pub next: Vec<u8>,
    /// Its key, certified by the one that issues now, DER; absent where that key is not here.
    pub cross: Option<Vec<u8>>,
}

/// How a key of the CA stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaState {
    /// It issues.
    Issuing,
    /// It issued before another took its place.
    Before,
    /// An emergency ended it.
    Withdrawn,
}

/// A key of the CA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaKey {
    /// SHA-256 of its certificate.
    pub fingerprint: [u8; 32],
    /// CN of its certificate.
    pub name: String,
    /// How it stands.
    pub state: CaState,
    /// When its certificate ends, Unix microseconds.
    pub not_after_us: i64,
    /// The key is here.
    pub has_key: bool,
    /// Where it is; `None`: it is not here, or its file can't be read.
    pub place: Option<KeyPlace>,
    /// Where its certificate is.
    pub certificate: PathBuf,
}

impl TrialCaFiles {
    /// Makes a new CA with its first, empty revocation list; its key where `place` says.
    ///
    /// # Errors
    /// [`CaError`]; an existing CA is left alone.
    pub fn create(config: TrialCaConfig, name: &str, place: &KeyPlace, now_us: i64) -> Result<Self, CaError> {
        Generation::create(config.clone(), name, place, now_us)?;
        Ok(Self::open(config))
    }

    /// An existing CA.
    pub fn open(config: TrialCaConfig) -> Self {
        Self { config, held: RwLock::default() }
    }

    /// Issues with what `current` names now, until the next [`TrialCaFiles::hold`]: a relay goes over to a key when it also
    /// believes what that key signs. Returns whether it went over to another.
    ///
    /// # Errors
    /// If the file can't be read.
    pub fn hold(&self) -> Result<bool, CaError> {
        let next = Held::Key(self.current_on_disk()?);
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        let changed = *held != next && *held != Held::OnDisk;
        *held = next;
        Ok(changed)
    }

    /// The key that issues is here, so that this relay can issue. An operator may keep it elsewhere.
    pub fn can_issue(&self) -> bool {
        self.current().is_ok_and(|current| current.can_issue())
    }

    /// Where its keys are, or would be: the one that issues first, then those before it.
    ///
    /// # Errors
    /// If files can't be read.
    pub fn key_files(&self) -> Result<Vec<PathBuf>, CaError> {
        Ok(self.all()?.iter().map(|one| one.key_path().to_owned()).collect())
    }

    /// The CA that issues now.
    ///
    /// # Errors
    /// If certificate or key can't be read.
    pub fn load(&self) -> Result<TrialCa, CaError> {
        self.current()?.load()
    }

    /// How long certificates of this CA are good for, in microseconds.
    pub fn certificate_life_us(&self) -> i64 {
        i64::from(self.config.certificate_days) * generation::DAY_US
    }

    /// Whether one of the keys, now or before, whose word still counts has this certificate (DER), its own or a cross certificate.
    ///
    /// # Errors
    /// If files can't be read.
    pub fn is_own(&self, certificate: &[u8]) -> Result<bool, CaError> {
        for one in self.all()?.iter().filter(|one| !one.is_withdrawn()) {
            if one.certificates()?.iter().any(|own| own == certificate) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What goes along with a certificate that was issued here (DER): certificates above it, the root last.
    ///
    /// # Errors
    /// [`CaError::NotIssued`], or if files can't be read.
    pub fn chain_of(&self, certificate: &[u8]) -> Result<Vec<Vec<u8>>, CaError> {
        let wanted = Wanted::Fingerprint(hex(&sha256(certificate)));
        match self.issuer_of(&wanted)? {
            Some(issuer) => issuer.certificates(),
            None => Err(CaError::NotIssued(wanted.to_string())),
        }
    }

    /// Registers a certificate (DER) that was issued, by the holder's number. Do it before handing the certificate out: what is not here
    /// can't be revoked.
    ///
    /// # Errors
    /// If the register can't be written.
    pub fn register(
        &self,
        number: &str,
        certificate: &[u8],
        serial: &[u8],
        now_us: i64,
    ) -> Result<IssuedEntry, CaError> {
        self.current()?.register(number, certificate, serial, now_us)
    }

    /// Revokes a certificate and writes a new list, also where it was revoked already: a crash may have come
    /// between the register and the list.
    ///
    /// # Errors
    /// [`CaError::NotIssued`], or if files can't be read or written.
    pub fn revoke(
        &self,
        wanted: &Wanted,
        reason: Reason,
        now_us: i64,
    ) -> Result<RevokedCertificate, CaError> {
        let issuer = self.issuer_of(wanted)?;
        issuer.ok_or_else(|| CaError::NotIssued(wanted.to_string()))?.revoke(wanted, reason, now_us)
    }

    /// Remembers that the log holds the event of a revocation.
    ///
    /// # Errors
    /// If the register can't be read or written.
    pub fn logged(&self, serial: &str) -> Result<(), CaError> {
        match self.issuer_of(&Wanted::Serial(serial.to_owned()))? {
            Some(issuer) => issuer.logged(serial),
            None => Ok(()),
        }
    }

    /// Writes a new list of each key. Returns that of the one that issues now.
    ///
    /// # Errors
    /// If files can't be read or written.
    pub fn publish(&self, now_us: i64) -> Result<PublishedList, CaError> {
        for before in self.all()?.iter().skip(1).filter(|one| one.lists(now_us)) {
            before.publish(now_us)?;
        }
        self.current()?.publish(now_us)
    }

    /// Writes a new list of each key whose last one is older than a day, or gone. Returns whether it did.
    ///
    /// # Errors
    /// If files can't be read or written.
    pub fn refresh(&self, now_us: i64) -> Result<bool, CaError> {
        let mut written = false;
        for (at, one) in self.all()?.iter().enumerate() {
            // The one that issues speaks up where it can't; those before do as long as their key is here.
            written |= (at == 0 || one.lists(now_us)) && one.refresh(now_us)?;
        }
        Ok(written)
    }

    /// Makes the next key, with its first, empty list, where `wanted` says or else where the key is that issues now; or takes the one
    /// that was made before and not used.
    ///
    /// # Errors
    /// If the key that issues now, or files, can't be read or written; [`CaError::Prepared`] if there is a next key already, elsewhere
    /// than wanted.
    pub fn prepare(&self, wanted: Option<&KeyPlace>, now_us: i64) -> Result<Prepared, CaError> {
        let _lock = self.lock()?;
        let (folder, current) = (self.config.register.join(NEXT), self.current()?);
        if folder.join(CERTIFICATE).exists() {
            if let Some(wanted) = wanted
                && *wanted != key_place(&folder.join(KEY))?
            {
                return Err(CaError::Prepared(folder));
            }
        } else {
            let number = self.all()?.len() + 1;
            let first = Generation::open(self.config.clone()).load_certificate()?;
            let name = format!("{} {number}", TrialCa::name_of(&first)?);
            let making = self.config.register.join(MAKING);
            let _absent = fs::remove_dir_all(&making);
            files::make_folder(&making).map_err(|source| CaError::File { path: making.clone(), source })?;
            // One that an operator keeps elsewhere says nothing about the next.
            let now = if current.can_issue() { key_place(current.key_path())? } else { KeyPlace::File };
            let place = now.next(wanted, number, "tasuki-ca");
            make_ca(&name, &place, now_us, &making.join(CERTIFICATE), &making.join(KEY))?;
            rename(&making, &folder)?;
        }
        let next = Generation::open(self.config_in(&folder, &self.config.crl));
        let certificate = next.load_certificate()?;
        let listed = Generation::open(self.config_in(&folder, &self.list_of(&name_of(&certificate))));
        listed.begin_list(now_us)?;
        let cross =
            current.can_issue().then(|| Ok::<_, CaError>(current.load()?.cross_sign(&next.load()?, now_us)?));
        Ok(Prepared { previous: current.load_certificate()?, next: certificate, cross: cross.transpose()? })
    }

    /// There is a next key.
    pub fn is_prepared(&self) -> bool {
        self.next_folder().join(CERTIFICATE).exists()
    }

    /// Where the next key is prepared.
    pub fn next_folder(&self) -> PathBuf {
        self.config.register.join(NEXT)
    }

    /// Goes over to the keys that the log names (`handovers`, in its order): the last one issues from now on, those that an
    /// emergency ended sign a last list and no more. Returns whether anything changed. A key that is not here can't issue.
    ///
    /// # Errors
    /// If files can't be read or written.
    pub fn take_over(&self, handovers: &[Handover], now_us: i64) -> Result<bool, CaError> {
        let Some(last) = handovers.last() else { return Ok(false) };
        let _lock = self.lock()?;
        let mut changed = false;
        for handover in handovers {
            changed |= self.settle(handover, now_us)?;
        }
        let name = Some(name_of(&last.next)).filter(|name| self.folder_of(name).is_dir());
        if self.current_on_disk()? != name && name.is_some() {
            let path = self.config.register.join(CURRENT);
            replace(&path, name.unwrap_or_default().as_bytes(), Readers::Owner)?;
            changed = true;
        }
        Ok(changed)
    }

    /// The key that issues by what is on disk, where the log does not name it: the database was set back to before its roll.
    ///
    /// # Errors
    /// If files can't be read.
    pub fn unannounced(&self, handovers: &[Handover]) -> Result<Option<Handover>, CaError> {
        let current = self.current()?;
        let next = current.load_certificate()?;
        let first = Generation::open(self.config.clone()).load_certificate()?;
        if next == first || handovers.iter().any(|known| known.next == next) {
            return Ok(None);
        }
        current.handover()
    }

    /// All keys, the one that issues first.
    ///
    /// # Errors
    /// If files can't be read.
    pub fn keys(&self) -> Result<Vec<CaKey>, CaError> {
        let key = |(at, one): (usize, &Generation)| {
            let certificate = one.load_certificate()?;
            let state = match at {
                _ if one.is_withdrawn() => CaState::Withdrawn,
                0 => CaState::Issuing,
                _ => CaState::Before,
            };
            Ok(CaKey {
                fingerprint: sha256(&certificate),
                name: TrialCa::name_of(&certificate)?,
                state,
                not_after_us: TrialCa::end_of_us(&certificate)?,
                has_key: one.can_issue(),
                place: key_place(one.key_path()).ok(),
                certificate: one.certificate_path().to_owned(),
            })
        };
        self.all()?.iter().enumerate().map(key).collect()
    }

    /// Brings what is on disk of one handover in order.
    fn settle(&self, handover: &Handover, now_us: i64) -> Result<bool, CaError> {
        let (folder, mut changed) = (self.folder_of(&name_of(&handover.next)), false);
        let prepared = self.config.register.join(NEXT);
        if !folder.exists() && prepared.join(CERTIFICATE).exists() {
            let waiting = Generation::open(self.config_in(&prepared, &self.config.crl));
            if waiting.load_certificate()? == handover.next {
                let before = self.generation_with(&handover.previous)?;
                waiting.keep_handover(handover, before.as_ref())?;
                rename(&prepared, &folder)?;
                changed = true;
            }
        }
        if let (Some(from_us), Some(before)) =
            (handover.withdrawn_us, self.generation_with(&handover.previous)?)
        {
            changed |= before.withdraw(from_us, now_us)?;
        }
        Ok(changed)
    }

    fn generation_with(&self, certificate: &[u8]) -> Result<Option<Generation>, CaError> {
        for one in self.all()? {
            if one.load_certificate()? == certificate {
                return Ok(Some(one));
            }
        }
        Ok(None)
    }

    fn issuer_of(&self, wanted: &Wanted) -> Result<Option<Generation>, CaError> {
        for one in self.all()? {
            if one.issued(wanted)?.is_some() {
                return Ok(Some(one));
            }
        }
        Ok(None)
    }

    fn current(&self) -> Result<Generation, CaError> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner).clone();
        let name = match held {
            Held::Key(name) => name,
            Held::OnDisk => self.current_on_disk()?,
        };
        Ok(self.generation(name.as_deref()))
    }

    fn current_on_disk(&self) -> Result<Option<String>, CaError> {
        let path = self.config.register.join(CURRENT);
        match fs::read_to_string(&path) {
            Ok(name) if is_name(name.trim()) => Ok(Some(name.trim().to_owned())),
            Ok(_) => Err(CaError::Register { path, line: 1 }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(CaError::File { path, source }),
        }
    }

    /// All keys, the one that issues first.
    fn all(&self) -> Result<Vec<Generation>, CaError> {
        let mut all = vec![self.current()?];
        let path = &self.config.register;
        let mut names = vec![None];
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(all),
            Err(source) => return Err(CaError::File { path: path.clone(), source }),
        };
        for entry in entries {
            let entry = entry.map_err(|source| CaError::File { path: path.clone(), source })?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if is_name(&name) {
                names.push(Some(name));
            }
        }
        let others = names.iter().map(|name| self.generation(name.as_deref()));
        let others: Vec<Generation> = others.filter(|one| *one != all[0]).collect();
        all.extend(others);
        Ok(all)
    }

    fn generation(&self, name: Option<&str>) -> Generation {
        Generation::open(match name {
            None => self.config.clone(),
            Some(name) => self.config_in(&self.folder_of(name), &self.list_of(name)),
        })
    }

    fn config_in(&self, folder: &Path, crl: &Path) -> TrialCaConfig {
        TrialCaConfig {
            certificate: folder.join(CERTIFICATE),
            key: folder.join(KEY),
            register: folder.to_owned(),
            crl: crl.to_owned(),
            ..self.config.clone()
        }
    }

    fn folder_of(&self, name: &str) -> PathBuf {
        self.config.register.join(name)
    }

    /// Beside the first key's list, so that whoever reads its folder finds it.
    fn list_of(&self, name: &str) -> PathBuf {
        let first = self.config.crl.file_stem().unwrap_or_default().to_string_lossy();
        self.config.crl.with_file_name(format!("{first}-{name}.crl"))
    }

    fn lock(&self) -> Result<File, CaError> {
        generation::lock(self.config.register.join(LOCK))
    }
}

/// Name of a key's folder: of its certificate (DER).
fn name_of(certificate: &[u8]) -> String {
    hex(&sha256(certificate))[..NAME_CHARS].to_owned()
}

fn is_name(text: &str) -> bool {
    text.len() == NAME_CHARS && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Bytes of an even number of hexadecimal digits.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}
