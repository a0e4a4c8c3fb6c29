//! The crate's own tables: CSV in UTF-8 under `data/`, compiled in and parsed once.

use crate::records::{Record, Records};

/// A table that is part of the crate.
///
/// Its form is an invariant of the crate, held by the tests that load every table: a header row, rows of the
/// header's length, no doubled quotes inside an item.
pub(crate) struct Table {
    header: Vec<&'static str>,
    rows: Vec<Vec<&'static str>>,
}

/// One row of a table.
pub(crate) struct Row<'t> {
    header: &'t [&'static str],
    cells: &'t [&'static str],
}

impl Table {
    pub(crate) fn parse(text: &'static str) -> Self {
        let mut records = Records::new(text.as_bytes());
        let mut rows = Vec::new();
        while let Some(record) = records.next().expect("a table of the crate is well-formed CSV") {
            rows.push(cells(text, &record));
        }
        let header = if rows.is_empty() { Vec::new() } else { rows.remove(0) };
        assert!(rows.iter().all(|row| row.len() == header.len()), "a row has as many items as the header");
        Self { header, rows }
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|cells| Row { header: &self.header, cells })
    }
}

impl Row<'_> {
    /// The item in the named column.
    pub(crate) fn get(&self, column: &str) -> &'static str {
        let at = self.header.iter().position(|name| *name == column);
        at.and_then(|at| self.cells.get(at)).expect("a table of the crate has the columns its reader names")
    }
}

fn cells(text: &'static str, record: &Record<'_>) -> Vec<&'static str> {
    record.items.iter().map(|item| &text[item.start..item.end]).collect()
}
