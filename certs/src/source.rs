//! The values of a certificate that a profile can look at.

use std::fmt;

use serde::{Deserialize, Serialize};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// A kind of value in a certificate; it may occur any number of times.
///
/// | written | values |
/// |---|---|
/// | `subject:ATTRIBUTE`, `issuer:ATTRIBUTE` | attributes of the subject's or issuer's name |
/// | `san:uri`, `san:dns`, `san:email` | subject alternative names of that kind |
/// | `san:directory:ATTRIBUTE` | attributes of directory names among the subject alternative names |
/// | `policy` | certificate policy identifiers, dotted |
///
/// `ATTRIBUTE` is `CN`, `OU`, `O`, `L`, `ST`, `C`, `serialNumber`, `title`, `UID`, `organizationIdentifier`, or a
/// dotted object identifier.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Source(Kind);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Kind {
    Subject(Attribute),
    Issuer(Attribute),
    SanUri,
    SanDns,
    SanEmail,
    SanDirectory(Attribute),
    Policy,
}

/// An attribute type: as it was written, and its dotted object identifier.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Attribute {
    written: String,
    oid: String,
}

/// Attribute names that may be used in place of an object identifier (RFC 4519, X.520).
const ATTRIBUTES: [(&str, &str); 10] = [
    ("CN", "2.5.4.3"),
    ("serialNumber", "2.5.4.5"),
    ("C", "2.5.4.6"),
    ("L", "2.5.4.7"),
    ("ST", "2.5.4.8"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("title", "2.5.4.12"),
    ("organizationIdentifier", "2.5.4.97"),
    ("UID", "0.9.2342.19200300.100.1.1"),
];

/// A source that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no place in a certificate; examples: subject:serialNumber, san:uri, policy")]
pub struct SourceError(pub String);

impl Source {
    /// Reads a source.
    pub fn parse(written: &str) -> Result<Self, SourceError> {
        let error = || SourceError(written.to_owned());
        let attribute = |name: &str| Attribute::parse(name).ok_or_else(error);
        let kind = match written {
            "san:uri" => Kind::SanUri,
            "san:dns" => Kind::SanDns,
            "san:email" => Kind::SanEmail,
            "policy" => Kind::Policy,
            _ => match written.rsplit_once(':') {
                Some(("subject", name)) => Kind::Subject(attribute(name)?),
                Some(("issuer", name)) => Kind::Issuer(attribute(name)?),
                Some(("san:directory", name)) => Kind::SanDirectory(attribute(name)?),
                _ => return Err(error()),
            },
        };
        Ok(Self(kind))
    }

    /// Every value of this kind in the certificate. Values that are no text are left out.
    pub(crate) fn values(&self, certificate: &X509Certificate<'_>) -> Vec<String> {
        match &self.0 {
            Kind::Subject(attribute) => attribute.values(certificate.subject()),
            Kind::Issuer(attribute) => attribute.values(certificate.issuer()),
            Kind::SanUri => alternative_names(certificate, |name| match name {
                GeneralName::URI(uri) => vec![(*uri).to_owned()],
                _ => Vec::new(),
            }),
            Kind::SanDns => alternative_names(certificate, |name| match name {
                GeneralName::DNSName(dns) => vec![(*dns).to_owned()],
                _ => Vec::new(),
            }),
            Kind::SanEmail => alternative_names(certificate, |name| match name {
                GeneralName::RFC822Name(email) => vec![(*email).to_owned()],
                _ => Vec::new(),
            }),
            Kind::SanDirectory(attribute) => alternative_names(certificate, |name| match name {
                GeneralName::DirectoryName(directory) => attribute.values(directory),
                _ => Vec::new(),
            }),
            Kind::Policy => policies(certificate),
        }
    }
}

impl Attribute {
    fn parse(name: &str) -> Option<Self> {
        let known = ATTRIBUTES.iter().find(|(short, _)| *short == name).map(|(_, oid)| (*oid).to_owned());
        let dotted = || {
            let arcs = name.split('.').count();
            let numbers = name.split('.').all(|arc| arc.parse::<u64>().is_ok_and(|n| n.to_string() == arc));
            (arcs >= 2 && numbers).then(|| name.to_owned())
        };
        Some(Self { written: name.to_owned(), oid: known.or_else(dotted)? })
    }

    fn values(&self, name: &X509Name<'_>) -> Vec<String> {
        name.iter_attributes()
            .filter(|attribute| attribute.attr_type().to_id_string() == self.oid)
            .filter_map(text)
            .collect()
    }
}

/// An attribute's value as text; `None` for types that are no text or break their type's alphabet.
fn text(attribute: &AttributeTypeAndValue<'_>) -> Option<String> {
    if let Ok(text) = attribute.as_str() {
        return Some(text.to_owned());
    }
    // BMPString (UCS-2) is what older Japanese CAs write names in; the parser has no accessor for it.
    let value = attribute.attr_value();
    if value.tag() != x509_parser::asn1_rs::Tag::BmpString || value.data.len() % 2 != 0 {
        return None;
    }
    let units = value.data.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    char::decode_utf16(units).collect::<Result<String, _>>().ok()
}

fn alternative_names(
    certificate: &X509Certificate<'_>,
    read: impl Fn(&GeneralName<'_>) -> Vec<String>,
) -> Vec<String> {
    match certificate.subject_alternative_name() {
        Ok(Some(extension)) => extension.value.general_names.iter().flat_map(read).collect(),
        // A malformed extension is refused where the certificate is checked; it names nobody here.
        Ok(None) | Err(_) => Vec::new(),
    }
}

fn policies(certificate: &X509Certificate<'_>) -> Vec<String> {
    certificate
        .extensions()
        .iter()
        .filter_map(|extension| match extension.parsed_extension() {
            ParsedExtension::CertificatePolicies(policies) => Some(policies),
            _ => None,
        })
        .flat_map(|policies| policies.iter().map(|policy| policy.policy_id.to_id_string()))
        .collect()
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Subject(attribute) => write!(f, "subject:{}", attribute.written),
            Kind::Issuer(attribute) => write!(f, "issuer:{}", attribute.written),
            Kind::SanUri => f.write_str("san:uri"),
            Kind::SanDns => f.write_str("san:dns"),
            Kind::SanEmail => f.write_str("san:email"),
            Kind::SanDirectory(attribute) => write!(f, "san:directory:{}", attribute.written),
            Kind::Policy => f.write_str("policy"),
        }
    }
}

impl TryFrom<String> for Source {
    type Error = SourceError;

    fn try_from(written: String) -> Result<Self, SourceError> {
        Self::parse(&written)
    }
}

impl From<Source> for String {
    fn from(source: Source) -> Self {
        source.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_written_back_as_they_were_read() {
        for written in [
            "subject:serialNumber",
            "issuer:O",
            "san:uri",
            "san:directory:1.2.392.200119.4.2",
            "policy",
            "subject:2.5.4.3",
        ] {
            assert_eq!(Source::parse(written).expect("a good source").to_string(), written);
        }
    }

    #[test]
    fn unknown_sources_are_refused() {
        for written in
            ["", "subject", "subject:", "subject:cn", "san:ip", "subject:1", "subject:01.2", "x:CN"]
        {
            assert_eq!(Source::parse(written), Err(SourceError(written.to_owned())));
        }
    }
}
