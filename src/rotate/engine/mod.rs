//! The driver: one step a call. It asks the machine what to do, does exactly that, and writes the answer down.
//!
//! A change is announced in the journal, made once, and its outcome written. Whatever ends the process in
//! between, the next step finds the announcement without outcome and asks the provider or the store what became
//! of it.

mod effect;
mod look;
mod name;
mod provider;
mod read;
mod store;

use crate::model::Secret;
use crate::rotate::journal::{Extra, Journal, JournalError, Record, RotationId};
use crate::rotate::lease::{Lease, OsLock};
use crate::rotate::machine::{
    Action, Ask, Effect, Event, Ground, Illegal, Outcome, Phase, Proof, Rotation, Use, next,
};
use crate::rotate::time::{Moment, Span};
use std::cell::RefCell;
use std::time::{Duration, Instant, SystemTime};

pub use name::own_names;
pub use provider::{Answer, Call, Figures, Listed, Made, Provider, Used, Wish};
pub use store::{Content, Store, StoreError};

/// The most bytes that are kept of what a provider or a store said.
const SAID: usize = 300;

/// Says what time it is, so that overlaps of days are tested in milliseconds.
pub trait Clock {
    /// Now.
    fn now(&self) -> Moment;
}

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Moment(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// Proofs of drain that neither the provider nor a person gives: rollouts, gateway logs, smoke commands.
pub trait Proofs {
    /// What this source says of the old key's use now; none where it cannot be had.
    fn says(&self, proof: Proof, rotation: &Rotation) -> Option<Use>;
}

/// No further proofs.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProofs;

impl Proofs for NoProofs {
    fn says(&self, _: Proof, _: &Rotation) -> Option<Use> {
        None
    }
}

/// What drives rotations of one lineage.
pub struct Engine<'a> {
    journal: &'a Journal,
    provider: &'a dyn Provider,
    stores: &'a [Box<dyn Store>],
    proofs: &'a dyn Proofs,
    clock: &'a dyn Clock,
    worker: String,
    lease: Span,
    call: Duration,
    held: RefCell<Option<Lease>>,
    /// What a store said last where it did not do as asked.
    heard: RefCell<Option<String>>,
}

/// What a step came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Something was done; step again.
    Stepped,
    /// Nothing to do before that time.
    Wait(Moment),
    /// A person must act.
    Ask(Ask),
    /// Nothing follows.
    Finished(Phase),
    /// Another worker is at it.
    Busy,
}

/// Why a step failed. The rotation is as it was, or has an announcement that the next step clears up.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The lock file.
    #[error("the lock beside the journal: {0}")]
    Lock(#[source] std::io::Error),
    /// The stores given are not those of the plan.
    #[error("the plan has {plan} stores, {given} were given")]
    Stores {
        /// How many the plan has.
        plan: usize,
        /// How many were given.
        given: usize,
    },
    /// Material that must be there is not.
    #[error("the journal holds no `{0}`")]
    NoMaterial(String),
}

/// An event and what goes into its transaction.
pub(crate) struct Told {
    event: Event,
    seal: Vec<(String, Secret)>,
    export: Option<Vec<u8>>,
}

/// A value that was chosen for an attempt, to be sealed with its announcement.
struct Chosen {
    step: String,
    value: Secret,
    /// The key of the pool that it is.
    pooled: Option<i64>,
}

impl From<Event> for Told {
    fn from(event: Event) -> Told {
        Told { event, seal: Vec::new(), export: None }
    }
}

impl<'a> Engine<'a> {
    /// A driver with leases of a minute and calls of at most twenty seconds. `worker` is a name that no other
    /// worker has; `stores` stand in the order of the frozen policy.
    pub fn new(
        journal: &'a Journal,
        provider: &'a dyn Provider,
        stores: &'a [Box<dyn Store>],
        clock: &'a dyn Clock,
        worker: &str,
    ) -> Engine<'a> {
        Engine {
            journal,
            provider,
            stores,
            proofs: &NoProofs,
            clock,
            worker: worker.to_owned(),
            lease: Span::seconds(60),
            call: Duration::from_secs(20),
            held: RefCell::new(None),
            heard: RefCell::new(None),
        }
    }

    /// The same with further proofs of drain.
    pub fn with_proofs(mut self, proofs: &'a dyn Proofs) -> Self {
        self.proofs = proofs;
        self
    }

    /// The same with other spans; a lease should be longer than a call.
    pub fn with_spans(mut self, lease: Span, call: Duration) -> Self {
        (self.lease, self.call) = (lease, call);
        self
    }
}

impl Engine<'_> {
    /// Takes one step of a rotation.
    ///
    /// # Errors
    /// See [`EngineError`]. It is always right to call again.
    pub fn advance(&self, id: RotationId) -> Result<Progress, EngineError> {
        let lineage = self.journal.load(id)?.rotation.lineage;
        let Some(_lock) = OsLock::try_take(self.journal.path(), &lineage).map_err(EngineError::Lock)? else {
            return Ok(Progress::Busy);
        };
        // Looked at again under the lock: whoever had it may have moved on.
        let record = self.journal.load(id)?;
        let now = self.clock.now();
        match next(&record.rotation, now) {
            Action::Wait(at) => return Ok(Progress::Wait(at)),
            Action::Ask(ask) => return Ok(Progress::Ask(ask)),
            Action::Finish(phase) => {
                self.journal.tidy()?;
                return Ok(Progress::Finished(phase));
            }
            _ if record.rotation.places.len() != self.stores.len() => {
                let plan = record.rotation.places.len();
                return Err(EngineError::Stores { plan, given: self.stores.len() });
            }
            _ => {}
        }
        let Some(lease) = self.hold(&lineage, now)? else { return Ok(Progress::Busy) };
        match self.step(&lease, &record) {
            Ok(()) => Ok(Progress::Stepped),
            // The question was overtaken by what a person did meanwhile: the answer is dropped.
            Err(EngineError::Journal(JournalError::Illegal(Illegal::Overtaken))) => Ok(Progress::Stepped),
            // Somebody took the key out of the pool meanwhile: the next step looks for another.
            Err(EngineError::Journal(JournalError::NotPooled(_))) => Ok(Progress::Stepped),
            Err(EngineError::Journal(JournalError::Fenced)) => {
                self.held.replace(None);
                Ok(Progress::Busy)
            }
            Err(EngineError::Journal(e)) if e.sealing_key().is_some() => {
                let missing = e.sealing_key().unwrap_or_default().to_owned();
                let event = Event::Ground(Ground::SealingKey(missing));
                self.journal.record(&lease, id, &event, &Extra::default(), self.clock.now())?;
                Ok(Progress::Stepped)
            }
            Err(e) => Err(e),
        }
    }

    /// The lease, taken, or renewed when less than half of it is left. That another worker took it over since
    /// is found out by the fencing number at the first write.
    fn hold(&self, lineage: &str, now: Moment) -> Result<Option<Lease>, EngineError> {
        let good = |lease: &&Lease| lease.lineage == lineage && lease.until.since(now).0 > self.lease.0 / 2;
        if let Some(lease) = self.held.borrow().as_ref().filter(good) {
            return Ok(Some(lease.clone()));
        }
        let lease = self.journal.lease(lineage, &self.worker, now, self.lease)?;
        self.held.replace(lease.clone());
        Ok(lease)
    }

    fn step(&self, lease: &Lease, record: &Record) -> Result<(), EngineError> {
        // What was said to an earlier step explains nothing of this one.
        let _ = self.said();
        match next(&record.rotation, self.clock.now()) {
            Action::Begin => self.tell(lease, record, Event::Leased.into()),
            Action::Advance => self.tell(lease, record, Event::Advanced.into()),
            Action::Read(read) => match self.read(record, read)? {
                Some(told) => self.tell(lease, record, told),
                None => Ok(()),
            },
            Action::Reconcile(how) => {
                let told = self.reconcile(lease, record, &how)?;
                self.tell(lease, record, told)
            }
            Action::Effect(effect) => self.change(lease, record, &effect),
            Action::Wait(_) | Action::Ask(_) | Action::Finish(_) => Ok(()),
        }
    }

    fn tell(&self, lease: &Lease, record: &Record, told: Told) -> Result<(), EngineError> {
        self.tell_drawn(lease, record, told, None)
    }

    /// The same, with the key of the pool that is drawn for it.
    fn tell_drawn(
        &self,
        lease: &Lease,
        record: &Record,
        told: Told,
        draw: Option<(i64, String)>,
    ) -> Result<(), EngineError> {
        let extra = Extra {
            draw,
            seal: told.seal.iter().map(|(step, secret)| (step.clone(), secret)).collect(),
            export: told.export.as_deref(),
            said: self.said(),
        };
        self.journal.record(lease, record.id, &told.event, &extra, self.clock.now())?;
        Ok(())
    }

    /// What was said since this was asked last, cut to what a person reads.
    fn said(&self) -> Option<String> {
        let store = self.heard.take();
        let mut said = self.provider.said().or(store)?;
        let end = (0..=SAID.min(said.len())).rev().find(|&end| said.is_char_boundary(end));
        said.truncate(end.unwrap_or(0));
        Some(said)
    }

    /// Announces, makes exactly one call, writes its outcome down.
    fn change(&self, lease: &Lease, record: &Record, effect: &Effect) -> Result<(), EngineError> {
        let mut told: Told = Event::Intended(effect.clone()).into();
        let mut draw = None;
        if let Effect::Create(attempt) = effect
            && let Some(chosen) = self.chosen(record, *attempt)?
        {
            draw = chosen.pooled.map(|id| (id, chosen.step.clone()));
            told.seal.push((chosen.step, chosen.value));
        }
        self.tell_drawn(lease, record, told, draw)?;
        let Some(call) = self.call_until(lease) else { return Ok(()) };
        let told = self.carry_out(call, record, effect)?;
        // Until then a crash leaves the announcement alone, and the next step asks what became of it.
        self.tell(lease, record, told)
    }

    /// The bound of a call made now; none when the lease has run out meanwhile, so that nothing is sent.
    fn call_until(&self, lease: &Lease) -> Option<Call> {
        let left = lease.until.since(self.clock.now());
        (left > Span::ZERO)
            .then(|| Call { deadline: Instant::now() + self.call.min(Duration::from_millis(left.0)) })
    }

    /// The bound of a read.
    fn call(&self) -> Call {
        Call { deadline: Instant::now() + self.call }
    }

    /// Material that must be there.
    fn material(&self, record: &Record, step: &str) -> Result<Secret, EngineError> {
        self.journal.material(record, step)?.ok_or_else(|| EngineError::NoMaterial(step.to_owned()))
    }
}

impl Drop for Engine<'_> {
    /// Gives the lease back, so that the next worker need not wait for its end. It ends by itself otherwise.
    fn drop(&mut self) {
        if let Some(lease) = self.held.take() {
            let _ = self.journal.release(&lease);
        }
    }
}

/// An outcome without material.
fn outcome(outcome: Outcome) -> Told {
    Event::Outcome(outcome).into()
}
