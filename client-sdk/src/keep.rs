//! Writing what splitting and joining make: whole or not at all, and never over something else.

use std::fs;
use std::path::{Path, PathBuf};

use tasuki_careplan::file::OwnedFile;

use crate::error::SdkError;
use crate::files::{self, Access, UNFINISHED};
use crate::finding::Finding;
use crate::send::plan::finding;

/// What writing came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It is written, durably.
    Written,
    /// It stood there already, the same to the byte.
    AlreadyThere,
    /// Something else stands there, and was left as it is.
    Differs,
}

/// Writes a folder with these files in it, under another name first: there is never half a folder.
pub(crate) fn keep_folder(folder: &Path, content: &[OwnedFile]) -> Result<Kept, SdkError> {
    if fs::symlink_metadata(folder).is_ok() {
        return Ok(if holds(folder, content)? { Kept::AlreadyThere } else { Kept::Differs });
    }
    let draft = draft_of(folder);
    // What a crash left, of a process that had this number.
    match fs::remove_dir_all(&draft) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(SdkError::io(&draft, &error));
        }
        _ => {}
    }
    fs::create_dir_all(&draft).map_err(|error| SdkError::io(&draft, &error))?;
    for file in content {
        files::write_synced(&draft.join(&file.name), &file.bytes, Access::Default)?;
    }
    files::sync_folder(&draft)?;
    fs::rename(&draft, folder).map_err(|error| SdkError::io(folder, &error))?;
    files::sync_folder_of(folder)?;
    Ok(Kept::Written)
}

/// Writes a file, if there is none of that name.
pub(crate) fn keep_file(path: &Path, bytes: &[u8]) -> Result<Kept, SdkError> {
    match files::read_if_exists(path)? {
        None => files::write_durably(path, bytes, Access::Default).map(|()| Kept::Written),
        Some(there) if there == bytes => Ok(Kept::AlreadyThere),
        Some(_) => Ok(Kept::Differs),
    }
}

/// Whether nothing, or the same, stands at a path.
pub(crate) fn is_free(path: &Path, bytes: &[u8]) -> Result<bool, SdkError> {
    Ok(files::read_if_exists(path)?.is_none_or(|there| there == bytes))
}

/// The finding about something that was not written over.
pub(crate) fn differs(path: &Path) -> Finding {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    finding(
        "OUTPUT_DIFFERS",
        &name,
        "同じ名前で内容の違うものが出力先にあるため、書き込みませんでした。別の出力先を指定するか、不要なら削除してください。",
        "Something else of this name is in the output folder, so nothing was written there: name another folder, or remove \
         what is not needed.",
    )
}

fn holds(folder: &Path, content: &[OwnedFile]) -> Result<bool, SdkError> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(false) };
    if entries.count() != content.len() {
        return Ok(false);
    }
    for file in content {
        let path = folder.join(&file.name);
        if !path.is_file() || files::read(&path)? != file.bytes {
            return Ok(false);
        }
    }
    Ok(true)
}

fn draft_of(folder: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(folder.file_name().unwrap_or_default());
    name.push(format!(".{}{UNFINISHED}", std::process::id()));
    folder.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_over() {
        let folder = crate::testing::folder("keep");
        let out = folder.path().join("parcel");
        let file = |bytes: &[u8]| vec![OwnedFile { name: "a".to_owned(), bytes: bytes.to_vec() }];
        assert_eq!(keep_folder(&out, &file(b"1")), Ok(Kept::Written));
        assert_eq!(keep_folder(&out, &file(b"1")), Ok(Kept::AlreadyThere));
        assert_eq!(keep_folder(&out, &file(b"2")), Ok(Kept::Differs));
        assert_eq!(keep_folder(&out, &[]), Ok(Kept::Differs));
        assert_eq!(fs::read(out.join("a")).unwrap(), b"1");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

        let path = folder.path().join("b");
        assert_eq!(keep_file(&path, b"1"), Ok(Kept::Written));
        assert_eq!(keep_file(&path, b"1"), Ok(Kept::AlreadyThere));
        assert_eq!(keep_file(&path, b"2"), Ok(Kept::Differs));
        assert_eq!((is_free(&path, b"1"), is_free(&path, b"2")), (Ok(true), Ok(false)));
    }
}
