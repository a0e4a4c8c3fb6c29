//! The clock: the one place where the library learns what time it is.
//!
//! Everything else takes times as parameters, so that tests can hold them still.

use std::fmt;

/// Tells the time. A program makes one and hands it to [`Client::open`](crate::Client::open).
pub trait Clock: fmt::Debug + Send + Sync {
    /// Now, in Unix microseconds.
    fn now_us(&self) -> i64;
}

/// The computer's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_us(&self) -> i64 {
        #[expect(clippy::disallowed_methods, reason = "the one clock of programs that use this library")]
        let now = std::time::SystemTime::now();
        let since_1970 = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX)
    }
}

/// A clock that stands still, for tests.
#[derive(Clone, Copy, Debug)]
pub struct FixedClock(pub i64);

impl Clock for FixedClock {
    fn now_us(&self) -> i64 {
        self.0
    }
}
