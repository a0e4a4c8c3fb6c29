//! Verifying offline: a parcel (`.asice`) or a folder of evidence, without HOME and without network.

use std::path::PathBuf;

use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::ids::ParcelKey;

/// What to trust.
#[derive(Clone, Debug, Default)]
pub struct VerifyOptions {
    /// The offices' trust anchors (PEM file). Absent: those beside the evidence.
    pub ca: Option<PathBuf>,
    /// The log's verifier key (C2SP). Absent: that beside the evidence.
    pub log_key: Option<String>,
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
    /// What trust rests on.
    pub trust: TrustUsed,
    /// What somebody should know.
    pub warnings: Vec<String>,
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
}

/// Verifies a parcel or a folder of evidence.
pub fn verify(path: &std::path::Path, options: &VerifyOptions) -> Result<VerifyReport, crate::SdkError> {
    let _ = (path, options);
    Err(crate::error::VerificationError::Incomplete("this call").into())
}
