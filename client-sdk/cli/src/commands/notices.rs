//! `tasuki notices`: what the operator tells.

use tasuki_sdk::notices::Notice;

use crate::args::Notices;
use crate::exit::{Exit, Failure};
use crate::output::Output;

use super::Session;

/// `tasuki notices`.
pub(super) fn notices(args: &Notices, session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    let notices = session.run(session.client.notices(args.after.unwrap_or_default().0))?;
    if out.is_json() {
        for notice in &notices {
            out.object(notice)?;
        }
    } else if notices.is_empty() {
        out.say("お知らせはありません。", "There are no notices.")?;
    } else {
        for notice in &notices {
            out.line(line(notice, out))?;
        }
    }
    Ok(Exit::Done)
}

fn line(notice: &Notice, out: &Output) -> String {
    let lang = out.lang();
    let urgent = if notice.urgent { lang.pick("【至急】", "URGENT: ") } else { "" };
    let about = match (&notice.from, &notice.until, notice.mode.as_deref()) {
        (Some(from), Some(until), _) => {
            format!("{} {from} - {until} ", lang.pick("停止予定", "planned stop"))
        }
        (Some(from), None, _) => format!("{} {from} ", lang.pick("停止中止", "no stop at")),
        (_, _, Some("receive-only")) => lang.pick("受信専用 ", "receive-only ").to_owned(),
        (_, _, Some(_)) => lang.pick("通常運用 ", "normal again ").to_owned(),
        _ => String::new(),
    };
    format!("{}  {urgent}{about}{}", notice.time, lang.pick(&notice.ja, &notice.en))
}
