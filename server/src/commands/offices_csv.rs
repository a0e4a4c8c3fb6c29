//! `offices.csv`: header `number,name,kana,services,standard_ready`, UTF-8 with or without BOM.

use std::collections::BTreeSet;

use tasuki_careplan::office::OfficeNumber;
use tasuki_careplan::service::ServiceKind;

use crate::store::offices::{OfficeRow, OfficeState};

const HEADER: [&str; 5] = ["number", "name", "kana", "services", "standard_ready"];

/// Characters of a name or its reading.
const MAX_NAME: usize = 200;
/// Service kinds of one office. The standard has about 60.
const MAX_SERVICES: usize = 100;
/// Bad rows that are told; who has more has the wrong file.
const MAX_BAD: usize = 1_000;

/// One row as it was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    pub(super) number: &'a str,
    pub(super) name: &'a str,
    pub(super) kana: &'a str,
    pub(super) services: &'a str,
    pub(super) standard_ready: &'a str,
}

/// What is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Problem {
    #[error("the header must be number,name,kana,services,standard_ready")]
    Header,
    #[error("not UTF-8")]
    Encoding,
    #[error("not CSV: {0}")]
    Csv(String),
    #[error("{0} fields instead of 5")]
    FieldCount(usize),
    #[error("number: not 10 digits")]
    Number,
    #[error("number: stands twice in this file")]
    Twice,
    #[error("name: must have 1 to 200 characters, without line breaks")]
    Name,
    #[error("kana: at most 200 characters, without line breaks")]
    Kana,
    #[error("services: kinds of two digits or upper-case letters, separated by spaces")]
    Services,
    #[error("standard_ready: yes or no")]
    StandardReady,
}

/// A row that can't be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bad {
    /// Line of the file, from 1.
    pub(super) line: u64,
    /// What is wrong.
    pub(super) problem: Problem,
}

impl Entry<'_> {
    /// The office, if everything about it is right.
    pub(super) fn check(&self) -> Result<OfficeRow, Problem> {
        let number: OfficeNumber = self.number.trim().parse().map_err(|_| Problem::Number)?;
        let name = text(self.name).filter(|name| !name.is_empty()).ok_or(Problem::Name)?;
        let kana = text(self.kana).ok_or(Problem::Kana)?;
        let mut services = Vec::new();
        for service in self.services.split(' ').filter(|s| !s.is_empty()) {
            let kind: ServiceKind = service.parse().map_err(|_| Problem::Services)?;
            services.push(kind.to_string());
        }
        if services.len() > MAX_SERVICES {
            return Err(Problem::Services);
        }
        let standard_ready = match self.standard_ready.trim().to_ascii_lowercase().as_str() {
            "yes" | "true" | "1" | "" => true,
            "no" | "false" | "0" => false,
            _ => return Err(Problem::StandardReady),
        };
        Ok(OfficeRow { number, name, kana, services, standard_ready, state: OfficeState::Active })
    }
}

fn text(raw: &str) -> Option<String> {
    let text = raw.trim();
    let fits = text.chars().count() <= MAX_NAME && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}

/// Reads a whole file: every office, or every bad row.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<OfficeRow>, Vec<Bad>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = before.iter().filter(|b| **b == b'\n').count() as u64 + 1;
        vec![Bad { line, problem: Problem::Encoding }]
    })?;
    // The reader counts the LF of a CRLF to the next line.
    let text = text.replace("\r\n", "\n");
    let mut reader = csv::ReaderBuilder::new().flexible(true).has_headers(false).from_reader(text.as_bytes());
    let mut offices = Vec::new();
    let mut bad = Vec::new();
    let mut seen = BTreeSet::new();
    let mut first = true;
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                bad.push(Bad { line, problem: Problem::Csv(error.to_string()) });
                break;
            }
        };
        let line = record.position().map_or(0, csv::Position::line);
        if std::mem::take(&mut first) {
            if record.iter().map(str::trim).ne(HEADER) {
                return Err(vec![Bad { line, problem: Problem::Header }]);
            }
            continue;
        }
        match office(&record) {
            Ok(office) if !seen.insert(office.number) => bad.push(Bad { line, problem: Problem::Twice }),
            Ok(office) => offices.push(office),
            Err(problem) => bad.push(Bad { line, problem }),
        }
        if bad.len() >= MAX_BAD {
            break;
        }
    }
    if first {
        bad.push(Bad { line: 1, problem: Problem::Header });
    }
    if bad.is_empty() { Ok(offices) } else { Err(bad) }
}

fn office(record: &csv::StringRecord) -> Result<OfficeRow, Problem> {
    let fields: Vec<&str> = record.iter().collect();
    let [number, name, kana, services, standard_ready] = fields[..] else {
        return Err(Problem::FieldCount(fields.len()));
    };
    Entry { number, name, kana, services, standard_ready }.check()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "number,name,kana,services,standard_ready\r\n\
        1371215102,ケアプランさくら,ケアプランサクラ,43,yes\r\n\
        9971100012,訪問介護みどり,ホウモンカイゴミドリ,11 A2,no\r\n";

    #[test]
    fn rows_become_offices_with_bom_and_either_line_end() {
        let offices = read(GOOD.as_bytes()).unwrap();
        assert_eq!(offices.len(), 2);
        assert_eq!(offices[1].services, ["11", "A2"]);
        assert!(offices[0].standard_ready && !offices[1].standard_ready);
        assert_eq!(read(format!("\u{feff}{GOOD}").as_bytes()).unwrap(), offices);
        assert_eq!(read(GOOD.replace("\r\n", "\n").as_bytes()).unwrap(), offices);
    }

    #[test]
    fn every_bad_row_is_told_with_its_line() {
        let file = format!(
            "{GOOD}12,x,,,yes\n1371215102,again,,,yes\n1371215110,,,,yes\n1371215111,n,,1,yes\n\
             1371215112,n,,11,maybe\n1371215113,n\n\"1371215114\",\"two\nlines\",,,\n1371215115,ok,,,"
        );
        let bad = read(file.as_bytes()).unwrap_err();
        let told: Vec<(u64, Problem)> = bad.into_iter().map(|b| (b.line, b.problem)).collect();
        assert_eq!(
            told,
            [
                (4, Problem::Number),
                (5, Problem::Twice),
                (6, Problem::Name),
                (7, Problem::Services),
                (8, Problem::StandardReady),
                (9, Problem::FieldCount(2)),
                (10, Problem::Name),
            ]
        );
    }

    #[test]
    fn another_header_and_another_encoding_are_refused() {
        for file in ["", "number,name\n", "番号,名称,カナ,サービス,標準\n"] {
            assert_eq!(read(file.as_bytes()).unwrap_err()[0].problem, Problem::Header, "{file:?}");
        }
        let ms932 = b"number,name,kana,services,standard_ready\n1371215102,\x82\xb3,,,\n";
        assert_eq!(read(ms932), Err(vec![Bad { line: 2, problem: Problem::Encoding }]));
    }
}
