//! Results as a table for spreadsheets: `--csv`. With `--json` besides, programs get their objects.

use std::io;

use serde::Serialize;
use tasuki_proto::csv::row;

use super::lang::Text;
use super::output::Output;

/// Prints results as CSV rows, if that was asked for.
#[derive(Debug)]
pub(super) struct Csv {
    wanted: bool,
}

impl Csv {
    /// Begins a table with these columns.
    pub(super) fn new(wanted: bool, columns: &[&str], out: &mut Output) -> io::Result<Self> {
        if wanted {
            out.hint(&both(&row(columns)))?;
        }
        Ok(Self { wanted })
    }

    /// Prints one result: an object for programs, a row of the table, or a line for people.
    pub(super) fn result(
        &mut self,
        object: &impl Serialize,
        fields: &[&str],
        text: &Text,
        out: &mut Output,
    ) -> io::Result<()> {
        if self.wanted { out.result(object, &both(&row(fields))) } else { out.result(object, text) }
    }
}

fn both(line: &str) -> Text {
    Text::new(line, line)
}
