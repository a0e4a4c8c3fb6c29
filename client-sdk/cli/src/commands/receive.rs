//! `tasuki receive`: fetch, verify, store, acknowledge.

use std::path::Path;

use serde::Serialize;
use tasuki_proto::mandate::BY_OPERATOR;
use tasuki_sdk::SdkError;
use tasuki_sdk::receive::{ReceiveOptions, ReceiveOutcome, ReceiveReport, ReceivedParcel};

use crate::args::Receive;
use crate::args::acts::Choice;
use crate::content::{of_parcel, office};
use crate::exit::{Exit, Failure};
use crate::explain;
use crate::lang::{Lang, Text};
use crate::moment::utc;
use crate::output::Output;
use crate::progress::Bar;
use crate::table::{shown, shown_lines};
use crate::words;

use super::Session;

/// A parcel's fate. `reason` is null exactly when it was received and acknowledged.
#[derive(Serialize)]
struct ReceivedObject<'a> {
    parcel: String,
    sender: String,
    sender_name: &'a str,
    recipient: String,
    recipient_name: &'a str,
    state: &'static str,
    reason: Option<&'a str>,
    message_ja: Option<String>,
    message_en: Option<String>,
    content_ja: String,
    content_en: String,
    /// Where the files are; null if nothing was written.
    dir: Option<String>,
    /// Names of the files in it.
    files: &'a [String],
    note: Option<&'a str>,
    /// `operator` where the sender has no certificate and its proxy signed; else null.
    vouched_by: Option<&'static str>,
    /// It stood there already, complete, from an earlier run.
    already_there: bool,
    accepted_at: Option<String>,
    acknowledged_at: Option<String>,
}

impl<'a> ReceivedObject<'a> {
    fn new(received: &'a ReceivedParcel) -> Self {
        let parcel = &received.parcel;
        let content = of_parcel(parcel);
        let stored = received.outcome.stored();
        let error = received.outcome.error();
        let (message_ja, message_en) = error.map(explain::error).map(|m| (m.ja, m.en)).unzip();
        Self {
            parcel: parcel.key.id.to_string(),
            sender: parcel.key.sender.to_string(),
            sender_name: &parcel.sender_name,
            recipient: parcel.recipient.to_string(),
            recipient_name: &parcel.recipient_name,
            state: state(received),
            reason: error.map(SdkError::reason),
            message_ja,
            message_en,
            content_ja: content.ja,
            content_en: content.en,
            dir: stored.map(|s| s.folder.display().to_string()),
            files: stored.map_or(&[], |s| s.files.as_slice()),
            note: stored.and_then(|s| s.note.as_deref()),
            vouched_by: stored.is_some_and(|s| s.vouched).then_some(BY_OPERATOR),
            already_there: stored.is_some_and(|s| s.already_there),
            accepted_at: parcel.accepted_us.map(utc),
            acknowledged_at: match received.outcome {
                ReceiveOutcome::Acknowledged { acknowledged_us, .. } => Some(utc(acknowledged_us)),
                ReceiveOutcome::Stored { .. } | ReceiveOutcome::Failed(_) | ReceiveOutcome::KeyLost(_) => {
                    None
                }
            },
        }
    }
}

/// Where the parcel stands now. Its files were here, so the relay had released it.
fn state(received: &ReceivedParcel) -> &'static str {
    match &received.outcome {
        ReceiveOutcome::Acknowledged { state, .. } => state.as_str(),
        ReceiveOutcome::Stored { .. } => tasuki_sdk::State::Fetched.as_str(),
        ReceiveOutcome::Failed(_) => received.parcel.state.as_str(),
        ReceiveOutcome::KeyLost(_) => tasuki_sdk::State::Refused.as_str(),
    }
}

/// `tasuki receive --out DIR`.
pub(super) fn receive(args: Receive, session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    let Choice { from, month, all, zip } = args.choice;
    let options =
        ReceiveOptions { keep_sealed: args.keep_sealed, only: args.parcels, superseded: all, from, month };
    let bar = Bar::new(out.lang());
    let report = session.run(session.client.receive(&args.out, &options, &bar));
    bar.clear();
    let report = report?;
    print(&report, out)?;
    if let Some(path) = zip {
        let folders: Vec<&Path> =
            report.parcels.iter().filter_map(|p| p.outcome.stored()).map(|s| s.folder.as_path()).collect();
        tasuki_sdk::receive::zip_folders(&args.out, &folders, &path)?;
    }
    Ok(report.worst().into())
}

fn print(report: &ReceiveReport, out: &mut Output) -> Result<(), Failure> {
    if out.is_json() {
        for received in &report.parcels {
            out.object(&ReceivedObject::new(received))?;
        }
        return Ok(());
    }
    if report.parcels.is_empty() {
        out.say("受信を待っている電文はありません。", "Nothing waits to be received.")?;
        return Ok(());
    }
    for received in &report.parcels {
        out.lines(card(received, out.lang()))?;
        out.line("")?;
    }
    out.line(summary(report).of(out.lang()))?;
    Ok(())
}

/// A parcel with its folder, its files and its note.
fn card(received: &ReceivedParcel, lang: Lang) -> Vec<String> {
    let parcel = &received.parcel;
    let from = office(parcel.key.sender, &parcel.sender_name);
    let result = match &received.outcome {
        ReceiveOutcome::Failed(_) => words::state("failed"),
        _ => words::state(state(received)),
    };
    let head = format!("{}  {from}  {}", result.of(lang), of_parcel(parcel).of(lang));
    let mut lines = vec![shown(&head).into_owned()];
    if let Some(stored) = received.outcome.stored() {
        lines.push(format!("  {}", shown(&stored.folder.display().to_string())));
        lines.extend(stored.files.iter().map(|name| format!("    {}", shown(name))));
        if stored.vouched {
            let text = lang.pick(
                "送信元は証明書を持たず、伝送代行業者が署名しています（委任は運用主体の登録による）。",
                "The sender has no certificate: its proxy signed, and the operator vouches that it may.",
            );
            lines.push(format!("  {text}"));
        }
        if let Some(note) = &stored.note {
            lines.push(format!("  {}", lang.pick("送付状:", "note:")));
            lines.extend(shown_lines(note).map(|line| format!("    {line}")));
        }
    } else {
        lines.push(format!("  {}", parcel.key.id));
    }
    if let Some(error) = received.outcome.error() {
        lines.push(format!("  {} [{}]", shown(explain::error(error).of(lang)), shown(error.reason())));
    }
    lines
}

fn summary(report: &ReceiveReport) -> Text {
    let count =
        |fits: fn(&ReceiveOutcome) -> bool| report.parcels.iter().filter(|p| fits(&p.outcome)).count();
    let done = count(|o| matches!(o, ReceiveOutcome::Acknowledged { .. }));
    let stored = count(|o| matches!(o, ReceiveOutcome::Stored { .. }));
    let failed = count(|o| matches!(o, ReceiveOutcome::Failed(_)));
    let lost = count(|o| matches!(o, ReceiveOutcome::KeyLost(_)));
    let parts = [
        (done, "件を検証・保存し、受領を返しました", "verified, stored and acknowledged"),
        (
            stored,
            "件は保存済みで受領が未送信です（同じコマンドで再開）",
            "stored, not yet acknowledged (run the same again)",
        ),
        (failed, "件は受信できませんでした", "not received"),
        (
            lost,
            "件は以前の鍵で暗号化されていたため、送信元に再送を求めました",
            "sealed to a key that is lost: their senders were asked to send them again",
        ),
    ];
    let parts: Vec<_> = parts.into_iter().filter(|(n, _, _)| *n > 0).collect();
    let ja: Vec<String> = parts.iter().map(|(n, ja, _)| format!("{n}{ja}")).collect();
    let en: Vec<String> = parts.iter().map(|(n, _, en)| format!("{n} {en}")).collect();
    Text::new(ja.join("。") + "。", en.join(", ") + ".")
}

#[cfg(test)]
mod tests {
    use tasuki_sdk::State;
    use tasuki_sdk::error::{Unreachable, VerificationError};
    use tasuki_sdk::receive::Stored;

    use super::*;
    use crate::testing;

    fn stored() -> Stored {
        Stored {
            folder: "D/1371215102/id".into(),
            files: vec!["UPJSK.CSV".into(), "scan.pdf".into()],
            note: Some("2月分です。\nよろしく\u{1b}[5m".into()),
            signer: [0x91; 32],
            vouched: false,
            already_there: false,
        }
    }

    fn report() -> ReceiveReport {
        let received = |outcome| ReceivedParcel { parcel: testing::parcel(), outcome };
        let acknowledged_us = testing::ACCEPTED_US;
        let state = State::Acknowledged;
        ReceiveReport {
            parcels: vec![
                received(ReceiveOutcome::Acknowledged { stored: stored(), state, acknowledged_us }),
                received(ReceiveOutcome::Stored { stored: stored(), error: Unreachable::Timeout.into() }),
                received(ReceiveOutcome::Failed(VerificationError::Digest.into())),
            ],
        }
    }

    #[test]
    fn programs_learn_where_the_files_are() {
        let (mut out, results, _) = Output::captured(Lang::Ja, true);
        print(&report(), &mut out).unwrap();
        let objects = results.objects();
        assert_eq!(objects[0]["state"], "acknowledged");
        assert_eq!(objects[0]["dir"], "D/1371215102/id");
        assert_eq!(objects[0]["files"], serde_json::json!(["UPJSK.CSV", "scan.pdf"]));
        assert!(objects[0]["reason"].is_null());
        assert_eq!(
            (&objects[1]["state"], &objects[1]["reason"]),
            (&"fetched".into(), &"RELAY_TIMEOUT".into())
        );
        assert_eq!((&objects[2]["dir"], &objects[2]["reason"]), (&().into(), &"DIGEST_MISMATCH".into()));
        assert_eq!(objects[2]["files"], serde_json::json!([]));
    }

    #[test]
    fn people_see_files_notes_and_failures() {
        let (mut out, results, _) = Output::captured(Lang::En, false);
        print(&report(), &mut out).unwrap();
        let text = results.text();
        assert!(
            text.starts_with(
                "acknowledged  1371215102 ひかり居宅介護支援事業所  results for 2026-02, 1 attachment\n  \
                 D/1371215102/id\n    UPJSK.CSV\n    scan.pdf\n  note:\n    2月分です。\n    よろしく\u{fffd}[5m\n"
            ),
            "{text}"
        );
        assert!(text.contains("Nothing of what was received was kept"), "{text}");
        assert!(
            text.ends_with(
                "1 verified, stored and acknowledged, 1 stored, not yet acknowledged (run the same again), \
                 1 not received.\n"
            ),
            "{text}"
        );
    }

    #[test]
    fn an_empty_inbox_is_no_error() {
        let (mut out, results, _) = Output::captured(Lang::Ja, false);
        print(&ReceiveReport::default(), &mut out).unwrap();
        assert_eq!(results.text(), "受信を待っている電文はありません。\n");
        assert_eq!(Exit::from(ReceiveReport::default().worst()), Exit::Done);
        assert_eq!(Exit::from(report().worst()), Exit::Unreachable);
    }
}
