//! `tasuki join` without files, `tasuki leave`: taking part.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use serde::Serialize;
use tasuki_proto::event::Event;
use tasuki_sdk::Standing;

use super::Session;
use crate::args::Join;
use crate::args::membership::Leave;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::table::shown;

/// How long `leave --erase` waits for the statement of the erasure. Later, `join --status` shows it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two questions about it.
const PAUSE: Duration = Duration::from_millis(500);

/// How the office stands, as `--json` prints it.
#[derive(Serialize)]
struct StandingObject<'a> {
    office: String,
    name: &'a str,
    state: &'a str,
    /// open, approved, rejected; empty: no application.
    application: &'a str,
    reason: &'a str,
    code_needed: bool,
    /// False: it was so already.
    changed: bool,
    /// The mailbox is still being cleared.
    clearing: bool,
    /// What was erased, and what stays: the event's text.
    erasure: Option<String>,
}

/// `tasuki join` without files.
pub(super) fn join(args: &Join, session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    let client = &session.client;
    let standing = match (&args.code, args.status) {
        (_, true) => session.run(client.standing())?,
        (Some(code), false) => session.run(client.confirm(code))?,
        (None, false) => session.run(client.join(args.name.as_deref().unwrap_or_default()))?,
    };
    show(&standing, session, out)?;
    let fine = args.status || standing.active() || standing.state == "applied";
    Ok(if fine { Exit::Done } else { Exit::Rejected })
}

/// `tasuki leave`.
pub(super) fn leave(args: &Leave, session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    if !args.yes && !agreed(out)? {
        return Err(Failure::usage("利用を終了するには --yes を付けてください。", "to leave, add --yes."));
    }
    let mut standing = session.run(session.client.leave(args.erase))?;
    let began = Instant::now();
    while args.erase && standing.erasure.is_none() && began.elapsed() < PATIENCE {
        std::thread::sleep(PAUSE);
        standing = Standing { repeated: standing.repeated, ..session.run(session.client.standing())? };
    }
    show(&standing, session, out)?;
    Ok(Exit::Done)
}

/// Asks on a terminal.
fn agreed(out: &mut Output) -> Result<bool, Failure> {
    if out.is_json() || !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    out.say(
        "利用を終了します。待っている電文は送信元に戻り、以後の送受信はできません。続けるには yes と入力してください:",
        "This office leaves: what waits goes back to its senders, and nothing is sent or received any more. Type yes to go on:",
    )?;
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    Ok(read.is_ok() && answer.trim() == "yes")
}

fn show(standing: &Standing, session: &Session, out: &mut Output) -> Result<(), Failure> {
    let office = session.client.office();
    if out.is_json() {
        return Ok(out.object(&StandingObject {
            office: office.to_string(),
            name: &standing.name,
            state: &standing.state,
            application: &standing.application,
            reason: &standing.reason,
            code_needed: standing.code_needed,
            changed: !standing.repeated,
            clearing: standing.clearing,
            erasure: standing.erasure.as_ref().map(Event::print),
        })?);
    }
    let (ja, en) = match (standing.state.as_str(), standing.code_needed) {
        ("active", _) => ("利用中です。", "This office takes part."),
        ("applied", true) => (
            "利用を申請しました。郵送または電話で届く確認コードで tasuki join --code CODE を実行してください。",
            "Applied. A code comes by post or telephone: then run tasuki join --code CODE.",
        ),
        ("applied", false) => {
            ("利用を申請しました。運用主体の承認を待ってください。", "Applied. The operator decides.")
        }
        ("suspended", _) => ("利用停止中です。", "This office is suspended."),
        ("left", _) => ("利用を終了しました。", "This office left."),
        _ => ("まだ利用を申請していません。", "This office has not applied yet."),
    };
    out.say(&format!("{office}: {ja}"), &format!("{office}: {en}"))?;
    if standing.application == "rejected" {
        let reason = shown(&standing.reason).into_owned();
        out.say(
            &format!("申請は却下されました: {reason}"),
            &format!("The application was rejected: {reason}"),
        )?;
    }
    if standing.clearing {
        out.say("待っていた電文を送信元に戻しています。", "What waited is on its way back to its senders.")?;
    }
    if let Some(erasure) = &standing.erasure {
        out.say(
            "消去の証明（中継サーバーの記録より）:",
            "The statement of the erasure, from the relay's log:",
        )?;
        for line in erasure.print().lines() {
            out.line(shown(line))?;
        }
    }
    Ok(())
}
