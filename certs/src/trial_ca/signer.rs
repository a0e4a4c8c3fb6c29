//! The CA's key, in memory or on a token.
//!
//! OpenSSL builds certificates and lists only together with their signature. For a key on a token a key of the same kind, made for
//! nothing else, signs first; then the part that is signed goes to the token, and its signature takes the other's place.

use std::sync::{Arc, LazyLock};

use der::{Decode, Header, Reader, SliceReader, Tag};
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private, Public};
use openssl::rsa::Rsa;

use super::TrialCaError;
use crate::der_write;
use crate::identity::{KeyKind, key_kind};
use crate::token::{self, TokenKey};

/// Made once: an RSA key takes tenths of a second. It signs what nobody ever sees.
static RSA_STAND_IN: LazyLock<Option<PKey<Private>>> =
    LazyLock::new(|| Rsa::generate(2048).and_then(PKey::from_rsa).ok());

/// Where the CA's key is.
#[derive(Clone)]
pub(super) enum CaSigner {
    /// In memory.
    Memory(PKey<Private>),
    /// On a token.
    Token {
        /// The key.
        key: Arc<TokenKey>,
        /// What kind of key.
        kind: KeyKind,
        /// Its public half.
        public: PKey<Public>,
    },
}

impl CaSigner {
    /// A key on a token with its public half; it signs once.
    pub(super) fn on_token(key: TokenKey, public: PKey<Public>) -> Result<Self, TrialCaError> {
        let kind = key_kind(&public).ok_or(TrialCaError::CannotLoad)?;
        key.belongs_to(&public, kind)?;
        Ok(Self::Token { key: Arc::new(key), kind, public })
    }
}

/// A key of this kind that signs first, and its digest.
pub(super) fn stand_in(kind: KeyKind) -> Result<(PKey<Private>, MessageDigest), TrialCaError> {
    let key = match kind {
        KeyKind::Rsa => {
            RSA_STAND_IN.clone().ok_or_else(|| TrialCaError::Library("no RSA key can be made".to_owned()))?
        }
        KeyKind::P256 => PKey::ec_gen("P-256")?,
        KeyKind::P384 => PKey::ec_gen("P-384")?,
    };
    Ok((key, token::digest_of(kind)))
}

/// A certificate or list with the token's signature in place of the other (RFC 5280 sections 4.1 and 5.1: what is signed, the
/// algorithm, the signature).
pub(super) fn signed_again(der: &[u8], key: &TokenKey, kind: KeyKind) -> Result<Vec<u8>, TrialCaError> {
    let malformed = || TrialCaError::Library("what was signed can't be read".to_owned());
    let body = body_of(der).ok_or_else(malformed)?;
    let mut parts = SliceReader::new(body).map_err(|_| malformed())?;
    let signed = parts.tlv_bytes().map_err(|_| malformed())?;
    let algorithm = parts.tlv_bytes().map_err(|_| malformed())?;
    let signature = key.sign(token::scheme_of(kind), signed)?;
    // No bits of the last octet are unused.
    let bits = der_write::element(Tag::BitString, &[&[0], &signature]).map_err(|_| malformed())?;
    der_write::element(Tag::Sequence, &[signed, algorithm, &bits]).map_err(|_| malformed())
}

/// The value inside an outer element.
pub(super) fn body_of(element: &[u8]) -> Option<&[u8]> {
    let mut reader = SliceReader::new(element).ok()?;
    let header = Header::decode(&mut reader).ok()?;
    reader.read_slice(header.length).ok()
}
