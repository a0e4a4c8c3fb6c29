//! Attachments: other documents than the standard's, their names and what their content is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::office::OfficeNumber;
use crate::serial::Serial;

/// The prefix of names that say where an attachment goes.
const PREFIX: &str = "ATTACH_";

/// What a file's content is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Content {
    /// A PDF document.
    Pdf,
    /// A PNG image.
    Png,
    /// A JPEG image.
    Jpeg,
    /// A TIFF image.
    Tiff,
    /// JSON in UTF-8, well-formed.
    Json,
    /// Text with commas; no mark tells it, so only names and registries speak of it.
    Csv,
}

impl Content {
    /// By the marks that binary formats begin with; `None` for anything else, text included. Never guesses.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let marks: [(&[u8], Self); 5] = [
            (b"%PDF-", Self::Pdf),
            (b"\x89PNG\r\n\x1A\n", Self::Png),
            (b"\xFF\xD8\xFF", Self::Jpeg),
            (b"II*\0", Self::Tiff),
            (b"MM\0*", Self::Tiff),
        ];
        marks.into_iter().find(|(mark, _)| bytes.starts_with(mark)).map(|(_, content)| content)
    }

    /// By the extension of a name, in any case; `None` for extensions that say nothing about it here.
    pub fn of_extension(extension: &str) -> Option<Self> {
        let known = [
            ("pdf", Self::Pdf),
            ("png", Self::Png),
            ("jpg", Self::Jpeg),
            ("jpeg", Self::Jpeg),
            ("tif", Self::Tiff),
            ("tiff", Self::Tiff),
            ("json", Self::Json),
            ("csv", Self::Csv),
        ];
        known.into_iter().find(|(text, _)| text.eq_ignore_ascii_case(extension)).map(|(_, content)| content)
    }

    /// Whether the bytes are of this content. JSON is read to its end, in time linear in its size and without recursion; of
    /// CSV only what can't be text is noticed: another format's mark, NUL, nothing at all.
    pub fn is(self, bytes: &[u8]) -> bool {
        match self {
            Self::Json => is_json(bytes),
            Self::Csv => !bytes.is_empty() && Self::of(bytes).is_none() && !bytes.contains(&0),
            binary => Self::of(bytes) == Some(binary),
        }
    }

    /// Its usual name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pdf => "PDF",
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::Tiff => "TIFF",
            Self::Json => "JSON",
            Self::Csv => "CSV",
        }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

fn is_json(bytes: &[u8]) -> bool {
    // Windows software writes a BOM before it, and readers pass over it.
    let text = std::str::from_utf8(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes));
    text.is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok())
}

/// The name of an attachment that says where it goes:
/// `ATTACH_{type}_{from:10}_{to:10}_{serial:14}_{branch:4}.{ext}`. It travels with the parcel of that serial.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttachmentName {
    /// The document's type, a word of the registry or one that it does not know: letters, digits, hyphens, underscores.
    pub document: String,
    /// The office that sends.
    pub sender: OfficeNumber,
    /// The office that receives.
    pub recipient: OfficeNumber,
    /// The serial of the parcel that it travels with.
    pub serial: Serial,
    /// 0 to 9999, to tell several of one type apart.
    pub branch: u16,
    /// As it is written, without the dot.
    pub extension: String,
}

/// The name begins with `ATTACH_`, but is not built like that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name is not ATTACH_{{type}}_{{from:10}}_{{to:10}}_{{serial:14}}_{{branch:4}}.{{ext}}")]
pub struct InvalidAttachmentName;

/// Whether the name claims to say where the attachment goes.
pub fn is_addressed(name: &str) -> bool {
    name.split_at_checked(PREFIX.len()).is_some_and(|(start, _)| start.eq_ignore_ascii_case(PREFIX))
}

impl FromStr for AttachmentName {
    type Err = InvalidAttachmentName;

    fn from_str(name: &str) -> Result<Self, InvalidAttachmentName> {
        let parse = || {
            let (stem, extension) = name.strip_prefix(PREFIX)?.rsplit_once('.')?;
            let mut parts = stem.rsplitn(5, '_');
            let branch = parts.next()?;
            let serial = parts.next()?.parse().ok()?;
            let recipient = parts.next()?.parse().ok()?;
            let sender = parts.next()?.parse().ok()?;
            let document = parts.next()?;
            let of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            let plain = !document.is_empty() && document.bytes().all(of_name);
            let numbered = branch.len() == 4 && branch.bytes().all(|byte| byte.is_ascii_digit());
            (plain && numbered && !extension.is_empty()).then_some(Self {
                document: document.to_owned(),
                sender,
                recipient,
                serial,
                branch: branch.parse().ok()?,
                extension: extension.to_owned(),
            })
        };
        parse().ok_or(InvalidAttachmentName)
    }
}

impl fmt::Display for AttachmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { document, sender, recipient, serial, branch, extension } = self;
        write!(f, "{PREFIX}{document}_{sender}_{recipient}_{serial}_{branch:04}.{extension}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "ATTACH_signed-use-slip_1371215102_9971100012_20260125103000_0001.pdf";

    #[test]
    fn names_parse_and_print() {
        let name: AttachmentName = NAME.parse().unwrap();
        assert_eq!(
            (name.document.as_str(), name.branch, name.extension.as_str()),
            ("signed-use-slip", 1, "pdf")
        );
        assert_eq!(name.serial.to_string(), "20260125103000");
        assert_eq!(name.to_string(), NAME);
        assert!(is_addressed(NAME) && is_addressed("attach_x.pdf") && !is_addressed("ATTACHMENT.pdf"));
        for wrong in [
            "",
            "ATTACH_",
            "ATTACH_1371215102_9971100012_20260125103000_0001.pdf",
            "ATTACH__1371215102_9971100012_20260125103000_0001.pdf",
            "ATTACH_吉田_1371215102_9971100012_20260125103000_0001.pdf",
            "ATTACH_a_137121510_9971100012_20260125103000_0001.pdf",
            "ATTACH_a_1371215102_9971100012_20260230103000_0001.pdf",
            "ATTACH_a_1371215102_9971100012_20260125103000_01.pdf",
            "ATTACH_a_1371215102_9971100012_20260125103000_+001.pdf",
            "ATTACH_a_1371215102_9971100012_20260125103000_0001",
            "ATTACH_a_1371215102_9971100012_20260125103000_0001.",
            "attach_a_1371215102_9971100012_20260125103000_0001.pdf",
        ] {
            assert_eq!(wrong.parse::<AttachmentName>(), Err(InvalidAttachmentName), "{wrong}");
        }
    }

    #[test]
    fn content_is_told_by_marks() {
        assert_eq!(Content::of(b"%PDF-1.7\n"), Some(Content::Pdf));
        assert_eq!(Content::of(b"\x89PNG\r\n\x1A\nx"), Some(Content::Png));
        assert_eq!(Content::of(b"II*\0x"), Some(Content::Tiff));
        assert_eq!(Content::of(b"MM\0*x"), Some(Content::Tiff));
        for nothing in [&b""[..], b"\xFF\xD8", b"MZ\x90", b"{}", b"a,b"] {
            assert_eq!(Content::of(nothing), None);
        }
        assert_eq!(Content::of_extension("JPEG"), Some(Content::Jpeg));
        assert_eq!(Content::of_extension("docx"), None);
        assert!(Content::Jpeg.is(b"\xFF\xD8\xFF\xE0") && !Content::Jpeg.is(b"%PDF-1.7"));
        assert!(
            Content::Csv.is(b"a,b\r\n")
                && !Content::Csv.is(b"")
                && !Content::Csv.is(b"a\0b")
                && !Content::Csv.is(b"%PDF-")
        );
    }

    #[test]
    fn json_is_read_to_its_end_however_deep() {
        for right in ["{}", " [1, 2.5e3, null, \"\\u3042\"] ", "\u{FEFF}{\"a\": [true]}"] {
            assert!(Content::Json.is(right.as_bytes()), "{right}");
        }
        for wrong in ["", "{", "{}x", "{'a': 1}", "[1,]", "nul"] {
            assert!(!Content::Json.is(wrong.as_bytes()), "{wrong}");
        }
        assert!(!Content::Json.is(b"\"\xFF\""));
        let deep = "[".repeat(1_000_000);
        assert!(!Content::Json.is(deep.as_bytes()));
        assert!(Content::Json.is((deep + &"]".repeat(1_000_000)).as_bytes()));
    }
}
