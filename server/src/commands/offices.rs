//! `office add|import|list|suspend|resume`

use serde::Serialize;
use tasuki_careplan::office::OfficeNumber;

use super::offices_csv::{self, Entry};
use super::output::Output;
use super::{CommandError, Desk};
use crate::cli::{OfficeAdd, OfficeCommand};
use crate::committer::change::Change;
use crate::config::Config;
use crate::store::Store;
use crate::store::offices::{OfficeRow, OfficeState};

/// Offices in one change: each is an event in its office's feed, and the head is held meanwhile.
const BATCH: usize = 200;

/// Offices read at once.
const PAGE: u32 = 500;

#[derive(Serialize)]
struct Shown {
    number: String,
    name: String,
    kana: String,
    services: Vec<String>,
    standard_ready: bool,
    state: &'static str,
}

#[derive(Serialize)]
struct Changed<'a> {
    office: &'a str,
    state: &'static str,
    changed: bool,
}

#[derive(Serialize)]
struct Imported {
    rows: usize,
    changed_batches: usize,
}

#[derive(Serialize)]
struct BadRow {
    line: u64,
    problem: String,
}

pub(super) async fn run(
    config: &Config,
    command: &OfficeCommand,
    output: &Output,
) -> Result<(), CommandError> {
    match command {
        OfficeCommand::Add(add) => self::add(config, add, output).await,
        OfficeCommand::Import { file } => {
            let bytes = std::fs::read(file)
                .map_err(|error| CommandError::Usage(format!("{}: {error}", file.display())))?;
            import(config, &bytes, output).await
        }
        OfficeCommand::List => list(config, output).await,
        OfficeCommand::Suspend { number, reason } => {
            set_state(config, number, OfficeState::Suspended, reason, output).await
        }
        OfficeCommand::Resume { number, reason } => {
            set_state(config, number, OfficeState::Active, reason, output).await
        }
    }
}

async fn add(config: &Config, add: &OfficeAdd, output: &Output) -> Result<(), CommandError> {
    let entry = Entry {
        number: &add.number,
        name: &add.name,
        kana: &add.kana,
        services: &add.services,
        standard_ready: if add.not_standard_ready { "no" } else { "yes" },
    };
    let row = entry.check().map_err(|problem| CommandError::Usage(problem.to_string()))?;
    let desk = Desk::open(config).await?;
    let done = desk.submit(Change::PutOffices(vec![row.clone()])).await;
    let row = desk.boot.store.office(row.number).await?.unwrap_or(row);
    desk.close().await?;
    let changed = Changed { office: &add.number, state: row.state.as_str(), changed: !done?.repeated };
    let text = if changed.changed { "written" } else { "unchanged" };
    output.line(&changed, &format!("office {}: {text}", add.number));
    Ok(())
}

async fn import(config: &Config, bytes: &[u8], output: &Output) -> Result<(), CommandError> {
    let rows = match offices_csv::read(bytes) {
        Ok(rows) => rows,
        Err(bad) => {
            for row in &bad {
                let problem = BadRow { line: row.line, problem: row.problem.to_string() };
                output.line(&problem, &format!("line {}: {}", row.line, problem.problem));
            }
            return Err(CommandError::Failed(format!("{} bad rows; nothing was imported", bad.len())));
        }
    };
    let desk = Desk::open(config).await?;
    let mut imported = Imported { rows: rows.len(), changed_batches: 0 };
    for batch in rows.chunks(BATCH) {
        let done = desk.submit(Change::PutOffices(batch.to_vec())).await?;
        imported.changed_batches += usize::from(!done.repeated);
    }
    desk.close().await?;
    let text = if imported.changed_batches == 0 { ", nothing new" } else { "" };
    output.line(&imported, &format!("{} offices imported{text}", imported.rows));
    Ok(())
}

async fn list(config: &Config, output: &Output) -> Result<(), CommandError> {
    let store = Store::open(&config.database.url).await?;
    let mut after = None;
    loop {
        let (offices, next) = store.search_offices("", after, PAGE).await?;
        for office in offices {
            show(office, output);
        }
        after = match next {
            Some(next) => Some(next),
            None => break,
        };
    }
    store.close().await;
    Ok(())
}

fn show(office: OfficeRow, output: &Output) {
    let state = office.state.as_str();
    let text = format!("{}  {state:<9}  {}  [{}]", office.number, office.name, office.services.join(" "));
    let shown = Shown {
        number: office.number.to_string(),
        name: office.name,
        kana: office.kana,
        services: office.services,
        standard_ready: office.standard_ready,
        state,
    };
    output.line(&shown, &text);
}

async fn set_state(
    config: &Config,
    number: &str,
    state: OfficeState,
    reason: &str,
    output: &Output,
) -> Result<(), CommandError> {
    let office: OfficeNumber =
        number.parse().map_err(|_| CommandError::Usage(format!("{number}: not an office number")))?;
    let desk = Desk::open(config).await?;
    let change = Change::SetOfficeState { office, state, reason: reason.to_owned() };
    let done = desk.submit(change).await;
    desk.close().await?;
    let changed = Changed { office: number, state: state.as_str(), changed: !done?.repeated };
    let text = if changed.changed { "now" } else { "already" };
    output.line(&changed, &format!("office {number}: {text} {}", changed.state));
    Ok(())
}
