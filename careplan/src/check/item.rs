//! `REQUIRED`, `TYPE`, `LENGTH`, `RANGE` and `CODE`: what is told about a value that is not as its layout says.

use super::{Message, Place, Sink, shape};
use crate::finding::RuleId;
use crate::judge::ItemFault;
use crate::layout::{ItemType, Layout, LayoutItem};

/// Codes that a message lists; the longest list of the standard has nine.
const MAX_LISTED: usize = 12;

/// Adds the finding of one value.
pub(super) fn tell(
    sink: &mut Sink<'_>,
    place: Place,
    layout: &Layout,
    item: &LayoutItem,
    value: &[u8],
    fault: ItemFault,
) {
    sink.error(rule_of(fault), place, || {
        let (ja, en) = what_and_what_to_do(item, fault);
        let number = place.item.unwrap_or_default();
        let (kind, edition, name) = (layout.kind.prefix(), layout.edition, item.name_ja);
        let message = Message::new(
            format!("「{name}」{ja}（標準仕様{edition}版 CSVファイルレイアウト {kind} 項目{number}）"),
            format!(
                "{}: {en} (standard {edition}, layout of {kind}, item {number})",
                item.name_en.replace('_', " ")
            ),
        );
        (shape::of_value(value), message)
    });
}

fn rule_of(fault: ItemFault) -> RuleId {
    match fault {
        ItemFault::Required => RuleId::Required,
        ItemFault::Type | ItemFault::FullWidth => RuleId::Type,
        ItemFault::Length => RuleId::Length,
        ItemFault::Range => RuleId::Range,
        ItemFault::Code => RuleId::Code,
    }
}

fn what_and_what_to_do(item: &LayoutItem, fault: ItemFault) -> (String, String) {
    let (form_ja, form_en) = form_of(item);
    match fault {
        ItemFault::Required => (
            "は必須ですが空です。ソフトで入力してから出力し直してください。".to_owned(),
            "required, but empty. Fill it in in the software and export again.".to_owned(),
        ),
        ItemFault::FullWidth => (
            format!("に全角の文字があります。半角で入力し直して出力してください。形式：{form_ja}。"),
            format!("has full-width characters. Enter it in half width and export again. Form: {form_en}."),
        ),
        ItemFault::Type if item.item_type == ItemType::Unused => (
            "は使わない項目です。空にして出力し直してください。".to_owned(),
            "not used: leave it empty and export again.".to_owned(),
        ),
        ItemFault::Type => (
            format!("の形式が違います。形式：{form_ja}。ソフトで直して出力し直してください。"),
            format!("wrong form. Form: {form_en}. Correct it in the software and export again."),
        ),
        ItemFault::Length => (
            format!("の桁数が違います。形式：{form_ja}。ソフトで直して出力し直してください。"),
            format!("wrong length. Form: {form_en}. Correct it in the software and export again."),
        ),
        ItemFault::Range => (
            format!(
                "に実在しない日付または時刻があります。形式：{form_ja}。ソフトで直して出力し直してください。"
            ),
            format!("no such date or time. Form: {form_en}. Correct it in the software and export again."),
        ),
        ItemFault::Code => {
            let codes = || item.codes.iter().take(MAX_LISTED);
            let named = codes().map(|code| match code.name_ja {
                "" => code.value.to_owned(),
                name => format!("{}＝{name}", code.value),
            });
            let (ja, en) = (join(named, "、"), join(codes().map(|code| code.value.to_owned()), ", "));
            (
                format!(
                    "が標準仕様のコードにありません。使えるコード：{ja}。ソフトで直して出力し直してください。"
                ),
                format!(
                    "not one of the standard's codes: {en}. Correct it in the software and export again."
                ),
            )
        }
    }
}

fn join(values: impl Iterator<Item = String>, between: &str) -> String {
    values.collect::<Vec<_>>().join(between)
}

/// What the item should look like, in both languages.
fn form_of(item: &LayoutItem) -> (String, String) {
    let max = item.max_len.unwrap_or_default();
    let (length_ja, length_en) = if item.exact_len {
        (format!("{max}桁"), format!("exactly {max}"))
    } else {
        (format!("{max}桁以内"), format!("at most {max}"))
    };
    let also: Vec<&str> = item.codes.iter().map(|code| code.value).collect();
    let moment = |form: &str| {
        if also.is_empty() {
            return (format!("半角数字{form}"), format!("half-width digits {form}"));
        }
        (
            format!("半角数字{form}（または{}）", also.join("、")),
            format!("half-width digits {form} (or {})", also.join(", ")),
        )
    };
    match item.item_type {
        ItemType::Month => moment("YYYYMM"),
        ItemType::Date => moment("YYYYMMDD"),
        ItemType::Time => moment("HHMM"),
        ItemType::Integer => {
            (format!("半角の整数、{length_ja}"), format!("half-width integer, {length_en} digits"))
        }
        ItemType::Decimal => {
            ("半角の99.99（小数2桁）".to_owned(), "half-width 99.99, two decimals".to_owned())
        }
        ItemType::PostalCode => ("半角のXXX-XXXX".to_owned(), "half-width XXX-XXXX".to_owned()),
        ItemType::Alphanumeric => (
            format!("半角英数字、{length_ja}"),
            format!("half-width letters and digits, {length_en} characters"),
        ),
        ItemType::Code => {
            (format!("半角コード、{length_ja}"), format!("half-width code, {length_en} characters"))
        }
        ItemType::Text => ("文字列".to_owned(), "text".to_owned()),
        ItemType::Unused => ("空".to_owned(), "empty".to_owned()),
    }
}
