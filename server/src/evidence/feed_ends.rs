//! Where feeds end, from memory: offices that poll every few minutes and find nothing new ask the database for
//! nothing.
//!
//! What is kept holds for the published checkpoint. Publishing the next one forgets the feeds that grew, under the same lock,
//! so that nobody sees a new checkpoint with an old end.

use tasuki_careplan::office::OfficeNumber;

use crate::cache::Generations;

/// Offices whose feed's end is remembered: twice as many as Japan has care offices, 48 bytes each.
const MAX_KNOWN: usize = 600_000;

/// What is known of one feed of the current epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// Somebody reads it from the database.
    Reading(u64),
    /// Number of its last entry that the published checkpoint covers; 0: none.
    End(u64),
}

/// What a reader is told before it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The feed ends with this number.
    At(u64),
    /// Nobody knows: read, and say what was found with this ticket.
    Unknown(Ticket),
}

/// Lets a reader say where a feed ends, unless it has grown since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u64);

/// Ends of feeds.
#[derive(Debug)]
pub(super) struct FeedEnds {
    known: Generations<OfficeNumber, Known>,
    tickets: u64,
}

impl FeedEnds {
    pub(super) fn new() -> Self {
        Self { known: Generations::new(MAX_KNOWN), tickets: 0 }
    }

    /// What is known of this feed, as of the checkpoint that is published now.
    pub(super) fn look(&mut self, office: OfficeNumber) -> End {
        if let Some(Known::End(number)) = self.known.get(&office) {
            return End::At(number);
        }
        self.tickets += 1;
        self.known.put(office, Known::Reading(self.tickets));
        End::Unknown(Ticket(self.tickets))
    }

    /// Keeps what a reader found, if the feed has not grown since its ticket was given.
    pub(super) fn learn(&mut self, office: OfficeNumber, ticket: Ticket, number: u64) {
        if self.known.get(&office) == Some(Known::Reading(ticket.0)) {
            self.known.put(office, Known::End(number));
        }
    }

    /// This feed grew.
    pub(super) fn forget(&mut self, office: OfficeNumber) {
        self.known.remove(&office);
    }

    /// Any feed may have grown.
    pub(super) fn forget_all(&mut self) {
        self.known.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn office(n: u32) -> OfficeNumber {
        format!("99{n:08}").parse().expect("10 digits")
    }

    fn ticket(end: End) -> Ticket {
        match end {
            End::Unknown(ticket) => ticket,
            End::At(number) => panic!("known: {number}"),
        }
    }

    #[test]
    fn an_end_is_known_until_the_feed_grows() {
        let mut ends = FeedEnds::new();
        let first = ticket(ends.look(office(1)));
        ends.learn(office(1), first, 7);
        assert_eq!(ends.look(office(1)), End::At(7));
        ends.forget(office(2));
        assert_eq!(ends.look(office(1)), End::At(7));
        ends.forget(office(1));
        ticket(ends.look(office(1)));
        ends.forget_all();
        ticket(ends.look(office(1)));
    }

    #[test]
    fn what_was_read_before_the_feed_grew_is_not_believed() {
        let mut ends = FeedEnds::new();
        let before = ticket(ends.look(office(1)));
        ends.forget(office(1));
        ends.learn(office(1), before, 7);
        let after = ticket(ends.look(office(1)));
        ends.learn(office(1), before, 7);
        ticket(ends.look(office(1)));
        ends.learn(office(1), after, 8);
        let last = ticket(ends.look(office(1)));
        ends.learn(office(1), last, 8);
        assert_eq!(ends.look(office(1)), End::At(8));
    }
}
