//! The walk of an `AuthEnvelopedData` (RFC 5083 section 2.1) of our profile, in strict DER.

use der::{Tag, TagNumber};

use crate::certificate_ids::MAX_KEY_ID;
use crate::der_walk::{Algorithm, CONTEXT_0_PRIMITIVE, Element, NotDer, Walk, context};
use crate::oids;
use crate::open::{OpenError, OutsideSealProfile};
use crate::primitives::content_cipher::{NONCE_LEN, TAG_LEN};
use crate::primitives::ecdh_p256::POINT_LEN;
use crate::primitives::key_wrap::WRAPPED_LEN;
use crate::recipient::RecipientId;
use crate::seal::{MAX_RECIPIENTS, TAG_LEN_OCTET};

/// Bytes of an RSA-8192 ciphertext, the longest that the policy knows.
const MAX_ENCRYPTED_KEY: usize = 1024;
/// Bytes of a certificate's issuer and serial number.
const MAX_ISSUER_AND_SERIAL: usize = 4096;

/// A sealed parcel, taken apart.
#[derive(Debug)]
pub(crate) struct Sealed<'a> {
    /// One for each recipient, in the order in which they stand.
    pub(crate) recipients: Vec<RecipientInfo<'a>>,
    /// AES-256-GCM's nonce.
    pub(crate) nonce: [u8; NONCE_LEN],
    /// The encrypted content.
    pub(crate) ciphertext: &'a [u8],
    /// AES-256-GCM's tag.
    pub(crate) tag: [u8; TAG_LEN],
}

/// How one recipient gets the content key.
#[derive(Debug)]
pub(crate) struct RecipientInfo<'a> {
    /// Which recipient.
    pub(crate) id: RecipientId,
    /// The content key, encrypted.
    pub(crate) key: EncryptedKey<'a>,
}

/// The content key, encrypted to one recipient.
#[derive(Debug, Clone, Copy)]
pub(crate) enum EncryptedKey<'a> {
    /// By RSAES-OAEP.
    Rsa(&'a [u8]),
    /// By ECDH with this ephemeral point and key wrap.
    P256 {
        /// The sender's uncompressed ephemeral point; not yet known to be on the curve.
        ephemeral: &'a [u8; POINT_LEN],
        /// The wrapped content key.
        wrapped: &'a [u8; WRAPPED_LEN],
    },
}

impl<'a> Sealed<'a> {
    /// Takes `sealed`, a `ContentInfo` with an `AuthEnvelopedData` inside, apart.
    pub(crate) fn walk(sealed: &'a [u8]) -> Result<Self, OpenError> {
        let mut info = Walk::only(sealed, Tag::Sequence, "ContentInfo")?.walk();
        let content_type = info.take(Tag::ObjectIdentifier, "contentType")?;
        if content_type.body != oids::ID_CT_AUTH_ENVELOPED_DATA.as_bytes() {
            return Err(OpenError::Malformed("contentType"));
        }
        let explicit = info.take(context(TagNumber::N0), "content")?;
        info.finish("ContentInfo")?;

        let mut enveloped = Walk::only(explicit.body, Tag::Sequence, "AuthEnvelopedData")?.walk();
        if enveloped.small_integer("AuthEnvelopedData.version")? != 0 {
            return Err(OpenError::Malformed("AuthEnvelopedData.version"));
        }
        if enveloped.optional(context(TagNumber::N0), "originatorInfo")?.is_some() {
            return Err(OpenError::OutsideProfile(OutsideSealProfile::OriginatorInfo));
        }
        let recipients = enveloped.take(Tag::Set, "recipientInfos")?;
        let content = enveloped.take(Tag::Sequence, "authEncryptedContentInfo")?;
        if enveloped.optional(context(TagNumber::N1), "authAttrs")?.is_some() {
            return Err(OpenError::OutsideProfile(OutsideSealProfile::Attributes));
        }
        let mac = enveloped.take(Tag::OctetString, "mac")?;
        if enveloped.optional(context(TagNumber::N2), "unauthAttrs")?.is_some() {
            return Err(OpenError::OutsideProfile(OutsideSealProfile::Attributes));
        }
        enveloped.finish("AuthEnvelopedData")?;

        let tag = mac.body.try_into().map_err(|_| OpenError::Malformed("mac"))?;
        let (nonce, ciphertext) = encrypted_content(content)?;
        Ok(Self { recipients: recipient_infos(recipients)?, nonce, ciphertext, tag })
    }
}

/// Nonce and ciphertext.
fn encrypted_content(info: Element<'_>) -> Result<([u8; NONCE_LEN], &[u8]), OpenError> {
    let mut walk = info.walk();
    if walk.take(Tag::ObjectIdentifier, "contentType")?.body != oids::ID_DATA.as_bytes() {
        return Err(OpenError::OutsideProfile(OutsideSealProfile::ContentType));
    }
    let algorithm = Algorithm::take(&mut walk, "contentEncryptionAlgorithm")?;
    let ciphertext = walk.take(CONTEXT_0_PRIMITIVE, "encryptedContent")?.body;
    walk.finish("authEncryptedContentInfo")?;
    if algorithm.oid != oids::ID_AES256_GCM.as_bytes() {
        return Err(OpenError::Algorithm);
    }
    let parameters = algorithm.parameters.filter(|parameters| parameters.tag == Tag::Sequence);
    let mut walk = parameters.ok_or(OpenError::Malformed("GCMParameters"))?.walk();
    let nonce = walk.take(Tag::OctetString, "aes-nonce")?.body;
    // Its absence means the default of 12, which is not our length either.
    let tag_len = if walk.is_finished() { 12 } else { walk.small_integer("aes-ICVlen")? };
    walk.finish("GCMParameters")?;
    match <[u8; NONCE_LEN]>::try_from(nonce) {
        Ok(nonce) if tag_len == TAG_LEN_OCTET => Ok((nonce, ciphertext)),
        _ => Err(OpenError::Algorithm),
    }
}

fn recipient_infos(set: Element<'_>) -> Result<Vec<RecipientInfo<'_>>, OpenError> {
    let infos = set.walk().set_of(MAX_RECIPIENTS + 1, "recipientInfos")?;
    if infos.len() > MAX_RECIPIENTS {
        return Err(OpenError::TooManyRecipients);
    }
    infos.into_iter().map(RecipientInfo::walk).collect()
}

impl<'a> RecipientInfo<'a> {
    fn walk(info: Element<'a>) -> Result<Self, OpenError> {
        if info.tag == Tag::Sequence {
            Self::key_transport(info)
        } else if info.tag == context(TagNumber::N1) {
            Self::key_agreement(info)
        } else {
            Err(OpenError::OutsideProfile(OutsideSealProfile::RecipientKind))
        }
    }

    /// `KeyTransRecipientInfo` (RFC 5652 section 6.2.1).
    fn key_transport(info: Element<'a>) -> Result<Self, OpenError> {
        let field = "KeyTransRecipientInfo";
        let mut walk = info.walk();
        let version = walk.small_integer(field)?;
        let rid = walk.next("rid")?;
        let id = match (version, rid.tag) {
            (0, Tag::Sequence) => issuer_and_serial(rid)?,
            (2, tag) if tag == CONTEXT_0_PRIMITIVE => key_id(rid)?,
            _ => return Err(OpenError::Malformed("rid")),
        };
        let algorithm = Algorithm::take(&mut walk, "keyEncryptionAlgorithm")?;
        let encrypted_key = walk.take(Tag::OctetString, "encryptedKey")?.body;
        walk.finish(field)?;
        if !is_oaep_sha256(&algorithm)? {
            return Err(OpenError::Algorithm);
        }
        if encrypted_key.len() > MAX_ENCRYPTED_KEY {
            return Err(OpenError::Malformed("encryptedKey"));
        }
        Ok(Self { id, key: EncryptedKey::Rsa(encrypted_key) })
    }

    /// `KeyAgreeRecipientInfo` (RFC 5652 section 6.2.2) with an ephemeral key and one recipient.
    fn key_agreement(info: Element<'a>) -> Result<Self, OpenError> {
        let field = "KeyAgreeRecipientInfo";
        let mut walk = info.walk();
        if walk.small_integer(field)? != 3 {
            return Err(OpenError::Malformed(field));
        }
        let originator = walk.take(context(TagNumber::N0), "originator")?;
        if walk.optional(context(TagNumber::N1), "ukm")?.is_some() {
            return Err(OpenError::OutsideProfile(OutsideSealProfile::UserKeyingMaterial));
        }
        let algorithm = Algorithm::take(&mut walk, "keyEncryptionAlgorithm")?;
        let mut keys = walk.take(Tag::Sequence, "recipientEncryptedKeys")?.walk();
        walk.finish(field)?;
        if !is_ecdh_sha256_wrap(&algorithm)? {
            return Err(OpenError::Algorithm);
        }
        let key = keys.take(Tag::Sequence, "RecipientEncryptedKey")?;
        if !keys.is_finished() {
            return Err(OpenError::OutsideProfile(OutsideSealProfile::SharedAgreement));
        }
        let mut walk = key.walk();
        let rid = walk.next("rid")?;
        let id = if rid.tag == Tag::Sequence {
            issuer_and_serial(rid)?
        } else if rid.tag == context(TagNumber::N0) {
            key_id(Walk::only(rid.body, Tag::OctetString, "rKeyId")?)?
        } else {
            return Err(OpenError::Malformed("rid"));
        };
        let wrapped = walk.take(Tag::OctetString, "encryptedKey")?.body;
        walk.finish("RecipientEncryptedKey")?;
        let wrapped = wrapped.try_into().map_err(|_| OpenError::Malformed("encryptedKey"))?;
        Ok(Self { id, key: EncryptedKey::P256 { ephemeral: originator_point(originator)?, wrapped } })
    }
}

fn issuer_and_serial(rid: Element<'_>) -> Result<RecipientId, OpenError> {
    let mut walk = rid.walk();
    walk.take(Tag::Sequence, "issuer")?;
    walk.take(Tag::Integer, "serialNumber")?;
    walk.finish("rid")?;
    if rid.raw.len() > MAX_ISSUER_AND_SERIAL {
        return Err(OpenError::Malformed("rid"));
    }
    Ok(RecipientId::IssuerAndSerial(rid.raw.to_vec()))
}

fn key_id(rid: Element<'_>) -> Result<RecipientId, OpenError> {
    if rid.body.is_empty() || rid.body.len() > MAX_KEY_ID {
        return Err(OpenError::Malformed("rid"));
    }
    Ok(RecipientId::KeyId(rid.body.to_vec()))
}

/// RSAES-OAEP with SHA-256 for hash and mask, and the empty label (RFC 4055 section 4.1). Anything else that is
/// well-formed is another algorithm: all defaults mean SHA-1.
fn is_oaep_sha256(algorithm: &Algorithm<'_>) -> Result<bool, NotDer> {
    let field = "RSAES-OAEP-params";
    let Some(parameters) = algorithm.parameters.filter(|p| p.tag == Tag::Sequence) else {
        return Ok(false);
    };
    let mut walk = parameters.walk();
    let hash = walk.optional(context(TagNumber::N0), field)?;
    let mask = walk.optional(context(TagNumber::N1), field)?;
    let label = walk.optional(context(TagNumber::N2), field)?;
    walk.finish(field)?;
    let (Some(hash), Some(mask), None) = (hash, mask, label) else {
        return Ok(false);
    };
    let hash = Algorithm::from_sequence(Walk::only(hash.body, Tag::Sequence, field)?, field)?;
    let mask = Algorithm::from_sequence(Walk::only(mask.body, Tag::Sequence, field)?, field)?;
    let Some(mask_hash) = mask.parameters.filter(|p| p.tag == Tag::Sequence) else {
        return Ok(false);
    };
    let mask_hash = Algorithm::from_sequence(mask_hash, field)?;
    Ok(algorithm.oid == oids::ID_RSAES_OAEP.as_bytes()
        && hash.is_plain(&oids::ID_SHA256)
        && mask.oid == oids::ID_MGF1.as_bytes()
        && mask_hash.is_plain(&oids::ID_SHA256))
}

/// `dhSinglePass-stdDH-sha256kdf-scheme` with AES-256 key wrap (RFC 5753 section 7.1.4, RFC 3565).
fn is_ecdh_sha256_wrap(algorithm: &Algorithm<'_>) -> Result<bool, NotDer> {
    let Some(parameters) = algorithm.parameters.filter(|p| p.tag == Tag::Sequence) else {
        return Ok(false);
    };
    let wrap = Algorithm::from_sequence(parameters, "KeyWrapAlgorithm")?;
    Ok(algorithm.oid == oids::DH_SINGLE_PASS_STD_DH_SHA256KDF.as_bytes()
        && wrap.oid == oids::ID_AES256_WRAP.as_bytes()
        && wrap.parameters.is_none())
}

/// The uncompressed point of an `OriginatorPublicKey`; its curve, where named (RFC 5753 section 7.1.2), is P-256.
fn originator_point(originator: Element<'_>) -> Result<&[u8; POINT_LEN], OpenError> {
    let field = "originatorKey";
    let mut originators = originator.walk();
    let originator_key = originators.next(field)?;
    originators.finish(field)?;
    if originator_key.tag != context(TagNumber::N1) {
        return Err(OpenError::OutsideProfile(OutsideSealProfile::StaticOriginator));
    }
    let mut walk = originator_key.walk();
    let algorithm = Algorithm::take(&mut walk, field)?;
    let bits = walk.take(Tag::BitString, field)?.body;
    walk.finish(field)?;
    let is_p256 = algorithm.parameters.is_none_or(|parameters| {
        algorithm.has_null()
            || (parameters.tag == Tag::ObjectIdentifier && parameters.body == oids::SECP256R1.as_bytes())
    });
    if algorithm.oid != oids::ID_EC_PUBLIC_KEY.as_bytes() || !is_p256 {
        return Err(OpenError::Algorithm);
    }
    match bits {
        [0, point @ ..] => point.try_into().map_err(|_| OpenError::Malformed(field)),
        _ => Err(OpenError::Malformed(field)),
    }
}
