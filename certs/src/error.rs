//! Why a certificate was refused: one exact value per reason.

use std::fmt;

/// Where in the chain a certificate stands: 0 is the end entity, 1 its issuer, and so on up to the anchor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u8);

impl Position {
    /// The certificate that was asked about.
    pub const LEAF: Self = Self(0);
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("the certificate"),
            n => write!(f, "the CA certificate {n} above it"),
        }
    }
}

/// A certificate that is not accepted, and the exact reason.
///
/// [`CertError::code`] is what crosses the wire and stands in logs; it never changes for a variant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertError {
    /// Not DER, not X.509 version 3, or breaks a rule of RFC 5280 on how a certificate is built; the text names it, for
    /// people only.
    #[error("{0} is malformed: {1}")]
    MalformedCertificate(Position, &'static str),
    /// `notAfter` has passed.
    #[error("{0} has expired")]
    CertificateExpired(Position),
    /// `notBefore` has not come.
    #[error("{0} is not valid yet")]
    CertificateNotYetValid(Position),
    /// No chain leads to a configured trust anchor.
    #[error("no chain of issuers leads to a trust anchor")]
    UntrustedIssuer,
    /// A certificate's signature is not its issuer's.
    #[error("the signature on {0} is not its issuer's")]
    BadCertificateSignature(Position),
    /// A CRL names the certificate, with effect at or before the time asked for.
    #[error("{0} was revoked")]
    CertificateRevoked(Position),
    /// A CA in the chain was withdrawn in an emergency, with effect at or before the time asked for.
    #[error("the CA that issued {0} is not believed any more")]
    IssuerWithdrawn(Position),
    /// The newest CRL that covers the certificate is past its `nextUpdate` or older than the policy allows.
    #[error("the revocation list that covers {0} is too old")]
    CrlStale(Position),
    /// No CRL of the certificate's issuer is at hand.
    #[error("no revocation list covers {0}")]
    CrlMissing(Position),
    /// CRLs of the issuer are at hand but none can be used; the fault of the newest.
    #[error("the revocation list that should cover {0} cannot be used: {1}")]
    CrlInvalid(Position, CrlFault),
    /// A key below the policy's strength: RSA under 2048 bits or with an exponent under 65537, an EC curve under 256 bits.
    #[error("the key of {0} is too weak")]
    WeakKey(Position),
    /// A responder's answer is needed, and none is at hand.
    #[error("no answer of an OCSP responder about {0}")]
    OcspMissing(Position),
    /// The newest answer about it is too old.
    #[error("the answer of the OCSP responder about {0} is too old")]
    OcspStale(Position),
    /// Answers about it are at hand but none can be used; the fault of the newest.
    #[error("the answer of the OCSP responder about {0} cannot be used: {1}")]
    OcspInvalid(Position, OcspFault),
    /// A key outside the policy that is not for its weakness: neither RSA of 2048 to 8192 bits nor P-256 nor P-384.
    #[error("the kind of key of {0} is not accepted")]
    UnsupportedKey(Position),
    /// Signed over a hash weaker than SHA-256.
    #[error("{0} is signed with a weak algorithm")]
    WeakSignatureAlgorithm(Position),
    /// Signed with an algorithm outside the policy that is not for its weakness.
    #[error("{0} is signed with an algorithm that is not accepted")]
    UnsupportedSignatureAlgorithm(Position),
    /// Key usage does not allow what the certificate is used for.
    #[error("the key usage of {0} does not allow this")]
    WrongKeyUsage(Position),
    /// An extended key usage extension is present and does not allow what the certificate is used for.
    #[error("the extended key usage of {0} does not allow this")]
    WrongExtendedKeyUsage(Position),
    /// More CA certificates follow than the path length constraint of a CA above allows.
    #[error("the chain is longer than {0} allows")]
    PathLength(Position),
    /// More CA certificates follow than the verifier looks at.
    #[error("there are more than {0} CA certificates between the certificate and the trust anchor")]
    ChainTooLong(usize),
    /// An issuer in the chain is not a CA.
    #[error("{0} issued a certificate but is no CA")]
    NotACa(Position),
    /// A CA's certificate stands where an office's, proxy's, operator's or server's belongs.
    #[error("the certificate is a CA's and cannot act itself")]
    CaAsEndEntity,
    /// A name in the certificate lies outside what a CA above it may name.
    #[error("a name in {0} is outside its issuer's name constraints")]
    NameConstraint(Position),
    /// A critical extension that this verifier does not process (RFC 5280 section 4.2).
    #[error("{0} has a critical extension that is not understood")]
    UnknownCriticalExtension(Position),
    /// A CA in the chain requires certificate policies that the chain does not have (RFC 5280 section 6.1.5).
    #[error("{0} lacks a certificate policy that a CA above it requires")]
    CertificatePolicy(Position),
    /// More certificates were sent along than are looked at.
    #[error("more than {0} certificates were sent along")]
    TooManyCertificates(usize),
    /// No rule of the certificate profile finds an office, terminal, proxy or operator.
    #[error("the certificate names no office, terminal, proxy or operator")]
    IdentityNotFound,
    /// Rules of the certificate profile find different parties in one certificate.
    #[error("the certificate names more than one party")]
    IdentityAmbiguous,
    /// The cryptographic library failed for a reason other than the certificate, such as lack of memory.
    #[error("the cryptographic library failed")]
    Library,
}

impl CertError {
    /// Stable name of the reason, for `ErrorInfo.reason`, logs and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::MalformedCertificate(..) => "MALFORMED_CERTIFICATE",
            Self::CertificateExpired(_) => "CERTIFICATE_EXPIRED",
            Self::CertificateNotYetValid(_) => "CERTIFICATE_NOT_YET_VALID",
            Self::UntrustedIssuer => "UNTRUSTED_ISSUER",
            Self::BadCertificateSignature(_) => "BAD_CERTIFICATE_SIGNATURE",
            Self::CertificateRevoked(_) => "CERTIFICATE_REVOKED",
            Self::IssuerWithdrawn(_) => "ISSUER_WITHDRAWN",
            Self::CrlStale(_) => "CRL_STALE",
            Self::CrlMissing(_) => "CRL_MISSING",
            Self::CrlInvalid(..) => "CRL_INVALID",
            Self::OcspMissing(_) => "OCSP_MISSING",
            Self::OcspStale(_) => "OCSP_STALE",
            Self::OcspInvalid(..) => "OCSP_INVALID",
            Self::WeakKey(_) => "WEAK_KEY",
            Self::UnsupportedKey(_) => "UNSUPPORTED_KEY",
            Self::WeakSignatureAlgorithm(_) => "WEAK_SIGNATURE_ALGORITHM",
            Self::UnsupportedSignatureAlgorithm(_) => "UNSUPPORTED_SIGNATURE_ALGORITHM",
            Self::WrongKeyUsage(_) => "WRONG_KEY_USAGE",
            Self::WrongExtendedKeyUsage(_) => "WRONG_EXTENDED_KEY_USAGE",
            Self::PathLength(_) => "PATH_LENGTH",
            Self::ChainTooLong(_) => "CHAIN_TOO_LONG",
            Self::NotACa(_) => "NOT_A_CA",
            Self::CaAsEndEntity => "CA_AS_END_ENTITY",
            Self::NameConstraint(_) => "NAME_CONSTRAINT",
            Self::UnknownCriticalExtension(_) => "UNKNOWN_CRITICAL_EXTENSION",
            Self::CertificatePolicy(_) => "CERTIFICATE_POLICY",
            Self::TooManyCertificates(_) => "TOO_MANY_CERTIFICATES",
            Self::IdentityNotFound => "IDENTITY_NOT_FOUND",
            Self::IdentityAmbiguous => "IDENTITY_AMBIGUOUS",
            Self::Library => "CRYPTO_LIBRARY",
        }
    }
}

/// Why a CRL cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CrlFault {
    /// Not DER, or not a version 2 CRL as RFC 5280 section 5 builds it.
    #[error("it is malformed")]
    Malformed,
    /// Not signed with the issuer's key.
    #[error("its signature is not the issuer's")]
    BadSignature,
    /// Signed over a hash weaker than SHA-256, or with another algorithm outside the policy.
    #[error("it is signed with an algorithm that is not accepted")]
    SignatureAlgorithm,
    /// The issuer's key usage does not include `cRLSign`.
    #[error("its issuer may not sign revocation lists")]
    IssuerWithoutCrlSign,
    /// `thisUpdate` lies in the future.
    #[error("it is not valid yet")]
    NotYetValid,
    /// No `nextUpdate`, which RFC 5280 section 5.1.2.5 requires.
    #[error("it does not say when the next one comes")]
    NoNextUpdate,
    /// No CRL number, or no authority key identifier, which RFC 5280 section 5.2 requires.
    #[error("it lacks an extension that must be present")]
    MissingExtension,
    /// A critical extension, of the list or of one entry, that is not processed.
    #[error("it has a critical extension that is not understood")]
    UnknownCriticalExtension,
    /// A delta CRL, which says nothing without its base.
    #[error("it is a delta list")]
    Delta,
    /// An indirect CRL, or one that covers only some certificates or some reasons.
    #[error("it covers only part of the issuer's certificates")]
    Partial,
}

/// Why an answer of an OCSP responder cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OcspFault {
    /// Not DER, or not a basic response as RFC 6960 section 4.2 builds it.
    #[error("it is malformed")]
    Malformed,
    /// The responder says that it cannot answer (`tryLater` and the like).
    #[error("the responder has no answer")]
    NoAnswer,
    /// It is about other certificates.
    #[error("it is about another certificate")]
    OtherCertificate,
    /// Neither the issuer's key nor a certificate that came along signed it.
    #[error("its signature is not the issuer's or a responder's")]
    BadSignature,
    /// Signed with an algorithm outside the policy.
    #[error("it is signed with an algorithm that is not accepted")]
    SignatureAlgorithm,
    /// Who signed it has no certificate for answering from the issuer, or had none at the time.
    #[error("its signer may not answer for the issuer")]
    NoAuthority,
    /// Who signed it has a certificate that the issuer has revoked.
    #[error("its signer's certificate is revoked")]
    ResponderRevoked,
    /// It answers another question.
    #[error("its nonce is not the one that was sent")]
    Nonce,
    /// It was made later than now.
    #[error("it is from the future")]
    FromTheFuture,
    /// Its time is over already.
    #[error("it is too old")]
    Stale,
    /// Older than the answer that is held: an old one played back.
    #[error("it is older than the answer that is held")]
    Older,
    /// The responder does not know the certificate.
    #[error("the responder does not know the certificate")]
    Unknown,
}

impl OcspFault {
    /// A stable word for metrics and logs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed => "OCSP_MALFORMED",
            Self::NoAnswer => "OCSP_NO_ANSWER",
            Self::OtherCertificate => "OCSP_OTHER_CERTIFICATE",
            Self::BadSignature => "OCSP_FORGED",
            Self::SignatureAlgorithm => "OCSP_ALGORITHM",
            Self::NoAuthority => "OCSP_NO_AUTHORITY",
            Self::ResponderRevoked => "OCSP_RESPONDER_REVOKED",
            Self::Nonce => "OCSP_NONCE",
            Self::FromTheFuture => "OCSP_FROM_THE_FUTURE",
            Self::Stale => "OCSP_TOO_OLD",
            Self::Older => "OCSP_OLDER",
            Self::Unknown => "OCSP_UNKNOWN",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_which_certificate_and_a_code_stays() {
        let error = CertError::CertificateExpired(Position::LEAF);
        assert_eq!(
            (error.code(), error.to_string().as_str()),
            ("CERTIFICATE_EXPIRED", "the certificate has expired")
        );
        let error = CertError::CrlInvalid(Position(1), CrlFault::Delta);
        assert_eq!(error.code(), "CRL_INVALID");
        assert_eq!(
            error.to_string(),
            "the revocation list that should cover the CA certificate 1 above it cannot be used: it is a delta list"
        );
    }
}
