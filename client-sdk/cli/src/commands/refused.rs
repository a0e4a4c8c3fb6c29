//! `tasuki refused`: what the relay did not accept, with what was found and what to do.

use serde::Serialize;
use tasuki_sdk::{Finding, RefusedSubmission};

use crate::args::sender::Refused;
use crate::content::office;
use crate::exit::{Exit, Failure};
use crate::explain;
use crate::finding;
use crate::lang::{Lang, Text};
use crate::moment::{japan, utc};
use crate::output::Output;
use crate::table::shown;
use crate::words;

use super::Session;

/// A submission that was not accepted.
#[derive(Debug, Serialize)]
pub(super) struct RefusedObject<'a> {
    /// Null: it could not be read.
    parcel: Option<String>,
    sender: String,
    recipient: Option<String>,
    recipient_name: &'a str,
    state: &'static str,
    reason: &'a str,
    message_ja: String,
    message_en: String,
    findings: &'a [Finding],
    /// Findings that the relay did not keep, because there are too many.
    findings_left_out: u64,
    refused_at: String,
}

impl<'a> RefusedObject<'a> {
    pub(super) fn new(submission: &'a RefusedSubmission, session: &Session) -> Self {
        Self::of(submission, session.client.office().to_string())
    }

    fn of(submission: &'a RefusedSubmission, sender: String) -> Self {
        let Text { ja, en } = explain::refusal(&submission.refusal);
        Self {
            parcel: submission.parcel.map(|id| id.to_string()),
            sender,
            recipient: submission.recipient.map(|office| office.to_string()),
            recipient_name: &submission.recipient_name,
            state: "rejected",
            reason: &submission.refusal.reason,
            message_ja: ja,
            message_en: en,
            findings: &submission.refusal.findings,
            findings_left_out: submission.findings_left_out,
            refused_at: utc(submission.refused_us),
        }
    }
}

/// `tasuki refused`.
pub(super) fn refused(args: &Refused, session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    let refused = session.run(session.client.refused(args.partner))?;
    if out.is_json() {
        for submission in &refused {
            out.object(&RefusedObject::new(submission, session))?;
        }
    } else if refused.is_empty() {
        out.say("中継サーバーに拒否された電文はありません。", "The relay has refused nothing.")?;
    } else {
        for submission in &refused {
            out.lines(card(submission, out.lang()))?;
            out.line("")?;
        }
    }
    Ok(Exit::Done)
}

/// When, for whom, which parcel; then why and what to do.
fn card(submission: &RefusedSubmission, lang: Lang) -> Vec<String> {
    let to = match submission.recipient {
        Some(recipient) => office(recipient, &submission.recipient_name),
        None => lang.pick("宛先不明", "receiver unknown").to_owned(),
    };
    let id = submission
        .parcel
        .map_or_else(|| lang.pick("電文IDなし", "no parcel id").to_owned(), |id| id.to_string());
    let state = words::state("rejected");
    let head = format!("{}  {}  {to}  {id}", japan(submission.refused_us), state.of(lang));
    let mut lines = vec![shown(&head).into_owned()];
    lines.extend(why(submission, lang).into_iter().map(|line| format!("  {line}")));
    lines
}

/// The reason with what to do, and the findings.
pub(super) fn why(submission: &RefusedSubmission, lang: Lang) -> Vec<String> {
    let refusal = &submission.refusal;
    let text = explain::refusal(refusal);
    let mut lines = vec![format!("{} [{}]", shown(text.of(lang)), shown(&refusal.reason))];
    lines.extend(finding::lines(&refusal.findings, lang).into_iter().map(|line| format!("  {line}")));
    let more = submission.findings_left_out;
    if more > 0 {
        lines.push(match lang {
            Lang::Ja => format!("  ほか{more}件"),
            Lang::En => format!("  and {more} more"),
        });
    }
    lines
}

#[cfg(test)]
pub(super) mod tests {
    use tasuki_sdk::error::Refusal;

    use super::*;
    use crate::testing;

    /// A submission with one finding kept and two that are not.
    pub(in crate::commands) fn submission() -> RefusedSubmission {
        let finding = Finding {
            rule: "FIELD_COUNT".into(),
            severity: "error".into(),
            file: "#2".into(),
            line: Some(3),
            item: None,
            item_name_ja: None,
            shape: "12 items".into(),
            message_ja: "項目の数が違います。".into(),
            message_en: "The number of items differs.".into(),
        };
        RefusedSubmission {
            parcel: Some(testing::key().id),
            recipient: Some("9971100012".parse().unwrap()),
            recipient_name: "あおぞら訪問介護".into(),
            refusal: Refusal { findings: vec![finding], ..Refusal::of("FILES_REJECTED") },
            findings_left_out: 2,
            refused_us: testing::ACCEPTED_US,
        }
    }

    #[test]
    fn people_learn_why_and_what_to_do() {
        let lines = card(&submission(), Lang::En);
        assert_eq!(
            lines[0],
            format!("2026-11-21 20:38  rejected  9971100012 あおぞら訪問介護  {}", testing::ID)
        );
        assert!(lines[1].ends_with("[FILES_REJECTED]"), "{lines:?}");
        assert!(lines[2].contains("#2, line 3: The number of items differs. (12 items)"), "{lines:?}");
        assert_eq!(lines[3], "    and 2 more");
        let unknown = RefusedSubmission { parcel: None, recipient: None, ..submission() };
        assert!(card(&unknown, Lang::Ja)[0].ends_with("拒否  宛先不明  電文IDなし"));
    }

    #[test]
    fn programs_get_the_keys_of_a_sending_and_the_findings() {
        let object = serde_json::to_value(RefusedObject::of(&submission(), "1371215102".into())).unwrap();
        assert_eq!((&object["parcel"], &object["state"]), (&testing::ID.into(), &"rejected".into()));
        assert_eq!((&object["reason"], &object["findings_left_out"]), (&"FILES_REJECTED".into(), &2.into()));
        assert_eq!(object["findings"][0]["file"], "#2");
        assert_eq!(object["refused_at"], "2026-11-21T11:38:34.000123Z");
    }
}
