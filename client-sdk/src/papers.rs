//! May a signer speak for an office? The office itself may; its terminals and proxies as far as the papers that the relay hands on
//! show it.

use tasuki_careplan::office::OfficeNumber;
use tasuki_certs::cms_verify::SignatureVerifier;
use tasuki_certs::trust::VerifiedCertificate;
use tasuki_proto::mandate::{self, Mandated, Papers, PapersError, Scope};
use tasuki_proto::pb;

use crate::error::VerificationError;

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
    let mut outcome = mandate::check(signer, office, scope, &Papers::default(), verifier, moment);
    for paper in papers {
        if !matches!(outcome, Err(ref error) if *error != PapersError::OtherOffice) {
            break;
        }
        outcome = match (mandate::check(signer, office, scope, &paper.as_papers(), verifier, moment), outcome)
        {
            (Ok(mandated), _) => Ok(mandated),
            // The paper of somebody else tells nothing.
            (Err(PapersError::Other | PapersError::Missing), before) => before,
            (Err(error), _) => Err(error),
        };
    }
    outcome.map_err(|error| VerificationError::of_papers(error, office))
}
