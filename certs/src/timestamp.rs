//! Time stamps (RFC 3161): the request, and what a response proves.
//!
//! The signature is checked by OpenSSL's CMS, form, imprint, nonce and the authority's chain here. A stamp proves that the
//! stamped bytes existed at a time, by the word of an authority that is neither office nor relay.

use der::TagNumber;
use der::asn1::{GeneralizedTime, ObjectIdentifier};
use der::{Decode, Tag};
use openssl::cms::{CMSOptions, CmsContentInfo};
use openssl::stack::Stack;
use openssl::x509::X509;
use x509_parser::prelude::{FromDer, ParsedExtension, X509Certificate};

use crate::certificate::{Certificate, SECOND_US};
use crate::der_walk::{Algorithm, Element, NotDer, Walk, context};
use crate::der_write;
use crate::error::CertError;
use crate::identity::sha256;
use crate::oids;
use crate::primitives::signature::Hash;
use crate::trust::{OnDoubt, Purpose, RevocationPolicy, TrustError, TrustMaterial, TrustStore};

/// Longest response that is read: with a chain it has 3 to 10 KiB.
pub const MAX_RESPONSE_BYTES: usize = 64 * 1024;
/// Certificates that may come along.
const MAX_CERTIFICATES: usize = 16;

/// `id-ct-TSTInfo`.
const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");

/// What a time stamp proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeStamp {
    /// When, Unix microseconds, by the authority's clock.
    pub time_us: i64,
    /// The authority: the subject of its certificate as text.
    pub authority: String,
    /// SHA-256 of the trust anchor that its chain ends in.
    pub anchor: [u8; 32],
}

/// Why a response is no time stamp of these bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimeStampError {
    /// Not DER, or not as RFC 3161 builds it.
    #[error("the response is malformed")]
    Malformed,
    /// The authority gave none: its status.
    #[error("the authority gave no time stamp: status {0}")]
    Refused(u8),
    /// It stamps other bytes.
    #[error("it stamps something else")]
    Imprint,
    /// It answers another request.
    #[error("its nonce is not the one that was sent")]
    Nonce,
    /// The hash under the signature is a weak one.
    #[error("it is signed over a hash that is not accepted")]
    Algorithm,
    /// No certificate that came along made the signature.
    #[error("its signature is none of the certificates' that came along")]
    BadSignature,
    /// The signer's certificate is not, or not only, for time stamping.
    #[error("its signer's certificate is not one for time stamping only")]
    NoAuthority,
    /// The signer's certificate is not accepted.
    #[error("its signer: {0}")]
    Certificate(CertError),
    /// It names a time that has not come.
    #[error("it is from the future")]
    FromTheFuture,
}

impl TimeStampError {
    /// A stable word for metrics and logs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "TSP_MALFORMED",
            Self::Refused(_) => "TSP_REFUSED",
            Self::Imprint => "TSP_IMPRINT",
            Self::Nonce => "TSP_NONCE",
            Self::Algorithm => "TSP_ALGORITHM",
            Self::BadSignature => "TSP_BAD_SIGNATURE",
            Self::NoAuthority => "TSP_NO_AUTHORITY",
            Self::Certificate(_) => "TSP_CERTIFICATE",
            Self::FromTheFuture => "TSP_FROM_THE_FUTURE",
        }
    }
}

impl From<NotDer> for TimeStampError {
    fn from(_: NotDer) -> Self {
        Self::Malformed
    }
}

/// Trust in time stamping authorities below these CAs (DER). Whether their certificates are revoked is not asked: their CAs' lists
/// are not at hand where a stamp is verified years later.
///
/// # Errors
/// A certificate that is no CA's.
pub fn authorities(anchors: Vec<Vec<u8>>) -> Result<TrustStore, TrustError> {
    let policy = RevocationPolicy { on_missing: OnDoubt::Warn, ..RevocationPolicy::default() };
    TrustStore::new(TrustMaterial { anchors, policy, ..TrustMaterial::default() })
}

/// The request for a time stamp of `message`, DER. `nonce`: what makes the response one to this request.
pub fn request(message: &[u8], nonce: &[u8]) -> Vec<u8> {
    let element =
        |tag: Tag, parts: &[&[u8]]| der_write::element(tag, parts).expect("a request has some hundred bytes");
    let algorithm = der_write::algorithm(&oids::ID_SHA256, &[]).expect("an identifier is short");
    let imprint = element(Tag::Sequence, &[&algorithm, &element(Tag::OctetString, &[&sha256(message)])]);
    element(
        Tag::Sequence,
        &[&[0x02, 0x01, 0x01], &imprint, &element(Tag::Integer, &[&positive(nonce)]), &[0x01, 0x01, 0xff]],
    )
}

/// The certificates that came along with a response, DER: a CA among them is found there, not vouched for.
///
/// # Errors
/// [`TimeStampError::Malformed`], [`TimeStampError::Refused`].
pub fn certificates(response: &[u8]) -> Result<Vec<Vec<u8>>, TimeStampError> {
    Ok(Parts::walk(response)?.certificates.iter().map(|der| der.to_vec()).collect())
}

/// Verifies a response: that an authority which `trust` accepts stamped `message`, not later than `now_us` (Unix microseconds).
/// `nonce`: the request's, for whoever made it.
///
/// # Errors
/// [`TimeStampError`].
pub fn verify(
    response: &[u8],
    message: &[u8],
    nonce: Option<&[u8]>,
    trust: &TrustStore,
    now_us: i64,
) -> Result<TimeStamp, TimeStampError> {
    let parts = Parts::walk(response)?;
    if parts.info.imprint != sha256(message) {
        return Err(TimeStampError::Imprint);
    }
    if nonce.is_some_and(|nonce| parts.info.nonce != Some(positive(nonce))) {
        return Err(TimeStampError::Nonce);
    }
    if parts.info.time_us > now_us {
        return Err(TimeStampError::FromTheFuture);
    }
    let signer = parts.signer()?;
    if !is_for_stamping_only(signer) {
        return Err(TimeStampError::NoAuthority);
    }
    let others: Vec<&[u8]> = parts.certificates.iter().copied().filter(|der| *der != signer).collect();
    let chain = trust.verify_chain(signer, &others, Purpose::TimeStamp, parts.info.time_us);
    let chain = chain.map_err(TimeStampError::Certificate)?;
    let authority = Certificate::parse(signer).map_err(|_| TimeStampError::Malformed)?.subject_text();
    let anchor = chain.chain.last().map(|der| sha256(der)).unwrap_or_default();
    Ok(TimeStamp { time_us: parts.info.time_us, authority, anchor })
}

/// A response, taken apart.
struct Parts<'a> {
    token: &'a [u8],
    info: Info,
    certificates: Vec<&'a [u8]>,
}

/// What of a `TSTInfo` counts.
struct Info {
    imprint: Vec<u8>,
    time_us: i64,
    nonce: Option<Vec<u8>>,
}

impl<'a> Parts<'a> {
    fn walk(response: &'a [u8]) -> Result<Self, TimeStampError> {
        if response.len() > MAX_RESPONSE_BYTES {
            return Err(TimeStampError::Malformed);
        }
        let mut walk = Walk::only(response, Tag::Sequence, "TimeStampResp")?.walk();
        let status = walk.take(Tag::Sequence, "status")?.walk().small_integer("PKIStatus")?;
        // granted, grantedWithMods
        if status > 1 {
            return Err(TimeStampError::Refused(status));
        }
        let token = walk.take(Tag::Sequence, "timeStampToken")?;
        walk.finish("TimeStampResp")?;
        let mut content = token.walk();
        if content.take(Tag::ObjectIdentifier, "contentType")?.body != oids::ID_SIGNED_DATA.as_bytes() {
            return Err(TimeStampError::Malformed);
        }
        let explicit = content.take(context(TagNumber::N0), "content")?;
        content.finish("ContentInfo")?;
        let mut data = Walk::only(explicit.body, Tag::Sequence, "SignedData")?.walk();
        data.small_integer("version")?;
        data.take(Tag::Set, "digestAlgorithms")?;
        let mut encapsulated = data.take(Tag::Sequence, "encapContentInfo")?.walk();
        if encapsulated.take(Tag::ObjectIdentifier, "eContentType")?.body != TST_INFO.as_bytes() {
            return Err(TimeStampError::Malformed);
        }
        let info = encapsulated.take(context(TagNumber::N0), "eContent")?;
        let info = Walk::only(info.body, Tag::OctetString, "eContent")?;
        let along = data.optional(context(TagNumber::N0), "certificates")?;
        data.optional(context(TagNumber::N1), "crls")?;
        check_hash(data.take(Tag::Set, "signerInfos")?)?;
        data.finish("SignedData")?;
        let mut certificates = Vec::new();
        let mut set = along.map_or(Walk::new(&[]), Element::walk);
        while !set.is_finished() {
            if certificates.len() == MAX_CERTIFICATES {
                return Err(TimeStampError::Malformed);
            }
            certificates.push(set.take(Tag::Sequence, "certificates")?.raw);
        }
        Ok(Self { token: token.raw, info: Info::walk(info.body)?, certificates })
    }

    /// The certificate whose key made the one signature.
    fn signer(&self) -> Result<&'a [u8], TimeStampError> {
        let made = |der: &&&'a [u8]| {
            let mut alone = Stack::new().ok()?;
            alone.push(X509::from_der(der).ok()?).ok()?;
            let mut token = CmsContentInfo::from_der(self.token).ok()?;
            let options = CMSOptions::NOINTERN | CMSOptions::NO_SIGNER_CERT_VERIFY | CMSOptions::BINARY;
            token.verify(Some(&alone), None, None, None, options).ok()
        };
        let found = self.certificates.iter().find(|der| made(der).is_some());
        found.copied().ok_or(TimeStampError::BadSignature)
    }
}

impl Info {
    fn walk(info: &[u8]) -> Result<Self, TimeStampError> {
        let mut walk = Walk::only(info, Tag::Sequence, "TSTInfo")?.walk();
        if walk.small_integer("version")? != 1 {
            return Err(TimeStampError::Malformed);
        }
        walk.take(Tag::ObjectIdentifier, "policy")?;
        let mut imprint = walk.take(Tag::Sequence, "messageImprint")?.walk();
        if !Algorithm::take(&mut imprint, "hashAlgorithm")?.is_plain(&oids::ID_SHA256) {
            return Err(TimeStampError::Imprint);
        }
        let hashed = imprint.take(Tag::OctetString, "hashedMessage")?.body.to_vec();
        imprint.finish("messageImprint")?;
        walk.take(Tag::Integer, "serialNumber")?;
        let time_us = time(walk.take(Tag::GeneralizedTime, "genTime")?.body)?;
        walk.optional(Tag::Sequence, "accuracy")?;
        walk.optional(Tag::Boolean, "ordering")?;
        let nonce = walk.optional(Tag::Integer, "nonce")?.map(|nonce| nonce.body.to_vec());
        walk.optional(context(TagNumber::N0), "tsa")?;
        walk.optional(context(TagNumber::N1), "extensions")?;
        walk.finish("TSTInfo")?;
        Ok(Self { imprint: hashed, time_us, nonce })
    }
}

/// The one signer's hash must be one that the policy allows.
fn check_hash(signer_infos: Element<'_>) -> Result<(), TimeStampError> {
    let mut infos = signer_infos.walk();
    let mut info = infos.take(Tag::Sequence, "SignerInfo")?.walk();
    infos.finish("signerInfos")?;
    info.small_integer("version")?;
    info.next("sid")?;
    let hash = Hash::from_algorithm(&Algorithm::take(&mut info, "digestAlgorithm")?);
    hash.map(|_| ()).ok_or(TimeStampError::Algorithm)
}

/// RFC 3161 section 2.3: an extended key usage that is critical and names nothing else.
fn is_for_stamping_only(der: &[u8]) -> bool {
    let Ok(([], certificate)) = X509Certificate::from_der(der) else { return false };
    certificate.iter_extensions().any(|extension| match extension.parsed_extension() {
        ParsedExtension::ExtendedKeyUsage(usage) => {
            let others = usage.any
                || usage.server_auth
                || usage.client_auth
                || usage.code_signing
                || usage.email_protection
                || usage.ocsp_signing
                || !usage.other.is_empty();
            extension.critical && usage.time_stamping && !others
        }
        _ => false,
    })
}

/// `YYYYMMDDhhmmss[.f…]Z`: a genTime may have fractions, down to microseconds here.
fn time(text: &[u8]) -> Result<i64, TimeStampError> {
    let (whole, rest) = text.split_at_checked(14).ok_or(TimeStampError::Malformed)?;
    let der = [&[0x18, 15][..], whole, b"Z"].concat();
    let seconds = GeneralizedTime::from_der(&der).map_err(|_| TimeStampError::Malformed)?;
    let seconds =
        i64::try_from(seconds.to_unix_duration().as_secs()).map_err(|_| TimeStampError::Malformed)?;
    let fraction_us = match rest {
        b"Z" => 0,
        [b'.', digits @ .., b'Z'] if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => {
            let padded = digits.iter().chain(std::iter::repeat(&b'0')).take(6);
            padded.fold(0_i64, |sum, digit| sum * 10 + i64::from(digit - b'0'))
        }
        _ => return Err(TimeStampError::Malformed),
    };
    Ok(seconds.saturating_mul(SECOND_US).saturating_add(fraction_us))
}

/// A nonce as the value of an INTEGER: positive, minimal.
fn positive(nonce: &[u8]) -> Vec<u8> {
    let mut value = crate::certificate::without_leading_zeros(nonce);
    if value.first().is_none_or(|first| first & 0x80 != 0) {
        value.insert(0, 0);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_may_have_fractions() {
        assert_eq!(time(b"20261121000000Z"), Ok(1_795_219_200_000_000));
        assert_eq!(time(b"20261121000000.25Z"), Ok(1_795_219_200_250_000));
        assert_eq!(time(b"20261121000000.1234567Z"), Ok(1_795_219_200_123_456));
        for bad in
            [&b"20261121000000"[..], b"20261121000000.Z", b"20261121000000.2", b"20261321000000Z", b"2026"]
        {
            assert_eq!(time(bad), Err(TimeStampError::Malformed));
        }
    }
}
