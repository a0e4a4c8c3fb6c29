//! What makes two sendings the same: sender, recipient, note and files, not the parcel id or the time.

use ring::digest;
use serde::{Deserialize, Serialize};
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::canonical::hex;
use tasuki_proto::event::sha256;

/// Fingerprint of a parcel's content. By it the same content is known again, in the outbox and in `sent/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of paths with contents, in any order, between two offices, with a note.
    pub(super) fn of<'a>(
        sender: OfficeNumber,
        recipient: OfficeNumber,
        note: Option<&str>,
        files: impl Iterator<Item = (&'a str, &'a [u8])>,
    ) -> Self {
        let mut lines: Vec<String> =
            files.map(|(path, content)| format!("{} {path}\n", hex(&sha256(content)))).collect();
        lines.sort_unstable();
        let mut context = digest::Context::new(&digest::SHA256);
        let note = note.map_or_else(|| "-".to_owned(), |n| hex(&sha256(n.as_bytes())));
        context.update(format!("tasuki-content/v1\n{sender}\n{recipient}\n{note}\n").as_bytes());
        for line in &lines {
            context.update(line.as_bytes());
        }
        let hash = context.finish();
        Self(hash.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }

    /// 64 hexadecimal digits.
    fn text(&self) -> String {
        hex(&self.0)
    }

    /// Back from [`Fingerprint::text`].
    fn parse(text: &str) -> Option<Self> {
        tasuki_proto::canonical::parse_hex(text).map(Self)
    }
}

impl From<Fingerprint> for String {
    fn from(content: Fingerprint) -> Self {
        content.text()
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("not 64 hexadecimal digits")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_does_not_matter_and_everything_else_does() {
        let a: OfficeNumber = "1371215102".parse().unwrap();
        let b: OfficeNumber = "9971100012".parse().unwrap();
        let of = |s, r, note, files: &[(&'static str, &'static [u8])]| {
            Fingerprint::of(s, r, note, files.iter().copied())
        };
        let one = of(a, b, None, &[("x", b"1"), ("y", b"2")]);
        assert_eq!(one, of(a, b, None, &[("y", b"2"), ("x", b"1")]));
        assert_eq!(Fingerprint::parse(&one.text()), Some(one));
        for other in [
            of(b, a, None, &[("x", b"1"), ("y", b"2")]),
            of(a, b, Some(""), &[("x", b"1"), ("y", b"2")]),
            of(a, b, None, &[("x", b"2"), ("y", b"1")]),
            of(a, b, None, &[("x", b"1")]),
        ] {
            assert_ne!(one, other);
        }
    }
}
