//! From the one-file form to files.

use std::collections::BTreeMap;

use super::{COLUMNS, OneFileName, Party};
use crate::check::{Message, Place, Sink, shape};
use crate::file::OwnedFile;
use crate::file_name::{FileName, MonthField};
use crate::finding::{Findings, RuleId};
use crate::kind::FileKind;
use crate::layout::Layout;
use crate::records::{Record, Records};
use crate::severity::Severities;

/// Splits a file in the one-file form into the standard's files, by name, each with CRLF.
///
/// Every record is given back byte for byte. What the records hold is not checked here: check the files that come out.
/// Takes time and memory linear in the size of `bytes`.
///
/// # Errors
/// What keeps the file from being split, as findings: `FILE_NAME`, `CSV_SYNTAX`, `EMPTY_FILE`, `FIELD_COUNT` (no layout has
/// so many items, after the three columns), `FILE_KIND` (column 1), `OFFICE_MISMATCH` (column 2 is not the sender of the
/// name, or columns 2 and 3 are no offices), `MONTH_MISMATCH` (no month in a record that needs one).
///
/// ```
/// use tasuki_careplan::file::SourceFile;
/// use tasuki_careplan::{one_file, samples};
///
/// let files: Vec<_> = samples::of_folder("03_slip_202602_to_visit")
///     .map(|sample| SourceFile { name: sample.name, bytes: sample.bytes })
///     .collect();
/// let joined = one_file::join(&files)?.files.remove(0);
/// assert_eq!(joined.name, "CAREPLAN_1371215102_20260125103000.CSV");
/// let split = one_file::split(&joined.name, &joined.bytes).expect("joined files can be split");
/// assert!(split.iter().all(|file| files.contains(&file.as_source())));
/// # Ok::<(), one_file::JoinError>(())
/// ```
pub fn split(name: &str, bytes: &[u8]) -> Result<Vec<OwnedFile>, Findings> {
    let severities = Severities::default();
    let mut sink = Sink::new(name, &severities);
    let Ok(whole) = name.parse::<OneFileName>() else {
        sink.error(RuleId::FileName, Place::FILE, || (shape::of_name(name), wrong_name()));
        return Err(sink.into_findings());
    };
    let mut files: BTreeMap<FileName, Vec<u8>> = BTreeMap::new();
    let mut records = Records::new(bytes);
    loop {
        match records.next() {
            Ok(Some(record)) => {
                if let Some((name, content)) = take(&mut sink, whole, &record, bytes) {
                    let out = files.entry(name).or_default();
                    out.extend_from_slice(content);
                    out.extend_from_slice(b"\r\n");
                }
            }
            Ok(None) => break,
            Err(error) => {
                let mut sink = Sink::new(name, &severities);
                let place = Place { item: Some(error.item), ..Place::line(error.line) };
                sink.error(RuleId::CsvSyntax, place, || ("no CSV", no_csv()));
                return Err(sink.into_findings());
            }
        }
    }
    let findings = sink.into_findings();
    if findings.has_errors() {
        return Err(findings);
    }
    if files.is_empty() {
        let mut sink = Sink::new(name, &severities);
        sink.error(RuleId::EmptyFile, Place::FILE, || ("0 bytes", empty()));
        return Err(sink.into_findings());
    }
    Ok(files.into_iter().map(|(name, bytes)| OwnedFile { name: name.to_string(), bytes }).collect())
}

/// The file that a record belongs to, and the record itself.
fn take<'a>(
    sink: &mut Sink<'_>,
    whole: OneFileName,
    record: &Record<'_>,
    bytes: &'a [u8],
) -> Option<(FileName, &'a [u8])> {
    let item = |at: usize| record.items.get(at).map(|item| item.of(bytes)).unwrap_or_default();
    let column = |number: u64| Place { item: Some(number), ..Place::line(record.line) };
    let kind = std::str::from_utf8(item(0)).ok().and_then(FileKind::from_prefix);
    let Some(kind) = kind.filter(|kind| !kind.is_image()) else {
        sink.error(RuleId::FileKind, column(1), || (shape::of_value(item(0)), wrong_kind()));
        return None;
    };
    let (sender, recipient) = (Party::of(item(1)), Party::of(item(2)));
    let (Some(sender), Some(recipient)) = (sender.filter(|sender| sender.office == whole.sender), recipient)
    else {
        let number = if sender.is_none_or(|sender| sender.office != whole.sender) { 2 } else { 3 };
        sink.error(RuleId::OfficeMismatch, column(number), || {
            (shape::of_value(item(if number == 2 { 1 } else { 2 })), wrong_office())
        });
        return None;
    };
    let layouts = Layout::for_version(kind, item(COLUMNS), None);
    let count = record.count.saturating_sub(COLUMNS as u64);
    let Some(layout) = layouts.into_iter().find(|layout| layout.items.len() as u64 == count) else {
        sink.error(RuleId::FieldCount, Place::line(record.line), || {
            (format!("{count} items behind the three columns"), wrong_count(kind))
        });
        return None;
    };
    let month = layout.roles.month.map(|at| (at, month_of(kind, item(COLUMNS + at))));
    if let Some((at, None)) = month {
        let place = Place { item: Some((COLUMNS + at) as u64 + 1), ..Place::line(record.line) };
        sink.error(RuleId::MonthMismatch, place, || (shape::of_value(item(COLUMNS + at)), no_month()));
        return None;
    }
    let name = FileName {
        kind,
        month: month.and_then(|(_, month)| month),
        sender: sender.office,
        sender_service: sender.service,
        recipient: recipient.office,
        recipient_service: recipient.service,
        serial: whole.serial,
        branch: None,
    };
    // A name of edition 3.2 for a file that came later would not parse.
    if FileName::parse(&name.to_string()) != Ok(name) {
        sink.error(RuleId::OfficeMismatch, column(2), || ("no service kind", wrong_office()));
        return None;
    }
    let first = record.items.get(COLUMNS)?;
    let quoted = first.raw(bytes).len() > first.of(bytes).len();
    Some((name, bytes.get(first.start - usize::from(quoted)..record.span.end)?))
}

fn month_of(kind: FileKind, value: &[u8]) -> Option<MonthField> {
    if kind == FileKind::Uphosoku && value == b"000000" {
        return Some(MonthField::PlanDocuments);
    }
    crate::calendar::month_of(value).map(MonthField::Month)
}

fn wrong_name() -> Message {
    Message::new(
        "一括ファイルの名前が正しくありません。正しい形は CAREPLAN_{from:10}_{serial:14}.CSV です。",
        "The name is not right. The right form is CAREPLAN_{from:10}_{serial:14}.CSV.",
    )
}

fn no_csv() -> Message {
    Message::new(
        "CSVの形式が崩れています（引用符、NUL、CRだけの改行）。出力し直してください。",
        "The file is no CSV from here on (quotes, NUL, CR alone). Export it again.",
    )
}

fn empty() -> Message {
    Message::new(
        "ファイルに内容がありません。出力し直してください。",
        "The file has no content: export it again.",
    )
}

fn wrong_kind() -> Message {
    let prefixes: Vec<&str> =
        FileKind::ALL.iter().filter(|kind| !kind.is_image()).map(|kind| kind.prefix()).collect();
    let prefixes = prefixes.join(", ");
    Message::new(
        format!("1列目のファイル種別が標準仕様にありません。種別：{prefixes}"),
        format!("Column 1 is no file type of the standard. Types: {prefixes}."),
    )
}

fn wrong_office() -> Message {
    Message::new(
        "2列目（送信元）はファイル名の事業所、3列目は送信先で、形は NNNNNNNNNN_KK（事業所番号_サービス種類）です。3.2版だけサービス種類が空です。",
        "Column 2 is the sender of the file name and column 3 the recipient, as NNNNNNNNNN_KK (office number, service kind). \
         Only for edition 3.2 the kind is empty.",
    )
}

fn wrong_count(kind: FileKind) -> Message {
    let counts: Vec<String> = Layout::all_of(kind).map(|layout| layout.items.len().to_string()).collect();
    let counts = counts.join("/");
    Message::new(
        format!("項目数が違います。{kind}は先頭の3列の後に{counts}項目です。"),
        format!("Wrong number of items: {kind} has {counts} behind the three columns."),
    )
}

fn no_month() -> Message {
    Message::new(
        "サービス提供年月がないため、どのファイルの行か分かりません。YYYYMMで出力し直してください。",
        "Without a service month (YYYYMM) nobody can tell which file the record belongs to: export again.",
    )
}
