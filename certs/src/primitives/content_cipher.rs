//! AES-256-GCM over a parcel, in place (RFC 5084: 12-byte nonce, 16-byte tag).

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, Tag, UnboundKey};
use zeroize::Zeroizing;

use super::Failed;

/// Bytes of a content-encryption key.
pub const KEY_LEN: usize = 32;
/// Bytes of a nonce.
pub const NONCE_LEN: usize = 12;
/// Bytes of a tag.
pub const TAG_LEN: usize = 16;

/// A content-encryption key, wiped when dropped. Each serves for one content only.
pub type ContentKey = Zeroizing<[u8; KEY_LEN]>;

fn key(bytes: &[u8; KEY_LEN]) -> Result<LessSafeKey, Failed> {
    Ok(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, bytes)?))
}

/// Encrypts `content` in place and returns the tag.
///
/// The same key and nonce must never be used twice.
pub fn encrypt(
    content_key: &ContentKey,
    nonce: [u8; NONCE_LEN],
    associated: &[u8],
    content: &mut [u8],
) -> Result<[u8; TAG_LEN], Failed> {
    let nonce = Nonce::assume_unique_for_key(nonce);
    let tag = key(content_key)?.seal_in_place_separate_tag(nonce, Aad::from(associated), content)?;
    tag.as_ref().try_into().map_err(|_: std::array::TryFromSliceError| Failed)
}

/// Checks the tag and decrypts `content` in place.
///
/// On failure `content` holds nothing of the plaintext and must be thrown away.
pub fn decrypt(
    content_key: &ContentKey,
    nonce: [u8; NONCE_LEN],
    associated: &[u8],
    content: &mut [u8],
    tag: [u8; TAG_LEN],
) -> Result<(), Failed> {
    let nonce = Nonce::assume_unique_for_key(nonce);
    key(content_key)?.open_in_place_separate_tag(
        nonce,
        Aad::from(associated),
        Tag::from(tag),
        content,
        0..,
    )?;
    Ok(())
}
