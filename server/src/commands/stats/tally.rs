//! Adding up a month.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::lifecycle::State;

use crate::store::parcels::ParcelRow;

/// Below so many parcels in both months a change says nothing.
const FEW: u64 = 10;

/// What one office sent and received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Use {
    /// In the month.
    pub(super) parcels: u64,
    /// In the month before.
    pub(super) before: u64,
    /// It took part earlier than that.
    returned: bool,
}

/// How an office's use changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trend {
    /// Took part for the first time.
    New,
    /// Took part the month before, and not now.
    Silent,
    /// Half as much again, or more.
    Rising,
    /// Half as much, or less.
    Falling,
}

impl Trend {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Silent => "silent",
            Self::Rising => "rising",
            Self::Falling => "falling",
        }
    }

    pub(super) fn word_ja(self) -> &'static str {
        match self {
            Self::New => "新規",
            Self::Silent => "利用なし",
            Self::Rising => "増加",
            Self::Falling => "減少",
        }
    }
}

impl Use {
    fn trend(self) -> Option<Trend> {
        let Self { parcels, before, returned } = self;
        match (parcels, before) {
            (0, 0) => None,
            (0, _) => Some(Trend::Silent),
            (_, 0) => (!returned).then_some(Trend::New),
            _ if parcels.max(before) < FEW => None,
            _ if parcels * 2 >= before * 3 => Some(Trend::Rising),
            _ if parcels * 2 <= before => Some(Trend::Falling),
            _ => None,
        }
    }
}

/// A month so far: some numbers, and for each office that took part three more.
#[derive(Debug, Default)]
pub(super) struct Tally {
    offices: HashMap<OfficeNumber, Use>,
    parcels: u64,
    bytes: u64,
    states: BTreeMap<&'static str, u64>,
    kinds: BTreeMap<String, u64>,
    unread: u64,
    overdue: u64,
    refused: BTreeMap<String, u64>,
    /// Submissions that were rejected, by reason.
    pub(super) rejected: BTreeMap<String, u64>,
}

/// A month, as `--json` prints it.
#[derive(Debug, Serialize)]
pub(super) struct Summary<'a> {
    month: &'a str,
    parcels: u64,
    bytes: u64,
    states: &'a BTreeMap<&'static str, u64>,
    /// Files by kind.
    kinds: &'a BTreeMap<String, u64>,
    /// Delivered and not fetched, as things stand now.
    unread: u64,
    /// Of them, called overdue.
    overdue: u64,
    refused: &'a BTreeMap<String, u64>,
    rejected: &'a BTreeMap<String, u64>,
    offices: Offices,
}

#[derive(Debug, Default, Serialize)]
struct Offices {
    active: u64,
    new: u64,
    silent: u64,
    rising: u64,
    falling: u64,
}

impl Tally {
    /// Counts a parcel of the month.
    pub(super) fn add(&mut self, row: &ParcelRow) {
        for office in [row.key.sender, row.recipient] {
            self.offices.entry(office).or_default().parcels += 1;
        }
        self.parcels += 1;
        self.bytes += row.container_size;
        *self.states.entry(row.state.as_str()).or_default() += 1;
        for file in &row.files {
            *self.kinds.entry(file.kind.clone()).or_default() += 1;
        }
        let unread = row.state == State::Delivered;
        self.unread += u64::from(unread);
        self.overdue += u64::from(unread && row.marks.overdue_us > 0);
        if let Some(reason) = row.marks.refusal {
            *self.refused.entry(reason.as_str().to_owned()).or_default() += 1;
        }
    }

    /// Counts a parcel of the month before.
    pub(super) fn add_before(&mut self, row: &ParcelRow) {
        for office in [row.key.sender, row.recipient] {
            self.offices.entry(office).or_default().before += 1;
        }
    }

    /// Offices that took part in the month and not in the one before.
    pub(super) fn unknown_before(&self) -> Vec<OfficeNumber> {
        let appeared = self.offices.iter().filter(|(_, office)| office.before == 0);
        appeared.map(|(number, _)| *number).collect()
    }

    /// An office took part earlier than the month before.
    pub(super) fn set_returned(&mut self, office: OfficeNumber) {
        self.offices.entry(office).or_default().returned = true;
    }

    /// Offices whose use changed, in the order of their numbers.
    pub(super) fn changed(&self) -> Vec<(OfficeNumber, Use, Trend)> {
        let trends =
            self.offices.iter().filter_map(|(number, office)| Some((*number, *office, office.trend()?)));
        let mut changed: Vec<_> = trends.collect();
        changed.sort_unstable_by_key(|(number, ..)| *number);
        changed
    }

    /// All of it.
    pub(super) fn summary<'a>(&'a self, month: &'a str) -> Summary<'a> {
        let mut offices = Offices::default();
        for office in self.offices.values() {
            offices.active += u64::from(office.parcels > 0);
            let counter = match office.trend() {
                Some(Trend::New) => &mut offices.new,
                Some(Trend::Silent) => &mut offices.silent,
                Some(Trend::Rising) => &mut offices.rising,
                Some(Trend::Falling) => &mut offices.falling,
                None => continue,
            };
            *counter += 1;
        }
        let Self { parcels, bytes, states, kinds, unread, overdue, refused, rejected, .. } = self;
        let (parcels, bytes, unread, overdue) = (*parcels, *bytes, *unread, *overdue);
        Summary { month, parcels, bytes, states, kinds, unread, overdue, refused, rejected, offices }
    }
}

/// A row of the table: measure, its Japanese name, detail, number.
type Row<'a> = (&'static str, &'static str, &'a str, u64);

impl Summary<'_> {
    /// Row by row.
    pub(super) fn measures(&self) -> Vec<Row<'_>> {
        let mut rows: Vec<Row> =
            vec![("parcels", "電文", "", self.parcels), ("bytes", "バイト", "", self.bytes)];
        rows.extend(self.states.iter().map(|(state, count)| ("state", "状態", *state, *count)));
        rows.extend(self.kinds.iter().map(|(kind, count)| ("files", "ファイル", kind.as_str(), *count)));
        rows.extend([("unread", "未取得", "", self.unread), ("overdue", "期限超過", "", self.overdue)]);
        rows.extend(self.refused.iter().map(|(why, count)| ("refused", "受取拒否", why.as_str(), *count)));
        rows.extend(self.rejected.iter().map(|(why, count)| ("rejected", "受付不可", why.as_str(), *count)));
        let Offices { active, new, silent, rising, falling } = self.offices;
        for (detail, count) in
            [("active", active), ("new", new), ("silent", silent), ("rising", rising), ("falling", falling)]
        {
            rows.push(("offices", "事業所", detail, count));
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn use_rises_and_falls_by_half_and_not_by_chance() {
        let trend = |parcels, before| Use { parcels, before, returned: false }.trend();
        assert_eq!(trend(0, 3), Some(Trend::Silent));
        assert_eq!(trend(3, 0), Some(Trend::New));
        assert_eq!(Use { parcels: 3, before: 0, returned: true }.trend(), None);
        assert_eq!(trend(9, 1), None, "few");
        assert_eq!(trend(15, 10), Some(Trend::Rising));
        assert_eq!(trend(14, 10), None);
        assert_eq!(trend(5, 10), Some(Trend::Falling));
        assert_eq!(trend(6, 10), None);
    }
}
