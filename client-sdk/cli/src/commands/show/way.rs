//! The way of a parcel as a small drawing: a line for each station, the one that is waited for among them.

use serde::Serialize;
use tasuki_sdk::{Passage, Place, Station};

use crate::lang::Lang;
use crate::moment::{japan_seconds, utc};
use crate::table::Table;

/// A station as `--json` prints it, under `path`.
#[derive(Debug, Serialize)]
pub(super) struct StationObject<'a> {
    station: Place,
    /// The office or proxy; empty: unknown, or the relay.
    name: &'a str,
    at: Option<String>,
    state: Passage,
}

pub(super) fn objects(stations: &[Station]) -> Vec<StationObject<'_>> {
    let object = |station: &'_ Station| (station.at_us.map(utc), station.place, station.passage);
    let named = stations.iter().map(|station| (object(station), station.name.as_str()));
    named.map(|((at, station, state), name)| StationObject { station, name, at, state }).collect()
}

/// The drawing, from the sender down to the receiver.
///
/// ```text
/// (o)  sender    ひかり居宅介護支援事業所 (tasuki 0.1.0)  2026-11-21 20:38:34  passed
///  |
/// (o)  relay                                              2026-11-21 20:38:34  passed
///  |
/// (*)  receiver  あおぞら訪問介護                                              waiting here
/// ```
pub(super) fn drawing(stations: &[Station], lang: Lang) -> Vec<String> {
    let mut table = Table::bare();
    for station in stations {
        let (sign, word) = passage(station.passage, lang);
        let at = station.at_us.map(japan_seconds).unwrap_or_default();
        table.row([sign, place(station.place, lang), &station.name, &at, word]);
    }
    let mut lines = Vec::new();
    for line in table.lines() {
        if !lines.is_empty() {
            lines.push(" |".to_owned());
        }
        lines.push(line);
    }
    lines
}

fn place(place: Place, lang: Lang) -> &'static str {
    match place {
        Place::Sender => lang.pick("送信元", "sender"),
        Place::SenderProxy => lang.pick("送信元の代行業者", "sender's proxy"),
        Place::Relay => lang.pick("中継サーバー", "relay"),
        Place::RecipientProxy => lang.pick("宛先の代行業者", "receiver's proxy"),
        Place::Recipient => lang.pick("宛先", "receiver"),
    }
}

/// Signs have one width in every font, which circles and ticks don't.
fn passage(passage: Passage, lang: Lang) -> (&'static str, &'static str) {
    match passage {
        Passage::Passed => ("(o)", lang.pick("通過", "passed")),
        Passage::Waiting => ("(*)", lang.pick("ここで待っています", "waiting here")),
        Passage::Stopped => ("(x)", lang.pick("ここで止まりました", "stopped here")),
        Passage::NotYet => ("( )", lang.pick("未着", "not yet")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::ACCEPTED_US;

    fn stations() -> Vec<Station> {
        let station =
            |place, name: &str, at_us, passage| Station { place, name: name.into(), at_us, passage };
        vec![
            station(Place::Sender, "ひかり居宅 (tasuki 0.1.0)", Some(ACCEPTED_US), Passage::Passed),
            station(Place::Relay, "", Some(ACCEPTED_US + 1_000_000), Passage::Passed),
            station(Place::RecipientProxy, "代行\u{1b}[2J", None, Passage::Waiting),
            station(Place::Recipient, "あおぞら訪問介護", None, Passage::NotYet),
        ]
    }

    #[test]
    fn the_drawing_is_aligned_in_both_languages() {
        assert_eq!(
            drawing(&stations(), Lang::Ja),
            [
                "(o)  送信元          ひかり居宅 (tasuki 0.1.0)  2026-11-21 20:38:34  通過",
                " |",
                "(o)  中継サーバー                               2026-11-21 20:38:35  通過",
                " |",
                "(*)  宛先の代行業者  代行\u{fffd}[2J                                        ここで待っています",
                " |",
                "( )  宛先            あおぞら訪問介護                                未着",
            ]
        );
        let english = drawing(&stations(), Lang::En);
        assert_eq!(english.len(), 7);
        assert!(english[4].starts_with("(*)  receiver's proxy  代行"), "{english:?}");
        assert!(english[6].ends_with("not yet"), "{english:?}");
    }

    #[test]
    fn programs_get_stable_words() {
        let json = serde_json::to_value(objects(&stations())).unwrap();
        let words: Vec<(&str, &str)> = json
            .as_array()
            .unwrap()
            .iter()
            .map(|o| (o["station"].as_str().unwrap(), o["state"].as_str().unwrap()))
            .collect();
        assert_eq!(
            words,
            [
                ("sender", "passed"),
                ("relay", "passed"),
                ("recipient-proxy", "waiting"),
                ("recipient", "not-yet")
            ]
        );
        assert_eq!(json[0]["at"], "2026-11-21T11:38:34.000123Z");
        assert!(json[2]["at"].is_null());
        let of = |place| serde_json::to_value(place).unwrap();
        assert_eq!((of(Place::SenderProxy), of(Place::Sender)), ("sender-proxy".into(), "sender".into()));
        assert_eq!(serde_json::to_value(Passage::Stopped).unwrap(), "stopped");
    }
}
