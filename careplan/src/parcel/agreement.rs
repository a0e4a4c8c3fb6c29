//! Does a name say what the parcel says?

use super::ParcelFacts;
use crate::check::{Message, Place, Sink};
use crate::file_name::{FileName, MonthField};
use crate::finding::RuleId;

pub(super) fn check(sink: &mut Sink<'_>, name: &FileName, facts: &ParcelFacts) {
    if facts.sender.is_some_and(|sender| sender != name.sender) {
        sink.error(RuleId::OfficeMismatch, Place::FILE, || office("送信元", "sender"));
    }
    if facts.recipient.is_some_and(|recipient| recipient != name.recipient) {
        sink.error(RuleId::OfficeMismatch, Place::FILE, || office("送信先", "recipient"));
    }
    let month = name.month.and_then(MonthField::month);
    if let (Some(of_parcel), Some(of_name)) = (facts.month, month)
        && of_parcel != of_name
    {
        sink.error(RuleId::MonthMismatch, Place::FILE, || {
            let message = Message::new(
                "ファイル名の年月が送信単位の年月と違います。月ごとに分けて送ってください。",
                "The month in the file name is not that of the parcel: send each month on its own.",
            );
            ("another month than the parcel's", message)
        });
    }
    if facts.serial.is_some_and(|serial| serial != name.serial) {
        sink.error(RuleId::SerialMismatch, Place::FILE, serial);
    }
}

/// The finding of an office that is not the parcel's.
pub(super) fn office(ja: &str, en: &str) -> (String, Message) {
    let message = Message::new(
        format!(
            "ファイル名の{ja}が、送ろうとしている{ja}と違います。別の事業所のファイルが混ざっていないか確かめてください。"
        ),
        format!("The {en} in the file name is not the parcel's: check whether another office's file got in."),
    );
    (format!("another {en} than the parcel's"), message)
}

/// The finding of a serial that is not the parcel's.
pub(super) fn serial() -> (&'static str, Message) {
    let message = Message::new(
        "ファイル名の連番が送信単位の連番と違います。1つの送信単位のファイルを一度に出力し直してください。",
        "The serial in the file name is not that of the parcel: export all files of one unit again, at once.",
    );
    ("another serial than the parcel's", message)
}
