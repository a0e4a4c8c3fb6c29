//! `ca roll|prepare|status`: the key of the CA that issues certificates, and its successor.

use clap::Subcommand;
use serde::Serialize;
use tasuki_certs::handover::Handover;
use tasuki_proto::canonical::hex;
use tasuki_proto::event::{kind, sha256};
use tasuki_proto::operator::Role;
use tasuki_proto::time;

use super::desk::{self, Desk};
use super::exit::{Exit, Failure};
use super::lang::Text;
use super::output::Output;
use super::roll::{NextKey, Roll};
use crate::ca_roller;
use crate::ca_rolls::{self, CaRoll};
use crate::committer::change::{CaRolling, Change};
use crate::config::Config;
use crate::key_file::KeyPlace;
use crate::store::StoreError;
use crate::trial_ca::{CaKey, CaState, TrialCaFiles};

/// Commands of `ca`.
#[derive(Debug, Subcommand)]
pub(crate) enum Ca {
    /// Hand the issuing CA over to a new key; clients follow by themselves
    Roll(Roll),
    /// Make the next key without using it yet: copy its folder to every relay on this database before `roll`
    Prepare(NextKey),
    /// Show the CA's keys, and until when each is good
    Status,
}

/// A roll, as `--json` prints it.
#[derive(Serialize)]
struct RollObject {
    /// SHA-256 of the CA certificates.
    old_ca: String,
    new_ca: String,
    emergency: bool,
    /// In an emergency: from when on what the old CA issued is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    withdrawn_from: Option<String>,
}

/// A key, as `--json` prints it.
#[derive(Serialize)]
struct KeyObject {
    /// SHA-256 of the CA's certificate.
    ca: String,
    name: String,
    /// `issuing`, `before` or `withdrawn`.
    state: &'static str,
    not_after: String,
    /// The key is on this machine, or on a token that it knows.
    key: bool,
    /// The token that the key is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    certificate: String,
}

pub(super) async fn run(command: &Ca, config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    match command {
        Ca::Roll(arguments) => roll(arguments, config, out).await,
        Ca::Prepare(next) => prepare(next, config, out).await,
        Ca::Status => status(config, out).await,
    }
}

fn files(config: &Config) -> Result<TrialCaFiles, Failure> {
    config.trial_ca.clone().map(TrialCaFiles::open).ok_or_else(super::cert::no_trial_ca)
}

async fn roll(arguments: &Roll, config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    let ca = files(config)?;
    let desk = Desk::open(config, out).await?;
    let rolled = roll_at(&desk, &ca, arguments).await;
    desk.close().await?;
    let handover = rolled?;
    let object = RollObject {
        old_ca: hex(&sha256(&handover.previous)),
        new_ca: hex(&sha256(&handover.next)),
        emergency: handover.withdrawn_us.is_some(),
        withdrawn_from: handover.withdrawn_us.map(time::format_us),
    };
    let text = if object.emergency {
        Text::new(
            "認証局の鍵を緊急に取り替えました。以前の鍵で発行した証明書は使えません。cert issue で発行し直してください",
            "the CA's key was replaced in an emergency: what the old one issued is refused; issue anew with cert issue",
        )
    } else {
        Text::new(
            "認証局の鍵を取り替えました。これまでの証明書は期限まで有効です",
            "the CA goes on under a new key; certificates of the old one stay good until they end",
        )
    };
    out.result(&object, &text)?;
    Ok(Exit::Done)
}

async fn roll_at(desk: &Desk, ca: &TrialCaFiles, arguments: &Roll) -> Result<Handover, Failure> {
    desk.may(kind::CA_ROLLED, Role::Certificates).await?;
    let now_us = desk.now_us();
    let known = handovers(&ca_rolls::load(desk.store()).await?);
    // What an earlier command announced, and a crash left undone.
    ca.take_over(&known, now_us)?;
    let rolling = if let Some(lost) = ca.unannounced(&known)? {
        // The log lost that it rolled: it is announced anew, as it was.
        CaRolling {
            previous: lost.previous,
            next: lost.next,
            cross: lost.cross,
            emergency: lost.withdrawn_us.is_some(),
            withdrawn_us: lost.withdrawn_us,
            reason: arguments.reason.clone(),
            scheduled: false,
        }
    } else {
        let prepared = ca.prepare(arguments.next.place()?.as_ref(), now_us)?;
        if prepared.cross.is_none() && !arguments.emergency {
            return Err(super::cert::no_trial_ca());
        }
        let emergency = arguments.emergency;
        CaRolling { emergency, ..ca_roller::rolling(prepared, &arguments.reason) }
    };
    let next = rolling.next.clone();
    desk.submit(Change::RollCa(Box::new(rolling))).await?;
    let known = handovers(&ca_rolls::load(desk.store()).await?);
    ca.take_over(&known, now_us)?;
    let done = known.into_iter().find(|handover| handover.next == next);
    done.ok_or_else(|| {
        StoreError::Corrupt { table: "settings", column: "value", row: "ca_rolls".to_owned() }.into()
    })
}

/// The next key, as `--json` prints it.
#[derive(Serialize)]
struct NextObject {
    /// SHA-256 of the next CA's certificate.
    next_ca: String,
    /// What every relay on this database needs.
    folder: String,
}

async fn prepare(next: &NextKey, config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    let (ca, place) = (files(config)?, next.place()?);
    let desk = Desk::open(config, out).await?;
    let prepared = match desk.may(kind::CA_ROLLED, Role::Certificates).await {
        Ok(()) => ca.prepare(place.as_ref(), desk.now_us()).map_err(Failure::from),
        Err(failure) => Err(failure),
    };
    desk.close().await?;
    let object =
        NextObject { next_ca: hex(&sha256(&prepared?.next)), folder: ca.next_folder().display().to_string() };
    let text = Text::new(
        format!(
            "次の鍵を用意しました。このデータベースの全ての中継サーバーに配ってから ca roll を実行してください: {}",
            object.folder
        ),
        format!(
            "the next key is ready: copy it to every relay on this database, then ca roll: {}",
            object.folder
        ),
    );
    out.result(&object, &text)?;
    Ok(Exit::Done)
}

fn handovers(rolls: &[CaRoll]) -> Vec<Handover> {
    rolls.iter().map(|roll| roll.handover.clone()).collect()
}

async fn status(config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    let ca = files(config)?;
    let store = desk::open_to_read(config).await?;
    let rolls = ca_rolls::load(&store).await;
    store.close().await;
    if ca.unannounced(&handovers(&rolls?))?.is_some() {
        let text = Text::new(
            "認証局の鍵の取替えが記録にありません。ca roll でもう一度告知してください",
            "the log does not tell of the CA's last roll: announce it again with ca roll",
        );
        out.warn("NOT_RECORDED", &text);
    }
    for key in ca.keys()? {
        let object = object(&key);
        let (ja, en) = match key.state {
            CaState::Issuing => ("発行中", "issues"),
            CaState::Before => ("以前の鍵", "issued before"),
            CaState::Withdrawn => ("緊急に失効", "withdrawn in an emergency"),
        };
        let text = Text::new(
            format!("{} {}: {ja}、{}まで", object.name, object.ca, object.not_after),
            format!("{} {}: {en}, until {}", object.name, object.ca, object.not_after),
        );
        out.result(&object, &text)?;
    }
    Ok(Exit::Done)
}

fn object(key: &CaKey) -> KeyObject {
    KeyObject {
        ca: hex(&key.fingerprint),
        name: key.name.clone(),
        state: match key.state {
            CaState::Issuing => "issuing",
            CaState::Before => "before",
            CaState::Withdrawn => "withdrawn",
        },
        not_after: time::format_us(key.not_after_us),
        key: key.has_key,
        token: key.place.as_ref().and_then(KeyPlace::token).map(|token| token.uri().to_string()),
        certificate: key.certificate.display().to_string(),
    }
}
