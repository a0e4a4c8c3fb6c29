//! A CA's files on disk: its certificate and key made, read, written; others replaced and moved.

use std::fs;
use std::path::Path;

use tasuki_certs::trial_ca::TrialCa;

use super::CaError;
use crate::files::{self, Readers};
use crate::key_file::{self, KeyPlace, read_secret};

/// Makes a CA, its key where `place` says, and writes its files, which are not there yet.
///
/// # Errors
/// If the key can't be made, or the files can't be written.
pub fn make_ca(
    name: &str,
    place: &KeyPlace,
    now_us: i64,
    certificate: &Path,
    key: &Path,
) -> Result<TrialCa, CaError> {
    match place {
        KeyPlace::File => {
            let ca = TrialCa::create(name, now_us)?;
            write_ca(&ca, certificate, key)?;
            Ok(ca)
        }
        KeyPlace::Token(token) => {
            let ca = token.make_ca(name, now_us)??;
            write_new(key, token.to_string().as_bytes(), Readers::Owner)?;
            write_new(certificate, &ca.cert_pem()?, Readers::All)?;
            Ok(ca)
        }
    }
}

/// A CA from its certificate's file and its key's, which holds the key or names its token.
///
/// # Errors
/// [`CaError`].
pub fn load_ca(certificate: &Path, key: &Path) -> Result<TrialCa, CaError> {
    let pem =
        fs::read(certificate).map_err(|source| CaError::File { path: certificate.to_owned(), source })?;
    match key_place(key)? {
        KeyPlace::File => Ok(TrialCa::load(&pem, &read_secret(key)?)?),
        KeyPlace::Token(token) => Ok(token.load_ca(&pem)??),
    }
}

/// Where a CA's key is.
pub(super) fn key_place(key: &Path) -> Result<KeyPlace, CaError> {
    Ok(key_file::token_of(key)?.map_or(KeyPlace::File, KeyPlace::Token))
}

/// Writes a CA's certificate and key to files that don't exist yet.
///
/// # Errors
/// If they can't be written, or are there already.
pub fn write_ca(ca: &TrialCa, certificate: &Path, key: &Path) -> Result<(), CaError> {
    write_new(key, &ca.key_pem()?, Readers::Owner)?;
    write_new(certificate, &ca.cert_pem()?, Readers::All)
}

fn write_new(path: &Path, bytes: &[u8], readers: Readers) -> Result<(), CaError> {
    files::write_new(path, bytes, readers).map_err(|source| CaError::File { path: path.to_owned(), source })
}

pub(super) fn replace(path: &Path, bytes: &[u8], readers: Readers) -> Result<(), CaError> {
    files::replace(path, bytes, readers).map_err(|source| CaError::File { path: path.to_owned(), source })
}

pub(super) fn rename(from: &Path, to: &Path) -> Result<(), CaError> {
    let moved = fs::rename(from, to).and_then(|()| files::sync_folder_of(to));
    moved.map_err(|source| CaError::File { path: to.to_owned(), source })
}
