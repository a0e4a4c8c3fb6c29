//! `tasuki overdue`: whom this office waits for, and since when.

use serde::Serialize;
use tasuki_sdk::{ListFilter, Overdue};

use crate::args::sender;
use crate::content::{of_parcel, office};
use crate::exit::{Exit, Failure};
use crate::json::ParcelObject;
use crate::moment::{japan, utc};
use crate::output::Output;
use crate::table::Table;

use super::Session;

/// A parcel that its receiver should have fetched.
#[derive(Debug, Serialize)]
struct OverdueObject<'a> {
    #[serde(flatten)]
    parcel: ParcelObject<'a>,
    /// The office that is waited for.
    partner: String,
    partner_name: &'a str,
    waiting_since: String,
    due_at: String,
    /// The own threshold in working days; null: the relay's.
    after_days: Option<u32>,
}

/// `tasuki overdue`.
pub(super) fn overdue(args: &sender::Overdue, session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    let filter = ListFilter { partner: args.partner, month: args.month, ..ListFilter::default() };
    let late = session.run(session.client.overdue(&filter, args.after_days))?;
    print(&late, session.client.overdue_after_days(args.after_days), out)?;
    Ok(Exit::Done)
}

fn print(late: &[Overdue], after_days: Option<u32>, out: &mut Output) -> Result<(), Failure> {
    if out.is_json() {
        for Overdue { parcel, since_us, due_us } in late {
            out.object(&OverdueObject {
                parcel: ParcelObject::new(parcel).overdue(true),
                partner: parcel.recipient.to_string(),
                partner_name: &parcel.recipient_name,
                waiting_since: utc(*since_us),
                due_at: utc(*due_us),
                after_days,
            })?;
        }
        return Ok(());
    }
    if late.is_empty() {
        out.say("期日を過ぎて受信を待っている電文はありません。", "Nobody is late.")?;
        return Ok(());
    }
    let lang = out.lang();
    let mut table = Table::new(&[
        lang.pick("配達日時", "WAITS SINCE"),
        lang.pick("期日", "DUE"),
        lang.pick("宛先", "TO"),
        lang.pick("内容", "WHAT"),
        lang.pick("電文ID", "PARCEL"),
    ]);
    for Overdue { parcel, since_us, due_us } in late {
        table.row([
            japan(*since_us),
            japan(*due_us),
            office(parcel.recipient, &parcel.recipient_name),
            of_parcel(parcel).of(lang).to_owned(),
            parcel.key.id.to_string(),
        ]);
    }
    out.lines(table.lines())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::Lang;
    use crate::testing;

    fn late() -> Overdue {
        let since_us = testing::ACCEPTED_US;
        Overdue { parcel: testing::parcel(), since_us, due_us: since_us + 86_400_000_000 }
    }

    #[test]
    fn people_see_whom_they_wait_for_and_since_when() {
        let (mut out, results, _) = Output::captured(Lang::Ja, false);
        print(&[late()], Some(1), &mut out).unwrap();
        let text = results.text();
        assert!(
            text.contains(
                "2026-11-21 20:38  2026-11-22 20:38  9971100012 あおぞら訪問介護  実績 2026年2月分"
            ),
            "{text}"
        );
        let (mut out, results, _) = Output::captured(Lang::En, false);
        print(&[], None, &mut out).unwrap();
        assert_eq!(results.text(), "Nobody is late.\n");
    }

    #[test]
    fn programs_get_the_parcel_with_partner_and_times() {
        let (mut out, results, _) = Output::captured(Lang::Ja, true);
        print(&[late()], Some(1), &mut out).unwrap();
        let object = results.objects().remove(0);
        assert_eq!((&object["parcel"], &object["overdue"]), (&testing::ID.into(), &true.into()));
        assert_eq!((&object["partner"], &object["after_days"]), (&"9971100012".into(), &1.into()));
        assert_eq!(object["waiting_since"], "2026-11-21T11:38:34.000123Z");
        assert_eq!(object["due_at"], "2026-11-22T11:38:34.000123Z");
    }
}
