//! Which key on which token: a PKCS #11 URI (RFC 7512), as far as it is needed.
//!
//! ```text
//! pkcs11:token=office;object=billing?module-path=/usr/lib/softhsm/libsofthsm2.so
//! ```
//!
//! In the path `token`, `serial`, `object` and `id` say which; at least one of `token` and `serial`. In the query `module-path` names the
//! token's driver. A PIN in the URI is refused: it would stand in arguments and settings.

use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

/// How such a URI begins.
const SCHEME: &str = "pkcs11:";

/// Bytes of a URI: a path and four names.
const MAX_BYTES: usize = 4_096;

/// Why a text is no URI of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UriError {
    /// It does not begin with `pkcs11:`, or a part of it can't be read.
    #[error("this is no PKCS #11 URI (pkcs11:token=…;object=…?module-path=…)")]
    Malformed,
    /// It names no token.
    #[error("the PKCS #11 URI names no token (token= or serial=)")]
    NoToken,
    /// It names no driver.
    #[error("the PKCS #11 URI names no module-path")]
    NoModule,
    /// It holds a PIN.
    #[error("a PIN does not belong into the PKCS #11 URI: give a file with it")]
    Pin,
    /// An attribute that is not known here: leaving it out could choose another key.
    #[error("the PKCS #11 URI has an attribute that is not known here")]
    Unknown,
}

/// Which key on which token.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TokenUri {
    pub(super) module: PathBuf,
    pub(super) token: Option<String>,
    pub(super) serial: Option<String>,
    pub(super) object: Option<String>,
    pub(super) id: Option<Vec<u8>>,
}

impl TokenUri {
    /// Whether a text is meant as one.
    pub fn is_one(text: &str) -> bool {
        text.starts_with(SCHEME)
    }

    /// Reads a URI.
    ///
    /// # Errors
    /// [`UriError`].
    pub fn parse(text: &str) -> Result<Self, UriError> {
        let rest =
            text.strip_prefix(SCHEME).filter(|_| text.len() <= MAX_BYTES).ok_or(UriError::Malformed)?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (mut token, mut serial, mut object, mut id, mut module) = (None, None, None, None, None);
        for (name, value) in attributes(path, ';') {
            let value = decoded(value?)?;
            match name {
                "token" => set(&mut token, string(value)?)?,
                "serial" => set(&mut serial, string(value)?)?,
                "object" => set(&mut object, string(value)?)?,
                "id" => set(&mut id, value)?,
                "type" if value == b"private" => {}
                _ => return Err(UriError::Unknown),
            }
        }
        for (name, value) in attributes(query, '&') {
            let value = decoded(value?)?;
            match name {
                "module-path" => set(&mut module, string(value)?)?,
                "pin-value" | "pin-source" => return Err(UriError::Pin),
                _ => return Err(UriError::Unknown),
            }
        }
        if token.is_none() && serial.is_none() {
            return Err(UriError::NoToken);
        }
        let module = module.filter(|module| !module.is_empty()).ok_or(UriError::NoModule)?.into();
        Ok(Self { module, token, serial, object, id })
    }

    /// The same token's key of this name.
    #[must_use]
    pub fn with_object(&self, name: &str) -> Self {
        Self { object: Some(name.to_owned()), id: None, ..self.clone() }
    }

    /// The key's name on the token, if the URI has it.
    pub fn object(&self) -> Option<&str> {
        self.object.as_deref()
    }

    /// The token, whatever key on it.
    pub(super) fn token_only(&self) -> Self {
        Self { object: None, id: None, ..self.clone() }
    }

    /// The token's driver.
    pub fn module(&self) -> &Path {
        &self.module
    }
}

/// As [`TokenUri::parse`] reads it.
impl fmt::Display for TokenUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts = [("token", &self.token), ("serial", &self.serial), ("object", &self.object)];
        let texts = texts.iter().filter_map(|(name, text)| Some((*name, text.as_ref()?.as_bytes())));
        let all = texts.chain(self.id.as_ref().map(|id| ("id", id.as_slice())));
        f.write_str(SCHEME)?;
        for (at, (name, value)) in all.enumerate() {
            write!(f, "{}{name}={}", if at == 0 { "" } else { ";" }, encoded(value))?;
        }
        write!(f, "?module-path={}", encoded(self.module.to_string_lossy().as_bytes()))
    }
}

impl fmt::Debug for TokenUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenUri")
            .field("module", &self.module)
            .field("token", &self.token)
            .field("object", &self.object)
            .finish_non_exhaustive()
    }
}

fn attributes(text: &str, separator: char) -> impl Iterator<Item = (&str, Result<&str, UriError>)> {
    text.split(separator).filter(|part| !part.is_empty()).map(|part| match part.split_once('=') {
        Some((name, value)) => (name, Ok(value)),
        None => (part, Err(UriError::Malformed)),
    })
}

fn set<T>(place: &mut Option<T>, value: T) -> Result<(), UriError> {
    // Twice the same attribute means nothing.
    if place.replace(value).is_some() { Err(UriError::Malformed) } else { Ok(()) }
}

fn string(bytes: Vec<u8>) -> Result<String, UriError> {
    String::from_utf8(bytes).map_err(|_| UriError::Malformed)
}

/// Percent-encoding (RFC 3986, section 2.1).
fn decoded(text: &str) -> Result<Vec<u8>, UriError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16)).ok_or(UriError::Malformed);
        let value = digit()? * 16 + digit()?;
        bytes.push(u8::try_from(value).map_err(|_| UriError::Malformed)?);
    }
    Ok(bytes)
}

/// Percent-encoding of all but letters, digits and `-._~/` (RFC 7512 section 2.3 lets `/` stand in both parts but the path's values; it is
/// kept in the driver's path, for people, and harms nowhere).
fn encoded(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(byte) {
            text.push(char::from(*byte));
        } else {
            let _infallible = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_named_by_token_and_object() {
        let text = "pkcs11:token=our%20office;object=%E8%AB%8B%E6%B1%82;id=%01%ff;type=private?module-path=/usr/lib/m.so";
        let uri = TokenUri::parse(text).unwrap();
        assert_eq!(uri.token.as_deref(), Some("our office"));
        assert_eq!(uri.object.as_deref(), Some("請求"));
        assert_eq!(uri.id.as_deref(), Some(&[1, 255][..]));
        assert_eq!(uri.module(), Path::new("/usr/lib/m.so"));
        assert!(TokenUri::is_one(text) && !TokenUri::is_one("office.p12"));
        assert_eq!(TokenUri::parse(&uri.to_string()), Ok(uri.clone()), "{uri}");
        let next = uri.with_object("請求 2");
        assert_eq!((next.object(), next.id.as_deref()), (Some("請求 2"), None));
        assert_eq!(TokenUri::parse(&next.to_string()), Ok(next));
    }

    #[test]
    fn what_would_choose_another_key_or_tell_the_pin_is_refused() {
        for (text, error) in [
            ("office.p12", UriError::Malformed),
            ("pkcs11:token", UriError::Malformed),
            ("pkcs11:token=a;token=b?module-path=/m", UriError::Malformed),
            ("pkcs11:token=%g0?module-path=/m", UriError::Malformed),
            ("pkcs11:token=%f?module-path=/m", UriError::Malformed),
            ("pkcs11:object=a?module-path=/m", UriError::NoToken),
            ("pkcs11:token=a", UriError::NoModule),
            ("pkcs11:token=a?module-path=", UriError::NoModule),
            ("pkcs11:token=a?module-path=/m&pin-value=1234", UriError::Pin),
            ("pkcs11:token=a;slot-id=3?module-path=/m", UriError::Unknown),
            ("pkcs11:token=a;type=cert?module-path=/m", UriError::Unknown),
        ] {
            assert_eq!(TokenUri::parse(text), Err(error), "{text}");
        }
    }
}
