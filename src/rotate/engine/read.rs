//! The reads: what is there, what works, what is used.

use super::provider::{Answer, Listed, Used};
use super::{Engine, EngineError, Told, name};
use crate::model::Secret;
use crate::rotate::journal::{JournalError, Record};
use crate::rotate::machine::{
    Class, Event, Ground, Keys, Life, Proof, Read, Sees, Snapshot, State, Usage, Use, Which, digest,
};
use crate::rotate::seal::Binding;

impl Engine<'_> {
    /// Makes a read; none when there is nothing to write down.
    pub(super) fn read(&self, record: &Record, read: Read) -> Result<Option<Told>, EngineError> {
        Ok(Some(match read {
            Read::Staging => Event::Staging(self.staging(record)?).into(),
            Read::Ground => Event::Ground(self.ground(record)?).into(),
            Read::Keys => Event::Keys(self.keys(record)).into(),
            Read::Store(i) => self.store(record, i)?.into(),
            Read::Verify(which) => Event::Life { which, life: self.verify(record, which)? }.into(),
            Read::Drain => Event::Drain(self.drain(record)).into(),
            Read::Usage => self.usage(record),
            Read::Sweep => self.sweep(record).into(),
        }))
    }

    fn staging(&self, record: &Record) -> Result<bool, EngineError> {
        let Some(staging) = &record.rotation.frozen.staging else { return Ok(true) };
        let done = self.journal.done_since(&staging.lineage)?;
        Ok(done.is_some_and(|at| at + staging.green <= self.clock.now()))
    }

    /// Seals and opens a value, opens what is sealed, and looks for another lineage at the same stores.
    fn ground(&self, record: &Record) -> Result<Ground, EngineError> {
        let ring = self.journal.keyring();
        let binding =
            Binding { rotation: record.id.0, step: "preflight", generation: record.rotation.generation };
        let probe = Secret::new(record.rotation.plan_hash().as_bytes());
        let trip = ring.seal(binding, &probe).and_then(|sealed| ring.open(binding, &sealed));
        if trip.as_ref() != Ok(&probe) {
            return Ok(Ground::SealingKey(ring.id().to_owned()));
        }
        match self.journal.material(record, "old") {
            Ok(_) => {}
            Err(JournalError::Seal(e)) => {
                let key = JournalError::Seal(e).sealing_key().unwrap_or(ring.id()).to_owned();
                return Ok(Ground::SealingKey(key));
            }
            Err(e) => return Err(e.into()),
        }
        Ok(match self.journal.sharer(&record.rotation.lineage)? {
            Some(other) => Ground::Shared(other),
            None => Ground::Firm,
        })
    }

    fn keys(&self, record: &Record) -> Keys {
        let r = &record.rotation;
        let Answer::Done(list) = self.provider.list(self.call()) else { return Keys::Unknown };
        let ids = list.iter().map(|k| k.id.clone()).collect();
        let (mut mark, mut slot_in_use) = (None, false);
        match r.powers().class {
            Class::F => {
                let Some(idle) = list.iter().find(|k| k.id != r.old.id) else { return Keys::Unknown };
                match self.provider.reveal(self.call(), &idle.id) {
                    Answer::Done(Some(value)) => mark = Some(self.journal.keyring().mark(&value)),
                    _ => return Keys::Unknown,
                }
                slot_in_use = self.in_use(record, idle);
            }
            Class::G => {
                mark = list.iter().find(|k| k.id == r.old.id).and_then(|k| k.stamp.clone());
                if mark.is_none() {
                    return Keys::Unknown;
                }
            }
            Class::A | Class::B | Class::C | Class::D | Class::E => {}
        }
        Keys::Listed { snapshot: Snapshot { ids, mark }, slot_in_use }
    }

    /// Whether a slot was used lately, or cannot be proved unused.
    fn in_use(&self, record: &Record, slot: &Listed) -> bool {
        match slot.used {
            Used::Never => false,
            Used::At(at) => at + record.rotation.frozen.quiet > self.clock.now(),
            Used::Unsaid => true,
            Used::Now(busy) => busy,
        }
    }

    /// What a store holds, told by comparison with the values that this rotation knows.
    pub(super) fn store(&self, record: &Record, i: usize) -> Result<Event, EngineError> {
        let r = &record.rotation;
        let content = match self.stores[i].read(self.call()) {
            Ok(content) => content,
            Err(why) => {
                self.heard.replace(Some(why.to_string()));
                return Ok(Event::Store { store: i, sees: Sees::Unknown, version: None });
            }
        };
        let holds = |value: &Option<Secret>, step: &str| -> Result<bool, EngineError> {
            let known = self.journal.material(record, step)?;
            Ok(known.is_some() && known == *value)
        };
        let new = name::step(r.attempt);
        let sees = if !r.frozen.stores[i].readable {
            Sees::Blind
        } else if r.new.is_some() && holds(&content.current, &new)? {
            Sees::New
        } else if r.new.is_some() && holds(&content.pending, &new)? && holds(&content.current, "old")? {
            Sees::Pending
        } else if holds(&content.current, "old")? {
            Sees::Old
        } else {
            let mut former = false;
            for attempt in 1..=r.attempt {
                former |= holds(&content.current, &name::step(attempt))?;
            }
            if former { Sees::Former } else { Sees::Foreign }
        };
        Ok(Event::Store { store: i, sees, version: Some(content.version) })
    }

    /// Tries a key by its value; without the value the provider's list must do.
    fn verify(&self, record: &Record, which: Which) -> Result<Life, EngineError> {
        let step = match which {
            Which::Old => "old".to_owned(),
            Which::New => name::step(record.rotation.attempt),
        };
        if let Some(value) = self.journal.material(record, &step)? {
            return Ok(self.provider.verify(self.call(), &value));
        }
        let r = &record.rotation;
        let Some(id) = (match which {
            Which::Old => Some(&r.old.id),
            Which::New => r.new.as_ref().map(|key| &key.id),
        }) else {
            return Ok(Life::Unknown);
        };
        Ok(match self.provider.state(self.call(), id) {
            State::Enabled => Life::Live,
            State::Disabled | State::Gone => Life::Dead,
            State::Unknown => Life::Unknown,
        })
    }

    /// The strongest accepted proof that says anything.
    fn drain(&self, record: &Record) -> Use {
        let r = &record.rotation;
        for &proof in &r.frozen.proofs {
            match proof {
                Proof::Usage | Proof::LastUsed => {
                    let answer = self.provider.last_used(self.call(), &r.old.id);
                    let Answer::Done((used, watermark)) = answer else { continue };
                    if let Used::Now(busy) = used {
                        return Use::Now { proof, busy };
                    }
                    let last = match used {
                        Used::Never => None,
                        Used::At(at) => Some(at),
                        Used::Unsaid | Used::Now(_) => continue,
                    };
                    return Use::Seen { proof, last, watermark };
                }
                Proof::Rollout | Proof::Gateway | Proof::Smoke => {
                    if let Some(found) = self.proofs.says(proof, r) {
                        return found;
                    }
                }
                // People and time speak for themselves.
                Proof::Ack | Proof::Timer => {}
            }
        }
        Use::Unproved
    }

    fn usage(&self, record: &Record) -> Told {
        if !record.rotation.powers().usage {
            return Event::Usage(Usage::None).into();
        }
        match self.provider.usage(self.call(), &record.rotation.old.id) {
            Answer::Done(Some(figures)) => {
                let usage = Usage::Kept { digest: digest(&figures.body), through: figures.through };
                Told { event: Event::Usage(usage), seal: Vec::new(), export: Some(figures.body) }
            }
            Answer::Done(None) => Event::Usage(Usage::None).into(),
            Answer::Refused(..) | Answer::Unknown(_) => Event::Usage(Usage::Unknown).into(),
        }
    }
}
