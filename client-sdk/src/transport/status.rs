//! From a gRPC status to an error of this library.

use tasuki_proto::reason;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::fault::LastFault;
use crate::error::{Refusal, SdkError, Unreachable};

/// What a failed call means. A status without a reason of the relay's came from the connection: the noted fault
/// knows more.
pub(super) fn error(status: &Status, fault: &LastFault) -> SdkError {
    if let Some(info) = status.get_details_error_info().filter(|info| info.domain == reason::DOMAIN) {
        let until = info.metadata.get(reason::UNTIL).map(String::as_str);
        return refused(&info.reason, status.message(), until);
    }
    match status.code() {
        Code::DeadlineExceeded => Unreachable::Timeout.into(),
        Code::Unavailable | Code::Cancelled | Code::Unknown | Code::Internal => {
            fault.get().unwrap_or_else(|| Unreachable::Network(describe(status)).into())
        }
        code => Refusal {
            reason: "UNEXPECTED_STATUS".to_owned(),
            message_ja: format!("中継サーバーの応答が想定外です({code:?})。"),
            message_en: format!(
                "The relay answered with an unexpected status ({code:?}): {}",
                status.message()
            ),
            findings: Vec::new(),
        }
        .into(),
    }
}

/// Reasons for which trying again later is the answer.
pub(crate) fn is_busy(word: &str) -> bool {
    matches!(
        word,
        reason::OVERLOADED
            | reason::PLANNED_STOP
            | reason::RECEIVE_ONLY
            | reason::SCANNER_UNAVAILABLE
            | reason::SHUTTING_DOWN
            | reason::STORE_UNAVAILABLE
            | reason::TOO_MANY_STREAMS
    )
}

fn refused(word: &str, message: &str, until: Option<&str>) -> SdkError {
    let explanation = reason::explain(word);
    let known = explanation.code == word;
    let ja = explanation.ja;
    let refusal = Refusal {
        reason: word.to_owned(),
        message_ja: until.map_or_else(|| ja.to_owned(), |until| format!("{ja}（{until}まで）")),
        // What a newer relay says is better than that we don't know its word; and it says until when.
        message_en: if (known && until.is_none()) || message.is_empty() { explanation.en } else { message }
            .to_owned(),
        findings: Vec::new(),
    };
    if is_busy(word) { Unreachable::Busy(refusal).into() } else { refusal.into() }
}

fn describe(status: &Status) -> String {
    let mut text = status.message().to_owned();
    let mut source = std::error::Error::source(status);
    while let Some(error) = source {
        let words = error.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;
    use crate::error::{ConfigError, ErrorKind};

    fn with_reason(code: Code, word: &str, domain: &str) -> Status {
        let details = ErrorDetails::with_error_info(word, domain, std::collections::HashMap::new());
        Status::with_error_details(code, "words", details)
    }

    #[test]
    fn the_relays_reason_decides() {
        let fault = LastFault::default();
        let busy = error(&with_reason(Code::Unavailable, reason::OVERLOADED, "tasuki"), &fault);
        assert_eq!((busy.kind(), busy.reason()), (ErrorKind::Unreachable, "OVERLOADED"));
        let no = error(&with_reason(Code::NotFound, reason::PARCEL_NOT_FOUND, "tasuki"), &fault);
        assert_eq!(no, Refusal::of(reason::PARCEL_NOT_FOUND).into());
        let new = error(&with_reason(Code::NotFound, "NEW_WORD", "tasuki"), &fault);
        assert!(matches!(new, SdkError::Rejected(r) if r.reason == "NEW_WORD" && r.message_en == "words"));
    }

    #[test]
    fn what_ends_says_when() {
        let mut details = ErrorDetails::new();
        let until =
            std::collections::HashMap::from([("until".to_owned(), "2026-11-21T11:38:34Z".to_owned())]);
        details.set_error_info(reason::PLANNED_STOP, "tasuki", until);
        let status = Status::with_error_details(Code::Unavailable, "a stop (until then)", details);
        let SdkError::Unreachable(Unreachable::Busy(refusal)) = error(&status, &LastFault::default()) else {
            panic!("it is to be tried again")
        };
        assert!(refusal.message_ja.ends_with("（2026-11-21T11:38:34Zまで）"), "{refusal:?}");
        assert_eq!(refusal.message_en, "a stop (until then)");
    }

    #[test]
    fn without_one_the_connection_is_to_blame() {
        let fault = LastFault::default();
        let foreign = with_reason(Code::Unavailable, "X", "elsewhere");
        assert_eq!(error(&foreign, &fault), Unreachable::Network("words".to_owned()).into());
        let refused: SdkError = ConfigError::CertificateRefused("CertificateRevoked".to_owned()).into();
        fault.set(refused.clone());
        assert_eq!(error(&Status::unavailable("broken pipe"), &fault), refused);
        assert_eq!(error(&Status::deadline_exceeded(""), &fault), Unreachable::Timeout.into());
        assert_eq!(error(&Status::unimplemented(""), &fault).kind(), ErrorKind::Rejected);
    }
}
