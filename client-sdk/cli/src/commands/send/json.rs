//! What `send --json` prints, one object for each parcel and each file that can't be sent.

use serde::Serialize;
use tasuki_proto::reason;
use tasuki_sdk::Finding;
use tasuki_sdk::send::plan::Unsendable;
use tasuki_sdk::send::{ParcelReport, SendOutcome};

use crate::explain;
use crate::lang::Text;
use crate::moment::utc;

/// A parcel's fate. `reason` is null exactly when the parcel was accepted, now or earlier.
#[derive(Debug, Serialize)]
pub(super) struct ParcelObject<'a> {
    /// Null if it was refused before it got an id.
    parcel: Option<String>,
    sender: Option<String>,
    recipient: String,
    /// Null if the directory could not be asked, or does not know it.
    recipient_name: Option<&'a str>,
    state: &'static str,
    reason: Option<&'a str>,
    message_ja: Option<String>,
    message_en: Option<String>,
    content_ja: &'a str,
    content_en: &'a str,
    serial: Option<String>,
    files: &'a [String],
    accepted_at: Option<String>,
    /// The relay had it before: an earlier attempt had got through, or it was recorded here.
    repeated: bool,
    /// What forbids it.
    findings: &'a [Finding],
    warnings: &'a [Finding],
    /// Nothing had ever been sent to this office.
    new_partner: bool,
}

impl<'a> ParcelObject<'a> {
    pub(super) fn new(report: &'a ParcelReport, recipient_name: &'a str, content: &'a Text) -> Self {
        let (message, findings): (Option<Text>, &[Finding]) = match &report.outcome {
            SendOutcome::Accepted { .. } | SendOutcome::Recorded { .. } => (None, &[]),
            SendOutcome::Rejected(refusal) => (Some(explain::refusal(refusal)), &refusal.findings),
            SendOutcome::Pending(error) | SendOutcome::Unproven(error) => (Some(explain::error(error)), &[]),
        };
        let (accepted_us, repeated) = match report.outcome {
            SendOutcome::Accepted { accepted_us, repeated, .. } => (Some(accepted_us), repeated),
            SendOutcome::Recorded { accepted_us, .. } => (Some(accepted_us), true),
            SendOutcome::Rejected(_) | SendOutcome::Pending(_) | SendOutcome::Unproven(_) => (None, false),
        };
        let (message_ja, message_en) = message.map(|m| (m.ja, m.en)).unzip();
        Self {
            parcel: report.parcel.map(|key| key.id.to_string()),
            sender: report.parcel.map(|key| key.sender.to_string()),
            recipient: report.recipient.to_string(),
            recipient_name: Some(recipient_name).filter(|name| !name.is_empty()),
            state: report.outcome.state_word(),
            reason: report.outcome.reason(),
            message_ja,
            message_en,
            content_ja: &content.ja,
            content_en: &content.en,
            serial: report.serial.map(|serial| serial.to_string()),
            files: &report.files,
            accepted_at: accepted_us.map(utc),
            repeated,
            findings,
            warnings: &report.warnings,
            new_partner: report.new_partner,
        }
    }
}

/// A file that was named and belongs to no parcel.
#[derive(Debug, Serialize)]
pub(super) struct UnsendableObject<'a> {
    parcel: Option<String>,
    recipient: Option<String>,
    state: &'static str,
    reason: &'static str,
    path: String,
    findings: &'a [Finding],
}

impl<'a> UnsendableObject<'a> {
    pub(super) fn new(unsendable: &'a Unsendable) -> Self {
        Self {
            parcel: None,
            recipient: None,
            state: "rejected",
            reason: reason::FILES_REJECTED,
            path: unsendable.path.display().to_string(),
            findings: &unsendable.findings,
        }
    }
}
