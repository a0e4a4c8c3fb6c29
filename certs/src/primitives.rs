//! The cryptographic operations that signing, verifying, sealing and opening are made of, one file each.
//!
//! They are public so that published test vectors run through the very functions that parcels go through.

pub mod content_cipher;
pub mod ecdh_p256;
pub mod key_wrap;
pub mod rsa_oaep;
pub mod signature;

/// The operation failed: a key, a ciphertext, a tag or a signature that is not right.
///
/// Says no more on purpose: the difference between the ways to fail can help an attacker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cryptographic operation failed")]
pub struct Failed;

impl From<ring::error::Unspecified> for Failed {
    fn from(_: ring::error::Unspecified) -> Self {
        Self
    }
}

impl From<openssl::error::ErrorStack> for Failed {
    fn from(_: openssl::error::ErrorStack) -> Self {
        Self
    }
}
