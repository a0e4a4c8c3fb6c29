//! The sealing key: an office's P-256 key for receiving, where its certificate may not encrypt.

use std::fmt;

use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{PKey, PKeyRef, Private};
use zeroize::Zeroizing;

use crate::identity::{self, IdentityError, KeyKind};
use crate::primitives::ecdh_p256::PublicPoint;

/// Bytes of a sealing key's identifier.
pub const KEY_ID_LEN: usize = 20;

/// Why a sealing key cannot be made or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealingKeyError {
    /// The text is no PEM, or the key inside it is broken.
    #[error("this is not a PEM private key that can be read")]
    MalformedPem,
    /// The PEM key is encrypted.
    #[error("the sealing key is encrypted")]
    EncryptedKey,
    /// A key, but not on P-256.
    #[error("the sealing key is not on P-256")]
    NotP256,
    /// The cryptographic library failed for another reason, such as lack of entropy or memory.
    #[error("the cryptographic library failed")]
    Library,
}

impl From<ErrorStack> for SealingKeyError {
    fn from(_: ErrorStack) -> Self {
        Self::Library
    }
}

/// A P-256 key pair that parcels are sealed to. `Debug` shows its identifier only.
#[derive(Clone)]
pub struct SealingKey {
    key: PKey<Private>,
    public: PublicPoint,
}

impl SealingKey {
    /// Makes a new key, from OpenSSL's own generator.
    pub fn generate() -> Result<Self, SealingKeyError> {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
        Self::from_key(PKey::from_ec_key(EcKey::generate(&group)?)?)
    }

    /// Reads what [`SealingKey::to_pem`] wrote; older EC PEM forms do too.
    pub fn from_pem(pem: &[u8]) -> Result<Self, SealingKeyError> {
        let key = identity::private_key_from_pem(pem).map_err(|error| match error {
            IdentityError::EncryptedKey => SealingKeyError::EncryptedKey,
            _ => SealingKeyError::MalformedPem,
        })?;
        Self::from_key(key)
    }

    fn from_key(key: PKey<Private>) -> Result<Self, SealingKeyError> {
        if identity::key_kind(&key) != Some(KeyKind::P256) {
            return Err(SealingKeyError::NotP256);
        }
        let public = PublicPoint::from_spki(&key.public_key_to_der()?)
            .map_err(|_: crate::primitives::Failed| SealingKeyError::NotP256)?;
        Ok(Self { key, public })
    }

    /// The key as unencrypted PKCS#8 PEM; wiped when dropped. Whoever writes it to disk protects the file.
    pub fn to_pem(&self) -> Result<Zeroizing<Vec<u8>>, SealingKeyError> {
        Ok(Zeroizing::new(self.key.private_key_to_pem_pkcs8()?))
    }

    /// The public key: `SubjectPublicKeyInfo` (RFC 5480), DER.
    pub fn spki_der(&self) -> Vec<u8> {
        self.public.spki()
    }

    /// What sealed parcels call the key (see [`key_id`]).
    pub fn key_id(&self) -> [u8; KEY_ID_LEN] {
        key_id(&self.public)
    }

    pub(crate) fn key(&self) -> &PKeyRef<Private> {
        &self.key
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealingKey")
            .field("key_id", &format_args!("{}", identity::Hex(&self.key_id())))
            .finish_non_exhaustive()
    }
}

/// A key identifier by RFC 7093 method 1: the leftmost 160 bits of SHA-256 of the public key's bits.
pub fn key_id(public: &PublicPoint) -> [u8; KEY_ID_LEN] {
    let hash = identity::sha256(public.point());
    let mut id = [0; KEY_ID_LEN];
    id.copy_from_slice(&hash[..KEY_ID_LEN]);
    id
}
