//! A small world that answers truthfully.

use crate::rotate::machine::*;
use crate::rotate::time::{Moment, Span};

/// A policy with short spans; `class` decides the powers.
pub(super) fn frozen(class: Class) -> Frozen {
    Frozen {
        path: Path::CreateFirst,
        overlap: Span(1000),
        max_overlap: Span(5000),
        quiet: Span(100),
        soak: Span(500),
        proofs: vec![Proof::LastUsed],
        export: Export::Required,
        approvals: 0,
        acks: 1,
        staging: None,
        stores: vec![
            Target { name: "a".into(), staged: false, readable: true },
            Target { name: "b".into(), staged: true, readable: true },
        ],
        poll: Span(50),
        probe: Span(200),
        probes_count: false,
        patience: 3,
        emergency: Emergency {
            path: Path::CreateFirst,
            overlap: Span::ZERO,
            soak: Span(10),
            export_deadline: Span(300),
            approvals: 0,
            poll: Span(5),
            daily_cap: 3,
        },
        powers: Powers {
            class,
            quota: None,
            disable: class.separate(),
            enable: class.separate(),
            delete: !class.in_place(),
            list: class.separate(),
            usage: true,
            propagation: Span(20),
            native_overlap: Span(1000),
            chained: true,
        },
    }
}

/// The world outside, truthful.
pub(super) struct World {
    pub(super) r: Rotation,
    pub(super) now: Moment,
    /// Ids that exist and whether they are in force.
    pub(super) keys: Vec<(KeyId, bool)>,
    pub(super) stores: Vec<(Holds, u32)>,
    pub(super) made: u32,
    pub(super) log: Vec<Effect>,
    pub(super) phases: Vec<Phase>,
    /// Replaces the answer to an action.
    pub(super) twist: fn(&mut World, &Action) -> Option<Event>,
}

pub(super) fn id(text: &str) -> KeyId {
    KeyId(text.to_owned())
}

pub(super) fn honest(_: &mut World, _: &Action) -> Option<Event> {
    None
}

impl World {
    pub(super) fn new(frozen: Frozen) -> World {
        let stores = vec![(Holds::Old, 0); frozen.stores.len()];
        let r = Rotation::plan("team/app/prod", 2, frozen, id("old"), true, Moment(0));
        World {
            r,
            now: Moment(0),
            keys: vec![(id("old"), true)],
            stores,
            made: 0,
            log: Vec::new(),
            phases: vec![Phase::Planned],
            twist: honest,
        }
    }

    pub(super) fn works(&self, wanted: &KeyId) -> bool {
        self.keys.iter().any(|(key, on)| key == wanted && *on)
    }

    pub(super) fn tell(&mut self, event: &Event) {
        self.r =
            apply(&self.r, event, self.now).unwrap_or_else(|e| panic!("{event:?} at {}: {e}", self.r.phase));
        if self.phases.last() != Some(&self.r.phase) {
            self.phases.push(self.r.phase);
        }
    }

    pub(super) fn person(&mut self, does: Does) {
        self.tell(&Event::Person(Person { by: "ana".into(), does }));
    }

    pub(super) fn set(&mut self, wanted: &KeyId, on: bool) {
        self.keys.iter_mut().filter(|(key, _)| key == wanted).for_each(|(_, state)| *state = on);
    }

    /// Carries an effect out and gives its outcome.
    pub(super) fn carry(&mut self, effect: &Effect) -> Outcome {
        self.log.push(effect.clone());
        match effect {
            Effect::Create(_) => {
                self.made += 1;
                let made = id(&format!("new{}", self.made));
                self.keys.push((made.clone(), true));
                Outcome::Created(made)
            }
            Effect::Write(i) | Effect::Promote(i) | Effect::Restore(i) => {
                let holds = match effect {
                    Effect::Write(_) if self.r.frozen.stores[*i].staged => Holds::Pending,
                    Effect::Restore(_) => Holds::Old,
                    _ => Holds::New,
                };
                self.stores[*i] = (holds, self.stores[*i].1 + 1);
                Outcome::Stored(self.stores[*i].1.to_string())
            }
            Effect::Disable(key) => {
                self.set(key, false);
                Outcome::Changed
            }
            Effect::Enable(key) => {
                self.set(key, true);
                Outcome::Changed
            }
            Effect::Delete(key) => {
                self.keys.retain(|(other, _)| other != key);
                Outcome::Changed
            }
        }
    }

    pub(super) fn read(&mut self, read: Read) -> Event {
        match read {
            Read::Staging => Event::Staging(true),
            Read::Ground => Event::Ground(Ground::Firm),
            Read::Keys => Event::Keys(Keys::Listed {
                snapshot: Snapshot { ids: self.keys.iter().map(|k| k.0.clone()).collect(), mark: None },
                slot_in_use: false,
            }),
            Read::Store(i) => self.store(i),
            Read::Verify(which) => {
                let key = match which {
                    Which::Old => self.r.old.id.clone(),
                    Which::New => self.r.new.as_ref().unwrap().id.clone(),
                };
                let ended = which == Which::Old
                    && self.r.powers().class.in_place()
                    && self.r.new.as_ref().is_some_and(|n| self.now >= n.changed + Span(1000));
                let life = if self.works(&key) && !ended { Life::Live } else { Life::Dead };
                Event::Life { which, life }
            }
            Read::Drain => {
                Event::Drain(Use::Seen { proof: Proof::LastUsed, last: None, watermark: self.now })
            }
            Read::Usage => Event::Usage(Usage::Kept { digest: "d".into(), through: self.now }),
            Read::Sweep => Event::Swept(Swept::Ours(Vec::new())),
        }
    }

    pub(super) fn store(&self, i: usize) -> Event {
        let sees = match self.stores[i].0 {
            Holds::Old => Sees::Old,
            Holds::Pending => Sees::Pending,
            Holds::New => Sees::New,
            Holds::Former => Sees::Former,
            Holds::Unsure => Sees::Blind,
        };
        Event::Store { store: i, sees, version: Some(self.stores[i].1.to_string()) }
    }

    /// One step; false when it ended or a person is asked.
    pub(super) fn step(&mut self) -> bool {
        let action = next(&self.r, self.now);
        if let Some(event) = (self.twist)(self, &action) {
            self.tell(&event);
            return true;
        }
        match action {
            Action::Begin => self.tell(&Event::Leased),
            Action::Advance => self.tell(&Event::Advanced),
            Action::Wait(until) => {
                assert!(until > self.now, "waits for the past");
                self.now = until;
            }
            Action::Read(read) => {
                let event = self.read(read);
                self.tell(&event);
            }
            Action::Effect(effect) => {
                self.tell(&Event::Intended(effect.clone()));
                let outcome = self.carry(&effect);
                self.tell(&Event::Outcome(outcome));
            }
            Action::Reconcile(Reconcile::Store(i)) => {
                let event = self.store(i);
                self.tell(&event);
            }
            Action::Reconcile(Reconcile::Standing(key)) => {
                let state = match self.keys.iter().find(|(other, _)| *other == key) {
                    Some((_, true)) => State::Enabled,
                    Some((_, false)) => State::Disabled,
                    None => State::Gone,
                };
                self.tell(&Event::Standing(state));
            }
            Action::Reconcile(Reconcile::Key(_)) => self.tell(&Event::Found(Found::Nothing)),
            Action::Ask(_) | Action::Finish(_) => return false,
        }
        true
    }

    pub(super) fn run(&mut self) -> Phase {
        for _ in 0..2000 {
            if !self.step() {
                return self.r.phase;
            }
        }
        panic!("no end in {}: {:?}", self.r.phase, self.r);
    }

    pub(super) fn run_to(&mut self, phase: Phase) {
        for _ in 0..2000 {
            if self.r.phase == phase || !self.step() {
                return;
            }
        }
    }
}
