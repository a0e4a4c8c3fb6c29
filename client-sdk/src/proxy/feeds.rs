//! Up to where each office's feed was dealt with: an office whose feed has not moved since has nothing new to receive.
//!
//! A cache, not a promise: where it is lost, each office is asked once more.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tasuki_careplan::office::OfficeNumber;

use crate::error::SdkError;
use crate::files::{self, Access};

const FILE: &str = "state/feeds.json";
const FORMAT: &str = "tasuki-proxy-feeds/v1";

/// An epoch, and a number in an office's feed of it.
pub(super) type Place = (u64, u64);

/// The places of all offices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Feeds(BTreeMap<OfficeNumber, Place>);

#[derive(Serialize, Deserialize)]
struct Written {
    format: String,
    feeds: BTreeMap<OfficeNumber, Place>,
}

impl Feeds {
    /// Reads what is kept in a proxy's HOME; nothing if it can't be read.
    pub(super) fn load(home: &Path) -> Result<Self, SdkError> {
        let json = files::read_if_exists(&home.join(FILE))?.unwrap_or_default();
        let written: Option<Written> = serde_json::from_slice(&json).ok();
        Ok(written.filter(|w| w.format == FORMAT).map(|w| Self(w.feeds)).unwrap_or_default())
    }

    /// Keeps them.
    pub(super) fn save(&self, home: &Path) -> Result<(), SdkError> {
        let written = Written { format: FORMAT.to_owned(), feeds: self.0.clone() };
        let json = serde_json::to_vec(&written).expect("strings and numbers always serialise");
        files::write_durably(&home.join(FILE), &json, Access::Owner)
    }

    /// Whether an office's feed ends where it was dealt with up to. Where nobody knows its end, it may have moved.
    pub(super) fn is_at(&self, office: OfficeNumber, end: Option<Place>) -> bool {
        end.is_some() && self.0.get(&office) == end.as_ref()
    }

    /// All up to this end was dealt with.
    pub(super) fn reached(&mut self, office: OfficeNumber, end: Option<Place>) {
        match end {
            Some(end) => self.0.insert(office, end),
            None => self.0.remove(&office),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_that_did_not_move_is_known_after_a_restart() {
        let folder = crate::testing::folder("proxy-feeds");
        std::fs::create_dir(folder.path().join("state")).unwrap();
        let office: OfficeNumber = "1371215102".parse().unwrap();
        let mut feeds = Feeds::load(folder.path()).unwrap();
        assert!(!feeds.is_at(office, Some((1, 0))) && !feeds.is_at(office, None));
        feeds.reached(office, Some((1, 7)));
        feeds.save(folder.path()).unwrap();
        let mut again = Feeds::load(folder.path()).unwrap();
        assert_eq!(again, feeds);
        assert!(again.is_at(office, Some((1, 7))));
        assert!(!again.is_at(office, Some((1, 8))) && !again.is_at(office, Some((2, 7))));
        assert!(!again.is_at(office, None));
        again.reached(office, None);
        assert!(!again.is_at(office, Some((1, 7))));
        std::fs::write(folder.path().join(FILE), "half").unwrap();
        assert_eq!(Feeds::load(folder.path()).unwrap(), Feeds::default());
    }
}
