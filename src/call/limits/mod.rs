//! Calls within limits: a rate and a number at once for each host, pauses that hosts ask for, hosts that fail
//! left alone, one budget of time for all, and few tries.

mod clock;
mod host;
mod retry;

pub use clock::{Clock, SystemClock};
pub use retry::pause as retry_after;

use super::{CallError, Host, Pattern, Prepared, Reply, Transport};
use host::Gate;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Most tries of a read.
const TRIES: u32 = 3;
/// The pause after the first try that failed; each further one is four times as long.
const PAUSE: Duration = Duration::from_millis(250);
/// How long is slept at most before looking whether to stop.
const NAP: Duration = Duration::from_millis(100);

/// The limits.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Calls a second to one host.
    pub rate: f64,
    /// Hosts of slower providers and their rates; the slowest that fits counts.
    pub slower: Vec<(Pattern, f64)>,
    /// Calls to one host at once.
    pub at_once: usize,
    /// After how many failures in a row a host is left alone.
    pub failures: u32,
    /// How long it is left alone before one call tries again.
    pub rest: Duration,
    /// When the budget for all calls is used up.
    pub until: Option<Instant>,
    /// Set by the caller to end everything soon.
    pub stop: Arc<AtomicBool>,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            rate: 5.0,
            slower: Vec::new(),
            at_once: 4,
            failures: 5,
            rest: Duration::from_secs(60),
            until: None,
            stop: Arc::default(),
        }
    }
}

impl Limits {
    /// The time between two calls to a host.
    fn gap(&self, host: &str) -> Duration {
        let host = Host::parse(host).ok();
        let fits = |p: &Pattern| host.as_ref().is_some_and(|h| p.covers_host(h));
        let slower = self.slower.iter().filter(|(p, _)| fits(p)).map(|(_, rate)| *rate);
        let rate = slower.fold(self.rate, f64::min);
        // A rate that is none is as slow as can be said, rather than no limit.
        Duration::try_from_secs_f64(1.0 / rate)
            .unwrap_or(Duration::from_secs(3600))
            .min(Duration::from_secs(3600))
    }
}

/// A transport within limits.
pub struct Limited<T> {
    inner: T,
    limits: Limits,
    clock: Arc<dyn Clock>,
    gates: Mutex<BTreeMap<String, Arc<Gate>>>,
}

impl<T: std::fmt::Debug> std::fmt::Debug for Limited<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Limited")
            .field("inner", &self.inner)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl<T: Transport> Limited<T> {
    /// Limits a transport.
    pub fn new(inner: T, limits: Limits, clock: Arc<dyn Clock>) -> Self {
        Limited { inner, limits, clock, gates: Mutex::default() }
    }

    /// The transport within.
    pub fn inner(&self) -> &T {
        &self.inner
    }

    fn gate(&self, host: &str) -> Arc<Gate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = gates.get(host) {
            return Arc::clone(gate);
        }
        let gate = Arc::new(Gate::new(self.limits.gap(host), self.limits.at_once.max(1)));
        gates.insert(host.to_owned(), Arc::clone(&gate));
        gate
    }

    /// One try, when it is its turn.
    fn once(
        &self,
        gate: &Gate,
        deadline: Instant,
        send: &dyn Fn(Instant) -> Result<Reply, CallError>,
    ) -> Result<Reply, CallError> {
        if self.limits.until.is_some_and(|until| until <= self.clock.now()) {
            return Err(CallError::Refused("the time budget for calls is used up".to_owned()));
        }
        let _place = gate.enter(&*self.clock, deadline, &self.limits.stop)?;
        self.sleep_until(gate.turn(self.clock.now(), deadline, self.limits.rest)?)?;
        self.sleep_until(gate.still(self.clock.now(), deadline)?)?;
        let result = send(deadline);
        let failed = match &result {
            Ok(reply) => {
                if let Some(pause) = retry::pause(reply, self.clock.wall()) {
                    gate.pause(self.clock.now() + pause);
                }
                matches!(reply.status, 500 | 502..=504)
            }
            Err(error) => {
                matches!(error, CallError::Unconnected(_) | CallError::Lost(_) | CallError::Unreadable(_))
            }
        };
        gate.note(failed, self.limits.failures, self.clock.now() + self.limits.rest);
        result
    }

    fn sleep_until(&self, until: Instant) -> Result<(), CallError> {
        loop {
            if self.limits.stop.load(Ordering::Relaxed) {
                return Err(CallError::Refused("the run is being stopped".to_owned()));
            }
            let left = until.saturating_duration_since(self.clock.now());
            if left.is_zero() {
                return Ok(());
            }
            self.clock.sleep(left.min(NAP));
        }
    }

    /// Reads, and reads again where that helps.
    fn tries(
        &self,
        request: &Prepared,
        deadline: Instant,
        send: &dyn Fn(Instant) -> Result<Reply, CallError>,
    ) -> Result<Reply, CallError> {
        let gate = self.gate(&request.host);
        let deadline = self.deadline(deadline);
        let mut pause = PAUSE;
        let mut tries = 1;
        loop {
            let result = self.once(&gate, deadline, send);
            if tries == TRIES || !retry::helps(&result) {
                return result;
            }
            let again = self.clock.now() + pause;
            // A pause that the host asked for is kept by its gate. If it ends too late, its answer says more than
            // that there was no time.
            if again >= deadline || gate.pauses_beyond(deadline) {
                return result;
            }
            self.sleep_until(again)?;
            pause *= 4;
            tries += 1;
        }
    }

    fn deadline(&self, deadline: Instant) -> Instant {
        self.limits.until.map_or(deadline, |until| until.min(deadline))
    }
}

impl<T: Transport> Transport for Limited<T> {
    fn send(&self, request: &Prepared, deadline: Instant) -> Result<Reply, CallError> {
        let gate = self.gate(&request.host);
        self.once(&gate, self.deadline(deadline), &|until| self.inner.send(request, until))
    }

    fn read(&self, request: &Prepared, deadline: Instant) -> Result<Reply, CallError> {
        self.tries(request, deadline, &|until| self.inner.read(request, until))
    }

    fn read_list(&self, request: &Prepared, deadline: Instant, most: u32) -> Result<Reply, CallError> {
        self.tries(request, deadline, &|until| self.inner.read_list(request, until, most))
    }
}

#[cfg(test)]
mod tests;
