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
use crate::records::{Item, REMEMBERED_ITEMS, Record};

/// Checks the records of one file in their order.
pub(super) struct RecordCheck<'a> {
    bytes: &'a [u8],
    versions: Versions<'a>,
    months: Months<'a>,
    offices: Offices<'a>,
    users: Users<'a>,
    last: LastRight,
    is_first: bool,
}

impl<'a> RecordCheck<'a> {
    pub(super) fn of(name: &'a FileName, bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            versions: Versions::of(name),
            months: Months::of(name),
            offices: Offices::of(name),
            users: Users::of(name, bytes),
            last: LastRight::new(),
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
        let changed = self.check_items(sink, layout, record);
        let values = Values { bytes: self.bytes, record, layout, changed };
        self.versions.check(sink, &values);
        self.months.check(sink, &values);
        self.offices.check(sink, &values);
        self.users.check(&values);
    }

    /// Judges every item; gives which of them are not what they were in the record before, as bits.
    fn check_items(&mut self, sink: &mut Sink<'_>, layout: &'static Layout, record: &Record<'_>) -> u128 {
        self.last.follow(layout);
        let mut changed = 0;
        let items = layout.glances.iter().zip(record.items).zip(&mut self.last.words).enumerate();
        for (at, ((glance, item), last)) in items {
            let words = if item.start == item.end {
                if !glance.required && *last == EMPTY {
                    continue;
                }
                EMPTY
            } else if glance.text {
                continue;
            } else {
                words_of(self.bytes, *item)
            };
            if words == *last && words != UNKNOWN && words != EMPTY {
                continue;
            }
            changed |= 1 << at;
            *last = UNKNOWN;
            let value = item.of(self.bytes);
            let Some(spec) = layout.items.get(at) else { break };
            match judge(spec, value) {
                None => *last = words,
                // Any six digits may be a version; whether they are one is VERSION's to say.
                Some(ItemFault::Range) if at == VERSION => {}
                Some(fault) => {
                    item::tell(sink, Place::item(record.line, layout, at), layout, spec, value, fault);
                }
            }
        }
        changed
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

/// The value of each item in the record before, as words, where it was right: most items are as they were there, and need
/// not be judged again.
struct LastRight {
    layout: Option<&'static Layout>,
    words: [[u64; 2]; REMEMBERED_ITEMS],
}

impl LastRight {
    fn new() -> Self {
        Self { layout: None, words: [UNKNOWN; REMEMBERED_ITEMS] }
    }

    /// What was right for another layout says nothing.
    fn follow(&mut self, layout: &'static Layout) {
        if !self.layout.is_some_and(|last| std::ptr::eq(last, layout)) {
            *self = Self { layout: Some(layout), ..Self::new() };
        }
    }
}

/// No value.
const EMPTY: [u64; 2] = [0; 2];
/// A value that was wrong, or is not looked at in words. FF begins no character, so no right value is this.
const UNKNOWN: [u64; 2] = [u64::MAX; 2];

/// A value of 1 to 16 bytes as two words, filled up with zeros, which no value holds; [`UNKNOWN`] for longer ones, and at the
/// very end of the bytes.
fn words_of(bytes: &[u8], item: Item) -> [u64; 2] {
    let word =
        |at: usize| bytes.get(at..).and_then(<[u8]>::first_chunk).map(|eight| u64::from_le_bytes(*eight));
    let first_of = |len: usize| u64::MAX >> (64 - 8 * len);
    match item.end - item.start {
        len @ 1..=8 => word(item.start).map_or(UNKNOWN, |first| [first & first_of(len), 0]),
        len @ 9..=16 => match (word(item.start), word(item.start + 8)) {
            (Some(first), Some(rest)) => [first, rest & first_of(len - 8)],
            _ => UNKNOWN,
        },
        _ => UNKNOWN,
    }
}

/// A record's values by their place.
pub(super) struct Values<'r, 'a> {
    bytes: &'a [u8],
    record: &'r Record<'r>,
    layout: &'static Layout,
    changed: u128,
}

impl<'a> Values<'_, 'a> {
    /// The value at this place, from 0; empty beyond the last.
    pub(super) fn at(&self, at: usize) -> &'a [u8] {
        self.record.items.get(at).map(|item| item.of(self.bytes)).unwrap_or_default()
    }

    /// Whether the value may be another than in the record before. Not to be asked of free text.
    pub(super) fn is_new(&self, at: usize) -> bool {
        self.changed >> at & 1 == 1
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
