//! The signed attributes of a CAdES baseline B-B signature (ETSI EN 319 122-1 clause 6.3, RFC 5652 section 11).

use std::time::Duration;

use der::asn1::{GeneralizedTime, UtcTime};
use der::{Decode, Tag};

use crate::der_walk::{Algorithm, Element, Walk, well_formed};
use crate::oids;
use crate::primitives::signature::Hash;
use crate::signature_error::{Attribute, OutsideProfile, SignatureError};

/// Attributes of one signer; a usual signature has 4 to 6.
const MAX_ATTRIBUTES: usize = 16;
/// Bytes of all attributes together; a usual signature has 300.
const MAX_ATTRIBUTES_LEN: usize = 16 * 1024;
/// RFC 5652 section 11.3: through 2049 a time is a `UTCTime`, from here (2050-01-01) on a `GeneralizedTime`.
pub(crate) const FIRST_GENERALIZED_S: u64 = 2_524_608_000;

/// The signed attributes, taken apart.
#[derive(Debug)]
pub(crate) struct SignedAttributes<'a> {
    /// The whole `signedAttrs` field, with its implicit tag.
    raw: &'a [u8],
    /// `message-digest`.
    pub(crate) message_digest: &'a [u8],
    /// `signing-time`, Unix microseconds: what the signer claims.
    pub(crate) signing_time_us: i64,
    /// ESS `signing-certificate-v2`.
    pub(crate) ess: EssCertId<'a>,
}

/// An `ESSCertIDv2` (RFC 5035 section 4): which certificate the signer says was signed with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EssCertId<'a> {
    /// The whole SEQUENCE: what a cache compares.
    pub(crate) raw: &'a [u8],
    /// The hash that was taken of the certificate.
    pub(crate) hash: Hash,
    /// The hash of the certificate's DER.
    pub(crate) certificate_hash: &'a [u8],
    /// The certificate's issuer name and serial number, each DER, if given.
    pub(crate) issuer_serial: Option<(&'a [u8], &'a [u8])>,
}

impl<'a> SignedAttributes<'a> {
    /// Takes `signedAttrs` apart. Attributes that the profile does not name must be DER, once each, and mean nothing.
    pub(crate) fn walk(field: Element<'a>) -> Result<Self, SignatureError> {
        if field.raw.len() > MAX_ATTRIBUTES_LEN {
            return Err(SignatureError::TooLarge("signedAttrs"));
        }
        let mut found = Found::default();
        let mut types: Vec<&[u8]> = Vec::with_capacity(MAX_ATTRIBUTES);
        for attribute in field.walk().set_of(MAX_ATTRIBUTES, "signedAttrs")? {
            if attribute.tag != Tag::Sequence {
                return Err(SignatureError::Malformed("Attribute"));
            }
            let mut walk = attribute.walk();
            let oid = walk.take(Tag::ObjectIdentifier, "attrType")?;
            let values = walk.take(Tag::Set, "attrValues")?;
            walk.finish("Attribute")?;
            if types.contains(&oid.body) {
                return Err(SignatureError::DuplicateAttribute(known(oid.body)));
            }
            types.push(oid.body);
            found.file(oid, values)?;
        }
        found.complete(field.raw)
    }

    /// The bytes that are signed: the attributes under the tag of a SET OF instead of their own (RFC 5652 section 5.4).
    pub(crate) fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = self.raw.to_vec();
        bytes[0] = Tag::Set.octet();
        bytes
    }
}

fn known(oid: &[u8]) -> Option<Attribute> {
    [
        (&oids::ID_CONTENT_TYPE, Attribute::ContentType),
        (&oids::ID_MESSAGE_DIGEST, Attribute::MessageDigest),
        (&oids::ID_SIGNING_TIME, Attribute::SigningTime),
        (&oids::ID_AA_SIGNING_CERTIFICATE_V2, Attribute::SigningCertificateV2),
    ]
    .into_iter()
    .find_map(|(known, attribute)| (known.as_bytes() == oid).then_some(attribute))
}

#[derive(Default)]
struct Found<'a> {
    content_type: bool,
    message_digest: Option<&'a [u8]>,
    signing_time_us: Option<i64>,
    ess: Option<EssCertId<'a>>,
}

impl<'a> Found<'a> {
    fn file(&mut self, oid: Element<'a>, values: Element<'a>) -> Result<(), SignatureError> {
        match known(oid.body) {
            Some(Attribute::ContentType) => {
                let value = Walk::only(values.body, Tag::ObjectIdentifier, "content-type")?;
                if value.body != oids::ID_DATA.as_bytes() {
                    return Err(SignatureError::OutsideProfile(OutsideProfile::ContentType));
                }
                self.content_type = true;
            }
            Some(Attribute::MessageDigest) => {
                let value = Walk::only(values.body, Tag::OctetString, "message-digest")?;
                self.message_digest = Some(value.body);
            }
            Some(Attribute::SigningTime) => self.signing_time_us = Some(signing_time(values.body)?),
            Some(Attribute::SigningCertificateV2) => self.ess = Some(EssCertId::walk(values.body)?),
            None if oid.body == oids::ID_AA_SIGNING_CERTIFICATE.as_bytes() => {
                return Err(SignatureError::OutsideProfile(OutsideProfile::SigningCertificateV1));
            }
            None => {
                well_formed(oid, "attrType")?;
                well_formed(values, "attrValues")?;
                values.walk().set_of(MAX_ATTRIBUTES, "attrValues")?;
            }
        }
        Ok(())
    }

    fn complete(self, raw: &'a [u8]) -> Result<SignedAttributes<'a>, SignatureError> {
        if !self.content_type {
            return Err(SignatureError::MissingAttribute(Attribute::ContentType));
        }
        let missing = |attribute| move || SignatureError::MissingAttribute(attribute);
        Ok(SignedAttributes {
            raw,
            message_digest: self.message_digest.ok_or_else(missing(Attribute::MessageDigest))?,
            signing_time_us: self.signing_time_us.ok_or_else(missing(Attribute::SigningTime))?,
            ess: self.ess.ok_or_else(missing(Attribute::SigningCertificateV2))?,
        })
    }
}

/// The one value of `signing-time`, from 1970 on, in Unix microseconds.
fn signing_time(values: &[u8]) -> Result<i64, SignatureError> {
    let malformed = || SignatureError::Malformed("signing-time");
    let mut walk = Walk::new(values);
    let time = walk.next("signing-time")?;
    walk.finish("signing-time")?;
    let since_1970: Duration = match time.tag {
        Tag::UtcTime => UtcTime::from_der(time.raw).map(|time| time.to_unix_duration()),
        Tag::GeneralizedTime => GeneralizedTime::from_der(time.raw).map(|time| time.to_unix_duration()),
        _ => return Err(malformed()),
    }
    .map_err(|_: der::Error| malformed())?;
    if (time.tag == Tag::GeneralizedTime) != (since_1970.as_secs() >= FIRST_GENERALIZED_S) {
        return Err(malformed());
    }
    i64::try_from(since_1970.as_micros()).map_err(|_: std::num::TryFromIntError| malformed())
}

impl<'a> EssCertId<'a> {
    /// The one value of `signing-certificate-v2`: `SEQUENCE { certs SEQUENCE OF ESSCertIDv2 }`.
    fn walk(values: &'a [u8]) -> Result<Self, SignatureError> {
        let field = "signing-certificate-v2";
        let extras = SignatureError::OutsideProfile(OutsideProfile::SigningCertificateExtras);
        let mut value = Walk::only(values, Tag::Sequence, field)?.walk();
        let mut certificates = value.take(Tag::Sequence, field)?.walk();
        if value.optional(Tag::Sequence, field)?.is_some() {
            return Err(extras);
        }
        value.finish(field)?;
        let id = certificates.take(Tag::Sequence, "ESSCertIDv2")?;
        if !certificates.is_finished() {
            return Err(extras);
        }
        Self::from_id(id)
    }

    fn from_id(id: Element<'a>) -> Result<Self, SignatureError> {
        let field = "ESSCertIDv2";
        let mut walk = id.walk();
        let hash = match walk.optional(Tag::Sequence, "ESSCertIDv2.hashAlgorithm")? {
            None => Hash::Sha256,
            Some(sequence) => {
                let algorithm = Algorithm::from_sequence(sequence, "ESSCertIDv2.hashAlgorithm")?;
                match Hash::from_algorithm(&algorithm).ok_or(SignatureError::Algorithm)? {
                    // DER leaves a default value out (X.690 section 11.5).
                    Hash::Sha256 => return Err(SignatureError::Malformed("ESSCertIDv2.hashAlgorithm")),
                    hash => hash,
                }
            }
        };
        let certificate_hash = walk.take(Tag::OctetString, "certHash")?.body;
        let issuer_serial = walk.optional(Tag::Sequence, "issuerSerial")?;
        walk.finish(field)?;
        let issuer_serial = issuer_serial.map(issuer_serial_parts).transpose()?;
        Ok(Self { raw: id.raw, hash, certificate_hash, issuer_serial })
    }
}

/// `IssuerSerial`: `SEQUENCE { GeneralNames, CertificateSerialNumber }` where the one name is a directory name.
fn issuer_serial_parts(issuer_serial: Element<'_>) -> Result<(&[u8], &[u8]), SignatureError> {
    let field = "issuerSerial";
    let mut walk = issuer_serial.walk();
    let names = walk.take(Tag::Sequence, field)?;
    let serial = walk.take(Tag::Integer, field)?;
    walk.finish(field)?;
    let directory_name = Walk::only(names.body, crate::der_walk::context(der::TagNumber::N4), field)?;
    let name = Walk::only(directory_name.body, Tag::Sequence, field)?;
    Ok((name.raw, serial.raw))
}
