//! `tasuki send`: files to their offices.

mod json;
mod left_out;
mod partners;
mod stops;
mod supersede;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tasuki_careplan::file_name::FileName;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::parcel::Software;
use tasuki_sdk::send::plan::{Plan, PlannedParcel};
use tasuki_sdk::send::{Attachment, Hold, NewPartners, ParcelReport, SendOptions, SendOutcome, SendReport};
use tasuki_sdk::{ErrorKind, Finding};

use crate::args::{NoteArg, Send};
use crate::content;
use crate::exit::{Exit, Failure};
use crate::explain;
use crate::finding;
use crate::lang::{Lang, Text};
use crate::output::Output;
use crate::progress::Bar;
use crate::table::{Table, shown};
use crate::words;

use super::Session;
use super::names::Names;
use json::{ParcelObject, UnsendableObject};

/// A parcel's fate with what people call its receiver and its content.
struct Told<'a> {
    report: &'a ParcelReport,
    recipient_name: &'a str,
    content: &'a Text,
}

/// `tasuki send PATH…`.
pub(super) fn send(args: Send, session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    let (paths, supersedes) = (args.paths.clone(), args.delivery.supersedes);
    let new_partner = args.delivery.new_partner;
    let mut plan = session.client.plan(&paths, &options(args)?)?;
    if plan.parcels.is_empty() && plan.unsendable.is_empty() {
        left_out::print(&plan.left_out, out)?;
        return Err(Failure::usage("送るファイルがありません。", "there is no file to send there."));
    }
    let reachable = partners::look(&mut plan, new_partner, session, out)?;
    stops::warn(session, out);
    // Only what is asked for by name is decided without the relay.
    let proposed = if reachable || supersedes.is_some() {
        supersede::decide(supersedes, &mut plan, session, out)?
    } else {
        Vec::new()
    };
    let contents: Vec<Text> = plan.parcels.iter().map(planned_content).collect();
    let (report, names) = session.runtime.block_on(carry(session, plan, out.lang()))?;
    let told = report.parcels.iter().zip(&contents).map(|(report, content)| Told {
        report,
        recipient_name: names.get(&report.recipient).map_or("", String::as_str),
        content,
    });
    print(&told.collect::<Vec<_>>(), &report, out)?;
    supersede::tell(&proposed, &report, out);
    Ok(report.worst().into())
}

/// Prints what became of parcels that were sent again.
pub(super) fn print_resent(
    report: &SendReport,
    session: &Session,
    out: &mut Output,
) -> Result<Exit, Failure> {
    let mut directory = Names::new(&session.client);
    let names: Vec<String> = report
        .parcels
        .iter()
        .map(|parcel| session.runtime.block_on(directory.of(parcel.recipient)))
        .collect();
    let contents: Vec<Text> = report.parcels.iter().map(resent_content).collect();
    let told = report.parcels.iter().zip(&names).zip(&contents);
    let told = told.map(|((report, recipient_name), content)| Told { report, recipient_name, content });
    print(&told.collect::<Vec<_>>(), report, out)?;
    Ok(report.worst().into())
}

/// What a parcel's files are, by their names.
fn resent_content(report: &ParcelReport) -> Text {
    let names: Vec<Option<FileName>> = report.files.iter().map(|name| FileName::parse(name).ok()).collect();
    let standard: Vec<&FileName> = names.iter().flatten().collect();
    let kinds: Vec<_> = standard.iter().map(|name| name.kind).collect();
    let months: Vec<_> = standard.iter().filter_map(|name| name.month?.month()).collect();
    let described = tasuki_careplan::words::describe(&kinds, &months);
    words::content(described, names.len(), names.len() - standard.len())
}

/// Sends, and then learns the receivers' names where the relay can be asked.
async fn carry(
    session: &Session,
    plan: Plan,
    lang: Lang,
) -> Result<(SendReport, HashMap<OfficeNumber, String>), Failure> {
    let bar = Bar::new(lang);
    let report = session.client.send(plan, &bar).await;
    bar.clear();
    let report = report?;
    let mut names = HashMap::new();
    if report.worst() != Some(ErrorKind::Unreachable) {
        let mut directory = Names::new(&session.client);
        let recipients: BTreeSet<OfficeNumber> = report.parcels.iter().map(|p| p.recipient).collect();
        for number in recipients {
            names.insert(number, directory.of(number).await);
        }
    }
    Ok((report, names))
}

fn options(args: Send) -> Result<SendOptions, Failure> {
    let mut note = None;
    let mut notes_by_office = BTreeMap::new();
    for NoteArg { office, text } in args.note {
        let doubled = match office {
            None => note.replace(text).is_some(),
            Some(office) => notes_by_office.insert(office, text).is_some(),
        };
        if doubled {
            return Err(Failure::usage(
                "--note は全体に1つ、事業所ごとに1つまでです。",
                "there can be one --note for all and one for each office.",
            ));
        }
    }
    if args.paths.is_empty() && args.attach.is_empty() && notes_by_office.is_empty() {
        return Err(Failure::usage(
            "送付状だけを送るには --note 事業所番号=本文 で宛先を指定してください。",
            "to send only a note, say to whom: --note OFFICE=TEXT.",
        ));
    }
    let attachments =
        args.attach.into_iter().map(|a| Attachment { office: a.office, path: a.file }).collect();
    let software = Software { name: "tasuki".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
    Ok(SendOptions {
        note,
        notes_by_office,
        attachments,
        again: args.again,
        unchecked: args.unchecked,
        only: args.unit,
        skip_unneeded: args.skip_unneeded,
        hold: match args.delivery.release_at {
            Some(at_us) => Some(Hold::Until(at_us)),
            None => args.delivery.hold.then_some(Hold::UntilReleased),
        },
        new_partners: if args.delivery.new_partner { NewPartners::Meant } else { NewPartners::AsConfigured },
        software,
    })
}

fn planned_content(parcel: &PlannedParcel) -> Text {
    let attachments = parcel.files.iter().filter(|f| f.standard.is_none()).count();
    words::content(parcel.words(), parcel.files.len(), attachments)
}

fn print(told: &[Told<'_>], report: &SendReport, out: &mut Output) -> Result<(), Failure> {
    if out.is_json() {
        for one in told {
            out.object(&ParcelObject::new(one.report, one.recipient_name, one.content))?;
        }
        for unsendable in &report.unsendable {
            out.object(&UnsendableObject::new(unsendable))?;
        }
        return left_out::print(&report.left_out, out);
    }
    let lang = out.lang();
    if !told.is_empty() {
        out.lines(table(told, lang).lines())?;
    }
    for one in told {
        out.lines(remarks(one, lang))?;
    }
    for unsendable in &report.unsendable {
        let head = lang.pick("送れません", "can't be sent");
        out.line(format!("\n{head}: {}", shown(&unsendable.path.display().to_string())))?;
        out.lines(indented(&unsendable.findings, lang))?;
    }
    left_out::print(&report.left_out, out)?;
    out.line("")?;
    out.line(summary(told, report).of(lang))?;
    Ok(())
}

fn table(told: &[Told<'_>], lang: Lang) -> Table {
    let mut table = Table::new(&[
        lang.pick("結果", "RESULT"),
        lang.pick("宛先", "TO"),
        lang.pick("内容", "WHAT"),
        lang.pick("電文ID", "PARCEL"),
    ]);
    for one in told {
        let report = one.report;
        let result = words::state(report.outcome.state_word());
        let already = match report.outcome {
            SendOutcome::Recorded { .. } => lang.pick("（送信済み）", " (sent before)"),
            _ => "",
        };
        table.row([
            format!("{}{already}", result.of(lang)),
            content::office(report.recipient, one.recipient_name),
            one.content.of(lang).to_owned(),
            report.parcel.map(|key| key.id.to_string()).unwrap_or_default(),
        ]);
    }
    table
}

/// Why a parcel was not accepted, and what was found in its files.
fn remarks(told: &Told<'_>, lang: Lang) -> Vec<String> {
    let report = told.report;
    let (message, findings): (Option<Text>, &[Finding]) = match &report.outcome {
        SendOutcome::Accepted { .. } | SendOutcome::Recorded { .. } => (None, &[]),
        SendOutcome::Rejected(refusal) => (Some(explain::refusal(refusal)), &refusal.findings),
        SendOutcome::Pending(error) | SendOutcome::Unproven(error) => (Some(explain::error(error)), &[]),
    };
    let mut lines = Vec::new();
    if message.is_some() || !report.warnings.is_empty() {
        lines.push(String::new());
        lines.push(shown(&content::office(report.recipient, told.recipient_name)).into_owned());
    }
    if let Some(message) = message {
        let reason = report.outcome.reason().unwrap_or_default();
        lines.push(format!("  {} [{}]", shown(message.of(lang)), shown(reason)));
    }
    lines.extend(indented(findings, lang));
    lines.extend(indented(&report.warnings, lang));
    lines
}

fn indented(findings: &[Finding], lang: Lang) -> impl Iterator<Item = String> {
    finding::lines(findings, lang).into_iter().map(|line| format!("  {line}"))
}

fn summary(told: &[Told<'_>], report: &SendReport) -> Text {
    let count = |fits: fn(&SendOutcome) -> bool| told.iter().filter(|t| fits(&t.report.outcome)).count();
    let sent = count(|o| matches!(o, SendOutcome::Accepted { .. }));
    let before = count(|o| matches!(o, SendOutcome::Recorded { .. }));
    let rejected = count(|o| matches!(o, SendOutcome::Rejected(_)));
    let waiting = count(|o| matches!(o, SendOutcome::Pending(_) | SendOutcome::Unproven(_)));
    let parts = [
        (sent, "件を送りました", "sent"),
        (before, "件は送信済みです（再送は --again）", "sent before (--again sends them as new parcels)"),
        (rejected, "件は拒否されました", "rejected"),
        (waiting, "件は未完了です（同じコマンドで再開）", "waiting (run the same again to resume)"),
        (report.unsendable.len(), "ファイルは送れません", "not sendable"),
        (report.left_out.len(), "ファイルは指定により除きました", "left out on request"),
    ];
    let parts: Vec<_> = parts.into_iter().filter(|(n, _, _)| *n > 0).collect();
    let ja: Vec<String> = parts.iter().map(|(n, ja, _)| format!("{n}{ja}")).collect();
    let en: Vec<String> = parts.iter().map(|(n, _, en)| format!("{n} {en}")).collect();
    Text::new(ja.join("。") + "。", en.join(", ") + ".")
}

#[cfg(test)]
mod tests;
