//! From a heap of files to what travels together.

use std::collections::BTreeMap;

use crate::file_name::FileName;
use crate::kind::FileKind;
use crate::month::Month;
use crate::office::OfficeNumber;
use crate::serial::Serial;

/// Files of one sender to one recipient that carry the same serial: the content of one parcel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The office that sends.
    pub sender: OfficeNumber,
    /// The office that receives.
    pub recipient: OfficeNumber,
    /// The serial that the files share.
    pub serial: Serial,
    /// The files, as positions among the names that were grouped, in their order.
    pub members: Vec<usize>,
}

/// Groups files by sender, recipient and serial. Groups come in the order of their serials, which is the order in which
/// they are to be sent and imported, then by sender and recipient. Every name is in exactly one group.
pub fn group<'a>(names: impl IntoIterator<Item = &'a FileName>) -> Vec<Group> {
    let mut groups: BTreeMap<(Serial, OfficeNumber, OfficeNumber), Vec<usize>> = BTreeMap::new();
    for (at, name) in names.into_iter().enumerate() {
        groups.entry((name.serial, name.sender, name.recipient)).or_default().push(at);
    }
    let group = |((serial, sender, recipient), members)| Group { sender, recipient, serial, members };
    groups.into_iter().map(group).collect()
}

/// The file kinds among the names, each once, in the order of [`FileKind`].
pub fn kinds<'a>(names: impl IntoIterator<Item = &'a FileName>) -> Vec<FileKind> {
    sorted(names.into_iter().map(|name| name.kind))
}

/// The service months among the names, each once, the earliest first; plan documents have none.
pub fn months<'a>(names: impl IntoIterator<Item = &'a FileName>) -> Vec<Month> {
    sorted(names.into_iter().filter_map(|name| name.month?.month()))
}

fn sorted<T: Ord>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    values.dedup();
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> FileName {
        FileName::parse(text).unwrap()
    }

    #[test]
    fn sender_recipient_and_serial_make_a_group() {
        let names = [
            "UPPLAN_202602_1371215102_43_9971100020_15_20260125103130.CSV",
            "UPPLAN_202602_1371215102_43_9971100012_11_20260125103000.CSV",
            "UPSIKYU_202602_1371215102_43_9971100020_15_20260125103130.CSV",
            "UPJSK_202602_9971100012_11_1371215102_43_20260125103000.CSV",
            "UPHOSOKU_000000_1371215102_43_9971100020_15_20260124103130.CSV",
        ]
        .map(name);
        let groups = group(&names);
        let members: Vec<_> = groups.iter().map(|group| group.members.clone()).collect();
        assert_eq!(members, [vec![4], vec![1], vec![3], vec![0, 2]]);
        assert_eq!(groups[3].recipient.as_str(), "9971100020");
        assert_eq!(groups[2].sender.as_str(), "9971100012");
        assert!(group([]).is_empty());
    }

    #[test]
    fn kinds_and_months_of_a_group() {
        let names = [
            "UPSIKYU_202602_1371215102_43_9971100020_15_20260125103130.CSV",
            "UPPLAN_202602_1371215102_43_9971100020_15_20260125103130.CSV",
            "UPHOSOKU_000000_1371215102_43_9971100020_15_20260125103130.CSV",
            "UPPLAN_202601_1371215102_43_9971100020_15_20260125103130.CSV",
        ]
        .map(name);
        assert_eq!(kinds(&names), [FileKind::Upplan, FileKind::Upsikyu, FileKind::Uphosoku]);
        assert_eq!(months(&names).iter().map(ToString::to_string).collect::<Vec<_>>(), ["202601", "202602"]);
    }
}
