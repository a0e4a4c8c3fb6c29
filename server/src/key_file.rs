//! Files of secret keys: the key itself, or on which token (PKCS #11) it is.
//!
//! ```text
//! pkcs11:token=relay;object=ca?module-path=/usr/lib/softhsm/libsofthsm2.so
//! pin-file: /etc/tasuki/relay.pin
//! ```
//!
//! A key on a token has a file all the same, where a key in a file would have it: whatever moves, replaces or looks for a key's
//! file need not know where the key is.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use tasuki_certs::token::{TokenError, TokenUri};
use zeroize::Zeroizing;

use crate::files;

/// How the second line begins.
const PIN_FILE: &str = "pin-file: ";

/// A secret, or what says where it is, can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// A secret can't be read.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A secret that others than its owner may read.
    #[error("{0}: others than its owner may read this secret; chmod 600 it")]
    Exposed(PathBuf),
    /// It names a token, and not as it must.
    #[error("{0}: must hold a PKCS #11 URI and in a second line pin-file: and a path")]
    Malformed(PathBuf),
    /// The token can't be used.
    #[error("{at}: {source}")]
    Token {
        /// Which key.
        at: String,
        /// Why.
        source: TokenError,
    },
}

/// A secret, from a file that only its owner may read.
///
/// # Errors
/// [`KeyFileError::Exposed`], [`KeyFileError::File`].
pub fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let unreadable = |source| KeyFileError::File { path: path.to_owned(), source };
    if files::readable_by_others(path).map_err(unreadable)? {
        return Err(KeyFileError::Exposed(path.to_owned()));
    }
    std::fs::read(path).map(Zeroizing::new).map_err(unreadable)
}

/// A key on a token, and the file with the token's PIN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnToken {
    uri: TokenUri,
    pin_file: PathBuf,
}

/// Where a key is, or is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPlace {
    /// In its file.
    File,
    /// On a token that its file names.
    Token(OnToken),
}

impl OnToken {
    /// A key by its PKCS #11 URI. The PIN's file is named in full, so that the key's own file may move.
    ///
    /// # Errors
    /// [`KeyFileError`]: no such URI, or no such file.
    pub fn new(uri: &str, pin_file: &Path) -> Result<Self, KeyFileError> {
        let parsed = TokenUri::parse(uri);
        let uri = parsed.map_err(|e| KeyFileError::Token { at: uri.to_owned(), source: e.into() })?;
        let pin_file = std::path::absolute(pin_file)
            .map_err(|source| KeyFileError::File { path: pin_file.to_owned(), source })?;
        Ok(Self { uri, pin_file })
    }

    /// What a key's file says, if it names a token. In the log's file the log's name and a `+` stand in front.
    ///
    /// # Errors
    /// [`KeyFileError::Malformed`].
    pub fn parse(text: &str, path: &Path) -> Result<Option<Self>, KeyFileError> {
        let named = text.split_once('+').map(|(_, rest)| rest).filter(|rest| TokenUri::is_one(rest));
        let text = named.unwrap_or(text);
        if !TokenUri::is_one(text) {
            return Ok(None);
        }
        let malformed = || KeyFileError::Malformed(path.to_owned());
        let mut lines = text.lines();
        let uri =
            lines.next().and_then(|line| TokenUri::parse(line.trim_end()).ok()).ok_or_else(malformed)?;
        let pin_file = lines.next().and_then(|line| line.strip_prefix(PIN_FILE)).ok_or_else(malformed)?;
        match lines.next() {
            None => Ok(Some(Self { uri, pin_file: PathBuf::from(pin_file.trim_end()) })),
            Some(_) => Err(malformed()),
        }
    }

    /// Which key.
    pub fn uri(&self) -> &TokenUri {
        &self.uri
    }

    /// The file with the token's PIN.
    pub fn pin_file(&self) -> &Path {
        &self.pin_file
    }

    /// The key of the same token that comes after this one: of the same name, with a number.
    fn next(&self, number: usize, name: &str) -> Self {
        let own = self.uri.object().unwrap_or(name);
        let base = match own.rsplit_once('-') {
            Some((base, digits)) if digits.bytes().all(|b| b.is_ascii_digit()) => base,
            _ => own,
        };
        Self { uri: self.uri.with_object(&format!("{base}-{number}")), pin_file: self.pin_file.clone() }
    }

    /// The token's PIN.
    ///
    /// # Errors
    /// Its file can't be read, or others may read it.
    pub fn pin(&self) -> Result<Zeroizing<String>, KeyFileError> {
        let bytes = read_secret(&self.pin_file)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| self.failed(TokenError::Pin))?;
        Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
    }

    /// What is wrong with the token, with the key's name.
    pub fn failed(&self, source: TokenError) -> KeyFileError {
        KeyFileError::Token { at: self.uri.to_string(), source }
    }
}

/// The token that a key's file names, a CA's or the log's.
///
/// # Errors
/// [`KeyFileError`].
pub fn token_of(key: &Path) -> Result<Option<OnToken>, KeyFileError> {
    let text = read_secret(key)?;
    std::str::from_utf8(&text).map_or(Ok(None), |text| OnToken::parse(text, key))
}

/// As its file says it.
impl fmt::Display for OnToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{PIN_FILE}{}\n", self.uri, self.pin_file.display())
    }
}

impl KeyPlace {
    /// Where the next key is to be: where somebody wants it, else as the one before it.
    #[must_use]
    pub fn next(&self, wanted: Option<&Self>, number: usize, name: &str) -> Self {
        match (wanted, self) {
            (Some(wanted), _) => wanted.clone(),
            (None, Self::File) => Self::File,
            (None, Self::Token(token)) => Self::Token(token.next(number, name)),
        }
    }

    /// The token, if it is on one.
    pub fn token(&self) -> Option<&OnToken> {
        match self {
            Self::File => None,
            Self::Token(token) => Some(token),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URI: &str = "pkcs11:token=relay;object=log?module-path=/usr/lib/m.so";

    #[test]
    fn a_file_names_a_token_or_is_the_key() {
        let path = Path::new("log.key");
        let token = OnToken::new(URI, Path::new("/etc/tasuki/pin")).unwrap();
        assert_eq!(token.to_string(), format!("{URI}\npin-file: /etc/tasuki/pin\n"));
        assert_eq!(OnToken::parse(&token.to_string(), path).unwrap(), Some(token.clone()));
        assert_eq!(OnToken::parse(&format!("relay.example/log+{token}"), path).unwrap(), Some(token.clone()));
        assert_eq!(OnToken::parse("-----BEGIN PRIVATE KEY-----\n", path).unwrap(), None);
        assert_eq!(OnToken::parse("relay.example/log+c2VlZA==\n", path).unwrap(), None);
        for bad in [
            format!("{URI}\n"),
            format!("{URI}\npin: 1234\n"),
            format!("{token}more\n"),
            "pkcs11:token=relay\npin-file: /p\n".to_owned(),
        ] {
            assert!(matches!(OnToken::parse(&bad, path), Err(KeyFileError::Malformed(_))), "{bad}");
        }
        assert!(matches!(
            OnToken::new("log.key", path),
            Err(KeyFileError::Token { source: TokenError::Uri(_), .. })
        ));
        assert!(OnToken::new(URI, Path::new("pin")).unwrap().pin_file().is_absolute());
    }

    #[test]
    fn the_next_key_is_where_the_one_before_is_under_a_name_of_its_own() {
        let at = |uri: &str| KeyPlace::Token(OnToken::new(uri, Path::new("/pin")).unwrap());
        let second = at(URI).next(None, 2, "x");
        assert_eq!(second, at(&URI.replace("object=log", "object=log-2")));
        assert_eq!(second.next(None, 3, "x"), at(&URI.replace("object=log", "object=log-3")));
        let by_id = at("pkcs11:token=relay;id=%01?module-path=/usr/lib/m.so");
        assert_eq!(by_id.next(None, 2, "log"), second);
        assert_eq!(KeyPlace::File.next(None, 2, "x"), KeyPlace::File);
        assert_eq!(KeyPlace::File.next(Some(&second), 2, "x"), second);
        assert_eq!(second.next(Some(&KeyPlace::File), 2, "x"), KeyPlace::File);
    }

    #[cfg(unix)]
    #[test]
    fn a_pin_that_others_may_read_is_not_used() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let pin = folder.path().join("pin");
        std::fs::write(&pin, "1234\n").unwrap();
        let token = OnToken::new(URI, &pin).unwrap();
        std::fs::set_permissions(&pin, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(token.pin(), Err(KeyFileError::Exposed(_))));
        std::fs::set_permissions(&pin, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(token.pin().unwrap().as_str(), "1234");
    }
}
