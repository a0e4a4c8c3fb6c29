//! CAs that handed over to a new key: which further anchors follow from that, and which are believed no more.
//!
//! Who trusts one of the two CAs of a handover trusts the other as well, the later for what it issues, the earlier for what it
//! has issued. Both must be CAs that leave this to a log ([`ROLLED_BY_LOG`]). A handover on schedule needs the cross certificate, the earlier CA's own word over the later one's key. In an
//! emergency that word is worth nothing: whoever announces the handover vouches for it, and the earlier CA is believed about
//! the time before only. Who trusts neither CA follows nothing.

use crate::certificate::Certificate;
use crate::trust::TrustError;

/// The name (URI, among the subject's alternative names) by which a CA says of itself that a relay's log names its successor. It is part of
/// what the CA has signed about itself, so that nobody can put it on another: no log can replace or withdraw a CA without it, such as the
/// one that issues the billing certificates, nor add one to it.
pub const ROLLED_BY_LOG: &str = "urn:uuid:bef4f23c-b2b0-4edd-93cb-f6a6761f16d1";

/// Handovers of one CA that are followed: far more than a CA that rolls once a year has in its life.
pub const MAX_HANDOVERS: usize = 32;

/// One CA's place was taken by another. Whoever gives it has verified who announced it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handover {
    /// The CA before, its own certificate, DER.
    pub previous: Vec<u8>,
    /// The CA from then on, its own certificate, DER.
    pub next: Vec<u8>,
    /// The new CA's key, certified by the CA before, DER. Absent only in an emergency.
    pub cross: Option<Vec<u8>>,
    /// Emergency: from when on the CA before is not believed any more, Unix microseconds.
    pub withdrawn_us: Option<i64>,
}

/// What follows from anchors and handovers.
#[derive(Debug, Default)]
pub(crate) struct Followed {
    pub(crate) anchors: Vec<Certificate>,
    pub(crate) intermediates: Vec<Certificate>,
    /// Keys (SPKI, DER) of CAs that are not believed about any time from this on, Unix microseconds.
    pub(crate) withdrawn: Vec<(Vec<u8>, i64)>,
}

/// A handover that was read, and whose cross certificate holds.
struct Read {
    previous: Certificate,
    next: Certificate,
    cross: Option<Certificate>,
    withdrawn_us: Option<i64>,
}

impl Read {
    /// `None`: it can't be read, lacks the word of the CA before, or one of the two does not leave that to a log.
    fn of(handover: &Handover) -> Option<Self> {
        let ca = |der: &Vec<u8>| Certificate::parse(der).ok().filter(|one| one.is_ca);
        let root =
            |der| ca(der).filter(|one| one.uris.iter().any(|uri| uri == ROLLED_BY_LOG) && one.issued(one));
        let (previous, next) = (root(&handover.previous)?, root(&handover.next)?);
        let cross = match &handover.cross {
            Some(der) => Some(ca(der)?),
            None => None,
        };
        let vouched = cross
            .as_ref()
            .map(|cross| cross.spki == next.spki && cross.subject == next.subject && previous.issued(cross));
        let holds = vouched.unwrap_or(handover.withdrawn_us.is_some());
        (holds && previous.spki != next.spki).then_some(Self {
            previous,
            next,
            cross,
            withdrawn_us: handover.withdrawn_us,
        })
    }
}

/// Follows handovers from these anchors, in either direction.
pub(crate) fn follow(mut anchors: Vec<Certificate>, handovers: &[Handover]) -> Followed {
    let mut left: Vec<Read> = handovers.iter().take(MAX_HANDOVERS).filter_map(Read::of).collect();
    let (mut intermediates, mut withdrawn) = (Vec::new(), Vec::new());
    let has = |anchors: &[Certificate], one: &Certificate| anchors.iter().any(|anchor| anchor.der == one.der);
    // Each round takes one away.
    while let Some(at) = left.iter().position(|one| has(&anchors, &one.previous) || has(&anchors, &one.next))
    {
        let Read { previous, next, cross, withdrawn_us } = left.swap_remove(at);
        withdrawn.extend(withdrawn_us.map(|us| (previous.spki.clone(), us)));
        intermediates.extend(cross);
        for one in [next, previous] {
            if !has(&anchors, &one) {
                anchors.push(one);
            }
        }
    }
    Followed { anchors, intermediates, withdrawn }
}

/// Whether a handover can be followed at all.
///
/// # Errors
/// [`TrustError::Handover`].
pub fn check(handover: &Handover) -> Result<(), TrustError> {
    Read::of(handover).map(|_| ()).ok_or(TrustError::Handover)
}
