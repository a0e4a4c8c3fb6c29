//! PEM (RFC 7468): certificates in and out of text files.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::error::{ConfigError, SdkError};
use crate::files;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Bytes of a file of certificates: room for some hundred.
const MAX_PEM_BYTES: usize = 1024 * 1024;

/// The certificates (DER) of a PEM file; at least one. A single DER certificate is taken too.
pub(crate) fn read_certificates(path: &Path) -> Result<Vec<Vec<u8>>, SdkError> {
    let none = || ConfigError::NoCertificate(path.to_owned());
    let bytes = files::read_at_most(path, MAX_PEM_BYTES)?.ok_or_else(none)?;
    // A SEQUENCE with two length bytes: how every certificate in DER begins.
    if bytes.starts_with(&[0x30, 0x82]) {
        return Ok(vec![bytes]);
    }
    let certificates = decode(&bytes).ok_or_else(none)?;
    if certificates.is_empty() { Err(none().into()) } else { Ok(certificates) }
}

/// The certificates in a text; `None` if one is malformed.
fn decode(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    // Text between the certificates may be in any encoding.
    let text = String::from_utf8_lossy(text);
    let mut certificates = Vec::new();
    let mut rest = text.as_ref();
    while let Some((_, behind)) = rest.split_once(BEGIN) {
        let (body, behind) = behind.split_once(END)?;
        let body: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        certificates.push(STANDARD.decode(body).ok()?);
        rest = behind;
    }
    Some(certificates)
}

/// Certificates as PEM text, in their order.
pub(crate) fn encode<B: AsRef<[u8]>>(certificates: impl IntoIterator<Item = B>) -> String {
    let mut text = String::new();
    for certificate in certificates {
        text.push_str(BEGIN);
        text.push('\n');
        let body = STANDARD.encode(certificate);
        for line in body.as_bytes().chunks(64) {
            text.push_str(std::str::from_utf8(line).expect("base64 is ASCII"));
            text.push('\n');
        }
        text.push_str(END);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_survive_their_text() {
        let certificates = vec![vec![7; 100], vec![0; 48]];
        let text = format!("subject: 事業所\n{}", encode(&certificates));
        assert_eq!(decode(text.as_bytes()), Some(certificates));
        assert!(text.lines().all(|l| l.chars().count() <= 64));
        assert_eq!(decode(b"-----BEGIN CERTIFICATE-----\n%%\n-----END CERTIFICATE-----\n"), None);
        assert_eq!(decode(b"nothing"), Some(vec![]));
    }
}
