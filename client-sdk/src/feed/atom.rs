//! The feed as an Atom feed (RFC 4287) in a file, for feed readers and for a web server of the office's own network.
//!
//! The newest [`MAX_ENTRIES`] entries stay in the file; they are kept in `state/atom.json` of the HOME as well, so that
//! the file can be made anew wherever it is wanted. Ids are `urn:uuid:` made of the event's own hash: the same event has
//! the same id, whoever reads it and however often. There is nothing in it but what the caller gives as text.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tasuki_proto::event::leaf_hash;
use tasuki_proto::time;

use super::FeedEvent;
use crate::client::Client;
use crate::error::{SdkError, VerificationError, words};
use crate::files::{self, Access};
use crate::home::{ATOM, Home};

/// Entries of the file: what a feed reader misses in a week, and small enough to be written anew at every event.
pub const MAX_ENTRIES: usize = 100;

const FORMAT: &str = "tasuki-atom/v1";

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    /// `urn:uuid:…`.
    id: String,
    /// RFC 3339, UTC.
    updated: String,
    title: String,
    text: String,
}

/// What is kept in the HOME.
#[derive(Serialize, Deserialize)]
struct Kept {
    format: String,
    /// The oldest first.
    entries: Vec<Entry>,
}

/// An Atom feed in a file.
///
/// ```no_run
/// # async fn run(client: tasuki_sdk::Client) -> Result<(), tasuki_sdk::SdkError> {
/// use std::ops::ControlFlow;
/// use tasuki_sdk::feed::{AtomFile, News};
///
/// let mut atom = AtomFile::open(&client, "feed.xml".as_ref(), "Tasuki")?;
/// let mut failed = None;
/// client
///     .watch(|news| {
///         match news {
///             News::Event(event) => atom.add(event, &event.event.kind, ""),
///             News::UpToHere => failed = atom.write().err(),
///             _ => {}
///         }
///         if failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
///     })
///     .await?;
/// # failed.map_or(Ok(()), Err)
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct AtomFile {
    home: Home,
    path: PathBuf,
    title: String,
    entries: Vec<Entry>,
    /// Something is not in the file yet.
    changed: bool,
}

impl AtomFile {
    /// Opens the feed of a HOME and makes the file if there is none. `title` is the whole feed's.
    ///
    /// # Errors
    /// What is kept can't be read, or the file not be written.
    pub fn open(client: &Client, path: &Path, title: &str) -> Result<Self, SdkError> {
        let home = client.home().clone();
        let entries = load(&home)?;
        let changed = !path.exists();
        let mut atom = Self { home, path: path.to_owned(), title: title.to_owned(), entries, changed };
        if changed {
            atom.print_at(client.now_us())?;
        }
        Ok(atom)
    }

    /// Adds an event, or replaces it where it is there already. [`AtomFile::write`] makes it durable.
    pub fn add(&mut self, event: &FeedEvent, title: &str, text: &str) {
        let id = event_id(&event.event.print());
        let updated = time::format_us(event.event.time_us);
        self.entries.retain(|entry| entry.id != id);
        self.entries.push(Entry { id, updated, title: title.to_owned(), text: text.to_owned() });
        let surplus = self.entries.len().saturating_sub(MAX_ENTRIES);
        self.entries.drain(..surplus);
        self.changed = true;
    }

    /// Writes what was added: afterwards the file is the old one or the new one, never half, also after a power cut.
    ///
    /// # Errors
    /// The file, or what is kept in the HOME, can't be written.
    pub fn write(&mut self) -> Result<(), SdkError> {
        self.print_at(i64::MIN)
    }

    /// `empty_us`: the time of a feed without entries.
    fn print_at(&mut self, empty_us: i64) -> Result<(), SdkError> {
        if !self.changed {
            return Ok(());
        }
        let kept = Kept { format: FORMAT.to_owned(), entries: self.entries.clone() };
        let json = serde_json::to_vec(&kept).expect("strings always serialise");
        files::write_durably(&self.home.path(ATOM), &json, Access::Owner)?;
        files::write_durably(&self.path, self.xml(empty_us).as_bytes(), Access::Default)?;
        self.changed = false;
        Ok(())
    }

    fn xml(&self, empty_us: i64) -> String {
        let office = self.home.office();
        let id = urn(format!("{FORMAT} {office}").as_bytes());
        let newest = self.entries.iter().map(|entry| entry.updated.as_str()).max();
        let updated = newest.map_or_else(|| time::format_us(empty_us), str::to_owned);
        let mut xml = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\">\n\
             <id>{id}</id>\n<title>{}</title>\n<updated>{updated}</updated>\n\
             <author><name>Tasuki</name></author>\n<generator version=\"{}\">Tasuki</generator>\n",
            escaped(&self.title),
            env!("CARGO_PKG_VERSION"),
        );
        for Entry { id, updated, title, text } in self.entries.iter().rev() {
            let (id, title, text) = (escaped(id), escaped(title), escaped(text));
            // Writing to a String can't fail.
            let _ = write!(
                xml,
                "<entry>\n<id>{id}</id>\n<title>{title}</title>\n<updated>{updated}</updated>\n\
                 <content type=\"text\">{text}</content>\n</entry>\n",
            );
        }
        xml.push_str("</feed>\n");
        xml
    }
}

fn load(home: &Home) -> Result<Vec<Entry>, SdkError> {
    let path = home.path(ATOM);
    let Some(json) = files::read_if_exists(&path)? else { return Ok(Vec::new()) };
    let kept: Option<Kept> = serde_json::from_slice(&json).ok();
    let kept = kept.filter(|kept| kept.format == FORMAT && kept.entries.len() <= MAX_ENTRIES);
    let malformed = || {
        let message = words(
            "Atomフィードの控えではありません。削除すると新しく始めます",
            "not what is kept of the Atom feed; remove it to begin anew",
        );
        VerificationError::Malformed { path, message }
    };
    Ok(kept.ok_or_else(malformed)?.entries)
}

/// The id of an event: its text has a salt, so that no two are alike.
fn event_id(text: &str) -> String {
    urn(&leaf_hash(text.as_bytes()))
}

/// A UUID of version 8 (RFC 9562, section 5.8): the first bits of a hash.
fn urn(bytes: &[u8]) -> String {
    let hash = tasuki_proto::event::sha256(bytes);
    let first = hash.first_chunk::<16>().expect("SHA-256 has 32 bytes");
    uuid::Builder::from_custom_bytes(*first).into_uuid().urn().to_string()
}

/// Text inside an element; characters that XML 1.0 can't hold (section 2.2) are left out.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&apos;"),
            '\t' | '\n' | ' '..='\u{fffd}' | '\u{10000}'.. => safe.push(c),
            _ => {}
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tasuki_proto::event::{Event, kind};

    use super::*;
    use crate::clock::FixedClock;
    use crate::testing::{self, NOW_US, world};

    fn event(number: u8) -> FeedEvent {
        let event = Event::new(kind::PARCEL_DELIVERED, 1, NOW_US + i64::from(number), [number; 16]);
        FeedEvent { number: number.into(), index: 0, event }
    }

    #[tokio::test]
    async fn the_newest_stay_and_an_event_stands_once() {
        let folder = testing::folder("atom");
        let home = testing::home(&folder, &world().sender);
        let client = Client::open(home, Arc::new(FixedClock(NOW_US))).unwrap();
        let path = folder.path().join("feed.xml");
        let open = || AtomFile::open(&client, &path, "A & B").unwrap();
        let text = || std::fs::read_to_string(&path).unwrap();
        let mut atom = open();
        assert!(text().contains("<updated>2026-11-21T11:38:34") && !text().contains("<entry>"), "{}", text());
        for number in 0..120 {
            atom.add(&event(number), &format!("出来事{number}"), "<b>\u{1}\u{fffe}&\"'");
        }
        atom.write().unwrap();
        assert_eq!(text().matches("<entry>").count(), MAX_ENTRIES);
        assert!(text().contains("<title>A &amp; B</title>"), "{}", text());
        assert!(text().contains("<content type=\"text\">&lt;b&gt;&amp;&quot;&apos;</content>"), "{}", text());
        let (newest, oldest) = (text().find("出来事119"), text().find("出来事20<"));
        assert!(newest < oldest && newest.is_some() && !text().contains("出来事19<"));
        // Reading it again changes nothing, and the file can be made anew.
        let before = text();
        std::fs::remove_file(&path).unwrap();
        let mut again = open();
        assert_eq!(text(), before);
        again.add(&event(119), "出来事119", "<b>\u{1}\u{fffe}&\"'");
        again.write().unwrap();
        assert_eq!(text(), before);
        assert!(before.contains("<id>urn:uuid:"), "{before}");
    }

    #[tokio::test]
    async fn a_state_that_can_not_be_read_is_told() {
        let folder = testing::folder("atom-bad");
        let home = testing::home(&folder, &world().sender);
        let client = Client::open(home, Arc::new(FixedClock(NOW_US))).unwrap();
        std::fs::write(client.home().path(ATOM), "{}").unwrap();
        let error = AtomFile::open(&client, &folder.path().join("feed.xml"), "").unwrap_err();
        assert_eq!(error.reason(), "EVIDENCE_MALFORMED");
    }
}
