//! Signing a parcel or statement: CMS `SignedData`, CAdES baseline B-B (ETSI EN 319 122-1 clause 6).
//!
//! The DER is built here and only the signature is OpenSSL's, because its own CMS takes the signing time from the
//! clock. RSA keys sign PKCS #1 v1.5 over SHA-256, P-256 keys ECDSA over SHA-256, P-384 keys ECDSA over SHA-384.

use std::time::Duration;

use der::asn1::{GeneralizedTime, ObjectIdentifier, UtcTime};
use der::{Encode, Tag, TagNumber};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::sign::Signer;

use crate::certificate_ids::{CertificateIds, NotACertificate};
use crate::cms_verify_attributes::FIRST_GENERALIZED_S;
use crate::der_walk::context;
use crate::der_write::{self as write, TooLong};
use crate::identity::{KeyIdentity, KeyKind, PrivateKey};
use crate::oids;
use crate::primitives::signature::Hash;
use crate::token::{self, TokenError};

/// Whether the signature carries what it signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// No: the content travels beside it, as in a parcel.
    Detached,
    /// Yes, as in a statement.
    Attached,
}

/// Why nothing was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The time is before 1970 or after 9999.
    #[error("the time of signing cannot be written")]
    Time,
    /// The content is larger than 256 MiB.
    #[error("the content is too large to be attached")]
    TooLarge,
    /// The token did not sign.
    #[error("{0}")]
    Token(#[from] TokenError),
    /// The cryptographic library could not sign with this key.
    #[error("the cryptographic library failed")]
    Library,
}

impl From<TooLong> for SignError {
    fn from(_: TooLong) -> Self {
        Self::TooLarge
    }
}

impl From<ErrorStack> for SignError {
    fn from(_: ErrorStack) -> Self {
        Self::Library
    }
}

/// Signs `content` as of `at_us` (Unix microseconds; the seconds are what is written). Returns the DER.
///
/// Embeds the identity's certificates except self-issued ones: an anchor proves nothing to whoever lacks it.
pub fn sign(identity: &KeyIdentity, content: &[u8], mode: Content, at_us: i64) -> Result<Vec<u8>, SignError> {
    let hash = hash_of(identity.kind());
    let attributes = signed_attributes(identity, hash, content, at_us)?;
    // Signed under the tag of a SET OF, sent under [0] (RFC 5652 section 5.4).
    let signature = raw_signature(identity, hash, &write::set_of(Tag::Set, attributes.clone())?)?;
    let signer_info = write::element(
        Tag::Sequence,
        &[
            &integer(1)?,
            &identity.ids().issuer_and_serial,
            &write::algorithm(hash.oid(), &[])?,
            &write::set_of(context(TagNumber::N0), attributes)?,
            &signature_algorithm(identity.kind())?,
            &write::element(Tag::OctetString, &[&signature])?,
        ],
    )?;
    let signed_data = write::element(
        Tag::Sequence,
        &[
            &integer(1)?,
            &write::element(Tag::Set, &[&write::algorithm(hash.oid(), &[])?])?,
            &encapsulated(content, mode)?,
            &write::set_of(context(TagNumber::N0), embedded(identity))?,
            &write::element(Tag::Set, &[&signer_info])?,
        ],
    )?;
    let explicit = write::header(context(TagNumber::N0), signed_data.len())?;
    Ok(write::element(Tag::Sequence, &[&write::oid(&oids::ID_SIGNED_DATA)?, &explicit, &signed_data])?)
}

fn hash_of(kind: KeyKind) -> Hash {
    match kind {
        KeyKind::Rsa | KeyKind::P256 => Hash::Sha256,
        KeyKind::P384 => Hash::Sha384,
    }
}

fn signature_algorithm(kind: KeyKind) -> Result<Vec<u8>, TooLong> {
    match kind {
        KeyKind::Rsa => write::algorithm(&oids::RSA_ENCRYPTION, write::NULL),
        KeyKind::P256 => write::algorithm(&oids::ECDSA_WITH_SHA256, &[]),
        KeyKind::P384 => write::algorithm(&oids::ECDSA_WITH_SHA384, &[]),
    }
}

fn raw_signature(identity: &KeyIdentity, hash: Hash, message: &[u8]) -> Result<Vec<u8>, SignError> {
    let key = match identity.key() {
        PrivateKey::Memory(key) => key,
        PrivateKey::Token(key) => return Ok(key.sign(token::scheme_of(identity.kind()), message)?),
    };
    let digest = match hash {
        Hash::Sha256 => MessageDigest::sha256(),
        Hash::Sha384 => MessageDigest::sha384(),
        Hash::Sha512 => MessageDigest::sha512(),
    };
    Ok(Signer::new(digest, key)?.sign_oneshot_to_vec(message)?)
}

fn integer(value: u8) -> Result<Vec<u8>, TooLong> {
    write::element(Tag::Integer, &[&[value]])
}

fn encapsulated(content: &[u8], mode: Content) -> Result<Vec<u8>, TooLong> {
    let content_type = write::oid(&oids::ID_DATA)?;
    match mode {
        Content::Detached => write::element(Tag::Sequence, &[&content_type]),
        Content::Attached => {
            let octets = write::header(Tag::OctetString, content.len())?;
            let explicit = write::header(context(TagNumber::N0), octets.len() + content.len())?;
            write::element(Tag::Sequence, &[&content_type, &explicit, &octets, content])
        }
    }
}

/// The identity's certificates that are to be embedded; its own always is.
fn embedded(identity: &KeyIdentity) -> Vec<Vec<u8>> {
    let is_self_issued = |der: &[u8]| match CertificateIds::read(der) {
        Ok(ids) => ids.issuer == ids.subject,
        Err(NotACertificate) => false,
    };
    let (own, above) = identity.chain_der().split_at(1);
    own.iter().chain(above.iter().filter(|der| !is_self_issued(der))).cloned().collect()
}

fn signed_attributes(
    identity: &KeyIdentity,
    hash: Hash,
    content: &[u8],
    at_us: i64,
) -> Result<Vec<Vec<u8>>, SignError> {
    let digest = write::element(Tag::OctetString, &[hash.of(content).as_ref()])?;
    Ok(vec![
        attribute(&oids::ID_CONTENT_TYPE, &write::oid(&oids::ID_DATA)?)?,
        attribute(&oids::ID_MESSAGE_DIGEST, &digest)?,
        attribute(&oids::ID_SIGNING_TIME, &signing_time(at_us)?)?,
        attribute(&oids::ID_AA_SIGNING_CERTIFICATE_V2, &signing_certificate_v2(identity, hash)?)?,
    ])
}

fn attribute(oid: &ObjectIdentifier, value: &[u8]) -> Result<Vec<u8>, TooLong> {
    write::element(Tag::Sequence, &[&write::oid(oid)?, &write::element(Tag::Set, &[value])?])
}

/// RFC 5652 section 11.3: a `UTCTime` through 2049, a `GeneralizedTime` from then on.
fn signing_time(at_us: i64) -> Result<Vec<u8>, SignError> {
    let seconds = u64::try_from(at_us.div_euclid(1_000_000)).map_err(|_| SignError::Time)?;
    let since_1970 = Duration::from_secs(seconds);
    let encoded = if seconds < FIRST_GENERALIZED_S {
        UtcTime::from_unix_duration(since_1970).and_then(|time| time.to_der())
    } else {
        GeneralizedTime::from_unix_duration(since_1970).and_then(|time| time.to_der())
    };
    encoded.map_err(|_: der::Error| SignError::Time)
}

/// `SigningCertificateV2` with one `ESSCertIDv2` that names hash, issuer and serial number (RFC 5035 section 3).
fn signing_certificate_v2(identity: &KeyIdentity, hash: Hash) -> Result<Vec<u8>, TooLong> {
    let ids = identity.ids();
    let algorithm = match hash {
        // DER leaves the default out.
        Hash::Sha256 => Vec::new(),
        _ => write::algorithm(hash.oid(), &[])?,
    };
    let certificate_hash = hash.of(identity.certificate_der());
    let directory_name = write::element(context(TagNumber::N4), &[&ids.issuer])?;
    let issuer_serial =
        write::element(Tag::Sequence, &[&write::element(Tag::Sequence, &[&directory_name])?, &ids.serial])?;
    let id = write::element(
        Tag::Sequence,
        &[&algorithm, &write::element(Tag::OctetString, &[certificate_hash.as_ref()])?, &issuer_serial],
    )?;
    write::element(Tag::Sequence, &[&write::element(Tag::Sequence, &[&id])?])
}
