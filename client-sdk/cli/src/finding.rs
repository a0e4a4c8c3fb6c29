//! Findings for people: where, what was found, what to do.

use tasuki_sdk::Finding;

use crate::lang::Lang;
use crate::table::shown;

/// One finding on one line: `UPPLAN_….CSV, line 3, item 5 (利用者番号): … [FIELD_COUNT]`.
pub(crate) fn line(finding: &Finding, lang: Lang) -> String {
    let mut place = vec![finding.file.clone()];
    if let Some(line) = finding.line {
        place.push(match lang {
            Lang::Ja => format!("{line}行"),
            Lang::En => format!("line {line}"),
        });
    }
    if let Some(item) = finding.item {
        let name = finding.item_name_ja.as_deref();
        place.push(match (lang, name) {
            (Lang::Ja, Some(name)) => format!("項目{item}「{name}」"),
            (Lang::Ja, None) => format!("項目{item}"),
            (Lang::En, Some(name)) => format!("item {item} ({name})"),
            (Lang::En, None) => format!("item {item}"),
        });
    }
    let warning = match (finding.severity.as_str(), lang) {
        ("warning", Lang::Ja) => "警告: ",
        ("warning", Lang::En) => "warning: ",
        _ => "",
    };
    let shape = if finding.shape.is_empty() { String::new() } else { format!(" ({})", finding.shape) };
    let message = lang.pick(&finding.message_ja, &finding.message_en);
    let text = format!("{}{warning}{message}{shape} [{}]", place_text(&place, lang), finding.rule);
    shown(&text).into_owned()
}

fn place_text(place: &[String], lang: Lang) -> String {
    let place = place.iter().filter(|p| !p.is_empty()).map(String::as_str).collect::<Vec<_>>();
    if place.is_empty() { String::new() } else { place.join(lang.pick("、", ", ")) + ": " }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding() -> Finding {
        Finding {
            rule: "FIELD_COUNT".into(),
            severity: "error".into(),
            file: "UPPLAN.CSV".into(),
            line: Some(3),
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
            line(&finding(), Lang::En),
            "UPPLAN.CSV, line 3, item 5 (利用者番号): Items are missing. (24 items) [FIELD_COUNT]"
        );
        assert_eq!(
            line(&finding(), Lang::Ja),
            "UPPLAN.CSV、3行、項目5「利用者番号」: 項目が足りません。 (24 items) [FIELD_COUNT]"
        );
    }

    #[test]
    fn places_that_do_not_apply_are_left_out() {
        let whole = Finding {
            severity: "warning".into(),
            line: None,
            item: None,
            shape: String::new(),
            message_en: "Bad\u{1b}[31m.".into(),
            ..finding()
        };
        assert_eq!(line(&whole, Lang::En), "UPPLAN.CSV: warning: Bad\u{fffd}[31m. [FIELD_COUNT]");
        let nowhere = Finding { file: String::new(), ..whole };
        assert_eq!(line(&nowhere, Lang::Ja), "警告: 項目が足りません。 [FIELD_COUNT]");
    }
}
