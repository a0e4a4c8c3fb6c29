//! From a heap of files to parcels: grouping, attachments, notes, and what can't be sent.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use tasuki_careplan::attachment::{AttachmentName, is_addressed};
use tasuki_careplan::check::check_file;
use tasuki_careplan::file_name::{FileName, looks_standard};
use tasuki_careplan::group::group;
use tasuki_careplan::office::OfficeNumber;
use tasuki_careplan::serial::Serial;
use tasuki_careplan::words::Words;
use tasuki_proto::container::check_name;
use tasuki_proto::ids::ParcelId;
use tasuki_proto::parcel::{ATTACHMENT, ATTACHMENTS, Software};

use super::select::{self, LeftOut};
use super::source::{self, Found, Source};
use super::{Hold, NewPartners, SendOptions, addressed, serials};
use crate::error::{ConfigError, SdkError, words};
use crate::finding::Finding;
use crate::parcel::describe;

/// What is going to be sent, and what can't be.
#[derive(Debug)]
pub struct Plan {
    /// Parcels in the order of their serials; those without one last.
    pub parcels: Vec<PlannedParcel>,
    /// Files that were named and can't be sent. They don't hold up the others.
    pub unsendable: Vec<Unsendable>,
    /// Files that are left out on request.
    pub left_out: Vec<LeftOut>,
    pub(super) again: bool,
    pub(super) unchecked: bool,
    pub(super) hold: Option<Hold>,
    pub(super) new_partners: NewPartners,
    /// New partners that somebody agreed to, and that somebody declined.
    pub(super) agreed: BTreeSet<OfficeNumber>,
    pub(super) declined: BTreeSet<OfficeNumber>,
    pub(super) software: Software,
}

/// One parcel to be.
#[derive(Debug)]
pub struct PlannedParcel {
    /// The sending office, as the files' names say; the own office where there are only attachments or a note.
    pub sender: OfficeNumber,
    /// The receiving office.
    pub recipient: OfficeNumber,
    /// The serial that its standard files share.
    pub serial: Option<Serial>,
    /// Standard files by name, then attachments.
    pub files: Vec<PlannedFile>,
    /// 送付状.
    pub note: Option<String>,
    /// The own parcel that it is to supersede.
    pub supersedes: Option<ParcelId>,
    /// What already forbids sending it.
    pub findings: Vec<Finding>,
    /// What the files of this and of another parcel must agree about and do not: they would make one unit if their serials
    /// were the same.
    pub serials: Vec<Finding>,
}

/// One file to be sent.
#[derive(Debug)]
pub struct PlannedFile {
    /// Its name in the parcel, without folder.
    pub name: String,
    /// The parsed name of a standard file; `None` for an attachment.
    pub standard: Option<FileName>,
    /// Where it is; inside a ZIP, `archive.zip/name`.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    pub(super) source: Source,
}

/// A file that was named and can't be sent, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsendable {
    /// Where it is; inside a ZIP, `archive.zip/name`.
    pub path: PathBuf,
    /// What is wrong with it and what to do.
    pub findings: Vec<Finding>,
}

impl PlannedParcel {
    /// What it is, in Japanese and English.
    pub fn words(&self) -> Words {
        let months: Vec<Option<String>> = self
            .files
            .iter()
            .map(|f| f.standard.and_then(|n| n.month?.month()).map(|m| m.to_string()))
            .collect();
        let kinds = self.files.iter().map(|f| f.standard.map_or(ATTACHMENT, |n| n.kind.prefix()));
        describe(kinds.zip(months.iter().map(Option::as_deref)))
    }

    /// Bytes of its files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|f| f.size).sum()
    }
}

impl Plan {
    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.parcels.iter().map(PlannedParcel::bytes).sum()
    }
}

/// Sorts files, folders (with all inside) and ZIPs into parcels. `own` is the office that sends what has no standard
/// file. Reads names and sizes; contents only where two files have the same name or a name can't be read.
///
/// ```no_run
/// use tasuki_sdk::send::{SendOptions, plan::plan};
///
/// let options = SendOptions { note: Some("2月分です".into()), ..SendOptions::default() };
/// let plan = plan(&["month.zip".into()], &options, "1371215102".parse().expect("ten digits"))?;
/// for parcel in &plan.parcels {
///     println!("{}: {} ({} files)", parcel.recipient, parcel.words().en, parcel.files.len());
/// }
/// # Ok::<(), tasuki_sdk::SdkError>(())
/// ```
///
/// # Errors
/// A path does not exist or can't be read, or a ZIP is none.
pub fn plan(paths: &[PathBuf], options: &SendOptions, own: OfficeNumber) -> Result<Plan, SdkError> {
    plan_found(source::find(paths)?, options, own)
}

/// As [`plan()`], of files that were found already.
pub(crate) fn plan_found(
    found: Vec<Found>,
    options: &SendOptions,
    own: OfficeNumber,
) -> Result<Plan, SdkError> {
    let mut sorter = Sorter::default();
    for found in found {
        sorter.take(found)?;
    }
    let mut parcels = sorter.parcels()?;
    let mut unsendable = sorter.unsendable;
    addressed::join(sorter.addressed, &mut parcels, &mut unsendable)?;
    let left_out = select::select(&mut parcels, options);
    if !options.unchecked {
        serials::compare(&mut parcels)?;
    }
    attach(&mut parcels, options, own)?;
    add_notes(&mut parcels, options, own);
    Ok(Plan {
        parcels,
        unsendable,
        left_out,
        again: options.again,
        unchecked: options.unchecked,
        hold: options.hold,
        new_partners: options.new_partners,
        agreed: BTreeSet::new(),
        declined: BTreeSet::new(),
        software: options.software.clone(),
    })
}

/// Sorts files by what their names say.
#[derive(Default)]
struct Sorter {
    standard: Vec<(FileName, Found)>,
    addressed: Vec<(AttachmentName, Found)>,
    unsendable: Vec<Unsendable>,
}

impl Sorter {
    fn take(&mut self, found: Found) -> Result<(), SdkError> {
        let findings = if let Some(problem) = &found.problem {
            vec![problem.clone()]
        } else if let Ok(name) = FileName::parse(&found.name) {
            self.standard.push((name, found));
            return Ok(());
        } else if let Ok(name) = found.name.parse::<AttachmentName>() {
            self.addressed.push((name, found));
            return Ok(());
        } else if is_addressed(&found.name) {
            addressed::why_not(&found.name)
        } else if looks_standard(&found.name) {
            // The check says exactly what is wrong with the name.
            let content = found.source.read()?;
            check_file(&found.name, &content).iter().map(Finding::from).collect()
        } else {
            vec![not_standard(&found.name)]
        };
        self.unsendable.push(Unsendable { path: found.path, findings });
        Ok(())
    }

    fn parcels(&mut self) -> Result<Vec<PlannedParcel>, SdkError> {
        let groups = group(self.standard.iter().map(|(name, _)| name));
        let mut files: Vec<Option<(FileName, Found)>> =
            std::mem::take(&mut self.standard).into_iter().map(Some).collect();
        let mut parcels = Vec::with_capacity(groups.len());
        for group in groups {
            let members = group.members.iter().filter_map(|at| files[*at].take()).collect();
            let (files, findings) = without_doubles(members)?;
            parcels.push(PlannedParcel {
                sender: group.sender,
                recipient: group.recipient,
                serial: Some(group.serial),
                files,
                note: None,
                supersedes: None,
                findings,
                serials: Vec::new(),
            });
        }
        Ok(parcels)
    }
}

/// Files of one parcel by name. The same file twice is one; two different ones under one name are an error, since
/// nobody could say which was meant.
fn without_doubles(members: Vec<(FileName, Found)>) -> Result<(Vec<PlannedFile>, Vec<Finding>), SdkError> {
    let mut by_name: BTreeMap<FileName, PlannedFile> = BTreeMap::new();
    let mut findings = Vec::new();
    for (name, found) in members {
        let file = PlannedFile::of(found, Some(name));
        match by_name.get(&name) {
            None => {
                by_name.insert(name, file);
            }
            Some(first) => {
                if first.source.read()? != file.source.read()? {
                    findings.push(double(&file.name));
                }
            }
        }
    }
    Ok((by_name.into_values().collect(), findings))
}

fn attach(
    parcels: &mut Vec<PlannedParcel>,
    options: &SendOptions,
    own: OfficeNumber,
) -> Result<(), SdkError> {
    for attachment in &options.attachments {
        let found = source::file(&attachment.path)?;
        let parcel = parcel_for(parcels, own, attachment.office);
        // The parcel waits for its attachment: sent without, it would have to go a second time.
        parcel.findings.extend(unfit_attachment(&found.name));
        parcel.attach(PlannedFile::of(found, None))?;
    }
    Ok(())
}

impl PlannedParcel {
    /// Adds an attachment; the same one twice is one.
    pub(super) fn attach(&mut self, file: PlannedFile) -> Result<(), SdkError> {
        let same_name = self.files.iter().find(|f| f.standard.is_none() && f.name == file.name);
        match same_name {
            None => self.files.push(file),
            Some(first) => {
                if first.source.read()? != file.source.read()? {
                    self.findings.push(double(&file.name));
                }
            }
        }
        Ok(())
    }
}

impl PlannedFile {
    pub(super) fn of(found: Found, standard: Option<FileName>) -> Self {
        let Found { name, path, size, source, .. } = found;
        Self { name, standard, path, size, source }
    }
}

/// What is wrong with an attachment's name, if anything. Whatever is named like a file of the standard goes where its
/// name says or nowhere: attached, it would reach another office unchecked, whose software would take it in by its name.
/// Receivers store names without dots and spaces in front.
pub(super) fn unfit_attachment(name: &str) -> Option<Finding> {
    if looks_standard(name.trim_start_matches(['.', ' '])) {
        return Some(finding(
            "ATTACHMENT_NAME",
            name,
            "標準仕様のファイル名なので添付できません。標準仕様のファイルなら --attach を付けずに指定し、そうでなければ名前を変えてください。",
            "Named like a file of the standard, so it can't be attached: give it without --attach if it is one, else rename it.",
        ));
    }
    check_name(&format!("{ATTACHMENTS}{name}")).err().map(|error| {
        finding(
            "ATTACHMENT_NAME",
            name,
            "添付ファイルの名前に使えない文字があるか、長すぎます。名前を変えてください。",
            &format!("Rename the file: {error}."),
        )
    })
}

/// The first parcel of the own office to `office`, or a new one.
fn parcel_for(
    parcels: &mut Vec<PlannedParcel>,
    own: OfficeNumber,
    office: OfficeNumber,
) -> &mut PlannedParcel {
    let at = parcels.iter().position(|p| p.sender == own && p.recipient == office);
    let at = at.unwrap_or_else(|| {
        parcels.push(PlannedParcel {
            sender: own,
            recipient: office,
            serial: None,
            files: Vec::new(),
            note: None,
            supersedes: None,
            findings: Vec::new(),
            serials: Vec::new(),
        });
        parcels.len() - 1
    });
    &mut parcels[at]
}

fn add_notes(parcels: &mut Vec<PlannedParcel>, options: &SendOptions, own: OfficeNumber) {
    for (office, note) in &options.notes_by_office {
        parcel_for(parcels, own, *office);
        for parcel in parcels.iter_mut().filter(|p| p.recipient == *office) {
            parcel.note = Some(note.clone());
        }
    }
    if let Some(note) = &options.note {
        for parcel in parcels.iter_mut().filter(|p| p.note.is_none()) {
            parcel.note = Some(note.clone());
        }
    }
}

fn not_standard(name: &str) -> Finding {
    finding(
        "NOT_SENDABLE",
        name,
        "標準仕様のファイルではないため宛先が分かりません。--attach 事業所番号=ファイル で宛先を指定してください。",
        "Not a file of the standard, so nobody can tell who gets it: say so with --attach OFFICE=FILE.",
    )
}

fn double(name: &str) -> Finding {
    finding(
        "DUPLICATE_NAME",
        name,
        "同じ名前で内容の違うファイルが指定されています。どちらか一方だけを指定してください。",
        "Two different files of this name were given: give the one that is meant.",
    )
}

/// An error about a whole file, found while planning.
pub(crate) fn finding(rule: &str, file: &str, ja: &str, en: &str) -> Finding {
    Finding {
        rule: rule.to_owned(),
        severity: "error".to_owned(),
        file: file.to_owned(),
        line: None,
        item: None,
        item_name_ja: None,
        shape: String::new(),
        message_ja: ja.to_owned(),
        message_en: en.to_owned(),
    }
}

/// The last part of a path, as text.
pub(super) fn file_name(path: &Path) -> Result<String, SdkError> {
    let name = path.file_name().and_then(|n| n.to_str());
    name.map(str::to_owned).ok_or_else(|| {
        let message = words("読めないファイル名です", "not a file name that can be read");
        ConfigError::Path { path: path.to_owned(), message }.into()
    })
}
