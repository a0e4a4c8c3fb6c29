//! Aligned columns, and text of others made safe for a terminal.

use std::borrow::Cow;

use unicode_width::UnicodeWidthStr;

/// Space between two columns.
const GAP: usize = 2;

/// Columns under a header, aligned by what they take on a screen: a kanji takes two places.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with a header.
    pub(crate) fn new(header: &[&str]) -> Self {
        Self { rows: vec![header.iter().map(|&cell| cell.to_owned()).collect()] }
    }

    /// A table without one.
    pub(crate) fn bare() -> Self {
        Self::default()
    }

    /// Adds a row. Cells are shown with [`shown`].
    pub(crate) fn row<C: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = C>) {
        self.rows.push(cells.into_iter().map(|cell| shown(cell.as_ref()).into_owned()).collect());
    }

    /// The lines, without space at their ends.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widest =
            |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|c| c.width()).max();
        let widths: Vec<usize> = (0..columns).map(|column| widest(column).unwrap_or(0)).collect();
        self.rows.iter().map(move |row| {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.width()) + GAP));
            }
            line.truncate(line.trim_end().len());
            line
        })
    }
}

/// Text on one line, with nothing in it that moves a terminal's cursor, changes its colours, or turns the direction
/// of writing: names, notes and messages come from other offices.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_unsafe) {
        text.chars().map(|c| if is_unsafe(c) { '\u{fffd}' } else { c }).collect()
    } else {
        text.into()
    }
}

/// The lines of a text, each made safe as by [`shown`].
pub(crate) fn shown_lines(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    text.lines().map(|line| shown(line.trim_end()))
}

fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_their_width_on_the_screen() {
        let mut table = Table::new(&["番号", "名前", "状態"]);
        table.row(["1371215102", "ひかり居宅介護支援", "delivered"]);
        table.row(["9971100012", "ABC ｶﾀｶﾅ", "取得済"]);
        table.row(["9971100020"]);
        assert_eq!(
            table.lines().collect::<Vec<_>>(),
            [
                "番号        名前                状態",
                "1371215102  ひかり居宅介護支援  delivered",
                "9971100012  ABC ｶﾀｶﾅ            取得済",
                "9971100020",
            ]
        );
        assert_eq!(Table::bare().lines().count(), 0);
    }

    #[test]
    fn names_of_others_can_not_command_the_terminal() {
        let mut table = Table::bare();
        table.row(["a\u{1b}[2Jb", "c\nd", "x\u{202e}gpj.exe"]);
        assert_eq!(table.lines().next().unwrap(), "a\u{fffd}[2Jb  c\u{fffd}d  x\u{fffd}gpj.exe");
        assert_eq!(shown_lines("一行目\r\n\u{9b}31m").collect::<Vec<_>>(), ["一行目", "\u{fffd}31m"]);
        assert!(matches!(shown("髙﨑 ①～"), Cow::Borrowed(_)));
    }
}
