//! The world outside in the model: keys of every create class and two stores, small enough to count.

use super::world::World;
use keywheel::rotate::machine::{Class, Effect, KeyId, Outcome, Refusal};
use keywheel::rotate::time::{Moment, Span};

/// How long a new key stays out of lists, and does not work yet.
pub(crate) const LAG: Span = Span(4);
/// How long an in-place change leaves the old value: longer than three faults take to clear up. Were it shorter,
/// no machine could keep such a provider's key working.
pub(crate) const NATIVE: Span = Span(80);

/// A value: a key's number and which of its values.
pub(crate) type Value = (u8, u8);

/// A key at the provider. Number 0 is the old one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct K {
    pub(crate) n: u8,
    pub(crate) attempt: u32,
    pub(crate) on: bool,
    pub(crate) made: Moment,
    /// Its values and when each ends.
    pub(crate) ends: Vec<Option<Moment>>,
}

/// A store: what readers get, what waits, the version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shelf {
    pub(crate) current: Value,
    pub(crate) pending: Option<Value>,
    pub(crate) version: u8,
}

/// How a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Way {
    Well,
    /// It never arrives.
    Cut,
    /// Its answer is lost.
    Lost,
    /// It arrives twice.
    Twice,
    /// Refused for now.
    Busy,
}

impl Way {
    pub(crate) const ALL: [Way; 5] = [Way::Well, Way::Cut, Way::Lost, Way::Twice, Way::Busy];
}

pub(crate) fn id(n: u8) -> KeyId {
    KeyId(format!("k{n}"))
}

impl World {
    pub(crate) fn key(&self, wanted: &KeyId) -> Option<&K> {
        self.keys.iter().find(|k| id(k.n) == *wanted)
    }

    /// Whether a value works now.
    pub(crate) fn works(&self, value: Value) -> bool {
        self.keys.iter().any(|k| {
            let end = k.ends.get(usize::from(value.1));
            k.n == value.0
                && k.on
                && self.shown(k)
                && end.is_some_and(|end| end.is_none_or(|end| self.now < end))
        })
    }

    /// Whether a key shows in lists and works everywhere.
    pub(crate) fn shown(&self, k: &K) -> bool {
        k.attempt == 0 || k.made + LAG <= self.now
    }

    /// Sends an effect; says what came back.
    pub(crate) fn send(&mut self, effect: &Effect, way: Way) -> Outcome {
        match way {
            Way::Cut => return Outcome::Unknown,
            Way::Busy => return Outcome::Refused(Refusal::Busy),
            _ => {}
        }
        let first = self.take_effect(effect);
        match way {
            Way::Lost => {
                self.answered = None;
                Outcome::Unknown
            }
            Way::Twice => {
                let kept = self.answered;
                let second = self.take_effect(effect);
                if self.r.powers().class.separate() {
                    self.answered = kept;
                    first
                } else {
                    second
                }
            }
            _ => first,
        }
    }

    fn take_effect(&mut self, effect: &Effect) -> Outcome {
        match effect {
            Effect::Create(attempt) => self.make(*attempt),
            Effect::Write(i) => {
                let value = self.material(self.r.attempt);
                let staged = self.r.frozen.stores[*i].staged;
                self.put(*i, |shelf| match staged {
                    true => shelf.pending = Some(value),
                    false => shelf.current = value,
                })
            }
            Effect::Promote(i) => {
                self.put(*i, |shelf| shelf.current = shelf.pending.take().unwrap_or(shelf.current))
            }
            Effect::Restore(i) => self.put(*i, |shelf| (shelf.current, shelf.pending) = ((0, 0), None)),
            Effect::Disable(key) => self.switch(key, false),
            Effect::Enable(key) => self.switch(key, true),
            Effect::Delete(key) => {
                if *key == id(0) {
                    self.watch_the_end();
                }
                if self.r.powers().class == Class::F {
                    for k in self.keys.iter_mut().filter(|k| id(k.n) == *key) {
                        k.ends.iter_mut().for_each(|end| *end = Some(Moment(0)));
                    }
                } else {
                    self.keys.retain(|k| id(k.n) != *key);
                }
                Outcome::Changed
            }
        }
    }

    fn switch(&mut self, key: &KeyId, on: bool) -> Outcome {
        self.keys.iter_mut().filter(|k| id(k.n) == *key).for_each(|k| k.on = on);
        Outcome::Changed
    }

    fn put(&mut self, i: usize, change: impl Fn(&mut Shelf)) -> Outcome {
        let expected = self.r.places[i].version.clone().unwrap_or_default();
        let shelf = &mut self.shelves[i];
        if shelf.version.to_string() != expected {
            return Outcome::Conflict;
        }
        self.before[i] = *shelf;
        change(shelf);
        shelf.version += 1;
        Outcome::Stored(shelf.version.to_string())
    }

    fn make(&mut self, attempt: u32) -> Outcome {
        let class = self.r.powers().class;
        let fresh = |n: u8, now: Moment| K { n, attempt, on: true, made: now, ends: vec![None] };
        match class {
            Class::F => {
                let slot = &mut self.keys[1];
                slot.ends.iter_mut().for_each(|end| *end = Some(Moment(0)));
                slot.ends.push(None);
                self.answered = Some((slot.n, (slot.ends.len() - 1) as u8));
            }
            Class::G => {
                self.watch_the_end();
                let end = self.now + NATIVE;
                let Some(key) = self.keys.first_mut() else { return Outcome::Refused(Refusal::Denied) };
                key.ends.iter_mut().for_each(|e| *e = Some(e.map_or(end, |e| e.min(end))));
                key.ends.push(None);
                self.answered = Some((key.n, (key.ends.len() - 1) as u8));
            }
            // The same value or the same token is the same key.
            Class::A | Class::B if self.keys.iter().any(|k| k.attempt == attempt) => {
                let n = self.keys.iter().find(|k| k.attempt == attempt).map_or(0, |k| k.n);
                self.answered = Some((n, 0));
            }
            Class::A | Class::B | Class::C | Class::D | Class::E => {
                if class == Class::D && self.keys.len() >= 2 {
                    return Outcome::Refused(Refusal::Quota);
                }
                self.made += 1;
                self.keys.push(fresh(self.made, self.now));
                self.answered = Some((self.made, 0));
            }
        }
        let n = self.answered.map_or(0, |v| v.0);
        Outcome::Created(id(n))
    }

    /// The old key's end begins: what must hold then is remembered.
    fn watch_the_end(&mut self) {
        use keywheel::rotate::machine::Exported;
        let waived = matches!(self.r.exported, Some(Exported::Waived(_)));
        self.ended_unexported |= !self.exported && !waived;
        let allowed = self.r.forced.is_some() || self.r.hurries() || self.r.powers().class.in_place();
        self.ended_in_use |= self.in_use && !allowed;
    }
}
