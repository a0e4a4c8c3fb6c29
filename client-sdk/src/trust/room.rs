//! Room for revocation lists: which ones stay where there are too many. Whoever hands them on, a relay that means
//! harm among them, can only push out what counts less than what it brings.

use std::cmp::Reverse;

use tasuki_certs::trust::{CrlStanding, RankedCrl};
use tasuki_proto::limits::MAX_CRL_BYTES;

/// Revocation lists that are kept: several issuers, and some older lists of each.
pub(crate) const MAX_CRLS: usize = 64;

/// Bytes of the lists that are kept, two of the largest: every command reads them all, in about 30 ms a megabyte.
pub(crate) const MAX_CRLS_BYTES: usize = 2 * MAX_CRL_BYTES;

/// Which lists stay. `lists` are in the order in which they came: rank and bytes of each. First the newest of each
/// issuer known here, then older ones of theirs, the newer first; what nobody known has signed gets the room that is
/// left, the last to come first.
pub(super) fn staying(lists: &[(RankedCrl, usize)]) -> Vec<bool> {
    let mut order: Vec<usize> = (0..lists.len()).collect();
    order.sort_by_key(|at| {
        let ranked = lists[*at].0;
        // An unverified list may say any time of itself.
        let issued = if ranked.standing == CrlStanding::Unverified { 0 } else { ranked.this_update_us };
        (ranked.standing, Reverse(issued), Reverse(*at))
    });
    let mut stays = vec![false; lists.len()];
    let (mut count, mut bytes) = (0, 0_usize);
    for at in order {
        let (ranked, size) = lists[at];
        if count < MAX_CRLS && bytes.saturating_add(size) <= MAX_CRLS_BYTES {
            stays[at] = true;
            count += 1;
            bytes += size;
        } else if ranked.standing == CrlStanding::Current {
            tracing::warn!("there is no room for the current revocation list of a CA; it is left out");
        }
    }
    stays
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    fn list(standing: CrlStanding, this_update_us: i64, bytes: usize) -> (RankedCrl, usize) {
        (RankedCrl { fingerprint: [0; 32], standing, this_update_us }, bytes)
    }

    #[test]
    fn what_counts_less_never_pushes_out_what_counts_more() {
        let lists = [
            list(CrlStanding::Current, 5, 10 * MIB),
            list(CrlStanding::Replaced, 3, 8 * MIB),
            list(CrlStanding::Unverified, 9, 14 * MIB),
            list(CrlStanding::Unverified, 99, 16 * MIB),
            list(CrlStanding::Replaced, 4, 8 * MIB),
            list(CrlStanding::Unverified, 0, 6 * MIB),
        ];
        assert_eq!(staying(&lists), [true, true, false, false, true, true]);
    }

    #[test]
    fn the_bounds_hold_and_the_last_to_come_stays_of_what_nobody_signed() {
        let lists = vec![list(CrlStanding::Unverified, 0, 1); MAX_CRLS + 3];
        let stays = staying(&lists);
        assert_eq!(stays.iter().filter(|s| **s).count(), MAX_CRLS);
        assert_eq!(stays[..4], [false, false, false, true]);
        let lists = [16, 16, 16].map(|mib| list(CrlStanding::Current, mib, 16 * MIB));
        assert_eq!(staying(&lists).iter().filter(|s| **s).count(), 2);
    }
}
