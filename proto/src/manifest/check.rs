//! The manifest held against the container.

use crate::container::{Container, MANIFEST_NAME, MIMETYPE_NAME, SIGNATURE_NAME};

use super::{AsicManifest, ManifestError, sha256};

/// Whether the format keeps this name for itself, so that no reference may name it.
pub(super) fn is_reserved(name: &str) -> bool {
    matches!(name, MIMETYPE_NAME | MANIFEST_NAME | SIGNATURE_NAME)
}

/// Checks that manifest and container name the same files and that each has the digest that was signed.
///
/// Every entry but `mimetype`, the manifest and the signature must be listed: an unlisted file would reach the
/// receiver without anyone having signed it. Names are compared byte by byte. Presence is checked for all files
/// before the first digest is computed.
pub fn check(manifest: &AsicManifest, container: &Container<'_>) -> Result<(), ManifestError> {
    if container.position(MANIFEST_NAME).is_none() {
        return Err(ManifestError::NoManifest);
    }
    if container.position(SIGNATURE_NAME).is_none() {
        return Err(ManifestError::NoSignature);
    }
    let entries = container.entries();
    let mut listed = vec![false; entries.len()];
    let mut found = Vec::with_capacity(manifest.files.len());
    for (reference, file) in manifest.files.iter().enumerate() {
        if is_reserved(&file.name) {
            return Err(ManifestError::Reserved { reference });
        }
        let entry = container.position(&file.name).ok_or(ManifestError::MissingFile { reference })?;
        if std::mem::replace(&mut listed[entry], true) {
            let first = found.iter().position(|earlier| *earlier == entry).unwrap_or(reference);
            return Err(ManifestError::Duplicate { first, second: reference });
        }
        found.push(entry);
    }
    let unlisted = |(entry, listed): (usize, &bool)| !listed && !is_reserved(entries[entry].name);
    if let Some(entry) = listed.iter().enumerate().position(unlisted) {
        return Err(ManifestError::UnlistedFile { entry });
    }
    for (reference, (file, entry)) in manifest.files.iter().zip(found).enumerate() {
        if sha256(&entries[entry].content) != file.sha256 {
            return Err(ManifestError::Digest { reference, entry });
        }
    }
    Ok(())
}
