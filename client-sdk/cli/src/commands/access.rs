//! `tasuki access`: who did what in this office's name.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use serde::Serialize;
use tasuki_sdk::access::{Access, AccessRange};

use super::Session;
use crate::args::mandates::Access as Arguments;
use crate::exit::{Exit, Failure};
use crate::json::EventObject;
use crate::moment::japan_seconds;
use crate::output::Output;
use crate::table::shown;
use crate::words;

/// Something that was done.
#[derive(Serialize)]
struct AccessLine<'a> {
    /// `office:…`, `terminal:OFFICE:NAME`, `proxy:…`, `operator:NAME`, `operator`, or `relay`.
    by: &'a str,
    number: u64,
    parcel: Option<String>,
    #[serde(flatten)]
    event: EventObject<'a>,
}

/// `tasuki access`.
pub(super) fn access(args: &Arguments, session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    let range = AccessRange { from_us: args.from, until_us: args.to };
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut failed = None;
    let end = session.run(session.client.access(range, |access| {
        *counts.entry(access.by.clone()).or_default() += 1;
        match tell(access, out) {
            Ok(()) => ControlFlow::Continue(()),
            Err(failure) => {
                failed = Some(failure);
                ControlFlow::Break(())
            }
        }
    }))?;
    if let Some(failure) = failed {
        return Err(failure);
    }
    if !out.is_json() {
        let lang = out.lang();
        for (by, count) in &counts {
            out.line(format!("{}: {count}", shown(by)))?;
        }
        if counts.is_empty() {
            out.say(
                "この期間に、この事業所の名で行われたことはありません。",
                "Nothing was done in this office's name.",
            )?;
        }
        if end.erased > 0 {
            let erased = end.erased;
            let ja = format!("保存期間を過ぎて本文のない記録が{erased}件あります。");
            let en = format!("{erased} events are past their period as evidence and have no text any more.");
            out.line(lang.pick(&ja, &en))?;
        }
    }
    Ok(Exit::Done)
}

fn tell(access: &Access, out: &mut Output) -> Result<(), Failure> {
    let found = &access.event;
    let parcel = found.event.parcel().map(|key| key.id.to_string());
    if out.is_json() {
        let event = EventObject::new(&found.event, found.index);
        let line = AccessLine { by: &access.by, number: found.number, parcel, event };
        return Ok(out.object(&line)?);
    }
    let what = words::event(&found.event.kind);
    let what = out.lang().pick(&what.ja, &what.en).to_owned();
    let parcel = parcel.map(|id| format!("  {id}")).unwrap_or_default();
    let (when, by) = (japan_seconds(found.event.time_us), shown(&access.by));
    Ok(out.line(format!("{when}  {by}  {what}{parcel}"))?)
}
