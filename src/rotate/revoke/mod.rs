//! Switching one leaked key off: what the rule declares is done once, and called done only after the same check that
//! found the key alive has found it dead.
//!
//! The change is never sent a second time. An answer that is lost or proves nothing is looked into with reads alone;
//! what stays open is left to a person.

mod log;
mod order;

pub use log::{Entry, Event, Log, LogError};
pub use order::{Order, OrderError};

use crate::call::{
    CallError, Caller, Effect, Host, Origin, Outcome as Changed, Prepared, Reply, StepError, Transport,
};
use crate::model::{Evidence, Unchecked, Validity};
use crate::verify::{Verifier, Watch};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long the proof of death is waited for beyond what the provider says it takes.
pub const GRACE: Duration = Duration::from_secs(60);
/// The pause after the first look; each further one is twice as long.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest pause between two looks.
const LONGEST: Duration = Duration::from_secs(15);
/// How long is slept at most before looking whether to stop.
const NAP: Duration = Duration::from_millis(100);
/// How long reads and change take together at most.
const CALLS: Duration = Duration::from_secs(300);

/// What became of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Proved dead.
    Dead,
    /// The provider says that something is switched off, and the key still works; what that may mean.
    StillWorks(String),
    /// The provider says that it is switched off; why that is not proved.
    RevokedNotProved(String),
    /// Nothing was changed, and why.
    Refused(String),
    /// It is not known whether anything was changed; what is known.
    Unknown(String),
}

impl Outcome {
    /// The word used in reports and the log.
    pub fn as_str(&self) -> &'static str {
        match self {
            Outcome::Dead => "dead",
            Outcome::StillWorks(_) => "still-works",
            Outcome::RevokedNotProved(_) => "revoked-not-proved",
            Outcome::Refused(_) => "refused",
            Outcome::Unknown(_) => "unknown",
        }
    }

    /// What else there is to say; empty if nothing.
    pub fn detail(&self) -> &str {
        match self {
            Outcome::Dead => "",
            Outcome::StillWorks(why)
            | Outcome::RevokedNotProved(why)
            | Outcome::Refused(why)
            | Outcome::Unknown(why) => why,
        }
    }
}

/// An outcome with what it rests on.
#[derive(Debug)]
pub struct Done {
    /// What became of it.
    pub outcome: Outcome,
    /// The HTTP status of the answer to the change, if there was one.
    pub status: Option<u16>,
    /// What the last check rests on, if there was one.
    pub evidence: Option<Evidence>,
    /// Why the outcome could not be written down, although the intent was.
    pub unlogged: Option<LogError>,
}

impl Done {
    /// It ended before the change.
    fn before(why: &dyn std::fmt::Display) -> Self {
        Done { outcome: unchanged(why), status: None, evidence: None, unlogged: None }
    }
}

/// Switches keys off.
pub struct Revoker<'a> {
    /// Checks, and holds transport, hosts and clock of the change as well.
    pub verifier: &'a Verifier<'a>,
    /// Set to end the waiting. A change on its way is not recalled.
    pub cancel: &'a AtomicBool,
    /// How long the proof is waited for; `None` for what the provider says it takes and [`GRACE`].
    pub wait: Option<Duration>,
}

impl Revoker<'_> {
    /// Whether the key works now.
    pub fn look(&self, order: &Order) -> (Validity, Option<Evidence>) {
        let mut one = [order.finding.clone()];
        let watch = Watch { progress: &|_, _| (), cancel: self.cancel };
        self.verifier.check(&mut one, None, &watch);
        let [finding] = one;
        (finding.validity, finding.evidence.map(|e| *e))
    }

    /// Runs the reads, writes the intent, makes the one change, waits for the proof and writes the outcome.
    ///
    /// # Errors
    /// The intent could not be written: nothing was changed then.
    pub fn run(&self, order: &Order, log: &mut Log, intent: &Entry) -> Result<Done, LogError> {
        let guarded = Guarded { verifier: self.verifier };
        let caller = self.caller(order, &guarded);
        let mut values = order.values.clone();
        if let Err(stopped) = caller.reads(&order.revoke().reads, &mut values) {
            return Ok(Done::before(&stopped));
        }
        if self.cancel.load(Ordering::Relaxed) {
            return Ok(Done::before(&"interrupted"));
        }
        log.write(intent)?;
        let changed = caller.change(&order.revoke().change, &values);
        let status = changed.as_ref().ok().map(|answer| answer.status);
        let (outcome, evidence) = self.settle(order, changed);
        let at = self.verifier.clock.wall();
        let unlogged = log.write(&intent.ended(at, &outcome, status)).err();
        Ok(Done { outcome, status, evidence, unlogged })
    }

    fn caller<'c>(&'c self, order: &'c Order, transport: &'c dyn Transport) -> Caller<'c> {
        let provider = &order.declared.provider;
        let file = (!order.declared.embedded).then_some(order.declared.digest);
        let clock = self.verifier.clock;
        Caller {
            transport,
            hosts: self.verifier.hosts,
            origin: Origin { provider: &provider.id, hosts: &provider.hosts, file },
            clock,
            each: self.verifier.options.timeout,
            until: clock.now() + CALLS,
        }
    }

    /// What an answer, or none, comes to once the key has been looked at.
    fn settle(&self, order: &Order, changed: Result<Changed, StepError>) -> (Outcome, Option<Evidence>) {
        let said = match changed {
            Err(error) if error.is_unsent() => return (unchanged(&error), None),
            Ok(answer) if answer.effect == Effect::Refused => {
                // A key that is dead by now is refused as well.
                let (validity, evidence) = self.look(order);
                let why = format!("the provider refused with status {}", answer.status);
                let dead = validity == Validity::Inactive;
                return (if dead { Outcome::Dead } else { unchanged(&why) }, evidence);
            }
            Ok(answer) if matches!(answer.effect, Effect::Done | Effect::Already) => Ok(()),
            Ok(answer) => Err(format!("the answer (status {}) proves nothing", answer.status)),
            Err(error) => Err(error.to_string()),
        };
        let (validity, evidence) = self.wait(order);
        let outcome = match (said, &validity) {
            (_, Validity::Inactive) => Outcome::Dead,
            (Ok(()), Validity::Active { .. }) => {
                let wrong = if order.revoke().ask.is_empty() { "" } else { OTHERS };
                Outcome::StillWorks(format!("{STILL}{wrong}"))
            }
            (Ok(()), _) => Outcome::RevokedNotProved(unproved(&validity, evidence.as_ref())),
            (Err(why), Validity::Active { .. }) => {
                Outcome::Unknown(format!("{why}; the key still works; {LOOK}"))
            }
            (Err(why), _) => {
                Outcome::Unknown(format!("{why}; {}; {LOOK}", unproved(&validity, evidence.as_ref())))
            }
        };
        (outcome, evidence)
    }

    /// Looks until the key is dead or time is up.
    fn wait(&self, order: &Order) -> (Validity, Option<Evidence>) {
        let clock = self.verifier.clock;
        let spread = Duration::from_secs(order.revoke().propagation).saturating_add(GRACE);
        // A rule cannot make anybody wait for ever.
        let most = self.wait.unwrap_or(spread).min(Duration::from_secs(24 * 3600));
        let until = clock.now() + most;
        let mut pause = PAUSE;
        loop {
            let (validity, evidence) = self.look(order);
            let over = match &validity {
                Validity::Inactive => true,
                // Nothing was asked, and nothing will be.
                Validity::NotChecked(why) => *why != Unchecked::Stopped,
                Validity::Active { .. } | Validity::Unknown(_) => false,
            };
            if over || clock.now() >= until || !self.sleep(until.min(clock.now() + pause)) {
                return (validity, evidence);
            }
            pause = (pause * 2).min(LONGEST);
        }
    }

    /// Sleeps in naps; `false` if it was to stop.
    fn sleep(&self, until: Instant) -> bool {
        let clock = self.verifier.clock;
        loop {
            if self.cancel.load(Ordering::Relaxed) {
                return false;
            }
            match until.checked_duration_since(clock.now()).filter(|left| !left.is_zero()) {
                Some(left) => clock.sleep(left.min(NAP)),
                None => return true,
            }
        }
    }
}

/// What a person does about an open question.
const LOOK: &str = "look at the provider whether the key is there before you try again";

const STILL: &str = "the provider says that it is switched off, and the check still finds it working";
const OTHERS: &str = "; an id that was given may be another key's, which is off now";

fn unchanged(why: &dyn std::fmt::Display) -> Outcome {
    Outcome::Refused(format!("nothing was changed: {why}"))
}

fn unproved(validity: &Validity, evidence: Option<&Evidence>) -> String {
    match validity {
        Validity::NotChecked(why) => format!("its death cannot be proved: {}", why.sentence()),
        Validity::Unknown(why) => {
            let detail = evidence.map(|e| e.detail.as_str()).filter(|d| !d.is_empty());
            let status =
                evidence.and_then(|e| e.status).map(|s| format!(" (status {s})")).unwrap_or_default();
            format!("its death is not proved: {}{status}", detail.unwrap_or(why.sentence()))
        }
        Validity::Active { .. } => "it still works".to_owned(),
        Validity::Inactive => "it is dead".to_owned(),
    }
}

/// The verifier's transport, with the organisation's list of hosts in force for the calls of a revocation too.
struct Guarded<'a> {
    verifier: &'a Verifier<'a>,
}

impl Guarded<'_> {
    fn admit(&self, request: &Prepared) -> Result<(), CallError> {
        let only = &self.verifier.options.only;
        let host = Host::parse(&request.host).ok();
        if only.is_empty() || host.is_some_and(|h| only.iter().any(|p| p.covers_host(&h))) {
            return Ok(());
        }
        Err(CallError::Refused(format!("{} is not among `hosts` of [verify]", request.host)))
    }
}

impl Transport for Guarded<'_> {
    fn send(&self, request: &Prepared, deadline: Instant) -> Result<Reply, CallError> {
        self.admit(request)?;
        self.verifier.transport.send(request, deadline)
    }

    fn read(&self, request: &Prepared, deadline: Instant) -> Result<Reply, CallError> {
        self.admit(request)?;
        self.verifier.transport.read(request, deadline)
    }

    fn read_list(&self, request: &Prepared, deadline: Instant, most: u32) -> Result<Reply, CallError> {
        self.admit(request)?;
        self.verifier.transport.read_list(request, deadline, most)
    }
}

#[cfg(test)]
mod tests;
