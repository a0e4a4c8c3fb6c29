//! `ENCODING`.

use super::{Message, Place, Sink};
use crate::file_name::{FileName, MonthField};
use crate::finding::RuleId;
use crate::layout::Layout;
use crate::ms932::{Fault, Faults};

/// Byte order marks, with the names of what they mark. UTF-32's begins with UTF-16's.
const BYTE_ORDER_MARKS: [(&[u8], &str); 3] =
    [(b"\xEF\xBB\xBF", "UTF-8 BOM"), (b"\xFF\xFE", "UTF-16 BOM"), (b"\xFE\xFF", "UTF-16 BOM")];

/// Whether the content is MS932; if not, findings say where.
pub(super) fn check(sink: &mut Sink<'_>, name: &FileName, bytes: &[u8]) -> bool {
    if let Some(other) = other_encoding(bytes) {
        sink.error(RuleId::Encoding, Place::FILE, || {
            let message = Message::new(
                "文字コードがMS932（Shift_JIS）ではありません。ソフトの出力設定をMS932・BOMなしにして出力し直してください。",
                "The character encoding is not MS932 (Shift_JIS). Set the software to MS932 without BOM and export again.",
            );
            (other, message)
        });
        return false;
    }
    let mut clean = true;
    let mut follower = Follower::start(bytes);
    let mut layout = None;
    for (offset, fault) in Faults::of(bytes) {
        if clean {
            clean = false;
            layout = layout_of_first_record(name, bytes);
        }
        // Where it stands is only worth finding out for what is told: following all of them would cost a second pass.
        if sink.is_full_of_errors() {
            sink.error::<&str>(RuleId::Encoding, Place::FILE, || describe(fault));
            continue;
        }
        follower.advance_to(offset);
        let place = Place {
            line: Some(follower.line),
            item: Some(follower.item),
            item_name_ja: layout.and_then(|layout| layout.item_name_ja(follower.item)),
        };
        sink.error(RuleId::Encoding, place, || describe(fault));
    }
    clean
}

/// What the whole text is, if it is evidently not MS932.
///
/// Text that is UTF-8 and has a character of three or more bytes, as all kana and kanji have, is taken for UTF-8 even
/// where it would pass as MS932: MS932 text with kana or everyday kanji is never UTF-8, since their lead bytes (81 to
/// 9F) are continuation bytes there. Half-width katakana alone can be both, and count as MS932.
fn other_encoding(bytes: &[u8]) -> Option<&'static str> {
    if let Some((_, name)) = BYTE_ORDER_MARKS.iter().find(|(mark, _)| bytes.starts_with(mark)) {
        return Some(name);
    }
    let text = std::str::from_utf8(bytes).ok()?;
    text.bytes().any(|byte| byte >= 0xE0).then_some("UTF-8")
}

fn describe(fault: Fault) -> (&'static str, Message) {
    match fault {
        Fault::NoCharacter => (
            "bytes that are no MS932 character",
            Message::new(
                "MS932の文字ではないバイトがあります。ファイルが壊れているか、文字コードが違います。MS932で出力し直してください。",
                "There are bytes that are no MS932 character: the file is damaged or in another encoding. Export it again \
                 in MS932.",
            ),
        ),
        Fault::UserDefined => (
            "user-defined character",
            Message::new(
                "外字（ユーザー定義文字）は使えません。送信先では別の文字になります。標準の文字に置き換えて出力し直してください。",
                "User-defined characters (gaiji) are not allowed: the recipient would see another character. Replace it \
                 with a standard one and export again.",
            ),
        ),
    }
}

/// The layout that names the items, by the version value with which the file begins; none if it doesn't decide.
fn layout_of_first_record(name: &FileName, bytes: &[u8]) -> Option<&'static Layout> {
    // No version is as long as a line of hostile length.
    let start = bytes.get(..bytes.len().min(16)).unwrap_or_default();
    let version = start.split(|byte| *byte == b',').next().unwrap_or_default();
    match Layout::for_version(name.kind, version, name.month.and_then(MonthField::month))[..] {
        [layout] => Some(layout),
        _ => None,
    }
}

/// Follows an offset through the CSV, to tell line and item. Quotes are only toggled: in a damaged file that is
/// as good a guess as any.
struct Follower<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
    item: u64,
    quoted: bool,
}

impl<'a> Follower<'a> {
    fn start(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, line: 1, item: 1, quoted: false }
    }

    fn advance_to(&mut self, offset: usize) {
        for byte in self.bytes.get(self.at..offset).unwrap_or_default() {
            match byte {
                b'"' => self.quoted = !self.quoted,
                b',' if !self.quoted => self.item += 1,
                b'\n' => {
                    self.line += 1;
                    if !self.quoted {
                        self.item = 1;
                    }
                }
                _ => {}
            }
        }
        self.at = offset;
    }
}
