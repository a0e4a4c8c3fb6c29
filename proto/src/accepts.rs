//! What an office takes (受け取れるもの): words such as `csv-4.1` (an edition of the standard) and `pdf` (a format of attachments).

use tasuki_careplan::edition::Edition;
use tasuki_careplan::file_name::{FileName, MonthField};

/// Words that say what one office takes, at most.
const MAX_ACCEPTED: usize = 32;

/// Longest such word, in bytes.
const MAX_WORD: usize = 24;

/// In front of an edition's number.
const STANDARD: &str = "csv-";

/// Reads what an office takes: words of at most 24 small letters, digits, dots and hyphens, separated by commas or spaces.
/// Sorted, each once.
pub fn accepted(text: &str) -> Option<Vec<String>> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-".contains(&b);
    let mut words: Vec<String> =
        text.split([' ', ',']).filter(|word| !word.is_empty()).map(str::to_owned).collect();
    words.sort_unstable();
    words.dedup();
    let fine = words.len() <= MAX_ACCEPTED
        && words.iter().all(|word| word.len() <= MAX_WORD && word.bytes().all(fits));
    fine.then_some(words)
}

/// What a receiver must take for a file to be of use there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Needs {
    /// The standard: this edition; none: whichever.
    Standard(Option<Edition>),
    /// A format of attachments, by the name's ending; none: the name has no ending.
    Format(Option<String>),
}

impl Needs {
    /// What a file needs. `content` is asked for the edition where it is at hand; else the name's service month tells it.
    pub fn of(name: &str, standard: Option<&FileName>, content: Option<&[u8]>) -> Self {
        match standard {
            Some(file) if file.kind.is_image() => Self::Standard(None),
            Some(file) => {
                let version = content.and_then(|bytes| Edition::from_version(first_item(bytes)));
                let month = || file.month.and_then(MonthField::month).and_then(Edition::of_month);
                Self::Standard(version.or_else(month))
            }
            None => {
                let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
                Self::Format(ending.map(|ending| match ending.as_str() {
                    "jpeg" => "jpg".to_owned(),
                    "tiff" => "tif".to_owned(),
                    _ => ending,
                }))
            }
        }
    }

    /// Whether an office that declared this takes it. What can't be told is left to people.
    pub fn met_by(&self, accepts: &[String]) -> bool {
        let has = |word: &str| accepts.iter().any(|accepted| accepted == word);
        match self {
            Self::Standard(Some(edition)) => has(&format!("{STANDARD}{edition}")),
            Self::Standard(None) => accepts.iter().any(|accepted| accepted.starts_with(STANDARD)),
            Self::Format(Some(format)) => has(format),
            Self::Format(None) => true,
        }
    }
}

/// The first item of a CSV file: the version of its edition.
fn first_item(content: &[u8]) -> &[u8] {
    let end = content.iter().position(|byte| *byte == b',').unwrap_or(0);
    let item = &content[..end];
    item.strip_prefix(b"\"").and_then(|item| item.strip_suffix(b"\"")).unwrap_or(item)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLIP: &str = "UPPLAN_202602_9971100012_11_1371215102_43_20260125103000.CSV";

    fn words(text: &str) -> Vec<String> {
        accepted(text).unwrap()
    }

    #[test]
    fn what_an_office_takes_is_a_set_of_words() {
        assert_eq!(words("pdf,csv-4.1  csv-3.2 pdf"), ["csv-3.2", "csv-4.1", "pdf"]);
        assert_eq!(accepted(""), Some(Vec::new()));
        for wrong in ["PDF", "ＰＤＦ", "csv_4", "a\nb", &"x".repeat(MAX_WORD + 1)] {
            assert_eq!(accepted(wrong), None, "{wrong:?}");
        }
        let many: Vec<String> = (0..=MAX_ACCEPTED).map(|n| format!("x{n}")).collect();
        assert_eq!(accepted(&many.join(",")), None);
    }

    #[test]
    fn a_file_needs_its_edition_or_its_format() {
        let name = FileName::parse(SLIP).unwrap();
        let by_month = Needs::of(SLIP, Some(&name), None);
        assert_eq!(by_month, Needs::Standard(Some(Edition::V4_1)));
        // The content knows better than the month.
        let older = Needs::of(SLIP, Some(&name), Some(b"\"202208\",\"x\""));
        assert_eq!(older, Needs::Standard(Some(Edition::V3_2)));
        assert!(by_month.met_by(&words("csv-4.1")) && !by_month.met_by(&words("csv-3.2,pdf")));
        assert!(older.met_by(&words("csv-3.2")));
        let attached = |name: &str| Needs::of(name, None, None);
        assert!(attached("地図.PDF").met_by(&words("pdf")) && attached("a.jpeg").met_by(&words("jpg")));
        assert!(!attached("a.png").met_by(&words("pdf,csv-4.1")));
        // What has no ending can't be judged.
        assert!(attached("memo").met_by(&words("pdf")));
    }
}
