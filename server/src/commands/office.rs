//! `office add|import|list|suspend|resume`: the directory. Who joins and leaves is `joining`'s.

use std::collections::HashMap;
use std::path::Path;

use serde::Serialize;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::accepts::accepted;
use tasuki_proto::reason;
use tasuki_proto::time::format_us;

use super::desk::{self, Desk};
use super::exit::{Exit, Failure};
use super::joining;
use super::lang::Text;
use super::office_columns::Mapping;
use super::office_csv::{self, BadRow, Entry, MAX_FILE_BYTES};
use super::output::Output;
use super::profiles;
use super::progress::Progress;
use crate::cli::{Office, OfficeAdd, OfficeImport};
use crate::committer::change::Change;
use crate::config::Config;
use crate::store::offices::{OfficeRow, OfficeState};

/// Offices in one change: each is an event in its office's feed, and nobody else can commit meanwhile. A
/// thousand take a few tenths of a second.
const CHUNK: usize = 1_000;

/// Offices read at once.
const PAGE: u32 = 500;

/// Largest mapping of columns that is read.
const MAX_MAPPING_BYTES: u64 = 64 * 1024;

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
    municipality: &'a str,
    accepts: &'a [String],
    /// That is its own signed word.
    declared: bool,
    state: &'static str,
    /// When it came into the directory; empty: not known.
    since: String,
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
    /// Of those, new or other than before.
    changed: usize,
    rejected: usize,
    check_digit_warnings: usize,
}

pub(super) async fn run(command: &Office, config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    match command {
        Office::Add(arguments) => add(arguments, config, out).await,
        Office::Import(arguments) => import(arguments, config, out).await,
        Office::List(arguments) => list(&arguments.words.join(" "), config, out).await,
        Office::Suspend(arguments) => {
            set_state(arguments.number, OfficeState::Suspended, &arguments.reason, config, out).await
        }
        Office::Resume(arguments) => {
            set_state(arguments.number, OfficeState::Active, &arguments.reason, config, out).await
        }
        Office::Applications => joining::applications(config, out).await,
        Office::Approve(arguments) => joining::approve(arguments, config, out).await,
        Office::Reject(arguments) => joining::reject(arguments, config, out).await,
        Office::Code(arguments) => joining::make_code(arguments, config, out).await,
        Office::Leave(arguments) => joining::leave(arguments, config, out).await,
        Office::Profiles => profiles::list(config, out).await,
        Office::Profile(arguments) => profiles::decide(arguments, config, out).await,
    }
}

async fn add(arguments: &OfficeAdd, config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    let fault = |fault: office_csv::Fault| Failure::Usage(fault.code(), fault.text());
    let name = office_csv::text(&arguments.name).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| fault(office_csv::Fault::Name))?;
    let kana = office_csv::text(&arguments.kana).ok_or_else(|| fault(office_csv::Fault::Kana))?;
    let municipality = arguments.municipality.as_deref().map(office_csv::text);
    let accepts = arguments.accepts.as_deref().map(accepted);
    let (municipality, accepts) = match (municipality, accepts) {
        (Some(None), _) => return Err(fault(office_csv::Fault::Municipality)),
        (_, Some(None)) => return Err(fault(office_csv::Fault::Accepts)),
        (municipality, accepts) => (municipality.flatten(), accepts.flatten()),
    };
    if !arguments.number.check_digit_ok() {
        warn_check_digit(arguments.number, None, out);
    }
    let desk = Desk::open(config, out).await?;
    let known = desk.store().office(arguments.number).await?;
    let (known_municipality, known_accepts, declared) =
        known.map(|known| (known.municipality, known.accepts, known.declared)).unwrap_or_default();
    // What an office declared itself is not the operator's to change.
    let accepts = accepts.filter(|_| !declared);
    let row = OfficeRow {
        number: arguments.number,
        name,
        kana,
        services: arguments.services.0.clone(),
        standard_ready: !arguments.not_standard_ready,
        municipality: municipality.unwrap_or(known_municipality),
        accepts: accepts.unwrap_or(known_accepts),
        declared,
        state: config.joining.enters_as(),
        since_us: 0,
    };
    let done = desk.submit(Change::PutOffices(vec![row])).await;
    // Changing an entry lifts no suspension.
    let now = desk.store().office(arguments.number).await;
    desk.close().await?;
    let changed = !done?.repeated;
    let state = now?.map_or(config.joining.enters_as(), |office| office.state);
    tell_changed(arguments.number, state, changed, out)
}

async fn import(arguments: &OfficeImport, config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    let mapping = arguments.columns.as_deref().map(read_mapping).transpose()?;
    let read = office_csv::read(&read_file(&arguments.file, MAX_FILE_BYTES)?, mapping.as_ref());
    let offices = match read {
        Ok(offices) => offices,
        Err(fatal) => return Err(reject(std::slice::from_ref(&fatal), out)?),
    };
    if !offices.bad.is_empty() {
        let rejected = reject(&offices.bad, out)?;
        if !arguments.skip_bad {
            return Err(rejected);
        }
    }
    for (line, number) in offices.check_digits.iter().take(MAX_WARNINGS) {
        warn_check_digit(*number, Some(*line), out);
    }
    let desk = Desk::open(config, out).await?;
    let done = put(&desk, &offices.entries, config.joining.enters_as(), out).await;
    desk.close().await?;
    let imported = ImportedObject {
        imported: offices.entries.len(),
        changed: done?,
        rejected: offices.bad.len(),
        check_digit_warnings: offices.check_digits.len(),
    };
    let ImportedObject { imported: count, changed, rejected, .. } = imported;
    let text = Text::new(
        format!("事業所を{count}件取り込みました(新規・変更{changed}件、取り込まなかった行{rejected}行)"),
        format!("{count} offices imported ({changed} new or changed, {rejected} rows left out)"),
    );
    out.result(&imported, &text)?;
    Ok(if rejected == 0 { Exit::Done } else { Exit::Failed })
}

/// Writes what is new or other than before, and counts it.
async fn put(desk: &Desk, entries: &[Entry], enters_as: OfficeState, out: &Output) -> Result<usize, Failure> {
    let label = Text::new("取り込み中", "importing");
    let progress = Progress::new(entries.len() as u64, &label, out);
    let mut written = 0;
    for chunk in entries.chunks(CHUNK) {
        let numbers: Vec<OfficeNumber> = chunk.iter().map(|entry| entry.number).collect();
        let known = desk.store().offices_of(&numbers).await?;
        let known: HashMap<OfficeNumber, OfficeRow> =
            known.into_iter().map(|row| (row.number, row)).collect();
        let mut changed = Vec::new();
        for entry in chunk {
            let known = known.get(&entry.number);
            let row = entry.over(known, enters_as);
            if !known.is_some_and(|known| known.says_the_same(&row)) {
                changed.push(row);
            }
        }
        if !changed.is_empty() {
            written += changed.len();
            desk.submit(Change::PutOffices(changed)).await?;
        }
        progress.advance(chunk.len() as u64);
    }
    Ok(written)
}

fn read_mapping(file: &Path) -> Result<Mapping, Failure> {
    let bytes = read_file(file, MAX_MAPPING_BYTES)?;
    toml::from_slice(&bytes).map_err(|error| {
        let place = file.display();
        Failure::usage(
            "COLUMNS",
            format!("列の対応表を読めません: {place}: {error}"),
            format!("the mapping of columns can't be used: {place}: {error}"),
        )
    })
}

fn read_file(file: &Path, most: u64) -> Result<Vec<u8>, Failure> {
    let size = std::fs::metadata(file).map_err(Failure::file(file))?.len();
    if size > most {
        let kib = most / 1024;
        return Err(Failure::usage(
            "FILE_TOO_LARGE",
            format!("{kib} KiBを超えるファイルは取り込めません"),
            format!("files larger than {kib} KiB are not imported"),
        ));
    }
    std::fs::read(file).map_err(Failure::file(file))
}

/// Tells every bad row. Returns what to fail with where nothing is imported for it.
fn reject(bad: &[BadRow], out: &mut Output) -> Result<Failure, Failure> {
    for BadRow { line, fault } in bad {
        let Text { ja, en } = fault.text();
        let object = BadRowObject { line: *line, reason: fault.code(), message_ja: &ja, message_en: &en };
        let text = Text::new(
            format!("{line}行目: {ja} [{}]", fault.code()),
            format!("line {line}: {en} [{}]", fault.code()),
        );
        out.result(&object, &text)?;
    }
    Ok(Failure::rejected(
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
        municipality: &office.municipality,
        accepts: &office.accepts,
        declared: office.declared,
        state: office.state.as_str(),
        since: if office.since_us == 0 { String::new() } else { format_us(office.since_us) },
    };
    let (state_ja, state_en) = match office.state {
        OfficeState::Active => ("利用中", "active   "),
        OfficeState::Suspended => ("停止中", "suspended"),
        OfficeState::Listed => ("未利用", "listed   "),
        OfficeState::Left | OfficeState::Removed => ("終了  ", "left     "),
    };
    let OfficeRow { name, kana, municipality, .. } = office;
    let rest = format!("{name}  {kana}  [{}]  {municipality}", office.services.join(" "));
    let rest = rest.trim_end();
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
        OfficeState::Listed => ("未利用", "listed"),
        OfficeState::Left | OfficeState::Removed => ("終了", "left"),
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
