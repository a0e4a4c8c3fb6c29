//! One certificate, read once: what chain building, usage and revocation ask of it.

use der::Tag;
use der::asn1::ObjectIdentifier;
use openssl::x509::{X509, X509VerifyResult};
use x509_parser::asn1_rs::{FromDer, Oid};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{
    DistributionPointName, ExtendedKeyUsage, GeneralName, KeyUsage, ParsedExtension,
};
use x509_parser::x509::X509Name;

use crate::der_walk::{Element, Walk};
use crate::error::{CertError, Position};
use crate::identity::sha256;
use crate::key_policy::{self, KeyFault, KeyKind, SignatureStrength};
use crate::well_formed::{self, Defect};

/// Longest certificate that is looked at; real ones have 1 to 4 KiB.
const MAX_CERTIFICATE_BYTES: usize = 64 * 1024;
/// `id-ad-ocsp` (RFC 5280 section 4.2.2.1).
const ID_AD_OCSP: &str = "1.3.6.1.5.5.7.48.1";
/// `id-pe-tlsfeature` (RFC 7633 section 6), and `status_request` (RFC 6066 section 8) in it.
const TLS_FEATURE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.1.24");
const STATUS_REQUEST: u8 = 5;
/// Microseconds in a second.
pub(crate) const SECOND_US: i64 = 1_000_000;

/// A certificate as both parsers read it. Whether it is acceptable is decided when it stands in a chain: a defect of a
/// certificate that no chain needs is nobody's concern.
#[derive(Debug)]
pub(crate) struct Certificate {
    pub(crate) der: Vec<u8>,
    pub(crate) x509: X509,
    /// Subject name, DER.
    pub(crate) subject: Vec<u8>,
    /// Subject and issuer have the same name, as in a root or a CA's change of key.
    pub(crate) self_issued: bool,
    pub(crate) spki: Vec<u8>,
    /// Serial number without leading zeros.
    pub(crate) serial: Vec<u8>,
    /// Whether the serial number is one that RFC 5280 section 4.1.2.2 allows: positive, at most 20 octets.
    pub(crate) serial_allowed: bool,
    /// `notBefore` in Unix microseconds.
    pub(crate) not_before_us: i64,
    /// `notAfter` in Unix microseconds: the second it names is still valid (RFC 5280 section 4.1.2.5).
    pub(crate) not_after_us: i64,
    pub(crate) is_ca: bool,
    /// URIs among the subject's alternative names.
    pub(crate) uris: Vec<String>,
    pub(crate) key_usage: Option<KeyUsage>,
    /// Extended key usages, dotted.
    pub(crate) extended: Option<Vec<String>>,
    pub(crate) key: Result<KeyKind, KeyFault>,
    pub(crate) signature: SignatureStrength,
    /// Subject key identifier.
    pub(crate) key_id: Option<Vec<u8>>,
    /// Where its CRL is said to be.
    pub(crate) crl_points: Vec<PointName>,
    /// Where its OCSP responder is said to be.
    pub(crate) ocsp_url: Option<String>,
    /// TLS extensions that a server which shows it promises to answer (RFC 7633), by number.
    features: Vec<u8>,
    /// DNS names among the alternative names.
    pub(crate) dns_names: Vec<String>,
    /// DNS names that the certificates below must not have.
    pub(crate) excluded_dns: Vec<String>,
    /// What is wrong with how it is built.
    pub(crate) defect: Option<Defect>,
}

/// A name of a CRL distribution point; other kinds of name are not used for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PointName {
    Uri(String),
    /// A directory name, DER.
    Directory(Vec<u8>),
}

impl Certificate {
    /// Reads DER. Refuses only what either parser cannot read at all.
    pub(crate) fn parse(der: &[u8]) -> Result<Self, &'static str> {
        if der.len() > MAX_CERTIFICATE_BYTES {
            return Err("longer than 64 KiB");
        }
        let Ok(([], parsed)) = x509_parser::parse_x509_certificate(der) else {
            return Err("not a DER certificate");
        };
        // Both parsers must agree on where the certificate ends and what its encoding is.
        let x509 = X509::from_der(der).map_err(|_| "not a DER certificate")?;
        if x509.to_der().ok().as_deref() != Some(der) {
            return Err("not DER");
        }
        let facts = Facts::read(&parsed);
        let defect = well_formed::defect(&parsed).or_else(|| facts.malformed.map(Defect::Malformed));
        Ok(Self {
            subject: parsed.subject().as_raw().to_vec(),
            self_issued: parsed.subject().as_raw() == parsed.issuer().as_raw(),
            spki: parsed.public_key().raw.to_vec(),
            serial: without_leading_zeros(parsed.raw_serial()),
            serial_allowed: serial_allowed(parsed.raw_serial()),
            not_before_us: parsed.validity().not_before.timestamp().saturating_mul(SECOND_US),
            not_after_us: parsed
                .validity()
                .not_after
                .timestamp()
                .saturating_mul(SECOND_US)
                .saturating_add(SECOND_US - 1),
            is_ca: facts.is_ca,
            uris: facts.uris,
            key_usage: facts.key_usage,
            extended: facts.extended,
            key: key_policy::judge_key(parsed.public_key()),
            signature: key_policy::judge_signature(&parsed.signature_algorithm),
            key_id: facts.key_id,
            crl_points: facts.crl_points,
            ocsp_url: facts.ocsp_url,
            features: facts.features,
            dns_names: facts.dns_names,
            excluded_dns: facts.excluded_dns,
            defect,
            der: der.to_vec(),
            x509,
        })
    }

    /// [`Certificate::parse`] for the certificate at `position`.
    pub(crate) fn parse_at(der: &[u8], position: Position) -> Result<Self, CertError> {
        Self::parse(der).map_err(|why| CertError::MalformedCertificate(position, why))
    }

    /// The subject's name as text.
    pub(crate) fn subject_text(&self) -> String {
        X509Name::from_der(&self.subject).map_or_else(|_| String::new(), |(_, name)| name.to_string())
    }

    /// A CA's common name, and the beginning of its key's SHA-256 in hexadecimal: several CAs may share the name.
    pub(crate) fn short_name(&self) -> String {
        let name = X509Name::from_der(&self.subject).ok();
        let common = name.as_ref().and_then(|(_, name)| name.iter_common_name().next()?.as_str().ok());
        let [a, b, c, d, ..] = sha256(&self.spki);
        let key = format!("{:08x}", u32::from_be_bytes([a, b, c, d]));
        common.map_or_else(|| key.clone(), |common| format!("{common} {key}"))
    }

    /// What can be said against this certificate wherever it stands in a chain.
    pub(crate) fn check_built(&self, position: Position) -> Result<(), CertError> {
        match self.defect {
            Some(Defect::Malformed(why)) => return Err(CertError::MalformedCertificate(position, why)),
            Some(Defect::UnknownCriticalExtension) => {
                return Err(CertError::UnknownCriticalExtension(position));
            }
            None => {}
        }
        match self.key {
            Ok(_) => Ok(()),
            Err(KeyFault::Weak) => Err(CertError::WeakKey(position)),
            Err(KeyFault::Unsupported) => Err(CertError::UnsupportedKey(position)),
            Err(KeyFault::Malformed) => {
                Err(CertError::MalformedCertificate(position, "the public key cannot be read"))
            }
        }
    }

    /// What can be said against this certificate where another one vouches for it. An anchor is a name and a key
    /// (RFC 5280 section 6.1.1): its serial number and its own signature prove nothing and are not looked at.
    pub(crate) fn check_issued(&self, position: Position) -> Result<(), CertError> {
        if !self.serial_allowed {
            return Err(CertError::MalformedCertificate(
                position,
                "the serial number is not positive or too long",
            ));
        }
        match self.signature {
            SignatureStrength::Accepted => Ok(()),
            SignatureStrength::Weak => Err(CertError::WeakSignatureAlgorithm(position)),
            SignatureStrength::Unsupported => Err(CertError::UnsupportedSignatureAlgorithm(position)),
        }
    }

    /// Whether this CA's key signed `other`, by names, key identifiers and signature.
    pub(crate) fn issued(&self, other: &Self) -> bool {
        let named = self.x509.issued(&other.x509) == X509VerifyResult::OK;
        named && self.x509.public_key().and_then(|key| other.x509.verify(&key)).unwrap_or(false)
    }

    /// Whether a server that shows it must show an OCSP answer about it.
    pub(crate) fn must_staple(&self) -> bool {
        self.features.contains(&STATUS_REQUEST)
    }

    /// Whether `at_us` lies in the validity period, both ends included.
    pub(crate) fn check_time(&self, position: Position, at_us: i64) -> Result<(), CertError> {
        if at_us < self.not_before_us {
            return Err(CertError::CertificateNotYetValid(position));
        }
        if at_us > self.not_after_us {
            return Err(CertError::CertificateExpired(position));
        }
        Ok(())
    }
}

/// What the extensions say.
#[derive(Default)]
struct Facts {
    is_ca: bool,
    uris: Vec<String>,
    key_usage: Option<KeyUsage>,
    extended: Option<Vec<String>>,
    key_id: Option<Vec<u8>>,
    crl_points: Vec<PointName>,
    ocsp_url: Option<String>,
    features: Vec<u8>,
    dns_names: Vec<String>,
    excluded_dns: Vec<String>,
    malformed: Option<&'static str>,
}

impl Facts {
    fn read(parsed: &X509Certificate<'_>) -> Self {
        let mut facts = Self::default();
        for extension in parsed.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::BasicConstraints(constraints) => facts.is_ca = constraints.ca,
                ParsedExtension::KeyUsage(usage) => facts.key_usage = Some(*usage),
                ParsedExtension::ExtendedKeyUsage(usage) => facts.extended = Some(extended(usage)),
                ParsedExtension::SubjectKeyIdentifier(id) => facts.key_id = Some(id.0.to_vec()),
                ParsedExtension::CRLDistributionPoints(points) => {
                    let names = points.iter().filter_map(|point| point.distribution_point.as_ref());
                    facts.crl_points = names.flat_map(point_names).collect();
                }
                ParsedExtension::AuthorityInfoAccess(access) => {
                    facts.ocsp_url = access.accessdescs.iter().find_map(|one| match &one.access_location {
                        GeneralName::URI(uri) if one.access_method.to_id_string() == ID_AD_OCSP => {
                            Some((*uri).to_owned())
                        }
                        _ => None,
                    });
                }
                ParsedExtension::SubjectAlternativeName(names) => {
                    facts.dns_names = dns_names(&names.general_names);
                    let uri = |name: &GeneralName<'_>| match name {
                        GeneralName::URI(uri) => Some((*uri).to_owned()),
                        _ => None,
                    };
                    facts.uris = names.general_names.iter().filter_map(uri).collect();
                }
                ParsedExtension::NameConstraints(constraints) => {
                    let excluded = constraints.excluded_subtrees.iter().flatten();
                    facts.excluded_dns = dns_names(excluded.map(|subtree| &subtree.base));
                }
                ParsedExtension::UnsupportedExtension { .. }
                    if extension.oid.as_bytes() == TLS_FEATURE.as_bytes() =>
                {
                    facts.features = features(extension.value).collect();
                }
                ParsedExtension::ParseError { .. } => facts.malformed = Some("an extension cannot be read"),
                _ => {}
            }
        }
        facts
    }
}

/// The numbers of a TLS feature extension that have one byte: a SEQUENCE of INTEGER. What is anything else has none.
fn features(value: &[u8]) -> impl Iterator<Item = u8> {
    let mut walk = Walk::only(value, Tag::Sequence, "Features").map(Element::walk).ok();
    std::iter::from_fn(move || match walk.as_mut()?.take(Tag::Integer, "Feature").ok()?.body {
        [one] => Some(*one),
        _ => None,
    })
}

fn dns_names<'n, 'a: 'n>(names: impl IntoIterator<Item = &'n GeneralName<'a>>) -> Vec<String> {
    let dns = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(text) => Some((*text).to_owned()),
        _ => None,
    };
    names.into_iter().filter_map(dns).collect()
}

/// Extended key usages as dotted identifiers.
fn extended(usage: &ExtendedKeyUsage<'_>) -> Vec<String> {
    let named = [
        (usage.any, "2.5.29.37.0"),
        (usage.server_auth, "1.3.6.1.5.5.7.3.1"),
        (usage.client_auth, "1.3.6.1.5.5.7.3.2"),
        (usage.code_signing, "1.3.6.1.5.5.7.3.3"),
        (usage.email_protection, "1.3.6.1.5.5.7.3.4"),
        (usage.time_stamping, "1.3.6.1.5.5.7.3.8"),
        (usage.ocsp_signing, "1.3.6.1.5.5.7.3.9"),
    ];
    let named = named.into_iter().filter(|(present, _)| *present).map(|(_, oid)| oid.to_owned());
    named.chain(usage.other.iter().map(Oid::to_id_string)).collect()
}

/// The names of a distribution point that CRLs and certificates are compared by.
pub(crate) fn point_names(point: &DistributionPointName<'_>) -> Vec<PointName> {
    match point {
        DistributionPointName::FullName(names) => names.iter().filter_map(PointName::read).collect(),
        DistributionPointName::NameRelativeToCRLIssuer(_) => Vec::new(),
    }
}

impl PointName {
    fn read(name: &GeneralName<'_>) -> Option<Self> {
        match name {
            GeneralName::URI(uri) => Some(Self::Uri((*uri).to_owned())),
            GeneralName::DirectoryName(name) => Some(Self::Directory(X509Name::as_raw(name).to_vec())),
            _ => None,
        }
    }
}

/// A serial number's magnitude, as certificates and CRL entries are compared.
pub(crate) fn without_leading_zeros(serial: &[u8]) -> Vec<u8> {
    let zeros = serial.iter().take_while(|byte| **byte == 0).count();
    serial[zeros..].to_vec()
}

/// RFC 5280 section 4.1.2.2: a positive integer of at most 20 octets.
fn serial_allowed(encoded: &[u8]) -> bool {
    let positive =
        encoded.first().is_some_and(|first| first & 0x80 == 0) && encoded.iter().any(|byte| *byte != 0);
    positive && encoded.len() <= 20
}
