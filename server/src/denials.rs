//! What somebody tried and may not: an event in the log, so that an audit of the office, the terminal or the proxy finds it.
//!
//! Whoever may connect can be refused as often as it likes, and what the log holds stays. So each reason is written once an hour for
//! who tried it and for which office, and of one who tries much only so many. Counted in memory, per relay process; written beside
//! the call, whose answer does not wait for it. So are revocation lists and OCSP answers that did not come or are not believed.
//! `tasuki_parcels_total` and `tasuki_statements_rejected_total` count every one.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::event::kind;
use tasuki_proto::reason;

use crate::alerts::FAILURES;
use crate::clock::Clock;
use crate::committer::Committer;
use crate::committer::change::Change;

const HOUR_US: i64 = 3_600 * 1_000_000;

/// Events an hour about one who tries: enough to see what it is after; a year of it is 210,000 events, a minute's work for `log verify`.
const MAX_EACH: u32 = 24;

/// Events an hour about all together: what the log of a busy relay does not notice. It bounds the memory as well.
const MAX_ALL: usize = 4_096;

/// Reasons that say that somebody did what it may not. Others tell of mistakes, and of what passes.
const OVERSTEPS: [&str; 16] = [
    reason::CERTIFICATE_REQUEST_INVALID,
    reason::CODE_UNKNOWN,
    reason::CODE_USED,
    reason::CREATED_IN_FUTURE,
    reason::JOIN_CODE_WRONG,
    reason::MANDATE_ENDED,
    reason::MANDATE_MISSING,
    reason::MANDATE_SCOPE,
    reason::NOT_ALLOWED,
    reason::PROXY_SUSPENDED,
    reason::PROXY_UNKNOWN,
    reason::RENEWAL_INVALID,
    reason::STATEMENT_MALFORMED,
    reason::STATEMENT_OLD,
    reason::STATEMENT_SIGNER,
    reason::TRANSMITTER_NOT_ALLOWED,
];

fn oversteps(word: &str) -> bool {
    OVERSTEPS.contains(&word) || FAILURES.contains(&word)
}

/// Who tried what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// Who, as events name it; of who only has an invitation's code, whose code it is.
    pub who: String,
    /// The office in whose name, where one was named.
    pub office: Option<OfficeNumber>,
    /// A word for what was asked for: a scope, or a kind of call.
    pub act: &'static str,
    /// Why not: a stable reason word.
    pub refused: &'static str,
}

/// What was told in this hour.
#[derive(Debug, Default)]
struct Told {
    hour: i64,
    attempts: HashSet<Attempt>,
    each: HashMap<String, u32>,
}

impl Told {
    /// Whether this is told now.
    fn admits(&mut self, attempt: &Attempt, now_us: i64) -> bool {
        let hour = now_us.div_euclid(HOUR_US);
        if hour != self.hour {
            *self = Self { hour, ..Self::default() };
        }
        let count = self.each.get(&attempt.who).copied().unwrap_or_default();
        if count >= MAX_EACH || self.attempts.len() >= MAX_ALL || !self.attempts.insert(attempt.clone()) {
            return false;
        }
        self.each.insert(attempt.who.clone(), count + 1);
        true
    }
}

/// Writes them down.
#[derive(Debug)]
pub struct Denials {
    committer: Committer,
    clock: Arc<dyn Clock>,
    told: Mutex<Told>,
}

impl Denials {
    /// Nobody has tried anything yet.
    pub fn new(committer: Committer, clock: Arc<dyn Clock>) -> Self {
        Self { committer, clock, told: Mutex::default() }
    }

    /// Somebody was refused. What is no overstepping, or was told in this hour, adds nothing.
    pub fn note(&self, attempt: Attempt) {
        if !oversteps(attempt.refused) || !self.admits(&attempt) {
            return;
        }
        let Attempt { who, office, act, refused } = attempt;
        let mut lines = vec![("act", act.to_owned()), ("by", who), ("refused", refused.to_owned())];
        lines.extend(office.map(|office| ("office", office.to_string())));
        self.write(kind::ACT_REFUSED, lines);
    }

    /// What was asked for at an address (`what`: `crl`, `ocsp`, `ocsp-server` about the relay's own
    /// certificate), or was brought by who showed a certificate (`ocsp-stapled`), did not come or is not believed.
    pub fn note_source(&self, address: &str, what: &'static str, refused: &'static str) {
        let attempt = Attempt { who: address.to_owned(), office: None, act: what, refused };
        if self.admits(&attempt) {
            let lines = vec![
                ("what", what.to_owned()),
                ("source", address.to_owned()),
                ("refused", refused.to_owned()),
            ];
            self.write(kind::REVOCATION_REFUSED, lines);
        }
    }

    fn admits(&self, attempt: &Attempt) -> bool {
        let now_us = self.clock.now_us();
        self.told.lock().unwrap_or_else(PoisonError::into_inner).admits(attempt, now_us)
    }

    fn write(&self, kind: &'static str, lines: Vec<(&'static str, String)>) {
        let change = Change::Audit { kind, lines, office: None, setting: None };
        let committer = self.committer.clone();
        tokio::spawn(async move {
            if let Err(refused) = committer.submit(change).await {
                tracing::warn!(reason = refused.code(), "what was refused can't be written to the log");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(who: &str, office: &str, refused: &'static str) -> Attempt {
        Attempt { who: who.to_owned(), office: office.parse().ok(), act: "send", refused }
    }

    #[test]
    fn each_is_told_once_an_hour() {
        let mut told = Told::default();
        let first = attempt("proxy:P00001", "1371215102", reason::MANDATE_SCOPE);
        assert!(told.admits(&first, 5));
        assert!(!told.admits(&first, HOUR_US - 1));
        assert!(told.admits(&attempt("proxy:P00001", "1371215102", reason::MANDATE_MISSING), 6));
        assert!(told.admits(&attempt("proxy:P00001", "9971100012", reason::MANDATE_SCOPE), 6));
        assert!(told.admits(&attempt("proxy:P00002", "1371215102", reason::MANDATE_SCOPE), 6));
        assert!(told.admits(&first, HOUR_US));
    }

    #[test]
    fn a_flood_of_one_is_bounded_and_leaves_room_for_others() {
        let mut told = Told::default();
        let admitted = (0..100_000).filter(|n| {
            told.admits(&attempt("proxy:P00001", &format!("{n:010}"), reason::MANDATE_MISSING), 1)
        });
        assert_eq!(u32::try_from(admitted.count()), Ok(MAX_EACH));
        assert!(told.admits(&attempt("proxy:P00002", "1371215102", reason::MANDATE_MISSING), 1));
        for n in 0..100_000 {
            told.admits(&attempt(&format!("office:{n:010}"), "1371215102", reason::NOT_ALLOWED), 1);
        }
        assert_eq!(told.attempts.len(), MAX_ALL);
        assert!(told.each.len() <= MAX_ALL);
    }

    #[test]
    fn mistakes_and_what_passes_are_no_oversteps() {
        for word in [reason::RECIPIENT_UNKNOWN, reason::STORE_UNAVAILABLE, reason::TOO_MANY_STREAMS] {
            assert!(!oversteps(word), "{word}");
        }
        assert!(oversteps(reason::MANDATE_SCOPE) && oversteps("BAD_SIGNATURE"));
    }
}
