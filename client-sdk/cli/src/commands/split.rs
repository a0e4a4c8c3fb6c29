//! `tasuki split`: from everything that was exported to a folder for each parcel.

use serde::Serialize;
use tasuki_careplan::serial::Serial;
use tasuki_sdk::split::{Dropped, SplitOptions, SplitParcel, SplitReport};
use tasuki_sdk::{Clock as _, SystemClock};

use crate::args::Split;
use crate::exit::{Exit, Failure};
use crate::lang::Text;
use crate::moment;
use crate::output::Output;
use crate::progress::Bar;
use crate::table::Table;

use super::left;

#[derive(Serialize)]
struct ParcelObject<'a> {
    /// `written`, or `already_there`.
    state: &'static str,
    folder: String,
    sender: String,
    recipient: String,
    serial: String,
    files: &'a [String],
    content_ja: &'a str,
    content_en: &'a str,
}

/// Only with `--drop-misdirected`.
#[derive(Serialize)]
struct DroppedObject {
    dropped_users: usize,
    dropped_records: usize,
}

/// `tasuki split PATH… --out DIR`.
pub(super) fn split(args: &Split, out: &mut Output) -> Result<Exit, Failure> {
    let drop_misdirected = if args.drop_misdirected { Some(present()?) } else { None };
    let bar = Bar::new(out.lang());
    let done = tasuki_sdk::split::split(&args.paths, &args.out, &SplitOptions { drop_misdirected }, &bar);
    bar.clear();
    let (report, dropped) = done?;
    if report.parcels.is_empty() && report.left.is_empty() && dropped.users == 0 {
        return Err(Failure::usage("分けるファイルがありません。", "there is no file to split there."));
    }
    print(&report, args.drop_misdirected.then_some(dropped), out)?;
    Ok(if report.left.is_empty() { Exit::Done } else { Exit::Rejected })
}

/// The serial of now.
fn present() -> Result<Serial, Failure> {
    let now = moment::serial(SystemClock.now_us());
    now.parse().map_err(|_| {
        Failure::usage(
            "この端末の日時が正しくありません。",
            "this computer's clock shows no time that can be a serial.",
        )
    })
}

fn print(report: &SplitReport, dropped: Option<Dropped>, out: &mut Output) -> Result<(), Failure> {
    if out.is_json() {
        for parcel in &report.parcels {
            out.object(&object(parcel))?;
        }
        if let Some(Dropped { users, records }) = dropped {
            out.object(&DroppedObject { dropped_users: users, dropped_records: records })?;
        }
        return left::print(&report.left, out);
    }
    let lang = out.lang();
    if !report.parcels.is_empty() {
        let mut table = Table::new(&[
            lang.pick("フォルダー", "FOLDER"),
            lang.pick("ファイル", "FILES"),
            lang.pick("内容", "WHAT"),
        ]);
        for parcel in &report.parcels {
            let words = lang.pick(&parcel.words.ja, &parcel.words.en);
            let folder = parcel.folder.display().to_string();
            table.row([folder, parcel.files.len().to_string(), words.to_owned()]);
        }
        out.lines(table.lines())?;
    }
    left::print(&report.left, out)?;
    let (made, left) = (report.parcels.len(), report.left.len());
    let mut text = Text::new(format!("{made}件の電文に分けました。"), format!("{made} parcels."));
    if let Some(Dropped { users, records }) = dropped {
        text.add(
            &format!("宛先違いの利用者{users}人（{records}件のレコード）を除きました。"),
            &format!(" {users} misdirected users were taken out ({records} records)."),
        );
    }
    if left > 0 {
        text.add(&format!("{left}件は処理していません。"), &format!(" {left} left."));
    }
    out.line(text.of(lang))?;
    Ok(())
}

fn object(parcel: &SplitParcel) -> ParcelObject<'_> {
    ParcelObject {
        state: if parcel.already_there { "already_there" } else { "written" },
        folder: parcel.folder.display().to_string(),
        sender: parcel.sender.to_string(),
        recipient: parcel.recipient.to_string(),
        serial: parcel.serial.to_string(),
        files: &parcel.files,
        content_ja: &parcel.words.ja,
        content_en: &parcel.words.en,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::Lang;
    use crate::testing;

    #[test]
    fn parcels_are_listed_and_what_was_left_is_named() {
        let folder = testing::folder("split", "03_slip_202602_to_visit");
        std::fs::write(folder.path().join("memo.txt"), "x").unwrap();
        let args = |drop_misdirected| Split {
            paths: vec![folder.path().to_owned()],
            out: folder.path().join("out"),
            drop_misdirected,
        };
        let (mut out, results, _) = Output::captured(Lang::Ja, true);
        assert_eq!(split(&args(false), &mut out).unwrap(), Exit::Rejected);
        let objects = results.objects();
        assert_eq!(
            (&objects[0]["state"], &objects[0]["serial"]),
            (&"written".into(), &"20260125103000".into())
        );
        assert_eq!(
            (&objects[1]["state"], &objects[1]["findings"][0]["rule"]),
            (&"left".into(), &"NO_PARCEL".into())
        );

        std::fs::remove_file(folder.path().join("memo.txt")).unwrap();
        let (mut out, results, _) = Output::captured(Lang::En, false);
        assert_eq!(split(&args(true), &mut out).unwrap(), Exit::Done);
        let text = results.text();
        assert!(text.ends_with("1 parcels. 0 misdirected users were taken out (0 records).\n"), "{text}");
    }
}
