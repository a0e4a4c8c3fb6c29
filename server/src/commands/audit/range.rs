//! Between which times: as people give them, and where that is in the log.

use jiff::civil::Date;
use tasuki_proto::event::Event;
use tasuki_proto::time;

use crate::cli::time_us;
use crate::month::japan;
use crate::store::head::Head;
use crate::store::leaves::Leaf;
use crate::store::timeline::Stretch;
use crate::store::{Store, StoreError};

/// From when until when, Unix microseconds; the end itself is too late. Open where nothing was said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) from_us: Option<i64>,
    pub(super) until_us: Option<i64>,
}

impl Range {
    /// Whether a time lies in it.
    pub(super) fn holds(self, time_us: i64) -> bool {
        self.from_us.is_none_or(|from_us| from_us <= time_us)
            && self.until_us.is_none_or(|until_us| time_us < until_us)
    }

    /// Whether any time does.
    pub(super) fn is_empty(self) -> bool {
        matches!((self.from_us, self.until_us), (Some(from_us), Some(until_us)) if until_us <= from_us)
    }
}

/// Reads `--from`: a time, or the beginning of a day in Japan.
pub(crate) fn from(text: &str) -> Result<i64, String> {
    day(text).map_or_else(|| time_us(text), |date| begins(date).ok_or_else(|| BEYOND.to_owned()))
}

/// Reads `--to`: a time, or the end of a day in Japan.
pub(crate) fn until(text: &str) -> Result<i64, String> {
    let ends = |date: Date| date.tomorrow().ok().and_then(begins);
    day(text).map_or_else(|| time_us(text), |date| ends(date).ok_or_else(|| BEYOND.to_owned()))
}

const BEYOND: &str = "beyond the calendar";

/// `2026-11-27` and nothing else.
fn day(text: &str) -> Option<Date> {
    let form = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    form.then(|| text.parse().ok()).flatten()
}

fn begins(date: Date) -> Option<i64> {
    Some(date.to_zoned(japan()).ok()?.timestamp().as_microsecond())
}

/// A time as people in Japan read it, to the second; `--from` and `--to` take it.
pub(super) fn japan_time(us: i64) -> String {
    const JAPAN_US: i64 = 9 * 3_600 * 1_000_000;
    let utc = time::format_us(us.saturating_add(JAPAN_US));
    format!("{}+09:00", utc.get(..19).unwrap_or(&utc))
}

/// Where the range lies in each epoch up to the head, in order. Found by halving: a few dozen short reads, however long
/// the log is. Events that were erased, so that nobody knows their time, are in it if they may be.
pub(super) async fn stretches(store: &Store, head: &Head, range: Range) -> Result<Vec<Stretch>, StoreError> {
    let mut stretches = Vec::new();
    for epoch in 1..=head.epoch {
        let size = if epoch == head.epoch { head.size } else { store.epoch_size(epoch).await? };
        let from = match range.from_us {
            Some(from_us) => first_at(store, epoch, size, from_us).await?,
            None => 0,
        };
        let to = match range.until_us {
            Some(until_us) => {
                let behind = first_at(store, epoch, size, until_us).await?;
                let next = store.first_text(Stretch { epoch, from: behind, to: size }).await?;
                next.map_or(size, |leaf| leaf.position.index)
            }
            None => size,
        };
        if from < to {
            stretches.push(Stretch { epoch, from, to });
        }
    }
    Ok(stretches)
}

/// The first index of an epoch with no earlier event behind it: the time of what stands before is earlier, or not known.
async fn first_at(store: &Store, epoch: u64, size: u64, time_us: i64) -> Result<u64, StoreError> {
    let (mut low, mut high) = (0, size);
    while low < high {
        let middle = low + (high - low) / 2;
        match store.first_text(Stretch { epoch, from: middle, to: high }).await? {
            Some(leaf) if read(&leaf)?.time_us < time_us => low = leaf.position.index + 1,
            Some(_) | None => high = middle,
        }
    }
    Ok(low)
}

/// The event of a leaf that has its text.
pub(super) fn read(leaf: &Leaf) -> Result<Event, StoreError> {
    Event::parse(&leaf.text).map_err(|_| StoreError::Corrupt {
        table: "leaves",
        column: "text",
        row: leaf.position.to_key().to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_one_of_japan_and_a_time_is_exact() {
        let us = |text: &str| time_us(text).unwrap();
        assert_eq!(from("2026-11-27"), Ok(us("2026-11-27T00:00:00+09:00")));
        assert_eq!(until("2026-11-27"), Ok(us("2026-11-28T00:00:00+09:00")));
        assert_eq!(until("2026-12-31"), from("2027-01-01"));
        for read in [from, until] {
            assert_eq!(read("2026-11-27T12:00:00Z"), Ok(us("2026-11-27T21:00:00+09:00")));
            for wrong in [
                "",
                "yesterday",
                "2026-11-31",
                "2026-13-01",
                "20261127",
                "2026-11-27T12:00:00",
                "２０２６-11-27",
            ] {
                assert!(read(wrong).is_err(), "{wrong:?}");
            }
        }
        assert!(until("9999-12-31").is_err(), "there is no day behind it");
    }

    #[test]
    fn a_range_holds_its_beginning_and_not_its_end() {
        let range = Range { from_us: Some(10), until_us: Some(20) };
        assert_eq!([9, 10, 19, 20].map(|us| range.holds(us)), [false, true, true, false]);
        assert!(Range::default().holds(i64::MIN) && !Range::default().is_empty());
        assert!(!range.is_empty() && Range { until_us: Some(10), ..range }.is_empty());
    }

    #[test]
    fn times_for_people_are_those_of_japan() {
        assert_eq!(japan_time(1_795_261_114_000_123), "2026-11-21T20:38:34+09:00");
    }
}
