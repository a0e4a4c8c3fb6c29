//! What a parcel holds, and who its offices are, on one line.

use tasuki_careplan::office::OfficeNumber;
use tasuki_sdk::Parcel;

use crate::lang::Text;
use crate::words;

/// What a parcel of a list holds: kind, month, create or withdraw, attachments.
pub(crate) fn of_parcel(parcel: &Parcel) -> Text {
    words::content(parcel.words(), parcel.files.len(), parcel.attachments())
}

/// An office's number with its name beside it.
pub(crate) fn office(number: OfficeNumber, name: &str) -> String {
    if name.is_empty() { number.to_string() } else { format!("{number} {name}") }
}
