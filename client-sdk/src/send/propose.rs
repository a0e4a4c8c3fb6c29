//! Which earlier parcel a planned one probably replaces: the newest of the same kinds and months to the same office, with
//! an earlier serial. A proposal only: whether it replaces or adds is the sender's to say, before it is signed.

use std::collections::{BTreeMap, BTreeSet};

use tasuki_careplan::file_name::MonthField;
use tasuki_careplan::month::Month;

use super::plan::{Plan, PlannedParcel};
use crate::client::Client;
use crate::error::SdkError;
use crate::parcel::{Parcel, State};
use crate::tracking::ListFilter;

/// What a planned parcel probably replaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Place of the planned parcel in [`Plan::parcels`].
    pub place: usize,
    /// The earlier parcel.
    pub older: Parcel,
}

impl Client {
    /// Looks for parcels that planned ones may supersede. One list of the relay for each month in the plan.
    ///
    /// # Errors
    /// The relay can't be reached or refuses.
    pub async fn propose_superseding(&self, plan: &Plan) -> Result<Vec<Proposal>, SdkError> {
        let wanted: BTreeSet<Month> = plan.parcels.iter().flat_map(months).collect();
        let mut sent: BTreeMap<Month, Vec<Parcel>> = BTreeMap::new();
        for month in wanted {
            let filter = ListFilter { month: Some(month), superseded: Some(false), ..ListFilter::default() };
            sent.insert(month, self.list_sent(&filter).await?);
        }
        let mut proposals = Vec::new();
        for (place, planned) in plan.parcels.iter().enumerate().filter(|(_, p)| p.supersedes.is_none()) {
            let candidates = months(planned).into_iter().filter_map(|month| sent.get(&month)).flatten();
            let older =
                candidates.filter(|older| replaces(planned, older)).max_by_key(|older| older.accepted_us);
            proposals.extend(older.map(|older| Proposal { place, older: older.clone() }));
        }
        Ok(proposals)
    }
}

fn months(planned: &PlannedParcel) -> BTreeSet<Month> {
    planned.files.iter().filter_map(|file| file.standard?.month?.month()).collect()
}

/// The same kinds for the same months, an earlier serial, and not taken back.
fn replaces(planned: &PlannedParcel, older: &Parcel) -> bool {
    let Some(serial) = planned.serial.map(|serial| serial.to_string()) else { return false };
    let alive = !matches!(older.state, State::Recalled | State::Discarded);
    let kinds = |planned: &PlannedParcel| -> BTreeSet<(String, Option<String>)> {
        let standard = planned.files.iter().filter_map(|file| file.standard);
        standard
            .map(|name| {
                let month = name.month.and_then(MonthField::month).map(|month| month.to_string());
                (name.kind.prefix().to_owned(), month)
            })
            .collect()
    };
    let standard = older.files.iter().filter(|file| file.serial.is_some());
    let theirs: BTreeSet<_> = standard.map(|file| (file.kind.clone(), file.month.clone())).collect();
    let earlier = older.files.iter().filter_map(|file| file.serial.as_ref()).all(|theirs| *theirs < serial);
    alive && planned.recipient == older.recipient && earlier && kinds(planned) == theirs
}
