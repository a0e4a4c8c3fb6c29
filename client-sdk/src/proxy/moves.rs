//! Files leave `out/` whole parcels at a time, whatever happens in between.
//!
//! A parcel of three files of which a crash left two in `out/` would look like another parcel, and go out a second time. So what is to be
//! moved is written down first, durably, in a journal in `.moving/`; a run that finds one finishes it before it looks into `out/`.
//! A file that changed since it was read stays: it was not what was sent.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tasuki_careplan::office::OfficeNumber;

use super::folder::{Stamp, Waiting};
use crate::error::{Refusal, SdkError, VerificationError, words};
use crate::files::{self, Access};
use crate::finding::Finding;

const MOVING: &str = ".moving";
const SUFFIX: &str = ".jsonl";
const FORMAT: &str = "tasuki-proxy-moves/v1";

/// Names that are tried where one is taken by another file: more than anybody sends one file.
const MAX_SAME: usize = 10_000;

/// What is to be moved of one office's files.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Moves {
    format: String,
    office: OfficeNumber,
    files: Vec<Move>,
    /// Why parcels were refused.
    whys: Vec<Why>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Move {
    /// Path below the proxy's folder, with `/`.
    file: String,
    stamp: Stamp,
    /// It was refused, for this reason: a place in the list. Otherwise it was accepted.
    why: Option<usize>,
}

/// Why a parcel was refused: what stands beside its files.
#[derive(Debug, Serialize, Deserialize)]
struct Why {
    reason: String,
    message_ja: String,
    message_en: String,
    /// Names of the parcel's files.
    files: Vec<String>,
    findings: serde_json::Value,
}

impl Moves {
    pub(super) fn of(office: OfficeNumber) -> Self {
        Self { format: FORMAT.to_owned(), office, files: Vec::new(), whys: Vec::new() }
    }

    /// These were accepted: they go to `done/N/`.
    pub(super) fn done<'f>(&mut self, files: impl Iterator<Item = &'f Waiting>) {
        self.files.extend(files.map(|file| Move { file: file.file.clone(), stamp: file.stamp, why: None }));
    }

    /// These were refused for good: they go to `error/N/`, each with its `.reason.json`.
    pub(super) fn refused<'f>(
        &mut self,
        files: impl Iterator<Item = &'f Waiting>,
        names: &[String],
        refusal: &Refusal,
        warnings: &[Finding],
    ) {
        let findings: Vec<&Finding> = refusal.findings.iter().chain(warnings).collect();
        self.whys.push(Why {
            reason: refusal.reason.clone(),
            message_ja: refusal.message_ja.clone(),
            message_en: refusal.message_en.clone(),
            files: names.to_vec(),
            findings: serde_json::to_value(findings).expect("strings and numbers always serialise"),
        });
        let why = Some(self.whys.len() - 1);
        self.files.extend(files.map(|file| Move { file: file.file.clone(), stamp: file.stamp, why }));
    }

    /// Moves them, once the journal has them, and makes durable where they came into. A crash before [`Moved::settle`] leaves what
    /// [`finish_all`] brings to its end.
    pub(super) fn carry_out(&self, folder: &Path, journal: &Journal) -> Result<Moved, SdkError> {
        if self.files.is_empty() {
            return Ok(Moved::default());
        }
        journal.note(self)?;
        let moved = self.finish(folder)?;
        // While other offices are at work; at the round's end it would be one folder after another.
        moved.entered.iter().try_for_each(|folder| files::sync_folder(folder))?;
        Ok(moved)
    }

    fn finish(&self, folder: &Path) -> Result<Moved, SdkError> {
        let mut folders = Moved::default();
        let mut fresh: BTreeMap<PathBuf, BTreeSet<String>> = BTreeMap::new();
        for moved in &self.files {
            let from = folder.join(&moved.file);
            let is_it = fs::metadata(&from).is_ok_and(|metadata| Stamp::of(&metadata) == moved.stamp);
            if !is_it {
                continue;
            }
            let why = moved.why.and_then(|at| self.whys.get(at));
            let target = folder.join(if why.is_some() { "error" } else { "done" }).join(self.office.as_str());
            let name = from.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if !folders.entered.contains(&target) {
                if create_new(&target)? {
                    fresh.insert(target.clone(), BTreeSet::new());
                }
                folders.entered.insert(target.clone());
            }
            // Into a folder that was just made nobody else puts anything: there only these can clash.
            let alone = fresh.get_mut(&target).is_some_and(|names| names.insert(name.to_lowercase()));
            let to = if alone { target.join(name) } else { free(&target, name) };
            if let Some(why) = why {
                let mut beside = to.as_os_str().to_owned();
                beside.push(".reason.json");
                let json = serde_json::to_vec_pretty(why).expect("strings and numbers always serialise");
                files::write_synced(Path::new(&beside), &json, Access::Default)?;
            }
            fs::rename(&from, &to).map_err(|e| SdkError::io(&from, &e))?;
            folders.left.insert(from.parent().unwrap_or(folder).to_owned());
        }
        Ok(folders)
    }
}

/// What a round moves, a line for each office's turn: durable before the first of its files is moved.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: Mutex<Option<Arc<File>>>,
}

impl Journal {
    /// Of a round in this folder. There is no file before something is to be moved.
    pub(super) fn of(folder: &Path) -> Self {
        let name = format!("{}{SUFFIX}", std::process::id());
        Self { path: folder.join(MOVING).join(name), file: Mutex::default() }
    }

    fn note(&self, moves: &Moves) -> Result<(), SdkError> {
        let mut line = serde_json::to_vec(moves).expect("strings and numbers always serialise");
        line.push(b'\n');
        let file = {
            let mut open = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            let file = match &*open {
                Some(file) => Arc::clone(file),
                None => Arc::clone(open.insert(Arc::new(self.begin()?))),
            };
            (&*file).write_all(&line).map_err(|e| self.failed(&e))?;
            file
        };
        // Those who come at the same time wait together for the disk.
        file.sync_data().map_err(|e| self.failed(&e))
    }

    fn begin(&self) -> Result<File, SdkError> {
        let folder = self.path.parent().unwrap_or(&self.path);
        create(folder)?;
        let file = files::create(&self.path, Access::Owner).map_err(|e| self.failed(&e))?;
        files::sync_folder(folder)?;
        files::sync_folder_of(folder)?;
        Ok(file)
    }

    fn failed(&self, error: &std::io::Error) -> SdkError {
        SdkError::io(&self.path, error)
    }

    /// The round is over, and what it moved is durable.
    pub(super) fn end(self) -> Result<(), SdkError> {
        let written = self.file.into_inner().unwrap_or_else(PoisonError::into_inner);
        // Windows removes no file that is open.
        if written.map(drop).is_some() { files::discard(&self.path) } else { Ok(()) }
    }
}

/// Moves that are done and may be undone by a power cut. Those of a whole round are made durable together: `out/` may hold the files of
/// hundreds of offices, and is one folder to sync.
#[derive(Debug, Default)]
pub(super) struct Moved {
    left: BTreeSet<PathBuf>,
    entered: BTreeSet<PathBuf>,
}

impl Moved {
    /// These as well.
    pub(super) fn add(&mut self, other: Self) {
        self.left.extend(other.left);
        self.entered.extend(other.entered);
    }

    /// Makes them durable: files are where they came into before they are gone from where they left.
    pub(super) fn settle(&self) -> Result<(), SdkError> {
        // New folders for offices are names in the folder above.
        let above: BTreeSet<&Path> = self.entered.iter().filter_map(|folder| folder.parent()).collect();
        above.iter().try_for_each(|folder| files::sync_folder(folder))?;
        self.left.iter().try_for_each(|folder| files::sync_folder(folder))
    }
}

/// Finishes what an earlier run has begun to move.
pub(super) fn finish_all(folder: &Path) -> Result<(), SdkError> {
    let moving = folder.join(MOVING);
    for name in files::list(&moving)? {
        let path = moving.join(&name);
        let mut moved = Moved::default();
        for moves in read(&path)? {
            moved.add(moves.finish(folder)?);
        }
        moved.entered.iter().try_for_each(|folder| files::sync_folder(folder))?;
        moved.settle()?;
        files::discard(&path)?;
    }
    Ok(())
}

/// Reads a journal. The last line may have been cut: then nothing of it was moved yet.
fn read(path: &Path) -> Result<Vec<Moves>, SdkError> {
    let bytes = files::read(path)?;
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let mut all = Vec::with_capacity(lines.len());
    for (n, line) in lines.iter().enumerate() {
        let moves: Option<Moves> = serde_json::from_slice(line).ok();
        match moves.filter(|moves| moves.format == FORMAT) {
            Some(moves) => all.push(moves),
            None if n + 1 == lines.len() => {
                tracing::warn!(path = %path.display(), "the last line of a list of moves was cut; it counts for nothing");
            }
            None => {
                let message = words(
                    "移動の途中の記録として読めません。内容を確かめてください",
                    "not a list of files that were being moved; please look into it",
                );
                return Err(VerificationError::Malformed { path: path.to_owned(), message }.into());
            }
        }
    }
    Ok(all)
}

fn create(folder: &Path) -> Result<(), SdkError> {
    fs::create_dir_all(folder).map_err(|e| SdkError::io(folder, &e))
}

/// Makes a folder; false: it was there.
fn create_new(folder: &Path) -> Result<bool, SdkError> {
    if let Some(above) = folder.parent() {
        create(above)?;
    }
    match fs::create_dir(folder) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(SdkError::io(folder, &e)),
    }
}

/// A name that no other file has: `NAME`, else `NAME.2`, and so on. Nothing that lies there is ever replaced.
fn free(folder: &Path, name: &str) -> PathBuf {
    let numbered = (2..MAX_SAME).map(|n| folder.join(format!("{name}.{n}")));
    std::iter::once(folder.join(name))
        .chain(numbered)
        .find(|path| !path.exists())
        .unwrap_or_else(|| folder.join(format!("{name}.{MAX_SAME}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn office() -> OfficeNumber {
        "1371215102".parse().unwrap()
    }

    fn waiting(folder: &Path, name: &str, content: &str) -> Waiting {
        let path = folder.join("out").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        let stamp = Stamp::of(&fs::metadata(&path).unwrap());
        Waiting { file: format!("out/{name}"), name: name.to_owned(), stamp }
    }

    #[test]
    fn what_was_begun_is_finished_and_what_changed_stays() {
        let folder = crate::testing::folder("proxy-moves");
        let path = folder.path();
        let files = ["a", "b", "c"].map(|name| waiting(path, name, name));
        let mut moves = Moves::of(office());
        moves.done(files[..2].iter());
        let refusal = Refusal::of("FILES_REJECTED");
        moves.refused(files[2..].iter(), &["c".to_owned()], &refusal, &[]);
        // The list is written, one file is moved, and the power fails.
        fs::create_dir(path.join(MOVING)).unwrap();
        let json = serde_json::to_vec(&moves).unwrap();
        // A second line is cut.
        let journal = [json.as_slice(), b"\n{\"format\":"].concat();
        fs::write(path.join(MOVING).join("17.jsonl"), journal).unwrap();
        let done = path.join("done/1371215102");
        fs::create_dir_all(&done).unwrap();
        fs::rename(path.join("out/a"), done.join("a")).unwrap();
        // Somebody puts another version of the second one there meanwhile.
        fs::write(path.join("out/b"), "newer").unwrap();
        finish_all(path).unwrap();
        assert!(done.join("a").exists() && !done.join("b").exists());
        assert_eq!(fs::read(path.join("out/b")).unwrap(), b"newer");
        let error = path.join("error/1371215102");
        assert_eq!(fs::read(error.join("c")).unwrap(), b"c");
        let why: serde_json::Value =
            serde_json::from_slice(&fs::read(error.join("c.reason.json")).unwrap()).unwrap();
        assert_eq!(why["reason"], "FILES_REJECTED");
        assert!(!why["message_ja"].as_str().unwrap().is_empty());
        assert_eq!(files::list(&path.join(MOVING)).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn nothing_that_lies_there_is_replaced() {
        let folder = crate::testing::folder("proxy-moves-same");
        let path = folder.path();
        for content in ["first", "second", "third"] {
            let file = waiting(path, "a", content);
            let mut moves = Moves::of(office());
            moves.done(std::iter::once(&file));
            let journal = Journal::of(path);
            moves.carry_out(path, &journal).unwrap().settle().unwrap();
            assert_eq!(files::list(&path.join(MOVING)).unwrap().len(), 1);
            journal.end().unwrap();
            assert!(files::list(&path.join(MOVING)).unwrap().is_empty());
        }
        let done = path.join("done/1371215102");
        let read = |name: &str| fs::read_to_string(done.join(name)).unwrap();
        assert_eq!([read("a"), read("a.2"), read("a.3")], ["first", "second", "third"]);
        assert_eq!(fs::read_dir(path.join("out")).unwrap().count(), 0);
    }

    #[test]
    fn files_of_one_name_do_not_meet_in_a_new_folder() {
        let folder = crate::testing::folder("proxy-moves-new");
        let path = folder.path();
        let files = ["a", "1371215102/A", "1371215102/a"].map(|name| waiting(path, name, name));
        let mut moves = Moves::of(office());
        moves.done(files.iter());
        let journal = Journal::of(path);
        moves.carry_out(path, &journal).unwrap().settle().unwrap();
        let done = path.join("done/1371215102");
        let mut contents: Vec<String> =
            fs::read_dir(&done).unwrap().map(|e| fs::read_to_string(e.unwrap().path()).unwrap()).collect();
        contents.sort();
        assert_eq!(contents, ["1371215102/A", "1371215102/a", "a"]);
    }

    #[test]
    fn a_list_that_can_not_be_read_stops_everything() {
        let folder = crate::testing::folder("proxy-moves-half");
        fs::create_dir(folder.path().join(MOVING)).unwrap();
        let json = serde_json::to_string(&Moves::of(office())).unwrap();
        fs::write(folder.path().join(MOVING).join("17.jsonl"), format!("{{\n{json}\n")).unwrap();
        assert!(matches!(
            finish_all(folder.path()),
            Err(SdkError::Verification(VerificationError::Malformed { .. }))
        ));
    }
}
