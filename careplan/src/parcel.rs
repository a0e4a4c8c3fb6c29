//! The checks of files that travel together: what name, records and parcel must agree about, send units, images,
//! attachments.
//!
//! | rule | fails when |
//! |---|---|
//! | `OFFICE_MISMATCH`, `MONTH_MISMATCH`, `SERIAL_MISMATCH` | a name is not what the parcel says |
//! | `SERIAL_MISMATCH`, `MONTH_MISMATCH`, `OFFICE_MISMATCH` | files would make one unit if serials, months or service kinds agreed |
//! | `SEND_UNIT` | files of one sender, recipient and serial make no permitted unit: something missing or too much |
//! | `IMAGE` | an image that a record names is missing, or no record names it |
//! | `FILE_NAME` | an attachment's name begins with `ATTACH_` and does not parse |
//! | `ATTACHMENT_TYPE` | an attachment's content is not what its name says |

mod agreement;
mod attached;
mod images;
mod units;

use crate::check::{self, Checked, Sink};
use crate::documents::Registry;
use crate::file::SourceFile;
use crate::file_name::{FileName, looks_standard};
use crate::finding::Findings;
use crate::month::Month;
use crate::office::OfficeNumber;
use crate::serial::Serial;
use crate::severity::Severities;
use crate::unit::{Recognised, recognise};

/// What the parcel says of itself. What is `None` is not compared: a heap of files before sending has no parcel yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ParcelFacts {
    /// The office that sends.
    pub sender: Option<OfficeNumber>,
    /// The office that receives.
    pub recipient: Option<OfficeNumber>,
    /// The service month, if the parcel has one; plan documents and attachments have none and are not compared.
    pub month: Option<Month>,
    /// The serial.
    pub serial: Option<Serial>,
}

/// How to check.
#[derive(Clone, Debug)]
pub struct CheckOptions<'a> {
    /// Which warnings are errors.
    pub severities: Severities,
    /// The known types of documents.
    pub documents: &'a Registry,
    /// Whether attachments may name a type that the registry does not know.
    pub allow_unknown_documents: bool,
}

impl Default for CheckOptions<'_> {
    fn default() -> Self {
        Self {
            severities: Severities::default(),
            documents: Registry::built_in(),
            allow_unknown_documents: true,
        }
    }
}

/// What the check of several files came to.
#[derive(Clone, Debug)]
pub struct ParcelCheck {
    /// The findings of each file, in the order in which the files were given.
    pub findings: Vec<Findings>,
    /// The parsed names: a file's position and its name, for files of the standard whose names parse.
    pub names: Vec<(usize, FileName)>,
    /// The send units among them. Positions in it are those of `names`, not of the files.
    pub units: Recognised,
}

impl ParcelCheck {
    /// Whether something forbids sending.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(Findings::has_errors)
    }

    /// Whether nothing was found at all.
    pub fn is_clean(&self) -> bool {
        self.findings.iter().all(Findings::is_clean)
    }
}

/// Checks each file, as [`check_file`](crate::check::check_file) does, and what they must agree about.
///
/// `files` are those of one parcel, or a heap that is to become parcels. Time is linear in the size of their contents, and
/// memory bounded as for `check_file`; never panics. A file that has no readable name or content gets no further findings.
///
/// ```
/// use tasuki_careplan::file::SourceFile;
/// use tasuki_careplan::parcel::{CheckOptions, ParcelFacts, check_parcel};
/// use tasuki_careplan::samples;
///
/// let files: Vec<SourceFile> = samples::of_folder("03_slip_202602_to_visit")
///     .map(|sample| SourceFile { name: sample.name, bytes: sample.bytes })
///     .collect();
/// let facts = ParcelFacts { recipient: "9971100012".parse().ok(), ..ParcelFacts::default() };
/// assert!(check_parcel(&facts, &files, &CheckOptions::default()).is_clean());
///
/// let check = check_parcel(&facts, &files[..1], &CheckOptions::default());
/// assert_eq!(check.findings[0].iter().next().unwrap().rule.as_str(), "SEND_UNIT");
/// ```
pub fn check_parcel(
    facts: &ParcelFacts,
    files: &[SourceFile<'_>],
    options: &CheckOptions<'_>,
) -> ParcelCheck {
    let mut sinks: Vec<Sink<'_>> =
        files.iter().map(|file| Sink::new(file.name, &options.severities)).collect();
    let mut names = Vec::new();
    let mut readable = vec![false; files.len()];
    for (at, (file, sink)) in files.iter().zip(&mut sinks).enumerate() {
        if looks_standard(file.name) {
            let checked: Checked = check::check_into(sink, file.bytes);
            names.extend(checked.name.map(|name| (at, name)));
            readable[at] = checked.readable;
        } else {
            attached::check(sink, file, facts, options);
        }
    }
    let heap: Vec<FileName> = names.iter().map(|(_, name)| *name).collect();
    let units = recognise(&heap);
    // Findings of later rules go only to files that passed the first ones.
    let mut open: Vec<Option<&mut Sink<'_>>> = Vec::with_capacity(files.len());
    open.extend(sinks.iter_mut().zip(&readable).map(|(sink, readable)| readable.then_some(sink)));
    for (at, name) in &names {
        if let Some(Some(sink)) = open.get_mut(*at) {
            agreement::check(sink, name, facts);
        }
    }
    units::check(&mut open, &names, &units);
    images::check(&mut open, files, &names);
    drop(open);
    ParcelCheck { findings: sinks.into_iter().map(Sink::into_findings).collect(), names, units }
}
