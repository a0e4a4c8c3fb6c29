//! The command line: commands, flags, their meaning. Names are fixed: add, never rename.

pub(crate) mod acts;
mod japanese;
pub(crate) mod mandates;
pub(crate) mod membership;
pub(crate) mod month;
mod offline;
pub(crate) mod renew;
pub(crate) mod sender;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;
use tasuki_careplan::month::Month;
use tasuki_careplan::office::OfficeNumber;
use tasuki_careplan::unit::UnitClass;
use tasuki_sdk::ParcelName;

use crate::lang::Lang;

pub(crate) use offline::{Check, Join, Split, View};

/// Carries care-plan files between care offices: signed, checked, sealed, delivered, proven.
#[derive(Debug, Parser)]
#[command(
    name = "tasuki",
    version,
    disable_help_flag = true,
    disable_version_flag = true,
    disable_help_subcommand = true,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 done; 1 something was rejected or did not verify; 2 usage or configuration;\n\
                  3 the relay is not reachable: running the same again is safe and resumes."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// Folder with this office's settings, key and state; also by `TASUKI_HOME`
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// Print results as JSON, one object per line
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Language of what people read; also by `TASUKI_LANG`, `LC_ALL`, `LANG`
    #[arg(long, global = true, value_name = "LANG")]
    pub(crate) lang: Option<Lang>,
    /// Print help
    #[arg(short, long, global = true, action = ArgAction::Help)]
    help: Option<bool>,
    /// Print the version
    #[arg(short = 'V', long, action = ArgAction::Version)]
    version: Option<bool>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a HOME for this office from its certificate; works offline
    Init(Init),
    /// Send files, grouped into parcels by sender, recipient and serial in their names
    Send(Send),
    /// List what waits to be received
    Inbox(acts::Inbox),
    /// Fetch, verify, store and acknowledge everything that waits
    Receive(Receive),
    /// List what was sent and where it stands
    Sent(acts::Sent),
    /// List what the relay did not accept, with what to do
    Refused(sender::Refused),
    /// List what its receivers should have fetched by now
    Overdue(sender::Overdue),
    /// Deliver what is held
    Release(acts::Parcels),
    /// Throw away what is held
    Discard(acts::Parcels),
    /// Take a parcel back before it is fetched
    Recall(acts::Recall),
    /// Refuse a parcel: its sender learns why
    Refuse(acts::Refuse),
    /// Say that the care software has taken a parcel in
    Imported(acts::Parcels),
    /// Say that received parcels were handed to the office (proxies)
    HandedOver(acts::Parcels),
    /// Say something about a parcel to the other office
    Remark(acts::Remark),
    /// Ask another office for a document
    Request(acts::Request),
    /// Send parcels again, from the archive, as new ones
    Resend(acts::Resend),
    /// Show what is outstanding of a month: slips sent, results received
    Progress(month::Progress),
    /// Show one parcel and what happened to it
    Show(Show),
    /// Save the proof of what happened to a parcel, or to all of a month
    Evidence(Evidence),
    /// Save everything of this office: lists, signed parcels, the proof of every month
    Export(Export),
    /// Verify a parcel (.asice), an evidence folder or the proof of a month (.zip), offline
    Verify(Verify),
    /// Follow what happens, live; resumes where it stopped
    Watch(Watch),
    /// Let a proxy act for this office, or no more
    Delegate(mandates::Delegate),
    /// Further terminals of this office, and who else may act for it
    #[command(subcommand)]
    Terminal(mandates::TerminalCommand),
    /// Send and receive for all offices that let this proxy act
    Proxy(mandates::Proxy),
    /// Show who did what in this office's name: terminals, proxies, the relay's operator
    Access(mandates::Access),
    /// Make a HOME for a new terminal from an invitation code
    Enrol(mandates::Enrol),
    /// Renew this HOME's certificate, or put in one that was renewed elsewhere
    Renew(renew::Renew),
    /// Have the relay write an e-mail when something arrived
    #[command(subcommand)]
    Mail(MailCommand),
    /// Have the relay tell a program of yours over HTTPS what happens
    #[command(subcommand)]
    Webhook(WebhookCommand),
    /// Show notices of the relay's operator
    Notices(Notices),
    /// Find offices by number, name, reading or municipality; say which partners are not there
    Offices(Offices),
    /// Check files against the standard, offline
    Check(Check),
    /// Print a file as a table with the names of its items, offline
    View(View),
    /// Make a folder for each parcel of everything that was exported, offline
    Split(Split),
    /// With files: make one for each kind of everything that was received, offline; without: apply to take part at the relay
    Join(Join),
    /// Take part no more: what waits goes back to its senders, and nothing is accepted any more
    Leave(membership::Leave),
    /// Declare what this office takes: editions of the standard, formats of attachments
    Profile(membership::Profile),
    /// Offices that this one has agreed to exchange with
    #[command(subcommand)]
    Partner(membership::PartnerCommand),
    /// List the file types, layouts, send units and editions of the standard that are known
    Standard,
    /// Vouch for the relay's log: look at it again and again, and cosign what goes on from what was seen before
    Witness(Witness),
    /// Print a script that completes commands and flags in a shell
    Completions(Completions),
}

/// Commands of `mail`.
#[derive(Debug, Subcommand)]
pub(crate) enum MailCommand {
    /// Set the addresses, in place of earlier ones
    Set(MailSet),
    /// Show the addresses, and how the last mail went
    List,
    /// Take the addresses away: no mails
    Remove,
}

/// Flags of `mail set`.
#[derive(Debug, Args)]
pub(crate) struct MailSet {
    /// E-mail addresses, at most 5
    #[arg(value_name = "ADDRESS", required = true)]
    pub(crate) address: Vec<String>,
}

/// Commands of `webhook`.
#[derive(Debug, Subcommand)]
pub(crate) enum WebhookCommand {
    /// Set the webhook, in place of an earlier one; prints the key of its signatures
    Set(WebhookSet),
    /// Show the webhook, how it does, and what was given up
    List,
    /// Take the webhook away
    Remove,
    /// Have the relay post a test now; exit code 1: the program did not take it
    Test,
}

/// Flags of `webhook set`.
#[derive(Debug, Args)]
pub(crate) struct WebhookSet {
    /// Where the program is: https://…, at most 2,000 bytes
    #[arg(value_name = "URL")]
    pub(crate) url: String,
}

/// Flags of `notices`.
#[derive(Debug, Args)]
pub(crate) struct Notices {
    /// Only those behind this place in the log, as --json gives it
    #[arg(long, value_name = "EPOCH:INDEX")]
    pub(crate) after: Option<LogPlace>,
}

/// A place in the log: epoch, index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogPlace(pub(crate) (u64, u64));

impl std::str::FromStr for LogPlace {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let place =
            text.split_once(':').and_then(|(epoch, index)| Some((epoch.parse().ok()?, index.parse().ok()?)));
        place.map(Self).ok_or("expected EPOCH:INDEX, such as 1:2045")
    }
}

/// Flags of `init`.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Folder to make; without it that of --home or `TASUKI_HOME`
    #[arg(value_name = "HOME")]
    pub(crate) folder: Option<PathBuf>,
    /// Address of the relay, https://HOST:PORT
    #[arg(long, value_name = "URL")]
    pub(crate) relay: String,
    /// CA of the relay's TLS certificate (PEM)
    #[arg(long, value_name = "FILE")]
    pub(crate) relay_ca: PathBuf,
    /// Certificate with its key (PKCS#12), with --key the certificate alone (PEM), or a key on a token (pkcs11:token=…;object=…?module-path=…)
    #[arg(long, value_name = "FILE|URI")]
    pub(crate) identity: PathBuf,
    /// With a token: the certificates (PEM), where they are not on the token
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    pub(crate) certificates: Option<PathBuf>,
    /// File whose first line is the PKCS#12 file's password, or the token's PIN; - is standard input. Without it you are asked
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    pub(crate) password_file: Option<PathBuf>,
    /// Descriptor from which the password or PIN is read
    #[arg(long, value_name = "N", conflicts_with_all = ["key", "password_file"])]
    pub(crate) password_fd: Option<u32>,
    /// Private key (PEM) where the certificate is PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// CA of the offices' certificates (PEM); without it the one in the PKCS#12 file
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Where certificates name their office (TOML), where that is not as in the trial CA's
    #[arg(long, value_name = "FILE")]
    pub(crate) profile: Option<PathBuf>,
    /// HTTP proxy to go through, http://HOST:PORT, or "none"; without it `HTTPS_PROXY` decides
    #[arg(long, value_name = "URL")]
    pub(crate) https_proxy: Option<String>,
}

/// Flags of `send`.
#[derive(Debug, Args)]
pub(crate) struct Send {
    /// Files, folders, or ZIP files
    #[arg(value_name = "PATH", required_unless_present_any = ["note", "attach"])]
    pub(crate) paths: Vec<PathBuf>,
    /// Note for every parcel, or for one office with OFFICE=TEXT; repeatable
    #[arg(long, value_name = "[OFFICE=]TEXT", value_parser = NoteArg::parse)]
    pub(crate) note: Vec<NoteArg>,
    /// File of another kind for one office; repeatable
    #[arg(long, value_name = "OFFICE=FILE", value_parser = AttachArg::parse)]
    pub(crate) attach: Vec<AttachArg>,
    /// Send as new parcels what was sent before
    #[arg(long)]
    pub(crate) again: bool,
    /// Leave the checks of the standard to the relay, which refuses with the same findings
    #[arg(long)]
    pub(crate) unchecked: bool,
    /// Send only the units of this kind, and list the rest
    #[arg(long, value_name = "UNIT", value_parser = unit_parser())]
    pub(crate) unit: Option<UnitClass>,
    /// Leave out files that belong to no send unit, and list them
    #[arg(long)]
    pub(crate) skip_unneeded: bool,
    #[command(flatten)]
    pub(crate) delivery: acts::Delivery,
}

/// What a parcel replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Supersedes {
    /// What is proposed.
    Auto,
    /// This parcel.
    Parcel(ParcelName),
}

impl Supersedes {
    fn parse(argument: &str) -> Result<Self, String> {
        if argument == "auto" { Ok(Self::Auto) } else { parcel(argument).map(Self::Parcel) }
    }
}

/// A note and whom it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NoteArg {
    /// One office; none: every parcel.
    pub(crate) office: Option<OfficeNumber>,
    pub(crate) text: String,
}

impl NoteArg {
    /// Ten digits and an equals sign in front name an office; anything else belongs to the text.
    fn parse(argument: &str) -> Result<Self, String> {
        let named = argument.split_once('=').and_then(|(office, text)| Some((office.parse().ok()?, text)));
        let (office, text) = named.map_or((None, argument), |(office, text)| (Some(office), text));
        if text.trim().is_empty() {
            return Err("a note needs a text".to_owned());
        }
        Ok(Self { office, text: text.to_owned() })
    }
}

/// An attachment and whom it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AttachArg {
    pub(crate) office: OfficeNumber,
    pub(crate) file: PathBuf,
}

impl AttachArg {
    fn parse(argument: &str) -> Result<Self, String> {
        let named = argument.split_once('=').and_then(|(office, file)| Some((office.parse().ok()?, file)));
        match named {
            Some((office, file)) if !file.is_empty() => Ok(Self { office, file: file.into() }),
            _ => Err("expected OFFICE=FILE, OFFICE being the 10 digits of its number".to_owned()),
        }
    }
}

/// Flags of `receive`.
#[derive(Debug, Args)]
pub(crate) struct Receive {
    /// Folder to store into, as DIR/<sender's number>/<parcel id>/<files>
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Leave sealed.p7m and parcel.asice beside the files
    #[arg(long)]
    pub(crate) keep_sealed: bool,
    /// Only these parcels; without any, everything that waits
    #[arg(value_name = "PARCEL", value_parser = parcel)]
    pub(crate) parcels: Vec<ParcelName>,
    #[command(flatten)]
    pub(crate) choice: acts::Choice,
}

/// Flags of `show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Id of the parcel; SENDER/ID where several senders chose the same
    #[arg(value_name = "PARCEL", value_parser = parcel)]
    pub(crate) parcel: ParcelName,
}

/// Flags of `evidence`.
#[derive(Debug, Args)]
pub(crate) struct Evidence {
    /// Id of the parcel; SENDER/ID where several senders chose the same
    #[arg(value_name = "PARCEL", required_unless_present = "month", value_parser = parcel)]
    pub(crate) parcel: Option<ParcelName>,
    /// Folder to save into; with --month, a ZIP file
    #[arg(long, value_name = "DIR|FILE.zip")]
    pub(crate) out: PathBuf,
    /// Everything of this service month, YYYYMM, with a page to read
    #[arg(long, value_name = "YYYYMM", conflicts_with = "parcel")]
    pub(crate) month: Option<Month>,
    /// With --month: only to and from this office
    #[arg(long, value_name = "OFFICE", requires = "month")]
    pub(crate) partner: Option<OfficeNumber>,
    /// With --month: the signed parcels too, which hold everything that was sent
    #[arg(long, requires = "month")]
    pub(crate) with_parcels: bool,
}

/// Flags of `export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Folder to save into; running it again brings it up to date
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Also receive what waits, which acknowledges it
    #[arg(long)]
    pub(crate) receive: bool,
}

/// Flags of `verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// A parcel (.asice), an evidence folder, or the proof of a month (.zip)
    #[arg(value_name = "PATH")]
    pub(crate) path: PathBuf,
    /// CA of the offices' certificates (PEM); without it the one beside the evidence, shown by its fingerprint
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// File with the log's verifier key; without it the one beside the evidence, shown
    #[arg(long, value_name = "FILE")]
    pub(crate) log_key: Option<PathBuf>,
    /// Where certificates name their office (TOML), where that is not as in the trial CA's
    #[arg(long, value_name = "FILE")]
    pub(crate) profile: Option<PathBuf>,
    /// CA of time stamping authorities (PEM); without it what came along with the stamps, shown by its fingerprint
    #[arg(long, value_name = "FILE")]
    pub(crate) tsa_ca: Option<PathBuf>,
    /// File with the verifier keys of witnesses, one a line; without it those beside the evidence, shown
    #[arg(long, value_name = "FILE")]
    pub(crate) witness: Option<PathBuf>,
    /// So many of these witnesses must have vouched for every event
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) need: u32,
}

/// Flags of `witness`.
#[derive(Debug, Args)]
pub(crate) struct Witness {
    /// Name of the witness when its key is made, such as witness.example/1
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Print the verifier key and end; nothing is asked of the relay
    #[arg(long)]
    pub(crate) show_key: bool,
    /// Look at the log once and end
    #[arg(long, conflicts_with = "show_key")]
    pub(crate) once: bool,
    /// Seconds between two looks
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub(crate) every: u32,
}

/// Flags of `watch`.
#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// Show what is new and end
    #[arg(long)]
    pub(crate) once: bool,
    /// Program to run for each piece of news, with its arguments up to the end or to ";"; it gets one JSON object
    #[arg(long, value_name = "CMD", num_args = 1.., allow_hyphen_values = true, value_terminator = ";")]
    pub(crate) exec: Vec<OsString>,
    /// File to keep as an Atom feed of the newest 100 events
    #[arg(long, value_name = "FILE")]
    pub(crate) atom: Option<PathBuf>,
    /// Send again from the archive what is refused because the receiver's key is lost, once the receiver has a new one
    #[arg(long)]
    pub(crate) auto_resend: bool,
}

/// Flags of `offices`.
#[derive(Debug, Args)]
pub(crate) struct Offices {
    /// Words that number, name, reading or municipality contain
    #[arg(value_name = "WORDS", required_unless_present = "not_members")]
    pub(crate) words: Vec<String>,
    /// Say who of a list of partners can't be reached through the relay, and needs the FAX still: a CSV file with their
    /// numbers in the column headed 事業所番号 or number, or in the first
    #[arg(long, value_name = "FILE", conflicts_with = "words")]
    pub(crate) not_members: Option<PathBuf>,
    /// With --not-members: write an invitation to print and send them (HTML)
    #[arg(long, value_name = "FILE", requires = "not_members", conflicts_with = "words")]
    pub(crate) invitation: Option<PathBuf>,
    /// With --not-members: end with exit code 1 if there are any
    #[arg(long, requires = "not_members", conflicts_with = "words")]
    pub(crate) exit_code: bool,
}

/// Flags of `completions`.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// Which shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Shell,
}

/// Named values, so that shells can complete them.
fn unit_parser() -> impl TypedValueParser<Value = UnitClass> {
    PossibleValuesParser::new(UnitClass::ALL.map(UnitClass::as_str)).try_map(|word| word.parse::<UnitClass>())
}

fn parcel(argument: &str) -> Result<ParcelName, String> {
    argument.parse().map_err(|_| "expected a parcel's id (36 characters), or SENDER/ID".to_owned())
}

/// The command's definition, with help in one language.
pub(crate) fn definition(lang: Lang) -> clap::Command {
    match lang {
        Lang::Ja => japanese::translate(Cli::command()),
        Lang::En => Cli::command(),
    }
}

/// Reads the command line.
///
/// # Errors
/// What clap has to say, help and version among it.
pub(crate) fn parse(arguments: &[OsString], lang: Lang) -> Result<Cli, clap::Error> {
    Cli::from_arg_matches(&definition(lang).try_get_matches_from(arguments)?)
}

/// One line in Japanese on what is wrong with a command line; clap's own words, in English, follow it.
pub(crate) fn usage_in_japanese(error: &clap::Error) -> Option<&'static str> {
    japanese::usage(error.kind())
}
