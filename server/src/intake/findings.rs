//! What the checks of standard files found, as the sender is told.

use tasuki_careplan::finding::{Findings, Severity};
use tasuki_proto::parcel::ParcelFile;
use tasuki_proto::pb;

/// Findings in one answer. Each has about 500 bytes; who has more has the same fault many times.
const MAX_FINDINGS: usize = 1_000;

/// Findings of all files of a parcel.
#[derive(Debug, Default)]
pub(super) struct Report {
    findings: Vec<pb::Finding>,
    errors: u64,
}

impl Report {
    /// Adds what was found in the file at `place` (from 0) of its parcel.
    pub(super) fn add(&mut self, place: usize, file: &ParcelFile<'_>, found: Findings) {
        self.errors += found.errors();
        let name = match &file.name {
            Some(name) => name.to_string(),
            // An attachment's name can hold a person's.
            None => format!("#{}", place + 1),
        };
        let room = MAX_FINDINGS - self.findings.len();
        self.findings.extend(found.into_iter().take(room).map(|finding| pb::Finding {
            rule: finding.rule.as_str().to_owned(),
            severity: match finding.severity {
                Severity::Error => "error".to_owned(),
                Severity::Warning => "warning".to_owned(),
            },
            file: name.clone(),
            line: small(finding.line),
            item: small(finding.item),
            item_name: finding.item_name_ja.unwrap_or_default(),
            shape: finding.shape,
            message_ja: finding.message_ja,
            message_en: finding.message_en,
        }));
    }

    /// Something forbids delivering the parcel.
    pub(super) fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// As the answer carries them.
    pub(super) fn into_findings(self) -> Vec<pb::Finding> {
        self.findings
    }
}

fn small(number: Option<u64>) -> u32 {
    number.map_or(0, |n| u32::try_from(n).unwrap_or(u32::MAX))
}
