//! One-pass ECDH on P-256 with the X9.63 key derivation over SHA-256 (RFC 5753: `dhSinglePass-stdDH-sha256kdf`).

use openssl::derive::Deriver;
use openssl::pkey::{HasPrivate, PKey, PKeyRef, Public};
use ring::digest;
use zeroize::Zeroizing;

use super::Failed;

/// Bytes of an uncompressed point: 4, X, Y.
pub const POINT_LEN: usize = 65;
/// Bytes of a shared secret, and of a key derived from it.
pub const SECRET_LEN: usize = 32;

/// Everything of a P-256 `SubjectPublicKeyInfo` (RFC 5480) that stands before the point.
const SPKI_HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, // SEQUENCE { SEQUENCE {
    0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, // id-ecPublicKey
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, // secp256r1 }
    0x03, 0x42, 0x00, // BIT STRING
];

/// A public key that is a point on the curve: there is no other way to make one.
#[derive(Debug, Clone)]
pub struct PublicPoint {
    key: PKey<Public>,
    point: [u8; POINT_LEN],
}

impl PublicPoint {
    /// From an uncompressed point. Refused: another length or form, a point that is not on the curve.
    ///
    /// The curve's cofactor is 1, so that every such point is in the right group.
    pub fn from_point(point: &[u8]) -> Result<Self, Failed> {
        let point: [u8; POINT_LEN] = point.try_into().map_err(|_: std::array::TryFromSliceError| Failed)?;
        if point[0] != 4 {
            return Err(Failed);
        }
        let key = PKey::public_key_from_der(&[&SPKI_HEAD[..], &point].concat())?;
        Ok(Self { key, point })
    }

    /// From a `SubjectPublicKeyInfo` in DER, which must name the curve and hold an uncompressed point.
    pub fn from_spki(der: &[u8]) -> Result<Self, Failed> {
        Self::from_point(der.strip_prefix(&SPKI_HEAD).ok_or(Failed)?)
    }

    /// The uncompressed point.
    pub fn point(&self) -> &[u8; POINT_LEN] {
        &self.point
    }

    /// The `SubjectPublicKeyInfo`, DER.
    pub fn spki(&self) -> Vec<u8> {
        [&SPKI_HEAD[..], &self.point].concat()
    }
}

/// The shared secret of a private key and another's public one: the X coordinate (SEC 1 section 3.3.1).
///
/// Both sides use this function: the sealing one with an ephemeral key, the opening one with its own.
pub fn agree<T: HasPrivate>(
    private: &PKeyRef<T>,
    public: &PublicPoint,
) -> Result<Zeroizing<[u8; SECRET_LEN]>, Failed> {
    let mut deriver = Deriver::new(private)?;
    // `PublicPoint` is a checked point; checking it once more costs as much as the agreement itself.
    deriver.set_peer_ex(&public.key, false)?;
    let mut secret = Zeroizing::new([0; SECRET_LEN]);
    let len = deriver.derive(&mut secret[..])?;
    if len == SECRET_LEN { Ok(secret) } else { Err(Failed) }
}

/// One block of the X9.63 derivation (SEC 1 section 3.6.1): 32 bytes of key from a secret and the shared info.
pub fn derive_key(secret: &[u8; SECRET_LEN], shared_info: &[u8]) -> Zeroizing<[u8; SECRET_LEN]> {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(secret);
    hash.update(&1_u32.to_be_bytes());
    hash.update(shared_info);
    let mut key = Zeroizing::new([0; SECRET_LEN]);
    key.copy_from_slice(hash.finish().as_ref());
    key
}
