//! What commands print: text for people, or one JSON object a line.

use std::io::Write as _;

use serde::Serialize;

/// Where results go. Errors go to standard error, in the same form.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    json: bool,
}

#[derive(Serialize)]
struct Problem<'a> {
    error: &'a str,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    /// One result.
    pub(super) fn line(self, object: &impl Serialize, text: &str) {
        let line = if self.json { to_json(object) } else { text.to_owned() };
        // Nobody reads any more: `| head` is no error of ours.
        let _closed = writeln!(std::io::stdout().lock(), "{line}");
    }

    /// Something for people only.
    pub(super) fn hint(self, text: &str) {
        if !self.json {
            let _closed = writeln!(std::io::stdout().lock(), "{text}");
        }
    }

    /// Why the command failed.
    pub(super) fn error(self, text: &str) {
        let line =
            if self.json { to_json(&Problem { error: text }) } else { format!("tasuki-relay: {text}") };
        let _closed = writeln!(std::io::stderr().lock(), "{line}");
    }
}

fn to_json(object: &impl Serialize) -> String {
    serde_json::to_string(object).expect("results are structs of strings and numbers")
}
