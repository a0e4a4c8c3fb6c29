//! What the own office waits for longer than it wants to: parcels that their receivers have not fetched, by the own threshold
//! in Japanese working days, or, without one, as the relay called them.

use tasuki_careplan::working_days;

use crate::client::Client;
use crate::error::SdkError;
use crate::parcel::{Parcel, State};
use crate::tracking::ListFilter;

/// Working days of a threshold at most: two years.
pub const MAX_WORKING_DAYS: u32 = 500;

/// A parcel that its receiver should have fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overdue {
    /// The parcel.
    pub parcel: Parcel,
    /// Since when it waits in the receiver's mailbox, Unix microseconds.
    pub since_us: i64,
    /// Until when it should have been fetched, or when the relay called it overdue, Unix microseconds.
    pub due_us: i64,
}

impl Overdue {
    /// A parcel that waits, if it does so for more than this many working days: the threshold is the end, in Japan, of the
    /// so many-th working day after the day on which it was delivered.
    pub fn after(parcel: &Parcel, days: u32, now_us: i64) -> Option<Self> {
        let since_us = since(parcel)?;
        let due_us = working_days::end_of(since_us, days.min(MAX_WORKING_DAYS));
        (due_us < now_us).then(|| Self { parcel: parcel.clone(), since_us, due_us })
    }

    /// A parcel that waits, if the relay has called it overdue.
    fn called(parcel: &Parcel) -> Option<Self> {
        let due_us = parcel.marks.overdue_us?;
        Some(Self { parcel: parcel.clone(), since_us: since(parcel)?, due_us })
    }
}

/// Since when a parcel waits for its receiver. Nobody waits for a version that a newer one has taken the place of.
fn since(parcel: &Parcel) -> Option<i64> {
    let waits = parcel.state == State::Delivered && parcel.marks.superseded_by.is_none();
    parcel.marks.delivered_us.or(parcel.accepted_us).filter(|_| waits)
}

impl Client {
    /// The own threshold in working days: the one given, or the HOME's (`[send] overdue_after_days`); `None`: the relay's.
    pub fn overdue_after_days(&self, given: Option<u32>) -> Option<u32> {
        given.or(self.home().config().send.overdue_after_days)
    }

    /// What was sent, waits, and is overdue; what waits longest comes first. `filter` chooses among what was sent; its states
    /// and marks are not looked at.
    ///
    /// ```no_run
    /// # async fn run(client: tasuki_sdk::Client) -> Result<(), tasuki_sdk::SdkError> {
    /// use tasuki_sdk::ListFilter;
    ///
    /// for late in client.overdue(&ListFilter::default(), Some(2)).await? {
    ///     println!("{} {}", late.parcel.recipient_name, late.parcel.words().ja);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The relay can't be reached or refuses.
    pub async fn overdue(
        &self,
        filter: &ListFilter,
        after_days: Option<u32>,
    ) -> Result<Vec<Overdue>, SdkError> {
        let days = self.overdue_after_days(after_days);
        let filter = ListFilter {
            states: vec![State::Delivered],
            superseded: Some(false),
            overdue: days.is_none().then_some(true),
            ..filter.clone()
        };
        let now_us = self.now_us();
        let waiting = self.list_sent(&filter).await?;
        let late = waiting.iter().filter_map(|parcel| match days {
            Some(days) => Overdue::after(parcel, days, now_us),
            None => Overdue::called(parcel),
        });
        let mut late: Vec<Overdue> = late.collect();
        late.sort_by_key(|overdue| overdue.since_us);
        Ok(late)
    }
}

#[cfg(test)]
mod tests {
    use tasuki_proto::time::parse_us;

    use super::*;
    use crate::parcel::Marks;

    fn parcel(delivered_at: &str) -> Parcel {
        let id = "0193a3f0-8a1b-7c2d-8e3f-000000000000";
        Parcel {
            key: tasuki_proto::ids::ParcelKey {
                sender: "1371215102".parse().unwrap(),
                id: id.parse().unwrap(),
            },
            sender_name: String::new(),
            recipient: "9971100012".parse().unwrap(),
            recipient_name: String::new(),
            state: State::Delivered,
            files: Vec::new(),
            digest: [1; 32],
            container_size: 1,
            sealed_size: 1,
            accepted_us: Some(0),
            fetched_us: None,
            acknowledged_us: None,
            signer: [1; 32],
            marks: Marks { delivered_us: parse_us(delivered_at), ..Marks::default() },
        }
    }

    #[test]
    fn the_threshold_is_of_working_days_in_japan() {
        // A Friday evening in Japan; Monday 23 November 2026 is a holiday.
        let waits = parcel("2026-11-20T10:00:00.000000Z");
        let at = |text: &str| Overdue::after(&waits, 1, parse_us(text).unwrap());
        assert_eq!(at("2026-11-24T14:59:59.999999Z"), None, "Tuesday is the first working day");
        let late = at("2026-11-24T15:00:00.000001Z").unwrap();
        assert_eq!(late.since_us, parse_us("2026-11-20T10:00:00.000000Z").unwrap());
        assert_eq!(late.due_us, parse_us("2026-11-24T15:00:00.000000Z").unwrap());
        assert!(Overdue::after(&waits, u32::MAX, late.due_us + 1).is_none());
    }

    #[test]
    fn only_what_still_waits_is_overdue() {
        let far = parse_us("2027-11-20T10:00:00.000000Z").unwrap();
        let waits = parcel("2026-11-20T10:00:00.000000Z");
        assert!(Overdue::after(&waits, 0, far).is_some());
        assert!(Overdue::called(&waits).is_none());
        let called = Parcel { marks: Marks { overdue_us: Some(7), ..waits.marks.clone() }, ..waits.clone() };
        assert_eq!(Overdue::called(&called).unwrap().due_us, 7);
        let fetched = Parcel { state: State::Fetched, ..called.clone() };
        let superseded_by = Some(called.key.id);
        let superseded = Parcel { marks: Marks { superseded_by, ..called.marks.clone() }, ..called };
        for parcel in [fetched, superseded] {
            assert!(Overdue::after(&parcel, 0, far).is_none() && Overdue::called(&parcel).is_none());
        }
    }
}
