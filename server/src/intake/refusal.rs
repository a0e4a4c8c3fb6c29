//! Why a parcel or a statement is not accepted, as its sender is told.

use tasuki_careplan::office::OfficeNumber;
use tasuki_certs::signature_error::SignatureError;
use tasuki_proto::ids::ParcelKey;
use tasuki_proto::mandate::PapersError;
use tasuki_proto::parcel::{Header, ParcelError};
use tasuki_proto::{pb, reason};

use super::workers::Lost;
use crate::access::Denied;
use crate::committer::change::Refused;
use crate::operation::{Closed, Until};
use crate::store::StoreError;

/// The word of certificates that wait for an OCSP answer (`CertError::OcspMissing`).
pub(super) const AWAITS_ANSWER: &str = "OCSP_MISSING";

/// One thing that was not accepted; nothing of its content is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// Stable reason word.
    pub reason: &'static str,
    /// What exactly, in English, where the word alone does not tell. May quote names out of the parcel: for its
    /// sender only, never for a log.
    pub detail: Option<String>,
    /// The parcel, as far as it could be read.
    pub parcel: Option<ParcelKey>,
    /// Its receiver, as far as it could be read.
    pub recipient: Option<OfficeNumber>,
    /// What is wrong with its files.
    pub findings: Vec<pb::Finding>,
    /// When that ends, where it is known. Boxed, as it is rare and this travels by value.
    pub until: Option<Box<Until>>,
}

impl Refusal {
    /// With nothing but a reason.
    pub fn of(reason: &'static str) -> Self {
        Self { reason, detail: None, parcel: None, recipient: None, findings: Vec::new(), until: None }
    }

    fn with(reason: &'static str, detail: &dyn std::fmt::Display) -> Self {
        Self { detail: Some(detail.to_string()), ..Self::of(reason) }
    }

    /// About this parcel.
    #[must_use]
    pub fn about(self, header: &Header) -> Self {
        self.naming(ParcelKey { sender: header.sender, id: header.parcel }, header.recipient)
    }

    /// About the parcel of this name.
    #[must_use]
    pub fn naming(self, parcel: ParcelKey, recipient: OfficeNumber) -> Self {
        Self { parcel: Some(parcel), recipient: Some(recipient), ..self }
    }

    /// It holds only until an OCSP responder has answered about the signer.
    pub(super) fn awaits_answer(&self) -> bool {
        [AWAITS_ANSWER, "OCSP_STALE"].contains(&self.reason)
    }

    /// The same bytes may be accepted later.
    pub fn retry(&self) -> bool {
        let now_not_good = [
            reason::OVERLOADED,
            reason::PLANNED_STOP,
            reason::RECEIVE_ONLY,
            reason::SCANNER_UNAVAILABLE,
            reason::SHUTTING_DOWN,
            reason::STORE_UNAVAILABLE,
            reason::STREAM_CUT,
            reason::STREAM_TOO_SLOW,
        ];
        now_not_good.contains(&self.reason) || self.awaits_answer()
    }
}

impl From<Closed> for Refusal {
    fn from(closed: Closed) -> Self {
        Self { until: closed.until.map(Box::new), ..Self::of(closed.reason) }
    }
}

impl From<ParcelError> for Refusal {
    fn from(error: ParcelError) -> Self {
        Self::with(error.code(), &error)
    }
}

impl From<SignatureError> for Refusal {
    fn from(error: SignatureError) -> Self {
        Self::with(error.code(), &error)
    }
}

impl From<PapersError> for Refusal {
    fn from(error: PapersError) -> Self {
        Self::with(error.code(), &error)
    }
}

impl From<Lost> for Refusal {
    fn from(lost: Lost) -> Self {
        Self::of(match lost {
            Lost::Panicked => reason::INTERNAL,
            Lost::Gone => reason::SHUTTING_DOWN,
        })
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        Self::of(refused.code())
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "the database can't be read");
        Self::of(reason::STORE_UNAVAILABLE)
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        Self::of(denied.code())
    }
}
