//! Writing DER: whole elements from their parts, lengths known beforehand.

use der::asn1::ObjectIdentifier;
use der::{Encode, Header, Tag};

/// More than the 256 MiB that one DER element may hold here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLong;

/// Tag and length of an element whose value has `body_len` bytes.
pub(crate) fn header(tag: Tag, body_len: usize) -> Result<Vec<u8>, TooLong> {
    let header = Header::new(tag, body_len).map_err(|_: der::Error| TooLong)?;
    let mut out = Vec::with_capacity(6);
    header.encode_to_vec(&mut out).map_err(|_: der::Error| TooLong)?;
    Ok(out)
}

/// A whole element, its value being `parts` one after the other.
pub(crate) fn element(tag: Tag, parts: &[&[u8]]) -> Result<Vec<u8>, TooLong> {
    let body_len = parts.iter().map(|part| part.len()).sum();
    let mut out = header(tag, body_len)?;
    out.reserve_exact(body_len);
    for part in parts {
        out.extend_from_slice(part);
    }
    Ok(out)
}

/// A SET OF (or an implicitly tagged one) with its elements in DER's order.
pub(crate) fn set_of(tag: Tag, mut elements: Vec<Vec<u8>>) -> Result<Vec<u8>, TooLong> {
    elements.sort_unstable();
    let parts: Vec<&[u8]> = elements.iter().map(Vec::as_slice).collect();
    element(tag, &parts)
}

/// An OBJECT IDENTIFIER.
pub(crate) fn oid(oid: &ObjectIdentifier) -> Result<Vec<u8>, TooLong> {
    element(Tag::ObjectIdentifier, &[oid.as_bytes()])
}

/// An `AlgorithmIdentifier`; `parameters` is a whole element, or empty where they are absent.
pub(crate) fn algorithm(id: &ObjectIdentifier, parameters: &[u8]) -> Result<Vec<u8>, TooLong> {
    element(Tag::Sequence, &[&oid(id)?, parameters])
}

/// NULL, as a whole element.
pub(crate) const NULL: &[u8] = &[0x05, 0x00];
