//! Partners of an office, as a list of its own software has them: who of them can't be reached through the relay.

use std::borrow::Cow;
use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _};
use serde::Serialize;
use tasuki_careplan::ms932;
use tasuki_careplan::office::OfficeNumber;

use crate::client::Client;
use crate::directory::Office;
use crate::error::SdkError;

/// Partners that one list may have: hundred times those of a large office. Each is one question to the relay.
const MAX_PARTNERS: usize = 10_000;

/// Largest list that is read.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// Questions to the relay at a time.
const AT_ONCE: usize = 8;

/// Headings of the column with office numbers; without one of them it is the first.
const HEADINGS: [&str; 3] = ["事業所番号", "事業者番号", "number"];

/// A list of partners can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartnersError {
    /// More bytes or more offices than one list may have.
    #[error("the list of partners has more than {MAX_PARTNERS} offices or {MAX_BYTES} bytes")]
    TooLarge,
    /// Neither UTF-8 nor MS932.
    #[error("the list of partners is neither UTF-8 nor Shift_JIS (MS932)")]
    Encoding,
}

/// A list of partners.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partners {
    /// Their numbers, each with the line of the list where it stands first.
    pub offices: BTreeMap<OfficeNumber, u64>,
    /// Lines without an office number where one should be.
    pub bad_lines: Vec<u64>,
}

/// Why a partner can't be reached through the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaxReason {
    /// The directory does not hold it.
    NotInDirectory,
    /// It is suspended.
    Suspended,
    /// It has no key that parcels could be sealed to: it has not joined yet.
    NoKey,
}

/// A partner that can't be reached through the relay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotReached {
    /// Its number.
    pub number: OfficeNumber,
    /// Its name, where the directory has one.
    pub name: String,
    /// Line of the list.
    pub line: u64,
    /// Why.
    pub reason: FaxReason,
}

impl Partners {
    /// Reads a list: CSV in UTF-8, with or without byte order mark, or MS932. Numbers stand in the column headed 事業所番号 or `number`,
    /// or in the first; full-width digits count. A first line without a number is a header.
    ///
    /// # Errors
    /// [`PartnersError`].
    pub fn read(bytes: &[u8]) -> Result<Self, PartnersError> {
        if bytes.len() > MAX_BYTES {
            return Err(PartnersError::TooLarge);
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => ms932::decode_text(bytes).ok_or(PartnersError::Encoding)?,
        };
        let mut partners = Self::default();
        let mut column = 0;
        // With LF alone the reader's count of lines is exact.
        let text = text.replace("\r\n", "\n");
        let mut reader =
            csv::ReaderBuilder::new().flexible(true).has_headers(false).from_reader(text.as_bytes());
        let mut record = csv::StringRecord::new();
        let mut first = true;
        // Reading from memory does not fail, and the text is UTF-8.
        while let Ok(true) = reader.read_record(&mut record) {
            let line = record.position().map_or(0, |place| line_of(&text, place));
            let header = std::mem::replace(&mut first, false);
            if header {
                let heading = |cell: &str| HEADINGS.iter().any(|h| h.eq_ignore_ascii_case(cell.trim()));
                column = record.iter().position(heading).unwrap_or(0);
            }
            match record.get(column).and_then(number) {
                Some(number) => {
                    partners.offices.entry(number).or_insert(line);
                }
                None if header => {}
                None => partners.bad_lines.push(line),
            }
            if partners.offices.len() + partners.bad_lines.len() > MAX_PARTNERS {
                return Err(PartnersError::TooLarge);
            }
        }
        Ok(partners)
    }
}

/// The line in which a record begins: the reader's place is before the empty lines in front of it.
fn line_of(text: &str, place: &csv::Position) -> u64 {
    let start = usize::try_from(place.byte()).unwrap_or(usize::MAX).min(text.len());
    let empty = text.as_bytes()[start..].iter().take_while(|byte| **byte == b'\n').count();
    place.line() + empty as u64
}

fn number(cell: &str) -> Option<OfficeNumber> {
    let digit = |c| match c {
        '０'..='９' => char::from_u32(u32::from(c) - u32::from('０') + u32::from('0')).unwrap_or(c),
        c => c,
    };
    cell.trim().chars().map(digit).collect::<String>().parse().ok()
}

impl Client {
    /// Which of these partners can't be reached through the relay, in the order of their numbers.
    ///
    /// # Errors
    /// The relay can't be reached or refuses.
    pub async fn not_reached(&self, partners: &Partners) -> Result<Vec<NotReached>, SdkError> {
        let asked = futures_util::stream::iter(&partners.offices).map(|(number, line)| async {
            let office = self.office_by_number(*number).await?;
            Ok::<_, SdkError>(not_reached(*number, *line, office))
        });
        let answers: Vec<Option<NotReached>> = asked.buffered(AT_ONCE).try_collect().await?;
        Ok(answers.into_iter().flatten().collect())
    }
}

fn not_reached(number: OfficeNumber, line: u64, office: Option<Office>) -> Option<NotReached> {
    let (reason, name) = match office {
        None => (FaxReason::NotInDirectory, String::new()),
        Some(office) if !office.active => (FaxReason::Suspended, office.name),
        Some(office) if office.has_key != Some(true) => (FaxReason::NoKey, office.name),
        Some(_) => return None,
    };
    Some(NotReached { number, name, line, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> (Vec<String>, Vec<u64>) {
        let partners = Partners::read(bytes).unwrap();
        (partners.offices.keys().map(ToString::to_string).collect(), partners.bad_lines)
    }

    #[test]
    fn numbers_stand_in_their_column_or_in_the_first() {
        let two = vec!["1371215102".to_owned(), "9971100012".to_owned()];
        for list in [
            "9971100012\n1371215102\n",
            "事業所番号,名称\r\n9971100012,見本\r\n１３７１２１５１０２,\"別の\r\n見本\"\r\n9971100012,また\r\n",
            "\u{feff}名称,FAX,Number\n見本,0,9971100012\n見本,0, 1371215102 \n",
            "番号,名称\n1371215102,あ\n9971100012,い",
        ] {
            assert_eq!(read(list.as_bytes()), (two.clone(), vec![]), "{list}");
            assert_eq!(
                read(&ms932::encode(list.trim_start_matches('\u{feff}')).unwrap()),
                (two.clone(), vec![])
            );
        }
        assert_eq!(
            read(b"number\n12\n9971100012\n\n137121510x\n"),
            (vec!["9971100012".to_owned()], vec![2, 5])
        );
    }

    #[test]
    fn lists_are_bounded() {
        let most: Vec<String> = (0..MAX_PARTNERS).map(|n| format!("{n:010}\n")).collect();
        let most = most.concat();
        assert_eq!(Partners::read(most.as_bytes()).unwrap().offices.len(), MAX_PARTNERS);
        assert_eq!(Partners::read(format!("{most}9971100012\n").as_bytes()), Err(PartnersError::TooLarge));
        assert_eq!(Partners::read(&vec![b'\n'; MAX_BYTES + 1]), Err(PartnersError::TooLarge));
        assert_eq!(Partners::read(b"number\n\xff\xff\n"), Err(PartnersError::Encoding));
    }
}
