//! What can go wrong, each kind with the exit code that a command gives it.

use std::path::{Path, PathBuf};

use serde::Serialize;
use tasuki_careplan::office::OfficeNumber;
use tasuki_careplan::words::Words;
use tasuki_certs::identity::IdentityError;
use tasuki_certs::open::OpenError;
use tasuki_certs::signature_error::SignatureError;
use tasuki_proto::evidence::EvidenceError;
use tasuki_proto::log::LogError;
use tasuki_proto::mandate::PapersError;
use tasuki_proto::parcel::ParcelError;
use tasuki_proto::{pb, reason};

use crate::finding::Finding;

/// What people read, in both languages.
pub(crate) fn words(ja: impl Into<String>, en: impl Into<String>) -> Words {
    Words { ja: ja.into(), en: en.into() }
}

/// What a caller does about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// Arguments, configuration, HOME or identity are not right: mend them.
    Usage,
    /// The relay understood and refused: see the reason.
    Rejected,
    /// The relay, or the own malware scanner, could not be reached, or is busy. Running the same again is safe and resumes.
    Unreachable,
    /// Something received does not prove what it should: nothing of it was kept.
    Verification,
    /// A file could not be read or written.
    Io,
}

impl ErrorKind {
    /// Exit code of a command that ends with such an error: 1 rejected, 2 usage or this computer, 3 unreachable.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Rejected | Self::Verification => 1,
            Self::Usage | Self::Io => 2,
            Self::Unreachable => 3,
        }
    }
}

/// Any error of this library.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SdkError {
    /// HOME, its configuration, or an argument.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The key with its certificate can't be used.
    #[error("{}: {error}", path.display())]
    Identity {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: IdentityError,
    },
    /// The relay refused, with a stable reason.
    #[error(transparent)]
    Rejected(#[from] Refusal),
    /// No answer from the relay.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// What was received does not prove what it should.
    #[error(transparent)]
    Verification(#[from] VerificationError),
    /// A file could not be read or written.
    #[error("{}: {message}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Which error, for programs.
        kind: std::io::ErrorKind,
        /// Which error, for people.
        message: String,
    },
}

impl SdkError {
    /// What to do about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Config(_) | Self::Identity { .. } => ErrorKind::Usage,
            Self::Rejected(_) => ErrorKind::Rejected,
            Self::Unreachable(_) => ErrorKind::Unreachable,
            Self::Verification(_) => ErrorKind::Verification,
            Self::Io { .. } => ErrorKind::Io,
        }
    }

    /// Stable reason word, `UPPER_SNAKE_CASE`.
    pub fn reason(&self) -> &str {
        match self {
            Self::Config(e) => e.code(),
            Self::Identity { error, .. } => error.code(),
            Self::Rejected(refusal) => &refusal.reason,
            Self::Unreachable(e) => e.code(),
            Self::Verification(e) => e.code(),
            Self::Io { .. } => "FILE_ACCESS",
        }
    }

    /// An error on a file or folder.
    pub(crate) fn io(path: &Path, error: &std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), kind: error.kind(), message: error.to_string() }
    }
}

/// The relay's refusal, or this library's own before anything was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{reason}: {message_en}")]
pub struct Refusal {
    /// Stable word; see [`tasuki_proto::reason`].
    pub reason: String,
    /// What it means and what to do, in Japanese.
    pub message_ja: String,
    /// The same in English.
    pub message_en: String,
    /// What was found in the files.
    pub findings: Vec<Finding>,
}

impl Refusal {
    /// A refusal with the common explanation of its reason.
    pub fn of(word: &str) -> Self {
        let explanation = reason::explain(word);
        Self {
            reason: word.to_owned(),
            message_ja: explanation.ja.to_owned(),
            message_en: explanation.en.to_owned(),
            findings: Vec::new(),
        }
    }
}

impl Refusal {
    /// A refusal in the relay's words, where it gave any.
    pub(crate) fn told(rejected: pb::Rejected) -> Self {
        let known = Self::of(&rejected.reason);
        let told = |text: String, known: String| if text.is_empty() { known } else { text };
        Self {
            reason: rejected.reason,
            message_ja: told(rejected.message_ja, known.message_ja),
            message_en: told(rejected.message_en, known.message_en),
            findings: rejected.findings.into_iter().map(Into::into).collect(),
        }
    }

    /// A refusal for an error that stopped one parcel before it was sent.
    pub(crate) fn of_error(error: &SdkError) -> Self {
        let explanation = reason::explain(error.reason());
        let known = explanation.code == error.reason();
        let message_en = error.to_string();
        let message_ja = match error {
            SdkError::Config(ConfigError::Path { path, message } | ConfigError::File { path, message })
            | SdkError::Verification(VerificationError::Malformed { path, message }) => {
                format!("{}: {}。", path.display(), message.ja)
            }
            SdkError::Io { path, message, .. } => {
                format!("{}: 読み書きできません（{message}）。", path.display())
            }
            _ if known => explanation.ja.to_owned(),
            _ => message_en.clone(),
        };
        Self { reason: error.reason().to_owned(), message_ja, message_en, findings: Vec::new() }
    }
}

/// Why there is no answer from the relay.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unreachable {
    /// No connection, or it broke.
    #[error("the relay can't be reached: {0}")]
    Network(String),
    /// The HTTP proxy refused to connect to the relay.
    #[error("the HTTP proxy {proxy} does not connect to the relay: {answer}")]
    Proxy {
        /// Host and port of the proxy.
        proxy: String,
        /// What it answered.
        answer: String,
    },
    /// No answer within the time configured.
    #[error("the relay did not answer in time")]
    Timeout,
    /// This relay's log ends before a checkpoint of the same log that was seen already: it lags behind.
    #[error("the relay's log ends at {size}, but {seen} was seen: it lags behind, or it forgets")]
    Behind {
        /// Leaves of the relay's log.
        size: u64,
        /// Leaves of the newest checkpoint seen.
        seen: u64,
    },
    /// This relay shows a log that had ended already: it lags behind.
    #[error("the relay's log is in epoch {epoch}, but epoch {seen} was seen: it lags behind, or it forgets")]
    EarlierEpoch {
        /// Epoch of the relay's log.
        epoch: u64,
        /// The newest epoch seen.
        seen: u64,
    },
    /// The malware scanner that this HOME is set to can't be asked.
    #[error("the malware scanner at {address} {problem}")]
    Scanner {
        /// Where it was asked.
        address: String,
        /// What happened.
        problem: String,
    },
    /// The relay answered that it can't serve now.
    #[error("the relay can't serve now: {0}")]
    Busy(Refusal),
}

impl Unreachable {
    /// Stable reason word.
    pub fn code(&self) -> &str {
        match self {
            Self::Network(_) => "RELAY_UNREACHABLE",
            Self::Proxy { .. } => "PROXY_REFUSED",
            Self::Timeout => "RELAY_TIMEOUT",
            Self::Behind { .. } | Self::EarlierEpoch { .. } => "RELAY_BEHIND",
            Self::Scanner { .. } => reason::SCANNER_UNAVAILABLE,
            Self::Busy(refusal) => &refusal.reason,
        }
    }
}

/// HOME, its configuration, or an argument is not right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The folder holds no `config.toml`.
    #[error("{} is no HOME of Tasuki; make one with `tasuki init`", .0.display())]
    NotAHome(PathBuf),
    /// The folder is a HOME already.
    #[error("{} is a HOME of Tasuki already", .0.display())]
    AlreadyAHome(PathBuf),
    /// Another process does this with the same HOME right now.
    #[error("another process is at this with the same HOME ({})", .0.display())]
    Locked(PathBuf),
    /// A secret of the HOME may be read by others than its owner.
    #[error("{} may be read by others: chmod 600", .0.display())]
    Readable(PathBuf),
    /// `config.toml`, or another file of the HOME, can't be read.
    #[error("{}: {}", path.display(), message.en)]
    File {
        /// The file.
        path: PathBuf,
        /// Where and what.
        message: Words,
    },
    /// Not the address of a relay.
    #[error("{0:?} is not the address of a relay (https://host:port)")]
    RelayUrl(String),
    /// Not the address of an HTTP proxy.
    #[error("{0:?} is not the address of an HTTP proxy (http://host:port)")]
    ProxyUrl(String),
    /// The file holds no certificate in PEM.
    #[error("{} holds no certificate (PEM)", .0.display())]
    NoCertificate(PathBuf),
    /// The PKCS#12 file holds no CA certificate and none was named.
    #[error("the identity holds no CA certificate: name the offices' CA (--ca FILE)")]
    NoAnchor,
    /// The trust anchors, CRLs or profile of this HOME can't be used.
    #[error("trust of this HOME: {0}")]
    Trust(String),
    /// The own certificate is refused by the own trust anchors.
    #[error("the certificate can't be used: {0}")]
    Certificate(tasuki_certs::error::CertError),
    /// The own certificate names no office.
    #[error("the certificate names no office")]
    NotAnOffice,
    /// The relay's certificate is not from the pinned CA, or not for its name.
    #[error("the relay is not the one that was pinned: {0}")]
    RelayNotTrusted(String),
    /// The relay refuses our certificate at the TLS handshake.
    #[error("the relay refuses this certificate at the handshake: {0}")]
    CertificateRefused(String),
    /// A path that was named does not exist.
    #[error("there is no {}", .0.display())]
    NoSuchPath(PathBuf),
    /// A ZIP that was named can't be read.
    #[error("{} is not a ZIP that can be read: {message}", path.display())]
    NotAZip {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// A path that was named can't be read or holds nothing to send.
    #[error("{}: {}", path.display(), message.en)]
    Path {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        message: Words,
    },
    /// An argument.
    #[error("{}", .0.en)]
    Argument(Words),
}

impl ConfigError {
    /// Stable reason word.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAHome(_) => "NOT_A_HOME",
            Self::AlreadyAHome(_) => "ALREADY_A_HOME",
            Self::Locked(_) => "HOME_LOCKED",
            Self::Readable(_) => "SECRET_READABLE",
            Self::File { .. } => "CONFIG_MALFORMED",
            Self::RelayUrl(_) => "RELAY_URL",
            Self::ProxyUrl(_) => "PROXY_URL",
            Self::NoCertificate(_) => "NO_CERTIFICATE",
            Self::NoAnchor => "NO_TRUST_ANCHOR",
            Self::Trust(_) => "TRUST_UNUSABLE",
            Self::Certificate(e) => e.code(),
            Self::NotAnOffice => "IDENTITY_NOT_FOUND",
            Self::RelayNotTrusted(_) => "RELAY_NOT_TRUSTED",
            Self::CertificateRefused(_) => "CERTIFICATE_REFUSED",
            Self::NoSuchPath(_) | Self::NotAZip { .. } | Self::Path { .. } => "PATH",
            Self::Argument(_) => "ARGUMENT",
        }
    }
}

/// What was received does not prove what it should. Each is a reason for alarm, not for trying again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerificationError {
    /// The relay shows another log key than the one pinned at first contact.
    #[error("the log's key is not the pinned one")]
    LogKeyChanged,
    /// A checkpoint or a proof of the log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// An event or its proof.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// The event is of another kind, or about something else than it should be.
    #[error("the event does not say what it should: {0}")]
    Event(&'static str),
    /// The sealed parcel is not the one that the event names.
    #[error("the sealed parcel is not the one in the log")]
    SealedDigest,
    /// The sealed parcel does not open.
    #[error(transparent)]
    Seal(#[from] OpenError),
    /// The opened parcel is not the one that the event names.
    #[error("the parcel is not the one in the log")]
    Digest,
    /// The opened parcel is malformed.
    #[error(transparent)]
    Parcel(#[from] ParcelError),
    /// The sender's or a receiver's signature.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// Who signed may not sign for this office.
    #[error("the signer may not sign for office {0}")]
    Signer(String),
    /// A terminal or a proxy signed, and its papers don't show that it may.
    #[error(transparent)]
    Papers(PapersError),
    /// `parcel.json` and event name different parcels or parties.
    #[error("the parcel's header does not fit the event: {0}")]
    Header(&'static str),
    /// A statement is malformed or speaks of something else.
    #[error("a signed statement does not say what it should")]
    Statement,
    /// The page of a proof does not say what the evidence says.
    #[error("the page does not say what the evidence says")]
    Page,
    /// The folder for this parcel exists and holds something else.
    #[error("{} exists and holds something else", .0.display())]
    FolderDiffers(PathBuf),
    /// A feed's events do not follow one another.
    #[error("the feed has a gap behind number {after} of epoch {epoch}")]
    FeedGap {
        /// Epoch of the last event that was processed.
        epoch: u64,
        /// Its number.
        after: u64,
    },
    /// The relay does not know the place in the feed that this client has reached.
    #[error(
        "the relay's feed ends before the place that was reached here (number {number} of epoch {epoch})"
    )]
    FeedWentBack {
        /// Epoch of the stored cursor.
        epoch: u64,
        /// Its number.
        number: u64,
    },
    /// A message lacks a part that the interface promises.
    #[error("the relay's answer lacks {0}")]
    Incomplete(&'static str),
    /// Evidence to be verified offline is malformed.
    #[error("{}: {}", path.display(), message.en)]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: Words,
    },
    /// Fewer witnesses than are asked for have vouched.
    #[error("{have} of the witnesses have vouched for the log so far, {need} must")]
    Witnesses {
        /// How many have.
        have: u32,
        /// How many must.
        need: u32,
    },
    /// Nothing to anchor trust in was given or found.
    #[error("no {} was given and none stands beside the evidence", .0.en)]
    NothingToTrust(Words),
}

impl VerificationError {
    /// What a signer's papers are refused for, where it signs for this office.
    pub(crate) fn of_papers(error: PapersError, office: OfficeNumber) -> Self {
        match error {
            PapersError::OtherOffice => Self::Signer(office.to_string()),
            error => Self::Papers(error),
        }
    }

    /// Stable reason word.
    pub fn code(&self) -> &'static str {
        match self {
            Self::LogKeyChanged => "LOG_KEY_CHANGED",
            Self::Log(LogError::Consistency) => "LOG_INCONSISTENT",
            Self::Log(_) => "LOG_PROOF",
            Self::Evidence(_) => "EVIDENCE_INVALID",
            Self::Event(_) => "EVENT_MISMATCH",
            Self::SealedDigest => "SEALED_DIGEST_MISMATCH",
            Self::Seal(e) => e.code(),
            Self::Digest => reason::DIGEST_MISMATCH,
            Self::Parcel(e) => e.code(),
            Self::Signature(e) => e.code(),
            Self::Signer(_) => reason::SIGNER_NOT_ALLOWED,
            Self::Papers(e) => e.code(),
            Self::Header(_) => reason::HEADER_MALFORMED,
            Self::Statement => reason::STATEMENT_MALFORMED,
            Self::Page => "PAGE_DIFFERS",
            Self::FolderDiffers(_) => "FOLDER_DIFFERS",
            Self::FeedGap { .. } => "FEED_GAP",
            Self::FeedWentBack { .. } => reason::CURSOR_IN_FUTURE,
            Self::Incomplete(_) => "ANSWER_INCOMPLETE",
            Self::Malformed { .. } => "EVIDENCE_MALFORMED",
            Self::Witnesses { .. } => "WITNESSES_MISSING",
            Self::NothingToTrust(_) => "NOTHING_TO_TRUST",
        }
    }
}
