//! What the model's world answers to a read, and to the question what became of a lost effect.

use super::outside::{Value, Way, id};
use super::world::{Act, Defect, World};
use keywheel::rotate::machine::{
    Class, Effect, Event, Found, Ground, Keys, Life, Look, Outcome, Proof, Read, Reconcile, Sees, Snapshot,
    Standing, State, Swept, Usage, Use, Which,
};
use keywheel::rotate::time::Moment;

impl World {
    pub(crate) fn answer(&self, read: Read, act: &Act, defect: Option<Defect>) -> Event {
        let silent = matches!(act, Act::Silent(_));
        match read {
            Read::Staging => Event::Staging(!silent),
            Read::Ground => Event::Ground(Ground::Firm),
            Read::Keys if silent => Event::Keys(Keys::Unknown),
            Read::Keys => {
                let ids = self.keys.iter().filter(|k| self.shown(k)).map(|k| id(k.n)).collect();
                Event::Keys(Keys::Listed {
                    snapshot: Snapshot { ids, mark: Some(self.mark()) },
                    slot_in_use: false,
                })
            }
            Read::Store(i) => self.look_at(i, act),
            Read::Verify(which) => {
                let value = match which {
                    Which::Old => (0, 0),
                    Which::New => self.material(self.r.attempt),
                };
                let gone = self.r.old.standing != Standing::Enabled && which == Which::Old;
                let assumed = gone && defect == Some(Defect::AssumesDeath);
                let life = if self.works(value) && !assumed { Life::Live } else { Life::Dead };
                Event::Life { which, life: if silent { Life::Unknown } else { life } }
            }
            Read::Drain if silent => Event::Drain(Use::Unproved),
            Read::Drain => {
                let used = self.in_use && defect != Some(Defect::DeniesUse);
                let last = used.then_some(self.now);
                Event::Drain(Use::Seen { proof: Proof::LastUsed, last, watermark: self.now })
            }
            Read::Usage if silent => Event::Usage(Usage::Unknown),
            Read::Usage => Event::Usage(Usage::Kept { digest: String::new(), through: Moment(0) }),
            Read::Sweep if silent => Event::Swept(Swept::Unknown),
            Read::Sweep if defect == Some(Defect::SweepsNothing) => Event::Swept(Swept::Ours(Vec::new())),
            Read::Sweep => {
                let new = self.r.new.as_ref().map(|key| key.id.clone());
                let ours = self.keys.iter().filter(|k| k.n != 0 && self.shown(k)).map(|k| id(k.n));
                Event::Swept(Swept::Ours(ours.filter(|key| Some(key) != new.as_ref()).collect()))
            }
        }
    }

    /// Which value a slot or an in-place key has now.
    fn mark(&self) -> String {
        let at = if self.r.powers().class == Class::F { 1 } else { 0 };
        self.keys.get(at).map_or(0, |k| k.ends.len()).to_string()
    }

    fn look_at(&self, i: usize, act: &Act) -> Event {
        let shelf = match act {
            Act::Silent(_) => return Event::Store { store: i, sees: Sees::Unknown, version: None },
            Act::Stale(_) => self.before[i],
            _ => self.shelves[i],
        };
        let new = self.r.new.is_some().then(|| self.material(self.r.attempt));
        let sees = if Some(shelf.current) == new {
            Sees::New
        } else if shelf.pending.is_some() && shelf.pending == new && shelf.current == (0, 0) {
            Sees::Pending
        } else if shelf.current == (0, 0) {
            Sees::Old
        } else if self.sealed.iter().any(|(_, v)| *v == shelf.current) {
            Sees::Former
        } else {
            Sees::Foreign
        };
        Event::Store { store: i, sees, version: Some(shelf.version.to_string()) }
    }

    pub(crate) fn clear_up(&mut self, how: &Reconcile, act: &Act) -> (Event, Option<Value>) {
        let silent = matches!(act, Act::Silent(_));
        match how {
            Reconcile::Store(i) => (self.look_at(*i, act), None),
            Reconcile::Standing(_) if silent => (Event::Standing(State::Unknown), None),
            Reconcile::Standing(key) => {
                let state = match self.key(key) {
                    Some(_) if self.r.powers().class == Class::F => State::Enabled,
                    Some(k) if k.on => State::Enabled,
                    Some(_) => State::Disabled,
                    None => State::Gone,
                };
                (Event::Standing(state), None)
            }
            Reconcile::Key(_) if silent => (Event::Found(Found::Unknown), None),
            Reconcile::Key(look) => {
                let (found, value) = self.find(*look);
                (Event::Found(found), value)
            }
        }
    }

    fn find(&mut self, look: Look) -> (Found, Option<Value>) {
        let attempt = self.r.attempt;
        let seen: Vec<u8> =
            self.keys.iter().filter(|k| k.attempt == attempt && self.shown(k)).map(|k| k.n).collect();
        match look {
            Look::Repeat => match self.send(&Effect::Create(attempt), Way::Well) {
                Outcome::Created(key) => (Found::Whole(key), self.answered.take()),
                Outcome::Refused(why) => (Found::Refused(why), None),
                _ => (Found::Unknown, None),
            },
            Look::Value | Look::Name if seen.is_empty() => (Found::Nothing, None),
            Look::Value => (Found::Whole(id(seen[0])), Some((seen[0], 0))),
            Look::Name if self.r.powers().class == Class::E => {
                (Found::Whole(id(seen[0])), Some((seen[0], 0)))
            }
            Look::Name => (Found::Lost(seen.into_iter().map(id).collect()), None),
            Look::Surplus => {
                let before = self.r.baseline.clone().unwrap_or_default();
                let left: Vec<_> = self
                    .keys
                    .iter()
                    .filter(|k| self.shown(k))
                    .map(|k| id(k.n))
                    .filter(|key| !before.contains(key) && self.r.discards.iter().all(|d| d.id != *key))
                    .collect();
                (if left.is_empty() { Found::Nothing } else { Found::Lost(left) }, None)
            }
            Look::Slot | Look::Changed => {
                let before = self.r.snapshot.as_ref().and_then(|s| s.mark.clone());
                if before == Some(self.mark()) {
                    return (Found::Nothing, None);
                }
                match look {
                    Look::Slot => (Found::Whole(id(1)), Some((1, (self.keys[1].ends.len() - 1) as u8))),
                    _ => (Found::Lost(vec![id(0)]), None),
                }
            }
        }
    }
}
