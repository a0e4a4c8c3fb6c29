//! Checking files offline: each by itself, and what they must agree about, before anything is to be sent.
//!
//! Files may be in files, folders, ZIPs or the one-file form. All that is named in one call is one heap, sorted by sender
//! and recipient. A file that is named all alone is checked by itself: that its companions were not named too is no fault of
//! it, so it gets no `SEND_UNIT`, `SERIAL_MISMATCH` or `IMAGE` finding about files that are not there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tasuki_careplan::attachment::AttachmentName;
use tasuki_careplan::check::check_file_with;
use tasuki_careplan::file::SourceFile;
use tasuki_careplan::file_name::{FileName, looks_standard};
use tasuki_careplan::finding::Findings;
use tasuki_careplan::office::OfficeNumber;
use tasuki_careplan::parcel::{ParcelCheck, ParcelFacts, check_parcel};
use tasuki_careplan::policy::CheckPolicy;
use tasuki_careplan::unit::{Recognised, SendUnit};

use crate::error::SdkError;
use crate::finding::Finding;
use crate::heap::{Heap, HeapFile, Loaded, Problem};
use crate::progress::Progress;

/// What checking came to.
#[derive(Clone, Debug, Default)]
pub struct CheckReport {
    /// One for each path that was named, in that order.
    pub paths: Vec<CheckedPath>,
    /// Whether the files were held against each other and against the send units: not where one file was named alone.
    pub as_units: bool,
}

impl CheckReport {
    /// Whether something forbids sending.
    pub fn has_errors(&self) -> bool {
        self.paths.iter().any(|path| path.errors() > 0)
    }
}

/// One path that was named.
#[derive(Clone, Debug)]
pub struct CheckedPath {
    /// As it was named.
    pub path: PathBuf,
    /// Its files, in the order in which they were found.
    pub files: Vec<CheckedFile>,
    /// The send units whose first file is under it, in the order of their serials for each pair of offices.
    pub units: Vec<SendUnit>,
}

impl CheckedPath {
    /// How many errors there are.
    pub fn errors(&self) -> u64 {
        self.files.iter().map(|file| file.errors).sum()
    }

    /// How many warnings there are.
    pub fn warnings(&self) -> u64 {
        self.files.iter().map(|file| file.warnings).sum()
    }
}

/// One file that was checked.
#[derive(Clone, Debug)]
pub struct CheckedFile {
    /// Where it is; inside a ZIP, `archive.zip/name`.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// Whether its name is one of the standard's, or claims to be.
    pub is_standard: bool,
    /// What was found, at most [`MAX_FINDINGS`](tasuki_careplan::finding::MAX_FINDINGS).
    pub findings: Vec<Finding>,
    /// How many errors there were, listed or not.
    pub errors: u64,
    /// How many warnings there were, listed or not.
    pub warnings: u64,
}

/// Checks files, folders (with all inside) and ZIPs. Needs neither a HOME nor the relay.
///
/// Files between the same two offices are in memory together, others are not.
///
/// ```no_run
/// use tasuki_sdk::{Silent, check::check};
///
/// let report = check(&["outgoing".into()], &Silent)?;
/// for file in report.paths.iter().flat_map(|path| &path.files) {
///     println!("{}: {} errors", file.path.display(), file.errors);
/// }
/// # Ok::<(), tasuki_sdk::SdkError>(())
/// ```
///
/// # Errors
/// A path does not exist or can't be read, or a ZIP is none.
pub fn check(paths: &[PathBuf], progress: &dyn Progress) -> Result<CheckReport, SdkError> {
    check_by(&CheckPolicy::default(), paths, progress)
}

/// [`check`] by a policy of one's own, for example with what a HOME's `[checks]` demands.
///
/// # Errors
/// As [`check`].
pub fn check_by(
    policy: &CheckPolicy,
    paths: &[PathBuf],
    progress: &dyn Progress,
) -> Result<CheckReport, SdkError> {
    let heap = Heap::of(paths, progress)?;
    let as_units = !is_one_file(paths, &heap);
    let mut checked: Vec<Option<CheckedFile>> = heap.files.iter().map(|_| None).collect();
    let mut units: Vec<(usize, SendUnit)> = Vec::new();
    for members in between_offices(&heap.files) {
        let content = read(&heap.files, &members, progress)?;
        let sources: Vec<SourceFile<'_>> = content
            .iter()
            .map(|(member, bytes)| SourceFile { name: &heap.files[*member].name, bytes })
            .collect();
        let check = if as_units { check_heap(policy, &sources) } else { check_alone(policy, &sources) };
        for ((member, _), findings) in content.iter().zip(&check.findings) {
            checked[*member] = Some(CheckedFile::of(&heap.files[*member], findings));
        }
        for unit in check.units.units {
            // Positions in a unit are those of the names, and of these again those of the sources.
            let first = unit.members.first().and_then(|at| check.names.get(*at));
            let root = first.and_then(|(at, _)| content.get(*at)).map(|(member, _)| heap.files[*member].root);
            units.push((root.unwrap_or_default(), unit));
        }
    }
    let mut report =
        CheckReport { paths: paths.iter().map(|path| CheckedPath::new(path)).collect(), as_units };
    for (file, checked) in heap.files.iter().zip(checked) {
        // A double of another file has that one's findings and no own ones.
        let checked = checked.unwrap_or_else(|| CheckedFile::of(file, &Findings::default()));
        report.paths[file.root].files.push(checked);
    }
    for problem in heap.problems {
        report.paths[problem.root].files.push(problem.into());
    }
    for (root, unit) in units {
        report.paths[root].units.push(unit);
    }
    Ok(report)
}

/// Whether all that was named is one file.
fn is_one_file(paths: &[PathBuf], heap: &Heap) -> bool {
    match (paths, &heap.files[..]) {
        ([path], [file]) => *path == file.path,
        _ => false,
    }
}

/// Positions of files that go from one office to one other; those whose names tell no offices stand each alone.
fn between_offices(files: &[HeapFile]) -> Vec<Vec<usize>> {
    let mut pairs: BTreeMap<(OfficeNumber, OfficeNumber), Vec<usize>> = BTreeMap::new();
    let mut others = Vec::new();
    for (at, file) in files.iter().enumerate() {
        let standard = FileName::parse(&file.name).ok().map(|name| (name.sender, name.recipient));
        let attached = || file.name.parse::<AttachmentName>().ok().map(|name| (name.sender, name.recipient));
        match standard.or_else(attached) {
            Some(pair) => pairs.entry(pair).or_default().push(at),
            None => others.push(vec![at]),
        }
    }
    pairs.into_values().chain(others).collect()
}

/// Reads files; of those with the same name and the same bytes only the first, since sending takes them for one too.
fn read<'h>(
    files: &'h [HeapFile],
    members: &[usize],
    progress: &dyn Progress,
) -> Result<Vec<Loaded<'h>>, SdkError> {
    let mut content: Vec<Loaded<'h>> = Vec::with_capacity(members.len());
    let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for &member in members {
        let bytes = files[member].read(progress)?;
        let same_name = by_name.entry(&files[member].name).or_default();
        if !same_name.iter().any(|at| content[*at].1 == bytes) {
            same_name.push(content.len());
            content.push((member, bytes));
        }
    }
    Ok(content)
}

fn check_heap(policy: &CheckPolicy, sources: &[SourceFile<'_>]) -> ParcelCheck {
    check_parcel(&ParcelFacts::default(), sources, &policy.options())
}

fn check_alone(policy: &CheckPolicy, sources: &[SourceFile<'_>]) -> ParcelCheck {
    match sources {
        [file] if looks_standard(file.name) => {
            let findings = vec![check_file_with(file.name, file.bytes, &policy.severities)];
            ParcelCheck { findings, names: Vec::new(), units: Recognised::default() }
        }
        _ => check_heap(policy, sources),
    }
}

impl CheckedPath {
    fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), files: Vec::new(), units: Vec::new() }
    }
}

impl CheckedFile {
    fn of(file: &HeapFile, findings: &Findings) -> Self {
        Self {
            path: file.path.clone(),
            size: file.size,
            is_standard: looks_standard(&file.name),
            findings: findings.iter().map(Finding::from).collect(),
            errors: findings.errors(),
            warnings: findings.warnings(),
        }
    }

    /// Findings that were counted and are not listed.
    pub fn omitted(&self) -> u64 {
        (self.errors + self.warnings).saturating_sub(self.findings.len() as u64)
    }
}

impl From<Problem> for CheckedFile {
    fn from(problem: Problem) -> Self {
        let errors = problem.findings.iter().filter(|finding| finding.is_error()).count() as u64;
        Self {
            path: problem.path,
            size: problem.size,
            is_standard: looks_standard(&problem.name),
            warnings: problem.findings.len() as u64 - errors,
            findings: problem.findings,
            errors,
        }
    }
}

#[cfg(test)]
mod tests {
    use tasuki_careplan::samples;

    use super::*;
    use crate::progress::Silent;
    use crate::testing::{self, Folder};

    fn folder(name: &str, units: &[&str]) -> Folder {
        let folder = testing::folder(name);
        for sample in units.iter().flat_map(|unit| samples::of_folder(unit)) {
            let to = folder.path().join(sample.folder);
            std::fs::create_dir_all(&to).unwrap();
            std::fs::write(to.join(sample.name), sample.bytes).unwrap();
        }
        folder
    }

    fn rules(report: &CheckReport) -> Vec<&str> {
        let files = report.paths.iter().flat_map(|path| &path.files);
        files.flat_map(|file| &file.findings).map(|finding| finding.rule.as_str()).collect()
    }

    const UPPLAN: &str = "UPPLAN_202602_1371215102_43_9971100012_11_20260125103000.CSV";

    #[test]
    fn every_sample_is_clean_and_its_unit_recognised() {
        let folders: std::collections::BTreeSet<&str> = samples::all().iter().map(|s| s.folder).collect();
        let units: Vec<&str> = folders.iter().copied().collect();
        let folder = folder("check-all", &units);
        let report = check(&[folder.path().to_owned()], &Silent).unwrap();
        assert_eq!(rules(&report), Vec::<&str>::new());
        assert_eq!((report.paths[0].units.len(), report.paths[0].files.len()), (24, samples::all().len()));
    }

    #[test]
    fn one_file_named_alone_needs_no_companions_and_a_folder_does() {
        let folder = folder("check-alone", &["03_slip_202602_to_visit"]);
        let inside = folder.path().join("03_slip_202602_to_visit");
        let report = check(&[inside.join(UPPLAN)], &Silent).unwrap();
        assert!(!report.as_units && rules(&report).is_empty());
        std::fs::remove_file(inside.join(UPPLAN)).unwrap();
        let report = check(std::slice::from_ref(&inside), &Silent).unwrap();
        assert_eq!(rules(&report), ["SEND_UNIT"]);
        // Also where what is left is named file by file.
        let files: Vec<PathBuf> = std::fs::read_dir(&inside).unwrap().map(|e| e.unwrap().path()).collect();
        let report = check(&files, &Silent).unwrap();
        assert_eq!((rules(&report), report.paths.len()), (vec!["SEND_UNIT"], 2));
    }

    #[test]
    fn files_of_two_paths_make_one_unit_and_other_serials_are_told() {
        let folder = folder("check-serials", &["03_slip_202602_to_visit"]);
        let (one, other) = (folder.path().join("03_slip_202602_to_visit"), folder.path().join("other"));
        std::fs::create_dir(&other).unwrap();
        std::fs::rename(one.join(UPPLAN), other.join(UPPLAN)).unwrap();
        let paths = [one.clone(), other.clone()];
        let report = check(&paths, &Silent).unwrap();
        assert_eq!((rules(&report).len(), report.paths[0].units.len()), (0, 1));
        let later = UPPLAN.replace("103000", "103001");
        std::fs::rename(other.join(UPPLAN), other.join(later)).unwrap();
        assert_eq!(rules(&check(&paths, &Silent).unwrap()), ["SERIAL_MISMATCH"]);
    }

    #[test]
    fn the_same_file_twice_is_one_and_two_different_ones_are_too_much() {
        let folder = folder("check-doubles", &["03_slip_202602_to_visit"]);
        let copy = folder.path().join("copy");
        std::fs::create_dir(&copy).unwrap();
        let original = folder.path().join("03_slip_202602_to_visit").join(UPPLAN);
        std::fs::copy(&original, copy.join(UPPLAN)).unwrap();
        let paths = [folder.path().to_owned()];
        assert!(!check(&paths, &Silent).unwrap().has_errors());
        let mut bytes = std::fs::read(&original).unwrap();
        bytes.truncate(bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1);
        std::fs::write(copy.join(UPPLAN), bytes).unwrap();
        assert!(rules(&check(&paths, &Silent).unwrap()).contains(&"SEND_UNIT"));
    }

    #[test]
    fn the_one_file_form_is_looked_into() {
        let folder = testing::folder("check-one-file");
        let files: Vec<SourceFile<'_>> = samples::of_folder("03_slip_202602_to_visit")
            .map(|sample| SourceFile { name: sample.name, bytes: sample.bytes })
            .collect();
        let made = tasuki_careplan::one_file::join(&files).unwrap().files.remove(0);
        let path = folder.path().join(&made.name);
        std::fs::write(&path, &made.bytes).unwrap();
        let report = check(std::slice::from_ref(&path), &Silent).unwrap();
        assert_eq!((rules(&report).len(), report.paths[0].units.len()), (0, 1));
        std::fs::write(&path, b"UPPLAN,1\r\n").unwrap();
        assert!(check(&[path], &Silent).unwrap().has_errors());
    }
}
