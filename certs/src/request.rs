//! Requests for a certificate (PKCS #10, RFC 2986): the key is made where it stays, and only its public half travels.

use std::fmt;

use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private, Public};
use openssl::x509::{X509Name, X509NameRef, X509Req, X509ReqBuilder};
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::SubjectPublicKeyInfo;
use zeroize::Zeroizing;

use crate::key_policy::{KeyFault, judge_key};

/// Bytes of a request: a key of 8192 bits with its signature and a name stay well below.
pub const MAX_REQUEST_BYTES: usize = 8 * 1024;

/// Why a request for a certificate is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// It is no PKCS #10 request, or larger than [`MAX_REQUEST_BYTES`].
    #[error("this is no request for a certificate")]
    Malformed,
    /// It is not signed with the key that it names.
    #[error("it is not signed with its own key")]
    Signature,
    /// Its key is too weak: RSA below 2048 bits, or a curve below P-256.
    #[error("the key is too weak")]
    WeakKey,
    /// Its key is neither RSA nor P-256 nor P-384.
    #[error("the key is neither RSA nor P-256 nor P-384")]
    UnsupportedKey,
    /// It asks for another name than the one that it may have.
    #[error("it asks for another name")]
    Subject,
    /// It asks for extensions. The issuer decides those.
    #[error("it asks for extensions")]
    Extensions,
    /// The cryptographic library failed for another reason, such as lack of entropy or memory.
    #[error("the cryptographic library failed")]
    Library,
}

impl From<ErrorStack> for RequestError {
    fn from(_: ErrorStack) -> Self {
        Self::Library
    }
}

/// A new P-256 key of a terminal, on the computer where it stays.
#[derive(Clone)]
pub struct NewKey {
    key: PKey<Private>,
}

impl NewKey {
    /// Makes one, from OpenSSL's own generator.
    ///
    /// # Errors
    /// [`RequestError::Library`].
    pub fn generate() -> Result<Self, RequestError> {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
        Ok(Self { key: PKey::from_ec_key(EcKey::generate(&group)?)? })
    }

    /// Reads what [`NewKey::to_pem`] wrote.
    ///
    /// # Errors
    /// [`RequestError::Malformed`].
    pub fn from_pem(pem: &[u8]) -> Result<Self, RequestError> {
        let key = crate::identity::private_key_from_pem(pem).map_err(|_| RequestError::Malformed)?;
        Ok(Self { key })
    }

    /// As unencrypted PKCS#8 PEM; wiped when dropped. Whoever writes it to disk protects the file.
    ///
    /// # Errors
    /// [`RequestError::Library`].
    pub fn to_pem(&self) -> Result<Zeroizing<Vec<u8>>, RequestError> {
        Ok(Zeroizing::new(self.key.private_key_to_pem_pkcs8()?))
    }

    /// The public key: `SubjectPublicKeyInfo`, DER.
    ///
    /// # Errors
    /// [`RequestError::Library`].
    pub fn spki_der(&self) -> Result<Vec<u8>, RequestError> {
        Ok(self.key.public_key_to_der()?)
    }

    /// A request for the certificate of an office's terminal, DER. For the renewal of an office's or a proxy's both are its number.
    ///
    /// # Errors
    /// [`RequestError::Library`], also for a name that is too long for a certificate.
    pub fn request(&self, office: &str, name: &str) -> Result<Vec<u8>, RequestError> {
        let mut builder = X509ReqBuilder::new()?;
        builder.set_version(0)?;
        let subject = subject(office, name)?;
        builder.set_subject_name(&subject)?;
        builder.set_pubkey(&self.key)?;
        builder.sign(&self.key, MessageDigest::sha256())?;
        Ok(builder.build().to_der()?)
    }
}

impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewKey").finish_non_exhaustive()
    }
}

/// The public key of a request that holds.
#[derive(Debug, Clone)]
pub struct RequestedKey {
    pub(crate) key: PKey<Public>,
    spki_der: Vec<u8>,
}

impl RequestedKey {
    /// Reads the request for a certificate of an office's terminal, and checks everything that it says. For the renewal of an
    /// office's or a proxy's both names are its number.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn read(der: &[u8], office: &str, name: &str) -> Result<Self, RequestError> {
        if der.len() > MAX_REQUEST_BYTES {
            return Err(RequestError::Malformed);
        }
        let request = X509Req::from_der(der).map_err(|_| RequestError::Malformed)?;
        // What stands behind the request, or is spelled otherwise than DER has it, is not what was signed.
        if request.to_der()? != der {
            return Err(RequestError::Malformed);
        }
        let key = request.public_key().map_err(|_| RequestError::UnsupportedKey)?;
        let spki_der = key.public_key_to_der()?;
        let (_, spki) = SubjectPublicKeyInfo::from_der(&spki_der).map_err(|_| RequestError::Malformed)?;
        judge_key(&spki).map_err(|fault| match fault {
            KeyFault::Weak => RequestError::WeakKey,
            KeyFault::Unsupported => RequestError::UnsupportedKey,
            KeyFault::Malformed => RequestError::Malformed,
        })?;
        if !request.verify(&key).unwrap_or(false) {
            return Err(RequestError::Signature);
        }
        let expected = subject(office, name)?;
        if !same_name(request.subject_name(), &expected)? {
            return Err(RequestError::Subject);
        }
        if request.extensions().is_ok_and(|asked| !asked.is_empty()) {
            return Err(RequestError::Extensions);
        }
        Ok(Self { key, spki_der })
    }

    /// `SubjectPublicKeyInfo`, DER.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki_der
    }
}

fn subject(office: &str, name: &str) -> Result<X509Name, ErrorStack> {
    let mut builder = X509Name::builder()?;
    builder.append_entry_by_text("CN", name)?;
    builder.append_entry_by_text("serialNumber", office)?;
    Ok(builder.build())
}

fn same_name(one: &X509NameRef, other: &X509NameRef) -> Result<bool, ErrorStack> {
    Ok(one.to_der()? == other.to_der()?)
}

#[cfg(test)]
mod tests {
    use openssl::rsa::Rsa;
    use openssl::stack::Stack;
    use openssl::x509::extension::BasicConstraints;

    use super::*;

    const OFFICE: &str = "1371215102";

    fn made(
        key: &PKey<Private>,
        with: impl FnOnce(&mut X509ReqBuilder) -> Result<(), ErrorStack>,
    ) -> Vec<u8> {
        let mut builder = X509ReqBuilder::new().unwrap();
        builder.set_version(0).unwrap();
        let subject = subject(OFFICE, "受付").unwrap();
        builder.set_subject_name(&subject).unwrap();
        builder.set_pubkey(key).unwrap();
        with(&mut builder).unwrap();
        builder.sign(key, MessageDigest::sha256()).unwrap();
        builder.build().to_der().unwrap()
    }

    fn refused(der: &[u8]) -> RequestError {
        RequestedKey::read(der, OFFICE, "受付").unwrap_err()
    }

    #[test]
    fn a_request_names_its_own_key_and_nothing_else() {
        let key = NewKey::generate().unwrap();
        let der = key.request(OFFICE, "受付").unwrap();
        let read = RequestedKey::read(&der, OFFICE, "受付").unwrap();
        assert_eq!(read.spki_der(), key.spki_der().unwrap());
        let again = NewKey::from_pem(&key.to_pem().unwrap()).unwrap();
        assert_eq!(again.spki_der(), key.spki_der());

        assert_eq!(RequestedKey::read(&der, "1371215110", "受付").unwrap_err(), RequestError::Subject);
        assert_eq!(RequestedKey::read(&der, OFFICE, "受付2").unwrap_err(), RequestError::Subject);
        let mut forged = der.clone();
        let last = forged.len() - 1;
        forged[last] ^= 1;
        assert!(matches!(refused(&forged), RequestError::Signature | RequestError::Malformed));
        let mut longer = der.clone();
        longer.push(0);
        assert_eq!(refused(&longer), RequestError::Malformed);
        assert_eq!(refused(&der[..der.len() - 1]), RequestError::Malformed);
        assert_eq!(refused(&vec![0x30; MAX_REQUEST_BYTES + 1]), RequestError::Malformed);
        assert_eq!(refused(b""), RequestError::Malformed);
    }

    #[test]
    fn weak_keys_and_wishes_are_refused() {
        let rsa = |bits| PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap();
        assert_eq!(refused(&made(&rsa(1024), |_| Ok(()))), RequestError::WeakKey);
        let good = rsa(2048);
        assert!(RequestedKey::read(&made(&good, |_| Ok(())), OFFICE, "受付").is_ok());
        let curve = |name| PKey::ec_gen(name).unwrap();
        for weak in ["prime192v1", "secp224r1"] {
            assert_eq!(refused(&made(&curve(weak), |_| Ok(()))), RequestError::WeakKey, "{weak}");
        }
        for other in ["secp256k1", "P-521"] {
            assert_eq!(refused(&made(&curve(other), |_| Ok(()))), RequestError::UnsupportedKey, "{other}");
        }
        let ca = made(&good, |builder| {
            let mut wishes = Stack::new()?;
            wishes.push(BasicConstraints::new().critical().ca().build()?)?;
            builder.add_extensions(&wishes)
        });
        assert_eq!(refused(&ca), RequestError::Extensions);
    }
}
