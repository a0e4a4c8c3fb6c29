//! Flags of the commands that work on files alone, without a HOME and without the relay.

use std::path::PathBuf;

use clap::Args;

/// Flags of `check`.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Files, folders, or ZIP files
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,
}

/// Flags of `view`.
#[derive(Debug, Args)]
pub(crate) struct View {
    /// A CSV file of the standard
    #[arg(value_name = "FILE.CSV")]
    pub(crate) file: PathBuf,
    /// Show names, numbers and free text too
    #[arg(long)]
    pub(crate) reveal: bool,
}

/// Flags of `split`.
#[derive(Debug, Args)]
pub(crate) struct Split {
    /// Files, folders, ZIP files, or files in the one-file form (`CAREPLAN_…`)
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// Folder to write into, as `DIR/SERIAL_SENDER_RECIPIENT/<files>`
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Take users without a service at the receiving office (MISDIRECTED) out of slips, which get a new serial
    #[arg(long)]
    pub(crate) drop_misdirected: bool,
}

/// Flags of `join`.
#[derive(Debug, Args)]
pub(crate) struct Join {
    /// Files, folders, ZIP files, or files in the one-file form (`CAREPLAN_…`); without any, this office applies to join
    #[arg(value_name = "PATH", requires = "out")]
    pub(crate) paths: Vec<PathBuf>,
    /// Folder to write into
    #[arg(long, value_name = "DIR", requires = "paths")]
    pub(crate) out: Option<PathBuf>,
    /// One file for each sender and serial in the one-file form (`CAREPLAN_…`), instead of one for each kind
    #[arg(long, requires = "paths")]
    pub(crate) one_file: bool,
    /// Apply under this name, for an operator whose list does not have this office
    #[arg(long, conflicts_with_all = ["paths", "code", "status"])]
    pub(crate) name: Option<String>,
    /// Confirm the application with the code that came by post or telephone
    #[arg(long, value_name = "CODE", conflicts_with_all = ["paths", "status"])]
    pub(crate) code: Option<String>,
    /// Say how this office stands, and apply for nothing
    #[arg(long, conflicts_with = "paths")]
    pub(crate) status: bool,
}
