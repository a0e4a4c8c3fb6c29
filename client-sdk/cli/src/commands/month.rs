//! `tasuki progress`: plan and result of one month (予実管理), partner by partner.

use serde::Serialize;
use tasuki_careplan::month::Month;
use tasuki_sdk::month_progress::{PartnerProgress, Side, Version};

use crate::args::month::{Mark, Progress, ProgressCommand};
use crate::content::office;
use crate::exit::{Exit, Failure};
use crate::lang::{Lang, Text};
use crate::moment::utc;
use crate::output::Output;
use crate::table::Table;
use crate::words;

use super::Session;

/// One partner.
#[derive(Serialize)]
struct PartnerObject<'a> {
    office: String,
    office_name: &'a str,
    month: Month,
    /// `slips_sent`: the own plan; `slips_received`: the partner's.
    side: Side,
    slip: Option<VersionObject<'a>>,
    result: Option<VersionObject<'a>>,
    /// How results came that did not come this way: fax, mail, post.
    marked: Option<&'static str>,
    marked_at: Option<String>,
    outstanding: bool,
}

#[derive(Serialize)]
struct VersionObject<'a> {
    parcel: String,
    serial: Option<&'a str>,
    /// 1: the first; more: it was updated or corrected.
    version: u32,
    state: &'static str,
    accepted_at: Option<String>,
    corrected: bool,
    /// How many withdrawals came.
    withdrawn: u32,
}

impl<'a> VersionObject<'a> {
    fn new(version: &'a Version) -> Self {
        Self {
            parcel: version.parcel.to_string(),
            serial: version.serial.as_deref(),
            version: version.version,
            state: version.state.as_str(),
            accepted_at: version.accepted_us.map(utc),
            corrected: version.version > 1,
            withdrawn: version.withdrawn,
        }
    }
}

/// `tasuki progress YYYYMM`, `tasuki progress mark OFFICE YYYYMM --received WAY`.
pub(super) fn progress(args: &Progress, session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    match (&args.command, args.month) {
        (Some(ProgressCommand::Mark(mark)), _) => set(mark, session, out),
        (None, Some(month)) => show(month, session, out),
        (None, None) => Err(Failure::usage(
            "サービス提供年月(YYYYMM)を指定してください。",
            "name the service month, YYYYMM.",
        )),
    }
}

fn set(mark: &Mark, session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    session.client.mark_progress(mark.office, mark.month, mark.received.map(Into::into))?;
    show(mark.month, session, out)
}

fn show(month: Month, session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    let partners = session.run(session.client.month_progress(month))?;
    print(month, &partners, out)?;
    Ok(Exit::Done)
}

fn print(month: Month, partners: &[PartnerProgress], out: &mut Output) -> Result<(), Failure> {
    if out.is_json() {
        for partner in partners {
            out.object(&PartnerObject {
                office: partner.office.to_string(),
                office_name: &partner.office_name,
                month,
                side: partner.side,
                slip: partner.slip.as_ref().map(VersionObject::new),
                result: partner.result.as_ref().map(VersionObject::new),
                marked: partner.marked.map(|mark| mark.received.as_str()),
                marked_at: partner.marked.map(|mark| mark.marked_at()),
                outstanding: partner.outstanding,
            })?;
        }
        return Ok(());
    }
    let lang = out.lang();
    if partners.is_empty() {
        out.say("この月の利用票も実績もありません。", "There are no slips and no results of this month.")?;
        return Ok(());
    }
    for side in [Side::SlipsSent, Side::SlipsReceived] {
        let of_side: Vec<&PartnerProgress> = partners.iter().filter(|p| p.side == side).collect();
        if of_side.is_empty() {
            continue;
        }
        let (year, of_year) = (month.year(), month.month());
        let head = match side {
            Side::SlipsSent => Text::new(
                format!("{year}年{of_year}月分: 送った利用票と届いた実績"),
                format!("{year}-{of_year:02}: slips sent, results received"),
            ),
            Side::SlipsReceived => Text::new(
                format!("{year}年{of_year}月分: 届いた利用票と送った実績"),
                format!("{year}-{of_year:02}: slips received, results sent"),
            ),
        };
        out.line(head.of(lang))?;
        out.lines(table(&of_side, lang).lines())?;
        let outstanding = of_side.iter().filter(|partner| partner.outstanding).count();
        let total = of_side.len();
        out.say(
            &format!("{total}事業所中、実績待ち{outstanding}"),
            &format!("{total} offices, results outstanding from {outstanding}"),
        )?;
        out.line("")?;
    }
    Ok(())
}

fn table(partners: &[&PartnerProgress], lang: Lang) -> Table {
    let mut table = Table::new(&[
        lang.pick("実績", "RESULTS"),
        lang.pick("事業所", "OFFICE"),
        lang.pick("利用票", "SLIP"),
        lang.pick("実績の状態", "RESULT"),
    ]);
    for partner in partners {
        let standing = match (partner.outstanding, &partner.slip) {
            (true, _) => lang.pick("未着", "outstanding"),
            (false, Some(slip)) if !slip.stands() => lang.pick("取下げ", "withdrawn"),
            (false, None) if partner.result.is_none() && partner.marked.is_none() => "",
            (false, _) => lang.pick("済", "done"),
        };
        let result = match (&partner.result, partner.marked) {
            (Some(result), _) => version(result, lang.pick("訂正", "corrected"), lang),
            (None, Some(mark)) => by(mark.received.as_str(), lang),
            (None, None) => "-".to_owned(),
        };
        let slip = partner.slip.as_ref();
        table.row([
            standing.to_owned(),
            office(partner.office, &partner.office_name),
            slip.map_or("-".to_owned(), |slip| version(slip, lang.pick("更新", "updated"), lang)),
            result,
        ]);
    }
    table
}

/// "acknowledged (3rd version)" and the like.
fn version(version: &Version, changed: &str, lang: Lang) -> String {
    let state = words::state(version.state.as_str()).of(lang).to_owned();
    let changed = (version.version > 1).then(|| match lang {
        Lang::Ja => format!("{changed}{}回", version.version - 1),
        Lang::En => format!("{changed} {} times", version.version - 1),
    });
    let withdrawn = (version.withdrawn > 0).then(|| match lang {
        Lang::Ja => format!("取下げ{}件", version.withdrawn),
        Lang::En => format!("{} withdrawn", version.withdrawn),
    });
    let remarks: Vec<String> = [changed, withdrawn].into_iter().flatten().collect();
    match (remarks.is_empty(), lang) {
        (true, _) => state,
        (false, Lang::Ja) => format!("{state}（{}）", remarks.join("、")),
        (false, Lang::En) => format!("{state} ({})", remarks.join(", ")),
    }
}

fn by(way: &str, lang: Lang) -> String {
    let ja = match way {
        "fax" => "FAX",
        "mail" => "メール",
        _ => "郵送",
    };
    match lang {
        Lang::Ja => format!("{ja}で受領（手入力）"),
        Lang::En => format!("by {way} (marked by hand)"),
    }
}
