//! Joining: from many received files to one of each kind, for import in one go, or to the one-file form (案②).

use std::path::{Path, PathBuf};

use tasuki_careplan::file::SourceFile;
use tasuki_careplan::file_name::{FileName, looks_standard};
use tasuki_careplan::{join as by_kind, one_file};

use crate::error::SdkError;
use crate::finding::Finding;
use crate::heap::{Heap, read_without_doubles};
use crate::keep::{self, Kept};
use crate::progress::Progress;
use crate::send::plan::{Unsendable, finding};

/// How to join.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JoinOptions {
    /// One file for each sender and serial, in the one-file form, instead of one for each kind.
    pub one_file: bool,
}

/// What joining came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JoinReport {
    /// The files, to be imported in this order, images behind the others.
    pub files: Vec<JoinedFile>,
    /// Files that are no part of the import and stay where they are: attachments, notes.
    pub beside: Vec<PathBuf>,
    /// What can't be joined, and why; nothing is written then.
    pub problems: Vec<Unsendable>,
}

/// One file that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it was made of; empty in the one-file form, which names offices and kinds in each record.
    pub sources: Vec<PathBuf>,
    /// It stood there before, the same to the byte.
    pub already_there: bool,
}

/// A file to be written: its name, its bytes, what it was made of.
type Made = (String, Vec<u8>, Vec<PathBuf>);

/// Joins files, folders (with all inside), ZIPs and files in the one-file form, into `out`. Nothing is lost: every record is
/// there byte for byte, and what one file would hide from another stands in a further file. Takes memory for all of them.
///
/// ```no_run
/// use tasuki_sdk::{Silent, join::{JoinOptions, join}};
///
/// let report = join(&["incoming".into()], "import".as_ref(), &JoinOptions::default(), &Silent)?;
/// for file in &report.files {
///     println!("{} of {} files", file.path.display(), file.sources.len());
/// }
/// # Ok::<(), tasuki_sdk::SdkError>(())
/// ```
///
/// # Errors
/// A path does not exist or can't be read, a ZIP is none, or `out` can't be written.
pub fn join(
    paths: &[PathBuf],
    out: &Path,
    options: &JoinOptions,
    progress: &dyn Progress,
) -> Result<JoinReport, SdkError> {
    let heap = Heap::of(paths, progress)?;
    let mut report = JoinReport::default();
    let mut members = Vec::new();
    for (at, file) in heap.files.iter().enumerate() {
        if looks_standard(&file.name) {
            members.push(at);
        } else {
            report.beside.push(file.path.clone());
        }
    }
    for problem in heap.problems {
        report.problems.push(Unsendable { path: problem.path, findings: problem.findings });
    }
    let path_of = |name: &str| {
        let found = members.iter().find(|at| heap.files[**at].name == name);
        found.map(|at| heap.files[*at].path.clone()).unwrap_or_default()
    };
    let content = match read_without_doubles(&heap.files, &members, progress)? {
        Ok(content) => content,
        Err(finding) => {
            report.problems.push(Unsendable { path: path_of(&finding.file), findings: vec![finding] });
            return Ok(report);
        }
    };
    let sources: Vec<SourceFile<'_>> =
        content.iter().map(|(at, bytes)| SourceFile { name: &heap.files[*at].name, bytes }).collect();
    let made = if options.one_file { in_one_file(&sources) } else { of_each_kind(&sources, &path_of) };
    match made {
        Ok(made) if report.problems.is_empty() => write(out, made, &mut report)?,
        Ok(_) => {}
        Err(finding) => {
            report.problems.push(Unsendable { path: path_of(&finding.file), findings: vec![*finding] });
        }
    }
    Ok(report)
}

fn of_each_kind(
    sources: &[SourceFile<'_>],
    path_of: &dyn Fn(&str) -> PathBuf,
) -> Result<Vec<Made>, Box<Finding>> {
    let joined = by_kind::join(sources).map_err(|error| {
        use by_kind::JoinError::{Double, Name, NotCsv};
        Box::new(match error {
            Name { file } => wrong_name(sources, file),
            Double { file } => twice(sources, file),
            NotCsv { file, line } => no_record(sources, file, line),
        })
    })?;
    let made = joined.files.into_iter().map(|file| {
        let from = file.sources.iter().map(|source| path_of(&source.name)).collect();
        (file.name.to_string(), file.bytes, from)
    });
    Ok(made.chain(images(sources, path_of)).collect())
}

fn in_one_file(sources: &[SourceFile<'_>]) -> Result<Vec<Made>, Box<Finding>> {
    let joined = one_file::join(sources).map_err(|error| {
        use one_file::JoinError::{Double, Month, Name, Record};
        Box::new(match error {
            Name { file } => wrong_name(sources, file),
            Double { file } => twice(sources, file),
            Record { file, line } => no_record(sources, file, line),
            Month { file, line } => other_month(sources, file, line),
        })
    })?;
    let made = joined.files.into_iter().map(|file| (file.name, file.bytes, Vec::new()));
    Ok(made.chain(images(sources, &|_| PathBuf::new())).map(without_empty_source).collect())
}

fn without_empty_source((name, bytes, mut from): Made) -> Made {
    from.retain(|path| !path.as_os_str().is_empty());
    (name, bytes, from)
}

/// Images have no records; they stand beside the files whose records name them.
fn images<'a>(
    sources: &'a [SourceFile<'_>],
    path_of: &'a dyn Fn(&str) -> PathBuf,
) -> impl Iterator<Item = Made> + 'a {
    let is_image = |name: &str| FileName::parse(name).is_ok_and(|name| name.kind.is_image());
    let images = sources.iter().filter(move |file| is_image(file.name));
    images.map(|file| (file.name.to_owned(), file.bytes.to_vec(), vec![path_of(file.name)]))
}

/// Writes all, or, where something else stands in the way of one, none.
fn write(out: &Path, made: Vec<Made>, report: &mut JoinReport) -> Result<(), SdkError> {
    for (name, bytes, _) in &made {
        let path = out.join(name);
        if !keep::is_free(&path, bytes)? {
            report.problems.push(Unsendable { findings: vec![keep::differs(&path)], path });
        }
    }
    if !report.problems.is_empty() || made.is_empty() {
        return Ok(());
    }
    std::fs::create_dir_all(out).map_err(|error| SdkError::io(out, &error))?;
    for (name, bytes, sources) in made {
        let path = out.join(name);
        match keep::keep_file(&path, &bytes)? {
            // Somebody else wrote it a moment ago.
            Kept::Differs => report.problems.push(Unsendable { findings: vec![keep::differs(&path)], path }),
            kept => {
                let already_there = kept == Kept::AlreadyThere;
                report.files.push(JoinedFile { path, sources, already_there });
            }
        }
    }
    Ok(())
}

fn name_of<'a>(sources: &'a [SourceFile<'_>], file: usize) -> &'a str {
    sources.get(file).map_or("", |source| source.name)
}

fn wrong_name(sources: &[SourceFile<'_>], file: usize) -> Finding {
    finding(
        "FILE_NAME",
        name_of(sources, file),
        "ファイル名が標準仕様の形ではありません。tasuki check で確かめ、出力し直してもらってください。",
        "The name is not one of the standard: look with tasuki check, and have it exported again.",
    )
}

fn twice(sources: &[SourceFile<'_>], file: usize) -> Finding {
    finding(
        "DUPLICATE_NAME",
        name_of(sources, file),
        "同じファイルが2つあります。どちらか一方だけを指定してください。",
        "Another file has the same name: give the one that is meant.",
    )
}

fn no_record(sources: &[SourceFile<'_>], file: usize, line: u64) -> Finding {
    let whole = finding(
        "CSV_SYNTAX",
        name_of(sources, file),
        "標準仕様のレコードとして読めないため、結合すると失われるものがあります。tasuki check で確かめてください。",
        "This is no record of the standard, and joining would lose something: look with tasuki check.",
    );
    Finding { line: Some(line), ..whole }
}

fn other_month(sources: &[SourceFile<'_>], file: usize, line: u64) -> Finding {
    let whole = finding(
        "MONTH_MISMATCH",
        name_of(sources, file),
        "レコードの年月がファイル名の年月と違うため、1ファイル形式にできません。tasuki check で確かめてください。",
        "The record has another month than the file name, which the one-file form can't say: look with tasuki check.",
    );
    Finding { line: Some(line), ..whole }
}

#[cfg(test)]
mod tests;
