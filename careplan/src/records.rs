//! Walking CSV on raw bytes, record by record, without decoding and without copying.
//!
//! It works on MS932 as it stands: a trail byte is 40–7E or 80–FC and so is never a comma, a quote, CR, LF or
//! NUL. It works on UTF-8 for the same reason.

/// Items of one record that are remembered; the longest layout has 71. A hostile line of commas is counted to
/// its end, but takes no more memory than this.
pub(crate) const REMEMBERED_ITEMS: usize = 128;

/// Why the bytes are no CSV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SyntaxFault {
    /// A quote inside an item that does not start with one.
    QuoteInBareItem,
    /// Something other than a comma or a line end behind a closing quote.
    TextAfterQuote,
    /// The file ends inside quotes.
    UnclosedQuote,
    /// A NUL byte, in or outside quotes.
    Nul,
    /// A CR outside quotes that no LF follows.
    LoneCr,
}

/// A fault and where it stands. Lines and items are counted from 1; an unclosed quote is reported where it opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) fault: SyntaxFault,
    pub(crate) line: u64,
    pub(crate) item: u64,
}

/// One item: where its content stands in the bytes, without the quotes around it (doubled quotes inside stay).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Item {
    /// The item's bytes; `bytes` are those that were walked.
    pub(crate) fn of<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.get(self.start..self.end).unwrap_or_default()
    }
}

/// One record.
#[derive(Debug)]
pub(crate) struct Record<'r> {
    /// Number of the line on which the record begins, from 1. Line breaks inside quotes count as lines.
    pub(crate) line: u64,
    /// How many items the record has; at least 1.
    pub(crate) count: u64,
    /// The first [`REMEMBERED_ITEMS`] of them.
    pub(crate) items: &'r [Item],
    /// Nothing between two line ends.
    pub(crate) blank: bool,
}

/// Reads records one after the other. CRLF and LF end a record, so does the end of the bytes; a line break in
/// quotes (of any kind) is content.
#[derive(Debug)]
pub(crate) struct Records<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
    items: Vec<Item>,
}

/// Bytes at which scanning a bare item stops.
const STOPS_BARE: [bool; 256] = stops(b",\"\r\n\0");
/// Bytes at which scanning a quoted item stops.
const STOPS_QUOTED: [bool; 256] = stops(b"\"\n\0");

const fn stops(at: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut i = 0;
    while i < at.len() {
        table[at[i] as usize] = true;
        i += 1;
    }
    table
}

/// Index of the first byte from `at` on that stops the scan; the length if none does.
fn scan(bytes: &[u8], at: usize, stops: &[bool; 256]) -> usize {
    bytes.get(at..).unwrap_or_default().iter().position(|&byte| stops[usize::from(byte)]).map_or(bytes.len(), |n| at + n)
}

impl<'a> Records<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, line: 1, items: Vec::with_capacity(REMEMBERED_ITEMS) }
    }

    /// The next record; `None` at the end. After an error there is nothing more to read: where the next item
    /// begins would be a guess.
    pub(crate) fn next(&mut self) -> Result<Option<Record<'_>>, SyntaxError> {
        if self.at >= self.bytes.len() {
            return Ok(None);
        }
        self.items.clear();
        let first_line = self.line;
        let begin = self.at;
        let mut count = 0;
        loop {
            let item = self.read_item(count + 1)?;
            count += 1;
            if self.items.len() < REMEMBERED_ITEMS {
                self.items.push(item);
            }
            // read_item stops at a comma, at a line end or at the end of the bytes.
            match self.bytes.get(self.at) {
                Some(b',') => self.at += 1,
                ended => {
                    let blank = self.at == begin;
                    self.at += match ended {
                        Some(b'\r') => 2,
                        Some(_) => 1,
                        None => 0,
                    };
                    self.line += u64::from(ended.is_some());
                    return Ok(Some(Record { line: first_line, count, items: &self.items, blank }));
                }
            }
        }
    }

    /// Reads one item and leaves `at` on the comma, LF or CRLF behind it, or at the end.
    fn read_item(&mut self, number: u64) -> Result<Item, SyntaxError> {
        let item = if self.bytes.get(self.at) == Some(&b'"') {
            self.read_quoted(number)?
        } else {
            let start = self.at;
            self.at = scan(self.bytes, start, &STOPS_BARE);
            Item { start, end: self.at }
        };
        let fault = match self.bytes.get(self.at) {
            None | Some(b',' | b'\n') => return Ok(item),
            Some(b'\r') if self.bytes.get(self.at + 1) == Some(&b'\n') => return Ok(item),
            Some(b'\r') => SyntaxFault::LoneCr,
            Some(0) => SyntaxFault::Nul,
            Some(_) if item.end < self.at => SyntaxFault::TextAfterQuote,
            Some(_) => SyntaxFault::QuoteInBareItem,
        };
        Err(SyntaxError { fault, line: self.line, item: number })
    }

    /// Reads from an opening quote to behind its closing quote.
    fn read_quoted(&mut self, number: u64) -> Result<Item, SyntaxError> {
        let opened_on = self.line;
        let start = self.at + 1;
        let mut at = start;
        loop {
            at = scan(self.bytes, at, &STOPS_QUOTED);
            match self.bytes.get(at) {
                Some(b'"') if self.bytes.get(at + 1) == Some(&b'"') => at += 2,
                Some(b'"') => {
                    self.at = at + 1;
                    return Ok(Item { start, end: at });
                }
                Some(b'\n') => {
                    self.line += 1;
                    at += 1;
                }
                Some(_) => {
                    return Err(SyntaxError { fault: SyntaxFault::Nul, line: self.line, item: number });
                }
                None => {
                    return Err(SyntaxError { fault: SyntaxFault::UnclosedQuote, line: opened_on, item: number });
                }
            }
        }
    }
}
