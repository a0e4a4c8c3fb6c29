//! How far the feed was read: a small file, replaced whole.

use serde::{Deserialize, Serialize};
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::canonical::{hex, parse_hex};
use tasuki_proto::feed::NO_PREVIOUS;

use crate::error::{SdkError, VerificationError, words};
use crate::files::{self, Access};
use crate::home::{FEED, Home};

const FORMAT: &str = "tasuki-feed-state/v1";

/// The last event that the program has processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Epoch of the log; 0: nothing was read yet.
    pub(super) epoch: u64,
    /// Number in the feed of that epoch.
    pub(super) number: u64,
    /// Its leaf hash: what the next event must name as the one before.
    pub(super) leaf: [u8; 32],
}

impl Place {
    /// Before everything.
    pub(super) const START: Self = Self { epoch: 0, number: 0, leaf: NO_PREVIOUS };
}

#[derive(Serialize, Deserialize)]
struct Written {
    format: String,
    office: OfficeNumber,
    epoch: u64,
    number: u64,
    leaf: String,
}

/// Reads the place; [`Place::START`] if nothing was read yet. A file that can't be read is an error: to begin anew
/// would repeat everything, and that is for a person to decide.
pub(super) fn load(home: &Home) -> Result<Place, SdkError> {
    let path = home.path(FEED);
    let Some(json) = files::read_if_exists(&path)? else { return Ok(Place::START) };
    let written: Option<Written> = serde_json::from_slice(&json).ok();
    let written = written.filter(|w| w.format == FORMAT && w.office == home.office());
    let place =
        written.and_then(|w| Some(Place { epoch: w.epoch, number: w.number, leaf: parse_hex(&w.leaf)? }));
    place.ok_or_else(|| {
        let message = words(
            "この事業所の通知の控えではありません。削除すると通知を最初から読み直します",
            "not the state of this office's feed; remove it to read the feed from its beginning",
        );
        VerificationError::Malformed { path, message }.into()
    })
}

/// Keeps the place, durably.
pub(super) fn save(home: &Home, place: &Place) -> Result<(), SdkError> {
    let written = Written {
        format: FORMAT.to_owned(),
        office: home.office(),
        epoch: place.epoch,
        number: place.number,
        leaf: hex(&place.leaf),
    };
    let json = serde_json::to_vec_pretty(&written).expect("strings and numbers always serialise");
    files::write_durably(&home.path(FEED), &json, Access::Owner)
}
