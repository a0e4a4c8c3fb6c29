//! Where the files to be sent come from: files, folders, ZIPs.

use std::fs::{self, File};
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tasuki_proto::limits::MAX_FILE_BYTES;
use zip::ZipArchive;

use super::plan::{file_name, finding};
use crate::error::{ConfigError, SdkError, words};
use crate::files;
use crate::finding::Finding;

/// Files that one call looks at: three times the largest proxy's month-end.
const MAX_FOUND: usize = 100_000;

/// Folders inside folders.
const MAX_DEPTH: usize = 32;

/// What operating systems leave in folders; nobody means to send it.
const DROPPINGS: [&str; 4] = [".DS_Store", "Thumbs.db", "desktop.ini", "__MACOSX"];

/// A file that was found.
#[derive(Debug)]
pub(crate) struct Found {
    /// Its name without folders.
    pub(crate) name: String,
    /// Where it is, for people.
    pub(crate) path: PathBuf,
    /// Bytes.
    pub(crate) size: u64,
    /// Where its bytes come from.
    pub(crate) source: Source,
    /// Why it can't be sent, whatever its name.
    pub(crate) problem: Option<Finding>,
    /// Which of the paths that were named it was found under.
    pub(crate) root: usize,
}

/// Where a file's bytes come from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// A file, and how long it was when it was found.
    File(PathBuf, u64),
    /// An entry of a ZIP, by its place.
    Zipped(Arc<Zip>, usize),
}

/// An open ZIP.
#[derive(Debug)]
pub(crate) struct Zip {
    path: PathBuf,
    archive: Mutex<ZipArchive<BufReader<File>>>,
}

impl Source {
    /// The file's bytes, at most [`MAX_FILE_BYTES`].
    pub(crate) fn read(&self) -> Result<Vec<u8>, SdkError> {
        match self {
            Self::File(path, size) => {
                files::read_of_size(path, *size, MAX_FILE_BYTES)?.ok_or_else(|| too_large(path))
            }
            Self::Zipped(zip, index) => zip.read(*index),
        }
    }
}

impl Zip {
    /// `shown` is what people call it.
    fn open(shown: &Path, real: &Path) -> Result<Self, SdkError> {
        let file = File::open(real).map_err(|e| SdkError::io(shown, &e))?;
        let archive = ZipArchive::new(BufReader::new(file)).map_err(|e| bad_zip(shown, &e))?;
        Ok(Self { path: shown.to_owned(), archive: Mutex::new(archive) })
    }

    fn read(&self, index: usize) -> Result<Vec<u8>, SdkError> {
        // A panic while the lock was held leaves nothing half done: reading seeks anew.
        let mut archive = self.archive.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = archive.by_index(index).map_err(|e| bad_zip(&self.path, &e))?;
        let bound = u64::try_from(MAX_FILE_BYTES).unwrap_or(u64::MAX).saturating_add(1);
        let mut content = Vec::new();
        entry.take(bound).read_to_end(&mut content).map_err(|e| SdkError::io(&self.path, &e))?;
        if content.len() > MAX_FILE_BYTES { Err(too_large(&self.path)) } else { Ok(content) }
    }

    /// Its files. The ZIP is the user's own: names are only looked at, nothing is extracted.
    fn list(self: &Arc<Self>, found: &mut Vec<Found>) -> Result<(), SdkError> {
        let mut archive = self.archive.lock().unwrap_or_else(PoisonError::into_inner);
        for index in 0..archive.len() {
            // Raw: an encrypted entry can be listed, though not read.
            let entry = archive.by_index_raw(index).map_err(|e| bad_zip(&self.path, &e))?;
            let whole = entry_name(entry.name_raw());
            if entry.is_dir() || whole.split(['/', '\\']).any(|part| DROPPINGS.contains(&part)) {
                continue;
            }
            let name = whole.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
            let problem = if entry.encrypted() {
                Some(finding(
                    "ZIP_ENCRYPTED",
                    &name,
                    "パスワード付きZIPの中のファイルは送れません。解凍してから指定してください。",
                    "The file is encrypted inside the ZIP: unpack it first.",
                ))
            } else {
                oversize(&name, entry.size())
            };
            let path = self.path.join(&whole);
            let size = entry.size();
            let source = Source::Zipped(Arc::clone(self), index);
            found.push(Found { name, path, size, source, problem, root: 0 });
            check_count(&self.path, found)?;
        }
        Ok(())
    }
}

/// The name of a ZIP's entry. Windows in Japan writes MS932, whatever the entry's flags say; names of the standard are
/// ASCII in both. Decoded before it is split at backslashes, which are second bytes of MS932 characters too.
fn entry_name(raw: &[u8]) -> String {
    match std::str::from_utf8(raw) {
        Ok(name) => name.to_owned(),
        Err(_) => encoding_rs::SHIFT_JIS.decode_without_bom_handling(raw).0.into_owned(),
    }
}

impl Found {
    /// A file that somebody looked at before.
    pub(crate) fn of_file(path: PathBuf, name: &str, size: u64) -> Self {
        let (problem, source) = (oversize(name, size), Source::File(path.clone(), size));
        Self { name: name.to_owned(), path, size, source, problem, root: 0 }
    }
}

/// Finds the files that were named: folders with all inside, ZIPs with their entries.
pub(crate) fn find(paths: &[PathBuf]) -> Result<Vec<Found>, SdkError> {
    let mut found = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for (root, path) in paths.iter().enumerate() {
        let real = path.canonicalize().map_err(|e| unreadable(path, &e))?;
        let before = found.len();
        walk(path, &real, 0, &mut seen, &mut found)?;
        for file in &mut found[before..] {
            file.root = root;
        }
    }
    Ok(found)
}

/// One file by explicit wish.
pub(crate) fn file(path: &Path) -> Result<Found, SdkError> {
    let metadata = fs::metadata(path).map_err(|e| unreadable(path, &e))?;
    if !metadata.is_file() {
        let message = words("ファイルではありません", "not a file");
        return Err(ConfigError::Path { path: path.to_owned(), message }.into());
    }
    Ok(Found {
        name: file_name(path)?,
        path: path.to_owned(),
        size: metadata.len(),
        source: Source::File(path.to_owned(), metadata.len()),
        problem: None,
        root: 0,
    })
}

/// A path that was named is not there, or can't be looked at.
fn unreadable(path: &Path, error: &std::io::Error) -> SdkError {
    match error.kind() {
        std::io::ErrorKind::NotFound => ConfigError::NoSuchPath(path.to_owned()).into(),
        _ => SdkError::io(path, error),
    }
}

fn walk(
    shown: &Path,
    real: &Path,
    depth: usize,
    seen: &mut std::collections::HashSet<PathBuf>,
    found: &mut Vec<Found>,
) -> Result<(), SdkError> {
    // The same file named twice, or reached through a link, is one file.
    if !seen.insert(real.to_owned()) {
        return Ok(());
    }
    let metadata = fs::metadata(real).map_err(|e| SdkError::io(shown, &e))?;
    if metadata.is_dir() {
        if depth >= MAX_DEPTH {
            let message = words(
                format!("フォルダーの入れ子が深すぎます（{MAX_DEPTH}段まで）"),
                format!("folders are nested deeper than {MAX_DEPTH}"),
            );
            return Err(ConfigError::Path { path: shown.to_owned(), message }.into());
        }
        return walk_folder(shown, real, depth, seen, found);
    }
    if shown.extension().is_some_and(|e| e.eq_ignore_ascii_case("zip")) {
        return Arc::new(Zip::open(shown, real)?).list(found);
    }
    let name = shown.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let problem = oversize(&name, metadata.len());
    let source = Source::File(real.to_owned(), metadata.len());
    found.push(Found { name, path: shown.to_owned(), size: metadata.len(), source, problem, root: 0 });
    check_count(shown, found)
}

fn walk_folder(
    shown: &Path,
    real: &Path,
    depth: usize,
    seen: &mut std::collections::HashSet<PathBuf>,
    found: &mut Vec<Found>,
) -> Result<(), SdkError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(real).map_err(|e| SdkError::io(shown, &e))? {
        names.push(entry.map_err(|e| SdkError::io(shown, &e))?.file_name());
    }
    // The order of a folder's entries is the file system's whim; reports should not be.
    names.sort_unstable();
    for name in names {
        if DROPPINGS.iter().any(|d| name == *d) {
            continue;
        }
        let inner = real.join(&name).canonicalize().map_err(|e| SdkError::io(&shown.join(&name), &e))?;
        walk(&shown.join(&name), &inner, depth + 1, seen, found)?;
    }
    Ok(())
}

fn oversize(name: &str, size: u64) -> Option<Finding> {
    let limit = u64::try_from(MAX_FILE_BYTES).unwrap_or(u64::MAX);
    (size > limit).then(|| {
        finding(
            "FILE_TOO_LARGE",
            name,
            "ファイルが大きすぎます(32 MiBまで)。",
            "The file is larger than 32 MiB.",
        )
    })
}

fn check_count(path: &Path, found: &[Found]) -> Result<(), SdkError> {
    if found.len() <= MAX_FOUND {
        return Ok(());
    }
    let message = words(
        format!("ファイルが多すぎます（{MAX_FOUND}件まで）。分けて送ってください"),
        format!("more than {MAX_FOUND} files; send them in parts"),
    );
    Err(ConfigError::Path { path: path.to_owned(), message }.into())
}

fn too_large(path: &Path) -> SdkError {
    let message = words(
        format!("大きすぎます（{MAX_FILE_BYTES}バイトまで）"),
        format!("larger than {MAX_FILE_BYTES} bytes"),
    );
    ConfigError::Path { path: path.to_owned(), message }.into()
}

fn bad_zip(path: &Path, error: &zip::result::ZipError) -> SdkError {
    ConfigError::NotAZip { path: path.to_owned(), message: error.to_string() }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_a_zip_are_utf_8_or_ms932() {
        assert_eq!(entry_name("二月/表.CSV".as_bytes()), "二月/表.CSV");
        // 表 is 95 5C: its second byte is a backslash.
        assert_eq!(entry_name(b"\x93\xf1\x8c\x8e/\x95\x5c.CSV"), "二月/表.CSV");
    }
}
