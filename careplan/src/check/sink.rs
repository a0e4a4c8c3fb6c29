//! Where the checks of one file put what they find.

use super::Message;
use crate::finding::{Finding, Findings, MAX_FINDINGS, RuleId, Severity};
use crate::layout::Layout;
use crate::severity::Severities;

/// Makes findings about one file and keeps them.
#[derive(Clone, Debug)]
pub(crate) struct Sink<'a> {
    pub(crate) file: &'a str,
    severities: &'a Severities,
    findings: Findings,
}

/// Where in a file something was found. Lines and items count from 1.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    pub(crate) line: Option<u64>,
    pub(crate) item: Option<u64>,
    pub(crate) item_name_ja: Option<&'static str>,
}

impl Place {
    /// The whole file.
    pub(crate) const FILE: Self = Self { line: None, item: None, item_name_ja: None };

    pub(crate) fn line(line: u64) -> Self {
        Self { line: Some(line), ..Self::FILE }
    }

    /// The item at this place, from 0, of a record.
    pub(crate) fn item(line: u64, layout: &Layout, at: usize) -> Self {
        let item_name_ja = layout.items.get(at).map(|item| item.name_ja);
        Self { line: Some(line), item: Some(at as u64 + 1), item_name_ja }
    }
}

impl<'a> Sink<'a> {
    pub(crate) fn new(file: &'a str, severities: &'a Severities) -> Self {
        Self { file, severities, findings: Findings::default() }
    }

    /// Adds a finding that the standard's rules rate as `standard`. Shape and message are made only if it is kept.
    pub(crate) fn add<S: Into<String>>(
        &mut self,
        rule: RuleId,
        standard: Severity,
        place: Place,
        tell: impl FnOnce() -> (S, Message),
    ) {
        let file = self.file;
        self.findings.add(self.severities.of(rule, standard), || {
            let (shape, message) = tell();
            Finding {
                rule,
                severity: standard,
                file: file.to_owned(),
                line: place.line,
                item: place.item,
                item_name_ja: place.item_name_ja.map(str::to_owned),
                shape: shape.into(),
                message_ja: message.ja,
                message_en: message.en,
            }
        });
    }

    /// Adds an error.
    pub(crate) fn error<S: Into<String>>(
        &mut self,
        rule: RuleId,
        place: Place,
        tell: impl FnOnce() -> (S, Message),
    ) {
        self.add(rule, Severity::Error, place, tell);
    }

    /// Whether an error more would only be counted.
    pub(crate) fn is_full_of_errors(&self) -> bool {
        self.findings.errors() >= MAX_FINDINGS as u64
    }

    pub(crate) fn into_findings(self) -> Findings {
        self.findings
    }
}
