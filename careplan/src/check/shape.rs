//! The shape of a text: what a finding may say of it without telling the text.

/// Longest shape that is drawn; the longest standard name has 71 characters.
const MAX_DRAWN: usize = 100;

/// Draws a file name's shape: a digit as `9`, a letter as `A`, other characters as `?`; the marks that separate a
/// name's parts stay. So a nine-digit office number is seen at once, and a name typed into a file name is not.
pub(super) fn of_name(name: &str) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_drawn_not_told() {
        assert_eq!(of_name("UPPLAN_20260x-１ 吉田.csv"), "AAAAAA_99999A-? ??.AAA");
        assert_eq!(of_name(""), "empty");
        assert_eq!(of_name(&"9".repeat(1000)), "9".repeat(100) + "…");
        assert_eq!(of_name(&"9".repeat(100)), "9".repeat(100));
    }
}
