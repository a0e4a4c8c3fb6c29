//! `tasuki watch --atom FILE`: titles in Japanese, so that whoever reads the feed knows at a glance what happened.

use std::path::Path;

use tasuki_sdk::feed::{AtomFile, FeedEvent};
use tasuki_sdk::{Client, SdkError};

use super::{notice, who};
use crate::commands::names::Names;
use crate::lang::Lang;
use crate::moment::japan_seconds;
use crate::table::shown;
use crate::words;

/// The file, and how its entries are worded.
pub(super) struct Atom(AtomFile);

impl Atom {
    pub(super) fn open(client: &Client, path: &Path) -> Result<Self, SdkError> {
        let title = format!("Tasuki 事業所 {} の通知", client.office());
        Ok(Self(AtomFile::open(client, path, &title)?))
    }

    /// Adds an event with the names of its offices, if they can be had.
    pub(super) fn add(&mut self, event: &FeedEvent, names: &mut Names) {
        let who = who(event, |number| names.of_now(number));
        let (title, text) = worded(event, who.as_deref());
        self.0.add(event, &title, &text);
    }

    pub(super) fn write(&mut self) -> Result<(), SdkError> {
        self.0.write()
    }
}

/// Title and text of an entry.
fn worded(event: &FeedEvent, who: Option<&str>) -> (String, String) {
    let what = words::event(&event.event.kind);
    let mut title = vec![what.of(Lang::Ja)];
    title.extend(who);
    let mut text =
        vec![format!("日時: {}", japan_seconds(event.event.time_us)), format!("種別: {}", event.event.kind)];
    text.extend(who.map(|who| format!("事業所: {who}")));
    text.extend(event.event.parcel().map(|key| format!("電文ID: {}", key.id)));
    text.extend(notice(&event.event, Lang::Ja).map(|notice| format!("内容: {notice}")));
    let text: Vec<_> = text.iter().map(|line| shown(line)).collect();
    (shown(&title.join("  ")).into_owned(), text.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn titles_say_in_japanese_what_happened_and_between_whom() {
        let event = FeedEvent { number: 3, index: 7, event: testing::event("parcel.fetched") };
        let (title, text) = worded(&event, Some("1371215102 あ → 9971100012 い"));
        assert_eq!(title, "宛先に渡しました  1371215102 あ → 9971100012 い");
        assert_eq!(
            text,
            format!(
                "日時: 2026-11-21 20:38:34\n種別: parcel.fetched\n事業所: 1371215102 あ → 9971100012 い\n電文ID: {}",
                testing::ID
            )
        );
    }
}
