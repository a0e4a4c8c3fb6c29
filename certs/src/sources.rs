//! Where certificates say that word of their revocation is to be had: noted while chains are verified, for whoever
//! fetches it.
//!
//! Only certificates whose chain of signatures ends in a trust anchor are noted: a stranger can't have anybody fetch
//! anything.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::certificate::{Certificate, PointName};

/// Most distribution points that are noted, over all issuers. A CA has one, or a few where it splits its lists.
const MAX_POINTS: usize = 128;
/// Most distribution points of one issuer: one CA can't keep another's out.
const MAX_POINTS_OF_ISSUER: usize = 16;
/// Longest address that is noted.
const MAX_URL: usize = 2_000;

/// A CRL distribution point (RFC 5280 section 4.2.1.13).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotedPoint {
    /// `http://` or `https://`.
    pub url: String,
    /// The certificate of the CA whose list is there, DER.
    pub issuer: Arc<[u8]>,
}

/// What was noted. Shared by all snapshots of a trust store that follows its files.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    points: Mutex<BTreeMap<String, Arc<[u8]>>>,
}

impl Sources {
    /// Notes where the list that covers `certificate` is.
    pub(crate) fn note(&self, certificate: &Certificate, issuer: &Certificate) {
        let urls = certificate.crl_points.iter().filter_map(|point| match point {
            PointName::Uri(url) if is_web(url) => Some(url),
            PointName::Uri(_) | PointName::Directory(_) => None,
        });
        for url in urls.take(MAX_POINTS_OF_ISSUER) {
            let mut points = self.lock();
            let of_issuer = || points.values().filter(|known| known[..] == issuer.der[..]).count();
            if points.contains_key(url) || points.len() >= MAX_POINTS || of_issuer() >= MAX_POINTS_OF_ISSUER {
                continue;
            }
            points.insert(url.clone(), Arc::from(issuer.der.as_slice()));
        }
    }

    /// Everything noted.
    pub(crate) fn points(&self) -> Vec<NotedPoint> {
        let point = |(url, issuer): (&String, &Arc<[u8]>)| NotedPoint { url: url.clone(), issuer: Arc::clone(issuer) };
        self.lock().iter().map(point).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<[u8]>>> {
        // A poisoned lock means that a thread died between two whole entries: the notes are still good.
        self.points.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an address is one that this software fetches from.
pub(crate) fn is_web(url: &str) -> bool {
    let begins = |scheme: &str| url.get(..scheme.len()).is_some_and(|own| own.eq_ignore_ascii_case(scheme));
    url.len() <= MAX_URL && url.is_ascii() && (begins("http://") || begins("https://"))
}
