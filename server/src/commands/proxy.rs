//! `proxy add|list|suspend|resume|assign|unassign`: transmission proxies (伝送代行業者), and for whom they act where no office can sign.

use clap::{Args, Subcommand};
use serde::Serialize;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::canonical::hex;
use tasuki_proto::event::sha256;
use tasuki_proto::ids::ProxyNumber;
use tasuki_proto::mandate::{Delegate, Scopes};
use tasuki_proto::statement::Statement;
use tasuki_proto::{limits, reason, time};

use super::desk::{self, Desk};
use super::exit::{Exit, Failure};
use super::lang::Text;
use super::office;
use super::output::Output;
use crate::cli::one_line;
use crate::committer::change::{Change, Mandating};
use crate::config::Config;
use crate::store::mandates::{Holder, MandateRow};
use crate::store::proxies::{ProxyRow, ProxyState};

const DAY_US: i64 = 86_400 * 1_000_000;

/// Who ends or gives a mandate here, as events name it.
const OPERATOR: &str = "operator";

/// Longest name of a proxy, in characters.
const MAX_NAME: usize = 100;

/// Commands of `proxy`.
#[derive(Debug, Subcommand)]
pub(crate) enum Proxy {
    /// Add a proxy, or change its name
    Add(Add),
    /// List proxies
    List,
    /// Let a proxy act for nobody; takes effect within a second
    Suspend(Which),
    /// Let a suspended proxy act again
    Resume(Which),
    /// Register that a proxy acts for an office that has no certificate, or has lost it (事務代行)
    Assign(Assign),
    /// End a proxy's mandate of an office, whoever gave it
    Unassign(Unassign),
}

/// Flags of `proxy add`.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The proxy's number: P and 5 digits
    #[arg(value_name = "PROXY")]
    number: ProxyNumber,
    /// Its name
    #[arg(long, value_parser = name)]
    name: String,
}

/// A proxy.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The proxy's number
    #[arg(value_name = "PROXY")]
    number: ProxyNumber,
}

/// Flags of `proxy assign`.
#[derive(Debug, Args)]
pub(crate) struct Assign {
    /// The office's number
    #[arg(value_name = "OFFICE")]
    office: OfficeNumber,
    /// The proxy's number
    #[arg(value_name = "PROXY")]
    proxy: ProxyNumber,
    /// What it may do: send, receive, acknowledge, read-status, separated by commas
    #[arg(long)]
    scopes: Scopes,
    /// For how many days
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..=limits::MAX_MANDATE_DAYS))]
    days: i64,
}

/// Flags of `proxy unassign`.
#[derive(Debug, Args)]
pub(crate) struct Unassign {
    /// The office's number
    #[arg(value_name = "OFFICE")]
    office: OfficeNumber,
    /// The proxy's number
    #[arg(value_name = "PROXY")]
    proxy: ProxyNumber,
}

/// A proxy, as `--json` prints it.
#[derive(Serialize)]
struct ProxyObject<'a> {
    proxy: &'a str,
    name: &'a str,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<bool>,
}

/// A mandate, as `--json` prints it.
#[derive(Serialize)]
struct MandateObject<'a> {
    office: &'a str,
    proxy: &'a str,
    scopes: String,
    until: String,
    mandate: String,
    changed: bool,
    /// It was not done: under this id it waits for a second operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    approval: Option<String>,
}

pub(super) async fn run(command: &Proxy, config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    if let Proxy::List = command {
        return list(config, out).await;
    }
    let desk = Desk::open(config, out).await?;
    let done = match command {
        Proxy::Add(arguments) => add(&desk, arguments, out).await,
        Proxy::List => Ok(()),
        Proxy::Suspend(which) => set_state(&desk, which.number, ProxyState::Suspended, out).await,
        Proxy::Resume(which) => set_state(&desk, which.number, ProxyState::Active, out).await,
        Proxy::Assign(arguments) => assign(&desk, arguments, out).await,
        Proxy::Unassign(arguments) => unassign(&desk, arguments, out).await,
    };
    desk.close().await?;
    done.map(|()| Exit::Done)
}

async fn list(config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    let store = desk::open_to_read(config).await?;
    for row in store.proxies().await? {
        show(&row, None, out)?;
    }
    store.close().await;
    Ok(Exit::Done)
}

async fn add(desk: &Desk, arguments: &Add, out: &mut Output) -> Result<(), Failure> {
    // Changing a name lifts no suspension.
    let state = desk.store().proxy(arguments.number).await?.map_or(ProxyState::Active, |row| row.state);
    put(desk, ProxyRow { number: arguments.number, name: arguments.name.clone(), state }, out).await
}

async fn set_state(
    desk: &Desk,
    number: ProxyNumber,
    state: ProxyState,
    out: &mut Output,
) -> Result<(), Failure> {
    let row = desk.store().proxy(number).await?.ok_or_else(|| rejected(reason::PROXY_UNKNOWN))?;
    put(desk, ProxyRow { state, ..row }, out).await
}

async fn put(desk: &Desk, row: ProxyRow, out: &mut Output) -> Result<(), Failure> {
    let done = desk.submit(Change::Mandate(Box::new(Mandating::PutProxy(row.clone())))).await?;
    show(&row, Some(!done.repeated), out)
}

fn show(row: &ProxyRow, changed: Option<bool>, out: &mut Output) -> Result<(), Failure> {
    let (state_ja, state_en) = match row.state {
        ProxyState::Active => ("利用中", "active"),
        ProxyState::Suspended => ("停止中", "suspended"),
    };
    let object =
        ProxyObject { proxy: row.number.as_str(), name: &row.name, state: row.state.as_str(), changed };
    let text = Text::new(
        format!("{}  {state_ja}  {}", row.number, row.name),
        format!("{}  {state_en}  {}", row.number, row.name),
    );
    Ok(out.result(&object, &text)?)
}

async fn assign(desk: &Desk, arguments: &Assign, out: &mut Output) -> Result<(), Failure> {
    office::must_be_known(desk, arguments.office).await?;
    let now_us = desk.now_us();
    let until_us = now_us.saturating_add(arguments.days * DAY_US);
    let said = Delegate {
        office: arguments.office,
        proxy: arguments.proxy,
        scopes: arguments.scopes,
        from_us: now_us,
        until_us,
        confirm: false,
        time_us: now_us,
    };
    let digest = sha256(Statement::Delegate(said).print().as_bytes());
    let row = MandateRow {
        from_us: now_us,
        until_us,
        ..MandateRow::new(arguments.office, Holder::Proxy(arguments.proxy), arguments.scopes, digest)
    };
    let change = Mandating::Give { row: row.clone(), by: OPERATOR.to_owned(), paper: None };
    let done = desk.submit(Change::Mandate(Box::new(change))).await?;
    let waits = done.waits();
    if let Some(id) = &waits {
        let text = Text::new(
            format!("まだ行っていません。別の運用担当者の承認が必要です: approvals approve {id}"),
            format!("not done yet: another operator must approve it: approvals approve {id}"),
        );
        out.warn("APPROVAL_NEEDED", &text);
    }
    tell(&row, !done.repeated && waits.is_none(), waits, out)
}

async fn unassign(desk: &Desk, arguments: &Unassign, out: &mut Output) -> Result<(), Failure> {
    let rows = desk.store().mandates(&[arguments.office], desk.now_us()).await?;
    let row = rows.into_iter().find(|row| row.holder == Holder::Proxy(arguments.proxy));
    let row = row.ok_or_else(|| rejected(reason::MANDATE_NOT_FOUND))?;
    let end = Mandating::End { office: row.office, digest: row.digest, by: OPERATOR.to_owned(), paper: None };
    let done = desk.submit(Change::Mandate(Box::new(end))).await?;
    tell(&MandateRow { until_us: desk.now_us(), ..row }, !done.repeated, None, out)
}

fn tell(row: &MandateRow, changed: bool, approval: Option<String>, out: &mut Output) -> Result<(), Failure> {
    let (office, until) = (row.office.to_string(), time::format_us(row.until_us));
    let scopes = row.scopes.to_string();
    let text = Text::new(
        format!("{office} → {}: {scopes}（{until}まで）", row.holder.name()),
        format!("{office} → {}: {scopes}, until {until}", row.holder.name()),
    );
    let object = MandateObject {
        office: &office,
        proxy: row.holder.name(),
        scopes,
        until,
        mandate: hex(&row.digest),
        changed,
        approval,
    };
    Ok(out.result(&object, &text)?)
}

fn rejected(word: &'static str) -> Failure {
    let explained = reason::explain(word);
    Failure::rejected(explained.code, explained.ja, explained.en)
}

fn name(text: &str) -> Result<String, String> {
    let text = one_line(text)?;
    match text.chars().count() {
        1..=MAX_NAME => Ok(text),
        _ => Err(format!("expected 1 to {MAX_NAME} characters")),
    }
}
