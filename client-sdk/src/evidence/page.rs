//! The page of a proof (送達証明): what the evidence of a month says, for people, on A4. Japanese first, English below.
//!
//! It is made from the evidence alone, byte for byte the same wherever it is made again: `tasuki verify` does so, so that a
//! page that says anything else is noticed.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use tasuki_careplan::kind::FileKind;
use tasuki_careplan::month::Month;
use tasuki_careplan::words;
use tasuki_proto::canonical::hex;
use tasuki_proto::event::{Event, kind};
use tasuki_proto::html::escape;

use super::meaning::{MEANINGS, meaning, whose_word};
use super::month::{MonthIndex, ParcelEntry};

/// Japan has no summer time.
const JAPAN_US: i64 = 9 * 3_600 * 1_000_000;

const STYLE: &str = "@page{size:A4;margin:14mm 12mm}*{box-sizing:border-box}\
body{font:10pt/1.5 \"Noto Sans CJK JP\",\"Noto Sans JP\",\"Hiragino Sans\",Meiryo,sans-serif;color:#111;\
max-width:186mm;margin:0 auto;padding:4mm}\
h1{font-size:16pt;margin:0 0 2mm}h2{font-size:11.5pt;margin:6mm 0 1mm;border-bottom:1px solid #888}\
table{width:100%;border-collapse:collapse;table-layout:fixed}th,td{border:1px solid #bbb;padding:1mm 1.5mm;\
text-align:left;vertical-align:top;overflow-wrap:anywhere}th{background:#eef2f6;font-weight:600}\
section{break-inside:avoid}.en{color:#555;font-size:8.5pt}.facts th{width:32mm}.events th:nth-child(1){width:36mm}\
.events th:nth-child(2){width:44mm}.meanings th:nth-child(1){width:36mm}.mono{font-family:\"Noto Sans Mono\",\"Courier New\",monospace;font-size:8pt}\
pre{background:#f4f4f4;padding:2mm;white-space:pre-wrap;overflow-wrap:anywhere;font-size:8pt}";

/// The page. `events` are those of each parcel of the index, in order, as the log has them.
pub(crate) fn render(index: &MonthIndex, events: &[Vec<Event>]) -> String {
    let mut page = String::with_capacity(16 * 1024);
    let (year, month) = (index.month.year(), index.month.month());
    push(&mut page, "<!DOCTYPE html>\n<html lang=\"ja\"><head><meta charset=\"utf-8\">");
    let _ = write!(page, "<title>送達証明 {year}年{month}月</title><style>{STYLE}</style></head><body>");
    page.push('\n');
    let _ = write!(
        page,
        "<h1>送達証明 {year}年{month}月分 <span class=\"en\">Proof of delivery {year}-{month:02}</span></h1>"
    );
    facts(&mut page, index);
    for (parcel, events) in index.parcels.iter().zip(events) {
        section(&mut page, parcel, events);
    }
    meanings(&mut page, events);
    how_to_verify(&mut page);
    push(&mut page, "</body></html>\n");
    page
}

fn facts(page: &mut String, index: &MonthIndex) {
    push(page, "<table class=\"facts\">");
    let partner = match &index.partner {
        Some(partner) => office(partner.as_str(), &index.partner_name),
        None => "すべて / all".to_owned(),
    };
    let count = index.parcels.len().to_string();
    for (ja, en, value) in [
        ("作成した事業所", "made by", office(index.office.as_str(), &index.office_name)),
        ("相手の事業所", "partner", partner),
        ("電文の数", "parcels", count),
        ("作成日時", "made at", moment(index.made_us)),
    ] {
        let _ =
            write!(page, "<tr><th>{ja} <span class=\"en\">{en}</span></th><td>{}</td></tr>", escape(&value));
    }
    push(page, "</table>\n");
    push(
        page,
        "<p>中継サーバーの記録（改ざんできないログ）と、事業所自身の電子署名から作りました。<br><span class=\"en\">Made from the relay's tamper-evident log and the offices' own signatures.</span></p>\n",
    );
}

fn section(page: &mut String, parcel: &ParcelEntry, events: &[Event]) {
    let Some(accepted) =
        events.iter().find(|e| matches!(e.kind.as_str(), kind::PARCEL_DELIVERED | kind::PARCEL_HELD))
    else {
        return;
    };
    let named = |key: &str| accepted.lines.get(key).unwrap_or_default().to_owned();
    let (ja, en) = content(accepted);
    let _ = write!(
        page,
        "<section><h2>{} <span class=\"en\">{}</span></h2><table class=\"facts\">",
        escape(&ja),
        escape(&en)
    );
    let digest = accepted.digest("digest").map(|digest| hex(&digest)).unwrap_or_default();
    for (ja, en, value, class) in [
        ("送信元", "from", office(&named("sender"), &parcel.sender_name), ""),
        ("宛先", "to", office(&named("recipient"), &parcel.recipient_name), ""),
        ("電文ID", "parcel", named("parcel"), "mono"),
        ("SHA-256", "digest", digest, "mono"),
    ] {
        let _ = write!(
            page,
            "<tr><th>{ja} <span class=\"en\">{en}</span></th><td class=\"{class}\">{}</td></tr>",
            escape(&value)
        );
    }
    push(
        page,
        "</table><table class=\"events\"><tr><th>日時 <span class=\"en\">when</span></th><th>出来事 <span class=\"en\">what</span></th><th>誰の言葉か <span class=\"en\">whose word</span></th></tr>",
    );
    for event in events {
        let title = meaning(&event.kind).title;
        let (whose_ja, whose_en) = whose_word(event);
        let reason = event.lines.get("reason").map(|reason| format!(" ({reason})")).unwrap_or_default();
        let _ = write!(
            page,
            "<tr><td>{}</td><td>{}{} <span class=\"en\">{}</span></td><td>{whose_ja} <span class=\"en\">{whose_en}</span></td></tr>",
            moment(event.time_us),
            title.0,
            escape(&reason),
            title.1,
        );
    }
    push(page, "</table></section>\n");
}

/// What is in a parcel, by the kinds and months that its event names.
fn content(accepted: &Event) -> (String, String) {
    let (mut kinds, mut months, mut attachments) = (Vec::new(), BTreeSet::new(), 0);
    for line in accepted.lines.all("file") {
        // "1 UPPLAN 202602 20260125103000 2444"
        let mut parts = line.split(' ').skip(1);
        match parts.next().and_then(FileKind::from_prefix) {
            Some(kind) => kinds.push(kind),
            None => attachments += 1,
        }
        months.extend(parts.next().and_then(|month| month.parse::<Month>().ok()));
    }
    if kinds.is_empty() && attachments == 0 {
        return ("送付状のみ".to_owned(), "note only".to_owned());
    }
    let months: Vec<Month> = months.into_iter().collect();
    let described = words::describe(&kinds, &months);
    match attachments {
        0 => (described.ja, described.en),
        n => (format!("{}、添付{n}件", described.ja), format!("{}, {n} attached", described.en)),
    }
}

/// What each line proves and what it does not, for the kinds that occur.
fn meanings(page: &mut String, events: &[Vec<Event>]) {
    let occurring: BTreeSet<&str> = events.iter().flatten().map(|event| meaning(&event.kind).kind).collect();
    push(
        page,
        "<section><h2>それぞれが証明すること <span class=\"en\">What each line proves</span></h2><table class=\"meanings\"><tr><th>出来事 <span class=\"en\">event</span></th><th>証明する <span class=\"en\">proves</span></th><th>証明しない <span class=\"en\">does not prove</span></th></tr>",
    );
    for meaning in MEANINGS.iter().filter(|meaning| occurring.contains(meaning.kind)) {
        push(page, "<tr>");
        for (ja, en) in [meaning.title, meaning.proves, meaning.not] {
            let _ = write!(page, "<td>{ja}<br><span class=\"en\">{en}</span></td>");
        }
        push(page, "</tr>");
    }
    push(page, "</table></section>\n");
}

fn how_to_verify(page: &mut String) {
    push(
        page,
        "<section><h2>検証の方法 <span class=\"en\">How to verify</span></h2><p>このページは同じZIPの中の証拠から作られています。ネットワークなしで検証できます。<br><span class=\"en\">This page was made from the evidence in the same ZIP file, which verifies without any network.</span></p><pre>tasuki verify FILE.zip\ntasuki verify FILE.zip --ca OFFICES-CA.pem --log-key RELAY-KEY.txt</pre><p>Tasukiなしでも、opensslとsha256sumで検証できます。手順はREADME.txtにあります。<br><span class=\"en\">Without Tasuki, openssl and sha256sum do: see README.txt.</span></p></section>\n",
    );
}

fn office(number: &str, name: &str) -> String {
    if name.is_empty() { number.to_owned() } else { format!("{number} {name}") }
}

/// A time in Japan, to the second.
fn moment(us: i64) -> String {
    let japan = tasuki_proto::time::format_us(us.saturating_add(JAPAN_US));
    japan.get(..19).unwrap_or(&japan).replace('T', " ")
}

fn push(page: &mut String, text: &str) {
    page.push_str(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> MonthIndex {
        let mut index = MonthIndex::new(
            "1371215102".parse().unwrap(),
            "ひかり<script>alert(1)</script>".to_owned(),
            "202602".parse().unwrap(),
            1_795_261_114_000_123,
        );
        index.parcels.push(ParcelEntry {
            index: "parcels/1371215102_x.json".to_owned(),
            sender_name: "ひかり".to_owned(),
            recipient_name: "A&B".to_owned(),
        });
        index
    }

    fn event(kind: &str) -> Event {
        let key = tasuki_proto::ids::ParcelKey {
            sender: "1371215102".parse().unwrap(),
            id: "0193a3f0-8a1b-7c2d-8e3f-000000000000".parse().unwrap(),
        };
        let mut event = Event::new(kind, 1, 1_795_261_114_000_123, [1; 16]);
        event.set_parcel(&key, "9971100012".parse().unwrap(), &[0x5d; 32]);
        event
    }

    #[test]
    fn a_page_says_who_what_when_and_whose_word_it_is() {
        let mut delivered = event(kind::PARCEL_DELIVERED);
        delivered.lines.add("file", "1 UPPLAN 202602 20260125103000 2444");
        let mut signed = event(kind::PARCEL_ACKNOWLEDGED);
        signed.lines.add("statement", &tasuki_proto::canonical::digest_text(&[9; 32]));
        let page = render(&index(), &[vec![delivered, signed]]);
        for text in [
            "2026年2月分",
            "1371215102",
            "9971100012 A&amp;B",
            "2026-11-21 20:38:34",
            "配達",
            "宛先の署名",
            "担当者が読んだとは限らない",
            &"5d".repeat(32),
            "tasuki verify FILE.zip",
        ] {
            assert!(page.contains(text), "{text} is missing");
        }
        assert!(!page.contains("<script>") && !page.contains("http"), "nothing runs and nothing is loaded");
        assert!(!page.contains("期日超過"), "what did not happen is not explained");
    }
}
