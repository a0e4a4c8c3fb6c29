//! The manifest held against its container.

use tasuki_proto::container::{ContainerLimits, MANIFEST_NAME, SIGNATURE_NAME, read, write};
use tasuki_proto::manifest::{AsicManifest, DataObject, ManifestError, check, parse};

const FILES: [(&str, &[u8]); 2] = [("parcel.json", b"{}"), ("様式/a.CSV", b"1,2\r\n")];

fn manifest() -> AsicManifest {
    AsicManifest { files: FILES.iter().map(|(name, content)| DataObject::new(name, None, content)).collect() }
}

/// Checks `manifest` against a container of `files` with the two files of the format.
fn checked(manifest: &AsicManifest, files: &[(&str, &[u8])]) -> Result<(), ManifestError> {
    let xml = tasuki_proto::manifest::write(manifest);
    let format: [(&str, &[u8]); 2] = [(MANIFEST_NAME, xml.as_bytes()), (SIGNATURE_NAME, b"signature")];
    checked_exactly(manifest, &[&format[..], files].concat())
}

fn checked_exactly(manifest: &AsicManifest, files: &[(&str, &[u8])]) -> Result<(), ManifestError> {
    let bytes = write(files).unwrap();
    let container = read(&bytes, &ContainerLimits::default()).unwrap();
    check(manifest, &container)
}

#[track_caller]
fn refused(found: Result<(), ManifestError>, error: ManifestError, code: &str) {
    assert_eq!(found, Err(error));
    assert_eq!(error.code(), code);
}

#[test]
fn a_container_and_the_manifest_inside_it() {
    let xml = tasuki_proto::manifest::write(&manifest());
    let format: [(&str, &[u8]); 2] = [(MANIFEST_NAME, xml.as_bytes()), (SIGNATURE_NAME, b"signature")];
    let bytes = write(&[&format[..], &FILES].concat()).unwrap();
    let container = read(&bytes, &ContainerLimits::default()).unwrap();
    let parsed = parse(container.get(MANIFEST_NAME).unwrap()).unwrap();
    assert_eq!(parsed, manifest());
    assert_eq!(check(&parsed, &container), Ok(()));
}

#[test]
fn files_in_another_order() {
    assert_eq!(checked(&manifest(), &[FILES[1], FILES[0]]), Ok(()));
}

#[test]
fn a_missing_file() {
    let found = checked(&manifest(), &FILES[..1]);
    refused(found, ManifestError::MissingFile { reference: 1 }, "MANIFEST_MISSING_FILE");
}

#[test]
fn a_file_under_another_case() {
    let found = checked(&manifest(), &[FILES[0], ("様式/a.csv", FILES[1].1)]);
    refused(found, ManifestError::MissingFile { reference: 1 }, "MANIFEST_MISSING_FILE");
}

#[test]
fn an_unlisted_file() {
    let found = checked(&manifest(), &[FILES[0], ("extra", b""), FILES[1]]);
    refused(found, ManifestError::UnlistedFile { entry: 4 }, "MANIFEST_UNLISTED_FILE");
}

#[test]
fn an_unlisted_file_beside_the_manifest() {
    for name in ["META-INF/signature2.p7s", "META-INF/ASiCManifest1.xml", "META-INF/manifest.xml"] {
        let found = checked(&manifest(), &[FILES[0], FILES[1], (name, b"")]);
        refused(found, ManifestError::UnlistedFile { entry: 5 }, "MANIFEST_UNLISTED_FILE");
    }
}

#[test]
fn changed_content() {
    let found = checked(&manifest(), &[FILES[0], ("様式/a.CSV", b"1,3\r\n")]);
    refused(found, ManifestError::Digest { reference: 1, entry: 4 }, "MANIFEST_DIGEST");
}

#[test]
fn contents_exchanged() {
    let found = checked(&manifest(), &[(FILES[0].0, FILES[1].1), (FILES[1].0, FILES[0].1)]);
    refused(found, ManifestError::Digest { reference: 0, entry: 3 }, "MANIFEST_DIGEST");
}

#[test]
fn a_manifest_that_names_a_file_twice() {
    let mut twice = manifest();
    twice.files.push(twice.files[0].clone());
    let found = checked(&twice, &FILES);
    refused(found, ManifestError::Duplicate { first: 0, second: 2 }, "MANIFEST_DUPLICATE");
}

#[test]
fn a_manifest_that_names_what_the_format_keeps() {
    let mut reserved = manifest();
    reserved.files.push(DataObject::new(SIGNATURE_NAME, None, b"signature"));
    let found = checked(&reserved, &FILES);
    refused(found, ManifestError::Reserved { reference: 2 }, "MANIFEST_RESERVED_FILE");
}

#[test]
fn no_manifest_or_no_signature() {
    let without_manifest = [&[(SIGNATURE_NAME, &b""[..])][..], &FILES].concat();
    refused(checked_exactly(&manifest(), &without_manifest), ManifestError::NoManifest, "MANIFEST_MISSING");
    let without_signature = [&[(MANIFEST_NAME, &b""[..])][..], &FILES].concat();
    refused(
        checked_exactly(&manifest(), &without_signature),
        ManifestError::NoSignature,
        "SIGNATURE_MISSING",
    );
}
