//! The CSV file that `office import` reads: UTF-8, with or without byte order mark, or MS932; LF or CRLF. Its header is
//! `number,name,kana,services,standard_ready`, with `municipality` and `accepts` behind if it has them, or whatever a mapping of
//! columns says (`office_columns`). Rows with one number are one office; what they say beside its kinds of service must agree.

use std::borrow::Cow;
use std::collections::HashMap;

use tasuki_careplan::ms932;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::accepts::accepted;

use super::lang::Text;
use super::office_columns::{Layout, Mapping};
use crate::cli::{Services, services};
use crate::store::offices::{OfficeRow, OfficeState};

/// Largest file that is read, and rows of it: memory holds the file and one entry for each office. All offices of the country, with
/// one row for each of their kinds of service, are less than half of that.
pub(super) const MAX_FILE_BYTES: u64 = 256 * 1024 * 1024;
/// See [`MAX_FILE_BYTES`].
pub(super) const MAX_ROWS: usize = 1_000_000;

/// Characters of a name, a reading or a municipality. Real ones stay below 100; they stand in every list.
const MAX_NAME: usize = 200;

/// What is wrong with a row. The row's content is not repeated: line and column find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The first row is not the header.
    Header,
    /// The header has not one column with this heading, which the mapping names.
    Heading(String),
    /// More rows than [`MAX_ROWS`].
    TooMany,
    /// Neither UTF-8 nor MS932, another encoding than the rows before, or a user-defined character.
    Encoding,
    /// So many columns, and so many in the header.
    Columns(usize, usize),
    /// The number is not 10 digits.
    Number,
    /// The number stands in this line already, with other words.
    Twice(u64),
    /// The name is empty, too long, or has control characters.
    Name,
    /// The reading is too long, or has control characters.
    Kana,
    /// So is the municipality.
    Municipality,
    /// A service kind is not two characters, nor the name of one.
    Services,
    /// Neither true nor false.
    StandardReady,
    /// What the office takes is not words as they should be.
    Accepts,
}

impl Fault {
    /// Stable word.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Header | Self::Heading(_) => "CSV_HEADER",
            Self::TooMany => "TOO_MANY_ROWS",
            Self::Encoding => "ENCODING",
            Self::Columns(..) => "FIELD_COUNT",
            Self::Number => "NUMBER",
            Self::Twice(_) => "NUMBER_TWICE",
            Self::Name => "NAME",
            Self::Kana => "KANA",
            Self::Municipality => "MUNICIPALITY",
            Self::Services => "SERVICES",
            Self::StandardReady => "STANDARD_READY",
            Self::Accepts => "ACCEPTS",
        }
    }

    /// What it means and what to do.
    pub(super) fn text(&self) -> Text {
        match self {
            Self::Header => Text::new(
                "1行目を number,name,kana,services,standard_ready(続けて municipality, accepts も可)にするか、\
                 --columns で列を指定してください",
                "the first line must be number,name,kana,services,standard_ready, municipality and accepts may follow; or \
                 map columns with --columns",
            ),
            Self::Heading(heading) => Text::new(
                format!("見出し「{heading}」の列が1つだけある必要があります"),
                format!("there must be one column headed {heading:?}"),
            ),
            Self::TooMany => Text::new(
                format!("{MAX_ROWS}行を超えるファイルは取り込めません。分けてください"),
                format!("files of more than {MAX_ROWS} rows are not imported; split it"),
            ),
            Self::Encoding => Text::new(
                "UTF-8かShift_JIS(MS932)で、外字を使わずに保存してください",
                "save the file as UTF-8 or Shift_JIS (MS932), without user-defined characters",
            ),
            Self::Columns(count, wanted) => Text::new(
                format!("列が{count}個あります({wanted}個必要です)。引用符も確認してください"),
                format!("{count} columns instead of {wanted}; check the quotes as well"),
            ),
            Self::Number => {
                Text::new("number: 事業所番号は数字10桁です", "number: an office number is 10 digits")
            }
            Self::Twice(line) => Text::new(
                format!("number: {line}行目と同じ番号で、サービス種類以外の内容が異なります"),
                format!("number: stands in line {line} already, where more than the services differs"),
            ),
            Self::Name => Text::new(
                "name: 1〜200文字で、改行などを含まないようにしてください",
                "name: 1 to 200 characters, no line breaks",
            ),
            Self::Kana => Text::new(
                "kana: 200文字までで、改行などを含まないようにしてください",
                "kana: at most 200 characters, no line breaks",
            ),
            Self::Municipality => Text::new(
                "municipality: 200文字までで、改行などを含まないようにしてください",
                "municipality: at most 200 characters, no line breaks",
            ),
            Self::Services => Text::new(
                "services: 2文字のサービス種類コードを空白で区切ってください",
                "services: two-character kinds, separated by spaces",
            ),
            Self::StandardReady => {
                Text::new("standard_ready: true か false にしてください", "standard_ready: true or false")
            }
            Self::Accepts => Text::new(
                "accepts: csv-4.1 pdf のように、半角英小文字・数字・.・- の語を空白で区切ってください",
                "accepts: words such as csv-4.1 pdf, separated by spaces",
            ),
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

/// What the file says of an office. What it has no column for is `None`, and stays as the directory has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its number.
    pub(super) number: OfficeNumber,
    name: String,
    kana: Option<String>,
    municipality: Option<String>,
    services: Option<Vec<String>>,
    standard_ready: Option<bool>,
    accepts: Option<Vec<String>>,
    line: u64,
}

impl Entry {
    /// The office's entry in the directory, over what is known of it; a new one stands like this.
    pub(super) fn over(&self, known: Option<&OfficeRow>, enters_as: OfficeState) -> OfficeRow {
        let Self { number, name, kana, municipality, services, standard_ready, accepts, line: _ } =
            self.clone();
        let known = known.cloned();
        let (state, since_us) = known.as_ref().map_or((enters_as, 0), |k| (k.state, k.since_us));
        let known = known.unwrap_or_else(|| OfficeRow {
            number,
            name: String::new(),
            kana: String::new(),
            services: Vec::new(),
            standard_ready: false,
            municipality: String::new(),
            accepts: Vec::new(),
            declared: false,
            state,
            since_us,
        });
        OfficeRow {
            number,
            name,
            kana: kana.unwrap_or(known.kana),
            services: services.unwrap_or(known.services),
            standard_ready: standard_ready.unwrap_or(known.standard_ready),
            municipality: municipality.unwrap_or(known.municipality),
            // What the office declared itself is not the list's to change.
            accepts: accepts.filter(|_| !known.declared).unwrap_or(known.accepts),
            declared: known.declared,
            state,
            since_us,
        }
    }

    /// Takes another row of the same office in. False: they contradict each other, and nothing is changed.
    fn merge(&mut self, other: &Self) -> bool {
        let agrees = self.name == other.name
            && same_or_empty(self.kana.as_deref(), other.kana.as_deref())
            && same_or_empty(self.municipality.as_deref(), other.municipality.as_deref())
            && self.standard_ready == other.standard_ready
            && self.accepts == other.accepts;
        if agrees {
            fill(&mut self.kana, other.kana.as_deref());
            fill(&mut self.municipality, other.municipality.as_deref());
            if let (Some(own), Some(others)) = (&mut self.services, &other.services) {
                let new: Vec<String> = others.iter().filter(|kind| !own.contains(kind)).cloned().collect();
                own.extend(new);
                // Another order of the rows is no change.
                own.sort_unstable();
            }
        }
        agrees
    }
}

fn same_or_empty(a: Option<&str>, b: Option<&str>) -> bool {
    a == b || a.is_none_or(str::is_empty) || b.is_none_or(str::is_empty)
}

fn fill(own: &mut Option<String>, other: Option<&str>) {
    if let (Some(own), Some(other)) = (own, other)
        && own.is_empty()
    {
        other.clone_into(own);
    }
}

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Offices {
    /// The offices, in the file's order.
    pub(super) entries: Vec<Entry>,
    /// Rows that can't be imported. Of rows that contradict each other, the first is none of them.
    pub(super) bad: Vec<BadRow>,
    /// Lines whose number has a wrong check digit: possible, but more often a typing error.
    pub(super) check_digits: Vec<(u64, OfficeNumber)>,
}

/// Reads a whole file. It fails where the file is none whose rows could be read one by one.
pub(super) fn read(bytes: &[u8], mapping: Option<&Mapping>) -> Result<Offices, BadRow> {
    let (bytes, encoding) = match bytes.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) => (rest, Some(Encoding::Utf8)),
        None => (bytes, None),
    };
    let mut reader = csv::ReaderBuilder::new().flexible(true).has_headers(false).from_reader(bytes);
    let mut record = csv::ByteRecord::new();
    let mut offices = Offices::default();
    let mut places: HashMap<OfficeNumber, usize> = HashMap::new();
    let mut lines = Lines { bytes, at: 0, line: 1 };
    let mut text = Decoder(encoding);
    let mut layout: Option<Layout> = None;
    let mut rows = 0;
    // Reading from memory does not fail, and with `flexible` every sequence of bytes is some CSV.
    while let Ok(true) = reader.read_byte_record(&mut record) {
        let line = lines.of(&record);
        let bad = |fault| BadRow { line, fault };
        let Some(layout) = &layout else {
            let header = text.fields(&record).map_err(bad)?;
            layout = Some(Layout::of(&header, mapping).map_err(bad)?);
            continue;
        };
        rows += 1;
        if rows > MAX_ROWS {
            return Err(bad(Fault::TooMany));
        }
        let entry = text.fields(&record).and_then(|fields| entry(&fields, layout, line));
        if let Err(fault) = entry.and_then(|entry| add(&mut offices, &mut places, entry)) {
            offices.bad.push(bad(fault));
        }
    }
    if layout.is_none() { Err(BadRow { line: 1, fault: Fault::Header }) } else { Ok(offices) }
}

/// Adds a row's office, or takes the row into that office's entry.
fn add(offices: &mut Offices, places: &mut HashMap<OfficeNumber, usize>, entry: Entry) -> Result<(), Fault> {
    if let Some(&place) = places.get(&entry.number) {
        let known = &mut offices.entries[place];
        return if known.merge(&entry) { Ok(()) } else { Err(Fault::Twice(known.line)) };
    }
    if !entry.number.check_digit_ok() {
        offices.check_digits.push((entry.line, entry.number));
    }
    places.insert(entry.number, offices.entries.len());
    offices.entries.push(entry);
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Utf8,
    Ms932,
}

/// Decodes rows. The first that is not ASCII decides for the file: Japanese text in MS932 is not UTF-8 by chance. Commas, quotes and line
/// ends are no second bytes of MS932, so rows can be split before they are decoded.
struct Decoder(Option<Encoding>);

impl Decoder {
    fn fields<'r>(&mut self, record: &'r csv::ByteRecord) -> Result<Vec<Cow<'r, str>>, Fault> {
        if self.0.is_none() && !record.as_slice().is_ascii() {
            let utf8 = record.iter().all(|field| std::str::from_utf8(field).is_ok());
            self.0 = Some(if utf8 { Encoding::Utf8 } else { Encoding::Ms932 });
        }
        let decode = |field| match self.0 {
            Some(Encoding::Ms932) => ms932::decode_text(field),
            Some(Encoding::Utf8) | None => std::str::from_utf8(field).ok().map(Cow::Borrowed),
        };
        record.iter().map(decode).collect::<Option<_>>().ok_or(Fault::Encoding)
    }
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

fn entry(fields: &[Cow<'_, str>], layout: &Layout, line: u64) -> Result<Entry, Fault> {
    if fields.len() != layout.width {
        return Err(Fault::Columns(fields.len(), layout.width));
    }
    let field = |place: Option<usize>| place.map(|place| fields[place].as_ref());
    let municipality: Option<String> = (!layout.municipality.is_empty())
        .then(|| layout.municipality.iter().map(|&place| fields[place].trim()).collect());
    let optional = |raw: Option<&str>, fault| raw.map(|raw| text(raw).ok_or(fault)).transpose();
    Ok(Entry {
        number: number(&fields[layout.number])?,
        name: text(&fields[layout.name]).filter(|name| !name.is_empty()).ok_or(Fault::Name)?,
        kana: optional(field(layout.kana), Fault::Kana)?,
        services: field(layout.services).map(|kinds| layout.kinds(kinds)).transpose()?,
        standard_ready: field(layout.standard_ready).map(yes_or_no).transpose()?,
        municipality: optional(municipality.as_deref(), Fault::Municipality)?,
        accepts: field(layout.accepts).map(|raw| accepted(raw).ok_or(Fault::Accepts)).transpose()?,
        line,
    })
}

/// A number as lists have it: its digits may be full-width.
fn number(raw: &str) -> Result<OfficeNumber, Fault> {
    let digit = |c| match c {
        '０'..='９' => char::from_u32(u32::from(c) - u32::from('０') + u32::from('0')).unwrap_or(c),
        c => c,
    };
    raw.trim().chars().map(digit).collect::<String>().parse().map_err(|_| Fault::Number)
}

fn yes_or_no(raw: &str) -> Result<bool, Fault> {
    match raw.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => Err(Fault::StandardReady),
    }
}

/// Kinds of service as the own format has them: codes, separated by spaces.
pub(super) fn codes(raw: &str) -> Result<Vec<String>, Fault> {
    let Services(kinds) = services(raw).map_err(|_| Fault::Services)?;
    Ok(kinds)
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

    fn own(bytes: &[u8]) -> Offices {
        read(bytes, None).unwrap()
    }

    /// The offices as the directory gets them that knew none of them.
    fn rows(offices: &Offices) -> Vec<OfficeRow> {
        assert_eq!(offices.bad, []);
        offices.entries.iter().map(|entry| entry.over(None, OfficeState::Active)).collect()
    }

    #[test]
    fn byte_order_mark_line_ends_and_encoding_make_no_difference() {
        let offices = own(GOOD.as_bytes());
        let found = rows(&offices);
        assert_eq!(found.len(), 2);
        assert_eq!(found[1].name, "訪問介護,みどり");
        assert_eq!(found[1].services, ["11", "A2"]);
        assert!(found[0].standard_ready && !found[1].standard_ready);
        assert_eq!(own(format!("\u{feff}{GOOD}").as_bytes()), offices);
        assert_eq!(own(GOOD.replace("\r\n", "\n").as_bytes()), offices);
        assert_eq!(own(GOOD.trim_end().as_bytes()), offices);
        assert_eq!(own(&ms932::encode(GOOD).unwrap()), offices);
    }

    #[test]
    fn every_bad_row_is_told_with_its_line() {
        let file = format!(
            "{GOOD}12,x,,,true\n１３７１２１５１０２,x,,,true\n1371215102,again,,,true\n1371215110,,,,true\n\
             1371215128,n,\"two\nlines\",,true\n1371215136,n,,1,true\n1371215144,n,,11,maybe\n1371215151,n\n\
             1371215169,ok,,,1\n1371215177,n,,,\n"
        );
        let read = own(file.as_bytes());
        assert_eq!(read.entries.len(), 3, "the good rows");
        let told: Vec<(u64, Fault)> = read.bad.into_iter().map(|row| (row.line, row.fault)).collect();
        assert_eq!(
            told,
            [
                (4, Fault::Number),
                (5, Fault::Twice(2)),
                (6, Fault::Twice(2)),
                (7, Fault::Name),
                (8, Fault::Kana),
                (10, Fault::Services),
                (11, Fault::StandardReady),
                (12, Fault::Columns(2, 5)),
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
            "number,name,kana,services,standard_ready,accepts,accepts\n",
            "number,name,kana,services,standard_ready,fax\n",
        ] {
            assert_eq!(read(file.as_bytes(), None).unwrap_err().fault, Fault::Header, "{file:?}");
        }
    }

    #[test]
    fn another_encoding_is_told_line_by_line() {
        let mut file = GOOD.as_bytes().to_vec();
        file.extend_from_slice(b"1371215110,\x82\xb3\x82\xad\x82\xe7,,,true\n");
        assert_eq!(own(&file).bad, [BadRow { line: 4, fault: Fault::Encoding }]);
        // And a user-defined character of MS932.
        let mut file = ms932::encode(GOOD).unwrap();
        file.extend_from_slice(b"1371215110,\xf0\x40,,,true\n");
        assert_eq!(own(&file).bad, [BadRow { line: 4, fault: Fault::Encoding }]);
    }

    #[test]
    fn an_open_quote_swallows_the_rest_and_is_told_where_it_opens() {
        let file = GOOD.replace("ケアプランさくら,", "\"ケアプランさくら,");
        let bad = own(file.as_bytes()).bad;
        assert_eq!((bad.len(), bad[0].line), (1, 2));
    }

    #[test]
    fn a_wrong_check_digit_is_a_warning() {
        let offices = own(GOOD.replace("1371215102", "1371215103").as_bytes());
        assert_eq!(offices.check_digits, [(2, "1371215103".parse().unwrap())]);
        assert_eq!(rows(&offices).len(), 2);
    }

    #[test]
    fn more_rows_than_the_bound_are_refused() {
        let mut file = GOOD.to_owned();
        file.push_str(&"x\n".repeat(MAX_ROWS - 2));
        assert_eq!(own(file.as_bytes()).bad.len(), MAX_ROWS - 2);
        file.push_str("x\n");
        let line = MAX_ROWS as u64 + 2;
        assert_eq!(read(file.as_bytes(), None), Err(BadRow { line, fault: Fault::TooMany }));
    }

    /// Made up in the form of public lists: one row for an office and a kind of service.
    const LIST: &str = "都道府県,市区町村,事業所番号,事業所 名称,カナ,サービスの種類,電話\r\n\
        見本県,見本市,１３７１２１５１０２,見本ケア,ﾐﾎﾝｹｱ,居宅介護支援,0\r\n\
        見本県,別市,9971100012,別の見本,,訪問介護,0\r\n\
        見本県,見本市,1371215102,見本ケア,ﾐﾎﾝｹｱ,15、11,0\r\n\
        見本県,見本市,1371215102,見本ケア,ﾐﾎﾝｹｱ,見本の種類,0\r\n";

    const MAPPING: &str = "number = \"事業所番号\"\nname = \"事業所名称\"\nkana = \"ｶﾅ\"\n\
        municipality = [\"都道府県\", \"市区町村\"]\nservices = \"サービスの種類\"\n\
        [kinds]\n\"見本の種類\" = \"A6\"\n";

    #[test]
    fn rows_of_one_office_are_one_office() {
        let mapping: Mapping = toml::from_str(MAPPING).unwrap();
        for bytes in [LIST.as_bytes().to_vec(), ms932::encode(LIST).unwrap()] {
            let found = rows(&read(&bytes, Some(&mapping)).unwrap());
            assert_eq!(found.len(), 2);
            assert_eq!((found[0].number.as_str(), found[0].name.as_str()), ("1371215102", "見本ケア"));
            assert_eq!(found[0].services, ["11", "15", "43", "A6"]);
            assert_eq!(found[0].municipality, "見本県見本市");
            assert!(!found[0].standard_ready);
        }
    }

    #[test]
    fn what_the_list_does_not_say_stays_as_it_is() {
        let mapping: Mapping = toml::from_str(MAPPING).unwrap();
        let offices = read(LIST.as_bytes(), Some(&mapping)).unwrap();
        let mut known = offices.entries[0].over(None, OfficeState::Active);
        (known.standard_ready, known.accepts) = (true, vec!["pdf".to_owned()]);
        (known.state, known.since_us) = (OfficeState::Suspended, 7);
        assert_eq!(offices.entries[0].over(Some(&known), OfficeState::Active), known);
    }

    #[test]
    fn rows_that_contradict_each_other_are_told() {
        let mapping: Mapping = toml::from_str(MAPPING).unwrap();
        let list =
            format!("{LIST}見本県,よその市,1371215102,見本ケア,,43,0\n見本県,,1371215102,見本ケア,,43,0\n");
        let read = read(list.as_bytes(), Some(&mapping)).unwrap();
        assert_eq!(
            read.bad,
            [BadRow { line: 6, fault: Fault::Twice(2) }, BadRow { line: 7, fault: Fault::Twice(2) }]
        );
    }

    #[test]
    fn a_mapping_fits_its_list_or_is_refused() {
        let refused = |mapping: &str, list: &str| {
            let mapping: Mapping = toml::from_str(mapping).unwrap();
            read(list.as_bytes(), Some(&mapping)).unwrap_err().fault
        };
        let other = MAPPING.replace("事業所名称", "名前");
        assert_eq!(refused(&other, LIST), Fault::Heading("名前".to_owned()));
        assert_eq!(refused(MAPPING, &LIST.replace("電話", "カナ")), Fault::Heading("ｶﾅ".to_owned()));
        assert_eq!(refused(MAPPING, ""), Fault::Header);
        toml::from_str::<Mapping>(&MAPPING.replace("kana", "reading")).unwrap_err();
        let kind = LIST.replace("見本の種類", "知らない種類");
        let mapping: Mapping = toml::from_str(MAPPING).unwrap();
        let read = read(kind.as_bytes(), Some(&mapping)).unwrap();
        assert_eq!(read.bad, [BadRow { line: 5, fault: Fault::Services }]);
    }
}
