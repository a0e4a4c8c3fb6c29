//! What a CRL is worth keeping for: of many, those that count today, and those that nobody known has signed.

use crate::certificate::Certificate;
use crate::crl::Crl;
use crate::revocation::{Moment, usability};

/// How a CRL stands among the others of a [`TrustStore`](crate::trust::TrustStore); the most needed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CrlStanding {
    /// A configured CA signed it, and no newer one of the same CA for the same certificates is in force.
    Current,
    /// A configured CA signed it, and a newer one has replaced it. It still speaks of the time before.
    Replaced,
    /// No configured CA signed it, or it can't be used whoever did: anybody could have made it.
    Unverified,
}

/// Standing and `thisUpdate` (Unix microseconds) of a CRL, by its SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RankedCrl {
    /// SHA-256 of the DER.
    pub fingerprint: [u8; 32],
    /// How it stands.
    pub standing: CrlStanding,
    /// When it was issued. Only its issuer's word: of an unverified one it says nothing.
    pub this_update_us: i64,
}

/// Ranks `crls` at `now_us`, in their order. A list of the future replaces none before its time comes.
pub(crate) fn rank(crls: &[Crl], cas: &[&Certificate], now_us: i64) -> Vec<RankedCrl> {
    let any_time = Moment { at_us: i64::MAX, known_us: i64::MAX };
    let is_verified = |crl: &Crl| {
        let mut own = cas.iter().filter(|ca| crl.is_from(ca));
        own.any(|ca| usability(crl, ca, any_time).is_ok())
    };
    let verified: Vec<&Crl> = crls.iter().filter(|crl| is_verified(crl)).collect();
    let standing = |crl: &Crl| {
        if !verified.iter().any(|one| std::ptr::eq(*one, crl)) {
            return CrlStanding::Unverified;
        }
        let newer = |other: &Crl| other.this_update_us > crl.this_update_us && other.replaces(crl);
        let mut in_force = verified.iter().filter(|other| other.this_update_us <= now_us);
        if in_force.any(|other| newer(other)) { CrlStanding::Replaced } else { CrlStanding::Current }
    };
    let ranked = |crl: &Crl| RankedCrl {
        fingerprint: crl.fingerprint,
        standing: standing(crl),
        this_update_us: crl.this_update_us,
    };
    crls.iter().map(ranked).collect()
}
