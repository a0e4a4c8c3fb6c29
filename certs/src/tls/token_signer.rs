//! A handshake that a key on a token signs.

use std::sync::Arc;

use rustls::sign::{Signer, SigningKey};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};

use crate::identity::KeyKind;
use crate::token::{Scheme, TokenKey};

/// The key, as rustls signs with it. A signature takes the token some ten milliseconds; there is one for each connection.
#[derive(Debug)]
pub(super) struct TokenSigner {
    pub(super) key: Arc<TokenKey>,
    pub(super) kind: KeyKind,
}

impl SigningKey for TokenSigner {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let own: &[(SignatureScheme, Scheme)] = match self.kind {
            KeyKind::Rsa => &[
                (SignatureScheme::RSA_PSS_SHA256, Scheme::RsaPssSha256),
                // TLS 1.2 only.
                (SignatureScheme::RSA_PKCS1_SHA256, Scheme::RsaPkcs1Sha256),
            ],
            KeyKind::P256 => &[(SignatureScheme::ECDSA_NISTP256_SHA256, Scheme::EcdsaSha256)],
            KeyKind::P384 => &[(SignatureScheme::ECDSA_NISTP384_SHA384, Scheme::EcdsaSha384)],
        };
        let (scheme, how) = *own.iter().find(|(scheme, _)| offered.contains(scheme))?;
        Some(Box::new(Handshake { key: Arc::clone(&self.key), scheme, how }))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        match self.kind {
            KeyKind::Rsa => SignatureAlgorithm::RSA,
            KeyKind::P256 | KeyKind::P384 => SignatureAlgorithm::ECDSA,
        }
    }
}

#[derive(Debug)]
struct Handshake {
    key: Arc<TokenKey>,
    scheme: SignatureScheme,
    how: Scheme,
}

impl Signer for Handshake {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.key.sign(self.how, message).map_err(|error| Error::General(error.to_string()))
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}
