//! A rehearsal: the plan is run by the engine itself, on doubles of its provider and stores, with faults by seed and a
//! clock that jumps. Nothing outside is called, and no real key is read.

use super::double::{
    Cell, CellError, Faults, Habits, Keys, Manner, ManualClock, ProviderDouble, Shelf, StoreDouble,
};
use super::engine::{Clock, Engine, EngineError, Progress, Store};
use super::journal::{Journal, JournalError, New, Record, RotationId};
use super::machine::{Ask, Class, Does, Frozen, Halt, KeyId, Kind, Person, Phase, Proof, Target, digest};
use super::plan::Plan;
use super::seal::{Keyring, SealError};
use super::time::{Moment, Span};
use super::told::{Told, told};
use crate::model::Secret;
use std::path::Path;
use std::sync::Arc;

/// Most steps, and most times that a person is asked, before a rehearsal is given up.
const MOST: (usize, usize) = (200_000, 50);
/// When it begins: a round moment, so that two rehearsals print the same.
const START: Moment = Moment(1_800_000_000_000);

/// What goes wrong on purpose.
#[derive(Clone, Copy, Debug)]
pub struct Stress {
    /// Decides which calls fail and how; the same seed gives the same rehearsal.
    pub seed: u64,
    /// Of a thousand calls, so many fail.
    pub per_mille: u64,
}

/// How it went.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    /// Where it ended; none if it was given up.
    pub end: Option<Phase>,
    /// What happened, counted from the start.
    pub told: Vec<(Span, String)>,
    /// What a person was asked and did.
    pub asked: Vec<String>,
    /// Calls to provider and stores.
    pub calls: u64,
    /// How many of them failed on purpose.
    pub faults: u64,
    /// Looks after which a store's readers had no working key.
    pub cut_off: u64,
    /// Keys at the provider at the end, beyond those that belong there.
    pub left_over: usize,
    /// How long it would have taken.
    pub took: Span,
}

/// Why there is no rehearsal.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    /// The doubles' files.
    #[error(transparent)]
    Cell(#[from] CellError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The sealing key.
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// Runs `plan` on doubles whose files lie in `folder`, which is empty and goes away afterwards.
///
/// # Errors
/// See [`RehearsalError`]. What goes wrong in the rehearsal itself is part of its outcome.
pub fn rehearse(plan: &Plan, stress: Stress, folder: &Path) -> Result<Rehearsal, RehearsalError> {
    let stage = Stage::new(plan, stress, folder)?;
    let frozen = stage.frozen.clone();
    let claims = plan.claims();
    let leaked =
        (plan.kind == Kind::Emergency).then(|| person("rehearsal", Does::Emergency { capped: false }));
    let value = old();
    let new = New {
        lineage: &plan.lineage,
        frozen,
        old: KeyId(OLD.to_owned()),
        value: Some(&value),
        claims: &claims,
        leaked,
    };
    let id = stage.journal.plan(&new, START)?;
    let mut asked = Vec::new();
    let mut cut_off = 0;
    let end = stage.run(id, &mut asked, &mut cut_off)?;
    let entries = stage.journal.audit_entries()?;
    let targets: Vec<Target> = stage.frozen.stores.clone();
    let since = |t: Told| (t.at.since(START), t.text);
    let keys = stage.outside.look()?;
    let mut calls = keys.calls();
    let mut faults = failed(&stage.faults[0], keys.calls());
    for (store, plan) in stage.shelves.iter().zip(&stage.faults[1..]) {
        let n = store.calls()?;
        calls += n;
        faults += failed(plan, n);
    }
    let wanted = if stage.frozen.powers.class == Class::F { 2 } else { 1 };
    Ok(Rehearsal {
        end,
        told: told(&entries, id.0, &targets).into_iter().map(since).collect(),
        asked,
        calls,
        faults,
        cut_off,
        left_over: keys.ids().len().saturating_sub(wanted),
        took: stage.clock.now().since(START),
    })
}

/// What the doubles call the key that goes.
const OLD: &str = "old";

/// The value of the key that goes, which works nowhere.
fn old() -> Secret {
    Secret::new(format!("double-{}", &digest(b"a rehearsal's old key")[..40]).as_bytes())
}

fn failed(faults: &Faults, calls: u64) -> u64 {
    (1..=calls).filter(|n| faults.of(*n).is_some()).count() as u64
}

fn person(by: &str, does: Does) -> Person {
    Person { by: by.to_owned(), does }
}

struct Stage {
    frozen: Frozen,
    journal: Journal,
    clock: Arc<ManualClock>,
    provider: ProviderDouble<ManualClock>,
    stores: Vec<Box<dyn Store>>,
    /// The same doubles past all faults.
    outside: ProviderDouble<ManualClock>,
    shelves: Vec<StoreDouble>,
    faults: Vec<Faults>,
}

impl Stage {
    fn new(plan: &Plan, stress: Stress, folder: &Path) -> Result<Stage, RehearsalError> {
        let mut frozen = plan.frozen().clone();
        // What a double can always do; and a staging key is taken for green.
        frozen.powers.list = true;
        frozen.staging = None;
        let clock = Arc::new(ManualClock::new(START));
        let faults = |n: u64| Faults {
            seed: stress.seed.wrapping_mul(1_000).wrapping_add(n),
            per_mille: stress.per_mille,
            ..Faults::default()
        };
        let class = frozen.powers.class;
        let habits = Habits {
            powers: frozen.powers.clone(),
            list_lag: Span(frozen.powers.propagation.0 / 2),
            work_lag: Span(frozen.powers.propagation.0 / 4),
            kills_old_after: None,
            readable: matches!(class, Class::E | Class::F),
        };
        let first = Keys::starting(class, &KeyId(OLD.to_owned()), &old(), START);
        let provider = |faults| -> Result<_, CellError> {
            let keys = Cell::file(&folder.join("keys.json"), &first)?;
            Ok(ProviderDouble::new(keys, habits.clone(), faults, clock.clone()))
        };
        let shelf = |i: usize, target: &Target, faults| -> Result<StoreDouble, CellError> {
            let manner = match (target.staged, target.readable) {
                (true, _) => Manner::Staged,
                (_, false) => Manner::Blind,
                _ => Manner::Checked,
            };
            let shelf = Cell::file(&folder.join(format!("store{i}.json")), &Shelf::holding(&old()))?;
            Ok(StoreDouble::new(shelf, manner, faults))
        };
        let mut stores: Vec<Box<dyn Store>> = Vec::new();
        let (mut shelves, mut all) = (Vec::new(), vec![faults(0)]);
        for (i, target) in frozen.stores.iter().enumerate() {
            let own = faults(i as u64 + 1);
            stores.push(Box::new(shelf(i, target, own.clone())?));
            shelves.push(shelf(i, target, Faults::default())?);
            all.push(own);
        }
        // The material is made up; so may be what seals it.
        let keyring = Keyring::new(&[0x5a; 32])?;
        Ok(Stage {
            journal: Journal::open(&folder.join("journal.db"), keyring)?,
            provider: provider(all[0].clone())?,
            outside: provider(Faults::default())?,
            frozen,
            clock,
            stores,
            shelves,
            faults: all,
        })
    }

    fn run(
        &self,
        id: RotationId,
        asked: &mut Vec<String>,
        cut_off: &mut u64,
    ) -> Result<Option<Phase>, RehearsalError> {
        let engine = Engine::new(&self.journal, &self.provider, &self.stores, &*self.clock, "rehearsal");
        for _ in 0..MOST.0 {
            match engine.advance(id)? {
                Progress::Stepped | Progress::Busy => *cut_off += self.broken()?,
                Progress::Wait(until) => {
                    self.acknowledge(id, asked)?;
                    self.clock.move_to(until)?;
                }
                Progress::Finished(phase) => return Ok(Some(phase)),
                Progress::Ask(ask) if asked.len() < MOST.1 => self.answer(id, &ask, asked)?,
                Progress::Ask(_) => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Stores whose readers have no working key.
    fn broken(&self) -> Result<u64, CellError> {
        let mut broken = 0;
        for shelf in &self.shelves {
            let works = match shelf.current()? {
                Some(value) => self.outside.works(&value)?,
                None => false,
            };
            broken += u64::from(!works);
        }
        Ok(broken)
    }

    /// Owners speak up once the overlap is over.
    fn acknowledge(&self, id: RotationId, asked: &mut Vec<String>) -> Result<(), RehearsalError> {
        let Record { rotation, .. } = self.journal.load(id)?;
        let wanted = rotation.frozen.proofs.contains(&Proof::Ack) && rotation.frozen.acks > 0;
        let over = rotation.distributed.is_some_and(|at| at + rotation.overlap() <= self.clock.now());
        if rotation.phase == Phase::Overlap && wanted && over && rotation.acks.is_empty() {
            for n in 1..=rotation.frozen.acks {
                let by = format!("owner-{n}");
                self.journal.say(id, &person(&by, Does::Ack(rotation.plan_hash())), self.clock.now())?;
            }
            asked.push(format!("{} owners said that the consumers have the new key", rotation.frozen.acks));
        }
        Ok(())
    }

    fn answer(&self, id: RotationId, ask: &Ask, asked: &mut Vec<String>) -> Result<(), RehearsalError> {
        let now = self.clock.now();
        let Record { rotation, .. } = self.journal.load(id)?;
        let say = |by: &str, does| self.journal.say(id, &person(by, does), now).map(drop);
        match ask {
            Ask::Approve(n) => {
                asked.push(format!("{n} approvals were given"));
                for n in 1..=*n {
                    say(&format!("approver-{n}"), Does::Approve(rotation.plan_hash()))?;
                }
            }
            Ask::Resolve(halt) => {
                asked.push(halt.words());
                let does = match halt {
                    Halt::Paused(_) => Does::Resume,
                    Halt::Blocked(_) => Does::Force("a rehearsal".to_owned()),
                    Halt::Stuck(super::machine::Stuck::Export) => Does::BreakGlass("a rehearsal".to_owned()),
                    Halt::Stuck(_) => Does::Retry,
                };
                say("somebody", does)?;
            }
        }
        Ok(())
    }
}
