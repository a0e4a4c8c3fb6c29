//! What the trial CA hands over: certificate, key and chain, and the files that they come in.

use openssl::pkcs12::Pkcs12;
use openssl::pkey::PKey;
use openssl::stack::Stack;
use openssl::x509::X509;
use zeroize::Zeroizing;

use super::TrialCaError;

/// A certificate that was issued, with its key.
#[derive(Clone)]
pub struct Issued {
    /// The certificate, DER.
    pub cert_der: Vec<u8>,
    /// The private key, PKCS#8 DER, unencrypted.
    pub key_pkcs8_der: Zeroizing<Vec<u8>>,
    /// The CA certificates above it, DER, the root last.
    pub chain: Vec<Vec<u8>>,
    /// The serial number, big-endian, without leading zeros.
    pub serial: Vec<u8>,
}

/// A certificate for a key that stays where it was made.
#[derive(Clone, Debug)]
pub struct Certified {
    /// The certificate, DER.
    pub cert_der: Vec<u8>,
    /// The CA certificates above it, DER, the root last.
    pub chain: Vec<Vec<u8>>,
    /// The serial number, big-endian, without leading zeros.
    pub serial: Vec<u8>,
}

impl Issued {
    /// A PKCS#12 file (AES-256, PBKDF2 with SHA-256) with key, certificate and chain.
    pub fn to_pkcs12(&self, password: &str) -> Result<Vec<u8>, TrialCaError> {
        let certificate = X509::from_der(&self.cert_der)?;
        let key = PKey::private_key_from_pkcs8(&self.key_pkcs8_der)?;
        let mut above = Stack::new()?;
        for der in &self.chain {
            above.push(X509::from_der(der)?)?;
        }
        let file =
            Pkcs12::builder().name("tasuki").pkey(&key).cert(&certificate).ca(above).build2(password)?;
        Ok(file.to_der()?)
    }

    /// The certificate, PEM.
    pub fn cert_pem(&self) -> Result<Vec<u8>, TrialCaError> {
        Ok(X509::from_der(&self.cert_der)?.to_pem()?)
    }

    /// The certificate and those above it, PEM, one after the other.
    pub fn chain_pem(&self) -> Result<Vec<u8>, TrialCaError> {
        let mut pem = self.cert_pem()?;
        for der in &self.chain {
            pem.extend(X509::from_der(der)?.to_pem()?);
        }
        Ok(pem)
    }

    /// The private key, PEM (PKCS#8), unencrypted; wiped when dropped.
    pub fn key_pem(&self) -> Result<Zeroizing<Vec<u8>>, TrialCaError> {
        Ok(Zeroizing::new(PKey::private_key_from_pkcs8(&self.key_pkcs8_der)?.private_key_to_pem_pkcs8()?))
    }
}
