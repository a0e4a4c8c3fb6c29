//! `IMAGE` and `EMPTY_FILE` of the family image (家族構成 画像ファイル), which is no CSV.

use super::{Message, Place, Sink, csv, offices};
use crate::attachment::Content;
use crate::file_name::FileName;
use crate::finding::RuleId;

/// Gives whether there is any content.
pub(super) fn check(sink: &mut Sink<'_>, name: &FileName, bytes: &[u8]) -> bool {
    if bytes.is_empty() {
        csv::empty_file(sink, bytes);
        return false;
    }
    offices::check_name(sink, name);
    let content = Content::of(bytes);
    if content != Some(Content::Jpeg) {
        sink.error(RuleId::Image, Place::FILE, || {
            let message = Message::new(
                "家族構成の画像がJPEGではありません。JPEG形式で保存し直し、拡張子を .jpg にしてください（標準仕様4.1版 UPKIHON 項目62）。",
                "The family image is no JPEG. Save it as JPEG, with the extension .jpg (standard 4.1, UPKIHON item 62).",
            );
            (content.map_or("unknown content", Content::as_str), message)
        });
    }
    true
}
