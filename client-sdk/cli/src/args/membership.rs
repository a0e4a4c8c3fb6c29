//! Flags of `leave`.

use clap::Args;

/// Flags of `leave`.
#[derive(Debug, Args)]
pub(crate) struct Leave {
    /// Have the relay erase what it keeps of this office, as far as it is nobody else's evidence; waits for its statement of that
    #[arg(long)]
    pub(crate) erase: bool,
    /// Leave without being asked; needed where no terminal is there to ask
    #[arg(long)]
    pub(crate) yes: bool,
}
