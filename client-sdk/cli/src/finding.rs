//! Findings for people: where, what was found, what to do.

use tasuki_sdk::Finding;

use crate::lang::Lang;
use crate::table::{Table, shown};

/// Ranges of lines that are named; further ones are only counted.
const NAMED_RANGES: usize = 5;

/// Findings, one to a line: `UPPLAN_….CSV, line 3, item 5 (利用者番号): … [FIELD_COUNT]`. The same thing found on many
/// lines of a file is told once, with all of them.
pub(crate) fn lines(findings: &[Finding], lang: Lang) -> Vec<String> {
    grouped(findings).iter().map(|(finding, lines)| line(finding, lines, lang)).collect()
}

/// Findings of one file as a table: how bad, where, which rule, what to do.
pub(crate) fn table(findings: &[Finding], lang: Lang) -> Table {
    let mut table = Table::new(&[
        lang.pick("判定", "RESULT"),
        lang.pick("場所", "WHERE"),
        lang.pick("規則", "RULE"),
        lang.pick("内容と対処", "WHAT, AND WHAT TO DO"),
    ]);
    for (finding, lines) in grouped(findings) {
        let result =
            if finding.is_error() { lang.pick("エラー", "error") } else { lang.pick("警告", "warning") };
        let place: Vec<String> = place_in_file(&lines, lang).into_iter().chain(item(finding, lang)).collect();
        let place = if place.is_empty() {
            lang.pick("全体", "whole file").to_owned()
        } else {
            place.join(lang.pick("、", ", "))
        };
        let message = lang.pick(&finding.message_ja, &finding.message_en);
        table.row([result, &place, &finding.rule, &format!("{message}{}", shape(finding))]);
    }
    table
}

/// Each finding with the lines on which it was found.
fn grouped(findings: &[Finding]) -> Vec<(&Finding, Vec<u64>)> {
    let mut groups: Vec<(&Finding, Vec<u64>)> = Vec::new();
    for finding in findings {
        // At most 100 findings a file, so looking through the groups is cheap enough.
        match groups.iter_mut().find(|(first, _)| alike(first, finding)) {
            Some((_, lines)) => lines.extend(finding.line),
            None => groups.push((finding, finding.line.into_iter().collect())),
        }
    }
    groups
}

/// Alike in all but the line.
fn alike(one: &Finding, other: &Finding) -> bool {
    one.file == other.file
        && one.rule == other.rule
        && one.item == other.item
        && one.shape == other.shape
        && one.message_en == other.message_en
        && one.line.is_some() == other.line.is_some()
}

fn line(finding: &Finding, lines: &[u64], lang: Lang) -> String {
    let mut place = vec![finding.file.clone()];
    place.extend(place_in_file(lines, lang));
    place.extend(item(finding, lang));
    place.retain(|part| !part.is_empty());
    if !place.is_empty() {
        place = vec![place.join(lang.pick("、", ", ")), ": ".to_owned()];
    }
    let warning = if finding.is_error() { "" } else { lang.pick("警告: ", "warning: ") };
    let message = lang.pick(&finding.message_ja, &finding.message_en);
    let text = format!("{}{warning}{message}{} [{}]", place.concat(), shape(finding), finding.rule);
    shown(&text).into_owned()
}

/// `item 5 (利用者番号)`.
fn item(finding: &Finding, lang: Lang) -> Option<String> {
    let item = finding.item?;
    Some(match (lang, finding.item_name_ja.as_deref()) {
        (Lang::Ja, Some(name)) => format!("項目{item}「{name}」"),
        (Lang::Ja, None) => format!("項目{item}"),
        (Lang::En, Some(name)) => format!("item {item} ({name})"),
        (Lang::En, None) => format!("item {item}"),
    })
}

/// What was found, behind the message.
fn shape(finding: &Finding) -> String {
    if finding.shape.is_empty() { String::new() } else { format!(" ({})", finding.shape) }
}

/// `line 3`, or `lines 1–7, 9 and 2 more`.
fn place_in_file(lines: &[u64], lang: Lang) -> Option<String> {
    let ranges = ranges(lines);
    let named: Vec<String> = ranges
        .iter()
        .take(NAMED_RANGES)
        .map(|(from, to)| if from == to { from.to_string() } else { format!("{from}–{to}") })
        .collect();
    let rest: u64 = ranges.iter().skip(NAMED_RANGES).map(|(from, to)| to - from + 1).sum();
    let more = match (rest, lang) {
        (0, _) => String::new(),
        (rest, Lang::Ja) => format!("、ほか{rest}"),
        (rest, Lang::En) => format!(" and {rest} more"),
    };
    let plural = if lines.len() > 1 { "s" } else { "" };
    (!lines.is_empty()).then(|| match lang {
        Lang::Ja => format!("{}{more}行", named.join("・")),
        Lang::En => format!("line{plural} {}{more}", named.join(", ")),
    })
}

/// Lines as ranges, from–to inclusive.
fn ranges(lines: &[u64]) -> Vec<(u64, u64)> {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for &line in lines {
        match ranges.last_mut() {
            Some((_, to)) if *to + 1 == line => *to = line,
            _ => ranges.push((line, line)),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(line: u64) -> Finding {
        Finding {
            rule: "FIELD_COUNT".into(),
            severity: "error".into(),
            file: "UPPLAN.CSV".into(),
            line: Some(line),
            item: Some(5),
            item_name_ja: Some("利用者番号".into()),
            shape: "24 items".into(),
            message_ja: "項目が足りません。".into(),
            message_en: "Items are missing.".into(),
        }
    }

    #[test]
    fn a_finding_says_what_where_and_what_to_do() {
        assert_eq!(
            lines(&[finding(3)], Lang::En),
            ["UPPLAN.CSV, line 3, item 5 (利用者番号): Items are missing. (24 items) [FIELD_COUNT]"]
        );
        assert_eq!(
            lines(&[finding(3)], Lang::Ja),
            ["UPPLAN.CSV、3行、項目5「利用者番号」: 項目が足りません。 (24 items) [FIELD_COUNT]"]
        );
    }

    #[test]
    fn the_same_on_many_lines_is_told_once() {
        let other = Finding { item: None, ..finding(2) };
        let findings = [finding(1), finding(2), other, finding(3), finding(9)];
        let told = lines(&findings, Lang::En);
        assert_eq!(told.len(), 2);
        assert!(told[0].starts_with("UPPLAN.CSV, lines 1–3, 9, item 5"), "{}", told[0]);
        assert!(told[1].starts_with("UPPLAN.CSV, line 2: "), "{}", told[1]);

        let scattered: Vec<Finding> = (1..=8).map(|n| finding(n * 2)).collect();
        assert!(lines(&scattered, Lang::Ja)[0].starts_with("UPPLAN.CSV、2・4・6・8・10、ほか3行、"));
        assert!(lines(&scattered, Lang::En)[0].contains("lines 2, 4, 6, 8, 10 and 3 more"));
    }

    #[test]
    fn a_table_has_a_row_for_each_kind_of_finding() {
        let whole = Finding { line: None, item: None, severity: "warning".into(), ..finding(1) };
        let lines: Vec<String> = table(&[finding(1), finding(2), whole], Lang::En).lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(
            lines[1].starts_with("error    lines 1–2, item 5 (利用者番号)  FIELD_COUNT  Items"),
            "{lines:?}"
        );
        assert!(lines[2].starts_with("warning  whole file "), "{lines:?}");
    }

    #[test]
    fn places_that_do_not_apply_are_left_out() {
        let whole = Finding {
            severity: "warning".into(),
            line: None,
            item: None,
            shape: String::new(),
            message_en: "Bad\u{1b}[31m.".into(),
            ..finding(1)
        };
        assert_eq!(
            lines(std::slice::from_ref(&whole), Lang::En),
            ["UPPLAN.CSV: warning: Bad\u{fffd}[31m. [FIELD_COUNT]"]
        );
        let nowhere = Finding { file: String::new(), ..whole };
        assert_eq!(lines(&[nowhere], Lang::Ja), ["警告: 項目が足りません。 [FIELD_COUNT]"]);
    }
}
