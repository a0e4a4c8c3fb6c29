//! The feeds: each office's slice of the log, gapless, with openings that fit the events' commitments.

use tasuki_proto::canonical::hex;
use tasuki_proto::feed::NO_PREVIOUS;

use super::epoch::{Extent, Totals};
use super::problem::{Problem, Problems};
use crate::commands::progress::Progress;
use crate::store::audit::FeedPlace;
use crate::store::feeds::{FeedEnd, FeedRow};
use crate::store::leaves::{erased_hash, hash_of};
use crate::store::{Store, StoreError};

/// Entries read at once, with their events: about a MiB.
const PAGE: u32 = 1_000;

/// Walks over all feeds. Returns how many entries there are.
pub(super) async fn verify(
    store: &Store,
    current: Extent,
    totals: &Totals,
    progress: &Progress,
    problems: &mut Problems,
) -> Result<u64, StoreError> {
    let mut place: Option<FeedPlace> = None;
    let mut end = FeedEnd::EMPTY;
    let (mut entries, mut erased) = (0, 0);
    loop {
        let page = store.feeds_from(place, PAGE).await?;
        progress.advance(page.len() as u64);
        for (row, text) in &page {
            let at = FeedPlace {
                office: row.opening.party,
                epoch: row.position.epoch,
                number: row.opening.number,
            };
            if place.is_none_or(|last| (last.office, last.epoch) != (at.office, at.epoch)) {
                end = FeedEnd::EMPTY;
            }
            place = Some(at);
            // What was added after verification began is not part of what is verified.
            if row.position.epoch == current.epoch && row.position.index >= current.size {
                continue;
            }
            entries += 1;
            erased += u64::from(text.as_deref().and_then(erased_hash).is_some());
            end = entry(at, row, text.as_deref(), end, problems);
        }
        if page.len() < PAGE as usize {
            break;
        }
    }
    let open = entries - erased;
    if open != totals.feed_lines {
        problems.add(Problem::FeedCount { committed: totals.feed_lines, entries: open });
    }
    Ok(entries)
}

/// Holds one entry against the one before and against its event; returns where the feed ends with it.
fn entry(
    FeedPlace { office, epoch, number }: FeedPlace,
    row: &FeedRow,
    text: Option<&[u8]>,
    end: FeedEnd,
    problems: &mut Problems,
) -> FeedEnd {
    if number != end.number + 1 {
        problems.add(Problem::FeedGap { office, epoch, number });
    }
    if row.opening.previous != end.leaf {
        problems.add(Problem::FeedPrevious { office, epoch, number });
    }
    // An erased event's commitments are gone; that the next entry names its hash is what is left.
    if !text.is_some_and(|text| erased_hash(text).is_some() || commits(text, &row.opening.commitment())) {
        problems.add(Problem::FeedCommitment { office, epoch, number });
    }
    FeedEnd { number, leaf: text.map_or(NO_PREVIOUS, hash_of) }
}

/// Whether an event holds a commitment. That its text is well-formed is seen where the leaves are read; to read
/// it again for each party would take longer than all the rest.
fn commits(text: &[u8], commitment: &[u8; 32]) -> bool {
    let wanted = format!("feed: {}", hex(commitment));
    text.split(|byte| *byte == b'\n').any(|line| line == wanted.as_bytes())
}
