//! Opening what was sealed. Not one byte of plaintext leaves before the tag over all of it has verified.

use std::fmt;

use openssl::pkey::{PKey, Private};

use crate::der_walk::NotDer;
use crate::identity::{KeyIdentity, KeyKind, PrivateKey};
use crate::open_walk::{EncryptedKey, RecipientInfo, Sealed};
use crate::primitives::content_cipher::{self, ContentKey};
use crate::primitives::ecdh_p256::{self, PublicPoint};
use crate::primitives::{Failed, key_wrap, rsa_oaep};
use crate::recipient::{self, RecipientError, RecipientId};
use crate::seal::MAX_RECIPIENTS;
use crate::sealing_key::SealingKey;

/// What RFC 5083 allows and this profile leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutsideSealProfile {
    /// Certificates or CRLs of the originator.
    OriginatorInfo,
    /// Authenticated or unauthenticated attributes: plain data needs none, and nobody would read them.
    Attributes,
    /// The content is not plain data.
    ContentType,
    /// A recipient by password, by a key encryption key, or of another kind.
    RecipientKind,
    /// User keying material in a key agreement.
    UserKeyingMaterial,
    /// One key agreement for several recipients.
    SharedAgreement,
    /// A key agreement with a static key of the sender.
    StaticOriginator,
}

/// Why a sealed parcel was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Not the strict DER of an `AuthEnvelopedData`; the text is the ASN.1 name of the field.
    #[error("the sealed parcel is malformed at {0}")]
    Malformed(&'static str),
    /// Well-formed, but uses what the profile leaves out.
    #[error("the sealed parcel uses what is not accepted here: {0:?}")]
    OutsideProfile(OutsideSealProfile),
    /// More than [`MAX_RECIPIENTS`].
    #[error("the sealed parcel has more than {MAX_RECIPIENTS} recipients")]
    TooManyRecipients,
    /// Another algorithm than AES-256-GCM with a 12-byte nonce and a 16-byte tag, RSAES-OAEP with SHA-256, or ECDH on
    /// P-256 with SHA-256 and AES-256 key wrap.
    #[error("the sealed parcel's algorithms are not accepted")]
    Algorithm,
    /// None of the keys is a recipient's.
    #[error("the parcel is not sealed to any of the keys at hand")]
    NotARecipient,
    /// The content key does not unwrap, or the tag does not verify: altered, or made for another key. The two are
    /// not told apart, so that nobody can ask us about one without the other.
    #[error("the sealed parcel was altered, or its key is not ours")]
    NotAuthentic,
}

impl OpenError {
    /// Stable name of the reason, for messages, logs and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "MALFORMED_SEAL",
            Self::OutsideProfile(_) => "SEAL_OUTSIDE_PROFILE",
            Self::TooManyRecipients => "TOO_MANY_RECIPIENTS",
            Self::Algorithm => "SEAL_ALGORITHM",
            Self::NotARecipient => "NOT_A_RECIPIENT",
            Self::NotAuthentic => "SEAL_NOT_AUTHENTIC",
        }
    }
}

impl From<NotDer> for OpenError {
    fn from(error: NotDer) -> Self {
        Self::Malformed(error.field)
    }
}

/// A private key that opens, and the names that recipients' entries may call it by.
#[derive(Clone)]
pub struct OpeningKey {
    key: PKey<Private>,
    is_rsa: bool,
    ids: Vec<RecipientId>,
}

impl OpeningKey {
    /// The key of a certificate: RSA or P-256.
    pub fn from_identity(identity: &KeyIdentity) -> Result<Self, RecipientError> {
        let is_rsa = match identity.kind() {
            KeyKind::Rsa => true,
            KeyKind::P256 => false,
            KeyKind::P384 => return Err(RecipientError::UnsupportedKey),
        };
        // A key on a token signs only.
        let PrivateKey::Memory(key) = identity.key() else { return Err(RecipientError::UnsupportedKey) };
        let names = identity.ids();
        let mut ids = vec![RecipientId::IssuerAndSerial(names.issuer_and_serial.clone())];
        ids.extend(names.key_id.clone().map(RecipientId::KeyId));
        Ok(Self { key: key.clone(), is_rsa, ids })
    }

    /// A sealing key.
    pub fn from_sealing_key(key: &SealingKey) -> Self {
        let ids = vec![RecipientId::KeyId(key.key_id().to_vec())];
        Self { key: key.key().to_owned(), is_rsa: false, ids }
    }

    fn is_for(&self, info: &RecipientInfo<'_>) -> bool {
        self.is_rsa == matches!(info.key, EncryptedKey::Rsa(_)) && self.ids.contains(&info.id)
    }

    fn content_key(&self, encrypted: EncryptedKey<'_>) -> Result<ContentKey, Failed> {
        match encrypted {
            EncryptedKey::Rsa(ciphertext) => {
                let message = rsa_oaep::decrypt(&self.key, ciphertext)?;
                let mut content_key = ContentKey::default();
                if message.len() != content_key.len() {
                    return Err(Failed);
                }
                content_key.copy_from_slice(&message);
                Ok(content_key)
            }
            EncryptedKey::P256 { ephemeral, wrapped } => {
                let secret = ecdh_p256::agree(&self.key, &PublicPoint::from_point(ephemeral)?)?;
                let wrapping_key = ecdh_p256::derive_key(&secret, &recipient::shared_info()?);
                key_wrap::unwrap(&wrapping_key, wrapped)
            }
        }
    }
}

impl fmt::Debug for OpeningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpeningKey")
            .field("is_rsa", &self.is_rsa)
            .field("ids", &self.ids)
            .finish_non_exhaustive()
    }
}

/// Opens `sealed` (at most 256 MiB of DER) with the first of its recipients' entries that one of `keys` fits.
///
/// One private-key operation at most, however many entries there are.
pub fn open(sealed: &[u8], keys: &[OpeningKey]) -> Result<Vec<u8>, OpenError> {
    let sealed = Sealed::walk(sealed)?;
    let fit = sealed.recipients.iter().find_map(|info| {
        let key = keys.iter().find(|key| key.is_for(info))?;
        Some((key, info.key))
    });
    let (key, encrypted) = fit.ok_or(OpenError::NotARecipient)?;
    let content_key = key.content_key(encrypted).map_err(|_: Failed| OpenError::NotAuthentic)?;
    let mut content = sealed.ciphertext.to_vec();
    content_cipher::decrypt(&content_key, sealed.nonce, &[], &mut content, sealed.tag)
        .map_err(|_: Failed| OpenError::NotAuthentic)?;
    Ok(content)
}

/// To whom `sealed` is sealed, in the order in which they stand. Opens nothing.
pub fn inspect(sealed: &[u8]) -> Result<Vec<RecipientId>, OpenError> {
    Ok(Sealed::walk(sealed)?.recipients.into_iter().map(|info| info.id).collect())
}
