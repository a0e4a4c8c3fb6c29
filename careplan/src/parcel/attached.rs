//! `ATTACHMENT_TYPE`, and where an attachment says it goes.

use super::{CheckOptions, ParcelFacts, agreement};
use crate::attachment::{AttachmentName, Content, is_addressed};
use crate::check::{Message, Place, Sink, shape};
use crate::file::SourceFile;
use crate::finding::RuleId;

/// Checks one attachment: its name, if that says where it goes, and its content against its extension and type.
pub(super) fn check(
    sink: &mut Sink<'_>,
    file: &SourceFile<'_>,
    facts: &ParcelFacts,
    options: &CheckOptions<'_>,
) {
    let mut formats: &[Content] = &[];
    if is_addressed(file.name) {
        let Ok(name) = file.name.parse::<AttachmentName>() else {
            sink.error(RuleId::FileName, Place::FILE, || (shape::of_name(file.name), wrong_name()));
            return;
        };
        check_address(sink, &name, facts);
        match options.documents.get(&name.document) {
            Some(document) => formats = &document.formats,
            None if options.allow_unknown_documents => {}
            None => {
                sink.error(RuleId::AttachmentType, Place::FILE, || {
                    ("unknown document type", unknown(options))
                });
                return;
            }
        }
    }
    let extension = file.name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let claimed = Content::of_extension(extension);
    let permitted = formats.is_empty() || claimed.is_some_and(|content| formats.contains(&content));
    if !permitted {
        sink.error(RuleId::AttachmentType, Place::FILE, || {
            let list = formats.iter().map(|format| format.as_str()).collect::<Vec<_>>().join("/");
            let message = Message::new(
                format!("この種類の文書は{list}で送ります。形式と拡張子を直してください。"),
                format!("Documents of this type are sent as {list}: correct the format and the extension."),
            );
            ("format not permitted for this document", message)
        });
    } else if let Some(claimed) = claimed.filter(|content| !content.is(file.bytes)) {
        sink.error(RuleId::AttachmentType, Place::FILE, || {
            let message = Message::new(
                format!("拡張子は{claimed}ですが、内容が{claimed}ではありません。ファイルを確かめ、正しい形式で保存し直してください。"),
                format!("The extension says {claimed}, but the content is not: check the file and save it in the right format."),
            );
            (Content::of(file.bytes).map_or("unknown content", Content::as_str), message)
        });
    }
}

fn check_address(sink: &mut Sink<'_>, name: &AttachmentName, facts: &ParcelFacts) {
    if facts.sender.is_some_and(|sender| sender != name.sender) {
        sink.error(RuleId::OfficeMismatch, Place::FILE, || agreement::office("送信元", "sender"));
    }
    if facts.recipient.is_some_and(|recipient| recipient != name.recipient) {
        sink.error(RuleId::OfficeMismatch, Place::FILE, || agreement::office("送信先", "recipient"));
    }
    if facts.serial.is_some_and(|serial| serial != name.serial) {
        sink.error(RuleId::SerialMismatch, Place::FILE, agreement::serial);
    }
}

fn wrong_name() -> Message {
    Message::new(
        "添付ファイルの名前が正しくありません。正しい形は ATTACH_{type}_{from:10}_{to:10}_{serial:14}_{branch:4}.{ext} です。名前を直すか、ATTACH_ で始まらない名前にして宛先を指定してください。",
        "The attachment's name is not right. The right form is ATTACH_{type}_{from:10}_{to:10}_{serial:14}_{branch:4}.{ext}. \
         Correct it, or use a name that does not begin with ATTACH_ and say to whom it goes.",
    )
}

fn unknown(options: &CheckOptions<'_>) -> Message {
    let known: Vec<&str> =
        options.documents.documents().iter().map(|document| document.id.as_str()).collect();
    Message::new(
        format!("この運用では、登録されていない種類の文書は送れません。使える種類：{}。", known.join("、")),
        format!("Documents of an unknown type are not accepted here. Known types: {}.", known.join(", ")),
    )
}
