//! Splitting: from everything that care software exported to one folder for each parcel.
//!
//! A parcel is what one office sends to one other with one serial. Its folder is named `SERIAL_SENDER_RECIPIENT`, so that
//! folders sort in the order of sending; attachments named `ATTACH_…` go with the parcel that their names tell.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tasuki_careplan::attachment::AttachmentName;
use tasuki_careplan::check::check_file;
use tasuki_careplan::file::{OwnedFile, SourceFile};
use tasuki_careplan::file_name::{FileName, looks_standard};
use tasuki_careplan::misdirected::drop_misdirected;
use tasuki_careplan::office::OfficeNumber;
use tasuki_careplan::serial::Serial;
use tasuki_careplan::words::{Words, describe};

use crate::error::SdkError;
use crate::finding::Finding;
use crate::heap::{Heap, HeapFile, read_without_doubles};
use crate::keep::{self, Kept};
use crate::progress::Progress;
use crate::send::plan::{Unsendable, finding};

/// How to split.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SplitOptions {
    /// Take users out of slips that go to an office where they have no service (`MISDIRECTED`). Slips that lose somebody get
    /// this serial, since the receiver may have imported the first ones already; it is the present, in Japan's time.
    pub drop_misdirected: Option<Serial>,
}

/// What splitting came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SplitReport {
    /// The parcels, in the order of their serials as they were.
    pub parcels: Vec<SplitParcel>,
    /// What belongs to no parcel or was not written, and why.
    pub left: Vec<Unsendable>,
}

/// One parcel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitParcel {
    /// The sending office.
    pub sender: OfficeNumber,
    /// The receiving office.
    pub recipient: OfficeNumber,
    /// The serial that its files share.
    pub serial: Serial,
    /// Its folder.
    pub folder: PathBuf,
    /// Names of the files in it.
    pub files: Vec<String>,
    /// What it is.
    pub words: Words,
    /// It stood there before, the same to the byte.
    pub already_there: bool,
}

/// What misdirected users cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Users, counted once for each slip.
    pub users: usize,
    /// Records.
    pub records: usize,
}

/// From whom, to whom, with which serial.
type Key = (Serial, OfficeNumber, OfficeNumber);

/// Splits files, folders (with all inside), ZIPs and files in the one-file form into one folder for each parcel, under
/// `out`. Every file is the same to the byte, except what `drop_misdirected` takes out. One parcel is in memory at a time.
///
/// ```no_run
/// use tasuki_sdk::{Silent, split::{SplitOptions, split}};
///
/// let (report, _) = split(&["all.zip".into()], "parcels".as_ref(), &SplitOptions::default(), &Silent)?;
/// for parcel in &report.parcels {
///     println!("{} {}", parcel.folder.display(), parcel.words.ja);
/// }
/// # Ok::<(), tasuki_sdk::SdkError>(())
/// ```
///
/// # Errors
/// A path does not exist or can't be read, a ZIP is none, or `out` can't be written.
pub fn split(
    paths: &[PathBuf],
    out: &Path,
    options: &SplitOptions,
    progress: &dyn Progress,
) -> Result<(SplitReport, Dropped), SdkError> {
    let heap = Heap::of(paths, progress)?;
    let mut report = SplitReport::default();
    let mut dropped = Dropped::default();
    let mut groups: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
    for (at, file) in heap.files.iter().enumerate() {
        if let Some(key) = key_of(&file.name) {
            groups.entry(key).or_default().push(at);
        } else {
            let findings = why_none(file, progress)?;
            report.left.push(Unsendable { path: file.path.clone(), findings });
        }
    }
    for problem in heap.problems {
        report.left.push(Unsendable { path: problem.path, findings: problem.findings });
    }
    let mut new_serial = options.drop_misdirected;
    for (key, members) in groups {
        let content = match read_without_doubles(&heap.files, &members, progress)? {
            Ok(content) => content,
            Err(finding) => {
                let blamed = members.iter().find(|at| heap.files[**at].name == finding.file);
                let path = blamed.map(|at| heap.files[*at].path.clone()).unwrap_or_default();
                report.left.push(Unsendable { path, findings: vec![finding] });
                continue;
            }
        };
        let files = content
            .into_iter()
            .map(|(at, bytes)| OwnedFile { name: heap.files[at].name.clone(), bytes: bytes.into_owned() });
        let files: Vec<OwnedFile> = files.collect();
        let Some(serial) = new_serial else {
            write(out, key, files, &mut report)?;
            continue;
        };
        let path_of = |name: &str| {
            let found = members.iter().find(|at| heap.files[**at].name == name);
            found.map(|at| heap.files[*at].path.clone()).unwrap_or_default()
        };
        let kept = without_strangers(key, files, serial);
        if kept.dropped.users > 0 {
            if serial <= key.0 {
                let first = members.first().map(|at| heap.files[*at].name.clone()).unwrap_or_default();
                report.left.push(Unsendable { path: path_of(&first), findings: vec![too_late(&first)] });
                continue;
            }
            // Two slips to one office must not get the same one, and keep their order.
            new_serial = Some(after(serial));
        }
        dropped.users += kept.dropped.users;
        dropped.records += kept.dropped.records;
        for (key, files) in kept.parcels {
            write(out, key, files, &mut report)?;
        }
        for name in kept.orphans {
            report.left.push(Unsendable { path: path_of(&name), findings: vec![orphan(&name)] });
        }
    }
    Ok((report, dropped))
}

fn key_of(name: &str) -> Option<Key> {
    if let Ok(name) = FileName::parse(name) {
        return Some((name.serial, name.sender, name.recipient));
    }
    let name: AttachmentName = name.parse().ok()?;
    Some((name.serial, name.sender, name.recipient))
}

/// Why a file belongs to no parcel.
fn why_none(file: &HeapFile, progress: &dyn Progress) -> Result<Vec<Finding>, SdkError> {
    if looks_standard(&file.name) {
        // The check says exactly what is wrong with the name.
        let bytes = file.read(progress)?;
        return Ok(check_file(&file.name, &bytes).iter().map(Finding::from).collect());
    }
    Ok(vec![finding(
        "NO_PARCEL",
        &file.name,
        "標準仕様のファイルでも ATTACH_ で始まる添付ファイルでもないため、どの電文のものか分かりません。必要なら送信時に --attach で添付してください。",
        "Neither a file of the standard nor an attachment named ATTACH_…, so nobody can tell to which parcel it belongs: if it \
         is needed, attach it with --attach when you send.",
    )])
}

/// What is left of a parcel.
#[derive(Debug, Default)]
struct WithoutStrangers {
    parcels: BTreeMap<Key, Vec<OwnedFile>>,
    /// Attachments to files of which none is left, by name.
    orphans: Vec<String>,
    dropped: Dropped,
}

/// Takes misdirected users out of one parcel. Slips that lose somebody become a parcel of their own serial; attachments go
/// with the files of the standard.
fn without_strangers(key: Key, files: Vec<OwnedFile>, serial: Serial) -> WithoutStrangers {
    let (standard, attached): (Vec<OwnedFile>, Vec<OwnedFile>) =
        files.into_iter().partition(|file| looks_standard(&file.name));
    let sources: Vec<SourceFile<'_>> = standard.iter().map(OwnedFile::as_source).collect();
    let kept = drop_misdirected(&sources, Some(serial));
    let mut left = WithoutStrangers {
        dropped: Dropped { users: kept.users, records: kept.records },
        ..WithoutStrangers::default()
    };
    for file in kept.files {
        left.parcels.entry(key_of(&file.name).unwrap_or(key)).or_default().push(file);
    }
    let new = left.parcels.keys().next().copied();
    let home = if standard.is_empty() || left.parcels.contains_key(&key) { Some(key) } else { new };
    for file in attached {
        let Some(home) = home else {
            left.orphans.push(file.name);
            continue;
        };
        let name = match file.name.parse::<AttachmentName>() {
            Ok(name) if name.serial != home.0 => AttachmentName { serial: home.0, ..name }.to_string(),
            _ => file.name,
        };
        left.parcels.entry(home).or_default().push(OwnedFile { name, bytes: file.bytes });
    }
    left
}

/// The serial of one second later.
fn after(serial: Serial) -> Serial {
    const FORM: &str = "%Y%m%d%H%M%S";
    let later = || {
        let time = jiff::civil::DateTime::strptime(FORM, serial.to_string()).ok()?;
        let later = time.checked_add(jiff::Span::new().seconds(1)).ok()?;
        later.strftime(FORM).to_string().parse().ok()
    };
    // The last second of the last year has none; a clock that shows it is wrong, and the folder is not written twice.
    later().unwrap_or(serial)
}

fn too_late(name: &str) -> Finding {
    finding(
        "SERIAL_MISMATCH",
        name,
        "元の連番がこの端末の現在時刻より後のため、新しい連番を付けられません。端末の日時を確かめるか、介護ソフトから出力し直してください。",
        "The serial is later than this computer's time, so no newer one can be given: check the clock, or export again from the          care software.",
    )
}

fn orphan(name: &str) -> Finding {
    finding(
        "NO_PARCEL",
        name,
        "一緒に送る利用票から利用者がすべて除かれたため、添付ファイルの行き先がありません。必要なら送信時に --attach で添付してください。",
        "All users were taken out of the slip that this attachment goes with, so it has no parcel: if it is needed, attach it \
         with --attach when you send.",
    )
}

fn write(
    out: &Path,
    (serial, sender, recipient): Key,
    mut files: Vec<OwnedFile>,
    report: &mut SplitReport,
) -> Result<(), SdkError> {
    files.sort_by(|one, other| one.name.cmp(&other.name));
    let folder = out.join(format!("{serial}_{sender}_{recipient}"));
    let already_there = match keep::keep_folder(&folder, &files)? {
        Kept::Written => false,
        Kept::AlreadyThere => true,
        Kept::Differs => {
            report.left.push(Unsendable { findings: vec![keep::differs(&folder)], path: folder });
            return Ok(());
        }
    };
    let names: Vec<FileName> = files.iter().filter_map(|file| FileName::parse(&file.name).ok()).collect();
    let words = describe(&tasuki_careplan::group::kinds(&names), &tasuki_careplan::group::months(&names));
    let files = files.into_iter().map(|file| file.name).collect();
    report.parcels.push(SplitParcel { sender, recipient, serial, folder, files, words, already_there });
    Ok(())
}

#[cfg(test)]
mod tests;
