//! RSAES-OAEP with SHA-256, MGF1 with SHA-256 and the empty label (RFC 8017 section 7.1).

use openssl::md::{Md, MdRef};
use openssl::pkey::{HasPrivate, HasPublic, PKeyRef};
use openssl::pkey_ctx::{PkeyCtx, PkeyCtxRef};
use openssl::rsa::Padding;
use zeroize::Zeroizing;

use super::Failed;

fn set_oaep<T>(context: &mut PkeyCtxRef<T>) -> Result<(), Failed> {
    let sha256: &MdRef = Md::sha256();
    context.set_rsa_padding(Padding::PKCS1_OAEP)?;
    context.set_rsa_oaep_md(sha256)?;
    context.set_rsa_mgf1_md(sha256)?;
    Ok(())
}

/// Encrypts `message` to an RSA key. The padding's seed comes from OpenSSL's own generator, which takes no other.
pub fn encrypt<T: HasPublic>(key: &PKeyRef<T>, message: &[u8]) -> Result<Vec<u8>, Failed> {
    let mut context = PkeyCtx::new(key)?;
    context.encrypt_init()?;
    set_oaep(&mut context)?;
    let mut out = vec![0; key.size()];
    let len = context.encrypt(message, Some(&mut out))?;
    out.truncate(len);
    Ok(out)
}

/// Decrypts; every way to fail looks and takes the same (OpenSSL unpads in constant time).
pub fn decrypt<T: HasPrivate>(key: &PKeyRef<T>, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, Failed> {
    // RFC 8017 section 7.1.2 step 1b; OpenSSL would take a shorter one as if it had leading zeros.
    if ciphertext.len() != key.size() {
        return Err(Failed);
    }
    let mut context = PkeyCtx::new(key)?;
    context.decrypt_init()?;
    set_oaep(&mut context)?;
    let mut out = Zeroizing::new(vec![0; key.size()]);
    let len = context.decrypt(ciphertext, Some(&mut out))?;
    out.truncate(len);
    Ok(out)
}
