//! AES-256 key wrap of a content-encryption key (RFC 3394, with its default initial value).

use openssl::cipher::Cipher;
use openssl::cipher_ctx::{CipherCtx, CipherCtxFlags};
use zeroize::Zeroizing;

use super::Failed;
use super::content_cipher::{ContentKey, KEY_LEN};

/// Bytes of a wrapped content-encryption key.
pub const WRAPPED_LEN: usize = KEY_LEN + 8;
/// OpenSSL asks for room for one more block than it writes.
const ROOM: usize = WRAPPED_LEN + 16;

fn context() -> Result<CipherCtx, Failed> {
    let mut context = CipherCtx::new()?;
    context.set_flags(CipherCtxFlags::FLAG_WRAP_ALLOW);
    Ok(context)
}

/// Wraps `content_key` under `wrapping_key`.
pub fn wrap(wrapping_key: &[u8; KEY_LEN], content_key: &ContentKey) -> Result<[u8; WRAPPED_LEN], Failed> {
    let mut context = context()?;
    context.encrypt_init(Some(Cipher::aes_256_wrap()), Some(wrapping_key), None)?;
    let mut out = [0; ROOM];
    let len = context.cipher_update(&content_key[..], Some(&mut out))?;
    out[..len].try_into().map_err(|_: std::array::TryFromSliceError| Failed)
}

/// Unwraps a content-encryption key and checks its integrity.
pub fn unwrap(wrapping_key: &[u8; KEY_LEN], wrapped: &[u8; WRAPPED_LEN]) -> Result<ContentKey, Failed> {
    let mut context = context()?;
    context.decrypt_init(Some(Cipher::aes_256_wrap()), Some(wrapping_key), None)?;
    let mut out = Zeroizing::new([0; ROOM]);
    let len = context.cipher_update(wrapped, Some(&mut out[..]))?;
    let mut content_key = ContentKey::default();
    if len != KEY_LEN {
        return Err(Failed);
    }
    content_key.copy_from_slice(&out[..KEY_LEN]);
    Ok(content_key)
}
