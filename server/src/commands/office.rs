//! `office add|import|list|suspend|resume`: the directory.

use std::path::Path;

use serde::Serialize;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::reason;

use super::desk::{self, Desk};
use super::exit::{Exit, Failure};
use super::lang::Text;
use super::office_csv::{self, BadRow, Offices};
use super::output::Output;
use super::progress::Progress;
use crate::cli::{Office, OfficeAdd};
use crate::committer::change::Change;
use crate::config::Config;
use crate::store::offices::{OfficeRow, OfficeState};

/// Offices in one change: each is an event in its office's feed, and nobody else can commit meanwhile. A
/// thousand take a few tenths of a second.
const CHUNK: usize = 1_000;

/// Offices read at once.
const PAGE: u32 = 500;

/// Largest file that `office import` reads: ten times all offices of the country.
const MAX_FILE_BYTES: u64 = 256 * 1024 * 1024;

/// Wrong check digits that are told one by one.
const MAX_WARNINGS: usize = 20;

/// An office, as `--json` prints it.
#[derive(Serialize)]
struct OfficeObject<'a> {
    office: &'a str,
    name: &'a str,
    kana: &'a str,
    services: &'a [String],
    standard_ready: bool,
    state: &'static str,
}

/// What became of an office, as `--json` prints it.
#[derive(Serialize)]
struct ChangedObject<'a> {
    office: &'a str,
    state: &'static str,
    /// False: it was so already.
    changed: bool,
}

/// A bad row, as `--json` prints it.
#[derive(Serialize)]
struct BadRowObject<'a> {
    line: u64,
    reason: &'static str,
    message_ja: &'a str,
    message_en: &'a str,
}

/// What an import did, as `--json` prints it.
#[derive(Serialize)]
struct ImportedObject {
    imported: usize,
    rejected: usize,
    check_digit_warnings: usize,
}

pub(super) async fn run(command: &Office, config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    match command {
        Office::Add(arguments) => add(arguments, config, out).await,
        Office::Import(arguments) => import(&arguments.file, config, out).await,
        Office::List(arguments) => list(&arguments.words.join(" "), config, out).await,
        Office::Suspend(arguments) => {
            set_state(arguments.number, OfficeState::Suspended, &arguments.reason, config, out).await
        }
        Office::Resume(arguments) => {
            set_state(arguments.number, OfficeState::Active, &arguments.reason, config, out).await
        }
    }
}

async fn add(arguments: &OfficeAdd, config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    let fault = |fault: office_csv::Fault| Failure::Usage(fault.code(), fault.text());
    let name = office_csv::text(&arguments.name).filter(|name| !name.is_empty());
    let row = OfficeRow {
        number: arguments.number,
        name: name.ok_or_else(|| fault(office_csv::Fault::Name))?,
        kana: office_csv::text(&arguments.kana).ok_or_else(|| fault(office_csv::Fault::Kana))?,
        services: arguments.services.0.clone(),
        standard_ready: !arguments.not_standard_ready,
        state: OfficeState::Active,
    };
    if !row.number.check_digit_ok() {
        warn_check_digit(row.number, None, out);
    }
    let desk = Desk::open(config, out).await?;
    let done = desk.submit(Change::PutOffices(vec![row])).await;
    // Changing an entry lifts no suspension.
    let now = desk.store().office(arguments.number).await;
    desk.close().await?;
    let changed = !done?.repeated;
    let state = now?.map_or(OfficeState::Active, |office| office.state);
    tell_changed(arguments.number, state, changed, out)
}

async fn import(file: &Path, config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    let offices = match office_csv::read(&read_file(file)?) {
        Ok(offices) => offices,
        Err(bad) => return reject(&bad, out),
    };
    for (line, number) in offices.check_digits.iter().take(MAX_WARNINGS) {
        warn_check_digit(*number, Some(*line), out);
    }
    let desk = Desk::open(config, out).await?;
    let done = put(&desk, &offices, out).await;
    desk.close().await?;
    done?;
    let imported = ImportedObject {
        imported: offices.rows.len(),
        rejected: 0,
        check_digit_warnings: offices.check_digits.len(),
    };
    let text = Text::new(
        format!("事業所を{}件取り込みました", imported.imported),
        format!("{} offices imported", imported.imported),
    );
    out.result(&imported, &text)?;
    Ok(Exit::Done)
}

async fn put(desk: &Desk, offices: &Offices, out: &Output) -> Result<(), Failure> {
    let label = Text::new("取り込み中", "importing");
    let progress = Progress::new(offices.rows.len() as u64, &label, out);
    for chunk in offices.rows.chunks(CHUNK) {
        desk.submit(Change::PutOffices(chunk.to_vec())).await?;
        progress.advance(chunk.len() as u64);
    }
    Ok(())
}

fn read_file(file: &Path) -> Result<Vec<u8>, Failure> {
    let size = std::fs::metadata(file).map_err(Failure::file(file))?.len();
    if size > MAX_FILE_BYTES {
        return Err(Failure::usage(
            "FILE_TOO_LARGE",
            "256 MiBを超えるファイルは取り込めません",
            "files larger than 256 MiB are not imported",
        ));
    }
    std::fs::read(file).map_err(Failure::file(file))
}

/// Tells every bad row. Nothing is imported.
fn reject(bad: &[BadRow], out: &mut Output) -> Result<Exit, Failure> {
    for BadRow { line, fault } in bad {
        let Text { ja, en } = fault.text();
        let object = BadRowObject { line: *line, reason: fault.code(), message_ja: &ja, message_en: &en };
        let text = Text::new(
            format!("{line}行目: {ja} [{}]", fault.code()),
            format!("line {line}: {en} [{}]", fault.code()),
        );
        out.result(&object, &text)?;
    }
    Err(Failure::rejected(
        "ROWS_REJECTED",
        format!("{}行に誤りがあるため、何も取り込みませんでした", bad.len()),
        format!("{} bad rows; nothing was imported", bad.len()),
    ))
}

fn warn_check_digit(number: OfficeNumber, line: Option<u64>, out: &mut Output) {
    let (ja, en) = line.map_or_else(Default::default, |n| (format!("{n}行目: "), format!("line {n}: ")));
    let text = Text::new(
        format!("{ja}{number}の検査数字が合いません。番号を確認してください"),
        format!("{en}the check digit of {number} is wrong; check the number"),
    );
    out.warn("CHECK_DIGIT", &text);
}

async fn list(words: &str, config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    let store = desk::open_to_read(config).await?;
    let mut after = None;
    loop {
        let (offices, next) = store.search_offices(words, after, PAGE).await?;
        for office in &offices {
            show(office, out)?;
        }
        after = next;
        if after.is_none() {
            break;
        }
    }
    store.close().await;
    Ok(Exit::Done)
}

fn show(office: &OfficeRow, out: &mut Output) -> Result<(), Failure> {
    let object = OfficeObject {
        office: office.number.as_str(),
        name: &office.name,
        kana: &office.kana,
        services: &office.services,
        standard_ready: office.standard_ready,
        state: office.state.as_str(),
    };
    let (state_ja, state_en) = match office.state {
        OfficeState::Active => ("利用中", "active   "),
        OfficeState::Suspended => ("停止中", "suspended"),
    };
    let rest = format!("{}  {}  [{}]", office.name, office.kana, office.services.join(" "));
    let number = office.number;
    let text = Text::new(format!("{number}  {state_ja}  {rest}"), format!("{number}  {state_en}  {rest}"));
    Ok(out.result(&object, &text)?)
}

async fn set_state(
    office: OfficeNumber,
    state: OfficeState,
    reason: &str,
    config: &Config,
    out: &mut Output,
) -> Result<Exit, Failure> {
    let desk = Desk::open(config, out).await?;
    let done = desk.submit(Change::SetOfficeState { office, state, reason: reason.to_owned() }).await;
    desk.close().await?;
    tell_changed(office, state, !done?.repeated, out)
}

fn tell_changed(
    number: OfficeNumber,
    state: OfficeState,
    changed: bool,
    out: &mut Output,
) -> Result<Exit, Failure> {
    let object = ChangedObject { office: number.as_str(), state: state.as_str(), changed };
    let (state_ja, state_en) = match state {
        OfficeState::Active => ("利用中", "active"),
        OfficeState::Suspended => ("停止中", "suspended"),
    };
    let (changed_ja, changed_en) =
        if changed { ("変更しました", "changed") } else { ("変更なし", "unchanged") };
    let text = Text::new(
        format!("事業所{number}: {state_ja}({changed_ja})"),
        format!("office {number}: {state_en} ({changed_en})"),
    );
    out.result(&object, &text)?;
    Ok(Exit::Done)
}

/// An office that must be in the directory.
pub(super) async fn must_be_known(desk: &Desk, number: OfficeNumber) -> Result<OfficeRow, Failure> {
    desk.store().office(number).await?.ok_or_else(|| {
        let explained = reason::explain(reason::OFFICE_NOT_FOUND);
        Failure::rejected(explained.code, explained.ja, explained.en)
    })
}
