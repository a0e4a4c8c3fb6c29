//! `tasuki proxy DIR`: a transmission proxy sends and receives for all offices that let it act.
//!
//! `DIR/out/` is one heap of files of all offices, told apart by the sender in their names, or holds a folder for each office, `out/OFFICE/`.
//! What was accepted goes to `DIR/done/OFFICE/`, what the checks refuse for good to `DIR/error/OFFICE/` with a `.reason.json` beside each
//! file; all else stays, and is told. What was received lies in `DIR/in/OFFICE/`. Running it again after a crash sends nothing twice.

mod bar;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tasuki_careplan::office::OfficeNumber;
use tasuki_sdk::error::ConfigError;
use tasuki_sdk::proxy::{Left, OfficeReport, Proxy, RoundLock, RoundOptions, RoundReport, Stop};
use tasuki_sdk::send::NewPartners;
use tasuki_sdk::{SdkError, SystemClock};

use crate::args::Global;
use crate::args::mandates::Proxy as Arguments;
use crate::exit::{Exit, Failure};
use crate::explain;
use crate::lang::Text;
use crate::output::Output;
use crate::table::shown;

use super::watch::asked_to_stop;
use bar::RoundBar;

/// Without `--once`, files that changed within this time are left for the next round: somebody may still be copying them.
const QUIET: Duration = Duration::from_secs(10);

/// Exit code of a process that was interrupted, by the custom of shells.
const INTERRUPTED: i32 = 130;

/// What became of one office's files.
#[derive(Serialize)]
struct OfficeObject<'a> {
    office: String,
    name: &'a str,
    /// Files that were to be sent.
    files: usize,
    /// Parcels that the relay has.
    accepted: usize,
    rejected: usize,
    /// Parcels that are sent with the next run.
    pending: usize,
    /// Parcels that were received, and signed for where the office lets the proxy do that.
    received: usize,
    /// Files that went to `error/OFFICE/`.
    to_error: usize,
    /// Why parcels were not sent or received: stable words, each once.
    reasons: &'a [String],
}

impl<'r> OfficeObject<'r> {
    fn of(report: &'r OfficeReport) -> Self {
        Self {
            office: report.office.to_string(),
            name: &report.name,
            files: report.files,
            accepted: report.accepted,
            rejected: report.rejected,
            pending: report.pending,
            received: report.received,
            to_error: report.to_error,
            reasons: &report.reasons,
        }
    }
}

/// A file that is left where it lies.
#[derive(Serialize)]
struct LeftObject<'a> {
    /// Its name in `out/`, with its folder where it lies in one.
    left: &'a str,
    reason: &'a str,
}

/// The sum, as the last object.
#[derive(Serialize)]
struct TotalsObject {
    totals: Sum,
}

#[derive(Serialize)]
struct Sum {
    offices: usize,
    files: usize,
    accepted: usize,
    rejected: usize,
    pending: usize,
    received: usize,
    to_error: usize,
    left: usize,
    /// It was asked to end before every office had its turn.
    stopped: bool,
}

/// `tasuki proxy`.
pub(super) fn proxy(args: &Arguments, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
    let runtime = super::runtime()?;
    let home = super::home_folder(global)?;
    let proxy = {
        let _inside = runtime.enter();
        Proxy::open(&home, Arc::new(SystemClock))?
    };
    let lock = proxy.lock().map_err(|error| match error {
        SdkError::Config(ConfigError::Locked(_)) => busy(),
        error => error.into(),
    })?;
    let stop = Stop::default();
    runtime.spawn(stop_when_asked(stop.clone()));
    runtime.block_on(rounds(&proxy, &lock, args, &stop, out))
}

fn busy() -> Failure {
    Failure::Stopped(
        "PROXY_BUSY",
        Text::new(
            "同じHOMEで別の tasuki proxy が動いています。終わってから実行してください。",
            "Another `tasuki proxy` works with this HOME. Run it again once that one has ended.",
        ),
    )
}

/// Once: what is at work is brought to its end. Twice: at once, which loses nothing either.
async fn stop_when_asked(stop: Stop) {
    asked_to_stop().await;
    stop.ask();
    asked_to_stop().await;
    std::process::exit(INTERRUPTED);
}

async fn rounds(
    proxy: &Proxy,
    lock: &RoundLock,
    args: &Arguments,
    stop: &Stop,
    out: &mut Output,
) -> Result<Exit, Failure> {
    let every = Duration::from_mins(u64::from(args.every));
    loop {
        match round(proxy, lock, args, stop, out).await {
            ended if args.once => return ended,
            // What passes does not end a proxy that works on and on; the next round tries again.
            Err(Failure::Sdk(error @ SdkError::Unreachable(_))) => out.notice(&explain::error(&error)),
            ended => drop(ended?),
        }
        tokio::select! {
            () = stop.asked() => return Ok(Exit::Done),
            () = tokio::time::sleep(every) => {}
        }
    }
}

async fn round(
    proxy: &Proxy,
    lock: &RoundLock,
    args: &Arguments,
    stop: &Stop,
    out: &mut Output,
) -> Result<Exit, Failure> {
    let new_partners = if args.new_partner { NewPartners::Meant } else { NewPartners::AsConfigured };
    let quiet = (!args.once).then_some(QUIET);
    let options = RoundOptions { new_partners, quiet, hand_over: args.hand_over, stop: stop.clone() };
    let bar = RoundBar::new(out.lang());
    let report = proxy.round(lock, &args.folder, &options, &bar).await;
    bar.clear();
    let report = report?;
    print(&report, out)?;
    let exit = report.worst().into();
    // Some offices had no turn: the same again gives them one.
    Ok(if report.stopped { Exit::Unreachable.max(exit) } else { exit })
}

fn print(report: &RoundReport, out: &mut Output) -> Result<(), Failure> {
    for left in &report.left {
        tell_left(left, out)?;
    }
    for office in &report.offices {
        if out.is_json() {
            out.object(&OfficeObject::of(office))?;
        } else if !office.is_idle() {
            tell(office, out)?;
        }
    }
    let totals = report.totals();
    if out.is_json() {
        let sum = Sum {
            offices: totals.offices,
            files: totals.files,
            accepted: totals.accepted,
            rejected: totals.rejected,
            pending: totals.pending,
            received: totals.received,
            to_error: totals.to_error,
            left: report.left.len(),
            stopped: report.stopped,
        };
        out.object(&TotalsObject { totals: sum })?;
        return Ok(());
    }
    let (offices, files, left) = (totals.offices, totals.files, report.left.len());
    let counts = (totals.accepted, totals.rejected, totals.pending, totals.received);
    let (ja, en) = told(counts, totals.to_error);
    out.say(
        &format!("合計: {offices}事業所、ファイル{files}件（そのままにしたもの{left}件）、{ja}"),
        &format!("total: {offices} offices, {files} files ({left} left), {en}"),
    )?;
    if report.stopped {
        out.say(
            "中断しました。もう一度実行すると続きから再開します。",
            "It was interrupted; run the same again to go on.",
        )?;
    }
    Ok(())
}

/// Counts as words: accepted, rejected, pending, received; files in `error/`.
fn told(counts: (usize, usize, usize, usize), to_error: usize) -> (String, String) {
    let (accepted, rejected, pending, received) = counts;
    let ja = format!("送信 {accepted}件、拒否 {rejected}件、未送信 {pending}件、受信 {received}件");
    let en = format!("{accepted} sent, {rejected} rejected, {pending} pending, {received} received");
    if to_error == 0 {
        return (ja, en);
    }
    (format!("{ja}、error/ に移したファイル {to_error}件"), format!("{en}, {to_error} files moved to error/"))
}

fn tell(office: &OfficeReport, out: &mut Output) -> Result<(), Failure> {
    let counts = (office.accepted, office.rejected, office.pending, office.received);
    let (ja, en) = told(counts, office.to_error);
    let (number, name, reasons): (OfficeNumber, _, _) =
        (office.office, shown(&office.name), office.reasons.join(" "));
    out.say(
        format!("{number} {name}: {ja} {reasons}").trim_end(),
        format!("{number} {name}: {en} {reasons}").trim_end(),
    )?;
    Ok(())
}

fn tell_left(left: &Left, out: &mut Output) -> Result<(), Failure> {
    let file = left.file.strip_prefix("out/").unwrap_or(&left.file);
    let reason = left.reason.as_str();
    if out.is_json() {
        out.object(&LeftObject { left: file, reason })?;
        return Ok(());
    }
    let (ja, en) = match reason {
        "NOT_STANDARD" => ("標準仕様のファイル名ではないため", "its name is none of the standard's"),
        "NOT_A_FILE" => ("ファイルではないため", "it is no file"),
        "OTHER_OFFICE" => ("別の事業所のフォルダーにあるため", "it lies in another office's folder"),
        "STILL_CHANGING" => {
            ("書き込み中の可能性があるため", "it, or a file that goes with it, may still be being copied")
        }
        tasuki_proto::reason::MANDATE_MISSING | tasuki_proto::reason::MANDATE_SCOPE => (
            "送信の委任を受けた事業所のファイルではないため",
            "no file of an office that lets this proxy send",
        ),
        _ => ("このままでは送信できないため", "it can't be sent as it is"),
    };
    let file = shown(file);
    out.say(
        &format!("{file}: {ja}、そのままにしました [{reason}]"),
        &format!("{file}: left, {en} [{reason}]"),
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use tasuki_sdk::error::ErrorKind;

    use super::*;
    use crate::lang::Lang;

    fn office(number: &str, accepted: usize) -> OfficeReport {
        OfficeReport {
            office: number.parse().unwrap(),
            name: "ひまわり\u{1b}訪問介護".to_owned(),
            files: accepted * 3,
            accepted,
            rejected: 0,
            pending: 0,
            received: 0,
            to_error: 0,
            reasons: Vec::new(),
            worst: None,
        }
    }

    fn report() -> RoundReport {
        let refused = OfficeReport {
            rejected: 1,
            to_error: 3,
            reasons: vec!["FILES_REJECTED".to_owned()],
            worst: Some(ErrorKind::Rejected),
            ..office("9971100012", 2)
        };
        let left = Left { file: "out/memo.txt".to_owned(), reason: "NOT_STANDARD".to_owned() };
        let offices = vec![office("1371215102", 1), refused, office("9971100020", 0)];
        RoundReport { offices, left: vec![left], stopped: false }
    }

    #[test]
    fn programs_get_every_office_and_the_totals_last() {
        let (mut out, results, _) = Output::captured(Lang::Ja, true);
        print(&report(), &mut out).unwrap();
        let objects = results.objects();
        assert_eq!(
            (&objects[0]["left"], &objects[0]["reason"]),
            (&"memo.txt".into(), &"NOT_STANDARD".into())
        );
        assert_eq!(objects.len(), 5);
        assert_eq!(objects[2]["reasons"], serde_json::json!(["FILES_REJECTED"]));
        let totals = &objects[4]["totals"];
        let count = |key: &str| totals[key].as_u64().unwrap();
        assert_eq!(
            ["offices", "files", "accepted", "rejected", "to_error", "left"].map(count),
            [3, 9, 3, 1, 3, 1]
        );
        assert_eq!(report().worst(), Some(ErrorKind::Rejected));
    }

    #[test]
    fn people_see_who_had_something_and_the_totals() {
        let (mut out, results, _) = Output::captured(Lang::En, false);
        print(&RoundReport { stopped: true, ..report() }, &mut out).unwrap();
        let text = results.text();
        assert_eq!(text.lines().count(), 5, "{text}");
        assert!(text.contains("memo.txt: left, its name is none of the standard's [NOT_STANDARD]"), "{text}");
        assert!(!text.contains("9971100020") && !text.contains('\u{1b}'), "{text}");
        assert!(text.contains("total: 3 offices, 9 files (1 left), 3 sent, 1 rejected"), "{text}");
        assert!(text.ends_with("run the same again to go on.\n"), "{text}");
    }
}
