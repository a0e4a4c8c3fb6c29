//! Flags of `progress`.

use clap::{Args, Subcommand, ValueEnum};
use tasuki_careplan::month::Month;
use tasuki_careplan::office::OfficeNumber;
use tasuki_sdk::month_progress::Way;

/// Flags of `progress`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Progress {
    /// Service month, YYYYMM
    #[arg(value_name = "YYYYMM")]
    pub(crate) month: Option<Month>,
    #[command(subcommand)]
    pub(crate) command: Option<ProgressCommand>,
}

/// What can be done about the progress of a month.
#[derive(Debug, Subcommand)]
pub(crate) enum ProgressCommand {
    /// Mark that an office's results of a month came another way
    Mark(Mark),
}

/// Flags of `progress mark`.
#[derive(Debug, Args)]
pub(crate) struct Mark {
    /// Number of the office
    #[arg(value_name = "OFFICE")]
    pub(crate) office: OfficeNumber,
    /// Service month, YYYYMM
    #[arg(value_name = "YYYYMM")]
    pub(crate) month: Month,
    /// How they came
    #[arg(long, value_name = "WAY", value_enum, required_unless_present = "clear", conflicts_with = "clear")]
    pub(crate) received: Option<Received>,
    /// Take the mark away
    #[arg(long)]
    pub(crate) clear: bool,
}

/// How results came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Received {
    /// By fax.
    Fax,
    /// By e-mail.
    Mail,
    /// By post.
    Post,
}

impl From<Received> for Way {
    fn from(received: Received) -> Self {
        match received {
            Received::Fax => Self::Fax,
            Received::Mail => Self::Mail,
            Received::Post => Self::Post,
        }
    }
}
