//! A received parcel in which malware is found: nothing of it is written in the clear, and nothing is acknowledged.

use std::fs;
use std::path::Path;

use tasuki_proto::ids::ParcelKey;
use tasuki_proto::parcel::OpenParcel;
use tasuki_proto::reason;

use super::unpack::Unpacked;
use crate::config::MalwareConfig;
use crate::error::{Refusal, SdkError, VerificationError};
use crate::files::{self, Access};
use crate::malware::{self, Suspect};

/// Has a parcel's files scanned, if the HOME is set to. `Some`: why they must not be written, and what to do.
pub(super) fn scan(
    config: &MalwareConfig,
    unpacked: &Unpacked,
    key: ParcelKey,
) -> Result<Option<Refusal>, SdkError> {
    if config.clamd.is_empty() {
        return Ok(None);
    }
    let parcel = OpenParcel::open(&unpacked.container).map_err(VerificationError::Parcel)?;
    let files = parcel.header.files.iter().zip(&unpacked.files);
    let suspects: Vec<_> =
        files.map(|(entry, (name, content))| Suspect { kind: &entry.kind, name, content }).collect();
    Ok(malware::scan(config, &suspects)?.map(|refusal| advised(refusal, key)))
}

/// Here nobody reads findings beside a parcel: the message says all.
fn advised(refusal: Refusal, key: ParcelKey) -> Refusal {
    if refusal.reason != reason::MALWARE {
        return refusal;
    }
    let found = |between: &str| {
        let each = refusal.findings.iter().map(|found| format!("{}: {}", found.file, found.shape));
        each.collect::<Vec<_>>().join(between)
    };
    let refuse = format!("tasuki refuse {}/{} --reason other", key.sender, key.id);
    Refusal {
        message_ja: format!(
            "不正プログラムが見つかりました（{}）。保存も受領もしていません。送信元に電話で知らせ、{refuse} で断ってください。",
            found("、")
        ),
        message_en: format!(
            "Malware was found ({}). Nothing was saved or acknowledged. Telephone the sender, and refuse the parcel: {refuse}",
            found(", ")
        ),
        ..refusal
    }
}

/// Leaves the sealed parcel for whoever looks into it: `OUT/<sender>/<parcel id>.infected.p7m`. Only the own key opens it.
pub(super) fn keep(out: &Path, key: ParcelKey, sealed: &[u8]) -> Result<(), SdkError> {
    let of_sender = out.join(key.sender.as_str());
    fs::create_dir_all(&of_sender).map_err(|e| SdkError::io(&of_sender, &e))?;
    files::write_durably(&of_sender.join(format!("{}.infected.p7m", key.id)), sealed, Access::Default)
}
