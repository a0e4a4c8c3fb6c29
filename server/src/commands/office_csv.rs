//! The CSV file that `office import` reads: UTF-8, with or without byte order mark, LF or CRLF, the header
//! exactly `number,name,kana,services,standard_ready`.

use std::collections::HashMap;

use tasuki_careplan::office::OfficeNumber;

use super::lang::Text;
use crate::cli::{Services, services};
use crate::store::offices::{OfficeRow, OfficeState};

/// The header, column by column.
pub(super) const HEADER: [&str; 5] = ["number", "name", "kana", "services", "standard_ready"];

/// Characters of a name or a reading. Real ones stay below 100; they stand in every list.
const MAX_NAME: usize = 200;

/// What is wrong with a row. The row's content is not repeated: line and column find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The first row is not the header.
    Header,
    /// Not UTF-8.
    Encoding,
    /// So many columns instead of 5.
    Columns(usize),
    /// The number is not 10 ASCII digits.
    Number,
    /// The number stands in this line already.
    Twice(u64),
    /// The name is empty, too long, or has control characters.
    Name,
    /// The reading is too long, or has control characters.
    Kana,
    /// A service kind is not two characters.
    Services,
    /// Neither true nor false.
    StandardReady,
}

impl Fault {
    /// Stable word.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Header => "CSV_HEADER",
            Self::Encoding => "ENCODING",
            Self::Columns(_) => "FIELD_COUNT",
            Self::Number => "NUMBER",
            Self::Twice(_) => "NUMBER_TWICE",
            Self::Name => "NAME",
            Self::Kana => "KANA",
            Self::Services => "SERVICES",
            Self::StandardReady => "STANDARD_READY",
        }
    }

    /// What it means and what to do.
    pub(super) fn text(&self) -> Text {
        match self {
            Self::Header => Text::new(
                "1行目を number,name,kana,services,standard_ready にしてください",
                "the first line must be number,name,kana,services,standard_ready",
            ),
            Self::Encoding => Text::new("UTF-8で保存してください", "save the file as UTF-8"),
            Self::Columns(count) => Text::new(
                format!("列が{count}個あります(5個必要です)。引用符も確認してください"),
                format!("{count} columns instead of 5; check the quotes as well"),
            ),
            Self::Number => Text::new(
                "number: 事業所番号は半角数字10桁です",
                "number: an office number is 10 ASCII digits",
            ),
            Self::Twice(line) => Text::new(
                format!("number: {line}行目と同じ番号です"),
                format!("number: stands in line {line} already"),
            ),
            Self::Name => Text::new(
                "name: 1〜200文字で、改行などを含まないようにしてください",
                "name: 1 to 200 characters, no line breaks",
            ),
            Self::Kana => Text::new(
                "kana: 200文字までで、改行などを含まないようにしてください",
                "kana: at most 200 characters, no line breaks",
            ),
            Self::Services => Text::new(
                "services: 2文字のサービス種類コードを空白で区切ってください",
                "services: two-character kinds, separated by spaces",
            ),
            Self::StandardReady => {
                Text::new("standard_ready: true か false にしてください", "standard_ready: true or false")
            }
        }
    }
}

/// A row that can't be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadRow {
    /// Line of the file, from 1.
    pub(super) line: u64,
    /// What is wrong.
    pub(super) fault: Fault,
}

/// What a good file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Offices {
    /// The offices, in the file's order.
    pub(super) rows: Vec<OfficeRow>,
    /// Lines whose number has a wrong check digit: possible, but more often a typing error.
    pub(super) check_digits: Vec<(u64, OfficeNumber)>,
}

/// Reads a whole file: all offices, or all bad rows.
pub(super) fn read(bytes: &[u8]) -> Result<Offices, Vec<BadRow>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new().flexible(true).has_headers(false).from_reader(bytes);
    let mut record = csv::ByteRecord::new();
    let mut offices = Offices::default();
    let mut bad = Vec::new();
    let mut seen: HashMap<OfficeNumber, u64> = HashMap::new();
    let mut lines = Lines { bytes, at: 0, line: 1 };
    let mut header = false;
    // Reading from memory does not fail, and with `flexible` every sequence of bytes is some CSV.
    while let Ok(true) = reader.read_byte_record(&mut record) {
        let line = lines.of(&record);
        if !header {
            if !record.iter().eq(HEADER.map(str::as_bytes)) {
                return Err(vec![BadRow { line, fault: Fault::Header }]);
            }
            header = true;
            continue;
        }
        let row = office(&record).and_then(|row| match seen.insert(row.number, line) {
            Some(first) => Err(Fault::Twice(first)),
            None => Ok(row),
        });
        match row {
            Ok(row) => {
                if !row.number.check_digit_ok() {
                    offices.check_digits.push((line, row.number));
                }
                offices.rows.push(row);
            }
            Err(fault) => bad.push(BadRow { line, fault }),
        }
    }
    if !header {
        bad.push(BadRow { line: 1, fault: Fault::Header });
    }
    if bad.is_empty() { Ok(offices) } else { Err(bad) }
}

/// Counts lines: the reader's own count is of where it stopped reading, which may be inside a line end.
struct Lines<'b> {
    bytes: &'b [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line in which a record begins. Records are asked for in order.
    fn of(&mut self, record: &csv::ByteRecord) -> u64 {
        let start = record.position().map_or(0, csv::Position::byte);
        let start = usize::try_from(start).unwrap_or(usize::MAX).min(self.bytes.len());
        // Empty lines before it are no records.
        let empty = self.bytes[start..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let passed = &self.bytes[self.at..start + empty];
        self.line += passed.split(|byte| *byte == b'\n').count() as u64 - 1;
        self.at = start + empty;
        self.line
    }
}

fn office(record: &csv::ByteRecord) -> Result<OfficeRow, Fault> {
    let fields: Vec<&str> =
        record.iter().map(std::str::from_utf8).collect::<Result<_, _>>().map_err(|_| Fault::Encoding)?;
    let [number, name, kana, kinds, ready] = fields[..] else {
        return Err(Fault::Columns(fields.len()));
    };
    let number = number.trim().parse().map_err(|_| Fault::Number)?;
    let name = text(name).filter(|name| !name.is_empty()).ok_or(Fault::Name)?;
    let kana = text(kana).ok_or(Fault::Kana)?;
    let Services(services) = services(kinds).map_err(|_| Fault::Services)?;
    let standard_ready = match ready.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => true,
        "false" | "no" | "0" => false,
        _ => return Err(Fault::StandardReady),
    };
    Ok(OfficeRow { number, name, kana, services, standard_ready, state: OfficeState::Active })
}

/// A name as the directory keeps it; `None` where it can't be one.
pub(super) fn text(raw: &str) -> Option<String> {
    let text = raw.trim();
    let fits = text.chars().count() <= MAX_NAME && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "number,name,kana,services,standard_ready\r\n\
        1371215102,ケアプランさくら,ケアプランサクラ,43,true\r\n\
        9971100012,\"訪問介護,みどり\",ホウモンカイゴミドリ,11 A2,false\r\n";

    #[test]
    fn byte_order_mark_and_line_ends_make_no_difference() {
        let offices = read(GOOD.as_bytes()).unwrap();
        assert_eq!(offices.rows.len(), 2);
        assert_eq!(offices.rows[1].name, "訪問介護,みどり");
        assert_eq!(offices.rows[1].services, ["11", "A2"]);
        assert!(offices.rows[0].standard_ready && !offices.rows[1].standard_ready);
        assert_eq!(read(format!("\u{feff}{GOOD}").as_bytes()).as_ref(), Ok(&offices));
        assert_eq!(read(GOOD.replace("\r\n", "\n").as_bytes()).as_ref(), Ok(&offices));
        assert_eq!(read(GOOD.trim_end().as_bytes()).as_ref(), Ok(&offices));
    }

    #[test]
    fn every_bad_row_is_told_with_its_line() {
        let file = format!(
            "{GOOD}12,x,,,true\n１３７１２１５１０２,x,,,true\n1371215102,again,,,true\n1371215110,,,,true\n\
             1371215128,n,\"two\nlines\",,true\n1371215136,n,,1,true\n1371215144,n,,11,maybe\n1371215151,n\n\
             1371215169,ok,,,1\n1371215177,n,,,\n"
        );
        let bad = read(file.as_bytes()).unwrap_err();
        let told: Vec<(u64, Fault)> = bad.into_iter().map(|row| (row.line, row.fault)).collect();
        assert_eq!(
            told,
            [
                (4, Fault::Number),
                (5, Fault::Number),
                (6, Fault::Twice(2)),
                (7, Fault::Name),
                (8, Fault::Kana),
                (10, Fault::Services),
                (11, Fault::StandardReady),
                (12, Fault::Columns(2)),
                (14, Fault::StandardReady),
            ]
        );
    }

    #[test]
    fn another_header_is_refused_before_anything_else() {
        for file in [
            "",
            "\n\n",
            "number,name\n",
            "Number,name,kana,services,standard_ready\n",
            "番号,名称,カナ,種類,標準\n",
        ] {
            let bad = read(file.as_bytes()).unwrap_err();
            assert_eq!(bad.len(), 1, "{file:?}");
            assert_eq!(bad[0].fault, Fault::Header, "{file:?}");
        }
    }

    #[test]
    fn another_encoding_is_told_line_by_line() {
        let mut file = GOOD.as_bytes().to_vec();
        file.extend_from_slice(b"1371215110,\x82\xb3\x82\xad\x82\xe7,,,true\n");
        assert_eq!(read(&file), Err(vec![BadRow { line: 4, fault: Fault::Encoding }]));
    }

    #[test]
    fn an_open_quote_swallows_the_rest_and_is_told_where_it_opens() {
        let file = GOOD.replace("ケアプランさくら,", "\"ケアプランさくら,");
        let bad = read(file.as_bytes()).unwrap_err();
        assert_eq!((bad.len(), bad[0].line), (1, 2));
    }

    #[test]
    fn a_wrong_check_digit_is_a_warning() {
        let offices = read(GOOD.replace("1371215102", "1371215103").as_bytes()).unwrap();
        assert_eq!(offices.check_digits, [(2, "1371215103".parse().unwrap())]);
        assert_eq!(offices.rows.len(), 2);
    }
}
