//! Why a manifest was refused.

use crate::container::NameError;

use super::uri::UriError;

/// Why a manifest was refused, or contradicts its container. `reference` counts the manifest's files from 0,
/// `entry` the container's entries. No variant holds a name: errors are logged, and a name can hold a person's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Longer than [`super::MAX_MANIFEST_BYTES`].
    #[error("the manifest has {bytes} bytes, more than the {limit} allowed")]
    TooLarge {
        /// Length of the manifest.
        bytes: usize,
        /// The limit it exceeds.
        limit: usize,
    },
    /// Not the XML that the schema describes.
    #[error("the manifest is malformed near byte {offset}: {reason}")]
    Malformed {
        /// Where, in bytes from the manifest's start: at the end of what is wrong.
        offset: u64,
        /// What is wrong.
        reason: XmlError,
    },
    /// Carries extensions, which are not supported.
    #[error("the manifest carries an extension near byte {offset}")]
    Extension {
        /// Where, in bytes from the manifest's start.
        offset: u64,
    },
    /// The signature reference does not name `META-INF/signature.p7s` as a PKCS #7 signature.
    #[error("the manifest refers to another signature file than META-INF/signature.p7s")]
    SignatureReference,
    /// A digest method other than SHA-256.
    #[error("reference {reference} of the manifest uses a digest method other than SHA-256")]
    DigestMethod {
        /// Position of the reference.
        reference: usize,
    },
    /// The reference's URI is not a percent-encoded relative path.
    #[error("reference {reference} of the manifest: {reason}")]
    Uri {
        /// Position of the reference.
        reference: usize,
        /// The rule that the URI breaks.
        reason: UriError,
    },
    /// The reference's URI decodes to a name that no entry may have.
    #[error("reference {reference} of the manifest: {reason}")]
    Name {
        /// Position of the reference.
        reference: usize,
        /// The rule that the name breaks.
        reason: NameError,
    },
    /// The reference names `mimetype`, the manifest or the signature, which stand for themselves.
    #[error("reference {reference} of the manifest names a file that the format keeps for itself")]
    Reserved {
        /// Position of the reference.
        reference: usize,
    },
    /// Two references name the same file.
    #[error("references {first} and {second} of the manifest name the same file")]
    Duplicate {
        /// Position of the one.
        first: usize,
        /// Position of the other, later one.
        second: usize,
    },
    /// The container holds no manifest.
    #[error("the container has no manifest")]
    NoManifest,
    /// The container holds no signature.
    #[error("the container has no signature")]
    NoSignature,
    /// The manifest names a file that the container does not hold.
    #[error("reference {reference} of the manifest names a file that is missing")]
    MissingFile {
        /// Position of the reference.
        reference: usize,
    },
    /// The container holds a file that the manifest does not name, so that no signature covers it.
    #[error("entry {entry} of the container is not in the manifest")]
    UnlistedFile {
        /// Position of the entry.
        entry: usize,
    },
    /// The file's content is not what was signed.
    #[error("entry {entry} of the container does not have the digest that reference {reference} gives")]
    Digest {
        /// Position of the reference.
        reference: usize,
        /// Position of the entry.
        entry: usize,
    },
}

impl ManifestError {
    /// The stable reason, for `google.rpc.ErrorInfo` and for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "MANIFEST_TOO_LARGE",
            Self::Malformed { .. } => "MANIFEST_MALFORMED",
            Self::Extension { .. } => "MANIFEST_EXTENSION",
            Self::SignatureReference => "MANIFEST_SIGNATURE_REFERENCE",
            Self::DigestMethod { .. } => "MANIFEST_DIGEST_METHOD",
            Self::Uri { .. } | Self::Name { .. } => "MANIFEST_URI",
            Self::Reserved { .. } => "MANIFEST_RESERVED_FILE",
            Self::Duplicate { .. } => "MANIFEST_DUPLICATE",
            Self::NoManifest => "MANIFEST_MISSING",
            Self::NoSignature => "SIGNATURE_MISSING",
            Self::MissingFile { .. } => "MANIFEST_MISSING_FILE",
            Self::UnlistedFile { .. } => "MANIFEST_UNLISTED_FILE",
            Self::Digest { .. } => "MANIFEST_DIGEST",
        }
    }
}

/// What is wrong with the manifest's XML.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// Not UTF-8, or begins with a byte order mark.
    #[error("not UTF-8, or a byte order mark")]
    Encoding,
    /// A character that XML 1.0 does not have (2.2).
    #[error("a character that XML does not allow")]
    Character,
    /// Not well-formed.
    #[error("not well-formed")]
    Syntax,
    /// An XML declaration that is misplaced or says anything but version 1.0 and UTF-8.
    #[error("wrong XML declaration")]
    Declaration,
    /// A document type declaration.
    #[error("a DTD")]
    Dtd,
    /// A comment, processing instruction or CDATA section.
    #[error("a comment, processing instruction or CDATA section")]
    Markup,
    /// Text where only elements may stand.
    #[error("unexpected text")]
    Text,
    /// An element that the schema does not have here, or in another namespace.
    #[error("unexpected element")]
    Element,
    /// An element that the schema requires is missing.
    #[error("a required element is missing")]
    MissingElement,
    /// An attribute that the schema does not have here, or with a value that it does not allow.
    #[error("unexpected attribute or attribute value")]
    Attribute,
    /// An attribute that the schema requires is missing.
    #[error("a required attribute is missing")]
    MissingAttribute,
    /// A digest value that is not the base64 form of 32 bytes.
    #[error("a digest value that is not base64 of 32 bytes")]
    DigestValue,
}
