//! Which keys and which signature algorithms are strong enough.
//!
//! Keys: RSA of 2048 to 8192 bits, P-256, P-384. Certificate and CRL signatures: RSA PKCS #1 v1.5 or ECDSA, over
//! SHA-256, SHA-384 or SHA-512. Everything else is refused, and the answer says whether for weakness or because it is
//! not in this list: a short list is one that the fast verification, TLS and OpenSSL all agree on.

use x509_parser::public_key::{PublicKey, RSAPublicKey};
use x509_parser::x509::{AlgorithmIdentifier, SubjectPublicKeyInfo};

/// Shortest RSA modulus in bits.
const RSA_MIN_BITS: usize = 2048;
/// Longest RSA modulus in bits; a longer one is a way to make the verifier work.
const RSA_MAX_BITS: usize = 8192;
/// Least RSA public exponent (NIST FIPS 186-5 section 5.4).
const RSA_MIN_EXPONENT: u64 = 65_537;
/// Greatest RSA public exponent that the verifiers we use accept; it also bounds their work.
const RSA_MAX_EXPONENT: u64 = (1 << 33) - 1;

/// A kind of key that is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyKind {
    Rsa,
    P256,
    P384,
}

/// Why a key is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyFault {
    Weak,
    Unsupported,
    Malformed,
}

/// Whether a signature algorithm is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignatureStrength {
    Accepted,
    Weak,
    Unsupported,
}

/// The kind of a public key, if the policy accepts it.
pub(crate) fn judge_key(spki: &SubjectPublicKeyInfo<'_>) -> Result<KeyKind, KeyFault> {
    match spki.parsed() {
        Ok(PublicKey::RSA(key)) => judge_rsa(&key),
        Ok(PublicKey::EC(point)) => judge_ec(&spki.algorithm, point.data()),
        // DSA is withdrawn (FIPS 186-5), which is not the same as a curve we do not know.
        Ok(PublicKey::DSA(_)) => Err(KeyFault::Weak),
        Ok(_) => Err(KeyFault::Unsupported),
        Err(_) => Err(KeyFault::Malformed),
    }
}

fn judge_rsa(key: &RSAPublicKey<'_>) -> Result<KeyKind, KeyFault> {
    let exponent = key.try_exponent().map_err(|_| KeyFault::Unsupported)?;
    let modulus = match key.modulus {
        [0, rest @ ..] => rest,
        positive => positive,
    };
    let (Some(first), Some(last)) = (modulus.first(), modulus.last()) else {
        return Err(KeyFault::Malformed);
    };
    let bits = modulus.len() * 8 - first.leading_zeros() as usize;
    if bits < RSA_MIN_BITS || exponent < RSA_MIN_EXPONENT {
        return Err(KeyFault::Weak);
    }
    // A modulus that does not fill its bytes and an even number are signs of a broken generator.
    if bits > RSA_MAX_BITS
        || !bits.is_multiple_of(8)
        || exponent > RSA_MAX_EXPONENT
        || exponent.is_multiple_of(2)
        || last.is_multiple_of(2)
    {
        return Err(KeyFault::Unsupported);
    }
    Ok(KeyKind::Rsa)
}

fn judge_ec(algorithm: &AlgorithmIdentifier<'_>, point: &[u8]) -> Result<KeyKind, KeyFault> {
    // A curve written out as parameters, not named, has been an attack (CVE-2020-0601): RFC 5480 section 2.1.1.
    let curve = algorithm.parameters.as_ref().and_then(|named| named.as_oid().ok());
    let curve = curve.ok_or(KeyFault::Unsupported)?.to_id_string();
    let (kind, coordinate) = match curve.as_str() {
        "1.2.840.10045.3.1.7" => (KeyKind::P256, 32),
        "1.3.132.0.34" => (KeyKind::P384, 48),
        // P-192, P-224
        "1.2.840.10045.3.1.1" | "1.3.132.0.33" => return Err(KeyFault::Weak),
        _ => return Err(KeyFault::Unsupported),
    };
    match point {
        [4, coordinates @ ..] if coordinates.len() == 2 * coordinate => Ok(kind),
        [2 | 3, x @ ..] if x.len() == coordinate => Err(KeyFault::Unsupported),
        _ => Err(KeyFault::Malformed),
    }
}

/// Whether a certificate or CRL signed with this algorithm is accepted.
pub(crate) fn judge_signature(algorithm: &AlgorithmIdentifier<'_>) -> SignatureStrength {
    match algorithm.algorithm.to_id_string().as_str() {
        // RSA PKCS #1 v1.5 with SHA-256, SHA-384, SHA-512 (RFC 4055)
        "1.2.840.113549.1.1.11" | "1.2.840.113549.1.1.12" | "1.2.840.113549.1.1.13" => {
            SignatureStrength::Accepted
        }
        // ECDSA with SHA-256, SHA-384, SHA-512 (RFC 5758)
        "1.2.840.10045.4.3.2" | "1.2.840.10045.4.3.3" | "1.2.840.10045.4.3.4" => SignatureStrength::Accepted,
        // RSA with MD2, MD4, MD5, SHA-1, SHA-224; ECDSA with SHA-1, SHA-224; DSA with SHA-1
        "1.2.840.113549.1.1.2"
        | "1.2.840.113549.1.1.3"
        | "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.113549.1.1.14"
        | "1.2.840.10045.4.1"
        | "1.2.840.10045.4.3.1"
        | "1.2.840.10040.4.3" => SignatureStrength::Weak,
        _ => SignatureStrength::Unsupported,
    }
}
