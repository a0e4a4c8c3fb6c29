//! Making a HOME, offline.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tasuki_careplan::office::OfficeNumber;
use tasuki_certs::handover::Handover;
use tasuki_certs::identity::KeyIdentity;
use tasuki_certs::profile::{CertificateProfile, Identity};
use tasuki_certs::sealing_key::SealingKey;
use tasuki_certs::token::{TokenError, TokenUri};
use tasuki_certs::trust::{
    OnDoubt, Purpose, RevocationPolicy, TrustMaterial, TrustStore, VerifiedCertificate,
};

use super::{
    ANCHORS, ARCHIVE, CHECKPOINTS, CRLS, LOCKS, OUTBOX, PARTIAL, PROFILE, RELAY_CA, SEALING_KEY, SENT,
};
use crate::config::{CONFIG_FILE, Config, IdentityConfig};
use crate::error::{ConfigError, SdkError, words};
use crate::files::{self, Access};
use crate::pem;
use crate::secret::Secret;
use crate::transport::{ProxySetting, RelayAddress};

/// Bytes of an identity file: a key with its chain is below 20 KiB.
const MAX_IDENTITY_BYTES: usize = 1024 * 1024;

/// What a HOME is made of.
#[derive(Clone, Debug)]
pub struct InitOptions {
    /// The relay, `https://host:port`.
    pub relay: String,
    /// The CA certificate of the relay's TLS certificate (PEM).
    pub relay_ca: PathBuf,
    /// The office's key with its certificate; copied into HOME.
    pub identity: IdentityFiles,
    /// The offices' trust anchors (PEM). Absent: the CA certificate at the end of the identity's chain.
    pub ca: Option<PathBuf>,
    /// Where certificates name their office (TOML), if not as the trial CA's do; see `tasuki_certs::profile`.
    pub profile: Option<PathBuf>,
    /// See [`Config::proxy`].
    pub proxy: Option<String>,
}

/// Where an identity comes from.
#[derive(Clone, Debug)]
pub enum IdentityFiles {
    /// One PKCS#12 file.
    Pkcs12 {
        /// The file.
        file: PathBuf,
        /// Its password. The HOME keeps it, owner-only, so that programs can work alone.
        password: Secret,
    },
    /// PEM.
    Pem {
        /// The certificate and those above it.
        certificates: PathBuf,
        /// The unencrypted private key.
        key: PathBuf,
    },
    /// A key that stays on its token; only the PIN and the certificates are copied.
    Token {
        /// Which key on which token: a PKCS #11 URI; see `tasuki_certs::token::TokenUri`.
        uri: String,
        /// The token's PIN. The HOME keeps it, owner-only.
        pin: Secret,
        /// The certificate and those above it (PEM); absent: those on the token.
        certificates: Option<PathBuf>,
    },
}

impl IdentityFiles {
    /// Whether a text names a key on a token, and no file.
    pub fn is_token_uri(text: &str) -> bool {
        TokenUri::is_one(text)
    }

    /// Reads them.
    pub(crate) fn read(&self) -> Result<KeyIdentity, SdkError> {
        match self {
            Self::Pkcs12 { file, password } => read_pkcs12(file, password),
            Self::Pem { certificates, key } => read_pem(certificates, key),
            Self::Token { uri, pin, certificates } => read_token(uri, pin, certificates.as_deref()),
        }
    }
}

/// A HOME that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Initialised {
    /// The office that the certificate names.
    pub office: OfficeNumber,
    /// SHA-256 of the certificate.
    pub fingerprint: [u8; 32],
    /// When the certificate ends, Unix microseconds.
    pub not_after_us: i64,
    /// SHA-256 of each trust anchor.
    pub anchors: Vec<[u8; 32]>,
    /// The certificate may not encrypt, or its key is on a token: a sealing key was made, which the first contact registers.
    pub sealing_key: bool,
}

pub(super) fn init(folder: &Path, options: &InitOptions, now_us: i64) -> Result<Initialised, SdkError> {
    if folder.join(CONFIG_FILE).exists() {
        return Err(ConfigError::AlreadyAHome(folder.to_owned()).into());
    }
    let relay = RelayAddress::parse(&options.relay)?;
    if let Some(proxy) = &options.proxy {
        ProxySetting::parse(proxy)?;
    }
    let relay_ca = pem::read_certificates(&options.relay_ca)?;
    let Opened { anchors, profile, verified } = open_identity(options, now_us)?;
    // A terminal's is made by enrolling, a proxy's holds a HOME for each office.
    let Identity::Office { number } = &verified.identity else { return Err(ConfigError::NotAnOffice.into()) };
    let office = number.parse().map_err(|_| ConfigError::NotAnOffice)?;

    make_folders(folder)?;
    let write = |name: &str, content: &[u8]| files::write_durably(&folder.join(name), content, Access::Owner);
    write(RELAY_CA, pem::encode(&relay_ca).as_bytes())?;
    write(ANCHORS, pem::encode(&anchors).as_bytes())?;
    if let Some((text, _)) = &profile {
        write(PROFILE, text.as_bytes())?;
    }
    let copied = copy_identity(folder, &options.identity)?;
    // A key on a token signs only.
    let on_token = matches!(options.identity, IdentityFiles::Token { .. });
    let sealing_key = on_token || !verified.may_encrypt;
    if sealing_key && !folder.join(SEALING_KEY).exists() {
        let failed = |e: tasuki_certs::sealing_key::SealingKeyError| ConfigError::Trust(e.to_string());
        let key = SealingKey::generate().map_err(failed)?;
        write(SEALING_KEY, &key.to_pem().map_err(failed)?)?;
    }
    let config = Config { proxy: options.proxy.clone(), ..Config::new(relay.to_string(), office, copied) };
    write(CONFIG_FILE, config.print()?.as_bytes())?;
    Ok(Initialised {
        office,
        fingerprint: verified.fingerprint,
        not_after_us: verified.not_after_us,
        anchors: anchors.iter().map(|a| tasuki_proto::event::sha256(a)).collect(),
        sealing_key,
    })
}

/// An identity that was verified, and what it was verified with.
pub(crate) struct Opened {
    pub(crate) anchors: Vec<Vec<u8>>,
    pub(crate) profile: Option<(String, CertificateProfile)>,
    pub(crate) verified: VerifiedCertificate,
}

/// Reads and verifies what a HOME is to be made of.
pub(crate) fn open_identity(options: &InitOptions, now_us: i64) -> Result<Opened, SdkError> {
    let identity = options.identity.read()?;
    let anchors = match &options.ca {
        Some(path) => pem::read_certificates(path)?,
        // The chain begins with the own certificate, which is no anchor.
        None => identity.chain_der().iter().skip(1).last().cloned().into_iter().collect(),
    };
    if anchors.is_empty() {
        return Err(ConfigError::NoAnchor.into());
    }
    let profile = options.profile.as_deref().map(read_profile).transpose()?;
    let own_profile = profile.as_ref().map(|(_, profile)| profile.clone()).unwrap_or_default();
    let verified = verify_own(&identity, &anchors, Vec::new(), own_profile, now_us)?;
    Ok(Opened { anchors, profile, verified })
}

/// Makes the folders of a HOME.
pub(crate) fn make_folders(folder: &Path) -> Result<(), SdkError> {
    for inside in ["", CRLS, PARTIAL, CHECKPOINTS, OUTBOX, SENT, ARCHIVE, LOCKS] {
        files::create_private_folder(&folder.join(inside))?;
    }
    Ok(())
}

/// Verifies the own certificate as far as that goes offline: without revocation lists.
pub(crate) fn verify_own(
    identity: &KeyIdentity,
    anchors: &[Vec<u8>],
    handovers: Vec<Handover>,
    profile: CertificateProfile,
    now_us: i64,
) -> Result<VerifiedCertificate, SdkError> {
    let policy = RevocationPolicy { on_missing: OnDoubt::Warn, ..RevocationPolicy::default() };
    let anchors = anchors.to_vec();
    let material = TrustMaterial { anchors, handovers, profile, policy, ..TrustMaterial::default() };
    let store = TrustStore::new(material).map_err(|e| ConfigError::Trust(e.to_string()))?;
    let extra: Vec<&[u8]> = identity.chain_der().iter().skip(1).map(Vec::as_slice).collect();
    let verified = Arc::new(store).verify(identity.certificate_der(), &extra, Purpose::Sign, now_us);
    Ok(verified.map_err(ConfigError::Certificate)?)
}

/// Copies the identity's files, owner-only, and says where they are now.
pub(crate) fn copy_identity(home: &Path, identity: &IdentityFiles) -> Result<IdentityConfig, SdkError> {
    copy_identity_as(home, identity, "identity")
}

/// [`copy_identity`] under another name.
pub(crate) fn copy_identity_as(
    home: &Path,
    identity: &IdentityFiles,
    name: &str,
) -> Result<IdentityConfig, SdkError> {
    let put = |content: &[u8], ending: &str| -> Result<String, SdkError> {
        let name = format!("{name}.{ending}");
        files::write_durably(&home.join(&name), content, Access::Owner)?;
        Ok(name)
    };
    let copy = |from: &Path, ending: &str| put(&read_small(from)?, ending);
    let keep = |secret: &Secret, ending: &str| put(format!("{}\n", secret.read()?).as_bytes(), ending);
    Ok(match identity {
        IdentityFiles::Pkcs12 { file, password } => {
            IdentityConfig::Pkcs12 { pkcs12: copy(file, "p12")?, password_file: keep(password, "pass")? }
        }
        IdentityFiles::Pem { certificates, key } => {
            IdentityConfig::Pem { certificates: copy(certificates, "pem")?, key: copy(key, "key")? }
        }
        IdentityFiles::Token { uri, pin, certificates } => IdentityConfig::Token {
            pkcs11: uri.clone(),
            pin_file: keep(pin, "pin")?,
            certificates: certificates.as_ref().map(|from| copy(from, "pem")).transpose()?,
        },
    })
}

pub(super) fn read_pkcs12(file: &Path, password: &Secret) -> Result<KeyIdentity, SdkError> {
    KeyIdentity::from_pkcs12(&read_small(file)?, &password.read()?)
        .map_err(|error| SdkError::Identity { path: file.to_owned(), error })
}

pub(super) fn read_pem(certificates: &Path, key: &Path) -> Result<KeyIdentity, SdkError> {
    KeyIdentity::from_pem(&read_small(certificates)?, &read_small(key)?)
        .map_err(|error| SdkError::Identity { path: certificates.to_owned(), error })
}

pub(super) fn read_token(
    uri: &str,
    pin: &Secret,
    certificates: Option<&Path>,
) -> Result<KeyIdentity, SdkError> {
    let pin = pin.read()?;
    let certificates = certificates.map(read_small).transpose()?;
    TokenUri::parse(uri)
        .map_err(|error| TokenError::from(error).into())
        .and_then(|uri| KeyIdentity::from_token(uri, &pin, certificates.as_deref()))
        .map_err(|error| SdkError::Identity { path: uri.into(), error })
}

/// A certificate profile, as text and understood.
pub(crate) fn read_profile(path: &Path) -> Result<(String, CertificateProfile), SdkError> {
    let malformed = |message| ConfigError::File { path: path.to_owned(), message };
    let not_utf8 = |_| malformed(words("UTF-8のテキストではありません", "not UTF-8"));
    let text = String::from_utf8(read_small(path)?).map_err(not_utf8)?;
    let unfit = |e: tasuki_certs::profile::ProfileError| {
        malformed(words(format!("証明書のプロファイルとして読めません（{e}）"), e.to_string()))
    };
    let profile = CertificateProfile::from_toml(&text).map_err(unfit)?;
    Ok((text, profile))
}

fn read_small(path: &Path) -> Result<Vec<u8>, SdkError> {
    files::read_at_most(path, MAX_IDENTITY_BYTES)?.ok_or_else(|| {
        let limit = MAX_IDENTITY_BYTES;
        let message =
            words(format!("大きすぎます（{limit}バイトまで）"), format!("larger than {limit} bytes"));
        ConfigError::Path { path: path.to_owned(), message }.into()
    })
}

#[cfg(test)]
mod tests {
    use super::super::Home;
    use super::*;
    use crate::testing::{self, NOW_US, world};

    #[test]
    fn a_home_is_made_offline_and_opens() {
        let folder = testing::folder("init");
        let home = testing::home(&folder, &world().sender);
        assert_eq!(home.office(), testing::office(testing::SENDER));
        assert_eq!(home.identity().certificate_der(), world().sender.cert_der);
        // A P-256 certificate without keyAgreement may not encrypt: there is a sealing key.
        assert!(home.sealing_key().is_some());
        assert_eq!(pem::read_certificates(&home.path(ANCHORS)), Ok(vec![world().ca.cert_der().unwrap()]));
    }

    #[test]
    fn a_home_is_never_made_over_another() {
        let folder = testing::folder("init-twice");
        let home = testing::home(&folder, &world().sender);
        let options = InitOptions {
            relay: "https://localhost".to_owned(),
            relay_ca: folder.path().join("relay-ca.pem"),
            identity: IdentityFiles::Pkcs12 {
                file: folder.path().join("office.p12"),
                password: Secret::File(folder.path().join("office.pass")),
            },
            ca: None,
            profile: None,
            proxy: None,
        };
        let again = Home::init(home.folder(), &options, NOW_US);
        assert_eq!(again, Err(ConfigError::AlreadyAHome(home.folder().to_owned()).into()));

        let elsewhere = folder.path().join("elsewhere");
        let init = |options: &InitOptions, now_us| Home::init(&elsewhere, options, now_us).unwrap_err();
        std::fs::write(folder.path().join("office.pass"), "wrong").unwrap();
        assert_eq!(init(&options, NOW_US).reason(), "WRONG_PASSWORD");
        std::fs::write(folder.path().join("office.pass"), "secret").unwrap();
        let years_us = 4 * 366 * 86_400 * 1_000_000;
        assert_eq!(init(&options, NOW_US + years_us).reason(), "CERTIFICATE_EXPIRED");
        let http = InitOptions { relay: "http://localhost".to_owned(), ..options };
        assert_eq!(init(&http, NOW_US).reason(), "RELAY_URL");
        assert!(!elsewhere.exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_secret_that_others_may_read_is_refused() {
        use std::fs;
        use std::os::unix::fs::PermissionsExt as _;
        let folder = testing::folder("readable");
        let home = testing::home(&folder, &world().sender);
        for name in ["identity.p12", "identity.pass", SEALING_KEY] {
            let path = home.folder().join(name);
            for (mode, good) in [(0o640, false), (0o604, false), (0o400, true), (0o600, true)] {
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
                let opened = Home::open(home.folder());
                let refused = Err(ConfigError::Readable(path.clone()).into());
                assert_eq!(opened.map(|_| ()), if good { Ok(()) } else { refused }, "{name} {mode:o}");
            }
        }
    }

    #[test]
    fn one_lock_at_a_time() {
        use super::super::Task;
        let folder = testing::folder("lock");
        let home = testing::home(&folder, &world().sender);
        let held = home.try_lock(Task::Send).unwrap();
        assert_eq!(
            home.try_lock(Task::Send).err(),
            Some(ConfigError::Locked(home.folder().to_owned()).into())
        );
        assert!(home.try_lock(Task::Feed).is_ok());
        drop(held);
        assert!(home.try_lock(Task::Send).is_ok());
    }
}
