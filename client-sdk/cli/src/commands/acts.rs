//! `tasuki release`, `discard`, `recall`, `refuse`, `imported`, `handed-over`, `remark`, `request`: what is said about a parcel after it
//! was sent, each over the office's signature.

use serde::Serialize;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::event::{Event, kind};
use tasuki_proto::reason;
use tasuki_sdk::declare::{Declared, Say};
use tasuki_sdk::{ParcelName, SdkError};

use crate::args::acts::{Recall, Refuse, Remark, Request};
use crate::content::{of_parcel, office};
use crate::exit::{Exit, Failure};
use crate::explain;
use crate::lang::{Lang, Text};
use crate::moment::{japan, utc};
use crate::output::Output;
use crate::table::shown;
use crate::words;

use super::Session;
use super::names::Names;

/// A parcel's fate. `reason` is null exactly when it was done, now or before.
#[derive(Debug, Default, Serialize)]
struct ActObject {
    parcel: String,
    sender: Option<String>,
    recipient: Option<String>,
    /// Where it stands now; null where it was refused.
    state: Option<&'static str>,
    reason: Option<String>,
    message_ja: Option<String>,
    message_en: Option<String>,
    /// It had been done before.
    repeated: bool,
    /// Kind of the event that followed.
    event: Option<String>,
    /// When.
    time: Option<String>,
    /// Too late to recall: when it was fetched, and by whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    fetched_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fetched_by: Option<String>,
}

/// `tasuki release PARCEL…`
pub(super) fn release(parcels: &[ParcelName], session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    each(parcels, &Say::Release, session, out)
}

/// `tasuki discard PARCEL…`
pub(super) fn discard(parcels: &[ParcelName], session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    each(parcels, &Say::Discard, session, out)
}

/// `tasuki handed-over PARCEL…`
pub(super) fn handed_over(
    parcels: &[ParcelName],
    session: &Session,
    out: &mut Output,
) -> Result<Exit, Failure> {
    each(parcels, &Say::HandOver, session, out)
}

/// `tasuki imported PARCEL…`
pub(super) fn imported(parcels: &[ParcelName], session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    each(parcels, &Say::Import, session, out)
}

/// `tasuki recall PARCEL…`
pub(super) fn recall(args: Recall, session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    let say = if args.ask { Say::AskWithdrawal { text: args.text } } else { Say::Recall };
    each(&args.parcels, &say, session, out)
}

/// `tasuki refuse PARCEL --reason REASON`
pub(super) fn refuse(args: Refuse, session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    let say = Say::Refuse { reason: args.reason, text: args.text };
    each(&[args.parcel], &say, session, out)
}

/// `tasuki remark PARCEL --text TEXT`
pub(super) fn remark(args: Remark, session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    let say = Say::Remark { urgent: args.urgent, text: args.text };
    each(&[args.parcel], &say, session, out)
}

fn each(parcels: &[ParcelName], say: &Say, session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    let mut exit = Exit::Done;
    for name in parcels {
        match session.run(session.client.declare(name, say)) {
            Ok(declared) => tell(&declared, out)?,
            Err(error @ SdkError::Rejected(_)) => {
                exit = Exit::Rejected;
                tell_refused(name, &error, session, out)?;
            }
            // Everything else is as true of the next one.
            Err(error) => return Err(error.into()),
        }
    }
    Ok(exit)
}

fn tell(declared: &Declared, out: &mut Output) -> Result<(), Failure> {
    let Declared { parcel, state, repeated, event } = declared;
    let event = &event.event;
    if out.is_json() {
        out.object(&ActObject {
            parcel: parcel.key.id.to_string(),
            sender: Some(parcel.key.sender.to_string()),
            recipient: Some(parcel.recipient.to_string()),
            state: Some(state.as_str()),
            repeated: *repeated,
            event: Some(event.kind.clone()),
            time: Some(utc(event.time_us)),
            ..ActObject::default()
        })?;
        return Ok(());
    }
    let lang = out.lang();
    let again = if *repeated { lang.pick("（済み）", " (before)") } else { "" };
    let parties = format!(
        "{} → {}",
        office(parcel.key.sender, &parcel.sender_name),
        office(parcel.recipient, &parcel.recipient_name)
    );
    out.line(shown(&format!("{}  {parties}  {}", parcel.key.id, of_parcel(parcel).of(lang))))?;
    out.line(format!(
        "  {} {}{again} [{}]",
        japan(event.time_us),
        words::event(&event.kind).of(lang),
        words::state(state.as_str()).of(lang)
    ))?;
    Ok(())
}

fn tell_refused(
    name: &ParcelName,
    error: &SdkError,
    session: &Session,
    out: &mut Output,
) -> Result<(), Failure> {
    let fetched = if error.reason() == reason::ALREADY_FETCHED { fetch_of(name, session) } else { None };
    let message = explain::error(error);
    if out.is_json() {
        out.object(&ActObject {
            parcel: name.id.to_string(),
            sender: name.sender.map(|sender| sender.to_string()),
            reason: Some(error.reason().to_owned()),
            message_ja: Some(message.ja),
            message_en: Some(message.en),
            fetched_at: fetched.as_ref().map(|event| utc(event.time_us)),
            fetched_by: fetched.as_ref().and_then(by),
            ..ActObject::default()
        })?;
        return Ok(());
    }
    let lang = out.lang();
    out.line(format!("{}  {} [{}]", name.id, shown(message.of(lang)), shown(error.reason())))?;
    if let Some(event) = fetched {
        let (when, who) = (japan(event.time_us), by(&event).unwrap_or_default());
        let text = match lang {
            Lang::Ja => format!("  {when} に {who} が受信しました。"),
            Lang::En => format!("  fetched at {when} by {who}."),
        };
        out.line(shown(&text))?;
    }
    Ok(())
}

/// The event of the parcel's release to its receiver, proven.
fn fetch_of(name: &ParcelName, session: &Session) -> Option<Event> {
    let history = session.run(session.client.show(name)).ok()??;
    let fetched = history.events.into_iter().find(|proven| proven.event.kind == kind::PARCEL_FETCHED);
    fetched.map(|proven| proven.event)
}

fn by(event: &Event) -> Option<String> {
    event.lines.get("by").map(str::to_owned)
}

/// A request that was made.
#[derive(Serialize)]
struct RequestObject<'a> {
    office: OfficeNumber,
    office_name: &'a str,
    document: &'a str,
    event: &'static str,
    /// When; null: the very same had been asked before.
    time: Option<String>,
}

/// `tasuki request OFFICE --document WORD`
pub(super) fn request(args: &Request, session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    let asked = session.run(session.client.request(args.office, &args.document, args.text.as_deref()))?;
    let name = session.runtime.block_on(Names::new(&session.client).of(args.office));
    let time_us = asked.map(|proven| proven.event.time_us);
    if out.is_json() {
        out.object(&RequestObject {
            office: args.office,
            office_name: &name,
            document: &args.document,
            event: kind::REQUEST_MADE,
            time: time_us.map(utc),
        })?;
        return Ok(Exit::Done);
    }
    let to = office(args.office, &name);
    let text = Text::new(
        format!("{to} に {} を依頼しました。", args.document),
        format!("asked {to} for {}.", args.document),
    );
    out.line(shown(text.of(out.lang())))?;
    Ok(Exit::Done)
}
