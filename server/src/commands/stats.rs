//! `stats`: a month in numbers, without content.

mod tally;

use clap::Args;
use serde::Serialize;

use self::tally::{Tally, Use};
use super::csv::Csv;
use super::desk;
use super::exit::{Exit, Failure};
use super::lang::Text;
use super::output::Output;
use crate::config::Config;
use crate::month::Month;
use crate::store::counts::REJECTED;
use crate::store::{Store, StoreError};

/// Flags of `stats`.
#[derive(Debug, Args)]
pub(crate) struct Stats {
    /// Month of acceptance in Japan, such as 202602
    #[arg(long, value_name = "YYYYMM")]
    pub(crate) month: Month,
    /// Print a table as CSV
    #[arg(long)]
    pub(crate) csv: bool,
    /// Also tell which offices are new, silent, or use it more or less than the month before
    #[arg(long)]
    pub(crate) offices: bool,
}

/// Parcels read at once.
const PAGE: u32 = 1_000;

/// An office whose use changed, as `--json` prints it.
#[derive(Serialize)]
struct OfficeObject {
    month: String,
    office: String,
    /// `new`, `silent`, `rising`, `falling`.
    r#use: &'static str,
    /// Parcels sent and received in the month, and in the one before.
    parcels: u64,
    before: u64,
}

pub(super) async fn run(arguments: &Stats, config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    let store = desk::open_to_read(config).await?;
    let tally = count(&store, arguments.month).await;
    store.close().await;
    tell(arguments, &tally?, out)
}

async fn count(store: &Store, month: Month) -> Result<Tally, StoreError> {
    let before = store.last_parcel_before(month.before().begins_us()).await?;
    let first = store.last_parcel_before(month.begins_us()).await?;
    let last = store.last_parcel_before(month.next().begins_us()).await?;
    let mut tally = Tally::default();
    let mut after = before;
    'pages: loop {
        let page = store.parcels_from(after, PAGE).await?;
        for row in &page {
            if row.seq > last {
                break 'pages;
            }
            after = row.seq;
            if row.seq <= first { tally.add_before(row) } else { tally.add(row) }
        }
        if page.len() < PAGE as usize {
            break;
        }
    }
    for office in tally.unknown_before() {
        if store.took_part_until(office, before).await? {
            tally.set_returned(office);
        }
    }
    for count in store.counts_of(month).await?.into_iter().filter(|count| count.name == REJECTED) {
        tally.rejected.insert(count.detail, u64::try_from(count.count).unwrap_or(0));
    }
    Ok(tally)
}

fn tell(arguments: &Stats, tally: &Tally, out: &mut Output) -> Result<Exit, Failure> {
    let month = arguments.month.to_string();
    let mut csv = Csv::new(arguments.csv, &["month", "measure", "detail", "count"], out)?;
    let summary = tally.summary(&month);
    if out.is_json() {
        out.result(&summary, &Text::default())?;
    } else {
        for (measure, words, detail, count) in summary.measures() {
            let text = Text::new(
                format!("{words:<12} {detail:<16} {count}"),
                format!("{measure:<12} {detail:<16} {count}"),
            );
            csv.result(&summary, &[&month, measure, detail, &count.to_string()], &text, out)?;
        }
    }
    if arguments.offices {
        for (office, Use { parcels, before, .. }, trend) in tally.changed() {
            let object = OfficeObject {
                month: month.clone(),
                office: office.to_string(),
                r#use: trend.word(),
                parcels,
                before,
            };
            let text = Text::new(
                format!("{office} {} {before} → {parcels}", trend.word_ja()),
                format!("{office} {} {before} → {parcels}", trend.word()),
            );
            let measure = format!("office.{}", trend.word());
            csv.result(&object, &[&month, &measure, &object.office, &parcels.to_string()], &text, out)?;
        }
    }
    Ok(Exit::Done)
}
