//! Rules of RFC 5280 on how a certificate is built, beyond those that OpenSSL's strict mode checks on a chain.

use std::collections::HashSet;

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{BasicConstraints, GeneralName, KeyUsage, ParsedExtension, X509Extension};
use x509_parser::x509::X509Version;

use crate::name_syntax;

/// What is wrong with how a certificate is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Defect {
    /// A rule is broken; the text names it.
    Malformed(&'static str),
    /// A critical extension that nothing here processes.
    UnknownCriticalExtension,
}

/// The first rule that the certificate breaks.
pub(crate) fn defect(certificate: &X509Certificate<'_>) -> Option<Defect> {
    frame(certificate).err().map(Defect::Malformed).or_else(|| {
        certificate.extensions().iter().find_map(|extension| {
            let subject_is_empty = certificate.subject().iter_rdn().next().is_none();
            match extension_rule(extension, subject_is_empty) {
                Ok(()) if extension.critical && !is_processed(extension) => {
                    Some(Defect::UnknownCriticalExtension)
                }
                outcome => outcome.err().map(Defect::Malformed),
            }
        })
    })
}

fn frame(certificate: &X509Certificate<'_>) -> Result<(), &'static str> {
    require(certificate.version() == X509Version::V3, "not version 3")?;
    // Section 4.1.1.2: the algorithm inside the signature and the one outside must be the same.
    require(
        certificate.tbs_certificate.signature == certificate.signature_algorithm,
        "the two signature algorithms differ",
    )?;
    require(certificate.issuer().iter_rdn().next().is_some(), "the issuer's name is empty")?;
    let mut seen = HashSet::new();
    require(certificate.extensions().iter().all(|one| seen.insert(&one.oid)), "an extension stands twice")?;
    constraints(certificate)
}

/// Section 4.2.1.3 and 4.2.1.9: what basic constraints, key usage and name constraints say of a CA goes together.
fn constraints(certificate: &X509Certificate<'_>) -> Result<(), &'static str> {
    let mut basic = BasicConstraints { ca: false, path_len_constraint: None };
    let mut usage = None::<KeyUsage>;
    let mut name_constraints = false;
    for extension in certificate.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::BasicConstraints(constraints) => basic = constraints.clone(),
            ParsedExtension::KeyUsage(found) => usage = Some(*found),
            ParsedExtension::NameConstraints(_) => name_constraints = true,
            _ => {}
        }
    }
    if basic.ca {
        return require(certificate.subject().iter_rdn().next().is_some(), "a CA without a name");
    }
    require(basic.path_len_constraint.is_none(), "a path length without being a CA")?;
    require(!name_constraints, "name constraints without being a CA")?;
    require(!usage.is_some_and(|usage| usage.key_cert_sign()), "a key usage of a CA without being one")
}

/// What one extension must be like.
fn extension_rule(extension: &X509Extension<'_>, subject_is_empty: bool) -> Result<(), &'static str> {
    let critical = extension.critical;
    match extension.parsed_extension() {
        ParsedExtension::ParseError { .. } => Err("an extension cannot be read"),
        // Sections 4.2.1.1, 4.2.1.2, 4.2.2.1 and 4.2.2.2: these must not be critical.
        ParsedExtension::AuthorityKeyIdentifier(id) => {
            require(!critical, "a critical authority key identifier")?;
            let pair = id.authority_cert_issuer.is_some() == id.authority_cert_serial.is_some();
            require(pair, "an authority key identifier with an issuer or a serial number alone")?;
            require(id.key_identifier.is_some(), "an authority key identifier without the key's")
        }
        ParsedExtension::SubjectKeyIdentifier(_) => require(!critical, "a critical subject key identifier"),
        ParsedExtension::AuthorityInfoAccess(access) => {
            require(!critical, "a critical authority information access")?;
            let valid = access.iter().all(|one| !matches!(one.access_location, GeneralName::Invalid(..)));
            require(valid, "an invalid name in the authority information access")
        }
        ParsedExtension::SubjectInfoAccess(_) => require(!critical, "a critical subject information access"),
        // Sections 4.2.1.9 to 4.2.1.11: these must be critical.
        ParsedExtension::BasicConstraints(constraints) => {
            require(critical || !constraints.ca, "basic constraints of a CA that are not critical")
        }
        ParsedExtension::NameConstraints(constraints) => {
            let mut bases = [&constraints.permitted_subtrees, &constraints.excluded_subtrees]
                .into_iter()
                .flatten()
                .flatten();
            require(critical, "name constraints that are not critical")?;
            require(bases.clone().next().is_some(), "empty name constraints")?;
            require(
                bases.all(|one| name_syntax::is_valid_constraint(&one.base)),
                "an invalid name constraint",
            )
        }
        ParsedExtension::PolicyConstraints(_) => {
            require(critical, "policy constraints that are not critical")
        }
        ParsedExtension::InhibitAnyPolicy(_) => require(critical, "inhibit anyPolicy that is not critical"),
        ParsedExtension::ExtendedKeyUsage(usage) => {
            let named = usage.any
                || usage.server_auth
                || usage.client_auth
                || usage.code_signing
                || usage.email_protection
                || usage.time_stamping
                || usage.ocsp_signing;
            require(named || !usage.other.is_empty(), "an empty extended key usage")
        }
        // Section 4.2.1.6.
        ParsedExtension::SubjectAlternativeName(names) => {
            require(!names.general_names.is_empty(), "an empty subject alternative name")?;
            require(critical || !subject_is_empty, "no subject and alternative names that are not critical")?;
            require(
                names.general_names.iter().all(name_syntax::is_valid),
                "an invalid subject alternative name",
            )
        }
        _ => Ok(()),
    }
}

/// Whether a critical extension is one that the verification processes, here or in OpenSSL.
fn is_processed(extension: &X509Extension<'_>) -> bool {
    matches!(
        extension.parsed_extension(),
        ParsedExtension::BasicConstraints(_)
            | ParsedExtension::KeyUsage(_)
            | ParsedExtension::ExtendedKeyUsage(_)
            | ParsedExtension::SubjectAlternativeName(_)
            | ParsedExtension::NameConstraints(_)
            | ParsedExtension::CertificatePolicies(_)
            | ParsedExtension::PolicyConstraints(_)
            | ParsedExtension::PolicyMappings(_)
            | ParsedExtension::InhibitAnyPolicy(_)
    )
}

fn require(holds: bool, rule: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(rule) }
}
