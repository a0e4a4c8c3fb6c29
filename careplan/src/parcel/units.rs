//! `SEND_UNIT`, and the disagreements that keep files from being one unit.

use crate::check::{Message, Place, Sink};
use crate::file_name::FileName;
use crate::finding::RuleId;
use crate::kind::FileKind;
use crate::unit::{Leftover, Reason, Recognised};

/// Adds a finding to every file to blame; to the first readable one of those that make no unit.
pub(super) fn check(open: &mut [Option<&mut Sink<'_>>], names: &[(usize, FileName)], units: &Recognised) {
    for left in &units.leftovers {
        let files = left.odd.iter().filter_map(|at| names.get(*at));
        match &left.reason {
            Reason::Serials => tell(open, files, RuleId::SerialMismatch, serials),
            Reason::Services => tell(open, files, RuleId::OfficeMismatch, services),
            Reason::Months => tell(open, files, RuleId::MonthMismatch, months),
            Reason::Missing(missing) => {
                let told = || incomplete(names, left, missing);
                tell(open, first_readable(open, files).into_iter(), RuleId::SendUnit, told);
            }
            Reason::TooMuch => tell(open, files, RuleId::SendUnit, || too_much(names, left)),
        }
    }
}

fn first_readable<'n>(
    open: &[Option<&mut Sink<'_>>],
    mut files: impl Iterator<Item = &'n (usize, FileName)>,
) -> Option<&'n (usize, FileName)> {
    files.find(|(at, _)| open.get(*at).is_some_and(Option::is_some))
}

fn tell<'n, S: Into<String>>(
    open: &mut [Option<&mut Sink<'_>>],
    files: impl Iterator<Item = &'n (usize, FileName)>,
    rule: RuleId,
    told: impl Fn() -> (S, Message),
) {
    for (at, _) in files {
        if let Some(Some(sink)) = open.get_mut(*at) {
            sink.error(rule, Place::FILE, &told);
        }
    }
}

fn kinds_of(names: &[(usize, FileName)], left: &Leftover) -> String {
    let kinds =
        crate::group::kinds(left.members.iter().filter_map(|at| names.get(*at)).map(|(_, name)| name));
    list(&kinds)
}

fn list(kinds: &[FileKind]) -> String {
    kinds.iter().map(|kind| kind.prefix()).collect::<Vec<_>>().join("+")
}

fn incomplete(names: &[(usize, FileName)], left: &Leftover, missing: &[FileKind]) -> (String, Message) {
    let (there, missing) = (kinds_of(names, left), list(missing));
    let message = Message::new(
        format!(
            "標準仕様の送信単位になりません。同じ送信元・送信先・連番のファイルは{there}だけで、{missing}がありません。まとめて出力し直すか、不要なら `--skip-unneeded` で除いてください（標準仕様「送信単位」）。"
        ),
        format!(
            "No permitted send unit: with this sender, recipient and serial there is {there}, and {missing} is missing. Export \
             them together again, or leave these out with `--skip-unneeded` (standard, send units)."
        ),
    );
    (format!("{there} without {missing}"), message)
}

fn too_much(names: &[(usize, FileName)], left: &Leftover) -> (String, Message) {
    let there = kinds_of(names, left);
    let message = Message::new(
        format!(
            "送信単位に余分なファイル（{there}）があります。どれを送るか確かめ、不要なファイルを除くか `--skip-unneeded` を付けてください（標準仕様「送信単位」）。"
        ),
        format!(
            "There is a file too much for the send unit ({there}). Take it out, or leave it out with `--skip-unneeded` \
             (standard, send units)."
        ),
    );
    (format!("{there} too much"), message)
}

fn serials() -> (&'static str, Message) {
    let message = Message::new(
        "同じ送信単位のファイルと連番が違います。1つの送信単位のファイルは連番が同じです。まとめて出力し直してください（標準仕様「連番」）。",
        "The serial is not that of the other files of the send unit. All files of one unit have the same serial: export them \
         together again (standard, serial).",
    );
    ("another serial than the other files", message)
}

fn services() -> (&'static str, Message) {
    let message = Message::new(
        "同じ送信単位のファイルとサービス種類が違います。送信元・送信先のサービス種類を確かめ、まとめて出力し直してください。",
        "The service kinds in the file name are not those of the other files of the send unit: check them and export the \
         files together again.",
    );
    ("other service kinds than the other files", message)
}

fn months() -> (&'static str, Message) {
    let message = Message::new(
        "同じ送信単位のファイルと年月が違います。同じ月のファイルをまとめて出力し直してください（標準仕様：1送信単位は1か月）。",
        "The month in the file name is not that of the other files of the send unit: export the files of one month together \
         (standard: one month in a unit).",
    );
    ("another month than the other files", message)
}
