//! `tasuki delegate`, `tasuki terminal invite|list|keep|revoke`, `tasuki enrol`: who else may act for the office.

use std::sync::Arc;

use serde::Serialize;
use tasuki_proto::canonical::hex;
use tasuki_proto::mandate::Scopes;
use tasuki_sdk::{
    DelegationTerms, EnrolOptions, Mandate, MandateHolder, SystemClock, enrol as enrol_terminal,
};

use super::Session;
use crate::args::mandates::{Delegate, Enrol, TerminalCommand};
use crate::exit::{Exit, Failure};
use crate::lang::Lang;
use crate::moment::{japan, utc};
use crate::output::Output;
use crate::table::shown;

/// A mandate, as `--json` prints it.
#[derive(Serialize)]
struct MandateObject<'a> {
    mandate: String,
    kind: &'static str,
    /// A terminal's name, or a proxy's.
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    proxy: Option<String>,
    scopes: Vec<&'static str>,
    state: &'static str,
    from: Option<String>,
    until: Option<String>,
    fingerprint: Option<String>,
    last_used_at: Option<String>,
}

/// What `terminal invite` prints.
#[derive(Serialize)]
struct InvitedObject<'a> {
    code: String,
    name: &'a str,
    until: String,
}

/// What `delegate` prints.
#[derive(Serialize)]
struct DelegatedObject {
    proxy: String,
    mandate: Option<String>,
    revoked: bool,
}

/// What `terminal keep` prints.
#[derive(Serialize)]
struct KeptObject<'a> {
    name: &'a str,
    kept: bool,
}

/// What `terminal revoke` prints.
#[derive(Serialize)]
struct RevokedObject<'a> {
    name: &'a str,
    revoked: bool,
}

/// What `enrol` prints.
#[derive(Serialize)]
struct EnrolledObject {
    home: String,
    office: String,
    office_name: String,
    terminal: String,
    scopes: Vec<&'static str>,
    certificate: String,
}

/// `tasuki delegate`.
pub(super) fn delegate(args: &Delegate, session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    let proxy = args.proxy;
    if args.revoke {
        let holds = |m: &Mandate| matches!(m.holder, MandateHolder::Proxy { number, .. } if number == proxy);
        end(session, holds)?;
        let object = DelegatedObject { proxy: proxy.to_string(), mandate: None, revoked: true };
        if out.is_json() {
            out.object(&object)?;
        } else {
            out.say(
                &format!("{proxy} への委任を取り消しました。"),
                &format!("The delegation to {proxy} is revoked."),
            )?;
        }
        return Ok(Exit::Done);
    }
    let (Some(scopes), Some(days)) = (args.scopes, args.days) else {
        return Err(Failure::usage(
            "--scopes と --days、または --revoke を指定してください。",
            "give --scopes and --days, or --revoke.",
        ));
    };
    let terms = DelegationTerms { scopes, days, confirm: args.confirm };
    let digest = session.run(session.client.delegate(proxy, &terms))?;
    let object = DelegatedObject { proxy: proxy.to_string(), mandate: Some(hex(&digest)), revoked: false };
    if out.is_json() {
        out.object(&object)?;
    } else {
        out.say(
            &format!("{proxy} に委任しました（{scopes}、{days}日間）。"),
            &format!("{proxy} may act for this office ({scopes}) for {days} days."),
        )?;
        if args.confirm {
            out.say(
                "伝送代行業者が送るものは、この事業所が tasuki release で送出するまで保留されます。",
                "What it sends is held until this office releases it with tasuki release.",
            )?;
        }
    }
    Ok(Exit::Done)
}

/// `tasuki terminal`.
pub(super) fn terminal(
    command: &TerminalCommand,
    session: &Session,
    out: &mut Output,
) -> Result<Exit, Failure> {
    match command {
        TerminalCommand::Invite(args) => invite(&args.name, args.scopes, session, out),
        TerminalCommand::List => list(session, out),
        TerminalCommand::Keep(args) => {
            session.run(session.client.keep_terminal(&args.name))?;
            if out.is_json() {
                out.object(&KeptObject { name: &args.name, kept: true })?;
            } else {
                let name = shown(&args.name);
                out.say(
                    &format!("端末「{name}」は、今の証明書のもとで引き続き使えます。"),
                    &format!("The terminal {name} goes on under this certificate."),
                )?;
            }
            Ok(Exit::Done)
        }
        TerminalCommand::Revoke(args) => {
            let holds =
                |m: &Mandate| matches!(&m.holder, MandateHolder::Terminal { name } if *name == args.name);
            end(session, holds)?;
            if out.is_json() {
                out.object(&RevokedObject { name: &args.name, revoked: true })?;
            } else {
                let name = shown(&args.name);
                out.say(
                    &format!("端末「{name}」の承認を取り消しました。"),
                    &format!("The terminal {name} is revoked."),
                )?;
            }
            Ok(Exit::Done)
        }
    }
}

fn invite(name: &str, scopes: Scopes, session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    let invited = session.run(session.client.invite_terminal(name, scopes))?;
    let code = invited.code.reveal();
    if out.is_json() {
        out.object(&InvitedObject { code, name, until: utc(invited.until_us) })?;
    } else {
        let until = japan(invited.until_us);
        out.say(
            &format!("{until} までに、新しい端末で次の招待コードを使ってください（tasuki enrol）。このコードは今だけ表示します:"),
            &format!("Use this code on the new terminal (tasuki enrol) until {until}. It is shown this once:"),
        )?;
        out.line(&code)?;
    }
    Ok(Exit::Done)
}

fn list(session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    for mandate in session.run(session.client.mandates())? {
        if out.is_json() {
            out.object(&object(&mandate))?;
        } else {
            out.line(line(&mandate, out.lang()))?;
        }
    }
    Ok(Exit::Done)
}

fn object(mandate: &Mandate) -> MandateObject<'_> {
    let (kind, name, proxy) = match &mandate.holder {
        MandateHolder::Proxy { number, name } => ("proxy", name.as_str(), Some(number.to_string())),
        MandateHolder::Terminal { name } => ("terminal", name.as_str(), None),
    };
    MandateObject {
        mandate: hex(&mandate.digest),
        kind,
        name,
        proxy,
        scopes: mandate.scopes.iter().map(tasuki_proto::mandate::Scope::as_str).collect(),
        state: mandate.state.as_str(),
        from: mandate.from_us.map(utc),
        until: mandate.until_us.map(utc),
        fingerprint: mandate.fingerprint.map(|digest| hex(&digest)),
        last_used_at: mandate.last_used_us.map(utc),
    }
}

fn line(mandate: &Mandate, lang: Lang) -> String {
    let who = match &mandate.holder {
        MandateHolder::Proxy { number, name } => format!("{number} {}", shown(name)),
        MandateHolder::Terminal { name } => shown(name).into_owned(),
    };
    let until = mandate.until_us.map_or_else(|| "-".to_owned(), japan);
    let used = mandate.last_used_us.map_or_else(|| "-".to_owned(), japan);
    let (scopes, state) = (mandate.scopes, mandate.state.as_str());
    match lang {
        Lang::Ja => format!("{who}  {scopes}  {state}  期限 {until}  最終利用 {used}"),
        Lang::En => format!("{who}  {scopes}  {state}  until {until}  last used {used}"),
    }
}

/// Ends the mandate that somebody holds.
fn end(session: &Session, holds: impl Fn(&Mandate) -> bool) -> Result<(), Failure> {
    let mandates = session.run(session.client.mandates())?;
    let Some(mandate) = mandates.iter().find(|mandate| holds(mandate)) else {
        let unknown = tasuki_sdk::error::Refusal::of(tasuki_proto::reason::MANDATE_NOT_FOUND);
        return Err(tasuki_sdk::SdkError::from(unknown).into());
    };
    Ok(session.run(session.client.end_mandate(mandate.digest))?)
}

/// `tasuki enrol HOME …`.
pub(super) fn enrol(args: Enrol, out: &mut Output) -> Result<Exit, Failure> {
    let options = EnrolOptions {
        relay: args.relay,
        relay_ca: args.relay_ca,
        code: args.code.0,
        ca: args.ca,
        proxy: args.https_proxy,
    };
    let runtime = super::runtime()?;
    let enrolled = runtime.block_on(enrol_terminal(&args.folder, &options, Arc::new(SystemClock)))?;
    if out.is_json() {
        out.object(&EnrolledObject {
            home: args.folder.display().to_string(),
            office: enrolled.office.to_string(),
            office_name: enrolled.office_name,
            terminal: enrolled.name,
            scopes: enrolled.scopes.iter().map(tasuki_proto::mandate::Scope::as_str).collect(),
            certificate: hex(&enrolled.fingerprint),
        })?;
    } else {
        let (office, office_name) = (enrolled.office, shown(&enrolled.office_name).into_owned());
        let (name, home) = (shown(&enrolled.name).into_owned(), args.folder.display());
        out.say(
            &format!("{office} {office_name} の端末「{name}」になりました: {home}"),
            &format!("This is the terminal {name} of {office} {office_name} now: {home}"),
        )?;
    }
    Ok(Exit::Done)
}
