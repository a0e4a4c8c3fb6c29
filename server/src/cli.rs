//! The command line of `tasuki-relay`: commands, flags, their meaning. Names are fixed: add, never rename.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tasuki_careplan::office::OfficeNumber;
use tasuki_careplan::service::ServiceKind;
use tasuki_proto::operator::is_operator_name;

use crate::commands::alerts::Alerts;
use crate::commands::approvals::Approvals;
use crate::commands::audit::Audit;
use crate::commands::ca::Ca;
use crate::commands::joining::{Approve, Leave, MakeCode, Reject};
use crate::commands::lang::Lang;
use crate::commands::log_key::LogKey;
use crate::commands::operate::{Mode, Notice, Stop};
use crate::commands::operator::Operator;
use crate::commands::overdue::Overdue;
use crate::commands::profiles::Decide;
use crate::commands::proxy::Proxy;
use crate::commands::retention::Retention;
use crate::commands::stats::Stats;
use crate::config::OperatorFiles;
use crate::trial_ca::Reason;

/// Runs a relay for care-plan files: verifies, seals, delivers, and logs what happened.
#[derive(Debug, Parser)]
#[command(
    name = "tasuki-relay",
    version,
    arg_required_else_help = true,
    after_help = "Administrative commands work with the relay stopped or running; changes take effect without a \
                  restart.\nExit codes: 0 done; 1 something failed or was rejected; 2 usage or configuration."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of every command.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// The relay's configuration
    #[arg(long, global = true, value_name = "FILE", default_value = "relay.toml")]
    pub(crate) config: PathBuf,
    /// Print results as JSON, one object per line
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Language of what people read.
    #[arg(
        long,
        global = true,
        value_name = "LANG",
        help = "Language of what people read; also by TASUKI_LANG, LC_ALL, LANG"
    )]
    pub(crate) lang: Option<Lang>,
    /// The operator who gives the command, where the relay has operators: PKCS#12, or PEM with certificate and key
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) operator: Option<PathBuf>,
    /// The operator's key, PEM, where it stands in a file of its own
    #[arg(long, global = true, value_name = "FILE", requires = "operator")]
    pub(crate) operator_key: Option<PathBuf>,
    /// File with the password of the operator's PKCS#12 file
    #[arg(long, global = true, value_name = "FILE", requires = "operator")]
    pub(crate) password_file: Option<PathBuf>,
}

impl Global {
    /// Where the operator's certificate and key are.
    pub(crate) fn operator(&self) -> Option<OperatorFiles> {
        self.operator.clone().map(|certificate| OperatorFiles {
            certificate,
            key: self.operator_key.clone(),
            password_file: self.password_file.clone(),
        })
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a relay's folder: configuration, keys, trial CA, empty database
    Init(Init),
    /// Run the relay until SIGTERM or Ctrl-C
    Serve,
    /// The directory of offices
    #[command(subcommand)]
    Office(Office),
    /// Transmission proxies, and the offices that they act for
    #[command(subcommand)]
    Proxy(Proxy),
    /// Certificates of the trial CA
    #[command(subcommand)]
    Cert(Cert),
    /// The key of the CA that issues certificates
    #[command(subcommand)]
    Ca(Ca),
    /// The log of events
    #[command(subcommand)]
    Log(Log),
    /// The key that signs the log's checkpoints
    #[command(subcommand)]
    LogKey(LogKey),
    /// Look for what is not as it should be
    Doctor,
    /// Revocation lists that are too old
    #[command(subcommand)]
    Revocation(Revocation),
    /// List the witnesses of relay.toml, and what each has vouched for last
    Witness,
    /// Show what the sweeps would remove now, by rule, without touching anything
    Retention(Retention),
    /// List parcels that nobody fetched within the time in which receivers should
    Overdue(Overdue),
    /// Notices to offices
    #[command(subcommand)]
    Notice(Notice),
    /// Planned stops
    #[command(subcommand)]
    Stop(Stop),
    /// Accept nothing new for a while, or go on as usual; takes effect within a second
    Mode(Mode),
    /// List what was unusual lately: volume, failing signatures, new keys
    Alerts(Alerts),
    /// A month in numbers, without content
    Stats(Stats),
    /// Operators: certificates with roles
    #[command(subcommand)]
    Operator(Operator),
    /// Acts that wait for a second operator
    #[command(subcommand)]
    Approvals(Approvals),
    /// Everything about an office, a key, a terminal or a proxy between two times; recorded in the log
    Audit(Audit),
}

/// Flags of `init`.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Folder to make; it must not exist, or be empty
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Address and port for offices
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8443")]
    pub(crate) listen: SocketAddr,
    /// Name of the relay for its log and in its server certificate, such as relay.example; without it the
    /// listen address. It can't be changed later: members pin the log by it
    #[arg(long, value_name = "NAME", value_parser = relay_name)]
    pub(crate) name: Option<String>,
    /// Have the log's key on a token, by its PKCS #11 URI, in place of a file; it is made there if the token has none of that name
    #[arg(long, value_name = "URI", requires = "pin_file")]
    pub(crate) log_key: Option<String>,
    /// The same for the key of the CA that issues offices' certificates
    #[arg(long, value_name = "URI", requires = "pin_file")]
    pub(crate) ca_key: Option<String>,
    /// File with the token's PIN; the relay reads it whenever it opens the token
    #[arg(long, value_name = "FILE")]
    pub(crate) pin_file: Option<PathBuf>,
}

/// Commands of `office`.
#[derive(Debug, Subcommand)]
pub(crate) enum Office {
    /// Add an office, or change what is known of it
    Add(OfficeAdd),
    /// Add or change the offices of a CSV file.
    #[command(about = "Add or change the offices of a CSV file: number,name,kana,services,standard_ready")]
    Import(OfficeImport),
    /// List offices whose number, name, reading or municipality holds every word
    List(OfficeList),
    /// Let an office neither send nor receive
    Suspend(OfficeSuspend),
    /// Let a suspended office take part again
    Resume(OfficeResume),
    /// List applications to join that wait
    Applications,
    /// Let an office take part: one that applied, or one of the directory that has not joined
    Approve(Approve),
    /// Reject an application
    Reject(Reject),
    /// Make a code for an applicant, to be sent by post or told by telephone
    Code(MakeCode),
    /// Have an office leave: its mailbox is closed, and it comes back by `approve` only
    Leave(Leave),
    /// List what offices declare to take and that waits for you
    Profiles,
    /// Agree to what an office declares to take, or not
    Profile(Decide),
}

/// Flags of `office add`.
#[derive(Debug, Args)]
pub(crate) struct OfficeAdd {
    /// The office's number, 10 digits
    #[arg(value_name = "NUMBER")]
    pub(crate) number: OfficeNumber,
    /// Its name
    #[arg(long, value_parser = one_line)]
    pub(crate) name: String,
    /// The name's reading
    #[arg(long, value_parser = one_line, default_value = "")]
    pub(crate) kana: String,
    /// Its kinds of service, two characters each, separated by spaces
    #[arg(long, value_parser = services, default_value = "")]
    pub(crate) services: Services,
    /// Its software does not read the standard's files
    #[arg(long)]
    pub(crate) not_standard_ready: bool,
    /// Its prefecture and municipality; without it they stay as they are
    #[arg(long, value_parser = one_line)]
    pub(crate) municipality: Option<String>,
    /// What it takes, separated by commas: csv-4.1,csv-3.2,pdf; without it that stays as it is
    #[arg(long, value_parser = one_line)]
    pub(crate) accepts: Option<String>,
}

/// Flags of `office import`.
#[derive(Debug, Args)]
pub(crate) struct OfficeImport {
    /// CSV file, UTF-8 or MS932; nothing of it is imported if one row is bad
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Which of its columns says what, for a list of others: a TOML file; see ops/README.md
    #[arg(long, value_name = "FILE")]
    pub(crate) columns: Option<PathBuf>,
    /// Import the good rows, and list the bad ones
    #[arg(long)]
    pub(crate) skip_bad: bool,
}

/// Flags of `office list`.
#[derive(Debug, Args)]
pub(crate) struct OfficeList {
    /// Words; without any, all offices
    #[arg(value_name = "WORDS")]
    pub(crate) words: Vec<String>,
}

/// Flags of `office suspend`.
#[derive(Debug, Args)]
pub(crate) struct OfficeSuspend {
    /// The office's number
    #[arg(value_name = "NUMBER")]
    pub(crate) number: OfficeNumber,
    /// Why; the office reads it in its feed
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub(crate) reason: String,
}

/// Flags of `office resume`.
#[derive(Debug, Args)]
pub(crate) struct OfficeResume {
    /// The office's number
    #[arg(value_name = "NUMBER")]
    pub(crate) number: OfficeNumber,
    /// Why; the office reads it in its feed
    #[arg(long, value_name = "TEXT", value_parser = reason, default_value = "resumed by the operator")]
    pub(crate) reason: String,
}

/// Commands of `cert`.
#[derive(Debug, Subcommand)]
pub(crate) enum Cert {
    /// Issue a certificate to an office, to a proxy (P and 5 digits), or to an operator (operator:NAME)
    Issue(CertIssue),
    /// Revoke a certificate and publish a new revocation list
    Revoke(CertRevoke),
    /// Publish a new revocation list
    Crl,
    /// Issue the relay's own TLS certificate anew; it is used from the next start
    Server(CertServer),
}

/// Flags of `cert issue`.
#[derive(Debug, Args)]
pub(crate) struct CertIssue {
    /// Number of an office in the directory (10 digits) or of a proxy (P and 5 digits), or operator:NAME
    #[arg(value_name = "OFFICE")]
    pub(crate) number: Holder,
    /// Folder for OFFICE.p12, OFFICE.pass, OFFICE.pem and OFFICE.key, all owner-only
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Days of validity; without it what relay.toml says
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub(crate) days: Option<u32>,
    /// Kind of key
    #[arg(long, default_value = "rsa2048")]
    pub(crate) key: KeyType,
    /// A certificate that may sign but not decrypt: its office then needs a sealing key
    #[arg(long)]
    pub(crate) sign_only: bool,
}

/// Flags of `cert revoke`.
#[derive(Debug, Args)]
pub(crate) struct CertRevoke {
    /// The certificate: a PEM file, its SHA-256 fingerprint, or its serial number (hexadecimal digits)
    #[arg(value_name = "CERTIFICATE")]
    pub(crate) certificate: String,
    /// Why; it stands in the list and in the log
    #[arg(long, value_enum, default_value_t)]
    pub(crate) reason: Reason,
}

/// Flags of `cert server`.
#[derive(Debug, Args)]
pub(crate) struct CertServer {
    /// Further names or addresses that offices reach the relay by; repeatable
    #[arg(long, value_name = "NAME", value_parser = relay_name)]
    pub(crate) name: Vec<String>,
}

/// Commands of `log`.
#[derive(Debug, Subcommand)]
pub(crate) enum Log {
    /// Recompute the tree, and compare it with checkpoints, witness, feeds, parcels and contents
    Verify,
}

/// Commands of `revocation`.
#[derive(Debug, Subcommand)]
pub(crate) enum Revocation {
    /// Let certificates pass whose revocation list is too old, for at most 7 days; recorded in the log
    Override(RevocationOverride),
    /// End an override now; recorded in the log
    End(RevocationEnd),
    /// Show how fresh the lists are, what came of fetching them, and whether an override is in force
    Status,
    /// Fetch the lists of relay.toml and of certificates now, without waiting for their turn
    Fetch,
}

/// Flags of `revocation override`.
#[derive(Debug, Args)]
pub(crate) struct RevocationOverride {
    /// Until when, such as 2026-11-21T18:00:00+09:00
    #[arg(long, value_name = "RFC3339", value_parser = time_us)]
    pub(crate) until: i64,
    /// Why
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub(crate) reason: String,
}

/// Flags of `revocation end`.
#[derive(Debug, Args)]
pub(crate) struct RevocationEnd {
    /// Why
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub(crate) reason: String,
}

/// Whom a certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// An office.
    Office(OfficeNumber),
    /// A proxy: `P` and 5 digits.
    Proxy(String),
    /// An operator, by name.
    Operator(String),
}

impl std::str::FromStr for Holder {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(number) = text.parse() {
            return Ok(Self::Office(number));
        }
        if let Some(name) = text.strip_prefix("operator:") {
            let name = Some(name).filter(|name| is_operator_name(name));
            return name.map(|name| Self::Operator(name.to_owned())).ok_or("cannot name an operator");
        }
        let digits = text.strip_prefix('P').unwrap_or_default();
        let proxy = digits.len() == 5 && digits.bytes().all(|b| b.is_ascii_digit());
        proxy
            .then(|| Self::Proxy(text.to_owned()))
            .ok_or("expected 10 digits, P and 5 digits, or operator:NAME")
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Office(number) => number.fmt(f),
            Self::Proxy(number) => f.write_str(number),
            Self::Operator(name) => write!(f, "operator:{name}"),
        }
    }
}

/// Kinds of key that `cert issue` makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyType {
    /// RSA of 2048 bits, as billing certificates have today
    Rsa2048,
    /// P-256
    P256,
}

/// Kinds of service of one office, as the directory keeps them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Services(pub(crate) Vec<String>);

/// Reads kinds of service that are separated by spaces; names the first that is none.
pub(crate) fn services(text: &str) -> Result<Services, String> {
    let kinds = text.split(' ').filter(|kind| !kind.is_empty());
    let kinds = kinds.map(|kind| match kind.parse::<ServiceKind>() {
        Ok(kind) => Ok(kind.to_string()),
        Err(error) => Err(format!("{kind:?}: {error}")),
    });
    kinds.collect::<Result<_, _>>().map(Services)
}

/// Longest text that an operator gives a reason in, in characters: it stands in events for ever.
const MAX_REASON: usize = 500;

pub(crate) fn reason(text: &str) -> Result<String, String> {
    let text = one_line(text)?;
    match text.chars().count() {
        0 => Err("say why".to_owned()),
        1..=MAX_REASON => Ok(text),
        _ => Err(format!("longer than {MAX_REASON} characters")),
    }
}

/// Text without line breaks or other control characters, trimmed.
pub(crate) fn one_line(text: &str) -> Result<String, String> {
    if text.chars().any(char::is_control) {
        return Err("must be one line without control characters".to_owned());
    }
    Ok(text.trim().to_owned())
}

/// A name for logs and certificates: what a DNS name or an address is made of.
fn relay_name(text: &str) -> Result<String, String> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b".-:[]".contains(&b);
    if text.is_empty() || text.len() > 200 || !text.bytes().all(fits) {
        return Err("expected a DNS name or an address".to_owned());
    }
    Ok(text.to_owned())
}

pub(crate) fn time_us(text: &str) -> Result<i64, String> {
    let time = text.parse::<jiff::Timestamp>();
    time.map(jiff::Timestamp::as_microsecond).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn certificates_are_for_offices_and_proxies() {
        assert_eq!("1371215102".parse(), Ok(Holder::Office("1371215102".parse().unwrap())));
        assert_eq!("P00004".parse(), Ok(Holder::Proxy("P00004".to_owned())));
        assert_eq!("operator:田中".parse(), Ok(Holder::Operator("田中".to_owned())));
        for wrong in [
            "operator:",
            "operator:a/b",
            "operator:..",
            "",
            "137121510",
            "p00004",
            "P0004",
            "P000004",
            "../../etc/x",
            "P0000a",
        ] {
            assert!(wrong.parse::<Holder>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn texts_that_go_into_events_are_one_line() {
        assert_eq!(reason(" 廃止 "), Ok("廃止".to_owned()));
        for wrong in ["", "  ", "a\nb", "a\u{7}", &"あ".repeat(MAX_REASON + 1)] {
            reason(wrong).unwrap_err();
        }
    }

    #[test]
    fn services_are_separated_by_spaces() {
        assert_eq!(services("11 15 A6").unwrap().0, ["11", "15", "A6"]);
        assert_eq!(services("").unwrap().0, [""; 0]);
        for wrong in ["1", "11,15", "a6", "１１"] {
            services(wrong).unwrap_err();
        }
    }

    #[test]
    fn times_have_an_offset() {
        assert_eq!(time_us("2026-11-21T18:00:00+09:00"), time_us("2026-11-21T09:00:00Z"));
        time_us("2026-11-21T18:00:00").unwrap_err();
        time_us("tomorrow").unwrap_err();
    }
}
