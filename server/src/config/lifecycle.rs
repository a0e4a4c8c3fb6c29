//! `[lifecycle]` and `[retention]`: how long parcels wait, and what is kept for how long.

use std::collections::BTreeMap;

use serde::Deserialize;
use tasuki_careplan::kind::FileKind;
use tasuki_proto::parcel::ATTACHMENT;

use super::period::{Patience, Period};

/// `[lifecycle]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LifecycleConfig {
    /// Every parcel waits for so long before it is delivered, so that it can still be recalled.
    pub grace: Period,
    /// How far ahead a sender may set the release of a parcel; what its sender never releases is discarded after it.
    pub hold_at_most: Period,
    /// A parcel that is not fetched for so long is called overdue, once, unless a newer version has taken its place.
    pub overdue_after: Patience,
    /// A parcel that is not fetched for so long expires.
    pub expire_after: Period,
    /// A terminal that nobody used for so long lapses.
    pub terminal_idle_after: Period,
    /// How often the relay looks for parcels whose time has come.
    pub look_every_s: u32,
}

impl Default for LifecycleConfig {
    fn default() -> Self {
        Self {
            grace: Period::days(0),
            hold_at_most: Period::days(90),
            overdue_after: Patience::WorkingDays(3),
            expire_after: Period::days(90),
            // Half a year without one monthly round is a computer that is gone.
            terminal_idle_after: Period::days(180),
            look_every_s: 1,
        }
    }
}

/// `[retention]`: how long sealed content and evidence are kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionConfig {
    /// After its receiver has signed for it, imported or not.
    pub acknowledged: Period,
    /// After it was fetched, where its receiver never signs for it.
    pub fetched: Period,
    /// After it was refused.
    pub refused: Period,
    /// After it was recalled, discarded, or has expired.
    pub ended: Period,
    /// What was not accepted at the door, without its content: reason and findings, for its sender.
    pub rejected: Period,
    /// Shorter periods than `acknowledged`, by kind of file: a prefix of the standard, or `ATTACHMENT`. A parcel that
    /// holds files of several kinds goes with the first.
    pub by_kind: BTreeMap<String, Period>,
    /// How long evidence is kept after the last event of a parcel: its row, statements, texts of events. The log keeps its
    /// hashes for ever.
    pub evidence: Period,
    /// How often the relay looks for content and evidence whose time is over.
    pub sweep_every_s: u32,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self {
            acknowledged: Period::days(30),
            fetched: Period::days(90),
            refused: Period::days(30),
            ended: Period::days(0),
            rejected: Period::days(30),
            by_kind: BTreeMap::new(),
            evidence: Period::years(5),
            sweep_every_s: 3600,
        }
    }
}

/// What makes no sense: the key and what is wrong.
pub(super) fn check(
    lifecycle: &LifecycleConfig,
    retention: &RetentionConfig,
) -> Result<(), (&'static str, &'static str)> {
    if retention.sweep_every_s == 0 {
        return Err(("retention.sweep_every_s", "must be at least 1"));
    }
    let contents = [retention.acknowledged, retention.fetched, retention.refused, retention.ended];
    if contents.into_iter().any(|period| period > retention.evidence) {
        return Err(("retention.evidence", "must not be shorter than the periods of content"));
    }
    if lifecycle.look_every_s == 0 {
        return Err(("lifecycle.look_every_s", "must be at least 1"));
    }
    if lifecycle.grace > lifecycle.hold_at_most {
        return Err(("lifecycle.grace", "must not be longer than hold_at_most"));
    }
    if lifecycle.terminal_idle_after < Period::seconds(1) {
        return Err(("lifecycle.terminal_idle_after", "must be at least 1s"));
    }
    let known = |kind: &String| kind == ATTACHMENT || FileKind::from_prefix(kind).is_some();
    if !retention.by_kind.keys().all(known) {
        return Err(("retention.by_kind", "a kind is a prefix of the standard's files, or ATTACHMENT"));
    }
    Ok(())
}
