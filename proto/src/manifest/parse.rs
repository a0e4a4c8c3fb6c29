//! Reading the manifest, element by element in the schema's order.

use std::borrow::Cow;
use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::container::{SIGNATURE_NAME, check_name};

use super::check::is_reserved;
use super::xml::{Attributes, Element, Step, Walker};
use super::{
    AsicManifest, DataObject, MAX_MANIFEST_BYTES, ManifestError, SHA256_URI, SIGNATURE_MEDIA_TYPE, XmlError,
    is_media_type, uri,
};

/// Reads a manifest; see the module for what is refused. The references are complete and distinct afterwards,
/// but nothing is known about the container until [`super::check`].
pub fn parse(bytes: &[u8]) -> Result<AsicManifest, ManifestError> {
    if bytes.len() > MAX_MANIFEST_BYTES {
        return Err(ManifestError::TooLarge { bytes: bytes.len(), limit: MAX_MANIFEST_BYTES });
    }
    let mut walker = Walker::start(bytes)?;
    let [] = walker.open(Element::Manifest)?.take(&walker, [])?;
    signature_reference(&mut walker)?;
    let mut files: Vec<DataObject> = Vec::new();
    while let Some(attributes) = next_reference(&mut walker)? {
        files.push(data_object(&mut walker, files.len(), attributes)?);
    }
    walker.finish()?;
    if files.is_empty() {
        return Err(walker.malformed(XmlError::MissingElement));
    }
    refuse_duplicates(&files)?;
    Ok(AsicManifest { files })
}

fn signature_reference(walker: &mut Walker<'_>) -> Result<(), ManifestError> {
    let attributes = walker.open(Element::SigReference)?;
    let [uri, media_type] = attributes.take(walker, ["URI", "MimeType"])?;
    let uri = uri.ok_or_else(|| walker.malformed(XmlError::MissingAttribute))?;
    if uri != SIGNATURE_NAME || media_type.is_some_and(|given| given != SIGNATURE_MEDIA_TYPE) {
        return Err(ManifestError::SignatureReference);
    }
    walker.close()
}

/// The attributes of the next `DataObjectReference`, or `None` at the end of the manifest's element.
fn next_reference<'x>(walker: &mut Walker<'x>) -> Result<Option<Attributes<'x>>, ManifestError> {
    match walker.next()? {
        Step::Open(Element::DataObjectReference, attributes) => Ok(Some(attributes)),
        Step::Open(Element::ManifestExtensions, _) => {
            Err(ManifestError::Extension { offset: walker.offset() })
        }
        Step::Open(..) => Err(walker.malformed(XmlError::Element)),
        Step::Close => Ok(None),
        Step::End => Err(walker.malformed(XmlError::Syntax)),
    }
}

fn data_object(
    walker: &mut Walker<'_>,
    reference: usize,
    attributes: Attributes<'_>,
) -> Result<DataObject, ManifestError> {
    let [uri, media_type, root_file] = attributes.take(walker, ["URI", "MimeType", "Rootfile"])?;
    let uri = uri.ok_or_else(|| walker.malformed(XmlError::MissingAttribute))?;
    let boolean = |value: &Cow<'_, str>| matches!(&**value, "true" | "false" | "1" | "0");
    if !media_type.iter().all(|value| is_media_type(value)) || !root_file.iter().all(boolean) {
        return Err(walker.malformed(XmlError::Attribute));
    }
    let name = uri::decode(uri).map_err(|reason| ManifestError::Uri { reference, reason })?;
    check_name(&name).map_err(|reason| ManifestError::Name { reference, reason })?;
    if is_reserved(&name) {
        return Err(ManifestError::Reserved { reference });
    }

    let [algorithm] = walker.open(Element::DigestMethod)?.take(walker, ["Algorithm"])?;
    let algorithm = algorithm.ok_or_else(|| walker.malformed(XmlError::MissingAttribute))?;
    if algorithm != SHA256_URI {
        return Err(ManifestError::DigestMethod { reference });
    }
    walker.close()?;

    let [] = walker.open(Element::DigestValue)?.take(walker, [])?;
    let sha256 = digest_value(walker)?;
    match walker.next()? {
        Step::Close => {}
        Step::Open(Element::ObjectExtensions, _) => {
            return Err(ManifestError::Extension { offset: walker.offset() });
        }
        Step::Open(..) | Step::End => return Err(walker.malformed(XmlError::Element)),
    }
    Ok(DataObject { name, media_type: media_type.map(Cow::into_owned), sha256 })
}

/// The text of `DigestValue` up to its end tag; blanks around it are the schema's `collapse`.
fn digest_value(walker: &mut Walker<'_>) -> Result<[u8; 32], ManifestError> {
    let text = walker.text()?;
    let wrong = || walker.malformed(XmlError::DigestValue);
    let text = text.trim_matches([' ', '\t', '\r', '\n']);
    // Room for what 44 characters can decode to; the length decides before anything is decoded.
    let mut bytes = [0; 33];
    if text.len() != 44 || STANDARD.decode_slice(text, &mut bytes) != Ok(32) {
        return Err(wrong());
    }
    let (sha256, _) = bytes.split_first_chunk::<32>().ok_or_else(wrong)?;
    Ok(*sha256)
}

fn refuse_duplicates(files: &[DataObject]) -> Result<(), ManifestError> {
    let mut seen = HashMap::with_capacity(files.len());
    for (second, file) in files.iter().enumerate() {
        if let Some(first) = seen.insert(file.name.as_str(), second) {
            return Err(ManifestError::Duplicate { first, second });
        }
    }
    Ok(())
}
