//! `CSV_SYNTAX`, `EMPTY_FILE` and `FIELD_COUNT`, and the way to the records.

use super::record::RecordCheck;
use super::{Message, Place, Sink, offices};
use crate::file_name::{FileName, MonthField};
use crate::finding::RuleId;
use crate::layout::Layout;
use crate::records::{Record, Records, SyntaxError, SyntaxFault};

/// Walks the records once. Items are judged on the way, but told only when the file is CSV to its end; gives whether it is,
/// and has records.
pub(super) fn check(sink: &mut Sink<'_>, name: &FileName, bytes: &[u8]) -> bool {
    let mut of_records = sink.clone();
    offices::check_name(&mut of_records, name);
    let mut record_check = RecordCheck::of(name, bytes);
    let mut records = Records::new(bytes);
    let mut layouts = KnownLayouts { name, bytes, version: b"", layouts: Vec::new() };
    let mut has_record = false;
    loop {
        match records.next() {
            Ok(Some(record)) => {
                has_record |= !record.blank;
                let layouts = layouts.for_record(&record);
                let layout = layouts.iter().find(|layout| layout.items.len() as u64 == record.count);
                if let Some(layout) = layout {
                    record_check.check(&mut of_records, layout, &record);
                } else {
                    record_check.skip();
                    let place = Place::line(record.line);
                    of_records.error(RuleId::FieldCount, place, || field_count(layouts, &record));
                }
            }
            Ok(None) => break,
            Err(error) => {
                // Which item it is in the layout is uncertain behind a misplaced quote, so only the number is told.
                let place = Place { item: Some(error.item), ..Place::line(error.line) };
                sink.error(RuleId::CsvSyntax, place, || csv_syntax(error));
                return false;
            }
        }
    }
    if has_record {
        record_check.finish(&mut of_records);
        *sink = of_records;
    } else {
        empty_file(sink, bytes);
    }
    has_record
}

/// Remembers the layouts of the last version value: a file has one.
struct KnownLayouts<'a> {
    name: &'a FileName,
    bytes: &'a [u8],
    version: &'a [u8],
    layouts: Vec<&'static Layout>,
}

impl KnownLayouts<'_> {
    fn for_record(&mut self, record: &Record<'_>) -> &[&'static Layout] {
        let version = record.items.first().map(|item| item.of(self.bytes)).unwrap_or_default();
        if self.layouts.is_empty() || self.version != version {
            self.version = version;
            let month = self.name.month.and_then(MonthField::month);
            self.layouts = Layout::for_version(self.name.kind, version, month);
        }
        &self.layouts
    }
}

/// The finding of a file without a record.
pub(super) fn empty_file(sink: &mut Sink<'_>, bytes: &[u8]) {
    sink.error(RuleId::EmptyFile, Place::FILE, || {
        let shape = if bytes.is_empty() { "0 bytes" } else { "line ends only" };
        let message = Message::new(
            "ファイルに内容がありません。対象の利用者がいることを確かめて出力し直すか、このファイルを送らないでください。",
            "The file has no content. Check that there are users to export and export again, or do not send this file.",
        );
        (shape, message)
    });
}

fn field_count(layouts: &[&Layout], record: &Record<'_>) -> (String, Message) {
    let message = if record.blank {
        Message::new(
            "空行があります。空行を取り除くか、出力し直してください。",
            "The line is empty. Remove it, or export the file again.",
        )
    } else {
        let prefix = layouts.first().map_or("", |layout| layout.kind.prefix());
        let list = |one: &dyn Fn(&Layout) -> String, or: &str| {
            layouts.iter().map(|layout| one(layout)).collect::<Vec<_>>().join(or)
        };
        let ja = list(&|layout| format!("{}項目（{}版）", layout.items.len(), layout.edition), "または");
        let en = list(&|layout| format!("{} (edition {})", layout.items.len(), layout.edition), " or ");
        Message::new(
            format!(
                "項目数が違います。{prefix}の1行は{ja}ですが、この行は{}項目です。見出し行や余分なカンマがないか、CSVバージョンと版が合っているか確かめて出力し直してください。",
                record.count
            ),
            format!(
                "Wrong number of items: a line of {prefix} has {en}, this one has {}. Check for a header row or surplus \
                 commas, and that the CSV version is that of the edition; then export again.",
                record.count
            ),
        )
    };
    let shape = match record.count {
        _ if record.blank => "empty line".to_owned(),
        1 => "1 item".to_owned(),
        count => format!("{count} items"),
    };
    (shape, message)
}

fn csv_syntax(error: SyntaxError) -> (&'static str, Message) {
    let (shape, ja, en) = match error.fault {
        SyntaxFault::QuoteInBareItem => (
            "quote inside an item without quotes",
            "引用符（\"）が項目の途中にあります。文字列の項目は引用符で囲み、中の引用符は2つ重ねて出力し直してください。",
            "A quote stands inside an item that does not begin with one. Export again with text items in quotes and \
             quotes inside them doubled.",
        ),
        SyntaxFault::TextAfterQuote => (
            "text behind a closing quote",
            "閉じる引用符（\"）の後に文字があります。項目の中の引用符は2つ重ねて出力し直してください。",
            "There is text behind a closing quote. Export again with quotes inside items doubled.",
        ),
        SyntaxFault::UnclosedQuote => (
            "quote that is never closed",
            "引用符（\"）が閉じられていません。ファイルが途中で切れていないか確かめて出力し直してください。",
            "A quote is never closed. Check whether the file was cut off, and export again.",
        ),
        SyntaxFault::Nul => (
            "NUL byte",
            "NUL（00）のバイトがあります。ファイルが壊れているか、文字コードがUTF-16です。MS932で出力し直してください。",
            "There is a NUL byte: the file is damaged, or in UTF-16. Export it again in MS932.",
        ),
        SyntaxFault::LoneCr => (
            "CR without LF",
            "改行がCRだけです。改行をCRLFにして出力し直してください。",
            "A CR stands without LF. Export again with CRLF as line end.",
        ),
    };
    (shape, Message::new(ja, en))
}
