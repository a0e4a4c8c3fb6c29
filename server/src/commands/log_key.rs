//! `log-key roll|status`: the key that signs the log's checkpoints, and its successor.

use clap::Subcommand;
use serde::Serialize;
use tasuki_proto::event::kind;
use tasuki_proto::operator::Role;
use tasuki_proto::time;

use super::desk::Desk;
use super::exit::{Exit, Failure};
use super::lang::Text;
use super::output::Output;
use super::roll::{NextKey, Roll};
use crate::boot;
use crate::committer::change::{Change, Rolling};
use crate::config::Config;
use crate::log_key;

/// Commands of `log-key`.
#[derive(Debug, Subcommand)]
pub(crate) enum LogKey {
    /// Hand the log over to a new key; clients and witnesses follow by themselves
    Roll(Roll),
    /// Make the next key without using it yet: copy it to every relay on this database before `roll`
    Prepare(NextKey),
    /// Show the verifier key and the rolls since, as members may be given them (`tasuki verify --log-key`)
    Status,
}

/// A roll, as `--json` prints it.
#[derive(Serialize)]
struct RollObject<'a> {
    old_key: String,
    new_key: String,
    emergency: bool,
    /// The last checkpoint that the old key signed.
    until_epoch: u64,
    until_size: u64,
    at: String,
    /// As a line beside the verifier key.
    line: &'a str,
}

/// The keys, as `--json` prints them.
#[derive(Serialize)]
struct StatusObject {
    /// What the log is known by.
    log_key: String,
    /// The key that signs now, hex.
    signs: String,
    rolls: usize,
    /// The next key is prepared.
    next: bool,
    /// The token that the key is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

pub(super) async fn run(command: &LogKey, config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    match command {
        LogKey::Roll(arguments) => roll(arguments, config, out).await,
        LogKey::Prepare(next) => prepare(next, config, out).await,
        LogKey::Status => status(config, out).await,
    }
}

async fn roll(arguments: &Roll, config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    let path = &config.evidence.log_key;
    let desk = Desk::open(config, out).await?;
    let rolled = roll_at(&desk, arguments, config).await;
    let rolls = boot::rolls(desk.store()).await;
    desk.close().await?;
    rolled?;
    // The new key takes the old one's place on disk; a relay that runs may have seen to it already.
    let signer = log_key::load(path, &rolls?)?;
    if let Some(roll) = signer.rolls().last() {
        show(roll, out)?;
    }
    Ok(Exit::Done)
}

async fn roll_at(desk: &Desk, arguments: &Roll, config: &Config) -> Result<(), Failure> {
    desk.may(kind::LOG_KEY_ROLLED, Role::Certificates).await?;
    let Roll { emergency, reason, next } = arguments;
    let new = log_key::prepare(&config.evidence.log_key, next.place()?.as_ref())?;
    let rolling = Rolling { new, emergency: *emergency, reason: reason.clone() };
    desk.submit(Change::RollLogKey(Box::new(rolling))).await.map(drop)
}

async fn prepare(next: &NextKey, config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    let place = next.place()?;
    let desk = Desk::open(config, out).await?;
    let prepared = match desk.may(kind::LOG_KEY_ROLLED, Role::Certificates).await {
        Ok(()) => log_key::prepare(&config.evidence.log_key, place.as_ref()).map_err(Failure::from),
        Err(failure) => Err(failure),
    };
    desk.close().await?;
    prepared?;
    status(config, out).await
}

async fn status(config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    let path = &config.evidence.log_key;
    let store = super::desk::open_to_read(config).await?;
    let (rolls, head) = (boot::rolls(&store).await, store.head().await);
    store.close().await;
    let signer = log_key::load(path, &rolls?)?;
    let object = StatusObject {
        log_key: signer.verifier().vkey(head?.epoch.max(1)),
        signs: signer.public_hex(),
        rolls: signer.rolls().len(),
        next: log_key::next_path(path).exists(),
        token: log_key::place(path)?.token().map(|token| token.uri().to_string()),
    };
    let text = Text::new(object.log_key.clone(), object.log_key.clone());
    out.result(&object, &text)?;
    for roll in signer.rolls() {
        show(roll, out)?;
    }
    Ok(Exit::Done)
}

fn show(roll: &tasuki_proto::log::roll::KeyRoll, out: &mut Output) -> Result<(), Failure> {
    let line = roll.line();
    let object = RollObject {
        old_key: tasuki_proto::canonical::hex(&roll.old),
        new_key: tasuki_proto::canonical::hex(&roll.new),
        emergency: roll.emergency,
        until_epoch: roll.until.0,
        until_size: roll.until.1,
        at: time::format_us(roll.time_us),
        line: &line,
    };
    Ok(out.result(&object, &Text::new(line.clone(), line.clone()))?)
}
