//! The changes: reads that find what is needed, then one call.

use super::{Declared, changed, first, stopped, unread, value};
use crate::call::{Caller, Effect, Operation, StepError, Values};
use crate::model::Secret;
use crate::rotate::engine::{Answer, Call, Made, Wish};
use crate::rotate::machine::{KeyId, Refusal};
use crate::rule::CreateClass;

impl Declared<'_> {
    pub(super) fn make(&self, call: Call, wish: &Wish<'_>) -> Answer<Made> {
        let Some(operation) = &self.calls.create else { return lacks("makes") };
        let (caller, mut values) = match self.start(call) {
            Ok(started) => started,
            Err(why) => return stopped(&why),
        };
        let slot = self.calls.slot_ids.iter().find(|id| **id != wish.like.0);
        if let Some(slot) = slot {
            values.set("slot", Secret::new(slot.as_bytes()));
        }
        for (name, text) in [("name", wish.name), ("token", wish.token), ("old", wish.like.0.as_str())] {
            values.set(name, Secret::new(text.as_bytes()));
        }
        if let Some(chosen) = wish.value {
            match value::split(&self.calls, chosen) {
                Some(parts) => values.extend(parts),
                None => {
                    let words = "the chosen value has not the parts that the rule names".to_owned();
                    return Answer::Refused(Refusal::Denied, words);
                }
            };
        }
        if let Err(why) = caller.reads(&operation.reads, &mut values) {
            return stopped(&why);
        }
        let captured = match changed(caller.change(&operation.change, &values)) {
            Answer::Done(outcome) => outcome.captured,
            Answer::Refused(why, words) => return Answer::Refused(why, words),
            Answer::Unknown(words) => return Answer::Unknown(words),
        };
        let id = match (self.head.class, slot, value::text(&captured, "id")) {
            (CreateClass::F, Some(slot), _) => Some(slot.clone()),
            (_, _, Some(id)) => Some(id),
            (CreateClass::G, ..) => Some(wish.like.0.clone()),
            // Where no answer is said to hold an id, the name is it; else the list tells it.
            _ if !operation.change.capture.contains_key("id") => Some(wish.name.to_owned()),
            _ => None,
        };
        let value = match wish.value {
            Some(chosen) => Some(chosen.clone()),
            None => value::join(&self.calls, &captured),
        };
        match (id.map(KeyId), value) {
            (Some(id), Some(value)) => Answer::Done(Made { id, value }),
            // Made, without its value or id: looked for once, and else by the engine.
            (Some(id), None) => match self.look(&caller, &values, &id) {
                Answer::Done(Some(value)) => Answer::Done(Made { id, value }),
                _ => Answer::Unknown("the provider made a key, and its answer lacks the value".to_owned()),
            },
            (None, Some(value)) => match self.named(call, wish.name) {
                Some(id) => Answer::Done(Made { id, value }),
                None => Answer::Unknown("the provider made a key, and its answer lacks the id".to_owned()),
            },
            (None, None) => Answer::Unknown("the provider makes a key and has not said which".to_owned()),
        }
    }

    /// The one key of a name.
    fn named(&self, call: Call, name: &str) -> Option<KeyId> {
        let Answer::Done(list) = self.listed(call) else { return None };
        let mut fitting = list.into_iter().filter(|key| key.name.as_deref() == Some(name));
        let first = fitting.next()?;
        fitting.next().is_none().then_some(first.id)
    }

    /// Reads the value of a key.
    pub(super) fn revealed(&self, call: Call, key: &KeyId) -> Answer<Option<Secret>> {
        match self.start(call) {
            Ok((caller, values)) => self.look(&caller, &values, key),
            Err(why) => unread(&why.why),
        }
    }

    fn look(&self, caller: &Caller<'_>, values: &Values, key: &KeyId) -> Answer<Option<Secret>> {
        let Some(step) = &self.calls.reveal else { return Answer::Done(None) };
        let mut values = values.clone();
        values.set("id", Secret::new(key.0.as_bytes()));
        match first(caller, step, &values) {
            Ok(mut captured) => {
                // The value of a slot stands under the slot's own name.
                if self.calls.slot_ids.contains(&key.0)
                    && let Some(value) = captured.get(&key.0).cloned()
                {
                    captured.set("secret", value);
                }
                match value::join(&self.calls, &captured) {
                    Some(value) => Answer::Done(Some(value)),
                    None => Answer::Unknown(StepError::Missing("secret".to_owned()).to_string()),
                }
            }
            Err(why) => unread(&why),
        }
    }

    /// Changes what there is of a key. A key that is gone is done.
    pub(super) fn alter(&self, call: Call, operation: Option<&Operation>, key: &KeyId) -> Answer<()> {
        let Some(operation) = operation else { return lacks("changes") };
        let (caller, mut values) = match self.start(call) {
            Ok(started) => started,
            Err(why) => return stopped(&why),
        };
        values.set("id", Secret::new(key.0.as_bytes()));
        match caller.reads(&operation.reads, &mut values) {
            Err(why) if matches!(why.why, StepError::Unproved { effect: Effect::Already, .. }) => {
                return Answer::Done(());
            }
            Err(why) => return stopped(&why),
            Ok(()) => {}
        }
        match changed(caller.change(&operation.change, &values)) {
            Answer::Done(_) => Answer::Done(()),
            Answer::Refused(why, words) => Answer::Refused(why, words),
            Answer::Unknown(words) => Answer::Unknown(words),
        }
    }
}

fn lacks<T>(what: &str) -> Answer<T> {
    Answer::Refused(Refusal::Denied, format!("the rule declares no call that {what} a key so"))
}
