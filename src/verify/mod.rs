//! From a finding to a verdict: whether the credential works, and what says so.
//!
//! Each value is asked about once a rule, however often it stands. What is meant to be public, what is known as a
//! trap, and what the configuration accepts is never sent. An answer counts only if it fits what the rule declares,
//! and a credential is called active only if the same endpoint does not take a made-up one as well. Whatever is
//! not proved is unknown.
//!
//! The network is behind [`Transport`] and the time behind [`Clock`], so that all of this runs in tests without
//! either.

mod access;
mod cache;
mod canary;
mod cause;
mod control;
mod identity;
mod parts;
mod plan;
mod run;

#[cfg(test)]
mod testing;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

pub use crate::probe::{Probe, Probed};
pub use cache::{Cache, CacheFault};
pub use control::groups;

use crate::call::{Clock, Hosts, Pattern, Transport, Values};
use crate::model::{Checks, Evidence, Finding, Validity};
use crate::rule::{Declared, RuleSet};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// How checks are run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Threads, each with one call at a time.
    pub jobs: usize,
    /// Longest time of one call.
    pub timeout: Duration,
    /// Random: what controls are made up from.
    pub seed: u64,
    /// Ids of rules and providers for which nothing is sent.
    pub never: Vec<String>,
    /// If there are any, the only hosts that are asked.
    pub only: Vec<Pattern>,
}

impl Default for Options {
    fn default() -> Self {
        Options { jobs: 8, timeout: Duration::from_secs(10), seed: 0, never: Vec::new(), only: Vec::new() }
    }
}

/// Asks providers about credentials.
pub struct Verifier<'a> {
    /// The rules that found them, and those whose calls are used.
    pub rules: &'a RuleSet,
    /// Sends.
    pub transport: &'a dyn Transport,
    /// Where to: what the organisation says of hosts, beside what rules declare.
    pub hosts: &'a Hosts,
    /// Checks that are no HTTP calls, by name.
    pub probes: &'a [&'a dyn Probe],
    /// Tells the time.
    pub clock: &'a dyn Clock,
    /// How.
    pub options: Options,
}

/// How a run is watched and ended.
pub struct Watch<'a> {
    /// Told how many of how many values are done, from any thread.
    pub progress: &'a (dyn Fn(usize, usize) + Sync),
    /// Set to end the run: what has not been sent is not.
    pub cancel: &'a AtomicBool,
}

impl Verifier<'_> {
    /// Gives each finding its verdict. Answers of the cache are used while they hold, and new ones are put there.
    pub fn check(&self, findings: &mut [Finding], cache: Option<&mut Cache>, watch: &Watch<'_>) -> Checks {
        run::check(self, findings, cache, watch)
    }

    /// Whether one credential of a rule works, given all its values, and by what. Unlike in a scan, an endpoint of the
    /// organisation's that takes the place of the public service decides: whoever asks has one of its keys.
    pub fn alive(&self, declared: &Declared, values: &Values) -> (Validity, Option<Evidence>) {
        run::alive(self, declared, values)
    }
}
