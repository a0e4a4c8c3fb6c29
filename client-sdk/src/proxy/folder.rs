//! What lies in a proxy's `out/`: one heap of files of all offices, told apart by the sender in their names, or a folder for each
//! office, `out/N/`, in which only N's files may lie. Both may be there at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use tasuki_careplan::attachment::AttachmentName;
use tasuki_careplan::file_name::FileName;
use tasuki_careplan::office::OfficeNumber;
use tasuki_careplan::serial::Serial;
use tasuki_proto::mandate::Scope;
use tasuki_proto::reason;

use super::Served;
use crate::error::SdkError;

/// Where files to be sent lie.
pub(super) const OUT: &str = "out";

/// A file that is left where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// Its path below the proxy's folder, with `/`.
    pub file: String,
    /// Why: `NOT_STANDARD`, `OTHER_OFFICE` (in another office's folder), `NOT_A_FILE`, `STILL_CHANGING`, `MANDATE_MISSING`,
    /// `MANDATE_SCOPE`; or the rule of a finding.
    pub reason: String,
}

/// A file to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    /// Its path below the proxy's folder, with `/`.
    pub(super) file: String,
    pub(super) name: String,
    pub(super) stamp: Stamp,
}

/// By what a file is known to be the one that was read: size and time of the last change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Stamp {
    pub(super) size: u64,
    pub(super) changed_us: i64,
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        let changed = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let changed_us = changed.and_then(|time| i64::try_from(time.as_micros()).ok()).unwrap_or(0);
        Self { size: metadata.len(), changed_us }
    }
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Files by the office that sends them.
    pub(super) heaps: BTreeMap<OfficeNumber, Vec<Waiting>>,
    /// Files that are none of the proxy's business, or not yet.
    pub(super) left: Vec<Left>,
}

/// Which parcel a file goes with.
type Parcel = (OfficeNumber, OfficeNumber, Serial);

/// What lies in `out/`: path below the proxy's folder, what it is, and the office in whose folder it lies.
#[derive(Debug)]
pub(super) struct Lies(Vec<(String, Metadata, Option<OfficeNumber>)>);

/// Looks into `out/`.
pub(super) fn look(folder: &Path) -> Result<Lies, SdkError> {
    let mut all = Vec::new();
    for (path, metadata) in entries(folder, OUT)? {
        let name = path.rsplit('/').next().unwrap_or_default();
        match name.parse::<OfficeNumber>() {
            Ok(office) if metadata.is_dir() => {
                let inside = entries(folder, &path)?.into_iter();
                all.extend(inside.map(|(path, metadata)| (path, metadata, Some(office))));
            }
            _ => all.push((path, metadata, None)),
        }
    }
    Ok(Lies(all))
}

/// Tells apart whose files lie there. With `quiet`, parcels with a file that changed within that time before `now_us` are left for later:
/// somebody may still be copying them.
pub(super) fn judge(lies: Lies, offices: &[Served], quiet: Option<Duration>, now_us: i64) -> Found {
    let mut finder = Finder { offices, found: Found::default(), parcels: BTreeMap::new() };
    for (path, metadata, of) in lies.0 {
        finder.take(path, &metadata, of);
    }
    let Finder { mut found, parcels, .. } = finder;
    if let Some(quiet) = quiet {
        let quiet_us = i64::try_from(quiet.as_micros()).unwrap_or(i64::MAX);
        let young = |file: &Waiting| now_us.saturating_sub(file.stamp.changed_us) < quiet_us;
        let all = found.heaps.values().flatten();
        let changing: BTreeSet<Parcel> =
            all.filter(|file| young(file)).filter_map(|file| parcels.get(&file.file).copied()).collect();
        for heap in found.heaps.values_mut() {
            let (later, now) = std::mem::take(heap)
                .into_iter()
                .partition(|file: &Waiting| parcels.get(&file.file).is_some_and(|p| changing.contains(p)));
            *heap = now;
            let later: Vec<Waiting> = later;
            found.left.extend(later.into_iter().map(|file| left(file.file, "STILL_CHANGING")));
        }
    }
    found.heaps.retain(|_, heap| !heap.is_empty());
    found
}

fn left(file: String, reason: &str) -> Left {
    Left { file, reason: reason.to_owned() }
}

struct Finder<'o> {
    offices: &'o [Served],
    found: Found,
    parcels: BTreeMap<String, Parcel>,
}

impl Finder<'_> {
    fn take(&mut self, file: String, metadata: &Metadata, of: Option<OfficeNumber>) {
        let reason = match self.judge(&file, metadata, of) {
            Ok(parcel) => {
                let name = file.rsplit('/').next().unwrap_or_default().to_owned();
                let waiting = Waiting { file: file.clone(), name, stamp: Stamp::of(metadata) };
                self.found.heaps.entry(parcel.0).or_default().push(waiting);
                self.parcels.insert(file, parcel);
                return;
            }
            Err(reason) => reason,
        };
        self.found.left.push(left(file, reason));
    }

    /// Whose file it is, and which parcel it goes with.
    fn judge(
        &self,
        file: &str,
        metadata: &Metadata,
        of: Option<OfficeNumber>,
    ) -> Result<Parcel, &'static str> {
        if !metadata.is_file() {
            return Err("NOT_A_FILE");
        }
        let name = file.rsplit('/').next().unwrap_or_default();
        let parcel = match (FileName::parse(name), name.parse::<AttachmentName>()) {
            (Ok(name), _) => (name.sender, name.recipient, name.serial),
            (_, Ok(name)) => (name.sender, name.recipient, name.serial),
            _ => return Err("NOT_STANDARD"),
        };
        if of.is_some_and(|office| office != parcel.0) {
            return Err("OTHER_OFFICE");
        }
        match self.offices.binary_search_by_key(&parcel.0, |served| served.office) {
            Ok(at) if self.offices[at].may(Scope::Send) => Ok(parcel),
            Ok(_) => Err(reason::MANDATE_SCOPE),
            Err(_) => Err(reason::MANDATE_MISSING),
        }
    }
}

/// The entries of a folder below the proxy's, by name; none if there is no such folder. Names that are no text are told as far as
/// they are, and left.
fn entries(folder: &Path, inside: &str) -> Result<Vec<(String, Metadata)>, SdkError> {
    let path = folder.join(inside);
    let entries = match fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(SdkError::io(&path, &e)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| SdkError::io(&path, &e))?;
        let metadata = match metadata_of(&entry) {
            Ok(metadata) => metadata,
            // Taken away meanwhile, or a link to nothing.
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(SdkError::io(&entry.path(), &e)),
        };
        found.push((format!("{inside}/{}", entry.file_name().to_string_lossy()), metadata));
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(found)
}

/// What an entry is, or what it leads to. On Unix the open folder answers quicker than a path does; on Windows a folder may remember an
/// earlier size and time of a file.
fn metadata_of(entry: &DirEntry) -> io::Result<Metadata> {
    if cfg!(unix) {
        let own = entry.metadata()?;
        if !own.is_symlink() {
            return Ok(own);
        }
    }
    fs::metadata(entry.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANAGER: &str = "1371215102";
    const VISIT: &str = "9971100012";

    fn find(folder: &Path, offices: &[Served], quiet: Option<Duration>, now_us: i64) -> Found {
        judge(look(folder).unwrap(), offices, quiet, now_us)
    }

    fn served(office: &str, scopes: &str) -> Served {
        Served {
            office: office.parse().unwrap(),
            name: String::new(),
            scopes: scopes.parse().unwrap(),
            delegation: Vec::new(),
            feed_end: None,
        }
    }

    fn name(kind: &str, sender: &str, serial: &str) -> String {
        format!("{kind}_202602_{sender}_43_9971100020_15_{serial}.CSV")
    }

    #[test]
    fn a_heap_and_folders_are_told_apart_and_what_is_not_ours_is_left() {
        let folder = crate::testing::folder("proxy-out");
        let write = |path: &str| {
            let path = folder.path().join("out").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        };
        assert!(find(folder.path(), &[], None, 0).heaps.is_empty());
        let (ours, second) =
            (name("UPPLAN", MANAGER, "20260125103000"), name("UPPLAN", MANAGER, "20260125103001"));
        let attachment = "ATTACH_memo_1371215102_9971100020_20260125103000_0001.pdf";
        write(&ours);
        write(attachment);
        write(&format!("{MANAGER}/{second}"));
        write(&format!("{VISIT}/{second}"));
        write("memo.txt");
        write("later/memo.txt");
        write(&name("UPPLAN", VISIT, "20260125103000"));
        write(&name("UPPLAN", "9971100038", "20260125103000"));
        let offices = [served(MANAGER, "send"), served(VISIT, "receive")];
        let found = find(folder.path(), &offices, None, 0);
        let heap = &found.heaps[&MANAGER.parse().unwrap()];
        let files: Vec<&str> = heap.iter().map(|file| file.file.as_str()).collect();
        let expected =
            [format!("out/{MANAGER}/{second}"), format!("out/{attachment}"), format!("out/{ours}")];
        assert_eq!(files, expected);
        assert_eq!(found.heaps.len(), 1);
        let mut reasons: Vec<&str> = found.left.iter().map(|left| left.reason.as_str()).collect();
        reasons.sort_unstable();
        assert_eq!(
            reasons,
            ["MANDATE_MISSING", "MANDATE_SCOPE", "NOT_A_FILE", "NOT_STANDARD", "OTHER_OFFICE"]
        );
    }

    #[test]
    fn a_parcel_that_is_still_being_copied_waits_as_a_whole() {
        let folder = crate::testing::folder("proxy-young");
        let out = folder.path().join("out");
        fs::create_dir(&out).unwrap();
        let names = ["UPPLAN", "UPSIKYU"].map(|kind| name(kind, MANAGER, "20260125103000"));
        let other = name("UPPLAN", MANAGER, "20260125103001");
        for name in names.iter().chain([&other]) {
            fs::write(out.join(name), "x").unwrap();
        }
        let old = UNIX_EPOCH + Duration::from_secs(1_000_000);
        for name in [&names[0], &other] {
            let file = fs::OpenOptions::new().write(true).open(out.join(name)).unwrap();
            file.set_modified(old).unwrap();
        }
        let young = Stamp::of(&fs::metadata(out.join(&names[1])).unwrap()).changed_us;
        let offices = [served(MANAGER, "send")];
        let quiet = Some(Duration::from_secs(10));
        let found = find(folder.path(), &offices, quiet, young + 1_000_000);
        let heap = &found.heaps[&MANAGER.parse().unwrap()];
        assert_eq!((heap.len(), &heap[0].name), (1, &other));
        assert_eq!(found.left.iter().filter(|left| left.reason == "STILL_CHANGING").count(), 2);
        let found = find(folder.path(), &offices, quiet, young + 10_000_000);
        assert_eq!(found.heaps.values().flatten().count(), 3);
    }
}
