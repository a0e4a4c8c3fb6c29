//! Parcels: what one office sends another, signed by its sender.
//!
//! A parcel is an ASiC-E container (ETSI EN 319 162-1): [`crate::container`] with, in this order, `mimetype`,
//! `META-INF/ASiCManifest.xml`, `META-INF/signature.p7s`, `parcel.json` ([`Header`]) and the files. Files of
//! the care-plan standard stand at the top under their own names, everything else under `attachments/`.
//! The signature (`CAdES` baseline B-B, detached) covers the manifest, the manifest covers all the rest.
//! The parcel's *digest* is SHA-256 of the container's bytes, everywhere.

mod header;

use std::borrow::Cow;

pub use header::{FileEntry, Header, HeaderError, Software};
use tasuki_careplan::file_name::FileName;
use tasuki_certs::cms_sign::{self, Content};
use tasuki_certs::identity::KeyIdentity;

use crate::container::{self, Container, ContainerError, ContainerLimits, MANIFEST_NAME, SIGNATURE_NAME};
use crate::limits;
use crate::mandate::Papers;
use crate::manifest::{self, AsicManifest, DataObject, ManifestError};

/// Name of the header inside the container.
pub const HEADER_NAME: &str = "parcel.json";
/// Media type of the header.
const HEADER_TYPE: &str = "application/json";
/// Folder of everything that is no standard file.
pub const ATTACHMENTS: &str = "attachments/";
/// Kind of everything that is no standard file.
pub const ATTACHMENT: &str = "ATTACHMENT";

/// A parcel can't be built or is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParcelError {
    /// The ZIP is not one that every reader understands alike, or passes a bound.
    #[error(transparent)]
    Container(#[from] ContainerError),
    /// The manifest does not cover exactly what the container holds.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// `parcel.json` is missing, malformed, or does not fit the container.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The private key could not sign.
    #[error("signing failed: {0}")]
    Sign(String),
}

impl ParcelError {
    /// Stable reason word.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Container(e) => e.code(),
            Self::Manifest(e) => e.code(),
            Self::Header(e) => e.code(),
            Self::Sign(_) => "SIGNING_FAILED",
        }
    }
}

/// Bounds of a parcel's container.
pub fn container_limits() -> ContainerLimits {
    ContainerLimits {
        container_bytes: limits::MAX_CONTAINER_BYTES,
        // mimetype, manifest, signature, header, papers of a mandate
        entries: limits::MAX_FILES + 4 + 3,
        file_bytes: limits::MAX_FILE_BYTES,
        total_bytes: limits::MAX_INFLATED_BYTES,
        ..ContainerLimits::default()
    }
}

/// A parcel whose parts fit together. Its signature is *not* checked: verify [`OpenParcel::signature`] over
/// [`OpenParcel::manifest`] with `tasuki_certs::cms_verify`.
#[derive(Debug)]
pub struct OpenParcel<'a> {
    /// What `parcel.json` says.
    pub header: Header,
    container: Container<'a>,
}

/// One file of a parcel.
#[derive(Clone, Debug)]
pub struct ParcelFile<'p> {
    /// Its entry in the header.
    pub entry: &'p FileEntry,
    /// Its parsed name, where it is a file of the standard.
    pub name: Option<FileName>,
    /// Its bytes.
    pub content: &'p [u8],
}

impl<'a> OpenParcel<'a> {
    /// Opens a container and checks everything but the signature: structure, manifest and digests, header,
    /// names against sender and receiver.
    ///
    /// # Errors
    /// See [`ParcelError`].
    pub fn open(bytes: &'a [u8]) -> Result<Self, ParcelError> {
        let container = container::read(bytes, &container_limits())?;
        // Read before the manifest vouches for it, believed only afterwards.
        let header = container.get(HEADER_NAME).map(Header::parse);
        let files = header.as_ref().and_then(|h| h.as_ref().ok()).map_or(&[][..], |header| &header.files);
        let media_types = files.iter().map(|file| file.media_type.as_str());
        let papers = Papers::find(|name| container.get(name));
        let papers = papers.entries().map(|(_, media_type, _)| media_type);
        let types = std::iter::once(HEADER_TYPE).chain(media_types).chain(papers);
        manifest::check_container(&container, types)?;
        let header = header.ok_or(HeaderError::Missing)??;
        header.check(&container)?;
        Ok(Self { header, container })
    }

    /// The bytes that the signature covers.
    pub fn manifest(&self) -> &[u8] {
        self.container.get(MANIFEST_NAME).unwrap_or_default()
    }

    /// CMS `SignedData` (DER), detached.
    pub fn signature(&self) -> &[u8] {
        self.container.get(SIGNATURE_NAME).unwrap_or_default()
    }

    /// What shows that its signer may sign for the sender, where that is not the office itself.
    pub fn papers(&self) -> Papers<'_> {
        Papers::find(|name| self.container.get(name))
    }

    /// The files in the header's order.
    pub fn files(&self) -> impl Iterator<Item = ParcelFile<'_>> {
        self.header.files.iter().filter_map(|entry| {
            let content = self.container.get(&entry.path)?;
            Some(ParcelFile { entry, name: entry.standard_name(), content })
        })
    }
}

/// Builds and signs a parcel: header, manifest, signature, container. `files` are the contents of
/// `header.files`, in their order.
///
/// # Errors
/// If a bound is passed, names are not portable or not unique, or the key can't sign.
pub fn build(
    header: &Header,
    files: &[Cow<'_, [u8]>],
    signer: &KeyIdentity,
    at_us: i64,
) -> Result<Vec<u8>, ParcelError> {
    build_with(header, files, &Papers::default(), signer, at_us)
}

/// As [`build`], by a terminal or a proxy, with the papers that show its right.
///
/// # Errors
/// As [`build`].
pub fn build_with(
    header: &Header,
    files: &[Cow<'_, [u8]>],
    papers: &Papers<'_>,
    signer: &KeyIdentity,
    at_us: i64,
) -> Result<Vec<u8>, ParcelError> {
    header.check_bounds()?;
    if header.files.len() != files.len() {
        return Err(HeaderError::Files.into());
    }
    let json = header.print();
    let mut objects = vec![DataObject::new(HEADER_NAME, Some(HEADER_TYPE), json.as_bytes())];
    for (entry, content) in header.files.iter().zip(files) {
        objects.push(DataObject::new(&entry.path, Some(&entry.media_type), content));
    }
    objects.extend(papers.entries().map(|(name, kind, bytes)| DataObject::new(name, Some(kind), bytes)));
    let xml = manifest::write(&AsicManifest { files: objects });
    let signature = cms_sign::sign(signer, xml.as_bytes(), Content::Detached, at_us)
        .map_err(|e| ParcelError::Sign(e.to_string()))?;
    let mut entries: Vec<(&str, &[u8])> =
        vec![(MANIFEST_NAME, xml.as_bytes()), (SIGNATURE_NAME, &signature), (HEADER_NAME, json.as_bytes())];
    entries.extend(
        header.files.iter().zip(files).map(|(entry, content)| (entry.path.as_str(), content.as_ref())),
    );
    entries.extend(papers.entries().map(|(name, _, bytes)| (name, bytes)));
    Ok(container::write(&entries)?)
}
