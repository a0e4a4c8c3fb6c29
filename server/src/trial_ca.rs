//! The relay's own CA for trials: certificate and key, and a register of what was issued and revoked.
//!
//! Commands and a running relay may use it at once: whoever changes the register holds its lock file.

mod issued;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tasuki_certs::trial_ca::{Revocation, RevocationReason, TrialCa, TrialCaError};
use tasuki_proto::canonical::hex;
use tasuki_proto::event::sha256;
use tasuki_proto::time;

pub use self::issued::{IssuedEntry, Wanted};
use crate::config::TrialCaConfig;
use crate::files::{self, Readers};

const ISSUED: &str = "issued.jsonl";
const REVOKED: &str = "revoked.json";
const LOCK: &str = "lock";

/// A running relay writes a new list when the last one is this old.
const REFRESH_US: i64 = DAY_US;
const DAY_US: i64 = 86_400 * 1_000_000;

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

/// What stands on the revocation list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Revoked {
    crl_number: u32,
    /// When the last list was made, Unix microseconds.
    listed_us: i64,
    certificates: Vec<RevokedEntry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct RevokedEntry {
    serial: String,
    since_us: i64,
    reason: Reason,
    /// The log holds the event.
    #[serde(default)]
    logged: bool,
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

/// The CA on disk.
#[derive(Debug)]
pub struct TrialCaFiles {
    config: TrialCaConfig,
}

impl TrialCaFiles {
    /// Makes a new CA with its first, empty revocation list.
    ///
    /// # Errors
    /// [`CaError`]; an existing CA is left alone.
    pub fn create(config: TrialCaConfig, name: &str, now_us: i64) -> Result<Self, CaError> {
        let ca = TrialCa::create(name, now_us)?;
        let made = Self { config };
        let register = &made.config.register;
        files::make_folder(register).map_err(|source| CaError::File { path: register.clone(), source })?;
        write_ca(&ca, &made.config.certificate, &made.config.key)?;
        made.write_crl(&ca, Revoked::default(), now_us)?;
        Ok(made)
    }

    /// An existing CA.
    pub fn open(config: TrialCaConfig) -> Self {
        Self { config }
    }

    /// The key is here, so that this relay can issue. An operator may keep it elsewhere.
    pub fn can_issue(&self) -> bool {
        self.config.key.exists()
    }

    /// The CA itself.
    ///
    /// # Errors
    /// If certificate or key can't be read.
    pub fn load(&self) -> Result<TrialCa, CaError> {
        let read =
            |path: &Path| fs::read(path).map_err(|source| CaError::File { path: path.to_owned(), source });
        Ok(TrialCa::load(&read(&self.config.certificate)?, &read(&self.config.key)?)?)
    }

    /// How long certificates of this CA are good for, in microseconds.
    pub fn certificate_life_us(&self) -> i64 {
        i64::from(self.config.certificate_days) * DAY_US
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
        let _lock = self.lock()?;
        let entry = IssuedEntry {
            number: number.to_owned(),
            fingerprint: hex(&sha256(certificate)),
            serial: hex(serial),
            issued_at: time::format_us(now_us),
        };
        issued::add(&self.path(ISSUED), &entry)?;
        Ok(entry)
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
        let _lock = self.lock()?;
        let entry = issued::find(&self.path(ISSUED), wanted)?
            .ok_or_else(|| CaError::NotIssued(wanted.to_string()))?;
        let mut revoked = self.revoked()?;
        let known = revoked.certificates.iter().find(|r| r.serial == entry.serial).cloned();
        let new = known.is_none();
        let stands = known.unwrap_or_else(|| {
            let stands =
                RevokedEntry { serial: entry.serial.clone(), since_us: now_us, reason, logged: false };
            revoked.certificates.push(stands.clone());
            stands
        });
        let list = self.write_crl(&self.load()?, revoked, now_us)?;
        let RevokedEntry { since_us, reason, logged, .. } = stands;
        Ok(RevokedCertificate { entry, since_us, reason, new, logged, list })
    }

    /// Remembers that the log holds the event of a revocation.
    ///
    /// # Errors
    /// If the register can't be read or written.
    pub fn logged(&self, serial: &str) -> Result<(), CaError> {
        let _lock = self.lock()?;
        let mut revoked = self.revoked()?;
        for entry in revoked.certificates.iter_mut().filter(|entry| entry.serial == serial) {
            entry.logged = true;
        }
        self.write_register(&revoked)
    }

    /// Writes a new list.
    ///
    /// # Errors
    /// If files can't be read or written.
    pub fn publish(&self, now_us: i64) -> Result<PublishedList, CaError> {
        let _lock = self.lock()?;
        self.write_crl(&self.load()?, self.revoked()?, now_us)
    }

    /// Writes a new list if the last one is older than a day, or gone. Returns whether it did.
    ///
    /// # Errors
    /// If files can't be read or written.
    pub fn refresh(&self, now_us: i64) -> Result<bool, CaError> {
        let _lock = self.lock()?;
        let revoked = self.revoked()?;
        let fresh = (revoked.listed_us..revoked.listed_us + REFRESH_US).contains(&now_us);
        if fresh && self.config.crl.exists() {
            return Ok(false);
        }
        self.write_crl(&self.load()?, revoked, now_us)?;
        Ok(true)
    }

    fn write_crl(&self, ca: &TrialCa, mut revoked: Revoked, now_us: i64) -> Result<PublishedList, CaError> {
        revoked.crl_number += 1;
        revoked.listed_us = now_us;
        let next_us = now_us + i64::from(self.config.crl_days) * DAY_US;
        let bad_register = || CaError::Register { path: self.path(REVOKED), line: 1 };
        let entries = revoked.certificates.iter().map(|entry| {
            let serial = unhex(&entry.serial).ok_or_else(bad_register)?;
            Ok(Revocation::new(&serial, entry.since_us, entry.reason.into()))
        });
        let entries = entries.collect::<Result<Vec<_>, CaError>>()?;
        let crl = ca.crl(&entries, revoked.crl_number, now_us, next_us)?;
        // The register first: a list that says more than the register would lose it with the next list.
        self.write_register(&revoked)?;
        replace(&self.config.crl, &crl, Readers::All)?;
        Ok(PublishedList {
            path: self.config.crl.clone(),
            number: revoked.crl_number,
            certificates: entries.len(),
            next_update_us: next_us,
        })
    }

    fn write_register(&self, revoked: &Revoked) -> Result<(), CaError> {
        let text = serde_json::to_vec_pretty(revoked).expect("strings and numbers always serialise");
        replace(&self.path(REVOKED), &text, Readers::Owner)
    }

    fn revoked(&self) -> Result<Revoked, CaError> {
        let path = self.path(REVOKED);
        let bytes = fs::read(&path).map_err(|source| CaError::File { path: path.clone(), source })?;
        serde_json::from_slice(&bytes).map_err(|error| CaError::Register { path, line: error.line() })
    }

    fn lock(&self) -> Result<File, CaError> {
        let path = self.path(LOCK);
        let locked = File::options().create(true).truncate(false).write(true).open(&path);
        let locked = locked.and_then(|file| file.lock().map(|()| file));
        locked.map_err(|source| CaError::File { path, source })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.config.register.join(name)
    }
}

/// Writes a CA's certificate and key to files that don't exist yet.
///
/// # Errors
/// If they can't be written, or are there already.
pub fn write_ca(ca: &TrialCa, certificate: &Path, key: &Path) -> Result<(), CaError> {
    let file_error = |path: &Path| {
        let path = path.to_owned();
        move |source| CaError::File { path, source }
    };
    files::write_new(key, &ca.key_pem()?, Readers::Owner).map_err(file_error(key))?;
    files::write_new(certificate, &ca.cert_pem()?, Readers::All).map_err(file_error(certificate))
}

fn replace(path: &Path, bytes: &[u8], readers: Readers) -> Result<(), CaError> {
    files::replace(path, bytes, readers).map_err(|source| CaError::File { path: path.to_owned(), source })
}

/// Bytes of an even number of hexadecimal digits.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}
