//! Whom a parcel is sealed to: an office's certificate or its sealing key, parsed once.

use der::{Tag, TagNumber};
use openssl::bn::BigNumContext;
use openssl::ec::{EcGroup, EcKey, PointConversionForm};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private, Public};

use crate::certificate_ids::{CertificateIds, NotACertificate};
use crate::der_walk::context;
use crate::der_write::{self as write, TooLong};
use crate::oids;
use crate::primitives::content_cipher::ContentKey;
use crate::primitives::ecdh_p256::{self, PublicPoint};
use crate::primitives::{Failed, key_wrap, rsa_oaep};
use crate::sealing_key;

/// What a sealed parcel calls a recipient.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RecipientId {
    /// A certificate, by `IssuerAndSerialNumber` (RFC 5652 section 10.2.4), DER.
    IssuerAndSerial(Vec<u8>),
    /// A key, by its identifier: a sealing key's (see [`sealing_key::key_id`]), or that in a certificate.
    KeyId(Vec<u8>),
}

/// Why nothing can be sealed to a certificate or key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecipientError {
    /// The bytes are not one X.509 certificate in DER.
    #[error("this is not a certificate")]
    MalformedCertificate,
    /// The bytes are not the DER of an uncompressed point on P-256.
    #[error("this is not a P-256 public key")]
    MalformedKey,
    /// RSA under 2048 bits.
    #[error("the key is too weak")]
    WeakKey,
    /// Neither RSA of 2048 to 8192 bits nor P-256.
    #[error("parcels are sealed to RSA and P-256 keys only")]
    UnsupportedKey,
    /// The certificate's key usage does not allow it: RSA needs `keyEncipherment`, EC `keyAgreement`.
    #[error("the certificate's key usage does not allow sealing to it")]
    UsageForbidsSealing,
}

/// A recipient's public key, ready for use. Cheap to clone; shared between threads.
#[derive(Debug, Clone)]
pub struct Recipient {
    id: RecipientId,
    key: RecipientKey,
}

#[derive(Debug, Clone)]
enum RecipientKey {
    Rsa(PKey<Public>),
    P256(PublicPoint),
}

impl Recipient {
    /// From a certificate (DER), which the caller has verified: here only its form, key and key usage are looked at.
    pub fn from_certificate(der: &[u8]) -> Result<Self, RecipientError> {
        let ids =
            CertificateIds::read(der).map_err(|_: NotACertificate| RecipientError::MalformedCertificate)?;
        let key = recipient_key(&ids.spki)?;
        let allowed = ids.key_usage.is_none_or(|usage| match key {
            RecipientKey::Rsa(_) => usage.key_encipherment,
            RecipientKey::P256(_) => usage.key_agreement,
        });
        if !allowed {
            return Err(RecipientError::UsageForbidsSealing);
        }
        Ok(Self { id: RecipientId::IssuerAndSerial(ids.issuer_and_serial), key })
    }

    /// From a sealing key's `SubjectPublicKeyInfo` (DER), whose approval the caller has verified.
    pub fn from_sealing_key(spki_der: &[u8]) -> Result<Self, RecipientError> {
        let point = PublicPoint::from_spki(spki_der).map_err(|_: Failed| RecipientError::MalformedKey)?;
        let id = RecipientId::KeyId(sealing_key::key_id(&point).to_vec());
        Ok(Self { id, key: RecipientKey::P256(point) })
    }

    /// What the sealed parcel will call this recipient.
    pub fn id(&self) -> &RecipientId {
        &self.id
    }

    /// The `RecipientInfo` that gives this recipient the content key, DER.
    pub(crate) fn info(&self, content_key: &ContentKey) -> Result<Vec<u8>, Failed> {
        match &self.key {
            RecipientKey::Rsa(key) => key_transport(&self.id, &rsa_oaep::encrypt(key, &content_key[..])?),
            RecipientKey::P256(point) => {
                let (ephemeral, ephemeral_point) = ephemeral_key()?;
                let secret = ecdh_p256::agree(&ephemeral, point)?;
                let wrapping_key = ecdh_p256::derive_key(&secret, &shared_info()?);
                let wrapped = key_wrap::wrap(&wrapping_key, content_key)?;
                key_agreement(&self.id, &ephemeral_point, &wrapped)
            }
        }
        .map_err(|_: TooLong| Failed)
    }
}

fn recipient_key(spki: &[u8]) -> Result<RecipientKey, RecipientError> {
    if let Ok(point) = PublicPoint::from_spki(spki) {
        return Ok(RecipientKey::P256(point));
    }
    let key = PKey::public_key_from_der(spki).map_err(|_: ErrorStack| RecipientError::UnsupportedKey)?;
    match (key.id(), key.bits()) {
        (Id::RSA, 2048..=8192) => Ok(RecipientKey::Rsa(key)),
        (Id::RSA, ..2048) => Err(RecipientError::WeakKey),
        _ => Err(RecipientError::UnsupportedKey),
    }
}

/// A key for one agreement, from OpenSSL's own generator, and its uncompressed point.
fn ephemeral_key() -> Result<(PKey<Private>, Vec<u8>), ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    let key = EcKey::generate(&group)?;
    let mut context = BigNumContext::new()?;
    let point = key.public_key().to_bytes(&group, PointConversionForm::UNCOMPRESSED, &mut context)?;
    Ok((PKey::from_ec_key(key)?, point))
}

/// `ECC-CMS-SharedInfo` for a 256-bit key for AES-256 key wrap, without user keying material (RFC 5753 section 7.2).
pub(crate) fn shared_info() -> Result<Vec<u8>, Failed> {
    let build = || {
        let key_bits = write::element(Tag::OctetString, &[&256_u32.to_be_bytes()])?;
        let supplied = write::element(context(TagNumber::N2), &[&key_bits])?;
        write::element(Tag::Sequence, &[&write::algorithm(&oids::ID_AES256_WRAP, &[])?, &supplied])
    };
    build().map_err(|_: TooLong| Failed)
}

/// `KeyTransRecipientInfo` (RFC 5652 section 6.2.1) with RSAES-OAEP (RFC 4055 section 4.1).
fn key_transport(id: &RecipientId, encrypted_key: &[u8]) -> Result<Vec<u8>, TooLong> {
    let (version, rid) = match id {
        RecipientId::IssuerAndSerial(der) => (0, der.clone()),
        RecipientId::KeyId(id) => (2, write::element(crate::der_walk::CONTEXT_0_PRIMITIVE, &[id])?),
    };
    let sha256 = write::algorithm(&oids::ID_SHA256, write::NULL)?;
    let hash = write::element(context(TagNumber::N0), &[&sha256])?;
    let mask = write::element(context(TagNumber::N1), &[&write::algorithm(&oids::ID_MGF1, &sha256)?])?;
    let parameters = write::element(Tag::Sequence, &[&hash, &mask])?;
    write::element(
        Tag::Sequence,
        &[
            &write::element(Tag::Integer, &[&[version]])?,
            &rid,
            &write::algorithm(&oids::ID_RSAES_OAEP, &parameters)?,
            &write::element(Tag::OctetString, &[encrypted_key])?,
        ],
    )
}

/// `KeyAgreeRecipientInfo` (RFC 5652 section 6.2.2) with an ephemeral key (RFC 5753 section 3.1.1).
fn key_agreement(id: &RecipientId, ephemeral_point: &[u8], wrapped: &[u8]) -> Result<Vec<u8>, TooLong> {
    let rid = match id {
        RecipientId::IssuerAndSerial(der) => der.clone(),
        RecipientId::KeyId(id) => {
            write::element(context(TagNumber::N0), &[&write::element(Tag::OctetString, &[id])?])?
        }
    };
    let originator_key = write::element(
        context(TagNumber::N1),
        &[
            &write::algorithm(&oids::ID_EC_PUBLIC_KEY, &[])?,
            &write::element(Tag::BitString, &[&[0], ephemeral_point])?,
        ],
    )?;
    let wrap = write::algorithm(&oids::ID_AES256_WRAP, &[])?;
    let encrypted_key =
        write::element(Tag::Sequence, &[&rid, &write::element(Tag::OctetString, &[wrapped])?])?;
    write::element(
        context(TagNumber::N1),
        &[
            &write::element(Tag::Integer, &[&[3]])?,
            &write::element(context(TagNumber::N0), &[&originator_key])?,
            &write::algorithm(&oids::DH_SINGLE_PASS_STD_DH_SHA256KDF, &wrap)?,
            &write::element(Tag::Sequence, &[&encrypted_key])?,
        ],
    )
}
