//! Attachments whose names say where they go: `ATTACH_{type}_{from}_{to}_{serial}_{branch}.{ext}`.

use std::path::PathBuf;

use tasuki_careplan::attachment::AttachmentName;
use tasuki_careplan::file::SourceFile;
use tasuki_careplan::parcel::{CheckOptions, ParcelFacts, check_parcel};

use super::plan::{PlannedFile, PlannedParcel, Unsendable, finding, unfit_attachment};
use super::source::Found;
use crate::error::SdkError;
use crate::finding::Finding;

/// Puts each attachment into the parcel of its offices and serial. Without such a parcel it can't be sent: nobody can say
/// what it belongs to.
pub(super) fn join(
    attachments: Vec<(AttachmentName, Found)>,
    parcels: &mut [PlannedParcel],
    unsendable: &mut Vec<Unsendable>,
) -> Result<(), SdkError> {
    for (name, found) in attachments {
        let parcel = parcels.iter_mut().find(|parcel| {
            parcel.sender == name.sender
                && parcel.recipient == name.recipient
                && parcel.serial == Some(name.serial)
        });
        match (parcel, unfit_attachment(&found.name)) {
            (_, Some(finding)) => unsendable.push(refused(found.path, finding)),
            (None, None) => unsendable.push(refused(found.path, no_parcel(&found.name))),
            (Some(parcel), None) => parcel.attach(PlannedFile::of(found, None))?,
        }
    }
    Ok(())
}

/// What the check says of a name that begins with `ATTACH_` and does not parse.
pub(super) fn why_not(name: &str) -> Vec<Finding> {
    let file = SourceFile { name, bytes: b"" };
    let check = check_parcel(&ParcelFacts::default(), &[file], &CheckOptions::default());
    check.findings.iter().flatten().map(Finding::from).collect()
}

fn refused(path: PathBuf, finding: Finding) -> Unsendable {
    Unsendable { path, findings: vec![finding] }
}

fn no_parcel(name: &str) -> Finding {
    finding(
        "NO_PARCEL",
        name,
        "この添付ファイルと同じ送信元・宛先・連番のファイルがありません。一緒に指定するか、--attach 事業所番号=ファイル で宛先を指定してください。",
        "There is no file with the sender, recipient and serial of this attachment: name them together, or say who gets it with \
         --attach OFFICE=FILE.",
    )
}
