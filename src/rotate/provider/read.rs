//! The reads: which keys there are, and what use was made of one.

use super::{Declared, first, unread, value};
use crate::call::{Effect, StepError, Values};
use crate::model::Secret;
use crate::rotate::engine::{Answer, Call, Figures, Listed, Used};
use crate::rotate::machine::KeyId;
use crate::rotate::time::Moment;
use crate::rule::CreateClass;
use serde_json::Value;

/// The name by which an operator vouches that nobody uses the idle slot, and the word for it.
const IDLE: (&str, &str) = ("idle", "unused");

impl Declared<'_> {
    pub(super) fn listed(&self, call: Call) -> Answer<Vec<Listed>> {
        let Some(step) = &self.calls.list else {
            return match self.head.class {
                CreateClass::F => Answer::Done(self.slots()),
                _ => Answer::Unknown("the rule declares no call that lists keys".to_owned()),
            };
        };
        let (caller, values) = match self.start(call) {
            Ok(started) => started,
            Err(why) => return unread(&why.why),
        };
        let items = match caller.list(step, &values) {
            Ok(items) => items,
            Err(why) => return unread(&why),
        };
        let says = |name: &str| step.capture.contains_key(name);
        let one = |captured: Values| {
            Some(Listed {
                id: KeyId(value::text(&captured, "id")?),
                name: value::text(&captured, "name"),
                created: value::text(&captured, "created").and_then(|t| value::moment(&t)),
                used: if says("used") { used(&captured) } else { Used::Unsaid },
                enabled: !says("state")
                    || value::text(&captured, "state").is_some_and(|s| self.calls.enabled.contains(&s)),
                stamp: value::text(&captured, "stamp"),
            })
        };
        let list: Option<Vec<Listed>> = items.into_iter().map(|(_, captured)| one(captured)).collect();
        let Some(mut list) = list else {
            return Answer::Unknown("an item of the list has no id that is text".to_owned());
        };
        // Where nothing of ours marks a key, only one that was never used may be ours: each of the few is asked about.
        if self.head.class == CreateClass::D && !says("used") && self.calls.last_used.is_some() {
            for key in &mut list {
                if let Answer::Done((used, _)) = self.used(call, &key.id) {
                    key.used = used;
                }
            }
        }
        Answer::Done(list)
    }

    /// Fixed slots are always there. Whether the idle one is in use only the operator can say, where nobody counts
    /// by key.
    fn slots(&self) -> Vec<Listed> {
        let vouched = self.asked.get(IDLE.0).is_some_and(|v| v.expose() == IDLE.1.as_bytes());
        let used = if vouched { Used::Never } else { Used::Unsaid };
        let slot = |id: &String| Listed {
            id: KeyId(id.clone()),
            name: None,
            created: None,
            used,
            enabled: true,
            stamp: None,
        };
        self.calls.slot_ids.iter().map(slot).collect()
    }

    pub(super) fn figures(&self, call: Call, key: &KeyId) -> Answer<Option<Figures>> {
        let Some(step) = &self.calls.usage else { return Answer::Done(None) };
        let (caller, mut values) = match self.start(call) {
            Ok(started) => started,
            Err(why) => return unread(&why.why),
        };
        values.set("id", Secret::new(key.0.as_bytes()));
        let mut items: Vec<Value> = match caller.list(step, &values) {
            Ok(items) => items.into_iter().map(|(item, _)| item).collect(),
            Err(why) => return unread(&why),
        };
        let whole = if step.find.is_none() { items.pop() } else { None };
        let body = whole.unwrap_or(Value::Array(items)).to_string().into_bytes();
        // Figures are kept as they come, and so nothing that opens anything may be among them.
        let admin = self.calls.admin.keys().filter_map(|name| self.given.get(name));
        let login = self.calls.login.iter().flat_map(|step| &step.capture).filter(|(_, c)| c.secret);
        let mut secrets = admin.chain(login.filter_map(|(name, _)| values.get(name)));
        if secrets.any(|secret| value::holds(&body, secret.expose())) {
            return Answer::Unknown("the figures of use hold a credential, so they are not kept".to_owned());
        }
        Answer::Done(Some(Figures { body, through: self.watermark() }))
    }

    pub(super) fn used(&self, call: Call, key: &KeyId) -> Answer<(Used, Moment)> {
        let through = self.watermark();
        let Some(step) = &self.calls.last_used else {
            return match self.listed(call) {
                Answer::Done(list) => match list.into_iter().find(|k| k.id == *key) {
                    Some(listed) => Answer::Done((listed.used, through)),
                    None => Answer::Unknown("the key is not in the list".to_owned()),
                },
                Answer::Refused(why, words) => Answer::Refused(why, words),
                Answer::Unknown(words) => Answer::Unknown(words),
            };
        };
        let (caller, mut values) = match self.start(call) {
            Ok(started) => started,
            Err(why) => return unread(&why.why),
        };
        values.set("id", Secret::new(key.0.as_bytes()));
        match first(&caller, step, &values) {
            Ok(captured) => Answer::Done((used(&captured), through)),
            Err(StepError::Unproved { effect: Effect::Already, .. }) => Answer::Done((Used::Never, through)),
            Err(why) => unread(&why),
        }
    }
}

/// A time of last use; none is never, one that cannot be read is unsaid.
fn used(captured: &Values) -> Used {
    match captured.get("used") {
        None => Used::Never,
        Some(_) => {
            let at = value::text(captured, "used").and_then(|t| value::moment(&t));
            at.map_or(Used::Unsaid, Used::At)
        }
    }
}
