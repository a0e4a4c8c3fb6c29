//! Evidence: an event, the proof that it stands in the log, and the signed checkpoint that covers it.

use crate::canonical::TextError;
use crate::event::{Event, leaf_hash};
use crate::feed::Opening;
use crate::log::{Checkpoint, LogError, proof_hashes};
use crate::pb;

/// Evidence does not prove what it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// The message has no event.
    #[error("the evidence holds no event")]
    Empty,
    /// The event's text is not canonical.
    #[error("the event can't be read: {0}")]
    Text(#[from] TextError),
    /// The event is not in the log, or the checkpoint is not the log's.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The event's text names another epoch than the log that holds it.
    #[error("the event is of another epoch than its log")]
    Epoch,
    /// The opening does not fit any commitment in the event.
    #[error("the event does not stand at that place of the feed")]
    Opening,
}

/// An event that was proven to stand in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// What happened.
    pub event: Event,
    /// Where it stands in the log of `event.epoch`, from 0.
    pub index: u64,
    /// Its leaf hash.
    pub leaf: [u8; 32],
    /// Its checked place in the caller's feed, where the evidence opens one.
    pub opening: Option<Opening>,
}

/// Checks an event against a checkpoint whose signature was checked.
///
/// # Errors
/// See [`EvidenceError`].
pub fn check(evidence: &pb::Evidence, checkpoint: &Checkpoint) -> Result<Proven, EvidenceError> {
    let entry = evidence.entry.as_ref().ok_or(EvidenceError::Empty)?;
    let leaf = leaf_hash(&entry.text);
    let event = Event::parse(&entry.text)?;
    if event.epoch != entry.epoch || event.epoch != checkpoint.epoch {
        return Err(EvidenceError::Epoch);
    }
    checkpoint.check_inclusion(entry.index, leaf, &proof_hashes(&evidence.inclusion)?)?;
    let opening = match &entry.opening {
        None => None,
        Some(message) => {
            let opening = read_opening(message).ok_or(EvidenceError::Opening)?;
            if !event.feeds.contains(&opening.commitment()) {
                return Err(EvidenceError::Opening);
            }
            Some(opening)
        }
    };
    Ok(Proven { event, index: entry.index, leaf, opening })
}

fn read_opening(message: &pb::FeedOpening) -> Option<Opening> {
    Some(Opening {
        party: message.party.parse().ok()?,
        number: message.number,
        previous: message.previous.as_ref().try_into().ok()?,
        salt: message.salt.as_ref().try_into().ok()?,
    })
}

impl From<&Opening> for pb::FeedOpening {
    fn from(opening: &Opening) -> Self {
        Self {
            party: opening.party.to_string(),
            number: opening.number,
            previous: opening.previous.to_vec().into(),
            salt: opening.salt.to_vec().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::kind;
    use crate::log::Hash;

    fn sample() -> (pb::Evidence, Checkpoint, Opening) {
        let opening = Opening {
            party: "1371215102".parse().unwrap(),
            number: 1,
            previous: crate::feed::NO_PREVIOUS,
            salt: [9; 16],
        };
        let mut event = Event::new(kind::OFFICE_CHANGED, 1, 0, [1; 16]);
        event.feeds.push(opening.commitment());
        let text = event.print();
        let root = Hash(leaf_hash(text.as_bytes()));
        let entry = pb::LogEntry {
            text: text.into_bytes().into(),
            epoch: 1,
            index: 0,
            opening: Some((&opening).into()),
        };
        let evidence = pb::Evidence { entry: Some(entry), inclusion: vec![], checkpoint: vec![].into() };
        (evidence, Checkpoint { epoch: 1, size: 1, root, note: vec![] }, opening)
    }

    #[test]
    fn a_proven_event_tells_its_place_in_the_feed() {
        let (evidence, checkpoint, opening) = sample();
        let proven = check(&evidence, &checkpoint).unwrap();
        assert_eq!(proven.opening, Some(opening));
        assert_eq!(proven.event.kind, kind::OFFICE_CHANGED);
    }

    #[test]
    fn every_changed_part_is_noticed() {
        let (good, checkpoint, _) = sample();
        let change = |edit: &dyn Fn(&mut pb::LogEntry)| {
            let mut evidence = good.clone();
            edit(evidence.entry.as_mut().unwrap());
            check(&evidence, &checkpoint).unwrap_err()
        };
        assert_eq!(change(&|e| e.index = 1), EvidenceError::Log(LogError::Inclusion));
        assert_eq!(change(&|e| e.epoch = 2), EvidenceError::Epoch);
        assert_eq!(
            change(&|e| e.text = e.text.iter().map(|b| if *b == b'e' { b'f' } else { *b }).collect()),
            EvidenceError::Text(TextError::Form { expected: "tasuki-event/v1" })
        );
        assert_eq!(change(&|e| e.opening.as_mut().unwrap().number = 2), EvidenceError::Opening);
        assert_eq!(change(&|e| e.opening.as_mut().unwrap().salt = vec![1].into()), EvidenceError::Opening);
        assert_eq!(check(&pb::Evidence::default(), &checkpoint), Err(EvidenceError::Empty));
    }
}
