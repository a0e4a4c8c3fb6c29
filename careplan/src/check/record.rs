//! The items of one record after the other, and what they say beside their own values.

use super::month::Months;
use super::offices::Offices;
use super::users::Users;
use super::version::Versions;
use super::{Message, Place, Sink, item};
use crate::file_name::FileName;
use crate::finding::RuleId;
use crate::judge::{ItemFault, judge};
use crate::layout::{Layout, VERSION};
use crate::records::Record;

/// Checks the records of one file in their order.
pub(super) struct RecordCheck<'a> {
    bytes: &'a [u8],
    versions: Versions<'a>,
    months: Months<'a>,
    offices: Offices<'a>,
    users: Users,
    is_first: bool,
}

impl<'a> RecordCheck<'a> {
    pub(super) fn of(name: &'a FileName, bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            versions: Versions::of(name),
            months: Months::of(name),
            offices: Offices::of(name),
            users: Users::of(name),
            is_first: true,
        }
    }

    /// A record whose items nobody can tell apart.
    pub(super) fn skip(&mut self) {
        self.is_first = false;
        self.users.miss_one();
    }

    /// Checks one record that has as many items as `layout`.
    pub(super) fn check(&mut self, sink: &mut Sink<'_>, layout: &'static Layout, record: &Record<'_>) {
        if std::mem::take(&mut self.is_first) && self.is_header(record) {
            sink.error(RuleId::Type, Place::item(record.line, layout, VERSION), header_row);
            return;
        }
        for (at, (item, value)) in layout.items.iter().zip(record.items).enumerate() {
            if let Some(fault) = judge(item, value.of(self.bytes)) {
                // Any six digits may be a version; whether they are one is VERSION's to say.
                if at != VERSION || fault != ItemFault::Range {
                    let value = value.of(self.bytes);
                    item::tell(sink, Place::item(record.line, layout, at), layout, item, value, fault);
                }
            }
        }
        let values = Values { bytes: self.bytes, record, layout };
        self.versions.check(sink, &values);
        self.months.check(sink, &values);
        self.offices.check(sink, &values);
        self.users.check(&values);
    }

    pub(super) fn finish(self, sink: &mut Sink<'_>) {
        self.users.finish(sink);
    }

    /// A header row has names where records have numbers.
    fn is_header(&self, record: &Record<'_>) -> bool {
        let first = record.items.get(..3).unwrap_or_default();
        !first.is_empty()
            && first
                .iter()
                .map(|item| item.of(self.bytes))
                .all(|value| !value.is_empty() && !value.iter().any(u8::is_ascii_digit) && value.len() > 2)
    }
}

/// A record's values by their place.
pub(super) struct Values<'r, 'a> {
    bytes: &'a [u8],
    record: &'r Record<'r>,
    layout: &'static Layout,
}

impl<'a> Values<'_, 'a> {
    /// The value at this place, from 0; empty beyond the last.
    pub(super) fn at(&self, at: usize) -> &'a [u8] {
        self.record.items.get(at).map(|item| item.of(self.bytes)).unwrap_or_default()
    }

    pub(super) fn layout(&self) -> &'static Layout {
        self.layout
    }

    pub(super) fn line(&self) -> u64 {
        self.record.line
    }

    pub(super) fn place(&self, at: usize) -> Place {
        Place::item(self.record.line, self.layout, at)
    }
}

fn header_row() -> (&'static str, Message) {
    let message = Message::new(
        "見出し行があります。標準仕様のファイルはデータ行だけです。見出し行を出力しない設定にして出力し直してください。",
        "There is a header row. Files of the standard have data records only: export again without the header.",
    );
    ("header row", message)
}
