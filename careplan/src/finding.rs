//! Findings: what a check has to say about a file.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Findings kept per file; those beyond it are only counted. Who has a hundred needs another export, not more.
pub const MAX_FINDINGS: usize = 100;

/// Which rule a finding is about. The name is stable: scripts and vendors rely on it. `Ord` is the order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum RuleId {
    /// The name is not one of the standard's; a warning where only the case of the extension is wrong.
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
    /// An item that must be filled is empty.
    Required,
    /// An item has characters or a form that its type does not allow, full-width digits included.
    Type,
    /// An item is longer than its layout allows, or has not the one length that its kind has.
    Length,
    /// No such date, month or time.
    Range,
    /// A value that is not in the item's list of codes.
    Code,
    /// The CSV version is unknown, or not the one for the service month.
    Version,
    /// Records of one file have different CSV versions.
    VersionMixed,
    /// A record or the parcel has another month than the file's name.
    MonthMismatch,
    /// Records of one file have different service months.
    MonthMixed,
    /// Name, records and parcel disagree about the sender or the recipient.
    OfficeMismatch,
    /// Files that belong to one send unit, or to one parcel, have different serials.
    SerialMismatch,
    /// Files that travel together make no permitted send unit (送信単位).
    SendUnit,
    /// A user has no service at the office that the file goes to; a warning in plan tables.
    Misdirected,
    /// A service kind that the standard leaves out (対象外); a warning.
    OutOfScope,
    /// The check digit of an office number is wrong; a warning.
    CheckDigit,
    /// A family image is missing, or not named by a record, or no JPEG.
    Image,
    /// The content of an attachment is not what its name says.
    AttachmentType,
}

/// The name is none of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no rule has this name")]
pub struct UnknownRule;

impl RuleId {
    /// All rules, in the order of their precedence.
    pub const ALL: [Self; 23] = [
        Self::FileName,
        Self::FileKind,
        Self::Encoding,
        Self::CsvSyntax,
        Self::EmptyFile,
        Self::FieldCount,
        Self::Required,
        Self::Type,
        Self::Length,
        Self::Range,
        Self::Code,
        Self::Version,
        Self::VersionMixed,
        Self::MonthMismatch,
        Self::MonthMixed,
        Self::OfficeMismatch,
        Self::SerialMismatch,
        Self::SendUnit,
        Self::Misdirected,
        Self::OutOfScope,
        Self::CheckDigit,
        Self::Image,
        Self::AttachmentType,
    ];

    /// The stable name, such as `FILE_NAME`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FileName => "FILE_NAME",
            Self::FileKind => "FILE_KIND",
            Self::Encoding => "ENCODING",
            Self::CsvSyntax => "CSV_SYNTAX",
            Self::EmptyFile => "EMPTY_FILE",
            Self::FieldCount => "FIELD_COUNT",
            Self::Required => "REQUIRED",
            Self::Type => "TYPE",
            Self::Length => "LENGTH",
            Self::Range => "RANGE",
            Self::Code => "CODE",
            Self::Version => "VERSION",
            Self::VersionMixed => "VERSION_MIXED",
            Self::MonthMismatch => "MONTH_MISMATCH",
            Self::MonthMixed => "MONTH_MIXED",
            Self::OfficeMismatch => "OFFICE_MISMATCH",
            Self::SerialMismatch => "SERIAL_MISMATCH",
            Self::SendUnit => "SEND_UNIT",
            Self::Misdirected => "MISDIRECTED",
            Self::OutOfScope => "OUT_OF_SCOPE",
            Self::CheckDigit => "CHECK_DIGIT",
            Self::Image => "IMAGE",
            Self::AttachmentType => "ATTACHMENT_TYPE",
        }
    }
}

impl FromStr for RuleId {
    type Err = UnknownRule;

    fn from_str(name: &str) -> Result<Self, UnknownRule> {
        Self::ALL.into_iter().find(|rule| rule.as_str() == name).ok_or(UnknownRule)
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
    /// Adds one. It is built only while there is room, so that a file of a million faults costs a million counts. When
    /// there is none left, an error takes the place of the last warning: what forbids sending is always told.
    pub fn add(&mut self, severity: Severity, finding: impl FnOnce() -> Finding) {
        // Every error is kept while there is room, so warnings are left exactly while there were fewer errors than that.
        let warnings_kept = self.errors < MAX_FINDINGS as u64;
        match severity {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
        }
        if self.kept.len() >= MAX_FINDINGS {
            if severity == Severity::Warning || !warnings_kept {
                return;
            }
            let last_warning = self.kept.iter().rposition(|kept| kept.severity == Severity::Warning);
            last_warning.map(|at| self.kept.remove(at));
        }
        self.kept.push(Finding { severity, ..finding() });
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
        for rule in RuleId::ALL {
            assert_eq!(serde_json::to_string(&rule).unwrap(), format!("{:?}", rule.as_str()));
            assert_eq!(rule.as_str().parse(), Ok(rule));
        }
        assert_eq!("file_name".parse::<RuleId>(), Err(UnknownRule));
    }

    #[test]
    fn beyond_the_bound_findings_are_counted_and_not_built() {
        let mut findings = Findings::default();
        for _ in 0..MAX_FINDINGS {
            findings.add(Severity::Warning, finding);
        }
        assert!(!findings.has_errors() && !findings.is_clean());
        findings.add(Severity::Warning, || unreachable!("no room: it must not be built"));
        assert_eq!((findings.errors(), findings.warnings(), findings.omitted()), (0, 101, 1));
        assert_eq!(findings.iter().count(), MAX_FINDINGS);
    }

    #[test]
    fn errors_displace_warnings() {
        let mut findings = Findings::default();
        for _ in 0..MAX_FINDINGS {
            findings.add(Severity::Warning, finding);
        }
        for error in 1..=MAX_FINDINGS {
            findings.add(Severity::Error, finding);
            assert_eq!(findings.iter().filter(|f| f.severity == Severity::Error).count(), error);
            assert_eq!(findings.iter().count(), MAX_FINDINGS);
        }
        findings.add(Severity::Error, || unreachable!("no room: it must not be built"));
        assert_eq!((findings.errors(), findings.warnings(), findings.omitted()), (101, 100, 101));
    }
}
