//! Files leave `out/` whole parcels at a time, whatever happens in between.
//!
//! A parcel of three files of which a crash left two in `out/` would look like another parcel, and go out a second time. So what is to be
//! moved is written down first, durably, in `.moving/N.json`; a run that finds such a list finishes it before it looks into `out/`.
//! A file that changed since it was read stays: it was not what was sent.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tasuki_careplan::office::OfficeNumber;

use super::folder::{Stamp, Waiting};
use crate::error::{Refusal, SdkError, VerificationError, words};
use crate::files::{self, Access};
use crate::finding::Finding;

const MOVING: &str = ".moving";
const SUFFIX: &str = ".json";
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

    /// Moves them. A crash before [`Moved::settle`] leaves what [`finish_all`] brings to its end.
    pub(super) fn carry_out(&self, folder: &Path) -> Result<Moved, SdkError> {
        if self.files.is_empty() {
            return Ok(Moved::default());
        }
        let moving = folder.join(MOVING);
        create(&moving)?;
        let list = moving.join(format!("{}{SUFFIX}", self.office));
        let json = serde_json::to_vec(self).expect("strings and numbers always serialise");
        files::write_durably(&list, &json, Access::Owner)?;
        Ok(Moved { left: self.finish(folder)?, lists: vec![list] })
    }

    /// Gives the folders that files left; those that they came into are durable.
    fn finish(&self, folder: &Path) -> Result<BTreeSet<PathBuf>, SdkError> {
        let (mut left, mut entered) = (BTreeSet::new(), BTreeSet::new());
        for moved in &self.files {
            let from = folder.join(&moved.file);
            let is_it = fs::metadata(&from).is_ok_and(|metadata| Stamp::of(&metadata) == moved.stamp);
            if !is_it {
                continue;
            }
            let why = moved.why.and_then(|at| self.whys.get(at));
            let target = folder.join(if why.is_some() { "error" } else { "done" }).join(self.office.as_str());
            if !entered.contains(&target) {
                create(&target)?;
                entered.insert(target.clone());
            }
            let to = free(&target, from.file_name().and_then(|name| name.to_str()).unwrap_or_default());
            if let Some(why) = why {
                let mut beside = to.as_os_str().to_owned();
                beside.push(".reason.json");
                let json = serde_json::to_vec_pretty(why).expect("strings and numbers always serialise");
                files::write_synced(Path::new(&beside), &json, Access::Default)?;
            }
            fs::rename(&from, &to).map_err(|e| SdkError::io(&from, &e))?;
            left.insert(from.parent().unwrap_or(folder).to_owned());
        }
        entered.iter().try_for_each(|folder| files::sync_folder(folder))?;
        Ok(left)
    }
}

/// Moves that are done and may be undone by a power cut. Those of a whole round are made durable together: `out/` may hold the files of
/// hundreds of offices, and is one folder to sync.
#[derive(Debug, Default)]
pub(super) struct Moved {
    left: BTreeSet<PathBuf>,
    lists: Vec<PathBuf>,
}

impl Moved {
    /// These as well.
    pub(super) fn add(&mut self, other: Self) {
        self.left.extend(other.left);
        self.lists.extend(other.lists);
    }

    /// Makes them durable, and forgets that they were to be made.
    pub(super) fn settle(&self) -> Result<(), SdkError> {
        self.left.iter().try_for_each(|folder| files::sync_folder(folder))?;
        self.lists.iter().try_for_each(|list| files::discard(list))
    }
}

/// Finishes what an earlier run has begun to move.
pub(super) fn finish_all(folder: &Path) -> Result<(), SdkError> {
    let moving = folder.join(MOVING);
    let mut moved = Moved::default();
    for name in files::list(&moving)? {
        let path = moving.join(&name);
        let moves: Option<Moves> = serde_json::from_slice(&files::read(&path)?).ok();
        let Some(moves) = moves.filter(|moves| moves.format == FORMAT) else {
            let message = words(
                "移動の途中の記録として読めません。内容を確かめてください",
                "not a list of files that were being moved; please look into it",
            );
            return Err(VerificationError::Malformed { path, message }.into());
        };
        moved.add(Moved { left: moves.finish(folder)?, lists: vec![path] });
    }
    moved.settle()
}

fn create(folder: &Path) -> Result<(), SdkError> {
    fs::create_dir_all(folder).map_err(|e| SdkError::io(folder, &e))
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
        fs::write(path.join(MOVING).join("1371215102.json"), json).unwrap();
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
            moves.carry_out(path).unwrap().settle().unwrap();
        }
        let done = path.join("done/1371215102");
        let read = |name: &str| fs::read_to_string(done.join(name)).unwrap();
        assert_eq!([read("a"), read("a.2"), read("a.3")], ["first", "second", "third"]);
        assert_eq!(fs::read_dir(path.join("out")).unwrap().count(), 0);
    }

    #[test]
    fn a_list_that_can_not_be_read_stops_everything() {
        let folder = crate::testing::folder("proxy-moves-half");
        fs::create_dir(folder.path().join(MOVING)).unwrap();
        fs::write(folder.path().join(MOVING).join("1371215102.json"), "{").unwrap();
        assert!(matches!(
            finish_all(folder.path()),
            Err(SdkError::Verification(VerificationError::Malformed { .. }))
        ));
    }
}
