//! `tasuki resend`: parcels again, from the archive, as new ones.

use tasuki_sdk::ParcelName;

use crate::args::acts::Resend;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::progress::Bar;

use super::{Session, send};

/// `tasuki resend PARCEL…`, `tasuki resend --lost`.
pub(super) fn resend(args: &Resend, session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    let parcels = if args.lost { session.run(session.client.key_lost())? } else { args.parcels.clone() };
    if parcels.is_empty() {
        if !out.is_json() {
            out.say("再送する電文はありません。", "There is nothing to send again.")?;
        }
        return Ok(Exit::Done);
    }
    again(&parcels, session, out)
}

/// Sends parcels again and prints what became of them.
pub(super) fn again(parcels: &[ParcelName], session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    let bar = Bar::new(out.lang());
    let report = session.run(session.client.resend(parcels, &bar));
    bar.clear();
    send::print_resent(&report?, session, out)
}
