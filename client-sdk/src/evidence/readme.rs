//! `README.txt` of a folder of evidence.

use tasuki_proto::canonical::digest_text;

use super::layout::Index;

/// The text for one folder.
pub(super) fn text(index: &Index) -> String {
    let anchors = index.anchors.first().map_or("anchor.pem", String::as_str);
    let fields = [
        ("{parcel}", index.key().id.to_string()),
        ("{sender}", index.key().sender.to_string()),
        ("{recipient}", index.recipient.to_string()),
        ("{digest}", digest_text(&index.digest())),
        ("{anchor}", anchors.to_owned()),
    ];
    let template = include_str!("readme.txt");
    fields.iter().fold(template.to_owned(), |text, (field, value)| text.replace(field, value))
}
