//! One state of the model: the journal's rotation, the world outside, two workers, what may still go wrong.

use super::outside::{K, LAG, NATIVE, Shelf, Value, Way, id};
use keywheel::rotate::machine::{
    Action, Class, Does, Effect, Emergency, Event, Export, Frozen, Halt, Outcome, Path, Person, Powers,
    Proof, Read, Reconcile, Rotation, Stuck, Target, Usage, apply, next,
};
use keywheel::rotate::time::{Moment, Span};

/// A deliberate mistake, in the model only: one for each thing that must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Defect {
    /// The second store is believed to hold the new key.
    SkipsAStore,
    /// An export is believed that was not made.
    InventsTheExport,
    /// Leftovers are not seen.
    SweepsNothing,
    /// The old key is believed unused.
    DeniesUse,
    /// A second rotation of the lineage is planned.
    PlansTwice,
    /// What a lost creation became of is never written down.
    ForgetsTheAnswer,
    /// A former holder writes, and the lock is not taken.
    IgnoresLeases,
    /// A key that was told to go is believed gone, whatever came back.
    AssumesDeath,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    Idle,
    /// Announced, not yet sent.
    Announced(Effect),
    /// Sent, the outcome not yet written.
    Answered(Outcome, Option<Value>),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Worker {
    /// The fencing number it believes to hold; 0 for none.
    pub(crate) lease: u8,
    pub(crate) stage: Stage,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) r: Rotation,
    pub(crate) now: Moment,
    pub(crate) keys: Vec<K>,
    pub(crate) made: u8,
    /// The value of the last answer.
    pub(crate) answered: Option<Value>,
    pub(crate) shelves: [Shelf; 2],
    /// What a stale read still shows.
    pub(crate) before: [Shelf; 2],
    /// Sealed values by attempt.
    pub(crate) sealed: Vec<(u32, Value)>,
    pub(crate) workers: [Worker; 2],
    pub(crate) fence: u8,
    pub(crate) held: bool,
    pub(crate) faults: u8,
    pub(crate) persons: u8,
    pub(crate) exported: bool,
    pub(crate) in_use: bool,
    pub(crate) lied: bool,
    pub(crate) active: u8,
    pub(crate) ended_unexported: bool,
    pub(crate) ended_in_use: bool,
}

/// What may happen next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Act {
    /// A worker takes a step: a read, or an announcement.
    Work(usize),
    /// Its read gets no answer.
    Silent(usize),
    /// Its read of a store shows what was there before.
    Stale(usize),
    /// Its announced call is sent.
    Call(usize, Way),
    /// It writes the outcome.
    Record(usize),
    /// It dies.
    Crash(usize),
    /// The lease runs out.
    Expire,
    /// Time passes to that moment.
    Tick(Moment),
    /// The last user of the old key moves on.
    Leave,
    /// The provider breaks its word: the old key is dead.
    Lie,
    /// A person acts.
    Person(Does),
    /// Somebody plans a rotation.
    Plan,
}

fn frozen(class: Class, emergency: Path) -> Frozen {
    let target = |staged| Target { name: String::new(), staged, readable: true };
    Frozen {
        path: Path::CreateFirst,
        overlap: Span(10),
        max_overlap: Span(30),
        quiet: Span(5),
        soak: Span(10),
        proofs: vec![Proof::LastUsed],
        export: Export::Required,
        approvals: 0,
        acks: 1,
        staging: None,
        stores: vec![target(false), target(true)],
        poll: Span(10),
        probe: Span(0),
        probes_count: false,
        patience: 1,
        emergency: Emergency {
            path: emergency,
            overlap: Span(0),
            soak: Span(0),
            export_deadline: Span(10),
            approvals: 0,
            poll: Span(10),
            daily_cap: 1,
        },
        powers: Powers {
            class,
            quota: (class == Class::D).then_some(2),
            disable: class.separate(),
            enable: class.separate(),
            delete: !class.in_place(),
            list: true,
            usage: true,
            propagation: LAG,
            native_overlap: NATIVE,
            chained: true,
        },
    }
}

impl World {
    pub(crate) fn new(class: Class, emergency: Path, faults: u8, persons: u8) -> World {
        let key = |n, attempt| K { n, attempt, on: true, made: Moment(0), ends: vec![None] };
        let mut keys = vec![key(0, 0)];
        if class == Class::F {
            keys.push(key(1, 0));
        }
        let shelf = Shelf { current: (0, 0), pending: None, version: 1 };
        let idle = Worker { lease: 0, stage: Stage::Idle };
        World {
            r: Rotation::plan("l", 2, frozen(class, emergency), id(0), true, Moment(0)),
            now: Moment(0),
            keys,
            made: 0,
            answered: None,
            shelves: [shelf; 2],
            before: [shelf; 2],
            sealed: Vec::new(),
            workers: [idle.clone(), idle],
            fence: 0,
            held: false,
            faults,
            persons,
            exported: false,
            in_use: true,
            lied: false,
            active: 1,
            ended_unexported: false,
            ended_in_use: false,
        }
    }

    /// The sealed value of an attempt.
    pub(crate) fn material(&self, attempt: u32) -> Value {
        self.sealed.iter().rev().find(|(a, _)| *a == attempt).map_or((u8::MAX, 0), |(_, v)| *v)
    }

    pub(crate) fn acts(&self, out: &mut Vec<Act>, defect: Option<Defect>) {
        if self.r.phase.is_terminal() {
            // Nobody who holds the lock is left then; without it, a call may still be on its way.
            let late = |w: &usize| matches!(self.workers[*w].stage, Stage::Announced(_));
            out.extend((0..2).filter(late).map(|w| Act::Call(w, Way::Well)));
            return;
        }
        if self.active < 2 && defect == Some(Defect::PlansTwice) {
            out.push(Act::Plan);
        }
        let action = next(&self.r, self.now);
        let locked = self.workers.iter().position(|w| w.stage != Stage::Idle);
        for w in 0..2 {
            let worker = &self.workers[w];
            match &worker.stage {
                Stage::Announced(_) => {
                    out.extend(
                        Way::ALL
                            .into_iter()
                            .filter(|w| *w == Way::Well || self.faults > 0)
                            .map(|way| Act::Call(w, way)),
                    );
                }
                Stage::Answered(..) => out.push(Act::Record(w)),
                Stage::Idle => {
                    let free = locked.is_none() || defect == Some(Defect::IgnoresLeases);
                    // Two workers that know nothing are alike.
                    let twin = w == 1 && self.workers[0] == self.workers[1];
                    if free && !twin && (worker.lease > 0 || !self.held) {
                        match action {
                            Action::Wait(_) | Action::Ask(_) | Action::Finish(_) => {}
                            Action::Read(_) | Action::Reconcile(_) => {
                                out.push(Act::Work(w));
                                if self.faults > 0 {
                                    out.push(Act::Silent(w));
                                }
                                let store = match action {
                                    Action::Read(Read::Store(i)) | Action::Reconcile(Reconcile::Store(i)) => {
                                        Some(i)
                                    }
                                    _ => None,
                                };
                                if self.faults > 0 && store.is_some_and(|i| self.before[i] != self.shelves[i])
                                {
                                    out.push(Act::Stale(w));
                                }
                            }
                            Action::Begin | Action::Effect(_) | Action::Advance => out.push(Act::Work(w)),
                        }
                    }
                }
            }
            if self.faults > 0 && worker.stage != Stage::Idle {
                out.push(Act::Crash(w));
            }
        }
        if self.faults > 0 && self.held {
            out.push(Act::Expire);
        }
        if let Action::Wait(until) = action
            && (locked.is_none() || defect == Some(Defect::IgnoresLeases))
        {
            out.push(Act::Tick(until));
        }
        if self.in_use && self.r.distributed.is_some() {
            out.push(Act::Leave);
        }
        let old_lives = self.keys.iter().any(|k| k.n == 0 && k.on);
        if self.faults > 0 && !self.lied && old_lives && self.r.first_create.is_some() {
            out.push(Act::Lie);
        }
        self.people(&action, out);
    }

    fn people(&self, action: &Action, out: &mut Vec<Act>) {
        use keywheel::rotate::machine::Ask;
        let abort = self.r.can_go_back() && self.r.phase != keywheel::rotate::machine::Phase::RollingBack;
        if let Action::Ask(Ask::Resolve(halt)) = action {
            out.extend(match halt {
                Halt::Paused(_) => vec![Act::Person(Does::Resume)],
                Halt::Blocked(_) => vec![Act::Person(Does::Force(String::new())), Act::Person(Does::Retry)],
                Halt::Stuck(Stuck::Surplus(key)) => vec![Act::Person(Does::Disown(key.clone()))],
                Halt::Stuck(Stuck::Foreign(i)) => {
                    vec![Act::Person(Does::Overwrite(*i)), Act::Person(Does::Retry)]
                }
                Halt::Stuck(Stuck::Export) => {
                    vec![Act::Person(Does::BreakGlass(String::new())), Act::Person(Does::Retry)]
                }
                Halt::Stuck(_) => vec![Act::Person(Does::Retry)],
            });
        } else if self.persons > 0 {
            if !self.r.is_emergency() {
                out.push(Act::Person(Does::Emergency { capped: false }));
            }
            if self.r.halt.is_none() {
                out.push(Act::Person(Does::Pause(String::new())));
            }
        }
        if abort && self.persons > 0 {
            out.push(Act::Person(Does::Abort));
        }
    }

    /// The state after an act; none if it changes nothing.
    pub(crate) fn after(&self, act: &Act, defect: Option<Defect>) -> Option<World> {
        let mut s = self.clone();
        match act {
            Act::Plan => s.active += 1,
            Act::Tick(until) => s.now = *until,
            Act::Leave => s.in_use = false,
            Act::Expire => {
                s.faults -= 1;
                s.held = false;
            }
            Act::Lie => {
                s.faults -= 1;
                s.lied = true;
                s.keys.iter_mut().filter(|k| k.n == 0).for_each(|k| k.ends[0] = Some(Moment(0)));
            }
            Act::Crash(w) => {
                s.faults -= 1;
                s.workers[*w] = Worker { lease: 0, stage: Stage::Idle };
                // Its lease runs on; its lock is free. The next worker waits for the lease.
                s.held = false;
            }
            Act::Person(does) => {
                let asked = self.r.halt.is_some() && !matches!(does, Does::Abort);
                if !asked {
                    s.persons -= 1;
                }
                let event = Event::Person(Person { by: String::new(), does: does.clone() });
                s.r = apply(&s.r, &event, s.now).ok()?;
            }
            Act::Call(w, way) => {
                let Stage::Announced(effect) = s.workers[*w].stage.clone() else { return None };
                s.faults -= u8::from(*way != Way::Well);
                s.answered = None;
                let outcome = s.send(&effect, *way);
                let value = s.answered.take();
                s.workers[*w].stage = Stage::Answered(outcome, value);
            }
            Act::Record(w) => {
                let Stage::Answered(outcome, value) = s.workers[*w].stage.clone() else { return None };
                s.workers[*w].stage = Stage::Idle;
                let assumed = defect == Some(Defect::AssumesDeath)
                    && outcome == Outcome::Unknown
                    && matches!(s.r.intent.as_ref()?.effect, Effect::Disable(_) | Effect::Delete(_));
                let outcome = if assumed { Outcome::Changed } else { outcome };
                s.commit(*w, &Event::Outcome(outcome), value, defect);
            }
            Act::Work(w) | Act::Silent(w) | Act::Stale(w) => {
                if s.workers[*w].lease == 0 {
                    s.fence += 1;
                    s.held = true;
                    s.workers[*w].lease = s.fence;
                }
                s.faults -= u8::from(!matches!(act, Act::Work(_)));
                s.step(*w, act, defect);
            }
        }
        Some(s)
    }

    /// One step of a worker, as the engine takes it.
    fn step(&mut self, w: usize, act: &Act, defect: Option<Defect>) {
        match next(&self.r, self.now) {
            Action::Begin => self.commit(w, &Event::Leased, None, defect),
            Action::Advance => self.commit(w, &Event::Advanced, None, defect),
            Action::Effect(effect) => {
                if self.commit_intent(w, &effect, defect) {
                    self.workers[w].stage = Stage::Announced(effect);
                }
            }
            Action::Read(read) => {
                let event = self.answer(read, act, defect);
                self.commit(w, &event, None, defect);
            }
            Action::Reconcile(how) => {
                let (event, value) = self.clear_up(&how, act);
                if defect != Some(Defect::ForgetsTheAnswer) || !matches!(event, Event::Found(_)) {
                    self.commit(w, &event, value, defect);
                }
            }
            Action::Wait(_) | Action::Ask(_) | Action::Finish(_) => {}
        }
    }

    fn fenced(&mut self, w: usize, defect: Option<Defect>) -> bool {
        let fenced = self.workers[w].lease != self.fence && defect != Some(Defect::IgnoresLeases);
        if fenced {
            self.workers[w].lease = 0;
        }
        fenced
    }

    fn commit_intent(&mut self, w: usize, effect: &Effect, defect: Option<Defect>) -> bool {
        if self.fenced(w, defect) {
            return false;
        }
        let Ok(r) = apply(&self.r, &Event::Intended(effect.clone()), self.now) else { return false };
        self.r = r;
        if let (Effect::Create(attempt), Class::A) = (effect, self.r.powers().class) {
            // The value is ours: it is sealed before it is sent. Its key gets the next number.
            let value = self.keys.iter().find(|k| k.attempt == *attempt).map_or(self.made + 1, |k| k.n);
            self.seal(*attempt, (value, 0));
        }
        true
    }

    fn seal(&mut self, attempt: u32, value: Value) {
        self.sealed.retain(|(a, _)| *a != attempt);
        self.sealed.push((attempt, value));
    }

    fn commit(&mut self, w: usize, event: &Event, value: Option<Value>, defect: Option<Defect>) {
        if self.fenced(w, defect) {
            return;
        }
        let Ok(mut r) = apply(&self.r, event, self.now) else { return };
        if defect == Some(Defect::SkipsAStore)
            && r.phase != keywheel::rotate::machine::Phase::Preflight
            && r.new.is_some()
            && let Some(place) = r.places.get_mut(1)
        {
            (place.holds, place.seen) = (keywheel::rotate::machine::Holds::New, true);
        }
        self.r = r;
        if let (Some(value), Event::Outcome(_) | Event::Found(_)) = (value, event) {
            self.seal(self.r.attempt, value);
        }
        if matches!(event, Event::Usage(Usage::Kept { .. })) && defect != Some(Defect::InventsTheExport) {
            self.exported = true;
        }
    }
}
