//! The walk of a `SignedData` (RFC 5652 section 5) that has exactly one signer, in strict DER.
//!
//! *Architecture invariant:* nothing here parses a certificate or trusts anything. The walk finds where the parts
//! stand; [`crate::cms_verify`] decides what they are worth.

use der::{Tag, TagNumber};

use crate::cms_verify_attributes::SignedAttributes;
use crate::der_walk::{Algorithm, CONTEXT_0_PRIMITIVE, Element, Walk, context};
use crate::oids;
use crate::primitives::signature::{Hash, Scheme};
use crate::signature_error::{OutsideProfile, SignatureError};

/// Embedded certificates: chains are 2 to 4 long.
pub(crate) const MAX_CERTIFICATES: usize = 16;
/// Bytes of all embedded certificates together; a certificate has 1 to 3 KiB.
pub(crate) const MAX_CERTIFICATES_LEN: usize = 64 * 1024;
/// Bytes of an RSA-8192 signature, the longest that the policy knows.
const MAX_SIGNATURE_LEN: usize = 1024;

/// A `SignedData`, taken apart.
#[derive(Debug)]
pub(crate) struct SignedData<'a> {
    /// `eContent`, if the signature carries it.
    pub(crate) content: Option<&'a [u8]>,
    /// The whole `certificates` field.
    pub(crate) certificates: &'a [u8],
    /// `SignerInfo.sid`.
    pub(crate) signer: SignerId<'a>,
    /// The hash of content and attributes.
    pub(crate) hash: Hash,
    /// How the signature was made.
    pub(crate) scheme: Scheme,
    /// `signedAttrs`.
    pub(crate) attributes: SignedAttributes<'a>,
    /// The signature itself.
    pub(crate) signature: &'a [u8],
}

/// What the signature calls its signer's certificate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SignerId<'a> {
    /// The whole element: what a cache compares.
    pub(crate) raw: &'a [u8],
    /// The value of a `subjectKeyIdentifier`; `None` for an `issuerAndSerialNumber`.
    pub(crate) key_id: Option<&'a [u8]>,
}

impl<'a> SignedData<'a> {
    /// Takes `cms`, a `ContentInfo` with a `SignedData` inside, apart.
    pub(crate) fn walk(cms: &'a [u8]) -> Result<Self, SignatureError> {
        let mut info = Walk::only(cms, Tag::Sequence, "ContentInfo")?.walk();
        if info.take(Tag::ObjectIdentifier, "contentType")?.body != oids::ID_SIGNED_DATA.as_bytes() {
            return Err(SignatureError::Malformed("contentType"));
        }
        let explicit = info.take(context(TagNumber::N0), "content")?;
        info.finish("ContentInfo")?;

        let mut data = Walk::only(explicit.body, Tag::Sequence, "SignedData")?.walk();
        let version = data.small_integer("SignedData.version")?;
        let digest_algorithms = data.take(Tag::Set, "digestAlgorithms")?;
        let encapsulated = data.take(Tag::Sequence, "encapContentInfo")?;
        let certificates = data.optional(context(TagNumber::N0), "certificates")?;
        if data.optional(context(TagNumber::N1), "crls")?.is_some() {
            return Err(SignatureError::OutsideProfile(OutsideProfile::EmbeddedCrls));
        }
        let signer_infos = data.take(Tag::Set, "signerInfos")?;
        data.finish("SignedData")?;

        let certificates = certificates.ok_or(SignatureError::SignerNotEmbedded)?;
        if certificates.raw.len() > MAX_CERTIFICATES_LEN {
            return Err(SignatureError::TooLarge("certificates"));
        }
        let content = content(encapsulated)?;
        let signer_info = only_signer(signer_infos)?;
        let signer = SignerInfo::walk(signer_info)?;
        // RFC 5652 section 5.1: with X.509 certificates and plain data only, the version follows the signer's.
        if version != signer.version {
            return Err(SignatureError::Malformed("SignedData.version"));
        }
        only_hash(digest_algorithms, signer.hash)?;
        Ok(Self {
            content,
            certificates: certificates.raw,
            signer: signer.id,
            hash: signer.hash,
            scheme: signer.scheme,
            attributes: SignedAttributes::walk(signer.attributes)?,
            signature: signer.signature,
        })
    }
}

/// The certificates of a `certificates` field, DER each, in order.
pub(crate) fn certificates(field: &[u8]) -> Result<Vec<&[u8]>, SignatureError> {
    let set = Walk::only(field, context(TagNumber::N0), "certificates")?;
    let choices = set.walk().set_of(MAX_CERTIFICATES, "certificates")?;
    if choices.iter().any(|choice| choice.tag != Tag::Sequence) {
        return Err(SignatureError::OutsideProfile(OutsideProfile::CertificateChoice));
    }
    Ok(choices.into_iter().map(|choice| choice.raw).collect())
}

/// The content, which must be plain data, if it is there.
fn content(encapsulated: Element<'_>) -> Result<Option<&[u8]>, SignatureError> {
    let mut walk = encapsulated.walk();
    if walk.take(Tag::ObjectIdentifier, "eContentType")?.body != oids::ID_DATA.as_bytes() {
        return Err(SignatureError::OutsideProfile(OutsideProfile::ContentType));
    }
    let explicit = walk.optional(context(TagNumber::N0), "eContent")?;
    walk.finish("encapContentInfo")?;
    match explicit {
        None => Ok(None),
        Some(explicit) => Ok(Some(Walk::only(explicit.body, Tag::OctetString, "eContent")?.body)),
    }
}

fn only_signer(signer_infos: Element<'_>) -> Result<Element<'_>, SignatureError> {
    let mut walk = signer_infos.walk();
    if walk.is_finished() {
        return Err(SignatureError::NoSigner);
    }
    let signer_info = walk.take(Tag::Sequence, "SignerInfo")?;
    if walk.is_finished() { Ok(signer_info) } else { Err(SignatureError::MoreThanOneSigner) }
}

/// The set of hashes must name the one signer's and no other (RFC 5652 section 5.1).
fn only_hash(digest_algorithms: Element<'_>, hash: Hash) -> Result<(), SignatureError> {
    let mut walk = digest_algorithms.walk();
    let algorithm = Algorithm::take(&mut walk, "digestAlgorithms")?;
    walk.finish("digestAlgorithms")?;
    if Hash::from_algorithm(&algorithm) == Some(hash) {
        Ok(())
    } else {
        Err(SignatureError::Malformed("digestAlgorithms"))
    }
}

struct SignerInfo<'a> {
    version: u8,
    id: SignerId<'a>,
    hash: Hash,
    scheme: Scheme,
    attributes: Element<'a>,
    signature: &'a [u8],
}

impl<'a> SignerInfo<'a> {
    fn walk(signer_info: Element<'a>) -> Result<Self, SignatureError> {
        let mut walk = signer_info.walk();
        let version = walk.small_integer("SignerInfo.version")?;
        let sid = walk.next("sid")?;
        // RFC 5652 section 5.3: the version says which way the signer is named.
        let id = match (version, sid.tag) {
            (1, Tag::Sequence) => SignerId { raw: sid.raw, key_id: None },
            (3, tag) if tag == CONTEXT_0_PRIMITIVE => SignerId { raw: sid.raw, key_id: Some(sid.body) },
            _ => return Err(SignatureError::Malformed("sid")),
        };
        let hash = Hash::from_algorithm(&Algorithm::take(&mut walk, "digestAlgorithm")?)
            .ok_or(SignatureError::Algorithm)?;
        let attributes = walk.optional(context(TagNumber::N0), "signedAttrs")?;
        let algorithm = Algorithm::take(&mut walk, "signatureAlgorithm")?;
        let scheme = scheme(&algorithm, hash).ok_or(SignatureError::Algorithm)?;
        let signature = walk.take(Tag::OctetString, "signature")?.body;
        if signature.len() > MAX_SIGNATURE_LEN {
            return Err(SignatureError::TooLarge("signature"));
        }
        if walk.optional(context(TagNumber::N1), "unsignedAttrs")?.is_some() {
            return Err(SignatureError::OutsideProfile(OutsideProfile::UnsignedAttributes));
        }
        walk.finish("SignerInfo")?;
        // Without signed attributes there is not even the first of those that must be there.
        let attributes = attributes
            .ok_or(SignatureError::MissingAttribute(crate::signature_error::Attribute::ContentType))?;
        Ok(Self { version, id, hash, scheme, attributes, signature })
    }
}

/// The scheme that `signatureAlgorithm` names, whose hash, where it names one, must be the digest's.
fn scheme(algorithm: &Algorithm<'_>, hash: Hash) -> Option<Scheme> {
    let named_rsa = match hash {
        Hash::Sha256 => &oids::SHA256_WITH_RSA,
        Hash::Sha384 => &oids::SHA384_WITH_RSA,
        Hash::Sha512 => &oids::SHA512_WITH_RSA,
    };
    let named_ecdsa = match hash {
        Hash::Sha256 => Some(&oids::ECDSA_WITH_SHA256),
        Hash::Sha384 => Some(&oids::ECDSA_WITH_SHA384),
        Hash::Sha512 => None,
    };
    let rsa = [oids::RSA_ENCRYPTION.as_bytes(), named_rsa.as_bytes()];
    if rsa.contains(&algorithm.oid) && algorithm.has_null() {
        return Some(Scheme::Rsa(hash));
    }
    let is_ecdsa = named_ecdsa.is_some_and(|oid| oid.as_bytes() == algorithm.oid);
    (is_ecdsa && algorithm.parameters.is_none()).then_some(Scheme::Ecdsa(hash))
}
