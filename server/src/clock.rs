//! The one clock. Everything else takes the time as a parameter or a [`Clock`].

use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Unix microseconds.
    fn now_us(&self) -> i64;
}

/// A clock that tests set by hand, in Unix microseconds.
#[cfg(test)]
#[derive(Debug, Default)]
pub(crate) struct HandClock(pub(crate) std::sync::atomic::AtomicI64);

#[cfg(test)]
impl Clock for HandClock {
    fn now_us(&self) -> i64 {
        self.0.load(std::sync::atomic::Ordering::SeqCst)
    }
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the time comes from")]
    fn now_us(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    }
}
