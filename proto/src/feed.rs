//! Feeds: every party's own, gapless slice of the log, and the commitments that prove it gapless.
//!
//! An event holds one `feed:` line per party, a commitment to the event's number in that party's feed and
//! to the leaf hash of the party's event before it:
//!
//! ```text
//! SHA-256("tasuki-feed/v1\n" party "\n" number "\n" hex(previous) "\n" hex(salt) "\n")
//! ```
//!
//! Only the party gets the opening (number, previous, salt). It can check that each event follows the one
//! before; nobody else learns who the parties are or how much they send.

use tasuki_careplan::office::OfficeNumber;

use crate::canonical::push_hex;
use crate::event::sha256;

/// What a party's first event of an epoch names as the one before.
pub const NO_PREVIOUS: [u8; 32] = [0; 32];

/// Opens one commitment to its party.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Whose feed.
    pub party: OfficeNumber,
    /// Number in it, from 1 in every epoch.
    pub number: u64,
    /// Leaf hash of the party's previous event, or [`NO_PREVIOUS`].
    pub previous: [u8; 32],
    /// Random bytes.
    pub salt: [u8; 16],
}

impl Opening {
    /// The commitment that this opens.
    pub fn commitment(&self) -> [u8; 32] {
        let mut text = format!("tasuki-feed/v1\n{}\n{}\n", self.party, self.number);
        push_hex(&mut text, &self.previous);
        text.push('\n');
        push_hex(&mut text, &self.salt);
        text.push('\n');
        sha256(text.as_bytes())
    }
}

/// Position in a feed: everything up to it has been processed. The default is the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// Epoch of the log.
    pub epoch: u64,
    /// Number in the feed of that epoch; 0: before the first.
    pub number: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canonical::hex;

    #[test]
    fn the_commitment_binds_every_part() {
        let opening = Opening {
            party: "1371215102".parse().unwrap(),
            number: 7,
            previous: [0x11; 32],
            salt: [0x22; 16],
        };
        assert_eq!(
            hex(&opening.commitment()),
            include_str!("../tests/golden/feed-commitment.txt").trim_end()
        );
        let others = [
            Opening { party: "9971100012".parse().unwrap(), ..opening },
            Opening { number: 8, ..opening },
            Opening { previous: NO_PREVIOUS, ..opening },
            Opening { salt: [0x23; 16], ..opening },
        ];
        assert!(others.iter().all(|other| other.commitment() != opening.commitment()));
    }
}
