//! `tasuki show` of an own parcel that the relay never took: refused at its door, or still in the outbox.

use serde::Serialize;
use tasuki_proto::ids::ParcelKey;
use tasuki_sdk::{ParcelName, RefusedSubmission, SdkError, Unsent, Waypoints};

use super::way::{self, StationObject};
use crate::commands::Session;
use crate::commands::names::Names;
use crate::commands::refused::{RefusedObject, why};
use crate::content::office;
use crate::exit::Failure;
use crate::lang::Lang;
use crate::moment::japan_seconds;
use crate::output::Output;
use crate::table::Table;
use crate::words;

/// A submission that was refused.
#[derive(Serialize)]
struct ShowRefused<'a> {
    #[serde(flatten)]
    submission: RefusedObject<'a>,
    path: Vec<StationObject<'a>>,
    /// Always empty: it never was in the log.
    events: [(); 0],
}

/// A parcel that waits in the outbox.
#[derive(Serialize)]
struct ShowUnsent<'a> {
    parcel: String,
    sender: String,
    sender_name: &'a str,
    recipient: String,
    recipient_name: &'a str,
    state: &'static str,
    path: Vec<StationObject<'a>>,
    events: [(); 0],
}

/// Shows it if it is one of these. False: it is none.
pub(super) fn show(name: &ParcelName, session: &Session, out: &mut Output) -> Result<bool, Failure> {
    let client = &session.client;
    if let Some(submission) = session.run(client.refused_parcel(name))? {
        let own = session.runtime.block_on(Names::new(client).of(client.office()));
        refused(&submission, name, &own, session, out)?;
        return Ok(true);
    }
    let Some(waits) = session.run(client.unsent(name))? else { return Ok(false) };
    let mut names = Names::new(client);
    let (sender, recipient) = session
        .runtime
        .block_on(async { (names.of(waits.key.sender).await, names.of(waits.recipient).await) });
    unsent(&waits, &sender, &recipient, out)?;
    Ok(true)
}

fn refused(
    submission: &RefusedSubmission,
    name: &ParcelName,
    own: &str,
    session: &Session,
    out: &mut Output,
) -> Result<(), Failure> {
    let key = ParcelKey { sender: session.client.office(), id: name.id };
    let stations = submission.stations(key, own, &Waypoints::default());
    if out.is_json() {
        let object = RefusedObject::new(submission, session);
        out.object(&ShowRefused { submission: object, path: way::objects(&stations), events: [] })?;
        return Ok(());
    }
    let lang = out.lang();
    let to = submission.recipient.map(|recipient| office(recipient, &submission.recipient_name));
    let mut table = facts(key, &office(key.sender, own), &to.unwrap_or_default(), "rejected", lang);
    table.row([lang.pick("日時", "when"), &japan_seconds(submission.refused_us)]);
    out.lines(table.lines())?;
    out.line("")?;
    out.lines(way::drawing(&stations, lang))?;
    out.line("")?;
    out.lines(why(submission, lang))?;
    Ok(())
}

fn unsent(waits: &Unsent, sender: &str, recipient: &str, out: &mut Output) -> Result<(), Failure> {
    let stations = waits.stations(sender, recipient);
    if out.is_json() {
        out.object(&ShowUnsent {
            parcel: waits.key.id.to_string(),
            sender: waits.key.sender.to_string(),
            sender_name: sender,
            recipient: waits.recipient.to_string(),
            recipient_name: recipient,
            state: "pending",
            path: way::objects(&stations),
            events: [],
        })?;
        return Ok(());
    }
    let lang = out.lang();
    let from = office(waits.key.sender, sender);
    out.lines(facts(waits.key, &from, &office(waits.recipient, recipient), "pending", lang).lines())?;
    out.line("")?;
    out.lines(way::drawing(&stations, lang))?;
    out.line("")?;
    out.say(
        "まだ中継サーバーに届いていません。同じファイルをもう一度送ると、続きから送ります。",
        "The relay does not have it yet. Send the same files once more: it goes on from here.",
    )?;
    Ok(())
}

fn facts(key: ParcelKey, from: &str, to: &str, state: &'static str, lang: Lang) -> Table {
    let mut table = Table::bare();
    table.row([lang.pick("電文ID", "parcel"), &key.id.to_string()]);
    table.row([lang.pick("送信元", "from"), from]);
    table.row([lang.pick("宛先", "to"), to]);
    table.row([lang.pick("状態", "state"), words::state(state).of(lang)]);
    table
}

/// Nobody of this name.
pub(super) fn not_found() -> Failure {
    SdkError::from(tasuki_sdk::error::Refusal::of(tasuki_proto::reason::PARCEL_NOT_FOUND)).into()
}

#[cfg(test)]
mod tests {
    use tasuki_proto::parcel::Software;

    use super::*;
    use crate::testing;

    fn waits() -> Unsent {
        let software = Some(Software { name: "tasuki".into(), version: "0.1.0".into() });
        Unsent {
            key: testing::key(),
            recipient: "9971100012".parse().unwrap(),
            along: Waypoints { software, ..Waypoints::default() },
        }
    }

    #[test]
    fn what_never_left_waits_at_its_sender() {
        let (mut out, results, _) = Output::captured(Lang::En, false);
        unsent(&waits(), "ひかり居宅", "あおぞら", &mut out).unwrap();
        let text = results.text();
        assert!(text.contains("state   pending\n"), "{text}");
        assert!(text.contains("(*)  sender    ひかり居宅 (tasuki 0.1.0)"), "{text}");
        assert!(text.contains("waiting here\n |\n( )  relay"), "{text}");
        let (mut out, results, _) = Output::captured(Lang::Ja, true);
        unsent(&waits(), "ひかり居宅", "あおぞら", &mut out).unwrap();
        let object = results.objects().remove(0);
        assert_eq!((&object["state"], &object["path"][0]["state"]), (&"pending".into(), &"waiting".into()));
        assert_eq!(object["events"], serde_json::json!([]));
    }
}
