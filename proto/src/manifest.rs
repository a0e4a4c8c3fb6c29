//! `META-INF/ASiCManifest.xml` (ETSI EN 319 162-1, Annex A.4): what the sender signs, one digest per file.
//!
//! [`write()`] gives the bytes to sign, [`parse()`] reads them strictly, [`check()`] holds them against the container;
//! [`check_container()`] does the last two.
//!
//! The reader takes the part of XML that the schema needs and refuses the rest, so that no other XML reader can
//! understand the same signed bytes differently: UTF-8 only, no DTD, no comments, no processing instructions, no
//! CDATA, no entities beyond the five predefined, no element or attribute that is not named below, in the schema's
//! order. Any prefixes may be bound to the two namespaces. Of what the schema allows, extensions are refused,
//! because a critical one changes the meaning and nobody here would know; `Rootfile` is checked and ignored.
//!
//! ```xml
//! <asic:ASiCManifest xmlns:asic="http://uri.etsi.org/02918/v1.2.1#" xmlns:ds="http://www.w3.org/2000/09/xmldsig#">
//!   <asic:SigReference URI="META-INF/signature.p7s" MimeType="application/pkcs7-signature"/>
//!   <asic:DataObjectReference URI="parcel.json" MimeType="application/json">
//!     <ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>
//!     <ds:DigestValue>47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=</ds:DigestValue>
//!   </asic:DataObjectReference>
//! </asic:ASiCManifest>
//! ```

mod check;
mod covers;
mod error;
mod parse;
mod uri;
mod write;
mod xml;

use std::fmt;

use ring::digest::{SHA256, digest};

pub use self::check::check;
pub use self::covers::check_container;
pub use self::error::{ManifestError, XmlError};
pub use self::parse::parse;
pub use self::uri::UriError;
pub use self::write::write;

/// Namespace of the manifest's own elements.
const NS_ASIC: &str = "http://uri.etsi.org/02918/v1.2.1#";
/// Namespace of `DigestMethod` and `DigestValue` (XML Signature).
const NS_DS: &str = "http://www.w3.org/2000/09/xmldsig#";
/// The only digest method accepted.
const SHA256_URI: &str = "http://www.w3.org/2001/04/xmlenc#sha256";
/// Media type of the signature file.
const SIGNATURE_MEDIA_TYPE: &str = "application/pkcs7-signature";

/// Longest manifest read, in bytes: 1,000 files with long names and a reserve.
pub const MAX_MANIFEST_BYTES: usize = 1024 * 1024;
/// Longest media type, in bytes (RFC 6838, 4.2: two names of 127 and a slash).
pub const MAX_MEDIA_TYPE_BYTES: usize = 255;

/// The manifest: the files that the signature at [`crate::container::SIGNATURE_NAME`] stands for, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsicManifest {
    /// At least one; no name twice.
    pub files: Vec<DataObject>,
}

/// One `DataObjectReference`. Its `Debug` does not show the name.
#[derive(Clone, PartialEq, Eq)]
pub struct DataObject {
    /// Path inside the container; passes [`crate::container::check_name`]. Percent-encoded in the XML.
    pub name: String,
    /// Media type, if the sender gave one: at most [`MAX_MEDIA_TYPE_BYTES`] printable ASCII characters.
    pub media_type: Option<String>,
    /// SHA-256 of the file's content.
    pub sha256: [u8; 32],
}

impl DataObject {
    /// The reference to a file with this content.
    pub fn new(name: &str, media_type: Option<&str>, content: &[u8]) -> Self {
        Self { name: name.to_owned(), media_type: media_type.map(str::to_owned), sha256: sha256(content) }
    }
}

impl fmt::Debug for DataObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataObject")
            .field("media_type", &self.media_type)
            .field("sha256", &self.sha256)
            .finish_non_exhaustive()
    }
}

fn sha256(content: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, content).as_ref());
    out
}

/// Whether `text` may stand as a media type: printable ASCII, not empty, bounded.
fn is_media_type(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_MEDIA_TYPE_BYTES && text.bytes().all(|b| matches!(b, 0x20..=0x7e))
}
