//! Flags of the commands that hand a key over to the next one.

use clap::Args;

use crate::cli::one_line;

/// Flags of `log-key roll` and `ca roll`.
#[derive(Debug, Args)]
pub(crate) struct Roll {
    /// The old key may be in other hands: it counts for nothing from now on, and everybody is told as urgent
    #[arg(long, requires = "reason")]
    pub(super) emergency: bool,
    /// Why; it stands in the log
    #[arg(long, value_name = "TEXT", value_parser = one_line, default_value = "scheduled")]
    pub(super) reason: String,
}
