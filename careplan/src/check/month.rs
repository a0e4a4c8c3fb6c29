//! `MONTH_MISMATCH` and `MONTH_MIXED`: the month of the records.

use super::record::Values;
use super::{Message, Sink};
use crate::file_name::FileName;
use crate::finding::RuleId;
use crate::judge::judge;

/// What the records so far said of their month.
pub(super) struct Months<'a> {
    /// The month of the name as six digits, `000000` for plan documents; empty where the name has none.
    of_name: String,
    first: Option<&'a [u8]>,
    last: &'a [u8],
    mixed: bool,
}

impl<'a> Months<'a> {
    pub(super) fn of(name: &FileName) -> Self {
        let of_name = name.month.map(|month| month.to_string()).unwrap_or_default();
        Self { of_name, first: None, last: b"", mixed: false }
    }

    pub(super) fn check(&mut self, sink: &mut Sink<'_>, values: &Values<'_, 'a>) {
        let Some(at) = values.layout().roles.month.filter(|at| values.is_new(*at)) else { return };
        let month = values.at(at);
        if month == self.last {
            return;
        }
        self.last = month;
        // What is no month has had its finding.
        if values.layout().items.get(at).is_none_or(|item| month.is_empty() || judge(item, month).is_some()) {
            return;
        }
        if month != self.of_name.as_bytes() {
            sink.error(RuleId::MonthMismatch, values.place(at), || {
                let message = Message::new(
                    "サービス提供年月がファイル名の年月と違います。利用者の年月を確かめ、月ごとに出力し直してください（標準仕様：1ファイルは1か月、年月はファイル名と同じ）。",
                    "The service month is not that of the file name. Check the month and export again, one file for each month \
                     (standard: one month in a file, the same as in its name).",
                );
                ("another month than in the file name", message)
            });
        }
        let first = *self.first.get_or_insert(month);
        if first != month && !std::mem::replace(&mut self.mixed, true) {
            sink.error(RuleId::MonthMixed, values.place(at), || {
                let message = Message::new(
                    "1つのファイルに複数の年月があります。月ごとに分けて出力し直してください（標準仕様：1ファイルは1か月）。",
                    "The file has more than one service month. Export again, one file for each month (standard: one month \
                     in a file).",
                );
                ("another month than in the records before", message)
            });
        }
    }
}
