//! `FILE_NAME` and `FILE_KIND`.

use super::{Message, Place, Sink, shape};
use crate::edition::Edition;
use crate::file_name::{FileName, FileNameError, MonthField};
use crate::finding::{RuleId, Severity};
use crate::kind::FileKind;

/// Reads the name; without one that parses there is nothing to check the content against.
pub(super) fn check(sink: &mut Sink<'_>) -> Option<FileName> {
    let file = sink.file;
    let name = match FileName::parse(file).and_then(with_services_since_4_0) {
        Ok(name) => name,
        Err(error) => {
            let rule =
                if error == FileNameError::UnknownPrefix { RuleId::FileKind } else { RuleId::FileName };
            sink.error(rule, Place::FILE, || (shape::of_name(file), wrong_name(file, error)));
            return None;
        }
    };
    // The standard's own text writes both .jpg and .JPG; for CSV it is clear.
    if !name.kind.is_image() && file.rsplit('.').next() != Some("CSV") {
        sink.add(RuleId::FileName, Severity::Warning, Place::FILE, || {
            let message = Message::new(
                "拡張子が大文字の「.CSV」ではありません。受け取れないソフトがあるため、大文字に直してください。",
                "The extension is not upper case \".CSV\". Some software does not import such files: rename it.",
            );
            (shape::of_name(file), message)
        });
    }
    Some(name)
}

/// Names had no service kinds until edition 3.2, so for months of later editions they are missing. The other way round
/// nobody is misled: newer software may well name an older month's file in the new way.
fn with_services_since_4_0(name: FileName) -> Result<FileName, FileNameError> {
    let edition = name.month.and_then(MonthField::month).and_then(Edition::of_month);
    if name.sender_service.is_none() && edition.is_some_and(|edition| edition > Edition::V3_2) {
        return Err(FileNameError::ServiceKindsMissing);
    }
    Ok(name)
}

fn wrong_name(file: &str, error: FileNameError) -> Message {
    let (ja, en) = what_to_do(error);
    match FileName::claimed_kind(file) {
        Some(kind) => Message::new(
            format!("{ja}正しい形は {} です。", kind.name_pattern()),
            format!("{en} The right form is {}.", kind.name_pattern()),
        ),
        None if error == FileNameError::UnknownPrefix => {
            let prefixes = FileKind::ALL.map(FileKind::prefix).join(", ");
            Message::new(format!("{ja}種別：{prefixes}"), format!("{en} Kinds: {prefixes}."))
        }
        None => Message::new(ja, en),
    }
}

fn what_to_do(error: FileNameError) -> (&'static str, &'static str) {
    match error {
        FileNameError::NotStandard => (
            "標準仕様のファイル名ではありません。ソフトが出力したときの名前に戻してください。標準仕様以外の文書は添付ファイルとして送ってください。",
            "This is no file name of the standard. Give the file the name back with which the software wrote it; \
             send other documents as attachments.",
        ),
        FileNameError::UnknownPrefix => (
            "ファイル名の先頭の種別が標準仕様にありません（大文字で書きます）。ソフトが出力したときの名前に戻してください。",
            "The kind at the beginning of the file name is not one of the standard's (they are upper case). Give the \
             file the name back with which the software wrote it.",
        ),
        FileNameError::Extension => (
            "拡張子がこの種別のものではありません。標準仕様の形式で出力し直してください。標準仕様以外の文書なら、名前を変えて添付ファイルとして送ってください。",
            "The extension is not that of this kind of file. Export the file again in the standard's format; if it is \
             another document, rename it and send it as an attachment.",
        ),
        FileNameError::PartCount => (
            "ファイル名の項目数が合いません。ソフトが出力したときの名前に戻してください。",
            "The file name has too few or too many parts. Give the file the name back with which the software wrote it.",
        ),
        FileNameError::ServiceKindsMissing => (
            "ファイル名に送信元と送信先のサービス種類がありません。この種別は4.0版以降のものです。4.1版の名前で出力し直してください。",
            "The file name lacks the service kinds of sender and recipient, but this kind of file exists since edition 4.0 \
             only. Export it again with a name of edition 4.1.",
        ),
        FileNameError::Month => (
            "ファイル名の対象年月が実在しません（YYYYMM、6桁）。対象年月を確かめて出力し直してください。",
            "The month in the file name does not exist (six digits, YYYYMM). Check the service month and export again.",
        ),
        FileNameError::Sender => (
            "ファイル名の送信元事業所番号が10桁の数字ではありません。ソフトの自事業所の設定を確かめて出力し直してください。",
            "The sender's office number in the file name is not ten digits. Check your own office's settings in the \
             software and export again.",
        ),
        FileNameError::SenderService => (
            "ファイル名の送信元サービス種類が2桁の英数字（大文字）ではありません。ソフトの自事業所の設定を確かめて出力し直してください。",
            "The sender's service kind in the file name is not two digits or upper-case letters. Check your own office's \
             settings in the software and export again.",
        ),
        FileNameError::Recipient => (
            "ファイル名の送信先事業所番号が10桁の数字ではありません。ソフトに登録した送信先を確かめて出力し直してください。",
            "The recipient's office number in the file name is not ten digits. Check the recipient registered in the \
             software and export again.",
        ),
        FileNameError::RecipientService => (
            "ファイル名の送信先サービス種類が2桁の英数字（大文字）ではありません。ソフトに登録した送信先を確かめて出力し直してください。",
            "The recipient's service kind in the file name is not two digits or upper-case letters. Check the recipient \
             registered in the software and export again.",
        ),
        FileNameError::Serial => (
            "ファイル名の連番が実在する日時ではありません（YYYYMMDDHHMMSS、14桁）。出力し直してください。",
            "The serial in the file name is not an existing date and time (fourteen digits, YYYYMMDDHHMMSS). Export again.",
        ),
        FileNameError::Branch => (
            "画像ファイル名の枝番が4桁の数字ではありません。出力し直してください。",
            "The branch number in the image's file name is not four digits. Export again.",
        ),
    }
}
