//! Up to where notices to all offices were told beside the feed: a small file, replaced whole.

use serde::{Deserialize, Serialize};

use crate::error::{SdkError, VerificationError, words};
use crate::files::{self, Access};
use crate::home::{Home, NOTICES};

const FORMAT: &str = "tasuki-notices-told/v1";

#[derive(Serialize, Deserialize)]
struct Written {
    format: String,
    epoch: u64,
    index: u64,
}

/// Epoch and place in its log of the last notice that was told; (0, 0): none was.
pub(super) fn load(home: &Home) -> Result<(u64, u64), SdkError> {
    let path = home.path(NOTICES);
    let Some(json) = files::read_if_exists(&path)? else { return Ok((0, 0)) };
    let written: Option<Written> = serde_json::from_slice(&json).ok();
    let written = written.filter(|written| written.format == FORMAT);
    written.map(|written| (written.epoch, written.index)).ok_or_else(|| {
        let message = words(
            "お知らせの控えではありません。削除するとお知らせを最初から読み直します",
            "not the state of the notices; remove it to read them from the beginning",
        );
        VerificationError::Malformed { path, message }.into()
    })
}

/// Keeps the place of the last notice that was told, durably.
pub(super) fn save(home: &Home, (epoch, index): (u64, u64)) -> Result<(), SdkError> {
    let written = Written { format: FORMAT.to_owned(), epoch, index };
    let json = serde_json::to_vec_pretty(&written).expect("strings and numbers always serialise");
    files::write_durably(&home.path(NOTICES), &json, Access::Owner)
}
