//! A CA's files on disk: its certificate and key made, read, written; others replaced and moved.

use std::fs;
use std::path::Path;

use tasuki_certs::token::TokenUri;
use tasuki_certs::trial_ca::{TrialCa, TrialCaError};

use super::CaError;
use crate::files::{self, Readers};
use crate::key_file::{self, KeyPlace, OnToken, read_secret};

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
            let ca = on_token(token, |uri, pin| TrialCa::create_on_token(name, now_us, uri, pin))?;
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
        KeyPlace::Token(token) => on_token(&token, |uri, pin| TrialCa::load_on_token(&pem, uri, pin)),
    }
}

/// What is wrong with a token is said with the key's name.
fn on_token(
    token: &OnToken,
    open: impl FnOnce(TokenUri, &str) -> Result<TrialCa, TrialCaError>,
) -> Result<TrialCa, CaError> {
    match open(token.uri().clone(), &token.pin()?) {
        Err(TrialCaError::Token(source)) => Err(token.failed(source).into()),
        other => Ok(other?),
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
