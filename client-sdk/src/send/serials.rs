//! Files of several parcels that would make one send unit if their serials were the same (`SERIAL_MISMATCH`): each parcel by
//! itself would only be told that something is missing.

use std::collections::BTreeSet;

use tasuki_careplan::file::SourceFile;
use tasuki_careplan::file_name::FileName;
use tasuki_careplan::finding::RuleId;
use tasuki_careplan::parcel::{CheckOptions, ParcelFacts, check_parcel};
use tasuki_careplan::unit::{Reason, recognise};

use super::plan::PlannedParcel;
use crate::error::SdkError;
use crate::finding::Finding;

/// Compares the serials of parcels. Reads only the files of offices between which something does not fit.
pub(super) fn compare(parcels: &mut [PlannedParcel]) -> Result<(), SdkError> {
    let mut places = Vec::new();
    let mut names: Vec<FileName> = Vec::new();
    for (parcel, planned) in parcels.iter().enumerate() {
        for name in planned.files.iter().filter_map(|file| file.standard) {
            places.push(parcel);
            names.push(name);
        }
    }
    let heap = recognise(&names);
    let odd = heap.leftovers.iter().filter(|left| left.reason == Reason::Serials);
    let groups: Vec<BTreeSet<usize>> =
        odd.map(|left| left.members.iter().filter_map(|at| places.get(*at).copied()).collect()).collect();
    for group in groups {
        let Some(first) = group.first() else { continue };
        let pair = (parcels[*first].sender, parcels[*first].recipient);
        let between: Vec<usize> =
            (0..parcels.len()).filter(|at| (parcels[*at].sender, parcels[*at].recipient) == pair).collect();
        for (parcel, finding) in told(parcels, &between)? {
            if group.contains(&parcel) {
                // Both halves are held back: which of the serials is right, only the sender knows.
                for at in &group {
                    let there = &mut parcels[*at].serials;
                    if !there.contains(&finding) {
                        there.push(finding.clone());
                    }
                }
            }
        }
    }
    Ok(())
}

/// The findings about serials, each with the parcel of its file.
fn told(parcels: &[PlannedParcel], between: &[usize]) -> Result<Vec<(usize, Finding)>, SdkError> {
    let mut content = Vec::new();
    for &parcel in between {
        for file in parcels[parcel].files.iter().filter(|file| file.standard.is_some()) {
            content.push((parcel, &file.name, file.source.read()?));
        }
    }
    let sources: Vec<SourceFile<'_>> =
        content.iter().map(|(_, name, bytes)| SourceFile { name, bytes }).collect();
    let check = check_parcel(&ParcelFacts::default(), &sources, &CheckOptions::default());
    let by_file = content.iter().zip(&check.findings);
    let of_serials = by_file.flat_map(|((parcel, ..), findings)| {
        let serials = findings.iter().filter(|finding| finding.rule == RuleId::SerialMismatch);
        serials.map(|finding| (*parcel, Finding::from(finding)))
    });
    Ok(of_serials.collect())
}
