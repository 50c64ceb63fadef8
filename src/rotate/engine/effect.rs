//! The changes: one call each.

use super::provider::{Answer, Call, Made, Wish};
use super::store::StoreError;
use super::{Chosen, Engine, EngineError, Told, name, outcome};
use crate::model::Secret;
use crate::rotate::journal::{JournalError, Record};
use crate::rotate::machine::{Class, Effect, Event, Life, Outcome, Refusal};

impl Engine<'_> {
    /// The value that we choose for an attempt, to be sealed with its announcement, unless it is there already.
    pub(super) fn chosen(&self, record: &Record, attempt: u32) -> Result<Option<Chosen>, EngineError> {
        let step = name::step(attempt);
        if record.rotation.powers().class != Class::A || self.journal.material(record, &step)?.is_some() {
            return Ok(None);
        }
        if let Some(value) = self.provider.propose() {
            return Ok(Some(Chosen { step, value, pooled: None }));
        }
        let drawn = if self.provider.draws() { self.drawn(record)? } else { None };
        let (id, value) = drawn.ok_or_else(|| EngineError::NoMaterial(step.clone()))?;
        Ok(Some(Chosen { step, value, pooled: Some(id) }))
    }

    /// The oldest key of the lineage's pool that may work. What died there is dropped; what cannot be asked about now
    /// is found out about when it is taken for made.
    fn drawn(&self, record: &Record) -> Result<Option<(i64, Secret)>, EngineError> {
        while let Some((key, value)) = self.journal.pool_next(&record.rotation.lineage)? {
            let old = self.journal.material(record, "old")?;
            let why = match () {
                () if old.as_ref() == Some(&value) => "it is the key that goes",
                // Off on purpose: it is switched on once it is drawn.
                () if key.off => return Ok(Some((key.id, value))),
                () if self.provider.verify(self.call(), &value) == Life::Dead => "it is dead",
                () => return Ok(Some((key.id, value))),
            };
            match self.journal.pool_drop(key.id, "keywheel", why, self.clock.now()) {
                Ok(()) | Err(JournalError::NotPooled(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    /// Sends a creation. The wish derives from the attempt alone, so a repetition is the same wish.
    pub(super) fn create(
        &self,
        call: Call,
        record: &Record,
        attempt: u32,
    ) -> Result<Answer<Made>, EngineError> {
        let value = self.journal.material(record, &name::step(attempt))?;
        Ok(self.provider.create(
            call,
            &Wish {
                name: &name::name(record, attempt),
                token: &name::token(record, attempt),
                value: value.as_ref(),
                like: &record.rotation.old.id,
            },
        ))
    }

    /// Carries an announced effect out.
    pub(super) fn carry_out(
        &self,
        call: Call,
        record: &Record,
        effect: &Effect,
    ) -> Result<Told, EngineError> {
        Ok(match effect {
            Effect::Create(attempt) => match self.create(call, record, *attempt)? {
                Answer::Done(made) => Told {
                    event: Event::Outcome(Outcome::Created(made.id)),
                    seal: vec![(name::step(*attempt), made.value)],
                    export: None,
                },
                Answer::Refused(why, _) => outcome(Outcome::Refused(why)),
                Answer::Unknown(_) => outcome(Outcome::Unknown),
            },
            Effect::Write(i) => {
                let value = self.material(record, &name::step(record.rotation.attempt))?;
                self.stored(self.stores[*i].write(call, &value, version(record, *i)))
            }
            Effect::Promote(i) => self.stored(self.stores[*i].promote(call, version(record, *i))),
            Effect::Restore(i) => {
                let value = self.material(record, "old")?;
                self.stored(self.stores[*i].restore(call, &value, version(record, *i)))
            }
            Effect::Disable(key) => changed(self.provider.disable(call, key)),
            Effect::Enable(key) => changed(self.provider.enable(call, key)),
            Effect::Delete(key) => changed(self.provider.delete(call, key)),
        })
    }

    fn stored(&self, answer: Result<String, StoreError>) -> Told {
        self.heard.replace(answer.as_ref().err().map(ToString::to_string));
        outcome(match answer {
            Ok(version) => Outcome::Stored(version),
            Err(StoreError::Conflict) => Outcome::Conflict,
            Err(StoreError::Retry(_)) => Outcome::Refused(Refusal::Busy),
            Err(StoreError::Refused(_)) => Outcome::Refused(Refusal::Denied),
            Err(StoreError::Unknown(_)) => Outcome::Unknown,
        })
    }
}

/// The version that the machine says is there.
fn version(record: &Record, store: usize) -> &str {
    record.rotation.places[store].version.as_deref().unwrap_or_default()
}

fn changed(answer: Answer<()>) -> Told {
    outcome(match answer {
        Answer::Done(()) => Outcome::Changed,
        Answer::Refused(why, _) => Outcome::Refused(why),
        Answer::Unknown(_) => Outcome::Unknown,
    })
}
