//! The trial CA's revocation lists.

use der::{Encode, Tag};
use openssl::asn1::Asn1Integer;
use openssl::bn::BigNum;
use openssl::x509::extension::{AuthorityKeyIdentifier, CrlNumber};
use openssl::x509::{X509Builder, X509CrlBuilder, X509Revoked, X509RevokedBuilder};

use super::signer::{self, CaSigner, body_of};
use super::{Digest, RawExtension, TrialCa, TrialCaError, asn1_time};
use crate::der_write;

/// Why a certificate is revoked (RFC 5280 section 5.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum RevocationReason {
    /// No reason is stated.
    Unspecified = 0,
    /// The key is, or may be, in other hands.
    KeyCompromise = 1,
    /// The office has another name or number.
    AffiliationChanged = 3,
    /// Another certificate has taken its place.
    Superseded = 4,
    /// The office has closed.
    CessationOfOperation = 5,
    /// On hold: it may come back.
    CertificateHold = 6,
}

/// An entry of a revocation list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// The certificate's serial number, big-endian.
    pub serial: Vec<u8>,
    /// Since when, Unix microseconds.
    pub since_us: i64,
    /// Why.
    pub reason: RevocationReason,
    /// Further extensions of the entry.
    pub extensions: Vec<RawExtension>,
}

impl Revocation {
    /// An entry without further extensions.
    pub fn new(serial: &[u8], since_us: i64, reason: RevocationReason) -> Self {
        Self { serial: serial.to_vec(), since_us, reason, extensions: Vec::new() }
    }
}

/// What a revocation list is to be like.
#[derive(Debug, Clone)]
pub struct CrlOptions {
    /// The CRL number.
    pub number: u32,
    /// `thisUpdate`, Unix microseconds.
    pub this_update_us: i64,
    /// `nextUpdate`, Unix microseconds.
    pub next_update_us: i64,
    /// The hash in the signature.
    pub digest: Digest,
    /// Further extensions.
    pub extensions: Vec<RawExtension>,
}

impl TrialCa {
    /// The revocation list of this CA as of `now_us`, DER; the next one is promised for `next_update_us`
    /// (both Unix microseconds). `number` grows with every list.
    pub fn crl(
        &self,
        revoked: &[Revocation],
        number: u32,
        now_us: i64,
        next_update_us: i64,
    ) -> Result<Vec<u8>, TrialCaError> {
        let options = CrlOptions {
            number,
            this_update_us: now_us,
            next_update_us,
            digest: Digest::default(),
            extensions: Vec::new(),
        };
        self.crl_with(revoked, &options)
    }

    /// A revocation list made as `options` say, DER.
    pub fn crl_with(&self, revoked: &[Revocation], options: &CrlOptions) -> Result<Vec<u8>, TrialCaError> {
        let mut builder = X509CrlBuilder::new()?;
        builder.set_issuer_name(self.certificate.subject_name())?;
        let this_update = asn1_time(options.this_update_us)?;
        let next_update = asn1_time(options.next_update_us)?;
        builder.set_last_update(&this_update)?;
        builder.set_next_update(&next_update)?;
        for one in revoked {
            builder.add_revoked(entry(one)?)?;
        }
        // OpenSSL makes this extension in the context of a certificate only; only the issuer in it counts.
        let context = X509Builder::new()?;
        let context = context.x509v3_context(Some(&self.certificate), None);
        builder.append_extension(AuthorityKeyIdentifier::new().keyid(true).build(&context)?)?;
        builder.append_extension(CrlNumber::new(BigNum::from_u32(options.number)?)?.build()?)?;
        for extension in &options.extensions {
            builder.append_extension(extension.build()?)?;
        }
        builder.sort()?;
        match &self.key {
            CaSigner::Memory(key) => {
                builder.sign(key, options.digest.for_key(key))?;
                Ok(builder.build()?.to_der()?)
            }
            CaSigner::Token { key, kind, .. } => {
                let (stand_in, digest) = signer::stand_in(*kind)?;
                builder.sign(&stand_in, digest)?;
                signer::signed_again(&builder.build()?.to_der()?, key, *kind)
            }
        }
    }
}

/// One entry. The bindings cannot add extensions to an entry, so that they are added to its DER.
fn entry(revocation: &Revocation) -> Result<X509Revoked, TrialCaError> {
    let mut builder = X509RevokedBuilder::new()?;
    let serial = Asn1Integer::from_bn(&*BigNum::from_slice(&revocation.serial)?)?;
    builder.set_serial_number(&serial)?;
    let since = asn1_time(revocation.since_us)?;
    builder.set_revocation_date(&since)?;
    let plain = builder.build().to_der()?;
    let mut extensions = Vec::new();
    // RFC 5280 section 5.3.1: an unspecified reason should be left out.
    if revocation.reason != RevocationReason::Unspecified {
        let code = [0x0a, 0x01, revocation.reason as u8];
        extensions.push(RawExtension { oid: "2.5.29.21".to_owned(), critical: false, der: code.to_vec() });
    }
    extensions.extend(revocation.extensions.iter().cloned());
    if extensions.is_empty() {
        return Ok(X509Revoked::from_der(&plain)?);
    }
    let malformed = || TrialCaError::Library("the entry's DER".to_owned());
    let list = extensions.iter().map(extension_der).collect::<Option<Vec<_>>>().ok_or_else(malformed)?;
    let parts: Vec<&[u8]> = list.iter().map(Vec::as_slice).collect();
    let extensions = der_write::element(Tag::Sequence, &parts).map_err(|_| malformed())?;
    let body = body_of(&plain).ok_or_else(malformed)?;
    let whole = der_write::element(Tag::Sequence, &[body, &extensions]).map_err(|_| malformed())?;
    Ok(X509Revoked::from_der(&whole)?)
}

/// `Extension ::= SEQUENCE { extnID, critical DEFAULT FALSE, extnValue OCTET STRING }`
fn extension_der(extension: &RawExtension) -> Option<Vec<u8>> {
    let oid = der::asn1::ObjectIdentifier::new(&extension.oid).ok()?.to_der().ok()?;
    let critical: &[u8] = if extension.critical { &[0x01, 0x01, 0xff] } else { &[] };
    let value = der_write::element(Tag::OctetString, &[&extension.der]).ok()?;
    der_write::element(Tag::Sequence, &[&oid, critical, &value]).ok()
}
