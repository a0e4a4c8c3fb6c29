//! Where certificates say that word of their revocation is to be had, noted while chains are verified for whoever
//! fetches it; and the answers of OCSP responders that were fetched.
//!
//! Only certificates whose chain of signatures ends in a trust anchor are noted: a stranger can't have anybody fetch
//! anything.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::certificate::{Certificate, PointName, SECOND_US};
use crate::identity::sha256;
use crate::ocsp::OcspAnswer;

/// Most distribution points that are noted, over all issuers. A CA has one, or a few where it splits its lists.
const MAX_POINTS: usize = 128;
/// Most distribution points of one issuer: one CA can't keep another's out.
const MAX_POINTS_OF_ISSUER: usize = 16;
/// Longest address that is noted.
const MAX_URL: usize = 2_000;
/// Most certificates that a responder is asked about, about 6 KiB each with their answers.
const MAX_INQUIRIES: usize = 8_192;
/// A certificate that nobody has shown for so long is not asked about any more.
const FORGOTTEN_AFTER_US: i64 = 3_600 * SECOND_US;
/// An answer is relied on for so long before the certificate is judged anew: who is in use is seen to be in use.
pub(crate) const RELIED_ON_US: i64 = 600 * SECOND_US;
/// Answers about one certificate that are kept: those before the newest may still be relied on, and become evidence.
const ANSWERS_KEPT: usize = 4;

/// A CRL distribution point (RFC 5280 section 4.2.1.13).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotedPoint {
    /// `http://` or `https://`.
    pub url: String,
    /// The certificate of the CA whose list is there, DER.
    pub issuer: Arc<[u8]>,
}

/// A certificate that an OCSP responder is to be asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inquiry {
    /// SHA-256 of the certificate's DER.
    pub fingerprint: [u8; 32],
    /// The responder, as the certificate names it; `None`: it names none.
    pub url: Option<String>,
    /// Until when the answer that is held serves, Unix microseconds; `None`: none is held.
    pub answered_until_us: Option<i64>,
    pub(crate) certificate: Arc<[u8]>,
    pub(crate) issuer: Arc<[u8]>,
    /// An answer older than this is stale, seconds.
    pub(crate) max_age_s: u32,
    seen_us: i64,
    answers: Vec<Arc<OcspAnswer>>,
}

/// What was noted. Shared by all snapshots of a trust store that follows its files.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    points: Mutex<BTreeMap<String, Arc<[u8]>>>,
    inquiries: Mutex<BTreeMap<[u8; 32], Inquiry>>,
    /// Grows whenever an answer changes what was known of a certificate.
    news: AtomicU64,
}

impl Sources {
    /// Notes where the list that covers `certificate` is.
    pub(crate) fn note(&self, certificate: &Certificate, issuer: &Certificate) {
        let urls = certificate.crl_points.iter().filter_map(|point| match point {
            PointName::Uri(url) if is_web(url) => Some(url),
            PointName::Uri(_) | PointName::Directory(_) => None,
        });
        for url in urls.take(MAX_POINTS_OF_ISSUER) {
            let mut points = lock(&self.points);
            let of_issuer = || points.values().filter(|known| known[..] == issuer.der[..]).count();
            if points.contains_key(url) || points.len() >= MAX_POINTS || of_issuer() >= MAX_POINTS_OF_ISSUER {
                continue;
            }
            points.insert(url.clone(), Arc::from(issuer.der.as_slice()));
        }
    }

    /// Every distribution point noted.
    pub(crate) fn points(&self) -> Vec<NotedPoint> {
        let point = |(url, issuer): (&String, &Arc<[u8]>)| NotedPoint {
            url: url.clone(),
            issuer: Arc::clone(issuer),
        };
        lock(&self.points).iter().map(point).collect()
    }

    /// Notes that an answer about `certificate` is wanted at `now_us`.
    pub(crate) fn ask(&self, certificate: &Certificate, issuer: &Certificate, max_age_s: u32, now_us: i64) {
        let fingerprint = sha256(&certificate.der);
        let mut inquiries = lock(&self.inquiries);
        if let Some(known) = inquiries.get_mut(&fingerprint) {
            known.seen_us = known.seen_us.max(now_us);
            return;
        }
        if inquiries.len() >= MAX_INQUIRIES {
            let oldest =
                inquiries.iter().min_by_key(|(_, one)| one.seen_us).map(|(fingerprint, _)| *fingerprint);
            oldest.and_then(|oldest| inquiries.remove(&oldest));
        }
        let inquiry = Inquiry {
            fingerprint,
            url: certificate.ocsp_url.clone().filter(|url| is_web(url)),
            answered_until_us: None,
            certificate: Arc::from(certificate.der.as_slice()),
            issuer: Arc::from(issuer.der.as_slice()),
            max_age_s,
            seen_us: now_us,
            answers: Vec::new(),
        };
        inquiries.insert(fingerprint, inquiry);
    }

    /// Certificates that are to be asked about. Forgets those that nobody has shown for an hour.
    pub(crate) fn inquiries(&self, now_us: i64) -> Vec<Inquiry> {
        let mut inquiries = lock(&self.inquiries);
        inquiries.retain(|_, one| now_us.saturating_sub(one.seen_us) <= FORGOTTEN_AFTER_US);
        inquiries.values().cloned().collect()
    }

    /// The certificate with this fingerprint, if answers about it are wanted.
    pub(crate) fn inquiry(&self, fingerprint: &[u8; 32]) -> Option<Inquiry> {
        lock(&self.inquiries).get(fingerprint).cloned()
    }

    /// Answers about a certificate, the newest last.
    pub(crate) fn answers(&self, certificate: &Certificate) -> Vec<Arc<OcspAnswer>> {
        let inquiries = lock(&self.inquiries);
        // Most stores never ask.
        if inquiries.is_empty() {
            return Vec::new();
        }
        inquiries.get(&sha256(&certificate.der)).map(|one| one.answers.clone()).unwrap_or_default()
    }

    /// Keeps an answer that was judged good. `news`: it says something else than the one before.
    pub(crate) fn keep(&self, inquiry: &Inquiry, answer: OcspAnswer, until_us: i64, news: bool) {
        let mut inquiries = lock(&self.inquiries);
        let Some(known) = inquiries.get_mut(&inquiry.fingerprint) else { return };
        if known.answers.len() >= ANSWERS_KEPT {
            known.answers.remove(0);
        }
        known.answers.push(Arc::new(answer));
        known.answered_until_us = Some(until_us);
        drop(inquiries);
        if news {
            self.news.fetch_add(1, Ordering::Release);
        }
    }

    /// The DER of an answer by its SHA-256.
    pub(crate) fn answer_der(&self, fingerprint: &[u8; 32]) -> Option<Arc<[u8]>> {
        let inquiries = lock(&self.inquiries);
        let mut answers = inquiries.values().flat_map(|one| &one.answers);
        answers.find(|answer| answer.fingerprint == *fingerprint).map(|answer| Arc::clone(&answer.der))
    }

    /// How often an answer changed what was known.
    pub(crate) fn news(&self) -> u64 {
        self.news.load(Ordering::Acquire)
    }
}

impl Inquiry {
    /// Answers that are held, the newest last.
    pub(crate) fn held(&self) -> &[Arc<OcspAnswer>] {
        &self.answers
    }
}

/// Whether an address is one that this software fetches from.
fn is_web(url: &str) -> bool {
    let begins = |scheme: &str| url.get(..scheme.len()).is_some_and(|own| own.eq_ignore_ascii_case(scheme));
    url.len() <= MAX_URL && url.is_ascii() && (begins("http://") || begins("https://"))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A poisoned lock means that a thread died between two whole entries: the notes are still good.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
