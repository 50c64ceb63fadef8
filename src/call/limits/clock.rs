//! Time, as limits see it.

use jiff::Timestamp;
use std::time::{Duration, Instant};

/// Tells time and lets it pass; tests bring their own.
pub trait Clock: Send + Sync {
    /// Now, for measuring.
    fn now(&self) -> Instant;
    /// Now, by the calendar.
    fn wall(&self) -> Timestamp;
    /// Waits.
    fn sleep(&self, time: Duration);
}

/// The system's time.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wall(&self) -> Timestamp {
        Timestamp::now()
    }

    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }
}
