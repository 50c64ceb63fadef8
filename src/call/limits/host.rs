//! The state of one host: when its next call may begin, how many are under way, whether it is left alone.

use super::{Clock, NAP};
use crate::call::CallError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The way to one host.
#[derive(Debug)]
pub(super) struct Gate {
    gap: Duration,
    at_once: usize,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// When the next call may begin by the rate.
    next: Option<Instant>,
    /// Until when the host asked for silence.
    paused: Option<Instant>,
    /// Calls under way or waiting for their turn.
    inside: usize,
    /// Failures in a row.
    failed: u32,
    /// Until when it is left alone.
    shut: Option<Instant>,
}

impl State {
    fn after_pause(&self, at: Instant, deadline: Instant) -> Result<Instant, CallError> {
        match self.paused {
            Some(until) if until >= deadline => {
                let why = "the host asked for a pause that is longer than there is time for";
                Err(CallError::Limited(why.to_owned()))
            }
            paused => Ok(paused.map_or(at, |until| until.max(at))),
        }
    }
}

/// A place among the calls of a host, given back when dropped.
#[derive(Debug)]
pub(super) struct Place<'a>(&'a Gate);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.state().inside -= 1;
        self.0.freed.notify_one();
    }
}

impl Gate {
    pub(super) fn new(gap: Duration, at_once: usize) -> Self {
        Gate { gap, at_once, state: Mutex::default(), freed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What is left by a thread that died is still a state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a place.
    pub(super) fn enter(
        &self,
        clock: &dyn Clock,
        deadline: Instant,
        stop: &AtomicBool,
    ) -> Result<Place<'_>, CallError> {
        let mut state = self.state();
        while state.inside >= self.at_once {
            if stop.load(Ordering::Relaxed) {
                return Err(CallError::Refused("the run is being stopped".to_owned()));
            }
            if clock.now() >= deadline {
                return Err(CallError::Limited("too many calls to the host were under way".to_owned()));
            }
            state = self.freed.wait_timeout(state, NAP).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.inside += 1;
        Ok(Place(self))
    }

    /// Takes the next turn: when the call may begin.
    pub(super) fn turn(&self, now: Instant, deadline: Instant, rest: Duration) -> Result<Instant, CallError> {
        let mut state = self.state();
        if state.shut.is_some_and(|until| now < until) {
            let why = "the host failed several times in a row and is left alone";
            return Err(CallError::Unconnected(why.to_owned()));
        }
        let at = state.after_pause(now.max(state.next.unwrap_or(now)), deadline)?;
        if at >= deadline {
            let why = "the host's rate leaves no turn before the time is over";
            return Err(CallError::Limited(why.to_owned()));
        }
        state.next = Some(at + self.gap);
        if state.shut.is_some() {
            // One call tries; the others see what it finds.
            state.shut = Some(at + rest);
        }
        Ok(at)
    }

    /// When a call whose turn has come may begin: another one may have been told to pause meanwhile.
    pub(super) fn still(&self, now: Instant, deadline: Instant) -> Result<Instant, CallError> {
        self.state().after_pause(now, deadline)
    }

    /// Keeps silence until then.
    pub(super) fn pause(&self, until: Instant) {
        let mut state = self.state();
        state.paused = state.paused.max(Some(until));
    }

    /// Whether the host asked for silence until after the deadline.
    pub(super) fn pauses_beyond(&self, deadline: Instant) -> bool {
        self.state().paused.is_some_and(|until| until >= deadline)
    }

    /// Takes note of how a call went.
    pub(super) fn note(&self, failed: bool, most: u32, rest_until: Instant) {
        let mut state = self.state();
        if failed {
            state.failed = state.failed.saturating_add(1);
            if state.failed >= most.max(1) {
                state.shut = Some(rest_until);
            }
        } else {
            state.failed = 0;
            state.shut = None;
        }
    }
}
