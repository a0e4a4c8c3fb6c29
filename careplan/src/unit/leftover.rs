//! Files that belong to no unit, and why.

use super::{Address, SendUnit, UnitRule};
use crate::file_name::FileName;
use crate::kind::FileKind;
use crate::month::Month;

/// Files that belong to no unit, for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// Why.
    pub reason: Reason,
    /// The files, as positions among the names that were given.
    pub members: Vec<usize>,
    /// Those of them that are to blame: all, or the fewer ones where two parts disagree.
    pub odd: Vec<usize>,
}

/// Why files belong to no unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// They would make one unit if their serials were the same.
    Serials,
    /// They would make one unit if their service kinds were the same.
    Services,
    /// They would make one unit if their months were the same.
    Months,
    /// They make no permitted unit; these files are missing from the one that they come closest to.
    Missing(Vec<FileKind>),
    /// All files of some unit are there, and these are too much: two of a kind, or no part of any unit.
    TooMuch,
}

/// What is left of one sender, recipient, serial and month.
#[derive(Clone, Debug)]
pub(super) struct Rest {
    pub(super) address: Address,
    pub(super) month: Option<Month>,
    pub(super) members: Vec<usize>,
}

/// Sorts what is left by reasons. Rests that together make exactly one unit disagree about one thing; a rest that alone
/// makes none is a unit with something missing or too much.
pub(super) fn explain(names: &[FileName], units: &[SendUnit], rests: Vec<Rest>) -> Vec<Leftover> {
    let mut leftovers = Vec::new();
    let mut rests = rests;
    for (reason, disagree) in [
        (Reason::Serials, disagree_about_serial as fn(&Rest, &Rest) -> bool),
        (Reason::Services, disagree_about_services),
        (Reason::Months, disagree_about_month),
    ] {
        rests = combine(names, rests, &reason, disagree, &mut leftovers);
    }
    for rest in rests {
        let completed = units.iter().any(|unit| completes(names, unit, &rest));
        let reason = if completed { Reason::Serials } else { closest(names, units, &rest) };
        leftovers.push(Leftover { reason, odd: rest.members.clone(), members: rest.members });
    }
    leftovers.sort_by(|one, other| one.members.cmp(&other.members));
    leftovers
}

/// Joins rests that differ in this one thing, where all that agree in the others make one unit; gives back the others.
fn combine(
    names: &[FileName],
    mut rests: Vec<Rest>,
    reason: &Reason,
    disagree: fn(&Rest, &Rest) -> bool,
    leftovers: &mut Vec<Leftover>,
) -> Vec<Rest> {
    let mut kept = Vec::new();
    while !rests.is_empty() {
        let first = rests.remove(0);
        let (others, apart): (Vec<Rest>, Vec<Rest>) =
            rests.into_iter().partition(|other| disagree(&first, other));
        rests = apart;
        let mut all = vec![first];
        all.extend(others);
        let mut members: Vec<usize> = all.iter().flat_map(|rest| rest.members.clone()).collect();
        members.sort_unstable();
        if all.len() > 1 && all.iter().any(|rest| makes_one(names, &rest.address, &members)) {
            // The larger part is taken for right, and of equal ones the first.
            let right = all.iter().enumerate().max_by_key(|(at, rest)| (rest.members.len(), usize::MAX - at));
            let right = right.map(|(at, _)| at);
            let odd = all.iter().enumerate().filter(|(at, _)| Some(*at) != right);
            let mut odd: Vec<usize> = odd.flat_map(|(_, rest)| rest.members.clone()).collect();
            odd.sort_unstable();
            leftovers.push(Leftover { reason: reason.clone(), members, odd });
        } else {
            kept.extend(all);
        }
    }
    kept
}

fn disagree_about_serial(one: &Rest, other: &Rest) -> bool {
    let address = Address { serial: one.address.serial, ..other.address };
    address == one.address && one.month == other.month
}

fn disagree_about_services(one: &Rest, other: &Rest) -> bool {
    let Address { sender_service, recipient_service, .. } = one.address;
    let address = Address { sender_service, recipient_service, ..other.address };
    address == one.address && one.month == other.month
}

fn disagree_about_month(one: &Rest, other: &Rest) -> bool {
    one.address == other.address && one.month.is_some() && other.month.is_some()
}

fn makes_one(names: &[FileName], address: &Address, members: &[usize]) -> bool {
    UnitRule::for_address(address).into_iter().any(|rule| rule.is_made_by(names, members))
}

/// Whether the rest belongs to a unit that is complete without it, but for its serial: an annex or an image.
fn completes(names: &[FileName], unit: &SendUnit, rest: &Rest) -> bool {
    let elsewhen = Address { serial: unit.address.serial, ..rest.address };
    let all: Vec<usize> = unit.members.iter().chain(&rest.members).copied().collect();
    rest.address.serial != unit.address.serial
        && elsewhen == unit.address
        && rest.month == unit.month
        && unit.rule.is_made_by(names, &all)
}

/// The permitted unit to which the fewest files are missing, among those that know the most of these.
fn closest(names: &[FileName], units: &[SendUnit], rest: &Rest) -> Reason {
    let kinds = crate::group::kinds(rest.members.iter().filter_map(|at| names.get(*at)));
    let beside_a_unit = units.iter().any(|unit| {
        unit.address == rest.address
            && unit.month == rest.month
            && kinds.iter().all(|kind| unit.rule.required.contains(kind) || unit.rule.optional.contains(kind))
    });
    if beside_a_unit {
        return Reason::TooMuch;
    }
    let rules = UnitRule::for_address(&rest.address).into_iter().map(|rule| rule.missing(&kinds));
    let best = rules.min_by_key(|(missing, known)| (kinds.len() - known, missing.len()));
    match best {
        Some((missing, _)) if !missing.is_empty() => Reason::Missing(missing),
        _ => Reason::TooMuch,
    }
}
