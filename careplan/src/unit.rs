//! Send units (送信単位): which files make one delivery, recognised from a heap of files by their names.

mod leftover;
mod rules;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::file_name::{FileName, MonthField};
use crate::kind::{Action, FileKind, Subject};
use crate::month::Month;
use crate::office::OfficeNumber;
use crate::serial::Serial;
use crate::service::ServiceKind;
use crate::words::{Words, describe};

pub use leftover::{Leftover, Reason};
pub use rules::{Scope, UnitRule};

/// What a unit is for, as people choose it on a command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnitClass {
    /// Plans and basic information: tables 1 to 3, UPKIHON, UPYOBO.
    Plan,
    /// Service use slips: tables 6 and 7.
    Slip,
    /// Results.
    Result,
    /// Withdrawals of any of these (取下げ).
    Delete,
}

/// The word is none of `plan`, `slip`, `result`, `delete`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a unit is plan, slip, result or delete")]
pub struct UnknownClass;

impl UnitClass {
    /// All classes.
    pub const ALL: [Self; 4] = [Self::Plan, Self::Slip, Self::Result, Self::Delete];

    /// The word for it, in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Slip => "slip",
            Self::Result => "result",
            Self::Delete => "delete",
        }
    }

    fn of(kinds: &[FileKind]) -> Self {
        let has = |subject| kinds.iter().any(|kind| kind.subject() == subject);
        if kinds.iter().any(|kind| kind.action() == Action::Withdraw) {
            Self::Delete
        } else if has(Subject::Result) {
            Self::Result
        } else if has(Subject::Slip) {
            Self::Slip
        } else {
            Self::Plan
        }
    }
}

impl FromStr for UnitClass {
    type Err = UnknownClass;

    fn from_str(word: &str) -> Result<Self, UnknownClass> {
        Self::ALL.into_iter().find(|class| class.as_str() == word).ok_or(UnknownClass)
    }
}

impl fmt::Display for UnitClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// From whom, to whom, and when made: the same for all files of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// When the unit was made; first, so that `Ord` is the order in which units are sent and imported.
    pub serial: Serial,
    /// The office that sends.
    pub sender: OfficeNumber,
    /// As what it sends; `None` in names of edition 3.2.
    pub sender_service: Option<ServiceKind>,
    /// The office that receives.
    pub recipient: OfficeNumber,
    /// As what it receives.
    pub recipient_service: Option<ServiceKind>,
}

impl Address {
    /// The address in a file's name.
    pub fn of(name: &FileName) -> Self {
        Self {
            serial: name.serial,
            sender: name.sender,
            sender_service: name.sender_service,
            recipient: name.recipient,
            recipient_service: name.recipient_service,
        }
    }

    fn scope(&self) -> Scope {
        let services = [self.sender_service, self.recipient_service];
        let preventive = services.iter().flatten().any(ServiceKind::is_preventive);
        if preventive { Scope::Preventive } else { Scope::Home }
    }
}

/// Files that make one permitted unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendUnit {
    /// The standard's permission for it, from the table of send units.
    pub rule: &'static UnitRule,
    /// From whom, to whom, when made.
    pub address: Address,
    /// The service month; `None` for units that belong to no month.
    pub month: Option<Month>,
    /// The kinds of its files, sorted, each once.
    pub kinds: Vec<FileKind>,
    /// Its files, as positions among the names that were given, in their order.
    pub members: Vec<usize>,
}

impl SendUnit {
    /// What it is for.
    pub fn class(&self) -> UnitClass {
        UnitClass::of(&self.kinds)
    }

    /// In words: kind, month, and whether it creates, updates or withdraws.
    pub fn words(&self) -> Words {
        describe(&self.kinds, self.month.as_slice())
    }
}

/// A heap of files, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recognised {
    /// The units, in the order of their serials, which is that of sending and importing.
    pub units: Vec<SendUnit>,
    /// Files that belong to no unit, and why. Every name is in exactly one unit or leftover.
    pub leftovers: Vec<Leftover>,
}

impl Recognised {
    /// Positions of the files that belong to no unit, sorted.
    pub fn unneeded(&self) -> Vec<usize> {
        let mut members: Vec<usize> = self.leftovers.iter().flat_map(|left| left.members.clone()).collect();
        members.sort_unstable();
        members
    }
}

/// Recognises the units in a heap of files. Files of one sender, recipient (with their service kinds), serial and month are
/// sorted into the largest permitted units; so "tables 1, 2, 3, 6, 7 and supplements at once" are two units.
///
/// ```
/// use tasuki_careplan::file_name::FileName;
/// use tasuki_careplan::{samples, unit};
///
/// let names: Vec<FileName> = samples::of_folder("03_slip_202602_to_visit").map(|s| s.name.parse().unwrap()).collect();
/// let heap = unit::recognise(&names);
/// assert_eq!(heap.units[0].words().en, "service use slips (tables 6, 7) for 2026-02, create or update");
/// assert!(heap.leftovers.is_empty());
/// ```
pub fn recognise(names: &[FileName]) -> Recognised {
    let mut heaps: BTreeMap<(Address, Option<Month>), Vec<usize>> = BTreeMap::new();
    for (at, name) in names.iter().enumerate() {
        heaps.entry((Address::of(name), month_of(name))).or_default().push(at);
    }
    let mut units = Vec::new();
    let mut rests = Vec::new();
    for ((address, month), mut members) in heaps {
        for rule in UnitRule::for_address(&address) {
            while let Some(taken) = rule.take(names, &mut members) {
                let kinds = crate::group::kinds(taken.iter().filter_map(|at| names.get(*at)));
                units.push(SendUnit { rule, address, month, kinds, members: taken });
            }
        }
        if !members.is_empty() {
            rests.push(leftover::Rest { address, month, members });
        }
    }
    let leftovers = leftover::explain(names, &units, rests);
    Recognised { units, leftovers }
}

/// The service month that a name puts a file into; plan documents have none.
fn month_of(name: &FileName) -> Option<Month> {
    name.month.and_then(MonthField::month)
}

#[cfg(test)]
mod tests;
