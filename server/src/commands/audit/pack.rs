//! The incident pack: tables for spreadsheets, everything for programs, a report for people. Files of other runs are never
//! written over, and of a pack that can't be finished nothing stays.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use tasuki_proto::csv::row;

use super::entries::{EventObject, ParcelObject, PartyObject};
use super::words;
use crate::commands::exit::Failure;
use crate::files::{self, Readers};

const TIMELINE: &str = "timeline.csv";
const PARCELS: &str = "parcels.csv";
const PARTIES: &str = "parties.csv";
const AUDIT: &str = "audit.json";
const REPORT: &str = "report.html";
const ALL: [&str; 5] = [TIMELINE, PARCELS, PARTIES, AUDIT, REPORT];

/// Without it Excel takes UTF-8 for the system's code page.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Names the form of `audit.json`. Members are added, never renamed.
const FORM: &str = "tasuki-audit/v1";

const EVENT_COLUMNS: [&str; 17] = [
    "time",
    "kind",
    "what_ja",
    "what_en",
    "parcel",
    "sender",
    "sender_name",
    "recipient",
    "recipient_name",
    "by",
    "signer",
    "in_feed",
    "details",
    "time_utc",
    "epoch",
    "index",
    "leaf",
];

const PARCEL_COLUMNS: [&str; 21] = [
    "parcel",
    "sender",
    "sender_name",
    "recipient",
    "recipient_name",
    "state",
    "state_ja",
    "kinds",
    "months",
    "files",
    "size_bytes",
    "accepted",
    "delivered",
    "fetched",
    "acknowledged",
    "ended",
    "signer",
    "transmitter",
    "acknowledged_by",
    "acknowledged_signer",
    "digest",
];

const PARTY_COLUMNS: [&str; 7] = ["party", "kind", "name", "office", "events", "first", "last"];

/// What `audit.json` begins with.
#[derive(Debug, Serialize)]
pub(super) struct Opening<'a> {
    pub(super) subject: &'a str,
    pub(super) from: Option<&'a str>,
    /// The moment itself is too late.
    pub(super) until: Option<&'a str>,
    pub(super) made_at: &'a str,
    /// The signed checkpoint of the log that was looked at.
    pub(super) checkpoint: &'a str,
}

/// An event with its canonical text, whose hash is `leaf`.
#[derive(Serialize)]
struct WholeEvent<'a> {
    #[serde(flatten)]
    event: &'a EventObject,
    text: Cow<'a, str>,
}

/// A file that grows.
#[derive(Debug)]
struct Growing {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Growing {
    fn write(&mut self, text: &str) -> Result<(), Failure> {
        self.file.write_all(text.as_bytes()).map_err(Failure::file(&self.path))
    }

    fn row(&mut self, fields: &[&str]) -> Result<(), Failure> {
        self.write(&row(fields))?;
        self.write("\r\n")
    }

    fn finish(&mut self) -> Result<(), Failure> {
        let synced = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        synced.map_err(Failure::file(&self.path))
    }
}

/// A pack that is being written.
#[derive(Debug)]
pub(super) struct Pack {
    folder: PathBuf,
    timeline: Growing,
    parcels: Growing,
    parties: Growing,
    audit: Growing,
    report: Growing,
    /// The next member of an array of `audit.json` is its first.
    first: bool,
    finished: bool,
}

/// Refuses a folder that holds a file of a pack.
pub(super) fn check(folder: &Path) -> Result<(), Failure> {
    let there = ALL.iter().map(|name| folder.join(name)).find(|path| fs::symlink_metadata(path).is_ok());
    match there {
        Some(path) => Err(exists(&path)),
        None => Ok(()),
    }
}

fn exists(path: &Path) -> Failure {
    Failure::usage(
        "FILE_EXISTS",
        format!("上書きしません: {}", path.display()),
        format!("{} is not overwritten", path.display()),
    )
}

impl Pack {
    /// Makes the files, for their owner only; the folder as well, where there is none.
    pub(super) fn create(folder: &Path, opening: &Opening<'_>) -> Result<Self, Failure> {
        check(folder)?;
        files::make_folder(folder).map_err(Failure::file(folder))?;
        let mut made: Vec<Growing> = Vec::with_capacity(ALL.len());
        for name in ALL {
            let path = folder.join(name);
            match files::create_new(&path, Readers::Owner) {
                Ok(file) => made.push(Growing { path, file: BufWriter::new(file) }),
                Err(error) => {
                    for file in &made {
                        remove(&file.path);
                    }
                    return Err(match error.kind() {
                        io::ErrorKind::AlreadyExists => exists(&path),
                        _ => Failure::file(&path)(error),
                    });
                }
            }
        }
        let made: [Growing; 5] = made.try_into().expect("one file for each name");
        let [timeline, parcels, parties, audit, report] = made;
        let folder = folder.to_owned();
        let mut pack =
            Self { folder, timeline, parcels, parties, audit, report, first: true, finished: false };
        for (table, columns) in [
            (&mut pack.timeline, &EVENT_COLUMNS[..]),
            (&mut pack.parcels, &PARCEL_COLUMNS),
            (&mut pack.parties, &PARTY_COLUMNS),
        ] {
            table.write(BYTE_ORDER_MARK)?;
            table.row(columns)?;
        }
        let opening = json(opening)?;
        // The members of an object, to which the arrays are added.
        let members = opening.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or_default();
        pack.audit.write(&format!("{{\"format\":\"{FORM}\",{members},\n\"events\":["))?;
        Ok(pack)
    }

    /// Adds an event; the names are those of sender and recipient.
    pub(super) fn event(
        &mut self,
        event: &EventObject,
        (sender_name, recipient_name): (&str, &str),
        text: &[u8],
    ) -> Result<(), Failure> {
        let what = words::event(&event.kind);
        let or_empty = |text: &'_ Option<String>| text.clone().unwrap_or_default();
        let in_feed = event.in_feed.map_or("", |in_feed| if in_feed { "yes" } else { "no" });
        self.timeline.row(&[
            &event.when(),
            &event.kind,
            &what.ja,
            &what.en,
            &or_empty(&event.parcel),
            &or_empty(&event.sender),
            sender_name,
            &or_empty(&event.recipient),
            recipient_name,
            &or_empty(&event.by),
            &or_empty(&event.signer),
            in_feed,
            &event.details(),
            &event.time,
            &event.epoch.to_string(),
            &event.index.to_string(),
            &event.leaf,
        ])?;
        self.item(&WholeEvent { event, text: String::from_utf8_lossy(text) })
    }

    /// The events are over: parcels follow.
    pub(super) fn begin_parcels(&mut self) -> Result<(), Failure> {
        self.array("parcels")
    }

    /// Adds a parcel.
    pub(super) fn parcel(&mut self, parcel: &ParcelObject) -> Result<(), Failure> {
        let or_empty = |text: &'_ Option<String>| text.clone().unwrap_or_default();
        self.parcels.row(&[
            &parcel.parcel,
            &parcel.sender,
            &parcel.sender_name,
            &parcel.recipient,
            &parcel.recipient_name,
            parcel.state,
            &parcel.state_ja,
            &parcel.kinds.join(" "),
            &parcel.months.join(" "),
            &parcel.files.to_string(),
            &parcel.size_bytes.to_string(),
            &parcel.accepted,
            &or_empty(&parcel.delivered),
            &or_empty(&parcel.fetched),
            &or_empty(&parcel.acknowledged),
            &or_empty(&parcel.ended),
            &parcel.signer,
            &or_empty(&parcel.transmitter),
            &or_empty(&parcel.acknowledged_by),
            &or_empty(&parcel.acknowledged_signer),
            &parcel.digest,
        ])?;
        self.item(parcel)
    }

    /// The parcels are over: those who occur follow.
    pub(super) fn begin_parties(&mut self) -> Result<(), Failure> {
        self.array("parties")
    }

    /// Adds somebody, or a key.
    pub(super) fn party(&mut self, party: &PartyObject) -> Result<(), Failure> {
        let office = party.office.as_deref().unwrap_or_default();
        self.parties.row(&[
            &party.party,
            party.kind,
            &party.name,
            office,
            &party.events.to_string(),
            &party.first,
            &party.last,
        ])?;
        self.item(party)
    }

    /// Ends the pack: all of it is durable when this returns.
    pub(super) fn finish(mut self, summary: &impl Serialize, report: &str) -> Result<(), Failure> {
        let summary = json(summary)?;
        self.audit.write(&format!("\n],\n\"summary\":{summary}}}\n"))?;
        self.report.write(report)?;
        for file in self.files() {
            file.finish()?;
        }
        files::sync_folder(&self.folder).map_err(Failure::file(&self.folder))?;
        self.finished = true;
        Ok(())
    }

    fn files(&mut self) -> [&mut Growing; 5] {
        [&mut self.timeline, &mut self.parcels, &mut self.parties, &mut self.audit, &mut self.report]
    }

    fn array(&mut self, name: &str) -> Result<(), Failure> {
        self.first = true;
        self.audit.write(&format!("\n],\n\"{name}\":["))
    }

    fn item(&mut self, item: &impl Serialize) -> Result<(), Failure> {
        let comma = if std::mem::take(&mut self.first) { "\n" } else { ",\n" };
        let item = json(item)?;
        self.audit.write(comma)?;
        self.audit.write(&item)
    }
}

impl Drop for Pack {
    fn drop(&mut self) {
        if !self.finished {
            self.files().into_iter().for_each(|file| remove(&file.path));
        }
    }
}

/// Half a pack is of no use; where even that can't be done, the failure that ended it is what counts.
fn remove(path: &Path) {
    let _gone = fs::remove_file(path);
}

fn json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::Setup(error.to_string()))
}

/// The files of a pack, for whoever asks where they are.
pub(super) fn paths(folder: &Path) -> Vec<String> {
    ALL.iter().map(|name| folder.join(name).display().to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::exit::Exit;

    const OPENING: Opening<'_> = Opening {
        subject: "office:1371215102",
        from: None,
        until: Some("2026-11-27T15:00:00.000000Z"),
        made_at: "2026-11-28T00:00:00.000000Z",
        checkpoint: "relay.example/e1\n1\n",
    };

    fn event(details: &str) -> EventObject {
        let lines = [("reason".to_owned(), super::super::entries::Lines::One(details.to_owned()))];
        EventObject {
            time: "2026-11-21T11:38:34.000123Z".to_owned(),
            epoch: 1,
            index: 3,
            kind: "office.suspended".to_owned(),
            parcel: None,
            sender: None,
            recipient: None,
            by: None,
            signer: None,
            in_feed: Some(false),
            lines: lines.into(),
            leaf: "sha256:00".to_owned(),
            time_us: 1_795_261_114_000_123,
        }
    }

    #[test]
    fn a_pack_is_whole_for_its_owner_and_never_written_over() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("pack");
        let mut pack = Pack::create(&folder, &OPENING).unwrap();
        for details in ["a \"b\", c", "二行目"] {
            pack.event(&event(details), ("=cmd|' /C calc'!A0", "さくら"), b"text").unwrap();
        }
        pack.begin_parcels().unwrap();
        pack.begin_parties().unwrap();
        pack.finish(&serde_json::json!({"events": 2}), "<!DOCTYPE html>").unwrap();

        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        let value: serde_json::Value = serde_json::from_str(&read(AUDIT)).unwrap();
        assert_eq!((&value["format"], &value["from"]), (&FORM.into(), &serde_json::Value::Null));
        assert_eq!(value["events"].as_array().unwrap().len(), 2);
        assert_eq!(value["events"][0]["lines"]["reason"], "a \"b\", c");
        assert_eq!((&value["parcels"], &value["summary"]["events"]), (&serde_json::json!([]), &2.into()));
        let timeline = read(TIMELINE);
        assert!(timeline.starts_with("\u{feff}time,kind,") && timeline.ends_with("\r\n"), "{timeline}");
        let mut reader = csv::Reader::from_reader(timeline.trim_start_matches('\u{feff}').as_bytes());
        let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().unwrap();
        assert_eq!(
            (rows.len(), &rows[0][12], &rows[0][0]),
            (2, "reason=a \"b\", c", "2026-11-21T20:38:34+09:00")
        );
        assert_eq!(&rows[0][6], "'=cmd|' /C calc'!A0", "no formula");
        #[cfg(unix)]
        for name in ALL {
            assert_eq!(crate::commands::testing::mode(&folder.join(name)), 0o600, "{name}");
        }

        let again = Pack::create(&folder, &OPENING).unwrap_err();
        assert_eq!((again.exit(), again.explain().unwrap().0), (Exit::Usage, "FILE_EXISTS"));
        assert_eq!(read(TIMELINE), timeline);
    }

    #[test]
    fn of_half_a_pack_nothing_stays_and_others_files_do() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("mine.txt"), "mine").unwrap();
        drop(Pack::create(folder.path(), &OPENING).unwrap());
        fs::write(folder.path().join(REPORT), "theirs").unwrap();
        Pack::create(folder.path(), &OPENING).unwrap_err();
        let mut left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["mine.txt", REPORT]);
        assert_eq!(fs::read_to_string(folder.path().join(REPORT)).unwrap(), "theirs");
    }
}
