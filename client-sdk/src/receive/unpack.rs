//! From a sealed parcel to verified content: every check that doesn't need the network.

use std::sync::Arc;

use tasuki_careplan::office::OfficeNumber;
use tasuki_certs::cms_verify::SignatureVerifier;
use tasuki_certs::open::{OpeningKey, open};
use tasuki_certs::trust::VerifiedCertificate;
use tasuki_proto::event::{Event, kind, sha256};
use tasuki_proto::evidence::Proven;
use tasuki_proto::ids::ParcelKey;
use tasuki_proto::mandate::{self, Scope, Signed};
use tasuki_proto::parcel::OpenParcel;
use tasuki_proto::time;

use super::names::Names;
use crate::error::VerificationError;
use crate::papers::{self, Right};

/// What the log says of a parcel's acceptance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delivered {
    pub(crate) key: ParcelKey,
    pub(crate) recipient: OfficeNumber,
    pub(crate) digest: [u8; 32],
    pub(crate) sealed_digest: [u8; 32],
    pub(crate) signer: [u8; 32],
    /// When the relay accepted it. Unix microseconds.
    pub(crate) time_us: i64,
    /// The event, for what else it says.
    pub(crate) event: Event,
}

impl Delivered {
    /// Reads a proven event that should be the delivery of this parcel.
    pub(crate) fn read(proven: &Proven, key: ParcelKey) -> Result<Self, VerificationError> {
        let wrong = VerificationError::Event;
        let event = &proven.event;
        if event.kind != kind::PARCEL_DELIVERED {
            return Err(wrong("it is no delivery"));
        }
        Self::read_acceptance(proven, key)
    }

    /// Reads a proven event that should be the delivery or, of one that was held, the acceptance of this parcel.
    pub(crate) fn read_acceptance(proven: &Proven, key: ParcelKey) -> Result<Self, VerificationError> {
        let wrong = VerificationError::Event;
        let event = &proven.event;
        if !matches!(event.kind.as_str(), kind::PARCEL_DELIVERED | kind::PARCEL_HELD) {
            return Err(wrong("it is no acceptance"));
        }
        if event.parcel() != Some(key) {
            return Err(wrong("it is about another parcel"));
        }
        Ok(Self {
            key,
            recipient: event.office("recipient").ok_or(wrong("it names no recipient"))?,
            digest: event.digest("digest").ok_or(wrong("it names no digest"))?,
            sealed_digest: event.digest("sealed").ok_or(wrong("it names no sealed digest"))?,
            signer: event.digest("signer").ok_or(wrong("it names no signer"))?,
            // The signature was accepted then; a release may come much later.
            time_us: event.lines.get("accepted").and_then(time::parse_us).unwrap_or(event.time_us),
            event: event.clone(),
        })
    }
}

/// A parcel of which everything was verified.
#[derive(Debug)]
pub(crate) struct Unpacked {
    /// The signed container.
    pub(crate) container: Vec<u8>,
    /// Safe names with contents, in the parcel's order.
    pub(crate) files: Vec<(String, Vec<u8>)>,
    /// 送付状.
    pub(crate) note: Option<String>,
    /// Who signed.
    pub(crate) signer: Arc<VerifiedCertificate>,
    /// What shows its right.
    pub(crate) right: Right,
}

/// A parcel's signer, verified.
#[derive(Clone, Debug)]
pub(crate) struct Signer {
    pub(crate) certificate: Arc<VerifiedCertificate>,
    pub(crate) right: Right,
}

/// Opens and verifies a sealed parcel. `own` is the office that receives; `known_us` the present.
pub(crate) fn unpack(
    sealed: &[u8],
    delivered: &Delivered,
    own: OfficeNumber,
    keys: &[OpeningKey],
    verifier: &SignatureVerifier,
    known_us: i64,
) -> Result<Unpacked, VerificationError> {
    if sha256(sealed) != delivered.sealed_digest {
        return Err(VerificationError::SealedDigest);
    }
    if delivered.recipient != own {
        return Err(VerificationError::Event("it names another recipient"));
    }
    let container = open(sealed, keys)?;
    if sha256(&container) != delivered.digest {
        return Err(VerificationError::Digest);
    }
    let (files, note, Signer { certificate: signer, right }) = {
        let parcel = OpenParcel::open(&container)?;
        let signer = verify_sender(&parcel, delivered, verifier, known_us)?;
        let mut names = Names::new();
        let files = parcel.files().map(|f| (names.give(&f.entry.path), f.content.to_vec())).collect();
        (files, parcel.header.note, signer)
    };
    Ok(Unpacked { container, files, note, signer, right })
}

/// Signature, right to sign, and what the header says against what the log says.
pub(crate) fn verify_sender(
    parcel: &OpenParcel<'_>,
    delivered: &Delivered,
    verifier: &SignatureVerifier,
    known_us: i64,
) -> Result<Signer, VerificationError> {
    let header = &parcel.header;
    let manifest = Some(parcel.manifest());
    let verified = verifier.verify_as_of(parcel.signature(), manifest, delivered.time_us, known_us)?;
    let moment = (delivered.time_us, known_us);
    let papers = parcel.papers();
    let shown = mandate::check(&verified.signer, header.sender, Scope::Send, &papers, verifier, moment);
    let right = papers::or_vouched(shown, &delivered.event, Signed::Parcel, &verified.signer)
        .map_err(|error| VerificationError::of_papers(error, header.sender))?;
    if verified.signer.fingerprint != delivered.signer {
        return Err(VerificationError::Event("it names another signer"));
    }
    if header.parcel != delivered.key.id {
        return Err(VerificationError::Header("another parcel id"));
    }
    if header.sender != delivered.key.sender {
        return Err(VerificationError::Header("another sender"));
    }
    if header.recipient != delivered.recipient {
        return Err(VerificationError::Header("another recipient"));
    }
    Ok(Signer { certificate: verified.signer, right })
}
