//! Findings: what a check has to say about a file.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Findings kept per file; those beyond it are only counted. Who has a hundred needs another export, not more.
pub const MAX_FINDINGS: usize = 100;

/// Which rule a finding is about. The name is stable: scripts and vendors rely on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum RuleId {
    /// The name is not one of the standard's.
    FileName,
    /// The name's prefix is none of the standard's.
    FileKind,
    /// The content is not MS932.
    Encoding,
    /// The content is no CSV.
    CsvSyntax,
    /// There is no record.
    EmptyFile,
    /// A record has not as many items as its layout.
    FieldCount,
}

impl RuleId {
    /// The stable name, such as `FILE_NAME`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FileName => "FILE_NAME",
            Self::FileKind => "FILE_KIND",
            Self::Encoding => "ENCODING",
            Self::CsvSyntax => "CSV_SYNTAX",
            Self::EmptyFile => "EMPTY_FILE",
            Self::FieldCount => "FIELD_COUNT",
        }
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How bad a finding is. `Ord`: the worse, the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth a look; the file goes out.
    Warning,
    /// The file is not sent.
    Error,
}

/// One thing found in one file. It never holds a value from the file, only its shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The rule.
    pub rule: RuleId,
    /// How bad it is.
    pub severity: Severity,
    /// The file's name, as it was given to the check.
    pub file: String,
    /// The line, from 1, as an editor counts; a record with line breaks in it is found on its first.
    pub line: Option<u64>,
    /// The number of the item (項目) in its record, from 1.
    pub item: Option<u64>,
    /// The standard's name of that item, where the layout tells.
    pub item_name_ja: Option<String>,
    /// What was found, without its value: lengths, kinds of characters, counts.
    pub shape: String,
    /// In Japanese: what is wrong and what to do.
    pub message_ja: String,
    /// In English: what is wrong and what to do.
    pub message_en: String,
}

/// The findings of one file: the first [`MAX_FINDINGS`], and how many there were.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    #[serde(rename = "findings")]
    kept: Vec<Finding>,
    errors: u64,
    warnings: u64,
}

impl Findings {
    /// Adds one. It is built only while there is room, so that a file of a million faults costs a million counts.
    pub fn add(&mut self, severity: Severity, finding: impl FnOnce() -> Finding) {
        match severity {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
        }
        if self.kept.len() < MAX_FINDINGS {
            self.kept.push(Finding { severity, ..finding() });
        }
    }

    /// The findings kept, in the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, Finding> {
        self.kept.iter()
    }

    /// How many errors there were, kept or not.
    pub fn errors(&self) -> u64 {
        self.errors
    }

    /// How many warnings there were, kept or not.
    pub fn warnings(&self) -> u64 {
        self.warnings
    }

    /// How many findings were counted but not kept.
    pub fn omitted(&self) -> u64 {
        (self.errors + self.warnings).saturating_sub(self.kept.len() as u64)
    }

    /// Whether nothing was found at all.
    pub fn is_clean(&self) -> bool {
        self.errors == 0 && self.warnings == 0
    }

    /// Whether something forbids sending the file.
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }
}

impl IntoIterator for Findings {
    type Item = Finding;
    type IntoIter = std::vec::IntoIter<Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.kept.into_iter()
    }
}

impl<'a> IntoIterator for &'a Findings {
    type Item = &'a Finding;
    type IntoIter = std::slice::Iter<'a, Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding() -> Finding {
        Finding {
            rule: RuleId::FieldCount,
            severity: Severity::Error,
            file: "F.CSV".into(),
            line: Some(3),
            item: None,
            item_name_ja: None,
            shape: "24 items".into(),
            message_ja: "項目数".into(),
            message_en: "items".into(),
        }
    }

    #[test]
    fn json_is_stable() {
        let json = serde_json::to_string(&finding()).unwrap();
        assert_eq!(
            json,
            r#"{"rule":"FIELD_COUNT","severity":"error","file":"F.CSV","line":3,"item":null,"item_name_ja":null,"shape":"24 items","message_ja":"項目数","message_en":"items"}"#
        );
        assert_eq!(serde_json::from_str::<Finding>(&json).unwrap(), finding());
    }

    #[test]
    fn rules_serialize_as_their_names() {
        use RuleId::{CsvSyntax, EmptyFile, Encoding, FieldCount, FileKind, FileName};
        for rule in [FileName, FileKind, Encoding, CsvSyntax, EmptyFile, FieldCount] {
            assert_eq!(serde_json::to_string(&rule).unwrap(), format!("{:?}", rule.as_str()));
        }
    }

    #[test]
    fn beyond_the_bound_findings_are_counted_and_not_built() {
        let mut findings = Findings::default();
        for _ in 0..MAX_FINDINGS {
            findings.add(Severity::Warning, finding);
        }
        assert!(!findings.has_errors() && !findings.is_clean());
        findings.add(Severity::Error, || unreachable!("no room: it must not be built"));
        assert_eq!((findings.errors(), findings.warnings(), findings.omitted()), (1, 100, 1));
        assert!(findings.has_errors());
        assert_eq!(findings.iter().filter(|f| f.severity == Severity::Warning).count(), MAX_FINDINGS);
    }
}
