//! `office profiles`, `office profile`: what offices declare to take, and the operator's word about it.

use clap::{ArgGroup, Args};
use serde::Serialize;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::time::format_us;

use super::desk::{self, Desk};
use super::exit::{Exit, Failure};
use super::lang::Text;
use super::output::Output;
use crate::committer::change::{Change, Profiling};
use crate::config::Config;

/// Declarations read at once.
const PAGE: u32 = 500;

/// Flags of `office profile`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("decision").required(true).args(["approve", "reject"]))]
pub(crate) struct Decide {
    /// The office's number
    #[arg(value_name = "NUMBER")]
    number: OfficeNumber,
    /// It takes effect
    #[arg(long)]
    approve: bool,
    /// It does not
    #[arg(long)]
    reject: bool,
}

/// A declaration that waits, as `--json` prints it.
#[derive(Serialize)]
struct ProfileObject<'a> {
    office: &'a str,
    accepts: &'a [String],
    declared: String,
}

/// What was decided, as `--json` prints it.
#[derive(Serialize)]
struct DecidedObject<'a> {
    office: &'a str,
    approved: bool,
}

/// `office profiles`.
pub(super) async fn list(config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    let store = desk::open_to_read(config).await?;
    let mut after = String::new();
    loop {
        let rows = store.profiles(&after, PAGE).await?;
        let Some(last) = rows.last() else { break };
        after = last.office.to_string();
        for row in &rows {
            let declared = format_us(row.made_us);
            let (number, accepts) = (row.office, row.accepts.join(", "));
            let text = Text::new(
                format!("{number}  受け取れるもの: {accepts}  {declared}"),
                format!("{number}  takes: {accepts}  {declared}"),
            );
            out.result(&ProfileObject { office: number.as_str(), accepts: &row.accepts, declared }, &text)?;
        }
    }
    store.close().await;
    Ok(Exit::Done)
}

/// `office profile`.
pub(super) async fn decide(args: &Decide, config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    let (office, approve) = (args.number, args.approve);
    let desk = Desk::open(config, out).await?;
    let done = desk.submit(Change::Profile(Box::new(Profiling::Decide { office, approve }))).await;
    desk.close().await?;
    done?;
    let (ja, en) =
        if approve { ("承認しました", "approved") } else { ("却下しました", "rejected") };
    let text = Text::new(
        format!("事業所{office}の宣言を{ja}"),
        format!("what office {office} declares to take is {en}"),
    );
    out.result(&DecidedObject { office: office.as_str(), approved: approve }, &text)?;
    Ok(Exit::Done)
}
