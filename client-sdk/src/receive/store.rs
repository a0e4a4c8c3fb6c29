//! A verified parcel's folder: whole or not at all.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tasuki_proto::ids::ParcelKey;

use super::unpack::Unpacked;
use super::{CERTIFICATES, CONTAINER, NOTE, SEALED, Stored};
use crate::error::{SdkError, VerificationError};
use crate::files::{self, Access};
use crate::papers::Right;
use crate::pem;

/// Writes `OUT/<sender>/<parcel id>/`: everything under another name, synced, then renamed. If the folder is there
/// already and holds the parcel, nothing is written.
pub(super) fn store(
    out: &Path,
    key: ParcelKey,
    unpacked: &Unpacked,
    sealed: Option<&[u8]>,
) -> Result<Stored, SdkError> {
    let of_sender = out.join(key.sender.as_str());
    let folder = of_sender.join(key.id.to_string());
    let content = content(unpacked);
    let beside = sealed.map(|sealed| beside(unpacked, sealed)).unwrap_or_default();
    let already_there = folder.try_exists().map_err(|e| SdkError::io(&folder, &e))?;
    if already_there {
        compare(&folder, &content)?;
        for (name, bytes) in &beside {
            files::write_durably(&folder.join(name), bytes, Access::Default)?;
        }
    } else {
        fs::create_dir_all(&of_sender).map_err(|e| SdkError::io(&of_sender, &e))?;
        let unfinished = of_sender.join(format!(".{}{}", key.id, files::UNFINISHED));
        remove_leftover(&unfinished)?;
        fs::create_dir(&unfinished).map_err(|e| SdkError::io(&unfinished, &e))?;
        for (name, bytes) in content.iter().chain(&beside) {
            files::write_synced(&unfinished.join(name), bytes, Access::Default)?;
        }
        files::sync_folder(&unfinished)?;
        fs::rename(&unfinished, &folder).map_err(|e| SdkError::io(&folder, &e))?;
    }
    // Also where the folder was there: the crash may have come before these.
    files::sync_folder(&of_sender)?;
    files::sync_folder(out)?;
    Ok(Stored {
        folder,
        files: unpacked.files.iter().map(|(name, _)| name.clone()).collect(),
        note: unpacked.note.clone(),
        signer: unpacked.signer.fingerprint,
        vouched: unpacked.right == Right::Vouched,
        already_there,
    })
}

type Named<'a> = Vec<(&'a str, std::borrow::Cow<'a, [u8]>)>;

/// The parcel's files and note.
fn content(unpacked: &Unpacked) -> Named<'_> {
    let files = unpacked.files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice().into()));
    let note = unpacked.note.iter().map(|note| (NOTE, note.as_bytes().into()));
    files.chain(note).collect()
}

/// What `keep_sealed` leaves beside them.
fn beside<'a>(unpacked: &'a Unpacked, sealed: &'a [u8]) -> Named<'a> {
    vec![
        (SEALED, sealed.into()),
        (CONTAINER, unpacked.container.as_slice().into()),
        (CERTIFICATES, pem::encode(&unpacked.signer.chain).into_bytes().into()),
    ]
}

/// Whether a folder holds the parcel. Files that somebody added don't matter.
fn compare(folder: &Path, content: &Named<'_>) -> Result<(), SdkError> {
    for (name, bytes) in content {
        let there = files::read_if_exists(&folder.join(name))?;
        if there.as_deref() != Some(bytes) {
            return Err(VerificationError::FolderDiffers(folder.to_owned()).into());
        }
    }
    Ok(())
}

fn remove_leftover(folder: &PathBuf) -> Result<(), SdkError> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(SdkError::io(folder, &e)),
        _ => Ok(()),
    }
}
