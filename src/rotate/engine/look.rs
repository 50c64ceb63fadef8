//! What became of an announced effect whose outcome is not known.

use super::provider::{Answer, Listed, Made, Used};
use super::{Engine, EngineError, Told, name};
use crate::rotate::journal::Record;
use crate::rotate::lease::Lease;
use crate::rotate::machine::{Effect, Event, Found, KeyId, Life, Look, Reconcile, Swept};

impl Engine<'_> {
    pub(super) fn reconcile(
        &self,
        lease: &Lease,
        record: &Record,
        how: &Reconcile,
    ) -> Result<Told, EngineError> {
        Ok(match how {
            Reconcile::Store(i) => self.store(record, *i)?.into(),
            Reconcile::Standing(key) => Event::Standing(self.provider.state(self.call(), key)).into(),
            Reconcile::Key(look) => {
                let attempt = match record.rotation.intent.as_ref().map(|i| &i.effect) {
                    Some(Effect::Create(attempt)) => *attempt,
                    _ => record.rotation.attempt,
                };
                match look {
                    Look::Repeat => self.repeat(lease, record, attempt)?,
                    Look::Value => self.by_value(record, attempt)?,
                    Look::Name => self.by_name(record, attempt)?,
                    Look::Surplus => self.by_surplus(record).into(),
                    Look::Slot => self.by_slot(record, attempt)?,
                    Look::Changed => self.by_stamp(record, attempt),
                }
            }
        })
    }

    /// The same wish under the same token: the provider knows it and makes no second key.
    fn repeat(&self, lease: &Lease, record: &Record, attempt: u32) -> Result<Told, EngineError> {
        let Some(call) = self.call_until(lease) else { return Ok(found(Found::Unknown)) };
        Ok(match self.create(call, record, attempt)? {
            Answer::Done(made) => whole(attempt, made),
            Answer::Refused(why, _) => found(Found::Refused(why)),
            Answer::Unknown(_) => found(Found::Unknown),
        })
    }

    fn by_value(&self, record: &Record, attempt: u32) -> Result<Told, EngineError> {
        let value = self.material(record, &name::step(attempt))?;
        let wanted = name::name(record, attempt);
        if record.rotation.powers().list {
            return Ok(found(match self.provider.list(self.call()) {
                Answer::Done(list) => match list.into_iter().find(|k| k.name.as_ref() == Some(&wanted)) {
                    Some(key) => Found::Whole(key.id),
                    None => Found::Nothing,
                },
                _ => Found::Unknown,
            }));
        }
        Ok(found(match self.provider.verify(self.call(), &value) {
            Life::Live => Found::Whole(self.provider.id(&wanted, &record.rotation.old.id)),
            Life::Dead => Found::Nothing,
            Life::Unknown => Found::Unknown,
        }))
    }

    fn by_name(&self, record: &Record, attempt: u32) -> Result<Told, EngineError> {
        let wanted = name::name(record, attempt);
        let Answer::Done(list) = self.provider.list(self.call()) else { return Ok(found(Found::Unknown)) };
        let mut ids: Vec<KeyId> =
            list.into_iter().filter(|k| k.name.as_ref() == Some(&wanted)).map(|k| k.id).collect();
        if record.rotation.powers().class == crate::rotate::machine::Class::E && !ids.is_empty() {
            // A second one of the name is left to the sweep.
            let id = ids.remove(0);
            return Ok(match self.provider.reveal(self.call(), &id) {
                Answer::Done(Some(value)) => whole(attempt, Made { id, value }),
                Answer::Done(None) => found(Found::Lost(vec![id])),
                _ => found(Found::Unknown),
            });
        }
        Ok(found(if ids.is_empty() { Found::Nothing } else { Found::Lost(ids) }))
    }

    /// Keys that were not there before: ours if made after the intent and never used.
    fn by_surplus(&self, record: &Record) -> Event {
        let Answer::Done(list) = self.provider.list(self.call()) else { return Event::Found(Found::Unknown) };
        let surplus = self.surplus(record, &list);
        Event::Found(match surplus.iter().find(|key| key.used != Used::Never || key.created.is_none()) {
            Some(doubtful) => Found::Doubtful(doubtful.id.clone()),
            None if surplus.is_empty() => Found::Nothing,
            None => Found::Lost(surplus.into_iter().map(|key| key.id.clone()).collect()),
        })
    }

    /// What was not in the first list, was made while we may have made it, and is not accounted for.
    fn surplus<'l>(&self, record: &Record, list: &'l [Listed]) -> Vec<&'l Listed> {
        let r = &record.rotation;
        let before = r.baseline.as_deref().unwrap_or_default();
        // Clocks differ a little; what is much older, or came much later, is not ours.
        let skew = r.powers().propagation;
        list.iter()
            .filter(|k| !before.contains(&k.id) && !r.disowned.contains(&k.id) && k.id != r.old.id)
            .filter(|k| r.new.as_ref().is_none_or(|new| new.id != k.id))
            .filter(|k| r.discards.iter().all(|d| d.id != k.id))
            .filter(|k| match (k.created, r.first_create, r.last_create) {
                (Some(made), Some(first), Some(last)) => made + skew >= first && made <= last + skew + skew,
                _ => true,
            })
            .collect()
    }

    fn by_slot(&self, record: &Record, attempt: u32) -> Result<Told, EngineError> {
        let Answer::Done(list) = self.provider.list(self.call()) else { return Ok(found(Found::Unknown)) };
        let Some(idle) = list.into_iter().find(|k| k.id != record.rotation.old.id) else {
            return Ok(found(Found::Unknown));
        };
        Ok(match self.provider.reveal(self.call(), &idle.id) {
            Answer::Done(Some(value)) => {
                let before = record.rotation.snapshot.as_ref().and_then(|s| s.mark.as_deref());
                match before == Some(self.journal.keyring().mark(&value).as_str()) {
                    true => found(Found::Nothing),
                    false => whole(attempt, Made { id: idle.id, value }),
                }
            }
            _ => found(Found::Unknown),
        })
    }

    fn by_stamp(&self, record: &Record, attempt: u32) -> Told {
        let Answer::Done(list) = self.provider.list(self.call()) else { return found(Found::Unknown) };
        let Some(key) = list.into_iter().find(|k| k.id == record.rotation.old.id) else {
            return found(Found::Unknown);
        };
        let before = record.rotation.snapshot.as_ref().and_then(|s| s.mark.clone());
        if key.stamp == before {
            return found(Found::Nothing);
        }
        match self.provider.reveal(self.call(), &key.id) {
            Answer::Done(Some(value)) => whole(attempt, Made { id: key.id, value }),
            Answer::Unknown(_) => found(Found::Unknown),
            _ => found(Found::Lost(vec![key.id])),
        }
    }

    /// What of ours is left over.
    pub(super) fn sweep(&self, record: &Record) -> Event {
        use crate::rotate::machine::Class;
        let r = &record.rotation;
        let Answer::Done(list) = self.provider.list(self.call()) else { return Event::Swept(Swept::Unknown) };
        if r.powers().class == Class::D {
            let surplus = self.surplus(record, &list);
            return Event::Swept(
                match surplus.iter().find(|k| k.used != Used::Never || k.created.is_none()) {
                    Some(doubtful) => Swept::Doubtful(doubtful.id.clone()),
                    None => Swept::Ours(surplus.into_iter().map(|k| k.id.clone()).collect()),
                },
            );
        }
        let prefix = name::prefix(record);
        let ours = list
            .into_iter()
            .filter(|k| k.name.as_ref().is_some_and(|name| is_ours(name, &prefix)))
            .filter(|k| r.new.as_ref().is_none_or(|new| new.id != k.id));
        Event::Swept(Swept::Ours(ours.map(|k| k.id).collect()))
    }
}

/// Whether a name is the prefix and a number: `…-r1-a1`, not what another tool made of it.
fn is_ours(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
}

fn found(found: Found) -> Told {
    Event::Found(found).into()
}

fn whole(attempt: u32, made: Made) -> Told {
    Told {
        event: Event::Found(Found::Whole(made.id)),
        seal: vec![(name::step(attempt), made.value)],
        export: None,
    }
}
