//! Flags of what is said about a parcel after it was sent.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use tasuki_careplan::month::Month;
use tasuki_careplan::office::OfficeNumber;
use tasuki_sdk::declare::RefusalReason;
use tasuki_sdk::{ParcelName, State};

use super::{Supersedes, parcel};

/// Flags of `send` about to whom, when and in whose place a parcel is delivered.
#[derive(Debug, Default, Args)]
pub(crate) struct Delivery {
    /// Whoever is new among the receivers is meant
    #[arg(long)]
    pub(crate) new_partner: bool,
    /// Hold the parcels at the relay until they are released
    #[arg(long)]
    pub(crate) hold: bool,
    /// Hold the parcels until this time: 2026-02-01T09:00:00+09:00, or "2026-02-01 09:00" in Japan
    #[arg(long, value_name = "TIME", value_parser = crate::moment::parse)]
    pub(crate) release_at: Option<i64>,
    /// The parcel that this one replaces; "auto": the newest of the same kinds and month to the same office
    #[arg(long, value_name = "PARCEL", value_parser = Supersedes::parse)]
    pub(crate) supersedes: Option<Supersedes>,
}

/// Parcels that something is done to.
#[derive(Debug, Args)]
pub(crate) struct Parcels {
    /// Id of the parcel; SENDER/ID where several senders chose the same; repeatable
    #[arg(value_name = "PARCEL", required = true, value_parser = parcel)]
    pub(crate) parcels: Vec<ParcelName>,
}

/// Flags of `recall`.
#[derive(Debug, Args)]
pub(crate) struct Recall {
    /// Id of the parcel; SENDER/ID where several senders chose the same; repeatable
    #[arg(value_name = "PARCEL", required = true, value_parser = parcel)]
    pub(crate) parcels: Vec<ParcelName>,
    /// When it is too late: ask the receiver not to use it
    #[arg(long)]
    pub(crate) ask: bool,
    /// Why, for the receiver, with --ask
    #[arg(long, value_name = "TEXT", requires = "ask")]
    pub(crate) text: Option<String>,
}

/// Flags of `refuse`.
#[derive(Debug, Args)]
pub(crate) struct Refuse {
    /// Id of the parcel; SENDER/ID where several senders chose the same
    #[arg(value_name = "PARCEL", value_parser = parcel)]
    pub(crate) parcel: ParcelName,
    /// Why
    #[arg(long, value_name = "REASON", value_parser = reason_parser())]
    pub(crate) reason: RefusalReason,
    /// In words, for the sender
    #[arg(long, value_name = "TEXT")]
    pub(crate) text: Option<String>,
}

/// Flags of `remark`.
#[derive(Debug, Args)]
pub(crate) struct Remark {
    /// Id of the parcel; SENDER/ID where several senders chose the same
    #[arg(value_name = "PARCEL", value_parser = parcel)]
    pub(crate) parcel: ParcelName,
    /// What to say to the other office
    #[arg(long, value_name = "TEXT")]
    pub(crate) text: String,
    /// Mark the parcel as urgent: you telephoned as well
    #[arg(long)]
    pub(crate) urgent: bool,
}

/// Flags of `request`.
#[derive(Debug, Args)]
pub(crate) struct Request {
    /// Number of the office to ask
    #[arg(value_name = "OFFICE")]
    pub(crate) office: OfficeNumber,
    /// What for: burden-ratio, insurance, …, or other
    #[arg(long, value_name = "DOCUMENT")]
    pub(crate) document: String,
    /// More of it in words
    #[arg(long, value_name = "TEXT")]
    pub(crate) text: Option<String>,
}

/// Flags of `resend`.
#[derive(Debug, Args)]
pub(crate) struct Resend {
    /// Id of the parcel to send again, from the archive, as a new one; repeatable
    #[arg(value_name = "PARCEL", required_unless_present = "lost", value_parser = parcel)]
    pub(crate) parcels: Vec<ParcelName>,
    /// Everything that was refused because the receiver's key is lost, and whose receiver has a new one
    #[arg(long, visible_alias = "all-key-lost", conflicts_with = "parcels")]
    pub(crate) lost: bool,
}

/// How lists are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Sort {
    /// By time.
    #[default]
    Time,
    /// By the other office's number.
    Number,
    /// By the other office's name.
    Name,
}

/// Flags that `inbox` and `sent` share.
#[derive(Debug, Default, Args)]
pub(crate) struct Filters {
    /// Only to or from this office
    #[arg(long, value_name = "OFFICE")]
    pub(crate) partner: Option<OfficeNumber>,
    /// Only with a file of this service month, YYYYMM
    #[arg(long, value_name = "YYYYMM")]
    pub(crate) month: Option<Month>,
    /// Only with a file of this kind: its prefix (UPPLAN), or ATTACHMENT
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// Only in this state; repeatable
    #[arg(long, value_name = "STATE", value_parser = state_parser())]
    pub(crate) state: Vec<State>,
    /// Only what its receiver has not fetched yet
    #[arg(long, conflicts_with = "state")]
    pub(crate) unread: bool,
    /// Only what is overdue
    #[arg(long)]
    pub(crate) overdue: bool,
    /// Only what a newer version supersedes
    #[arg(long)]
    pub(crate) superseded: bool,
    /// Order of the list
    #[arg(long, value_name = "ORDER", value_enum, default_value_t)]
    pub(crate) sort: Sort,
    /// Lines of one page; without it everything
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) page_size: Option<u32>,
    /// Which page, from 1
    #[arg(long, value_name = "N", requires = "page_size", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) page: u32,
}

/// Flags of `inbox`.
#[derive(Debug, Default, Args)]
pub(crate) struct Inbox {
    #[command(flatten)]
    pub(crate) filters: Filters,
    /// Everything that was received, superseded versions too
    #[arg(long)]
    pub(crate) all: bool,
}

/// Flags of `sent`.
#[derive(Debug, Default, Args)]
pub(crate) struct Sent {
    #[command(flatten)]
    pub(crate) filters: Filters,
    /// Send again first what was refused because the receiver's key is lost
    #[arg(long)]
    pub(crate) auto_resend: bool,
}

/// Flags of `receive` that choose.
#[derive(Debug, Default, Args)]
pub(crate) struct Choice {
    /// Only from this office
    #[arg(long, value_name = "OFFICE")]
    pub(crate) from: Option<OfficeNumber>,
    /// Only with a file of this service month, YYYYMM
    #[arg(long, value_name = "YYYYMM")]
    pub(crate) month: Option<Month>,
    /// Superseded versions too
    #[arg(long)]
    pub(crate) all: bool,
    /// Also put everything that was received into one ZIP file
    #[arg(long, value_name = "FILE")]
    pub(crate) zip: Option<PathBuf>,
}

fn reason_parser() -> impl TypedValueParser<Value = RefusalReason> {
    PossibleValuesParser::new(RefusalReason::ALL.map(RefusalReason::as_str))
        .try_map(|word| word.parse::<RefusalReason>().map_err(|()| "unknown reason"))
}

fn state_parser() -> impl TypedValueParser<Value = State> {
    PossibleValuesParser::new(State::ALL.map(State::as_str)).try_map(|word| word.parse::<State>())
}
