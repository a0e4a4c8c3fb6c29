//! `tasuki export`: everything of the own office, to take along.

use serde::Serialize;
use tasuki_careplan::month::Month;
use tasuki_sdk::receive::ReceiveReport;
use tasuki_sdk::{ExportOptions, Exported};

use crate::args::Export;
use crate::exit::{Exit, Failure};
use crate::lang::Text;
use crate::output::Output;
use crate::progress::Bar;
use crate::table::shown;

use super::Session;

/// One month's proof.
#[derive(Serialize)]
struct MonthObject {
    month: Month,
    /// The ZIP file.
    file: String,
    parcels: usize,
    /// Events that are proven.
    events: usize,
}

/// The whole; the last object.
#[derive(Serialize)]
struct ExportObject {
    dir: String,
    /// Parcels in sent.csv.
    sent: usize,
    /// Parcels in received.csv.
    received: usize,
    months: usize,
    /// Parcels that waited and are in `received/` now; null: that was not asked for.
    fetched: Option<usize>,
}

/// `tasuki export DIR`.
pub(super) fn export(args: &Export, session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    let bar = Bar::new(out.lang());
    let options = ExportOptions { receive: args.receive };
    let exported = session.run(session.client.export(&args.folder, options, &bar));
    bar.clear();
    let exported = exported?;
    print(&exported, out)?;
    Ok(exported.waiting.and_then(|report| report.worst()).into())
}

fn print(exported: &Exported, out: &mut Output) -> Result<(), Failure> {
    let Exported { folder, sent, received, months, waiting } = exported;
    let dir = folder.display().to_string();
    let stored = |report: &ReceiveReport| {
        report.parcels.iter().filter(|parcel| parcel.outcome.stored().is_some()).count()
    };
    let fetched = waiting.as_ref().map(stored);
    if out.is_json() {
        for saved in months {
            let file = saved.path.display().to_string();
            let (month, parcels, events) = (saved.month, saved.parcels, saved.events);
            out.object(&MonthObject { month, file, parcels, events })?;
        }
        let (sent, received, months) = (*sent, *received, months.len());
        out.object(&ExportObject { dir, sent, received, months, fetched })?;
        return Ok(());
    }
    let (dir, count) = (shown(&dir), months.len());
    out.say(
        &format!("{dir} に保存しました（送信{sent}件、受信{received}件、{count}か月分の送達証明）。README.txt をお読みください。"),
        &format!("Saved in {dir} ({sent} sent, {received} received, proofs of {count} months); see README.txt there."),
    )?;
    if let Some(fetched) = fetched {
        let text = Text::new(
            format!("受信待ちだった{fetched}件を {dir}/received に受信しました。"),
            format!("What waited is in {dir}/received ({fetched} parcels)."),
        );
        out.line(text.of(out.lang()))?;
    }
    Ok(())
}
