//! `overdue`: parcels that nobody fetched within the time in which receivers should.

use clap::Args;
use serde::Serialize;
use tasuki_proto::time;

use super::csv::Csv;
use super::desk;
use super::exit::{Exit, Failure};
use super::lang::Text;
use super::output::Output;
use crate::config::Config;
use crate::store::Store;

/// Flags of `overdue`.
#[derive(Debug, Args)]
pub(crate) struct Overdue {
    /// Print a table as CSV
    #[arg(long)]
    pub(crate) csv: bool,
}

/// Parcels read at once.
const PAGE: u32 = 500;

/// A parcel that waits, as `--json` prints it.
#[derive(Serialize)]
struct OverdueObject {
    recipient: String,
    sender: String,
    parcel: String,
    /// When it came into the receiver's mailbox.
    since: String,
    /// When it was called overdue.
    overdue: String,
    urgent: bool,
}

pub(super) async fn run(arguments: &Overdue, config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    let store = desk::open_to_read(config).await?;
    let listed = list(&store, arguments.csv, out).await;
    store.close().await;
    listed
}

async fn list(store: &Store, csv: bool, out: &mut Output) -> Result<Exit, Failure> {
    let columns = ["recipient", "sender", "parcel", "since", "overdue", "urgent"];
    let mut csv = Csv::new(csv, &columns, out)?;
    let mut after = 0;
    loop {
        let page = store.overdue_after(after, PAGE).await?;
        for row in &page {
            after = row.seq;
            let object = OverdueObject {
                recipient: row.recipient.to_string(),
                sender: row.key.sender.to_string(),
                parcel: row.key.id.to_string(),
                since: time::format_us(row.delivered_us()),
                overdue: time::format_us(row.marks.overdue_us),
                urgent: row.marks.urgent,
            };
            let OverdueObject { recipient, sender, parcel, since, overdue, urgent } = &object;
            let urgent = if *urgent { "yes" } else { "no" };
            let fields: [&str; 6] = [recipient, sender, parcel, since, overdue, urgent];
            let text = Text::new(
                format!("{recipient} ← {sender}  {since}から未取得  {parcel}"),
                format!("{recipient} from {sender}  waiting since {since}  {parcel}"),
            );
            csv.result(&object, &fields, &text, out)?;
        }
        if page.len() < PAGE as usize {
            return Ok(Exit::Done);
        }
    }
}
