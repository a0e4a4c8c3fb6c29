//! Bare signatures of a key over bytes: what one key says of the key that takes its place. Unlike CMS they need no certificate to be
//! checked, so they hold as long as the keys are known.

use crate::cms_sign::{hash_of, raw_signature};
use crate::identity::{IdentityError, KeyIdentity};
use crate::primitives::signature::{Hash, Scheme, VerifyingKey};

/// Bytes of a signature at most: RSA of 8192 bits.
pub const MAX_SIGNATURE: usize = 1024;

/// Signs `message`: RSA PKCS #1 v1.5 or ECDSA, over SHA-256; with a P-384 key over SHA-384.
///
/// # Errors
/// [`IdentityError::Library`].
pub fn sign(identity: &KeyIdentity, message: &[u8]) -> Result<Vec<u8>, IdentityError> {
    raw_signature(identity, hash_of(identity.kind()), message).map_err(|_| IdentityError::Library)
}

/// Whether [`sign`] made a signature with this key (`SubjectPublicKeyInfo`, DER).
pub fn verifies(spki_der: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let Ok(key) = VerifyingKey::from_spki(spki_der) else { return false };
    let schemes = [Scheme::Rsa(Hash::Sha256), Scheme::Ecdsa(Hash::Sha256), Scheme::Ecdsa(Hash::Sha384)];
    let own = schemes.into_iter().filter(|scheme| key.allows(*scheme));
    signature.len() <= MAX_SIGNATURE
        && own.into_iter().any(|scheme| key.verify(scheme, message, signature).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial_ca::{IssueOptions, KeyChoice, TrialCa};

    #[test]
    fn every_kind_of_key_signs_and_no_other_one_does() {
        const NOW_US: i64 = 1_795_261_114_000_000;
        let ca = TrialCa::create("test", NOW_US).unwrap();
        let made = [KeyChoice::Rsa(2048), KeyChoice::P256, KeyChoice::P384].map(|key| {
            let options = IssueOptions::new(NOW_US).with_key(key);
            let issued = ca.issue_office("1371215102", "test", &options).unwrap();
            KeyIdentity::from_pem(&issued.chain_pem().unwrap(), &issued.key_pem().unwrap()).unwrap()
        });
        let spki = made.each_ref().map(|identity| identity.spki_der().unwrap());
        for (at, identity) in made.iter().enumerate() {
            let signature = sign(identity, b"one").unwrap();
            for (other, spki) in spki.iter().enumerate() {
                assert_eq!(verifies(spki, b"one", &signature), at == other);
            }
            assert!(!verifies(&spki[at], b"two", &signature));
            assert!(!verifies(&spki[at], b"one", &signature[1..]));
        }
        assert!(!verifies(b"no key", b"one", b""));
    }
}
