//! An answer of an OCSP responder, read once (RFC 6960 section 4.2), and the question that asks for one.
//!
//! An answer is worth what its signature is: it must be the issuer's own, or that of a responder whose certificate the
//! issuer itself signed for this (section 4.2.2.2).

use std::fmt;
use std::sync::Arc;

use der::asn1::{GeneralizedTime, ObjectIdentifier};
use der::{Decode, Tag, TagNumber};
use openssl::hash::{MessageDigest, hash};
use x509_parser::asn1_rs::FromDer;
use x509_parser::x509::X509Name;

use crate::certificate::{Certificate, SECOND_US, without_leading_zeros};
use crate::der_walk::{Algorithm, CONTEXT_0_PRIMITIVE, Element, NotDer, Walk, context};
use crate::der_write;
use crate::error::{OcspFault, Position};
use crate::identity::sha256;
use crate::oids;
use crate::primitives::signature::{Hash, Scheme, VerifyingKey};
use crate::revocation::Moment;

/// Longest answer that is read: one has 1 to 4 KiB.
pub(crate) const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// Certificates about which one answer may speak; we ask about one.
const MAX_SINGLES: usize = 16;
/// Certificates that may come along.
const MAX_CERTIFICATES: usize = 8;

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

const BASIC_RESPONSE: ObjectIdentifier = oid("1.3.6.1.5.5.7.48.1.1");
const NONCE: ObjectIdentifier = oid("1.3.6.1.5.5.7.48.1.2");
const SHA1: ObjectIdentifier = oid("1.3.14.3.2.26");
/// `id-kp-OCSPSigning`.
const OCSP_SIGNING: &str = "1.3.6.1.5.5.7.3.9";

/// What an answer says of one certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Single {
    /// SHA-1 or SHA-256: which hash names the issuer. It names, and proves nothing: the signature does.
    sha1: bool,
    name_hash: Vec<u8>,
    key_hash: Vec<u8>,
    serial: Vec<u8>,
    status: Status,
    this_update_us: i64,
    next_update_us: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Good,
    /// From this time on, Unix microseconds.
    Revoked(i64),
    Unknown,
}

/// An answer, read.
pub(crate) struct OcspAnswer {
    /// As it came.
    pub(crate) der: Arc<[u8]>,
    /// SHA-256 of the DER.
    pub(crate) fingerprint: [u8; 32],
    /// When it was signed, Unix microseconds.
    produced_us: i64,
    singles: Vec<Single>,
    /// What was signed, how, and the signature.
    signed: Vec<u8>,
    scheme: Option<Scheme>,
    signature: Vec<u8>,
    certificates: Vec<Certificate>,
    /// What makes it the answer to one question.
    pub(crate) nonce: Option<Vec<u8>>,
}

/// What an answer says of one certificate, for whoever decides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Word<'a> {
    pub(crate) answer: &'a OcspAnswer,
    single: &'a Single,
}

impl fmt::Debug for OcspAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OcspAnswer").field("produced_us", &self.produced_us).finish_non_exhaustive()
    }
}

impl PartialEq for OcspAnswer {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

impl Eq for OcspAnswer {}

impl OcspAnswer {
    /// Whether these bytes begin as an OCSP response does and no CRL: a SEQUENCE with an ENUMERATED first.
    pub(crate) fn looks_like_one(der: &[u8]) -> bool {
        let inside = Walk::only(der, Tag::Sequence, "OCSPResponse").map(Element::walk);
        inside
            .and_then(|mut inside| inside.next("responseStatus"))
            .is_ok_and(|first| first.tag == Tag::Enumerated)
    }

    /// Reads DER. What the responder could not say is a fault, too.
    pub(crate) fn parse(der: &[u8]) -> Result<Self, OcspFault> {
        if der.len() > MAX_ANSWER_BYTES {
            return Err(OcspFault::Malformed);
        }
        let mut response = Walk::only(der, Tag::Sequence, "OCSPResponse")?.walk();
        if response.take(Tag::Enumerated, "responseStatus")?.body != [0] {
            return Err(OcspFault::NoAnswer);
        }
        let bytes = response.take(context(TagNumber::N0), "responseBytes")?;
        response.finish("OCSPResponse")?;
        let mut bytes = Walk::only(bytes.body, Tag::Sequence, "ResponseBytes")?.walk();
        if bytes.take(Tag::ObjectIdentifier, "responseType")?.body != BASIC_RESPONSE.as_bytes() {
            return Err(OcspFault::Malformed);
        }
        let basic = bytes.take(Tag::OctetString, "response")?;
        bytes.finish("ResponseBytes")?;
        let mut basic = Walk::only(basic.body, Tag::Sequence, "BasicOCSPResponse")?.walk();
        let data = basic.take(Tag::Sequence, "tbsResponseData")?;
        let scheme = scheme(&Algorithm::take(&mut basic, "signatureAlgorithm")?);
        let [0, signature @ ..] = basic.take(Tag::BitString, "signature")?.body else {
            return Err(OcspFault::Malformed);
        };
        let certificates = basic.optional(context(TagNumber::N0), "certs")?;
        basic.finish("BasicOCSPResponse")?;
        let Data { produced_us, singles, nonce } = read_data(data)?;
        Ok(Self {
            fingerprint: sha256(der),
            produced_us,
            singles,
            signed: data.raw.to_vec(),
            scheme,
            signature: signature.to_vec(),
            certificates: certificates.map(read_certificates).transpose()?.unwrap_or_default(),
            nonce,
            der: Arc::from(der),
        })
    }

    /// What it says of a certificate that `issuer` issued.
    pub(crate) fn about(&self, certificate: &Certificate, issuer: &Certificate) -> Option<Word<'_>> {
        let single =
            self.singles.iter().find(|single| single.serial == certificate.serial && single.names(issuer))?;
        Some(Word { answer: self, single })
    }

    fn is_signed_with(&self, spki: &[u8]) -> bool {
        let key = VerifyingKey::from_spki(spki);
        let verify = |key: VerifyingKey| key.verify(self.scheme?, &self.signed, &self.signature).ok();
        key.ok().and_then(verify).is_some()
    }

    /// Whether the issuer, or a responder of its choice, signed it: then that one's certificate.
    fn authority(&self, issuer: &Certificate) -> Result<Option<&Certificate>, OcspFault> {
        if self.scheme.is_none() {
            return Err(OcspFault::SignatureAlgorithm);
        }
        if self.is_signed_with(&issuer.spki) {
            return Ok(None);
        }
        let mut fault = OcspFault::BadSignature;
        for responder in self.certificates.iter().filter(|one| self.is_signed_with(&one.spki)) {
            let may = responder
                .extended
                .as_ref()
                .is_some_and(|usages| usages.iter().any(|one| one == OCSP_SIGNING));
            let position = Position::LEAF;
            let built = responder.check_built(position).and_then(|()| responder.check_issued(position));
            let in_time = responder.check_time(position, self.produced_us);
            if may && !responder.is_ca && built.is_ok() && in_time.is_ok() && issuer.issued(responder) {
                return Ok(Some(responder));
            }
            fault = OcspFault::NoAuthority;
        }
        Err(fault)
    }
}

impl<'a> Word<'a> {
    /// Whether it may be relied on at all, as far as it can tell itself. Gives the certificate of the responder that the issuer chose; `None`: the
    /// issuer answered.
    pub(crate) fn usability(
        &self,
        issuer: &Certificate,
        moment: Moment,
    ) -> Result<Option<&'a Certificate>, OcspFault> {
        let responder = self.answer.authority(issuer)?;
        if self.single.this_update_us > moment.known_us || self.answer.produced_us > moment.known_us {
            return Err(OcspFault::FromTheFuture);
        }
        if self.single.status == Status::Unknown {
            return Err(OcspFault::Unknown);
        }
        Ok(responder)
    }

    /// When it was known to be so, Unix microseconds.
    pub(crate) fn this_update_us(&self) -> i64 {
        self.single.this_update_us
    }

    /// Until when the responder says that it serves, Unix microseconds.
    pub(crate) fn next_update_us(&self) -> Option<i64> {
        self.single.next_update_us
    }

    /// From when the certificate is revoked; `None`: it is good.
    pub(crate) fn revoked_since_us(&self) -> Option<i64> {
        match self.single.status {
            Status::Revoked(since) => Some(since),
            Status::Good | Status::Unknown => None,
        }
    }
}

impl Single {
    fn names(&self, issuer: &Certificate) -> bool {
        ids(issuer, self.sha1).is_some_and(|(name, key)| self.name_hash == name && self.key_hash == key)
    }
}

/// Hashes of an issuer's name and key (RFC 6960 section 4.1.1).
fn ids(issuer: &Certificate, sha1: bool) -> Option<(Vec<u8>, Vec<u8>)> {
    let digest = if sha1 { MessageDigest::sha1() } else { MessageDigest::sha256() };
    let mut spki = Walk::only(&issuer.spki, Tag::Sequence, "subjectPublicKeyInfo").ok()?.walk();
    spki.next("algorithm").ok()?;
    let [0, key @ ..] = spki.take(Tag::BitString, "subjectPublicKey").ok()?.body else { return None };
    let name = X509Name::from_der(&issuer.subject).ok()?.1;
    let of = |bytes: &[u8]| hash(digest, bytes).ok().map(|digest| digest.to_vec());
    Some((of(name.as_raw())?, of(key)?))
}

/// A question about one certificate, DER (RFC 6960 section 4.1). It names the issuer by SHA-1, as RFC 5019 asks: most
/// responders know no other, and nothing depends on it.
pub(crate) fn question(certificate: &Certificate, issuer: &Certificate, nonce: &[u8]) -> Option<Vec<u8>> {
    let (name, key) = ids(issuer, true)?;
    let element = |tag: Tag, parts: &[&[u8]]| der_write::element(tag, parts).ok();
    let mut serial = certificate.serial.clone();
    if serial.first().is_none_or(|first| first & 0x80 != 0) {
        serial.insert(0, 0);
    }
    let id = element(
        Tag::Sequence,
        &[
            &der_write::algorithm(&SHA1, &[0x05, 0x00]).ok()?,
            &element(Tag::OctetString, &[&name])?,
            &element(Tag::OctetString, &[&key])?,
            &element(Tag::Integer, &[&serial])?,
        ],
    )?;
    let list = element(Tag::Sequence, &[&element(Tag::Sequence, &[&id])?])?;
    let value = element(Tag::OctetString, &[&element(Tag::OctetString, &[nonce])?])?;
    let extension = element(Tag::Sequence, &[&der_write::oid(&NONCE).ok()?, &value])?;
    let extensions = element(context(TagNumber::N2), &[&element(Tag::Sequence, &[&extension])?])?;
    element(Tag::Sequence, &[&element(Tag::Sequence, &[&list, &extensions])?])
}

/// What of a `ResponseData` counts.
struct Data {
    produced_us: i64,
    singles: Vec<Single>,
    nonce: Option<Vec<u8>>,
}

fn read_data(data: Element<'_>) -> Result<Data, OcspFault> {
    let mut walk = data.walk();
    if walk.optional(context(TagNumber::N0), "version")?.is_some() {
        return Err(OcspFault::Malformed);
    }
    // The responder's name or key: whose signature it is, the signature tells.
    let responder = walk.next("responderID")?;
    if responder.tag != context(TagNumber::N1) && responder.tag != context(TagNumber::N2) {
        return Err(OcspFault::Malformed);
    }
    let produced_us = time(walk.next("producedAt")?)?;
    let mut responses = walk.take(Tag::Sequence, "responses")?.walk();
    let extensions = walk.optional(context(TagNumber::N1), "responseExtensions")?;
    walk.finish("ResponseData")?;
    let mut singles = Vec::new();
    while !responses.is_finished() {
        if singles.len() == MAX_SINGLES {
            return Err(OcspFault::Malformed);
        }
        singles.push(read_single(responses.take(Tag::Sequence, "SingleResponse")?)?);
    }
    let nonce = extensions.map(read_nonce).transpose()?.flatten();
    Ok(Data { produced_us, singles, nonce })
}

fn read_single(single: Element<'_>) -> Result<Single, OcspFault> {
    let mut walk = single.walk();
    let mut id = walk.take(Tag::Sequence, "CertID")?.walk();
    let algorithm = Algorithm::take(&mut id, "hashAlgorithm")?;
    let sha1 = algorithm.is_plain(&SHA1);
    if !sha1 && !algorithm.is_plain(&oids::ID_SHA256) {
        return Err(OcspFault::Malformed);
    }
    let name_hash = id.take(Tag::OctetString, "issuerNameHash")?.body.to_vec();
    let key_hash = id.take(Tag::OctetString, "issuerKeyHash")?.body.to_vec();
    let serial = without_leading_zeros(id.take(Tag::Integer, "serialNumber")?.body);
    id.finish("CertID")?;
    let status = walk.next("certStatus")?;
    let primitive = |number| Tag::ContextSpecific { constructed: false, number };
    let status = if status.tag == CONTEXT_0_PRIMITIVE && status.body.is_empty() {
        Status::Good
    } else if status.tag == context(TagNumber::N1) {
        Status::Revoked(time(status.walk().next("revocationTime")?)?)
    } else if status.tag == primitive(TagNumber::N2) && status.body.is_empty() {
        Status::Unknown
    } else {
        return Err(OcspFault::Malformed);
    };
    let this_update_us = time(walk.next("thisUpdate")?)?;
    let next = walk.optional(context(TagNumber::N0), "nextUpdate")?;
    let next_update_us = next.map(|next| time(next.walk().next("nextUpdate")?)).transpose()?;
    // Extensions of a single answer are not critical in any profile that is followed here.
    walk.optional(context(TagNumber::N1), "singleExtensions")?;
    walk.finish("SingleResponse")?;
    Ok(Single { sha1, name_hash, key_hash, serial, status, this_update_us, next_update_us })
}

fn read_nonce(extensions: Element<'_>) -> Result<Option<Vec<u8>>, OcspFault> {
    let mut walk = Walk::only(extensions.body, Tag::Sequence, "Extensions")?.walk();
    while !walk.is_finished() {
        let mut extension = walk.take(Tag::Sequence, "Extension")?.walk();
        let named = extension.take(Tag::ObjectIdentifier, "extnID")?.body;
        let critical = extension.optional(Tag::Boolean, "critical")?;
        let value = extension.take(Tag::OctetString, "extnValue")?.body;
        if named == NONCE.as_bytes() {
            // RFC 8954: an OCTET STRING inside. Old responders put the bytes there as they are.
            let inside = Walk::only(value, Tag::OctetString, "Nonce").map(|inside| inside.body);
            return Ok(Some(inside.unwrap_or(value).to_vec()));
        }
        if critical.is_some() {
            return Err(OcspFault::Malformed);
        }
    }
    Ok(None)
}

fn read_certificates(field: Element<'_>) -> Result<Vec<Certificate>, OcspFault> {
    let mut walk = Walk::only(field.body, Tag::Sequence, "certs")?.walk();
    let mut certificates = Vec::new();
    while !walk.is_finished() && certificates.len() < MAX_CERTIFICATES {
        let der = walk.take(Tag::Sequence, "Certificate")?.raw;
        certificates.extend(Certificate::parse(der).ok());
    }
    Ok(certificates)
}

/// `GeneralizedTime` of DER, to the second.
fn time(element: Element<'_>) -> Result<i64, OcspFault> {
    let time = GeneralizedTime::from_der(element.raw).map_err(|_| OcspFault::Malformed)?;
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).map_err(|_| OcspFault::Malformed)?;
    Ok(seconds.saturating_mul(SECOND_US))
}

/// The scheme of the signature, if the policy allows it.
fn scheme(algorithm: &Algorithm<'_>) -> Option<Scheme> {
    let rsa = [
        (&oids::SHA256_WITH_RSA, Hash::Sha256),
        (&oids::SHA384_WITH_RSA, Hash::Sha384),
        (&oids::SHA512_WITH_RSA, Hash::Sha512),
    ];
    let ecdsa = [(&oids::ECDSA_WITH_SHA256, Hash::Sha256), (&oids::ECDSA_WITH_SHA384, Hash::Sha384)];
    let named = |(oid, _): &&(&ObjectIdentifier, Hash)| oid.as_bytes() == algorithm.oid;
    let rsa = rsa.iter().find(named).map(|(_, hash)| Scheme::Rsa(*hash));
    rsa.or_else(|| ecdsa.iter().find(named).map(|(_, hash)| Scheme::Ecdsa(*hash)))
}

impl From<NotDer> for OcspFault {
    fn from(_: NotDer) -> Self {
        Self::Malformed
    }
}
