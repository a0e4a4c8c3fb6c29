//! The shape of a text: what a finding may say of it without telling the text.

/// Longest shape that is drawn; the longest standard name has 71 characters.
const MAX_DRAWN: usize = 100;

/// Draws a file name's shape: a digit as `9`, a letter as `A`, other characters as `?`; the marks that separate a
/// name's parts stay. So a nine-digit office number is seen at once, and a name typed into a file name is not.
pub(crate) fn of_name(name: &str) -> String {
    let draw = |character: char| match character {
        '0'..='9' => '9',
        'a'..='z' | 'A'..='Z' => 'A',
        '_' | '.' | '-' | ' ' => character,
        _ => '?',
    };
    if name.is_empty() {
        return "empty".to_owned();
    }
    let mut shape: String = name.chars().take(MAX_DRAWN).map(draw).collect();
    if name.chars().nth(MAX_DRAWN).is_some() {
        shape.push('…');
    }
    shape
}

/// Characters of a value that are drawn; no item but free text is longer.
const MAX_DRAWN_OF_VALUE: usize = 40;
/// Bytes that are decoded for that.
const MAX_BYTES_OF_VALUE: usize = 4 * MAX_DRAWN_OF_VALUE;

/// Draws a value's shape: digits as `9`, letters as `A`, full-width ones as `９` and `Ａ`, half-width katakana as `ｱ`, other
/// full-width characters as `全`; ASCII marks stay, since they are often what is wrong.
pub(crate) fn of_value(value: &[u8]) -> String {
    if value.is_empty() {
        return "empty".to_owned();
    }
    let start = value.get(..value.len().min(MAX_BYTES_OF_VALUE)).unwrap_or_default();
    let (text, _, _) = encoding_rs::SHIFT_JIS.decode(start);
    let draw = |character: char| match character {
        '0'..='9' => '9',
        'a'..='z' | 'A'..='Z' => 'A',
        '０'..='９' => '９',
        'ａ'..='ｚ' | 'Ａ'..='Ｚ' => 'Ａ',
        '｡'..='ﾟ' => 'ｱ',
        '\r' | '\n' => '⏎',
        ' '..='~' => character,
        _ => '全',
    };
    let mut shape: String = text.chars().take(MAX_DRAWN_OF_VALUE).map(draw).collect();
    if text.chars().nth(MAX_DRAWN_OF_VALUE).is_some() || start.len() < value.len() {
        shape.push('…');
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_drawn_not_told() {
        let of = |text: &str| of_value(&encoding_rs::SHIFT_JIS.encode(text).0);
        assert_eq!(of("2026/02/30"), "9999/99/99");
        assert_eq!(of("２０２６年　ｱﾞA"), "９９９９全全ｱｱA");
        assert_eq!(of("a\r\nb\"\"c"), "A⏎⏎A\"\"A");
        assert_eq!(of(""), "empty");
        assert_eq!(of(&"9".repeat(1_000)), "9".repeat(40) + "…");
        assert_eq!(of(&"表".repeat(1_000)), "全".repeat(40) + "…");
        assert_eq!(of(&"9".repeat(40)), "9".repeat(40));
    }

    #[test]
    fn names_are_drawn_not_told() {
        assert_eq!(of_name("UPPLAN_20260x-１ 吉田.csv"), "AAAAAA_99999A-? ??.AAA");
        assert_eq!(of_name(""), "empty");
        assert_eq!(of_name(&"9".repeat(1000)), "9".repeat(100) + "…");
        assert_eq!(of_name(&"9".repeat(100)), "9".repeat(100));
    }
}
