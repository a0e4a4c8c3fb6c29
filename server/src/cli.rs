//! The command line: names, flags and their explanations. Fixed: scripts rely on them.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::trial_ca::Reason;

/// Tasuki's relay: takes parcels in, seals them, keeps them until they are fetched, and proves every step.
#[derive(Debug, Parser)]
#[command(name = "tasuki-relay", version, about, max_term_width = 100)]
pub struct Cli {
    /// The relay's configuration.
    #[arg(long, global = true, value_name = "FILE", default_value = "relay.toml")]
    pub config: PathBuf,
    /// Print one JSON object a line instead of text.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a relay: configuration, trial CA, server certificate, log key, empty database.
    Init(Init),
    /// Serve until SIGTERM or SIGINT.
    Serve,
    /// The directory of offices.
    Office {
        /// What to do with it.
        #[command(subcommand)]
        command: OfficeCommand,
    },
    /// Certificates of the relay's trial CA.
    Cert {
        /// What to do with them.
        #[command(subcommand)]
        command: CertCommand,
    },
    /// The log of events.
    Log {
        /// What to do with it.
        #[command(subcommand)]
        command: LogCommand,
    },
    /// Look over configuration, files, database, clock, revocation lists and certificates.
    Doctor,
    /// How revocation is decided.
    Revocation {
        /// What to change.
        #[command(subcommand)]
        command: RevocationCommand,
    },
}

/// `init`
#[derive(Debug, Args)]
pub struct Init {
    /// Folder for the relay; must not exist, or be empty.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Address and port for offices; port 0 takes any free one at each start.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8443")]
    pub listen: SocketAddr,
}

/// `office …`
#[derive(Debug, Subcommand)]
pub enum OfficeCommand {
    /// Add an office, or change its entry.
    Add(OfficeAdd),
    /// Add or change many: CSV with the header number,name,kana,services,standard_ready.
    Import {
        /// UTF-8, with or without BOM; several services are separated by spaces.
        #[arg(value_name = "FILE.csv")]
        file: PathBuf,
    },
    /// List all offices.
    List,
    /// Let an office neither send nor receive.
    Suspend {
        /// Its number.
        number: String,
        /// Why; the office sees it in its feed.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Let a suspended office in again.
    Resume {
        /// Its number.
        number: String,
        /// Why; the office sees it in its feed.
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
    },
}

/// `office add`
#[derive(Debug, Args)]
pub struct OfficeAdd {
    /// 10 digits.
    pub number: String,
    /// Its name.
    #[arg(long)]
    pub name: String,
    /// The name's reading in katakana.
    #[arg(long, default_value = "")]
    pub kana: String,
    /// Service kinds of two characters, separated by spaces, for example "11 15".
    #[arg(long, default_value = "")]
    pub services: String,
    /// Its software does not read the standard's files.
    #[arg(long)]
    pub not_standard_ready: bool,
}

/// `cert …`
#[derive(Debug, Subcommand)]
pub enum CertCommand {
    /// Issue a certificate: NUMBER.p12 with NUMBER.pass, NUMBER.pem, NUMBER.key.
    Issue {
        /// An office of the directory (10 digits), or a proxy (P and 5 digits).
        #[arg(value_name = "NUMBER")]
        number: String,
        /// Folder for the files; made if it is not there.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Revoke a certificate of the trial CA, and write a new revocation list.
    Revoke {
        /// The certificate's file (PEM), or its SHA-256 fingerprint in hexadecimal.
        #[arg(value_name = "FILE.pem|FINGERPRINT")]
        certificate: String,
        /// Why; it stands in the list and in the log.
        #[arg(long, value_enum, default_value_t)]
        reason: Reason,
    },
}

/// `log …`
#[derive(Debug, Subcommand)]
pub enum LogCommand {
    /// Recompute the tree from its leaves, and compare it with tiles, checkpoints, head and witness.
    Verify,
}

/// `revocation …`
#[derive(Debug, Subcommand)]
pub enum RevocationCommand {
    /// Let certificates pass although their revocation list is stale, for at most seven days. An event in the
    /// log says so.
    Override {
        /// Until when, RFC 3339.
        #[arg(long, value_name = "TIME")]
        until: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_fixed_commands_parse() {
        for line in [
            "init DIR --listen 127.0.0.1:8443",
            "--config DIR/relay.toml serve",
            "--config c office add 1371215102 --name N --kana K --services 43 --not-standard-ready",
            "--config c office import offices.csv",
            "--config c office list --json",
            "--config c office suspend 1371215102 --reason r",
            "--config c office resume 1371215102",
            "--config c cert issue 1371215102 --out DIR",
            "--config c cert revoke FILE.pem",
            "--config c cert revoke FILE.pem --reason key-compromise",
            "--config c log verify --json",
            "--config c doctor",
            "--config c revocation override --until 2026-11-22T00:00:00Z --reason r",
        ] {
            let words = std::iter::once("tasuki-relay").chain(line.split(' '));
            Cli::try_parse_from(words).unwrap_or_else(|e| panic!("{line}: {e}"));
        }
    }
}
