//! The text form that events and statements share: one meaning, one sequence of bytes.
//!
//! ```text
//! tasuki-statement/v1
//! digest: sha256:8f4e…
//! kind: acknowledge
//! parcel: 0193a3f0-8a1b-7c2d-8e3f-000000000000
//! ```
//!
//! The first line names the form. Then come `key: value` lines in ascending order of their keys (bytes),
//! each key at most once unless the form says that it repeats; repeated ones are ordered by value.
//! Lines end with LF, the last one too. Keys are `[a-z][a-z0-9-]*`. Values are not empty, hold no control
//! characters, and neither begin nor end with a space. UTF-8.

use std::borrow::Cow;

/// The bytes are not a canonical text of the expected form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Not UTF-8, no final line end, or a line without `key: value`.
    #[error("line {line} is not `key: value`")]
    Syntax {
        /// Line, from 1.
        line: usize,
    },
    /// The first line names another form.
    #[error("the text is not of the form {expected}")]
    Form {
        /// What the first line should have been.
        expected: &'static str,
    },
    /// Keys out of order or repeated, or a key or value with characters that may not stand there.
    #[error("line {line} is not canonical")]
    NotCanonical {
        /// Line, from 1.
        line: usize,
    },
    /// A key that the form needs is absent.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A value that does not parse.
    #[error("`{0}` has no valid value")]
    Value(&'static str),
    /// Longer than [`MAX_TEXT`].
    #[error("the text is longer than {MAX_TEXT} bytes")]
    TooLong,
}

/// Bytes of a canonical text. The largest real one, a delivery of 1,000 files, stays below 100 KiB.
pub const MAX_TEXT: usize = 256 * 1024;

/// Key–value lines of one text, always in canonical order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines(Vec<(Cow<'static, str>, String)>);

impl Lines {
    /// No lines yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a line. Characters that a value can't hold become spaces; an empty value adds no line.
    pub fn add(&mut self, key: &'static str, value: &str) {
        debug_assert!(is_key(key), "{key:?} is no key");
        let value = value.trim();
        let clean = if value.chars().any(char::is_control) {
            value.replace(char::is_control, " ").trim().to_owned()
        } else {
            value.to_owned()
        };
        if clean.is_empty() {
            return;
        }
        let place = self.0.binary_search_by(|(k, v)| (&**k, v.as_str()).cmp(&(key, &clean)));
        if let Err(place) = place {
            self.0.insert(place, (Cow::Borrowed(key), clean));
        }
    }

    /// The value of a key that stands at most once.
    pub fn get(&self, key: &str) -> Option<&str> {
        let (k, value) = self.0.get(self.place(key))?;
        (k == key).then_some(value.as_str())
    }

    /// The values of a key that may repeat, in order.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0[self.place(key)..].iter().take_while(move |(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    /// Where the first line of a key stands, or would.
    fn place(&self, key: &str) -> usize {
        self.0.partition_point(|(k, _)| &**k < key)
    }

    /// The value of a key that the form needs.
    pub fn need(&self, key: &'static str) -> Result<&str, TextError> {
        self.get(key).ok_or(TextError::Missing(key))
    }

    /// The parsed value of a key that the form needs.
    pub fn parse<T: std::str::FromStr>(&self, key: &'static str) -> Result<T, TextError> {
        self.need(key)?.parse().map_err(|_| TextError::Value(key))
    }

    /// Keeps the lines whose key passes.
    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        self.0.retain(|(key, _)| keep(key));
    }

    /// All lines in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        self.0.iter().map(|(k, v)| (&**k, v.as_str()))
    }

    /// The text under its first line.
    pub fn print(&self, form: &str) -> String {
        print_lines(form, self.iter())
    }

    /// Reads what [`Lines::print`] wrote; refuses every other spelling. `repeating` are the keys that may
    /// stand more than once.
    pub fn read(bytes: &[u8], form: &'static str, repeating: &[&str]) -> Result<Self, TextError> {
        if bytes.len() > MAX_TEXT {
            return Err(TextError::TooLong);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| TextError::Syntax { line: 0 })?;
        let rest = text.strip_prefix(form).and_then(|r| r.strip_prefix('\n'));
        let rest = rest.ok_or(TextError::Form { expected: form })?;
        let mut lines = Self::new();
        let mut last: Option<(&str, &str)> = None;
        for (number, whole) in rest.split_inclusive('\n').enumerate() {
            let line = number + 2;
            let pair = whole.strip_suffix('\n').and_then(|l| l.split_once(": "));
            let (key, value) = pair.ok_or(TextError::Syntax { line })?;
            let in_order = match last {
                None => true,
                Some((k, v)) if k == key => repeating.contains(&key) && v < value,
                Some((k, _)) => k < key,
            };
            if !(in_order && is_key(key) && is_value(value)) {
                return Err(TextError::NotCanonical { line });
            }
            // In order, as was just checked.
            lines.0.push((Cow::Owned(key.to_owned()), value.to_owned()));
            last = Some((key, value));
        }
        Ok(lines)
    }
}

/// A text of lines that stand in canonical order.
pub(crate) fn print_lines<'l>(form: &str, lines: impl Iterator<Item = (&'l str, &'l str)> + Clone) -> String {
    let length: usize = lines.clone().map(|(key, value)| key.len() + value.len() + 3).sum();
    let mut text = String::with_capacity(form.len() + 1 + length);
    text.push_str(form);
    text.push('\n');
    for (key, value) in lines {
        for piece in [key, ": ", value, "\n"] {
            text.push_str(piece);
        }
    }
    text
}

fn is_key(key: &str) -> bool {
    key.starts_with(|c: char| c.is_ascii_lowercase())
        && key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn is_value(value: &str) -> bool {
    !value.is_empty() && value.trim() == value && !value.chars().any(char::is_control)
}

/// Prints a digest as texts do: `sha256:` and 64 lower-case hexadecimal digits.
pub fn digest_text(digest: &[u8; 32]) -> String {
    let mut text = String::with_capacity(7 + 64);
    text.push_str("sha256:");
    push_hex(&mut text, digest);
    text
}

/// Reads what [`digest_text`] prints.
pub fn parse_digest(text: &str) -> Option<[u8; 32]> {
    parse_hex(text.strip_prefix("sha256:")?)
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    push_hex(&mut text, bytes);
    text
}

/// Appends lower-case hexadecimal digits.
pub(crate) fn push_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    text.extend(
        bytes
            .iter()
            .flat_map(|byte| [byte >> 4, byte & 15])
            .map(|digit| char::from(DIGITS[usize::from(digit)])),
    );
}

/// Reads exactly `N` bytes in lower-case hexadecimal digits.
pub fn parse_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    fn digit(b: u8) -> Option<u8> {
        match b {
            b'0'..=b'9' => Some(b - b'0'),
            b'a'..=b'f' => Some(b - b'a' + 10),
            _ => None,
        }
    }
    let text = text.as_bytes();
    if text.len() != N * 2 {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "tasuki-test/v1";

    #[test]
    fn prints_in_order_and_reads_back() {
        let mut lines = Lines::new();
        lines.add("time", "2026");
        lines.add("file", "b");
        lines.add("file", "a");
        lines.add("empty", "");
        lines.add("name", "two\nlines ");
        let text = lines.print(FORM);
        assert_eq!(text, "tasuki-test/v1\nfile: a\nfile: b\nname: two lines\ntime: 2026\n");
        assert_eq!(Lines::read(text.as_bytes(), FORM, &["file"]), Ok(lines.clone()));
        assert_eq!(lines.all("file").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(lines.need("absent"), Err(TextError::Missing("absent")));
    }

    #[test]
    fn any_other_spelling_is_refused() {
        for (text, error) in [
            ("tasuki-other/v1\na: b\n", TextError::Form { expected: FORM }),
            ("tasuki-test/v1", TextError::Form { expected: FORM }),
            ("tasuki-test/v1\na: b", TextError::Syntax { line: 2 }),
            ("tasuki-test/v1\na:b\n", TextError::Syntax { line: 2 }),
            ("tasuki-test/v1\nb: 1\na: 1\n", TextError::NotCanonical { line: 3 }),
            ("tasuki-test/v1\na: 1\na: 2\n", TextError::NotCanonical { line: 3 }),
            ("tasuki-test/v1\nfile: 1\nfile: 1\n", TextError::NotCanonical { line: 3 }),
            ("tasuki-test/v1\na:  1\n", TextError::NotCanonical { line: 2 }),
            ("tasuki-test/v1\na: 1\r\n", TextError::NotCanonical { line: 2 }),
            ("tasuki-test/v1\nA: 1\n", TextError::NotCanonical { line: 2 }),
            ("tasuki-test/v1\n\n", TextError::Syntax { line: 2 }),
        ] {
            assert_eq!(Lines::read(text.as_bytes(), FORM, &["file"]), Err(error), "{text:?}");
        }
    }

    #[test]
    fn hexadecimal_digits_are_lower_case_and_exact() {
        assert_eq!(hex(&[0, 0xab, 0xff]), "00abff");
        assert_eq!(parse_hex("00abff"), Some([0, 0xab, 0xff]));
        assert_eq!(parse_hex::<3>("00ABFF"), None);
        assert_eq!(parse_hex::<3>("00abf"), None);
        assert_eq!(parse_digest(&digest_text(&[7; 32])), Some([7; 32]));
    }
}
