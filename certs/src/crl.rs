//! One certificate revocation list, read once (RFC 5280 section 5).

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use openssl::stack::StackRef;
use openssl::x509::X509Crl;
use x509_parser::asn1_rs::FromDer;
use x509_parser::extensions::ParsedExtension;
use x509_parser::num_bigint::BigUint;
use x509_parser::revocation_list::{CertificateRevocationList, RevokedCertificate};
use x509_parser::x509::X509Version;

use crate::certificate::{Certificate, SECOND_US, without_leading_zeros};
use crate::crl_scope::Scope;
use crate::error::CrlFault;
use crate::identity::sha256;
use crate::key_policy::{SignatureStrength, judge_signature};

/// `deltaCRLIndicator` (RFC 5280 section 5.2.4).
const DELTA_INDICATOR: &str = "2.5.29.27";
/// `certificateIssuer` of a CRL entry, which makes a CRL indirect (RFC 5280 section 5.3.3).
const CERTIFICATE_ISSUER: &str = "2.5.29.29";
/// Signature checks that a CRL remembers: an issuer seldom has more than one key.
const REMEMBERED_ISSUERS: usize = 8;

/// A CRL as both parsers read it.
pub(crate) struct Crl {
    x509: X509Crl,
    /// The list as it was read. Shared: a list can have megabytes, and many readers.
    pub(crate) der: Arc<[u8]>,
    /// SHA-256 of the DER.
    pub(crate) fingerprint: [u8; 32],
    /// `thisUpdate`, Unix microseconds.
    pub(crate) this_update_us: i64,
    /// `nextUpdate`, Unix microseconds; the second it names included. `i64::MIN` where it is missing, with a fault.
    pub(crate) next_update_us: i64,
    /// Why it cannot be used, as far as it alone shows.
    pub(crate) fault: Option<CrlFault>,
    /// Its number (RFC 5280 section 5.2.3), which grows with every list of its issuer.
    pub(crate) number: Option<BigUint>,
    issuer_key_id: Option<Vec<u8>>,
    scope: Scope,
    /// Serial number without leading zeros → time from which the certificate is revoked, Unix microseconds.
    revoked: HashMap<Vec<u8>, i64>,
    /// Issuers' keys (SHA-256 of SPKI) and whether the signature is theirs. A CRL can have megabytes, and hashing them
    /// for every certificate would be the cost of a handshake.
    signature_checks: Mutex<Vec<([u8; 32], bool)>>,
}

impl Crl {
    /// Reads DER. Only what cannot be read is an error here; other faults are kept until the CRL is needed.
    pub(crate) fn parse(der: &[u8]) -> Result<Self, CrlFault> {
        let Ok(([], parsed)) = CertificateRevocationList::from_der(der) else {
            return Err(CrlFault::Malformed);
        };
        let x509 = X509Crl::from_der(der).map_err(|_| CrlFault::Malformed)?;
        let entries = x509.get_revoked().map_or(0, StackRef::len);
        // Both parsers must agree on where the list ends and how many certificates it names.
        if x509.to_der().ok().as_deref() != Some(der) || entries != parsed.iter_revoked_certificates().count()
        {
            return Err(CrlFault::Malformed);
        }
        let extensions = Extensions::read(&parsed);
        let mut revoked = HashMap::new();
        let mut entry_fault = None;
        for entry in parsed.iter_revoked_certificates() {
            entry_fault = entry_fault.or_else(|| fault_of_entry(entry));
            let since = revoked_since_us(entry);
            revoked
                .entry(without_leading_zeros(entry.raw_serial()))
                .and_modify(|earlier: &mut i64| *earlier = since.min(*earlier))
                .or_insert(since);
        }
        Ok(Self {
            fingerprint: sha256(der),
            this_update_us: parsed.last_update().timestamp().saturating_mul(SECOND_US),
            next_update_us: parsed.next_update().map_or(i64::MIN, |time| {
                time.timestamp().saturating_mul(SECOND_US).saturating_add(SECOND_US - 1)
            }),
            fault: fault_of_list(&parsed).or(extensions.fault).or(entry_fault),
            number: extensions.number,
            issuer_key_id: extensions.issuer_key_id,
            scope: extensions.scope,
            revoked,
            signature_checks: Mutex::new(Vec::new()),
            der: Arc::from(der),
            x509,
        })
    }

    /// Whether this list is one of `issuer`'s own, by name and key identifier.
    pub(crate) fn is_from(&self, issuer: &Certificate) -> bool {
        let same_name =
            self.x509.issuer_name().try_cmp(issuer.x509.subject_name()).is_ok_and(Ordering::is_eq);
        let same_key = match (&self.issuer_key_id, &issuer.key_id) {
            (Some(named), Some(own)) => named == own,
            // Nothing to compare: the signature decides.
            _ => true,
        };
        same_name && same_key
    }

    /// Whether `certificate`, issued by this list's issuer, is one that the list would name if it were revoked.
    pub(crate) fn covers(&self, certificate: &Certificate) -> bool {
        self.scope.covers(certificate)
    }

    /// Whether two lists speak for the same issuer about the same certificates, so that the newer replaces the older.
    pub(crate) fn replaces(&self, other: &Self) -> bool {
        let same_name = self.x509.issuer_name().try_cmp(other.x509.issuer_name()).is_ok_and(Ordering::is_eq);
        same_name && self.issuer_key_id == other.issuer_key_id && self.scope == other.scope
    }

    /// Whether the list is signed with `issuer`'s key.
    pub(crate) fn is_signed_by(&self, issuer: &Certificate) -> bool {
        let key = sha256(&issuer.spki);
        let remembered = |checks: &Vec<([u8; 32], bool)>| {
            checks.iter().find(|(known, _)| *known == key).map(|(_, ok)| *ok)
        };
        // A poisoned lock means that a thread died between two whole entries: the list is still good.
        let lock = || self.signature_checks.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(known) = remembered(&lock()) {
            return known;
        }
        let good = issuer.x509.public_key().and_then(|key| self.x509.verify(&key)).unwrap_or(false);
        let mut checks = lock();
        if checks.len() < REMEMBERED_ISSUERS && remembered(&checks).is_none() {
            checks.push((key, good));
        }
        good
    }

    /// From when `certificate` is revoked, in Unix microseconds; `None` where the list does not name it.
    pub(crate) fn revoked_since_us(&self, certificate: &Certificate) -> Option<i64> {
        self.revoked.get(&certificate.serial).copied()
    }
}

/// The list's own extensions.
#[derive(Default)]
struct Extensions {
    number: Option<BigUint>,
    issuer_key_id: Option<Vec<u8>>,
    scope: Scope,
    fault: Option<CrlFault>,
}

impl Extensions {
    fn read(parsed: &CertificateRevocationList<'_>) -> Self {
        let mut read = Self::default();
        for extension in parsed.extensions() {
            let fault = match extension.parsed_extension() {
                _ if extension.oid.to_id_string() == DELTA_INDICATOR => Some(CrlFault::Delta),
                // Sections 5.2.1 and 5.2.3: these must not be critical.
                ParsedExtension::AuthorityKeyIdentifier(id) => {
                    read.issuer_key_id = id.key_identifier.as_ref().map(|id| id.0.to_vec());
                    extension.critical.then_some(CrlFault::Malformed)
                }
                ParsedExtension::CRLNumber(number) => {
                    read.number = Some(number.clone());
                    extension.critical.then_some(CrlFault::Malformed)
                }
                ParsedExtension::IssuingDistributionPoint(point) => match Scope::read(point, extension.value)
                {
                    Ok(scope) => {
                        read.scope = scope;
                        None
                    }
                    Err(fault) => Some(fault),
                },
                ParsedExtension::ParseError { .. } => Some(CrlFault::Malformed),
                _ => extension.critical.then_some(CrlFault::UnknownCriticalExtension),
            };
            read.fault = read.fault.or(fault);
        }
        if parsed.tbs_cert_list.extensions_map().is_err() {
            read.fault = Some(CrlFault::Malformed);
        }
        if read.number.is_none() || read.issuer_key_id.is_none() {
            read.fault = read.fault.or(Some(CrlFault::MissingExtension));
        }
        read
    }
}

fn fault_of_list(parsed: &CertificateRevocationList<'_>) -> Option<CrlFault> {
    let list = &parsed.tbs_cert_list;
    if list.version != Some(X509Version::V2) || list.signature != parsed.signature_algorithm {
        return Some(CrlFault::Malformed);
    }
    if judge_signature(&parsed.signature_algorithm) != SignatureStrength::Accepted {
        return Some(CrlFault::SignatureAlgorithm);
    }
    parsed.next_update().is_none().then_some(CrlFault::NoNextUpdate)
}

fn fault_of_entry(entry: &RevokedCertificate<'_>) -> Option<CrlFault> {
    entry.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        _ if extension.oid.to_id_string() == CERTIFICATE_ISSUER => Some(CrlFault::Partial),
        ParsedExtension::ReasonCode(_) | ParsedExtension::InvalidityDate(_) => None,
        ParsedExtension::ParseError { .. } => Some(CrlFault::Malformed),
        _ => extension.critical.then_some(CrlFault::UnknownCriticalExtension),
    })
}

/// When an entry takes effect: the CA's `revocationDate`, or the `invalidityDate` (RFC 5280 section 5.3.2) since which
/// the key is known or suspected to be in other hands, where that is earlier.
fn revoked_since_us(entry: &RevokedCertificate<'_>) -> i64 {
    let revoked = entry.revocation_date.timestamp();
    let invalid = entry.invalidity_date().map_or(revoked, |(_, time)| time.timestamp());
    revoked.min(invalid).saturating_mul(SECOND_US)
}
