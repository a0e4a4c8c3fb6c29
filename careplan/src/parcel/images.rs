//! `IMAGE`: family images and the records that name them.

use std::collections::HashMap;

use crate::check::{Message, Place, Sink};
use crate::file::SourceFile;
use crate::file_name::FileName;
use crate::finding::RuleId;
use crate::kind::FileKind;
use crate::layout::Layout;
use crate::records::Records;

/// Holds the images against the records of UPKIHON, item 62.
pub(super) fn check(
    open: &mut [Option<&mut Sink<'_>>],
    files: &[SourceFile<'_>],
    names: &[(usize, FileName)],
) {
    let of_kind = |kind: FileKind| names.iter().filter(move |(_, name)| name.kind == kind);
    // By name in lower case: the standard's own text writes both .jpg and .JPG.
    let mut images: HashMap<Vec<u8>, (usize, bool)> = of_kind(FileKind::UpkihonImage)
        .filter_map(|(at, _)| Some((files.get(*at)?.name.to_ascii_lowercase().into_bytes(), (*at, false))))
        .collect();
    for (at, name) in of_kind(FileKind::Upkihon) {
        let (Some(file), Some(Some(sink))) = (files.get(*at), open.get_mut(*at)) else { continue };
        check_records(sink, name, file.bytes, |named| {
            let image = images.get_mut(&named.to_ascii_lowercase());
            image.map(|(_, is_named)| *is_named = true).is_some()
        });
    }
    let mut images: Vec<(usize, bool)> = images.into_values().collect();
    images.sort_unstable();
    for (at, is_named) in images {
        if let Some(Some(sink)) = open.get_mut(at)
            && !is_named
        {
            sink.error(RuleId::Image, Place::FILE, || {
                let message = Message::new(
                    "この画像はどの利用者基本情報（UPKIHON 項目62）にも書かれていません。余分な画像なら除き、そうでなければ出力し直してください。",
                    "No record of UPKIHON names this image (item 62): take it out if it is not needed, or export again.",
                );
                ("image without a record", message)
            });
        }
    }
}

/// Adds a finding for every record whose image is not `there`.
fn check_records(sink: &mut Sink<'_>, name: &FileName, bytes: &[u8], mut there: impl FnMut(&[u8]) -> bool) {
    let mut records = Records::new(bytes);
    while let Ok(Some(record)) = records.next() {
        let Some(layout) = Layout::of_record(name, &record, bytes) else { continue };
        let Some(at) = layout.roles.image else { continue };
        let named = record.items.get(at).map(|item| item.of(bytes)).unwrap_or_default();
        if !named.is_empty() && !there(named) {
            sink.error(RuleId::Image, Place::item(record.line, layout, at), || {
                let message = Message::new(
                    "利用者基本情報に書かれた家族構成の画像ファイルがありません。画像を一緒に送るか、出力し直してください（標準仕様4.1版 UPKIHON 項目62）。",
                    "The family image that the record names is not among the files: send it along, or export again (standard \
                     4.1, UPKIHON item 62).",
                );
                ("image missing", message)
            });
        }
    }
}
