//! From text to MS932, and what MS932 lacks.

use std::collections::HashMap;
use std::sync::LazyLock;

use encoding_rs::SHIFT_JIS;

use super::is_private_use;
use crate::finding::{Finding, MAX_FINDINGS, RuleId, Severity};
use crate::table::Table;

/// A character that MS932 lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Where it stands in the text: characters before it.
    pub at: usize,
    /// The character.
    pub character: char,
    /// What to write instead; empty for invisible characters that can go, `None` where there is no proposal.
    pub replacement: Option<String>,
}

/// The text has characters that MS932 lacks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text has characters that MS932 lacks; the first is U+{:04X}", self.first_code_point())]
pub struct NotMs932 {
    /// The first [`MAX_FINDINGS`] of them.
    pub missing: Vec<Missing>,
}

impl NotMs932 {
    fn first_code_point(&self) -> u32 {
        self.missing.first().map_or(0, |missing| u32::from(missing.character))
    }
}

static REPLACEMENTS: LazyLock<HashMap<char, &'static str>> = LazyLock::new(|| {
    let table = Table::parse(include_str!("../../data/replacements.csv"));
    let row = |row: crate::table::Row<'_>| {
        let code_point = u32::from_str_radix(row.get("code_point").trim_start_matches("U+"), 16).ok()?;
        Some((char::from_u32(code_point)?, row.get("replacement")))
    };
    table.rows().filter_map(row).collect()
});

/// Encodes text in MS932, so that decoding gives the same text again.
///
/// # Errors
/// Characters that MS932 lacks, among them user-defined ones (外字) and NUL. Each comes with its code point and, where we
/// know one, a replacement.
///
/// ```
/// use tasuki_careplan::ms932::encode;
///
/// assert_eq!(encode("①髙﨑～").unwrap(), b"\x87\x40\xFB\xFC\xFA\xB1\x81\x60");
/// let missing = &encode("𠮷田").unwrap_err().missing[0];
/// assert_eq!((missing.character, missing.replacement.as_deref()), ('𠮷', Some("吉")));
/// ```
pub fn encode(text: &str) -> Result<Vec<u8>, NotMs932> {
    let (bytes, _, lacking) = SHIFT_JIS.encode(text);
    // A few characters are encoded as others that look alike: they would come back changed.
    if !lacking && !text.contains('\0') && SHIFT_JIS.decode_without_bom_handling(&bytes).0 == text {
        return Ok(bytes.into_owned());
    }
    let mut missing = Vec::new();
    let lacking = text.chars().enumerate().filter(|(_, character)| is_lacking(*character));
    for (at, character) in lacking.take(MAX_FINDINGS) {
        missing.push(Missing { at, character, replacement: replacement_of(character) });
    }
    if missing.is_empty() { Ok(bytes.into_owned()) } else { Err(NotMs932 { missing }) }
}

/// The text with every character that has a proposal replaced by it; what has none stays.
pub fn replace(text: &str) -> String {
    let mut replaced = String::with_capacity(text.len());
    for character in text.chars() {
        match compose(&replaced, character) {
            Some(composed) => {
                replaced.pop();
                replaced.push(composed);
            }
            None if is_lacking(character) => {
                let replacement = replacement_of(character);
                replaced.push_str(&replacement.unwrap_or_else(|| character.to_string()));
            }
            None => replaced.push(character),
        }
    }
    replaced
}

impl Missing {
    /// The finding of an item that this character keeps from being written; `line` and `item` count from 1.
    pub fn finding(
        &self,
        file: &str,
        line: Option<u64>,
        item: Option<u64>,
        item_name_ja: Option<&str>,
    ) -> Finding {
        let code_point = format!("U+{:04X}", u32::from(self.character));
        let (ja, en) = match self.replacement.as_deref() {
            Some("") => ("この文字を消してください".to_owned(), "delete it".to_owned()),
            Some(other) => (format!("「{other}」に置き換えてください"), format!("replace it by \"{other}\"")),
            None => {
                ("標準の文字に置き換えてください".to_owned(), "replace it by a standard character".to_owned())
            }
        };
        Finding {
            rule: RuleId::Encoding,
            severity: Severity::Error,
            file: file.to_owned(),
            line,
            item,
            item_name_ja: item_name_ja.map(str::to_owned),
            shape: code_point.clone(),
            message_ja: format!(
                "MS932にない文字（{code_point}、{}文字目）があります。{ja}（標準仕様：文字コードはMS932、外字は使えない）。",
                self.at + 1
            ),
            message_en: format!(
                "MS932 lacks the character {code_point} (the text's number {}): {en} (standard: MS932, no user-defined \
                 characters).",
                self.at + 1
            ),
        }
    }
}

fn is_lacking(character: char) -> bool {
    let mut buffer = [0; 4];
    let text: &str = character.encode_utf8(&mut buffer);
    let (bytes, _, lacking) = SHIFT_JIS.encode(text);
    character == '\0'
        || lacking
        || is_private_use(character)
        || SHIFT_JIS.decode_without_bom_handling(&bytes).0 != text
}

fn replacement_of(character: char) -> Option<String> {
    match character {
        // Variation selectors choose another form of the same character.
        '\0' | '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}' => Some(String::new()),
        // Combining voiced marks; behind kana, `replace` composes them.
        '\u{3099}' => Some("゛".to_owned()),
        '\u{309A}' => Some("゜".to_owned()),
        _ => REPLACEMENTS.get(&character).map(|replacement| (*replacement).to_owned()),
    }
}

/// Kana that have a voiced form.
const VOICED: &str = "かきくけこさしすせそたちつてとはひふへほカキクケコサシスセソタチツテトハヒフヘホ";
/// Kana that have a half-voiced form as well.
const HALF_VOICED: &str = "はひふへほハヒフヘホ";

/// The kana that a combining mark makes of the one before it, as text from macOS has them.
fn compose(before: &str, mark: char) -> Option<char> {
    let kana = before.chars().next_back()?;
    // Unicode has plain, voiced and half-voiced kana one behind the other.
    let step = match mark {
        '\u{3099}' if matches!(kana, 'う' | 'ウ') => return Some('ヴ'),
        '\u{3099}' if VOICED.contains(kana) => 1,
        '\u{309A}' if HALF_VOICED.contains(kana) => 2,
        _ => return None,
    };
    char::from_u32(u32::from(kana) + step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ms932_has_comes_back_the_same() {
        for text in ["", "①髙﨑～∥－Ⅳ㈱ﾃｽﾄ", "a\r\nb\"c", "濵德昻"] {
            let bytes = encode(text).unwrap();
            assert_eq!(SHIFT_JIS.decode_without_bom_handling(&bytes).0, text);
        }
    }

    #[test]
    fn what_it_lacks_is_told_with_code_point_and_replacement() {
        let of = |text: &str| -> Vec<(usize, u32, Option<String>)> {
            let told = |m: Missing| (m.at, u32::from(m.character), m.replacement);
            encode(text).unwrap_err().missing.into_iter().map(told).collect()
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(of("𠮷田〜"), [(0, 0x20BB7, some("吉")), (2, 0x301C, some("～"))]);
        // These three would be encoded as something else.
        assert_eq!(of("¥−‾"), [(0, 0xA5, some("￥")), (1, 0x2212, some("－")), (2, 0x203E, some("￣"))]);
        assert_eq!(of("邉\u{E0101}"), [(1, 0xE0101, some(""))]);
        assert_eq!(of("\u{E000}😀"), [(0, 0xE000, None), (1, 0x1F600, None)]);
        assert_eq!(of("a\0"), [(1, 0, some(""))]);
        assert_eq!(encode(&"😀".repeat(10_000)).unwrap_err().missing.len(), MAX_FINDINGS);
    }

    #[test]
    fn a_finding_names_code_point_and_replacement() {
        let missing = encode("か𠮷").unwrap_err().missing.remove(0);
        let finding = missing.finding("F.CSV", Some(2), Some(7), Some("氏名"));
        assert_eq!((finding.rule, &finding.shape[..]), (RuleId::Encoding, "U+20BB7"));
        assert!(finding.message_ja.contains("（U+20BB7、2文字目）") && finding.message_ja.contains("「吉」"));
        assert!(finding.message_en.contains("U+20BB7") && finding.message_en.contains("\"吉\""));
    }

    #[test]
    fn replacing_makes_text_that_ms932_has() {
        assert_eq!(replace("𠮷田〜か\u{3099}ハ\u{309A}ウ\u{3099}a\u{3099}"), "吉田～がパヴa゛");
        assert_eq!(replace("①髙😀"), "①髙😀");
        assert!(encode(&replace("噓つき—½\u{200B}¥")).is_ok());
    }

    #[test]
    fn every_replacement_is_needed_and_possible() {
        let table = Table::parse(include_str!("../../data/replacements.csv"));
        assert_eq!(table.rows().count(), REPLACEMENTS.len());
        for (&character, replacement) in REPLACEMENTS.iter() {
            assert!(is_lacking(character), "{character}");
            assert!(encode(replacement).is_ok(), "{character} {replacement}");
        }
    }
}
