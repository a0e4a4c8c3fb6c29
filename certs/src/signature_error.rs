//! Why a CMS signature was refused: one exact value per reason.

use std::fmt;

use crate::der_walk::NotDer;
use crate::error::CertError;

/// The signed attributes that a CAdES baseline signature must have (ETSI EN 319 122-1 clause 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Attribute {
    /// `content-type` (RFC 5652 section 11.1).
    ContentType,
    /// `message-digest` (RFC 5652 section 11.2).
    MessageDigest,
    /// `signing-time` (RFC 5652 section 11.3).
    SigningTime,
    /// ESS `signing-certificate-v2` (RFC 5035 section 3).
    SigningCertificateV2,
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ContentType => "content-type",
            Self::MessageDigest => "message-digest",
            Self::SigningTime => "signing-time",
            Self::SigningCertificateV2 => "signing-certificate-v2",
        })
    }
}

/// What CMS and CAdES allow and this profile leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutsideProfile {
    /// CRLs inside the signature: revocation data comes from the trust store.
    EmbeddedCrls,
    /// Unsigned attributes: anybody could have added them.
    UnsignedAttributes,
    /// A certificate choice other than an X.509 certificate (RFC 5652 section 10.2.2).
    CertificateChoice,
    /// The content is not plain data.
    ContentType,
    /// ESS `signing-certificate` (version 1), which rests on SHA-1.
    SigningCertificateV1,
    /// ESS `signing-certificate-v2` that names several certificates, or policies.
    SigningCertificateExtras,
}

/// A signature that is not accepted, and the exact reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// Not the strict DER of a `SignedData`; the text is the ASN.1 name of the field.
    #[error("the signature is malformed at {0}")]
    Malformed(&'static str),
    /// Larger than what is looked at; the text is the ASN.1 name of the field.
    #[error("the signature's {0} is too large")]
    TooLarge(&'static str),
    /// Well-formed, but uses what the profile leaves out.
    #[error("the signature uses what is not accepted here: {0:?}")]
    OutsideProfile(OutsideProfile),
    /// The signature carries content although it was given separately.
    #[error("the signature carries the content itself")]
    NotDetached,
    /// The signature carries no content and none was given.
    #[error("the signature carries no content")]
    NoContent,
    /// Nobody signed.
    #[error("nobody signed")]
    NoSigner,
    /// More than one signer.
    #[error("more than one signer")]
    MoreThanOneSigner,
    /// A signed attribute is missing.
    #[error("the signed attribute {0} is missing")]
    MissingAttribute(Attribute),
    /// A signed attribute stands twice; for one that is not understood, no name is given.
    #[error("a signed attribute stands there twice")]
    DuplicateAttribute(Option<Attribute>),
    /// A hash or signature algorithm outside the policy, or one that is not of the signer's key.
    #[error("the signature's algorithm is not accepted")]
    Algorithm,
    /// The content is not what was signed.
    #[error("the content is not what was signed")]
    DigestMismatch,
    /// None of the embedded certificates is the signer's.
    #[error("the signer's certificate is not embedded")]
    SignerNotEmbedded,
    /// More than one of the embedded certificates bears the name that the signature calls its signer by.
    #[error("more than one embedded certificate could be the signer's")]
    SignerAmbiguous,
    /// The signed hash, issuer or serial number of the signer's certificate is not that of the one embedded.
    #[error("the embedded certificate is not the one that was signed with")]
    EssMismatch,
    /// The signer's certificate is refused.
    #[error("the signer's certificate: {0}")]
    Certificate(#[from] CertError),
    /// The signature is not the signer's over these attributes.
    #[error("the signature does not verify")]
    BadSignature,
}

impl SignatureError {
    /// Stable name of the reason, for `ErrorInfo.reason`, logs and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "MALFORMED_SIGNATURE",
            Self::TooLarge(_) => "SIGNATURE_TOO_LARGE",
            Self::OutsideProfile(_) => "SIGNATURE_OUTSIDE_PROFILE",
            Self::NotDetached => "SIGNATURE_NOT_DETACHED",
            Self::NoContent => "SIGNATURE_WITHOUT_CONTENT",
            Self::NoSigner => "NO_SIGNER",
            Self::MoreThanOneSigner => "MORE_THAN_ONE_SIGNER",
            Self::MissingAttribute(_) => "SIGNED_ATTRIBUTE_MISSING",
            Self::DuplicateAttribute(_) => "SIGNED_ATTRIBUTE_TWICE",
            Self::Algorithm => "SIGNATURE_ALGORITHM",
            Self::DigestMismatch => "SIGNATURE_DIGEST_MISMATCH",
            Self::SignerNotEmbedded => "SIGNER_NOT_EMBEDDED",
            Self::SignerAmbiguous => "SIGNER_AMBIGUOUS",
            Self::EssMismatch => "SIGNING_CERTIFICATE_MISMATCH",
            Self::Certificate(error) => error.code(),
            Self::BadSignature => "BAD_SIGNATURE",
        }
    }
}

impl From<NotDer> for SignatureError {
    fn from(error: NotDer) -> Self {
        Self::Malformed(error.field)
    }
}
