//! `VERSION` and `VERSION_MIXED`.

use super::record::Values;
use super::{Message, Sink};
use crate::edition::Edition;
use crate::file_name::{FileName, MonthField};
use crate::finding::RuleId;
use crate::kind::FileKind;
use crate::layout::{Layout, VERSION};
use crate::month::Month;

/// Length of a version value.
const LEN: usize = 6;

/// What the records so far said of their version.
pub(super) struct Versions<'a> {
    kind: FileKind,
    month: Option<Month>,
    first: Option<&'a [u8]>,
    last: &'a [u8],
    mixed: bool,
}

impl<'a> Versions<'a> {
    pub(super) fn of(name: &FileName) -> Self {
        let month = name.month.and_then(MonthField::month);
        Self { kind: name.kind, month, first: None, last: b"", mixed: false }
    }

    pub(super) fn check(&mut self, sink: &mut Sink<'_>, values: &Values<'_, 'a>) {
        if !values.is_new(VERSION) {
            return;
        }
        let version = values.at(VERSION);
        if version == self.last {
            return;
        }
        self.last = version;
        // Anything else has had its finding about type or length.
        if version.len() != LEN || !version.iter().all(u8::is_ascii_digit) {
            return;
        }
        let edition = Edition::from_version(version);
        if let Some(fault) = self.fault_of(edition) {
            sink.error(RuleId::Version, values.place(VERSION), || ("6 digits", self.message(fault)));
        }
        let first = *self.first.get_or_insert(version);
        if first != version && !std::mem::replace(&mut self.mixed, true) {
            sink.error(RuleId::VersionMixed, values.place(VERSION), || {
                let message = Message::new(
                    "1つのファイルに異なるCSVバージョンがあります。1ファイルは1つのバージョンです。サービス提供年月に合うバージョンでファイルごとに出力し直してください（標準仕様 項目1「CSVバージョン」）。",
                    "Records of one file have different CSV versions. A file has one: export again, one file for each version \
                     (standard, item 1 of every layout).",
                );
                ("another version than in the records before", message)
            });
        }
    }

    fn fault_of(&self, edition: Option<Edition>) -> Option<Fault> {
        let Some(edition) = edition else { return Some(Fault::Unknown) };
        if Layout::of(self.kind, edition).is_none() {
            return Some(Fault::NotInEdition(edition));
        }
        match self.month {
            Some(month) if Edition::of_month(month) != Some(edition) => Some(Fault::NotOfMonth(month)),
            _ => None,
        }
    }

    fn message(&self, fault: Fault) -> Message {
        let known = |or: &str| {
            let editions =
                Edition::ALL.into_iter().filter(|edition| Layout::of(self.kind, *edition).is_some());
            let one = |edition: Edition| {
                let first = edition.first_month();
                format!("{} ({edition}: {}-{:02}-)", edition.version(), first.year(), first.month())
            };
            editions.map(one).collect::<Vec<_>>().join(or)
        };
        match fault {
            Fault::Unknown => Message::new(
                format!(
                    "CSVバージョンが標準仕様のものではありません。使えるバージョン：{}。ソフトを最新にして出力し直してください（標準仕様 項目1）。",
                    known("、")
                ),
                format!(
                    "The CSV version is none of the standard's: {}. Update the software and export again (standard, item 1).",
                    known(", ")
                ),
            ),
            Fault::NotInEdition(edition) => Message::new(
                format!(
                    "このCSVバージョンの標準仕様（{edition}版）に{}はありません。使えるバージョン：{}。",
                    self.kind,
                    known("、")
                ),
                format!(
                    "Edition {edition}, which this CSV version names, has no {}. Use {}.",
                    self.kind,
                    known(", ")
                ),
            ),
            Fault::NotOfMonth(month) => {
                let right = Edition::of_month(month).map(|edition| (edition.version(), edition));
                let (year, month) = (month.year(), month.month());
                let ja = right.map_or_else(
                    || "その月のバージョンは対応していません。".to_owned(),
                    |(version, edition)| format!("正しいバージョンは{version}（{edition}版）です。"),
                );
                let en = right.map_or_else(
                    || "No version of that month is known.".to_owned(),
                    |(version, edition)| format!("The right one is {version} (edition {edition})."),
                );
                Message::new(
                    format!(
                        "CSVバージョンがサービス提供年月（{year}年{month}月）のものではありません。{ja}ソフトの設定を確かめて出力し直してください（標準仕様 項目1）。"
                    ),
                    format!(
                        "The CSV version is not the one for the service month {year}-{month:02}. {en} Check the software's \
                         settings and export again (standard, item 1)."
                    ),
                )
            }
        }
    }
}

/// Why a version value of six digits is wrong.
#[derive(Clone, Copy)]
enum Fault {
    Unknown,
    NotInEdition(Edition),
    NotOfMonth(Month),
}
