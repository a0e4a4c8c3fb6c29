//! Flags of `leave`, `profile` and `partner`.

use clap::{Args, Subcommand};
use tasuki_careplan::office::OfficeNumber;

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

/// Flags of `profile`.
#[derive(Debug, Args)]
pub(crate) struct Profile {
    /// Declare that this office takes these, and nothing else: csv-4.1,csv-3.2,pdf; without it, show what is known
    #[arg(long, value_name = "LIST")]
    pub(crate) accepts: Option<String>,
}

/// Commands of `partner`.
#[derive(Debug, Subcommand)]
pub(crate) enum PartnerCommand {
    /// Invite an office to be a partner
    Invite(PartnerOffice),
    /// Accept an office's invitation
    Accept(PartnerOffice),
    /// End a partnership, decline an invitation, or take one back
    End(PartnerOffice),
    /// List partners and open invitations
    List,
}

/// The other office.
#[derive(Debug, Args)]
pub(crate) struct PartnerOffice {
    /// The other office's number
    #[arg(value_name = "OFFICE")]
    pub(crate) office: OfficeNumber,
}
