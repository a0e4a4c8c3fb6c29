//! Walking DER without building anything: borrowed elements, strictly checked, no recursion on the caller's behalf.
//!
//! Tags and lengths are read by the `der` crate, which knows definite, minimal lengths only; what follows which is
//! decided by the walker's caller. Every refusal names the field that was being read, so that a vendor whose
//! signature is refused can find out why.

use der::asn1::{AnyRef, BitStringRef, GeneralizedTime, Int, Null, ObjectIdentifier, UtcTime, Utf8StringRef};
use der::{Decode, Header, Reader, SliceReader, Tag, TagNumber};

/// Bytes that are not the strict DER that belongs in `field`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotDer {
    /// The field that was being read, by its ASN.1 name.
    pub(crate) field: &'static str,
}

/// `[n]`, constructed: an EXPLICIT tag, or an IMPLICIT one over a SEQUENCE or SET.
pub(crate) const fn context(number: TagNumber) -> Tag {
    Tag::ContextSpecific { constructed: true, number }
}

/// `[0]`, primitive: an IMPLICIT tag over an OCTET STRING.
pub(crate) const CONTEXT_0_PRIMITIVE: Tag =
    Tag::ContextSpecific { constructed: false, number: TagNumber::N0 };

/// One tag, length and value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Element<'a> {
    /// The tag.
    pub(crate) tag: Tag,
    /// The whole encoding: tag, length and value.
    pub(crate) raw: &'a [u8],
    /// The value alone.
    pub(crate) body: &'a [u8],
}

impl<'a> Element<'a> {
    /// Walks what is inside.
    pub(crate) fn walk(self) -> Walk<'a> {
        Walk { rest: self.body }
    }
}

/// Elements that stand one after the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Walk<'a> {
    rest: &'a [u8],
}

impl<'a> Walk<'a> {
    /// Walks `bytes`; at most 256 MiB (the `der` crate's bound on a length).
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// `bytes` as one element with this tag and nothing after it.
    pub(crate) fn only(bytes: &'a [u8], tag: Tag, field: &'static str) -> Result<Element<'a>, NotDer> {
        let mut walk = Self::new(bytes);
        let element = walk.take(tag, field)?;
        walk.finish(field)?;
        Ok(element)
    }

    /// The next element, whatever its tag.
    pub(crate) fn next(&mut self, field: &'static str) -> Result<Element<'a>, NotDer> {
        let element = read(self.rest).map_err(|_: der::Error| NotDer { field })?;
        self.rest = &self.rest[element.raw.len()..];
        Ok(element)
    }

    /// The next element, which must have this tag.
    pub(crate) fn take(&mut self, tag: Tag, field: &'static str) -> Result<Element<'a>, NotDer> {
        let element = self.next(field)?;
        if element.tag == tag { Ok(element) } else { Err(NotDer { field }) }
    }

    /// The next element if it has this tag.
    pub(crate) fn optional(&mut self, tag: Tag, field: &'static str) -> Result<Option<Element<'a>>, NotDer> {
        if self.rest.first() == Some(&tag.octet()) { self.take(tag, field).map(Some) } else { Ok(None) }
    }

    /// A non-negative INTEGER below 128, such as a version or a tag length.
    pub(crate) fn small_integer(&mut self, field: &'static str) -> Result<u8, NotDer> {
        match self.take(Tag::Integer, field)?.body {
            [value] if *value < 0x80 => Ok(*value),
            _ => Err(NotDer { field }),
        }
    }

    /// Whether everything was read.
    pub(crate) fn is_finished(&self) -> bool {
        self.rest.is_empty()
    }

    /// Refuses anything that follows.
    pub(crate) fn finish(self, field: &'static str) -> Result<(), NotDer> {
        if self.is_finished() { Ok(()) } else { Err(NotDer { field }) }
    }

    /// All elements of a SET OF: between one and `most`, in ascending order without equals (X.690 section 11.6).
    ///
    /// Two whole encodings never are prefixes of each other, so plain byte order is DER's order.
    pub(crate) fn set_of(mut self, most: usize, field: &'static str) -> Result<Vec<Element<'a>>, NotDer> {
        let mut elements: Vec<Element<'a>> = Vec::with_capacity(4);
        while !self.is_finished() {
            let element = self.next(field)?;
            let ascends = elements.last().is_none_or(|last| last.raw < element.raw);
            if !ascends || elements.len() == most {
                return Err(NotDer { field });
            }
            elements.push(element);
        }
        if elements.is_empty() { Err(NotDer { field }) } else { Ok(elements) }
    }
}

fn read(bytes: &[u8]) -> Result<Element<'_>, der::Error> {
    let mut reader = SliceReader::new(bytes)?;
    let header = Header::decode(&mut reader)?;
    let body = reader.read_slice(header.length)?;
    let raw = &bytes[..usize::try_from(reader.position())?];
    Ok(Element { tag: header.tag, raw, body })
}

/// An `AlgorithmIdentifier`, taken apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Algorithm<'a> {
    /// The value of its OBJECT IDENTIFIER.
    pub(crate) oid: &'a [u8],
    /// Its parameters, if present.
    pub(crate) parameters: Option<Element<'a>>,
}

impl<'a> Algorithm<'a> {
    /// Takes the next element as an `AlgorithmIdentifier`.
    pub(crate) fn take(walk: &mut Walk<'a>, field: &'static str) -> Result<Self, NotDer> {
        Self::from_sequence(walk.take(Tag::Sequence, field)?, field)
    }

    /// Takes a SEQUENCE (or an implicitly tagged one) apart.
    pub(crate) fn from_sequence(sequence: Element<'a>, field: &'static str) -> Result<Self, NotDer> {
        let mut walk = sequence.walk();
        let oid = walk.take(Tag::ObjectIdentifier, field)?.body;
        let parameters = if walk.is_finished() { None } else { Some(walk.next(field)?) };
        walk.finish(field)?;
        Ok(Self { oid, parameters })
    }

    /// Whether it is `oid` with parameters absent or NULL, as RFC 4055 and RFC 5754 ask to treat alike for hashes.
    pub(crate) fn is_plain(&self, oid: &ObjectIdentifier) -> bool {
        self.oid == oid.as_bytes() && (self.parameters.is_none() || self.has_null())
    }

    /// Whether the parameters are NULL.
    pub(crate) fn has_null(&self) -> bool {
        self.parameters.is_some_and(|parameters| parameters.raw == [0x05, 0x00])
    }
}

/// How deep [`well_formed`] follows nested elements; what signers put into attributes is 4 or 5 deep.
const DEEPEST: u8 = 16;

/// Whether `element` is DER all the way down: for values that are carried along but not understood.
pub(crate) fn well_formed(element: Element<'_>, field: &'static str) -> Result<(), NotDer> {
    descend(element, DEEPEST, field)
}

fn descend(element: Element<'_>, levels: u8, field: &'static str) -> Result<(), NotDer> {
    let levels = levels.checked_sub(1).ok_or(NotDer { field })?;
    if element.tag.is_constructed() {
        let mut walk = element.walk();
        while !walk.is_finished() {
            descend(walk.next(field)?, levels, field)?;
        }
        return Ok(());
    }
    primitive(element).map_err(|_: der::Error| NotDer { field })
}

/// Checks the value of a primitive type whose DER form is narrower than "some bytes".
fn primitive(element: Element<'_>) -> Result<(), der::Error> {
    match element.tag {
        Tag::Boolean => bool::from_der(element.raw).map(drop),
        Tag::Integer | Tag::Enumerated => {
            let integer = AnyRef::new(Tag::Integer, element.body)?;
            integer.decode_as::<Int>().map(drop)
        }
        Tag::BitString => BitStringRef::from_der(element.raw).map(drop),
        Tag::Null => Null::from_der(element.raw).map(drop),
        Tag::ObjectIdentifier if is_oid(element.body) => Ok(()),
        Tag::ObjectIdentifier => Err(element.tag.value_error()),
        Tag::Utf8String => Utf8StringRef::from_der(element.raw).map(drop),
        Tag::UtcTime => UtcTime::from_der(element.raw).map(drop),
        Tag::GeneralizedTime => GeneralizedTime::from_der(element.raw).map(drop),
        _ => Ok(()),
    }
}

/// Whether an OBJECT IDENTIFIER's arcs are all there and none begins with padding (X.690 section 8.19). The `der`
/// crate's own type holds short identifiers only and lets padding pass.
fn is_oid(body: &[u8]) -> bool {
    let ends = |octet: &u8| octet & 0x80 == 0;
    body.last().is_some_and(ends) && body.split_inclusive(ends).all(|arc| arc[0] != 0x80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_definite_and_minimal() {
        let fine = [0x04, 0x02, 1, 2];
        assert_eq!(Walk::only(&fine, Tag::OctetString, "x").map(|e| e.body), Ok(&fine[2..]));
        for bad in [
            &[0x24, 0x80, 0x00, 0x00][..],         // indefinite
            &[0x04, 0x80, 0x00, 0x00],             // indefinite and primitive
            &[0x04, 0x81, 0x02, 1, 2],             // long form for a short length
            &[0x04, 0x82, 0x00, 0x02, 1, 2],       // leading zero
            &[0x04, 0x02, 1],                      // cut
            &[0x04, 0x02, 1, 2, 3],                // trailing
            &[0x04],                               // no length
            &[],                                   // nothing
            &[0x24, 0x02, 1, 2],                   // constructed OCTET STRING
            &[0x04, 0x85, 1, 0, 0, 0, 0],          // beyond four bytes of length
            &[0x04, 0x84, 0xff, 0xff, 0xff, 0xff], // beyond the input
            &[0x1f, 0x81, 0x01, 0x00],             // a tag number of several bytes
        ] {
            assert_eq!(
                Walk::only(bad, Tag::OctetString, "x").map(|e| e.body),
                Err(NotDer { field: "x" }),
                "{bad:02x?}"
            );
        }
    }

    #[test]
    fn sets_ascend() {
        let set = |bytes: &'static [u8]| Walk::new(bytes).set_of(3, "x").map(|elements| elements.len());
        assert_eq!(set(&[2, 1, 1, 2, 1, 2]), Ok(2));
        assert_eq!(set(&[2, 1, 2, 2, 1, 1]), Err(NotDer { field: "x" }), "descending");
        assert_eq!(set(&[2, 1, 1, 2, 1, 1]), Err(NotDer { field: "x" }), "equal");
        assert_eq!(set(&[]), Err(NotDer { field: "x" }), "empty");
        assert_eq!(set(&[2, 1, 1, 2, 1, 2, 2, 1, 3, 2, 1, 4]), Err(NotDer { field: "x" }), "too many");
    }

    #[test]
    fn unknown_values_are_checked_to_the_bottom() {
        let check = |bytes: &[u8]| {
            let mut walk = Walk::new(bytes);
            walk.next("x").and_then(|element| well_formed(element, "x"))
        };
        assert_eq!(check(&[0x30, 0x03, 0x01, 0x01, 0xff]), Ok(()));
        assert_eq!(check(&[0x30, 0x03, 0x01, 0x01, 0x01]), Err(NotDer { field: "x" }), "BOOLEAN 1");
        assert_eq!(
            check(&[0x30, 0x04, 0x02, 0x02, 0x00, 0x01]),
            Err(NotDer { field: "x" }),
            "padded INTEGER"
        );
        assert_eq!(check(&[0x30, 0x02, 0x02, 0x00]), Err(NotDer { field: "x" }), "empty INTEGER");
        assert_eq!(check(&[0x30, 0x03, 0x05, 0x01, 0x00]), Err(NotDer { field: "x" }), "NULL with a value");
        assert_eq!(check(&[0x30, 0x03, 0x0c, 0x01, 0xff]), Err(NotDer { field: "x" }), "not UTF-8");
        assert_eq!(check(&[0x06, 0x03, 0x2a, 0x81, 0x00]), Ok(()), "an arc of two octets");
        assert_eq!(check(&[0x06, 0x03, 0x2a, 0x80, 0x01]), Err(NotDer { field: "x" }), "padded arc");
        assert_eq!(check(&[0x06, 0x02, 0x2a, 0x81]), Err(NotDer { field: "x" }), "arc without end");
        assert_eq!(check(&[0x06, 0x00]), Err(NotDer { field: "x" }), "no arc");
        let mut deep = vec![0x05, 0x00];
        for _ in 0..DEEPEST {
            let mut outer = vec![0x30, u8::try_from(deep.len()).unwrap()];
            outer.append(&mut deep);
            deep = outer;
        }
        assert_eq!(check(&deep), Err(NotDer { field: "x" }), "too deep");
        assert_eq!(check(&deep[2..]), Ok(()), "one level less");
    }
}
