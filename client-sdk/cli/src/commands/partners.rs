//! `tasuki partner invite|accept|end|list`, `tasuki profile`: whom the office deals with, and what it takes.

use serde::Serialize;
use tasuki_proto::reason;
use tasuki_sdk::Partner;
use tasuki_sdk::error::Refusal;

use super::Session;
use crate::args::membership::{PartnerCommand, Profile};
use crate::content::office;
use crate::exit::{Exit, Failure};
use crate::moment::{japan, utc};
use crate::output::Output;
use crate::table::shown;

/// A partner, as `--json` prints it.
#[derive(Serialize)]
struct PartnerObject<'a> {
    office: String,
    name: &'a str,
    /// linked, invited (by this office), invites (this office).
    state: &'static str,
    since: Option<String>,
}

/// What was done, as `--json` prints it.
#[derive(Serialize)]
struct DoneObject {
    office: String,
    state: &'static str,
}

/// What an office takes, as `--json` prints it.
#[derive(Serialize)]
struct ProfileObject<'a> {
    office: String,
    /// As it stands in the directory.
    accepts: &'a [String],
    /// It is the office's own signed word, and nothing else is taken for it.
    declared: bool,
    /// Declared just now, and not in force before the operator agrees.
    waiting: bool,
}

/// `tasuki partner`.
pub(super) fn partner(
    command: &PartnerCommand,
    session: &Session,
    out: &mut Output,
) -> Result<Exit, Failure> {
    let client = &session.client;
    let (partner, state) = match command {
        PartnerCommand::Invite(args) => {
            session.run(client.invite_partner(args.office))?;
            (args.office, "invited")
        }
        PartnerCommand::Accept(args) => {
            session.run(client.accept_partner(args.office))?;
            (args.office, "linked")
        }
        PartnerCommand::End(args) => {
            session.run(client.end_partner(args.office))?;
            (args.office, "ended")
        }
        PartnerCommand::List => return list(session, out),
    };
    if out.is_json() {
        out.object(&DoneObject { office: partner.to_string(), state })?;
        return Ok(Exit::Done);
    }
    let (ja, en) = match state {
        "invited" => ("を招待しました。相手の承諾を待ってください。", "is invited; wait until it accepts."),
        "linked" => ("の招待を承諾しました。", "is a partner now."),
        _ => ("との取引を終了しました。", "is no partner any more."),
    };
    out.say(&format!("{partner} {ja}"), &format!("{partner} {en}"))?;
    Ok(Exit::Done)
}

fn list(session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    let partners = session.run(session.client.partners())?;
    for partner in &partners.partners {
        let state = state(partner);
        if out.is_json() {
            out.object(&PartnerObject {
                office: partner.office.to_string(),
                name: &partner.name,
                state,
                since: partner.since_us.map(utc),
            })?;
            continue;
        }
        let (ja, en) = match state {
            "linked" => ("承諾済", "linked"),
            "invites" => ("招待されています", "invites this office"),
            _ => ("招待中", "invited"),
        };
        let since = partner.since_us.map_or_else(|| "-".to_owned(), japan);
        let head = office(partner.office, &partner.name);
        let head = shown(&head).into_owned();
        out.say(&format!("{head}  {ja}  {since}"), &format!("{head}  {en}  {since}"))?;
    }
    if !out.is_json() && !partners.linked_only {
        out.say(
            "この中継サーバーでは、承諾がなくてもすべての事業所と送受信できます。",
            "At this relay every office may exchange with every other, partner or not.",
        )?;
    }
    Ok(Exit::Done)
}

fn state(partner: &Partner) -> &'static str {
    match (partner.linked, partner.invited_by_us) {
        (true, _) => "linked",
        (false, true) => "invited",
        (false, false) => "invites",
    }
}

/// `tasuki profile`.
pub(super) fn profile(args: &Profile, session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    let client = &session.client;
    let declared = match &args.accepts {
        Some(accepts) => Some(session.run(client.declare_profile(accepts))?),
        None => None,
    };
    let own = session.run(client.office_by_number(client.office()))?;
    let Some(own) = own else {
        return Err(tasuki_sdk::SdkError::from(Refusal::of(reason::OFFICE_NOT_FOUND)).into());
    };
    let waiting = declared.is_some_and(|declared| !own.declared || own.accepts != declared);
    if out.is_json() {
        out.object(&ProfileObject {
            office: own.number.to_string(),
            accepts: &own.accepts,
            declared: own.declared,
            waiting,
        })?;
        return Ok(Exit::Done);
    }
    if waiting {
        out.say(
            "宣言しました。運用主体の承認の後に有効になります。",
            "Declared; it takes effect when the operator agrees.",
        )?;
    }
    let accepts = own.accepts.join(", ");
    let accepts = if accepts.is_empty() { "-" } else { &accepts };
    let (ja, en) = if own.declared {
        (
            "受け取れるもの（宣言済。ほかは受け付けません）",
            "takes (declared; nothing else is accepted for it)",
        )
    } else {
        ("受け取れるもの（宣言なし）", "takes (not declared by itself)")
    };
    out.say(&format!("{ja}: {accepts}"), &format!("{en}: {accepts}"))?;
    Ok(Exit::Done)
}
