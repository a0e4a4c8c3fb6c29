//! A walk over the few XML constructs that a manifest needs; everything else is an error.
//!
//! quick-xml splits the text into events; what it lets pass and XML 1.0 does not is refused here.

use std::borrow::Cow;

use quick_xml::XmlVersion;
use quick_xml::events::attributes::Attributes as RawAttributes;
use quick_xml::events::{BytesDecl, BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};
use quick_xml::reader::NsReader;

use super::{ManifestError, NS_ASIC, NS_DS, XmlError};

/// The elements of the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    Manifest,
    SigReference,
    DataObjectReference,
    DigestMethod,
    DigestValue,
    ObjectExtensions,
    ManifestExtensions,
}

impl Element {
    fn named(namespace: &str, local: &str) -> Option<Self> {
        match (namespace, local) {
            (NS_ASIC, "ASiCManifest") => Some(Self::Manifest),
            (NS_ASIC, "SigReference") => Some(Self::SigReference),
            (NS_ASIC, "DataObjectReference") => Some(Self::DataObjectReference),
            (NS_ASIC, "DataObjectReferenceExtensions") => Some(Self::ObjectExtensions),
            (NS_ASIC, "ASiCManifestExtensions") => Some(Self::ManifestExtensions),
            (NS_DS, "DigestMethod") => Some(Self::DigestMethod),
            (NS_DS, "DigestValue") => Some(Self::DigestValue),
            _ => None,
        }
    }
}

/// What comes next, blanks between elements left out.
pub(super) enum Step<'x> {
    /// A start tag whose attributes [`Attributes::take`] still has to check; an empty-element tag counts as a start and an end tag.
    Open(Element, Attributes<'x>),
    /// An end tag, which matches its start tag.
    Close,
    /// The end of the document.
    End,
}

/// Goes through the document once.
pub(super) struct Walker<'x> {
    reader: NsReader<&'x [u8]>,
}

impl<'x> Walker<'x> {
    /// Checks encoding and characters of the whole document, and its XML declaration if it has one.
    pub(super) fn start(bytes: &'x [u8]) -> Result<Self, ManifestError> {
        let at_start = |reason| ManifestError::Malformed { offset: 0, reason };
        let text = std::str::from_utf8(bytes).map_err(|_| at_start(XmlError::Encoding))?;
        if text.starts_with('\u{feff}') {
            return Err(at_start(XmlError::Encoding));
        }
        if text.chars().any(|c| !is_xml_char(c)) {
            return Err(at_start(XmlError::Character));
        }
        let mut reader = NsReader::from_str(text);
        reader.config_mut().enable_all_checks(true);
        reader.config_mut().expand_empty_elements = true;
        let mut walker = Self { reader };
        if text.starts_with("<?xml") {
            walker.declaration()?;
        }
        Ok(walker)
    }

    /// Bytes read so far.
    pub(super) fn offset(&self) -> u64 {
        self.reader.buffer_position()
    }

    pub(super) fn malformed(&self, reason: XmlError) -> ManifestError {
        ManifestError::Malformed { offset: self.offset(), reason }
    }

    fn declaration(&mut self) -> Result<(), ManifestError> {
        match self.reader.read_event() {
            Ok(Event::Decl(declaration)) if is_plain_declaration(&declaration) => Ok(()),
            _ => Err(self.malformed(XmlError::Declaration)),
        }
    }

    /// The next tag; text other than blanks is an error.
    pub(super) fn next(&mut self) -> Result<Step<'x>, ManifestError> {
        loop {
            let reason = match self.reader.read_event() {
                Ok(Event::Start(start)) => return self.started(start),
                Ok(Event::End(_)) => return Ok(Step::Close),
                Ok(Event::Text(text)) if text.bytes().all(is_blank) => continue,
                Ok(Event::Eof) => return Ok(Step::End),
                Ok(other) => misplaced(&other),
                Err(_) => XmlError::Syntax,
            };
            return Err(self.malformed(reason));
        }
    }

    fn started(&mut self, start: BytesStart<'x>) -> Result<Step<'x>, ManifestError> {
        let element = match self.reader.resolver().resolve_element(start.name()) {
            (ResolveResult::Bound(Namespace(namespace)), local) => Element::named(namespace, local.as_ref()),
            _ => None,
        };
        match element {
            Some(element) => Ok(Step::Open(element, Attributes { start })),
            None => Err(self.malformed(XmlError::Element)),
        }
    }

    /// The start tag of `element`, and nothing else.
    pub(super) fn open(&mut self, element: Element) -> Result<Attributes<'x>, ManifestError> {
        match self.next()? {
            Step::Open(found, attributes) if found == element => Ok(attributes),
            Step::Open(..) => Err(self.malformed(XmlError::Element)),
            Step::Close | Step::End => Err(self.malformed(XmlError::MissingElement)),
        }
    }

    /// The end tag, with nothing but blanks before it.
    pub(super) fn close(&mut self) -> Result<(), ManifestError> {
        match self.next()? {
            Step::Close => Ok(()),
            Step::Open(..) | Step::End => Err(self.malformed(XmlError::Element)),
        }
    }

    /// Text without references up to the end tag.
    pub(super) fn text(&mut self) -> Result<Cow<'x, str>, ManifestError> {
        let text = match self.reader.read_event() {
            Ok(Event::Text(text)) => text.into_inner(),
            Ok(Event::End(_)) => return Ok(Cow::Borrowed("")),
            Ok(other) => return Err(self.malformed(misplaced(&other))),
            Err(_) => return Err(self.malformed(XmlError::Syntax)),
        };
        match self.reader.read_event() {
            Ok(Event::End(_)) => Ok(text),
            Ok(other) => Err(self.malformed(misplaced(&other))),
            Err(_) => Err(self.malformed(XmlError::Syntax)),
        }
    }

    /// Nothing but blanks follows the root element.
    pub(super) fn finish(&mut self) -> Result<(), ManifestError> {
        match self.next()? {
            Step::End => Ok(()),
            Step::Open(..) | Step::Close => Err(self.malformed(XmlError::Syntax)),
        }
    }
}

/// The attributes of one start tag, not yet looked at.
pub(super) struct Attributes<'x> {
    start: BytesStart<'x>,
}

impl Attributes<'_> {
    /// The values of the attributes `names`, each if present; any other is an error, but namespace declarations.
    pub(super) fn take<const N: usize>(
        self,
        walker: &Walker<'_>,
        names: [&str; N],
    ) -> Result<[Option<Cow<'static, str>>; N], ManifestError> {
        let mut values = [const { None }; N];
        if !separated(self.start.attributes_raw()) {
            return Err(walker.malformed(XmlError::Syntax));
        }
        for attribute in self.start.attributes() {
            let attribute = attribute.map_err(|_| walker.malformed(XmlError::Syntax))?;
            if attribute.value.contains('<') {
                return Err(walker.malformed(XmlError::Syntax));
            }
            let name = attribute.key.as_ref();
            if is_namespace_declaration(name, &attribute.value) {
                continue;
            }
            let wanted = names.iter().position(|wanted| *wanted == name);
            let slot = wanted.ok_or_else(|| walker.malformed(XmlError::Attribute))?;
            let value = attribute
                .normalized_value(XmlVersion::Explicit1_0)
                .map_err(|_| walker.malformed(XmlError::Syntax))?;
            // A character reference may name what may not stand as itself.
            if value.chars().any(|c| !is_xml_char(c)) {
                return Err(walker.malformed(XmlError::Character));
            }
            values[slot] = Some(Cow::Owned(value.into_owned()));
        }
        Ok(values)
    }
}

/// `xmlns="…"` or `xmlns:prefix="…"`, the latter not empty (Namespaces in XML 1.0, 2.2).
fn is_namespace_declaration(name: &str, value: &str) -> bool {
    match name.split_once(':') {
        Some(("xmlns", prefix)) => is_ascii_name(prefix) && !value.is_empty(),
        Some(_) => false,
        None => name == "xmlns",
    }
}

/// Whether blanks stand before each attribute: quick-xml reads `a="1"b="2"` as two, XML does not.
fn separated(mut raw: &str) -> bool {
    while let Some(start) = raw.find(['"', '\'']) {
        let quote = char::from(raw.as_bytes()[start]);
        let Some(length) = raw[start + 1..].find(quote) else { return false };
        raw = &raw[start + 1 + length + 1..];
        if !raw.is_empty() && !raw.starts_with([' ', '\t', '\r', '\n']) {
            return false;
        }
    }
    true
}

/// Version 1.0, then UTF-8 if an encoding is named, then `standalone` if named, and nothing else.
fn is_plain_declaration(declaration: &BytesDecl<'_>) -> bool {
    let Some(raw) = declaration.strip_prefix("xml") else { return false };
    if !separated(raw) {
        return false;
    }
    let mut rank = 0;
    for attribute in RawAttributes::new(raw, 0) {
        let Ok(attribute) = attribute else { return false };
        let here = match (attribute.key.as_ref(), &*attribute.value) {
            ("version", "1.0") => 1,
            ("encoding", value) if value.eq_ignore_ascii_case("utf-8") => 2,
            ("standalone", "yes" | "no") => 3,
            _ => return false,
        };
        if here <= rank || (rank == 0 && here != 1) {
            return false;
        }
        rank = here;
    }
    rank > 0
}

/// Why an event may not stand where it stands.
fn misplaced(event: &Event<'_>) -> XmlError {
    match event {
        Event::DocType(_) => XmlError::Dtd,
        Event::Comment(_) | Event::PI(_) | Event::CData(_) => XmlError::Markup,
        Event::Decl(_) => XmlError::Declaration,
        Event::Text(_) | Event::GeneralRef(_) => XmlError::Text,
        Event::Start(_) | Event::Empty(_) => XmlError::Element,
        Event::End(_) | Event::Eof => XmlError::Syntax,
    }
}

/// `Char` of XML 1.0, 2.2.
fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// A namespace prefix: the ASCII part of `NCName`, which every writer keeps to.
fn is_ascii_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}
