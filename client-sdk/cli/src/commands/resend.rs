//! `tasuki resend`: parcels again, from the archive, as new ones.

use tasuki_proto::reason;
use tasuki_sdk::Parcel;
use tasuki_sdk::send::ResendReport;

use crate::args::acts::Resend;
use crate::content::office;
use crate::exit::{Exit, Failure};
use crate::lang::Text;
use crate::output::Output;
use crate::progress::Bar;

use super::watch::waiting_text;
use super::{Session, send};

/// `tasuki resend PARCEL…`, `tasuki resend --lost`.
pub(super) fn resend(args: &Resend, session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    if !args.lost {
        let bar = Bar::new(out.lang());
        let report = session.run(session.client.resend(&args.parcels, &bar));
        bar.clear();
        return send::print_resent(&report?, session, out);
    }
    let (exit, found) = lost(session, out)?;
    if !found && !out.is_json() {
        out.say("再送する電文はありません。", "There is nothing to send again.")?;
    }
    Ok(exit)
}

/// Sends again what receivers could not open, each parcel once, and prints what became of it. What waits for a new key, and what
/// is not in the archive any more, is remarked. Also returns whether there was anything of the kind.
pub(super) fn lost(session: &Session, out: &mut Output) -> Result<(Exit, bool), Failure> {
    let bar = Bar::new(out.lang());
    let report = session.run(session.client.resend_lost(&bar));
    bar.clear();
    let report = report?;
    let ResendReport { sent, waiting, not_archived, .. } = &report;
    let mut exit = if sent.parcels.is_empty() { Exit::Done } else { send::print_resent(sent, session, out)? };
    for parcel in waiting {
        out.remark("KEY_LOST_WAITING", &about(parcel, &waiting_text()));
    }
    for parcel in not_archived {
        let known = reason::explain(reason::NOT_ARCHIVED);
        out.remark(reason::NOT_ARCHIVED, &about(parcel, &Text::new(known.ja, known.en)));
        exit = exit.max(Exit::Rejected);
    }
    let found = !(sent.parcels.is_empty() && waiting.is_empty() && not_archived.is_empty());
    Ok((exit, found))
}

fn about(parcel: &Parcel, text: &Text) -> Text {
    let head = format!("{} {}", office(parcel.recipient, &parcel.recipient_name), parcel.key.id);
    Text::new(format!("{head}: {}", text.ja), format!("{head}: {}", text.en))
}
