//! The small pattern language of a certificate profile.
//!
//! | written | stands for |
//! |---|---|
//! | `office`, `urn:example:` | exactly this text |
//! | `{number:10}` | captures exactly 10 ASCII digits as `number` |
//! | `{number:P5}` | captures `P` and exactly 5 ASCII digits as `number` |
//! | `{name}` | captures 1 to 64 characters, none of them a control character |
//! | `{}` | any text, also none, that is not kept |
//!
//! A pattern describes the whole value. At most one piece may be of open length (`{name}` or `{}`), so that there is
//! never more than one way to read a value. Captures are `number`, `office` and `name`.

use serde::{Deserialize, Serialize};

/// Longest text that `{name}` captures, in characters: the upper bound of a common name (RFC 5280 appendix A.1).
const MAX_TEXT_CHARS: usize = 64;
/// Most digits that a capture may ask for; identifiers in certificates are far shorter.
const MAX_DIGITS: usize = 32;

/// A pattern that describes one value of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern {
    written: String,
    parts: Vec<Part>,
}

/// A name that a pattern gives to what it captures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Capture {
    Number,
    Office,
    Name,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Part {
    Literal(String),
    Digits { capture: Capture, letters: String, count: usize },
    Text(Option<Capture>),
}

/// Why a pattern cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// `{` without `}`, or the other way round.
    #[error("a brace has no partner")]
    Brace,
    /// A capture that is not `number`, `office` or `name`.
    #[error("there is no capture named {0:?}; use number, office or name")]
    UnknownCapture(String),
    /// After the colon stands something else than optional upper-case letters and a count of 1 to 32 digits.
    #[error("{0:?} is no shape; write a count of digits such as 10, or letters and a count such as P5")]
    Shape(String),
    /// More than one piece of open length.
    #[error("only one piece of a pattern may be of open length")]
    TwoOpenPieces,
    /// The same capture twice.
    #[error("a capture stands twice in a pattern")]
    CaptureTwice,
    /// Nothing to compare with.
    #[error("the pattern is empty")]
    Empty,
}

impl Pattern {
    /// Reads a pattern.
    pub fn parse(written: &str) -> Result<Self, PatternError> {
        let mut parts = Vec::new();
        let mut rest = written;
        while !rest.is_empty() {
            let (literal, after) = rest.split_at(rest.find(['{', '}']).unwrap_or(rest.len()));
            if !literal.is_empty() {
                parts.push(Part::Literal(literal.to_owned()));
            }
            if after.is_empty() {
                break;
            }
            let inside = after.strip_prefix('{').ok_or(PatternError::Brace)?;
            let (piece, after) = inside.split_once('}').ok_or(PatternError::Brace)?;
            if piece.contains('{') {
                return Err(PatternError::Brace);
            }
            parts.push(Part::parse(piece)?);
            rest = after;
        }
        if parts.is_empty() {
            return Err(PatternError::Empty);
        }
        if parts.iter().filter(|part| matches!(part, Part::Text(_))).count() > 1 {
            return Err(PatternError::TwoOpenPieces);
        }
        let pattern = Self { written: written.to_owned(), parts };
        let mut captures: Vec<Capture> = pattern.captures().collect();
        captures.sort_unstable();
        if captures.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(PatternError::CaptureTwice);
        }
        Ok(pattern)
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// The captures of this pattern, in the order of writing.
    pub(crate) fn captures(&self) -> impl Iterator<Item = Capture> + '_ {
        self.parts.iter().filter_map(Part::capture)
    }

    /// What the pattern captures from `value`, in the order of writing; `None` where the pattern does not describe it.
    pub(crate) fn read(&self, value: &str) -> Option<Vec<(Capture, String)>> {
        let open = self.parts.iter().position(|part| matches!(part, Part::Text(_)));
        let (before, after) = match open {
            Some(at) => (&self.parts[..at], &self.parts[at + 1..]),
            None => (&self.parts[..], &self.parts[..0]),
        };
        let mut found = Vec::new();
        let mut rest = value;
        for part in before {
            let (piece, next) = rest.split_at_checked(part.fixed_len())?;
            part.take(piece, &mut found)?;
            rest = next;
        }
        let Some(open) = open else {
            return rest.is_empty().then_some(found);
        };
        let tail_len = after.iter().map(Part::fixed_len).sum();
        let (text, mut tail) = rest.split_at_checked(rest.len().checked_sub(tail_len)?)?;
        self.parts[open].take(text, &mut found)?;
        for part in after {
            let (piece, next) = tail.split_at_checked(part.fixed_len())?;
            part.take(piece, &mut found)?;
            tail = next;
        }
        Some(found)
    }
}

impl Part {
    /// Reads what stands between a pair of braces.
    fn parse(piece: &str) -> Result<Self, PatternError> {
        let (name, shape) = match piece.split_once(':') {
            Some((name, shape)) => (name, Some(shape)),
            None => (piece, None),
        };
        let capture = match name {
            "number" => Capture::Number,
            "office" => Capture::Office,
            "name" => Capture::Name,
            "" if shape.is_none() => return Ok(Self::Text(None)),
            _ => return Err(PatternError::UnknownCapture(name.to_owned())),
        };
        let Some(shape) = shape else {
            return Ok(Self::Text(Some(capture)));
        };
        let digits = shape.trim_start_matches(|c: char| c.is_ascii_uppercase());
        let count = match digits.parse::<usize>() {
            Ok(count) if (1..=MAX_DIGITS).contains(&count) && digits.bytes().all(|b| b.is_ascii_digit()) => {
                count
            }
            _ => return Err(PatternError::Shape(shape.to_owned())),
        };
        Ok(Self::Digits { capture, letters: shape[..shape.len() - digits.len()].to_owned(), count })
    }

    fn capture(&self) -> Option<Capture> {
        match self {
            Self::Literal(_) => None,
            Self::Digits { capture, .. } => Some(*capture),
            Self::Text(capture) => *capture,
        }
    }

    /// Length in bytes of what this part describes; 0 for the open piece, whose length the others leave.
    fn fixed_len(&self) -> usize {
        match self {
            Self::Literal(text) => text.len(),
            Self::Digits { letters, count, .. } => letters.len() + count,
            Self::Text(_) => 0,
        }
    }

    /// Checks `piece` and keeps what is captured.
    fn take(&self, piece: &str, found: &mut Vec<(Capture, String)>) -> Option<()> {
        let fits = match self {
            Self::Literal(text) => piece == text,
            Self::Digits { letters, .. } => {
                piece.strip_prefix(letters.as_str()).is_some_and(|d| d.bytes().all(|b| b.is_ascii_digit()))
            }
            Self::Text(None) => true,
            Self::Text(Some(_)) => {
                !piece.is_empty()
                    && piece.chars().count() <= MAX_TEXT_CHARS
                    && !piece.chars().any(char::is_control)
            }
        };
        if let (true, Some(capture)) = (fits, self.capture()) {
            found.push((capture, piece.to_owned()));
        }
        fits.then_some(())
    }
}

impl TryFrom<String> for Pattern {
    type Error = PatternError;

    fn try_from(written: String) -> Result<Self, PatternError> {
        Self::parse(&written)
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pattern: &str, value: &str) -> Option<Vec<(Capture, String)>> {
        Pattern::parse(pattern).expect("the pattern is good").read(value)
    }

    #[test]
    fn digits_are_counted_exactly() {
        let number = |text: &str| Some(vec![(Capture::Number, text.to_owned())]);
        assert_eq!(read("{number:10}", "1371215102"), number("1371215102"));
        assert_eq!(read("{number:10}", "137121510"), None);
        assert_eq!(read("{number:10}", "13712151020"), None);
        assert_eq!(read("{number:10}", "137121510a"), None);
        assert_eq!(read("{number:10}", "１371215102"), None);
        assert_eq!(read("{number:P5}", "P00001"), number("P00001"));
        assert_eq!(read("{number:P5}", "Q00001"), None);
        assert_eq!(read("urn:jp:office:{number:10}", "urn:jp:office:1371215102"), number("1371215102"));
        assert_eq!(read("urn:jp:office:{number:10}", "urn:jp:office:1371215102 "), None);
    }

    #[test]
    fn one_open_piece_takes_what_the_others_leave() {
        assert_eq!(
            read("{name}/{office:10}", "受付/1371215102"),
            Some(vec![(Capture::Name, "受付".into()), (Capture::Office, "1371215102".into())])
        );
        assert_eq!(read("{name}/{office:10}", "/1371215102"), None);
        assert_eq!(read("{}{number:10}", "1371215102"), Some(vec![(Capture::Number, "1371215102".into())]));
        assert_eq!(read("{}{number:10}", "x1371215102"), Some(vec![(Capture::Number, "1371215102".into())]));
        // The tail would begin inside a character: no match, no panic.
        assert_eq!(read("{}{number:10}", "あああああ"), None);
        assert_eq!(read("a{}a", "a"), None);
        assert_eq!(read("{name}", "a\u{0}b"), None);
        assert_eq!(read("{name}", &"x".repeat(65)), None);
    }

    #[test]
    fn bad_patterns_say_what_is_wrong() {
        let error = |pattern: &str| Pattern::parse(pattern).expect_err("the pattern is bad");
        assert_eq!(error(""), PatternError::Empty);
        assert_eq!(error("{number:10"), PatternError::Brace);
        assert_eq!(error("number}"), PatternError::Brace);
        assert_eq!(error("{a{b}"), PatternError::Brace);
        assert_eq!(error("{serial:10}"), PatternError::UnknownCapture("serial".into()));
        assert_eq!(error("{number:0}"), PatternError::Shape("0".into()));
        assert_eq!(error("{number:+5}"), PatternError::Shape("+5".into()));
        assert_eq!(error("{number:p5}"), PatternError::Shape("p5".into()));
        assert_eq!(error("{number:99}"), PatternError::Shape("99".into()));
        assert_eq!(error("{name}{}"), PatternError::TwoOpenPieces);
        assert_eq!(error("{number:1}{number:2}"), PatternError::CaptureTwice);
    }
}
