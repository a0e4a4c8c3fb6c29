//! Flags of what a sender looks at when something did not arrive.

use clap::Args;
use tasuki_careplan::month::Month;
use tasuki_careplan::office::OfficeNumber;

/// Flags of `refused`.
#[derive(Debug, Default, Args)]
pub(crate) struct Refused {
    /// Only what was for this office
    #[arg(long, value_name = "OFFICE")]
    pub(crate) partner: Option<OfficeNumber>,
}

/// Flags of `overdue`.
#[derive(Debug, Default, Args)]
pub(crate) struct Overdue {
    /// What was not fetched by the end of the N-th working day in Japan; without it `overdue_after_days` of the HOME, or what
    /// the relay called overdue
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=i64::from(tasuki_sdk::MAX_WORKING_DAYS)))]
    pub(crate) after_days: Option<u32>,
    /// Only to this office
    #[arg(long, value_name = "OFFICE")]
    pub(crate) partner: Option<OfficeNumber>,
    /// Only with a file of this service month, YYYYMM
    #[arg(long, value_name = "YYYYMM")]
    pub(crate) month: Option<Month>,
}
