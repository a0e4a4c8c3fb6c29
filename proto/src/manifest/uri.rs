//! Names as URI references (RFC 3986): relative paths, percent-encoded.

use std::borrow::Cow;

/// The rule that a manifest's URI breaks. Never holds the URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// A character that must be percent-encoded in a path, or that begins a query, fragment or scheme.
    #[error("the URI has a character that must be percent-encoded")]
    Character,
    /// A `%` without two hexadecimal digits after it.
    #[error("the URI has an incomplete percent-encoding")]
    Escape,
    /// An encoded `/`, which some readers take for a separator and some do not.
    #[error("the URI has an encoded slash")]
    EncodedSlash,
    /// The decoded bytes are not UTF-8.
    #[error("the URI does not decode to UTF-8")]
    Encoding,
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Encodes all but unreserved characters and `/`.
pub(super) fn encode(name: &str) -> String {
    let mut uri = String::with_capacity(name.len());
    for byte in name.bytes() {
        if is_unreserved(byte) || byte == b'/' {
            uri.push(char::from(byte));
        } else {
            uri.push('%');
            uri.push(char::from(HEX[usize::from(byte >> 4)]));
            uri.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    uri
}

/// Decodes a relative path; whether the result is a good name is another question.
pub(super) fn decode(uri: Cow<'_, str>) -> Result<String, UriError> {
    if uri.bytes().all(is_plain) {
        return Ok(uri.into_owned());
    }
    let mut name = Vec::with_capacity(uri.len());
    let mut rest = uri.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%' {
            let (digits, after) = rest.split_first_chunk::<2>().ok_or(UriError::Escape)?;
            rest = after;
            let byte = hex(digits[0])? << 4 | hex(digits[1])?;
            if byte == b'/' {
                return Err(UriError::EncodedSlash);
            }
            name.push(byte);
        } else if is_plain(byte) {
            name.push(byte);
        } else {
            return Err(UriError::Character);
        }
    }
    String::from_utf8(name).map_err(|_| UriError::Encoding)
}

/// `unreserved` of RFC 3986, 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// What a path may hold as it is (RFC 3986, 3.3), without `:`, which would begin a scheme.
fn is_plain(byte: u8) -> bool {
    is_unreserved(byte)
        || matches!(
            byte,
            b'/' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b'@'
        )
}

fn hex(digit: u8) -> Result<u8, UriError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(UriError::Escape),
    }
}
