//! Verifying offline: a parcel (`.asice`) or a folder of evidence, without HOME and without network.

mod container;
mod folder;
mod material;
mod month;
#[cfg(test)]
mod tests;
mod timestamps;
mod witnesses;

use std::path::{Path, PathBuf};

use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::ids::ParcelKey;

use crate::error::SdkError;
use crate::evidence::INDEX;
pub use month::{MonthReport, verify_month};

/// What to trust.
#[derive(Clone, Debug, Default)]
pub struct VerifyOptions {
    /// The offices' trust anchors (PEM file). Absent: those beside the evidence.
    pub ca: Option<PathBuf>,
    /// The log's verifier key (C2SP). Absent: that beside the evidence.
    pub log_key: Option<String>,
    /// Where certificates name the office (TOML file), if not as the trial CA's do; see `tasuki_certs::profile`.
    /// Absent: that beside the evidence, unless `ca` is given; else the trial CA's. Who pins the anchors does not let
    /// the other side say how their certificates are read.
    pub profile: Option<PathBuf>,
    /// CA certificates of time stamping authorities (PEM file). Absent: those that came along with the stamps.
    pub tsa_ca: Option<PathBuf>,
    /// Verifier keys of witnesses, one a line (C2SP tlog-cosignature). Absent: those beside the evidence.
    pub witness_keys: Option<String>,
    /// So many different witnesses must have vouched for every event.
    pub witnesses_needed: u32,
}

/// What was proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyReport {
    /// The parcel.
    pub parcel: ParcelKey,
    /// The receiving office.
    pub recipient: OfficeNumber,
    /// SHA-256 of the container.
    pub digest: [u8; 32],
    /// What holds, in the order of time.
    pub proofs: Vec<Proof>,
    /// Who has vouched for the log, beside the relay.
    pub witnesses: Vec<VouchedBy>,
    /// Time stamps of the log that cover events.
    pub timestamps: Vec<StampedBy>,
    /// What trust rests on.
    pub trust: TrustUsed,
    /// What somebody should know.
    pub warnings: Vec<VerifyWarning>,
}

/// What does not make evidence worthless and should be known all the same, in both languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyWarning {
    /// In Japanese.
    pub ja: String,
    /// In English.
    pub en: String,
}

impl VerifyWarning {
    fn new(ja: impl Into<String>, en: impl Into<String>) -> Self {
        Self { ja: ja.into(), en: en.into() }
    }
}

/// A witness's word: the tree that it has seen holds these events, and everything that it has vouched for before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VouchedBy {
    /// Its verifier key, which begins with its name.
    pub key: String,
    /// The key was given, not found beside the evidence.
    pub pinned: bool,
    /// When, Unix microseconds: the witness's own clock.
    pub time_us: i64,
    /// How many of the events it covers.
    pub events: usize,
}

/// A time stamp (RFC 3161): these events were in the log when the authority stamped it, and not later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StampedBy {
    /// The authority, as its certificate names it.
    pub authority: String,
    /// SHA-256 of the CA certificate (DER) that its own ends in.
    pub anchor: [u8; 32],
    /// The CA was given, not found beside the evidence.
    pub pinned: bool,
    /// When, Unix microseconds: the authority's clock.
    pub time_us: i64,
    /// How many of the events it covers.
    pub events: usize,
}

/// One thing that was proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// What.
    pub what: Proven,
    /// When, Unix microseconds.
    pub time_us: i64,
    /// Whose word it is, as events name parties (`office:1371215102`); `relay` for the relay.
    pub by: String,
}

/// What can be proven.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Proven {
    /// The sender signed the parcel; the time is the sender's claim unless the log vouches for an event.
    SignedBySender,
    /// An event stands in the log; its kind. The relay's word at that time.
    Logged(String),
    /// A receiver's own signature over a statement; its kind.
    Stated(String),
}

/// What trust rests on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustUsed {
    /// SHA-256 of each trust anchor (DER).
    pub anchors: Vec<[u8; 32]>,
    /// The anchors were given, not found beside the evidence.
    pub anchors_pinned: bool,
    /// The log's verifier key, where events were verified.
    pub log_key: Option<String>,
    /// The key was given, not found beside the evidence.
    pub log_key_pinned: bool,
    /// SHA-256 of the certificate profile (TOML); `None`: the trial CA's.
    pub profile: Option<[u8; 32]>,
    /// The profile was given, not found beside the evidence.
    pub profile_pinned: bool,
}

/// Verifies a signed parcel (`.asice`), or a folder of evidence as [`crate::evidence`] lays it out.
///
/// A folder without evidence that holds a `parcel.asice`, as receiving leaves it, stands for that parcel. Anchors
/// beside a lone parcel are looked for in `certificates.pem` (its last certificate), `anchors.pem` and
/// `trial-ca.pem`, and in evidence in the same folder.
///
/// ```no_run
/// use tasuki_sdk::verify::{VerifyOptions, verify};
///
/// let options = VerifyOptions { ca: Some("anchors.pem".into()), ..VerifyOptions::default() };
/// for proof in verify("evidence".as_ref(), &options)?.proofs {
///     println!("{} {:?} by {}", proof.time_us, proof.what, proof.by);
/// }
/// # Ok::<(), tasuki_sdk::SdkError>(())
/// ```
///
/// # Errors
/// Anything that does not verify; a file that can't be read; nothing to trust in given or found.
pub fn verify(path: &Path, options: &VerifyOptions) -> Result<VerifyReport, SdkError> {
    if path.join(INDEX).is_file() {
        return folder::verify(path, options);
    }
    let container = if path.is_dir() { path.join("parcel.asice") } else { path.to_owned() };
    container::verify(&container, options)
}
