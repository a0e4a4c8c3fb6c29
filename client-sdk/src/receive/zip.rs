//! Everything that was received in one ZIP file, for software that takes one.

use std::fs::File;
use std::io;
use std::path::Path;

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::error::SdkError;
use crate::files;

/// Puts the files of parcels' folders into one ZIP file, under `<sender>/<parcel id>/` as they stand below `out`. The file
/// appears whole or not at all.
///
/// # Errors
/// A file can't be read or written.
pub fn zip_folders(out: &Path, folders: &[&Path], path: &Path) -> Result<(), SdkError> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(files::UNFINISHED);
    let unfinished = Path::new(&unfinished);
    write(out, folders, unfinished)?;
    std::fs::rename(unfinished, path).map_err(|e| SdkError::io(path, &e))
}

fn write(out: &Path, folders: &[&Path], path: &Path) -> Result<(), SdkError> {
    let file = File::create(path).map_err(|e| SdkError::io(path, &e))?;
    let failed = |e: zip::result::ZipError| SdkError::io(path, &io::Error::other(e));
    let mut zip = ZipWriter::new(file);
    for folder in folders {
        let mut names = files::list(folder)?;
        names.sort_unstable();
        let inside = folder.strip_prefix(out).unwrap_or(folder);
        for name in names {
            let from = folder.join(&name);
            let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
            zip.start_file(format!("{}/{name}", parts.join("/")), SimpleFileOptions::default())
                .map_err(failed)?;
            let mut content = File::open(&from).map_err(|e| SdkError::io(&from, &e))?;
            io::copy(&mut content, &mut zip).map_err(|e| SdkError::io(&from, &e))?;
        }
    }
    let file = zip.finish().map_err(failed)?;
    file.sync_all().map_err(|e| SdkError::io(path, &e))
}
