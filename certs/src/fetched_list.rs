//! A revocation list that came over the network: whether it may take the place of what is held.

use x509_parser::pem::Pem;

use crate::certificate::Certificate;
use crate::crl::Crl;
use crate::error::CrlFault;
use crate::revocation::{Moment, usability};

/// A fetched list that may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedList {
    /// The list, DER.
    pub der: Vec<u8>,
    /// SHA-256 of the DER.
    pub fingerprint: [u8; 32],
    /// Its issuer, as [`RevocationAge::issuer`](crate::trust::RevocationAge::issuer) names it.
    pub issuer: String,
    /// When it was issued, Unix microseconds.
    pub this_update_us: i64,
    /// When the next one is promised, Unix microseconds.
    pub next_update_us: i64,
}

/// Why a fetched list is not used. What is held stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListRefusal {
    /// It is no CRL, neither DER nor PEM.
    #[error("it is no revocation list")]
    Malformed,
    /// No CA that is known has its name.
    #[error("no known CA has its issuer's name")]
    UnknownIssuer,
    /// A known CA has its name, and did not sign it.
    #[error("its issuer did not sign it")]
    Forged,
    /// It says that it was issued later than now.
    #[error("it is from the future")]
    FromTheFuture,
    /// It was issued earlier than the one that is held, or has a lower number: an old one played back.
    #[error("it is older than the list that is held")]
    Older,
    /// Its issuer signed it, and it can't be used.
    #[error("{0}")]
    Unusable(CrlFault),
}

impl ListRefusal {
    /// A stable word for metrics and logs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed => "CRL_MALFORMED",
            Self::UnknownIssuer => "CRL_UNKNOWN_ISSUER",
            Self::Forged => "CRL_FORGED",
            Self::FromTheFuture => "CRL_FROM_THE_FUTURE",
            Self::Older => "CRL_OLDER",
            Self::Unusable(_) => "CRL_UNUSABLE",
        }
    }
}

/// Judges `bytes` at `now_us` against what is held. `cas`: whose lists are wanted.
pub(crate) fn judge<'c>(
    bytes: &[u8],
    held: &[Crl],
    cas: impl Iterator<Item = &'c Certificate>,
    now_us: i64,
) -> Result<FetchedList, ListRefusal> {
    let der = der_of(bytes).ok_or(ListRefusal::Malformed)?;
    let crl = Crl::parse(&der).map_err(|_| ListRefusal::Malformed)?;
    let moment = Moment { at_us: now_us, known_us: now_us };
    let mut refusal = ListRefusal::UnknownIssuer;
    let mut own = None;
    for ca in cas.filter(|ca| crl.is_from(ca)) {
        match usability(&crl, ca, moment) {
            Ok(()) => {
                own = Some(ca);
                break;
            }
            Err(CrlFault::BadSignature) => refusal = ListRefusal::Forged,
            Err(CrlFault::NotYetValid) if crl.is_signed_by(ca) => refusal = ListRefusal::FromTheFuture,
            Err(fault) if crl.is_signed_by(ca) => refusal = ListRefusal::Unusable(fault),
            Err(_) => refusal = ListRefusal::Forged,
        }
    }
    let issuer = own.ok_or(refusal)?;
    let same =
        held.iter().filter(|one| one.replaces(&crl) && one.is_from(issuer) && one.is_signed_by(issuer));
    let in_force = same.filter(|one| one.fault.is_none() && one.this_update_us <= now_us);
    for one in in_force.filter(|one| one.fingerprint != crl.fingerprint) {
        if crl.this_update_us < one.this_update_us || crl.number < one.number {
            return Err(ListRefusal::Older);
        }
    }
    Ok(FetchedList {
        fingerprint: crl.fingerprint,
        issuer: issuer.short_name(),
        this_update_us: crl.this_update_us,
        next_update_us: crl.next_update_us,
        der,
    })
}

/// The DER of what was fetched: CAs publish DER, some PEM.
fn der_of(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.first() == Some(&0x30) {
        return Some(bytes.to_vec());
    }
    let pem = Pem::iter_from_buffer(bytes).next()?.ok()?;
    (pem.label == "X509 CRL").then_some(pem.contents)
}
