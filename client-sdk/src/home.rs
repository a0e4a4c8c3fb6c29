//! HOME: the folder of one office on one computer.
//!
//! ```text
//! config.toml        relay, office, settings; written last, so a folder that holds it is complete
//! relay-ca.pem       the CA that the relay's TLS certificate must come from
//! identity.p12       the office's key with its certificate (or identity.pem and identity.key)
//! identity.pass      password of identity.p12
//! identity-*         what took its place by `tasuki renew`; the settings name the one in use, and those that are kept
//! renewal.key        a key that waits for its certificate
//! trust/anchors.pem  the offices' trust anchors
//! trust/ca-rolls.txt CAs among them that handed over to new keys, as the relay's log told; what follows is trusted as well
//! trust/crl/*.crl    revocation lists (DER), as the relay handed them on; each is signed by its issuer
//! trust/profile.toml optional: where certificates name the office, if not as the trial CA's do
//! log-key            the log's verifier key, pinned at first contact
//! mandate/           papers of a HOME that acts for the office: one of its terminals, its proxy
//! sealing.key        a P-256 key for receiving, only if the certificate may not encrypt
//! witness.key        the key of a witness, if this HOME is one
//! state/             feed cursor, notices told, entries of the Atom feed, checkpoints seen, what the log lost, parcels half fetched,
//!                    marks of plan and result
//! outbox/            batches of signed containers, sealed to the own key, of which some were not accepted yet
//! sent/              a record for each accepted parcel
//! archive/           batches of which all parcels had their result, for `archive_days`
//! locks/             one process at a time sends, receives, or reads the feed
//! ```
//!
//! Everything is the owner's only (on Unix).

mod init;
mod lock;
mod papers;

use std::path::{Path, PathBuf};

use tasuki_careplan::office::OfficeNumber;
use tasuki_certs::identity::KeyIdentity;
use tasuki_certs::open::OpeningKey;
use tasuki_certs::recipient::Recipient;
use tasuki_certs::sealing_key::SealingKey;

use crate::config::{Config, IdentityConfig};
use crate::error::{ConfigError, SdkError, words};
use crate::kept::Kept;
use crate::secret::Secret;
use crate::{files, pem};

pub use init::{IdentityFiles, InitOptions, Initialised};
pub(crate) use init::{
    Opened, copy_identity, copy_identity_as, make_folders, open_identity, read_profile, verify_own,
};
pub(crate) use lock::{Lock, Task};
pub(crate) use papers::OwnPapers;

/// The CA of the relay's TLS certificate.
pub(crate) const RELAY_CA: &str = "relay-ca.pem";
/// An OCSP answer about the own certificate (RFC 6960, DER) that another program keeps fresh, where the relay reaches no responder.
pub(crate) const OCSP_ANSWER: &str = "ocsp.der";
/// The offices' trust anchors.
pub(crate) const ANCHORS: &str = "trust/anchors.pem";
/// How CAs among the anchors handed over to new keys, as the relay's log told: one a line.
pub(crate) const CA_ROLLS: &str = "trust/ca-rolls.txt";
/// Revocation lists.
pub(crate) const CRLS: &str = "trust/crl";
/// Where certificates name the office, if not as the trial CA's do.
pub(crate) const PROFILE: &str = "trust/profile.toml";
/// The pinned verifier key of the log.
pub(crate) const LOG_KEY: &str = "log-key";
/// The sealing key.
pub(crate) const SEALING_KEY: &str = "sealing.key";
/// Stands as soon as the relay has the sealing key's approval; holds SHA-256 of the key, and of the certificate that approved it.
pub(crate) const SEALING_KEY_APPROVED: &str = "state/sealing-key-approved";
/// Parcels half fetched.
pub(crate) const PARTIAL: &str = "state/partial";
/// Newest checkpoint of each epoch.
pub(crate) const CHECKPOINTS: &str = "state/checkpoints";
/// The log's epochs, and what was lost of them.
pub(crate) const EPOCHS: &str = "state/epochs.json";
/// What was marked by hand of plan and result.
pub(crate) const PROGRESS_MARKS: &str = "state/progress-marks.json";
/// Offices that something was sent to.
pub(crate) const PARTNERS: &str = "state/partners";
/// Parcels that were stored and left to the office to acknowledge.
pub(crate) const LEFT: &str = "state/left-to-office";
/// Up to where notices to all were told beside the feed.
pub(crate) const NOTICES: &str = "state/notices.json";
/// How far the feed was read.
pub(crate) const FEED: &str = "state/feed.json";
/// The key of a HOME that is a witness.
pub(crate) const WITNESS_KEY: &str = "witness.key";
/// What a witness has vouched for last, by epoch.
pub(crate) const WITNESS: &str = "state/witness";
/// What the Atom feed holds.
pub(crate) const ATOM: &str = "state/atom.json";
/// Signed containers that were not accepted yet.
pub(crate) const OUTBOX: &str = "outbox";
/// Records of accepted parcels.
pub(crate) const SENT: &str = "sent";
/// What was sent, sealed to the own key.
pub(crate) const ARCHIVE: &str = "archive";
/// Lock files.
pub(crate) const LOCKS: &str = "locks";

/// What the offices' HOMEs of a proxy have in common: it lies in the proxy's own HOME, two folders up.
const COMMON: [&str; 7] = [RELAY_CA, ANCHORS, CA_ROLLS, CRLS, PROFILE, LOG_KEY, CHECKPOINTS];

/// An office's folder, opened: configuration and keys are read, nothing is locked, nothing is connected.
#[derive(Clone, Debug)]
pub struct Home {
    folder: PathBuf,
    config: Config,
    identity: KeyIdentity,
    sealing_key: Option<SealingKey>,
    papers: OwnPapers,
    kept: Vec<Kept>,
}

impl Home {
    /// Makes a HOME. Works offline.
    ///
    /// ```no_run
    /// use tasuki_sdk::{Clock, Home, IdentityFiles, InitOptions, Secret, SystemClock};
    ///
    /// let options = InitOptions {
    ///     relay: "https://relay.example:8443".into(),
    ///     relay_ca: "relay-ca.pem".into(),
    ///     identity: IdentityFiles::Pkcs12 {
    ///         file: "1371215102.p12".into(),
    ///         password: Secret::File("1371215102.pass".into()),
    ///     },
    ///     ca: None,
    ///     profile: None,
    ///     proxy: None,
    /// };
    /// let made = Home::init("/var/lib/tasuki/1371215102".as_ref(), &options, SystemClock.now_us())?;
    /// println!("HOME of office {}", made.office);
    /// # Ok::<(), tasuki_sdk::SdkError>(())
    /// ```
    ///
    /// # Errors
    /// The folder is a HOME already or can't be written, a file can't be read, the password is wrong, the
    /// certificate is not one of the CA's or names no office.
    pub fn init(folder: &Path, options: &InitOptions, now_us: i64) -> Result<Initialised, SdkError> {
        init::init(folder, options, now_us)
    }

    /// Opens a HOME.
    ///
    /// # Errors
    /// It is none, its configuration is malformed, or its keys can't be read.
    pub fn open(folder: &Path) -> Result<Self, SdkError> {
        let config = Config::read(folder)?;
        let identity = read_identity(folder, &config.identity)?;
        Self::assemble(folder, config, identity)
    }

    /// [`Home::open`] with an identity that was read already: a proxy has one for many offices.
    pub(crate) fn open_with(folder: &Path, identity: KeyIdentity) -> Result<Self, SdkError> {
        Self::assemble(folder, Config::read(folder)?, identity)
    }

    fn assemble(folder: &Path, config: Config, identity: KeyIdentity) -> Result<Self, SdkError> {
        let path = folder.join(SEALING_KEY);
        if path.exists() {
            files::must_be_private(&path)?;
        }
        let sealing_key = match files::read_if_exists(&path)? {
            None => None,
            Some(pem) => Some(SealingKey::from_pem(&pem).map_err(|e| ConfigError::File {
                path: path.clone(),
                message: words(format!("受信用の鍵として読めません（{e}）"), e.to_string()),
            })?),
        };
        let papers = OwnPapers::read(folder)?;
        let mut kept = Vec::new();
        for one in &config.kept {
            // Whoever took a key away has decided that nothing needs it.
            if one.identity.files().iter().all(|name| folder.join(name).exists()) {
                kept.push(Kept { config: one.clone(), identity: read_identity(folder, &one.identity)? });
            }
        }
        Ok(Self { folder: folder.to_owned(), config, identity, sealing_key, papers, kept })
    }

    /// The same, which answers a lost key, or does not.
    pub(crate) fn answering_key_lost(mut self, answers: bool) -> Self {
        self.config.answer_key_lost = answers;
        self
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The office whose HOME it is.
    pub fn office(&self) -> OfficeNumber {
        self.config.office
    }

    /// The office's key with its certificate.
    pub fn identity(&self) -> &KeyIdentity {
        &self.identity
    }

    /// What shows that this HOME may act for its office; empty: it is the office's own.
    pub(crate) fn papers(&self) -> &OwnPapers {
        &self.papers
    }

    /// Keys that it had before.
    pub(crate) fn kept(&self) -> &[Kept] {
        &self.kept
    }

    pub(crate) fn sealing_key(&self) -> Option<&SealingKey> {
        self.sealing_key.as_ref()
    }

    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        if COMMON.contains(&inside) { self.common(inside) } else { self.folder.join(inside) }
    }

    /// Whether it is the HOME of one of a proxy's offices.
    pub(crate) fn is_of_a_proxy(&self) -> bool {
        self.config.transmission_proxy.is_some()
    }

    /// A path in the proxy's HOME where this is the HOME of one of its offices.
    fn common(&self, inside: &str) -> PathBuf {
        let base = if self.is_of_a_proxy() { self.folder.join("../..") } else { self.folder.clone() };
        base.join(inside)
    }

    /// The CA certificates (DER) that the relay's TLS certificate may come from.
    pub(crate) fn relay_ca(&self) -> Result<Vec<Vec<u8>>, SdkError> {
        pem::read_certificates(&self.path(RELAY_CA))
    }

    /// Every key that a parcel for this office may be sealed to.
    pub(crate) fn opening_keys(&self) -> Vec<OpeningKey> {
        // A certificate whose key can't open anything is why there is a sealing key.
        let identities = std::iter::once(&self.identity).chain(self.kept.iter().map(|kept| &kept.identity));
        let own = identities.filter_map(|identity| OpeningKey::from_identity(identity).ok());
        own.chain(self.sealing_key.as_ref().map(OpeningKey::from_sealing_key)).collect()
    }

    /// The key that the archive is sealed to: the sealing key where there is one, else the certificate's.
    pub(crate) fn archive_key(&self) -> Result<Recipient, SdkError> {
        let key = match &self.sealing_key {
            Some(key) => Recipient::from_sealing_key(&key.spki_der()),
            None => Recipient::from_certificate(self.identity.certificate_der()),
        };
        key.map_err(|e| ConfigError::Trust(format!("nothing can be sealed to the own key: {e}")).into())
    }
}

/// Reads the key with its certificate; paths are relative to HOME.
pub(crate) fn read_identity(home: &Path, config: &IdentityConfig) -> Result<KeyIdentity, SdkError> {
    let secret = |name: &str| {
        let path = home.join(name);
        files::must_be_private(&path).map(|()| path)
    };
    match config {
        IdentityConfig::Pkcs12 { pkcs12, password_file } => {
            init::read_pkcs12(&secret(pkcs12)?, &Secret::File(secret(password_file)?))
        }
        IdentityConfig::Pem { certificates, key } => init::read_pem(&home.join(certificates), &secret(key)?),
        IdentityConfig::Token { pkcs11, pin_file, certificates } => {
            let certificates = certificates.as_ref().map(|name| home.join(name));
            init::read_token(pkcs11, &Secret::File(secret(pin_file)?), certificates.as_deref())
        }
    }
}
