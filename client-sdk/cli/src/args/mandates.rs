//! Flags of `delegate`, `terminal`, `access` and `enrol`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use tasuki_proto::ids::ProxyNumber;
use tasuki_proto::mandate::{Code, Scopes, is_terminal_name};

/// Flags of `delegate`.
#[derive(Debug, Args)]
pub(crate) struct Delegate {
    /// The proxy's number: P and 5 digits
    #[arg(value_name = "PROXY")]
    pub(crate) proxy: ProxyNumber,
    /// What it may do: send, receive, acknowledge, read-status, separated by commas
    #[arg(long, value_name = "SCOPES", requires = "days", conflicts_with = "revoke")]
    pub(crate) scopes: Option<Scopes>,
    /// For how many days from now on
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=1830))]
    pub(crate) days: Option<u32>,
    /// Hold what the proxy sends until this office releases or discards it
    #[arg(long, requires = "scopes", conflicts_with = "revoke")]
    pub(crate) confirm: bool,
    /// End the delegation now
    #[arg(long)]
    pub(crate) revoke: bool,
}

/// Commands of `terminal`.
#[derive(Debug, Subcommand)]
pub(crate) enum TerminalCommand {
    /// Invite a terminal: prints a code that the new terminal uses once
    Invite(TerminalInvite),
    /// List terminals and proxies that may act for this office
    List,
    /// Let a terminal go on whose approval ended with an earlier certificate of this office
    Keep(TerminalKeep),
    /// Let a terminal act no more, at once
    Revoke(TerminalRevoke),
}

/// Flags of `terminal invite`.
#[derive(Debug, Args)]
pub(crate) struct TerminalInvite {
    /// The terminal's name within the office
    #[arg(long, value_name = "NAME", value_parser = terminal_name)]
    pub(crate) name: String,
    /// What it may do: send, receive, acknowledge, read-status, separated by commas
    #[arg(long, value_name = "SCOPES")]
    pub(crate) scopes: Scopes,
}

/// Flags of `terminal keep`.
#[derive(Debug, Args)]
pub(crate) struct TerminalKeep {
    /// The terminal's name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}

/// Flags of `terminal revoke`.
#[derive(Debug, Args)]
pub(crate) struct TerminalRevoke {
    /// The terminal's name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}

/// Flags of `access`.
#[derive(Debug, Args)]
pub(crate) struct Access {
    /// From when: a date and time in Japan, or with its offset
    #[arg(long, value_name = "TIME", value_parser = crate::moment::parse)]
    pub(crate) from: Option<i64>,
    /// Before when
    #[arg(long, value_name = "TIME", value_parser = crate::moment::parse)]
    pub(crate) to: Option<i64>,
}

/// Flags of `enrol`.
#[derive(Debug, Args)]
pub(crate) struct Enrol {
    /// Folder to make
    #[arg(value_name = "HOME")]
    pub(crate) folder: PathBuf,
    /// Address of the relay, https://HOST:PORT
    #[arg(long, value_name = "URL")]
    pub(crate) relay: String,
    /// CA of the relay's TLS certificate (PEM)
    #[arg(long, value_name = "FILE")]
    pub(crate) relay_ca: PathBuf,
    /// The invitation's code
    #[arg(long, value_name = "CODE", value_parser = code)]
    pub(crate) code: CodeArg,
    /// CA of the offices' certificates (PEM); without it those that the relay names
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// HTTP proxy to go through, http://HOST:PORT, or "none"; without it `HTTPS_PROXY` decides
    #[arg(long, value_name = "URL")]
    pub(crate) https_proxy: Option<String>,
}

/// Flags of `proxy`.
#[derive(Debug, Args)]
pub(crate) struct Proxy {
    /// Folder with out/ or out/OFFICE/ (what is to be sent), in/OFFICE/ (what was received), done/ and error/
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Send and receive once, and end
    #[arg(long)]
    pub(crate) once: bool,
    /// Without --once: minutes between two rounds
    #[arg(long, value_name = "MINUTES", default_value_t = 5, conflicts_with = "once",
        value_parser = clap::value_parser!(u32).range(1..=1440))]
    pub(crate) every: u32,
    /// Send also to offices that nothing was ever sent to
    #[arg(long)]
    pub(crate) new_partner: bool,
    /// in/OFFICE/ is the office's own place: sign that what is stored there was handed over to it
    #[arg(long)]
    pub(crate) hand_over: bool,
}

/// A code; it is used once, and of no use to who reads it in a list of processes afterwards.
#[derive(Clone, Debug)]
pub(crate) struct CodeArg(pub(crate) Code);

fn code(text: &str) -> Result<CodeArg, String> {
    text.parse().map(CodeArg).map_err(|error: tasuki_proto::mandate::CodeError| error.to_string())
}

fn terminal_name(text: &str) -> Result<String, String> {
    if is_terminal_name(text) {
        Ok(text.to_owned())
    } else {
        Err("expected one line of 1 to 40 characters".to_owned())
    }
}
