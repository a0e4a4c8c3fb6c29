//! Pages: sizes and tokens. A token is opaque to clients; what comes back is checked like any other input.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tasuki_proto::limits::MAX_PAGE;

use super::Failure;

/// How many rows a request wants: 0 means `default`.
pub(super) fn page_size(asked: u32, default: u32) -> Result<u32, Failure> {
    match asked {
        0 => Ok(default),
        n if n > MAX_PAGE => Err(Failure::malformed("at most 500 a page")),
        n => Ok(n),
    }
}

/// A token that continues a list of this kind behind this row.
pub(super) fn token(kind: char, row: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{kind}{row}"))
}

/// Reads a token of a list of this kind; the empty one begins at the start.
pub(super) fn read_token<T: std::str::FromStr>(kind: char, token: &str) -> Result<Option<T>, Failure> {
    if token.is_empty() {
        return Ok(None);
    }
    let row = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let row = row.as_deref().and_then(|text| text.strip_prefix(kind)).and_then(|row| row.parse().ok());
    row.map(Some).ok_or_else(|| Failure::malformed("page_token is not one that this list gave"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_works_for_its_own_list_only() {
        let sent = token('s', "42");
        assert_eq!(read_token('s', &sent), Ok(Some(42i64)));
        assert!(read_token::<i64>('r', &sent).is_err());
        assert!(read_token::<i64>('s', &token('s', "x")).is_err());
        assert!(read_token::<i64>('s', "%%%").is_err());
        assert_eq!(read_token::<i64>('s', ""), Ok(None));
    }

    #[test]
    fn pages_are_bounded() {
        assert_eq!(page_size(0, 100), Ok(100));
        assert_eq!(page_size(500, 100), Ok(500));
        assert!(page_size(501, 100).is_err());
    }
}
