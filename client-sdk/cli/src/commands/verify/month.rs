//! `tasuki verify FILE.zip`: the proof of a month.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;
use tasuki_careplan::month::Month;
use tasuki_careplan::office::OfficeNumber;
use tasuki_sdk::verify::{MonthReport, Proven, VerifyWarning};

use super::{object, trust, what};
use crate::exit::Failure;
use crate::moment::japan_seconds;
use crate::output::Output;
use crate::table::{Table, shown};

/// The proof of a month is known by its name; a parcel is a ZIP file as well.
pub(super) fn is_zip(path: &Path) -> bool {
    path.is_file() && path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("zip"))
}

/// The proof of a month, behind its parcels.
#[derive(Serialize)]
struct MonthObject {
    path: String,
    verified: bool,
    month: Month,
    office: OfficeNumber,
    parcels: usize,
    /// The page says what the evidence says.
    page: bool,
}

pub(super) fn print(path: &Path, report: &MonthReport, out: &mut Output) -> Result<(), Failure> {
    if out.is_json() {
        for parcel in &report.parcels {
            out.object(&object(path, parcel))?;
        }
        out.object(&MonthObject {
            path: path.display().to_string(),
            verified: true,
            month: report.month,
            office: report.office,
            parcels: report.parcels.len(),
            page: true,
        })?;
        return Ok(());
    }
    let lang = out.lang();
    let count = report.parcels.len();
    out.say(
        &format!("検証できました: 電文{count}件の証拠と、index.html の内容が証拠のとおりであること。"),
        &format!(
            "It verifies: the evidence of {count} parcels, and that index.html says what the evidence says."
        ),
    )?;
    let mut table = Table::new(&[
        lang.pick("電文ID", "PARCEL"),
        lang.pick("送信元", "FROM"),
        lang.pick("宛先", "TO"),
        lang.pick("最後の出来事", "LAST EVENT"),
        lang.pick("日時", "WHEN"),
    ]);
    for parcel in &report.parcels {
        let logged = parcel.proofs.iter().rev().find(|proof| matches!(proof.what, Proven::Logged(_)));
        table.row([
            parcel.parcel.id.to_string(),
            parcel.parcel.sender.to_string(),
            parcel.recipient.to_string(),
            logged.map(|proof| what(proof).of(lang).to_owned()).unwrap_or_default(),
            logged.map(|proof| japan_seconds(proof.time_us)).unwrap_or_default(),
        ]);
    }
    out.lines(table.lines())?;
    if let Some(parcel) = report.parcels.first() {
        out.line("")?;
        out.lines(trust(&parcel.trust, lang))?;
    }
    let warnings: BTreeSet<&str> = report
        .parcels
        .iter()
        .flat_map(|parcel| &parcel.warnings)
        .map(|VerifyWarning { ja, en }| lang.pick(ja, en))
        .collect();
    for warning in warnings {
        out.line(format!("{}: {}", lang.pick("注意", "note"), shown(warning)))?;
    }
    Ok(())
}
