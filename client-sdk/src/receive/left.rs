//! Parcels that were stored and whose acknowledgement is left to the office: they wait on, and are not fetched again.

use std::collections::BTreeSet;

use super::{ReceiveOutcome, ReceivedParcel};
use crate::error::SdkError;
use crate::files::{self, Access};
use crate::home::{Home, LEFT};
use crate::parcel::Parcel;

fn line(parcel: &Parcel) -> String {
    format!("{} {}", parcel.key.sender, parcel.key.id)
}

fn kept(home: &Home) -> Result<BTreeSet<String>, SdkError> {
    let bytes = files::read_if_exists(&home.path(LEFT))?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect())
}

fn keep(home: &Home, lines: &BTreeSet<String>) -> Result<(), SdkError> {
    let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
    files::write_durably(&home.path(LEFT), text.as_bytes(), Access::Owner)
}

/// Takes out of what waits what was stored before, and forgets what waits no more.
pub(super) fn skip(home: &Home, waiting: &mut Vec<Parcel>) -> Result<(), SdkError> {
    let before = kept(home)?;
    if before.is_empty() {
        return Ok(());
    }
    let still: BTreeSet<String> = waiting.iter().map(line).filter(|line| before.contains(line)).collect();
    waiting.retain(|parcel| !still.contains(&line(parcel)));
    if still == before { Ok(()) } else { keep(home, &still) }
}

/// Remembers what was stored. Written behind the files: after a crash in between, a parcel is fetched once more and found there.
pub(super) fn add(home: &Home, received: &[ReceivedParcel]) -> Result<(), SdkError> {
    let stored = received.iter().filter(|r| matches!(r.outcome, ReceiveOutcome::Left(_)));
    let stored: Vec<String> = stored.map(|r| line(&r.parcel)).collect();
    if stored.is_empty() {
        return Ok(());
    }
    let mut lines = kept(home)?;
    lines.extend(stored);
    keep(home, &lines)
}
