//! What `--json` prints. Keys are a contract with scripts: add, never rename.

use std::collections::BTreeMap;

use serde::Serialize;
use tasuki_proto::canonical::{Lines, hex};
use tasuki_proto::event::Event;
use tasuki_sdk::declare::RefusalReason;
use tasuki_sdk::{FileSummary, Parcel};

use crate::content::of_parcel;
use crate::lang::Text;
use crate::moment::utc;
use crate::words;

/// A parcel of `inbox`, `sent` and `show`.
#[derive(Debug, Serialize)]
pub(crate) struct ParcelObject<'a> {
    parcel: String,
    sender: String,
    sender_name: &'a str,
    recipient: String,
    recipient_name: &'a str,
    state: &'static str,
    content_ja: String,
    content_en: String,
    files: &'a [FileSummary],
    /// SHA-256 of the container, hex.
    digest: String,
    container_size: u64,
    accepted_at: Option<String>,
    fetched_at: Option<String>,
    acknowledged_at: Option<String>,
    /// SHA-256 of the signer's certificate, hex.
    signer: String,
    /// When it came into the receiver's mailbox; later than `accepted_at` where it was held.
    delivered_at: Option<String>,
    /// Held: when it will be released; null: when its sender says so.
    release_at: Option<String>,
    /// When it came into its final state.
    ended_at: Option<String>,
    overdue: bool,
    supersedes: Option<String>,
    superseded_by: Option<String>,
    urgent: bool,
    /// Refused: why.
    refusal: Option<&'static str>,
    /// The proxy through which it was sent: its number and name.
    proxy: Option<String>,
    proxy_name: Option<&'a str>,
    /// The proxy that fetched it for its receiver: its number and name; when it signed that it handed it to the office.
    recipient_proxy: Option<String>,
    recipient_proxy_name: Option<&'a str>,
    handed_over_at: Option<String>,
    /// Held: what the sender's proxy handed in waits for the sending office's own word.
    confirm: bool,
}

impl<'a> ParcelObject<'a> {
    pub(crate) fn new(parcel: &'a Parcel) -> Self {
        let Text { ja, en } = of_parcel(parcel);
        Self {
            parcel: parcel.key.id.to_string(),
            sender: parcel.key.sender.to_string(),
            sender_name: &parcel.sender_name,
            recipient: parcel.recipient.to_string(),
            recipient_name: &parcel.recipient_name,
            state: parcel.state.as_str(),
            content_ja: ja,
            content_en: en,
            files: &parcel.files,
            digest: hex(&parcel.digest),
            container_size: parcel.container_size,
            accepted_at: parcel.accepted_us.map(utc),
            fetched_at: parcel.fetched_us.map(utc),
            acknowledged_at: parcel.acknowledged_us.map(utc),
            signer: hex(&parcel.signer),
            delivered_at: parcel.marks.delivered_us.map(utc),
            release_at: parcel.marks.release_us.map(utc),
            ended_at: parcel.marks.ended_us.map(utc),
            overdue: parcel.is_overdue(),
            supersedes: parcel.marks.supersedes.map(|id| id.to_string()),
            superseded_by: parcel.marks.superseded_by.map(|id| id.to_string()),
            urgent: parcel.marks.urgent,
            refusal: parcel.marks.refusal.map(RefusalReason::as_str),
            proxy: parcel.marks.proxy.map(|number| number.to_string()),
            proxy_name: Some(parcel.marks.proxy_name.as_str()).filter(|name| !name.is_empty()),
            recipient_proxy: parcel.marks.recipient_proxy.map(|number| number.to_string()),
            recipient_proxy_name: Some(parcel.marks.recipient_proxy_name.as_str())
                .filter(|name| !name.is_empty()),
            handed_over_at: parcel.marks.handed_over_us.map(utc),
            confirm: parcel.marks.confirm,
        }
    }
}

impl ParcelObject<'_> {
    /// The same, overdue by another threshold than the relay's.
    pub(crate) fn overdue(self, overdue: bool) -> Self {
        Self { overdue, ..self }
    }
}

/// An event of `show` and `watch`.
#[derive(Debug, Serialize)]
pub(crate) struct EventObject<'a> {
    kind: &'a str,
    time: String,
    /// Place in the log.
    epoch: u64,
    index: u64,
    /// Whose word it is: `relay`, `sender`, `recipient`, or `party` (the one that the statement names).
    word_of: &'static str,
    /// What a party wrote (a remark, a reason), opened; null: nothing, or it can't be opened here.
    text: Option<&'a str>,
    /// The other lines of the event's text; a list where a key repeats.
    details: BTreeMap<&'a str, Values<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Values<'a> {
    One(&'a str),
    Many(Vec<&'a str>),
}

impl<'a> EventObject<'a> {
    /// `index`: place in the log, from 0.
    pub(crate) fn new(event: &'a Event, index: u64) -> Self {
        Self {
            kind: &event.kind,
            time: utc(event.time_us),
            epoch: event.epoch,
            index,
            word_of: words::word_of(event),
            text: None,
            details: details(&event.lines),
        }
    }

    /// The same with what a party wrote.
    pub(crate) fn with_text(self, text: Option<&'a str>) -> Self {
        Self { text, ..self }
    }
}

fn details(lines: &Lines) -> BTreeMap<&str, Values<'_>> {
    /// These may stand several times, so they are lists even where they stand once.
    const REPEATING: [&str; 2] = ["crl", "file"];
    let mut details = BTreeMap::new();
    for (key, value) in lines.iter() {
        if REPEATING.contains(&key) {
            let values = details.entry(key).or_insert_with(|| Values::Many(Vec::new()));
            if let Values::Many(values) = values {
                values.push(value);
            }
        } else {
            details.insert(key, Values::One(value));
        }
    }
    details
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing;

    #[test]
    fn a_parcel_has_the_keys_that_scripts_rely_on() {
        let parcel = testing::parcel();
        let object = serde_json::to_value(ParcelObject::new(&parcel)).unwrap();
        assert_eq!(
            object,
            json!({
                "parcel": testing::ID,
                "sender": "1371215102",
                "sender_name": "ひかり居宅介護支援事業所",
                "recipient": "9971100012",
                "recipient_name": "あおぞら訪問介護",
                "state": "fetched",
                "content_ja": "実績 2026年2月分、添付1件",
                "content_en": "results for 2026-02, 1 attachment",
                "files": [
                    {"kind": "UPJSK", "month": "202602", "serial": "20260301174500", "size": 2444},
                    {"kind": "ATTACHMENT", "month": null, "serial": null, "size": 512},
                ],
                "digest": "5d".repeat(32),
                "container_size": 3000,
                "accepted_at": "2026-11-21T11:38:34.000123Z",
                "fetched_at": "2026-11-21T11:39:34.000123Z",
                "acknowledged_at": null,
                "signer": "91".repeat(32),
                "delivered_at": null,
                "release_at": null,
                "ended_at": null,
                "overdue": false,
                "supersedes": null,
                "superseded_by": null,
                "urgent": false,
                "refusal": null,
                "proxy": null,
                "proxy_name": null,
                "recipient_proxy": null,
                "recipient_proxy_name": null,
                "handed_over_at": null,
                "confirm": false,
            })
        );
    }

    #[test]
    fn an_event_has_its_text_as_details() {
        let mut event = testing::event("parcel.delivered");
        event.lines.add("file", "UPJSK 202602 20260301174500 2444");
        let object = serde_json::to_value(EventObject::new(&event, 7)).unwrap();
        assert_eq!(
            object,
            json!({
                "kind": "parcel.delivered",
                "time": "2026-11-21T11:38:34.000123Z",
                "epoch": 1,
                "index": 7,
                "word_of": "relay",
                "text": null,
                "details": {
                    "parcel": testing::ID,
                    "sender": "1371215102",
                    "recipient": "9971100012",
                    "digest": format!("sha256:{}", "5d".repeat(32)),
                    "file": ["UPJSK 202602 20260301174500 2444"],
                },
            })
        );
    }
}
