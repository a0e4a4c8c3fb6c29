//! The checks of one file: its name, its characters, its CSV, its records.
//!
//! The rules stand in order of precedence: a file that fails one of the first five gets no findings of later
//! rules, since they would only be echoes of the first.
//!
//! | rule | fails when |
//! |---|---|
//! | `FILE_NAME` | the name does not parse; a warning where only the case of `.CSV` is wrong |
//! | `FILE_KIND` | the name is built like the standard's, but has an unknown prefix |
//! | `ENCODING` | BOM, UTF-8, bytes that are no MS932 character, user-defined characters |
//! | `CSV_SYNTAX` | misplaced or unclosed quotes, NUL, a CR alone outside quotes |
//! | `EMPTY_FILE` | no record |
//! | `FIELD_COUNT` | a record has not as many items as the layout of its edition |
//!
//! CRLF, LF and a missing line end at the end of the file are all clean. The image of UPKIHON is no CSV: only its name
//! is checked, and that it isn't empty.

mod content;
mod csv;
mod name;
mod shape;

use crate::finding::{Finding, Findings, RuleId, Severity};

/// Checks one file that claims to be a standard file ([`looks_standard`](crate::file_name::looks_standard)).
///
/// `name` is the file's name without folders. Takes time linear in the size of `bytes`, and memory bounded by the
/// number of findings; never panics, whatever the bytes.
pub fn check_file(name: &str, bytes: &[u8]) -> Findings {
    let report = Report { file: name };
    let mut findings = Findings::default();
    let Some(file_name) = name::check(&report, &mut findings) else { return findings };
    let kind = file_name.kind;
    if kind.is_image() {
        if bytes.is_empty() {
            findings.add(Severity::Error, || csv::empty_file(&report, bytes));
        }
        return findings;
    }
    if content::check(&report, kind, bytes, &mut findings) {
        csv::check(&report, kind, bytes, &mut findings);
    }
    findings
}

/// Makes findings about one file.
struct Report<'a> {
    file: &'a str,
}

/// A message in both languages: what is wrong and what to do.
struct Message {
    ja: String,
    en: String,
}

impl Message {
    fn new(ja: impl Into<String>, en: impl Into<String>) -> Self {
        Self { ja: ja.into(), en: en.into() }
    }
}

impl Report<'_> {
    /// A finding about the whole file; `Findings::add` sets its severity.
    fn finding(&self, rule: RuleId, shape: impl Into<String>, message: Message) -> Finding {
        Finding {
            rule,
            severity: Severity::Error,
            file: self.file.to_owned(),
            line: None,
            item: None,
            item_name_ja: None,
            shape: shape.into(),
            message_ja: message.ja,
            message_en: message.en,
        }
    }
}
