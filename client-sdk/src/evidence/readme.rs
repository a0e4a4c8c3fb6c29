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
        ("{source}", source(index).to_owned()),
    ];
    let template = include_str!("readme.txt");
    fields.iter().fold(template.to_owned(), |text, (field, value)| text.replace(field, value))
}

/// Where it comes from, if not from the relay.
fn source(index: &Index) -> &'static str {
    if !index.from_sent_record {
        return "";
    }
    "
注意: 保存した時に中継サーバーはこの電文を知らなかったため、送信元が受付時に受け取った記録から作りました。
      受付の後に何が起きたかは含みません。
Note: when this was saved the relay did not know the parcel. It comes from the record that the sender got when
      the parcel was accepted, and does not say what happened afterwards.
"
}
