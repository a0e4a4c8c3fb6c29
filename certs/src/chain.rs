//! Finding a path of issuers from a certificate to a trust anchor.
//!
//! OpenSSL follows one path and does not turn back where it ends badly. Here every path is a candidate: the first that
//! passes all checks is the chain. What a stranger sends along can make many paths, so the search has a budget.

use crate::certificate::Certificate;
use crate::error::CertError;
use crate::path::x509_v_err;

/// Complete paths that are checked before the search gives up. Two or three is what cross-signing brings.
const MAX_PATHS: usize = 16;
/// Longest path, counting everything.
const MAX_PATH: usize = 64;
/// Certificates that are taken into a path, over all paths. Each costs one comparison with every certificate there is.
const MAX_STEPS: usize = 200;

/// Where issuers are looked for, the most trusted first.
pub(crate) struct Issuers<'a> {
    /// Trust anchors: where a path ends.
    pub(crate) anchors: &'a [Certificate],
    /// Configured intermediates.
    pub(crate) intermediates: &'a [Certificate],
    /// Certificates that came along; nobody vouches for them.
    pub(crate) extra: &'a [Certificate],
    /// Most CA certificates between the end entity and the anchor, not counting self-issued ones.
    pub(crate) max_intermediates: usize,
}

/// The first path for which `check` succeeds. Of several failures the first is reported: anchors and configured
/// intermediates are tried before what came along.
pub(crate) fn first_good_path<'a, T>(
    leaf: &'a Certificate,
    issuers: &Issuers<'a>,
    check: impl FnMut(&[&'a Certificate]) -> Result<T, CertError>,
) -> Result<T, CertError> {
    let mut search = Search { issuers, check, failure: None, paths: 0, steps: 0, too_long: None };
    match search.extend(&mut vec![leaf]) {
        Some(found) => Ok(found),
        None => Err(search.failure.or(search.too_long).unwrap_or(CertError::UntrustedIssuer)),
    }
}

struct Search<'s, 'a, F> {
    issuers: &'s Issuers<'a>,
    check: F,
    failure: Option<CertError>,
    too_long: Option<CertError>,
    paths: usize,
    steps: usize,
}

impl<'a, T, F: FnMut(&[&'a Certificate]) -> Result<T, CertError>> Search<'_, 'a, F> {
    /// Tries every way on from the end of `path`. It is at most [`MAX_PATH`] long, and so is this recursion deep.
    fn extend(&mut self, path: &mut Vec<&'a Certificate>) -> Option<T> {
        for anchor in self.issuers.anchors {
            if self.may_follow(anchor, path) {
                path.push(anchor);
                let outcome = self.complete(path);
                path.pop();
                if outcome.is_some() {
                    return outcome;
                }
            }
        }
        let issuers = self.issuers;
        for issuer in issuers.intermediates.iter().chain(issuers.extra) {
            if !self.may_follow(issuer, path) {
                continue;
            }
            // RFC 5280 section 4.2.1.9: self-issued certificates, which a change of key brings, do not count.
            let counted = path[1..].iter().chain([&issuer]).filter(|one| !one.self_issued).count();
            if counted > issuers.max_intermediates || path.len() >= MAX_PATH {
                self.too_long.get_or_insert(CertError::ChainTooLong(issuers.max_intermediates));
                return None;
            }
            path.push(issuer);
            let outcome = self.extend(path);
            path.pop();
            if outcome.is_some() {
                return outcome;
            }
        }
        None
    }

    fn complete(&mut self, path: &[&'a Certificate]) -> Option<T> {
        self.paths += 1;
        match (self.check)(path) {
            Ok(found) => Some(found),
            Err(failure) => {
                self.failure.get_or_insert(failure);
                None
            }
        }
    }

    /// Whether `candidate` may be the issuer of the last certificate of `path`, by names and key identifiers.
    fn may_follow(&mut self, candidate: &Certificate, path: &[&Certificate]) -> bool {
        if self.steps >= MAX_STEPS || self.paths >= MAX_PATHS {
            return false;
        }
        // The same name with the same key is the same CA: going there again is a loop.
        if path.iter().any(|one| one.subject == candidate.subject && one.spki == candidate.spki) {
            return false;
        }
        let Some(last) = path.last() else {
            return false;
        };
        // Other objections than these, such as a missing key usage, are found, and named, by the check of the path.
        let mismatch = x509_v_err::SUBJECT_ISSUER_MISMATCH..=x509_v_err::AKID_ISSUER_SERIAL_MISMATCH;
        let follows = !mismatch.contains(&candidate.x509.issued(&last.x509).as_raw());
        self.steps += usize::from(follows);
        follows
    }
}
