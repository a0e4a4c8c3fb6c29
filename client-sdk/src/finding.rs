//! Findings in files, from this library's own checks or from the relay's, in one form.

use serde::Serialize;
use tasuki_careplan::finding as careplan;
use tasuki_proto::pb;

/// Something found in a file: where, which rule, the shape of what was found (never its value), what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stable rule id, for example `FIELD_COUNT`. A newer relay may know more rules than this library.
    pub rule: String,
    /// `error` or `warning`.
    pub severity: String,
    /// The file's name; for an attachment seen by the relay its place in the parcel, `#3`.
    pub file: String,
    /// Line from 1.
    pub line: Option<u64>,
    /// Item (column) from 1.
    pub item: Option<u64>,
    /// The item's name in the standard, in Japanese.
    pub item_name_ja: Option<String>,
    /// The value's shape.
    pub shape: String,
    /// What is wrong and what to do, in Japanese.
    pub message_ja: String,
    /// The same in English.
    pub message_en: String,
}

impl Finding {
    /// Whether it forbids sending the file.
    pub fn is_error(&self) -> bool {
        self.severity == "error"
    }
}

impl From<&careplan::Finding> for Finding {
    fn from(finding: &careplan::Finding) -> Self {
        Self {
            rule: finding.rule.to_string(),
            severity: match finding.severity {
                careplan::Severity::Error => "error".to_owned(),
                careplan::Severity::Warning => "warning".to_owned(),
            },
            file: finding.file.clone(),
            line: finding.line,
            item: finding.item,
            item_name_ja: finding.item_name_ja.clone(),
            shape: finding.shape.clone(),
            message_ja: finding.message_ja.clone(),
            message_en: finding.message_en.clone(),
        }
    }
}

impl From<pb::Finding> for Finding {
    fn from(finding: pb::Finding) -> Self {
        let place = |n: u32| (n > 0).then_some(u64::from(n));
        Self {
            rule: finding.rule,
            severity: finding.severity,
            file: finding.file,
            line: place(finding.line),
            item: place(finding.item),
            item_name_ja: Some(finding.item_name).filter(|n| !n.is_empty()),
            shape: finding.shape,
            message_ja: finding.message_ja,
            message_en: finding.message_en,
        }
    }
}
