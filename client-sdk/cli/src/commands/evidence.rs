//! `tasuki evidence`: the proof of what happened to a parcel, for the files.

use serde::Serialize;
use tasuki_careplan::month::Month;
use tasuki_careplan::office::OfficeNumber;
use tasuki_sdk::evidence::{EvidenceSource, MonthOptions, SavedEvidence, SavedMonth};

use crate::args::Evidence;
use crate::exit::{Exit, Failure};
use crate::lang::Text;
use crate::output::Output;
use crate::progress::Bar;
use crate::table::shown;

use super::Session;

#[derive(Serialize)]
struct EvidenceObject {
    parcel: String,
    sender: String,
    dir: String,
    /// Events that are proven.
    events: usize,
    /// The signed parcel itself lies in the folder.
    has_parcel: bool,
    /// `relay`, or `sent-record` where the relay does not know the parcel.
    source: &'static str,
}

#[derive(Serialize)]
struct MonthObject {
    month: Month,
    partner: Option<OfficeNumber>,
    /// The ZIP file.
    file: String,
    parcels: usize,
    /// Events that are proven.
    events: usize,
}

/// `tasuki evidence PARCEL --out DIR`, `tasuki evidence --month YYYYMM --out FILE.zip`.
pub(super) fn evidence(args: &Evidence, session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    match (&args.parcel, args.month) {
        (Some(parcel), _) => {
            let saved = session.run(session.client.save_evidence(parcel, &args.out))?;
            if let EvidenceSource::SentRecord { lost } = saved.source {
                out.remark("EVIDENCE_FROM_RECORD", &from_record(lost));
            }
            print(&saved, out)?;
        }
        (None, Some(month)) => {
            let Evidence { partner, with_parcels, .. } = *args;
            let bar = Bar::new(out.lang());
            let options = MonthOptions { month, partner, with_parcels };
            let saved = session.run(session.client.save_month(&options, &args.out, &bar));
            bar.clear();
            print_month(&saved?, partner, out)?;
        }
        (None, None) => {
            return Err(Failure::usage(
                "電文ID、または --month YYYYMM を指定してください。",
                "name a parcel, or a month with --month YYYYMM.",
            ));
        }
    }
    Ok(Exit::Done)
}

fn print_month(saved: &SavedMonth, partner: Option<OfficeNumber>, out: &mut Output) -> Result<(), Failure> {
    let SavedMonth { path, month, parcels, events } = saved;
    let file = path.display().to_string();
    if out.is_json() {
        let (month, parcels, events) = (*month, *parcels, *events);
        out.object(&MonthObject { month, partner, file, parcels, events })?;
        return Ok(());
    }
    let file = shown(&file);
    out.line(
        Text::new(
            format!("送達証明を {file} に保存しました（電文{parcels}件、出来事{events}件）。中の index.html が証明書です。"),
            format!("Saved the proof in {file} ({parcels} parcels, {events} events). Its index.html is to read."),
        )
        .of(out.lang()),
    )?;
    out.line(
        Text::new(
            format!("いつでもオフラインで検証できます: tasuki verify {file}"),
            format!("It can be verified at any time, offline: tasuki verify {file}"),
        )
        .of(out.lang()),
    )?;
    Ok(())
}

/// What to know of evidence that does not come from the relay.
fn from_record(lost: bool) -> Text {
    let (why_ja, why_en) = if lost {
        (
            "中継サーバーの記録が失われた範囲にあるため、この電文を中継サーバーは知りません。",
            "the relay does not know this parcel: it is in the range that its log has lost. ",
        )
    } else {
        (
            "受付済みのこの電文を、中継サーバーは知らないと答えました。運用主体に連絡してください。",
            "the relay says that it does not know this parcel, although it signed for it: tell the operator. ",
        )
    };
    Text::new(
        format!("{why_ja}手元に残る受付の記録から証拠を作りました。受付の後の経過は含みません。"),
        format!("{why_en}The evidence is the receipt kept here; it does not say what happened afterwards."),
    )
}

fn print(saved: &SavedEvidence, out: &mut Output) -> Result<(), Failure> {
    let dir = saved.folder.display().to_string();
    if out.is_json() {
        out.object(&EvidenceObject {
            parcel: saved.parcel.id.to_string(),
            sender: saved.parcel.sender.to_string(),
            dir,
            events: saved.events,
            has_parcel: saved.has_parcel,
            source: match saved.source {
                EvidenceSource::Relay => "relay",
                EvidenceSource::SentRecord { .. } => "sent-record",
            },
        })?;
        return Ok(());
    }
    let (dir, count) = (shown(&dir), saved.events);
    let text = Text::new(
        format!("証拠を {dir} に保存しました（出来事 {count}件）。"),
        format!("Saved the evidence in {dir} (events: {count})."),
    );
    out.line(text.of(out.lang()))?;
    let text = Text::new(
        format!("いつでもオフラインで検証できます: tasuki verify {dir}"),
        format!("It can be verified at any time, offline: tasuki verify {dir}"),
    );
    out.line(text.of(out.lang()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::Lang;
    use crate::testing;

    #[test]
    fn the_folder_is_named() {
        let saved = SavedEvidence {
            folder: "E".into(),
            parcel: testing::key(),
            events: 3,
            has_parcel: true,
            source: EvidenceSource::Relay,
        };
        let (mut out, results, _) = Output::captured(Lang::En, false);
        print(&saved, &mut out).unwrap();
        assert!(results.text().starts_with("Saved the evidence in E (events: 3).\n"));
        let (mut out, results, _) = Output::captured(Lang::En, true);
        print(&saved, &mut out).unwrap();
        let object = results.objects().remove(0);
        assert_eq!((&object["dir"], &object["parcel"]), (&"E".into(), &testing::ID.into()));
        assert_eq!(object["source"], "relay");
    }
}
