//! `tasuki inbox` and `tasuki sent`: parcels, one to a line.

use tasuki_sdk::declare::RefusalReason;
use tasuki_sdk::{Clock as _, ListFilter, Overdue, Parcel, State, SystemClock};

use crate::args::acts::{Filters, Inbox, Sent, Sort};
use crate::content::{of_parcel, office};
use crate::exit::{Exit, Failure};
use crate::json::ParcelObject;
use crate::lang::{Lang, Text};
use crate::moment::japan;
use crate::output::Output;
use crate::table::Table;
use crate::words;

use super::Session;

/// Which of the two lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum List {
    Inbox,
    Sent,
}

/// `tasuki inbox`: what waits.
pub(super) fn inbox(args: &Inbox, session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    let mut filter = filter(&args.filters);
    if filter.states.is_empty() && !args.all && !args.filters.superseded {
        filter.states = ListFilter::waiting().states;
    }
    if !args.all && !args.filters.superseded {
        filter.superseded = Some(false);
    }
    let parcels = session.run(session.client.list_received(&filter))?;
    print(List::Inbox, &chosen(List::Inbox, parcels, &args.filters), &Parcel::is_overdue, out)
}

/// `tasuki sent`: what was sent and where it stands.
pub(super) fn sent(args: &Sent, session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    let resent = if args.auto_resend { super::resend::lost(session, out)?.0 } else { Exit::Done };
    let days = session.client.overdue_after_days(None);
    let filter = filter(&args.filters);
    let parcels = match days {
        Some(_) if args.filters.overdue => overdue_by_own_threshold(&filter, session)?,
        _ => session.run(session.client.list_sent(&filter))?,
    };
    let parcels = chosen(List::Sent, parcels, &args.filters);
    let now_us = SystemClock.now_us();
    let late = |parcel: &Parcel| match days {
        Some(days) => Overdue::after(parcel, days, now_us).is_some(),
        None => parcel.is_overdue(),
    };
    print(List::Sent, &parcels, &late, out)?;
    offer_resend(&parcels, out);
    Ok(resent)
}

/// What was sent and is overdue by the HOME's own threshold, newest first. Nothing of it is superseded.
fn overdue_by_own_threshold(filter: &ListFilter, session: &Session) -> Result<Vec<Parcel>, Failure> {
    let other = !filter.states.is_empty() && !filter.states.contains(&State::Delivered);
    if other || filter.superseded == Some(true) {
        return Ok(Vec::new());
    }
    let late = session.run(session.client.overdue(filter, None))?;
    Ok(late.into_iter().rev().map(|overdue| overdue.parcel).collect())
}

fn filter(filters: &Filters) -> ListFilter {
    ListFilter {
        states: if filters.unread { vec![State::Delivered] } else { filters.state.clone() },
        partner: filters.partner,
        month: filters.month,
        kind: filters.kind.clone(),
        superseded: filters.superseded.then_some(true),
        overdue: filters.overdue.then_some(true),
    }
}

/// Sorts, and cuts one page out.
fn chosen(list: List, mut parcels: Vec<Parcel>, filters: &Filters) -> Vec<Parcel> {
    let partner = |parcel: &Parcel| match list {
        List::Inbox => (parcel.key.sender, parcel.sender_name.clone()),
        List::Sent => (parcel.recipient, parcel.recipient_name.clone()),
    };
    match filters.sort {
        Sort::Time => {}
        Sort::Number => parcels.sort_by_key(|parcel| partner(parcel).0),
        Sort::Name => parcels.sort_by_cached_key(|parcel| partner(parcel).1),
    }
    let Some(size) = filters.page_size else { return parcels };
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let before = size.saturating_mul(usize::try_from(filters.page - 1).unwrap_or(usize::MAX));
    parcels.into_iter().skip(before).take(size).collect()
}

/// Parcels whose receivers have lost their keys can be sent again.
fn offer_resend(parcels: &[Parcel], out: &mut Output) {
    let lost = parcels.iter().filter(|parcel| {
        parcel.marks.refusal == Some(RefusalReason::KeyLost) && parcel.marks.superseded_by.is_none()
    });
    let lost = lost.count();
    if lost > 0 {
        out.remark(
            "KEY_LOST",
            &Text::new(
                format!("{lost}件は宛先の鍵が失われて開けませんでした。tasuki resend --lost で再送できます。"),
                format!("{lost} could not be opened: the receivers' keys are lost. Send them again: tasuki resend --lost."),
            ),
        );
    }
}

/// Whether a parcel is overdue, by whosever threshold.
type Late<'l> = &'l dyn Fn(&Parcel) -> bool;

fn print(list: List, parcels: &[Parcel], late: Late<'_>, out: &mut Output) -> Result<Exit, Failure> {
    if out.is_json() {
        for parcel in parcels {
            out.object(&ParcelObject::new(parcel).overdue(late(parcel)))?;
        }
    } else if parcels.is_empty() {
        match list {
            List::Inbox => out.say("受信を待っている電文はありません。", "Nothing waits to be received.")?,
            List::Sent => out.say("送った電文はありません。", "Nothing was sent yet.")?,
        }
    } else {
        out.lines(table(list, parcels, late, out).lines())?;
    }
    Ok(Exit::Done)
}

fn table(list: List, parcels: &[Parcel], late: Late<'_>, out: &Output) -> Table {
    let lang = out.lang();
    let partner = match list {
        List::Inbox => lang.pick("送信元", "FROM"),
        List::Sent => lang.pick("宛先", "TO"),
    };
    let mut table = Table::new(&[
        lang.pick("日時", "WHEN"),
        lang.pick("状態", "STATE"),
        partner,
        lang.pick("内容", "WHAT"),
        lang.pick("電文ID", "PARCEL"),
    ]);
    for parcel in parcels {
        let partner = match list {
            List::Inbox => office(parcel.key.sender, &parcel.sender_name),
            List::Sent => office(parcel.recipient, &parcel.recipient_name),
        };
        table.row([
            latest(list, parcel).map(japan).unwrap_or_default(),
            state(parcel, late(parcel), lang),
            partner,
            of_parcel(parcel).of(lang).to_owned(),
            parcel.key.id.to_string(),
        ]);
    }
    table
}

/// The state with what is special about it.
fn state(parcel: &Parcel, overdue: bool, lang: Lang) -> String {
    let marks = &parcel.marks;
    let refusal = marks.refusal.map(|reason| words::refusal(reason).of(lang).to_owned());
    let release = marks.release_us.map(|us| format!("{}{}", lang.pick("〜", "until "), japan(us)));
    let remarks = [
        refusal,
        release,
        overdue.then(|| lang.pick("期日超過", "overdue").to_owned()),
        marks.superseded_by.map(|_| lang.pick("差替済", "superseded").to_owned()),
        marks.urgent.then(|| lang.pick("至急", "urgent").to_owned()),
    ];
    let remarks: Vec<String> = remarks.into_iter().flatten().collect();
    let state = words::state(parcel.state.as_str());
    if remarks.is_empty() {
        return state.of(lang).to_owned();
    }
    match lang {
        Lang::Ja => format!("{}（{}）", state.of(lang), remarks.join("、")),
        Lang::En => format!("{} ({})", state.of(lang), remarks.join(", ")),
    }
}

/// An inbox is about when something arrived, a list of what was sent about when its state was reached.
fn latest(list: List, parcel: &Parcel) -> Option<i64> {
    match list {
        List::Inbox => parcel.marks.delivered_us.or(parcel.accepted_us),
        List::Sent => {
            parcel.marks.ended_us.or(parcel.acknowledged_us).or(parcel.fetched_us).or(parcel.accepted_us)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn printed(list: List, parcels: &[Parcel], lang: Lang) -> String {
        let (mut out, results, _) = Output::captured(lang, false);
        assert_eq!(print(list, parcels, &Parcel::is_overdue, &mut out).unwrap(), Exit::Done);
        results.text()
    }

    #[test]
    fn people_see_names_kinds_and_months() {
        assert_eq!(
            printed(List::Inbox, &[testing::parcel()], Lang::Ja),
            "日時              状態    送信元                               内容                       電文ID\n\
             2026-11-21 20:38  取得済  1371215102 ひかり居宅介護支援事業所  実績 2026年2月分、添付1件  \
             0193a3f0-8a1b-7c2d-8e3f-000000000000\n"
        );
        assert_eq!(
            printed(List::Sent, &[testing::parcel()], Lang::En),
            "WHEN              STATE    TO                           WHAT                               PARCEL\n\
             2026-11-21 20:39  fetched  9971100012 あおぞら訪問介護  results for 2026-02, 1 attachment  \
             0193a3f0-8a1b-7c2d-8e3f-000000000000\n"
        );
    }

    #[test]
    fn an_empty_list_says_so_to_people_and_nothing_to_programs() {
        assert_eq!(printed(List::Inbox, &[], Lang::En), "Nothing waits to be received.\n");
        assert_eq!(printed(List::Sent, &[], Lang::Ja), "送った電文はありません。\n");
        let (mut out, results, _) = Output::captured(Lang::Ja, true);
        assert_eq!(print(List::Inbox, &[], &Parcel::is_overdue, &mut out).unwrap(), Exit::Done);
        assert_eq!(results.text(), "");
    }

    #[test]
    fn programs_get_one_object_per_parcel() {
        let (mut out, results, _) = Output::captured(Lang::Ja, true);
        let parcels = [testing::parcel(), testing::parcel()];
        print(List::Sent, &parcels, &|_| true, &mut out).unwrap();
        let objects = results.objects();
        assert_eq!(objects.len(), 2);
        assert_eq!((&objects[0]["parcel"], &objects[0]["state"]), (&testing::ID.into(), &"fetched".into()));
        assert_eq!(objects[0]["overdue"], true, "by the threshold that was given");
    }
}
