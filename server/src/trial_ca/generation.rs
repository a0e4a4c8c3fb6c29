//! One of the trial CA's keys, with what was issued and revoked under it: all that is about one CA certificate.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tasuki_certs::handover::Handover;
use tasuki_certs::trial_ca::{self, Revocation, TrialCa};
use tasuki_certs::trust_files::certificates_in;
use tasuki_proto::ca_roll;
use tasuki_proto::canonical::hex;
use tasuki_proto::event::sha256;
use tasuki_proto::time;

use super::issued::{self, IssuedEntry, Wanted};
use super::{CaError, PublishedList, Reason, RevokedCertificate, load_ca, make_ca, replace, unhex};
use crate::config::TrialCaConfig;
use crate::files::{self, Readers};
use crate::key_file::KeyPlace;

const ISSUED: &str = "issued.jsonl";
const REVOKED: &str = "revoked.json";
const LOCK: &str = "lock";
/// Cross certificates that go along with what is issued, the newest first.
const CROSSES: &str = "crosses.pem";
/// Stands where an emergency ended the CA: nothing is signed with its key any more.
const WITHDRAWN: &str = "withdrawn";

/// The handover by which it came to issue.
const HANDOVER: &str = "handover";

/// Cross certificates that go along: with more, a chain would be longer than verifiers look at (six CAs).
const MAX_CROSSES: usize = 4;

/// A running relay writes a new list when the last one is this old.
const REFRESH_US: i64 = DAY_US;
pub(super) const DAY_US: i64 = 86_400 * 1_000_000;

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

/// One CA on disk: certificate, key, what it issued and revoked, its list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Generation {
    config: TrialCaConfig,
}

impl Generation {
    /// Makes a new CA with its first, empty revocation list.
    ///
    /// # Errors
    /// [`CaError`]; an existing CA is left alone.
    pub(super) fn create(
        config: TrialCaConfig,
        name: &str,
        place: &KeyPlace,
        now_us: i64,
    ) -> Result<Self, CaError> {
        let made = Self { config };
        let register = &made.config.register;
        files::make_folder(register).map_err(|source| CaError::File { path: register.clone(), source })?;
        let ca = make_ca(name, place, now_us, &made.config.certificate, &made.config.key)?;
        made.write_crl(&ca, Revoked::default(), now_us)?;
        Ok(made)
    }

    /// An existing CA.
    pub(super) fn open(config: TrialCaConfig) -> Self {
        Self { config }
    }

    /// The key is here, so that this relay can issue. An operator may keep it elsewhere.
    pub(super) fn can_issue(&self) -> bool {
        self.config.key.exists()
    }

    /// The CA itself.
    ///
    /// # Errors
    /// If certificate or key can't be read.
    pub(super) fn load(&self) -> Result<TrialCa, CaError> {
        let ca = load_ca(&self.config.certificate, &self.config.key)?;
        Ok(ca.with_crosses(self.crosses()?))
    }

    /// Its certificate, DER.
    pub(super) fn load_certificate(&self) -> Result<Vec<u8>, CaError> {
        let path = &self.config.certificate;
        let first = certificates_in(path)?.into_iter().next();
        first.ok_or_else(|| CaError::Register { path: path.clone(), line: 1 })
    }

    /// Where its certificate is.
    pub(super) fn certificate_path(&self) -> &Path {
        &self.config.certificate
    }

    /// Where its key is, or would be.
    pub(super) fn key_path(&self) -> &Path {
        &self.config.key
    }

    /// What goes along with what it issued, DER: cross certificates, its own last.
    pub(super) fn certificates(&self) -> Result<Vec<Vec<u8>>, CaError> {
        let mut all = self.crosses()?;
        all.push(self.load_certificate()?);
        Ok(all)
    }

    fn crosses(&self) -> Result<Vec<Vec<u8>>, CaError> {
        let path = self.path(CROSSES);
        if !path.exists() {
            return Ok(Vec::new());
        }
        Ok(certificates_in(&path)?)
    }

    /// What it issued, if it did.
    pub(super) fn issued(&self, wanted: &Wanted) -> Result<Option<IssuedEntry>, CaError> {
        issued::find(&self.path(ISSUED), wanted)
    }

    /// An emergency ended it.
    pub(super) fn is_withdrawn(&self) -> bool {
        self.path(WITHDRAWN).exists()
    }

    /// It still signs lists: its key is here, no emergency ended it, and it is still valid.
    pub(super) fn lists(&self, now_us: i64) -> bool {
        let valid = || {
            self.load_certificate().and_then(|der| Ok(TrialCa::end_of_us(&der)? > now_us)).unwrap_or(false)
        };
        self.can_issue() && !self.is_withdrawn() && valid()
    }

    /// Writes its first list, unless there is one.
    pub(super) fn begin_list(&self, now_us: i64) -> Result<(), CaError> {
        if !self.path(REVOKED).exists() {
            self.write_crl(&self.load()?, Revoked::default(), now_us)?;
        }
        Ok(())
    }

    /// Keeps how it came to issue: the handover, and the cross certificates that go along with what it issues.
    pub(super) fn keep_handover(&self, handover: &Handover, before: Option<&Self>) -> Result<(), CaError> {
        replace(&self.path(HANDOVER), ca_roll::line(handover).as_bytes(), Readers::Owner)?;
        let Some(cross) = &handover.cross else { return Ok(()) };
        let earlier = before.map(Self::crosses).transpose()?.unwrap_or_default();
        let crosses: Vec<Vec<u8>> = std::iter::once(cross.clone()).chain(earlier).take(MAX_CROSSES).collect();
        replace(&self.path(CROSSES), &pem_of(&crosses)?, Readers::All)
    }

    /// How it came to issue; `None`: that is not known.
    pub(super) fn handover(&self) -> Result<Option<Handover>, CaError> {
        let path = self.path(HANDOVER);
        match fs::read_to_string(&path) {
            Ok(line) => Ok(ca_roll::from_line(&line)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(CaError::File { path, source }),
        }
    }

    /// Signs a last list, if the key is here, and nothing more. False: it was done before.
    pub(super) fn withdraw(&self, from_us: i64, now_us: i64) -> Result<bool, CaError> {
        if self.is_withdrawn() {
            return Ok(false);
        }
        if self.can_issue() {
            self.publish(now_us.max(from_us))?;
        }
        replace(&self.path(WITHDRAWN), time::format_us(from_us).as_bytes(), Readers::Owner)?;
        Ok(true)
    }

    /// Registers a certificate (DER) that was issued, by the holder's number. Do it before handing the certificate out: what is not here
    /// can't be revoked.
    ///
    /// # Errors
    /// If the register can't be written.
    pub(super) fn register(
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
    pub(super) fn revoke(
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
    pub(super) fn logged(&self, serial: &str) -> Result<(), CaError> {
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
    pub(super) fn publish(&self, now_us: i64) -> Result<PublishedList, CaError> {
        let _lock = self.lock()?;
        self.write_crl(&self.load()?, self.revoked()?, now_us)
    }

    /// Writes a new list if the last one is older than a day, or gone. Returns whether it did.
    ///
    /// # Errors
    /// If files can't be read or written.
    pub(super) fn refresh(&self, now_us: i64) -> Result<bool, CaError> {
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
        lock(self.path(LOCK))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.config.register.join(name)
    }
}

/// Holds a lock file until it is dropped.
pub(super) fn lock(path: PathBuf) -> Result<File, CaError> {
    let locked = File::options().create(true).truncate(false).write(true).open(&path);
    let locked = locked.and_then(|file| file.lock().map(|()| file));
    locked.map_err(|source| CaError::File { path, source })
}

fn pem_of(certificates: &[Vec<u8>]) -> Result<Vec<u8>, CaError> {
    let mut text = Vec::new();
    for der in certificates {
        text.extend(trial_ca::certificate_pem(der)?);
    }
    Ok(text)
}
