//! Which of the files that were named are sent: one class of units, and files that belong to none.

use std::path::PathBuf;

use tasuki_careplan::file_name::{FileName, MonthField};
use tasuki_careplan::kind::{Action, Subject};
use tasuki_careplan::office::OfficeNumber;
use tasuki_careplan::unit::{UnitClass, recognise};

use super::SendOptions;
use super::plan::{PlannedFile, PlannedParcel};

/// A file that was named and is left out on request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Where it is; inside a ZIP, `archive.zip/name`.
    pub path: PathBuf,
    /// Who would get it.
    pub recipient: OfficeNumber,
    /// Why.
    pub why: Why,
}

/// Why a file is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It belongs to a unit of another class than the one to be sent.
    OtherUnit,
    /// It belongs to no send unit.
    NoUnit,
    /// It is an attachment to files that are all left out.
    NoParcel,
}

impl Why {
    /// Its word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OtherUnit => "OTHER_UNIT",
            Self::NoUnit => "NO_UNIT",
            Self::NoParcel => "NO_PARCEL",
        }
    }
}

/// Takes out of the parcels what is not to be sent, and tells what that was.
pub(super) fn select(parcels: &mut Vec<PlannedParcel>, options: &SendOptions) -> Vec<LeftOut> {
    let mut left_out = Vec::new();
    if options.only.is_none() && !options.skip_unneeded {
        return left_out;
    }
    for parcel in parcels.iter_mut() {
        let mut why = reasons(&parcel.files, options);
        let goes = parcel.files.iter().zip(&why).any(|(file, why)| file.standard.is_some() && why.is_none());
        if !goes {
            for why in &mut why {
                *why = why.or(Some(Why::NoParcel));
            }
        }
        let files = std::mem::take(&mut parcel.files);
        for (file, why) in files.into_iter().zip(why) {
            match why {
                None => parcel.files.push(file),
                Some(why) => left_out.push(LeftOut { path: file.path, recipient: parcel.recipient, why }),
            }
        }
    }
    parcels.retain(|parcel| !parcel.files.is_empty());
    left_out
}

/// Why each file is left out, if it is.
fn reasons(files: &[PlannedFile], options: &SendOptions) -> Vec<Option<Why>> {
    let standard: Vec<(usize, FileName)> =
        files.iter().enumerate().filter_map(|(at, file)| Some((at, file.standard?))).collect();
    let names: Vec<FileName> = standard.iter().map(|(_, name)| *name).collect();
    let heap = recognise(&names);
    let mut why = vec![None; files.len()];
    let mut leave = |member: usize, reason: Why| {
        if let Some((at, _)) = standard.get(member) {
            why[*at] = Some(reason);
        }
    };
    let is_other = |class: UnitClass| options.only.is_some_and(|only| only != class);
    for unit in heap.units.iter().filter(|unit| is_other(unit.class())) {
        for member in &unit.members {
            leave(*member, Why::OtherUnit);
        }
    }
    for member in heap.unneeded() {
        if options.skip_unneeded {
            leave(member, Why::NoUnit);
        } else if names.get(member).is_some_and(|name| is_other(class_of(name))) {
            leave(member, Why::OtherUnit);
        }
    }
    why
}

/// To which class of units a file belongs, had it all its companions.
fn class_of(name: &FileName) -> UnitClass {
    let of_month = name.month.and_then(MonthField::month).is_some();
    match (name.kind.action(), name.kind.subject()) {
        (Action::Withdraw, _) => UnitClass::Delete,
        (_, Subject::Result) => UnitClass::Result,
        (_, Subject::Slip) => UnitClass::Slip,
        (_, Subject::Supplement) if of_month => UnitClass::Slip,
        _ => UnitClass::Plan,
    }
}
