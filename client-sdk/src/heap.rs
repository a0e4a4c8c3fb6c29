//! A heap of files for checking, splitting and joining: what lies in files, folders, ZIPs and files in the one-file form.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use tasuki_careplan::one_file::{self, looks_like_one_file};

use crate::error::SdkError;
use crate::finding::Finding;
use crate::progress::{Progress, Step};
use crate::send::plan::finding;
use crate::send::source::{self, Source};

/// Everything that was found, in the order in which it was named.
#[derive(Debug, Default)]
pub(crate) struct Heap {
    pub(crate) files: Vec<HeapFile>,
    /// What can't be read, or not be split.
    pub(crate) problems: Vec<Problem>,
}

/// One file of a heap.
#[derive(Debug)]
pub(crate) struct HeapFile {
    /// Its name without folders.
    pub(crate) name: String,
    /// Where it is, for people.
    pub(crate) path: PathBuf,
    /// Which of the paths that were named it was found under.
    pub(crate) root: usize,
    /// Bytes.
    pub(crate) size: u64,
    content: Content,
}

#[derive(Debug)]
enum Content {
    /// Read when it is asked for: a heap may be larger than memory.
    There(Source),
    /// Split out of a file in the one-file form.
    Made(Vec<u8>),
}

/// A file that nothing can be done with.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) path: PathBuf,
    pub(crate) name: String,
    pub(crate) root: usize,
    pub(crate) size: u64,
    pub(crate) findings: Vec<Finding>,
}

impl Heap {
    /// Finds the files under these paths, and takes those in the one-file form apart.
    pub(crate) fn of(paths: &[PathBuf], progress: &dyn Progress) -> Result<Self, SdkError> {
        let mut heap = Self::default();
        let found = source::find(paths)?;
        let bytes = found.iter().map(|file| file.size).sum();
        progress.step(Step::Reading { files: found.len(), bytes });
        for file in found {
            let source::Found { name, path, size, source, problem, root } = file;
            if let Some(problem) = problem {
                heap.problems.push(Problem { path, name, root, size, findings: vec![problem] });
                progress.step(Step::Read { bytes: size });
            } else if looks_like_one_file(&name) {
                let bytes = source.read()?;
                match one_file::split(&name, &bytes) {
                    Ok(files) => heap.files.extend(files.into_iter().map(|file| HeapFile {
                        path: path.join(&file.name),
                        root,
                        size: file.bytes.len() as u64,
                        name: file.name,
                        content: Content::Made(file.bytes),
                    })),
                    Err(findings) => {
                        let findings = findings.iter().map(Finding::from).collect();
                        heap.problems.push(Problem { path, name, root, size, findings });
                    }
                }
                progress.step(Step::Read { bytes: size });
            } else {
                heap.files.push(HeapFile { name, path, root, size, content: Content::There(source) });
            }
        }
        Ok(heap)
    }
}

impl HeapFile {
    /// Its bytes, with progress for those that are read now.
    pub(crate) fn read(&self, progress: &dyn Progress) -> Result<Cow<'_, [u8]>, SdkError> {
        match &self.content {
            Content::Made(bytes) => Ok(Cow::Borrowed(bytes)),
            Content::There(source) => {
                let bytes = source.read()?;
                progress.step(Step::Read { bytes: self.size });
                Ok(Cow::Owned(bytes))
            }
        }
    }
}

/// A file's position in its heap, and its bytes.
pub(crate) type Loaded<'h> = (usize, Cow<'h, [u8]>);

/// Reads files, and leaves out those that are there twice, with the same name and the same bytes: what is named twice is
/// meant once. Gives back each file's position among `members`.
///
/// `Err` inside: two different files have the same name, and nobody can say which was meant.
pub(crate) fn read_without_doubles<'h>(
    files: &'h [HeapFile],
    members: &[usize],
    progress: &dyn Progress,
) -> Result<Result<Vec<Loaded<'h>>, Finding>, SdkError> {
    let mut kept: Vec<Loaded<'h>> = Vec::with_capacity(members.len());
    let mut by_name: BTreeMap<&str, usize> = BTreeMap::new();
    let mut double = None;
    for &member in members {
        let Some(file) = files.get(member) else { continue };
        let bytes = file.read(progress)?;
        match by_name.get(file.name.as_str()).and_then(|at| kept.get(*at)) {
            None => {
                by_name.insert(&file.name, kept.len());
                kept.push((member, bytes));
            }
            Some((_, first)) if *first == bytes => {}
            Some(_) => {
                double.get_or_insert_with(|| double_name(&file.name));
            }
        }
    }
    Ok(double.map_or(Ok(kept), Err))
}

fn double_name(name: &str) -> Finding {
    finding(
        "DUPLICATE_NAME",
        name,
        "同じ名前で内容の違うファイルが指定されています。どちらか一方だけを指定してください。",
        "Two different files of this name were given: give the one that is meant.",
    )
}
