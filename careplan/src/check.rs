//! The checks of one file: its name, its characters, its CSV, its records.
//!
//! The rules stand in order of precedence: a file that fails one of the first five gets no findings of later
//! rules, since they would only be echoes of the first, and a record that fails `FIELD_COUNT` none about its items.
//!
//! | rule | fails when |
//! |---|---|
//! | `FILE_NAME` | the name does not parse, or lacks service kinds from 2025-04 on; a warning where only the case of `.CSV` is wrong |
//! | `FILE_KIND` | the name is built like the standard's, but has an unknown prefix |
//! | `ENCODING` | BOM, UTF-8, bytes that are no MS932 character, user-defined characters |
//! | `CSV_SYNTAX` | misplaced or unclosed quotes, NUL, a CR alone outside quotes |
//! | `EMPTY_FILE` | no record |
//! | `FIELD_COUNT` | a record has not as many items as the layout of its edition |
//! | `REQUIRED`, `TYPE`, `LENGTH`, `RANGE`, `CODE` | a value is not what the layout says; the first of them for each item |
//! | `VERSION`, `VERSION_MIXED` | item 1 is no known version, not that of the service month, or not the same in all records |
//! | `MONTH_MISMATCH`, `MONTH_MIXED` | a record's month is not the name's, or not the same in all records |
//! | `OFFICE_MISMATCH` | plan office or provider is not the sender or recipient of the name; a warning in preventive care |
//! | `MISDIRECTED` | a user of a slip has no service at the recipient; a warning in table 2 |
//! | `OUT_OF_SCOPE`, `CHECK_DIGIT` | warnings about service kinds and office numbers |
//! | `IMAGE` | the image is no JPEG |
//!
//! A wrong version, month or office that stands in many records one below the other is told once. What several files
//! must agree about is checked by [`check_parcel`](crate::parcel::check_parcel).
//!
//! CRLF, LF and a missing line end at the end of the file are all clean; a header row is not.

mod content;
mod csv;

mod image;
mod item;
mod message;
mod month;
mod name;
mod offices;
mod record;
pub(crate) mod shape;
mod sink;
mod users;
mod version;

use crate::file_name::FileName;
use crate::finding::Findings;
use crate::severity::Severities;

pub(crate) use message::Message;
pub(crate) use sink::{Place, Sink};
pub(crate) use users::{UserKey, misdirected};

/// Checks one file that claims to be a standard file ([`looks_standard`](crate::file_name::looks_standard)), with the
/// standard's severities.
///
/// `name` is the file's name without folders. Takes time linear in the size of `bytes`, and memory bounded by the
/// number of findings plus, for slips, less than the size of `bytes` for the users in them; never panics, whatever the
/// bytes.
pub fn check_file(name: &str, bytes: &[u8]) -> Findings {
    check_file_with(name, bytes, &Severities::default())
}

/// Checks one file as [`check_file`] does, with severities that may be stricter.
pub fn check_file_with(name: &str, bytes: &[u8], severities: &Severities) -> Findings {
    let mut sink = Sink::new(name, severities);
    check_into(&mut sink, bytes);
    sink.into_findings()
}

/// What the check of a file's own name and content came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Checked {
    /// The name, where it parses.
    pub(crate) name: Option<FileName>,
    /// Whether later rules may speak of the file: none of the first five has failed.
    pub(crate) readable: bool,
}

pub(crate) fn check_into(sink: &mut Sink<'_>, bytes: &[u8]) -> Checked {
    let Some(name) = name::check(sink) else { return Checked { name: None, readable: false } };
    let readable = if name.kind.is_image() {
        image::check(sink, &name, bytes)
    } else {
        content::check(sink, &name, bytes) && csv::check(sink, &name, bytes)
    };
    Checked { name: Some(name), readable }
}
