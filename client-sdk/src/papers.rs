//! May a signer speak for an office? The office itself may; its terminals and proxies as far as the papers that the relay hands on
//! show it.

use tasuki_careplan::office::OfficeNumber;
use tasuki_certs::cms_verify::SignatureVerifier;
use tasuki_certs::trust::VerifiedCertificate;
use tasuki_proto::event::Event;
use tasuki_proto::mandate::{self, Mandated, Papers, PapersError, Scope, Signed, vouched};
use tasuki_proto::pb;

use crate::error::VerificationError;

/// What shows a signer's right to speak for an office.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// Its certificate, or papers that the office signed.
    Shown,
    /// The operator registered the proxy for an office without a certificate: the relay's word, and no more.
    Vouched,
}

/// A right that papers show; where there are none, one that the log's event says the operator vouches for.
pub(crate) fn or_vouched(
    shown: Result<Mandated, PapersError>,
    event: &Event,
    signed: Signed,
    signer: &VerifiedCertificate,
) -> Result<Right, PapersError> {
    match shown {
        Ok(_) => Ok(Right::Shown),
        Err(PapersError::Missing) => {
            vouched(event, signed, signer).map(|_| Right::Vouched).ok_or(PapersError::Missing)
        }
        Err(error) => Err(error),
    }
}

/// What shows one mandate: the office's statement, and for a terminal its enrolment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Paper {
    pub(crate) statement: Vec<u8>,
    pub(crate) enrolment: Vec<u8>,
}

impl From<pb::MandatePaper> for Paper {
    fn from(paper: pb::MandatePaper) -> Self {
        Self { statement: paper.statement.into(), enrolment: paper.enrolment.into() }
    }
}

impl Paper {
    /// There is none: the operator registered the mandate.
    pub(crate) fn is_none(&self) -> bool {
        self.statement.is_empty() && self.enrolment.is_empty()
    }

    /// As what it may be: which of the two the statement is, its signer's role decides.
    fn as_papers(&self) -> Papers<'_> {
        let given = |bytes: &'_ [u8]| !bytes.is_empty();
        let statement = Some(self.statement.as_slice()).filter(|bytes| given(bytes));
        let enrolment = Some(self.enrolment.as_slice()).filter(|bytes| given(bytes));
        Papers { delegation: statement, invitation: statement, enrolment }
    }
}

/// Whether a signer may do this for an office at `at_us`, as far as is known at `known_us` (Unix microseconds), by one of these
/// papers.
pub(crate) fn check<'p>(
    signer: &VerifiedCertificate,
    office: OfficeNumber,
    scope: Scope,
    papers: impl IntoIterator<Item = &'p Paper>,
    verifier: &SignatureVerifier,
    moment: (i64, i64),
) -> Result<Mandated, VerificationError> {
    by_papers(signer, office, scope, papers, verifier, moment)
        .map_err(|error| VerificationError::of_papers(error, office))
}

/// Whether the signer of the statement behind an event may say it for an office, by one of these papers or because the operator
/// vouches for it.
pub(crate) fn of_statement<'p>(
    signer: &VerifiedCertificate,
    (office, scope): (OfficeNumber, Scope),
    papers: impl IntoIterator<Item = &'p Paper>,
    event: &Event,
    verifier: &SignatureVerifier,
    known_us: i64,
) -> Result<Right, VerificationError> {
    let shown = by_papers(signer, office, scope, papers, verifier, (event.time_us, known_us));
    or_vouched(shown, event, Signed::Statement, signer)
        .map_err(|error| VerificationError::of_papers(error, office))
}

fn by_papers<'p>(
    signer: &VerifiedCertificate,
    office: OfficeNumber,
    scope: Scope,
    papers: impl IntoIterator<Item = &'p Paper>,
    verifier: &SignatureVerifier,
    moment: (i64, i64),
) -> Result<Mandated, PapersError> {
    let mut outcome = mandate::check(signer, office, scope, &Papers::default(), verifier, moment);
    for paper in papers {
        if !matches!(outcome, Err(ref error) if *error != PapersError::OtherOffice) {
            break;
        }
        outcome = match (mandate::check(signer, office, scope, &paper.as_papers(), verifier, moment), outcome)
        {
            (Ok(mandated), _) => Ok(mandated),
            // The paper of somebody else, or of another office, tells nothing: those of both parties lie together.
            (Err(PapersError::Other | PapersError::Missing | PapersError::Signer), before) => before,
            (Err(error), _) => Err(error),
        };
    }
    outcome
}
