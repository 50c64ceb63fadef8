//! The state of one host: when its next call may begin, how many are under way, whether it is left alone.

use super::{Clock, NAP};
use crate::call::CallError;
use std::collections::VecDeque;
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
    /// Who waits for a place, the longest first, by number.
    waiting: VecDeque<u64>,
    /// The number of whoever waits next.
    number: u64,
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
        self.0.freed.notify_all();
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

    /// Waits for a place. First come, first served: whoever is woken by chance may wait until his time is over.
    pub(super) fn enter(
        &self,
        clock: &dyn Clock,
        deadline: Instant,
        stop: &AtomicBool,
    ) -> Result<Place<'_>, CallError> {
        let mut state = self.state();
        let number = state.number;
        state.number += 1;
        state.waiting.push_back(number);
        let given_up = loop {
            if state.inside < self.at_once && state.waiting.front() == Some(&number) {
                break None;
            }
            if stop.load(Ordering::Relaxed) {
                break Some(CallError::Refused("the run is being stopped".to_owned()));
            }
            if clock.now() >= deadline {
                break Some(CallError::Limited("too many calls to the host were under way".to_owned()));
            }
            state = self.freed.wait_timeout(state, NAP).unwrap_or_else(PoisonError::into_inner).0;
        };
        state.waiting.retain(|other| *other != number);
        state.inside += usize::from(given_up.is_none());
        drop(state);
        // The next may have a place too, or be the first now.
        self.freed.notify_all();
        match given_up {
            Some(why) => Err(why),
            None => Ok(Place(self)),
        }
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::SystemClock;
    use super::*;
    use std::sync::Arc;

    fn wait_for(gate: &Gate, waiting: usize) {
        while gate.state().waiting.len() < waiting {
            std::thread::yield_now();
        }
    }

    #[test]
    fn whoever_came_first_goes_in_first() {
        let (gate, stop) = (Gate::new(Duration::ZERO, 1), AtomicBool::new(false));
        let (order, until) = (Arc::new(Mutex::new(Vec::new())), Instant::now() + Duration::from_secs(60));
        let first = gate.enter(&SystemClock, until, &stop).unwrap();
        std::thread::scope(|scope| {
            for n in 0..8 {
                let (gate, stop, order) = (&gate, &stop, Arc::clone(&order));
                scope.spawn(move || {
                    let _place = gate.enter(&SystemClock, until, stop).unwrap();
                    order.lock().unwrap().push(n);
                });
                wait_for(gate, n + 1);
            }
            // Whoever has just left and comes again is last.
            drop(first);
            let _again = gate.enter(&SystemClock, until, &stop).unwrap();
            order.lock().unwrap().push(8);
        });
        assert_eq!(*order.lock().unwrap(), (0..9).collect::<Vec<_>>());
    }

    #[test]
    fn whoever_gives_up_holds_nobody_back() {
        let (gate, stop) = (Gate::new(Duration::ZERO, 1), AtomicBool::new(false));
        let first = gate.enter(&SystemClock, Instant::now() + Duration::from_secs(60), &stop).unwrap();
        let late = gate.enter(&SystemClock, Instant::now(), &stop);
        assert!(matches!(late, Err(CallError::Limited(_))));
        drop(first);
        let next = gate.enter(&SystemClock, Instant::now() + Duration::from_secs(60), &stop);
        assert!(next.is_ok() && gate.state().waiting.is_empty());
    }
}
