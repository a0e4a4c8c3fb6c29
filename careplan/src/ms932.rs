//! MS932, the encoding of the standard's files: text to bytes, and whether bytes are MS932, found without decoding them.
//!
//! Which byte pairs are characters is asked of `encoding_rs` once per process; after that a check is one look-up per
//! character, several times faster than decoding.

mod encode;

use std::borrow::Cow;
use std::sync::LazyLock;

use encoding_rs::{Encoding, SHIFT_JIS};

pub use encode::{Missing, NotMs932, encode, replace};

/// What stands where no MS932 character stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Bytes that are no character.
    NoCharacter,
    /// A user-defined character (外字, lead bytes F0 to F9): it looks different on every machine, and the standard
    /// forbids it.
    UserDefined,
}

/// The characters of MS932, as one bit per byte and per pair of bytes.
struct Characters {
    /// Which bytes stand alone.
    single: [bool; 256],
    /// Bit `trail % 64` of word `lead * 4 + trail / 64`: whether the pair is a character, and no user-defined one.
    pairs: Vec<u64>,
}

static CHARACTERS: LazyLock<Characters> = LazyLock::new(|| {
    let mut characters = Characters { single: [false; 256], pairs: vec![0; 1024] };
    for first in 0..=u8::MAX {
        characters.single[usize::from(first)] = decode(&[first]).is_some();
        for trail in (0..=u8::MAX).filter(|_| is_lead(first)) {
            // A pair that decodes to two characters is none: its second byte stands for itself.
            if decode(&[first, trail]).is_some_and(|character| !is_private_use(character)) {
                characters.pairs[usize::from(first) * 4 + usize::from(trail / 64)] |= 1 << (trail % 64);
            }
        }
    }
    characters
});

/// The one character that the bytes are.
fn decode(bytes: &[u8]) -> Option<char> {
    let text = SHIFT_JIS.decode_without_bom_handling_and_without_replacement(bytes)?;
    let mut characters = text.chars();
    characters.next().filter(|_| characters.next().is_none())
}

const fn is_lead(byte: u8) -> bool {
    matches!(byte, 0x81..=0x9F | 0xE0..=0xFC)
}

/// `encoding_rs` decodes MS932's user-defined characters to the private use area.
fn is_private_use(character: char) -> bool {
    ('\u{E000}'..='\u{F8FF}').contains(&character)
}

/// The text of MS932 bytes; `None` if one of them is no character, or a user-defined one (外字).
///
/// ```
/// use tasuki_careplan::ms932::decode_text;
/// assert_eq!(decode_text(b"\x82\xa0A").as_deref(), Some("あA"));
/// assert_eq!(decode_text(b"\xf0\x40"), None);
/// ```
pub fn decode_text(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let clean = Faults::of(bytes).next().is_none();
    clean.then(|| SHIFT_JIS.decode_without_bom_handling(bytes).0)
}

/// Finds every place that is no MS932 character, with its offset.
///
/// A lead byte without its trail is one fault, and the byte behind it is read anew, as `encoding_rs` does for ASCII:
/// a damaged character doesn't swallow a comma.
pub(crate) struct Faults<'a> {
    bytes: &'a [u8],
    at: usize,
    characters: &'static Characters,
}

impl<'a> Faults<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, characters: &CHARACTERS }
    }
}

impl Iterator for Faults<'_> {
    type Item = (usize, Fault);

    fn next(&mut self) -> Option<Self::Item> {
        let mut at = self.at;
        let fault = loop {
            let &first = self.bytes.get(at)?;
            if first.is_ascii() {
                at += Encoding::ascii_valid_up_to(&self.bytes[at..]);
                continue;
            }
            if self.characters.single[usize::from(first)] {
                at += 1;
                continue;
            }
            let trail = self.bytes.get(at + 1).copied().unwrap_or(0);
            let word = self.characters.pairs[usize::from(first) * 4 + usize::from(trail / 64)];
            if word >> (trail % 64) & 1 == 0 {
                break (at, fault_of(first, trail));
            }
            at += 2;
        };
        self.at = at + if fault.1 == Fault::UserDefined { 2 } else { 1 };
        Some(fault)
    }
}

fn fault_of(first: u8, trail: u8) -> Fault {
    if decode(&[first, trail]).is_some_and(is_private_use) { Fault::UserDefined } else { Fault::NoCharacter }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(bytes: &[u8]) -> Vec<(usize, Fault)> {
        Faults::of(bytes).collect()
    }

    /// What `encoding_rs` says of the same bytes.
    fn oracle_accepts(bytes: &[u8]) -> bool {
        SHIFT_JIS
            .decode_without_bom_handling_and_without_replacement(bytes)
            .is_some_and(|text| !text.chars().any(is_private_use))
    }

    #[test]
    fn every_byte_and_every_pair_and_what_follows_is_as_encoding_rs_says() {
        for first in 0..=u8::MAX {
            assert_eq!(faults(&[first]).is_empty(), oracle_accepts(&[first]), "{first:02X}");
            for second in 0..=u8::MAX {
                for bytes in
                    [&[first, second][..], &[first, second, b','], &[b'"', first, second, 0x82, 0xA0]]
                {
                    assert_eq!(faults(bytes).is_empty(), oracle_accepts(bytes), "{bytes:02X?}");
                }
            }
        }
    }

    #[test]
    fn characters_that_plain_shift_jis_converters_break_are_clean() {
        let (bytes, _, replaced) = SHIFT_JIS.encode("①髙﨑～∥－Ⅳ㈱ﾃｽﾄ");
        assert!(!replaced);
        assert_eq!(faults(&bytes), []);
    }

    #[test]
    fn faults_are_found_where_they_stand() {
        assert_eq!(faults(b"ab\x82"), [(2, Fault::NoCharacter)]);
        assert_eq!(faults(b"a\x82,\xFFb\x82\xA0"), [(1, Fault::NoCharacter), (3, Fault::NoCharacter)]);
        assert_eq!(faults(b"\xF0\x40\xF9\xFCa"), [(0, Fault::UserDefined), (2, Fault::UserDefined)]);
    }

    #[test]
    fn no_trail_byte_is_special_in_csv() {
        for lead in (0..=u8::MAX).filter(|byte| is_lead(*byte)) {
            for special in *b",\"\r\n\0" {
                assert!(!faults(&[lead, special]).is_empty(), "{lead:02X} {special:02X}");
            }
        }
    }
}
