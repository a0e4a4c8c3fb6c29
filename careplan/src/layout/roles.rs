//! Items that say what a file is about: whose, which month, which offices. Found by their English names.

use super::LayoutItem;
use crate::kind::FileKind;

/// The CSV version is item 1 of every record.
pub(crate) const VERSION: usize = 0;
/// 保険者番号.
pub(crate) const INSURER: usize = 1;
/// 被保険者番号.
pub(crate) const INSURED: usize = 2;

/// Which party of the file name an item must name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Party {
    /// The sender.
    Sender,
    /// The recipient.
    Recipient,
    /// The sender, unless that is a care-management office, which only forwards results.
    Provider,
}

/// Places of items in a record, from 0.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roles {
    /// The service month, 対象年月 or 削除対象年月.
    pub(crate) month: Option<usize>,
    /// Office numbers that must be a party's.
    pub(crate) parties: Vec<(usize, Party)>,
    /// All office numbers that the record is about.
    pub(crate) offices: Vec<usize>,
    /// The provider of the service that the record plans; only in tables that go to providers.
    pub(crate) provider: Option<usize>,
    /// An item that begins with the service kind: the service code, or the kind to delete.
    pub(crate) service: Option<usize>,
    /// The name of the family image.
    pub(crate) image: Option<usize>,
}

impl Roles {
    pub(super) fn of(kind: FileKind, items: &[LayoutItem]) -> Self {
        let place = |name: &str| items.iter().position(|item| item.name_en == name);
        let parties: &[(&str, Party)] = match kind {
            FileKind::Upplan => &[("plan_office_no", Party::Sender)],
            FileKind::Up1kyo => &[("care_support_office_no", Party::Sender)],
            FileKind::Upjsk => {
                &[("plan_office_no", Party::Recipient), ("service_office_no", Party::Provider)]
            }
            FileKind::Dltjsk => &[("service_office_no", Party::Provider)],
            _ => &[],
        };
        let is_slip_or_plan = matches!(kind, FileKind::Upplan | FileKind::Upsikyu | FileKind::Up2kyo);
        Self {
            month: place("target_month").or_else(|| place("delete_target_month")),
            parties: parties.iter().filter_map(|(name, party)| Some((place(name)?, *party))).collect(),
            offices: ["plan_office_no", "care_support_office_no", "service_office_no"]
                .into_iter()
                .filter_map(place)
                .collect(),
            provider: place("service_office_no").filter(|_| is_slip_or_plan),
            service: place("service_code").or_else(|| place("service_type")),
            image: place("family_image_file"),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::edition::Edition;
    use crate::kind::FileKind;
    use crate::layout::Layout;

    use super::*;

    #[test]
    fn every_record_begins_with_version_insurer_and_insured() {
        for layout in FileKind::ALL.into_iter().flat_map(Layout::all_of) {
            for (place, name) in [(VERSION, "csv_version"), (INSURER, "insurer_no"), (INSURED, "insured_no")]
            {
                assert_eq!(layout.items[place].name_en, name, "{} {}", layout.kind, layout.edition);
            }
        }
    }

    #[test]
    fn kinds_with_a_month_in_the_name_have_one_in_the_record() {
        for layout in FileKind::ALL.into_iter().flat_map(Layout::all_of) {
            assert_eq!(layout.roles.month.is_some(), layout.kind.has_month(), "{}", layout.kind);
        }
    }

    #[test]
    fn places_differ_between_editions() {
        let of = |edition| {
            let roles = &Layout::of(FileKind::Upplan, edition).unwrap().roles;
            (roles.provider, roles.service, roles.parties.clone(), roles.offices.clone())
        };
        assert_eq!(of(Edition::V4_1), (Some(19), Some(14), vec![(5, Party::Sender)], vec![5, 19]));
        assert_eq!(of(Edition::V3_2), (Some(16), Some(14), vec![(5, Party::Sender)], vec![5, 16]));
        let image = Layout::of(FileKind::Upkihon, Edition::V4_1).unwrap().roles.image;
        assert_eq!(image, Some(61));
    }
}
