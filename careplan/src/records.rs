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

/// Every byte that ends or opens something is less than this; digits, letters and all bytes of MS932's characters are not.
const STOPS_BELOW: u64 = 0x2D;
/// The lowest and the highest bit of each byte of a word.
const LOWEST: u64 = 0x0101_0101_0101_0101;
const HIGHEST: u64 = LOWEST << 7;

/// The highest bit of each byte of the word that is below [`STOPS_BELOW`].
const fn low_bytes(word: u64) -> u64 {
    // Adding to seven bits can't carry into the next byte.
    let not_below = (word & !HIGHEST) + LOWEST * (0x80 - STOPS_BELOW);
    !(not_below | word) & HIGHEST
}

/// The word at this place; behind the end of the bytes it is filled with what stops nothing.
fn word_at(bytes: &[u8], at: usize) -> u64 {
    match bytes.get(at..).and_then(<[u8]>::first_chunk) {
        Some(eight) => u64::from_le_bytes(*eight),
        None => last_word(bytes.get(at..).unwrap_or_default()),
    }
}

#[cold]
fn last_word(rest: &[u8]) -> u64 {
    let mut eight = [0xFF; 8];
    for (to, from) in eight.iter_mut().zip(rest) {
        *to = *from;
    }
    u64::from_le_bytes(eight)
}

/// Index of the first byte from `at` on that stops a quoted item; the length if none does.
fn scan_quoted(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() {
        let mut below = low_bytes(word_at(bytes, at));
        while below != 0 {
            let place = at + below.trailing_zeros() as usize / 8;
            if bytes.get(place).is_some_and(|byte| STOPS_QUOTED[usize::from(*byte)]) {
                return place;
            }
            below &= below - 1;
        }
        at += 8;
    }
    bytes.len()
}

impl<'a> Records<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, line: 1, items: Vec::with_capacity(REMEMBERED_ITEMS) }
    }

    /// The next record; `None` at the end. After an error there is nothing more to read: where the next item
    /// begins would be a guess.
    ///
    /// Bytes are read eight at a time, and all that may end an item in such a word are gone through before the next:
    /// most items are shorter than a word, many are empty, and a look-up per byte or a start per item would cost more.
    pub(crate) fn next(&mut self) -> Result<Option<Record<'_>>, SyntaxError> {
        let bytes = self.bytes;
        let begin = self.at;
        if begin >= bytes.len() {
            return Ok(None);
        }
        self.items.clear();
        let line = self.line;
        let mut count = 0;
        // The item's start, and its content if it stood in quotes: then nothing may follow but its end.
        let mut start = begin;
        let mut quoted: Option<Item> = None;
        let mut word_start = begin;
        let mut below = low_bytes(word_at(bytes, begin));
        loop {
            let at = if below != 0 {
                let at = word_start + below.trailing_zeros() as usize / 8;
                below &= below - 1;
                at
            } else {
                word_start += 8;
                if word_start < bytes.len() {
                    below = low_bytes(word_at(bytes, word_start));
                    continue;
                }
                bytes.len()
            };
            let byte = bytes.get(at).copied();
            match byte {
                None | Some(b',' | b'\n' | b'\r' | 0) => {}
                Some(b'"') if at == start => {
                    let (item, behind) = self.read_quoted(at, count + 1)?;
                    // What stands behind the closing quote is looked at now, since it may stop nothing.
                    if !matches!(bytes.get(behind), None | Some(b',' | b'\n' | b'\r' | 0)) {
                        return Err(self.error(SyntaxFault::TextAfterQuote, count + 1));
                    }
                    quoted = Some(item);
                    start = behind;
                    word_start = behind;
                    below = low_bytes(word_at(bytes, behind));
                    continue;
                }
                Some(b'"') => return Err(self.error(SyntaxFault::QuoteInBareItem, count + 1)),
                Some(_) => continue,
            }
            let item = quoted.take().unwrap_or(Item { start, end: at });
            count += 1;
            let behind = match byte {
                Some(b',') => {
                    self.remember(item);
                    start = at + 1;
                    continue;
                }
                None => at,
                Some(b'\n') => at + 1,
                Some(b'\r') if bytes.get(at + 1) == Some(&b'\n') => at + 2,
                Some(0) => return Err(self.error(SyntaxFault::Nul, count)),
                Some(_) => return Err(self.error(SyntaxFault::LoneCr, count)),
            };
            self.remember(item);
            self.at = behind;
            self.line += u64::from(byte.is_some());
            let span = Item { start: begin, end: at };
            let (items, blank) = (&self.items[..], at == begin);
            return Ok(Some(Record { line, count, items, blank, span, behind }));
        }
    }

    fn remember(&mut self, item: Item) {
        if self.items.len() < REMEMBERED_ITEMS {
            self.items.push(item);
        }
    }

    fn error(&self, fault: SyntaxFault, item: u64) -> SyntaxError {
        SyntaxError { fault, line: self.line, item }
    }

    /// Reads from an opening quote; gives the content, and where it goes on behind the closing quote.
    fn read_quoted(&mut self, opening: usize, number: u64) -> Result<(Item, usize), SyntaxError> {
        let opened_on = self.line;
        let start = opening + 1;
        let mut at = start;
        loop {
            at = scan_quoted(self.bytes, at);
            match self.bytes.get(at) {
                Some(b'"') if self.bytes.get(at + 1) == Some(&b'"') => at += 2,
                Some(b'"') => return Ok((Item { start, end: at }, at + 1)),
                Some(b'\n') => {
                    self.line += 1;
                    at += 1;
                }
                Some(_) => return Err(self.error(SyntaxFault::Nul, number)),
                None => {
                    let fault = SyntaxFault::UnclosedQuote;
                    return Err(SyntaxError { fault, line: opened_on, item: number });
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
                    assert_eq!(record.blank, record.span.of(bytes).is_empty());
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
    fn low_bytes_are_exactly_those_below() {
        for byte in 0..=u8::MAX {
            for place in 0..8 {
                // Neighbours on both sides of STOPS_BELOW.
                for filler in *b"\0,-.\x7F\x80\xFF" {
                    let mut eight = [filler; 8];
                    eight[place] = byte;
                    let expected = eight.map(|byte| if u64::from(byte) < STOPS_BELOW { 0x80 } else { 0 });
                    assert_eq!(low_bytes(u64::from_le_bytes(eight)).to_le_bytes(), expected, "{eight:?}");
                }
            }
        }
    }

    /// What the walk must find, byte by byte and without any cleverness.
    fn naive(bytes: &[u8]) -> (usize, Vec<Vec<&[u8]>>, Option<SyntaxFault>) {
        let (mut records, mut record, mut at) = (Vec::new(), Vec::new(), 0);
        if bytes.is_empty() {
            return (0, records, None);
        }
        loop {
            let start = at;
            let item = if bytes.get(at) == Some(&b'"') {
                at += 1;
                loop {
                    match bytes.get(at) {
                        Some(b'"') if bytes.get(at + 1) == Some(&b'"') => at += 2,
                        Some(b'"') => break,
                        Some(0) => return (at, records, Some(SyntaxFault::Nul)),
                        Some(_) => at += 1,
                        None => return (at, records, Some(SyntaxFault::UnclosedQuote)),
                    }
                }
                at += 1;
                if !matches!(bytes.get(at), None | Some(b',' | b'\n' | b'\r' | 0)) {
                    return (at, records, Some(SyntaxFault::TextAfterQuote));
                }
                &bytes[start + 1..at - 1]
            } else {
                while !matches!(bytes.get(at), None | Some(b',' | b'\n' | b'\r' | 0 | b'"')) {
                    at += 1;
                }
                &bytes[start..at]
            };
            record.push(item);
            match bytes.get(at) {
                Some(b',') => at += 1,
                Some(0) => return (at, records, Some(SyntaxFault::Nul)),
                Some(b'"') => return (at, records, Some(SyntaxFault::QuoteInBareItem)),
                Some(b'\r') if bytes.get(at + 1) != Some(&b'\n') => {
                    return (at, records, Some(SyntaxFault::LoneCr));
                }
                end => {
                    records.push(std::mem::take(&mut record));
                    at += if end == Some(&b'\r') { 2 } else { 1 };
                    if at >= bytes.len() {
                        return (at, records, None);
                    }
                }
            }
        }
    }

    #[test]
    fn the_walk_finds_what_a_naive_one_finds() {
        let mut state = 0x7A5C_0021_u64;
        let mut below = |bound: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % bound).unwrap()
        };
        for _ in 0..100_000 {
            let bytes: Vec<u8> = (0..below(40)).map(|_| b"\"\",,\n\r\na0 -\x83\x5C\0"[below(14)]).collect();
            let (_, records, fault) = naive(&bytes);
            let (walked, end) = walk(&bytes);
            let walked: Vec<Vec<&[u8]>> = walked.into_iter().map(|(_, _, items)| items).collect();
            assert_eq!((walked, end.err().map(|error| error.fault)), (records, fault), "{bytes:?}");
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
