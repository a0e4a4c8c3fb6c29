//! How often an address may try invitation codes that are none.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Tries with a code that is none, from one address in [`WINDOW_US`]: a person mistypes a code of 32 letters a few times.
const TRIES: u32 = 10;

const WINDOW_US: i64 = 10 * 60 * 1_000_000;

/// Addresses whose failed tries are remembered, 50 bytes each; beyond, those whose window is over go.
const ADDRESSES: usize = 10_000;

/// Failed tries by address, in memory: codes have 160 bits, so what a restart forgets helps nobody.
#[derive(Debug, Default)]
pub(super) struct Tries(Mutex<HashMap<IpAddr, Window>>);

#[derive(Clone, Copy, Debug)]
struct Window {
    since_us: i64,
    failed: u32,
}

impl Window {
    fn over(self, now_us: i64) -> bool {
        now_us - self.since_us >= WINDOW_US
    }
}

impl Tries {
    /// Whether an address may try a code now.
    pub(super) fn may_try(&self, address: IpAddr, now_us: i64) -> bool {
        let tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tries.get(&address).is_none_or(|window| window.over(now_us) || window.failed < TRIES)
    }

    /// Notes a code that was none; true: this address is locked out from now on.
    pub(super) fn failed(&self, address: IpAddr, now_us: i64) -> bool {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tries.len() >= ADDRESSES {
            tries.retain(|_, window| !window.over(now_us));
        }
        if tries.len() >= ADDRESSES && !tries.contains_key(&address) {
            return false;
        }
        let fresh = Window { since_us: now_us, failed: 0 };
        let own = tries.entry(address).or_insert(fresh);
        if own.over(now_us) {
            *own = fresh;
        }
        own.failed += 1;
        own.failed == TRIES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_locked_out_for_a_while_and_others_are_not() {
        let (tries, one, other) =
            (Tries::default(), IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        for n in 1..=TRIES {
            assert!(tries.may_try(one, 0));
            assert_eq!(tries.failed(one, 0), n == TRIES, "told once");
        }
        assert!(!tries.may_try(one, WINDOW_US - 1) && tries.may_try(other, 0));
        assert!(tries.may_try(one, WINDOW_US));
        assert!(!tries.failed(one, WINDOW_US) && tries.may_try(one, WINDOW_US));
    }

    #[test]
    fn memory_is_bounded() {
        let tries = Tries::default();
        for n in 0..u32::try_from(ADDRESSES).unwrap() + 10 {
            tries.failed(IpAddr::from(n.to_be_bytes()), 0);
        }
        assert_eq!(tries.0.lock().unwrap().len(), ADDRESSES);
        tries.failed(IpAddr::from([255, 0, 0, 1]), WINDOW_US);
        assert_eq!(tries.0.lock().unwrap().len(), 1, "whose window is over goes");
    }
}
