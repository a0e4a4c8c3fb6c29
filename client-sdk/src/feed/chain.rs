//! Each event of a feed follows the one before, or nothing was withheld only by the relay's word.

use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::event::{Event, kind};
use tasuki_proto::evidence::{EvidenceError, Proven};
use tasuki_proto::feed::NO_PREVIOUS;

use super::state::Place;
use crate::error::VerificationError;

/// An event that follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Next {
    /// The place behind it.
    pub(super) place: Place,
    /// A new epoch begins with it, and what it says was lost.
    pub(super) new_epoch: Option<NewEpoch>,
}

/// A new epoch of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NewEpoch {
    /// The epoch in which the reader stood.
    pub(super) from: u64,
    /// Leaves of that epoch that were lost, from–to (exclusive), if the event says.
    pub(super) lost: Option<(u64, u64)>,
}

/// Checks that a proven event follows `place` in the feed of `office`.
pub(super) fn follow(
    place: &Place,
    office: OfficeNumber,
    proven: &Proven,
) -> Result<Next, VerificationError> {
    let opening = proven.opening.filter(|opening| opening.party == office);
    let opening = opening.ok_or(VerificationError::Evidence(EvidenceError::Opening))?;
    let gap = VerificationError::FeedGap { epoch: place.epoch, after: place.number };
    let epoch = proven.event.epoch;
    let behind = Place { epoch, number: opening.number, leaf: proven.leaf };
    if epoch == place.epoch {
        let follows = place.number.checked_add(1) == Some(opening.number) && opening.previous == place.leaf;
        return if follows { Ok(Next { place: behind, new_epoch: None }) } else { Err(gap) };
    }
    let begins = epoch > place.epoch && opening.number == 1 && opening.previous == NO_PREVIOUS;
    if !begins {
        return Err(gap);
    }
    let new_epoch =
        (place.epoch > 0).then(|| NewEpoch { from: place.epoch, lost: lost(&proven.event, place.epoch) });
    Ok(Next { place: behind, new_epoch })
}

/// The place behind events whose texts the relay no longer keeps. That `leaf` is the last one's hash, the next event proves.
pub(super) fn skip(place: &Place, epoch: u64, through: u64, leaf: &[u8]) -> Result<Place, VerificationError> {
    let onward =
        if epoch == place.epoch { through > place.number } else { epoch > place.epoch && through > 0 };
    match <[u8; 32]>::try_from(leaf) {
        Ok(leaf) if onward => Ok(Place { epoch, number: through, leaf }),
        _ => Err(VerificationError::FeedGap { epoch: place.epoch, after: place.number }),
    }
}

/// Checks that a proven event is the first one in an office's feed of an epoch.
pub(crate) fn first_of_epoch(
    office: OfficeNumber,
    epoch: u64,
    proven: &Proven,
) -> Result<(), VerificationError> {
    let place = follow(&Place::START, office, proven)?.place;
    if place.epoch == epoch { Ok(()) } else { Err(VerificationError::FeedGap { epoch, after: 0 }) }
}

/// The lost range that the first event of an epoch names, if it ends the reader's own epoch.
fn lost(event: &Event, epoch: u64) -> Option<(u64, u64)> {
    let number = |key: &str| event.lines.get(key)?.parse::<u64>().ok();
    if event.kind != kind::LOG_STARTED || number("previous-epoch") != Some(epoch) {
        return None;
    }
    Some((number("kept-size")?, number("lost-size")?))
}

#[cfg(test)]
mod tests {
    use tasuki_proto::feed::Opening;

    use super::*;

    fn office() -> OfficeNumber {
        "9971100012".parse().unwrap()
    }

    fn proven(epoch: u64, number: u64, previous: [u8; 32]) -> Proven {
        let opening = Opening { party: office(), number, previous, salt: [1; 16] };
        let mut event = Event::new(kind::PARCEL_DELIVERED, epoch, 0, [2; 16]);
        event.feeds.push(opening.commitment());
        let leaf = tasuki_proto::event::leaf_hash(event.print().as_bytes());
        Proven { event, index: 0, leaf, opening: Some(opening) }
    }

    #[test]
    fn events_follow_one_another() {
        let first = proven(1, 1, NO_PREVIOUS);
        let place = follow(&Place::START, office(), &first).unwrap().place;
        assert_eq!(place, Place { epoch: 1, number: 1, leaf: first.leaf });
        let second = follow(&place, office(), &proven(1, 2, first.leaf)).unwrap();
        assert_eq!((second.place.number, second.new_epoch), (2, None));
    }

    #[test]
    fn what_is_withheld_repeated_or_exchanged_is_noticed() {
        let place = Place { epoch: 1, number: 4, leaf: [4; 32] };
        let gap = Err(VerificationError::FeedGap { epoch: 1, after: 4 });
        assert_eq!(follow(&place, office(), &proven(1, 6, [4; 32])), gap);
        assert_eq!(follow(&place, office(), &proven(1, 4, [4; 32])), gap);
        assert_eq!(follow(&place, office(), &proven(1, 5, [5; 32])), gap);
        assert_eq!(follow(&place, office(), &proven(2, 2, NO_PREVIOUS)), gap);
        assert_eq!(follow(&place, office(), &proven(2, 1, [4; 32])), gap);
        let later = Place { epoch: 3, ..place };
        let gap = Err(VerificationError::FeedGap { epoch: 3, after: 4 });
        assert_eq!(follow(&later, office(), &proven(2, 1, NO_PREVIOUS)), gap);
        let end = Place { number: u64::MAX, ..place };
        assert!(follow(&end, office(), &proven(1, 0, [4; 32])).is_err());
    }

    #[test]
    fn the_first_event_of_an_epoch_has_nothing_before_it() {
        assert_eq!(first_of_epoch(office(), 2, &proven(2, 1, NO_PREVIOUS)), Ok(()));
        for wrong in [proven(1, 1, NO_PREVIOUS), proven(2, 2, NO_PREVIOUS), proven(2, 1, [4; 32])] {
            assert!(matches!(first_of_epoch(office(), 2, &wrong), Err(VerificationError::FeedGap { .. })));
        }
    }

    #[test]
    fn behind_erased_events_the_chain_goes_on_with_the_hash_of_the_last() {
        let place = Place { epoch: 1, number: 4, leaf: [4; 32] };
        let behind = skip(&place, 1, 9, &[9; 32]).unwrap();
        assert_eq!(behind, Place { epoch: 1, number: 9, leaf: [9; 32] });
        assert!(follow(&behind, office(), &proven(1, 10, [9; 32])).is_ok());
        let gap = Err(VerificationError::FeedGap { epoch: 1, after: 9 });
        assert_eq!(follow(&behind, office(), &proven(1, 10, [8; 32])), gap, "another hash was made up");
        assert_eq!(skip(&place, 2, 3, &[3; 32]), Ok(Place { epoch: 2, number: 3, leaf: [3; 32] }));
        for (epoch, through, leaf) in
            [(1, 4, &[4; 32][..]), (1, 3, &[3; 32]), (0, 9, &[9; 32]), (2, 0, &[9; 32]), (1, 9, &[9; 31])]
        {
            skip(&place, epoch, through, leaf).unwrap_err();
        }
    }

    #[test]
    fn an_event_opened_for_another_or_for_nobody_is_refused() {
        let place = Place::START;
        let error = Err(VerificationError::Evidence(EvidenceError::Opening));
        let closed = Proven { opening: None, ..proven(1, 1, NO_PREVIOUS) };
        assert_eq!(follow(&place, office(), &closed), error);
        assert_eq!(follow(&place, "1371215102".parse().unwrap(), &proven(1, 1, NO_PREVIOUS)), error);
    }

    #[test]
    fn a_new_epoch_begins_at_one_and_tells_what_was_lost() {
        let place = Place { epoch: 1, number: 4, leaf: [4; 32] };
        let mut started = proven(2, 1, NO_PREVIOUS);
        started.event.kind = kind::LOG_STARTED.to_owned();
        for (key, value) in [("previous-epoch", "1"), ("kept-size", "10"), ("lost-size", "12")] {
            started.event.lines.add(key, value);
        }
        let next = follow(&place, office(), &started).unwrap();
        assert_eq!(next.new_epoch, Some(NewEpoch { from: 1, lost: Some((10, 12)) }));
        assert_eq!((next.place.epoch, next.place.number), (2, 1));
        let silent = follow(&place, office(), &proven(3, 1, NO_PREVIOUS)).unwrap();
        assert_eq!(silent.new_epoch, Some(NewEpoch { from: 1, lost: None }));
        assert_eq!(follow(&Place::START, office(), &proven(2, 1, NO_PREVIOUS)).unwrap().new_epoch, None);
    }
}
