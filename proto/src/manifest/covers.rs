//! Checking a container's manifest, the quick way where it stands in the form that [`write()`] gives.
//!
//! Reading XML costs as much as hashing the files. A manifest of our own writing need not be read: what it must
//! say follows from the container, so it is written again and compared. Whatever differs by a byte, other
//! writers' manifests among them, is read and judged by the strict reader, which also names what is wrong.

use crate::container::{Container, Entry, MANIFEST_NAME, SIGNATURE_NAME};

use super::check::{check, is_reserved};
use super::{AsicManifest, DataObject, MAX_MANIFEST_BYTES, ManifestError, is_media_type, parse, write};

/// Checks that the container's manifest covers exactly what the container holds. `media_types` are those that the
/// references are expected to name, in the container's order; where one names another, only time is lost.
///
/// # Errors
/// As [`parse()`] and [`check()`].
pub fn check_container<'m>(
    container: &Container<'_>,
    media_types: impl IntoIterator<Item = &'m str>,
) -> Result<(), ManifestError> {
    let xml = container.get(MANIFEST_NAME).ok_or(ManifestError::NoManifest)?;
    if container.position(SIGNATURE_NAME).is_some() && is_as_written(xml, container, media_types) {
        return Ok(());
    }
    check(&parse(xml)?, container)
}

/// Whether these are the bytes that [`write()`] gives for all files of the container in their order.
fn is_as_written<'m>(
    xml: &[u8],
    container: &Container<'_>,
    media_types: impl IntoIterator<Item = &'m str>,
) -> bool {
    let entries: Vec<_> = container.entries().iter().filter(|entry| !is_reserved(entry.name)).collect();
    let file = |(entry, media_type): (&&Entry<'_>, &str)| DataObject {
        name: entry.name.to_owned(),
        media_type: Some(media_type.to_owned()),
        sha256: [0; 32],
    };
    let mut manifest = AsicManifest { files: entries.iter().zip(media_types).map(file).collect() };
    let readable = |file: &DataObject| file.media_type.as_deref().is_some_and(is_media_type);
    // The length shows most other writers' manifests before anything is hashed in vain.
    let similar = xml.len() <= MAX_MANIFEST_BYTES
        && !entries.is_empty()
        && manifest.files.len() == entries.len()
        && manifest.files.iter().all(readable)
        && write(&manifest).len() == xml.len();
    if !similar {
        return false;
    }
    for (file, entry) in manifest.files.iter_mut().zip(entries) {
        file.sha256 = super::sha256(&entry.content);
    }
    write(&manifest).as_bytes() == xml
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::{self, ContainerLimits};

    const FILES: [(&str, &[u8]); 2] = [("parcel.json", b"{}"), ("attachments/\u{8868}&.pdf", b"%PDF")];

    const TYPES: [&str; 2] = ["application/json", "application/pdf"];

    fn manifest() -> String {
        let file =
            |((name, content), kind): (&(&str, &[u8]), &str)| DataObject::new(name, Some(kind), content);
        write(&AsicManifest { files: FILES.iter().zip(TYPES).map(file).collect() })
    }

    /// Whether the quick way took it, and what came out.
    fn judge(xml: &str, signature: bool) -> (bool, Result<(), ManifestError>) {
        let mut entries: Vec<(&str, &[u8])> = vec![(MANIFEST_NAME, xml.as_bytes())];
        if signature {
            entries.push((SIGNATURE_NAME, b"cms"));
        }
        entries.extend(FILES);
        let bytes = container::write(&entries).unwrap();
        let container = container::read(&bytes, &ContainerLimits::default()).unwrap();
        (is_as_written(xml.as_bytes(), &container, TYPES), check_container(&container, TYPES))
    }

    #[test]
    fn a_manifest_of_our_own_writing_is_taken_as_the_reader_would() {
        assert_eq!(judge(&manifest(), true), (true, Ok(())));
        parse(manifest().as_bytes()).unwrap();
    }

    #[test]
    fn whatever_differs_is_left_to_the_reader() {
        // Another spelling of the same.
        let other = manifest().replace("  <asic:", "\n  <asic:");
        assert_eq!(judge(&other, true), (false, Ok(())));
        let none = manifest().replace(" MimeType=\"application/pdf\"", "");
        assert_eq!(judge(&none, true), (false, Ok(())));
        // Another digest, of the same length.
        let digest = manifest().replacen("<ds:DigestValue>", "<ds:DigestValue>A", 1);
        let end = digest.find("=</ds:DigestValue>").unwrap();
        let wrong = format!("{}{}", &digest[..end - 1], &digest[end..]);
        assert_eq!(wrong.len(), manifest().len());
        let (quick, outcome) = judge(&wrong, true);
        assert!(!quick && outcome.is_err(), "{outcome:?}");
        // Without a signature.
        assert_eq!(judge(&manifest(), false).1, Err(ManifestError::NoSignature));
    }
}
