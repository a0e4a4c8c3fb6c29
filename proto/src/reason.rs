//! Every stable reason word, with what it means and what to do, in Japanese and English.
//!
//! Programs act on the word; people read the explanation. Words are added, never renamed. The words of
//! certificates, signatures and containers are those of their error enums' `code()`.

mod formats;
mod interface;
mod membership;

/// Domain of `google.rpc.ErrorInfo`.
pub const DOMAIN: &str = "tasuki";

/// The sending office is not in the directory.
pub const SENDER_UNKNOWN: &str = "SENDER_UNKNOWN";
/// The sending office is suspended.
pub const SENDER_SUSPENDED: &str = "SENDER_SUSPENDED";
/// `parcel.json` names another sender than the signer's office.
pub const SENDER_MISMATCH: &str = "SENDER_MISMATCH";
/// The signer has no right to sign for the sending office.
pub const SIGNER_NOT_ALLOWED: &str = "SIGNER_NOT_ALLOWED";
/// The TLS peer has no right to transmit for this office.
pub const TRANSMITTER_NOT_ALLOWED: &str = "TRANSMITTER_NOT_ALLOWED";
/// The receiving office is not in the directory.
pub const RECIPIENT_UNKNOWN: &str = "RECIPIENT_UNKNOWN";
/// The receiving office is suspended.
pub const RECIPIENT_SUSPENDED: &str = "RECIPIENT_SUSPENDED";
/// The receiving office has not joined yet.
pub const RECIPIENT_NOT_JOINED: &str = "RECIPIENT_NOT_JOINED";
/// The receiving office left.
pub const RECIPIENT_LEFT: &str = "RECIPIENT_LEFT";
/// No key of the receiving office is registered.
pub const RECIPIENT_NO_KEY: &str = "RECIPIENT_NO_KEY";
/// The receiving office's software does not read the standard's files.
pub const RECIPIENT_NOT_READY: &str = "RECIPIENT_NOT_READY";
/// Nothing was ever sent to this office, and nobody agreed to begin.
pub const NEW_PARTNER: &str = "NEW_PARTNER";
/// Names, `parcel.json` and signature disagree about the receiver.
pub const RECIPIENT_MISMATCH: &str = "RECIPIENT_MISMATCH";
/// Sender and receiver are the same office.
pub const RECIPIENT_IS_SENDER: &str = "RECIPIENT_IS_SENDER";
/// `parcel.json` is missing, malformed, or does not fit the container.
pub const HEADER_MALFORMED: &str = "HEADER_MALFORMED";
/// An attachment is named like a file of the standard.
pub const ATTACHMENT_NAME: &str = "ATTACHMENT_NAME";
/// A bound of the header was passed.
pub const NOTE_TOO_LONG: &str = "NOTE_TOO_LONG";
/// The parcel holds no file and no note.
pub const PARCEL_EMPTY: &str = "PARCEL_EMPTY";
/// The container is larger than the relay takes, or than was announced.
pub const PARCEL_TOO_LARGE: &str = "PARCEL_TOO_LARGE";
/// `created_at` is too far in the future.
pub const CREATED_IN_FUTURE: &str = "CREATED_IN_FUTURE";
/// The id was used for other bytes.
pub const PARCEL_ID_REUSED: &str = "PARCEL_ID_REUSED";
/// A standard file has errors.
pub const FILES_REJECTED: &str = "FILES_REJECTED";
/// The malware scanner found something in a file. Also the rule of the finding that says in which.
pub const MALWARE: &str = "MALWARE";
/// The malware scanner can't be asked right now, so nothing that it should see passes.
pub const SCANNER_UNAVAILABLE: &str = "SCANNER_UNAVAILABLE";
/// A file is larger than the malware scanner takes.
pub const SCAN_TOO_LARGE: &str = "SCAN_TOO_LARGE";
/// The stream ended inside the parcel.
pub const STREAM_CUT: &str = "STREAM_CUT";
/// The stream sent nothing for too long.
pub const STREAM_TOO_SLOW: &str = "STREAM_TOO_SLOW";
/// A message breaks the rules of the call.
pub const REQUEST_MALFORMED: &str = "REQUEST_MALFORMED";
/// No such parcel for this caller.
pub const PARCEL_NOT_FOUND: &str = "PARCEL_NOT_FOUND";
/// Two senders chose this id.
pub const PARCEL_AMBIGUOUS: &str = "PARCEL_AMBIGUOUS";
/// The offset lies behind the end.
pub const OFFSET_OUT_OF_RANGE: &str = "OFFSET_OUT_OF_RANGE";
/// The parcel's content is no longer kept.
pub const CONTENT_GONE: &str = "CONTENT_GONE";
/// There is no parcel that a proof could be about.
pub const NOTHING_TO_PROVE: &str = "NOTHING_TO_PROVE";
/// The own archive holds no copy of the parcel any more.
pub const NOT_ARCHIVED: &str = "NOT_ARCHIVED";
/// The parcel was not fetched yet.
pub const NOT_FETCHED: &str = "NOT_FETCHED";
/// The statement's digest is not the parcel's.
pub const DIGEST_MISMATCH: &str = "DIGEST_MISMATCH";
/// The statement can't be read.
pub const STATEMENT_MALFORMED: &str = "STATEMENT_MALFORMED";
/// The statement's signer is not the office it speaks for.
pub const STATEMENT_SIGNER: &str = "STATEMENT_SIGNER";
/// The parcel's state does not allow this.
pub const STATE_CONFLICT: &str = "STATE_CONFLICT";
/// The sender took the parcel back.
pub const PARCEL_RECALLED: &str = "PARCEL_RECALLED";
/// The parcel was thrown away while it was held.
pub const PARCEL_DISCARDED: &str = "PARCEL_DISCARDED";
/// Nobody fetched the parcel within its time.
pub const PARCEL_EXPIRED: &str = "PARCEL_EXPIRED";
/// The receiver refused the parcel.
pub const PARCEL_REFUSED: &str = "PARCEL_REFUSED";
/// The parcel is not, or no longer, held.
pub const NOT_HELD: &str = "NOT_HELD";
/// What the sender's proxy handed in waits for the office's own word.
pub const CONFIRMATION_NEEDED: &str = "CONFIRMATION_NEEDED";
/// The parcel is held: its receiver does not see it yet.
pub const STILL_HELD: &str = "STILL_HELD";
/// The receiver has fetched the parcel already.
pub const ALREADY_FETCHED: &str = "ALREADY_FETCHED";
/// The parcel was not acknowledged yet.
pub const NOT_ACKNOWLEDGED: &str = "NOT_ACKNOWLEDGED";
/// The receiver's care software has taken the parcel in.
pub const ALREADY_IMPORTED: &str = "ALREADY_IMPORTED";
/// What a parcel supersedes is no parcel of the same sender and receiver.
pub const SUPERSEDES_UNKNOWN: &str = "SUPERSEDES_UNKNOWN";
/// A parcel is to be held for longer than the relay holds.
pub const HOLD_TOO_LONG: &str = "HOLD_TOO_LONG";
/// A statement's sealed text is missing, too long, or not the one that it names.
pub const TEXT_MISMATCH: &str = "TEXT_MISMATCH";
/// A text is longer than the relay takes.
pub const TEXT_TOO_LONG: &str = "TEXT_TOO_LONG";
/// More statements about one parcel, or requests a day, than the relay takes.
pub const TOO_MANY_STATEMENTS: &str = "TOO_MANY_STATEMENTS";
/// The cursor lies behind the end of the feed.
pub const CURSOR_IN_FUTURE: &str = "CURSOR_IN_FUTURE";
/// No such office in the directory.
pub const OFFICE_NOT_FOUND: &str = "OFFICE_NOT_FOUND";
/// No such revocation list.
pub const CRL_NOT_FOUND: &str = "CRL_NOT_FOUND";
/// The caller's certificate names no office of this directory.
pub const CALLER_UNKNOWN: &str = "CALLER_UNKNOWN";
/// The caller's office is suspended.
pub const CALLER_SUSPENDED: &str = "CALLER_SUSPENDED";
/// The caller's office has not joined yet.
pub const CALLER_NOT_JOINED: &str = "CALLER_NOT_JOINED";
/// The caller's office left.
pub const CALLER_LEFT: &str = "CALLER_LEFT";
/// The caller may not see or do this.
pub const NOT_ALLOWED: &str = "NOT_ALLOWED";
/// Who signed shows no mandate of the office.
pub const MANDATE_MISSING: &str = "MANDATE_MISSING";
/// The mandate has ended, or has not begun.
pub const MANDATE_ENDED: &str = "MANDATE_ENDED";
/// The mandate does not go so far.
pub const MANDATE_SCOPE: &str = "MANDATE_SCOPE";
/// A paper that should show a mandate does not hold.
pub const MANDATE_INVALID: &str = "MANDATE_INVALID";
/// A terminal, a proxy or an operator must say for which office it calls.
pub const OFFICE_NOT_NAMED: &str = "OFFICE_NOT_NAMED";
/// There is no such mandate of the office.
pub const MANDATE_NOT_FOUND: &str = "MANDATE_NOT_FOUND";
/// The office has too many mandates.
pub const TOO_MANY_MANDATES: &str = "TOO_MANY_MANDATES";
/// A terminal of the office has this name already.
pub const TERMINAL_NAME_USED: &str = "TERMINAL_NAME_USED";
/// The relay knows no proxy of this number.
pub const PROXY_UNKNOWN: &str = "PROXY_UNKNOWN";
/// The proxy is suspended.
pub const PROXY_SUSPENDED: &str = "PROXY_SUSPENDED";
/// No invitation belongs to this code.
pub const CODE_UNKNOWN: &str = "CODE_UNKNOWN";
/// The code was used, or its time is over.
pub const CODE_USED: &str = "CODE_USED";
/// Too many codes from this address were none.
pub const TOO_MANY_TRIES: &str = "TOO_MANY_TRIES";
/// The request for a certificate does not hold.
pub const CERTIFICATE_REQUEST_INVALID: &str = "CERTIFICATE_REQUEST_INVALID";
/// The relay issues no certificates.
pub const NO_ISSUING_CA: &str = "NO_ISSUING_CA";
/// The certificate is another CA's: it is renewed there.
pub const RENEWAL_ELSEWHERE: &str = "RENEWAL_ELSEWHERE";
/// The certificate was renewed already, with another key.
pub const RENEWED_ALREADY: &str = "RENEWED_ALREADY";
/// Its holder has as many certificates as it may have, or a terminal as many renewals.
pub const RENEWED_TOO_OFTEN: &str = "RENEWED_TOO_OFTEN";
/// The renewal is not signed by the key that it takes the place of, or about another certificate.
pub const RENEWAL_INVALID: &str = "RENEWAL_INVALID";
/// The relay has operators: an administrative act needs the signature of one.
pub const OPERATOR_NEEDED: &str = "OPERATOR_NEEDED";
/// The certificate is none of an operator that this relay knows.
pub const OPERATOR_UNKNOWN: &str = "OPERATOR_UNKNOWN";
/// The operator does not have the role that the act needs.
pub const OPERATOR_ROLE: &str = "OPERATOR_ROLE";
/// What the operator signed is not what was about to be done, or not for this log, or too old.
pub const OPERATOR_ACT_INVALID: &str = "OPERATOR_ACT_INVALID";
/// What the operator signed was done already.
pub const OPERATOR_ACT_REPLAYED: &str = "OPERATOR_ACT_REPLAYED";
/// Nobody would be left who could add operators.
pub const OPERATOR_LAST: &str = "OPERATOR_LAST";
/// The relay knows no operator of this name.
pub const OPERATOR_NOT_FOUND: &str = "OPERATOR_NOT_FOUND";
/// The certificate does not name this operator.
pub const OPERATOR_CERTIFICATE: &str = "OPERATOR_CERTIFICATE";
/// There is no such act waiting for approval.
pub const APPROVAL_NOT_FOUND: &str = "APPROVAL_NOT_FOUND";
/// The time for approving is over.
pub const APPROVAL_LAPSED: &str = "APPROVAL_LAPSED";
/// Who asked can't approve.
pub const APPROVAL_SAME_PERSON: &str = "APPROVAL_SAME_PERSON";
/// Who asked is no operator with that role any more.
pub const APPROVAL_VOID: &str = "APPROVAL_VOID";
/// This relay takes no applications at present.
pub const JOINING_CLOSED: &str = "JOINING_CLOSED";
/// The office has not applied, or its application was decided.
pub const NO_APPLICATION: &str = "NO_APPLICATION";
/// The application was not confirmed with its code yet.
pub const NOT_CONFIRMED: &str = "NOT_CONFIRMED";
/// The code of an application is another one, or none was made.
pub const JOIN_CODE_WRONG: &str = "JOIN_CODE_WRONG";
/// The code of an application was used, or its time is over.
pub const JOIN_CODE_OVER: &str = "JOIN_CODE_OVER";
/// So many wrong codes were tried that the application's code is void.
pub const JOIN_CODE_LOCKED: &str = "JOIN_CODE_LOCKED";
/// Too many applications of one office in a day.
pub const TOO_MANY_APPLICATIONS: &str = "TOO_MANY_APPLICATIONS";
/// The statement was signed before what it is about changed.
pub const STATEMENT_OLD: &str = "STATEMENT_OLD";
/// The office has not joined, or left: only its application or the operator's approval lets it take part.
pub const OFFICE_NOT_MEMBER: &str = "OFFICE_NOT_MEMBER";
/// The directory has no name for the office: the operator gives one.
pub const NAME_NEEDED: &str = "NAME_NEEDED";
/// No office has declared what the operator decides about.
pub const NO_DECLARATION: &str = "NO_DECLARATION";
/// The receiving office declared that it does not take this.
pub const RECIPIENT_DOES_NOT_ACCEPT: &str = "RECIPIENT_DOES_NOT_ACCEPT";
/// The two offices are no partners, and only partners may exchange here.
pub const NOT_LINKED: &str = "NOT_LINKED";
/// The other office has not invited this one.
pub const NO_INVITATION: &str = "NO_INVITATION";
/// Too many invitations of one office wait for an answer.
pub const TOO_MANY_INVITATIONS: &str = "TOO_MANY_INVITATIONS";
/// This relay sends no mails.
pub const MAIL_NOT_OFFERED: &str = "MAIL_NOT_OFFERED";
/// Not at most five e-mail addresses.
pub const MAIL_ADDRESS: &str = "MAIL_ADDRESS";
/// This relay tells no programs over HTTPS.
pub const WEBHOOKS_NOT_OFFERED: &str = "WEBHOOKS_NOT_OFFERED";
/// A webhook's URL is not one.
pub const WEBHOOK_URL: &str = "WEBHOOK_URL";
/// The office has no webhook.
pub const WEBHOOK_NONE: &str = "WEBHOOK_NONE";
/// The caller has too many calls open.
pub const TOO_MANY_STREAMS: &str = "TOO_MANY_STREAMS";
/// The relay has no room right now.
pub const OVERLOADED: &str = "OVERLOADED";
/// The relay is going down.
pub const SHUTTING_DOWN: &str = "SHUTTING_DOWN";
/// The operator set the relay to receive-only: nothing new is accepted for now.
pub const RECEIVE_ONLY: &str = "RECEIVE_ONLY";
/// The relay is in a stop that its operator planned.
pub const PLANNED_STOP: &str = "PLANNED_STOP";
/// Key of an `ErrorInfo`'s metadata: when what the reason says ends, RFC 3339.
pub const UNTIL: &str = "until";
/// The relay can't write.
pub const STORE_UNAVAILABLE: &str = "STORE_UNAVAILABLE";
/// The relay failed over this request, by a fault of its own. The same bytes would fail again.
pub const INTERNAL: &str = "INTERNAL";
/// No such epoch, size or tile.
pub const LOG_RANGE: &str = "LOG_RANGE";
/// A checkpoint holds no valid cosignature of a witness that the relay knows.
pub const COSIGNATURE_INVALID: &str = "COSIGNATURE_INVALID";
/// A sealing key is not P-256, or malformed.
pub const KEY_MALFORMED: &str = "KEY_MALFORMED";

/// What a word means and what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The word.
    pub code: &'static str,
    /// In Japanese.
    pub ja: &'static str,
    /// In English.
    pub en: &'static str,
}

/// The explanation of a word; an unknown word (of a newer relay) gets one that says so.
pub fn explain(code: &str) -> Explanation {
    all().find(|e| e.code == code).unwrap_or(Explanation {
        code: "UNKNOWN_REASON",
        ja: "この版では説明できない理由コードです。ソフトウェアを更新してください。",
        en: "This version has no explanation for the reason code; update the software.",
    })
}

const fn row(code: &'static str, ja: &'static str, en: &'static str) -> Explanation {
    Explanation { code, ja, en }
}

/// Every word with its explanation.
pub fn all() -> impl Iterator<Item = Explanation> {
    interface::TABLE.iter().chain(membership::TABLE).chain(formats::TABLE).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_unique_and_explained_in_both_languages() {
        let mut seen = std::collections::BTreeSet::new();
        for e in all() {
            assert!(seen.insert(e.code), "{} stands twice", e.code);
            assert!(
                e.code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_'),
                "{}",
                e.code
            );
            assert!(e.ja.ends_with('。') && e.en.ends_with('.'), "{}", e.code);
            assert_eq!(explain(e.code), e);
        }
        for (file, source) in [
            ("container", include_str!("container/error.rs")),
            ("manifest", include_str!("manifest/error.rs")),
            ("certificate", include_str!("../../certs/src/error.rs")),
            ("signature", include_str!("../../certs/src/signature_error.rs")),
            ("identity", include_str!("../../certs/src/identity.rs")),
            ("open", include_str!("../../certs/src/open.rs")),
        ] {
            let code = source.split("fn code(").nth(1).unwrap_or_default();
            let end = code.find("\n    }\n").unwrap_or(code.len());
            let words: Vec<&str> = code[..end].split('"').skip(1).step_by(2).collect();
            assert!(words.len() > 5, "the words of {file} were not found");
            for word in words {
                assert!(seen.contains(word), "{word} of {file} has no explanation");
            }
        }
        assert_eq!(explain("NO_SUCH_WORD").code, "UNKNOWN_REASON");
    }
}
