//! What an audit tells: one event, one parcel, one party. The same for lines, tables, JSON and the report.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use tasuki_proto::canonical::{digest_text, hex};
use tasuki_proto::event::{Event, kind, leaf_hash};
use tasuki_proto::time;

use super::range::japan_time;
use super::walk::Found;
use super::words;
use crate::commands::lang::Text;
use crate::store::parcels::ParcelRow;

/// Lines of an event that have a column of their own.
const COLUMNS: [&str; 6] = ["parcel", "sender", "recipient", "by", "transmitter", "signer"];

/// Characters of a cell with everything else: what a spreadsheet shows without trouble. `audit.json` has it whole.
const MAX_DETAILS: usize = 2_000;

/// An event, as `--json` prints it.
#[derive(Debug, Serialize)]
pub(super) struct EventObject {
    pub(super) time: String,
    pub(super) epoch: u64,
    pub(super) index: u64,
    pub(super) kind: String,
    pub(super) parcel: Option<String>,
    pub(super) sender: Option<String>,
    pub(super) recipient: Option<String>,
    /// Who did it, or handed it in, as events spell it.
    pub(super) by: Option<String>,
    pub(super) signer: Option<String>,
    /// The office that is looked at sees it in its feed; null: it is no office that is looked at.
    pub(super) in_feed: Option<bool>,
    /// Its lines, but for what every event has. Those that repeat stand in an array.
    pub(super) lines: BTreeMap<String, Lines>,
    /// Hash of its leaf in the log.
    pub(super) leaf: String,
    #[serde(skip)]
    pub(super) time_us: i64,
}

/// The values of one key.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(super) enum Lines {
    /// A key that stands once.
    One(String),
    /// One that repeats.
    Many(Vec<String>),
}

impl EventObject {
    pub(super) fn of(found: &Found) -> Self {
        let Found { position, event, in_feed, text, .. } = found;
        let line = |key: &str| event.lines.get(key).map(str::to_owned);
        Self {
            time: time::format_us(event.time_us),
            epoch: position.epoch,
            index: position.index,
            kind: event.kind.clone(),
            parcel: line("parcel"),
            sender: line("sender").or_else(|| line("from").filter(|_| event.kind == kind::REQUEST_MADE)),
            recipient: line("recipient").or_else(|| line("to").filter(|_| event.kind == kind::REQUEST_MADE)),
            by: line("operator").or_else(|| line("by")).or_else(|| line("transmitter")),
            signer: line("signer"),
            in_feed: *in_feed,
            lines: lines(event),
            leaf: digest_text(&leaf_hash(text)),
            time_us: event.time_us,
        }
    }

    /// When, in Japan.
    pub(super) fn when(&self) -> String {
        japan_time(self.time_us)
    }

    /// What has no column of its own, in one cell.
    pub(super) fn details(&self) -> String {
        let mut details = String::new();
        for (key, lines) in self.lines.iter().filter(|(key, _)| !COLUMNS.contains(&key.as_str())) {
            let values = match lines {
                Lines::One(value) => std::slice::from_ref(value),
                Lines::Many(values) => values.as_slice(),
            };
            for value in values {
                if !details.is_empty() {
                    details.push_str("; ");
                }
                details.extend([key, "=", value]);
            }
        }
        match details.char_indices().nth(MAX_DETAILS) {
            Some((end, _)) => format!("{}…", &details[..end]),
            None => details,
        }
    }

    /// A line for people.
    pub(super) fn line(&self) -> Text {
        let what = words::event(&self.kind);
        let between = match (&self.sender, &self.recipient) {
            (Some(sender), Some(recipient)) => format!("  {sender} → {recipient}"),
            _ => String::new(),
        };
        let parcel = self.parcel.as_ref().map(|parcel| format!("  {parcel}")).unwrap_or_default();
        let by = self.by.as_ref().map(|by| format!("  {by}")).unwrap_or_default();
        // Of what is no parcel's, the rest is what people want to know.
        let rest = if self.parcel.is_none() { format!("  {}", self.details()) } else { String::new() };
        let line =
            |what: &str| format!("{}  {:<22} {what}{between}{parcel}{by}{rest}", self.when(), self.kind);
        Text::new(line(&what.ja), line(&what.en))
    }
}

fn lines(event: &Event) -> BTreeMap<String, Lines> {
    let mut lines: BTreeMap<String, Lines> = BTreeMap::new();
    for (key, value) in event.lines.iter() {
        let value = value.to_owned();
        match lines.get_mut(key) {
            None => drop(lines.insert(key.to_owned(), Lines::One(value))),
            Some(Lines::Many(values)) => values.push(value),
            Some(one) => {
                if let Lines::One(first) = one {
                    *one = Lines::Many(vec![std::mem::take(first), value]);
                }
            }
        }
    }
    lines
}

/// A parcel that one of the events is about, as `audit.json` has it.
#[derive(Debug, Serialize)]
pub(super) struct ParcelObject {
    pub(super) parcel: String,
    pub(super) sender: String,
    pub(super) sender_name: String,
    pub(super) recipient: String,
    pub(super) recipient_name: String,
    /// Where it stands now, whatever the range is.
    pub(super) state: &'static str,
    #[serde(skip)]
    pub(super) state_ja: String,
    /// Kinds of its files, each once.
    pub(super) kinds: Vec<String>,
    /// Service months of its files, each once.
    pub(super) months: Vec<String>,
    pub(super) files: usize,
    pub(super) size_bytes: u64,
    pub(super) accepted: String,
    pub(super) delivered: Option<String>,
    pub(super) fetched: Option<String>,
    pub(super) acknowledged: Option<String>,
    pub(super) ended: Option<String>,
    /// Who signed it: SHA-256 of the certificate.
    pub(super) signer: String,
    /// Who handed it in.
    pub(super) transmitter: Option<String>,
    /// Who signed for it, and with which certificate.
    pub(super) acknowledged_by: Option<String>,
    pub(super) acknowledged_signer: Option<String>,
    pub(super) digest: String,
}

impl ParcelObject {
    /// From its row and all its events.
    pub(super) fn of(row: &ParcelRow, events: &[Event], sender_name: String, recipient_name: String) -> Self {
        let at = |us: i64| (us > 0).then(|| time::format_us(us));
        let unique = |values: BTreeSet<&String>| -> Vec<String> {
            values.into_iter().filter(|value| !value.is_empty()).cloned().collect()
        };
        let line = |kind: &str, key: &str| {
            let event = events.iter().find(|event| event.kind == kind);
            event.and_then(|event| event.lines.get(key)).map(str::to_owned)
        };
        let state = words::state(row.state);
        Self {
            parcel: row.key.id.to_string(),
            sender: row.key.sender.to_string(),
            sender_name,
            recipient: row.recipient.to_string(),
            recipient_name,
            state: row.state.as_str(),
            state_ja: state.ja,
            kinds: unique(row.files.iter().map(|file| &file.kind).collect()),
            months: unique(row.files.iter().map(|file| &file.month).collect()),
            files: row.files.len(),
            size_bytes: row.container_size,
            accepted: time::format_us(row.accepted_us),
            delivered: at(row.delivered_us()),
            fetched: at(row.fetched_us),
            acknowledged: at(row.acknowledged_us),
            ended: at(row.marks.ended_us),
            signer: digest_text(&row.signer),
            transmitter: line(kind::PARCEL_DELIVERED, "transmitter")
                .or_else(|| line(kind::PARCEL_HELD, "transmitter")),
            acknowledged_by: line(kind::PARCEL_ACKNOWLEDGED, "by"),
            acknowledged_signer: line(kind::PARCEL_ACKNOWLEDGED, "signer"),
            digest: hex(&row.digest),
        }
    }
}

/// Somebody, or a key, that an event names.
#[derive(Debug, Serialize)]
pub(super) struct PartyObject {
    /// As events spell it.
    pub(super) party: String,
    /// `office`, `terminal`, `proxy`, `operator`, `key`.
    pub(super) kind: &'static str,
    /// Name in the directory: of the office itself, of a terminal's office, of whom a key was registered for.
    pub(super) name: String,
    /// The office of a terminal or of a registered key.
    pub(super) office: Option<String>,
    /// Events that name it.
    pub(super) events: u64,
    pub(super) first: String,
    pub(super) last: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::leaves::Position;

    fn found(kind: &str, lines: &[(&'static str, &str)]) -> Found {
        let mut event = Event::new(kind, 1, 1_795_261_114_000_123, [0; 16]);
        for (key, value) in lines {
            event.lines.add(key, value);
        }
        let text = event.print().into_bytes();
        Found { position: Position { epoch: 1, index: 7 }, seq: 0, in_feed: Some(true), text, event }
    }

    #[test]
    fn an_event_is_told_with_who_what_and_the_rest() {
        let object = EventObject::of(&found(
            kind::PARCEL_DELIVERED,
            &[
                ("parcel", "0193a3f0-8a1b-7c2d-8e3f-000000000000"),
                ("sender", "1371215102"),
                ("recipient", "9971100012"),
                ("transmitter", "proxy:P00004"),
                ("file", "1 UPPLAN 202602 20260125103000 2444"),
                ("file", "2 ATTACHMENT - - 512"),
            ],
        ));
        assert_eq!((object.epoch, object.index, object.by.as_deref()), (1, 7, Some("proxy:P00004")));
        assert_eq!(object.details(), "file=1 UPPLAN 202602 20260125103000 2444; file=2 ATTACHMENT - - 512");
        assert!(matches!(&object.lines["file"], Lines::Many(files) if files.len() == 2));
        let line = object.line();
        for text in [&line.ja, &line.en] {
            assert!(text.starts_with("2026-11-21T20:38:34+09:00  parcel.delivered "), "{text}");
            assert!(text.contains("1371215102 → 9971100012") && text.ends_with("proxy:P00004"), "{text}");
        }
        assert!(line.ja.contains("配達"));
    }

    #[test]
    fn a_cell_has_a_bound_and_requests_have_two_sides() {
        let long = "あ".repeat(MAX_DETAILS * 2);
        let object = EventObject::of(&found(
            kind::REQUEST_MADE,
            &[("from", "1371215102"), ("to", "9971100012"), ("document", &long)],
        ));
        assert_eq!(object.details().chars().count(), MAX_DETAILS + 1);
        assert_eq!(
            (object.sender.as_deref(), object.recipient.as_deref()),
            (Some("1371215102"), Some("9971100012"))
        );
        let stop =
            EventObject::of(&found(kind::RELAY_STOP_PLANNED, &[("from", "2026-11-21T11:38:34.000123Z")]));
        assert!(stop.sender.is_none() && stop.line().en.contains("from=2026-11-21"));
    }
}
