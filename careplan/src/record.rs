//! Records, read by the English names of their items, typed, and written back byte for byte.

mod value;

use std::borrow::Cow;

use crate::edition::Edition;
use crate::file_name::{FileName, FileNameError};
use crate::judge::judge;
use crate::kind::FileKind;
use crate::layout::{ItemType, Layout, LayoutItem};
use crate::ms932::{self, NotMs932};
use crate::records::{self, Records};

pub use crate::judge::ItemFault;
pub use value::Value;

/// Reads the records of one file, one after the other.
///
/// ```
/// use tasuki_careplan::record::{RecordReader, Value};
/// use tasuki_careplan::samples;
///
/// let sample = samples::of_folder("03_slip_202602_to_visit").find(|s| s.name.starts_with("UPPLAN")).unwrap();
/// let reader = RecordReader::of(sample.name, sample.bytes)?;
/// let mut copy = Vec::new();
/// for record in reader {
///     let mut record = record?;
///     assert!(matches!(record.value("service_date")?, Value::Date(date) if date.month().month() == 2));
///     record.set("equipment_name", "")?;
///     record.write_to(&mut copy);
/// }
/// assert_eq!(copy, sample.bytes);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RecordReader<'a> {
    name: FileName,
    bytes: &'a [u8],
    records: Records<'a>,
    ended: bool,
}

/// Why records can't be read. Lines count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The name is none of the standard's.
    #[error(transparent)]
    Name(#[from] FileNameError),
    /// An image has no records.
    #[error("an image has no records")]
    Image,
    /// The content is no CSV from here on.
    #[error("line {line}: no CSV")]
    Syntax {
        /// Where.
        line: u64,
    },
    /// The record has not as many items as any layout that its version and month allow.
    #[error("line {line}: {items} items, which no layout has")]
    FieldCount {
        /// Where.
        line: u64,
        /// How many items there are.
        items: u64,
    },
}

/// One record. Untouched items keep their bytes, quotes included.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    layout: &'static Layout,
    line: u64,
    raw: Vec<Cow<'a, [u8]>>,
    end: &'a [u8],
}

/// Why an item has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// The layout has no item of this name.
    #[error("the layout has no such item")]
    UnknownItem,
    /// What stands there is not what the item may hold.
    #[error("the value is not what the item may hold: {0:?}")]
    Fault(ItemFault),
}

/// Why an item can't be set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// The layout has no item of this name.
    #[error("the layout has no such item")]
    UnknownItem,
    /// The value is not what the item may hold.
    #[error("the value is not what the item may hold: {0:?}")]
    Fault(ItemFault),
    /// The value has characters that MS932 lacks; each has a finding ([`ms932::Missing::finding`]).
    #[error(transparent)]
    NotMs932(#[from] NotMs932),
}

impl<'a> RecordReader<'a> {
    /// Begins to read a file of this name.
    ///
    /// # Errors
    /// [`ReadError::Name`] and [`ReadError::Image`].
    pub fn of(name: &str, bytes: &'a [u8]) -> Result<Self, ReadError> {
        Self::with_name(FileName::parse(name)?, bytes)
    }

    /// Begins to read a file whose name is parsed already.
    ///
    /// # Errors
    /// [`ReadError::Image`].
    pub fn with_name(name: FileName, bytes: &'a [u8]) -> Result<Self, ReadError> {
        if name.kind.is_image() {
            return Err(ReadError::Image);
        }
        Ok(Self { name, bytes, records: Records::new(bytes), ended: false })
    }

    /// The file's name.
    pub fn name(&self) -> &FileName {
        &self.name
    }

    fn read(&mut self) -> Result<Option<Record<'a>>, ReadError> {
        let bytes = self.bytes;
        let record = match self.records.next() {
            Ok(Some(record)) => record,
            Ok(None) => return Ok(None),
            Err(records::SyntaxError { line, .. }) => {
                self.ended = true;
                return Err(ReadError::Syntax { line });
            }
        };
        let layout = Layout::of_record(&self.name, &record, bytes);
        let layout = layout.ok_or(ReadError::FieldCount { line: record.line, items: record.count })?;
        let raw = record.items.iter().map(|item| Cow::Borrowed(item.raw(bytes))).collect();
        let end = bytes.get(record.span.end..record.behind).unwrap_or_default();
        Ok(Some(Record { layout, line: record.line, raw, end }))
    }
}

/// The records in their order. An empty line is [`ReadError::FieldCount`]; reading goes on behind it, but ends behind
/// [`ReadError::Syntax`].
impl<'a> Iterator for RecordReader<'a> {
    type Item = Result<Record<'a>, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended { None } else { self.read().transpose() }
    }
}

impl Record<'static> {
    /// A new record of this kind and edition: only its version is filled, and it ends with CRLF. `None` for images, and
    /// for kinds that the edition has not.
    pub fn new(kind: FileKind, edition: Edition) -> Option<Self> {
        let layout = Layout::of(kind, edition)?;
        let mut raw = vec![Cow::Borrowed(&b""[..]); layout.items.len()];
        *raw.first_mut()? = Cow::Borrowed(edition.version().as_bytes());
        Some(Self { layout, line: 0, raw, end: b"\r\n" })
    }
}

impl Record<'_> {
    /// The layout that the record follows.
    pub fn layout(&self) -> &'static Layout {
        self.layout
    }

    /// The line on which it begins in its file, from 1; 0 for a new one.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The item's content as text, without quotes; what is no MS932 becomes U+FFFD. `None` for an unknown name.
    pub fn text(&self, name_en: &str) -> Option<Cow<'_, str>> {
        let (at, _) = self.layout.item(name_en)?;
        Some(decode(self.content(at)))
    }

    /// The item's typed value.
    ///
    /// # Errors
    /// The name is unknown, or what stands there is not what the layout says.
    pub fn value(&self, name_en: &str) -> Result<Value<'_>, ValueError> {
        let (at, item) = self.layout.item(name_en).ok_or(ValueError::UnknownItem)?;
        let content = self.content(at);
        match judge(item, content) {
            Some(fault) => Err(ValueError::Fault(fault)),
            None => Ok(Value::of(item, decode(content))),
        }
    }

    /// All items with their texts, in their order.
    pub fn items(&self) -> impl Iterator<Item = (&'static LayoutItem, Cow<'_, str>)> {
        self.layout.items.iter().enumerate().map(|(at, item)| (item, decode(self.content(at))))
    }

    /// Sets an item, by what [`Value`] prints. Free text is put in quotes; empty is nothing. An item that holds this
    /// already keeps its bytes.
    ///
    /// # Errors
    /// The name is unknown, the value is not what the layout says, or MS932 lacks a character of it. Nothing is changed
    /// then.
    pub fn set(&mut self, name_en: &str, value: &str) -> Result<(), SetError> {
        let (at, item) = self.layout.item(name_en).ok_or(SetError::UnknownItem)?;
        let encoded = ms932::encode(value)?;
        if let Some(fault) = judge(item, &encoded) {
            return Err(SetError::Fault(fault));
        }
        if decode(self.content(at)) != value
            && let Some(raw) = self.raw.get_mut(at)
        {
            *raw = Cow::Owned(if item.item_type == ItemType::Text { quote(&encoded) } else { encoded });
        }
        Ok(())
    }

    /// Appends the record in MS932 with the line end that it had, so that unchanged records are the same bytes again.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        for (at, raw) in self.raw.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            out.extend_from_slice(raw);
        }
        out.extend_from_slice(self.end);
    }

    /// The bytes between commas, without quotes around them.
    fn content(&self, at: usize) -> &[u8] {
        let raw = self.raw.get(at).map(Cow::as_ref).unwrap_or_default();
        raw.strip_prefix(b"\"").and_then(|raw| raw.strip_suffix(b"\"")).unwrap_or(raw)
    }
}

/// Doubled quotes become single ones.
fn decode(content: &[u8]) -> Cow<'_, str> {
    let (text, _) = encoding_rs::SHIFT_JIS.decode_without_bom_handling(content);
    if text.contains("\"\"") { Cow::Owned(text.replace("\"\"", "\"")) } else { text }
}

/// Text in quotes, with quotes inside doubled. No trail byte of MS932 is a quote.
fn quote(encoded: &[u8]) -> Vec<u8> {
    if encoded.is_empty() {
        return Vec::new();
    }
    let mut quoted = Vec::with_capacity(encoded.len() + 2);
    quoted.push(b'"');
    for &byte in encoded {
        if byte == b'"' {
            quoted.push(b'"');
        }
        quoted.push(byte);
    }
    quoted.push(b'"');
    quoted
}

#[cfg(test)]
mod tests;
