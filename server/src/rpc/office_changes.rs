//! `Directory.ListChanges`: offices in the order of their last changes.

use std::fmt;
use std::str::FromStr;

use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::pb;

use super::directory::office;
use super::page::{page_size, read_token, token};
use super::{Context, Failure};

/// Offices on a page where the caller does not say.
const PAGE: u32 = 100;

/// How far a caller has read: epoch of the log, generation of the directory, the last office of that generation.
///
/// Generations are counted on by the head, which an earlier copy of the database sets back. Then an epoch ends, and what was
/// read in it is read again.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    epoch: u64,
    generation: i64,
    number: Option<OfficeNumber>,
}

impl Place {
    /// Before everything: rows that never changed since generations are written down have generation 0.
    fn start(epoch: u64) -> Self {
        Self { epoch, generation: -1, number: None }
    }

    fn key(&self) -> (i64, &str) {
        (self.generation, self.number.as_ref().map_or("", OfficeNumber::as_str))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (generation, number) = self.key();
        write!(f, "{}.{generation}.{number}", self.epoch)
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('.');
        let (Some(epoch), Some(generation), Some(number), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(());
        };
        let number = if number.is_empty() { None } else { Some(number.parse().map_err(|_| ())?) };
        Ok(Self {
            epoch: epoch.parse().map_err(|_| ())?,
            generation: generation.parse().map_err(|_| ())?,
            number,
        })
    }
}

pub(super) async fn list(
    context: &Context,
    request: &pb::ListChangesRequest,
) -> Result<pb::ListChangesResponse, Failure> {
    let limit = page_size(request.page_size, PAGE)?;
    let asked: Option<Place> = read_token('c', &request.cursor)?;
    // Read before the rows: a change in between is on this page or behind it.
    let head = context.store.head().await?;
    let continues = |place: &Place| place.epoch == head.epoch && place.generation <= head.directory;
    let restarted = asked.as_ref().is_some_and(|place| !continues(place));
    let mut place = asked.filter(continues).unwrap_or_else(|| Place::start(head.epoch));
    let mut found = context.store.offices_changed(place.key(), limit + 1).await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    if let Some((last, generation)) = found.last() {
        place = Place { epoch: head.epoch, generation: *generation, number: Some(last.number) };
    }
    Ok(pb::ListChangesResponse {
        offices: found.iter().map(|(row, _)| office(row)).collect(),
        next_cursor: token('c', &place.to_string()),
        more,
        restarted,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_comes_back_the_same() {
        let last = Place { epoch: 3, generation: 41, number: Some("1371215102".parse().unwrap()) };
        for place in [Place::start(1), last] {
            assert_eq!(place.to_string().parse(), Ok(place));
        }
        for wrong in ["", "1", "1.2", "1.2.3", "1.2.1371215102.4", "x.2.", "1.x.", "-1.2."] {
            assert_eq!(wrong.parse::<Place>(), Err(()), "{wrong:?}");
        }
    }
}
