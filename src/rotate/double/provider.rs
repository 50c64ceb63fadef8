//! A provider that is not one.

use super::cell::{Cell, CellError};
use super::faults::{Fault, Faults};
use crate::model::Secret;
use crate::rotate::engine::{Answer, Call, Clock, Figures, Listed, Made, Provider, Used, Wish};
use crate::rotate::machine::{Class, KeyId, Life, Powers, Refusal, digest};
use crate::rotate::time::{Moment, Span};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How the double behaves.
#[derive(Clone, Debug)]
pub struct Habits {
    /// Its capabilities, as the rotation has them frozen.
    pub powers: Powers,
    /// How long a new key stays out of lists.
    pub list_lag: Span,
    /// How long a new key does not work yet.
    pub work_lag: Span,
    /// Breaks its word: that long after a new key is made, the old one is dead.
    pub kills_old_after: Option<Span>,
    /// Keys can be read afterwards.
    pub readable: bool,
}

/// The provider's own record.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Keys {
    rows: Vec<Row>,
    made: u64,
    calls: u64,
    tokens: BTreeMap<String, KeyId>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Row {
    id: KeyId,
    name: Option<String>,
    /// Its values, the newest last, and when each ends.
    values: Vec<(String, Option<Moment>)>,
    enabled: bool,
    created: Moment,
    used: Option<Moment>,
    uses: u64,
    /// It was there from the start, so no lag hides it.
    first: bool,
}

impl Keys {
    /// The record with one key that works, named `id`; for class F with an idle slot beside it.
    pub fn starting(class: Class, id: &KeyId, value: &Secret, now: Moment) -> Keys {
        let row = |id: &str, value: String| Row {
            id: KeyId(id.to_owned()),
            name: None,
            values: vec![(value, None)],
            enabled: true,
            created: now,
            used: None,
            uses: 0,
            first: true,
        };
        let mut rows = vec![row(&id.0, String::from_utf8_lossy(value.expose()).into_owned())];
        if class == Class::F {
            rows.push(row("idle", digest(b"an idle slot")));
        }
        Keys { rows, ..Keys::default() }
    }

    /// Ids of all keys that are there, for looking at leftovers.
    pub fn ids(&self) -> Vec<KeyId> {
        self.rows.iter().map(|row| row.id.clone()).collect()
    }

    /// How many calls came in.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// Whether a value works at that time, as its habits have it.
    fn works(&self, value: &Secret, habits: &Habits, now: Moment) -> bool {
        self.rows.iter().any(|row| {
            row.enabled
                && (row.first || row.created + habits.work_lag <= now)
                && row
                    .values
                    .iter()
                    .any(|(v, end)| v.as_bytes() == value.expose() && end.is_none_or(|end| now < end))
        })
    }
}

/// A stateful double of a provider of any create class.
#[derive(Debug)]
pub struct ProviderDouble<C> {
    keys: Cell<Keys>,
    habits: Habits,
    faults: Faults,
    clock: Arc<C>,
}

impl<C: Clock> ProviderDouble<C> {
    /// A double over `keys`.
    pub fn new(keys: Cell<Keys>, habits: Habits, faults: Faults, clock: Arc<C>) -> Self {
        ProviderDouble { keys, habits, faults, clock }
    }

    /// Uses a key as a client does; says whether it worked.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn use_key(&self, value: &Secret) -> Result<bool, CellError> {
        let now = self.clock.now();
        self.keys.with(|keys| {
            let works = keys.works(value, &self.habits, now);
            if works {
                let known = |row: &&mut Row| row.values.iter().any(|(v, _)| v.as_bytes() == value.expose());
                if let Some(row) = keys.rows.iter_mut().find(known) {
                    row.used = Some(now);
                    row.uses += 1;
                }
            }
            works
        })
    }

    /// Whether a value works now. Counts as no use and as no call.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn works(&self, value: &Secret) -> Result<bool, CellError> {
        Ok(self.keys.look()?.works(value, &self.habits, self.clock.now()))
    }

    /// The record as it is.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn look(&self) -> Result<Keys, CellError> {
        self.keys.look()
    }

    /// One call: counted, and subject to its fault.
    fn call<T>(&self, work: impl Fn(&mut Keys, Moment) -> Answer<T>) -> Answer<T> {
        let now = self.clock.now();
        let done = self.keys.with(|keys| {
            keys.calls += 1;
            let refuse = |why: Refusal| Answer::Refused(why, "the double refuses".to_owned());
            let unknown = || Answer::Unknown("the double does not answer".to_owned());
            match self.faults.of(keys.calls) {
                Some(Fault::Cut) => unknown(),
                Some(Fault::Lost) => {
                    work(keys, now);
                    unknown()
                }
                Some(Fault::Twice) => {
                    let first = work(keys, now);
                    let second = work(keys, now);
                    // A slot or an in-place change answers with what is in force.
                    if self.habits.powers.class.separate() { first } else { second }
                }
                Some(Fault::Busy) => refuse(Refusal::Busy),
                Some(Fault::Denied | Fault::Conflict) => refuse(Refusal::Denied),
                Some(Fault::Full) => refuse(Refusal::Quota),
                None => work(keys, now),
            }
        });
        done.unwrap_or_else(|e| Answer::Unknown(e.to_string()))
    }

    fn make(&self, keys: &mut Keys, now: Moment, wish: &Wish<'_>) -> Answer<Made> {
        let class = self.habits.powers.class;
        let made = |row: &Row| Made {
            id: row.id.clone(),
            value: Secret::new(row.values.last().map_or(&[], |(v, _)| v.as_bytes())),
        };
        if let (Class::B, Some(id)) = (class, keys.tokens.get(wish.token)) {
            return match keys.rows.iter().find(|row| row.id == *id) {
                Some(row) => Answer::Done(made(row)),
                None => Answer::Refused(Refusal::Denied, "the key of this token is gone".to_owned()),
            };
        }
        if let (Class::A, Some(value)) = (class, wish.value) {
            let same = |row: &&Row| row.values.iter().any(|(v, _)| v.as_bytes() == value.expose());
            if let Some(row) = keys.rows.iter().find(same) {
                return Answer::Done(made(row));
            }
        }
        let room = self.habits.powers.quota.is_none_or(|quota| keys.rows.len() < quota as usize);
        if class.separate() && !room {
            return Answer::Refused(Refusal::Quota, "no room".to_owned());
        }
        keys.made += 1;
        let fresh = match wish.value {
            Some(value) if class == Class::A => String::from_utf8_lossy(value.expose()).into_owned(),
            _ => format!("double-{}", &digest(format!("{} {}", wish.token, keys.made).as_bytes())[..40]),
        };
        if let Some(lies) = self.habits.kills_old_after {
            let old = keys.rows.iter_mut().filter(|row| row.id == *wish.like);
            old.flat_map(|row| &mut row.values).for_each(|(_, end)| *end = Some(now + lies));
        }
        match class {
            Class::F => {
                let Some(row) = keys.rows.iter_mut().find(|row| row.id != *wish.like) else {
                    return Answer::Refused(Refusal::Denied, "no idle slot".to_owned());
                };
                row.values = vec![(fresh, None)];
                Answer::Done(made(row))
            }
            Class::G => {
                let Some(row) = keys.rows.iter_mut().find(|row| row.id == *wish.like) else {
                    return Answer::Refused(Refusal::Denied, "no such key".to_owned());
                };
                let end = now + self.habits.powers.native_overlap;
                row.values.iter_mut().for_each(|(_, e)| *e = Some(e.map_or(end, |e| e.min(end))));
                row.values.push((fresh, None));
                Answer::Done(made(row))
            }
            Class::A | Class::B | Class::C | Class::D | Class::E => {
                let id = KeyId(format!("key-{}", keys.made));
                let row = Row {
                    id: id.clone(),
                    name: (class != Class::D).then(|| wish.name.to_owned()),
                    values: vec![(fresh, None)],
                    enabled: true,
                    created: now,
                    used: None,
                    uses: 0,
                    first: false,
                };
                keys.tokens.insert(wish.token.to_owned(), id);
                let answer = made(&row);
                keys.rows.push(row);
                Answer::Done(answer)
            }
        }
    }

    fn switch(&self, key: &KeyId, on: bool) -> Answer<()> {
        self.call(|keys, _| {
            keys.rows.iter_mut().filter(|row| row.id == *key).for_each(|row| row.enabled = on);
            Answer::Done(())
        })
    }
}

impl<C: Clock> Provider for ProviderDouble<C> {
    fn propose(&self) -> Option<Secret> {
        let mut bytes = [0; 20];
        getrandom::fill(&mut bytes).ok()?;
        Some(Secret::new(format!("double-{}", &digest(&bytes)[..40]).as_bytes()))
    }

    fn create(&self, _: Call, wish: &Wish<'_>) -> Answer<Made> {
        self.call(|keys, now| self.make(keys, now, wish))
    }

    fn list(&self, _: Call) -> Answer<Vec<Listed>> {
        self.call(|keys, now| {
            let shown = keys.rows.iter().filter(|row| row.first || row.created + self.habits.list_lag <= now);
            Answer::Done(
                shown
                    .map(|row| Listed {
                        id: row.id.clone(),
                        name: row.name.clone(),
                        created: Some(row.created),
                        used: row.used.map_or(Used::Never, Used::At),
                        enabled: row.enabled,
                        stamp: Some(row.values.len().to_string()),
                    })
                    .collect(),
            )
        })
    }

    fn reveal(&self, _: Call, key: &KeyId) -> Answer<Option<Secret>> {
        self.call(|keys, _| {
            let row = keys.rows.iter().find(|row| row.id == *key && self.habits.readable);
            let value = row.and_then(|row| row.values.last());
            Answer::Done(value.map(|(value, _)| Secret::new(value.as_bytes())))
        })
    }

    fn verify(&self, _: Call, value: &Secret) -> Life {
        let answer = self.call(|keys, now| Answer::Done(keys.works(value, &self.habits, now)));
        match answer {
            Answer::Done(true) => Life::Live,
            Answer::Done(false) => Life::Dead,
            Answer::Refused(..) | Answer::Unknown(_) => Life::Unknown,
        }
    }

    fn disable(&self, _: Call, key: &KeyId) -> Answer<()> {
        self.switch(key, false)
    }

    fn enable(&self, _: Call, key: &KeyId) -> Answer<()> {
        self.switch(key, true)
    }

    fn delete(&self, _: Call, key: &KeyId) -> Answer<()> {
        self.call(|keys, _| {
            if self.habits.powers.class == Class::F {
                keys.made += 1;
                let fresh = digest(format!("retired {}", keys.made).as_bytes());
                keys.rows.iter_mut().filter(|row| row.id == *key).for_each(|row| {
                    row.values = vec![(fresh.clone(), None)];
                });
            } else {
                keys.rows.retain(|row| row.id != *key);
            }
            Answer::Done(())
        })
    }

    fn usage(&self, _: Call, key: &KeyId) -> Answer<Option<Figures>> {
        self.call(|keys, now| {
            let uses = keys.rows.iter().find(|row| row.id == *key).map_or(0, |row| row.uses);
            let body = serde_json::json!({"key": key, "uses": uses}).to_string().into_bytes();
            Answer::Done(Some(Figures { body, through: now }))
        })
    }

    fn last_used(&self, _: Call, key: &KeyId) -> Answer<(Used, Moment)> {
        self.call(|keys, now| {
            let row = keys.rows.iter().find(|row| row.id == *key);
            Answer::Done((row.and_then(|row| row.used).map_or(Used::Never, Used::At), now))
        })
    }
}
