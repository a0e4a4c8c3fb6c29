//! Checking signatures: RSA PKCS #1 v1.5 and ECDSA on P-256 and P-384, over SHA-256, SHA-384 or SHA-512.

use der::{Tag, asn1::ObjectIdentifier};
use ring::digest;
use ring::signature::{self as algorithms, UnparsedPublicKey, VerificationAlgorithm};

use super::Failed;
use crate::der_walk::{Algorithm, NotDer, Walk};
use crate::oids;

/// A hash that the policy allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Hash {
    /// The hash of `bytes`.
    pub fn of(self, bytes: &[u8]) -> digest::Digest {
        digest::digest(self.algorithm(), bytes)
    }

    fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }

    pub(crate) fn oid(self) -> &'static ObjectIdentifier {
        match self {
            Self::Sha256 => &oids::ID_SHA256,
            Self::Sha384 => &oids::ID_SHA384,
            Self::Sha512 => &oids::ID_SHA512,
        }
    }

    /// The hash that an `AlgorithmIdentifier` names, if the policy allows it.
    pub(crate) fn from_algorithm(algorithm: &Algorithm<'_>) -> Option<Self> {
        [Self::Sha256, Self::Sha384, Self::Sha512].into_iter().find(|hash| algorithm.is_plain(hash.oid()))
    }
}

/// How a signature was made, as far as its algorithm identifier says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2).
    Rsa(Hash),
    /// ECDSA with a DER signature (RFC 5753); the curve is the key's.
    Ecdsa(Hash),
}

/// A public key that the policy allows: RSA of 2048 to 8192 bits, P-256 or P-384.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    kind: Kind,
    /// `RSAPublicKey`, or the uncompressed point.
    bits: Box<[u8]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rsa,
    P256,
    P384,
}

impl VerifyingKey {
    /// From a `SubjectPublicKeyInfo` in DER. RSA's size is checked at each use, the curve here.
    pub fn from_spki(der: &[u8]) -> Result<Self, Failed> {
        let (kind, bits) = Self::read_spki(der).map_err(|_: NotDer| Failed)?;
        Ok(Self { kind: kind.ok_or(Failed)?, bits: bits.into() })
    }

    fn read_spki(der: &[u8]) -> Result<(Option<Kind>, &[u8]), NotDer> {
        let field = "subjectPublicKeyInfo";
        let mut spki = Walk::only(der, Tag::Sequence, field)?.walk();
        let algorithm = Algorithm::take(&mut spki, field)?;
        let bits = spki.take(Tag::BitString, field)?.body;
        spki.finish(field)?;
        let kind = if algorithm.oid == oids::RSA_ENCRYPTION.as_bytes() && algorithm.has_null() {
            Some(Kind::Rsa)
        } else if algorithm.oid == oids::ID_EC_PUBLIC_KEY.as_bytes() {
            let curve = algorithm.parameters.filter(|p| p.tag == Tag::ObjectIdentifier).map(|p| p.body);
            if curve == Some(oids::SECP256R1.as_bytes()) {
                Some(Kind::P256)
            } else if curve == Some(oids::SECP384R1.as_bytes()) {
                Some(Kind::P384)
            } else {
                None
            }
        } else {
            None
        };
        match bits {
            [0, bits @ ..] => Ok((kind, bits)),
            _ => Err(NotDer { field }),
        }
    }

    /// The ring algorithm for this key and that scheme; `None` where they do not go together or policy forbids it.
    fn algorithm(&self, scheme: Scheme) -> Option<&'static dyn VerificationAlgorithm> {
        Some(match (self.kind, scheme) {
            (Kind::Rsa, Scheme::Rsa(Hash::Sha256)) => &algorithms::RSA_PKCS1_2048_8192_SHA256,
            (Kind::Rsa, Scheme::Rsa(Hash::Sha384)) => &algorithms::RSA_PKCS1_2048_8192_SHA384,
            (Kind::Rsa, Scheme::Rsa(Hash::Sha512)) => &algorithms::RSA_PKCS1_2048_8192_SHA512,
            (Kind::P256, Scheme::Ecdsa(Hash::Sha256)) => &algorithms::ECDSA_P256_SHA256_ASN1,
            (Kind::P256, Scheme::Ecdsa(Hash::Sha384)) => &algorithms::ECDSA_P256_SHA384_ASN1,
            (Kind::P384, Scheme::Ecdsa(Hash::Sha256)) => &algorithms::ECDSA_P384_SHA256_ASN1,
            (Kind::P384, Scheme::Ecdsa(Hash::Sha384)) => &algorithms::ECDSA_P384_SHA384_ASN1,
            _ => return None,
        })
    }

    /// Whether a signature by this key can be of this scheme.
    pub fn allows(&self, scheme: Scheme) -> bool {
        self.algorithm(scheme).is_some()
    }

    /// Checks that `signature` is this key's over `message`.
    pub fn verify(&self, scheme: Scheme, message: &[u8], signature: &[u8]) -> Result<(), Failed> {
        let algorithm = self.algorithm(scheme).ok_or(Failed)?;
        Ok(UnparsedPublicKey::new(algorithm, &self.bits).verify(message, signature)?)
    }
}
