//! What callers may hold at once: memory for open parcels, and calls.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Memory is counted in these: a semaphore has room for 2^29 of them at least.
const UNIT: usize = 1024;

/// Memory for parcels that have begun to arrive and are not committed yet.
#[derive(Clone, Debug)]
pub struct Memory {
    units: Arc<Semaphore>,
    total: usize,
    gauge: Option<&'static str>,
}

/// A piece of the budget; given back when dropped.
#[derive(Debug)]
pub struct Held {
    permit: OwnedSemaphorePermit,
    gauge: Option<&'static str>,
}

impl Memory {
    /// A budget of so many MiB. `gauge` is the metric that shows how many bytes are taken.
    pub fn mib(mib: u32, gauge: Option<&'static str>) -> Self {
        let total = mib as usize * (1024 * 1024 / UNIT);
        Self { units: Arc::new(Semaphore::new(total)), total, gauge }
    }

    /// Takes `bytes`, waiting for others to give back at most this long. `None`: there was no room.
    pub async fn take(&self, bytes: usize, patience: Duration) -> Option<Held> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).ok().filter(|units| *units as usize <= self.total)?;
        let taken = Arc::clone(&self.units).acquire_many_owned(units);
        // An error would mean that the semaphore was closed, which nobody does.
        let permit = tokio::time::timeout(patience, taken).await.ok()?.ok()?;
        Some(Held::new(permit, self.gauge))
    }

    /// Takes `bytes` if there is room now.
    pub fn try_take(&self, bytes: usize) -> Option<Held> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).ok()?;
        let permit = Arc::clone(&self.units).try_acquire_many_owned(units).ok()?;
        Some(Held::new(permit, self.gauge))
    }
}

impl Held {
    fn new(permit: OwnedSemaphorePermit, gauge: Option<&'static str>) -> Self {
        let held = Self { permit, gauge };
        if let Some(gauge) = gauge {
            metrics::gauge!(gauge).increment(held.bytes());
        }
        held
    }

    fn bytes(&self) -> f64 {
        f64::from(u32::try_from(self.permit.num_permits()).unwrap_or(u32::MAX)) * 1024.0
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(gauge) = self.gauge {
            metrics::gauge!(gauge).decrement(self.bytes());
        }
    }
}

/// Counts what is open, of everybody and of each party: an office, a certificate.
#[derive(Debug)]
pub struct Slots<K: Eq + Hash + Copy> {
    gauge: &'static str,
    total: u32,
    each: u32,
    open: Mutex<Open<K>>,
}

#[derive(Debug)]
struct Open<K> {
    total: u32,
    /// Holds only parties that have something open, so it is bounded by `Slots::total`.
    by_party: HashMap<K, u32>,
}

/// One place; given back when dropped.
#[derive(Debug)]
pub struct Slot<K: Eq + Hash + Copy> {
    slots: Arc<Slots<K>>,
    party: K,
}

impl<K: Eq + Hash + Copy> Slots<K> {
    /// Room for `total`, of which `each` party may have so many. `gauge` is the metric that shows it.
    pub fn new(gauge: &'static str, total: u32, each: u32) -> Arc<Self> {
        let open = Open { total: 0, by_party: HashMap::new() };
        Arc::new(Self { gauge, total, each, open: Mutex::new(open) })
    }

    /// Takes a place. `None`: the party, or everybody together, has too many.
    pub fn enter(self: &Arc<Self>, party: K) -> Option<Slot<K>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let own = open.by_party.get(&party).copied().unwrap_or(0);
        if open.total >= self.total || own >= self.each {
            return None;
        }
        open.total += 1;
        open.by_party.insert(party, own + 1);
        metrics::gauge!(self.gauge).increment(1.0);
        Some(Slot { slots: Arc::clone(self), party })
    }
}

impl<K: Eq + Hash + Copy> Drop for Slot<K> {
    fn drop(&mut self) {
        let mut open = self.slots.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.total = open.total.saturating_sub(1);
        if let Some(own) = open.by_party.get_mut(&self.party) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                open.by_party.remove(&self.party);
            }
        }
        metrics::gauge!(self.slots.gauge).decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    #[tokio::test]
    async fn memory_comes_back_when_its_holder_goes() {
        let memory = Memory::mib(1, None);
        let held = memory.take(600 * 1024, NOW).await.unwrap();
        assert!(memory.take(600 * 1024, NOW).await.is_none());
        assert!(memory.try_take(600 * 1024).is_none());
        let waiting = tokio::spawn({
            let memory = memory.clone();
            async move { memory.take(600 * 1024, Duration::from_mins(1)).await.is_some() }
        });
        drop(held);
        assert!(waiting.await.unwrap());
    }

    #[tokio::test]
    async fn more_than_the_whole_budget_is_refused_at_once() {
        assert!(Memory::mib(1, None).take(2 * 1024 * 1024, Duration::from_hours(1)).await.is_none());
    }

    #[test]
    fn slots_bound_each_party_and_all_together() {
        let slots = Slots::new("test_slots", 3, 2);
        let (a, b) = ("1371215102", "9971100012");
        let first = slots.enter(a).unwrap();
        let _second = slots.enter(a).unwrap();
        assert!(slots.enter(a).is_none(), "one party has its share");
        let _third = slots.enter(b).unwrap();
        assert!(slots.enter(b).is_none(), "all together are full");
        drop(first);
        assert!(slots.enter(b).is_some());
        assert_eq!(slots.open.lock().unwrap().by_party.len(), 2);
    }
}
