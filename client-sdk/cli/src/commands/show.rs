//! `tasuki show`: one parcel, its way, and what happened to it.

mod not_accepted;
mod way;

use std::collections::HashMap;

use serde::Serialize;
use tasuki_careplan::kind::FileKind;
use tasuki_careplan::month::Month;
use tasuki_proto::event::Event;
use tasuki_sdk::declare;
use tasuki_sdk::{FileSummary, ParcelHistory, ParcelName, Station};

use crate::content::{of_parcel, office};
use crate::exit::{Exit, Failure};
use crate::json::{EventObject, ParcelObject};
use crate::lang::Lang;
use crate::moment::japan_seconds;
use crate::output::Output;
use crate::table::{Table, shown_lines};
use crate::words;

use self::way::StationObject;
use super::Session;

#[derive(Serialize)]
struct ShowObject<'a> {
    #[serde(flatten)]
    parcel: ParcelObject<'a>,
    /// Where it came by and where it waits, from the sender to the receiver.
    path: Vec<StationObject<'a>>,
    /// In the order of the log.
    events: Vec<EventObject<'a>>,
}

/// `tasuki show PARCEL`.
pub(super) fn show(parcel: &ParcelName, session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    let Some(history) = session.run(session.client.show(parcel))? else {
        let shown = not_accepted::show(parcel, session, out)?;
        return if shown { Ok(Exit::Done) } else { Err(not_accepted::not_found()) };
    };
    let events: Vec<&Event> = history.events.iter().map(|proven| &proven.event).collect();
    let texts = session.run(session.client.texts(&events))?;
    let along = session.run(session.client.waypoints(&history.parcel))?;
    print(&history, &history.stations(&along), &texts, out)?;
    Ok(Exit::Done)
}

/// What parties wrote, by SHA-256 of their statements.
type Texts = HashMap<[u8; 32], declare::Text>;

fn text_of<'t>(event: &Event, texts: &'t Texts) -> Option<&'t declare::Text> {
    texts.get(&event.digest("statement")?)
}

fn print(
    history: &ParcelHistory,
    stations: &[Station],
    texts: &Texts,
    out: &mut Output,
) -> Result<(), Failure> {
    if out.is_json() {
        let events = history.events.iter().map(|proven| {
            let text = text_of(&proven.event, texts).map(|text| text.text.as_str());
            EventObject::new(&proven.event, proven.index).with_text(text)
        });
        let events = events.collect();
        let path = way::objects(stations);
        out.object(&ShowObject { parcel: ParcelObject::new(&history.parcel), path, events })?;
        return Ok(());
    }
    let lang = out.lang();
    out.lines(facts(history, lang).lines())?;
    if !history.parcel.files.is_empty() {
        out.line("")?;
        out.lines(files(&history.parcel.files, lang).lines())?;
    }
    out.line("")?;
    out.lines(way::drawing(stations, lang))?;
    out.line("")?;
    out.lines(events(history, lang).lines())?;
    for proven in &history.events {
        let Some(text) = text_of(&proven.event, texts) else { continue };
        let when = japan_seconds(proven.event.time_us);
        out.line("")?;
        out.line(format!("{when}  {}", text.by))?;
        out.lines(shown_lines(&text.text).map(|line| format!("  {line}")))?;
    }
    Ok(())
}

fn facts(history: &ParcelHistory, lang: Lang) -> Table {
    let parcel = &history.parcel;
    let mut table = Table::bare();
    table.row([lang.pick("電文ID", "parcel"), &parcel.key.id.to_string()]);
    table.row([lang.pick("送信元", "from"), &office(parcel.key.sender, &parcel.sender_name)]);
    table.row([lang.pick("宛先", "to"), &office(parcel.recipient, &parcel.recipient_name)]);
    table.row([lang.pick("内容", "what"), of_parcel(parcel).of(lang)]);
    table.row([lang.pick("状態", "state"), words::state(parcel.state.as_str()).of(lang)]);
    table.row(["SHA-256", &tasuki_proto::canonical::hex(&parcel.digest)]);
    table
}

fn files(files: &[FileSummary], lang: Lang) -> Table {
    let mut table = Table::new(&[
        lang.pick("種別", "KIND"),
        lang.pick("ファイル", "FILE"),
        lang.pick("年月", "MONTH"),
        lang.pick("大きさ", "SIZE"),
    ]);
    for file in files {
        let name = FileKind::from_prefix(&file.kind)
            .map_or(lang.pick("添付ファイル", "attachment"), |kind| {
                lang.pick(kind.name_ja(), kind.name_en())
            });
        let month = file.month.as_deref().map(|month| match month.parse::<Month>() {
            Ok(month) => format!("{}-{:02}", month.year(), month.month()),
            Err(_) => month.to_owned(),
        });
        table.row([&file.kind, name, &month.unwrap_or_default(), &words::size(file.size)]);
    }
    table
}

fn events(history: &ParcelHistory, lang: Lang) -> Table {
    let mut table = Table::new(&[
        lang.pick("日時", "WHEN"),
        lang.pick("経過", "WHAT HAPPENED"),
        lang.pick("証言者", "WHOSE WORD"),
    ]);
    for proven in &history.events {
        let whose = match words::word_of(&proven.event) {
            "recipient" => lang.pick("宛先の署名", "the receiver's signature"),
            "sender" => lang.pick("送信元の署名", "the sender's signature"),
            "recipient-proxy" => lang.pick("宛先の伝送代行業者の署名", "the receiver's proxy's signature"),
            "sender-proxy" => lang.pick("送信元の伝送代行業者の署名", "the sender's proxy's signature"),
            "party" => lang.pick("当事者の署名", "a party's signature"),
            _ => lang.pick("中継サーバーの記録", "the relay's log"),
        };
        let time = japan_seconds(proven.event.time_us);
        table.row([&time, words::event(&proven.event.kind).of(lang), whose]);
    }
    table
}

#[cfg(test)]
mod tests {
    use tasuki_proto::evidence::Proven;

    use super::*;
    use crate::testing;

    fn history() -> ParcelHistory {
        let proven =
            |kind: &str, index| Proven { event: testing::event(kind), index, leaf: [1; 32], opening: None };
        ParcelHistory {
            parcel: testing::parcel(),
            events: vec![proven("parcel.delivered", 4), proven("parcel.fetched", 9)],
        }
    }

    fn stations() -> Vec<Station> {
        history().stations(&tasuki_sdk::Waypoints::default())
    }

    #[test]
    fn programs_get_the_parcel_with_its_events() {
        let (mut out, results, _) = Output::captured(Lang::Ja, true);
        print(&history(), &stations(), &Texts::new(), &mut out).unwrap();
        let object = results.objects().remove(0);
        for key in [
            "parcel",
            "state",
            "sender",
            "sender_name",
            "recipient",
            "recipient_name",
            "files",
            "path",
            "events",
        ] {
            assert!(!object[key].is_null(), "{key}");
        }
        assert_eq!(object["events"][1]["kind"], "parcel.fetched");
        assert_eq!(object["events"][1]["index"], 9);
        assert_eq!(object["path"][2]["station"], "recipient");
        assert_eq!(object["path"][2]["state"], "waiting");
    }

    #[test]
    fn people_see_what_happened_when_and_who_says_so() {
        let (mut out, results, _) = Output::captured(Lang::En, false);
        print(&history(), &stations(), &Texts::new(), &mut out).unwrap();
        let text = results.text();
        assert!(text.contains("to       9971100012 あおぞら訪問介護\n"), "{text}");
        assert!(text.contains("2026-11-21 20:38:34  released to the receiver"), "{text}");
        assert!(text.contains("UPJSK       "), "{text}");
        assert!(text.contains("2026-02  2.3 KiB\n"), "{text}");

        let (mut out, results, _) = Output::captured(Lang::Ja, false);
        print(&history(), &stations(), &Texts::new(), &mut out).unwrap();
        let text = results.text();
        assert!(text.contains("状態     取得済\n"), "{text}");
        assert!(text.contains("宛先に渡しました"), "{text}");
    }
}
