//! `tasuki join`: from many received files to one of each kind, or to the one-file form.

use std::path::Path;

use serde::Serialize;
use tasuki_sdk::join::{JoinOptions, JoinReport, JoinedFile};

use crate::args::Join;
use crate::exit::{Exit, Failure};
use crate::lang::Text;
use crate::output::Output;
use crate::progress::Bar;
use crate::table::{Table, shown};

use super::left;

#[derive(Serialize)]
struct FileObject {
    /// `written`, or `already_there`.
    state: &'static str,
    path: String,
    /// What it was made of; empty in the one-file form.
    sources: Vec<String>,
}

/// A file that is no part of an import.
#[derive(Serialize)]
struct BesideObject {
    state: &'static str,
    path: String,
}

/// `tasuki join PATH… --out DIR`.
pub(super) fn join(args: &Join, folder: &Path, out: &mut Output) -> Result<Exit, Failure> {
    let bar = Bar::new(out.lang());
    let options = JoinOptions { one_file: args.one_file };
    let done = tasuki_sdk::join::join(&args.paths, folder, &options, &bar);
    bar.clear();
    let report = done?;
    if report.files.is_empty() && report.problems.is_empty() {
        return Err(Failure::usage(
            "まとめる標準仕様のファイルがありません。",
            "there is no file of the standard to join there.",
        ));
    }
    print(&report, out)?;
    Ok(if report.problems.is_empty() { Exit::Done } else { Exit::Rejected })
}

fn print(report: &JoinReport, out: &mut Output) -> Result<(), Failure> {
    if out.is_json() {
        for file in &report.files {
            out.object(&object(file))?;
        }
        for path in &report.beside {
            out.object(&BesideObject { state: "beside", path: path.display().to_string() })?;
        }
        return left::print(&report.problems, out);
    }
    let lang = out.lang();
    if !report.files.is_empty() {
        let mut table = Table::new(&[lang.pick("ファイル", "FILE"), lang.pick("元の件数", "MADE OF")]);
        for file in &report.files {
            let sources =
                if file.sources.is_empty() { String::new() } else { file.sources.len().to_string() };
            table.row([file.path.display().to_string(), sources]);
        }
        out.lines(table.lines())?;
    }
    for path in &report.beside {
        let head = lang.pick("取込対象外（元の場所のまま）", "not for import, stays where it is");
        out.line(format!("{head}: {}", shown(&path.display().to_string())))?;
    }
    left::print(&report.problems, out)?;
    let text = match (report.files.len(), report.problems.len()) {
        (files, 0) => Text::new(
            format!("{files}件のファイルにまとめました。上から順に取り込んでください。"),
            format!("{files} files. Import them in this order."),
        ),
        _ => Text::new("まとめていません。何も書き込んでいません。", "Not joined; nothing was written."),
    };
    out.line(text.of(lang))?;
    Ok(())
}

fn object(file: &JoinedFile) -> FileObject {
    FileObject {
        state: if file.already_there { "already_there" } else { "written" },
        path: file.path.display().to_string(),
        sources: file.sources.iter().map(|path| path.display().to_string()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::Lang;
    use crate::testing;

    #[test]
    fn files_to_import_are_listed_in_their_order() {
        let folder = testing::folder("join", "03_slip_202602_to_visit");
        std::fs::write(folder.path().join("note.txt"), "x").unwrap();
        let out_folder = folder.path().join("out");
        let args = |one_file| Join {
            paths: vec![folder.path().to_owned()],
            out: Some(out_folder.clone()),
            one_file,
            name: None,
            code: None,
            status: false,
        };
        let (mut out, results, _) = Output::captured(Lang::Ja, true);
        assert_eq!(join(&args(true), &out_folder, &mut out).unwrap(), Exit::Done);
        let objects = results.objects();
        let made = objects[0]["path"].as_str().unwrap();
        assert!(made.ends_with("CAREPLAN_1371215102_20260125103000.CSV"), "{made}");
        assert_eq!(objects[1]["state"], "beside");
        std::fs::remove_dir_all(&out_folder).unwrap();
        let (mut out, results, _) = Output::captured(Lang::En, false);
        assert_eq!(join(&args(false), &out_folder, &mut out).unwrap(), Exit::Done);
        assert!(results.text().ends_with("3 files. Import them in this order.\n"), "{}", results.text());
    }
}
