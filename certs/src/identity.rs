//! An office's own key with its certificates: from PKCS#12 or PEM, or on a token.

mod pkcs12;

use std::fmt;
use std::sync::Arc;

use openssl::ec::EcKeyRef;
use openssl::nid::Nid;
use openssl::pkey::{HasPublic, Id, PKey, PKeyRef, Private};
use openssl::x509::X509;
use ring::digest;
use zeroize::Zeroizing;

use crate::certificate::Certificate;
use crate::certificate_ids::{CertificateIds, NotACertificate};
use crate::token::{TokenError, TokenKey, TokenUri};

/// Certificates looked at in one PKCS#12 or PEM file; chains are 2 to 4 long, some files carry a CA's history.
const MAX_CERTIFICATES: usize = 32;

/// Why a key with its certificates cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The bytes are no PKCS#12 file, or its inside is broken or protected in a way that is not known.
    #[error("this is not a PKCS#12 file that can be read")]
    MalformedPkcs12,
    /// The password does not open the file.
    #[error("the password is wrong")]
    WrongPassword,
    /// No certificate is in the file.
    #[error("there is no certificate")]
    NoCertificate,
    /// No private key is in the file.
    #[error("there is no private key")]
    NoKey,
    /// Not one of the certificates holds the public key that belongs to the private key.
    #[error("the key does not belong to the certificate")]
    KeyDoesNotMatch,
    /// The text is no PEM, or a certificate or the key inside it is broken.
    #[error("this is not PEM that can be read")]
    MalformedPem,
    /// The PEM key is encrypted. Encrypted keys are read from PKCS#12 only.
    #[error("the PEM key is encrypted: decrypt it, or use a PKCS#12 file with its password")]
    EncryptedKey,
    /// Neither RSA of 2048 to 8192 bits nor P-256 nor P-384.
    #[error("the key is neither RSA of 2048 to 8192 bits nor P-256 nor P-384")]
    UnsupportedKey,
    /// More certificates than are looked at.
    #[error("there are more than {MAX_CERTIFICATES} certificates")]
    TooManyCertificates,
    /// The token, or the key on it, can't be used.
    #[error("{0}")]
    Token(#[from] TokenError),
    /// The key is on a token and does not leave it.
    #[error("the key does not leave its token")]
    OnToken,
    /// The cryptographic library failed for another reason, such as lack of memory.
    #[error("the cryptographic library failed")]
    Library,
}

impl IdentityError {
    /// Stable name of the reason, for messages and logs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::MalformedPkcs12 => "MALFORMED_PKCS12",
            Self::WrongPassword => "WRONG_PASSWORD",
            Self::NoCertificate => "NO_CERTIFICATE",
            Self::NoKey => "NO_PRIVATE_KEY",
            Self::KeyDoesNotMatch => "KEY_DOES_NOT_MATCH",
            Self::MalformedPem => "MALFORMED_PEM",
            Self::EncryptedKey => "ENCRYPTED_KEY",
            Self::UnsupportedKey => "UNSUPPORTED_KEY",
            Self::TooManyCertificates => "TOO_MANY_CERTIFICATES",
            Self::Token(error) => error.code(),
            Self::OnToken => "KEY_ON_TOKEN",
            Self::Library => "CRYPTO_LIBRARY",
        }
    }
}

/// The kinds of key that sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyKind {
    /// RSA of 2048 to 8192 bits.
    Rsa,
    /// EC on P-256.
    P256,
    /// EC on P-384.
    P384,
}

/// A private key, its certificate and the certificates above it. Verifies nothing about them: a trust store does.
///
/// The key stays inside OpenSSL, which wipes it when dropped, or on its token; `Debug` shows the certificate's fingerprint only.
#[derive(Clone)]
pub struct KeyIdentity {
    key: PrivateKey,
    kind: KeyKind,
    /// DER, the own certificate first, each followed by its issuer as far as they are at hand.
    chain: Vec<Vec<u8>>,
    ids: CertificateIds,
    fingerprint: [u8; 32],
}

/// Where a private key is.
#[derive(Clone)]
pub(crate) enum PrivateKey {
    /// In memory.
    Memory(PKey<Private>),
    /// On a token.
    Token(Arc<TokenKey>),
}

impl KeyIdentity {
    /// From a token (PKCS #11) and its PIN. Certificates are those given (PEM), else those on the token. That the key belongs to the
    /// certificate is tried: it signs once.
    pub fn from_token(uri: TokenUri, pin: &str, certificates: Option<&[u8]>) -> Result<Self, IdentityError> {
        let (key, on_token) = TokenKey::open(uri, pin)?;
        let certificates: Vec<X509> = match certificates {
            Some(pem) => X509::stack_from_pem(pem).map_err(|_| IdentityError::MalformedPem)?,
            // Others may lie beside it that can't be read.
            None => on_token.iter().filter_map(|der| X509::from_der(der).ok()).collect(),
        };
        let leaf = certificates.first().ok_or(IdentityError::NoCertificate)?;
        let public = leaf.public_key().map_err(library)?;
        let kind = key_kind(&public).ok_or(IdentityError::UnsupportedKey)?;
        key.belongs_to(&public, kind)?;
        Self::with_key(PrivateKey::Token(Arc::new(key)), kind, leaf, &certificates)
    }

    /// From a PKCS#12 file and its password, modern or in the old RC2 or 3DES protection.
    ///
    /// Certificates that do not lead upwards from the key's own are left out.
    pub fn from_pkcs12(der: &[u8], password: &str) -> Result<Self, IdentityError> {
        let (key, leaf, others) = pkcs12::read(der, password)?;
        Self::assemble(key, &leaf, &others)
    }

    /// From PEM: the certificates (the key's own anywhere among them) and the unencrypted private key
    /// (PKCS#8, or the older RSA and EC forms). Both may be the same text.
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self, IdentityError> {
        let key = private_key_from_pem(key)?;
        let certificates = X509::stack_from_pem(certificates)
            .map_err(|_: openssl::error::ErrorStack| IdentityError::MalformedPem)?;
        if certificates.is_empty() {
            return Err(IdentityError::NoCertificate);
        }
        let leaf = certificates
            .iter()
            .find(|certificate| belongs(certificate, &key))
            .ok_or(IdentityError::KeyDoesNotMatch)?;
        Self::assemble(key.clone(), leaf, &certificates)
    }

    fn assemble(key: PKey<Private>, leaf: &X509, others: &[X509]) -> Result<Self, IdentityError> {
        let kind = key_kind(&key).ok_or(IdentityError::UnsupportedKey)?;
        if !belongs(leaf, &key) {
            return Err(IdentityError::KeyDoesNotMatch);
        }
        Self::with_key(PrivateKey::Memory(key), kind, leaf, others)
    }

    fn with_key(key: PrivateKey, kind: KeyKind, leaf: &X509, others: &[X509]) -> Result<Self, IdentityError> {
        if others.len() > MAX_CERTIFICATES {
            return Err(IdentityError::TooManyCertificates);
        }
        let chain = climb(leaf, others)?;
        let ids =
            CertificateIds::read(&chain[0]).map_err(|_: NotACertificate| IdentityError::NoCertificate)?;
        let fingerprint = sha256(&chain[0]);
        Ok(Self { key, kind, chain, ids, fingerprint })
    }

    /// The certificate, DER.
    pub fn certificate_der(&self) -> &[u8] {
        // `assemble` begins every chain with it.
        &self.chain[0]
    }

    /// The certificate and those above it, DER, in order, as far as the file had them. The last may be an anchor.
    pub fn chain_der(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// The public key: `SubjectPublicKeyInfo`, DER.
    ///
    /// # Errors
    /// [`IdentityError::NoCertificate`].
    pub fn spki_der(&self) -> Result<Vec<u8>, IdentityError> {
        let certificate = Certificate::parse(self.certificate_der());
        Ok(certificate.map_err(|_| IdentityError::NoCertificate)?.spki)
    }

    /// The private key as unencrypted PKCS#8, DER (what rustls takes); wiped when dropped. One on a token does not come out.
    pub fn private_key_pkcs8_der(&self) -> Result<Zeroizing<Vec<u8>>, IdentityError> {
        match &self.key {
            PrivateKey::Memory(key) => key.private_key_to_pkcs8().map(Zeroizing::new).map_err(library),
            PrivateKey::Token(_) => Err(IdentityError::OnToken),
        }
    }

    /// Whether the key is on a token: then it signs, and opens nothing.
    pub fn on_token(&self) -> bool {
        matches!(self.key, PrivateKey::Token(_))
    }

    /// SHA-256 of the certificate's DER.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }

    /// `notBefore` and `notAfter` of the certificate, Unix microseconds.
    pub fn validity_us(&self) -> Result<(i64, i64), IdentityError> {
        let certificate =
            Certificate::parse(self.certificate_der()).map_err(|_| IdentityError::NoCertificate)?;
        Ok((certificate.not_before_us, certificate.not_after_us))
    }

    pub(crate) fn key(&self) -> &PrivateKey {
        &self.key
    }

    pub(crate) fn kind(&self) -> KeyKind {
        self.kind
    }

    pub(crate) fn ids(&self) -> &CertificateIds {
        &self.ids
    }
}

impl fmt::Debug for KeyIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyIdentity")
            .field("kind", &self.kind)
            .field("fingerprint", &format_args!("{}", Hex(&self.fingerprint)))
            .finish_non_exhaustive()
    }
}

/// Reads an unencrypted PEM key; never lets OpenSSL ask for a password on the terminal.
pub(crate) fn private_key_from_pem(pem: &[u8]) -> Result<PKey<Private>, IdentityError> {
    let mut asked = false;
    let key = PKey::private_key_from_pem_callback(pem, |_| {
        asked = true;
        Ok(0)
    });
    match key {
        Ok(key) => Ok(key),
        Err(_) if asked => Err(IdentityError::EncryptedKey),
        Err(_) if find(pem, b"PRIVATE KEY-----") => Err(IdentityError::MalformedPem),
        Err(_) => Err(IdentityError::NoKey),
    }
}

fn find(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}

/// What kind of signing key it is; `None` where the policy does not know it.
pub(crate) fn key_kind<T: HasPublic>(key: &PKeyRef<T>) -> Option<KeyKind> {
    match key.id() {
        Id::RSA if (2048..=8192).contains(&key.bits()) => Some(KeyKind::Rsa),
        Id::EC => match key.ec_key().ok().as_deref().and_then(curve)? {
            Nid::X9_62_PRIME256V1 => Some(KeyKind::P256),
            Nid::SECP384R1 => Some(KeyKind::P384),
            _ => None,
        },
        _ => None,
    }
}

fn curve<T: HasPublic>(key: &EcKeyRef<T>) -> Option<Nid> {
    key.group().curve_name()
}

fn belongs(certificate: &X509, key: &PKeyRef<Private>) -> bool {
    certificate.public_key().is_ok_and(|public| public.public_eq(key))
}

/// The certificates from `leaf` upwards, each checked to be signed by the next; stops at a self-issued one.
fn climb(leaf: &X509, others: &[X509]) -> Result<Vec<Vec<u8>>, IdentityError> {
    let mut chain = vec![leaf.to_der().map_err(library)?];
    let mut top = leaf;
    while let Some(issuer) = others.iter().find(|candidate| issued(candidate, top)) {
        let der = issuer.to_der().map_err(library)?;
        if chain.contains(&der) {
            break;
        }
        chain.push(der);
        top = issuer;
    }
    Ok(chain)
}

/// Whether `issuer` is another certificate that signed `subject`: names alone don't tell a CA's renewed keys apart.
fn issued(issuer: &X509, subject: &X509) -> bool {
    let same_name = || Some(issuer.subject_name().to_der().ok()? == subject.issuer_name().to_der().ok()?);
    same_name() == Some(true)
        && issuer.public_key().is_ok_and(|key| subject.verify(&key).is_ok_and(|signed| signed))
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

/// Bytes as lower-case hexadecimal text.
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn library(_: openssl::error::ErrorStack) -> IdentityError {
    IdentityError::Library
}
