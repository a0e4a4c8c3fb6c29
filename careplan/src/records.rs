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

    /// The item's bytes with the quotes around it, if it has them.
    pub(crate) fn raw<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        // Before a bare item stands a comma, a line end or nothing.
        match self.start.checked_sub(1) {
            Some(before) if bytes.get(before) == Some(&b'"') => bytes.get(before..=self.end),
            _ => bytes.get(self.start..self.end),
        }
        .unwrap_or_default()
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
    /// Where the record stands in the bytes, without its line end.
    pub(crate) span: Item,
    /// Where the next record begins: behind the line end, if there is one.
    pub(crate) behind: usize,
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
        assert!((at[i] as u64) < STOPS_BELOW, "scan would not see it");
        table[at[i] as usize] = true;
        i += 1;
    }
    table
}

/// Every byte that stops a scan is less than this; digits, letters and all bytes of MS932's characters are not.
const STOPS_BELOW: u64 = 0x2D;
/// The lowest and the highest bit of each byte of a word.
const LOWEST: u64 = 0x0101_0101_0101_0101;
const HIGHEST: u64 = LOWEST << 7;

/// Index of the first byte from `at` on that stops the scan; the length if none does.
///
/// Reads eight bytes at a time: most items are shorter than that, and a look-up per byte would cost more.
fn scan(bytes: &[u8], mut at: usize, stops: &[bool; 256]) -> usize {
    while let Some(eight) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let word = u64::from_le_bytes(*eight);
        // The highest bit of each byte below STOPS_BELOW; the first one set is exact, those after it may be a borrow's.
        let below = word.wrapping_sub(LOWEST * STOPS_BELOW) & !word & HIGHEST;
        if below == 0 {
            at += eight.len();
            continue;
        }
        at += below.trailing_zeros() as usize / 8;
        if stops[usize::from(bytes[at])] {
            return at;
        }
        at += 1;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    rest.iter().position(|&byte| stops[usize::from(byte)]).map_or(bytes.len(), |n| at + n)
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
                    let span = Item { start: begin, end: self.at };
                    let blank = self.at == begin;
                    self.at += match ended {
                        Some(b'\r') => 2,
                        Some(_) => 1,
                        None => 0,
                    };
                    self.line += u64::from(ended.is_some());
                    let (items, behind) = (&self.items[..], self.at);
                    return Ok(Some(Record { line: first_line, count, items, blank, span, behind }));
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
                    return Err(SyntaxError {
                        fault: SyntaxFault::UnclosedQuote,
                        line: opened_on,
                        item: number,
                    });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Line, count and items of each record, and how it ended.
    type Walk<'a> = (Vec<(u64, u64, Vec<&'a [u8]>)>, Result<(), SyntaxError>);

    fn walk(bytes: &[u8]) -> Walk<'_> {
        let mut records = Records::new(bytes);
        let mut found = Vec::new();
        loop {
            match records.next() {
                Ok(Some(record)) => {
                    let items = record.items.iter().map(|item| item.of(bytes)).collect();
                    assert_eq!(record.blank, items == [b""] && !bytes.contains(&b'"'));
                    if record.count <= REMEMBERED_ITEMS as u64 {
                        let raw: Vec<&[u8]> = record.items.iter().map(|item| item.raw(bytes)).collect();
                        assert_eq!(raw.join(&b','), record.span.of(bytes));
                    }
                    assert!([&b""[..], b"\n", b"\r\n"].contains(&&bytes[record.span.end..record.behind]));
                    found.push((record.line, record.count, items));
                }
                Ok(None) => return (found, Ok(())),
                Err(error) => return (found, Err(error)),
            }
        }
    }

    fn fault(bytes: &[u8]) -> (SyntaxFault, u64, u64) {
        let error = walk(bytes).1.unwrap_err();
        (error.fault, error.line, error.item)
    }

    #[test]
    fn scanning_by_words_finds_what_scanning_by_bytes_finds() {
        for special in 0..=u8::MAX {
            for place in 0..24 {
                // Neighbours on both sides of STOPS_BELOW, as a borrow between bytes would show there.
                for filler in *b"0-+ \x80\xFF" {
                    let mut bytes = [filler; 24];
                    bytes[place] = special;
                    for (stops, begin) in [(&STOPS_BARE, 0), (&STOPS_QUOTED, 3)] {
                        let naive = (begin..24).find(|&at| stops[usize::from(bytes[at])]).unwrap_or(24);
                        assert_eq!(scan(&bytes, begin, stops), naive, "{bytes:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn line_ends_of_all_kinds_are_clean() {
        let two: Walk<'_> = (vec![(1, 2, vec![b"a", b"b"]), (2, 2, vec![b"c", b""])], Ok(()));
        for text in [&b"a,b\r\nc,\r\n"[..], b"a,b\nc,\n", b"a,b\nc,", b"a,b\r\nc,", b"a,b\r\nc,\n"] {
            assert_eq!(walk(text), two, "{text:?}");
        }
        assert_eq!(walk(b""), (vec![], Ok(())));
        assert_eq!(walk(b"\n\r\n"), (vec![(1, 1, vec![b"".as_slice()]), (2, 1, vec![b""])], Ok(())));
    }

    #[test]
    fn quotes_keep_commas_line_ends_and_quotes() {
        let text = b"\"a,\"\"b\"\"\r\n\nc\r\",\"\",x\r\nd";
        let first: Vec<&[u8]> = vec![b"a,\"\"b\"\"\r\n\nc\r", b"", b"x"];
        assert_eq!(walk(text), (vec![(1, 3, first), (4, 1, vec![b"d".as_slice()])], Ok(())));
    }

    #[test]
    fn faults_are_found_where_they_stand() {
        use SyntaxFault::{LoneCr, Nul, QuoteInBareItem, TextAfterQuote, UnclosedQuote};
        assert_eq!(fault(b"a,b\"c\"\n"), (QuoteInBareItem, 1, 2));
        assert_eq!(fault(b"a\na, \"c\"\n"), (QuoteInBareItem, 2, 2));
        assert_eq!(fault(b"\"a\"b\n"), (TextAfterQuote, 1, 1));
        assert_eq!(fault(b"\"\" ,b\n"), (TextAfterQuote, 1, 1));
        assert_eq!(fault(b"\"a\n\"b"), (TextAfterQuote, 2, 1));
        assert_eq!(fault(b"a\n,,\"b\nc\n"), (UnclosedQuote, 2, 3));
        assert_eq!(fault(b"\""), (UnclosedQuote, 1, 1));
        assert_eq!(fault(b"\"\"\""), (UnclosedQuote, 1, 1));
        assert_eq!(fault(b"a,\0"), (Nul, 1, 2));
        assert_eq!(fault(b"a,\"\n\0\""), (Nul, 2, 2));
        assert_eq!(fault(b"\"\"\0"), (Nul, 1, 1));
        assert_eq!(fault(b"a\rb"), (LoneCr, 1, 1));
        assert_eq!(fault(b"a\r\r\n"), (LoneCr, 1, 1));
        assert_eq!(fault(b"\"a\",\"b\"\r"), (LoneCr, 1, 2));
    }

    #[test]
    fn a_line_of_commas_is_counted_but_not_remembered() {
        let text = vec![b','; 1_000_000];
        let mut records = Records::new(&text);
        let record = records.next().unwrap().unwrap();
        assert_eq!((record.count, record.items.len()), (1_000_001, REMEMBERED_ITEMS));
        assert!(records.items.capacity() < 2 * REMEMBERED_ITEMS);
    }

    #[test]
    fn ms932_trail_bytes_that_look_like_ascii_are_content() {
        // ソ and 表 end in 5C, ポ in 7C, ァ in 40.
        let text = b"\x83\x5C,\"\x95\x5C\x83\x7C\x83\x40\",x";
        assert_eq!(walk(text).0, [(1, 3, vec![&b"\x83\x5C"[..], b"\x95\x5C\x83\x7C\x83\x40", b"x"])]);
    }
}
