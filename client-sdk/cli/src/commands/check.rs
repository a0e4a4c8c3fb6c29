//! `tasuki check`: is it as the standard says, and does it make send units?

use std::path::Path;

use serde::Serialize;
use tasuki_careplan::policy::CheckPolicy;
use tasuki_careplan::unit::SendUnit;
use tasuki_sdk::check::{CheckReport, CheckedFile, CheckedPath};
use tasuki_sdk::{Finding, Home};

use crate::args::Check;
use crate::exit::{Exit, Failure};
use crate::finding;
use crate::lang::{Lang, Text};
use crate::output::Output;
use crate::progress::Bar;
use crate::table::{Table, shown};

/// A finding, with the place of its file beside its name.
#[derive(Serialize)]
struct FindingObject<'a> {
    #[serde(flatten)]
    finding: &'a Finding,
    path: String,
}

/// What one of the paths came to.
#[derive(Serialize)]
struct SummaryObject<'a> {
    summary: bool,
    path: String,
    files: usize,
    /// Files that are none of the standard: attachments, or what lies there by chance.
    others: usize,
    errors: u64,
    warnings: u64,
    /// Findings that were counted and have no object: beyond a hundred in one file.
    omitted: u64,
    /// Whether files were held against send units: not where one file was named alone.
    units_checked: bool,
    units: Vec<UnitObject<'a>>,
}

#[derive(Serialize)]
struct UnitObject<'a> {
    unit: &'a str,
    class: &'static str,
    sender: String,
    recipient: String,
    serial: String,
    month: Option<String>,
    content_ja: String,
    content_en: String,
    files: usize,
}

/// `tasuki check PATH…`.
pub(super) fn check(args: &Check, home: Option<&Path>, out: &mut Output) -> Result<Exit, Failure> {
    // A HOME is not needed; one that is named may demand more.
    let policy = match home {
        Some(home) => CheckPolicy::default().and(&Home::open(home)?.config().checks.as_errors),
        None => CheckPolicy::default(),
    };
    let bar = Bar::new(out.lang());
    let report = tasuki_sdk::check::check_by(&policy, &args.paths, &bar);
    bar.clear();
    let report = report?;
    if report.paths.iter().all(|path| path.files.is_empty()) {
        return Err(Failure::usage("検査するファイルがありません。", "there is no file to check there."));
    }
    print(&report, out)?;
    Ok(if report.has_errors() { Exit::Rejected } else { Exit::Done })
}

fn print(report: &CheckReport, out: &mut Output) -> Result<(), Failure> {
    for path in &report.paths {
        if out.is_json() {
            for file in &path.files {
                for finding in &file.findings {
                    out.object(&FindingObject { finding, path: file.path.display().to_string() })?;
                }
            }
            out.object(&summary_object(path, report.as_units))?;
        } else {
            print_path(path, report.as_units, out)?;
        }
    }
    Ok(())
}

fn print_path(path: &CheckedPath, as_units: bool, out: &mut Output) -> Result<(), Failure> {
    let lang = out.lang();
    for file in path.files.iter().filter(|file| !file.findings.is_empty()) {
        out.line(shown(&file.path.display().to_string()))?;
        out.lines(finding::table(&file.findings, lang).lines().map(|line| format!("  {line}")))?;
        if file.omitted() > 0 {
            let more = Text::new(
                format!("  ほか{}件は表示していません。", file.omitted()),
                format!("  {} more are not shown.", file.omitted()),
            );
            out.line(more.of(lang))?;
        }
        out.line("")?;
    }
    if !path.units.is_empty() {
        out.lines(units(&path.units, lang).lines())?;
        out.line("")?;
    }
    out.line(format!("{}: {}", shown(&path.path.display().to_string()), summary(path, as_units).of(lang)))?;
    Ok(())
}

fn units(units: &[SendUnit], lang: Lang) -> Table {
    let mut table = Table::new(&[
        lang.pick("連番", "SERIAL"),
        lang.pick("送信元", "FROM"),
        lang.pick("宛先", "TO"),
        lang.pick("送信単位", "SEND UNIT"),
    ]);
    for unit in units {
        let words = unit.words();
        table.row([
            unit.address.serial.to_string(),
            unit.address.sender.to_string(),
            unit.address.recipient.to_string(),
            lang.pick(&words.ja, &words.en).to_owned(),
        ]);
    }
    table
}

fn summary(path: &CheckedPath, as_units: bool) -> Text {
    let (files, errors, warnings) = (path.files.len(), path.errors(), path.warnings());
    let others = others(&path.files);
    let mut text = Text::new(
        format!("ファイル{files}件、エラー{errors}件、警告{warnings}件。"),
        format!("{files} files, {errors} errors, {warnings} warnings."),
    );
    if others > 0 {
        text.add(
            &format!("うち{others}件は標準仕様のファイルではありません。"),
            &format!(" {others} of the files are none of the standard."),
        );
    }
    if !as_units {
        text.add(
            "1ファイルだけの検査なので、送信単位は検査していません。",
            " One file alone: send units were not checked.",
        );
    }
    text
}

fn others(files: &[CheckedFile]) -> usize {
    files.iter().filter(|file| !file.is_standard).count()
}

fn summary_object(path: &CheckedPath, as_units: bool) -> SummaryObject<'_> {
    SummaryObject {
        summary: true,
        path: path.path.display().to_string(),
        files: path.files.len(),
        others: others(&path.files),
        errors: path.errors(),
        warnings: path.warnings(),
        omitted: path.files.iter().map(CheckedFile::omitted).sum(),
        units_checked: as_units,
        units: path.units.iter().map(unit_object).collect(),
    }
}

fn unit_object(unit: &SendUnit) -> UnitObject<'_> {
    let words = unit.words();
    UnitObject {
        unit: unit.rule.id,
        class: unit.class().as_str(),
        sender: unit.address.sender.to_string(),
        recipient: unit.address.recipient.to_string(),
        serial: unit.address.serial.to_string(),
        month: unit.month.map(|month| month.to_string()),
        content_ja: words.ja,
        content_en: words.en,
        files: unit.members.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn checked(folder: &testing::Folder, lang: Lang, json: bool) -> (Exit, testing::Stream) {
        let (mut out, results, _) = Output::captured(lang, json);
        let exit = check(&Check { paths: vec![folder.path().to_owned()] }, None, &mut out).unwrap();
        (exit, results)
    }

    #[test]
    fn a_clean_unit_is_told_in_words() {
        let folder = testing::folder("check-clean", "03_slip_202602_to_visit");
        let (exit, results) = checked(&folder, Lang::Ja, false);
        let text = results.text();
        assert_eq!(exit, Exit::Done);
        assert!(text.contains("サービス利用票（第6・7表）2026年2月分 作成・更新"), "{text}");
        assert!(text.ends_with("ファイル3件、エラー0件、警告0件。\n"), "{text}");
        let (_, results) = checked(&folder, Lang::Ja, true);
        let objects = results.objects();
        assert_eq!((objects.len(), &objects[0]["units"][0]["class"]), (1, &"slip".into()));
        assert_eq!((&objects[0]["errors"], &objects[0]["units_checked"]), (&0.into(), &true.into()));
    }

    #[test]
    fn findings_have_the_keys_that_scripts_rely_on() {
        let folder = testing::folder("check-bad", "03_slip_202602_to_visit");
        let name = "UPPLAN_202602_1371215102_43_9971100012_11_20260125103000.CSV";
        std::fs::write(folder.path().join(name), "202407,１\r\n").unwrap();
        let (exit, results) = checked(&folder, Lang::En, true);
        let objects = results.objects();
        assert_eq!(exit, Exit::Rejected);
        assert_eq!((&objects[0]["file"], &objects[0]["rule"]), (&name.into(), &"ENCODING".into()));
        for key in ["line", "item", "severity", "message_ja", "message_en", "item_name_ja", "shape", "path"] {
            assert!(objects[0].get(key).is_some(), "{key}");
        }
        let last = objects.last().unwrap();
        assert_eq!((&last["summary"], &last["files"]), (&true.into(), &3.into()));
        let (_, results) = checked(&folder, Lang::En, false);
        assert!(results.text().contains("error   whole file  ENCODING"), "{}", results.text());
    }

    #[test]
    fn nothing_to_check_is_a_usage_error() {
        let folder = testing::folder("check-empty", "");
        let (mut out, _, _) = Output::captured(Lang::En, false);
        let failure = check(&Check { paths: vec![folder.path().to_owned()] }, None, &mut out).unwrap_err();
        assert_eq!(failure.exit(), Exit::Usage);
        let failure = check(&Check { paths: vec![folder.path().join("x")] }, None, &mut out).unwrap_err();
        assert_eq!(failure.exit(), Exit::Usage);
    }
}
