//! `parcel.json`: who sends what to whom.

use serde::{Deserialize, Serialize};
use tasuki_careplan::file_name::{FileName, looks_standard};
use tasuki_careplan::office::OfficeNumber;

use super::{ATTACHMENT, ATTACHMENTS, HEADER_NAME};
use crate::container::{Container, MANIFEST_NAME, MIMETYPE_NAME, SIGNATURE_NAME};
use crate::ids::ParcelId;
use crate::mandate::Papers;
use crate::{limits, reason, time};

/// Value of [`Header::format`].
const FORMAT: &str = "tasuki-parcel/v1";

/// The parcel's header. Members that a reader does not know are ignored; they are signed all the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// `tasuki-parcel/v1`.
    format: String,
    /// Chosen by the sender.
    pub parcel: ParcelId,
    /// The sending office.
    pub sender: OfficeNumber,
    /// The receiving office.
    pub recipient: OfficeNumber,
    /// When it was made, RFC 3339 in UTC with microseconds, by the sender's clock.
    created_at: String,
    /// 送付状, at most 2,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// An earlier parcel of the same two offices that this one replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<ParcelId>,
    /// Held after acceptance, invisible to the receiver, until its sender releases it or `release_at` comes (登録・保留).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hold: bool,
    /// When the relay is to release it, RFC 3339 in UTC with microseconds. Only with `hold`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    release_at: Option<String>,
    /// The software that made it.
    pub software: Software,
    /// Every file, in order.
    pub files: Vec<FileEntry>,
}

/// The software that made a parcel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Software {
    /// Its name, at most 100 characters.
    pub name: String,
    /// Its version, at most 100 characters.
    pub version: String,
}

/// One file of a parcel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Path inside the container.
    pub path: String,
    /// Prefix of a standard file (`UPPLAN`), or `ATTACHMENT`.
    pub kind: String,
    /// Media type, for example `text/csv` or `application/pdf`.
    pub media_type: String,
}

impl FileEntry {
    /// Entry of a standard file.
    pub fn standard(name: &str, kind: &str, media_type: &str) -> Self {
        Self { path: name.to_owned(), kind: kind.to_owned(), media_type: media_type.to_owned() }
    }

    /// Entry of an attachment: `name` without a folder.
    pub fn attachment(name: &str, media_type: &str) -> Self {
        Self {
            path: format!("{ATTACHMENTS}{name}"),
            kind: ATTACHMENT.to_owned(),
            media_type: media_type.to_owned(),
        }
    }

    /// The parsed name of a standard file; `None` for an attachment.
    pub fn standard_name(&self) -> Option<FileName> {
        if self.kind == ATTACHMENT { None } else { FileName::parse(&self.path).ok() }
    }
}

/// `parcel.json` is not right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The container has none.
    #[error("parcel.json is missing")]
    Missing,
    /// Not JSON, a member missing or of the wrong form, another format, or too large.
    #[error("parcel.json is malformed")]
    Malformed,
    /// The note passes [`limits::MAX_NOTE_CHARS`].
    #[error("the note is too long")]
    NoteTooLong,
    /// The files that it names are not the files of the container.
    #[error("parcel.json does not name exactly the files of the container")]
    Files,
    /// A file's kind does not fit its name.
    #[error("a file's kind does not fit its name")]
    Kind,
    /// An attachment is named like a file of the standard: it would escape the checks of those, and the receiver's
    /// software could still import it by its name.
    #[error("an attachment is named like a file of the standard")]
    AttachmentName,
    /// A standard file's name has another sending office.
    #[error("a file's name has another sender")]
    Sender,
    /// A standard file's name has another receiving office.
    #[error("a file's name has another recipient")]
    Recipient,
    /// Neither a file nor a note.
    #[error("the parcel is empty")]
    Empty,
}

impl HeaderError {
    /// Stable reason word.
    pub fn code(self) -> &'static str {
        match self {
            Self::Missing | Self::Malformed | Self::Files | Self::Kind => reason::HEADER_MALFORMED,
            Self::AttachmentName => reason::ATTACHMENT_NAME,
            Self::NoteTooLong => reason::NOTE_TOO_LONG,
            Self::Sender => reason::SENDER_MISMATCH,
            Self::Recipient => reason::RECIPIENT_MISMATCH,
            Self::Empty => reason::PARCEL_EMPTY,
        }
    }
}

impl Header {
    /// A header without note and files. `created_us`: Unix microseconds.
    pub fn new(
        parcel: ParcelId,
        sender: OfficeNumber,
        recipient: OfficeNumber,
        created_us: i64,
        software: Software,
    ) -> Self {
        Self {
            format: FORMAT.to_owned(),
            parcel,
            sender,
            recipient,
            created_at: time::format_us(created_us),
            note: None,
            supersedes: None,
            hold: false,
            release_at: None,
            software,
            files: Vec::new(),
        }
    }

    /// When the parcel was made, by the sender's clock. Unix microseconds.
    pub fn created_us(&self) -> i64 {
        time::parse_us(&self.created_at).unwrap_or(0)
    }

    /// Holds the parcel, until a time (Unix microseconds) where one is given.
    pub fn set_hold(&mut self, release_us: Option<i64>) {
        self.hold = true;
        self.release_at = release_us.map(time::format_us);
    }

    /// When a held parcel is to be released. Unix microseconds.
    pub fn release_us(&self) -> Option<i64> {
        self.release_at.as_deref().and_then(time::parse_us)
    }

    /// The bytes of `parcel.json`.
    pub fn print(&self) -> String {
        let mut json = serde_json::to_string_pretty(self).expect("strings and lists always serialise");
        json.push('\n');
        json
    }

    /// Reads `parcel.json`, within its bounds.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, HeaderError> {
        if bytes.len() > limits::MAX_HEADER_BYTES {
            return Err(HeaderError::Malformed);
        }
        let header: Self = serde_json::from_slice(bytes).map_err(|_| HeaderError::Malformed)?;
        header.check_bounds()?;
        Ok(header)
    }

    pub(super) fn check_bounds(&self) -> Result<(), HeaderError> {
        if self.note.as_ref().is_some_and(|n| n.chars().count() > limits::MAX_NOTE_CHARS) {
            return Err(HeaderError::NoteTooLong);
        }
        let short = |text: &str| !text.trim().is_empty() && text.chars().count() <= 100;
        let well_formed = self.format == FORMAT
            && time::parse_us(&self.created_at).is_some()
            && short(&self.software.name)
            && short(&self.software.version)
            && self.supersedes != Some(self.parcel)
            && self.release_at.as_ref().is_none_or(|at| self.hold && time::parse_us(at).is_some())
            && self.files.len() <= limits::MAX_FILES;
        if !well_formed {
            return Err(HeaderError::Malformed);
        }
        if self.files.is_empty() && self.note.as_ref().is_none_or(|n| n.trim().is_empty()) {
            return Err(HeaderError::Empty);
        }
        Ok(())
    }

    /// Holds the header against the container: the same files, kinds that fit, sender and receiver alike.
    pub(super) fn check(&self, container: &Container<'_>) -> Result<(), HeaderError> {
        let own = [MIMETYPE_NAME, MANIFEST_NAME, SIGNATURE_NAME, HEADER_NAME];
        let other = |name: &str| !own.contains(&name) && !Papers::is_paper(name);
        let held = container.entries().iter().filter(|e| other(e.name)).count();
        if held != self.files.len() {
            return Err(HeaderError::Files);
        }
        let mut seen = std::collections::HashSet::with_capacity(held);
        for file in &self.files {
            let known = container.position(&file.path).is_some() && other(&file.path);
            if !known || !seen.insert(file.path.as_str()) {
                return Err(HeaderError::Files);
            }
            self.check_file(file)?;
        }
        Ok(())
    }

    fn check_file(&self, file: &FileEntry) -> Result<(), HeaderError> {
        if file.kind == ATTACHMENT {
            let name = file.path.strip_prefix(ATTACHMENTS).ok_or(HeaderError::Kind)?;
            return if name.contains('/') {
                Err(HeaderError::Kind)
            } else if looks_standard(name) {
                Err(HeaderError::AttachmentName)
            } else {
                Ok(())
            };
        }
        let name = FileName::parse(&file.path).map_err(|_| HeaderError::Kind)?;
        if name.kind.prefix() != file.kind {
            Err(HeaderError::Kind)
        } else if name.sender != self.sender {
            Err(HeaderError::Sender)
        } else if name.recipient != self.recipient {
            Err(HeaderError::Recipient)
        } else {
            Ok(())
        }
    }
}
