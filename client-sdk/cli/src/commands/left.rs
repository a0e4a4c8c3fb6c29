//! Files that a command left where they are, and why.

use serde::Serialize;
use tasuki_sdk::Finding;
use tasuki_sdk::send::plan::Unsendable;

use crate::exit::Failure;
use crate::finding;
use crate::output::Output;
use crate::table::shown;

/// A file that was left.
#[derive(Debug, Serialize)]
struct LeftObject<'a> {
    state: &'static str,
    path: String,
    findings: &'a [Finding],
}

/// Prints them, one object or paragraph each.
pub(super) fn print(left: &[Unsendable], out: &mut Output) -> Result<(), Failure> {
    for Unsendable { path, findings } in left {
        let path = path.display().to_string();
        if out.is_json() {
            out.object(&LeftObject { state: "left", path, findings })?;
        } else {
            let lang = out.lang();
            let head = lang.pick("処理していません", "left where it is");
            out.line(format!("{head}: {}", shown(&path)))?;
            out.lines(finding::lines(findings, lang).into_iter().map(|line| format!("  {line}")))?;
        }
    }
    Ok(())
}
