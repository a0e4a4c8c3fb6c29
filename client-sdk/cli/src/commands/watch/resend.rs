//! `tasuki watch --auto-resend`: what a receiver refused because its key is lost is sent again from the archive, once the
//! receiver has a new key.

use std::cell::RefCell;
use std::collections::HashSet;
use std::time::Duration;

use serde::Serialize;
use tasuki_proto::ids::ParcelId;
use tasuki_proto::reason;
use tasuki_sdk::error::SdkError;
use tasuki_sdk::send::{ParcelReport, ResendReport};
use tasuki_sdk::{Parcel, Silent};
use tokio::sync::Notify;

use crate::commands::Session;
use crate::exit::Failure;
use crate::explain;
use crate::lang::Text;
use crate::output::Output;
use crate::table::shown;
use crate::words;

/// How often to look whether a receiver has a new key: its sender is not told of one.
const LOOK: Duration = Duration::from_secs(60);

/// What became of one parcel that could not be opened.
#[derive(Debug, Serialize)]
struct ResendLine<'a> {
    kind: &'static str,
    /// The new one; null: it was not sent again.
    parcel: Option<String>,
    /// The one that could not be opened.
    supersedes: String,
    recipient: String,
    recipient_name: &'a str,
    /// As `send` tells it; `waiting`: for the receiver's new key; `not-archived`: its files must be sent again by hand.
    state: &'static str,
    reason: Option<&'a str>,
    message_ja: Option<String>,
    message_en: Option<String>,
}

/// Sends again, and tells each thing once.
pub(super) struct Resender<'c, 'o> {
    session: &'c Session,
    out: &'c RefCell<&'o mut Output>,
    told: HashSet<(ParcelId, &'static str)>,
}

impl<'c, 'o> Resender<'c, 'o> {
    pub(super) fn new(session: &'c Session, out: &'c RefCell<&'o mut Output>) -> Self {
        Self { session, out, told: HashSet::new() }
    }

    /// Sends again what is to be sent again, whenever something was refused, until its output can't be written.
    pub(super) async fn run(&mut self, refused: &Notify) -> Failure {
        loop {
            let again = match self.once().await {
                Ok(waits) => waits,
                Err(Failure::Sdk(error)) => {
                    self.could_not(&error);
                    true
                }
                Err(failure) => return failure,
            };
            if again {
                // A notice that comes meanwhile is as good as the time.
                let _either = tokio::time::timeout(LOOK, refused.notified()).await;
            } else {
                refused.notified().await;
            }
        }
    }

    /// One look. True: something waits for its receiver's new key.
    pub(super) async fn once(&mut self) -> Result<bool, Failure> {
        let report = self.session.client.resend_lost(&Silent).await?;
        let mut out = self.out.borrow_mut();
        for (older, sent) in report.older.iter().zip(&report.sent.parcels) {
            self.told.remove(&(older.key.id, WAITING));
            tell(&line(older, Some(sent)), &mut out)?;
        }
        for (parcels, state) in [(&report.waiting, WAITING), (&report.not_archived, NOT_ARCHIVED)] {
            for parcel in parcels {
                if self.told.insert((parcel.key.id, state)) {
                    tell(&not_sent(parcel, state), &mut out)?;
                }
            }
        }
        Ok(!report.waiting.is_empty() || pending(&report))
    }

    /// Says why nothing could be done; it is tried again.
    fn could_not(&self, error: &SdkError) {
        let why = explain::error(error);
        let text = Text::new(
            format!("再送できませんでした。あとでもう一度試します（{}）", why.ja),
            format!("nothing could be sent again; this is tried again later ({})", why.en),
        );
        self.out.borrow_mut().remark(error.reason(), &text);
    }
}

const WAITING: &str = "waiting";
const NOT_ARCHIVED: &str = "not-archived";

fn pending(report: &ResendReport) -> bool {
    report.sent.parcels.iter().any(|parcel| parcel.outcome.state_word() == "pending")
}

fn line<'a>(older: &'a Parcel, sent: Option<&'a ParcelReport>) -> ResendLine<'a> {
    let reason = sent.and_then(|sent| sent.outcome.reason());
    let message = reason.map(reason::explain);
    ResendLine {
        kind: "resend",
        parcel: sent.and_then(|sent| sent.parcel).map(|key| key.id.to_string()),
        supersedes: older.key.id.to_string(),
        recipient: older.recipient.to_string(),
        recipient_name: &older.recipient_name,
        state: sent.map_or(WAITING, |sent| sent.outcome.state_word()),
        reason,
        message_ja: message.map(|message| message.ja.to_owned()),
        message_en: message.map(|message| message.en.to_owned()),
    }
}

fn not_sent<'a>(older: &'a Parcel, state: &'static str) -> ResendLine<'a> {
    let archived = state != NOT_ARCHIVED;
    let message = if archived {
        waiting_text()
    } else {
        {
            let known = reason::explain(reason::NOT_ARCHIVED);
            Text::new(known.ja, known.en)
        }
    };
    ResendLine {
        state,
        reason: Some(if archived { "KEY_LOST" } else { reason::NOT_ARCHIVED }),
        message_ja: Some(message.ja),
        message_en: Some(message.en),
        ..line(older, None)
    }
}

/// What is said of a parcel whose receiver has no new key yet.
pub(in crate::commands) fn waiting_text() -> Text {
    Text::new(
        "宛先の新しい鍵がまだ登録されていません。登録されれば再送できます。",
        "The receiver has no new key yet; it can be sent again as soon as there is one.",
    )
}

fn tell(line: &ResendLine<'_>, out: &mut Output) -> Result<(), Failure> {
    if out.is_json() {
        out.object(line)?;
        return Ok(());
    }
    let lang = out.lang();
    let (to, older) = (format!("{} {}", line.recipient, line.recipient_name), &line.supersedes);
    let head = match &line.parcel {
        Some(new) => {
            let state = words::state(line.state);
            Text::new(
                format!("再送（{}）  {to}  {older} → {new}", state.ja),
                format!("sent again ({})  {to}  {older} → {new}", state.en),
            )
        }
        None => Text::new(format!("再送待ち  {to}  {older}"), format!("not sent again  {to}  {older}")),
    };
    out.line(shown(head.of(lang)))?;
    let message =
        Text::new(line.message_ja.clone().unwrap_or_default(), line.message_en.clone().unwrap_or_default());
    if let Some(reason) = line.reason {
        out.line(format!("  {} [{reason}]", shown(message.of(lang))))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::Lang;
    use crate::testing;

    #[test]
    fn what_waits_and_what_can_not_be_sent_again_is_told() {
        let parcel = testing::parcel();
        let (mut out, results, _) = Output::captured(Lang::Ja, true);
        tell(&not_sent(&parcel, WAITING), &mut out).unwrap();
        tell(&not_sent(&parcel, NOT_ARCHIVED), &mut out).unwrap();
        let objects = results.objects();
        assert_eq!((&objects[0]["state"], &objects[0]["reason"]), (&"waiting".into(), &"KEY_LOST".into()));
        assert_eq!(
            (&objects[1]["state"], &objects[1]["reason"]),
            (&"not-archived".into(), &"NOT_ARCHIVED".into())
        );
        for object in &objects {
            assert_eq!((&object["kind"], &object["supersedes"]), (&"resend".into(), &testing::ID.into()));
            assert!(object["parcel"].is_null() && object["message_ja"].is_string(), "{object}");
        }
        let (mut out, results, _) = Output::captured(Lang::En, false);
        tell(&not_sent(&parcel, WAITING), &mut out).unwrap();
        assert!(results.text().starts_with("not sent again  9971100012 あおぞら訪問介護  0193a3f0"));
        assert!(results.text().ends_with("[KEY_LOST]\n"));
    }
}
