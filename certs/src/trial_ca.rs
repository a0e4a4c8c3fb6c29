//! The trial CA: issues the certificates of a trial, a demo or a test.
//!
//! Real offices have certificates from a CA that Tasuki does not run. Until those are at hand, and wherever none may be
//! used, this CA issues certificates in the layout that [`CertificateProfile::trial`] reads:
//!
//! | for | subject |
//! |---|---|
//! | an office | `C=JP, O=Tasuki trial, OU=office, CN=`name`, serialNumber=`10 digits |
//! | a terminal | `C=JP, O=Tasuki trial, OU=terminal, CN=`terminal's name`, serialNumber=`office's 10 digits |
//! | a proxy | `C=JP, O=Tasuki trial, OU=proxy, CN=`name`, serialNumber=P`5 digits |
//! | an operator | `C=JP, O=Tasuki trial, OU=operator, CN=`name |
//! | a server | `CN=`first name, and DNS names and IP addresses as alternative names |
//!
//! Keys and serial numbers come from OpenSSL's random generator, which is seeded by the operating system.
//!
//! [`CertificateProfile::trial`]: crate::profile::CertificateProfile::trial

mod crl;
mod issued;
mod options;
mod signer;

use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::{BigNum, MsbOption};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{HasPublic, Id, PKey, PKeyRef, Private};
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, SubjectAlternativeName, SubjectKeyIdentifier,
};
use openssl::x509::{X509, X509Builder, X509Name};
use zeroize::Zeroizing;

pub use self::crl::{CrlOptions, Revocation, RevocationReason};
pub use self::issued::{Certified, Issued};
pub use self::options::{Digest, IssueOptions, KeyChoice, KeyUse, RawExtension};
use self::signer::CaSigner;
use crate::certificate::{Certificate, SECOND_US};
use crate::handover::ROLLED_BY_LOG;
use crate::request::RequestedKey;
use crate::token::{MakeKey, TokenError, TokenKey, TokenUri, public_key};

/// How long a CA's own certificate is valid: longer than a trial.
const CA_VALIDITY_US: i64 = 3_650 * 86_400 * SECOND_US;
/// Certificates begin this much before they are issued, so that a clock that lags does not refuse them.
const BACKDATED_US: i64 = 3_600 * SECOND_US;
/// Longest text of a name's attribute (RFC 5280 appendix A.1, `ub-common-name` and others).
const MAX_ATTRIBUTE_CHARS: usize = 64;
/// The organization in every subject.
const ORGANIZATION: &str = "Tasuki trial";

/// Why the trial CA could not issue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrialCaError {
    /// The CA's own certificate or key is not PEM that can be read, or they do not belong together.
    #[error("the trial CA's certificate and key cannot be read")]
    CannotLoad,
    /// A number that does not have the form of its kind.
    #[error("{0:?} is not the number of an office (10 digits) or a proxy (P and 5 digits)")]
    BadNumber(String),
    /// A server certificate without a name.
    #[error("a server certificate needs a name")]
    NoServerName,
    /// The key is on a token that can't be used, or does not give it away.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The key is on a token and does not leave it.
    #[error("the CA's key does not leave its token")]
    OnToken,
    /// OpenSSL refused; the text is its own.
    #[error("the certificate cannot be made: {0}")]
    Library(String),
}

impl From<ErrorStack> for TrialCaError {
    fn from(error: ErrorStack) -> Self {
        Self::Library(error.to_string())
    }
}

/// A certification authority for trials: certificate and key.
#[derive(Clone)]
pub struct TrialCa {
    certificate: X509,
    key: CaSigner,
    /// CA certificates above this one, DER, the root last; empty for a root.
    above: Vec<Vec<u8>>,
    /// This CA's key as CAs before it certified it, each with the one before that, DER, the newest first.
    crosses: Vec<Vec<u8>>,
}

impl TrialCa {
    /// A new root with a P-256 key, valid for ten years from `now_us` (Unix microseconds), that lets a relay's log name its successor
    /// ([`ROLLED_BY_LOG`]).
    pub fn create(name: &str, now_us: i64) -> Result<Self, TrialCaError> {
        Self::create_with(name, &root_options(now_us))
    }

    /// A new root, made as `options` say.
    pub fn create_with(name: &str, options: &IssueOptions) -> Result<Self, TrialCaError> {
        let key = CaSigner::Memory(options.key.make()?);
        Self::root(name, key, options)
    }

    /// A new root as [`TrialCa::create`] makes it, whose key is on a token and never leaves it. A key of the name that the URI gives is
    /// taken (RSA, P-256, P-384), or made on the token, on P-256.
    pub fn create_on_token(name: &str, now_us: i64, uri: TokenUri, pin: &str) -> Result<Self, TrialCaError> {
        let key = TokenKey::open_or_make(uri, pin, MakeKey::P256)?;
        let public = public_key(&key)?;
        Self::root(name, CaSigner::on_token(key, public)?, &root_options(now_us))
    }

    fn root(name: &str, key: CaSigner, options: &IssueOptions) -> Result<Self, TrialCaError> {
        let subject = ca_subject(name, options)?;
        let certificate = match &key {
            CaSigner::Memory(own) => build(&subject, own, None, &key, options, &[])?,
            CaSigner::Token { public, .. } => build(&subject, public, None, &key, options, &[])?,
        };
        if !certificate.verify(&*certificate.public_key()?)? {
            return Err(TokenError::DoesNotMatch.into());
        }
        Ok(Self { certificate, key, above: Vec::new(), crosses: Vec::new() })
    }

    /// A root that was stored as PEM: certificate and unencrypted key.
    pub fn load(certificate_pem: &[u8], key_pem: &[u8]) -> Result<Self, TrialCaError> {
        let certificate = X509::from_pem(certificate_pem).map_err(|_| TrialCaError::CannotLoad)?;
        let key = crate::identity::private_key_from_pem(key_pem).map_err(|_| TrialCaError::CannotLoad)?;
        let public = certificate.public_key().map_err(|_| TrialCaError::CannotLoad)?;
        if !public.public_eq(&key) {
            return Err(TrialCaError::CannotLoad);
        }
        Ok(Self { certificate, key: CaSigner::Memory(key), above: Vec::new(), crosses: Vec::new() })
    }

    /// A root whose certificate was stored as PEM and whose key is on a token. That they belong together is tried: it signs once.
    pub fn load_on_token(certificate_pem: &[u8], uri: TokenUri, pin: &str) -> Result<Self, TrialCaError> {
        let certificate = X509::from_pem(certificate_pem).map_err(|_| TrialCaError::CannotLoad)?;
        let public = certificate.public_key().map_err(|_| TrialCaError::CannotLoad)?;
        let key = CaSigner::on_token(TokenKey::open(uri, pin)?.0, public)?;
        Ok(Self { certificate, key, above: Vec::new(), crosses: Vec::new() })
    }

    /// A CA below this one.
    pub fn issue_intermediate(&self, name: &str, options: &IssueOptions) -> Result<Self, TrialCaError> {
        let key = options.key.make()?;
        let certificate = build(&ca_subject(name, options)?, &key, Some(self), &self.key, options, &[])?;
        Ok(Self { certificate, key: CaSigner::Memory(key), above: self.chain()?, crosses: Vec::new() })
    }

    /// The certificate of an office.
    pub fn issue_office(
        &self,
        number: &str,
        name: &str,
        options: &IssueOptions,
    ) -> Result<Issued, TrialCaError> {
        require_number(number, "", 10)?;
        self.issue(&[("OU", "office"), ("CN", name), ("serialNumber", number)], options)
    }

    /// The certificate of an office's further terminal, named `name` within the office.
    pub fn issue_terminal(
        &self,
        office: &str,
        name: &str,
        options: &IssueOptions,
    ) -> Result<Issued, TrialCaError> {
        require_number(office, "", 10)?;
        self.issue(&[("OU", "terminal"), ("CN", name), ("serialNumber", office)], options)
    }

    /// The certificate of an office's further terminal for a key that the terminal made itself; see [`crate::request`]. Key
    /// and key usage of `options` do not matter.
    pub fn issue_terminal_for(
        &self,
        office: &str,
        name: &str,
        requested: &RequestedKey,
        options: &IssueOptions,
    ) -> Result<Certified, TrialCaError> {
        require_number(office, "", 10)?;
        self.certify_requested(
            &[("OU", "terminal"), ("CN", name), ("serialNumber", office)],
            requested,
            options,
        )
    }

    /// The certificate of an office for a key that it made itself, as [`TrialCa::issue_terminal_for`].
    pub fn issue_office_for(
        &self,
        number: &str,
        name: &str,
        requested: &RequestedKey,
        options: &IssueOptions,
    ) -> Result<Certified, TrialCaError> {
        require_number(number, "", 10)?;
        self.certify_requested(
            &[("OU", "office"), ("CN", name), ("serialNumber", number)],
            requested,
            options,
        )
    }

    /// The certificate of a transmission proxy for a key that it made itself, as [`TrialCa::issue_terminal_for`].
    pub fn issue_proxy_for(
        &self,
        number: &str,
        name: &str,
        requested: &RequestedKey,
        options: &IssueOptions,
    ) -> Result<Certified, TrialCaError> {
        require_number(number, "P", 5)?;
        self.certify_requested(&[("OU", "proxy"), ("CN", name), ("serialNumber", number)], requested, options)
    }

    fn certify_requested(
        &self,
        attributes: &[(&str, &str)],
        requested: &RequestedKey,
        options: &IssueOptions,
    ) -> Result<Certified, TrialCaError> {
        let encrypting =
            if requested.key.id() == Id::EC { KeyUse::KeyAgreement } else { KeyUse::KeyEncipherment };
        let key_usage = vec![KeyUse::DigitalSignature, KeyUse::NonRepudiation, encrypting];
        let options = IssueOptions { key_usage, ..options.clone() };
        let certificate = self.certify(attributes, &requested.key, &options)?;
        Ok(Certified {
            cert_der: certificate.to_der()?,
            chain: self.chain()?,
            serial: certificate.serial_number().to_bn()?.to_vec(),
        })
    }

    /// The certificate of a transmission proxy; its number is `P` and five digits.
    pub fn issue_proxy(
        &self,
        number: &str,
        name: &str,
        options: &IssueOptions,
    ) -> Result<Issued, TrialCaError> {
        require_number(number, "P", 5)?;
        self.issue(&[("OU", "proxy"), ("CN", name), ("serialNumber", number)], options)
    }

    /// The certificate of the relay's operator.
    pub fn issue_operator(&self, name: &str, options: &IssueOptions) -> Result<Issued, TrialCaError> {
        self.issue(&[("OU", "operator"), ("CN", name)], options)
    }

    /// The TLS certificate of a server; each name is a DNS name or an IP address.
    /// Take the options from [`IssueOptions::for_server`].
    pub fn issue_server(&self, names: &[&str], options: &IssueOptions) -> Result<Issued, TrialCaError> {
        let first = names.first().ok_or(TrialCaError::NoServerName)?;
        let key = options.key.make()?;
        let subject = subject(&[("CN", first)], options)?;
        let certificate = build(&subject, &key, Some(self), &self.key, options, names)?;
        self.hand_over(&certificate, &key)
    }

    /// Issues to `attributes` below the trial's organization.
    fn issue(&self, attributes: &[(&str, &str)], options: &IssueOptions) -> Result<Issued, TrialCaError> {
        let key = options.key.make()?;
        let certificate = self.certify(attributes, &key, options)?;
        self.hand_over(&certificate, &key)
    }

    /// A certificate for `attributes` below the trial's organization and a key.
    fn certify<K: HasPublic>(
        &self,
        attributes: &[(&str, &str)],
        key: &PKeyRef<K>,
        options: &IssueOptions,
    ) -> Result<X509, TrialCaError> {
        let mut all = vec![("C", "JP"), ("O", ORGANIZATION)];
        all.extend_from_slice(attributes);
        build(&subject(&all, options)?, key, Some(self), &self.key, options, &[])
    }

    fn hand_over(&self, certificate: &X509, key: &PKey<Private>) -> Result<Issued, TrialCaError> {
        Ok(Issued {
            cert_der: certificate.to_der()?,
            key_pkcs8_der: Zeroizing::new(key.private_key_to_pkcs8()?),
            chain: self.chain()?,
            serial: certificate.serial_number().to_bn()?.to_vec(),
        })
    }

    /// The same CA, with cross certificates that go along with what it issues: whoever still knows only a CA before this one
    /// finds the way to it by them. The newest first.
    #[must_use]
    pub fn with_crosses(self, crosses: Vec<Vec<u8>>) -> Self {
        Self { crosses, ..self }
    }

    /// Certifies the key of the CA that takes this one's place (DER), from `now_us` (Unix microseconds) until the first of both
    /// ends.
    pub fn cross_sign(&self, next: &Self, now_us: i64) -> Result<Vec<u8>, TrialCaError> {
        let not_after_us = Self::end_of_us(&self.cert_der()?)?.min(Self::end_of_us(&next.cert_der()?)?);
        let options = IssueOptions { not_after_us, ..IssueOptions::for_ca(now_us) };
        let subject = X509Name::from_der(&next.certificate.subject_name().to_der()?)?;
        let key = next.certificate.public_key()?;
        Ok(build(&subject, &key, Some(self), &self.key, &options, &[])?.to_der()?)
    }

    /// `notAfter` of a CA's certificate (DER), Unix microseconds; the last microsecond of the second that it names.
    pub fn end_of_us(certificate: &[u8]) -> Result<i64, TrialCaError> {
        Ok(Certificate::parse(certificate).map_err(|_| TrialCaError::CannotLoad)?.not_after_us)
    }

    /// The CN of the subject of a CA's certificate (DER); empty: there is none.
    pub fn name_of(certificate: &[u8]) -> Result<String, TrialCaError> {
        let certificate = X509::from_der(certificate).map_err(|_| TrialCaError::CannotLoad)?;
        let mut names = certificate.subject_name().entries_by_nid(Nid::COMMONNAME);
        let text = names.next().and_then(|entry| entry.data().to_string().ok());
        Ok(text.unwrap_or_default())
    }

    /// What goes along with a certificate of this CA, DER: cross certificates, this CA's own, those above it, the root last.
    pub fn chain(&self) -> Result<Vec<Vec<u8>>, TrialCaError> {
        let mut chain = self.crosses.clone();
        chain.push(self.certificate.to_der()?);
        chain.extend(self.above.iter().cloned());
        Ok(chain)
    }

    /// The certificate, DER.
    pub fn cert_der(&self) -> Result<Vec<u8>, TrialCaError> {
        Ok(self.certificate.to_der()?)
    }

    /// The certificate, PEM.
    pub fn cert_pem(&self) -> Result<Vec<u8>, TrialCaError> {
        Ok(self.certificate.to_pem()?)
    }

    /// The private key, PEM, unencrypted; wiped when dropped. One on a token does not come out.
    pub fn key_pem(&self) -> Result<Zeroizing<Vec<u8>>, TrialCaError> {
        match &self.key {
            CaSigner::Memory(key) => Ok(Zeroizing::new(key.private_key_to_pem_pkcs8()?)),
            CaSigner::Token { .. } => Err(TrialCaError::OnToken),
        }
    }
}

/// A certificate (DER) as PEM.
pub fn certificate_pem(der: &[u8]) -> Result<Vec<u8>, TrialCaError> {
    Ok(X509::from_der(der)?.to_pem()?)
}

/// Builds one certificate for `key`, signed by `signer`: the issuer's key, or without an issuer, for a root, its own.
fn build<K: HasPublic>(
    subject: &X509Name,
    key: &PKeyRef<K>,
    issuer: Option<&TrialCa>,
    signer: &CaSigner,
    options: &IssueOptions,
    names: &[&str],
) -> Result<X509, TrialCaError> {
    let mut builder = X509Builder::new()?;
    builder.set_version(2)?;
    let serial = match &options.serial {
        Some(serial) => BigNum::from_slice(serial)?,
        None => random_serial()?,
    };
    let serial = Asn1Integer::from_bn(&serial)?;
    builder.set_serial_number(&serial)?;
    builder.set_subject_name(subject)?;
    builder.set_issuer_name(issuer.map_or(subject, |ca| ca.certificate.subject_name()))?;
    let (not_before, not_after) = (asn1_time(options.not_before_us)?, asn1_time(options.not_after_us)?);
    builder.set_not_before(&not_before)?;
    builder.set_not_after(&not_after)?;
    builder.set_pubkey(key)?;
    add_extensions(&mut builder, issuer, options, names)?;
    match signer {
        CaSigner::Memory(key) => {
            builder.sign(key, options.digest.for_key(key))?;
            Ok(builder.build())
        }
        CaSigner::Token { key, kind, .. } => {
            let (stand_in, digest) = signer::stand_in(*kind)?;
            builder.sign(&stand_in, digest)?;
            Ok(X509::from_der(&signer::signed_again(&builder.build().to_der()?, key, *kind)?)?)
        }
    }
}

fn add_extensions(
    builder: &mut X509Builder,
    issuer: Option<&TrialCa>,
    options: &IssueOptions,
    names: &[&str],
) -> Result<(), TrialCaError> {
    let mut constraints = BasicConstraints::new();
    constraints.critical();
    if options.is_ca {
        constraints.ca();
        if let Some(length) = options.path_length {
            constraints.pathlen(length);
        }
    }
    builder.append_extension(constraints.build()?)?;
    if let Some(usage) = options.key_usage_extension()? {
        builder.append_extension(usage)?;
    }
    if !options.extended_key_usage.is_empty() {
        let mut usage = ExtendedKeyUsage::new();
        for oid in &options.extended_key_usage {
            usage.other(oid);
        }
        builder.append_extension(usage.build()?)?;
    }
    let authority = issuer.map(|ca| ca.certificate.as_ref());
    let context = builder.x509v3_context(authority, None);
    let key_id = match &options.key_id {
        Some(other) => options::subject_key_id(other)?,
        None => SubjectKeyIdentifier::new().build(&context)?,
    };
    let authority_id = match authority {
        Some(_) => Some(AuthorityKeyIdentifier::new().keyid(true).build(&context)?),
        None => None,
    };
    let alternative = if names.is_empty() && options.uris.is_empty() {
        None
    } else {
        Some(alternative_names(names, &options.uris).build(&context)?)
    };
    let raw = options.extensions.iter().map(RawExtension::build).collect::<Result<Vec<_>, _>>()?;
    for extension in [Some(key_id), authority_id, alternative].into_iter().flatten().chain(raw) {
        builder.append_extension(extension)?;
    }
    Ok(())
}

/// DNS names, IP addresses (both in `names`) and URIs.
fn alternative_names(names: &[&str], uris: &[String]) -> SubjectAlternativeName {
    let mut alternative = SubjectAlternativeName::new();
    for name in names {
        match name.parse::<std::net::IpAddr>() {
            Ok(_) => alternative.ip(name),
            Err(_) => alternative.dns(name),
        };
    }
    for uri in uris {
        alternative.uri(uri);
    }
    alternative
}

/// A root that lets a relay's log name its successor.
fn root_options(now_us: i64) -> IssueOptions {
    IssueOptions {
        not_after_us: now_us.saturating_add(CA_VALIDITY_US),
        uris: vec![ROLLED_BY_LOG.to_owned()],
        ..IssueOptions::for_ca(now_us)
    }
}

fn ca_subject(name: &str, options: &IssueOptions) -> Result<X509Name, TrialCaError> {
    subject(&[("C", "JP"), ("O", ORGANIZATION), ("CN", name)], options)
}

/// A subject name of `attributes`, unless the options give another.
fn subject(attributes: &[(&str, &str)], options: &IssueOptions) -> Result<X509Name, TrialCaError> {
    let mut name = X509Name::builder()?;
    let mut add = |attribute: &str, value: &str| {
        let value: String = value.chars().take(MAX_ATTRIBUTE_CHARS).collect();
        name.append_entry_by_text(attribute, &value)
    };
    match &options.subject {
        Some(other) => other.iter().try_for_each(|(attribute, value)| add(attribute, value))?,
        None => attributes.iter().try_for_each(|(attribute, value)| add(attribute, value))?,
    }
    Ok(name.build())
}

/// 127 random bits with the highest set: positive, never zero, 16 octets (RFC 5280 section 4.1.2.2).
fn random_serial() -> Result<BigNum, TrialCaError> {
    let mut serial = BigNum::new()?;
    serial.rand(127, MsbOption::ONE, false)?;
    Ok(serial)
}

/// Whole seconds: certificates know no fractions.
fn asn1_time(at_us: i64) -> Result<Asn1Time, TrialCaError> {
    Ok(Asn1Time::from_unix(at_us.div_euclid(SECOND_US))?)
}

fn require_number(number: &str, letters: &str, digits: usize) -> Result<(), TrialCaError> {
    let rest = number.strip_prefix(letters);
    if rest.is_some_and(|rest| rest.len() == digits && rest.bytes().all(|byte| byte.is_ascii_digit())) {
        Ok(())
    } else {
        Err(TrialCaError::BadNumber(number.to_owned()))
    }
}
