//! `approvals list|approve|reject`: acts that wait for a second operator.

use clap::{Args, Subcommand};
use serde::Serialize;
use tasuki_proto::canonical::hex;
use tasuki_proto::{reason, time};

use super::desk::{self, Desk};
use super::exit::{Exit, Failure};
use super::lang::Text;
use super::output::Output;
use crate::clock::{Clock as _, SystemClock};
use crate::committer::change::{Change, Operating};
use crate::config::Config;
use crate::store::operators::{ApprovalRow, ApprovalState};

/// Commands of `approvals`.
#[derive(Debug, Subcommand)]
pub(crate) enum Approvals {
    /// List acts that wait for a second operator, and those that did
    List,
    /// Have an act done that another operator asked for
    Approve(Which),
    /// Have an act not done, one's own included
    Reject(Which),
}

/// An act.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Its id, as `approvals list` prints it
    #[arg(value_name = "ID")]
    id: String,
}

/// An act, as `--json` prints it.
#[derive(Serialize)]
struct ApprovalObject<'a> {
    approval: &'a str,
    act: &'a str,
    office: &'a str,
    details: &'a [String],
    asked_by: &'a str,
    asked_at: String,
    until: String,
    /// asked, lapsed, approved, rejected.
    state: &'static str,
    decided_by: &'a str,
    /// SHA-256 of what the first operator signed, hex.
    statement: String,
}

pub(super) async fn run(command: &Approvals, config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    match command {
        Approvals::List => list(config, out).await,
        Approvals::Approve(which) => decide(&which.id, true, config, out).await,
        Approvals::Reject(which) => decide(&which.id, false, config, out).await,
    }
}

async fn list(config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    let store = desk::open_to_read(config).await?;
    let rows = store.approvals().await;
    store.close().await;
    for row in &rows? {
        show(row, out)?;
    }
    Ok(Exit::Done)
}

async fn decide(id: &str, approve: bool, config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    let desk = Desk::open(config, out).await?;
    let decided = decide_at(&desk, id, approve).await;
    desk.close().await?;
    show(&decided?, out)?;
    Ok(Exit::Done)
}

async fn decide_at(desk: &Desk, id: &str, approve: bool) -> Result<ApprovalRow, Failure> {
    let find = async || -> Result<ApprovalRow, Failure> {
        let row = desk.store().approvals().await?.into_iter().find(|row| row.id == id);
        row.ok_or_else(|| {
            let explained = reason::explain(reason::APPROVAL_NOT_FOUND);
            Failure::rejected(explained.code, explained.ja, explained.en)
        })
    };
    let ApprovalRow { statement, role, .. } = find().await?;
    let decision = Operating::Decide { id: id.to_owned(), statement, role, approve };
    desk.submit(Change::Operators(Box::new(decision))).await?;
    find().await
}

fn show(row: &ApprovalRow, out: &mut Output) -> Result<(), Failure> {
    let (state, state_ja) = match row.state {
        ApprovalState::Asked if SystemClock.now_us() >= row.until_us => ("lapsed", "期限切れ"),
        ApprovalState::Asked => ("asked", "承認待ち"),
        ApprovalState::Approved => ("approved", "承認済"),
        ApprovalState::Rejected => ("rejected", "却下"),
    };
    let until = time::format_us(row.until_us);
    let (id, act, details, asked) = (&row.id, &row.kind, row.details.join(", "), &row.asked_name);
    let text = Text::new(
        format!("{id}  {state_ja}  {act}  申請: {asked}  {until}まで  ({details})"),
        format!("{id}  {state}  {act}  asked by {asked}  until {until}  ({details})"),
    );
    let office = row.office.to_string();
    let object = ApprovalObject {
        approval: id,
        act,
        office: &office,
        details: &row.details,
        asked_by: asked,
        asked_at: time::format_us(row.asked_us),
        until,
        state,
        decided_by: &row.decided_name,
        statement: hex(&row.statement),
    };
    Ok(out.result(&object, &text)?)
}
