//! One time for the journal, the calls and the service.

use keywheel::call;
use keywheel::rotate::double::ManualClock;
use keywheel::rotate::engine::Clock;
use keywheel::rotate::time::Moment;
use std::time::{Duration, Instant};

pub(crate) struct Time(pub(crate) ManualClock);

impl Time {
    pub(crate) fn new() -> Time {
        Time(ManualClock::new(Moment(1_800_000_000_000)))
    }

    /// Milliseconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.0.now().0
    }
}

impl call::Clock for Time {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wall(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(Time::now(self)).unwrap()
    }

    fn sleep(&self, _: Duration) {}
}
