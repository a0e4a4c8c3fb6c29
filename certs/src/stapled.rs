//! An OCSP answer that comes along with the certificate it is about (stapling), judged by itself: no other word is held against it.

use crate::certificate::{Certificate, SECOND_US};
use crate::error::OcspFault;
use crate::ocsp::OcspAnswer;
use crate::revocation::{Moment, RevocationPolicy};

/// The oldest answer that a server shows, or is believed with, seconds: the longest that answers of public CAs may serve (CA/Browser Forum,
/// Baseline Requirements for TLS server certificates, section 4.9.10).
const MAX_AGE_S: u32 = 10 * 86_400;
/// How far the clock of a PC may be behind or ahead of a responder's.
const SKEW_US: i64 = 900 * SECOND_US;

/// What an answer says, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stapled {
    /// Its last microsecond.
    pub(crate) until_us: i64,
    /// The certificate is revoked.
    pub(crate) revoked: bool,
}

/// What an answer is worth that a responder just gave, at `now_us` (Unix microseconds). `nonce`: what was asked with; a responder that sends
/// none is believed for as long as its answer is fresh (RFC 5019).
pub(crate) fn judge_given(
    answer: &[u8],
    nonce: &[u8],
    certificate: &Certificate,
    issuer: &Certificate,
    now_us: i64,
) -> Result<Stapled, OcspFault> {
    let answer = OcspAnswer::parse(answer)?;
    if answer.nonce.as_deref().is_some_and(|own| own != nonce) {
        return Err(OcspFault::Nonce);
    }
    judge(&answer, certificate, issuer, now_us, now_us)
}

/// What an answer is worth that a server showed, by a clock that may be [`SKEW_US`] wrong.
pub(crate) fn judge_shown(
    answer: &[u8],
    certificate: &Certificate,
    issuer: &Certificate,
    now_us: i64,
) -> Result<Stapled, OcspFault> {
    let (ahead_us, behind_us) = (now_us.saturating_add(SKEW_US), now_us.saturating_sub(SKEW_US));
    judge(&OcspAnswer::parse(answer)?, certificate, issuer, ahead_us, behind_us)
}

/// `latest_us`, `earliest_us`: between which it is now.
fn judge(
    answer: &OcspAnswer,
    certificate: &Certificate,
    issuer: &Certificate,
    latest_us: i64,
    earliest_us: i64,
) -> Result<Stapled, OcspFault> {
    let word = answer.about(certificate, issuer).ok_or(OcspFault::OtherCertificate)?;
    word.usability(issuer, Moment { at_us: latest_us, known_us: latest_us })?;
    let policy = RevocationPolicy { max_ocsp_age_s: MAX_AGE_S, ..RevocationPolicy::default() };
    let until_us = policy.answer_until_us(word);
    if earliest_us > until_us {
        return Err(OcspFault::Stale);
    }
    Ok(Stapled { until_us, revoked: word.revoked_since_us().is_some() })
}
