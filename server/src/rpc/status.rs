//! The one place that builds `tonic::Status`: a stable reason, its explanation, and the code that fits.

use std::collections::HashMap;
use std::time::Duration;

use tasuki_proto::reason::{self, DOMAIN, UNTIL};
use tasuki_proto::{limits, pb, time};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::access::Denied;
use crate::committer::change::Refused;
use crate::evidence::ledger::ProofError;
use crate::evidence::witnesses::CosignatureError;
use crate::intake::Refusal;
use crate::month::minute_in_japan;
use crate::operation::Until;
use crate::store::StoreError;

/// Why a call, or one item of a call, did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Stable reason word.
    pub reason: &'static str,
    code: Code,
    detail: Option<String>,
    until: Option<Until>,
}

impl Failure {
    /// With a word of `tasuki_proto::reason`.
    pub fn of(reason: &'static str) -> Self {
        Self { reason, code: code(reason), detail: None, until: None }
    }

    /// A request that breaks the rules of the interface, and which rule.
    pub fn malformed(rule: &str) -> Self {
        Self { detail: Some(rule.to_owned()), ..Self::of(reason::REQUEST_MALFORMED) }
    }

    /// With a word, and what stands in the way in English.
    pub fn detailed(reason: &'static str, detail: &str) -> Self {
        Self { detail: Some(detail.to_owned()), ..Self::of(reason) }
    }

    /// What it means, in Japanese and in English.
    pub fn messages(&self) -> (String, String) {
        messages(self.reason, self.detail.as_deref(), self.until)
    }
}

/// What a reason means and what to do, in Japanese and in English.
pub(super) fn messages(reason: &str, detail: Option<&str>, until: Option<Until>) -> (String, String) {
    let known = reason::explain(reason);
    let (mut ja, mut en) = (known.ja.to_owned(), known.en.to_owned());
    if let Some(detail) = detail {
        en = format!("{en} ({detail})");
    }
    if let Some(Until { at_us, .. }) = until {
        ja = format!("{ja}（{}まで）", minute_in_japan(at_us));
        en = format!("{en} (until {})", time::format_us(at_us));
    }
    (ja, en)
}

fn code(reason: &str) -> Code {
    match reason {
        reason::REQUEST_MALFORMED
        | reason::STATEMENT_MALFORMED
        | reason::KEY_MALFORMED
        | reason::OFFICE_NOT_NAMED
        | reason::CERTIFICATE_REQUEST_INVALID
        | reason::RENEWAL_INVALID => Code::InvalidArgument,
        reason::PARCEL_NOT_FOUND
        | reason::OFFICE_NOT_FOUND
        | reason::CRL_NOT_FOUND
        | reason::MANDATE_NOT_FOUND
        | reason::CODE_UNKNOWN => Code::NotFound,
        reason::CURSOR_IN_FUTURE | reason::OFFSET_OUT_OF_RANGE | reason::LOG_RANGE => Code::OutOfRange,
        reason::CALLER_UNKNOWN
        | reason::CALLER_SUSPENDED
        | reason::CALLER_NOT_JOINED
        | reason::CALLER_LEFT
        | reason::JOIN_CODE_WRONG
        | reason::NOT_ALLOWED
        | reason::MANDATE_MISSING
        | reason::MANDATE_ENDED
        | reason::MANDATE_SCOPE
        | reason::PROXY_UNKNOWN
        | reason::PROXY_SUSPENDED
        | reason::TRANSMITTER_NOT_ALLOWED
        | reason::COSIGNATURE_INVALID
        | reason::STATEMENT_SIGNER => Code::PermissionDenied,
        reason::TOO_MANY_STREAMS
        | reason::TOO_MANY_TRIES
        | reason::TOO_MANY_APPLICATIONS
        | reason::OVERLOADED => Code::ResourceExhausted,
        reason::PLANNED_STOP
        | reason::RECEIVE_ONLY
        | reason::SCANNER_UNAVAILABLE
        | reason::SHUTTING_DOWN
        | reason::STORE_UNAVAILABLE => Code::Unavailable,
        reason::STREAM_TOO_SLOW => Code::DeadlineExceeded,
        reason::INTERNAL => Code::Internal,
        _ => Code::FailedPrecondition,
    }
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        let (ja, en) = failure.messages();
        let mut details = ErrorDetails::new();
        let mut metadata = HashMap::new();
        if let Some(Until { at_us, after_us }) = failure.until {
            metadata.insert(UNTIL.to_owned(), time::format_us(at_us));
            details.set_retry_info(Some(Duration::from_micros(u64::try_from(after_us).unwrap_or(0))));
        }
        details.set_error_info(failure.reason, DOMAIN, metadata);
        details.set_localized_message("ja", ja);
        Self::with_error_details(failure.code, en, details)
    }
}

impl From<Denied> for Failure {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Store(error) => error.into(),
            Denied::Certificate(ref error) => {
                let (reason, code) = (denied.code(), Code::Unauthenticated);
                Self { reason, code, detail: Some(error.to_string()), until: None }
            }
            _ => Self::of(denied.code()),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the database can't be read");
        Self::of(reason::STORE_UNAVAILABLE)
    }
}

impl From<ProofError> for Failure {
    fn from(error: ProofError) -> Self {
        match error {
            ProofError::Range => Self::of(reason::LOG_RANGE),
            ProofError::Store(error) => error.into(),
        }
    }
}

impl From<CosignatureError> for Failure {
    fn from(error: CosignatureError) -> Self {
        match error {
            CosignatureError::Checkpoint => Self::of(reason::LOG_RANGE),
            CosignatureError::Witness => Self::of(reason::COSIGNATURE_INVALID),
            CosignatureError::Store(error) => error.into(),
        }
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::of(refused.code())
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self { detail: refusal.detail, until: refusal.until.map(|until| *until), ..Self::of(refusal.reason) }
    }
}

impl From<Refusal> for pb::Rejected {
    fn from(refusal: Refusal) -> Self {
        let retry = refusal.retry();
        let (message_ja, message_en) =
            messages(refusal.reason, refusal.detail.as_deref(), refusal.until.as_deref().copied());
        Self {
            reason: refusal.reason.to_owned(),
            message_ja,
            message_en,
            r#ref: refusal.parcel.map(|key| super::convert::parcel_ref(&key)),
            recipient: refusal.recipient.map(|office| office.to_string()).unwrap_or_default(),
            findings: refusal.findings,
            retry,
            until: refusal.until.map(|until| time::format_us(until.at_us)).unwrap_or_default(),
        }
    }
}

/// A call of more items than allowed, or of none.
pub(super) fn check_items(count: usize) -> Result<(), Failure> {
    match count {
        0 => Err(Failure::malformed("the request names nothing")),
        n if n > limits::MAX_ITEMS => Err(Failure::malformed("at most 256 items a call")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_carries_reason_domain_and_both_languages() {
        let status = Status::from(Failure::malformed("size is missing"));
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains("(size is missing)"));
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), (reason::REQUEST_MALFORMED, DOMAIN));
        assert_eq!(details.localized_message().unwrap().locale, "ja");
    }

    #[test]
    fn a_fault_of_the_relays_own_is_told_as_such_and_not_to_be_tried_again() {
        let refusal = Refusal::of(reason::INTERNAL);
        assert_eq!(Status::from(Failure::from(refusal.clone())).code(), Code::Internal);
        let rejected = pb::Rejected::from(refusal);
        assert_eq!((rejected.reason.as_str(), rejected.retry), (reason::INTERNAL, false));
    }

    #[test]
    fn a_planned_stop_says_until_when() {
        let until = Until { at_us: 1_795_261_114_000_000, after_us: 3_600_000_000 };
        let refusal = Refusal { until: Some(Box::new(until)), ..Refusal::of(reason::PLANNED_STOP) };
        let rejected = pb::Rejected::from(refusal.clone());
        assert_eq!(rejected.until, "2026-11-21T11:38:34.000000Z");
        assert!(rejected.message_ja.ends_with("（2026-11-21 20:38まで）"), "{}", rejected.message_ja);
        assert!(
            rejected.message_en.ends_with("(until 2026-11-21T11:38:34.000000Z)"),
            "{}",
            rejected.message_en
        );
        let status = Status::from(Failure::from(refusal));
        assert_eq!(status.code(), Code::Unavailable);
        let details = status.get_error_details();
        assert_eq!(details.error_info().unwrap().metadata[UNTIL], rejected.until);
        assert_eq!(details.retry_info().unwrap().retry_delay, Some(Duration::from_hours(1)));
    }

    #[test]
    fn a_call_has_between_1_and_256_items() {
        assert!(check_items(0).is_err() && check_items(257).is_err());
        assert!(check_items(1).is_ok() && check_items(256).is_ok());
    }
}
