//! How the issuing CA handed over to new keys, as the database knows it: the events' places in the log, and what they say.
//!
//! A setting holds them, so that nobody walks the log for them: one a line, place and handover.

use tasuki_certs::handover::Handover;
use tasuki_proto::ca_roll;

use crate::store::leaves::Position;
use crate::store::settings::CA_ROLLS;
use crate::store::{Store, StoreError, Tx};

/// A roll that the log tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaRoll {
    /// Where its event stands.
    pub at: Position,
    /// Who handed over to whom.
    pub handover: Handover,
}

/// The rolls, in the order of the log.
///
/// # Errors
/// If the database can't be read.
pub async fn load(store: &Store) -> Result<Vec<CaRoll>, StoreError> {
    Ok(store.setting(CA_ROLLS).await?.map(|text| parse(&text)).unwrap_or_default())
}

/// Keeps them.
pub(crate) async fn keep(store: &Store, tx: &mut Tx, rolls: &[CaRoll]) -> Result<(), StoreError> {
    let line = |roll: &CaRoll| format!("{} {}", roll.at.to_key(), ca_roll::line(&roll.handover));
    let lines: Vec<String> = rolls.iter().map(line).collect();
    store.put_setting(tx, CA_ROLLS, &lines.join("\n")).await
}

/// A line that does not hold is left out.
pub(crate) fn parse(text: &str) -> Vec<CaRoll> {
    let line = |line: &str| {
        let (key, handover) = line.split_once(' ')?;
        let at = Position::from_key(key.parse().ok()?);
        Some(CaRoll { at, handover: ca_roll::from_line(handover)? })
    };
    text.lines().filter_map(line).collect()
}
