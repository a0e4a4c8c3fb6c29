//! The report of an audit for people, on A4: Japanese first, English beside it. It loads nothing and runs nothing.

use std::fmt::Write as _;
use tasuki_proto::html::escape;

use tasuki_careplan::kind::FileKind;
use tasuki_careplan::month::Month;
use tasuki_careplan::words::{Words, describe};

use super::Summary;
use super::entries::{EventObject, ParcelObject, PartyObject};
use super::range::japan_time;
use super::words;
use crate::commands::lang::Text;

/// Events, parcels and parties that the report shows of each; the tables have all.
pub(super) const MOST: usize = 1_000;

const STYLE: &str = "@page{size:A4;margin:14mm 12mm}*{box-sizing:border-box}\
body{font:9.5pt/1.5 \"Noto Sans CJK JP\",\"Noto Sans JP\",\"Hiragino Sans\",Meiryo,sans-serif;color:#111;\
max-width:186mm;margin:0 auto;padding:4mm}\
h1{font-size:16pt;margin:0 0 2mm}h2{font-size:11.5pt;margin:6mm 0 1mm;border-bottom:1px solid #888;break-after:avoid}\
table{width:100%;border-collapse:collapse;table-layout:fixed}th,td{border:1px solid #bbb;padding:1mm 1.5mm;\
text-align:left;vertical-align:top;overflow-wrap:anywhere}th{background:#eef2f6;font-weight:600}\
thead{display:table-header-group}tr{break-inside:avoid}.en{color:#555;font-size:8pt}.facts th{width:38mm}\
.mono{font-family:\"Noto Sans Mono\",\"Courier New\",monospace;font-size:7.5pt}.n{width:20mm}.t{width:27mm}\
.warn{border:1px solid #b00;padding:1mm 2mm}\
pre{background:#f4f4f4;padding:2mm;white-space:pre-wrap;overflow-wrap:anywhere;font-size:7.5pt}";

/// What the report shows of an audit.
#[derive(Debug, Default)]
pub(super) struct Shown {
    pub(super) events: Vec<EventObject>,
    pub(super) parcels: Vec<ParcelObject>,
    pub(super) parties: Vec<PartyObject>,
}

impl Shown {
    /// Keeps one more, as long as there is room.
    pub(super) fn keep<T>(kept: &mut Vec<T>, one: T) {
        if kept.len() < MOST {
            kept.push(one);
        }
    }
}

/// The page. `checkpoint` is the signed one of the log that was looked at.
pub(super) fn render(summary: &Summary, shown: &Shown, made_us: i64, checkpoint: &str) -> String {
    let mut page = String::with_capacity(64 * 1024);
    page.push_str("<!DOCTYPE html>\n<html lang=\"ja\"><head><meta charset=\"utf-8\">");
    let subject = escape(&summary.subject);
    let _ = writeln!(page, "<title>監査報告 {subject}</title><style>{STYLE}</style></head><body>");
    let _ = writeln!(page, "<h1>監査報告 <span class=\"en\">Audit report</span></h1>");
    facts(&mut page, summary, made_us);
    parcels(&mut page, summary, &shown.parcels);
    parties(&mut page, summary, &shown.parties);
    events(&mut page, summary, &shown.events);
    about(&mut page, checkpoint);
    page.push_str("</body></html>\n");
    page
}

fn facts(page: &mut String, summary: &Summary, made_us: i64) {
    let time = |us: Option<i64>| us.map_or_else(|| "–".to_owned(), japan_time);
    let (from, until) = (time(summary.range.from_us), time(summary.range.until_us));
    let name = if summary.name.is_empty() { String::new() } else { format!(" {}", summary.name) };
    let recorded = match (summary.recorded_epoch, summary.recorded_index) {
        (Some(epoch), Some(index)) => format!("epoch {epoch}, index {index}"),
        _ => "–".to_owned(),
    };
    page.push_str("<table class=\"facts\">");
    for (ja, en, value) in [
        ("対象", "subject", format!("{}{name}", summary.subject)),
        ("期間(終わりは含まない)", "from, until (exclusive)", format!("{from} 〜 {until}")),
        ("作成日時", "made at", japan_time(made_us)),
        ("記録(ログ)", "log", format!("epoch {}, size {}", summary.epoch, summary.size)),
        ("この監査の記録", "this audit's own event", recorded),
        ("出来事", "events", summary.events.to_string()),
        ("電文", "parcels", summary.parcels.to_string()),
        ("関係者と鍵", "parties and keys", summary.parties.to_string()),
    ] {
        let _ =
            write!(page, "<tr><th>{ja} <span class=\"en\">{en}</span></th><td>{}</td></tr>", escape(&value));
    }
    page.push_str("</table>\n");
    if summary.erased > 0 {
        let _ = writeln!(
            page,
            "<p class=\"warn\">保存期間を過ぎて本文が消去された記録が、この期間に{n}件あります(ハッシュのみ)。対象に関するものだったかは分かりません{feed_ja}。<br><span class=\"en\">The texts of {n} events of this range are gone, their time as evidence being over; whom they were about is not known{feed_en}.</span></p>",
            n = summary.erased,
            feed_ja = summary
                .erased_in_feed
                .map(|n| format!("。うち{n}件は対象の事業所への通知です"))
                .unwrap_or_default(),
            feed_en = summary
                .erased_in_feed
                .map(|n| format!("; {n} of them stand in the office's feed"))
                .unwrap_or_default(),
        );
    }
    head(page, ("出来事の内訳", "Events by kind"), &[("", "出来事", "event"), ("n", "件数", "count")]);
    for (kind, count) in &summary.kinds {
        let what = words::event(kind);
        let _ = write!(
            page,
            "<tr><td>{} <span class=\"en\">{} ({})</span></td><td>{count}</td></tr>",
            escape(&what.ja),
            escape(&what.en),
            escape(kind)
        );
    }
    page.push_str("</tbody></table>\n");
}

fn parcels(page: &mut String, summary: &Summary, parcels: &[ParcelObject]) {
    if summary.parcels == 0 {
        return;
    }
    let columns = [
        ("t", "受付", "accepted"),
        ("", "送信元 → 宛先", "from → to"),
        ("", "内容", "content"),
        ("n", "状態", "state"),
        ("", "署名・送信・受領", "signed, handed in, signed for"),
    ];
    head(page, ("関係する電文", "Parcels concerned"), &columns);
    for parcel in parcels {
        let signer = Some(short(&parcel.signer));
        let hands = [signer, parcel.transmitter.clone(), parcel.acknowledged_by.clone()];
        let hands: Vec<String> = hands.into_iter().flatten().map(|hand| escape(&hand)).collect();
        let content = content(parcel);
        let _ = write!(
            page,
            "<tr><td>{}</td><td>{} {}<br>→ {} {}<br><span class=\"mono\">{}</span></td><td>{}<br><span class=\"en\">{}</span></td><td>{}<br><span class=\"en\">{}</span></td><td class=\"mono\">{}</td></tr>",
            local(&parcel.accepted),
            escape(&parcel.sender),
            escape(&parcel.sender_name),
            escape(&parcel.recipient),
            escape(&parcel.recipient_name),
            escape(&parcel.parcel),
            escape(&content.ja),
            escape(&content.en),
            escape(&parcel.state_ja),
            escape(parcel.state),
            hands.join("<br>"),
        );
    }
    tail(page, parcels.len(), summary.parcels, "parcels.csv");
}

/// What is in a parcel, as far as the relay knows: kinds and months.
fn content(parcel: &ParcelObject) -> Text {
    let kinds: Vec<FileKind> = parcel.kinds.iter().filter_map(|kind| FileKind::from_prefix(kind)).collect();
    let months: Vec<Month> = parcel.months.iter().filter_map(|month| month.parse().ok()).collect();
    let attached =
        if kinds.len() < parcel.kinds.len() { ("、添付あり", ", attachments") } else { ("", "") };
    let files = parcel.files;
    if kinds.is_empty() {
        return Text::new(format!("{files}ファイル{}", attached.0), format!("{files} files{}", attached.1));
    }
    let Words { ja, en } = describe(&kinds, &months);
    Text::new(format!("{ja}{} ({files}ファイル)", attached.0), format!("{en}{} ({files} files)", attached.1))
}

/// A digest by its beginning: the table has it whole.
fn short(digest: &str) -> String {
    const SHOWN: usize = "sha256:".len() + 16;
    digest.get(..SHOWN).map_or_else(|| digest.to_owned(), |beginning| format!("{beginning}…"))
}

fn parties(page: &mut String, summary: &Summary, parties: &[PartyObject]) {
    let columns = [
        ("", "関係者・鍵", "party or key"),
        ("", "名称", "name"),
        ("n", "出来事", "events"),
        ("t", "最初", "first"),
        ("t", "最後", "last"),
    ];
    head(page, ("関係者と鍵", "Parties and keys"), &columns);
    for party in parties {
        let _ = write!(
            page,
            "<tr><td class=\"mono\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(&party.party),
            escape(&party.name),
            party.events,
            local(&party.first),
            local(&party.last),
        );
    }
    tail(page, parties.len(), summary.parties, "parties.csv");
}

fn events(page: &mut String, summary: &Summary, events: &[EventObject]) {
    let columns = [
        ("t", "日時", "when"),
        ("", "出来事", "what"),
        ("", "電文・当事者", "parcel, parties"),
        ("", "行為者・その他", "by whom, further"),
    ];
    head(page, ("時系列", "Timeline"), &columns);
    for event in events {
        let what = words::event(&event.kind);
        let between = match (&event.sender, &event.recipient) {
            (Some(sender), Some(recipient)) => format!("{} → {}<br>", escape(sender), escape(recipient)),
            _ => String::new(),
        };
        let _ = write!(
            page,
            "<tr><td>{}</td><td>{}<br><span class=\"en\">{}</span></td><td>{between}<span class=\"mono\">{}</span></td><td class=\"mono\">{}<br>{}</td></tr>",
            local(&event.time),
            escape(&what.ja),
            escape(&what.en),
            escape(event.parcel.as_deref().unwrap_or_default()),
            escape(event.by.as_deref().unwrap_or_default()),
            escape(&event.details()),
        );
    }
    tail(page, events.len(), summary.events, "timeline.csv");
}

fn about(page: &mut String, checkpoint: &str) {
    page.push_str(
        "<h2>この報告について <span class=\"en\">About this report</span></h2><p>中継サーバーの改ざんできない記録から作りました。電文の内容、添付の名前、連絡の本文は含みません(中継サーバーは持っていません)。電文の状態は作成時のものです。送信元が保留している電文も含むため、宛先には見せないでください。<br><span class=\"en\">Made from the relay's tamper-evident log. It holds no content of parcels, no names of attachments and no texts of remarks: the relay has none. Parcels are told in the state in which they were when this was made. Parcels that their sender still holds are among them: not for their receivers' eyes.</span></p>\
<p>記録全体の検証は <code>tasuki-relay log verify</code> で行います。audit.json の各出来事の <code>text</code> の SHA-256(先頭に 0x00 を加える、RFC 6962)が <code>leaf</code> で、次のチェックポイントの木に含まれます。<br><span class=\"en\"><code>tasuki-relay log verify</code> verifies the whole log. In audit.json the SHA-256 of each event's <code>text</code> behind a byte 0x00 (RFC 6962) is its <code>leaf</code>, which stands in the tree of this checkpoint:</span></p><pre>",
    );
    page.push_str(&escape_lines(checkpoint));
    page.push_str("</pre>\n");
}

/// A heading, and a table up to its body: class, Japanese, English of each column.
fn head(page: &mut String, (ja, en): (&str, &str), columns: &[(&str, &str, &str)]) {
    let _ = write!(page, "<h2>{ja} <span class=\"en\">{en}</span></h2><table><thead><tr>");
    for (class, ja, en) in columns {
        let _ = write!(page, "<th class=\"{class}\">{ja} <span class=\"en\">{en}</span></th>");
    }
    page.push_str("</tr></thead><tbody>\n");
}

/// Ends a table, and says where the rest is.
fn tail(page: &mut String, shown: usize, all: u64, file: &str) {
    page.push_str("</tbody></table>\n");
    if (shown as u64) < all {
        let _ = writeln!(
            page,
            "<p class=\"warn\">最初の{shown}件です。全{all}件は {file} にあります。<br><span class=\"en\">The first {shown} of {all}; {file} has all.</span></p>"
        );
    }
}

/// A time in UTC, as objects have it, for people in Japan.
fn local(utc: &str) -> String {
    tasuki_proto::time::parse_us(utc).map_or_else(|| escape(utc), |us| japan_time(us).replace('T', " "))
}

fn escape_lines(text: &str) -> String {
    text.lines().map(escape).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::entries::Lines;
    use super::super::range::Range;
    use super::*;

    fn summary() -> Summary {
        Summary {
            subject: "office:1371215102".to_owned(),
            name: "ひかり<script>alert(1)</script>".to_owned(),
            from: None,
            until: None,
            range: Range { from_us: Some(1_795_261_114_000_123), until_us: None },
            events: 1_234,
            kinds: [("office.suspended".to_owned(), 1_234)].into(),
            first: None,
            last: None,
            erased: 3,
            erased_in_feed: Some(2),
            parcels: 0,
            parcels_gone: 0,
            parties: 1,
            epoch: 1,
            size: 99,
            recorded_epoch: Some(1),
            recorded_index: Some(99),
            files: Vec::new(),
        }
    }

    fn shown() -> Shown {
        let reason = Lines::One("<img src=x onerror=\"alert(1)\">'&\u{7}".to_owned());
        Shown {
            events: vec![EventObject {
                time: "2026-11-21T11:38:34.000123Z".to_owned(),
                epoch: 1,
                index: 3,
                kind: "office.suspended".to_owned(),
                parcel: None,
                sender: None,
                recipient: None,
                by: Some("operator:<b>".to_owned()),
                signer: None,
                in_feed: None,
                lines: [("reason".to_owned(), reason)].into(),
                leaf: String::new(),
                time_us: 0,
            }],
            parties: vec![PartyObject {
                party: "office:1371215102".to_owned(),
                kind: "office",
                name: "</td><script>".to_owned(),
                office: None,
                events: 7,
                first: "2026-11-21T11:38:34.000123Z".to_owned(),
                last: "2026-11-21T11:38:34.000123Z".to_owned(),
            }],
            ..Shown::default()
        }
    }

    #[test]
    fn a_report_says_who_what_when_and_what_is_missing() {
        let page = render(&summary(), &shown(), 1_795_261_114_000_123, "relay.example/e1\n99\nroot\n");
        for text in [
            "監査報告",
            "office:1371215102 ひかり",
            "2026-11-21T20:38:34+09:00 〜 –",
            "2026-11-21 20:38:34+09:00",
            "利用停止",
            "うち2件は対象の事業所への通知",
            "最初の1件です。全1234件は timeline.csv",
            "relay.example/e1\n99\nroot",
        ] {
            assert!(page.contains(text), "{text} is missing: {page}");
        }
        assert!(!page.contains("関係する電文"), "there is no parcel");
    }

    #[test]
    fn parcels_are_told_in_words() {
        let parcel = |kinds: &[&str], months: &[&str]| ParcelObject {
            parcel: "0193a3f0-8a1b-7c2d-8e3f-000000000000".to_owned(),
            sender: "1371215102".to_owned(),
            sender_name: "<b>".to_owned(),
            recipient: "9971100012".to_owned(),
            recipient_name: String::new(),
            state: "delivered",
            state_ja: "配達済".to_owned(),
            kinds: kinds.iter().map(|&kind| kind.to_owned()).collect(),
            months: months.iter().map(|&month| month.to_owned()).collect(),
            files: 3,
            size_bytes: 9,
            accepted: "2026-11-21T11:38:34.000123Z".to_owned(),
            delivered: None,
            fetched: None,
            acknowledged: None,
            ended: None,
            signer: format!("sha256:{}", "ab".repeat(32)),
            transmitter: Some("proxy:P00004".to_owned()),
            acknowledged_by: None,
            acknowledged_signer: None,
            digest: "cd".repeat(32),
        };
        let shown = Shown {
            parcels: vec![parcel(&["UPPLAN", "ATTACHMENT"], &["202602"]), parcel(&["ATTACHMENT"], &[])],
            ..Shown::default()
        };
        let page = render(&Summary { parcels: 2, ..summary() }, &shown, 0, "");
        for text in [
            "関係する電文",
            "2026年2月",
            "、添付あり (3ファイル)",
            "3ファイル、添付あり",
            "配達済",
            "proxy:P00004",
        ] {
            assert!(page.contains(text), "{text} is missing: {page}");
        }
        assert!(page.contains("sha256:abababababababab…<br>") && !page.contains("<b>"));
    }

    #[test]
    fn whatever_stands_in_names_and_reasons_is_text() {
        let page = render(&summary(), &shown(), 0, "<b>");
        for tag in ["<script", "<img", "<b>", "onerror=\"", "\u{7}", "http:", "https:"] {
            assert!(!page.contains(tag), "{tag}");
        }
        assert!(page.contains("&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&#39;&amp;"));
    }

    #[test]
    fn the_report_has_a_bound() {
        let mut kept = Vec::new();
        (0..MOST + 5).for_each(|n| Shown::keep(&mut kept, n));
        assert_eq!((kept.len(), kept[0]), (MOST, 0));
    }
}
