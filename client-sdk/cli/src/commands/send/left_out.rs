//! Files that `send` left out because it was told to: always named, never silently.

use serde::Serialize;
use tasuki_sdk::send::select::{LeftOut, Why};

use crate::exit::Failure;
use crate::output::Output;
use crate::table::Table;

/// A file that was left out. Like other lines without a parcel, it has a path and no parcel.
#[derive(Debug, Serialize)]
struct LeftOutObject {
    parcel: Option<String>,
    recipient: String,
    state: &'static str,
    reason: &'static str,
    path: String,
}

/// Prints them.
pub(super) fn print(left_out: &[LeftOut], out: &mut Output) -> Result<(), Failure> {
    if out.is_json() {
        for left in left_out {
            out.object(&LeftOutObject {
                parcel: None,
                recipient: left.recipient.to_string(),
                state: "left_out",
                reason: left.why.as_str(),
                path: left.path.display().to_string(),
            })?;
        }
        return Ok(());
    }
    if left_out.is_empty() {
        return Ok(());
    }
    let lang = out.lang();
    let mut table = Table::new(&[
        lang.pick("除いたファイル", "LEFT OUT"),
        lang.pick("宛先", "TO"),
        lang.pick("理由", "WHY"),
    ]);
    for left in left_out {
        let why = match left.why {
            Why::OtherUnit => lang.pick("指定した送信単位ではない", "another unit than the one asked for"),
            Why::NoUnit => lang.pick("どの送信単位にも属さない", "belongs to no send unit"),
            Why::NoParcel => {
                lang.pick("添付先のファイルがすべて除かれた", "attached to files that are all left out")
            }
        };
        table.row([left.path.display().to_string(), left.recipient.to_string(), why.to_owned()]);
    }
    out.line("")?;
    out.lines(table.lines())?;
    Ok(())
}
