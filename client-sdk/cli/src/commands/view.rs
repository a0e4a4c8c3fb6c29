//! `tasuki view`: a file as people can read it. What tells who somebody is, is masked unless it is asked for.

use std::io::Read as _;

use serde::Serialize;
use tasuki_careplan::file_name::FileName;
use tasuki_careplan::layout::{ItemType, LayoutItem};
use tasuki_careplan::record::{ReadError, Record, RecordReader};
use tasuki_proto::limits::MAX_FILE_BYTES;
use tasuki_sdk::SdkError;

use crate::args::View;
use crate::exit::{Exit, Failure};
use crate::lang::{Lang, Text};
use crate::output::Output;
use crate::table::{Table, shown};

/// Items in 英数 that name no person: offices, services, equipment, days.
const OPEN: [&str; 7] =
    ["office_no", "insurer_no", "service_code", "tais_code", "reg_code", "branch_no", "proration_days"];

/// A record.
#[derive(Serialize)]
struct RecordObject<'a> {
    file: &'a str,
    kind: &'static str,
    /// The edition that its layout is from.
    layout: &'static str,
    line: u64,
    items: Vec<ItemObject<'a>>,
}

#[derive(Serialize)]
struct ItemObject<'a> {
    item: usize,
    name_ja: &'static str,
    name_en: &'static str,
    /// Null where it is masked.
    value: Option<&'a str>,
    /// What the value means, where it is a code of the layout's list.
    meaning_ja: Option<&'static str>,
    masked: bool,
    /// How many characters there are.
    length: usize,
}

/// A line that is no record.
#[derive(Serialize)]
struct FaultObject<'a> {
    file: &'a str,
    line: u64,
    error: &'static str,
    message_ja: String,
    message_en: String,
}

/// `tasuki view FILE.CSV`.
pub(super) fn view(args: &View, out: &mut Output) -> Result<Exit, Failure> {
    let io = |error: &std::io::Error| SdkError::Io {
        path: args.file.clone(),
        kind: error.kind(),
        message: error.to_string(),
    };
    let mut bytes = Vec::new();
    let most = MAX_FILE_BYTES as u64 + 1;
    let file = std::fs::File::open(&args.file).map_err(|error| io(&error))?;
    file.take(most).read_to_end(&mut bytes).map_err(|error| io(&error))?;
    if bytes.len() > MAX_FILE_BYTES {
        return Err(Failure::usage(
            format!("{MAX_FILE_BYTES}バイトを超えるファイルは電文で送れず、表示もできません。"),
            format!("a file of more than {MAX_FILE_BYTES} bytes fits no parcel, and is not shown either."),
        ));
    }
    let name = args.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let parsed = FileName::parse(&name).map_err(|error| {
        Failure::usage(
            format!("標準仕様のファイル名ではないため、項目が分かりません（{error}）。tasuki check で確かめてください。"),
            format!("the name is none of the standard, so its items are unknown ({error}); look with tasuki check."),
        )
    })?;
    let reader = RecordReader::with_name(parsed, &bytes)
        .map_err(|_| Failure::usage("画像ファイルには項目がありません。", "an image has no items."))?;
    let mut viewer = Viewer { name: &name, kind: parsed, reveal: args.reveal, exit: Exit::Done };
    viewer.print(reader, out)?;
    Ok(viewer.exit)
}

struct Viewer<'a> {
    name: &'a str,
    kind: FileName,
    reveal: bool,
    exit: Exit,
}

impl Viewer<'_> {
    fn print(&mut self, reader: RecordReader<'_>, out: &mut Output) -> Result<(), Failure> {
        let lang = out.lang();
        let kind = self.kind.kind;
        if !out.is_json() {
            out.line(format!("{}  {}", shown(self.name), lang.pick(kind.name_ja(), kind.name_en())))?;
        }
        for record in reader {
            match record {
                Ok(record) if out.is_json() => self.print_object(&record, out)?,
                Ok(record) => {
                    out.line("")?;
                    out.line(match lang {
                        Lang::Ja => format!("{}行目", record.line()),
                        Lang::En => format!("line {}", record.line()),
                    })?;
                    out.lines(self.table(&record, lang).lines().map(|line| format!("  {line}")))?;
                }
                Err(error) => self.print_fault(error, out)?,
            }
        }
        if !out.is_json() && !self.reveal {
            out.line("")?;
            out.say(
                "氏名・番号・自由記述などは伏せています。表示するには --reveal を付けてください。",
                "Names, numbers, free text and the like are masked; --reveal shows them.",
            )?;
        }
        Ok(())
    }

    /// Items that hold something.
    fn table(&self, record: &Record<'_>, lang: Lang) -> Table {
        let mut table = Table::bare();
        for (at, (item, text)) in record.items().enumerate().filter(|(_, (_, text))| !text.is_empty()) {
            let name = lang.pick(item.name_ja, item.name_en);
            let value = if self.masks(item) {
                let length = text.chars().count();
                lang.pick(&format!("＊（{length}字）"), &format!("* ({length} characters)")).to_owned()
            } else {
                let on_one_line = text.replace("\r\n", " / ").replace('\n', " / ");
                match meaning(item, &text) {
                    Some(meaning) => format!("{on_one_line}  {meaning}"),
                    None => on_one_line,
                }
            };
            table.row([&(at + 1).to_string(), name, &value]);
        }
        table
    }

    fn print_object(&self, record: &Record<'_>, out: &mut Output) -> Result<(), Failure> {
        let texts: Vec<_> = record.items().collect();
        let items = texts.iter().enumerate().map(|(at, (item, text))| {
            let masked = !text.is_empty() && self.masks(item);
            ItemObject {
                item: at + 1,
                name_ja: item.name_ja,
                name_en: item.name_en,
                value: (!masked).then_some(text.as_ref()),
                meaning_ja: meaning(item, text),
                masked,
                length: text.chars().count(),
            }
        });
        out.object(&RecordObject {
            file: self.name,
            kind: self.kind.kind.prefix(),
            layout: record.layout().edition.as_str(),
            line: record.line(),
            items: items.collect(),
        })?;
        Ok(())
    }

    fn print_fault(&mut self, error: ReadError, out: &mut Output) -> Result<(), Failure> {
        self.exit = Exit::Rejected;
        let (line, rule, message) = match error {
            ReadError::Syntax { line } => (
                line,
                "CSV_SYNTAX",
                Text::new(
                    format!("{line}行目からCSVとして読めません。tasuki check で確かめてください。"),
                    format!("No CSV from line {line} on; look with tasuki check."),
                ),
            ),
            ReadError::FieldCount { line, items } => (
                line,
                "FIELD_COUNT",
                Text::new(
                    format!(
                        "{line}行目は項目が{items}個で、どのレイアウトにも合いません。tasuki check で確かめてください。"
                    ),
                    format!("Line {line} has {items} items, which no layout has; look with tasuki check."),
                ),
            ),
            ReadError::Name(_) | ReadError::Image => return Ok(()),
        };
        if out.is_json() {
            let (message_ja, message_en) = (message.ja, message.en);
            out.object(&FaultObject { file: self.name, line, error: rule, message_ja, message_en })?;
        } else {
            out.line("")?;
            out.line(format!("{} [{rule}]", message.of(out.lang())))?;
        }
        Ok(())
    }

    /// Whether the value is not shown: free text, what was born when, and all letters and digits that may number a person.
    fn masks(&self, item: &LayoutItem) -> bool {
        let tells = match item.item_type {
            ItemType::Text | ItemType::PostalCode => true,
            ItemType::Alphanumeric => !OPEN.iter().any(|name| item.name_en.ends_with(name)),
            ItemType::Date => item.name_en.contains("birth"),
            ItemType::Month
            | ItemType::Time
            | ItemType::Integer
            | ItemType::Decimal
            | ItemType::Code
            | ItemType::Unused => false,
        };
        tells && !self.reveal
    }
}

/// What a code means.
fn meaning(item: &LayoutItem, text: &str) -> Option<&'static str> {
    let code = item.codes.iter().find(|code| code.value == text)?;
    Some(code.name_ja).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    const FILE: &str = "UPHOSOKU_202602_1371215102_43_9971100012_11_20260125103000.CSV";

    fn viewed(file: &std::path::Path, reveal: bool, lang: Lang, json: bool) -> (Exit, testing::Stream) {
        let (mut out, results, _) = Output::captured(lang, json);
        let exit = view(&View { file: file.to_owned(), reveal }, &mut out).unwrap();
        (exit, results)
    }

    #[test]
    fn who_it_is_is_masked_unless_revealed() {
        let folder = testing::folder("view", "03_slip_202602_to_visit");
        let file = folder.path().join(FILE);
        let secrets = ["吉田", "ヨシダ", "1234567896", "19090101"];
        for lang in [Lang::Ja, Lang::En] {
            for json in [false, true] {
                let (exit, results) = viewed(&file, false, lang, json);
                let text = results.text();
                assert_eq!(exit, Exit::Done);
                assert!(secrets.iter().all(|secret| !text.contains(secret)), "{text}");
                assert!(viewed(&file, true, lang, json).1.text().contains("1234567896"));
            }
        }
        let text = viewed(&file, false, Lang::Ja, false).1.text();
        assert!(text.contains("被保険者番号") && text.contains("＊（10字）"), "{text}");
        assert!(text.contains("利用者性別") && text.contains("男性"), "{text}");
        let text = viewed(&file, true, Lang::En, false).1.text();
        assert!(text.contains("insured_no") && !text.contains("masked"), "{text}");
        let object = viewed(&file, false, Lang::En, true).1.objects().remove(0);
        assert_eq!(
            (&object["kind"], object["items"].as_array().map(Vec::len)),
            (&"UPHOSOKU".into(), Some(63))
        );
        assert_eq!(
            (&object["items"][2]["masked"], &object["items"][2]["length"]),
            (&true.into(), &10.into())
        );
    }

    #[test]
    fn no_sample_shows_a_name_or_a_number() {
        let units: std::collections::BTreeSet<_> =
            tasuki_careplan::samples::all().iter().map(|sample| sample.folder).collect();
        for unit in units {
            let folder = testing::folder("view-all", unit);
            for entry in std::fs::read_dir(folder.path()).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|extension| extension == "CSV") {
                    let text = viewed(&path, false, Lang::Ja, false).1.text();
                    assert!(!text.contains("吉田") && !text.contains("1234567896"), "{unit}: {text}");
                }
            }
        }
    }

    #[test]
    fn what_can_not_be_read_is_told() {
        let folder = testing::folder("view-bad", "");
        let file = folder.path().join(FILE);
        std::fs::write(&file, "1,2,3\r\n").unwrap();
        let (exit, results) = viewed(&file, false, Lang::En, true);
        assert_eq!((exit, &results.objects()[0]["error"]), (Exit::Rejected, &"FIELD_COUNT".into()));
        let (mut out, _, _) = Output::captured(Lang::En, false);
        for file in ["memo.txt", "missing.CSV"] {
            let file = folder.path().join(file);
            std::fs::write(folder.path().join("memo.txt"), "x").unwrap();
            assert_eq!(view(&View { file, reveal: false }, &mut out).unwrap_err().exit(), Exit::Usage);
        }
        // One byte more than fits a parcel.
        let large = std::fs::File::create(&file).unwrap();
        large.set_len(MAX_FILE_BYTES as u64 + 1).unwrap();
        assert_eq!(view(&View { file, reveal: false }, &mut out).unwrap_err().exit(), Exit::Usage);
    }
}
