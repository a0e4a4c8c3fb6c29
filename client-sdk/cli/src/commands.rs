//! What the commands do: one file each.

mod access;
mod acts;
mod check;
mod completions;
mod endings;
mod evidence;
mod export;
mod init;
mod join;
mod left;
mod list;
mod losses;
mod mail;
mod mandates;
mod membership;
mod month;
mod names;
mod not_members;
mod notices;
mod offices;
mod overdue;
mod partners;
mod proxy;
mod receive;
mod refused;
mod renew;
mod resend;
mod send;
mod show;
mod split;
mod standard;
mod verify;
mod view;
mod watch;
mod webhook;
mod witness;

use std::path::PathBuf;
use std::sync::Arc;

use tasuki_sdk::{Client, Finding, Home, SdkError, SystemClock};
use tokio::runtime::Runtime;

use crate::args::{Cli, Command, Global};
use crate::exit::{Exit, Failure};
use crate::finding;
use crate::lang::{Lang, Text};
use crate::output::Output;

/// Name of the variable that stands for `--home`.
const HOME_VARIABLE: &str = "TASUKI_HOME";

/// Runs a command.
///
/// # Errors
/// What stopped it before it had a result to print.
pub(crate) fn run(cli: Cli, out: &mut Output) -> Result<Exit, Failure> {
    let Cli { global, command } = cli;
    match command {
        Command::Init(args) => init::init(args, &global, out),
        Command::Verify(args) => verify::verify(args, out),
        Command::Completions(args) => completions::completions(args.shell, out),
        Command::Check(args) => check::check(&args, global.home.as_deref(), out),
        Command::View(args) => view::view(&args, out),
        Command::Split(args) => split::split(&args, out),
        Command::Join(args) => match &args.out {
            Some(folder) => join::join(&args, folder, out),
            None => membership::join(&args, &Session::open(&global)?, out),
        },
        Command::Leave(args) => membership::leave(&args, &Session::open(&global)?, out),
        Command::Standard => standard::standard(out),
        Command::Enrol(args) => mandates::enrol(args, out),
        Command::Proxy(args) => proxy::proxy(&args, &global, out),
        Command::Renew(args) => renew::renew(&args, &global, out),
        Command::Watch(args) => watch::watch(&args, &Session::open(&global)?, out),
        Command::Witness(args) => witness::witness(&args, &Session::open(&global)?, out),
        command => {
            let session = Session::open(&global)?;
            let ended = at_the_relay(command, &session, out);
            losses::tell(&session.client, out);
            endings::tell(&session.client, out);
            ended
        }
    }
}

/// Runs a command that asks the relay.
fn at_the_relay(command: Command, session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    match command {
        Command::Send(args) => send::send(args, session, out),
        Command::Inbox(args) => list::inbox(&args, session, out),
        Command::Receive(args) => receive::receive(args, session, out),
        Command::Sent(args) => list::sent(&args, session, out),
        Command::Refused(args) => refused::refused(&args, session, out),
        Command::Overdue(args) => overdue::overdue(&args, session, out),
        Command::Release(args) => acts::release(&args.parcels, session, out),
        Command::Discard(args) => acts::discard(&args.parcels, session, out),
        Command::Recall(args) => acts::recall(args, session, out),
        Command::Refuse(args) => acts::refuse(args, session, out),
        Command::HandedOver(args) => acts::handed_over(&args.parcels, session, out),
        Command::Imported(args) => acts::imported(&args.parcels, session, out),
        Command::Remark(args) => acts::remark(args, session, out),
        Command::Request(args) => acts::request(&args, session, out),
        Command::Progress(args) => month::progress(&args, session, out),
        Command::Resend(args) => resend::resend(&args, session, out),
        Command::Show(args) => show::show(&args.parcel, session, out),
        Command::Export(args) => export::export(&args, session, out),
        Command::Evidence(args) => evidence::evidence(&args, session, out),
        Command::Mail(command) => mail::mail(&command, session, out),
        Command::Webhook(command) => webhook::webhook(&command, session, out),
        Command::Notices(args) => notices::notices(&args, session, out),
        Command::Delegate(args) => mandates::delegate(&args, session, out),
        Command::Access(args) => access::access(&args, session, out),
        Command::Terminal(command) => mandates::terminal(&command, session, out),
        Command::Profile(args) => partners::profile(&args, session, out),
        Command::Partner(command) => partners::partner(&command, session, out),
        Command::Offices(args) => offices::offices(&args, session, out),
        // They need no relay, or a stream of their own, and were run before. Each by its name: a new command must not
        // end up here and do nothing.
        Command::Init(_)
        | Command::Enrol(_)
        | Command::Proxy(_)
        | Command::Renew(_)
        | Command::Verify(_)
        | Command::Watch(_)
        | Command::Witness(_)
        | Command::Check(_)
        | Command::View(_)
        | Command::Split(_)
        | Command::Join(_)
        | Command::Leave(_)
        | Command::Standard
        | Command::Completions(_) => Ok(Exit::Done),
    }
}

/// A HOME at work, and the runtime that its calls run on.
struct Session {
    runtime: Runtime,
    client: Client,
}

impl Session {
    fn open(global: &Global) -> Result<Self, Failure> {
        let folder = home_folder(global)?;
        let runtime = runtime()?;
        let client = {
            let _inside = runtime.enter();
            Client::open(Home::open(&folder)?, Arc::new(SystemClock))?
        };
        Ok(Self { runtime, client })
    }

    /// Runs one call to its end.
    fn run<T>(&self, call: impl Future<Output = Result<T, SdkError>>) -> Result<T, SdkError> {
        self.runtime.block_on(call)
    }
}

/// The runtime that calls run on.
fn runtime() -> Result<Runtime, SdkError> {
    Runtime::new().map_err(|error| SdkError::Io {
        path: PathBuf::from("tokio"),
        kind: error.kind(),
        message: error.to_string(),
    })
}

/// The folder of `--home`, else of `TASUKI_HOME`.
fn home_folder(global: &Global) -> Result<PathBuf, Failure> {
    let variable = || std::env::var_os(HOME_VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
    global.home.clone().or_else(variable).ok_or_else(|| {
        Failure::usage(
            "HOMEを --home または環境変数 TASUKI_HOME で指定してください。",
            "name the HOME with --home or in TASUKI_HOME.",
        )
    })
}

/// Prints findings behind an error. Programs get them with the result.
pub(crate) fn findings_to_errors(findings: &[Finding], out: &mut Output) {
    let lines = finding::lines(findings, Lang::Ja).into_iter().zip(finding::lines(findings, Lang::En));
    for (ja, en) in lines {
        out.notice(&Text::new(format!("  {ja}"), format!("  {en}")));
    }
}
